import { commands, events } from '../api/bindings';
import type { Refusal, View } from '../api/types';
import type { Answer, Host } from './index';
import { keepSingleKeys, singleKeys } from './kept';

type Reply = Promise<{ status: 'ok'; data: unknown } | { status: 'error'; error: Refusal }>;

/** The app's Rust side. The one module that reaches for Tauri. */
export const tauriHost: Host = {
  view: () => commands.view(),
  onView: (told) => events.view.listen(({ payload }) => told(payload as View)),
  onLevel: (told) => events.level.listen(({ payload }) => told(payload)),
  join: (link) => answer(commands.join(link)),
  answerInvitation: (join) => answer(commands.answerInvitation(join)),
  start: () => answer(commands.start()),
  call: (leaseId) => answer(commands.call(leaseId)),
  hangUp: () => answer(commands.hangUp()),
  mute: (on) => answer(commands.mute(on)),
  digits: (digits) => answer(commands.digits(digits)),
  outcome: (attemptId, press) => answer(commands.outcome(attemptId, press)),
  correct: (attemptId, press) => answer(commands.correct(attemptId, press)),
  settle: (leaseId, how) => answer(commands.settle(leaseId, how)),
  pause: () => answer(commands.pause()),
  resume: () => answer(commands.resume()),
  stop: () => answer(commands.stop()),
  retryNow: () => answer(commands.retryNow()),
  deviceChoices: async () => {
    const reply = await commands.deviceChoices();
    return reply.status === 'ok' ? reply.data : { microphones: [], speakers: [] };
  },
  chooseDevices: (microphone, speaker) => answer(commands.chooseDevices(microphone, speaker)),
  leave: () => answer(commands.leave()),
  singleKeys,
  keepSingleKeys,
};

async function answer(reply: Reply): Answer {
  const { status, ...rest } = await reply;
  return status === 'ok' ? null : (rest as { error: Refusal }).error;
}
