import type { Offers } from './offers';
import type { KeyOutcome } from './outcomes';

/** What a press asks for, whether it came from a key or from a click. */
export type Intent =
  | { do: 'join' }
  | { do: 'join-sure' }
  | { do: 'start' }
  | { do: 'call' }
  | { do: 'hang-up' }
  | { do: 'mute' }
  | { do: 'pause' }
  | { do: 'resume' }
  | { do: 'stop' }
  | { do: 'retry' }
  | { do: 'leave' }
  | { do: 'skip' }
  | { do: 'later' }
  | { do: 'never' }
  | { do: 'never-sure' }
  | { do: 'again'; choice: keyof Offers }
  | { do: 'outcome'; outcome: KeyOutcome }
  | { do: 'suggested' }
  | { do: 'correct' }
  | { do: 'note' }
  | { do: 'keypad' }
  | { do: 'digit'; digit: string }
  | { do: 'step'; by: 1 | -1 }
  | { do: 'devices' }
  | { do: 'use-microphone'; id: string }
  | { do: 'use-speaker'; id: string }
  | { do: 'put-away'; trouble: string }
  | { do: 'focus-keys' }
  | { do: 'help' }
  | { do: 'single-keys' }
  | { do: 'next-region'; back: boolean }
  | { do: 'escape' };
