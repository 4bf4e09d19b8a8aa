//! An attempt to reach one contact: from the lease to the outcome in the store.
//!
//! | state | input | state | outputs |
//! | --- | --- | --- | --- |
//! | leased | Ping | leased | Save Renew, when less than 60 s are left |
//! | leased | Dial | committing | Save Attempt |
//! | leased | Dial, the trunk has no place (channels.rs), or the last call was just now (pace.rs) | in line | Answer in line |
//! | in line | Place: its turn has come | committing | Save Attempt |
//! | in line | HangUp; line or Asterisk are gone; the trunk is shut | leased | |
//! | in line | GiveBack, revoked; lease or hours over | settling | Save Release |
//! | leased | Dial, a rule forbids it | settling | Answer refused, Save Release |
//! | leased | Dial, the store does not hold it any more | closed | Answer refused |
//! | leased | Settle, GiveBack; lease or hours over | settling | Save Release |
//! | leased | Settle, too many were passed on before | leased | Answer refused |
//! | committing | Saved | calling | Answer dialled, CreateChannel |
//! | committing | Saved, but line or Asterisk are gone | settling | Answer dialled, Save Close `unknown` |
//! | committing | SaveFailed | leased; closed if the lease was lost | Answer refused |
//! | calling | of the callee's channel | calling | as call.rs says; Save Progress at each new state |
//! | calling | Record | calling | Save Keep |
//! | calling | Record, of a conversation, and nobody has answered | calling | Answer refused |
//! | calling | the call ends, outcome known or kept | settling | Save Close |
//! | calling | the call ends | wrap-up | Save Progress |
//! | wrap-up | Record; 30 min; revoked | settling | Save Close |
//! | settling | Saved | closed | Answer done |
//! | settling | SaveFailed, a volunteer waits | as before the request | Answer refused |
//! | settling | SaveFailed, nobody waits | settling | the same Save later |
//! | settling | Record | settling | answered when the write is |
//!
//! A card that comes back to a seat which paused or stopped meanwhile, as its write failed, goes at once
//! (session.rs).
//!
//! In the store `leased`, `in line`, `committing` and a settling lease are a lease without an attempt;
//! `calling` is `dialling`, `ringing` or `talking`. Nothing is created before it was committed,
//! and nothing that was dialled is dialled again.

mod calling;
mod in_line;
mod leased;
mod settling;

pub(crate) use settling::{correction, shown};

use protocol::{
    attempt::LastOutcome,
    http::{RecordOutcome, Settle},
    ids::{AttemptId, ContactId, LeaseId, OutcomeId},
    number::Number,
    outcome::{Outcome, WrittenBy},
    session::Session as SessionView,
};

use crate::{
    call::{Call, CallInput, Ended},
    input::{CampaignRules, ContactFacts, Lease, SaveId, SaveRefused, StoredAttempt, Ticket},
    now::Now,
    output::{Released, Write},
    rules::{self, MINUTE, SECOND},
    scene::Scene,
    times,
};

/// A lease that is not renewed lasts so long, milliseconds.
pub const LEASE_MS: i64 = 90 * SECOND;

/// A ping renews a lease that has less than this left.
const RENEW_BELOW: i64 = 60 * SECOND;

/// A wrap-up without a key ends as `unknown` after this.
pub const WRAP_UP_LIMIT_MS: i64 = 30 * MINUTE;

#[derive(Debug)]
pub(crate) enum Attempt {
    Leased(Leased),
    InLine(InLine),
    Committing(Committing),
    Calling(Calling),
    WrapUp(WrapUp),
    Settling(Settling),
    Closed(Closed),
}

#[derive(Debug, Clone)]
pub(crate) struct Leased {
    lease: Lease,
    /// When to see whether it is too late to ring this contact today.
    look_at: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct InLine {
    leased: Leased,
    /// What the attempt will be called, if it comes to one.
    attempt: AttemptId,
    /// When Call was pressed, on the wall.
    since: i64,
    /// It waits for nothing but the time between two calls (pace.rs) until then; steady.
    rests_until: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Committing {
    lease: Lease,
    attempt: AttemptId,
    dialled: Now,
    save: SaveId,
    tickets: Vec<Ticket>,
}

#[derive(Debug)]
pub(crate) struct Calling {
    lease: Lease,
    call: Call,
    kept: Option<Kept>,
    progress: Saving,
}

/// A key pressed while they talk.
#[derive(Debug, Clone)]
struct Kept {
    id: OutcomeId,
    outcome: Outcome,
    note: Option<String>,
    again_at: Option<i64>,
}

/// Where the newest Save Progress is.
#[derive(Debug, Clone, Default)]
struct Saving {
    save: Option<SaveId>,
    tries: u32,
    again_at: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct WrapUp {
    lease: Lease,
    ended: Ended,
    /// When it ends without a key.
    until: i64,
    progress: Saving,
}

/// The last write of a lease is under way.
#[derive(Debug)]
pub(crate) struct Settling {
    lease: Lease,
    /// The call, if there was one.
    ended: Option<Ended>,
    write: Write,
    save: Option<SaveId>,
    tries: u32,
    again_at: Option<i64>,
    /// Who waits for the write.
    ticket: Option<Ticket>,
    /// What to go back to if it fails; `None`: it is tried again.
    back: Option<Box<Attempt>>,
    /// Keys pressed meanwhile.
    pressed: Vec<(Ticket, RecordOutcome)>,
}

/// Over, and written.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    /// What may be corrected, and what the volunteer is told; `None` if nobody was dialled.
    pub last: Option<(StoredAttempt, LastOutcome)>,
    /// The contact may be claimed by another volunteer now.
    pub contact_is_due: bool,
    /// Keys pressed while the outcome was being written: corrections.
    pub pressed: Vec<(Ticket, RecordOutcome)>,
}

/// What other seats do while this one dials.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Elsewhere {
    /// The number is in a call.
    pub number_busy: bool,
    /// How many calls have not reached a telephone yet.
    pub under_way: usize,
}

#[derive(Debug)]
pub(crate) enum AttemptInput {
    Ping,
    Dial {
        ticket: Ticket,
        lease: LeaseId,
        attempt: AttemptId,
        facts: Option<ContactFacts>,
        elsewhere: Elsewhere,
    },
    /// The trunk has a place for it now.
    Place,
    Settle {
        ticket: Ticket,
        lease: LeaseId,
        how: Settle,
    },
    /// Pause, stop: the card goes back, unless it was dialled.
    GiveBack,
    Record {
        ticket: Ticket,
        record: RecordOutcome,
    },
    HangUp {
        ticket: Ticket,
    },
    Callee(CallInput),
    /// The device is switched off.
    Revoked,
    Saved(SaveId),
    SaveFailed(SaveId, SaveRefused),
    Tick,
}

impl Attempt {
    /// A contact was leased for this seat. It is given back at once if a rule forbids the call.
    pub fn leased(mut lease: Lease, scene: &mut Scene<'_>) -> Self {
        lease.card.times = times::of(&lease.contact, scene.campaign, scene.now.wall);
        match rules::may_ring(&lease.contact, scene.campaign, scene.now.wall) {
            Ok(()) => Attempt::Leased(Leased::new(lease, scene)),
            Err(refusal) => {
                let how = Released::Refused { due_at: refusal.until };
                Attempt::Settling(Settling::release(lease, how, None, None, scene))
            }
        }
    }

    /// A contact was leased for a seat that has no use for it any more.
    pub fn give_back(lease: Lease, how: Released, scene: &mut Scene<'_>) -> Self {
        Attempt::Settling(Settling::release(lease, how, None, None, scene))
    }

    /// An attempt of the store that was open when the server stopped.
    pub fn adopted_call(
        mut lease: Lease,
        call: Call,
        kept: Option<RecordOutcome>,
        scene: &Scene<'_>,
    ) -> Self {
        lease.card.times = times::of(&lease.contact, scene.campaign, scene.now.wall);
        let kept = kept.map(|record| Kept::new(record, &lease.contact, scene));
        Attempt::Calling(Calling { lease, call, kept, progress: Saving::default() })
    }

    /// A wrap-up of the store that was open when the server stopped.
    pub fn adopted_wrap_up(mut lease: Lease, ended: Ended, scene: &Scene<'_>) -> Self {
        let now = scene.now;
        lease.card.times = times::of(&lease.contact, scene.campaign, now.wall);
        let lasted = (now.wall - ended.at).clamp(0, WRAP_UP_LIMIT_MS);
        let until = now.steady + WRAP_UP_LIMIT_MS - lasted;
        Attempt::WrapUp(WrapUp { lease, ended, until, progress: Saving::default() })
    }

    /// An attempt of the store that was open when the server stopped, and that nobody may go on with.
    pub fn adopted_to_close(
        lease: Lease,
        ended: Ended,
        kept: Option<RecordOutcome>,
        scene: &mut Scene<'_>,
    ) -> Self {
        if let Some(record) = kept {
            let kept = Kept::new(record, &lease.contact, scene);
            return Settling::by_volunteer(lease, ended, kept, None, None, scene);
        }
        let note =
            Some("the server was away, and the campaign's settings are not allowed any more".to_owned());
        Settling::by_server(lease, ended, Outcome::Unknown, WrittenBy::Server, note, scene)
    }

    pub fn handle(self, input: AttemptInput, scene: &mut Scene<'_>) -> Self {
        match self {
            Attempt::Leased(leased) => leased.handle(input, scene),
            Attempt::InLine(in_line) => in_line.handle(input, scene),
            Attempt::Committing(committing) => committing.handle(input, scene),
            Attempt::Calling(calling) => calling.handle(input, scene),
            Attempt::WrapUp(wrap_up) => wrap_up.handle(input, scene),
            Attempt::Settling(settling) => settling.handle(input, scene),
            Attempt::Closed(closed) => Attempt::Closed(closed),
        }
    }

    pub fn lease(&self) -> Option<&Lease> {
        match self {
            Attempt::Leased(Leased { lease, .. })
            | Attempt::InLine(InLine { leased: Leased { lease, .. }, .. })
            | Attempt::Committing(Committing { lease, .. })
            | Attempt::Calling(Calling { lease, .. })
            | Attempt::WrapUp(WrapUp { lease, .. })
            | Attempt::Settling(Settling { lease, .. }) => Some(lease),
            Attempt::Closed(_) => None,
        }
    }

    pub fn contact(&self) -> Option<ContactId> {
        self.lease().map(|lease| lease.contact.contact)
    }

    /// A card that nobody dialled.
    pub fn is_card(&self) -> bool {
        matches!(self, Attempt::Leased(_) | Attempt::InLine(_))
    }

    /// It has a place on the trunk, and no channel yet.
    pub fn is_committing(&self) -> bool {
        matches!(self, Attempt::Committing(_))
    }

    /// The number that is being rung or talked to, or will be in a moment: nobody else rings it.
    pub fn number_in_a_call(&self) -> Option<&Number> {
        match self {
            Attempt::InLine(InLine { leased: Leased { lease, .. }, .. })
            | Attempt::Committing(Committing { lease, .. })
            | Attempt::Calling(Calling { lease, .. }) => Some(&lease.contact.number),
            Attempt::Leased(_) | Attempt::WrapUp(_) | Attempt::Settling(_) | Attempt::Closed(_) => None,
        }
    }

    /// The attempt's id, once Call was pressed for it.
    pub fn id(&self) -> Option<AttemptId> {
        match self {
            Attempt::InLine(in_line) => Some(in_line.attempt),
            Attempt::Committing(committing) => Some(committing.attempt),
            Attempt::Calling(calling) => Some(calling.id()),
            Attempt::WrapUp(wrap_up) => Some(wrap_up.ended.attempt),
            Attempt::Settling(Settling { write: Write::Close(close), .. }) => Some(close.attempt),
            Attempt::Leased(_) | Attempt::Settling(_) | Attempt::Closed(_) => None,
        }
    }

    pub fn is_calling(&self) -> bool {
        matches!(self, Attempt::Calling(_))
    }

    /// It is being dialled, and has not reached a telephone yet.
    pub fn is_under_way(&self) -> bool {
        match self {
            Attempt::Committing(_) => true,
            Attempt::Calling(calling) => !calling.call.reached_a_telephone(),
            Attempt::Leased(_)
            | Attempt::InLine(_)
            | Attempt::WrapUp(_)
            | Attempt::Settling(_)
            | Attempt::Closed(_) => false,
        }
    }

    /// What the volunteer sees; `None`: what they saw last, for the moment of a write.
    pub fn view(&self) -> Option<SessionView> {
        match self {
            Attempt::Leased(leased) => Some(SessionView::Ready { card: leased.lease.card.clone() }),
            Attempt::InLine(in_line) => Some(in_line.view()),
            Attempt::Committing(_) | Attempt::Closed(_) => None,
            Attempt::Calling(calling) => Some(calling.view()),
            Attempt::WrapUp(wrap_up) => Some(calling::wrap_up_view(&wrap_up.lease, &wrap_up.ended)),
            Attempt::Settling(settling) => settling.view(),
        }
    }

    pub fn next_wake(&self, campaign: &CampaignRules, telephone: bool) -> Option<i64> {
        match self {
            Attempt::Leased(leased) => leased.next_wake(),
            Attempt::InLine(InLine { leased, rests_until, .. }) => {
                leased.next_wake().into_iter().chain(*rests_until).min()
            }
            Attempt::Committing(_) | Attempt::Closed(_) => None,
            Attempt::Calling(calling) => {
                let call = if telephone { calling.call.next_wake(campaign.ring_timeout_ms) } else { None };
                call.into_iter().chain(calling.progress.again_at).min()
            }
            Attempt::WrapUp(wrap_up) => wrap_up.progress.again_at.into_iter().chain([wrap_up.until]).min(),
            Attempt::Settling(settling) => settling.again_at,
        }
    }
}
