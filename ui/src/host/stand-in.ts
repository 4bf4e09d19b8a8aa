import type { View } from '../api/types';
import { speak } from '../i18n';
import { longer } from '../i18n/longer';
import { BrowserHost } from './browser';
import { deskView, LAST, ready, views } from './fixtures';
import type { Host } from './index';

/**
 * `?view=NAME` plays from a recorded view; `&still` keeps it; `&theme=dark` and `&meter=0.7` dress
 * it; `&words=long` makes every text 40 % longer; `&keys=off` has the single keys switched off.
 */
export function browserHost(query: URLSearchParams): Host {
  const host = new BrowserHost(query.get('view') ?? 'join', !query.has('still'));
  if (query.get('keys') === 'off') host.singleKeys = () => false;
  const theme = query.get('theme');
  if (theme) document.documentElement.dataset.theme = theme;
  if (query.get('words') === 'long') speak(longer);
  const meter = query.get('meter');
  if (meter) setInterval(() => host.level({ microphone: Number(meter), speaker: 0 }), 100);
  if (views[query.get('view') ?? '']?.screen.name === 'desk') evening(host, query.get('view') ?? '');
  Object.assign(window, { host, recorded: views });
  return host;
}

/** The screens that sum up an evening have one to sum up. */
function evening(host: BrowserHost, name: string): void {
  if (!['finished', 'nobody-left', 'outside-hours', 'paused', 'paused-by-organiser'].includes(name)) return;
  const counts = { reached: 18, 'no-answer': 12, machine: 5, callback: 3, refused: 2 } as const;
  setTimeout(() => {
    let n = 0;
    for (const [outcome, count] of Object.entries(counts) as [keyof typeof counts, number][]) {
      for (let i = 0; i < count; i += 1) {
        n += 1;
        host.show(deskView(ready, { last_outcome: { ...LAST, attempt_id: `attempt-${n}`, outcome } }));
      }
    }
    const last = views[name] as View;
    const last_outcome = { ...LAST, attempt_id: `attempt-${n}`, outcome: 'refused' as const };
    if (last.screen.name === 'desk') host.show({ ...last, screen: { ...last.screen, last_outcome } });
  });
}
