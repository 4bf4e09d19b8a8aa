import type { RingAgain, RingingTimes } from '../api/types';
import { t } from '../i18n';
import { HOUR_MS, timeAndDay, timeInZone, timeOfDay, isTomorrow } from './when';

/** One time that a chooser offers: what is asked for, and when that will be. */
export interface Offer {
  again: RingAgain;
  /** What stands beside it. */
  hint: string;
  /** What is said of it when it was taken. */
  said: string;
}

/** What the chooser offers at one moment. */
export interface Offers {
  hour: Offer;
  tomorrow: Offer;
}

/**
 * What "in an hour" and "tomorrow" come to for this person, by the times that the server told with them. What is
 * shown is what is asked for: it stays true if the press reaches the server late. `asked` by the callee, a call is
 * bound by their hours alone.
 */
export function offersOf(times: RingingTimes, asked: boolean, now: number): Offers {
  const hour = ringingAt(times, asked, now + HOUR_MS);
  const morning = times.days.find((day) => day.starts_ms > now)?.morning_ms;
  const tomorrow = morning === undefined ? null : ringingAt(times, asked, morning);
  return {
    hour: offer('in-an-hour', hour, t.again.hourUnknown, (at) => {
      const when = whenOf(at, now, times.time_zone);
      return at > now + HOUR_MS ? t.again.notBefore(when) : t.again.at(when);
    }),
    tomorrow: offer('tomorrow', tomorrow, t.again.tomorrowUnknown, (at) =>
      // The button says the day.
      t.again.at(whenOf(at, now, times.time_zone, isTomorrow(at, now) ? timeOfDay(at) : undefined)),
    ),
  };

  function offer(
    when: 'in-an-hour' | 'tomorrow',
    at: number | null,
    unknown: string,
    hint: (at: number) => string,
  ): Offer {
    if (at === null) return { again: { when }, hint: unknown, said: unknown };
    return { again: { when: 'at', at_ms: at }, hint: hint(at), said: whenOf(at, now, times.time_zone) };
  }
}

/** The first instant from `wanted` on at which they may be rung; `null` beyond what the server told. */
function ringingAt(times: RingingTimes, asked: boolean, wanted: number): number | null {
  const from = asked ? wanted : Math.max(wanted, times.unasked_from_ms);
  const day = times.days.find((day) => day.last_ms >= from);
  return day ? Math.max(from, day.opens_ms) : null;
}

/** "19:42", "09:30 tomorrow"; where the callee's clock shows another time, that too: "20:42 (19:42 in London)". */
export function whenOf(at: number, now: number, zone: string | null, own = timeAndDay(at, now)): string {
  const theirs = zone === null ? null : timeInZone(at, zone);
  return theirs === null ? own : t.when.theirs(own, theirs.time, theirs.place);
}
