// Real keys in the real web view: what jsdom cannot know is what a focused button does by itself.
import { setTimeout as sleep } from 'node:timers/promises';
import { settled } from './in-page.mjs';

/** The controls ignore presses for 400 ms after they changed their meaning. */
const GUARD_MS = 420;
const SPACE = ' ';
const ENTER = '\ue007';
const TAB = '\ue004';

/** Each: the view, the keys, where the focus is first, and the commands that come of it. */
const PLAYS = [
  ['ready', [SPACE], '#main-button', ['call']],
  ['ready', [SPACE], null, ['call']],
  ['ready', [ENTER], '#main-button', ['call']],
  ['ready', ['s'], null, ['settle']],
  ['talking', [SPACE], '#main-button', []],
  ['talking', ['h'], null, ['hangUp']],
  ['talking', [ENTER], '#main-button', ['hangUp']],
  ['talking', [SPACE], '[aria-keyshortcuts=m]', ['mute']],
  ['line-lost', [SPACE], '[data-hangs-up]', []],
  ['wrap-up', ['1'], null, ['outcome']],
  ['wrap-up', ['1', 'p', SPACE], '#note', []],
  ['wrap-up', [SPACE], '[data-outcome=busy]', ['outcome']],
  ['wrap-up-cancelled', [ENTER], null, ['outcome']],
  ['paused', [SPACE], null, ['resume']],
  ['nobody-left', [SPACE], null, ['stop']],
  ['ready', ['l', '2'], null, ['settle']],
  ['ready', ['x', ENTER], null, []],
];

/** Plays them all; a line for each that went otherwise. */
export async function keyboard(browser, site) {
  const wrong = [];
  for (const [view, keys, focus, commands] of PLAYS) {
    await browser.open(`${site}?view=${view}&still`);
    await browser.runAsync(settled);
    await browser.run(
      'const e = arguments[0] && document.querySelector(arguments[0]); if (e) e.focus();',
      focus,
    );
    await sleep(GUARD_MS);
    for (const key of keys) {
      await browser.keys([
        { type: 'keyDown', value: key },
        { type: 'keyUp', value: key },
      ]);
      await sleep(60);
    }
    const got = await browser.run('return window.host.pressed.map((press) => press.command)');
    if (got.join() !== commands.join()) {
      wrong.push(
        `keys ${JSON.stringify(keys)} on ${focus ?? 'the page'} in ${view}: ${got.join() || 'nothing'}`,
      );
    }
  }
  wrong.push(...(await tabs(browser, site)));
  return wrong;
}

/** Tab reaches every control that can be pressed, and comes round. */
async function tabs(browser, site) {
  await browser.open(`${site}?view=talking&still`);
  await browser.runAsync(settled);
  const all = await browser.run(
    "return [...document.querySelectorAll('button, input')].filter((e) => e.tabIndex >= 0).length",
  );
  const reached = new Set();
  for (let n = 0; n < all + 4; n += 1) {
    await browser.keys([
      { type: 'keyDown', value: TAB },
      { type: 'keyUp', value: TAB },
    ]);
    reached.add(
      await browser.run(
        "return [...document.querySelectorAll('button, input')].indexOf(document.activeElement)",
      ),
    );
  }
  reached.delete(-1);
  return reached.size === all ? [] : [`Tab reaches ${reached.size} of ${all} controls in talking`];
}
