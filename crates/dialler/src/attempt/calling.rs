//! While there is a channel, and the wrap-up after it.

use protocol::{
    call as view,
    http::RecordOutcome,
    ids::AttemptId,
    outcome::{Outcome, WrittenBy},
    session::Session as SessionView,
};

use super::{Attempt, AttemptInput, Calling, Kept, Saving, Settling, WRAP_UP_LIMIT_MS, WrapUp};
use crate::{
    call::{Call, CallInput, Ended},
    cause::Sign,
    input::{ContactFacts, Lease, SaveId, Ticket},
    now::Now,
    output::{Keep, Output, Write},
    retry,
    scene::{self, Scene},
    words,
};

impl Calling {
    pub(super) fn id(&self) -> AttemptId {
        self.call.progress().attempt
    }

    pub(super) fn view(&self) -> SessionView {
        let card = self.lease.card.clone();
        let call = view::Call { attempt_id: self.id(), state: self.call.view() };
        match call.state {
            view::CallState::InLine { .. }
            | view::CallState::Dialling { .. }
            | view::CallState::Ringing { .. } => SessionView::Dialling { card, call },
            view::CallState::Talking { .. } => SessionView::Talking { card, call },
            view::CallState::Ended { .. } => SessionView::WrapUp { card, call },
        }
    }

    pub(super) fn handle(mut self, input: AttemptInput, scene: &mut Scene<'_>) -> Attempt {
        match input {
            AttemptInput::Callee(input) => return self.callee(input, scene),
            AttemptInput::HangUp { ticket } => {
                scene.done(ticket);
                return self.callee(CallInput::HangUp, scene);
            }
            AttemptInput::Revoked => return self.callee(CallInput::LineRevoked, scene),
            AttemptInput::Tick => {
                self.repeat_progress(scene);
                if scene.telephone {
                    return self.callee(CallInput::Tick, scene);
                }
            }
            AttemptInput::Record { ticket, record } => self.record(ticket, record, scene),
            AttemptInput::Dial { ticket, lease, .. } => {
                if lease == self.lease.id {
                    scene.dialled(ticket, self.id());
                } else {
                    scene.refuse(ticket, words::lease_lost());
                }
            }
            AttemptInput::Settle { ticket, .. } => {
                scene.refuse(ticket, words::wrong_state("This person is in a call with you"));
            }
            AttemptInput::Saved(save) => self.progress.saved(save),
            AttemptInput::SaveFailed(save, _) => self.progress.failed(save, scene.now),
            AttemptInput::Place => scene.unexpected("attempt calling", "a place on the trunk"),
            AttemptInput::Ping | AttemptInput::GiveBack => {}
        }
        Attempt::Calling(self)
    }

    fn callee(mut self, input: CallInput, scene: &mut Scene<'_>) -> Attempt {
        let before = self.call.progress();
        // Said once, when it happens: while they talk, others may find the trunk shut.
        let had_reached = self.call.reached_a_telephone();
        self.call = self.call.handle(input, scene);
        if let Call::Ended(ended) = self.call {
            let sign = if had_reached { Sign::Nothing } else { ended.sign() };
            scene.trunk.heard(sign, scene.device, &self.lease.contact.number, scene.now);
            return over(self.lease, ended, self.kept, scene);
        }
        if !had_reached && self.call.reached_a_telephone() {
            scene.trunk.reached(scene.now);
        }
        let after = self.call.progress();
        if after != before {
            self.progress.start(scene.save(Write::Progress(after)));
        }
        Attempt::Calling(self)
    }

    fn repeat_progress(&mut self, scene: &mut Scene<'_>) {
        if self.progress.again_at.is_some_and(|at| scene.now.steady >= at) {
            let save = scene.save(Write::Progress(self.call.progress()));
            self.progress.again_at = None;
            self.progress.save = Some(save);
        }
    }

    /// The newest press counts. The ticket is answered by the seat when the write is done.
    fn record(&mut self, ticket: Ticket, record: RecordOutcome, scene: &mut Scene<'_>) {
        if record.attempt_id != self.id() {
            return scene.refuse(ticket, words::no_such_call());
        }
        if self.kept.as_ref().is_some_and(|kept| kept.id > record.id) {
            return scene.done(ticket);
        }
        if record.outcome.needs_an_answer() && self.call.is_unanswered(scene) {
            return scene.refuse(ticket, words::nobody_answered());
        }
        let kept = Kept::new(record, &self.lease.contact, scene);
        let save = scene.save(Write::Keep(kept.write(self.id(), scene)));
        scene.waits(save, ticket);
        self.kept = Some(kept);
    }
}

impl Saving {
    fn start(&mut self, save: SaveId) {
        *self = Saving { save: Some(save), tries: 0, again_at: None };
    }

    fn saved(&mut self, save: SaveId) {
        if self.save == Some(save) {
            *self = Saving::default();
        }
    }

    fn failed(&mut self, save: SaveId, now: Now) {
        if self.save == Some(save) {
            self.tries += 1;
            self.save = None;
            self.again_at = Some(scene::again_at(now, self.tries));
        }
    }
}

impl Kept {
    pub(super) fn new(record: RecordOutcome, contact: &ContactFacts, scene: &Scene<'_>) -> Self {
        let again_at = retry::asked_for(&record, contact, scene.campaign, scene.now.wall);
        Kept { id: record.id, outcome: record.outcome, note: record.note, again_at }
    }

    fn write(&self, attempt: AttemptId, scene: &Scene<'_>) -> Keep {
        Keep {
            attempt,
            device: scene.device,
            id: self.id,
            outcome: self.outcome,
            note: self.note.clone(),
            again_at: self.again_at,
        }
    }
}

/// A call ended: what was pressed counts most, then what the call itself says, then a key. What can only be said of a
/// conversation counts for nothing where there was none: it was kept while nobody knew.
fn over(lease: Lease, ended: Ended, kept: Option<Kept>, scene: &mut Scene<'_>) -> Attempt {
    scene.push(Output::CallOver { attempt: ended.attempt });
    let holds = |kept: &Kept| ended.may_have_talked() || !kept.outcome.needs_an_answer();
    if let Some(kept) = kept.filter(holds) {
        return Settling::by_volunteer(lease, ended, kept, None, None, scene);
    }
    if let Some(verdict) = ended.verdict.clone() {
        return Settling::by_verdict(lease, ended, verdict, scene);
    }
    let until = scene.now.steady + WRAP_UP_LIMIT_MS;
    let mut wrap_up = WrapUp { lease, ended, until, progress: Saving::default() };
    wrap_up.progress.start(scene.save(Write::Progress(wrap_up.ended.progress("wrap-up"))));
    Attempt::WrapUp(wrap_up)
}

/// What the volunteer sees between the end of a call and the key.
pub(super) fn wrap_up_view(lease: &Lease, ended: &Ended) -> SessionView {
    let call = view::Call { attempt_id: ended.attempt, state: ended.view() };
    SessionView::WrapUp { card: lease.card.clone(), call }
}

impl WrapUp {
    pub(super) fn handle(mut self, input: AttemptInput, scene: &mut Scene<'_>) -> Attempt {
        match input {
            AttemptInput::Record { ticket, record } => return self.record(ticket, record, scene),
            AttemptInput::Tick if scene.now.steady >= self.until => {
                return self.unknown("no key within 30 minutes", scene);
            }
            AttemptInput::Revoked => return self.unknown("the device was switched off", scene),
            AttemptInput::Tick => {
                if self.progress.again_at.is_some_and(|at| scene.now.steady >= at) {
                    let save = scene.save(Write::Progress(self.ended.progress("wrap-up")));
                    self.progress.again_at = None;
                    self.progress.save = Some(save);
                }
            }
            AttemptInput::HangUp { ticket } => scene.done(ticket),
            AttemptInput::Dial { ticket, lease, .. } => {
                if lease == self.lease.id {
                    scene.dialled(ticket, self.ended.attempt);
                } else {
                    scene.refuse(ticket, words::lease_lost());
                }
            }
            AttemptInput::Settle { ticket, .. } => {
                scene.refuse(ticket, words::wrong_state("This person was rung. Record an outcome instead"));
            }
            AttemptInput::Saved(save) => self.progress.saved(save),
            AttemptInput::SaveFailed(save, _) => self.progress.failed(save, scene.now),
            // The channel is gone; its last news may still be under way.
            AttemptInput::Callee(_) | AttemptInput::Ping | AttemptInput::GiveBack => {}
            AttemptInput::Place => scene.unexpected("attempt wrap-up", "a place on the trunk"),
        }
        Attempt::WrapUp(self)
    }

    fn record(self, ticket: Ticket, record: RecordOutcome, scene: &mut Scene<'_>) -> Attempt {
        if record.attempt_id != self.ended.attempt {
            scene.refuse(ticket, words::no_such_call());
            return Attempt::WrapUp(self);
        }
        let kept = Kept::new(record, &self.lease.contact, scene);
        let back = Box::new(Attempt::WrapUp(WrapUp {
            lease: self.lease.clone(),
            ended: self.ended.clone(),
            until: self.until,
            // If that write fails, the columns of the wrap-up are worth another try.
            progress: Saving { save: None, tries: 1, again_at: Some(scene.now.steady) },
        }));
        Settling::by_volunteer(self.lease, self.ended, kept, Some(ticket), Some(back), scene)
    }

    fn unknown(self, note: &str, scene: &mut Scene<'_>) -> Attempt {
        let note = Some(note.to_owned());
        Settling::by_server(self.lease, self.ended, Outcome::Unknown, WrittenBy::Server, note, scene)
    }
}
