//! While they talk, and while the callee waits for a volunteer whose line was lost.

use protocol::call::HELD_FOR_MS;

use super::{Call, CallInput, Leg};
use crate::{
    cause::{Came, Ending},
    output::{Announcement, HangUpWhy, Output},
    rules::{HOUR, SECOND},
    scene::Scene,
};

/// Silence until "one moment, please".
const SILENCE_LIMIT: i64 = SECOND;

/// From the end of an announcement to its repetition.
const REPEAT_AFTER: i64 = 5 * SECOND;

/// When an announcement counts as played although nobody said so.
const ANNOUNCEMENT_LIMIT: i64 = 8 * SECOND;

/// R03: who is connected to nobody for so long has been abandoned.
const ABANDONED_AFTER: i64 = 2 * SECOND;

/// No conversation lasts longer; a channel that does is forgotten by someone.
const CALL_LIMIT: i64 = 4 * HOUR;

#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(super) leg: Leg,
    pub(super) ringing_at: Option<i64>,
    pub(super) since: i64,
    /// The volunteer's line was there, at the answer or later.
    pub(super) is_heard: bool,
    pub(super) moment: Option<Moment>,
}

/// The callee waits for a volunteer whose line was lost.
#[derive(Debug, Clone)]
pub(in crate::call) struct Moment {
    since: i64,
    say_at: i64,
    apology_at: Option<i64>,
}

pub(super) fn answered(leg: Leg, ringing_at: Option<i64>, scene: &mut Scene<'_>) -> Call {
    let since = leg.now(scene);
    let moment = leg.is_away.then(|| Moment::from(since));
    let mut answered = Answered { is_heard: !leg.is_away, leg, ringing_at, since, moment };
    if answered.leg.is_revoked {
        answered.apologise(scene);
    }
    Call::Answered(answered)
}

impl Moment {
    pub(super) fn from(now: i64) -> Self {
        Moment { since: now, say_at: now + SILENCE_LIMIT, apology_at: None }
    }
}

impl Answered {
    pub(super) fn handle(mut self, input: CallInput, scene: &mut Scene<'_>) -> Call {
        match input {
            CallInput::Gone(ending) => return self.ended(Some(ending), scene),
            CallInput::NotFound => return self.ended(None, scene),
            CallInput::HangUp => self.leg.hang_up(HangUpWhy::Volunteer, None, scene),
            CallInput::LineLost => self.wait_for_volunteer(scene),
            CallInput::LineRevoked => {
                self.wait_for_volunteer(scene);
                self.apologise(scene);
            }
            CallInput::LineBack => self.volunteer_is_back(scene),
            CallInput::AnnouncementDone => self.announcement_done(scene),
            CallInput::Tick => {
                if self.leg.hang_up_again(scene) {
                    return self.ended(None, scene);
                }
                self.tick(scene);
            }
            CallInput::Up
            | CallInput::Ringing
            | CallInput::Progress
            | CallInput::Unheard
            | CallInput::Found(_) => {}
            CallInput::Created | CallInput::InBridge | CallInput::Failed { .. } => {
                scene.unexpected("call answered", input.name());
            }
        }
        Call::Answered(self)
    }

    fn ended(self, ending: Option<Ending>, scene: &mut Scene<'_>) -> Call {
        let alone_for = self.leg.now(scene) - self.since;
        let came = match self.is_heard {
            true => Came::ToTalk,
            false => Came::ToNobody { in_time: alone_for < ABANDONED_AFTER },
        };
        self.leg.ended(self.ringing_at, Some(self.since), came, ending, scene)
    }

    pub(super) fn acts_at(&self) -> i64 {
        let limit = self.since + CALL_LIMIT;
        let Some(moment) = &self.moment else { return limit };
        match moment.apology_at {
            Some(said_at) => said_at + ANNOUNCEMENT_LIMIT,
            None => moment.say_at.min(moment.since + HELD_FOR_MS),
        }
        .min(limit)
    }

    fn tick(&mut self, scene: &mut Scene<'_>) {
        let now = self.leg.now(scene);
        if now >= self.since + CALL_LIMIT {
            return self.leg.hang_up(HangUpWhy::TooLong, None, scene);
        }
        let Some(moment) = &mut self.moment else { return };
        if let Some(said_at) = moment.apology_at {
            if now >= said_at + ANNOUNCEMENT_LIMIT {
                self.leg.hang_up(HangUpWhy::LineLost, None, scene);
            }
        } else if now >= moment.since + HELD_FOR_MS {
            self.apologise(scene);
        } else if now >= moment.say_at {
            moment.say_at = now + ANNOUNCEMENT_LIMIT;
            let attempt = self.leg.attempt;
            scene.push(Output::Announce { attempt, what: Announcement::OneMoment });
        }
    }

    fn wait_for_volunteer(&mut self, scene: &Scene<'_>) {
        let now = self.leg.now(scene);
        self.leg.is_away = true;
        self.moment.get_or_insert_with(|| Moment::from(now));
    }

    fn apologise(&mut self, scene: &mut Scene<'_>) {
        let now = self.leg.now(scene);
        let Some(moment) = &mut self.moment else { return };
        if moment.apology_at.is_some() || self.leg.hanging_up.is_some() {
            return;
        }
        moment.apology_at = Some(now);
        let attempt = self.leg.attempt;
        scene.push(Output::StopAnnouncement { attempt });
        scene.push(Output::Announce { attempt, what: Announcement::Apology });
    }

    fn announcement_done(&mut self, scene: &mut Scene<'_>) {
        let now = self.leg.now(scene);
        // One that was stopped ends too.
        let Some(moment) = &mut self.moment else { return };
        match moment.apology_at {
            // The end of the one before the apology may come right after it began.
            Some(said_at) if now < said_at + SECOND => {}
            Some(_) => self.leg.hang_up(HangUpWhy::LineLost, None, scene),
            None => moment.say_at = now + REPEAT_AFTER,
        }
    }

    fn volunteer_is_back(&mut self, scene: &mut Scene<'_>) {
        let Some(moment) = &self.moment else { return };
        if moment.apology_at.is_some() {
            return;
        }
        self.moment = None;
        self.leg.is_away = false;
        self.is_heard = true;
        scene.push(Output::StopAnnouncement { attempt: self.leg.attempt });
    }
}
