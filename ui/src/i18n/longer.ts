import { en } from './en';
import type { Words } from './index';

/** English with 40 % more in every text, to see that the layout has room for other languages. */
export const longer = lengthen(en) as Words;

function lengthen(value: unknown): unknown {
  if (typeof value === 'string') return pad(value);
  if (typeof value === 'function') return (...args: unknown[]) => lengthen(value(...args));
  if (Array.isArray(value)) return value.map(lengthen);
  if (value === null || typeof value !== 'object' || value instanceof RegExp) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, key === 'key' ? inner : lengthen(inner)]),
  );
}

function pad(text: string): string {
  const more = Math.ceil(text.length * 0.4);
  return more < 1 || text.length < 2
    ? text
    : `${text} ${'mehrwort '
        .repeat(8)
        .slice(0, Math.max(1, more - 1))
        .trim()}`;
}
