import type { DeskView, Run, ScriptPart, View } from '../api/types';
import { t } from '../i18n';
import type { Hand } from './hand';
import type { Row, Tally } from './tally';
import { timeOfDay } from './when';

/** The white page: what to say, or why there is nothing to say yet. */
export interface Page {
  title: string;
  under: string;
  body: Body;
  /** A sentence at the bottom, where there is no card. */
  foot: string;
  /** The note field is open, or a button opens it. */
  note: 'none' | 'button' | 'open';
  /** Pause stands in the header; in a call it waits for its end. */
  pause: 'none' | 'now' | 'later';
  sound: boolean;
}

export type Body =
  | { kind: 'script'; steps: Step[]; now: number }
  | { kind: 'info'; lead: string; items: Item[] }
  | { kind: 'tally'; lead: string; rows: Row[]; items: Item[] };

/** One thing to say, with its cues. */
export interface Step {
  say: Run[];
  cues: Run[][];
}

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
    note: 'none',
    pause: 'none',
    sound: false,
  };
  if (screen.name === 'opening') return { ...base, title: t.opening.page };
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
  return deskPage({ ...base, sound: true }, screen, hand, tally);
}

function deskPage(base: Page, desk: DeskView, hand: Hand, tally: Tally): Page {
  const { session } = desk;
  switch (session.state) {
    case 'ready':
    case 'dialling':
    case 'talking':
    case 'wrap-up': {
      const steps = stepsOf(session.card.script);
      const now = Math.min(hand.step, Math.max(0, steps.length - 1));
      return {
        ...base,
        title: t.script.title,
        under: steps.length > 1 ? t.script.step(now + 1, steps.length) : '',
        body: { kind: 'script', steps, now },
        note: session.state === 'wrap-up' || hand.noteOpen ? 'open' : 'button',
        pause: session.state === 'ready' || session.state === 'wrap-up' ? 'now' : 'later',
      };
    }
    case 'waiting':
      if (session.why.reason === 'nobody-left' && tally.people > 0) {
        const { lead, rows } = tallyBody(desk, tally);
        const items = [waitingItem('nobody-left')];
        const body: Body = { kind: 'tally', lead, rows, items };
        return { ...base, title: t.finished.page, body, foot: savedFoot(desk), pause: 'now' };
      }
      return {
        ...base,
        title: t.waiting.page,
        body: { kind: 'info', lead: '', items: [waitingItem(session.why.reason)] },
        foot: savedFoot(desk),
        pause:
          session.why.reason === 'nobody-left' || session.why.reason === 'outside-hours' ? 'now' : 'none',
      };
    case 'paused': {
      const byOther = session.pause.by !== null;
      return {
        ...base,
        title: t.paused.page,
        body: {
          kind: 'info',
          lead: '',
          items: [
            byOther
              ? { icon: 'pause', title: t.paused.by(session.pause.by ?? ''), text: t.paused.byWhy }
              : { icon: 'pause', title: t.paused.name, text: t.paused.why },
          ],
        },
        foot: savedFoot(desk),
      };
    }
    case 'ended':
      return hand.finished ? finishedPage(base, desk, tally) : startPage(base, desk);
  }
}

function startPage(base: Page, desk: DeskView): Page {
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
      ],
    },
    foot: t.start.foot2,
  };
}

function finishedPage(base: Page, desk: DeskView, tally: Tally): Page {
  return {
    ...base,
    title: t.finished.page,
    under: tallyUnder(tally),
    body: { kind: 'tally', ...tallyBody(desk, tally), items: [] },
    foot: savedFoot(desk, t.finished.saved),
  };
}

const tallyUnder = ({ since }: Tally) => (since === null ? '' : t.finished.since(timeOfDay(since)));

const tallyBody = (desk: DeskView, { people, spoke, rows }: Tally) => ({
  lead: t.finished.lead(desk.volunteer, people, spoke),
  rows,
});

const savedFoot = (desk: DeskView, saved = t.paused.foot) =>
  desk.waiting_outcomes > 0 ? t.finished.kept(desk.waiting_outcomes) : saved;

function waitingItem(reason: 'line' | 'nobody-left' | 'outside-hours' | 'no-telephone' | 'no-storage'): Item {
  const w = t.waiting;
  switch (reason) {
    case 'line':
      return { icon: 'call', title: w.line.name, text: w.line.why };
    case 'nobody-left':
      return { icon: 'volunteers', title: w.nobody.name, text: w.nobody.why };
    case 'outside-hours':
      return { icon: 'clock', title: w.hours.name, text: w.hours.why };
    case 'no-telephone':
      return { icon: 'phone-off', title: w.telephone.name, text: w.telephone.why };
    case 'no-storage':
      return { icon: 'pause', title: w.storage.whyTitle, text: w.storage.why };
  }
}

/** A step starts with words to say; the cues behind them belong to it. */
export function stepsOf(script: ScriptPart[]): Step[] {
  const steps: Step[] = [];
  for (const part of script) {
    const runs = part.runs.map(({ text, filled }) => ({ text: keepNumbers(text), filled }));
    if (part.kind === 'say') steps.push({ say: runs, cues: [] });
    else if (steps.length === 0) steps.push({ say: [], cues: [runs] });
    else steps.at(-1)?.cues.push(runs);
  }
  return steps;
}

/** A telephone number is read in one go, so no line ends within it. */
function keepNumbers(text: string): string {
  return text.replace(/(\d) (?=\d)/g, '$1\u00a0');
}
