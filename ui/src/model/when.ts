import { t } from '../i18n';

export const HOUR_MS = 3_600_000;

/** "10:00" in the volunteer's own time zone. */
export function timeOfDay(ms: number): string {
  const date = new Date(ms);
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
}

/** "10:00", "10:00 tomorrow", "10:00 on Monday", "10:00 on 3 December". */
export function timeAndDay(ms: number, nowMs: number): string {
  const days = Math.round((midnight(ms) - midnight(nowMs)) / 86_400_000);
  const time = timeOfDay(ms);
  if (days <= 0) return time;
  if (days === 1) return t.when.tomorrow(time);
  const date = new Date(ms);
  if (days < 7) return t.when.onDay(time, t.when.days[date.getDay()] ?? '');
  return t.when.onDate(time, date.getDate(), t.when.months[date.getMonth()] ?? '');
}

/** "30 November"; of another year "30 November 2025". */
export function dateOf(ms: number, nowMs: number): string {
  const date = new Date(ms);
  const [day, month, year] = [date.getDate(), t.when.months[date.getMonth()] ?? '', date.getFullYear()];
  return year === new Date(nowMs).getFullYear()
    ? t.when.date(day, month)
    : t.when.dateOfYear(day, month, year);
}

/** The time of day at which it has surely come: "14:06" for 14:05:20. */
export function timeOfDayBy(ms: number): string {
  return timeOfDay(ms + 59_999);
}

/** Whether it is on the day after, in the volunteer's calendar. */
export function isTomorrow(ms: number, nowMs: number): boolean {
  return Math.round((midnight(ms) - midnight(nowMs)) / 86_400_000) === 1;
}

/** The time of day in another zone and its place, "14:00" and "London"; `null` if it is the volunteer's own time. */
export function timeInZone(ms: number, zone: string): { time: string; place: string } | null {
  const shown = (timeZone?: string) => {
    const options = {
      timeZone,
      weekday: 'long',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    } as const;
    const parts = new Intl.DateTimeFormat('en-GB', options).formatToParts(ms);
    const of = (type: string) => parts.find((part) => part.type === type)?.value ?? '';
    return { day: of('weekday'), time: `${of('hour')}:${of('minute')}` };
  };
  const [own, theirs] = [shown(), shown(zone)];
  if (own.day === theirs.day && own.time === theirs.time) return null;
  const place = (zone.split('/').at(-1) ?? zone).replaceAll('_', ' ');
  return { time: own.day === theirs.day ? theirs.time : t.when.onDay(theirs.time, theirs.day), place };
}

/** Whether both are on one day of the volunteer's calendar. */
export function sameDay(a: number, b: number): boolean {
  return midnight(a) === midnight(b);
}

function midnight(ms: number): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
