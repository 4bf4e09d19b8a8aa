import { describe, expect, test } from 'vitest';
import type { JoinProblem, LastOutcome, Session, Trouble, View } from '../src/api/types';
import { dialling, deskView, LAST, NEXT_CARD, NOW, ready, views, wrapUp } from '../src/host/fixtures';
import { openWindow, settled, type TestWindow } from './window';

const view = (name: string) => views[name] as View;
const AWAY: Trouble = { kind: 'server-unreachable', retry_in_s: 5, in_call: false };
const HOUR = 3_600_000;

/** Letters under the page's title, the card and so on, without the spaces of the layout. */
const card = (window: TestWindow) => window.text('[data-part=card]');
const item = (window: TestWindow) => window.text('main li');

describe('while the server is away', () => {
  const asks: [string, Session][] = [
    ['Start', { state: 'ended' }],
    ['Call', ready],
    ['Back to calling', { state: 'paused', pause: { by: null, message: null } }],
    ['Finish', { state: 'waiting', why: { reason: 'nobody-left', again: 0, next_at_ms: null } }],
    ['Pause', { state: 'waiting', why: { reason: 'line' } }],
  ];
  test.each(asks)('%s waits and says so', async (_name, session) => {
    const window = await openWindow(deskView(session, {}, { troubles: [AWAY] }));
    window.wait(5000);
    expect(window.text('#main-button')).toBe('Waiting for the server');
    expect(window.button('Waiting').getAttribute('aria-disabled')).toBe('true');
    window.press(' ', { on: document.body });
    window.click('Waiting');
    expect(window.commands()).toEqual([]);
  });

  test('no card can be given back, and nothing offers it', async () => {
    const window = await openWindow(view('server-lost'));
    window.wait(5000);
    for (const name of ['Skip', 'Later', 'Do not call'])
      expect(() => window.button(name)).toThrow('no button');
    window.click('More');
    expect(() => window.button('Finish')).toThrow('no button');
    window.click('More');
    for (const key of ['s', 'l', 'x']) window.press(key);
    expect(document.querySelector('[data-part=sheet]')).toBeNull();
    expect(window.commands()).toEqual([]);
  });

  test('a chooser for the card goes with it', async () => {
    for (const key of ['l', 'x']) {
      const window = await openWindow(view('ready'));
      window.press(key);
      await window.show(view('server-lost'));
      expect(document.querySelector('[data-part=sheet]'), key).toBeNull();
    }
  });

  test('after a call the outcome can be given', async () => {
    const window = await openWindow(deskView(wrapUp, {}, { troubles: [AWAY] }));
    window.press('1');
    expect(window.commands()).toEqual(['outcome']);
  });
});

describe('a card that did not go back', () => {
  const title = () => document.querySelector('[data-part=title-row] p')?.textContent.trim();
  const saved: LastOutcome = { ...LAST, attempt_id: 'attempt-1', name: 'Margaret', outcome: 'busy' };
  const goes = async (window: TestWindow) => {
    await window.show(deskView({ state: 'ready', card: NEXT_CARD }, { last_outcome: saved }));
    return title();
  };

  test('is not said to have been passed on, when the app refused', async () => {
    const window = await openWindow(view('ready'));
    window.host.settle = () => Promise.resolve('not-now');
    window.press('s');
    await settled();
    expect(await goes(window)).toBe('Margaret: busy, saved');
  });

  test('nor when it was called after all', async () => {
    const window = await openWindow(view('ready'));
    window.press('s');
    await window.show(deskView(dialling));
    expect(await goes(window)).toBe('Margaret: busy, saved');
  });

  test('a second press that is refused takes nothing from the first', async () => {
    const window = await openWindow(view('ready'));
    window.press('s');
    window.host.settle = () => Promise.resolve('not-now');
    window.press('s');
    await settled();
    await window.show(deskView({ state: 'ready', card: NEXT_CARD }));
    expect(title()).toBe('Passed on: Margaret Hollis');
  });
});

describe('a trouble that lasts', () => {
  const keyring: Trouble = { kind: 'no-keyring', why: 'no bus' };
  const refused: Trouble = { kind: 'outcome-refused', pressed_at_ms: NOW, outcome: 'reached' };

  test('is put away once it was read, and the header is back', async () => {
    for (const name of ['no-keyring', 'outcome-refused']) {
      const window = await openWindow(view(name));
      expect(() => window.button('Pause'), name).toThrow('no button');
      window.click('Close');
      await settled();
      expect(window.text('[data-trouble]'), name).toBe('');
      window.click('Pause');
      expect(window.commands(), name).toEqual(['pause']);
    }
  });

  test('is told again when it comes again, and another one at once', async () => {
    const window = await openWindow(deskView(ready, {}, { troubles: [refused, keyring] }));
    expect(window.text('.more')).toBe('1 more');
    window.click('Close');
    await settled();
    expect(window.text('[data-trouble]')).toContain('No keyring');
    expect(window.text('.more')).toBe('');
    window.click('Close');
    await window.show(
      deskView(ready, {}, { troubles: [refused, keyring, { ...refused, pressed_at_ms: 0 }] }),
    );
    expect(window.text('[data-trouble]')).toContain('The server refused');
    await window.show(view('ready'));
    await window.show(deskView(ready, {}, { troubles: [keyring] }));
    expect(window.text('[data-trouble]')).toContain('No keyring');
  });

  test('but not one that wants something now', async () => {
    for (const [name, { troubles }] of Object.entries(views)) {
      if (troubles.length === 0 || name === 'no-keyring' || name === 'outcome-refused') continue;
      const window = await openWindow(view(name));
      const buttons = [...document.querySelectorAll('[data-trouble] button')];
      expect(
        buttons.map(({ textContent }) => textContent.trim()),
        name,
      ).not.toContain('Close');
      expect(window.text('[data-trouble]'), name).not.toBe('');
    }
  });

  test('what to do for one is not shown in the place of another', async () => {
    const window = await openWindow(deskView(ready, {}, { troubles: [keyring, refused] }));
    window.click('What to do');
    window.click('One more trouble');
    await settled();
    expect(window.text('[data-trouble] p')).toContain('It is kept on this computer');
  });
});

test('how the line sounds is told only where there is a line', async () => {
  for (const [name, sound] of [
    ['start', ''],
    ['waiting-line', ''],
    ['finished', ''],
    ['ready', 'Good sound'],
    ['paused', 'Good sound'],
  ] as const) {
    const window = await openWindow(view(name));
    expect(window.text('.quality'), name).toBe(sound);
    expect(document.querySelector('[role=meter]') !== null, name).toBe(sound !== '');
  }
});

test('nobody heard: the meter is there to see whether it moves', async () => {
  const window = await openWindow(view('too-quiet'));
  window.host.level({ microphone: 0.12, speaker: 0 });
  await settled();
  expect(document.querySelector('[data-trouble] [role=meter]')?.getAttribute('aria-valuenow')).toBe('6');
});

describe('a link that may be right', () => {
  const wrong: JoinProblem['kind'][] = ['not-a-link', 'damaged', 'unknown', 'spent', 'expired'];
  const problems: JoinProblem[] = [
    { kind: 'not-a-link' },
    { kind: 'damaged' },
    { kind: 'unknown' },
    { kind: 'spent', organiser: 'Ruth' },
    { kind: 'expired', organiser: 'Ruth', ended_at_ms: NOW },
    { kind: 'unreachable' },
    { kind: 'untrusted' },
    { kind: 'update-app' },
    { kind: 'update-server' },
    { kind: 'refused', message: 'Try in a minute.' },
  ];
  test.each(problems)('is not blamed: %o', async (problem) => {
    const window = await openWindow({ ...view('join'), screen: { name: 'join', busy: false, problem } });
    const blamed = wrong.includes(problem.kind);
    expect(window.text('.status')).toBe(blamed ? 'This link did not work' : 'Not joined yet');
    expect(document.querySelector('.status .dot')?.classList).toContain(blamed ? 'stop' : 'wait');
  });
});

describe('the last outcome', () => {
  const wrong: LastOutcome = {
    ...LAST,
    attempt_id: 'attempt-1',
    name: 'Margaret Hollis',
    outcome: 'wrong-number',
  };

  test('of a wrong number says what it means, once the server has it', async () => {
    const window = await openWindow(deskView(ready, { last_outcome: wrong }));
    expect(window.text('[data-part=title-row]')).toBe(
      'Marked as a wrong number. Nobody will ring it again for Margaret Correct itU',
    );
    await window.show(deskView(ready, { last_outcome: wrong, waiting_outcomes: 1 }));
    expect(window.text('[data-part=title-row] p')).toBe('Margaret Hollis: wrong number, kept here');
  });

  test('may be corrected where it says do not call, but not in the place of a card’s', async () => {
    const window = await openWindow(view('ready-do-not-call'));
    expect(window.text('[data-part=title-row]')).toBe(
      'Mrs Hollis will not be rung again, by anyone here Correct itU',
    );
    const notice = { kind: 'do-not-call', name: 'Mrs Hollis', attempt_id: null } as const;
    await window.show({ ...view('ready-do-not-call'), notice });
    expect(() => window.button('Correct it')).toThrow('no button');
  });

  test('is not offered for correction by a computer that calls no more', async () => {
    for (const name of ['revoked', 'untrusted', 'update-app', 'update-server']) {
      const window = await openWindow(view(name));
      expect(() => window.button('Correct it'), name).toThrow('no button');
      window.press('u');
      expect(window.desk.hand.correcting, name).toBe(false);
    }
  });
});

describe('a page that gives the reason', () => {
  test('where the server cannot do its work, nothing is said to be saved', async () => {
    for (const name of ['no-storage', 'no-telephone']) {
      const window = await openWindow(view(name));
      expect(window.text('[data-part=page-footer] p'), name).toBe('');
    }
    const window = await openWindow(view('outside-hours'));
    expect(window.text('[data-part=page-footer] p')).toBe('Everything so far is saved.');
  });

  test('nothing changes under the eye from Start to the first line', async () => {
    const window = await openWindow(view('start'));
    const parts = () =>
      ['[data-part=page-header] h2', 'main .lead', '[data-part=page-footer] p'].map(window.text);
    const before = parts();
    expect(before[0]).toBe('Before you start');
    await window.show(view('waiting-line'));
    expect(parts()).toEqual(before);
    expect(window.text('main')).toContain('Why the line comes first');
  });

  test('outside calling hours it is on the card, beside the time', async () => {
    const opens_at_ms = new Date(2026, 10, 26, 9, 30).getTime();
    const outside = deskView({ state: 'waiting', why: { reason: 'outside-hours', opens_at_ms } });
    const window = await openWindow({ ...outside, server_now_ms: opens_at_ms - 12 * HOUR });
    expect(card(window)).toContain(
      'Calling starts again at 09:30 tomorrow. It is too late to ring people now.',
    );
    await window.show({ ...outside, server_now_ms: opens_at_ms - HOUR });
    expect(card(window)).toContain('Calling starts again at 09:30. It is too early to ring people now.');
  });

  test('who paused the campaign is on the card, with or without a message', async () => {
    const window = await openWindow(view('paused-by-organiser'));
    expect(card(window)).toContain('Ruth paused this campaign: “Tea break, back at 19:15”');
    expect(card(window)).toContain('A card comes by itself when it goes on.');
    await window.show(deskView({ state: 'paused', pause: { by: 'Ruth', message: null } }));
    expect(card(window)).toContain('Ruth paused this campaign. A card comes');
  });

  test('“next person” stands over a person only', async () => {
    const captions: [string, string][] = [
      ['ready', 'Next person'],
      ['waiting-line', 'Next person'],
      ['nobody-left', 'Your list'],
      ['outside-hours', 'No call just now'],
      ['no-telephone', 'No call just now'],
      ['no-storage', 'No call just now'],
    ];
    for (const [name, caption] of captions) {
      const window = await openWindow(view(name));
      expect(window.text('[data-part=card] .caption'), name).toBe(caption);
    }
  });
});

describe('a computer that cannot call', () => {
  test('is not told how to start, but how to go on', async () => {
    const then: [string, string][] = [
      ['revoked', 'Ruth can send a new link. Press “Use a new link”, then paste it.'],
      [
        'update-app',
        'Install the newest Ringround, then open it again. You stay joined: no new link is needed.',
      ],
      ['update-server', 'Nothing needs doing on this computer. Open it again later.'],
      ['untrusted', 'Someone on your network may be in between. Another network may help.'],
    ];
    for (const [name, text] of then) {
      const window = await openWindow(view(name));
      expect(card(window), name).toContain('Not calling');
      expect(card(window), name).not.toMatch(/Start|headset/);
      expect(item(window), name).toBe(`How to go on ${text}`);
    }
  });

  test('one that is opening shows that it works, and says its name once', async () => {
    const window = await openWindow(view('opening'));
    const button = document.querySelector('#main-button');
    expect(button?.getAttribute('aria-busy')).toBe('true');
    expect(button?.querySelector('.spinner')).not.toBeNull();
    expect(card(window)).not.toContain('Ringround');
  });
});
