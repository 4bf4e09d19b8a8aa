//! Carries out what the dialler wants.

use std::{future::Future, time::Instant};

use dialler::{Announcement, Fault, HangUpWhy, Input, LineId, Output};
use protocol::{
    ids::{AttemptId, DeviceId},
    line::TOKEN_LIFE_MS,
    trunk::{NextTry, Trunk},
};
use tracing::{debug, error, info, warn};

use super::Turn;
use crate::{
    ari::{AriError, OutgoingLine},
    dialling::{commands::Inward, names, saves::Job},
    health,
};

/// How long an app may take to answer its line's INVITE, seconds: as long as its token lasts.
const LINE_TIMEOUT_S: i64 = TOKEN_LIFE_MS / 1_000;

impl Turn {
    pub(super) fn carry_out(&mut self, output: Output) {
        match output {
            Output::Answer { ticket, answer } => {
                if let Some(reply) = self.asked.remove(&ticket.0) {
                    let _ = reply.send(answer);
                }
            }
            Output::WantLease { device, campaign } => self.job(Job::Claim { device, campaign }),
            Output::Save { save, write } => self.job(Job::Save(save, Box::new(write))),
            Output::MakeLine { device, line, token } => self.make_line(device, line, &token.0),
            Output::DropLine { line } => self.drop_line(line.0),
            Output::CreateChannel { attempt, device } => self.create_callee(attempt, device),
            Output::JoinBridge { attempt, device } => {
                let joined = self.parts.ari.join_bridge(&names::bridge(device), &attempt.to_string());
                self.or_callee_failed(attempt, certain(joined));
            }
            Output::DialChannel { attempt, timeout_ms } => {
                let seconds = u32::try_from(timeout_ms.max(0).div_euclid(1_000) + 1).unwrap_or(60);
                let dialled = self.parts.ari.dial(&attempt.to_string(), seconds);
                self.or_callee_failed(attempt, certain(dialled));
            }
            Output::LookForReply { attempt } => {
                let (replied, back) = (self.parts.ari.has_reply(&attempt.to_string()), self.back.clone());
                tokio::spawn(async move {
                    match replied.await {
                        Ok(true) => {}
                        Ok(false) => drop(back.send(Inward::Input(Input::CalleeUnheard { attempt }))),
                        // Then the call is given as long as one that was answered.
                        Err(error) => {
                            debug!(%error, %attempt, "whether a call was answered at all is not known")
                        }
                    }
                });
            }
            Output::HangUp { attempt, why } => {
                info!(%attempt, ?why, "hanging up");
                if why == HangUpWhy::Stray {
                    self.exchange.call_over(attempt);
                }
                let (hung_up, back) = (self.parts.ari.hang_up(&attempt.to_string()), self.back.clone());
                tokio::spawn(async move {
                    match hung_up.await {
                        Ok(()) => {}
                        Err(AriError::NotThere) => drop(back.send(Inward::NoSuchCallee(attempt))),
                        // The sweep, or the lists after the reconnect, find what became of it.
                        Err(error) => warn!(%error, %attempt, "a callee's channel was not hung up"),
                    }
                });
            }
            Output::Announce { attempt, what } => self.announce(attempt, what),
            Output::StopAnnouncement { attempt } => {
                for playback in self.exchange.stop_announcements(attempt) {
                    let stopped = self.parts.ari.stop_playback(&playback);
                    tokio::spawn(async move { drop(stopped.await) });
                }
            }
            Output::CallOver { attempt } => self.call_over(attempt),
            Output::Tell { device, change } => self.parts.live.tell(device, change),
            Output::TrunkFault { attempt, words } => error!(%attempt, "the trunk refused a call: {words}"),
            Output::TrunkHealth { trunk } => {
                log_trunk(&trunk, self.now());
                self.trunk_seen.send_replace(trunk);
            }
            Output::GoesTooFast { device } => warn!(
                %device,
                "this device passes on more cards than people read, or calls more than they talk to; if nobody \
                 sits there, switch it off: ringround-server people revoke, then: people undo"
            ),
            Output::Unexpected { state, input } => {
                self.parts.metrics.unexpected_inputs.inc();
                warn!(state, input, "an input that does not fit the state; nothing was changed");
            }
        }
    }

    fn call_over(&mut self, attempt: AttemptId) {
        self.committed.remove(&attempt);
        self.owners.remove(&attempt);
        self.exchange.call_over(attempt);
    }

    fn job(&self, job: Job) {
        // The writer outlives the loop.
        let _ = self.jobs.send(job);
    }

    fn make_line(&mut self, device: DeviceId, line: LineId, token: &str) {
        for old in self.exchange.lines_of(device) {
            if self.exchange.line_dropped(&old) {
                self.hang_up_line(old);
            }
        }
        self.exchange.line_asked(&line, device);
        let ari = &self.parts.ari;
        let made = ari.make_bridge(&names::bridge(device));
        let account = device.to_string();
        let created = ari.create_line(&OutgoingLine { channel: &line.0, account: &account, token });
        let (ari, back, tunnels) = (ari.clone(), self.back.clone(), self.parts.tunnels.clone());
        tokio::spawn(async move {
            let (created, made) = (created.await, made.await);
            if matches!(created, Err(AriError::Refused(..))) {
                // Asterisk has lost where this app is, and the app does not know: it registers with each new tunnel.
                warn!(%device, "Asterisk cannot call this app: its tunnel is closed, so that it registers anew");
                tunnels.close(device);
            }
            if let Err(error) = created.and(made) {
                warn!(%error, %device, "a line could not be made; is the app registered?");
                let _ = ari.hang_up(&line.0).await;
                let _ = back.send(Inward::NoSuchLine(line.0));
            }
        });
    }

    /// Into the bridge first: what is put there before it is dialled stays out of a bridge of Asterisk's own.
    pub(super) fn dial_line(&self, line: String, device: DeviceId) {
        let ari = self.parts.ari.clone();
        let joined = ari.join_bridge(&names::bridge(device), &line);
        tokio::spawn(async move {
            let dialled = match joined.await {
                Ok(()) => ari.dial(&line, u32::try_from(LINE_TIMEOUT_S).unwrap_or(30)).await,
                Err(error) => Err(error),
            };
            if let Err(error) = dialled {
                warn!(%error, %device, "a line could not be dialled");
                let _ = ari.hang_up(&line).await;
            }
        });
    }

    /// Has a channel ready for a peer it did not hear before. Out of its bridge it would hear nobody: then it must go.
    pub(super) fn hear_anew(&self, device: DeviceId, channel: String) {
        let ari = self.parts.ari.clone();
        let joined = ari.rejoin_bridge(&names::bridge(device), &channel);
        tokio::spawn(async move {
            match joined.await {
                Ok(()) | Err(AriError::NotThere | AriError::Away | AriError::Silent) => {}
                Err(error) => {
                    warn!(%error, %device, "a channel could not be put back into its bridge");
                    let _ = ari.hang_up(&channel).await;
                }
            }
        });
    }

    pub(super) fn drop_line(&mut self, line: String) {
        self.exchange.line_dropped(&line);
        self.hang_up_line(line);
    }

    fn hang_up_line(&self, line: String) {
        let (hung_up, back) = (self.parts.ari.hang_up(&line), self.back.clone());
        tokio::spawn(async move {
            match hung_up.await {
                Ok(()) => {}
                Err(AriError::NotThere) => drop(back.send(Inward::NoSuchLine(line))),
                // The sweep asks again.
                Err(error) => warn!(%error, %line, "a line was not hung up"),
            }
        });
    }

    fn create_callee(&mut self, attempt: AttemptId, device: DeviceId) {
        // From here on its end is told, whatever comes of it: it has a place on the trunk.
        self.exchange.call_asked(attempt, device);
        self.owners.insert(attempt, device);
        let Some(committed) = self.committed.remove(&attempt) else {
            error!(%attempt, "a channel was wanted for an attempt that is not on the disk; a fault of ours");
            self.callee_cannot_be_rung(attempt, "the attempt was not saved".to_owned());
            return;
        };
        let endpoint = match self.way.to(committed.number()) {
            Ok(endpoint) => endpoint,
            Err(why) => {
                error!(%attempt, %why, "not rung");
                self.callee_cannot_be_rung(attempt, why.to_string());
                return;
            }
        };
        let caller_id = self.way.caller_id(committed.caller_id());
        let created = self.parts.ari.create_callee(&committed, endpoint, caller_id);
        self.or_callee_failed(attempt, created);
    }

    fn or_callee_failed(
        &self,
        attempt: AttemptId,
        asked: impl Future<Output = Result<(), AriError>> + Send + 'static,
    ) {
        let back = self.back.clone();
        tokio::spawn(async move {
            if let Err(error) = asked.await {
                warn!(%error, %attempt, "Asterisk refused a step of a call");
                let (fault, why) = (Fault::Telephone, error.to_string());
                let _ = back.send(Inward::Input(Input::CalleeFailed { attempt, fault, why }));
            }
        });
    }

    fn callee_cannot_be_rung(&self, attempt: AttemptId, why: String) {
        let failed = Input::CalleeFailed { attempt, fault: Fault::Call, why };
        let _ = self.back.send(Inward::Input(failed));
    }

    fn announce(&mut self, attempt: AttemptId, what: Announcement) {
        let media = match what {
            Announcement::OneMoment => "sound:ringround/one-moment",
            Announcement::Apology => "sound:ringround/line-lost",
        };
        let playback = names::announcement();
        self.exchange.announcement_asked(playback.clone(), attempt, Instant::now());
        let played = self.parts.ari.play_to_channel(&attempt.to_string(), media, &playback);
        let back = self.back.clone();
        tokio::spawn(async move {
            if let Err(error) = played.await {
                warn!(%error, %attempt, "an announcement could not be played");
                let _ = back.send(Inward::NotPlayed(playback));
            }
        });
    }

    pub(super) fn hang_up_strays(&self, strays: Vec<String>) {
        for stray in strays {
            info!(channel = %stray, "hanging up a channel that nobody here owns");
            self.parts.metrics.strays_hung_up.inc();
            let hung_up = self.parts.ari.hang_up(&stray);
            tokio::spawn(async move {
                if let Err(error) = hung_up.await {
                    tracing::debug!(%error, channel = %stray, "a stray channel was not hung up");
                }
            });
        }
    }

    pub(super) fn end_bridge(&self, bridge: &str) {
        let (ended, bridge) = (self.parts.ari.end_bridge(bridge), bridge.to_owned());
        tokio::spawn(async move {
            if let Err(error) = ended.await {
                tracing::debug!(%error, %bridge, "an empty bridge was not ended");
            }
        });
    }
}

/// What the last calls show of the trunk, once each time it is new.
fn log_trunk(trunk: &Trunk, now_ms: i64) {
    let Trunk::Shut { complaint, next_try, .. } = trunk else {
        return info!("calls go out again");
    };
    let what = health::complaint_in_words(*complaint);
    match next_try {
        NextTry::Later { at_ms } => error!(
            next_try_in_s = (at_ms - now_ms).max(0) / 1_000,
            "{what}: nobody is rung, and no contact loses an attempt; {}",
            health::what_to_mend(*complaint)
        ),
        NextTry::Yours | NextTry::Others => info!("{what}: one volunteer's call is the next try"),
    }
}

/// What Asterisk does not answer it may have done: the telephone may ring by now, and that is no reason
/// to hang up. What became of it is told by events, by the sweep, or by the lists after a reconnect.
async fn certain(asked: impl Future<Output = Result<(), AriError>>) -> Result<(), AriError> {
    match asked.await {
        Err(error @ (AriError::Silent | AriError::Away)) => {
            warn!(%error, "whether a step of a call was done is not known");
            Ok(())
        }
        result => result,
    }
}
