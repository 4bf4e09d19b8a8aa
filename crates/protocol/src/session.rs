//! A volunteer's time on a campaign, and the whole of what the app is told about it.

use serde::{Deserialize, Serialize};

use crate::{attempt::LastOutcome, call::Call, campaign::Campaign, contact::Card, line::Line, trunk::Trunk};

/// Everything the server tells one volunteer's app. `/live` sends it whole, then in changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Desk {
    /// The volunteer's own name, "Maya".
    pub volunteer: String,
    /// What they are calling for.
    pub campaign: Campaign,
    /// Their line.
    pub line: Line,
    /// Where they are.
    pub session: Session,
    /// The last saved outcome, until the next one.
    pub last_outcome: Option<LastOutcome>,
    /// Whether calls go out.
    #[serde(default)]
    pub trunk: Trunk,
}

/// Where a volunteer is in their session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Session {
    /// Not calling: before Start, or after Stop.
    Ended,
    /// Started, and there is no card: the reason, and when that changes.
    Waiting {
        /// Why.
        why: Waiting,
    },
    /// A card is held; nothing was dialled.
    Ready {
        /// The card.
        card: Card,
    },
    /// The callee is being rung.
    Dialling {
        /// The card.
        card: Card,
        /// The call.
        call: Call,
    },
    /// The callee answered.
    Talking {
        /// The card.
        card: Card,
        /// The call.
        call: Call,
    },
    /// The call is over and its outcome is not known yet.
    WrapUp {
        /// The card.
        card: Card,
        /// The call, ended.
        call: Call,
    },
    /// The volunteer, or an organiser, paused.
    Paused {
        /// Who, why and until when.
        pause: Pause,
    },
}

impl Session {
    /// The card at hand, from the moment it is held to its outcome.
    pub fn card(&self) -> Option<&Card> {
        match self {
            Session::Ready { card }
            | Session::Dialling { card, .. }
            | Session::Talking { card, .. }
            | Session::WrapUp { card, .. } => Some(card),
            Session::Ended | Session::Waiting { .. } | Session::Paused { .. } => None,
        }
    }

    /// The call at hand, from Call to its outcome: in wrap-up it has ended.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Session::Dialling { call, .. } | Session::Talking { call, .. } | Session::WrapUp { call, .. } => {
                Some(call)
            }
            Session::Ended | Session::Waiting { .. } | Session::Ready { .. } | Session::Paused { .. } => None,
        }
    }
}

/// Why a started session has no card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Waiting {
    /// The line is not up yet.
    Line,
    /// Nobody is due.
    NobodyLeft {
        /// How many may be rung again later.
        again: u32,
        /// When the first of them is due, UTC epoch milliseconds.
        #[specta(type = Option<specta_typescript::Number>)]
        next_at_ms: Option<i64>,
    },
    /// Outside calling hours.
    OutsideHours {
        /// When calling opens, UTC epoch milliseconds.
        #[specta(type = specta_typescript::Number)]
        opens_at_ms: i64,
    },
    /// Many cards went by in a short time: the next one comes at a quieter pace.
    PassedOn {
        /// When it comes, UTC epoch milliseconds.
        #[specta(type = specta_typescript::Number)]
        next_at_ms: i64,
    },
    /// Asterisk or the trunk is not there.
    NoTelephone,
    /// The server cannot save: its disk is full or read-only.
    NoStorage,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Pause {
    /// `None`: the volunteer paused. Else the organiser who paused the campaign.
    pub by: Option<String>,
    /// The organiser's message, "Tea break, back at 19:15".
    pub message: Option<String>,
}
