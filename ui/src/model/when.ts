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

/** Whether both are on one day of the volunteer's calendar. */
export function sameDay(a: number, b: number): boolean {
  return midnight(a) === midnight(b);
}

function midnight(ms: number): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
