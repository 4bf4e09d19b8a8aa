import type { DeviceChoices, Level, View } from '../api/types';
import type { Answer, Host } from './index';
import { keepSingleKeys, singleKeys } from './kept';
import { deskView, LAST, NEXT_CARD, views } from './fixtures';

/** What was pressed, for tests. */
export interface Pressed {
  command: string;
  with: unknown[];
}

/**
 * Plays recorded views: `?view=NAME` shows one, and a press leads to the next as an evening goes.
 * For `vite dev`, pictures and tests; the app's build has none of it.
 */
export class BrowserHost implements Host {
  readonly pressed: Pressed[] = [];
  choices: DeviceChoices = {
    microphones: [
      { id: 'built-in', name: 'built-in microphone', chosen: false },
      { id: 'webcam', name: 'webcam microphone', chosen: false },
    ],
    speakers: [{ id: 'usb', name: 'USB headset', chosen: true }],
  };
  #view: View;
  #told = new Set<(view: View) => void>();
  #levels = new Set<(level: Level) => void>();

  constructor(
    name: string,
    private readonly plays = true,
  ) {
    this.#view = views[name] ?? (views.join as View);
  }

  view = () => Promise.resolve(this.#view);
  onView = (told: (view: View) => void) => {
    this.#told.add(told);
    return Promise.resolve(() => void this.#told.delete(told));
  };
  onLevel = (told: (level: Level) => void) => {
    this.#levels.add(told);
    return Promise.resolve(() => void this.#levels.delete(told));
  };

  /** Shows a view. */
  show(view: View): void {
    this.#view = view;
    for (const told of this.#told) told(view);
  }

  /** Moves the meter. */
  level(level: Level): void {
    for (const told of this.#levels) told(level);
  }

  join = (link: string) => this.#press('join', [link], 'start');
  answerInvitation = (join: boolean) => this.#press('answerInvitation', [join], 'start');
  start = () => this.#press('start', [], 'waiting-line', 'ready');
  call = (leaseId: string) => this.#press('call', [leaseId], 'dialling', 'ringing', 'talking');
  hangUp = () => this.#press('hangUp', [], 'wrap-up');
  mute = (on: boolean) => this.#press('mute', [on], on ? 'muted' : 'talking');
  digits = (digits: string) => this.#press('digits', [digits]);
  outcome: Host['outcome'] = (attemptId, press) => {
    const { screen } = this.#view;
    const talking = screen.name === 'desk' && screen.session.state === 'talking';
    const again_at_ms = press.again?.when === 'at' ? press.again.at_ms : null;
    const { outcome } = press;
    const saved = { ...LAST, attempt_id: 'attempt-1', name: 'Margaret Hollis', outcome, again_at_ms };
    const answer = this.#press('outcome', [press, attemptId]);
    if (!this.plays || screen.name !== 'desk') return answer;
    this.show(
      talking
        ? { ...this.#view, screen: { ...screen, marked: press.outcome } }
        : deskView({ state: 'ready', card: NEXT_CARD }, { last_outcome: saved }),
    );
    return answer;
  };
  correct: Host['correct'] = (attemptId, press) => {
    const { screen } = this.#view;
    const answer = this.#press('correct', [press, attemptId]);
    if (this.plays && screen.name === 'desk' && screen.last_outcome) {
      const last_outcome = { ...screen.last_outcome, outcome: press.outcome };
      this.show({ ...this.#view, screen: { ...screen, last_outcome } });
    }
    return answer;
  };
  settle: Host['settle'] = (leaseId, how) => this.#press('settle', [how, leaseId], 'ready');
  pause = () => this.#press('pause', [], 'paused');
  resume = () => this.#press('resume', [], 'ready');
  stop = () => this.#press('stop', [], 'finished');
  retryNow = () => this.#press('retryNow', []);
  deviceChoices = () => Promise.resolve(this.choices);
  chooseDevices = (microphone: string | null, speaker: string | null) =>
    this.#press('chooseDevices', [microphone, speaker], 'ready');
  leave = () => this.#press('leave', [], 'join');
  singleKeys = singleKeys;
  keepSingleKeys = keepSingleKeys;

  #press(command: string, args: unknown[], ...then: string[]): Answer {
    this.pressed.push({ command, with: args });
    if (this.plays)
      then.forEach((name, n) => setTimeout(() => this.show(fresh(views[name] as View)), n * 2500));
    return Promise.resolve(null);
  }
}

/** The recorded view, moved to now, so that clocks run. */
function fresh(view: View): View {
  return structuredClone(view);
}
