// Scripts that run in the page, as text for WebDriver.

/** The names of all recorded views. */
export const viewNames = 'return Object.keys(window.recorded)';

/** What a press opens over a recorded view: a name, the view with its wishes, and the keys. */
export const opened = {
  later: ['ready', 'l'],
  never: ['ready', 'x'],
  callback: ['wrap-up', '3'],
  'callback-late': ['wrap-up-late', '3'],
  correcting: ['ready', 'u'],
  'correcting-unanswered': ['ready-unanswered', 'u'],
  'telephone-keys': ['talking', '#', '1', '4'],
  note: ['talking', 'n'],
  'all-keys': ['ready', '?'],
  'single-keys-off': ['ready&keys=off'],
};

/** Waits for the page to be mounted, for the fonts, the end of a panel's motion, and two frames. */
export const settled = `
  const done = arguments[arguments.length - 1];
  const mounted = () => {
    if (!window.recorded || !document.querySelector('[data-part=page-footer]')) return setTimeout(mounted, 20);
    document.fonts.ready.then(() => setTimeout(() =>
      requestAnimationFrame(() => requestAnimationFrame(() => done(true))), 260));
  };
  mounted();`;

/**
 * Where the parts of the frame stand, and which single-line texts are cut.
 * The call button is measured where it fills its place alone; beside Mute or Cancel it is smaller.
 */
export const rectangles = `
  const parts = {};
  for (const name of ['phone-header', 'card', 'call-block', 'title-row', 'keys', 'page-header', 'page', 'page-footer']) {
    const { x, y, width, height } = document.querySelector('[data-part=' + name + ']').getBoundingClientRect();
    parts[name] = [x, y, width, height].map((n) => Math.round(n * 100) / 100).join(' ');
  }
  const main = document.querySelector('[data-part=main-button]').getBoundingClientRect();
  parts['main button, top and bottom and right'] = [main.top, main.bottom, main.right].join(' ');
  for (const key of document.querySelectorAll('[data-outcome]')) {
    const { x, y, width, height } = key.getBoundingClientRect();
    parts['key ' + key.dataset.outcome] = [x, y, width, height].map((n) => Math.round(n * 100) / 100).join(' ');
  }
  const cut = [...document.querySelectorAll('p, span, h1, h2, dt')]
    .filter((e) => e.clientWidth > 0 && !e.closest('.unseen'))
    .filter((e) => e.scrollWidth > e.clientWidth + 1 || (e.scrollHeight > e.clientHeight + 3 && getComputedStyle(e).overflow === 'hidden' && getComputedStyle(e).display !== 'inline'))
    .map((e) => e.textContent.trim().slice(0, 60));
  return { parts, cut };`;

/** What axe finds, a line each. */
export const axeRun = `
  const done = arguments[arguments.length - 1];
  axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    done(violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + n.target.join(' ') + ' ' + n.failureSummary.replace(/\\s+/g, ' ')))),
    (error) => done(['axe: ' + error]));`;
