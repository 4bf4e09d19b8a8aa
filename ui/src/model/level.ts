/** Bars of the meter. */
export const BARS = 10;

/** What the lowest bar stands for: quieter is silence, dB below full scale. */
const FLOOR_DB = 48;

/** How many bars a peak of 0 to 1 lights: loudness is heard in decibels, so it is drawn in them. */
export function barsOf(peak: number): number {
  if (peak <= 0) return 0;
  const share = 1 + (20 * Math.log10(peak)) / FLOOR_DB;
  return Math.min(BARS, Math.max(0, Math.round(share * BARS)));
}
