import { mount } from 'svelte';
import type { Host } from './host';
import './styles/fonts.css';
import './styles/tokens.css';
import './styles/base.css';
import App from './volunteer/App.svelte';
import { Desk } from './volunteer/desk.svelte';

/** The app's own host; outside the app, and only in builds that are not for it, a stand-in. */
async function findHost(): Promise<Host> {
  if (import.meta.env.MODE !== 'production' && !('__TAURI_INTERNALS__' in window)) {
    const { browserHost } = await import('./host/stand-in');
    return browserHost(new URLSearchParams(location.search));
  }
  const { tauriHost } = await import('./host/tauri');
  return tauriHost;
}

const target = document.getElementById('app');
if (target) {
  const desk = new Desk(await findHost());
  mount(App, { target, props: { desk } });
  await desk.open();
}
