//! What flows down `/live`, a WebSocket of JSON text frames from the server to the app.
//!
//! First [`LiveEvent::Hello`], then [`LiveEvent::Snapshot`], then changes whose `seq` grows by
//! one. A gap means that the app closes the socket and opens it anew; nothing is replayed.
//! The app sends WebSocket pings only; each renews its lease while nothing was dialled.

use serde::{Deserialize, Serialize};

use crate::{
    attempt::LastOutcome,
    campaign::Campaign,
    line::Line,
    session::{Desk, Session},
    trunk::Trunk,
};

/// One frame.
#[expect(
    clippy::large_enum_variant,
    reason = "each is made, sent and gone; a snapshot is the first of a socket"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum LiveEvent {
    /// The first frame.
    Hello {
        /// [`crate::PROTOCOL`] of the server.
        protocol: u32,
        /// Its version, "0.1.0".
        server_version: String,
        /// Its clock, UTC epoch milliseconds; the app keeps the difference.
        #[specta(type = specta_typescript::Number)]
        now_ms: i64,
    },
    /// The whole state.
    Snapshot {
        /// Number of the last change in it.
        #[specta(type = specta_typescript::Number)]
        seq: u64,
        /// The state.
        desk: Desk,
    },
    /// One part of the state, new.
    Change {
        /// One more than the last.
        #[specta(type = specta_typescript::Number)]
        seq: u64,
        /// What changed.
        change: Change,
    },
    /// The device was revoked; the server closes the socket behind it.
    Revoked {
        /// The first name of the person to ask for a new link.
        organiser: String,
    },
}

/// A part of [`Desk`] that is new, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "part", content = "value", rename_all = "kebab-case")]
pub enum Change {
    /// [`Desk::campaign`]
    Campaign(Campaign),
    /// [`Desk::line`]
    Line(Line),
    /// [`Desk::session`]
    Session(Session),
    /// [`Desk::last_outcome`]
    LastOutcome(Option<LastOutcome>),
    /// [`Desk::trunk`]
    Trunk(Trunk),
}

impl Desk {
    /// Applies one change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Campaign(campaign) => self.campaign = campaign,
            Change::Line(line) => self.line = line,
            Change::Session(session) => self.session = session,
            Change::LastOutcome(last) => self.last_outcome = last,
            Change::Trunk(trunk) => self.trunk = trunk,
        }
    }
}
