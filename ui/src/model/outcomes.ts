import type { Outcome } from '../api/types';
import { OUTCOME_KEYS } from '../api/bindings';

/** The outcomes that have a key. */
export type KeyOutcome = (typeof OUTCOME_KEYS)[number];

/** The outcome of key 1 to 9. */
export function outcomeOfDigit(digit: number): KeyOutcome | undefined {
  return OUTCOME_KEYS[digit - 1];
}

/** 1 to 9, or 0 for an outcome that no key writes. */
export function digitOfOutcome(outcome: Outcome): number {
  return (OUTCOME_KEYS as readonly Outcome[]).indexOf(outcome) + 1;
}
