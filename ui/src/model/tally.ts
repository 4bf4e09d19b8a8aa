import type { LastOutcome, Outcome } from '../api/types';

/** What came of the calls since the window opened, one entry an attempt. */
export interface Tally {
  since: number | null;
  /** Whose telephone may have rung: a call that the network could not bring through rang nobody. */
  people: number;
  spoke: number;
  rows: Row[];
}

export interface Row {
  outcome: Outcome;
  count: number;
}

/** Somebody was talked with. */
const SPOKEN: ReadonlySet<Outcome> = new Set([
  'reached',
  'refused',
  'callback',
  'wrong-number',
  'do-not-call',
]);

/** Counts outcomes as they are saved; a corrected one is counted as corrected. */
export class Counter {
  #since: number | null = null;
  #saved = new Map<string, Outcome>();

  /** Starts anew. The outcome that was already there belongs to an earlier session. */
  start(nowMs: number): void {
    this.#since = nowMs;
    this.#saved.clear();
  }

  saved({ attempt_id: attempt, outcome }: LastOutcome): void {
    this.#saved.set(attempt, outcome);
  }

  tally(): Tally {
    const counts = new Map<Outcome, number>();
    for (const outcome of this.#saved.values()) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    const rows = [...counts]
      .map(([outcome, count]) => ({ outcome, count }))
      .sort((a, b) => b.count - a.count);
    const spoke = rows.reduce((sum, row) => sum + (SPOKEN.has(row.outcome) ? row.count : 0), 0);
    const people = this.#saved.size - (counts.get('failed') ?? 0);
    return { since: this.#since, people, spoke, rows };
  }
}
