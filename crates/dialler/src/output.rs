//! What the dialler wants done.

use protocol::{
    call::EndedBy,
    events::Change,
    http::ApiError,
    ids::{AttemptId, CampaignId, ContactId, DeviceId, LeaseId, OutcomeId},
    number::Number,
    outcome::{Outcome, WrittenBy},
    trunk::Trunk,
};

use crate::input::{ContactFacts, Fault, LineId, LineToken, SaveId, Ticket};

/// Something to do. To be carried out in the order in which they come.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// The answer to an [`crate::Input::Ask`].
    Answer {
        /// Of the request.
        ticket: Ticket,
        /// The answer, or the refusal for the app.
        answer: Result<Answer, ApiError>,
    },
    /// Claim a due contact for this device; answer with [`crate::Input::Leased`],
    /// [`crate::Input::NobodyDue`] or [`crate::Input::LeaseFailed`].
    WantLease {
        /// For whom.
        device: DeviceId,
        /// From which list.
        campaign: CampaignId,
    },
    /// Write to the store, in one transaction; answer with [`crate::Input::Saved`] or
    /// [`crate::Input::SaveFailed`]. The same write may come again after a failure.
    Save {
        /// Goes back with the answer.
        save: SaveId,
        /// What.
        write: Write,
    },

    /// Call the app and put its channel into the device's bridge; made if it is not there.
    MakeLine {
        /// Whose.
        device: DeviceId,
        /// The channel's id.
        line: LineId,
        /// For the `X-Line-Token` header.
        token: LineToken,
    },
    /// Hang up a line's channel; [`crate::Input::LineGone`] follows, also if it is gone already.
    DropLine {
        /// Which.
        line: LineId,
    },
    /// `channels/create` with the attempt's id; whom to ring is in the attempt that was saved. Never comes
    /// before it was saved, and once for an attempt.
    CreateChannel {
        /// The attempt, and the channel's id.
        attempt: AttemptId,
        /// For whom.
        device: DeviceId,
    },
    /// Put the callee's channel into the device's bridge.
    JoinBridge {
        /// The channel.
        attempt: AttemptId,
        /// Whose bridge.
        device: DeviceId,
    },
    /// Dial the callee's channel.
    DialChannel {
        /// The channel.
        attempt: AttemptId,
        /// For Asterisk, while the server is away: milliseconds until it gives up by itself.
        /// Longer than the campaign's ring timeout, so that R05 holds after a slow set-up.
        timeout_ms: i64,
    },
    /// See whether the provider has answered the INVITE by now, with any answer; if it has not,
    /// [`crate::Input::CalleeUnheard`] follows. Before a [`Output::HangUp`] it is to be asked before.
    LookForReply {
        /// The channel.
        attempt: AttemptId,
    },
    /// Hang up the callee's channel; [`crate::Input::CalleeGone`] follows, also if it is gone
    /// already.
    HangUp {
        /// The channel.
        attempt: AttemptId,
        /// Why, for the log.
        why: HangUpWhy,
    },
    /// Play to the callee, once; [`crate::Input::AnnouncementDone`] follows.
    Announce {
        /// To whom.
        attempt: AttemptId,
        /// What.
        what: Announcement,
    },
    /// Stop what is being played to the callee.
    StopAnnouncement {
        /// To whom.
        attempt: AttemptId,
    },

    /// A call is over in the books: a channel of it that lives on all the same belongs to nobody.
    CallOver {
        /// Which.
        attempt: AttemptId,
    },

    /// A part of what the volunteer sees is new.
    Tell {
        /// Whom.
        device: DeviceId,
        /// What: [`Change::Line`], [`Change::Session`], [`Change::LastOutcome`] or [`Change::Trunk`].
        change: Change,
    },
    /// This device passes on more cards than people read, or rings more people than anybody can talk to; for the
    /// log, now and then.
    GoesTooFast {
        /// Which.
        device: DeviceId,
    },
    /// The trunk refused the call for a reason that a person must mend; for the log.
    TrunkFault {
        /// Whose call.
        attempt: AttemptId,
        /// What to look at.
        words: &'static str,
    },
    /// What the last calls say of the trunk is new; for the log, and for who asks how the server is.
    TrunkHealth {
        /// As it is now, for an organiser: who tries is not among it.
        trunk: Trunk,
    },
    /// An input that cannot happen in this state, for the log and a counter. Nothing changed.
    Unexpected {
        /// The state's name, `call ringing`.
        state: &'static str,
        /// The input's name, `CalleeCreated`.
        input: &'static str,
    },
}

/// A request was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// The attempt is committed and its channel is being made, or was made before.
    Dialled(AttemptId),
    /// The call waits for its place on the trunk, and goes on by itself. It can be hung up by this id.
    InLine(AttemptId),
}

/// A write to the store.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// The write-ahead: insert the attempt as `dialling`, its lease becomes `dialled`, the
    /// contact's count of attempts grows by one. Refused as
    /// [`crate::SaveRefused::LeaseLost`] if the lease is not held by this device.
    Attempt(NewAttempt),
    /// Set these columns of an open attempt.
    Progress(Progress),
    /// A key pressed while they talk: insert it into `outcomes`, set it on the attempt, whose
    /// state stays.
    Keep(Keep),
    /// The attempt is closed, or a closed one corrected: attempt, `outcomes`, lease, contact and
    /// do-not-call list in one transaction.
    Close(Close),
    /// The lease ends without a call.
    Release(Release),
    /// The lease lasts longer. No harm if this is lost.
    Renew {
        /// Which.
        lease: LeaseId,
        /// Until when, on [`crate::Now::steady`].
        expires_at: i64,
    },
}

/// A new row of `attempts`.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAttempt {
    /// Its id, also the channel's.
    pub attempt: AttemptId,
    /// Its lease.
    pub lease: LeaseId,
    /// Whose list.
    pub campaign: CampaignId,
    /// Whom it tries to reach.
    pub contact: ContactId,
    /// For whom.
    pub device: DeviceId,
    /// Whom to ring. Not for logs.
    pub number: Number,
    /// What the callee sees.
    pub caller_id: Number,
    /// UTC epoch milliseconds.
    pub dialled_at: i64,
}

/// How far an open attempt has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub attempt: AttemptId,
    /// `dialling`, `ringing`, `talking` or `wrap-up`.
    pub state: &'static str,
    /// When it began to ring, UTC epoch milliseconds.
    pub ringing_at: Option<i64>,
    /// When it was answered.
    pub answered_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Who ended it.
    pub ended_by: Option<EndedBy>,
    /// Q.850.
    pub cause: Option<u16>,
    /// The status of the SIP answer that ended it, where Asterisk tells.
    pub sip: Option<u16>,
}

/// A key pressed while they talk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The attempt.
    pub attempt: AttemptId,
    /// For whom.
    pub device: DeviceId,
    /// The press.
    pub id: OutcomeId,
    /// What came of it.
    pub outcome: Outcome,
    /// The note.
    pub note: Option<String>,
    /// When the callee asked to be rung, with [`Outcome::Callback`] alone: UTC epoch milliseconds.
    pub again_at: Option<i64>,
}

/// The end of an attempt, or a correction of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Close {
    /// The attempt, closed from now on.
    pub attempt: AttemptId,
    /// Its lease, closed too.
    pub lease: LeaseId,
    /// For whom.
    pub device: DeviceId,
    /// What came of it.
    pub outcome: Outcome,
    /// Who says so.
    pub by: WrittenBy,
    /// The press, if there was one: insert into `outcomes` unless it is there.
    pub id: Option<OutcomeId>,
    /// The volunteer's note, or why the server wrote what it wrote.
    pub note: Option<String>,
    /// When the callee asked to be rung, with [`Outcome::Callback`] alone: UTC epoch milliseconds. What the contact
    /// is promised from now on ([`crate::ContactFacts::promised`]), if its `contact` is not `None`.
    pub again_at: Option<i64>,
    /// How the call went; `None` in a correction, which leaves those columns alone.
    pub call: Option<Progress>,
    /// Its volunteer gave it up before an answer, and sooner than any call may end; once so, it stays so. Such a call
    /// counts as a card passed on.
    pub given_up: bool,
    /// Whether it is one of the contact's attempts. Once one was counted no more, it stays so.
    pub counts: bool,
    /// What becomes of the contact; `None` leaves it alone (a later attempt was made).
    pub contact: Option<ContactNext>,
    /// The contact's id.
    pub contact_id: ContactId,
    /// What becomes of the number on the do-not-call list.
    pub do_not_call: DoNotCall,
    /// UTC epoch milliseconds.
    pub at: i64,
}

impl Close {
    /// The volunteer's key closes a contact that was open until then, or puts its number on the do-not-call list.
    pub(crate) fn takes_off(&self, before: &ContactFacts) -> bool {
        let closes = before.open && self.contact == Some(ContactNext::Done);
        let lists = !before.do_not_call && self.do_not_call == DoNotCall::Add;
        self.by == WrittenBy::Volunteer && (closes || lists)
    }
}

/// What becomes of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactNext {
    /// It may be rung at this time or later, UTC epoch milliseconds.
    Due(i64),
    /// Never again on this list.
    Done,
}

/// What becomes of a number on the do-not-call list (R12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoNotCall {
    /// Nothing.
    Leave,
    /// It is put there, the attempt's id as source.
    Add,
    /// It is taken off if this attempt put it there: a wrong key was corrected.
    TakeBack,
}

/// The end of a lease without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Which.
    pub lease: LeaseId,
    /// Whose.
    pub device: DeviceId,
    /// Whom it held.
    pub contact: ContactId,
    /// How.
    pub how: Released,
    /// UTC epoch milliseconds.
    pub at: i64,
}

/// How a lease ended without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// Its time ran out: the app was not there. The contact stays due.
    Expired,
    /// Pause, stop, closing time. The contact stays due.
    GivenBack,
    /// The volunteer skipped it: not for this device until then. Others may have it now.
    Skipped {
        /// UTC epoch milliseconds.
        until: i64,
    },
    /// The volunteer wants it rung later.
    Later {
        /// UTC epoch milliseconds.
        due_at: i64,
    },
    /// The volunteer learned that they must not be rung: the number goes to the do-not-call
    /// list, the lease's id as source; the contact is done.
    DoNotCall,
    /// A rule forbids the call until then.
    Refused {
        /// UTC epoch milliseconds; `None`: for ever, the contact is done.
        due_at: Option<i64>,
    },
}

impl Released {
    /// The volunteer wanted it.
    pub(crate) fn is_passed_on(self) -> bool {
        match self {
            Released::Skipped { .. } | Released::Later { .. } | Released::DoNotCall => true,
            Released::Expired | Released::GivenBack | Released::Refused { .. } => false,
        }
    }
}

/// Why the callee's channel is hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUpWhy {
    /// The volunteer hung up or cancelled.
    Volunteer,
    /// It rang for the campaign's ring timeout.
    RingTimeout,
    /// The network did not ring it within 25 s.
    NoRinging,
    /// The provider answered nothing at all for 8 s.
    NoReply,
    /// The volunteer's line was lost and did not come back in time, or was revoked.
    LineLost,
    /// A step was not possible.
    Failed(Fault),
    /// It was found after a restart or reconnect, and nothing rings.
    FoundDown,
    /// It lasted four hours: forgotten by someone.
    TooLong,
    /// No open attempt owns this channel.
    Stray,
}

/// What a callee hears when nobody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// "One moment, please."
    OneMoment,
    /// "We are sorry, the connection was lost. Goodbye."
    Apology,
}
