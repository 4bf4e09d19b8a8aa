import type { LastOutcome, Level, OutcomePress, Settle, Trouble, View } from '../api/types';
import type { Host } from '../host';
import { announce, talks, type Said } from '../model/announce';
import { ServerClock } from '../model/clock';
import { Guard, HANG_UP_WAIT_MS, PRESS_WAIT_MS } from '../model/guard';
import { cardName, emptyHand, stateName, type Hand } from '../model/hand';
import type { Intent } from '../model/intent';
import { mayCorrect, suggestedOutcome } from '../model/keys';
import { offersOf, type Offers } from '../model/offers';
import type { KeyOutcome } from '../model/outcomes';
import { pageOf } from '../model/page';
import { phoneOf } from '../model/phone';
import { Counter } from '../model/tally';
import { mayGiveBack, troubleName, troublesToTell } from '../model/trouble';
import { t } from '../i18n';

/** Moves the focus; the window does it, because only it has the elements. */
export interface Focus {
  keys(): void;
  main(): void;
  note(): void;
  /** At once, so that what opens next gives the focus back there. */
  page(): void;
  region(back: boolean): void;
  onKeys(): boolean;
}

const OPENING: View = {
  server_now_ms: Date.now(),
  screen: { name: 'opening' },
  troubles: [],
  notice: null,
  invitation: null,
};

/** Everything the window shows, and the one place where a press becomes a command. */
export class Desk {
  view = $state.raw<View>(OPENING);
  hand = $state<Hand>(emptyHand(true));
  /** Sentences for the live regions, the oldest first. */
  said = $state.raw<Said[]>([]);
  readonly clock: ServerClock;
  readonly phone = $derived.by(() => phoneOf(this.view, this.hand));
  readonly page = $derived.by(() => pageOf(this.view, this.hand, this.#tally));
  readonly talking = $derived.by(() => talks(this.view));
  readonly troubles: Trouble[] = $derived.by(() => troublesToTell(this.view, this.hand));
  /** What the open chooser of times offers. */
  offers = $state.raw<Offers | null>(null);
  focus: Focus | null = null;

  #tally = $state.raw(new Counter().tally());
  #counter = new Counter();
  #guard: Guard;
  #first = true;
  /** The outcome as it was last sent for this card. */
  #marked: OutcomePress | null = null;
  /** The card that is being settled, and what is said when it went. */
  #settling: { leaseId: string; said: string | null } | null = null;

  constructor(
    private readonly host: Host,
    monotonic: () => number = () => performance.now(),
  ) {
    this.hand.singleKeys = host.singleKeys();
    this.clock = new ServerClock(monotonic);
    this.#guard = new Guard(monotonic);
  }

  /** Listens first, then asks: a view that comes between is not lost. */
  async open(): Promise<() => void> {
    const stop = await this.host.onView((view) => this.take(view));
    const view = await this.host.view();
    if (this.#first) this.take(view);
    return stop;
  }

  onLevel(told: (level: Level) => void): Promise<() => void> {
    return this.host.onLevel(told);
  }

  /** A new view takes the place of the old one. */
  take(view: View): void {
    const before = this.#first ? null : this.view;
    const onKeys = this.focus?.onKeys() ?? false;
    this.clock.set(view.server_now_ms);
    this.#rememberSession(before, view);
    this.#forgetHand(before, view);
    this.#rememberSettled(before, view);
    this.view = view;
    this.#first = false;
    this.#means();
    const sentences = announce(before, view);
    if (sentences.length > 0) this.said = [...this.said, ...sentences];
    const missing = missingDevice(view);
    if (missing && missing !== missingDevice(before)) void this.#openDevices(false);
    if (!missing && this.hand.sheet === 'devices' && !this.hand.asked) this.hand.sheet = null;
    if (view.invitation) this.hand.sheet = 'invitation';
    else if (this.hand.sheet === 'invitation') this.hand.sheet = null;
    if (
      onKeys &&
      before &&
      stateName(before).startsWith('wrap-up') &&
      stateName(before) !== stateName(view)
    ) {
      this.focus?.main();
    }
  }

  /** Does what a press asks for, if that is what the pressed thing still means. */
  act(intent: Intent): void {
    const { screen } = this.view;
    const session = screen.name === 'desk' ? screen.session : null;
    const state = session?.state ?? null;
    switch (intent.do) {
      case 'join':
        if (this.hand.link.trim() !== '') void this.host.join(this.hand.link.trim());
        return;
      case 'join-sure':
        if (this.view.invitation && this.#guard.open('invitation', PRESS_WAIT_MS))
          void this.host.answerInvitation(true);
        return;
      case 'start':
        if (state === 'ended' && this.#mainOpen()) void this.host.start();
        return;
      case 'call':
        if (session?.state === 'ready' && this.#mainOpen()) void this.host.call(session.card.lease_id);
        return;
      case 'hang-up': {
        const wait = state === 'talking' ? HANG_UP_WAIT_MS : PRESS_WAIT_MS;
        const calls = state === 'talking' || state === 'dialling';
        if (calls && this.#guard.open('hang-up', wait)) void this.host.hangUp();
        return;
      }
      case 'mute':
        if (state === 'talking' && screen.name === 'desk') void this.host.mute(!screen.muted);
        return;
      case 'pause':
        // The key that paused also goes back, but not from the organiser's pause.
        if (this.phone.block.main.intent?.do === 'resume') this.act({ do: 'resume' });
        else if (state === 'ready' || state === 'waiting' || state === 'wrap-up') {
          if (this.#mainOpen()) void this.host.pause();
        }
        return;
      case 'resume':
        if (state === 'paused' && this.#mainOpen()) void this.host.resume();
        return;
      case 'stop':
        if (state === 'ready' || state === 'waiting' || state === 'paused') {
          if (this.#mainOpen()) void this.host.stop();
        }
        return;
      case 'retry':
        void this.host.retryNow();
        return;
      case 'leave':
        if (this.#mainOpen()) void this.host.leave();
        return;
      case 'skip':
        if (mayGiveBack(this.view) && this.#mainOpen()) this.#settle({ how: 'skip' });
        return;
      case 'later':
        if (mayGiveBack(this.view)) this.#openSheet('later');
        else if (state === 'talking' || state === 'wrap-up') this.#openSheet('callback');
        return;
      case 'never':
        if (mayGiveBack(this.view)) this.#openSheet('never');
        else if (state !== 'ready') this.#outcome('do-not-call');
        return;
      case 'never-sure':
        if (!this.#guard.open('never', PRESS_WAIT_MS)) return;
        this.hand.sheet = null;
        this.#means();
        this.#settle({ how: 'do-not-call' });
        return;
      case 'again':
        this.#again(intent.choice);
        return;
      case 'outcome':
        this.#outcome(intent.outcome);
        return;
      case 'suggested': {
        const outcome = state === 'wrap-up' && !this.hand.correcting ? suggestedOutcome(this.view) : null;
        if (outcome) this.#outcome(outcome);
        return;
      }
      case 'correct':
        if (mayCorrect(this.view)) {
          this.hand.correcting = !this.hand.correcting;
          this.hand.keypad = false;
          this.#means();
        }
        return;
      case 'note':
        if (session && 'card' in session) {
          this.hand.noteOpen = true;
          this.focus?.note();
        }
        return;
      case 'keypad':
        if (state === 'talking') this.hand.keypad = !this.hand.keypad;
        return;
      case 'digit':
        if (state !== 'talking') return;
        this.hand.digits = (this.hand.digits + intent.digit).slice(-16);
        void this.host.digits(intent.digit);
        return;
      case 'step': {
        const { body } = this.page;
        if (body.kind !== 'script') return;
        this.hand.step = Math.min(Math.max(0, body.now + intent.by), Math.max(0, body.steps.length - 1));
        return;
      }
      case 'devices':
        void this.#openDevices(true);
        return;
      case 'use-microphone':
        this.choose(intent.id, null);
        return;
      case 'use-speaker':
        this.choose(null, intent.id);
        return;
      case 'put-away':
        this.hand.away.push(intent.trouble);
        this.hand.trouble = 0;
        this.focus?.page();
        return;
      case 'focus-keys':
        this.focus?.keys();
        return;
      case 'help':
        this.hand.help = !this.hand.help;
        return;
      case 'single-keys':
        this.hand.singleKeys = !this.hand.singleKeys;
        this.host.keepSingleKeys(this.hand.singleKeys);
        return;
      case 'next-region':
        this.focus?.region(intent.back);
        return;
      case 'escape':
        this.#escape();
        return;
    }
  }

  /** Chooses a device of one kind and leaves the other as it is. */
  choose(microphone: string | null, speaker: string | null): void {
    const devices = this.hand.devices;
    const kept = (kind: 'microphones' | 'speakers') =>
      devices?.[kind].find(({ chosen }) => chosen)?.id ?? null;
    this.hand.sheet = null;
    void this.host.chooseDevices(microphone ?? kept('microphones'), speaker ?? kept('speakers'));
  }

  /** The note is written: an outcome that waits for it goes, one that was marked goes again with it. */
  noteDone(): void {
    const { screen } = this.view;
    if (this.hand.otherWaits) {
      this.hand.otherWaits = false;
      this.#send({ outcome: 'other', note: this.#note(), again: null });
      return;
    }
    if (screen.name !== 'desk' || screen.session.state !== 'talking' || !this.#marked) return;
    if (this.#marked.note !== this.#note()) this.#send({ ...this.#marked, note: this.#note() });
  }

  /** A sentence was put into its region. */
  heard(said: Said): void {
    this.said = this.said.filter((other) => other !== said);
  }

  #outcome(outcome: KeyOutcome): void {
    const { screen } = this.view;
    if (screen.name !== 'desk' || !this.#guard.open('keys', PRESS_WAIT_MS)) return;
    const { state } = screen.session;
    if (!this.hand.correcting && state !== 'talking' && state !== 'wrap-up') return;
    if (this.phone.keys.closed.includes(outcome)) return;
    if (outcome === 'callback') {
      this.#openSheet('callback');
      return;
    }
    if (outcome === 'other' && state === 'wrap-up' && !this.hand.correcting && this.#note() === null) {
      this.hand.noteOpen = true;
      this.hand.otherWaits = true;
      this.focus?.note();
      return;
    }
    this.#send({ outcome, note: this.#note(), again: null });
    this.hand.correcting = false;
  }

  #again(choice: keyof Offers): void {
    const { sheet } = this.hand;
    const offer = this.offers?.[choice];
    this.hand.sheet = null;
    if (!offer) return;
    if (sheet === 'later') this.#settle({ how: 'later', again: offer.again }, offer.said);
    if (sheet === 'callback') {
      this.#send({ outcome: 'callback', note: this.#note(), again: offer.again });
      this.hand.correcting = false;
    }
  }

  /** What the open chooser of times offers now; time passes while it is open. */
  renewOffers(): void {
    const { screen } = this.view;
    const { sheet, correcting } = this.hand;
    if (screen.name !== 'desk' || (sheet !== 'later' && sheet !== 'callback')) return;
    const card = 'card' in screen.session ? screen.session.card : null;
    const times = correcting ? screen.last_outcome?.times : card?.times;
    if (times) this.offers = offersOf(times, sheet === 'callback', this.clock.now());
  }

  #send(press: OutcomePress): void {
    // A note belongs to the card it was written on, never to the person before.
    const { screen } = this.view;
    if (screen.name !== 'desk') return;
    if (this.hand.correcting) {
      const last = screen.last_outcome;
      if (last) void this.host.correct(last.attempt_id, { ...press, note: null });
    } else if ('call' in screen.session) {
      this.#marked = press;
      void this.host.outcome(screen.session.call.attempt_id, press);
    }
  }

  #settle(how: Settle, when = ''): void {
    const { screen } = this.view;
    if (screen.name !== 'desk' || screen.session.state !== 'ready') return;
    const { lease_id: leaseId, name } = screen.session.card;
    const before = this.#settling;
    const settling = { leaseId, said: settledText(name, how, when) };
    this.#settling = settling;
    void this.host.settle(leaseId, how).then((refusal) => {
      if (refusal !== null && this.#settling === settling) this.#settling = before;
    });
  }

  #note(): string | null {
    const note = this.hand.note.trim();
    return note === '' ? null : note;
  }

  #openSheet(sheet: 'later' | 'callback' | 'never'): void {
    this.hand.sheet = sheet;
    this.renewOffers();
    this.#means();
  }

  async #openDevices(asked: boolean): Promise<void> {
    this.hand.devices = await this.host.deviceChoices();
    this.hand.asked = asked;
    this.hand.sheet = 'devices';
  }

  #escape(): void {
    const { hand } = this;
    if (hand.help) hand.help = false;
    else if (hand.sheet) this.#closeSheet();
    else if (hand.otherWaits) hand.otherWaits = false;
    else if (hand.keypad) hand.keypad = false;
    else if (hand.correcting) hand.correcting = false;
    else if (hand.note.trim() === '') hand.noteOpen = false;
    this.#means();
  }

  #closeSheet(): void {
    if (this.hand.sheet === 'invitation') void this.host.answerInvitation(false);
    this.hand.sheet = null;
  }

  #mainOpen(): boolean {
    return this.#guard.open('main', PRESS_WAIT_MS);
  }

  /** Tells the guard what the controls mean now. */
  #means(): void {
    const state = stateName(this.view);
    this.#guard.mean('main', this.phone.block.main.meaning);
    this.#guard.mean('hang-up', state);
    this.#guard.mean('invitation', this.view.invitation?.host ?? '');
    this.#guard.mean('never', this.hand.sheet === 'never' ? (cardName(this.view) ?? '') : '');
    this.#guard.mean('keys', `${state} ${this.hand.correcting}`);
  }

  #forgetHand(before: View | null, after: View): void {
    const { hand } = this;
    if (cardName(after) !== (before && cardName(before))) {
      Object.assign(hand, { note: '', noteOpen: false, otherWaits: false, step: 0 });
      this.#marked = null;
      if (hand.sheet !== 'devices') hand.sheet = null;
    }
    if (!before || stateName(before) !== stateName(after)) {
      // Its choice is for the person before; the same sheet without `correcting` is for this one.
      if (hand.correcting && hand.sheet === 'callback') hand.sheet = null;
      Object.assign(hand, { correcting: false, keypad: false, digits: '' });
    }
    if (after.screen.name !== 'join') hand.link = '';
    if ((hand.sheet === 'later' || hand.sheet === 'never') && !mayGiveBack(after)) hand.sheet = null;
    // What comes again is told again.
    const names = after.troubles.map(troubleName);
    hand.away = hand.away.filter((name) => names.includes(name));
    if (hand.trouble >= troublesToTell(after, hand).length) hand.trouble = 0;
  }

  /** A notice in its place says why it did not go. */
  #rememberSettled(before: View | null, after: View): void {
    const desk = after.screen.name === 'desk' ? after.screen : null;
    const was = before?.screen.name === 'desk' ? before.screen : null;
    const newer = desk !== null && was !== null && saved(was.last_outcome, desk.last_outcome);
    if (!desk || desk.session.state === 'ended' || newer) this.hand.settled = null;
    const settling = this.#settling;
    if (!settling) return;
    if (cardName(after) === settling.leaseId) {
      // It did not go back: it is called.
      if (desk?.session.state !== 'ready') this.#settling = null;
      return;
    }
    this.#settling = null;
    if (desk && desk.session.state !== 'ended' && !after.notice) this.hand.settled = settling.said;
  }

  #rememberSession(before: View | null, after: View): void {
    if (after.screen.name !== 'desk') return;
    const was = before?.screen.name === 'desk' ? before.screen : null;
    const running = after.screen.session.state !== 'ended';
    const ran = was !== null && was.session.state !== 'ended';
    if (running && !ran) {
      this.#counter.start(after.server_now_ms);
      this.hand.finished = false;
    }
    if (ran && !running) this.hand.finished = true;
    if (was && saved(was.last_outcome, after.screen.last_outcome)) {
      this.#counter.saved(after.screen.last_outcome as LastOutcome);
    }
    this.#tally = this.#counter.tally();
  }
}

/** Do not call has a notice of its own. */
function settledText(name: string, settle: Settle, when: string): string | null {
  if (settle.how === 'skip') return t.keys.passedOn(name);
  return settle.how === 'later' ? t.keys.later(name, when) : null;
}

/** The microphone first, as on the button. */
function missingDevice(view: View | null): Trouble['kind'] | null {
  const missing = (kind: Trouble['kind']) => view?.troubles.some((trouble) => trouble.kind === kind);
  if (missing('no-microphone')) return 'no-microphone';
  return missing('no-speaker') ? 'no-speaker' : null;
}

function saved(before: LastOutcome | null, after: LastOutcome | null): boolean {
  return after !== null && JSON.stringify(before) !== JSON.stringify(after);
}
