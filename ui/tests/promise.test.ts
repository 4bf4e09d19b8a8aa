import { describe, expect, test } from 'vitest';
import type { RingingTimes, View } from '../src/api/types';
import { CARD, deskView, LAST, NEXT_CARD, NOW, talking, TIMES, views, wrapUp } from '../src/host/fixtures';
import { offersOf, whenOf } from '../src/model/offers';
import { HOUR_MS } from '../src/model/when';
import { openWindow } from './window';

const MINUTE = 60_000;
/** As a volunteer sees it: in the zone of the machine that tests. */
const wall = (ms: number) => new Date(ms).toTimeString().slice(0, 5);

/** Tuesday 24 November 2026, London, as the server's rules have it. */
const tuesday = (time: string) => Date.parse(`2026-11-24T${time}Z`);
const timesAt = (now: number, unaskedFrom = now): RingingTimes => {
  const day = (date: string, from = 0) => {
    const opens = Math.max(Date.parse(`${date}T09:30:00Z`), from);
    const last = Date.parse(`${date}T20:29:35Z`);
    return {
      starts_ms: Math.max(Date.parse(`${date}T00:00:00Z`), from),
      opens_ms: opens,
      last_ms: last,
      morning_ms: opens,
    };
  };
  const days = [day('2026-11-24', now), day('2026-11-25'), day('2026-11-26')];
  return {
    time_zone: 'Europe/London',
    days: days.filter(({ last_ms }) => last_ms >= now),
    unasked_from_ms: unaskedFrom,
  };
};
const at = (at_ms: number) => ({ when: 'at', at_ms });

describe('what a choice of time comes to', () => {
  test('an hour is an hour for who asks for it, whatever the spacing says', () => {
    const now = tuesday('13:00:00');
    const times = timesAt(now, tuesday('14:55:00'));
    expect(offersOf(times, true, now).hour.again).toEqual(at(tuesday('14:00:00')));
    expect(offersOf(times, false, now).hour.again).toEqual(at(tuesday('14:55:00')));
  });

  test('past closing time it is the next opening, and the hint says which day', () => {
    const now = tuesday('19:50:00');
    const { hour, tomorrow } = offersOf(timesAt(now), true, now);
    const opens = Date.parse('2026-11-25T09:30:00Z');
    expect([hour.again, tomorrow.again]).toEqual([at(opens), at(opens)]);
    expect(hour.hint).toMatch(/^not before .*tomorrow|^not before \d\d:\d\d/);
  });

  test('after closing time tomorrow is the next day, and after midnight the one after', () => {
    const evening = tuesday('21:00:00');
    expect(offersOf(timesAt(evening), true, evening).tomorrow.again).toEqual(
      at(Date.parse('2026-11-25T09:30:00Z')),
    );
    const night = Date.parse('2026-11-25T00:10:00Z');
    expect(offersOf(timesAt(evening), true, night).tomorrow.again).toEqual(
      at(Date.parse('2026-11-26T09:30:00Z')),
    );
  });

  test('where the server told nothing, nothing false is said, and it decides', () => {
    const { hour, tomorrow } = offersOf({ time_zone: null, days: [], unasked_from_ms: 0 }, true, NOW);
    expect([hour.again, tomorrow.again]).toEqual([{ when: 'in-an-hour' }, { when: 'tomorrow' }]);
    expect(hour.hint + tomorrow.hint).not.toMatch(/\d/);
  });

  test('the callee’s clock stands beside the volunteer’s where they differ', () => {
    const elsewhere = new Date(NOW).getTimezoneOffset() === -345 ? 'America/New_York' : 'Asia/Kathmandu';
    expect(whenOf(NOW, NOW, elsewhere)).toMatch(
      /^\d\d:\d\d \(\d\d:\d\d( on \w+day)? in (Kathmandu|New York)\)$/,
    );
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    expect(whenOf(NOW, NOW, own)).toBe(wall(NOW));
    expect(whenOf(NOW, NOW, null)).toBe(wall(NOW));
  });
});

describe('the chooser', () => {
  test('shows the times that will be kept, and sends the one it shows', async () => {
    const window = await openWindow(deskView(talking));
    window.press('3');
    expect(window.text('[data-part=sheet]')).toContain(`at ${wall(NOW + HOUR_MS)}`);
    window.wait(20 * MINUTE);
    window.desk.renewOffers();
    window.press('1');
    expect(window.host.pressed[0]?.with[0]).toEqual({
      outcome: 'callback',
      note: null,
      again: at(NOW + 80 * MINUTE),
    });
  });

  test('says at 19:50 that an hour is tomorrow morning', async () => {
    const window = await openWindow(views['wrap-up-late'] as View);
    window.press('3');
    expect(window.button(/In an hour/).textContent).toMatch(/not before/);
    window.press('1');
    expect(window.host.pressed[0]?.with[0]).toMatchObject({ again: at(Date.UTC(2026, 10, 26, 9, 30)) });
  });

  test('puts a card off as the spacing allows', async () => {
    const unasked_from_ms = NOW + 100 * MINUTE;
    const card = { ...CARD, times: { ...TIMES, unasked_from_ms } };
    const window = await openWindow(deskView({ state: 'ready', card }));
    window.press('l');
    window.press('1');
    expect(window.host.pressed[0]?.with[0]).toEqual({ how: 'later', again: at(unasked_from_ms) });
    await window.show(deskView({ state: 'ready', card: NEXT_CARD }));
    expect(window.text('[data-part=title-row] p')).toContain(wall(unasked_from_ms));
  });

  test('of a correction offers the times of the one that is corrected', async () => {
    const days = TIMES.days.slice(1);
    const last_outcome = { ...LAST, times: { ...TIMES, days } };
    const window = await openWindow(deskView({ state: 'ready', card: NEXT_CARD }, { last_outcome }));
    window.press('u');
    window.wait(400);
    window.press('3');
    window.press('1');
    expect(window.host.pressed[0]?.with[0]).toMatchObject({ again: at(days[0]?.opens_ms ?? 0) });
  });
});

describe('what was saved', () => {
  const last = { ...LAST, attempt_id: 'attempt-1', name: 'Margaret Hollis', outcome: 'callback' } as const;
  const view = (again_at_ms: number | null) =>
    deskView({ state: 'ready', card: NEXT_CARD }, { last_outcome: { ...last, again_at_ms } });

  test('says when the callee will be rung, to eye and ear', async () => {
    const window = await openWindow(deskView(wrapUp));
    await window.show(view(NOW + HOUR_MS));
    const time = wall(NOW + HOUR_MS);
    expect(window.text('[data-part=title-row] p')).toMatch(new RegExp(`^Call back: Margaret, ${time}`));
    expect(window.status()).toMatch(new RegExp(`^Call back at ${time}.*, saved\\. Next, Sunita Rao`));
  });

  test('says no time where there is none to say', async () => {
    const window = await openWindow(deskView(wrapUp));
    await window.show(view(null));
    expect(window.text('[data-part=title-row] p')).toBe('Margaret Hollis: call back, saved');
  });
});
