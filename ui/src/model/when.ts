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

/** Whether both are on one day of the volunteer's calendar. */
export function sameDay(a: number, b: number): boolean {
  return midnight(a) === midnight(b);
}

function midnight(ms: number): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
