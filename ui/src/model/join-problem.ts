import type { JoinProblem } from '../api/types';
import { t } from '../i18n';
import { dateOf } from './when';

/** Why a link did not work, and what to do. */
export function joinProblemText(problem: JoinProblem, nowMs: number): string {
  const words = t.join.problem;
  switch (problem.kind) {
    case 'spent':
      return words.spent(problem.organiser);
    case 'expired':
      return words.expired(problem.organiser, dateOf(problem.ended_at_ms, nowMs));
    case 'refused':
      return words.refused(problem.message);
    case 'not-a-link':
    case 'damaged':
    case 'unknown':
    case 'unreachable':
    case 'untrusted':
    case 'update-app':
    case 'update-server':
      return words[problem.kind];
  }
}
