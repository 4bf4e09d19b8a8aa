//! The callee's side of an attempt while there is a call.

use serde::{Deserialize, Serialize};

use crate::ids::AttemptId;

/// How long a callee who has answered is kept for a volunteer whose line was lost, milliseconds.
pub const HELD_FOR_MS: i64 = 30_000;

/// The call of an attempt, from the press of Call to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Call {
    /// The attempt it belongs to.
    pub attempt_id: AttemptId,
    /// Where it is.
    pub state: CallState,
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum CallState {
    /// Waits for its place on the organisation's trunk, where so many calls may be at once, or begin in a second.
    /// Nobody is rung yet, and whoever hangs up keeps the card.
    InLine {
        /// UTC epoch, milliseconds.
        #[specta(type = specta_typescript::Number)]
        since_ms: i64,
    },
    /// Asked for; the network has not said that it rings.
    Dialling {
        /// UTC epoch, milliseconds.
        #[specta(type = specta_typescript::Number)]
        since_ms: i64,
    },
    /// The callee's telephone rings.
    Ringing {
        /// UTC epoch, milliseconds.
        #[specta(type = specta_typescript::Number)]
        since_ms: i64,
        /// The network has a path for sound of its own (SIP 183): the app plays ringing only if nothing comes by it.
        early_media: bool,
    },
    /// Answered, and in the volunteer's bridge.
    Talking {
        /// UTC epoch, milliseconds.
        #[specta(type = specta_typescript::Number)]
        since_ms: i64,
    },
    /// Over.
    Ended {
        /// Who or what ended it.
        by: EndedBy,
        /// From the answer to the end, milliseconds; 0 if it was never answered.
        #[specta(type = specta_typescript::Number)]
        talked_ms: i64,
    },
}

/// Who or what ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// The callee rang off.
    Callee,
    /// The volunteer hung up or cancelled.
    Volunteer,
    /// The telephone network: busy, unallocated, refused by the carrier.
    Network,
    /// The server: ring timeout, the line was lost for 30 s, a revocation, a restart.
    Server,
}
