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
      await press(browser, key);
      await sleep(60);
    }
    const got = await browser.run('return window.host.pressed.map((press) => press.command)');
    if (got.join() !== commands.join()) {
      wrong.push(
        `keys ${JSON.stringify(keys)} on ${focus ?? 'the page'} in ${view}: ${got.join() || 'nothing'}`,
      );
    }
  }
  for (const view of ['join', 'start', 'talking', 'line-lost', 'wrap-up', 'no-microphone']) {
    wrong.push(...(await tabs(browser, site, view)));
  }
  for (const key of ['l', 'x', '?']) wrong.push(...(await tabs(browser, site, 'ready', key)));
  wrong.push(...(await evening(browser, site)));
  return wrong;
}

/** Whether the focus can be seen: a ring, and nothing that cuts it off. */
const ring = `
  const focused = document.activeElement;
  const bearer = focused.closest('.note') ?? focused;
  const { outlineStyle, outlineWidth, outlineOffset } = getComputedStyle(bearer);
  const width = parseFloat(outlineWidth);
  if (outlineStyle === 'none' || width < 2) return 'no ring';
  const out = Math.max(0, width + parseFloat(outlineOffset)) - 0.5;
  const own = bearer.getBoundingClientRect();
  for (let box = bearer.parentElement; box; box = box.parentElement) {
    if (getComputedStyle(box).overflow === 'visible') continue;
    const edge = box.getBoundingClientRect();
    if (own.left - out < edge.left || own.right + out > edge.right) return 'a ring cut off at the side';
    if (own.top - out < edge.top || own.bottom + out > edge.bottom) return 'a ring cut off above or below';
  }
  return null;`;

/** Tab reaches every control that can be pressed, and shows where it is. */
async function tabs(browser, site, view, opens) {
  await browser.open(`${site}?view=${view}&still`);
  await browser.runAsync(settled);
  if (opens) {
    await press(browser, opens);
    await browser.runAsync(settled);
  }
  // What opens takes the focus to its first choice, and all of its choices come next.
  const controls = `[...document.querySelectorAll('${opens ? '[role=dialog] button' : 'button, input'}')]`;
  const all = await browser.run(`return ${controls}.filter((e) => e.tabIndex >= 0).length`);
  const focused = `return ${controls}.indexOf(document.activeElement)`;
  const reached = new Set([await browser.run(focused)].filter((at) => at >= 0));
  const wrong = [];
  // No further than the last: the next Tab would leave the page for the browser's own bar.
  for (let n = 0; n < all + 4 && reached.size < all; n += 1) {
    await press(browser, TAB);
    const at = await browser.run(focused);
    if (at < 0 || reached.has(at)) continue;
    reached.add(at);
    const unseen = await browser.run(ring);
    const name = unseen && (await browser.run('return document.activeElement.textContent.trim()'));
    if (unseen) wrong.push(`${view}: ${unseen} on ${name || 'a field'}`);
  }
  if (reached.size !== all)
    wrong.push(`Tab reaches ${reached.size} of ${all} controls in ${view}${opens ? ` with ${opens}` : ''}`);
  return wrong;
}

/** From the link to the second card and a pause, with keys alone. */
async function evening(browser, site) {
  await browser.open(`${site}?view=join`);
  await browser.runAsync(settled);
  const until = async (label) => {
    for (let n = 0; n < 200; n += 1) {
      const now = await browser.run("return document.querySelector('#main-button').textContent");
      if (now.includes(label)) return sleep(GUARD_MS);
      await sleep(50);
    }
    throw new Error(`${label} does not come`);
  };
  const steps = [
    [null, TAB, ...'ringround://join/x', ENTER],
    ['Start calling', SPACE],
    ['Call Margaret', SPACE],
    ['Hang up', 'm'],
    ['Hang up', 'm', '1'],
    ['Hang up', 'h'],
    ['How did it go', '1'],
    ['Call Sunita', 'p'],
    ['Back to calling', SPACE],
  ];
  try {
    for (const [label, ...keys] of steps) {
      if (label) await until(label);
      // Hang up is dead for its first second.
      if (keys[0] === 'h') await sleep(1000);
      for (const key of keys) await press(browser, key);
    }
    await until('Call');
  } catch (error) {
    return [`an evening by keys: ${error.message}`];
  }
  const got = await browser.run('return window.host.pressed.map((press) => press.command)');
  const wanted = 'join,start,call,mute,mute,outcome,hangUp,outcome,pause,resume';
  return got.join() === wanted ? [] : [`an evening by keys: ${got.join()}`];
}

async function press(browser, key) {
  await browser.keys([
    { type: 'keyDown', value: key },
    { type: 'keyUp', value: key },
  ]);
}
