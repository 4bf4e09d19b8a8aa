/**
 * Refuses presses that were meant for what a control said a moment ago: a double click on Call
 * must not cancel, a digit pressed as the callee rings off must not save.
 */
export class Guard {
  #slots = new Map<string, { meaning: string; since: number }>();

  constructor(private readonly monotonic: () => number = () => performance.now()) {}

  /** What a control means now. The first meaning of a control is open at once. */
  mean(slot: string, meaning: string): void {
    const before = this.#slots.get(slot);
    if (before?.meaning === meaning) return;
    this.#slots.set(slot, { meaning, since: before ? this.monotonic() : -Infinity });
  }

  /** Whether the control has meant the same for `wait` milliseconds. */
  open(slot: string, wait: number): boolean {
    const at = this.#slots.get(slot)?.since ?? -Infinity;
    return this.monotonic() - at >= wait;
  }
}

/** After a change of meaning: longer than a double click, and too short for anybody to wait for. */
export const PRESS_WAIT_MS = 400;
/** The same for Hang up: nobody should be cut off by the press that was to cancel or to mute. */
export const HANG_UP_WAIT_MS = 1000;
