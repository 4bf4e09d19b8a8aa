import { describe, expect, test } from 'vitest';
import type { Outcome } from '../src/api/types';
import { OUTCOME_KEYS } from '../src/api/constants';
import { t } from '../src/i18n';
import { CARD, LAST } from '../src/host/fixtures';
import { duration, ServerClock, untilNextSecond } from '../src/model/clock';
import { barsOf } from '../src/model/level';
import { Guard } from '../src/model/guard';
import { outcomeOfDigit } from '../src/model/outcomes';
import { firstName, splitFlag } from '../src/model/people';
import { stepsOf } from '../src/model/script';
import { Counter } from '../src/model/tally';
import { timeAndDay } from '../src/model/when';

test('durations', () => {
  expect([0, 999, 1000, 23_000, 725_000, 3_729_000, -5].map(duration)).toEqual([
    '0:00',
    '0:00',
    '0:01',
    '0:23',
    '12:05',
    '1:02:09',
    '0:00',
  ]);
});

test('the clock counts on from the server by the monotonic clock alone', () => {
  let monotonic = 500;
  const clock = new ServerClock(() => monotonic);
  clock.set(1_000_000);
  monotonic += 2500;
  expect(clock.now()).toBe(1_002_500);
  expect(untilNextSecond(1_000_000, clock.now())).toBe(500);
  expect(untilNextSecond(clock.now() + 300, clock.now())).toBe(300);
});

test('the guard is open at first, and closes when the meaning changes', () => {
  let monotonic = 0;
  const guard = new Guard(() => monotonic);
  guard.mean('main', 'call');
  expect(guard.open('main', 400)).toBe(true);
  guard.mean('main', 'cancel');
  expect(guard.open('main', 400)).toBe(false);
  monotonic = 400;
  guard.mean('main', 'cancel');
  expect(guard.open('main', 400)).toBe(true);
  expect(guard.open('main', 1000)).toBe(false);
});

test('first names', () => {
  expect(['Margaret Hollis', 'Mrs Hollis', 'Dr. Who', 'Cher', ' Sunita  Rao '].map(firstName)).toEqual([
    'Margaret',
    'Mrs Hollis',
    'Dr. Who',
    'Cher',
    'Sunita',
  ]);
});

test('a flag is split at its first sentence', () => {
  expect(splitFlag('Hard of hearing. Speak slowly')).toEqual({
    head: 'Hard of hearing.',
    rest: 'Speak slowly',
  });
  expect(splitFlag('Interpreter: Welsh')).toEqual({ head: 'Interpreter:', rest: 'Welsh' });
  expect(splitFlag('Deaf')).toEqual({ head: 'Deaf', rest: '' });
});

test('times say the day only when it is another', () => {
  const at = (day: number, hour: number) => new Date(2026, 10, day, hour, 5).getTime();
  expect(timeAndDay(at(25, 20), at(25, 18))).toBe('20:05');
  expect(timeAndDay(at(26, 9), at(25, 23))).toBe('09:05 tomorrow');
  expect(timeAndDay(at(30, 9), at(25, 18))).toBe('09:05 on Monday');
  expect(timeAndDay(new Date(2026, 11, 3, 9, 5).getTime(), at(25, 18))).toBe('09:05 on 3 December');
});

test('outcome keys and their digits', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 9].map(outcomeOfDigit)).toEqual(OUTCOME_KEYS);
  expect(outcomeOfDigit(0)).toBeUndefined();
});

test('a correction is counted as corrected', () => {
  const counter = new Counter();
  counter.start(1000);
  const save = (attempt_id: string, outcome: Outcome) => counter.saved({ ...LAST, attempt_id, outcome });
  save('a', 'reached');
  save('b', 'no-answer');
  save('b', 'busy');
  save('c', 'reached');
  expect(counter.tally()).toEqual({
    since: 1000,
    people: 3,
    spoke: 2,
    rows: [
      { outcome: 'reached', count: 2 },
      { outcome: 'busy', count: 1 },
    ],
  });
});

test('a call that the network could not bring through rang nobody', () => {
  const counter = new Counter();
  counter.start(1000);
  for (const [attempt_id, outcome] of [
    ['a', 'failed'],
    ['b', 'failed'],
    ['c', 'no-answer'],
  ] as const) {
    counter.saved({ ...LAST, attempt_id, outcome });
  }
  const { people, spoke, rows } = counter.tally();
  expect([people, spoke, rows[0]]).toEqual([1, 0, { outcome: 'failed', count: 2 }]);
});

describe('the script', () => {
  test('cues belong to the words before them', () => {
    expect(stepsOf(CARD.script).map(({ cues }) => cues.length)).toEqual([1, 1, 1, 0, 0]);
    expect(stepsOf([{ kind: 'cue', runs: [{ text: 'Smile', filled: false }] }])).toHaveLength(1);
    expect(stepsOf([])).toEqual([]);
  });
  test('a key in a cue is drawn as a key', () => {
    const cue = (text: string) => stepsOf([{ kind: 'cue', runs: [{ text, filled: false }] }])[0]?.cues[0];
    expect(cue('Not now? Then press L, or press 4.')?.map(({ text, key }) => (key ? [text] : text))).toEqual([
      'Not now? Then ',
      'press ',
      ['L'],
      ', or ',
      'press ',
      ['4'],
      '.',
    ]);
    expect(cue('Ask the press Lady; press 12')?.some(({ key }) => key)).toBe(false);
  });
  test('no line ends within a telephone number', () => {
    const [step] = stepsOf([{ kind: 'say', runs: [{ text: 'Ring 020 7946 0142 at 6', filled: false }] }]);
    expect(step?.say[0]?.text).toBe('Ring 020\u00a07946\u00a00142 at 6');
  });
});

test('the meter is drawn in decibels', () => {
  expect([0, 0.0001, 0.004, 0.03, 0.1, 0.35, 0.6, 1, 3].map(barsOf)).toEqual([0, 0, 0, 4, 6, 8, 9, 10, 10]);
});

test('attempts in words', () => {
  expect([t.card.attempt(2, 3), t.card.attempt(1, 1), t.card.attempt(12, 20), t.card.attempt(4, 3)]).toEqual([
    'Second attempt of three',
    'First attempt of one',
    '12th attempt of 20',
    'Fourth attempt',
  ]);
});
