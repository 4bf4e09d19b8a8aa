import { BrowserHost } from './browser';
import type { Host } from './index';

/** `?view=NAME` plays from a recorded view; `&still` keeps it; `&theme=dark` and `&meter=0.7` dress it. */
export function browserHost(query: URLSearchParams): Host {
  const host = new BrowserHost(query.get('view') ?? 'join', !query.has('still'));
  const theme = query.get('theme');
  if (theme) document.documentElement.dataset.theme = theme;
  const meter = query.get('meter');
  if (meter) setInterval(() => host.level({ microphone: Number(meter), speaker: 0 }), 100);
  Object.assign(window, { host });
  return host;
}
