import type { DeviceChoices, Session, View } from '../api/types';

/** A small panel over the card, one at a time. */
export type Sheet = 'later' | 'callback' | 'never' | 'devices' | 'invitation';

/** What the page itself remembers: nothing here but `singleKeys` outlives the window. */
export interface Hand {
  sheet: Sheet | null;
  /** The sheet was asked for, and did not come by itself. */
  asked: boolean;
  help: boolean;
  /** Keys act without Alt, wherever the focus is. */
  singleKeys: boolean;
  /** Telephone keys in place of the outcome keys. */
  keypad: boolean;
  digits: string;
  /** The outcome keys correct the last outcome. */
  correcting: boolean;
  note: string;
  noteOpen: boolean;
  /** Something else was pressed and waits for its note. */
  otherWaits: boolean;
  /** The step of the script that the volunteer is at, from 0. */
  step: number;
  link: string;
  /** The session was stopped in this window, so this is its end and not its beginning. */
  finished: boolean;
  /** What became of the card that was settled without a call, while nothing newer is known. */
  settled: string | null;
  devices: DeviceChoices | null;
  /** Which of the troubles the header shows. */
  trouble: number;
  /** Troubles that were read and put away, by name, while they last. */
  away: string[];
}

/** Nothing open, nothing written. */
export function emptyHand(singleKeys: boolean): Hand {
  return {
    sheet: null,
    asked: false,
    help: false,
    singleKeys,
    keypad: false,
    digits: '',
    correcting: false,
    note: '',
    noteOpen: false,
    otherWaits: false,
    step: 0,
    link: '',
    finished: false,
    settled: null,
    devices: null,
    trouble: 0,
    away: [],
  };
}

/** Whether a call waits for its place on the trunk: nobody is rung yet. */
export function isInLine(session: Session): boolean {
  return session.state === 'dialling' && session.call.state.state === 'in-line';
}

/** A name that changes when the state does: what the keys meant before, they no longer mean. */
export function stateName(view: View): string {
  const { screen } = view;
  if (screen.name !== 'desk') return screen.name;
  const { session } = screen;
  switch (session.state) {
    case 'ready':
      return `ready ${session.card.lease_id}`;
    case 'dialling':
    case 'talking':
    case 'wrap-up':
      return `${session.state} ${session.call.attempt_id}`;
    case 'waiting':
      return `waiting ${session.why.reason}`;
    case 'ended':
    case 'paused':
      return session.state;
  }
}

/** What the note and the step of the script belong to. */
export function cardName(view: View): string | null {
  const { screen } = view;
  if (screen.name !== 'desk') return null;
  return 'card' in screen.session ? screen.session.card.lease_id : null;
}
