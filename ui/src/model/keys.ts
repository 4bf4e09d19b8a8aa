import type { Notice, Outcome, View } from '../api/types';
import { OUTCOME_KEYS } from '../api/constants';
import { t } from '../i18n';
import type { Hand } from './hand';
import { whenOf } from './offers';
import type { KeyOutcome } from './outcomes';
import { firstName } from './people';
import { barsStart } from './trouble';

/** The title row and the nine keys, or the twelve of the telephone in the same rectangle. */
export interface Keys {
  kind: 'outcomes' | 'telephone' | 'steps';
  title: Title;
  /** Quiet before a call, available in it, raised when they are what is wanted. */
  look: 'quiet' | 'available' | 'raised';
  marked: Outcome | null;
  suggested: Outcome | null;
  /** Keys that the server would not take: nobody answered. */
  closed: readonly Outcome[];
}

/** The 28 px above the keys: what they are for, or what the last press did. */
export interface Title {
  /** What the keys are for, or a confirmation with a tick, or a notice. */
  kind: 'plain' | 'saved' | 'notice';
  text: string;
  aside: string;
  button: 'correct' | 'leave' | 'keypad' | null;
}

/** The keys of a view. */
export function keysOf(view: View, hand: Hand): Keys {
  const keys: Keys = {
    kind: 'outcomes',
    title: plain(t.keys.title, t.keys.after),
    look: 'quiet',
    marked: null,
    suggested: null,
    closed: [],
  };
  const { screen } = view;
  if (screen.name === 'join') return { ...keys, kind: 'steps', title: plain(t.join.stepsTitle, '') };
  if (screen.name === 'opening') return keys;

  const { session, last_outcome: last, marked } = screen;
  if (hand.correcting && last) {
    const taken = last.keys ?? OUTCOME_KEYS;
    const closed = OUTCOME_KEYS.filter((outcome) => !taken.includes(outcome));
    const aside = closed.length > 0 ? t.keys.unanswered : '';
    const title: Title = { kind: 'plain', text: t.keys.correcting(last.name), aside, button: 'leave' };
    return { ...keys, title, look: 'raised', marked: last.outcome, closed };
  }
  if (session.state === 'talking') {
    if (hand.keypad) {
      const text = hand.digits === '' ? t.keys.keypad : t.keys.sent(hand.digits);
      return { ...keys, kind: 'telephone', title: { kind: 'plain', text, aside: '', button: 'keypad' } };
    }
    const aside = marked ? t.keys.marked(t.outcome[marked]) : t.keys.press;
    const title = noticeTitle(view) ?? plain(t.keys.title, aside);
    return { ...keys, title, look: 'available', marked };
  }
  if (session.state === 'wrap-up') {
    const suggested = marked ?? suggestion(session.call.state);
    const title =
      noticeTitle(view) ?? plain(t.keys.title, suggested && hand.singleKeys ? t.keys.enter : t.keys.choose);
    return { ...keys, title, look: 'raised', marked: null, suggested };
  }
  const before = session.state === 'ended' ? plain(t.keys.before, '') : keys.title;
  return { ...keys, title: noticeTitle(view) ?? settledTitle(hand) ?? savedTitle(view) ?? before };
}

/** What Enter takes in wrap-up. */
export function suggestedOutcome(view: View): KeyOutcome | null {
  const { suggested } = keysOf(view, noHand);
  return (OUTCOME_KEYS as readonly Outcome[]).includes(suggested ?? 'unknown')
    ? (suggested as KeyOutcome)
    : null;
}

const noHand = { correcting: false, keypad: false, digits: '' } as Hand;

/** Nobody was spoken with, so it is a call without an answer until the volunteer says otherwise. */
function suggestion(state: { state: string; talked_ms?: number }): Outcome | null {
  return state.state === 'ended' && state.talked_ms === 0 ? 'no-answer' : null;
}

const plain = (text: string, aside: string): Title => ({ kind: 'plain', text, aside, button: null });

function settledTitle({ settled }: Hand): Title | null {
  return settled === null ? null : { kind: 'saved', text: settled, aside: '', button: null };
}

/** Not where this computer calls no more: the server would not take it. */
export function mayCorrect({ screen, troubles }: View): boolean {
  if (screen.name !== 'desk' || !screen.last_outcome) return false;
  return screen.session.state !== 'ended' || !troubles.some(barsStart);
}

function savedTitle(view: View): Title | null {
  const { screen } = view;
  if (screen.name !== 'desk' || !screen.last_outcome || !mayCorrect(view)) return null;
  const { name, outcome, again_at_ms: at, times } = screen.last_outcome;
  const saved = (text: string): Title => ({ kind: 'saved', text, aside: '', button: 'correct' });
  if (screen.waiting_outcomes > 0) return saved(t.keys.kept(name, t.outcome[outcome]));
  if (outcome === 'wrong-number') return saved(t.notice.wrongNumber(firstName(name)));
  if (at !== null) {
    return saved(t.keys.callsBack(firstName(name), whenOf(at, view.server_now_ms, times.time_zone)));
  }
  return saved(t.keys.saved(name, t.outcome[outcome]));
}

function noticeTitle(view: View): Title | null {
  const { notice, screen } = view;
  if (!notice || screen.name !== 'desk') return null;
  const ofLast = notice.kind === 'do-not-call' && notice.attempt_id === screen.last_outcome?.attempt_id;
  const correctable = (notice.kind === 'saved-here' || ofLast) && mayCorrect(view);
  return {
    kind: 'notice',
    text: noticeText(notice, view),
    aside: '',
    button: correctable ? 'correct' : null,
  };
}

/** A notice in words. */
export function noticeText(notice: Notice, { screen }: View): string {
  switch (notice.kind) {
    case 'refused-by-rule':
      return t.notice.notRung(notice.message);
    case 'lease-lost':
      return t.notice.leaseLost;
    case 'saved-here':
      return t.notice.savedHere;
    case 'line-back': {
      const talking =
        screen.name === 'desk' && screen.session.state === 'talking' ? screen.session.card : null;
      return talking ? t.notice.lineBack(firstName(talking.name)) : t.notice.lineBackIdle;
    }
    case 'do-not-call':
      return t.notice.doNotCall(notice.name);
    case 'in-call':
      return t.notice.inCall;
    case 'refused':
      return t.notice.refused(notice.message);
  }
}
