//! The last write of a lease, and corrections of what was written.

use protocol::{
    attempt::LastOutcome,
    call::EndedBy,
    http::RecordOutcome,
    ids::AttemptId,
    outcome::{Outcome, WrittenBy},
    session::{Session as SessionView, Waiting},
};

use super::{Attempt, AttemptInput, Closed, Kept, Settling};
use crate::{
    call::Ended,
    cause::{self, Counts, Ending, NORMAL_CLEARING, Sign, Verdict},
    input::{Lease, StoredAttempt, Ticket},
    output::{Close, ContactNext, DoNotCall, Output, Release, Released, Write},
    retry,
    scene::{self, Scene},
    times, words,
};

/// So many attempts at a number may go uncounted while the trunk is open for others: then the number is at fault.
const UNCOUNTED_AT_MOST: u32 = 3;

impl Settling {
    /// The lease ends without a call.
    pub(super) fn release(
        lease: Lease,
        how: Released,
        ticket: Option<Ticket>,
        back: Option<Box<Attempt>>,
        scene: &mut Scene<'_>,
    ) -> Self {
        let write = Write::Release(Release {
            lease: lease.id,
            device: scene.device,
            contact: lease.contact.contact,
            how,
            at: scene.now.wall,
        });
        Self::start(lease, None, write, ticket, back, scene)
    }

    /// A key was pressed.
    pub(super) fn by_volunteer(
        lease: Lease,
        ended: Ended,
        kept: Kept,
        ticket: Option<Ticket>,
        back: Option<Box<Attempt>>,
        scene: &mut Scene<'_>,
    ) -> Attempt {
        let write = Write::Close(close(&lease, &ended, kept, scene));
        Attempt::Settling(Self::start(lease, Some(ended), write, ticket, back, scene))
    }

    /// No key was needed: the call itself says what came of it.
    pub(super) fn by_verdict(
        mut lease: Lease,
        ended: Ended,
        verdict: Verdict,
        scene: &mut Scene<'_>,
    ) -> Attempt {
        // A trunk that is shut is to blame for whatever does not go through; one that is open is believed so often.
        let speaks_against = matches!(verdict.sign, Sign::Against(_) | Sign::Doubtful(_));
        let against = speaks_against && scene.trunk.is_shut();
        let has_counted = match verdict.counts {
            Counts::Yes => true,
            Counts::No => false,
            Counts::UnlessRepeated => !scene.trunk.fails_several(),
        };
        let keeps_promise = lease.contact.promised.is_none() || ended.reached_somebody();
        let counts =
            !against && (has_counted && keeps_promise || lease.contact.uncounted >= UNCOUNTED_AT_MOST);
        if counts {
            return Self::by_server(lease, ended, verdict.outcome, verdict.by, verdict.note, scene);
        }
        retry::uncount(&mut lease.contact);
        let next = retry::after_nothing(&lease.contact, scene.campaign, scene.now.wall);
        Self::close(lease, ended, (verdict.outcome, verdict.by, verdict.note), false, next, scene)
    }

    /// The server says what came of it.
    pub(super) fn by_server(
        lease: Lease,
        ended: Ended,
        outcome: Outcome,
        by: WrittenBy,
        note: Option<String>,
        scene: &mut Scene<'_>,
    ) -> Attempt {
        let next = retry::after(outcome, None, &lease.contact, scene.campaign, scene.now.wall);
        Self::close(lease, ended, (outcome, by, note), true, next, scene)
    }

    fn close(
        lease: Lease,
        ended: Ended,
        (outcome, by, note): (Outcome, WrittenBy, Option<String>),
        counts: bool,
        next: ContactNext,
        scene: &mut Scene<'_>,
    ) -> Attempt {
        let write = Write::Close(Close {
            attempt: ended.attempt,
            lease: lease.id,
            device: scene.device,
            outcome,
            by,
            id: None,
            note,
            again_at: None,
            call: Some(ended.progress("closed")),
            given_up: ended.given_up,
            counts,
            contact: Some(next),
            contact_id: lease.contact.contact,
            do_not_call: DoNotCall::Leave,
            at: scene.now.wall,
        });
        Attempt::Settling(Self::start(lease, Some(ended), write, None, None, scene))
    }

    /// Committed, but there was nothing left to dial with. It counts as dialled all the same, unless it was promised:
    /// what was committed is never originated later.
    pub(super) fn never_dialled(lease: Lease, attempt: AttemptId, scene: &mut Scene<'_>) -> Attempt {
        let ended = Ended {
            attempt,
            ringing_at: None,
            answered_at: None,
            at: scene.now.wall,
            by: EndedBy::Server,
            // This end was seen: nobody can have talked.
            ending: Some(Ending { cause: NORMAL_CLEARING, sip: None }),
            verdict: None,
            given_up: true,
        };
        scene.push(Output::CallOver { attempt });
        scene.trunk.heard(Sign::Nothing, scene.device, &lease.contact.number, scene.now);
        Self::by_verdict(lease, ended, cause::never_dialled(), scene)
    }

    fn start(
        lease: Lease,
        ended: Option<Ended>,
        write: Write,
        ticket: Option<Ticket>,
        back: Option<Box<Attempt>>,
        scene: &mut Scene<'_>,
    ) -> Self {
        let save = Some(scene.save(write.clone()));
        Settling { lease, ended, write, save, tries: 0, again_at: None, ticket, back, pressed: Vec::new() }
    }

    /// Nothing for the moment of a write; one that fails shows what it holds up.
    pub(super) fn view(&self) -> Option<SessionView> {
        match &self.ended {
            _ if self.tries == 0 => None,
            Some(ended) => Some(super::calling::wrap_up_view(&self.lease, ended)),
            None => Some(SessionView::Waiting { why: Waiting::NoStorage }),
        }
    }

    pub(super) fn handle(mut self, input: AttemptInput, scene: &mut Scene<'_>) -> Attempt {
        match input {
            AttemptInput::Saved(save) if self.save == Some(save) => return self.closed(scene),
            AttemptInput::SaveFailed(save, _) if self.save == Some(save) => return self.failed(scene),
            AttemptInput::Tick => {
                if self.again_at.is_some_and(|at| scene.now.steady >= at) {
                    self.save = Some(scene.save(self.write.clone()));
                    self.again_at = None;
                }
            }
            AttemptInput::Record { ticket, record } => self.record(ticket, record, scene),
            AttemptInput::Dial { ticket, lease, .. } => match &self.write {
                Write::Close(close) if close.lease == lease => scene.dialled(ticket, close.attempt),
                Write::Close(_)
                | Write::Attempt(_)
                | Write::Progress(_)
                | Write::Keep(_)
                | Write::Release(_)
                | Write::Renew { .. } => scene.refuse(ticket, words::lease_lost()),
            },
            AttemptInput::Settle { ticket, .. } => {
                scene.refuse(ticket, words::wrong_state("This card is being given back"));
            }
            AttemptInput::HangUp { ticket } => scene.done(ticket),
            AttemptInput::Place => scene.unexpected("attempt settling", "a place on the trunk"),
            AttemptInput::Callee(_)
            | AttemptInput::Ping
            | AttemptInput::GiveBack
            | AttemptInput::Revoked
            | AttemptInput::Saved(_)
            | AttemptInput::SaveFailed(..) => {}
        }
        Attempt::Settling(self)
    }

    /// A key while the outcome is being written: a correction after that write, or instead of it
    /// where that write waits for another try.
    fn record(&mut self, ticket: Ticket, record: RecordOutcome, scene: &mut Scene<'_>) {
        let (Some(ended), Write::Close(written)) = (&self.ended, &self.write) else {
            return scene.refuse(ticket, words::no_such_call());
        };
        if record.attempt_id != ended.attempt {
            return scene.refuse(ticket, words::no_such_call());
        }
        if self.save.is_some() {
            return self.pressed.push((ticket, record));
        }
        if written.id.is_some_and(|id| id > record.id) {
            return self.pressed.push((ticket, record));
        }
        if record.outcome.needs_an_answer() && !ended.may_have_talked() {
            return scene.refuse(ticket, words::nobody_answered());
        }
        let kept = Kept::new(record, &self.lease.contact, scene);
        self.write = Write::Close(close(&self.lease, ended, kept, scene));
        self.save = Some(scene.save(self.write.clone()));
        self.again_at = None;
        self.ticket = Some(ticket);
    }

    fn failed(mut self, scene: &mut Scene<'_>) -> Attempt {
        for ticket in self.ticket.take().into_iter().chain(self.pressed.drain(..).map(|(ticket, _)| ticket)) {
            scene.refuse(ticket, words::no_storage());
        }
        if let Some(back) = self.back {
            return *back;
        }
        self.tries += 1;
        self.save = None;
        self.again_at = Some(scene::again_at(scene.now, self.tries));
        Attempt::Settling(self)
    }

    fn closed(self, scene: &mut Scene<'_>) -> Attempt {
        if let Some(ticket) = self.ticket {
            scene.done(ticket);
        }
        let now = scene.now.wall;
        let due = |next: Option<ContactNext>| matches!(next, Some(ContactNext::Due(at)) if at <= now);
        let (last, contact_is_due) = match self.write {
            Write::Close(close) => {
                let given_up = self.ended.as_ref().is_some_and(|ended| ended.given_up);
                if given_up || close.takes_off(&self.lease.contact) {
                    scene.took_off();
                }
                let may_have_talked = self.ended.as_ref().is_some_and(Ended::may_have_talked);
                (Some(last(&self.lease, &close, may_have_talked, scene)), due(close.contact))
            }
            Write::Release(release) => {
                if release.how.is_passed_on() {
                    scene.took_off();
                }
                let is_due =
                    matches!(release.how, Released::Expired | Released::GivenBack | Released::Skipped { .. });
                (None, is_due)
            }
            Write::Attempt(_) | Write::Progress(_) | Write::Keep(_) | Write::Renew { .. } => (None, false),
        };
        Attempt::Closed(Closed { last, contact_is_due, pressed: self.pressed })
    }
}

fn close(lease: &Lease, ended: &Ended, kept: Kept, scene: &Scene<'_>) -> Close {
    let next = retry::after(kept.outcome, kept.again_at, &lease.contact, scene.campaign, scene.now.wall);
    Close {
        attempt: ended.attempt,
        lease: lease.id,
        device: scene.device,
        outcome: kept.outcome,
        by: WrittenBy::Volunteer,
        id: Some(kept.id),
        note: kept.note,
        again_at: kept.again_at,
        call: Some(ended.progress("closed")),
        given_up: ended.given_up,
        counts: true,
        contact: Some(next),
        contact_id: lease.contact.contact,
        do_not_call: if kept.outcome == Outcome::DoNotCall { DoNotCall::Add } else { DoNotCall::Leave },
        at: scene.now.wall,
    }
}

fn last(
    lease: &Lease,
    close: &Close,
    may_have_talked: bool,
    scene: &Scene<'_>,
) -> (StoredAttempt, LastOutcome) {
    let mut contact = lease.contact.clone();
    contact.open = matches!(close.contact, Some(ContactNext::Due(_)));
    contact.do_not_call |= close.do_not_call == DoNotCall::Add;
    let stored = StoredAttempt {
        attempt: close.attempt,
        lease: lease.id,
        contact,
        name: lease.card.name.clone(),
        ended_at: close.call.as_ref().and_then(|call| call.ended_at).unwrap_or(scene.now.wall),
        outcome: Some(close.outcome),
        outcome_id: close.id,
        latest: true,
        devices_last: true,
        may_have_talked,
    };
    let shown = shown(&stored, close, scene);
    (stored, shown)
}

/// What the volunteer is told of a closed attempt.
pub(crate) fn shown(stored: &StoredAttempt, close: &Close, scene: &Scene<'_>) -> LastOutcome {
    let again_at_ms = match close.contact {
        Some(ContactNext::Due(at)) if close.outcome == Outcome::Callback => Some(at),
        Some(ContactNext::Due(_) | ContactNext::Done) | None => None,
    };
    LastOutcome {
        attempt_id: close.attempt,
        name: stored.name.clone(),
        outcome: close.outcome,
        by: close.by,
        again_at_ms,
        times: times::of(&stored.contact, scene.campaign, scene.now.wall),
        keys: Outcome::keys_after(stored.may_have_talked),
    }
}

impl StoredAttempt {
    /// What a correction makes of it.
    pub(crate) fn take_in(&mut self, close: &Close) {
        self.outcome = Some(close.outcome);
        self.outcome_id = close.id;
        if let Some(next) = close.contact {
            self.contact.open = matches!(next, ContactNext::Due(_));
        }
        match close.do_not_call {
            DoNotCall::Leave => {}
            DoNotCall::Add => self.contact.do_not_call = true,
            DoNotCall::TakeBack => self.contact.do_not_call = false,
        }
    }
}

/// What a key pressed for a closed attempt changes; `None` if a newer press was applied before.
pub(crate) fn correction(stored: &StoredAttempt, record: RecordOutcome, scene: &Scene<'_>) -> Option<Close> {
    if stored.outcome_id.is_some_and(|applied| applied >= record.id) {
        return None;
    }
    let again_at = retry::asked_for(&record, &stored.contact, scene.campaign, scene.now.wall);
    // A contact that was rung again since keeps what came of that, unless nobody may ring it now.
    let next = retry::after(record.outcome, again_at, &stored.contact, scene.campaign, stored.ended_at);
    let contact = (stored.latest || record.outcome == Outcome::DoNotCall).then_some(next);
    // Whatever was pressed before: of presses that crossed, one whose write failed may have been the last to
    // take the number off, and it is taken off only if this attempt put it there.
    let do_not_call = if record.outcome == Outcome::DoNotCall { DoNotCall::Add } else { DoNotCall::TakeBack };
    Some(Close {
        attempt: stored.attempt,
        lease: stored.lease,
        device: scene.device,
        outcome: record.outcome,
        by: WrittenBy::Volunteer,
        id: Some(record.id),
        note: record.note,
        again_at,
        call: None,
        given_up: false,
        counts: true,
        contact,
        contact_id: stored.contact.contact,
        do_not_call,
        at: scene.now.wall,
    })
}
