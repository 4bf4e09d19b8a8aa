import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync('src/styles/tokens.css', 'utf8');
const pairsOf = [...css.matchAll(/--([\w-]+):\s*light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g)];
const light = Object.fromEntries(pairsOf.map(([, name, colour]) => [name, colour])) as Record<string, string>;
const dark = Object.fromEntries(pairsOf.map(([, name, , colour]) => [name, colour])) as Record<
  string,
  string
>;

/** Relative luminance and ratio, WCAG 2.2. */
function ratio(a: string, b: string): number {
  const luminance = (hex: string) => {
    const [r, g, b] = [1, 3, 5]
      .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (hi + 0.05) / (lo + 0.05);
}

const grounds = ['surface', 'ground', 'column', 'sunken'];
const pairs: [text: string, on: string[], least: number][] = [
  ['ink', grounds, 14],
  ['ink2', [...grounds, 'call-soft', 'stop-soft', 'wait-soft', 'info-soft'], 6.5],
  ['ink3', grounds, 4.5],
  ['on-primary', ['primary'], 7],
  ['on-call', ['call'], 4.5],
  ['on-stop', ['stop'], 4.5],
  ['call-ink', ['call-soft', ...grounds], 4.5],
  ['stop-ink', ['stop-soft', ...grounds], 4.5],
  ['wait-ink', ['wait-soft'], 4.5],
  ['info-ink', ['info-soft'], 4.5],
  ['call', grounds, 3],
  ['stop', grounds, 3],
  ['wait', grounds, 3],
  ['info', grounds, 3],
  ['edge', grounds, 3],
];

describe.each([
  ['light', light],
  ['dark', dark],
])('%s', (_name, colours) => {
  test.each(pairs)('%s on %o is at least %d', (text, on, least) => {
    for (const ground of on) {
      const got = ratio(colours[text] ?? '', colours[ground] ?? '');
      expect(got, `${text} on ${ground}`).toBeGreaterThanOrEqual(least);
    }
  });
});

test('each colour is written once, for both themes', () => {
  const declared = [...css.matchAll(/^ +--([\w-]+):/gm)].map(([, name]) => name);
  expect(declared).toEqual([...new Set(declared)]);
  expect(css.replace(/--[\w-]+:\s*light-dark\([^;]*;/g, '')).not.toMatch(/#[0-9a-f]{3}/);
});
