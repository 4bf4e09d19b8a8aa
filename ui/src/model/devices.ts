import type { DeviceChoices } from '../api/types';

type Choice = DeviceChoices['microphones'][number];

/** The one in use: the chosen one, else the only one that has the name of the system's own choice. */
export function inUse(choices: Choice[], name: string | null | undefined): Choice | null {
  const chosen = choices.find((choice) => choice.chosen);
  if (chosen) return chosen;
  const [only, ...more] = choices.filter((choice) => choice.name === name);
  return more.length === 0 ? (only ?? null) : null;
}
