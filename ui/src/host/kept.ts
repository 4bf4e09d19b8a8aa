/** What the page keeps between runs, in the web view's own storage: how it is used, and nothing of people. */

const SINGLE_KEYS = 'single-keys';

/** Whether keys act without Alt: yes, until the volunteer switches them off. */
export function singleKeys(): boolean {
  try {
    return localStorage.getItem(SINGLE_KEYS) !== 'off';
  } catch {
    return true;
  }
}

/** Keeps the choice; where nothing can be kept, it holds for this run. */
export function keepSingleKeys(on: boolean): void {
  try {
    localStorage.setItem(SINGLE_KEYS, on ? 'on' : 'off');
  } catch {
    // A full disk is told by the outbox, which matters more.
  }
}
