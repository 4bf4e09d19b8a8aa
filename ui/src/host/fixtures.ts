import { OUTCOME_KEYS } from '../api/constants';
import type {
  Card,
  DeskView,
  LastOutcome,
  LineView,
  RingingTimes,
  Session,
  Trouble,
  View,
} from '../api/types';

/** Recorded views of every screen, for looking at them in a browser and for tests. */

/** 25 November 2026, 18:42 UTC, a Wednesday. */
export const NOW = Date.UTC(2026, 10, 25, 18, 42);
const MINUTE = 60_000;

const run = (text: string) => ({ text, filled: false });
const filled = (text: string) => ({ text, filled: true });

/** A day of London's in this week, so many after today, with the rules' hours. */
const day = (n: number, from = 0) => {
  const midnight = Date.UTC(2026, 10, 25 + n);
  const opens = Math.max(midnight + 570 * MINUTE, from);
  return {
    starts_ms: Math.max(midnight, from),
    opens_ms: opens,
    last_ms: midnight + 1_230 * MINUTE - 25_000,
    morning_ms: opens,
  };
};

/** Until 20:29:35 today, and from 09:30 on the next days. */
export const TIMES: RingingTimes = {
  time_zone: 'Europe/London',
  days: [day(0, NOW), day(1), day(2)],
  unasked_from_ms: NOW,
};

export const CARD: Card = {
  lease_id: 'lease-1',
  name: 'Margaret Hollis',
  form_of_address: 'Mrs Hollis · 78 · Thornby Green',
  flag: 'Hard of hearing. Speak slowly, let it ring long',
  facts: [
    'Lives alone, gas heating',
    'Tom rang on 3 February: “Boiler mended, likes a chat.” No answer last Thursday.',
  ],
  number: '+44 7700 ••• 123',
  attempt: 2,
  attempts_allowed: 3,
  script: [
    {
      kind: 'say',
      runs: [
        run('Hello, is that '),
        filled('Mrs Hollis'),
        run('? My name’s '),
        filled('Maya'),
        run(
          ' and I’m a volunteer with Lantern Street Trust. We’re ringing round before the cold weather to see that everyone has what they need. Is now a good time?',
        ),
      ],
    },
    { kind: 'cue', runs: [run('Not a good time? Offer to ring back: press L and pick a time.')] },
    { kind: 'say', runs: [run('Is your heating working as it should?')] },
    { kind: 'cue', runs: [run('Write down what is wrong, and since when.')] },
    {
      kind: 'say',
      runs: [run('Would you like a warm pack in the post? It’s free: a blanket, a flask and draught strip.')],
    },
    {
      kind: 'cue',
      runs: [run('If the heating is off, say a volunteer will ring today, then note the address.')],
    },
    { kind: 'say', runs: [run('Would a weekly call from one of us be welcome?')] },
    {
      kind: 'say',
      runs: [
        run('Thank you, '),
        filled('Mrs Hollis'),
        run('. Keep warm, and ring us on 020 7946 0142 if anything changes.'),
      ],
    },
  ],
  times: TIMES,
};

export const NEXT_CARD: Card = {
  ...CARD,
  lease_id: 'lease-2',
  name: 'Sunita Rao',
  form_of_address: 'Ms Rao',
  flag: null,
  facts: ['Asked for a weekly call in October'],
  number: '+44 7700 ••• 274',
  attempt: 1,
};

export const LAST: LastOutcome = {
  attempt_id: 'attempt-0',
  name: 'Terence Whitlow',
  outcome: 'no-answer',
  by: 'network',
  again_at_ms: null,
  times: TIMES,
  keys: [...OUTCOME_KEYS],
};

/** At 19:50, from where an hour leads past closing time. */
const LATE = NOW + 68 * MINUTE;
const late: Session = {
  state: 'wrap-up',
  card: { ...CARD, times: { ...TIMES, days: [day(0, LATE), day(1), day(2)], unasked_from_ms: LATE } },
  call: { attempt_id: 'attempt-1', state: { state: 'ended', by: 'callee', talked_ms: 252_000 } },
};

export const ready: Session = { state: 'ready', card: CARD };
const readyNext: Session = { state: 'ready', card: NEXT_CARD };
const inLine: Session = {
  state: 'dialling',
  card: CARD,
  call: { attempt_id: 'attempt-1', state: { state: 'in-line', since_ms: NOW - 4_000 } },
};
export const dialling: Session = {
  state: 'dialling',
  card: CARD,
  call: { attempt_id: 'attempt-1', state: { state: 'dialling', since_ms: NOW - 2_000 } },
};
export const ringing: Session = {
  state: 'dialling',
  card: CARD,
  call: { attempt_id: 'attempt-1', state: { state: 'ringing', since_ms: NOW - 8_000, early_media: false } },
};
export const talking: Session = {
  state: 'talking',
  card: CARD,
  call: { attempt_id: 'attempt-1', state: { state: 'talking', since_ms: NOW - 167_000 } },
};
export const wrapUp: Session = {
  state: 'wrap-up',
  card: CARD,
  call: { attempt_id: 'attempt-1', state: { state: 'ended', by: 'callee', talked_ms: 252_000 } },
};
const ended = (by: 'volunteer' | 'network' | 'server', talked_ms: number): Session => ({
  state: 'wrap-up',
  card: CARD,
  call: { attempt_id: 'attempt-1', state: { state: 'ended', by, talked_ms } },
});

/** A view of the desk, with what differs from an ordinary evening. */
export function deskView(
  session: Session,
  desk: Partial<DeskView> = {},
  view: Partial<Pick<View, 'troubles' | 'notice' | 'invitation'>> = {},
): View {
  const line: LineView = desk.line ?? (session.state === 'ended' ? { state: 'down' } : { state: 'up' });
  const grades = { up: 'good', lost: 'down', down: 'unknown', opening: 'unknown' } as const;
  return {
    server_now_ms: NOW,
    troubles: [],
    notice: null,
    invitation: null,
    ...view,
    screen: {
      name: 'desk',
      volunteer: 'Maya',
      campaign: {
        id: 'campaign-1',
        name: 'Winter Warmth',
        organisation: 'Lantern Street Trust',
        mode: 'one-touch',
        organiser: 'Ruth',
      },
      line,
      session,
      last_outcome: LAST,
      muted: false,
      marked: null,
      busy: null,
      rings: false,
      waiting_outcomes: 0,
      quality: { grade: grades[line.state], loss: 0, jitter_ms: 4, round_trip_ms: 31 },
      devices: { microphone: 'USB headset', speaker: 'USB headset' },
      ...desk,
    },
  };
}

const trouble = (session: Session, troubles: Trouble[], desk: Partial<DeskView> = {}): View =>
  deskView(session, desk, { troubles });

const joinView = (problem: (View['screen'] & { name: 'join' })['problem'], busy = false): View => ({
  server_now_ms: NOW,
  screen: { name: 'join', busy, problem },
  troubles: [],
  notice: null,
  invitation: null,
});

/** Every view by name: `?view=NAME`. */
export const views: Readonly<Record<string, View>> = {
  opening: {
    server_now_ms: NOW,
    screen: { name: 'opening' },
    troubles: [],
    notice: null,
    invitation: null,
  },
  'keyring-locked': {
    server_now_ms: NOW,
    screen: { name: 'opening' },
    troubles: [{ kind: 'keyring-locked' }],
    notice: null,
    invitation: null,
  },
  join: joinView(null),
  'join-busy': joinView(null, true),
  'join-spent': joinView({ kind: 'spent', organiser: 'Ruth' }),
  'join-expired': joinView({ kind: 'expired', organiser: 'Ruth', ended_at_ms: NOW - 4 * 1440 * MINUTE }),
  'join-unreachable': joinView({ kind: 'unreachable' }),
  start: deskView({ state: 'ended' }, { last_outcome: null }),
  invitation: deskView(
    { state: 'ended' },
    { last_outcome: null },
    {
      invitation: {
        host: 'calls.elsewhere.example:8443',
        organisation: 'Lantern Street Trust',
        waiting_outcomes: 1,
      },
    },
  ),
  'waiting-line': deskView(
    { state: 'waiting', why: { reason: 'line' } },
    { line: { state: 'opening' }, last_outcome: null },
  ),
  'nobody-left': deskView({
    state: 'waiting',
    why: { reason: 'nobody-left', again: 6, next_at_ms: NOW + 918 * MINUTE },
  }),
  'outside-hours': deskView({
    state: 'waiting',
    why: { reason: 'outside-hours', opens_at_ms: NOW + 888 * MINUTE },
  }),
  'passed-on': deskView({
    state: 'waiting',
    why: { reason: 'passed-on', next_at_ms: NOW + MINUTE },
  }),
  'no-telephone': trouble({ state: 'waiting', why: { reason: 'no-telephone' } }, [{ kind: 'no-telephone' }]),
  'without-sound': trouble({ state: 'waiting', why: { reason: 'line' } }, [{ kind: 'without-sound' }], {
    line: { state: 'opening' },
  }),
  'no-storage': deskView({ state: 'waiting', why: { reason: 'no-storage' } }),
  ready: deskView(ready),
  'ready-calling': deskView(ready, { busy: 'call' }),
  'ready-rule': deskView(
    readyNext,
    {},
    { notice: { kind: 'refused-by-rule', message: 'she was called an hour ago. The next card is ready' } },
  ),
  'ready-do-not-call': deskView(
    readyNext,
    { last_outcome: { ...LAST, attempt_id: 'attempt-1', name: 'Margaret Hollis', outcome: 'do-not-call' } },
    { notice: { kind: 'do-not-call', name: 'Mrs Hollis', attempt_id: 'attempt-1' } },
  ),
  'ready-call-back': deskView(readyNext, {
    last_outcome: {
      ...LAST,
      attempt_id: 'attempt-1',
      name: 'Margaret Hollis',
      outcome: 'callback',
      by: 'volunteer',
      again_at_ms: NOW + 888 * MINUTE,
    },
  }),
  /** Nobody answered: the keys of a conversation do not correct it. */
  'ready-unanswered': deskView(readyNext, {
    last_outcome: { ...LAST, keys: ['no-answer', 'busy', 'do-not-call'] },
  }),
  'ready-saved-here': deskView(
    ready,
    { waiting_outcomes: 1 },
    { notice: { kind: 'saved-here', outcome: 'reached' } },
  ),
  'in-line': deskView(inLine),
  dialling: deskView(dialling),
  ringing: deskView(ringing, { rings: true }),
  talking: deskView(talking),
  muted: deskView(talking, { muted: true }),
  marked: deskView(talking, { marked: 'reached' }),
  'talking-next': deskView(talking, { last_outcome: null }),
  'wrap-up': deskView(wrapUp),
  'wrap-up-marked': deskView(wrapUp, { marked: 'reached' }),
  'wrap-up-late': { ...deskView(late), server_now_ms: LATE },
  'wrap-up-network': deskView(ended('network', 0)),
  'wrap-up-cancelled': deskView(ended('volunteer', 0)),
  'line-lost': trouble(talking, [{ kind: 'line-lost', since_ms: NOW - 8_000, in_call: true }], {
    line: { state: 'lost', since_ms: NOW - 8_000 },
  }),
  'line-lost-idle': trouble(ready, [{ kind: 'line-lost', since_ms: NOW - 3_000, in_call: false }], {
    line: { state: 'lost', since_ms: NOW - 3_000 },
  }),
  'server-lost': trouble(ready, [{ kind: 'server-unreachable', retry_in_s: 5, in_call: false }]),
  'server-lost-in-call': trouble(talking, [{ kind: 'server-unreachable', retry_in_s: 5, in_call: true }]),
  'provider-refuses': trouble(ready, [
    {
      kind: 'trunk',
      complaint: { kind: 'refuses', sip: 503 },
      next_try: { who: 'later', at_ms: NOW + 40_000 },
    },
  ]),
  'provider-tried': trouble(ready, [
    { kind: 'trunk', complaint: { kind: 'refuses', sip: 503 }, next_try: { who: 'yours' } },
  ]),
  'provider-silent': trouble(ready, [
    { kind: 'trunk', complaint: { kind: 'silent' }, next_try: { who: 'others' } },
  ]),
  'no-microphone': trouble(ready, [{ kind: 'no-microphone' }], {
    devices: { microphone: null, speaker: 'USB headset' },
  }),
  'no-speaker': trouble(ready, [{ kind: 'no-speaker' }], {
    devices: { microphone: 'USB headset', speaker: null },
  }),
  'too-quiet': trouble(talking, [{ kind: 'too-quiet' }]),
  'server-storage': trouble(ready, [{ kind: 'server-storage' }], { waiting_outcomes: 1 }),
  'local-storage': trouble(wrapUp, [{ kind: 'local-storage' }]),
  'no-keyring': trouble(ready, [{ kind: 'no-keyring', why: 'org.freedesktop.secrets: ServiceUnknown' }]),
  'outcome-refused': trouble(ready, [
    { kind: 'outcome-refused', pressed_at_ms: NOW - 4 * MINUTE, outcome: 'reached' },
  ]),
  revoked: trouble({ state: 'ended' }, [{ kind: 'revoked', organiser: 'Ruth' }]),
  'update-app': trouble({ state: 'ended' }, [{ kind: 'update-app' }]),
  'update-server': trouble({ state: 'ended' }, [{ kind: 'update-server' }]),
  untrusted: trouble({ state: 'ended' }, [{ kind: 'untrusted' }]),
  paused: deskView({ state: 'paused', pause: { by: null, message: null } }),
  'paused-by-organiser': deskView({
    state: 'paused',
    pause: { by: 'Ruth', message: 'Tea break, back at 19:15' },
  }),
  finished: deskView({ state: 'ended' }),
};
