// What the system asks for, without a word in the address: dark colours, and no motion.
import { settled } from './in-page.mjs';
import { openBrowser } from './webdriver.mjs';

/** The frame's states that move where motion is wanted. */
const MOVES = ['ready-calling', 'dialling', 'waiting-line', 'invitation'];

const says = `return {
  dark: matchMedia('(prefers-color-scheme: dark)').matches,
  still: matchMedia('(prefers-reduced-motion: reduce)').matches,
  ground: getComputedStyle(document.body).backgroundColor,
  moving: document.getAnimations().map((motion) => motion.animationName ?? motion.transitionProperty),
}`;

/** A line for each wish that was not heeded. */
export async function system(site, size) {
  const wrong = [];
  const browser = await openBrowser({ ...size, args: ['--dark-mode'], gtk: ['gtk-enable-animations=0'] });
  try {
    for (const view of MOVES) {
      await browser.open(`${site}?view=${view}&still`);
      await browser.runAsync(settled);
      const { dark, still, ground, moving } = await browser.run(says);
      if (!dark || !still)
        wrong.push(`the web view does not pass on the desktop's wishes: dark ${dark}, still ${still}`);
      if (ground !== 'rgb(24, 32, 29)') wrong.push(`${view}: dark by the system has the ground ${ground}`);
      if (moving.length > 0) wrong.push(`${view}: moves although motion is not wanted: ${moving.join()}`);
    }
  } finally {
    await browser.close();
  }
  return wrong;
}
