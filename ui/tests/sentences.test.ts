import { describe, expect, test } from 'vitest';
import type { Trouble, View, Notice, JoinProblem, LastOutcome } from '../src/api/types';
import { deskView, LAST, NEXT_CARD, NOW, ready, talking, views, wrapUp } from '../src/host/fixtures';
import { openWindow } from './window';

const view = (name: string) => views[name] as View;
const HOUR = 3_600_000;

describe('what is wrong is said once, assertively', () => {
  const inTalk = new Set<Trouble['kind']>(['too-quiet']);
  const sentences: [Trouble, string][] = [
    [
      { kind: 'no-microphone' },
      'No microphone. Plug one in, or choose another. Calls wait until there is one',
    ],
    [
      { kind: 'no-speaker' },
      'No loudspeaker. Plug in a headset, or choose another. Calls wait until there is one',
    ],
    [{ kind: 'too-quiet' }, 'We can’t hear you. Is the headset muted?'],
    [
      { kind: 'server-unreachable', retry_in_s: 5, in_call: false },
      'We can’t reach Lantern Street Trust’s server. Trying again in 5 seconds. Nothing is lost',
    ],
    [
      { kind: 'line-lost', since_ms: NOW - 8000, in_call: false },
      'Line lost. Stay here: your line comes back by itself',
    ],
    [{ kind: 'revoked', organiser: 'Ruth' }, 'This computer was switched off by Ruth. Ask for a new link'],
    [
      { kind: 'no-telephone' },
      'The server has no telephone line. Calls wait until it is back. Nothing is lost',
    ],
    [
      { kind: 'without-sound' },
      'Sound does not get through to the server. Nobody is rung. Your network may hold back calls (UDP): try another one, or tell Ruth',
    ],
    [
      {
        kind: 'trunk',
        complaint: { kind: 'refuses', sip: 503 },
        next_try: { who: 'later', at_ms: NOW + 20_000 },
      },
      'The provider refuses calls (503). Nobody was rung, nothing is lost. Tried again in 20 seconds',
    ],
    [
      { kind: 'trunk', complaint: { kind: 'refuses', sip: null }, next_try: { who: 'yours' } },
      'The provider refuses calls. Your next call tries whether it is mended',
    ],
    [
      { kind: 'trunk', complaint: { kind: 'silent' }, next_try: { who: 'others' } },
      'The provider puts no call through. Another volunteer’s call tries whether it is mended',
    ],
    [
      { kind: 'trunk', complaint: { kind: 'number' }, next_try: { who: 'later', at_ms: NOW - 1 } },
      'The provider knows none of these numbers. Nobody was rung, nothing is lost. Tried again as soon as somebody can',
    ],
    [
      { kind: 'server-storage' },
      'The server can’t save. Its disk is full or locked. Tell Ruth. Outcomes are kept here',
    ],
    [
      { kind: 'local-storage' },
      'This computer can’t save. Its disk is full or locked. Free some space, and keep this app open',
    ],
    [{ kind: 'keyring-locked' }, 'Your keyring is locked. Unlock it in the window that opened'],
    [
      { kind: 'no-keyring', why: 'no bus' },
      'No keyring on this computer. You stay signed in until you close the app',
    ],
    [
      { kind: 'untrusted' },
      'This is not the server you joined. It could not prove that it is Ruth’s server. Tell Ruth',
    ],
    [
      { kind: 'update-app' },
      'This app is too old for the server. Install the newest Ringround, then open it again',
    ],
    [{ kind: 'update-server' }, 'The server is too old for this app. Ask Ruth to update it'],
  ];
  test.each(sentences)('%o', async (trouble, sentence) => {
    const session = inTalk.has(trouble.kind) ? talking : ready;
    const window = await openWindow(deskView(session));
    await window.show(deskView(session, {}, { troubles: [trouble] }));
    expect(window.alert()).toBe(sentence);
    expect(window.text('[data-trouble]'), 'and stands in the header').toContain(
      sentence.split(/(?<=\.) /)[0] === 'Line lost.' ? 'Your network dropped' : sentence.split('. ')[0],
    );
  });

  test('a refused outcome says which press it was', async () => {
    const window = await openWindow(view('outcome-refused'));
    expect(window.alert()).toMatch(
      /^The server refused “Reached” of \d\d:\d\d\. It is kept on this computer\. Tell Ruth$/,
    );
  });

  test('in a call, the server may go and the line may go', async () => {
    const window = await openWindow(view('server-lost-in-call'));
    expect(window.alert()).toBe('Server not reachable. Your call goes on. Answers are kept on this computer');
    await window.show(view('line-lost'));
    await expect
      .poll(() => window.alert())
      .toBe('Line lost. Margaret is held. Stay here: your line comes back by itself');
    expect(window.text('[data-trouble=line-lost]')).toContain(
      'Your network dropped 8 seconds ago. Stay here: your line comes back by itself.',
    );
    expect(window.button('Hang up').dataset.hangsUp).toBe('');
    await window.show(deskView(talking, {}, { notice: { kind: 'line-back' } }));
    await expect.poll(() => window.alert()).toBe('You are back with Margaret');
    expect(window.text('[data-part=title-row]')).toBe('You are back with Margaret');
  });

  test('the banner counts down to when the provider is tried again', async () => {
    const window = await openWindow(view('provider-refuses'));
    const banner = () => window.text('[data-trouble=trunk]');
    expect(banner()).toContain('Tried again in 40 seconds');
    window.wait(15_000);
    await expect.poll(banner, { timeout: 3_000 }).toContain('Tried again in 25 seconds');
  });

  test('what comes back is said too', async () => {
    for (const [name, sentence] of [
      ['server-lost', 'The server is back'],
      ['no-microphone', 'Microphone found'],
      ['no-speaker', 'Loudspeaker found'],
      ['line-lost-idle', 'Your line is back'],
    ] as const) {
      const window = await openWindow(view(name));
      await window.show(deskView(ready));
      await expect.poll(() => window.alert(), { message: name }).toBe(sentence);
    }
  });

  test('two troubles at once are two sentences, one after the other', async () => {
    const window = await openWindow(deskView(ready));
    await window.show(
      deskView(
        ready,
        {},
        {
          troubles: [{ kind: 'line-lost', since_ms: NOW, in_call: false }, { kind: 'no-microphone' }],
        },
      ),
    );
    expect(window.alert()).toMatch(/^Line lost/);
    await expect.poll(() => window.alert(), { timeout: 2000 }).toMatch(/^No microphone/);
    window.click('One more trouble');
    expect(window.text('[data-trouble]')).toMatch(/^No microphone/);
  });

  test('a trouble that stays is not said again', async () => {
    const window = await openWindow(view('server-lost'));
    const region = document.querySelector('#alert') as Element;
    let changes = 0;
    new MutationObserver((records) => (changes += records.length)).observe(region, {
      childList: true,
      characterData: true,
      subtree: true,
    });
    await window.show({
      ...view('server-lost'),
      troubles: [{ kind: 'server-unreachable', retry_in_s: 10, in_call: false }],
    });
    expect(window.text('[data-trouble]')).toContain('in 10 seconds');
    expect(changes).toBe(0);
  });
});

describe('what happens is said politely', () => {
  test('calling, and then nothing while the callee talks', async () => {
    const window = await openWindow(view('ready'));
    expect(window.status()).toBe('Next, Margaret Hollis, hard of hearing. Speak slowly, let it ring long');
    await window.show(view('dialling'));
    expect(window.status()).toBe('Calling Margaret Hollis');
    await window.show(view('ringing'));
    expect(window.status(), 'ringing is heard, not said').toBe('Calling Margaret Hollis');
    await window.show(view('talking'));
    expect(window.status()).toBe('');
    await window.show(view('muted'));
    expect(window.alert()).toBe('Muted');
    await window.show(view('talking'));
    expect(window.alert()).toBe('Unmuted');
  });

  test('in line for the trunk, and then calling', async () => {
    const window = await openWindow(view('in-line'));
    expect(window.status()).toBe('Waiting for a free line to call Margaret Hollis');
    expect(window.text('[data-part=call-block]')).toContain('Nobody is rung yet');
    await window.show(view('dialling'));
    expect(window.status()).toBe('Calling Margaret Hollis');
    expect(window.text('[data-part=call-block]')).not.toContain('Nobody is rung yet');
  });

  test('how a call ended', async () => {
    const window = await openWindow(view('talking'));
    await window.show(view('wrap-up'));
    expect(window.status()).toBe('Margaret rang off. How did it go? 1 to 9');
    expect(window.text('#main-button')).toContain('How did it go?');
    const network = await openWindow(view('dialling'));
    await network.show(view('wrap-up-network'));
    expect(network.status()).toBe('It did not go through. How did it go? 1 to 9');
  });

  test('saved, and who is next', async () => {
    const window = await openWindow(view('wrap-up'));
    const last: LastOutcome = {
      ...LAST,
      attempt_id: 'attempt-1',
      name: 'Margaret Hollis',
      outcome: 'reached',
    };
    await window.show(deskView({ state: 'ready', card: NEXT_CARD }, { last_outcome: last }));
    expect(window.status()).toBe('Reached saved. Next, Sunita Rao');
    expect(window.text('[data-part=title-row]')).toBe('Margaret Hollis: reached, saved Correct itU');
    await window.show(
      deskView({ state: 'ready', card: NEXT_CARD }, { last_outcome: { ...last, outcome: 'refused' } }),
    );
    expect(window.status()).toBe('Corrected: refused');
  });

  test('a wrong number', async () => {
    const window = await openWindow(view('wrap-up'));
    const last: LastOutcome = {
      ...LAST,
      attempt_id: 'attempt-1',
      name: 'Margaret',
      outcome: 'wrong-number',
    };
    await window.show(deskView(wrapUp, { last_outcome: last }));
    expect(window.status()).toBe('Marked as a wrong number. Nobody will ring it again for Margaret');
  });

  test('nobody left, and when again', async () => {
    const window = await openWindow(view('ready'));
    await window.show(view('nobody-left'));
    expect(window.status()).toMatch(
      /^That is everyone for now\. Six people may be rung again from \d\d:\d\d tomorrow$/,
    );
    expect(window.text('#main-button')).toBe('Finish for today Space');
  });

  test('outside calling hours', async () => {
    const window = await openWindow(view('ready'));
    const opens = new Date(2026, 10, 26, 9, 30).getTime();
    const now = opens - 12 * HOUR;
    await window.show({
      ...deskView({ state: 'waiting', why: { reason: 'outside-hours', opens_at_ms: opens } }),
      server_now_ms: now,
    });
    expect(window.status()).toBe('Calling starts again at 09:30 tomorrow. It is too late to ring people now');
    expect(window.text('#main-button')).toBe('Calling starts again at 09:30 tomorrow');
    expect(window.button('Calling starts').getAttribute('aria-disabled')).toBe('true');
  });

  test('many were passed on: when the next card comes', async () => {
    const window = await openWindow(view('ready'));
    const next_at_ms = new Date(2026, 10, 25, 14, 4, 20).getTime();
    await window.show({
      ...deskView({ state: 'waiting', why: { reason: 'passed-on', next_at_ms } }),
      server_now_ms: next_at_ms - 50_000,
    });
    const sentence = 'Many cards came in a short time. The next one comes at 14:05';
    expect(window.status()).toBe(sentence);
    expect(window.text('[data-part=card]')).toContain(`${sentence}.`);
    expect(window.text('#main-button')).toBe('Next card at 14:05');
    expect(window.button('Next card').getAttribute('aria-disabled')).toBe('true');
    await window.show(view('ready'));
    expect(window.button('Call Margaret').getAttribute('aria-disabled')).toBe('false');
  });

  test('waiting for the line, for the telephone and for the server’s disk', async () => {
    const window = await openWindow(view('start'));
    await window.show(view('waiting-line'));
    expect(window.status()).toBe('Your line is coming up, usually two or three seconds');
    const telephone = await openWindow(view('ready'));
    await telephone.show(view('no-telephone'));
    expect(telephone.status()).toBe('The server has lost its telephone line. Calls wait until it is back');
    const storage = await openWindow(view('ready'));
    await storage.show(view('no-storage'));
    expect(storage.status()).toBe('The server can’t save. Calls wait until it can');
    expect(storage.text('[data-part=card]')).toContain(
      'Its disk is full or locked. It tries again by itself.',
    );
  });

  test('paused, by oneself and by the organiser, and finished', async () => {
    const window = await openWindow(view('ready'));
    await window.show(view('paused'));
    expect(window.status()).toBe('Paused');
    await window.show(view('ready'));
    await window.show(view('paused-by-organiser'));
    await window.show(view('finished'));
    expect(window.status()).toBe('You have finished. Your line is down');
    const other = await openWindow(view('ready'));
    await other.show(view('paused-by-organiser'));
    expect(other.status()).toBe('Ruth paused this campaign: “Tea break, back at 19:15”');
  });
});

describe('the answer to a press', () => {
  const notices: [Notice, 'status' | 'alert', string][] = [
    [
      { kind: 'refused-by-rule', message: 'She was called an hour ago. The next card is ready' },
      'alert',
      'Not rung: she was called an hour ago. The next card is ready',
    ],
    [{ kind: 'lease-lost' }, 'alert', 'That card went to somebody else. The next card is ready'],
    [
      { kind: 'saved-here', outcome: 'reached' },
      'alert',
      'Saved on this computer, sent when the server is back',
    ],
    [{ kind: 'line-back' }, 'alert', 'Your line is back'],
    [
      { kind: 'do-not-call', name: 'Mrs Hollis', attempt_id: null },
      'status',
      'Mrs Hollis will not be rung again, by anyone here',
    ],
    [{ kind: 'in-call' }, 'alert', 'You are in a call. Hang up first, then close the window'],
    [{ kind: 'refused', message: 'The list is empty.' }, 'alert', 'The list is empty.'],
  ];
  test.each(notices)('%o', async (notice, region, sentence) => {
    const window = await openWindow(deskView(ready));
    await window.show(deskView(ready, {}, { notice }));
    expect(window[region]()).toBe(sentence);
    expect(window.text('[data-part=title-row] p')).toBe(sentence);
  });
});

describe('a link that does not work', () => {
  const problems: [JoinProblem, RegExp][] = [
    [{ kind: 'not-a-link' }, /not an invitation link/],
    [{ kind: 'damaged' }, /part of this link is missing/],
    [{ kind: 'unknown' }, /does not know this link/],
    [
      { kind: 'spent', organiser: 'Ruth' },
      /^This link was used on another computer\. Ruth can send a new one: ask for it\.$/,
    ],
    [
      { kind: 'expired', organiser: 'Ruth', ended_at_ms: new Date(2026, 10, 30, 12).getTime() },
      /^This link ended on 30 November\. Ruth can send a new one: ask for it\.$/,
    ],
    [
      { kind: 'expired', organiser: 'Ruth', ended_at_ms: new Date(2025, 11, 1, 12).getTime() },
      /^This link ended on 1 December 2025\./,
    ],
    [{ kind: 'unreachable' }, /can’t be reached/],
    [{ kind: 'untrusted' }, /not the server the link names/],
    [{ kind: 'update-app' }, /This app is too old/],
    [{ kind: 'update-server' }, /The server is too old/],
    [{ kind: 'refused', message: 'Try in a minute.' }, /^Try in a minute\.$/],
  ];
  test.each(problems)('%o', async (problem, sentence) => {
    const window = await openWindow(view('join'));
    const join = view('join');
    await window.show({ ...join, screen: { name: 'join', busy: false, problem } });
    expect(window.status()).toMatch(sentence);
    expect(window.text('#link-problem')).toMatch(sentence);
    expect(document.querySelector('#link')?.getAttribute('aria-invalid')).toBe('true');
  });
});
