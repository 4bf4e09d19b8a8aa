import type { DeskView, DeviceChoice, JoinProblem, Session, Trouble, View } from '../api/types';
import { t } from '../i18n';
import type { Hand } from './hand';
import type { Intent } from './intent';
import { firstName } from './people';
import { serverAway, waitsForTrunk } from './trouble';
import { timeAndDay, timeOfDayBy } from './when';

/** Colour of a dot; a word always says the same. */
export type Tone = 'good' | 'info' | 'wait' | 'stop' | 'off';

/** The 128 px of status row and button, in the same place in every state. */
export interface CallBlock {
  status: Status;
  main: MainButton;
  /** Beside Hang up while talking. */
  mute: { on: boolean } | null;
}

export interface Status {
  tone: Tone;
  /** In bold, before the text. */
  head: string;
  text: string;
  /** The large clock of a call. */
  clock: Clock | null;
  /** Skip and Later. */
  card: boolean;
}

export type Clock = { since: number } | { fixed: number };

export type Look =
  | 'call'
  | 'primary'
  | 'plain'
  | 'stop'
  /** A white panel with the time, and Cancel. */
  | 'ringing'
  /** A dark panel: the keys below are next. */
  | 'ended'
  /** A white panel with the time left: the callee is held. */
  | 'held'
  /** Dashed; the label is the reason. */
  | 'cannot';

export interface MainButton {
  look: Look;
  icon: 'call' | 'ringing' | 'hang-up' | 'pause' | 'resume' | 'microphone' | 'speaker' | null;
  label: string;
  /** Second line, or what stands beside the label. */
  under: string;
  /** The key that presses it. */
  hint: string;
  intent: Intent | null;
  busy: boolean;
  clock: Clock | null;
  /** Changes when a press would do something else; see the guard. */
  meaning: string;
}

const nothing: MainButton = {
  look: 'cannot',
  icon: null,
  label: '',
  under: '',
  hint: '',
  intent: null,
  busy: false,
  clock: null,
  meaning: '',
};
const quiet: Status = { tone: 'off', head: '', text: '', clock: null, card: false };

/** The status row and the button of a view. */
export function callBlock(view: View, hand: Hand): CallBlock {
  const { screen } = view;
  if (screen.name === 'opening') {
    if (view.troubles.some(({ kind }) => kind === 'keyring-locked')) {
      const status: Status = { ...quiet, tone: 'wait', text: t.opening.locked.status };
      return block(status, { ...nothing, label: t.opening.locked.button, meaning: 'opening' });
    }
    const status: Status = { ...quiet, tone: 'info', text: t.opening.status };
    const main: MainButton = { ...nothing, look: 'primary', label: t.opening.button };
    return block(status, { ...main, busy: true, meaning: 'opening' });
  }
  if (screen.name === 'join') return joinBlock(screen, hand);
  return barred(view, screen, hand) ?? withoutServer(deskBlock(screen, view, hand), view);
}

/** What is asked of the server while it is away would be refused, so the button says that it waits. */
function withoutServer(found: CallBlock, view: View): CallBlock {
  const asks = ['start', 'call', 'pause', 'resume', 'stop'].includes(found.main.intent?.do ?? '');
  if (!serverAway(view) || (!asks && !found.status.card)) return found;
  const main = asks ? { ...nothing, label: t.call.noServer, meaning: 'no server' } : found.main;
  return { ...found, status: { ...found.status, card: false }, main };
}

const block = (status: Status, main: MainButton): CallBlock => ({ status, main, mute: null });

/** With the others it may be the link that is right, and something else that is not. */
const LINK_IS_WRONG: ReadonlySet<JoinProblem['kind']> = new Set([
  'not-a-link',
  'damaged',
  'unknown',
  'spent',
  'expired',
]);

function joinBlock(screen: View['screen'] & { name: 'join' }, hand: Hand): CallBlock {
  const linked = hand.link.trim() !== '';
  const main: MainButton = screen.busy
    ? { ...nothing, look: 'primary', label: t.join.busy, busy: true, meaning: 'join' }
    : linked
      ? {
          ...nothing,
          look: 'primary',
          label: t.join.button,
          hint: t.key.space,
          intent: { do: 'join' },
          meaning: 'join',
        }
      : { ...nothing, label: t.join.empty, meaning: 'no link' };
  if (screen.busy) return block({ ...quiet, tone: 'info', text: t.join.asking }, main);
  if (screen.problem) {
    const wrong = LINK_IS_WRONG.has(screen.problem.kind);
    const status: Status = wrong
      ? { ...quiet, tone: 'stop', text: t.join.wrong }
      : { ...quiet, tone: 'wait', text: t.join.notYet };
    return block(status, main);
  }
  return block(
    { ...quiet, tone: linked ? 'info' : 'off', text: linked ? t.join.found : t.join.waiting },
    main,
  );
}

/** What bars every call, whatever the session says. A call that is up is never barred. */
function barred(view: View, desk: DeskView, hand: Hand): CallBlock | null {
  const { state } = desk.session;
  if (state === 'dialling' || state === 'talking' || state === 'wrap-up') return null;
  const kinds = new Set(view.troubles.map((trouble) => trouble.kind));
  const cannot = (label: string): CallBlock =>
    block(lineStatus(desk), { ...nothing, label, meaning: `cannot ${label}` });
  if (kinds.has('revoked')) {
    const label = t.trouble.revoked.button;
    const main: MainButton = {
      ...nothing,
      look: 'primary',
      label,
      intent: { do: 'leave' },
      meaning: 'leave',
    };
    return block(lineStatus(desk), main);
  }
  if (kinds.has('untrusted')) return cannot(t.trouble.untrusted.head.replace(/\.$/, ''));
  if (kinds.has('update-app')) return cannot(t.call.update);
  if (kinds.has('update-server')) return cannot(t.call.serverOld);
  if (state === 'paused') return null;
  if (kinds.has('no-microphone')) {
    const status: Status = { ...quiet, tone: 'wait', head: t.status.noMicrophone, text: t.status.callsWait };
    const other = otherThanChosen(hand.devices?.microphones);
    if (!other) return block(status, { ...nothing, label: t.call.plugMicrophone, meaning: 'no microphone' });
    return block(status, {
      ...use(other),
      icon: 'microphone',
      intent: { do: 'use-microphone', id: other.id },
    });
  }
  if (kinds.has('no-speaker')) {
    const status: Status = { ...quiet, tone: 'wait', head: t.status.noSpeaker, text: t.status.callsWait };
    const other = otherThanChosen(hand.devices?.speakers);
    if (!other) return block(status, { ...nothing, label: t.call.plugSpeaker, meaning: 'no speaker' });
    return block(status, { ...use(other), icon: 'speaker', intent: { do: 'use-speaker', id: other.id } });
  }
  return null;
}

function use({ id, name }: DeviceChoice): MainButton {
  return {
    ...nothing,
    look: 'primary',
    label: t.call.useDevice(name),
    hint: t.key.space,
    meaning: `use ${id}`,
  };
}

function otherThanChosen(choices: DeviceChoice[] = []): DeviceChoice | undefined {
  return choices.find(({ chosen }) => !chosen) ?? choices[0];
}

function deskBlock(desk: DeskView, view: View, hand: Hand): CallBlock {
  const { session } = desk;
  switch (session.state) {
    case 'ended': {
      const label = hand.finished ? t.finished.button : t.start.button;
      return block(lineStatus(desk), startButton(desk, label));
    }
    case 'waiting':
      return block(...waitingBlock(desk, session.why, view.server_now_ms));
    case 'ready':
      return readyBlock(desk, session, view);
    case 'dialling':
      return diallingBlock(desk, session);
    case 'talking':
      return talkingBlock(desk, session, view.troubles);
    case 'wrap-up':
      return wrapUpBlock(desk, session);
    case 'paused': {
      const { by } = session.pause;
      const status: Status = { ...quiet, tone: 'wait', text: t.paused.status };
      if (by !== null) return block(status, { ...nothing, label: t.paused.waits(by), meaning: 'paused by' });
      return block(status, {
        ...nothing,
        look: 'primary',
        icon: 'resume',
        label: desk.busy === 'resume' ? t.paused.busy : t.paused.button,
        hint: t.key.space,
        intent: { do: 'resume' },
        busy: desk.busy === 'resume',
        meaning: 'resume',
      });
    }
  }
}

function startButton(desk: DeskView, label: string): MainButton {
  const busy = desk.busy === 'start';
  return {
    ...nothing,
    look: 'primary',
    label: busy ? t.start.busy : label,
    hint: t.key.space,
    intent: { do: 'start' },
    busy,
    meaning: 'start',
  };
}

function waitingBlock(
  desk: DeskView,
  why: (Session & { state: 'waiting' })['why'],
  nowMs: number,
): [Status, MainButton] {
  const pause: MainButton = {
    ...nothing,
    look: 'plain',
    icon: 'pause',
    label: desk.busy === 'pause' ? t.call.pausing : t.call.pause,
    hint: 'P',
    intent: { do: 'pause' },
    busy: desk.busy === 'pause',
    meaning: 'pause',
  };
  switch (why.reason) {
    case 'line':
      return [{ ...quiet, tone: 'info', text: t.waiting.line.status }, pause];
    case 'no-telephone':
      return [{ ...quiet, tone: 'wait', text: t.waiting.telephone.status }, pause];
    case 'no-storage':
      return [{ ...quiet, tone: 'wait', text: t.waiting.storage.status }, pause];
    case 'nobody-left': {
      const busy = desk.busy === 'stop';
      const label = busy ? t.call.finishing : t.waiting.nobody.button;
      const intent: Intent = { do: 'stop' };
      return [
        lineStatus(desk),
        { ...nothing, look: 'primary', label, hint: t.key.space, intent, busy, meaning: 'finish' },
      ];
    }
    case 'outside-hours': {
      const label = t.waiting.hours.button(timeAndDay(why.opens_at_ms, nowMs));
      return [lineStatus(desk), { ...nothing, label, meaning: 'outside hours' }];
    }
    case 'passed-on': {
      const label = t.waiting.passedOn.button(timeOfDayBy(why.next_at_ms));
      return [lineStatus(desk), { ...nothing, label, meaning: 'passed on' }];
    }
  }
}

function readyBlock(desk: DeskView, session: Session & { state: 'ready' }, view: View): CallBlock {
  const name = firstName(session.card.name);
  const busy = desk.busy === 'call';
  const status: Status = { ...lineStatus(desk), card: true };
  const meaning = `call ${session.card.lease_id}`;
  if (desk.line.state === 'lost') {
    return block(status, { ...nothing, label: t.call.lineLost, meaning: 'line lost' });
  }
  if (waitsForTrunk(view)) {
    return block(status, { ...nothing, label: t.trouble.trunk.button, meaning: 'trunk shut' });
  }
  return block(status, {
    ...nothing,
    look: 'call',
    icon: 'call',
    label: busy ? t.call.busy(name) : t.call.call(name),
    hint: t.key.space,
    intent: { do: 'call' },
    busy,
    meaning,
  });
}

function diallingBlock(desk: DeskView, session: Session & { state: 'dialling' }): CallBlock {
  const { state } = session.call;
  const busy = desk.busy === 'hang-up';
  const inLine = state.state === 'in-line';
  const status: Status = inLine ? { ...quiet, tone: 'wait', text: t.status.inLine } : lineStatus(desk);
  const reached = state.state === 'ringing' ? t.call.ringing : t.call.dialling;
  return block(status, {
    look: 'ringing',
    icon: state.state === 'ringing' ? 'ringing' : null,
    label: inLine ? t.call.inLine : reached,
    under: busy ? t.call.cancelling : t.call.cancel,
    hint: 'H',
    intent: { do: 'hang-up' },
    busy,
    clock: state.state === 'ended' ? null : { since: state.since_ms },
    meaning: `cancel ${session.call.attempt_id}`,
  });
}

function talkingBlock(
  desk: DeskView,
  session: Session & { state: 'talking' },
  troubles: Trouble[],
): CallBlock {
  const { state } = session.call;
  const clock: Clock | null = state.state === 'ended' ? null : { since: state.since_ms };
  const lost = troubles.find((trouble) => trouble.kind === 'line-lost');
  if (lost) {
    return block(
      { ...quiet, tone: 'stop', text: t.status.reconnecting, clock },
      {
        ...nothing,
        look: 'held',
        label: t.call.held(firstName(session.card.name)),
        under: t.call.holds,
        clock: { since: lost.since_ms },
        meaning: 'held',
      },
    );
  }
  const busy = desk.busy === 'hang-up';
  return {
    status: { ...quiet, tone: 'good', text: t.status.talking, clock },
    main: {
      ...nothing,
      look: 'stop',
      icon: 'hang-up',
      label: busy ? t.call.hangingUp : t.call.hangUp,
      hint: 'H',
      intent: { do: 'hang-up' },
      busy,
      meaning: `hang up ${session.call.attempt_id}`,
    },
    mute: { on: desk.muted },
  };
}

function wrapUpBlock(desk: DeskView, session: Session & { state: 'wrap-up' }): CallBlock {
  const { state } = session.call;
  const talked = state.state === 'ended' ? state.talked_ms : 0;
  const saving = desk.busy === 'outcome';
  return block(
    { ...quiet, text: endedText(session), clock: talked > 0 ? { fixed: talked } : null },
    {
      ...nothing,
      look: 'ended',
      label: saving ? t.call.saving : t.call.ended,
      under: t.call.endedUnder,
      intent: { do: 'focus-keys' },
      busy: saving,
      meaning: `wrap up ${session.call.attempt_id}`,
    },
  );
}

/** "Margaret rang off", "You hung up": how a call ended, in the words of the status row. */
export function endedText({ card, call }: Session & { state: 'wrap-up' }): string {
  if (call.state.state !== 'ended') return t.status.server;
  const { by, talked_ms: talked } = call.state;
  switch (by) {
    case 'callee':
      return t.status.callee(firstName(card.name));
    case 'volunteer':
      return talked > 0 ? t.status.volunteer : t.status.cancelled;
    case 'network':
      return t.status.network;
    case 'server':
      return talked > 0 ? t.status.server : t.status.unanswered;
  }
}

function lineStatus({ line }: DeskView): Status {
  switch (line.state) {
    case 'up':
      return { ...quiet, tone: 'good', text: t.status.up };
    case 'opening':
      return { ...quiet, tone: 'info', text: t.status.opening };
    case 'down':
      return { ...quiet, text: t.status.down };
    case 'lost':
      return { ...quiet, tone: 'stop', text: t.status.lost };
  }
}
