/** How people are named on the screen. */

const TITLES = /^(mr|mrs|ms|miss|mx|dr|prof|rev|sir|dame|lady|lord)\.?$/i;

/** "Margaret" for "Margaret Hollis"; the whole name when it starts with a title or is one word. */
export function firstName(name: string): string {
  const [first = name] = name.trim().split(/\s+/);
  return TITLES.test(first) ? name.trim() : first;
}

/** A flag's first sentence, shown in bold, and the rest of it. */
export function splitFlag(flag: string): { head: string; rest: string } {
  const end = flag.search(/[.:;!?](\s|$)/);
  if (end < 0) return { head: flag, rest: '' };
  return { head: flag.slice(0, end + 1), rest: flag.slice(end + 1).trim() };
}
