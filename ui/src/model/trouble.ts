import type { Trouble, View } from '../api/types';
import { t } from '../i18n';
import type { Hand } from './hand';
import type { Intent } from './intent';
import { firstName } from './people';
import { timeOfDay, timeOfDayBy } from './when';

/** A banner in the header's place. */
export interface Banner {
  kind: Trouble['kind'];
  tone: 'stop' | 'wait' | 'info';
  icon: 'network' | 'server' | 'microphone' | 'speaker' | 'telephone' | 'disk' | 'key' | 'off' | 'update';
  head: string;
  text: string;
  /** What to do, behind a button of its own; the system's reason is in the log. */
  details: string;
  /** It lasts and asks for nothing now: once read, it can be put away. */
  closes: boolean;
  button: { label: string; hint: string; intent: Intent } | null;
}

/** What a trouble says at a moment of the server's clock. */
export function bannerOf(trouble: Trouble, view: View, nowMs: number): Banner {
  const words = t.trouble;
  const organiser = organiserOf(view);
  const base: Banner = {
    kind: trouble.kind,
    tone: 'stop',
    icon: 'server',
    head: '',
    text: '',
    details: '',
    closes: false,
    button: null,
  };
  const press = (label: string, intent: Intent, hint = '') => ({ label, hint, intent });
  switch (trouble.kind) {
    case 'revoked':
      return {
        ...base,
        icon: 'off',
        head: words.revoked.head(trouble.organiser),
        text: words.revoked.text(trouble.organiser),
      };
    case 'update-app':
      return { ...base, icon: 'update', head: words.updateApp.head, text: words.updateApp.text };
    case 'update-server':
      return {
        ...base,
        head: words.updateServer.head,
        text: words.updateServer.text(organiser),
      };
    case 'untrusted':
      return { ...base, icon: 'key', head: words.untrusted.head, text: words.untrusted.text(organiser) };
    case 'line-lost':
      return {
        ...base,
        icon: 'network',
        head: words.lineLost.head(Math.max(0, Math.floor((nowMs - trouble.since_ms) / 1000))),
        text: words.lineLost.text,
        button: trouble.in_call
          ? press(t.call.hangUp, { do: 'hang-up' }, 'H')
          : press(words.serverIdle.button, { do: 'retry' }),
      };
    case 'server-unreachable': {
      if (trouble.in_call) return { ...base, tone: 'info', ...words.serverInCall };
      const left = Math.ceil(trouble.retry_in_s - (nowMs - view.server_now_ms) / 1000);
      return {
        ...base,
        tone: 'wait',
        head: words.serverIdle.head(serverName(view)),
        text: left > 0 ? words.serverIdle.text(left) : words.serverIdle.now,
        button: press(words.serverIdle.button, { do: 'retry' }),
      };
    }
    case 'no-microphone': {
      const { head, text, button } = words.noMicrophone;
      return {
        ...base,
        tone: 'wait',
        icon: 'microphone',
        head,
        text,
        button: press(button, { do: 'devices' }),
      };
    }
    case 'no-speaker': {
      const { head, text, button } = words.noSpeaker;
      return { ...base, tone: 'wait', icon: 'speaker', head, text, button: press(button, { do: 'devices' }) };
    }
    case 'too-quiet': {
      const { head, text, button } = words.tooQuiet;
      return {
        ...base,
        tone: 'wait',
        icon: 'microphone',
        head,
        text,
        button: press(button, { do: 'devices' }),
      };
    }
    case 'no-telephone': {
      const { head, text } = words.noTelephone;
      return { ...base, tone: 'wait', icon: 'telephone', head, text };
    }
    case 'without-sound': {
      const { head, text } = words.withoutSound;
      return { ...base, icon: 'network', head, text: text(organiser) };
    }
    case 'trunk': {
      const { complaint, next_try: next } = trouble;
      return {
        ...base,
        tone: 'wait',
        icon: 'telephone',
        head: complaint.kind === 'refuses' ? words.trunk.refuses(complaint.sip) : words.trunk[complaint.kind],
        text: next.who === 'later' ? triedAgain(next.at_ms, nowMs) : words.trunk[next.who],
      };
    }
    case 'server-storage':
      return {
        ...base,
        tone: 'wait',
        head: words.serverStorage.head,
        text: words.serverStorage.text(organiser),
      };
    case 'local-storage':
      return { ...base, icon: 'disk', ...words.localStorage };
    case 'keyring-locked': {
      const { head, text } = words.keyringLocked;
      return { ...base, tone: 'wait', icon: 'key', head, text };
    }
    case 'no-keyring': {
      const { head, text, then, button } = words.noKeyring;
      return {
        ...base,
        tone: 'info',
        icon: 'key',
        head,
        text,
        details: then,
        closes: true,
        button: press(button, { do: 'retry' }),
      };
    }
    case 'outcome-refused':
      return {
        ...base,
        icon: 'disk',
        closes: true,
        head: words.outcomeRefused.head(t.outcome[trouble.outcome], timeOfDay(trouble.pressed_at_ms)),
        text: words.outcomeRefused.text(organiser),
      };
  }
}

/** From when, or to when, the seconds are counted that the banner tells; null where it tells none. */
export function countsFrom(trouble: Trouble, nowMs: number): number | null {
  switch (trouble.kind) {
    case 'line-lost':
      return trouble.since_ms;
    case 'server-unreachable':
      return nowMs;
    case 'trunk':
      return trouble.next_try.who === 'later' ? trouble.next_try.at_ms : null;
    default:
      return null;
  }
}

/** What the header tells of: not what was read and put away. */
export function troublesToTell({ troubles }: View, { away }: Hand): Trouble[] {
  return troubles.filter((trouble) => !away.includes(troubleName(trouble)));
}

function triedAgain(atMs: number, nowMs: number): string {
  const { inSeconds, at, soon } = t.trouble.trunk;
  const left = Math.ceil((atMs - nowMs) / 1000);
  if (left <= 0) return soon;
  return left <= 90 ? inSeconds(left) : at(timeOfDayBy(atMs));
}

/** Whether calls wait for the provider, and this volunteer’s is not the one that tries it. */
export function waitsForTrunk({ troubles }: View): boolean {
  return troubles.some((trouble) => trouble.kind === 'trunk' && trouble.next_try.who !== 'yours');
}

/** Whether the server is there to take what a press asks of it. */
export function serverAway({ troubles }: View): boolean {
  return troubles.some(({ kind }) => kind === 'server-unreachable');
}

/** Whether the card can go back without a call, which only the server can take. */
export function mayGiveBack(view: View): boolean {
  const { screen } = view;
  const ready = screen.name === 'desk' && screen.session.state === 'ready';
  return ready && !serverAway(view) && !view.troubles.some(barsStart);
}

/** Whether it keeps a session from starting until something else is done first. */
export function barsStart({ kind }: Trouble): boolean {
  return kind === 'revoked' || kind === 'untrusted' || kind === 'update-app' || kind === 'update-server';
}

/** The sentence for the ear, said once when the trouble comes. */
export function troubleSaid(trouble: Trouble, view: View): string {
  if (trouble.kind === 'line-lost') {
    const name = calleeOf(view);
    return trouble.in_call && name ? t.trouble.lineLost.said(name) : t.trouble.lineLost.saidIdle;
  }
  if (trouble.kind === 'revoked') return t.trouble.revoked.said(trouble.organiser);
  const { head, text } = bannerOf(trouble, view, view.server_now_ms);
  return `${head} ${text}`.replace(/\.$/, '');
}

/** The sentence when it is over; `null` where the next state says it. */
export function troubleOver(trouble: Trouble, view: View): string | null {
  switch (trouble.kind) {
    case 'line-lost': {
      const name = calleeOf(view);
      return name ? t.trouble.lineLost.back(name) : t.trouble.lineLost.backIdle;
    }
    case 'server-unreachable':
      return t.trouble.serverBack;
    case 'no-microphone':
      return t.trouble.noMicrophone.back;
    case 'no-speaker':
      return t.trouble.noSpeaker.back;
    case 'no-telephone':
      return t.trouble.noTelephone.back;
    case 'without-sound':
      return t.trouble.withoutSound.back;
    case 'trunk':
      return t.trouble.trunk.back;
    case 'revoked':
    case 'update-app':
    case 'update-server':
    case 'untrusted':
    case 'too-quiet':
    case 'server-storage':
    case 'local-storage':
    case 'keyring-locked':
    case 'no-keyring':
    case 'outcome-refused':
      return null;
  }
}

/** Two troubles of the same name are the same trouble, told once. */
export function troubleName(trouble: Trouble): string {
  switch (trouble.kind) {
    case 'line-lost':
      return `line-lost ${trouble.in_call}`;
    case 'server-unreachable':
      return `server-unreachable ${trouble.in_call}`;
    case 'outcome-refused':
      return `outcome-refused ${trouble.pressed_at_ms}`;
    // Said anew only when it becomes theirs to try.
    case 'trunk':
      return `trunk ${trouble.next_try.who === 'yours'}`;
    case 'revoked':
    case 'update-app':
    case 'update-server':
    case 'untrusted':
    case 'no-microphone':
    case 'no-speaker':
    case 'too-quiet':
    case 'no-telephone':
    case 'without-sound':
    case 'server-storage':
    case 'local-storage':
    case 'keyring-locked':
    case 'no-keyring':
      return trouble.kind;
  }
}

function calleeOf({ screen }: View): string | null {
  if (screen.name !== 'desk') return null;
  const { session } = screen;
  return session.state === 'talking' ? firstName(session.card.name) : null;
}

const organiserOf = ({ screen }: View) =>
  screen.name === 'desk' ? screen.campaign.organiser : t.trouble.organiser;

const serverName = ({ screen }: View) =>
  t.trouble.server(screen.name === 'desk' ? screen.campaign.organisation : null);
