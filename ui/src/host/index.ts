import type { DeviceChoices, Level, OutcomePress, Refusal, Settle, View } from '../api/types';

/** Why a command did nothing; `null` when it was taken. What it brought about comes as a view. */
export type Answer = Promise<Refusal | null>;

/** The program behind the page: the app's Rust side, or a stand-in for a browser and for tests. */
export interface Host {
  view(): Promise<View>;
  onView(told: (view: View) => void): Promise<() => void>;
  onLevel(told: (level: Level) => void): Promise<() => void>;
  join(link: string): Answer;
  answerInvitation(join: boolean): Answer;
  start(): Answer;
  call(leaseId: string): Answer;
  hangUp(): Answer;
  mute(on: boolean): Answer;
  digits(digits: string): Answer;
  outcome(attemptId: string, press: OutcomePress): Answer;
  correct(attemptId: string, press: OutcomePress): Answer;
  settle(leaseId: string, how: Settle): Answer;
  pause(): Answer;
  resume(): Answer;
  stop(): Answer;
  retryNow(): Answer;
  deviceChoices(): Promise<DeviceChoices>;
  chooseDevices(microphone: string | null, speaker: string | null): Answer;
  leave(): Answer;
  /** Whether keys act without Alt; kept between runs. */
  singleKeys(): boolean;
  keepSingleKeys(on: boolean): void;
}
