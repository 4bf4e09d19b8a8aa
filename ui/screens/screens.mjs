// Every state in the real web view: pictures into target/screens, and two checks on the way:
// nothing jumps (the rectangles of the frame are the same in all states) and axe finds nothing.
//
//   node screens/screens.mjs [--checks] [--fits] [--theme light|dark] [--scale 2] [--size 1100x760] [--words long] [VIEW...]
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, preview } from 'vite';
import { axeRun, opened, rectangles, settled, viewNames } from './in-page.mjs';
import { keyboard } from './keyboard.mjs';
import { system } from './system.mjs';
import { freePort, openBrowser } from './webdriver.mjs';

const ui = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const out = path.join(process.env.CARGO_TARGET_DIR ?? path.join(ui, '..', 'target'), 'screens');
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    checks: { type: 'boolean', default: false },
    // Only whether everything fits and stands still.
    fits: { type: 'boolean', default: false },
    theme: { type: 'string' },
    scale: { type: 'string', default: '1' },
    size: { type: 'string', default: '1100x760' },
    words: { type: 'string', default: 'en' },
  },
});
const themes = options.theme ? [options.theme] : ['light', 'dark'];
const [width, height] = options.size.split('x').map(Number);
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

process.chdir(ui);
const outDir = path.join(out, 'site');
await build({ mode: 'screens', logLevel: 'warn', build: { outDir, emptyOutDir: true } });
const server = await preview({
  build: { outDir },
  preview: { host: '127.0.0.1', port: await freePort() },
  logLevel: 'warn',
});
const site = server.resolvedUrls?.local[0];
const browser = await openBrowser({ width, height, scale: Number(options.scale) });
const wrong = [];
try {
  await browser.open(`${site}?view=join&still`);
  await browser.runAsync(settled);
  const names =
    positionals.length > 0 ? positionals : [...(await browser.run(viewNames)), ...Object.keys(opened)];
  const frames = new Map();
  for (const theme of themes) {
    await mkdir(path.join(out, theme), { recursive: true });
    for (const name of names) {
      const [view, ...keys] = opened[name] ?? [name];
      await browser.open(`${site}?view=${view}&still&theme=${theme}&meter=0.35&words=${options.words}`);
      await browser.runAsync(settled);
      if (keys.length > 0) {
        await browser.keys(
          keys.flatMap((value) => [
            { type: 'keyDown', value },
            { type: 'keyUp', value },
          ]),
        );
        await browser.runAsync(settled);
      }
      if (!options.checks && !options.fits)
        await writeFile(path.join(out, theme, `${name}.png`), await browser.picture());
      const frame = await browser.run(rectangles);
      frames.set(`${theme} ${name}`, frame);
      for (const cut of frame.cut) wrong.push(`${theme} ${name}: text does not fit: ${cut}`);
      if (options.fits) continue;
      await browser.run(axe);
      for (const found of await browser.runAsync(axeRun)) wrong.push(`${theme} ${name}: ${found}`);
    }
  }
  wrong.push(...jumps(frames));
  if (positionals.length === 0 && !options.fits) {
    wrong.push(...(await keyboard(browser, site)), ...(await system(site, { width, height })));
  }
  for (const line of wrong) console.error(line);
  console.log(
    `${frames.size} screens, ${wrong.length} wrong${options.checks || options.fits ? '' : `; pictures in ${out}`}`,
  );
} finally {
  await browser.close();
  await server.close();
}
process.exitCode = wrong.length > 0 ? 1 : 0;

/** The frame's parts stand in the same place in every state; in one column only what is pinned does. */
function jumps(frames) {
  const pinned = /^(call-block|title-row|keys|main button|key )/;
  const found = [];
  const seen = new Map();
  for (const [name, { parts }] of frames) {
    for (const [part, rectangle] of Object.entries(parts)) {
      if (width < 860 && !pinned.test(part)) continue;
      const before = seen.get(part);
      if (!before) seen.set(part, { name, rectangle });
      else if (before.rectangle !== rectangle) {
        found.push(`${part} jumps: ${before.rectangle} in ${before.name}, ${rectangle} in ${name}`);
      }
    }
  }
  return found;
}
