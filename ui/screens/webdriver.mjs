// A WebKitGTK window under Xvfb, driven over WebDriver. Everything started here is ended here.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const BROWSERS = ['x86_64', 'aarch64'].map((cpu) => `/usr/lib/${cpu}-linux-gnu/webkit2gtk-4.1/MiniBrowser`);

/**
 * Opens a window whose page is `width` by `height` CSS pixels, `scale` device pixels each; `args`: more of the
 * browser's own; `gtk`: settings of the desktop.
 */
export async function openBrowser({ width, height, scale = 1, args = [], gtk = [] }) {
  const browser = BROWSERS.find(existsSync);
  if (!browser) throw new Error('no MiniBrowser: install webkit2gtk-driver');
  const started = [];
  const config = gtkSettings(gtk);
  const close = async () => {
    for (const child of started.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      try {
        process.kill(-child.pid, 'SIGTERM');
      } catch {
        continue;
      }
      await Promise.race([gone, sleep(3000).then(() => child.kill('SIGKILL'))]);
    }
    rmSync(config, { recursive: true, force: true });
  };
  const start = (command, args, options) => {
    const child = spawn(command, args, { detached: true, ...options });
    child.on('error', () => {});
    started.push(child);
    return child;
  };
  try {
    const screen = `${(width + 200) * scale}x${(height + 300) * scale}x24`;
    const xvfb = start('Xvfb', ['-displayfd', '3', '-screen', '0', screen, '-nolisten', 'tcp'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    const [shown] = await Promise.race([
      once(xvfb.stdio[3], 'data'),
      once(xvfb, 'exit').then(() => Promise.reject(new Error('Xvfb did not start'))),
    ]);
    const port = await freePort();
    start('WebKitWebDriver', [`--port=${port}`], {
      stdio: 'ignore',
      env: {
        ...process.env,
        DISPLAY: `:${String(shown).trim()}`,
        GDK_SCALE: String(scale),
        NO_AT_BRIDGE: '1',
        XDG_CONFIG_HOME: config,
      },
    });
    const call = caller(`http://127.0.0.1:${port}`);
    await ready(call);
    const { sessionId } = await call('POST', '/session', {
      capabilities: {
        alwaysMatch: { 'webkitgtk:browserOptions': { binary: browser, args: ['--automation', ...args] } },
      },
    });
    const session = (method, path, body) => call(method, `/session/${sessionId}${path}`, body);
    const run = (script, ...args) => session('POST', '/execute/sync', { script, args });
    const runAsync = (script, ...args) => session('POST', '/execute/async', { script, args });
    await fit(session, run, width, height);
    return {
      run,
      runAsync,
      open: (url) => session('POST', '/url', { url }),
      picture: async () => Buffer.from(await session('GET', '/screenshot'), 'base64'),
      keys: (actions) => session('POST', '/actions', { actions: [{ type: 'key', id: 'keyboard', actions }] }),
      fit: (w, h) => fit(session, run, w, h),
      close: async () => {
        await session('DELETE', '').catch(() => {});
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Without a desktop's settings GTK hints letters to whole pixels; desktops do not. */
function gtkSettings(more) {
  const config = mkdtempSync(path.join(tmpdir(), 'ringround-screens-'));
  mkdirSync(path.join(config, 'gtk-3.0'));
  const settings = ['gtk-xft-antialias=1', 'gtk-xft-hinting=0', 'gtk-xft-hintstyle=hintnone', ...more];
  writeFileSync(path.join(config, 'gtk-3.0', 'settings.ini'), `[Settings]\n${settings.join('\n')}\n`);
  return config;
}

/** The window has a toolbar: what the page gets is measured, and the rest added. */
async function fit(session, run, width, height) {
  let [w, h] = [width, height];
  for (let tries = 0; tries < 5; tries += 1) {
    await session('POST', '/window/rect', { x: 0, y: 0, width: w, height: h });
    await sleep(150);
    const [gotW, gotH] = await run('return [innerWidth, innerHeight]');
    if (gotW === width && gotH === height) return;
    [w, h] = [w + width - gotW, h + height - gotH];
  }
  throw new Error(`the page could not be made ${width} by ${height}`);
}

function caller(base) {
  return async (method, path, body) => {
    const reply = await fetch(base + path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: method === 'POST' ? JSON.stringify(body ?? {}) : undefined,
      signal: AbortSignal.timeout(60_000),
    });
    const { value } = await reply.json();
    if (!reply.ok) throw new Error(`${method} ${path}: ${value?.error} ${value?.message}`);
    return value;
  };
}

async function ready(call) {
  for (let tries = 0; tries < 100; tries += 1) {
    const up = await call('GET', '/status').catch(() => null);
    if (up?.ready) return;
    await sleep(50);
  }
  throw new Error('WebKitWebDriver did not start');
}

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
