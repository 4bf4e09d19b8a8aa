import type { Session, View } from '../api/types';
import { t } from '../i18n';
import { endedText } from './call-block';
import { isInLine, stateName } from './hand';
import { joinProblemText } from './join-problem';
import { noticeText } from './keys';
import { whenOf } from './offers';
import { firstName } from './people';
import { troubleName, troubleOver, troubleSaid } from './trouble';
import { sameDay, timeAndDay, timeOfDayBy } from './when';

/** One sentence for one of the two live regions. */
export interface Said {
  to: 'status' | 'alert';
  text: string;
}

/**
 * What a screen reader is told of a change. Nothing polite while the callee talks: speech shares
 * the ear with the callee.
 */
export function announce(before: View | null, after: View): Said[] {
  const said = [...troubles(before, after), ...notices(before, after), ...muting(before, after)];
  const polite = politely(before, after);
  if (polite !== null && !talks(after)) said.push({ to: 'status', text: polite });
  return said;
}

/** Whether a callee is on the line, so that only alerts may speak. */
export function talks({ screen }: View): boolean {
  return screen.name === 'desk' && screen.session.state === 'talking';
}

function troubles(before: View | null, after: View): Said[] {
  const had = new Map((before?.troubles ?? []).map((trouble) => [troubleName(trouble), trouble]));
  const has = new Set(after.troubles.map(troubleName));
  const kinds = new Set(after.troubles.map(({ kind }) => kind));
  const said: Said[] = [];
  for (const [name, trouble] of had) {
    if (has.has(name) || kinds.has(trouble.kind)) continue;
    const text = troubleOver(trouble, after);
    if (text !== null) said.push({ to: 'alert', text });
  }
  for (const trouble of after.troubles) {
    if (!had.has(troubleName(trouble))) said.push({ to: 'alert', text: troubleSaid(trouble, after) });
  }
  return said;
}

function notices(before: View | null, after: View): Said[] {
  const { notice } = after;
  if (!notice || JSON.stringify(notice) === JSON.stringify(before?.notice ?? null)) return [];
  const lineSaid = notice.kind === 'line-back' && before?.troubles.some(({ kind }) => kind === 'line-lost');
  if (lineSaid) return [];
  const polite = notice.kind === 'do-not-call';
  return [{ to: polite && !talks(after) ? 'status' : 'alert', text: noticeText(notice, after) }];
}

function muting(before: View | null, after: View): Said[] {
  if (before?.screen.name !== 'desk' || after.screen.name !== 'desk') return [];
  if (before.screen.muted === after.screen.muted || !talks(after) || !talks(before)) return [];
  return [{ to: 'alert', text: after.screen.muted ? t.said.muted : t.said.unmuted }];
}

function politely(before: View | null, after: View): string | null {
  const { screen } = after;
  if (screen.name !== 'desk') return joinProblem(before, after);
  const was = before?.screen.name === 'desk' ? before.screen : null;
  const itsTurn = was !== null && isInLine(was.session) && !isInLine(screen.session);
  const state =
    before && stateName(before) === stateName(after) && !itsTurn
      ? null
      : stateSaid(screen.session, after, was);
  const last = screen.last_outcome;
  if (!was || !last || JSON.stringify(last) === JSON.stringify(was.last_outcome)) return state;
  const outcome = t.outcome[last.outcome];
  const at = last.again_at_ms;
  const when = at === null ? null : whenOf(at, after.server_now_ms, last.times.time_zone);
  const corrected = was.last_outcome?.attempt_id === last.attempt_id;
  if (corrected) return when === null ? t.said.corrected(outcome) : t.said.correctedFor(outcome, when);
  const saved =
    last.outcome === 'wrong-number' ? t.notice.wrongNumber(firstName(last.name)) : savedText(outcome, when);
  return state === null ? saved : t.said.join(saved, state);
}

function savedText(outcome: string, when: string | null): string {
  return when === null ? t.said.saved(outcome) : t.said.savedFor(outcome, when);
}

function joinProblem(before: View | null, after: View): string | null {
  if (after.screen.name !== 'join' || !after.screen.problem) return null;
  const was = before?.screen.name === 'join' ? before.screen.problem : null;
  const { problem } = after.screen;
  if (JSON.stringify(was) === JSON.stringify(problem)) return null;
  return joinProblemText(problem, after.server_now_ms);
}

function stateSaid(session: Session, view: View, was: { session: Session } | null): string | null {
  switch (session.state) {
    case 'ready': {
      const flag = session.card.flag?.replace(/\.$/, '') ?? null;
      return t.said.next(session.card.name, flag);
    }
    case 'dialling':
      return isInLine(session) ? t.said.inLine(session.card.name) : t.said.calling(session.card.name);
    case 'talking':
      return null;
    case 'wrap-up':
      return t.said.ended(endedText(session));
    case 'paused':
      return session.pause.by === null
        ? t.paused.said
        : t.paused.bySaid(session.pause.by, session.pause.message);
    case 'ended':
      return was === null ? null : t.finished.said;
    case 'waiting':
      return waitingSaid(session.why, view.server_now_ms);
  }
}

function waitingSaid(why: (Session & { state: 'waiting' })['why'], nowMs: number): string {
  switch (why.reason) {
    case 'line':
      return t.waiting.line.said;
    case 'nobody-left':
      return t.waiting.nobody.said(
        why.again,
        why.next_at_ms === null ? null : timeAndDay(why.next_at_ms, nowMs),
      );
    case 'outside-hours':
      return t.waiting.hours.said(timeAndDay(why.opens_at_ms, nowMs), sameDay(why.opens_at_ms, nowMs));
    case 'passed-on':
      return t.waiting.passedOn.said(timeOfDayBy(why.next_at_ms));
    case 'no-telephone':
      return t.waiting.telephone.said;
    case 'no-storage':
      return t.waiting.storage.said;
  }
}
