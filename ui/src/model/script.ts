import type { Run, ScriptPart } from '../api/types';
import { t } from '../i18n';

/** One thing to say, with its cues. */
export interface Step {
  say: Run[];
  cues: CueRun[][];
}

/** A run of a cue; a key that it tells to press is drawn as one. */
export interface CueRun extends Run {
  key: boolean;
}

/** A step starts with words to say; the cues behind them belong to it. */
export function stepsOf(script: ScriptPart[]): Step[] {
  const steps: Step[] = [];
  for (const part of script) {
    const runs = part.runs.map(({ text, filled }) => ({ text: keepNumbers(text), filled }));
    if (part.kind === 'say') {
      steps.push({ say: runs, cues: [] });
      continue;
    }
    const cue = runs.flatMap(withKeys);
    if (steps.length === 0) steps.push({ say: [], cues: [cue] });
    else steps.at(-1)?.cues.push(cue);
  }
  return steps;
}

/** A telephone number is read in one go, so no line ends within it. */
function keepNumbers(text: string): string {
  return text.replace(/(\d) (?=\d)/g, '$1\u00a0');
}

function withKeys(run: Run): CueRun[] {
  const parts = run.filled ? [run.text] : run.text.split(t.script.keyInCue);
  // Split by two groups: text, "press ", the key, text, ...
  return parts
    .map((text, n) => ({ text, filled: run.filled, key: n % 3 === 2 }))
    .filter(({ text }) => text !== '');
}
