import type { Card, DeskView, View } from '../api/types';
import { t } from '../i18n';
import { callBlock, type CallBlock } from './call-block';
import { isInLine, type Hand } from './hand';
import { joinProblemText } from './join-problem';
import { keysOf, type Keys } from './keys';
import { splitFlag } from './people';
import { barsStart, mayGiveBack } from './trouble';
import { sameDay, timeAndDay, timeOfDayBy } from './when';

/** The phone column, top to bottom. */
export interface Phone {
  place: { name: string; organisation: string; mode: string };
  card: CardFace;
  block: CallBlock;
  keys: Keys;
}

/** What the card says, whoever or whatever it is about. */
export interface CardFace {
  caption: string;
  name: string;
  under: string;
  /** A sentence in place of facts. */
  text: string;
  facts: Fact[];
  foot: string;
  /** Do not call can be pressed. */
  never: boolean;
  /** Where the link is pasted. */
  field: { problem: string | null; busy: boolean } | null;
}

export interface Fact {
  icon: 'number' | 'hearing' | 'flag' | 'fact';
  head: string;
  text: string;
  hint: string;
}

/** The phone column of a view. */
export function phoneOf(view: View, hand: Hand): Phone {
  return {
    place: placeOf(view),
    card: cardOf(view, hand),
    block: callBlock(view, hand),
    keys: keysOf(view, hand),
  };
}

function placeOf({ screen }: View): Phone['place'] {
  if (screen.name !== 'desk') return { name: t.app, organisation: '', mode: '' };
  const { name, organisation, mode } = screen.campaign;
  return { name, organisation, mode: t.mode[mode] };
}

function cardOf(view: View, hand: Hand): CardFace {
  const { screen } = view;
  if (screen.name === 'opening') {
    return { ...blank, caption: t.opening.caption, name: t.opening.name, text: t.opening.text };
  }
  if (screen.name === 'join') {
    const problem = screen.problem && joinProblemText(screen.problem, view.server_now_ms);
    return {
      ...blank,
      caption: t.join.caption,
      name: t.join.name,
      text: t.join.text,
      foot: t.join.once,
      field: { problem, busy: screen.busy },
    };
  }
  return deskCard(screen, view, hand);
}

function deskCard(desk: DeskView, view: View, hand: Hand): CardFace {
  const { server_now_ms: nowMs, troubles } = view;
  const { session, campaign } = desk;
  const plain: CardFace = { ...blank, foot: t.start.foot(desk.volunteer) };
  switch (session.state) {
    case 'ready':
      return { ...personFace(session.card), caption: t.card.next, never: mayGiveBack(view) };
    case 'dialling': {
      const caption = isInLine(session) ? t.card.next : t.card.calling;
      return { ...personFace(session.card), caption };
    }
    case 'talking':
      return { ...personFace(session.card), caption: t.card.talking, never: true };
    case 'wrap-up': {
      const { state } = session.call;
      const spoke = state.state === 'ended' && state.talked_ms > 0;
      return { ...personFace(session.card), caption: spoke ? t.card.spoke : t.card.rang, never: true };
    }
    case 'ended':
      if (troubles.some(barsStart)) {
        const { caption, barred } = t.finished;
        return { ...plain, caption, name: t.trouble.page, text: barred };
      }
      if (hand.finished) {
        const { caption, name, text } = t.finished;
        return { ...plain, caption, name, text };
      }
      return {
        ...plain,
        caption: t.start.caption,
        name: campaign.name,
        under: campaign.organisation,
        facts: [t.start.facts.organiser(campaign.organiser), t.start.facts.line, t.start.facts.headset].map(
          plainFact,
        ),
      };
    case 'paused': {
      const { by, message } = session.pause;
      if (by === null)
        return { ...plain, caption: t.paused.caption, name: t.paused.name, text: t.paused.text };
      return {
        ...plain,
        caption: t.paused.caption,
        name: t.paused.byName,
        text: message ? t.paused.bySaid(by, message) : `${t.paused.by(by)}.`,
        foot: t.paused.comes,
      };
    }
    case 'waiting': {
      const w = t.waiting;
      switch (session.why.reason) {
        case 'line':
          return { ...plain, caption: t.card.next, name: w.line.name, text: w.line.text };
        case 'nobody-left': {
          const { again, next_at_ms: at } = session.why;
          const when = at === null ? null : timeAndDay(at, nowMs);
          const { caption } = t.finished;
          return { ...plain, caption, name: w.nobody.name, text: w.nobody.text(again, when) };
        }
        case 'outside-hours': {
          const { opens_at_ms: at } = session.why;
          const text = `${w.hours.said(timeAndDay(at, nowMs), sameDay(at, nowMs))}.`;
          return { ...plain, caption: w.caption, name: w.hours.name, text };
        }
        case 'passed-on': {
          const text = w.passedOn.text(timeOfDayBy(session.why.next_at_ms));
          return { ...plain, caption: t.card.next, name: w.passedOn.name, text };
        }
        case 'no-telephone':
          return { ...plain, caption: w.caption, name: w.telephone.name, text: w.telephone.text };
        case 'no-storage':
          return { ...plain, caption: w.caption, name: w.storage.name, text: w.storage.text };
      }
    }
  }
}

const blank: CardFace = {
  caption: '',
  name: '',
  under: '',
  text: '',
  facts: [],
  foot: '',
  never: false,
  field: null,
};

const plainFact = (text: string): Fact => ({ icon: 'fact', head: '', text, hint: '' });

function personFace(card: Card): CardFace {
  const facts: Fact[] = [{ icon: 'number', head: '', text: card.number, hint: t.card.masked }];
  if (card.flag) {
    const { head, rest } = splitFlag(card.flag);
    facts.push({
      icon: t.card.hearing.test(card.flag) ? 'hearing' : 'flag',
      head,
      text: rest,
      hint: '',
    });
  }
  return {
    ...blank,
    name: card.name,
    under: card.form_of_address,
    facts: [...facts, ...card.facts.map(plainFact)],
    foot: t.card.attempt(card.attempt, card.attempts_allowed),
  };
}
