import { OUTCOME_KEYS } from '../api/constants';

/** The outcomes that have a key. */
export type KeyOutcome = (typeof OUTCOME_KEYS)[number];

/** The outcome of key 1 to 9. */
export function outcomeOfDigit(digit: number): KeyOutcome | undefined {
  return OUTCOME_KEYS[digit - 1];
}
