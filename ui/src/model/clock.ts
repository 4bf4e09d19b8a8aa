/**
 * The server's clock, counted on by the page's own monotonic clock, so that a wrong or
 * corrected system clock never shows in a call's duration.
 */
export class ServerClock {
  #ahead = 0;

  constructor(private readonly monotonic: () => number = () => performance.now()) {}

  /** Takes the server's time that came with a view, UTC epoch milliseconds. */
  set(serverNowMs: number): void {
    this.#ahead = serverNowMs - this.monotonic();
  }

  /** Now, UTC epoch milliseconds. */
  now(): number {
    return this.monotonic() + this.#ahead;
  }
}

/** "0:23", "12:05", "1:02:09"; never below zero. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Milliseconds until a clock that counts from `since` shows its next second. */
export function untilNextSecond(since: number, now: number): number {
  const into = (((now - since) % 1000) + 1000) % 1000;
  return 1000 - into;
}

/** Tells the time now and at each whole second after `since`; returns what ends it. */
export function eachSecond(since: number, clock: ServerClock, tell: (now: number) => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const step = () => {
    const now = clock.now();
    tell(now);
    // A timer may come a little early.
    timer = setTimeout(step, untilNextSecond(since, now) + 4);
  };
  step();
  return () => clearTimeout(timer);
}
