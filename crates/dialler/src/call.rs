//! The callee's side of an attempt: one channel, from its creation to its end.
//!
//! | state | input | state | outputs |
//! | --- | --- | --- | --- |
//! | created | Created | created | JoinBridge |
//! | created | InBridge | dialling | DialChannel |
//! | dialling | 8 s after DialChannel | same | LookForReply |
//! | dialling | Unheard | same, hanging up | HangUp |
//! | dialling for less than 8 s | HangUp (the volunteer) | same, hanging up | LookForReply, HangUp |
//! | created, dialling | line lost; 25 s without ringing; Failed | same, hanging up | HangUp |
//! | created; dialling, adopted | Found down | same, hanging up | HangUp |
//! | created, dialling | Progress, Ringing | ringing | |
//! | ringing, after a Progress alone | Ringing | ringing from now on | |
//! | ringing | ring timeout; line lost and 15 s rung (R05) | same, hanging up | HangUp |
//! | dialling, ringing | Up | answered | |
//! | answered | line lost for 1 s | same | Announce OneMoment, repeated |
//! | answered | line back | same | StopAnnouncement |
//! | answered | line lost for 30 s | same | Announce Apology |
//! | answered | Apology played, or 8 s later | same, hanging up | HangUp |
//! | any but ended | HangUp (the volunteer) | same, hanging up | HangUp |
//! | any but ended | Gone, NotFound; hanging up for 15 s | ended | |
//! | hanging up | every 5 s | same | HangUp |
//! | ringing, answered | Failed | same | Unexpected |
//! | ended | Gone, Created.. | ended | - |
//!
//! A volunteer may cancel at any time; the machine never before 15 s of ringing. A 183 (Progress) may be all that
//! says so, and may come long before anything rings: the time of ringing counts from it only until a 180 (Ringing)
//! comes, and whoever rings by a 183 alone is given no less than the network has until it rings. So no call goes on
//! unanswered for longer than 25 s until a 183, as long again (or the ring timeout, where that is longer) until a
//! 180, and the ring timeout.
//!
//! What Asterisk refuses of a
//! channel that rings or talks ends nothing: that it rings shows that the steps before were done, and a person
//! who talks is not cut off for a request of ours. Such a call has its own ends: the ring timeout, the lost
//! line, the sweep that finds its channel gone, four hours.
//!
//! Found down after a restart, a channel was made and perhaps dialled, and nothing rings: nobody can say which,
//! so it is hung up and the attempt counts as made, like every attempt that was committed.
//!
//! Who answers while the volunteer's line is away, and never hears them, is abandoned (R06), unless they ring
//! off within two seconds.

mod answered;

use protocol::{
    call::{CallState, EndedBy},
    ids::AttemptId,
};

use self::answered::{Answered, Moment, answered};
use crate::{
    cause::{self, Came, Ending, Sign, Verdict},
    input::{ChannelState, Fault},
    now::Now,
    output::{HangUpWhy, Output, Progress},
    rules::{LEAST_RINGING_MS, SECOND},
    scene::Scene,
};

/// How long the network may take until the telephone rings, milliseconds.
pub(crate) const NO_RINGING_LIMIT: i64 = 25 * SECOND;

/// After so long without ringing it is seen whether the provider said anything at all. A SIP peer that is there
/// answers "100 Trying" within 200 ms (RFC 3261, section 17.2.1); by now Asterisk has sent the INVITE five times
/// (section 17.1.1.2: after 0, 0.5, 1.5, 3.5 and 7.5 s), so that lost packets are not taken for silence. Asterisk
/// itself would give up after 32 s (timer B).
const NO_REPLY_LIMIT: i64 = 8 * SECOND;

/// Of a call that is cancelled sooner, silence says nothing of the trunk: not every lost packet was sent again.
const REPLY_EXPECTED: i64 = 2 * SECOND;

/// How long a channel may take to go before it is asked again, and how often it is asked.
const HANG_UP_PATIENCE: i64 = 5 * SECOND;
const HANG_UP_TRIES: u32 = 3;

/// The states' names in [`Output::Unexpected`], where two functions share them.
const CREATED: &str = "call created";
const DIALLING: &str = "call dialling";

#[derive(Debug, Clone)]
pub(crate) enum Call {
    /// CreateChannel was asked for.
    Created(Leg),
    /// DialChannel was asked for; nothing rings yet.
    Dialling(Leg),
    Ringing(Ringing),
    Answered(Answered),
    Ended(Ended),
}

/// What is true of a channel from its creation to its end.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    pub attempt: AttemptId,
    pub dialled_at: i64,
    /// How far this call's own time (see now.rs) is ahead of the steady time, milliseconds.
    ahead: i64,
    /// The volunteer's line is away.
    is_away: bool,
    /// It will not come back.
    is_revoked: bool,
    /// Another run of the server made it.
    is_adopted: bool,
    /// When to see whether the provider answered at all.
    look_at: Option<i64>,
    /// It did not until this was hung up; whether it had had the time to.
    unheard: Option<bool>,
    hanging_up: Option<HangingUp>,
}

#[derive(Debug, Clone)]
struct HangingUp {
    why: HangUpWhy,
    words: Option<String>,
    tries: u32,
    again_at: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Ringing {
    leg: Leg,
    since: i64,
    /// A 183 came.
    early_media: bool,
    /// A 180 came: the telephone itself rings.
    alerts: bool,
}

/// A call that is over.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub attempt: AttemptId,
    pub ringing_at: Option<i64>,
    pub answered_at: Option<i64>,
    pub at: i64,
    pub by: EndedBy,
    /// `None`: nobody saw it.
    pub ending: Option<Ending>,
    /// What the server writes by itself; `None`: the volunteer is asked.
    pub verdict: Option<Verdict>,
    /// Ended from the volunteer's side before it was answered, and sooner than any call may end that nobody answers.
    pub given_up: bool,
}

#[derive(Debug)]
pub(crate) enum CallInput {
    Created,
    InBridge,
    Progress,
    Ringing,
    Up,
    Gone(Ending),
    /// The provider answered nothing.
    Unheard,
    Failed {
        fault: Fault,
        why: String,
    },
    AnnouncementDone,
    /// The volunteer hangs up or cancels.
    HangUp,
    LineLost,
    LineBack,
    /// The line is gone and will not come back: the device was revoked.
    LineRevoked,
    /// Asterisk has the channel.
    Found(ChannelState),
    /// Asterisk does not have the channel any more.
    NotFound,
    Tick,
}

impl CallInput {
    /// It may come when the call is over in the books: its end, or the answer to what was asked of the channel before.
    pub fn is_last_news(&self) -> bool {
        matches!(
            self,
            CallInput::Gone(_) | CallInput::Unheard | CallInput::Failed { .. } | CallInput::AnnouncementDone
        )
    }

    fn name(&self) -> &'static str {
        match self {
            CallInput::Created => "CalleeCreated",
            CallInput::InBridge => "CalleeInBridge",
            CallInput::Progress => "CalleeProgress",
            CallInput::Ringing => "CalleeRinging",
            CallInput::Up => "CalleeUp",
            CallInput::Gone(_) => "CalleeGone",
            CallInput::Unheard => "CalleeUnheard",
            CallInput::Failed { .. } => "CalleeFailed",
            CallInput::AnnouncementDone => "AnnouncementDone",
            CallInput::HangUp => "HangUp",
            CallInput::LineLost => "LineGone",
            CallInput::LineBack => "LineUp",
            CallInput::LineRevoked => "Revoked",
            CallInput::Found(_) | CallInput::NotFound => "TelephoneBack",
            CallInput::Tick => "Tick",
        }
    }
}

impl Call {
    /// Asks for the channel of a committed attempt.
    pub fn create(attempt: AttemptId, dialled: Now) -> Self {
        Call::Created(Leg::new(attempt, dialled.wall, dialled))
    }

    pub fn handle(self, input: CallInput, scene: &mut Scene<'_>) -> Self {
        match self {
            Call::Created(leg) => created(leg, input, scene),
            Call::Dialling(leg) => dialling(leg, input, scene),
            Call::Ringing(ringing) => ringing.handle(input, scene),
            Call::Answered(answered) => answered.handle(input, scene),
            Call::Ended(ended) => {
                // News of a channel that is gone may still be under way.
                Call::Ended(ended)
            }
        }
    }

    pub fn next_wake(&self, ring_timeout: i64) -> Option<i64> {
        let (leg, own) = match self {
            Call::Created(leg) | Call::Dialling(leg) => {
                let limit = leg.dialled_at + NO_RINGING_LIMIT;
                (leg, leg.look_at.map_or(limit, |look_at| look_at.min(limit)))
            }
            Call::Ringing(ringing) => (&ringing.leg, ringing.ends_at(ring_timeout)),
            Call::Answered(answered) => (&answered.leg, answered.acts_at()),
            Call::Ended(_) => return None,
        };
        Some(leg.hanging_up.as_ref().map_or(own, |hanging_up| hanging_up.again_at) - leg.ahead)
    }

    /// Nobody has answered. Where news may have been lost, nobody knows.
    pub fn is_unanswered(&self, scene: &Scene<'_>) -> bool {
        match self {
            Call::Created(leg) | Call::Dialling(leg) | Call::Ringing(Ringing { leg, .. }) => {
                scene.telephone && !leg.is_adopted
            }
            Call::Answered(_) => false,
            Call::Ended(ended) => !ended.may_have_talked(),
        }
    }

    /// What the volunteer sees.
    pub fn view(&self) -> CallState {
        match self {
            Call::Created(leg) | Call::Dialling(leg) => CallState::Dialling { since_ms: leg.dialled_at },
            Call::Ringing(ringing) => {
                CallState::Ringing { since_ms: ringing.since, early_media: ringing.early_media }
            }
            Call::Answered(answered) => CallState::Talking { since_ms: answered.since },
            Call::Ended(ended) => ended.view(),
        }
    }

    /// Whether the trunk has shown that it puts calls through: something rang, or was answered.
    pub fn reached_a_telephone(&self) -> bool {
        match self {
            Call::Created(_) | Call::Dialling(_) => false,
            Call::Ringing(ringing) => ringing.alerts,
            Call::Answered(_) => true,
            Call::Ended(ended) => ended.answered_at.is_some() || ended.sign() == Sign::Works,
        }
    }

    /// What the store keeps.
    pub fn progress(&self) -> Progress {
        let open = |leg: &Leg, state, ringing_at, answered_at| Progress {
            attempt: leg.attempt,
            state,
            ringing_at,
            answered_at,
            ended_at: None,
            ended_by: None,
            cause: None,
            sip: None,
        };
        match self {
            Call::Created(leg) | Call::Dialling(leg) => open(leg, "dialling", None, None),
            Call::Ringing(ringing) => open(&ringing.leg, "ringing", Some(ringing.since), None),
            Call::Answered(answered) => {
                open(&answered.leg, "talking", answered.ringing_at, Some(answered.since))
            }
            Call::Ended(ended) => ended.progress("wrap-up"),
        }
    }
}

impl Leg {
    fn new(attempt: AttemptId, dialled_at: i64, now: Now) -> Self {
        Leg {
            attempt,
            dialled_at,
            ahead: now.wall - now.steady,
            is_away: false,
            is_revoked: false,
            is_adopted: false,
            look_at: None,
            unheard: None,
            hanging_up: None,
        }
    }

    /// This call's own time.
    fn now(&self, scene: &Scene<'_>) -> i64 {
        scene.now.steady + self.ahead
    }

    /// Asks for the channel's end, unless it was asked already.
    fn hang_up(&mut self, why: HangUpWhy, words: Option<String>, scene: &mut Scene<'_>) {
        if self.hanging_up.is_some() {
            return;
        }
        scene.push(Output::HangUp { attempt: self.attempt, why });
        let again_at = self.now(scene) + HANG_UP_PATIENCE;
        self.hanging_up = Some(HangingUp { why, words, tries: 1, again_at });
    }

    /// Asks again for a channel's end; true when it was asked often enough.
    fn hang_up_again(&mut self, scene: &mut Scene<'_>) -> bool {
        let now = self.now(scene);
        let Some(hanging_up) = &mut self.hanging_up else { return false };
        if now < hanging_up.again_at {
            return false;
        }
        if hanging_up.tries >= HANG_UP_TRIES {
            return true;
        }
        hanging_up.tries += 1;
        hanging_up.again_at = now + HANG_UP_PATIENCE;
        scene.push(Output::HangUp { attempt: self.attempt, why: hanging_up.why });
        false
    }

    /// The provider has answered nothing until now.
    fn unheard(mut self, scene: &Scene<'_>) -> Self {
        let began = |look_at: i64| look_at - NO_REPLY_LIMIT;
        let in_time = self.look_at.is_none_or(|at| self.now(scene) >= began(at) + REPLY_EXPECTED);
        self.unheard = Some(in_time);
        self
    }

    fn ended_before_ringing(self, ending: Option<Ending>, scene: &mut Scene<'_>) -> Call {
        let came = self.unheard.map_or(Came::Nowhere, |in_time| Came::Unheard { in_time });
        self.ended(None, None, came, ending, scene)
    }

    fn ended(
        self,
        ringing_at: Option<i64>,
        answered_at: Option<i64>,
        came: Came,
        ending: Option<Ending>,
        scene: &mut Scene<'_>,
    ) -> Call {
        let at = self.now(scene);
        let (why, words) = match self.hanging_up {
            Some(HangingUp { why, words, .. }) => (Some(why), words),
            None => (None, None),
        };
        let by = cause::ended_by(why, answered_at.is_some(), ending);
        let verdict = cause::verdict(why, words, came, ending);
        if let Some(words) = verdict.as_ref().and_then(|verdict| verdict.trunk_fault) {
            scene.push(Output::TrunkFault { attempt: self.attempt, words });
        }
        let has_rung = ringing_at.is_some_and(|since| at - since >= LEAST_RINGING_MS);
        let by_volunteer = matches!(why, Some(HangUpWhy::Volunteer | HangUpWhy::LineLost));
        let given_up = by_volunteer && answered_at.is_none() && !has_rung;
        // Of a channel that was hung up before it was dialled Asterisk tells no cause, as of one whose end nobody saw. This
        // end is ours.
        let is_told = ending.is_some_and(|ending| ending.cause != 0);
        let ours = Ending { cause: cause::NORMAL_CLEARING, sip: None };
        let ending = if given_up && !is_told { Some(ours) } else { ending };
        Call::Ended(Ended {
            attempt: self.attempt,
            ringing_at,
            answered_at,
            at,
            by,
            ending,
            verdict,
            given_up,
        })
    }
}

fn created(mut leg: Leg, input: CallInput, scene: &mut Scene<'_>) -> Call {
    match input {
        CallInput::Created => {
            if leg.hanging_up.is_none() {
                scene.push(Output::JoinBridge { attempt: leg.attempt, device: scene.device });
            }
            Call::Created(leg)
        }
        CallInput::InBridge => {
            if leg.hanging_up.is_some() {
                return Call::Created(leg);
            }
            let timeout_ms = NO_RINGING_LIMIT + 2 * scene.campaign.ring_timeout_ms.max(NO_RINGING_LIMIT);
            scene.push(Output::DialChannel { attempt: leg.attempt, timeout_ms });
            leg.look_at = Some(leg.now(scene) + NO_REPLY_LIMIT);
            Call::Dialling(leg)
        }
        CallInput::Progress | CallInput::Ringing | CallInput::Up | CallInput::Unheard => {
            scene.unexpected(CREATED, input.name());
            Call::Created(leg)
        }
        // The news that would have brought it on were lost.
        CallInput::Found(ChannelState::Down) => {
            leg.hang_up(HangUpWhy::FoundDown, None, scene);
            Call::Created(leg)
        }
        CallInput::Gone(_)
        | CallInput::Failed { .. }
        | CallInput::AnnouncementDone
        | CallInput::HangUp
        | CallInput::LineLost
        | CallInput::LineBack
        | CallInput::LineRevoked
        | CallInput::Found(ChannelState::Ringing | ChannelState::Up)
        | CallInput::NotFound
        | CallInput::Tick => before_ringing(leg, Call::Created, CREATED, input, scene),
    }
}

fn dialling(mut leg: Leg, input: CallInput, scene: &mut Scene<'_>) -> Call {
    match input {
        CallInput::Created | CallInput::InBridge => {
            scene.unexpected(DIALLING, input.name());
            Call::Dialling(leg)
        }
        CallInput::Progress => Ringing::by_sound(leg, scene),
        CallInput::Ringing => Ringing::alerted(leg, scene),
        CallInput::Unheard => {
            leg.hang_up(HangUpWhy::NoReply, None, scene);
            Call::Dialling(leg.unheard(scene))
        }
        CallInput::Up => answered(leg, None, scene),
        // In this run of the server it was dialled, and may ring any moment.
        CallInput::Found(ChannelState::Down) => {
            if leg.is_adopted {
                leg.hang_up(HangUpWhy::FoundDown, None, scene);
            }
            Call::Dialling(leg)
        }
        CallInput::Gone(_)
        | CallInput::Failed { .. }
        | CallInput::AnnouncementDone
        | CallInput::HangUp
        | CallInput::LineLost
        | CallInput::LineBack
        | CallInput::LineRevoked
        | CallInput::Found(ChannelState::Ringing | ChannelState::Up)
        | CallInput::NotFound
        | CallInput::Tick => before_ringing(leg, Call::Dialling, DIALLING, input, scene),
    }
}

/// What `created` and `dialling` have in common; `same` makes the state of this name again.
fn before_ringing(
    mut leg: Leg,
    same: fn(Leg) -> Call,
    state: &'static str,
    input: CallInput,
    scene: &mut Scene<'_>,
) -> Call {
    match input {
        CallInput::Gone(ending) => return leg.ended_before_ringing(Some(ending), scene),
        CallInput::NotFound => return leg.ended_before_ringing(None, scene),
        CallInput::Found(ChannelState::Ringing) => return Ringing::alerted(leg, scene),
        CallInput::Found(ChannelState::Up) => return answered(leg, None, scene),
        CallInput::LineBack => leg.is_away = false,
        CallInput::Failed { fault, why } => leg.hang_up(HangUpWhy::Failed(fault), Some(why), scene),
        CallInput::HangUp => {
            // Asked first: a channel that is gone keeps no answer.
            if leg.look_at.is_some() && leg.hanging_up.is_none() {
                scene.push(Output::LookForReply { attempt: leg.attempt });
            }
            leg.hang_up(HangUpWhy::Volunteer, None, scene);
        }
        // Nothing rings yet, so nobody notices; an answer without a volunteer would be noticed.
        CallInput::LineLost | CallInput::LineRevoked => {
            leg.is_revoked |= matches!(input, CallInput::LineRevoked);
            leg.is_away = true;
            leg.hang_up(HangUpWhy::LineLost, None, scene);
        }
        CallInput::Tick => {
            if leg.hang_up_again(scene) {
                return leg.ended_before_ringing(None, scene);
            }
            let now = leg.now(scene);
            if now >= leg.dialled_at + NO_RINGING_LIMIT {
                leg.hang_up(HangUpWhy::NoRinging, None, scene);
            } else if leg.look_at.is_some_and(|at| now >= at) {
                leg.look_at = None;
                scene.push(Output::LookForReply { attempt: leg.attempt });
            }
        }
        CallInput::Created
        | CallInput::InBridge
        | CallInput::Progress
        | CallInput::Ringing
        | CallInput::Up
        | CallInput::Unheard
        | CallInput::Found(ChannelState::Down)
        | CallInput::AnnouncementDone => scene.unexpected(state, input.name()),
    }
    same(leg)
}

impl Ringing {
    /// A 183.
    fn by_sound(leg: Leg, scene: &Scene<'_>) -> Call {
        let since = leg.now(scene);
        Call::Ringing(Ringing { leg, since, early_media: true, alerts: false })
    }

    /// A 180.
    fn alerted(leg: Leg, scene: &Scene<'_>) -> Call {
        let since = leg.now(scene);
        Call::Ringing(Ringing { leg, since, early_media: false, alerts: true })
    }

    /// R05 wants so much ringing, and only now does it certainly begin. Asterisk says it twice: Dial(RINGING) and
    /// ChannelStateChange.
    fn alerts(&mut self, scene: &Scene<'_>) {
        if !self.alerts {
            (self.alerts, self.since) = (true, self.leg.now(scene));
        }
    }

    fn handle(mut self, input: CallInput, scene: &mut Scene<'_>) -> Call {
        match input {
            CallInput::Progress => self.early_media = true,
            CallInput::Ringing | CallInput::Found(ChannelState::Ringing) => self.alerts(scene),
            // It was asked for before this, or found nothing out.
            CallInput::Found(ChannelState::Down) | CallInput::Unheard => {}
            CallInput::Up | CallInput::Found(ChannelState::Up) => {
                return answered(self.leg, Some(self.since), scene);
            }
            CallInput::Gone(ending) => return self.ended(Some(ending), scene),
            CallInput::NotFound => return self.ended(None, scene),
            CallInput::HangUp => self.leg.hang_up(HangUpWhy::Volunteer, None, scene),
            CallInput::LineLost | CallInput::LineRevoked => {
                self.leg.is_revoked |= matches!(input, CallInput::LineRevoked);
                self.leg.is_away = true;
                self.give_up_in_time(scene);
            }
            CallInput::LineBack => self.leg.is_away = false,
            CallInput::Tick => {
                if self.leg.hang_up_again(scene) {
                    return self.ended(None, scene);
                }
                self.give_up_in_time(scene);
            }
            CallInput::Created
            | CallInput::InBridge
            | CallInput::Failed { .. }
            | CallInput::AnnouncementDone => scene.unexpected("call ringing", input.name()),
        }
        Call::Ringing(self)
    }

    fn ended(self, ending: Option<Ending>, scene: &mut Scene<'_>) -> Call {
        let came = if self.alerts { Came::ToRinging } else { Came::ToProgress };
        self.leg.ended(Some(self.since), None, came, ending, scene)
    }

    fn ends_at(&self, ring_timeout: i64) -> i64 {
        let least = if self.alerts { LEAST_RINGING_MS } else { NO_RINGING_LIMIT };
        let rings = if self.leg.is_away { LEAST_RINGING_MS } else { ring_timeout.max(least) };
        self.since + rings
    }

    fn give_up_in_time(&mut self, scene: &mut Scene<'_>) {
        if self.leg.now(scene) < self.ends_at(scene.campaign.ring_timeout_ms) {
            return;
        }
        let why = if self.leg.is_away { HangUpWhy::LineLost } else { HangUpWhy::RingTimeout };
        self.leg.hang_up(why, None, scene);
    }
}

impl Ended {
    pub fn view(&self) -> CallState {
        CallState::Ended {
            by: self.by,
            talked_ms: self.answered_at.map_or(0, |answered_at| (self.at - answered_at).max(0)),
        }
    }

    /// It was answered, or nobody saw whether: the server or Asterisk was away.
    pub fn may_have_talked(&self) -> bool {
        self.answered_at.is_some()
            || cause::nobody_saw(self.by == EndedBy::Volunteer, self.ending.map(|ending| ending.cause))
    }

    /// Somebody's telephone rang, or is engaged; or nobody saw that it did not.
    pub fn reached_somebody(&self) -> bool {
        self.ringing_at.is_some() || self.may_have_talked() || self.sign() == Sign::Works
    }

    /// What it says of the trunk.
    pub fn sign(&self) -> Sign {
        self.verdict.as_ref().map_or(Sign::Nothing, |verdict| verdict.sign)
    }

    pub fn progress(&self, state: &'static str) -> Progress {
        Progress {
            attempt: self.attempt,
            state,
            ringing_at: self.ringing_at,
            answered_at: self.answered_at,
            ended_at: Some(self.at),
            ended_by: Some(self.by),
            cause: self.ending.map(|ending| ending.cause),
            sip: self.ending.and_then(|ending| ending.sip),
        }
    }
}

/// A call as the store knew it when the server stopped; the volunteer's line counts as away
/// until Asterisk has said that it has it.
pub(crate) fn adopted(
    attempt: AttemptId,
    dialled_at: i64,
    ringing_at: Option<i64>,
    answered_at: Option<i64>,
    now: Now,
) -> Call {
    // The wall's clock may have been set back since: nothing began in the future.
    let past = |at: i64| at.min(now.wall);
    let mut leg = Leg::new(attempt, past(dialled_at), now);
    (leg.is_away, leg.is_adopted) = (true, true);
    match (ringing_at.map(past), answered_at.map(past)) {
        (ringing_at, Some(since)) => Call::Answered(Answered {
            leg,
            ringing_at,
            since,
            is_heard: true,
            moment: Some(Moment::from(now.wall)),
        }),
        (Some(since), None) => Call::Ringing(Ringing { leg, since, early_media: false, alerts: true }),
        (None, None) => Call::Dialling(leg),
    }
}
