import { flushSync, mount, tick, unmount } from 'svelte';
import type { View } from '../src/api/types';
import { BrowserHost } from '../src/host/browser';
import App from '../src/volunteer/App.svelte';
import { Desk } from '../src/volunteer/desk.svelte';

/** The whole window in jsdom, on a host that records presses and shows what a test tells it to. */
export interface TestWindow {
  host: BrowserHost;
  desk: Desk;
  /** Moves the monotonic clock on, milliseconds. */
  wait(ms: number): void;
  show(view: View): Promise<void>;
  press(key: string, more?: KeyboardEventInit & { on?: Element }): KeyboardEvent;
  click(name: string | RegExp): void;
  button(name: string | RegExp): HTMLButtonElement;
  text(selector: string): string;
  status(): string;
  alert(): string;
  commands(): string[];
}

const open: { app: ReturnType<typeof mount>; target: HTMLElement }[] = [];

/** Opens the window on a recorded view or on one made for the test. */
export async function openWindow(view: string | View): Promise<TestWindow> {
  closeAll();
  let monotonic = 10_000;
  const host = new BrowserHost(typeof view === 'string' ? view : 'join', false);
  if (typeof view !== 'string') host.show(view);
  const desk = new Desk(host, () => monotonic);
  const target = document.createElement('div');
  document.body.append(target);
  const app = mount(App, { target, props: { desk } });
  open.push({ app, target });
  flushSync();
  await desk.open();
  await settled();
  const found = (name: string | RegExp) => {
    const buttons = [...target.querySelectorAll('button')];
    const button = buttons.find((each) => {
      const own = each.getAttribute('aria-label') ?? each.textContent.replace(/\s+/g, ' ').trim();
      return typeof name === 'string' ? own.startsWith(name) : name.test(own);
    });
    if (!button)
      throw new Error(`no button ${name}: ${buttons.map((b) => b.textContent.trim()).join(' | ')}`);
    return button;
  };
  return {
    host,
    desk,
    wait: (ms) => void (monotonic += ms),
    show: async (next) => {
      host.show(next);
      await settled();
    },
    press: (key, { on = document.activeElement ?? document.body, ...more } = {}) => {
      const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more });
      on.dispatchEvent(event);
      flushSync();
      return event;
    },
    click: (name) => {
      found(name).click();
      flushSync();
    },
    button: found,
    text: (selector) => target.querySelector(selector)?.textContent.replace(/\s+/g, ' ').trim() ?? '',
    status: () => target.querySelector('#status')?.textContent ?? '',
    alert: () => target.querySelector('#alert')?.textContent ?? '',
    commands: () => host.pressed.map(({ command }) => command),
  };
}

/** Effects run, and the sentences that waited for their region are in it. */
export async function settled(): Promise<void> {
  flushSync();
  await tick();
  await new Promise((resolve) => setTimeout(resolve));
  flushSync();
}

export function closeAll(): void {
  for (const { app, target } of open.splice(0)) {
    void unmount(app);
    target.remove();
  }
}
