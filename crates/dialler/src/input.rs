//! What the dialler is told, and the facts that come along.

use std::{fmt, sync::Arc};

use jiff::tz::TimeZone;
use protocol::{
    contact::Card,
    http::{RecordOutcome, Settle},
    ids::{AttemptId, CampaignId, ContactId, DeviceId, LeaseId, OutcomeId},
    number::Number,
    outcome::Outcome,
    session::Pause,
};

use crate::{
    channels::TrunkLimits,
    hours::{Hours, Region},
};

/// A number the caller of the dialler gives to a request; its answer carries it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A write the dialler asked for; [`Input::Saved`] or [`Input::SaveFailed`] must follow, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SaveId(pub u64);

/// The id of a line's channel in Asterisk, made by the server: new at each opening, so that
/// late news of an old line is not taken for news of the new one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(pub String);

/// What the app knows its own line by. A secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct LineToken(pub String);

impl fmt::Debug for LineToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineToken")
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A campaign is there or was changed: settings, pause, resume. Comes before the first
    /// [`Ask::Start`] of its volunteers, and before [`Input::Adopted`].
    Campaign(CampaignRules),
    /// What the trunk's provider allows, at the start and whenever it changes.
    TrunkLimits(TrunkLimits),
    /// Contacts of a campaign became due otherwise than by the clock (an import).
    ContactsAdded {
        /// The campaign.
        campaign: CampaignId,
    },
    /// A volunteer asks for something. Exactly one [`crate::Output::Answer`] follows, now or
    /// after a write.
    Ask {
        /// Goes back with the answer.
        ticket: Ticket,
        /// Who asks.
        device: DeviceId,
        /// What.
        ask: Ask,
    },
    /// The app is there: a WebSocket ping on `/live`.
    Ping {
        /// The app.
        device: DeviceId,
    },
    /// The device was switched off by an organiser, or signed out. Its line goes at once.
    Revoked {
        /// The device.
        device: DeviceId,
    },

    /// Answers [`crate::Output::WantLease`]: a due contact, held for this device in the store.
    Leased {
        /// For whom.
        device: DeviceId,
        /// What.
        lease: Box<Lease>,
    },
    /// Answers [`crate::Output::WantLease`]: nobody is due.
    NobodyDue {
        /// For whom.
        device: DeviceId,
        /// How many open contacts of the campaign may be rung later.
        again: u32,
        /// When the first of them is due, UTC epoch milliseconds.
        next_at: Option<i64>,
    },
    /// Answers [`crate::Output::WantLease`]: the store could not be written.
    LeaseFailed {
        /// For whom.
        device: DeviceId,
    },

    /// The write is durable.
    Saved {
        /// Which.
        save: SaveId,
    },
    /// The write was not done, and will not be.
    SaveFailed {
        /// Which.
        save: SaveId,
        /// Why.
        why: SaveRefused,
    },

    /// The line's channel answered and is in the device's bridge.
    LineAnswered {
        /// Whose.
        device: DeviceId,
        /// Which.
        line: LineId,
    },
    /// The line's channel is gone, or could not be made.
    LineGone {
        /// Whose.
        device: DeviceId,
        /// Which.
        line: LineId,
    },

    /// StasisStart of the callee's channel, still down.
    CalleeCreated {
        /// Which.
        attempt: AttemptId,
    },
    /// ChannelEnteredBridge of the callee's channel.
    CalleeInBridge {
        /// Which.
        attempt: AttemptId,
    },
    /// `Dial` without a status: Asterisk has sent the INVITE, or does so in a moment.
    CalleeDialled {
        /// Which.
        attempt: AttemptId,
    },
    /// `Dial(PROGRESS)`: SIP 183, the network has a path for sound of its own.
    CalleeProgress {
        /// Which.
        attempt: AttemptId,
    },
    /// `Dial(RINGING)` or ChannelStateChange(Ringing): SIP 180.
    CalleeRinging {
        /// Which.
        attempt: AttemptId,
    },
    /// ChannelStateChange(Up): answered.
    CalleeUp {
        /// Which.
        attempt: AttemptId,
    },
    /// ChannelDestroyed.
    CalleeGone {
        /// Which.
        attempt: AttemptId,
        /// Its Q.850 cause, as Asterisk gives it.
        cause: u16,
        /// The status of the SIP answer that ended it, where Asterisk tells.
        sip: Option<u16>,
    },
    /// Answers [`crate::Output::LookForReply`]: the provider has not answered the INVITE at all.
    CalleeUnheard {
        /// Which.
        attempt: AttemptId,
    },
    /// The callee's channel could not be created, joined or dialled. If a channel exists, the
    /// dialler hangs it up.
    CalleeFailed {
        /// Which.
        attempt: AttemptId,
        /// Whose fault it is.
        fault: Fault,
        /// What it said, for the log and the attempt's record.
        why: String,
    },
    /// An announcement was played to its end (or could not be played).
    AnnouncementDone {
        /// To whom.
        attempt: AttemptId,
    },

    /// The events socket of Asterisk is gone; channels may still be up.
    TelephoneGone,
    /// Asterisk is there (again), with these channels and no others of ours.
    TelephoneBack {
        /// Callees' channels.
        calls: Vec<CallFacts>,
        /// Lines' channels, up and in their bridge.
        lines: Vec<LineFacts>,
    },
    /// At start, before [`Input::Adopted`] and the first [`Input::TelephoneBack`]: what a device did lately, in the
    /// server's last run.
    Recent {
        /// The device.
        device: DeviceId,
        /// When it went on to another card: calls, and cards passed on. UTC epoch milliseconds, the oldest first.
        cards: Vec<i64>,
        /// When it took one off the list.
        taken_off: Vec<i64>,
    },
    /// The provider answers again after it was away.
    ProviderBack,
    /// At start, before the first [`Input::TelephoneBack`]: an open attempt of the store.
    Adopted(Box<Adopted>),

    /// [`crate::Dialler::next_wake`] has come.
    Tick,
}

/// What a volunteer's app asks for.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Start calling.
    Start {
        /// The campaign the device was invited to.
        campaign: CampaignId,
    },
    /// Pause; after wrap-up, if there is a call.
    Pause,
    /// Calling again.
    Resume,
    /// Stop; after wrap-up, if there is a call.
    Stop,
    /// Have Asterisk call the app.
    OpenLine {
        /// The new channel's id.
        line: LineId,
        /// Goes into the INVITE.
        token: LineToken,
    },
    /// The app says whether sound gets through on its line.
    LineSound {
        /// Of the line.
        token: LineToken,
        /// `false`: not yet, or no more.
        gets_through: bool,
    },
    /// Ring the leased contact.
    Dial {
        /// The card's lease.
        lease: LeaseId,
        /// The id for the attempt, if one comes of this.
        attempt: AttemptId,
        /// The contact's facts, read from the store just now; `None` if the lease is unknown.
        facts: Option<ContactFacts>,
    },
    /// End the call, or cancel it while it rings.
    HangUp {
        /// The attempt.
        attempt: AttemptId,
    },
    /// Give the contact back without ringing it.
    Settle {
        /// The card's lease.
        lease: LeaseId,
        /// How.
        how: Settle,
    },
    /// Record what came of an attempt, or correct it.
    Record {
        /// The outcome as the app sent it.
        record: RecordOutcome,
        /// The attempt as the store has it, if the store has it for this device.
        stored: Option<Box<StoredAttempt>>,
    },
}

/// A campaign, as far as rules and states need it.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignRules {
    /// Which.
    pub id: CampaignId,
    /// Its own zone, from [`crate::hours::zone`]: when its volunteers ring. The hours bind there, and where a callee may
    /// be ([`Place`]).
    pub zone: TimeZone,
    /// Callees in other countries may be rung.
    pub abroad: bool,
    /// Whose bank holidays count.
    pub region: Region,
    /// When callees may be rung.
    pub hours: Hours,
    /// Least time between two attempts to one number, milliseconds (R16: two hours).
    pub spacing_ms: i64,
    /// How many attempts one contact may get.
    pub attempts_allowed: u32,
    /// How long a callee's telephone may ring, milliseconds (R05: at least 15,000).
    pub ring_timeout_ms: i64,
    /// The number shown to callees.
    pub caller_id: Number,
    /// Set while an organiser has the campaign paused.
    pub pause: Option<Pause>,
    /// These rules may be used. Else they only stand in for some that are not allowed: calls that are under way
    /// end by them, outcomes are taken, and nobody is rung.
    pub callable: bool,
}

/// Where a callee may be, by their number.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// All time zones that they may be in: the hours must be open in each. None at all: nobody knows, and they are
    /// not rung.
    pub zones: Arc<[TimeZone]>,
    /// In another country than the campaign's.
    pub abroad: bool,
}

/// A contact, as far as the rules need it.
#[derive(Debug, Clone, PartialEq)]
pub struct ContactFacts {
    /// Which.
    pub contact: ContactId,
    /// On whose list.
    pub campaign: CampaignId,
    /// Whom to ring.
    pub number: Number,
    /// Where they may be.
    pub place: Place,
    /// R19: the row came from an import.
    pub from_import: bool,
    /// R12: the number is on the do-not-call list.
    pub do_not_call: bool,
    /// The contact may still be rung at some time (its state in the store is `open`).
    pub open: bool,
    /// When the callee asked to be rung, UTC epoch milliseconds: a promise that no attempt was closed after yet.
    /// From then on R16 does not bind this contact; R12 and R15 do.
    pub promised: Option<i64>,
    /// How many attempts this contact has had on this list; those that do not count are not among them.
    pub attempts: u32,
    /// `dialled_at` of every attempt to this number in any campaign in the last eight days, in
    /// any order; again without those that do not count.
    pub dialled: Vec<i64>,
    /// How many attempts to this number in the last eight days do not count: nobody was rung.
    pub uncounted: u32,
}

/// A hold on a contact.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    /// Its id.
    pub id: LeaseId,
    /// Whom it holds.
    pub contact: ContactFacts,
    /// What the volunteer sees.
    pub card: Card,
    /// When it lapses unless it is renewed, on [`crate::Now::steady`].
    pub expires_at: i64,
}

/// What a callee's channel could not be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Asterisk or the trunk: it makes none while the provider does not answer its OPTIONS, and nobody is rung.
    Telephone,
    /// This number or this attempt: no other would fare so.
    Call,
}

/// An attempt as the store has it, for a correction.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAttempt {
    /// Which.
    pub attempt: AttemptId,
    /// Whose lease made it.
    pub lease: LeaseId,
    /// The contact now; `attempts` counts this attempt too.
    pub contact: ContactFacts,
    /// The callee's name.
    pub name: String,
    /// When the call ended, or was dialled if it never got that far.
    pub ended_at: i64,
    /// What is written.
    pub outcome: Option<Outcome>,
    /// The newest outcome id that was applied.
    pub outcome_id: Option<OutcomeId>,
    /// No later attempt was made to this contact.
    pub latest: bool,
    /// This device made none after it.
    pub devices_last: bool,
    /// It was answered, or nobody saw whether.
    pub may_have_talked: bool,
}

/// A callee's channel that Asterisk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallFacts {
    /// Its id.
    pub attempt: AttemptId,
    /// Its state.
    pub state: ChannelState,
}

/// State of a channel in Asterisk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelState {
    /// Not dialled, or dialled and not ringing yet.
    Down,
    /// Ringing.
    Ringing,
    /// Answered.
    Up,
}

/// A line's channel that Asterisk has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFacts {
    /// Whose.
    pub device: DeviceId,
    /// The campaign of that device; its session goes on.
    pub campaign: CampaignId,
    /// Its id.
    pub line: LineId,
}

/// An attempt that was open when the server stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct Adopted {
    /// Which.
    pub attempt: AttemptId,
    /// Whose.
    pub device: DeviceId,
    /// Its lease, with the contact and the card as they are now; `attempts` counts this attempt.
    pub lease: Lease,
    /// Its state in the store.
    pub state: AdoptedState,
    /// When it was dialled.
    pub dialled_at: i64,
    /// A key that was pressed while they talked, and the id of the press.
    pub kept: Option<RecordOutcome>,
}

/// State of an adopted attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdoptedState {
    /// `dialling`
    Dialling,
    /// `ringing`
    Ringing {
        /// Since when.
        ringing_at: i64,
    },
    /// `talking`
    Talking {
        /// When it began to ring, if it did.
        ringing_at: Option<i64>,
        /// Since when.
        answered_at: i64,
    },
    /// `wrap-up`
    WrapUp {
        /// When it began to ring, if it did.
        ringing_at: Option<i64>,
        /// When it was answered.
        answered_at: i64,
        /// When it ended.
        ended_at: i64,
        /// By whom.
        by: protocol::call::EndedBy,
    },
}

/// Why a write was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveRefused {
    /// The database cannot be written: full or read-only disk, or locked for too long.
    NoStorage,
    /// The lease is not held by this device any more ([`crate::Write::Attempt`] only).
    LeaseLost,
}
