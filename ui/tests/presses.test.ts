import { describe, expect, test } from 'vitest';
import type { DeviceChoices, LastOutcome, View } from '../src/api/types';
import { deskView, LAST, NEXT_CARD, NOW, ready, talking, views, wrapUp } from '../src/host/fixtures';
import { HOUR_MS } from '../src/model/when';
import { openWindow, settled } from './window';

/** 09:30 in London. */
const TOMORROW = Date.UTC(2026, 10, 26, 9, 30);

const FOCUS = () => document.activeElement?.getAttribute('data-part');

const view = (name: string) => views[name] as View;

describe('the big button', () => {
  const labels: [string, string, boolean][] = [
    ['opening', 'Opening', false],
    ['keyring-locked', 'Unlock your keyring', false],
    ['join', 'Paste your link to join', false],
    ['join-busy', 'Joining', false],
    ['start', 'Start calling Space', true],
    ['waiting-line', 'Pause P', true],
    ['nobody-left', 'Finish for today Space', true],
    ['ready', 'Call Margaret Space', true],
    ['ready-calling', 'Calling Margaret', false],
    ['in-line', 'CancelH', true],
    ['dialling', 'CancelH', true],
    ['ringing', 'CancelH', true],
    ['talking', 'Hang up H', true],
    ['muted', 'Hang up H', true],
    ['wrap-up', 'How did it go?Press a key below; the next card follows', true],
    ['paused', 'Back to calling Space', true],
    ['paused-by-organiser', 'Waiting for Ruth', false],
    ['line-lost', 'Margaret is held for you 22 s', false],
    ['line-lost-idle', 'Your line comes back by itself', false],
    ['server-lost', 'Waiting for the server', false],
    ['no-microphone', 'Use built-in microphone Space', true],
    ['no-speaker', 'Use USB headset Space', true],
    ['revoked', 'Use a new link', true],
    ['update-app', 'Update needed', false],
    ['update-server', 'Server too old', false],
    ['untrusted', 'This is not the server you joined', false],
  ];
  test.each(labels)('%s: %s', async (name, label, works) => {
    const window = await openWindow(view(name));
    await settled();
    expect(window.text('#main-button')).toBe(label);
    expect(document.querySelector('#main-button')?.getAttribute('aria-disabled')).toBe(String(!works));
  });

  test('is one element from Call to the next card, so that the focus stays', async () => {
    const window = await openWindow(view('ready'));
    const button = document.querySelector('#main-button') as HTMLElement;
    button.focus();
    for (const name of [
      'ready-calling',
      'dialling',
      'ringing',
      'talking',
      'line-lost',
      'wrap-up',
      'ready',
      'paused',
    ]) {
      await window.show(view(name));
      expect(document.activeElement, name).toBe(button);
    }
  });

  test('Space presses it at once, and a click does the same', async () => {
    const window = await openWindow(view('ready'));
    expect(window.press(' ').defaultPrevented).toBe(true);
    window.click('Call Margaret');
    expect(window.commands()).toEqual(['call', 'call']);
  });

  test('Space never hangs up, wherever the focus is', async () => {
    const window = await openWindow(view('talking'));
    window.wait(5000);
    for (const on of [document.body, document.querySelector('#main-button') as Element]) {
      expect(window.press(' ', { on }).defaultPrevented).toBe(true);
    }
    window.press(' ', { on: document.body, altKey: true });
    expect(window.commands()).toEqual([]);
    await window.show(view('line-lost'));
    const banner = document.querySelector('[data-trouble] [data-hangs-up]') as HTMLElement;
    expect(window.press(' ', { on: banner }).defaultPrevented).toBe(true);
    expect(window.commands()).toEqual([]);
  });
});

describe('a press that was meant for something else', () => {
  test('a double click on Call does not cancel', async () => {
    const window = await openWindow(view('ready'));
    window.click('Call Margaret');
    await window.show(view('dialling'));
    window.wait(399);
    window.click('Cancel');
    expect(window.commands()).toEqual(['call']);
    window.wait(1);
    window.click('Cancel');
    expect(window.commands()).toEqual(['call', 'hangUp']);
  });

  test('Hang up waits a second, by click and by key', async () => {
    const window = await openWindow(view('ringing'));
    await window.show(view('talking'));
    window.wait(999);
    window.click('Hang up');
    window.press('h');
    expect(window.commands()).toEqual([]);
    window.wait(1);
    window.press('h');
    expect(window.commands()).toEqual(['hangUp']);
  });

  test('an outcome key waits 400 ms after the callee rang off', async () => {
    const window = await openWindow(view('talking'));
    await window.show(view('wrap-up'));
    window.wait(399);
    window.press('2');
    expect(window.commands()).toEqual([]);
    window.wait(1);
    window.press('2');
    expect(window.commands()).toEqual(['outcome']);
  });

  test('a press says whom it was meant for', async () => {
    const window = await openWindow(view('ready'));
    window.press(' ');
    await window.show(view('talking'));
    window.wait(400);
    window.press('1');
    window.press('u');
    window.wait(400);
    window.press('2');
    expect(window.host.pressed.map(({ command, with: args }) => [command, args.at(-1)])).toEqual([
      ['call', 'lease-1'],
      ['outcome', 'attempt-1'],
      ['correct', 'attempt-0'],
    ]);
  });

  test('two presses of Skip skip one person', async () => {
    const window = await openWindow(view('ready'));
    window.press('s');
    await window.show(deskView({ state: 'ready', card: NEXT_CARD }));
    window.press('s');
    expect(window.commands()).toEqual(['settle']);
  });

  test('a held key acts once', async () => {
    const window = await openWindow(view('ready'));
    window.press(' ');
    window.press(' ', { repeat: true });
    window.press('s', { repeat: true });
    expect(window.commands()).toEqual(['call']);
  });
});

describe('single keys', () => {
  test('are dead in a field, and work there with Alt', async () => {
    const window = await openWindow(view('wrap-up'));
    const note = document.querySelector('#note') as HTMLInputElement;
    note.focus();
    window.press('1');
    window.press('p');
    expect(window.commands()).toEqual([]);
    window.press('¡', { altKey: true, code: 'Digit1' });
    expect(window.host.pressed).toEqual([
      { command: 'outcome', with: [{ outcome: 'reached', note: null, again: null }, 'attempt-1'] },
    ]);
  });

  test('digits mark in a call, nothing is cut off, and X is do not call', async () => {
    const window = await openWindow(view('talking'));
    window.wait(2000);
    window.press('1');
    window.press('x');
    window.press('6');
    expect(window.host.pressed).toEqual([
      { command: 'outcome', with: [{ outcome: 'reached', note: null, again: null }, 'attempt-1'] },
      { command: 'outcome', with: [{ outcome: 'do-not-call', note: null, again: null }, 'attempt-1'] },
      { command: 'outcome', with: [{ outcome: 'machine', note: null, again: null }, 'attempt-1'] },
    ]);
  });

  test('digits do nothing before a call', async () => {
    for (const name of ['ready', 'dialling', 'paused', 'nobody-left', 'start']) {
      const window = await openWindow(view(name));
      window.press('1');
      window.click(/^1, Reached/);
      expect(window.commands(), name).toEqual([]);
    }
  });

  test('M mutes and unmutes', async () => {
    const window = await openWindow(view('talking'));
    window.press('m');
    await window.show(view('muted'));
    window.press('m');
    expect(window.host.pressed).toEqual([
      { command: 'mute', with: [true] },
      { command: 'mute', with: [false] },
    ]);
    expect(window.text('[data-part=page-header]')).toContain('Muted');
  });

  test('P pauses, Space goes back', async () => {
    const window = await openWindow(view('ready'));
    window.press('p');
    await window.show(view('paused'));
    window.wait(400);
    window.press(' ');
    expect(window.commands()).toEqual(['pause', 'resume']);
  });

  test('P ends a pause too, but not the organiser’s', async () => {
    const window = await openWindow(view('paused'));
    window.wait(400);
    window.press('p');
    expect(window.commands()).toEqual(['resume']);
    const organisers = await openWindow(view('paused-by-organiser'));
    organisers.wait(400);
    organisers.press('p');
    expect(organisers.commands()).toEqual([]);
  });

  test('after a menu is closed, or what was opened from it, Space is the big button', async () => {
    const window = await openWindow(view('paused'));
    window.wait(400);
    const more = window.button('More');
    more.focus();
    more.click();
    await settled();
    window.press('Escape');
    await settled();
    expect(document.querySelector('[role=menu]')).toBeNull();
    expect(FOCUS()).toBe('page');
    window.press(' ');
    expect(window.commands()).toEqual(['resume']);

    more.click();
    await settled();
    window.click('All keys');
    await settled();
    window.press('Escape');
    await settled();
    expect(FOCUS()).toBe('page');
  });

  test('nothing of Ctrl is ours', async () => {
    const window = await openWindow(view('ready'));
    expect(window.press('p', { ctrlKey: true }).defaultPrevented).toBe(false);
    expect(window.press('s', { metaKey: true }).defaultPrevented).toBe(false);
    expect(window.commands()).toEqual([]);
  });

  test('# opens the telephone keys in the same rectangle, Esc closes them', async () => {
    const window = await openWindow(view('talking'));
    window.wait(2000);
    window.press('#');
    expect(document.querySelector('[data-part=keys]')?.getAttribute('aria-label')).toBe('Telephone keys');
    window.press('1');
    window.press('#');
    window.click('0');
    expect(window.host.pressed.map((press) => press.with[0])).toEqual(['1', '#', '0']);
    expect(window.text('[data-part=title-row] p')).toBe('Sent 1#0');
    window.press('Escape');
    window.press('1');
    expect(window.commands().at(-1)).toBe('outcome');
  });

  test('? shows all keys and Esc closes them', async () => {
    const window = await openWindow(view('ready'));
    window.press('?');
    expect(window.text('[role=dialog]')).toContain('Hang up, or cancel while it rings');
    window.press('Escape');
    expect(document.querySelector('[role=dialog]')).toBeNull();
  });

  test('F6 goes round phone, page, header, and back', async () => {
    const window = await openWindow(view('ready'));
    const names = () => document.activeElement?.getAttribute('aria-label');
    const seen = ['F6', 'F6', 'F6', 'F6'].map((key) => (window.press(key), names()));
    expect(seen).toEqual(['Call', 'Page', 'Header', 'Call']);
    window.press('F6', { shiftKey: true });
    expect(names()).toBe('Header');
  });

  test('arrows step through the script', async () => {
    const window = await openWindow(view('talking'));
    window.press('ArrowDown');
    window.press('ArrowDown');
    window.press('ArrowUp');
    expect(window.text('[aria-current=step]')).toContain('Is your heating working');
    expect(window.text('[data-part=page-header]')).toContain('step 2 of 5');
  });
});

describe('single keys switched off', () => {
  const off = async (name: string) => {
    localStorage.setItem('single-keys', 'off');
    return openWindow(view(name));
  };

  test('in the list of all keys, and it is kept', async () => {
    const window = await openWindow(view('ready'));
    window.press('?');
    const button = () => document.querySelector('[role=switch]') as HTMLElement;
    expect(button().getAttribute('aria-checked')).toBe('true');
    button().click();
    await settled();
    expect(button().getAttribute('aria-checked')).toBe('false');
    window.press('Escape');
    window.press('s');
    expect(window.commands()).toEqual([]);
    const next = await openWindow(view('ready'));
    next.press('s');
    next.press('?', { altKey: true });
    expect(next.commands()).toEqual([]);
    button().click();
    next.press('Escape');
    next.press('s');
    expect(next.commands()).toEqual(['settle']);
  });

  test('no letter, digit or sign acts without Alt, and each with it', async () => {
    const keys: [string, string, KeyboardEventInit, string][] = [
      ['ready', ' ', { code: 'Space' }, 'call'],
      ['ready', 's', { code: 'KeyS' }, 'settle'],
      ['ready', 'p', { code: 'KeyP' }, 'pause'],
      ['talking', 'h', { code: 'KeyH' }, 'hangUp'],
      ['talking', 'm', { code: 'KeyM' }, 'mute'],
      ['talking', '1', { code: 'Digit1' }, 'outcome'],
      ['wrap-up-cancelled', 'Enter', { code: 'Enter' }, 'outcome'],
    ];
    for (const [name, key, more, command] of keys) {
      const window = await off(name);
      window.wait(2000);
      expect(window.press(key, { ...more, on: document.body }).defaultPrevented, `${key} alone`).toBe(false);
      expect(window.commands(), `${key} alone`).toEqual([]);
      window.press(key, { ...more, on: document.body, altKey: true });
      expect(window.commands(), `Alt and ${key}`).toEqual([command]);
    }
  });

  test('Space still presses the button that has the focus, and never hangs up', async () => {
    const window = await off('ready');
    window.press(' ', { on: document.querySelector('#main-button') as Element });
    expect(window.commands()).toEqual(['call']);
    const talk = await off('talking');
    talk.wait(2000);
    talk.press(' ', { on: document.querySelector('#main-button') as Element });
    expect(talk.commands()).toEqual([]);
  });

  test('an open chooser needs Alt too; Esc and F6 do not', async () => {
    const window = await off('ready');
    window.press('l', { altKey: true, code: 'KeyL' });
    window.press('1', { on: document.body });
    expect(window.commands()).toEqual([]);
    window.press('Escape');
    expect(document.querySelector('[data-part=sheet]')).toBeNull();
    window.press('F6');
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Call');
  });
});

describe('later, call back, do not call', () => {
  test('L offers two times for a card, and 1 takes the first', async () => {
    const window = await openWindow(view('ready'));
    window.press('l');
    expect(window.text('[data-part=sheet] h2')).toBe('Ring Margaret later');
    expect(document.activeElement?.textContent).toContain('In an hour');
    window.press('1');
    expect(window.host.pressed).toEqual([
      { command: 'settle', with: [{ how: 'later', again: { when: 'at', at_ms: NOW + HOUR_MS } }, 'lease-1'] },
    ]);
    expect(document.querySelector('[data-part=sheet]')).toBeNull();
  });

  test('3 asks when, in a call and after it, and the outcome goes with the time', async () => {
    for (const session of [talking, wrapUp]) {
      const window = await openWindow(deskView(session));
      window.press('3');
      expect(window.text('[data-part=sheet] h2')).toBe('When to ring Margaret back');
      window.click(/Tomorrow/);
      expect(window.host.pressed).toEqual([
        {
          command: 'outcome',
          with: [{ outcome: 'callback', note: null, again: { when: 'at', at_ms: TOMORROW } }, 'attempt-1'],
        },
      ]);
    }
  });

  test('H hangs up while a chooser is open in a call, and never counts as a choice', async () => {
    const window = await openWindow(view('talking'));
    window.wait(1000);
    window.press('3');
    window.press('h');
    expect(window.commands()).toEqual(['hangUp']);
    const next = await openWindow(view('ready'));
    next.press('l');
    next.press('h');
    expect(next.commands()).toEqual([]);
  });

  test('what became of a card that was passed on or put off is said below, until something newer', async () => {
    const title = () => document.querySelector('[data-part=title-row] p')?.textContent.trim();
    const window = await openWindow(view('ready'));
    window.press('s');
    expect(title()).toContain('Terence Whitlow');
    await window.show(deskView({ state: 'ready', card: NEXT_CARD }));
    expect(title()).toBe('Passed on: Margaret Hollis');
    window.press('l');
    window.press('1');
    await window.show(view('ready'));
    expect(title()).toMatch(/^Later: Sunita Rao, \d\d:\d\d/);
    const last: LastOutcome = { ...LAST, attempt_id: 'attempt-1', name: 'Margaret', outcome: 'busy' };
    await window.show(deskView({ state: 'ready', card: NEXT_CARD }, { last_outcome: last }));
    expect(title()).toBe('Margaret: busy, saved');

    const lost = await openWindow(view('ready'));
    lost.press('s');
    await lost.show(deskView({ state: 'ready', card: NEXT_CARD }, {}, { notice: { kind: 'lease-lost' } }));
    await lost.show(deskView({ state: 'ready', card: NEXT_CARD }));
    expect(title(), 'it did not go').toContain('Terence Whitlow');
  });

  test('a chooser opened in the call stays open when the callee rings off', async () => {
    const window = await openWindow(view('talking'));
    window.press('3');
    await window.show(view('wrap-up'));
    window.press('2');
    expect(window.host.pressed[0]?.with[0]).toEqual({
      outcome: 'callback',
      note: null,
      again: { when: 'at', at_ms: TOMORROW },
    });
  });

  test('a chooser opened to correct the last outcome never marks the person who answers', async () => {
    const window = await openWindow(view('ringing'));
    window.press('u');
    window.wait(400);
    window.press('3');
    expect(window.text('[data-part=sheet] h2')).toBe('When to ring Terence back');
    await window.show(view('talking'));
    window.press('1');
    expect(document.querySelector('[data-part=sheet]')).toBeNull();
    expect(window.commands()).toEqual([]);
  });

  test('X before a call asks, because it cannot be undone', async () => {
    const window = await openWindow(view('ready'));
    window.press('x');
    expect(window.text('[data-part=sheet] h2')).toBe('Never ring Mrs Hollis again?');
    expect(window.text('[data-part=sheet] p')).toMatch(/on any list\. You can’t take this back\.$/);
    expect(document.activeElement?.textContent, 'Enter keeps').toContain('Keep on the list');
    window.press('Escape');
    window.press('x');
    window.wait(400);
    window.press('x');
    expect(window.host.pressed).toEqual([{ command: 'settle', with: [{ how: 'do-not-call' }, 'lease-1'] }]);
  });

  test('a double press of X, or a double click, is not the answer to its own question', async () => {
    const window = await openWindow(view('ready'));
    window.wait(5000);
    for (let opened = 0; opened < 2; opened += 1) {
      window.press('x');
      window.wait(399);
      window.press('x');
      document.querySelector<HTMLElement>('[data-part=sheet] .danger')?.click();
      expect(window.commands(), `opened ${opened} times before`).toEqual([]);
      expect(window.text('[data-part=sheet] h2')).toBe('Never ring Mrs Hollis again?');
      window.press('Escape');
    }
    window.press('x');
    window.wait(400);
    document.querySelector<HTMLElement>('[data-part=sheet] .danger')?.click();
    expect(window.commands()).toEqual(['settle']);
  });

  test('an open chooser and the list of keys leave Tab and Page Down alone', async () => {
    for (const [name, key] of [
      ['ready', 'l'],
      ['ready', '?'],
      ['no-microphone', ''],
    ] as const) {
      const window = await openWindow(view(name));
      if (key !== '') window.press(key);
      await settled();
      expect(window.press('Tab').defaultPrevented, name).toBe(false);
      expect(window.press('PageDown').defaultPrevented, name).toBe(false);
    }
  });

  test('an open chooser takes no outcome and no Call', async () => {
    const window = await openWindow(view('ready'));
    window.press('l');
    window.press('s');
    window.press('p');
    expect(window.commands()).toEqual([]);
  });
});

describe('the outcome', () => {
  test('a note goes along, and Enter takes the suggested one', async () => {
    const window = await openWindow(view('wrap-up-cancelled'));
    const note = document.querySelector('#note') as HTMLInputElement;
    note.value = '  Rings out after ten. ';
    note.dispatchEvent(new Event('input', { bubbles: true }));
    note.blur();
    expect(document.querySelector('.suggested')?.getAttribute('data-outcome')).toBe('no-answer');
    window.press('Enter', { on: document.body });
    expect(window.host.pressed).toEqual([
      {
        command: 'outcome',
        with: [{ outcome: 'no-answer', note: 'Rings out after ten.', again: null }, 'attempt-1'],
      },
    ]);
  });

  test('a note written after the mark goes with it, once', async () => {
    const window = await openWindow(view('talking'));
    window.press('3');
    window.press('1');
    window.press('n');
    await settled();
    const note = document.activeElement as HTMLInputElement;
    note.value = 'After six';
    note.dispatchEvent(new Event('input', { bubbles: true }));
    window.press('Enter');
    note.dispatchEvent(new FocusEvent('blur'));
    const again = { when: 'at', at_ms: NOW + HOUR_MS };
    expect(window.host.pressed.map((press) => press.with[0])).toEqual([
      { outcome: 'callback', note: null, again },
      { outcome: 'callback', note: 'After six', again },
    ]);
  });

  test('something else asks what, and Enter saves it', async () => {
    const window = await openWindow(view('wrap-up'));
    window.press('9');
    await settled();
    const note = document.activeElement as HTMLInputElement;
    expect(note.id).toBe('note');
    note.value = 'A dog answered';
    note.dispatchEvent(new Event('input', { bubbles: true }));
    window.press('Enter');
    expect(window.host.pressed).toEqual([
      { command: 'outcome', with: [{ outcome: 'other', note: 'A dog answered', again: null }, 'attempt-1'] },
    ]);
  });

  test('U corrects the last one, without the note of this card', async () => {
    const window = await openWindow(view('ready'));
    window.press('u');
    expect(window.text('[data-part=title-row] p')).toBe('Correct Terence Whitlow');
    expect(document.querySelector('.marked')?.getAttribute('data-outcome')).toBe('no-answer');
    window.wait(400);
    window.press('6');
    expect(window.host.pressed).toEqual([
      { command: 'correct', with: [{ outcome: 'machine', note: null, again: null }, 'attempt-0'] },
    ]);
    window.press('2');
    expect(window.commands(), 'one correction').toEqual(['correct']);
  });

  test('a call that nobody answered is corrected only to what may be known of it', async () => {
    const last_outcome: LastOutcome = { ...LAST, keys: ['no-answer', 'busy', 'do-not-call'] };
    const window = await openWindow(deskView(ready, { last_outcome }));
    window.press('u');
    expect(window.text('[data-part=title-row]')).toBe(
      'Correct Terence Whitlow nobody answered: some don’t fit Leave itEsc',
    );
    const closed = [...document.querySelectorAll('#outcome-keys [aria-disabled=true]')];
    expect(closed.map((key) => key.getAttribute('data-outcome'))).toEqual([
      'reached',
      'refused',
      'callback',
      'machine',
      'wrong-number',
      'other',
    ]);
    expect(closed[0]?.getAttribute('aria-label')).toBe('1, Reached, only where somebody answered');
    window.wait(400);
    for (const digit of ['1', '2', '3', '6', '7', '9']) window.press(digit);
    expect(window.commands()).toEqual([]);
    expect(window.desk.hand.sheet).toBeNull();
    window.press('5');
    expect(window.host.pressed).toEqual([
      { command: 'correct', with: [{ outcome: 'busy', note: null, again: null }, 'attempt-0'] },
    ]);
  });

  test('a note is forgotten with its card', async () => {
    const window = await openWindow(view('talking'));
    window.press('n');
    await settled();
    window.desk.hand.note = 'About Margaret';
    await window.show(deskView({ state: 'ready', card: NEXT_CARD }));
    expect(window.desk.hand.note).toBe('');
  });

  test('the focus goes to the call button after an outcome, if it was on a key', async () => {
    const window = await openWindow(view('wrap-up'));
    (document.querySelector('[data-outcome=reached]') as HTMLElement).focus();
    await window.show(view('ready'));
    await settled();
    expect(document.activeElement?.id).toBe('main-button');

    const elsewhere = await openWindow(view('wrap-up'));
    (document.querySelector('aside') as HTMLElement).focus();
    await elsewhere.show(view('ready'));
    await settled();
    expect(document.activeElement?.id).not.toBe('main-button');
  });
});

describe('join, start, finish, devices', () => {
  test('a link pasted anywhere goes into the field, and Space joins', async () => {
    const window = await openWindow(view('join'));
    const paste = new Event('paste', { bubbles: true, cancelable: true });
    Object.assign(paste, { clipboardData: { getData: () => ' ringround://join/?s=x&t=y \n' } });
    document.body.dispatchEvent(paste);
    await settled();
    expect((document.querySelector('#link') as HTMLInputElement).value).toBe('ringround://join/?s=x&t=y');
    window.wait(400);
    window.press(' ', { on: document.body });
    expect(window.host.pressed).toEqual([{ command: 'join', with: ['ringround://join/?s=x&t=y'] }]);
  });

  test('a link that would move this computer asks first, and Space or Enter stays', async () => {
    const window = await openWindow(view('start'));
    window.wait(5000);
    await window.show(view('invitation'));
    expect(window.text('[data-part=sheet] h2')).toBe('Join calls.elsewhere.example:8443?');
    expect(window.text('[data-part=sheet]')).toContain('You are with Lantern Street Trust');
    expect(document.activeElement?.textContent).toContain('Stay');
    window.press('s');
    window.click('Leave and join');
    expect(window.commands(), 'not within 400 ms of the question').toEqual([]);
    window.wait(400);
    window.click('Leave and join');
    window.press('Escape');
    expect(window.host.pressed).toEqual([
      { command: 'answerInvitation', with: [true] },
      { command: 'answerInvitation', with: [false] },
    ]);
    await window.show(view('start'));
    expect(document.querySelector('[data-part=sheet]')).toBeNull();
  });

  test('start, finish from the menu, and a sum of the evening', async () => {
    const window = await openWindow(deskView({ state: 'ended' }));
    window.press(' ');
    await window.show(view('ready'));
    const last: LastOutcome = {
      ...LAST,
      attempt_id: 'attempt-1',
      name: 'Margaret Hollis',
      outcome: 'reached',
    };
    await window.show(deskView({ state: 'ready', card: NEXT_CARD }, { last_outcome: last }));
    window.wait(400);
    window.click('More');
    window.click('Finish for today');
    await window.show(deskView({ state: 'ended' }, { last_outcome: last }));
    expect(window.commands()).toEqual(['start', 'stop']);
    expect(window.text('main')).toContain('You rang one person and spoke with one.');
    expect(window.text('#main-button')).toContain('Start again');
  });

  test('without a microphone the chooser is there, and Space uses the built-in one', async () => {
    const window = await openWindow(view('ready'));
    await window.show(view('no-microphone'));
    await settled();
    expect(window.text('[data-part=sheet]')).toContain('webcam microphone');
    window.wait(400);
    window.press(' ', { on: document.body });
    expect(window.host.pressed).toEqual([{ command: 'chooseDevices', with: ['built-in', 'usb'] }]);
  });

  test('the chooser goes when the microphone is back, unless it was asked for', async () => {
    const window = await openWindow(view('no-microphone'));
    await settled();
    expect(document.querySelector('[data-part=sheet]')).not.toBeNull();
    await window.show(view('ready'));
    expect(document.querySelector('[data-part=sheet]')).toBeNull();
    window.click('More');
    window.click('Microphone and loudspeaker');
    await settled();
    expect(document.activeElement?.textContent).toContain('built-in microphone');
    await window.show(view('ready'));
    expect(document.querySelector('[data-part=sheet]')).not.toBeNull();
  });

  test('a computer that was switched off in its session is not told to start again', async () => {
    const window = await openWindow(view('ready'));
    await window.show(view('revoked'));
    expect(window.text('[data-part=card]')).toContain('Your line is down.');
    expect(window.text('[data-part=card]')).not.toMatch(/[Ss]tart again|Finished/);
  });

  test('without a keyring, it is said what to do and not what the system said', async () => {
    const window = await openWindow(view('no-keyring'));
    window.click('What to do');
    await settled();
    expect(window.text('[data-trouble]')).toContain('GNOME Keyring or KeePassXC');
    expect(window.text('[data-trouble]')).not.toContain('ServiceUnknown');
    window.click('Try again');
    expect(window.commands()).toEqual(['retryNow']);
  });

  test('a locked keyring has no button to press in vain: its password window is open', async () => {
    const window = await openWindow(view('keyring-locked'));
    expect(window.text('.status')).toBe('Waiting for the keyring');
    expect(document.querySelector('[data-trouble] button')).toBeNull();
  });

  test('the device in use is marked, whether it was chosen or is the system’s choice', async () => {
    const window = await openWindow(view('ready'));
    const marked = async (microphones: DeviceChoices['microphones']) => {
      window.host.choices = { microphones, speakers: [] };
      window.desk.act({ do: 'devices' });
      await settled();
      return [...document.querySelectorAll('[data-part=sheet] [aria-pressed=true] .grow')].map((each) =>
        each.textContent.trim(),
      );
    };
    const webcam = { id: 'webcam', name: 'webcam microphone', chosen: false };
    const usb = { id: 'usb', name: 'USB headset', chosen: false };
    expect(await marked([webcam, usb])).toEqual(['USB headset']);
    expect(await marked([{ ...webcam, chosen: true }, usb])).toEqual(['webcam microphone']);
    expect(await marked([usb, { ...usb, id: 'usb 2' }]), 'nobody knows which').toEqual([]);
  });

  test('a switched-off computer may take a new link; try now tries now', async () => {
    const window = await openWindow(view('revoked'));
    window.click('Use a new link');
    const server = await openWindow(view('server-lost'));
    server.click('Try now');
    expect([...window.commands(), ...server.commands()]).toEqual(['leave', 'retryNow']);
  });

  test('neither Space nor a press that was meant for what stood there before leaves the server', async () => {
    const window = await openWindow(view('ready'));
    await window.show(view('revoked'));
    window.wait(399);
    window.click('Use a new link');
    window.wait(1);
    const button = document.querySelector('#main-button') as HTMLElement;
    for (const on of [document.body, button]) {
      expect(window.press(' ', { on }).defaultPrevented).toBe(true);
      window.press(' ', { on, altKey: true });
    }
    expect(window.commands()).toEqual([]);
    window.click('Use a new link');
    expect(window.commands()).toEqual(['leave']);
    expect(document.querySelector('[data-trouble] button'), 'it stands in one place').toBeNull();
  });

  test('without a loudspeaker the chooser is there, and Space uses the other one', async () => {
    const window = await openWindow(view('ready'));
    window.host.choices = {
      microphones: [{ id: 'usb', name: 'USB headset', chosen: true }],
      speakers: [{ id: 'built-in', name: 'built-in speaker', chosen: false }],
    };
    await window.show(view('no-speaker'));
    await settled();
    expect(window.text('[data-part=sheet]')).toContain('built-in speaker');
    window.wait(400);
    window.press(' ', { on: document.body });
    expect(window.host.pressed).toEqual([{ command: 'chooseDevices', with: ['usb', 'built-in'] }]);
    const none = await openWindow(view('ready'));
    none.host.choices = { microphones: [], speakers: [] };
    await none.show(view('no-speaker'));
    await settled();
    expect(none.text('#main-button')).toBe('Plug in a headset');
  });
});
