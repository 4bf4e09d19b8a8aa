import type { DeskView, Trouble, View, Waiting } from '../api/types';
import { t } from '../i18n';
import type { Hand } from './hand';
import { stepsOf, type Step } from './script';
import type { Row, Tally } from './tally';
import { timeOfDay } from './when';

/** The white page: what to say, or why there is nothing to say yet. */
export interface Page {
  title: string;
  under: string;
  body: Body;
  /** A sentence at the bottom. */
  foot: string;
  /** The sentence tells of what is kept on this computer. */
  kept: boolean;
  /** The note field is open, or a button opens it. */
  note: 'none' | 'button' | 'open';
  /** Pause stands in the header; in a call it waits for its end. */
  pause: 'none' | 'now' | 'later';
  /** How the line sounds, where there is one. */
  sound: boolean;
}

export type Body =
  /** `over`: there is nobody to say it to any more. */
  | { kind: 'script'; steps: Step[]; now: number; over: boolean }
  | { kind: 'info'; lead: string; items: Item[] }
  | { kind: 'tally'; lead: string; rows: Row[]; items: Item[] };

export interface Item {
  icon: 'phone-off' | 'key' | 'person' | 'eye' | 'card' | 'call' | 'keys' | 'pause' | 'clock' | 'volunteers';
  title: string;
  text: string;
}

/** The page of a view. */
export function pageOf(view: View, hand: Hand, tally: Tally): Page {
  const { screen } = view;
  const base: Page = {
    title: '',
    under: '',
    body: { kind: 'info', lead: '', items: [] },
    foot: '',
    kept: false,
    note: 'none',
    pause: 'none',
    sound: false,
  };
  if (screen.name === 'opening') {
    const body: Body = { kind: 'info', lead: '', items: [{ icon: 'key', ...t.opening.keyring }] };
    return { ...base, title: t.opening.page, body };
  }
  if (screen.name === 'join') {
    const { items } = t.join;
    return {
      ...base,
      title: t.join.page,
      under: t.join.pageUnder,
      body: {
        kind: 'info',
        lead: '',
        items: [
          { icon: 'phone-off', ...items.number },
          { icon: 'key', ...items.password },
          { icon: 'person', ...items.person },
          { icon: 'eye', ...items.sees },
        ],
      },
      foot: t.join.agree,
    };
  }
  const sound = screen.line.state === 'up' || screen.line.state === 'lost';
  return deskPage({ ...base, sound, ...keptFoot(view, screen) }, screen, view.troubles, hand, tally);
}

function deskPage(base: Page, desk: DeskView, troubles: Trouble[], hand: Hand, tally: Tally): Page {
  const { session } = desk;
  switch (session.state) {
    case 'ready':
    case 'dialling':
    case 'talking':
    case 'wrap-up': {
      const steps = stepsOf(session.card.script);
      const now = Math.min(hand.step, Math.max(0, steps.length - 1));
      const over = session.state === 'wrap-up';
      return {
        ...base,
        title: t.script.title,
        under: steps.length > 1 && !over ? t.script.step(now + 1, steps.length) : '',
        body: { kind: 'script', steps, now, over },
        note: over || hand.noteOpen ? 'open' : 'button',
        pause: session.state === 'ready' || over ? 'now' : 'later',
      };
    }
    case 'waiting': {
      const { reason } = session.why;
      const item = waitingItem(reason);
      const mayPause = reason === 'nobody-left' || reason === 'outside-hours' || reason === 'passed-on';
      const serversFault = reason === 'no-storage' || reason === 'no-telephone';
      const page: Page = {
        ...(serversFault ? base : saved(base)),
        title: t.waiting.page,
        pause: mayPause ? 'now' : 'none',
      };
      if (reason === 'nobody-left' && tally.people > 0) {
        const lead = t.finished.lead(desk.volunteer, tally.people, tally.spoke);
        return {
          ...page,
          title: t.finished.page,
          body: { kind: 'tally', lead, rows: tally.rows, items: [item] },
        };
      }
      // Nothing on the page moves while the line comes up after Start.
      if (reason === 'line' && tally.people === 0) return startPage(base, desk, [item]);
      return { ...page, body: soFar(tally, item) };
    }
    case 'paused': {
      const { by } = session.pause;
      const item: Item =
        by === null
          ? { icon: 'pause', title: t.paused.whyTitle, text: t.paused.why }
          : { icon: 'pause', title: t.paused.by(by), text: t.paused.byWhy };
      return { ...saved(base), title: t.paused.page, body: soFar(tally, item) };
    }
    case 'ended': {
      if (hand.finished) return finishedPage(base, desk, tally);
      const then = howToGoOn(troubles);
      return then === null ? startPage(base, desk) : { ...base, title: t.trouble.page, body: then };
    }
  }
}

/** What may be done where no call can be made at all. */
function howToGoOn(troubles: Trouble[]): Body | null {
  for (const trouble of troubles) {
    const then = thenOf(trouble);
    if (then !== null) return { kind: 'info', lead: '', items: [{ ...then, title: t.trouble.how }] };
  }
  return null;
}

function thenOf(trouble: Trouble): Pick<Item, 'icon' | 'text'> | null {
  const words = t.trouble;
  if (trouble.kind === 'revoked') return { icon: 'key', text: words.revoked.then(trouble.organiser) };
  if (trouble.kind === 'update-app') return { icon: 'clock', text: words.updateApp.then };
  if (trouble.kind === 'update-server') return { icon: 'clock', text: words.updateServer.then };
  return trouble.kind === 'untrusted' ? { icon: 'phone-off', text: words.untrusted.then } : null;
}

function startPage(base: Page, desk: DeskView, more: Item[] = []): Page {
  const { items } = t.start;
  return {
    ...base,
    title: t.start.page,
    body: {
      kind: 'info',
      lead: t.start.lead(desk.volunteer),
      items: [
        { icon: 'card', ...items.card },
        { icon: 'call', ...items.call },
        { icon: 'keys', ...items.outcome },
        { icon: 'pause', ...items.pause },
        ...more,
      ],
    },
    foot: base.foot || t.start.foot2,
  };
}

function finishedPage(base: Page, desk: DeskView, { since, people, spoke, rows }: Tally): Page {
  return {
    ...saved(base, t.finished.saved),
    title: t.finished.page,
    under: since === null ? '' : t.finished.since(timeOfDay(since)),
    body: { kind: 'tally', lead: t.finished.lead(desk.volunteer, people, spoke), rows, items: [] },
  };
}

/** Why nobody is rung just now, under what was done before. */
function soFar({ people, spoke, rows }: Tally, item: Item): Body {
  if (people === 0) return { kind: 'info', lead: '', items: [item] };
  return { kind: 'tally', lead: t.finished.soFar(people, spoke), rows, items: [item] };
}

const saved = (base: Page, foot = t.paused.foot): Page => (base.kept ? base : { ...base, foot });

/** What waits on this computer for the server, and what would. */
function keptFoot({ troubles }: View, desk: DeskView): Pick<Page, 'foot' | 'kept'> {
  if (desk.waiting_outcomes > 0) return { foot: t.finished.kept(desk.waiting_outcomes), kept: true };
  const away = troubles.some(({ kind }) => kind === 'line-lost' || kind === 'server-unreachable');
  return away && 'card' in desk.session ? { foot: t.finished.keeps, kept: true } : { foot: '', kept: false };
}

function waitingItem(reason: Waiting['reason']): Item {
  const w = t.waiting;
  switch (reason) {
    case 'line':
      return { icon: 'call', title: w.line.whyTitle, text: w.line.why };
    case 'nobody-left':
      return { icon: 'volunteers', title: w.nobody.whyTitle, text: w.nobody.why };
    case 'outside-hours':
      return { icon: 'clock', title: w.hours.whyTitle, text: w.hours.why };
    case 'passed-on':
      return { icon: 'card', title: w.passedOn.whyTitle, text: w.passedOn.why };
    case 'no-telephone':
      return { icon: 'phone-off', title: w.telephone.whyTitle, text: w.telephone.why };
    case 'no-storage':
      return { icon: 'pause', title: w.storage.whyTitle, text: w.storage.why };
  }
}
