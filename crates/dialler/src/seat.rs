//! A seat: one volunteer's device, with its line and its session, and what it was told.

use std::collections::BTreeMap;

use protocol::{
    attempt::LastOutcome,
    events::Change,
    http::RecordOutcome,
    ids::{AttemptId, CampaignId, LeaseId},
    line as line_view,
    outcome::Outcome,
    session::Session as SessionView,
    trunk::Trunk as TrunkView,
};

use crate::{
    attempt::{self, AttemptInput, Closed},
    call::CallInput,
    input::{CampaignRules, Lease, LineId, LineToken, SaveId, SaveRefused, StoredAttempt, Ticket},
    line::{Line, LineInput},
    now::Now,
    output::{Output, Release, Released, Write},
    pace::Pace,
    rules::{HOUR, MINUTE, SECOND},
    scene::{self, Scene},
    session::{Session, SessionInput},
    words,
};

/// An app that has not been heard of for so long gets no new card.
const PRESENT_LIMIT: i64 = 90 * SECOND;

/// After this its session ends and its line is taken down.
const ABSENT_LIMIT: i64 = 10 * MINUTE;

/// A seat that nobody asked anything of for so long is forgotten, if nothing goes on there. Till then a volunteer
/// who comes back sees the last outcome; after it, what is recorded or corrected is found in the store.
const FORGET_AFTER: i64 = 12 * HOUR;

#[derive(Debug)]
pub(crate) struct Seat {
    pub campaign: CampaignId,
    pub line: Line,
    /// The app says that no sound gets through; by the wall, for the organiser.
    pub without_sound_since: Option<i64>,
    pub session: Session,
    pub pace: Pace,
    seen_at: i64,
    /// The last closed attempt, for corrections.
    last: Option<StoredAttempt>,
    corrections: BTreeMap<SaveId, Correction>,
    /// Writes nobody waits for, which failed, and when to repeat them.
    again: Vec<(i64, Write)>,
    repeated: BTreeMap<SaveId, Write>,
    pub told: Told,
}

#[derive(Debug)]
struct Correction {
    ticket: Ticket,
    stored: StoredAttempt,
    shown: LastOutcome,
    /// One of those that a device may take off its list (pace.rs).
    takes_one: bool,
}

/// What the volunteer was told last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub line: line_view::Line,
    pub session: SessionView,
    pub last_outcome: Option<LastOutcome>,
    pub trunk: TrunkView,
}

impl Seat {
    pub fn new(campaign: CampaignId, pace: Pace, now: Now) -> Self {
        Seat {
            campaign,
            line: Line::default(),
            without_sound_since: None,
            session: Session::default(),
            pace,
            seen_at: now.steady,
            last: None,
            corrections: BTreeMap::new(),
            again: Vec::new(),
            repeated: BTreeMap::new(),
            told: Told {
                line: line_view::Line::Down,
                session: SessionView::Ended,
                last_outcome: None,
                trunk: TrunkView::Open,
            },
        }
    }

    pub fn is_present(&self, now: Now) -> bool {
        now.steady - self.seen_at < PRESENT_LIMIT
    }

    /// Nothing goes on here, and nobody has asked for anything in a long time.
    pub fn is_forgotten(&self, now: Now) -> bool {
        now.steady - self.seen_at >= FORGET_AFTER
            && self.session.is_over()
            && self.line.is_down()
            && self.corrections.is_empty()
            && self.again.is_empty()
            && self.repeated.is_empty()
    }

    /// Whether a press of Call would be one now.
    pub fn can_call(&self, now: Now) -> bool {
        self.session.attempt().is_some_and(attempt::Attempt::is_card)
            && self.line.is_up()
            && self.is_present(now)
    }

    /// The app was heard of.
    pub fn seen(&mut self, scene: &mut Scene<'_>) {
        let was_present = self.is_present(scene.now);
        self.seen_at = scene.now.steady;
        scene.present = true;
        self.session(SessionInput::Attempt(AttemptInput::Ping), scene);
        if !was_present {
            self.session(SessionInput::Look, scene);
        }
    }

    /// Something around this seat changed.
    pub fn look(&mut self, scene: &mut Scene<'_>) {
        self.session(SessionInput::Look, scene);
    }

    pub fn session(&mut self, input: SessionInput, scene: &mut Scene<'_>) {
        let (session, closed) = std::mem::take(&mut self.session).handle(input, scene);
        self.session = session;
        if let Some(closed) = closed {
            self.closed(closed, scene);
        }
        if self.session.is_ended() {
            self.without_sound_since = None;
            self.line(LineInput::Close, scene);
        }
    }

    pub fn line(&mut self, input: LineInput, scene: &mut Scene<'_>) {
        let was_up = self.line.is_up();
        self.line = std::mem::take(&mut self.line).handle(input, scene.device, scene.now, scene.out);
        scene.line_up = self.line.is_up();
        if scene.line_up {
            self.without_sound_since = None;
        }
        if was_up == scene.line_up {
            return;
        }
        let call = if scene.line_up { CallInput::LineBack } else { CallInput::LineLost };
        self.callee(call, scene);
        self.session(SessionInput::Look, scene);
    }

    pub fn open_line(&mut self, ticket: Ticket, line: LineId, token: LineToken, scene: &mut Scene<'_>) {
        if self.session.is_ended() {
            return scene.refuse(ticket, words::not_calling());
        }
        if !scene.telephone {
            return scene.refuse(ticket, words::no_telephone());
        }
        scene.done(ticket);
        self.line(LineInput::Open { line, token }, scene);
    }

    pub fn line_sound(&mut self, token: LineToken, gets_through: bool, scene: &mut Scene<'_>) {
        self.line(LineInput::Sound { token, gets_through }, scene);
        // Late word of a line before this one, which is up.
        if !gets_through && !self.line.is_up() && !self.session.is_ended() {
            self.without_sound_since.get_or_insert(scene.now.wall);
        }
    }

    /// The attempt that came of a lease which is closed by now: the app asks again when it did
    /// not get the first answer.
    pub fn dialled_before(&self, lease: LeaseId) -> Option<AttemptId> {
        self.last.as_ref().filter(|last| last.lease == lease).map(|last| last.attempt)
    }

    /// News of the callee's channel, if there is one.
    pub fn callee(&mut self, input: CallInput, scene: &mut Scene<'_>) {
        if self.session.attempt().is_some_and(attempt::Attempt::is_calling) {
            self.session(SessionInput::Attempt(AttemptInput::Callee(input)), scene);
        }
    }

    /// After the telephone is back: what Asterisk has of this seat.
    pub fn reconcile(&mut self, call: CallInput, line: Option<LineId>, scene: &mut Scene<'_>) {
        self.callee(call, scene);
        self.line(LineInput::Reconcile(line), scene);
        let line = if scene.line_up { CallInput::LineBack } else { CallInput::LineLost };
        self.callee(line, scene);
        if self.session.is_ended() {
            self.line(LineInput::Close, scene);
        }
        self.session(SessionInput::Look, scene);
    }

    pub fn record(
        &mut self,
        ticket: Ticket,
        record: RecordOutcome,
        stored: Option<StoredAttempt>,
        scene: &mut Scene<'_>,
    ) {
        let is_open = self.session.attempt().and_then(attempt::Attempt::id) == Some(record.attempt_id);
        if is_open {
            return self.session(SessionInput::Attempt(AttemptInput::Record { ticket, record }), scene);
        }
        self.correct(ticket, record, stored, scene);
    }

    pub fn saved(&mut self, save: SaveId, scene: &mut Scene<'_>) {
        if let Some(ticket) = scene.saves.take_ticket(save) {
            return scene.done(ticket);
        }
        if let Some(Correction { ticket, stored, shown, takes_one }) = self.corrections.remove(&save) {
            scene.done(ticket);
            if takes_one {
                scene.took_off();
            }
            let told = self.told.last_outcome.as_ref();
            if told.is_none_or(|last| last.attempt_id == shown.attempt_id) {
                self.tell_last(shown, scene);
            }
            if self.last.as_ref().is_none_or(|last| last.attempt == stored.attempt) {
                self.last = Some(stored);
            }
            return;
        }
        if self.repeated.remove(&save).is_none() {
            self.session(SessionInput::Attempt(AttemptInput::Saved(save)), scene);
        }
    }

    pub fn save_failed(&mut self, save: SaveId, why: SaveRefused, scene: &mut Scene<'_>) {
        let waiting = scene.saves.take_ticket(save);
        let correction = self.corrections.remove(&save).map(|correction| correction.ticket);
        if let Some(ticket) = waiting.or(correction) {
            return scene.refuse(ticket, words::no_storage());
        }
        match self.repeated.remove(&save) {
            Some(write) => self.again.push((scene::again_at(scene.now, 3), write)),
            None => self.session(SessionInput::Attempt(AttemptInput::SaveFailed(save, why)), scene),
        }
    }

    /// Gives back a lease that this seat has no room for.
    pub fn send_back(&mut self, lease: &Lease, scene: &mut Scene<'_>) {
        let release = Release {
            lease: lease.id,
            device: scene.device,
            contact: lease.contact.contact,
            how: Released::GivenBack,
            at: scene.now.wall,
        };
        self.repeat(Write::Release(release), scene);
    }

    pub fn tick(&mut self, scene: &mut Scene<'_>) {
        self.line(LineInput::Tick, scene);
        self.session(SessionInput::Tick, scene);
        if scene.now.steady - self.seen_at >= ABSENT_LIMIT {
            self.session(SessionInput::Absent, scene);
        }
        for (at, write) in std::mem::take(&mut self.again) {
            if scene.now.steady >= at {
                self.repeat(write, scene);
            } else {
                self.again.push((at, write));
            }
        }
    }

    pub fn next_wake(&self, campaign: &CampaignRules, telephone: bool) -> Option<i64> {
        let attempt = self.session.attempt();
        let absent = (!self.session.is_ended() && attempt.is_none()).then_some(self.seen_at + ABSENT_LIMIT);
        [
            self.line.next_wake(),
            self.session.next_wake(),
            attempt.and_then(|attempt| attempt.next_wake(campaign, telephone)),
            absent,
            self.again.iter().map(|(at, _)| *at).min(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Tells what is new since the last time.
    pub fn tell(&mut self, scene: &mut Scene<'_>) {
        let device = scene.device;
        let line = self.line.view();
        if line != self.told.line {
            self.told.line = line;
            scene.push(Output::Tell { device, change: Change::Line(line) });
        }
        let trunk = scene.trunk.view(Some(device));
        if trunk != self.told.trunk {
            self.told.trunk = trunk;
            scene.push(Output::Tell { device, change: Change::Trunk(trunk) });
        }
        let Some(session) = self.session.view(scene.campaign.pause.as_ref()) else { return };
        if session != self.told.session {
            self.told.session = session.clone();
            scene.push(Output::Tell { device, change: Change::Session(session) });
        }
    }

    fn closed(&mut self, closed: Closed, scene: &mut Scene<'_>) {
        scene.contact_is_due |= closed.contact_is_due;
        if let Some((stored, shown)) = closed.last {
            self.tell_last(shown, scene);
            self.last = Some(stored);
        }
        for (ticket, record) in closed.pressed {
            self.correct(ticket, record, None, scene);
        }
    }

    fn correct(
        &mut self,
        ticket: Ticket,
        record: RecordOutcome,
        stored: Option<StoredAttempt>,
        scene: &mut Scene<'_>,
    ) {
        let stored = stored.filter(|stored| stored.attempt == record.attempt_id);
        let last = self.last.as_ref().filter(|last| last.attempt == record.attempt_id);
        let Some(mut stored) = stored.or_else(|| last.cloned()) else {
            return scene.refuse(ticket, words::unknown_call());
        };
        // What was written since the store was read: it may have been read while the call went on, and then nobody had
        // seen its end.
        if let Some(last) = last {
            stored.may_have_talked = last.may_have_talked;
        }
        if let Some(last) = last.filter(|last| last.outcome_id > stored.outcome_id) {
            stored.outcome = last.outcome;
            stored.outcome_id = last.outcome_id;
        }
        // What is being written: presses may cross on their way.
        let pending = self.corrections.values().map(|correction| &correction.stored);
        let pending = pending.filter(|pending| pending.attempt == stored.attempt);
        let newest = pending.max_by_key(|pending| pending.outcome_id);
        if let Some(newest) = newest.filter(|newest| newest.outcome_id > stored.outcome_id) {
            stored.outcome = newest.outcome;
            stored.outcome_id = newest.outcome_id;
        }
        let Some(close) = attempt::correction(&stored, record, scene) else {
            return scene.done(ticket);
        };
        if close.outcome.needs_an_answer() && !stored.may_have_talked {
            return scene.refuse(ticket, words::nobody_answered());
        }
        // Of the last call it is taken, whatever it is. Older ones, of which there may be many, wait, and open no contact
        // whom somebody asked not to ring: that the volunteer has not just heard.
        let is_last = last.is_some() || stored.devices_last;
        if !is_last && stored.outcome == Some(Outcome::DoNotCall) && close.outcome != Outcome::DoNotCall {
            return scene.refuse(ticket, words::do_not_call_stands());
        }
        if !is_last && let Some(at) = scene.pace.may_pass_on_at(scene.now) {
            scene.goes_too_fast();
            return scene.refuse(ticket, words::corrected_many(scene.now.on_the_wall(at)));
        }
        let takes_one = !is_last || close.takes_off(&stored.contact);
        stored.take_in(&close);
        let shown = attempt::shown(&stored, &close, scene);
        let save = scene.save(Write::Close(close));
        self.corrections.insert(save, Correction { ticket, stored, shown, takes_one });
    }

    fn tell_last(&mut self, shown: LastOutcome, scene: &mut Scene<'_>) {
        self.told.last_outcome = Some(shown.clone());
        scene.push(Output::Tell { device: scene.device, change: Change::LastOutcome(Some(shown)) });
    }

    fn repeat(&mut self, write: Write, scene: &mut Scene<'_>) {
        let save = scene.save(write.clone());
        self.repeated.insert(save, write);
    }
}
