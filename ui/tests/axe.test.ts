import axe from 'axe-core';
import { describe, expect, test } from 'vitest';
import { views } from '../src/host/fixtures';
import { openWindow, settled } from './window';

// Contrast needs a real web view: it is checked by `npm run screens`, and by tokens.test.ts.
const options = { rules: { 'color-contrast': { enabled: false } }, resultTypes: ['violations' as const] };

async function violations(): Promise<string[]> {
  const { violations } = await axe.run(document.body, options);
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
}

describe('axe finds nothing', () => {
  test.each(Object.entries(views))('%s', async (_name, view) => {
    await openWindow(view);
    await settled();
    expect(await violations()).toEqual([]);
  });

  test.each([
    ['l', 'ready'],
    ['x', 'ready'],
    ['3', 'wrap-up'],
    ['u', 'ready'],
    ['#', 'talking'],
    ['n', 'talking'],
    ['?', 'ready'],
  ])('with %s pressed in %s', async (key, name) => {
    const window = await openWindow(name);
    window.press(key);
    await settled();
    expect(await violations()).toEqual([]);
  });

  test('with the menu open', async () => {
    const window = await openWindow('ready');
    window.click('More');
    await settled();
    expect(document.activeElement?.textContent).toContain('Finish for today');
    expect(await violations()).toEqual([]);
  });
});

test('two live regions, the landmarks, and names on all controls', async () => {
  const window = await openWindow('talking');
  window.host.level({ microphone: 0.12, speaker: 0 });
  await settled();
  expect([...document.querySelectorAll('[aria-live]:not([aria-live=off])')].map(({ id }) => id)).toEqual([
    'status',
    'alert',
  ]);
  expect(document.querySelector('aside')?.getAttribute('aria-label')).toBe('Call');
  expect(document.querySelectorAll('header, main, aside')).toHaveLength(3);
  const meter = document.querySelector('[role=meter]');
  expect([meter?.getAttribute('aria-valuenow'), meter?.getAttribute('aria-valuetext')]).toEqual([
    '6',
    'Speaking',
  ]);
  expect(document.querySelector('[role=timer]')?.textContent).toBe('2:47');
  expect(document.querySelector('[role=group]')?.getAttribute('aria-label')).toBe('Outcome');
  for (const button of document.querySelectorAll('button')) {
    expect((button.getAttribute('aria-label') ?? button.textContent).trim(), button.outerHTML).not.toBe('');
  }
});
