import type { View } from '../api/types';
import type { Hand } from './hand';
import type { Intent } from './intent';
import { outcomeOfDigit } from './outcomes';

/** A key as it was pressed, and where. */
export interface Key {
  key: string;
  code: string;
  alt: boolean;
  ctrl: boolean;
  meta: boolean;
  shift: boolean;
  repeat: boolean;
  /** What has the focus: a text field, the big button, one that hangs up, another control, or nothing. */
  on: 'field' | 'main' | 'hangs-up' | 'control' | 'page';
}

/** What a press of a key does; `'nothing'`: the key is ours and does nothing; `null`: not our key. */
export function intentOf(key: Key, view: View, hand: Hand, main: Intent | null): Intent | 'nothing' | null {
  if (key.ctrl || key.meta) return null;
  if (key.key === 'Escape') return { do: 'escape' };
  if (key.key === 'F6') return { do: 'next-region', back: key.shift };
  if (key.on === 'field' && !key.alt) return null;
  // Switched off, a key without Alt does only what it does on the control it is pressed on (WCAG 2.1.4).
  const needsAlt = !hand.singleKeys && !key.alt;
  if (key.key === ' ') return needsAlt && key.on === 'page' ? null : space(key, main);
  if (key.repeat) return key.key === 'Enter' && key.on !== 'page' ? 'nothing' : null;
  if (key.key === 'Enter') return key.on === 'page' && !needsAlt ? { do: 'suggested' } : null;
  if (key.key === 'ArrowDown' || key.key === 'ArrowUp') return arrow(key, view);

  if (needsAlt) return null;
  const letter = letterOf(key);
  // Tab, Page Down and the like are the web view's.
  if (letter === '') return null;
  if (hand.sheet || hand.help) return sheetIntent(letter, hand);
  if (hand.keypad && /^[0-9*#]$/.test(letter)) return { do: 'digit', digit: letter };
  return single(letter);
}

/** Space presses the big button, and never hangs up or leaves, whatever has the focus. */
function space(key: Key, main: Intent | null): Intent | 'nothing' | null {
  if (key.on === 'control' && !key.alt) return key.repeat ? 'nothing' : null;
  if (key.repeat || key.on === 'hangs-up' || main?.do === 'hang-up') return 'nothing';
  // A pause has P; leaving is for good.
  if (main?.do === 'pause' || main?.do === 'leave') return 'nothing';
  return main ?? 'nothing';
}

function arrow(key: Key, { screen }: View): Intent | null {
  if (key.on === 'control' || key.alt || screen.name !== 'desk' || !('card' in screen.session)) return null;
  return { do: 'step', by: key.key === 'ArrowDown' ? 1 : -1 };
}

/** With Alt some systems make another character of a key, so its place on the keyboard counts. */
function letterOf({ key, code, alt }: Key): string {
  if (!alt) return key.length === 1 ? key.toLowerCase() : '';
  const place = /^(?:Key|Digit|Numpad)([A-Z0-9])$/.exec(code)?.[1];
  if (key === '#' || key === '?' || key === '*') return key;
  return (place ?? (key.length === 1 ? key : '')).toLowerCase();
}

function sheetIntent(letter: string, { sheet, help }: Hand): Intent | 'nothing' {
  // Hang up stays in view beside a sheet.
  if (letter === 'h' && !help) return { do: 'hang-up' };
  if (sheet === 'later' || sheet === 'callback') {
    if (letter === '1') return { do: 'again', choice: 'hour' };
    if (letter === '2') return { do: 'again', choice: 'tomorrow' };
  }
  if (sheet === 'never' && letter === 'x') return { do: 'never-sure' };
  return 'nothing';
}

const LETTERS: Readonly<Record<string, Intent>> = {
  h: { do: 'hang-up' },
  m: { do: 'mute' },
  '#': { do: 'keypad' },
  n: { do: 'note' },
  s: { do: 'skip' },
  l: { do: 'later' },
  x: { do: 'never' },
  u: { do: 'correct' },
  p: { do: 'pause' },
  '?': { do: 'help' },
};

function single(letter: string): Intent | null {
  if (/^[1-9]$/.test(letter)) {
    const outcome = outcomeOfDigit(Number(letter));
    return outcome ? { do: 'outcome', outcome } : null;
  }
  return LETTERS[letter] ?? null;
}
