import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, type AST } from 'svelte/compiler';
import { describe, expect, test } from 'vitest';
import { build } from 'vite';
import { gzipSync } from 'node:zlib';

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).map((name) => path.join('src', name));
const read = (file: string) => readFileSync(file, 'utf8');
const components = files.filter((file) => file.endsWith('.svelte'));
const generated = /api.(bindings|constants)\.ts$/;
const scripts = files.filter((file) => file.endsWith('.ts') && !generated.test(file));

/** Attributes that people read or hear. */
const SPOKEN = new Set(['aria-label', 'aria-description', 'placeholder', 'title', 'alt', 'aria-valuetext']);
const LETTERS = /\p{L}{2,}/u;

describe('all text is in i18n', () => {
  test.each(components)('%s', (file) => {
    const found: string[] = [];
    walk(parse(read(file), { modern: true }).fragment, (node) => {
      if (node.type === 'Text' && LETTERS.test(node.data)) found.push(node.data.trim());
      if (node.type === 'Attribute' && SPOKEN.has(node.name) && Array.isArray(node.value)) {
        for (const part of node.value)
          if (part.type === 'Text' && LETTERS.test(part.data)) found.push(part.data);
      }
    });
    expect(found).toEqual([]);
  });

  test.each(scripts.filter((file) => !/i18n|fixtures|browser\.ts/.test(file)))('%s', (file) => {
    const code = read(file)
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/\/\/.*$/gm, '');
    const sentences = [...code.matchAll(/'([^'\n]*)'|`([^`]*)`/g)]
      .map(([, quoted, template]) => quoted ?? template ?? '')
      .filter((text) => /^\p{Lu}\p{L}+ \p{L}/u.test(text));
    expect(sentences).toEqual([]);
  });
});

test('no words of the trade, no exclamation marks, no please', () => {
  const words =
    read('src/i18n/en.ts')
      .match(/'[^'\n]*'|`[^`]*`/g)
      ?.join('\n') ?? '';
  expect(words).not.toMatch(/\b(disposition|SIP|register|leg|503|callee|please)\b/i);
  expect(words).not.toMatch(/!(?!=)/);
});

test('one module reaches for Tauri', () => {
  const importers = [...scripts, ...components].filter((file) => /from '@tauri-apps/.test(read(file)));
  expect(importers).toEqual([]);
  // The bindings import Tauri themselves: types are passed on by api/types.ts.
  const callers = [...scripts, ...components].filter((file) =>
    /^\s*import [^;]*\/bindings'/m.test(read(file)),
  );
  expect(callers).toEqual(['src/host/tauri.ts']);
});

describe('with the system’s own colours', () => {
  // They take away shadows and grounds, so what is drawn by these alone gets an edge there.
  const styles = files.filter((file) => /\.(svelte|css)$/.test(file) && !file.endsWith('tokens.css'));
  test.each(styles.filter((file) => /box-shadow: (inset|var\(--shadow)/.test(read(file))))(
    '%s keeps its edges',
    (file) => {
      const forced = read(file).split('@media (forced-colors: active)')[1] ?? '';
      expect(forced).toMatch(/(border|outline): \d/);
    },
  );
});

test('the focus ring is taken away only where another stands for it', () => {
  const without = files.filter((file) => /\.(svelte|css)$/.test(file) && /outline: none/.test(read(file)));
  expect(without.sort()).toEqual(['src/styles/base.css', 'src/volunteer/Footer.svelte']);
  expect(read('src/styles/base.css')).toContain(':focus-visible {\n  outline: 2.5px solid var(--info);');
  expect(read('src/volunteer/Footer.svelte')).toContain('.note:focus-within {\n    outline: 2.5px');
});

test('files stay small', () => {
  const long = files
    .filter((file) => /\.(svelte|ts|css)$/.test(file) && !generated.test(file))
    .filter((file) => read(file).split('\n').length > 600);
  expect(long).toEqual([]);
});

test('the app’s build is small, and has no stand-in in it', async () => {
  const built = await build({ logLevel: 'silent', build: { write: false } });
  const output = (Array.isArray(built) ? built : [built]).flatMap((each) =>
    'output' in each ? each.output : [],
  );
  const scripts = output.filter((file) => file.type === 'chunk').map(({ code }) => code);
  const bytes = scripts.reduce((sum, code) => sum + gzipSync(code).length, 0);
  expect(bytes).toBeLessThan(64_000);
  expect(scripts.join('\n')).not.toMatch(/Margaret|Lantern/);
  // Debian 12 came with WebKitGTK 2.40, which does not know light-dark().
  const styles = output.flatMap((file) =>
    file.fileName.endsWith('.css') && 'source' in file ? [String(file.source)] : [],
  );
  expect(styles.join('')).toContain('prefers-color-scheme:dark');
  expect(styles.join('')).not.toMatch(/light-dark\(/);
  // A whole build takes more than the usual 5 s where others build too.
}, 60_000);

/** Where text is not for people: class names and other attributes' values. */
const within = new Set(['parent', 'attributes']);

function walk(node: unknown, see: (node: AST.SvelteNode & { type: string }) => void): void {
  if (Array.isArray(node)) {
    for (const each of node) walk(each, see);
    return;
  }
  if (node === null || typeof node !== 'object') return;
  if ('type' in node && typeof node.type === 'string') see(node as AST.SvelteNode);
  for (const [key, inner] of Object.entries(node)) if (!within.has(key)) walk(inner, see);
}
