//! The volunteer's line: their standing leg into Asterisk.

use serde::{Deserialize, Serialize};

/// A line's token is good for so long, milliseconds: till then Asterisk calls the app, and the app answers.
pub const TOKEN_LIFE_MS: i64 = 30_000;

/// State of a volunteer's line, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Line {
    /// No line, and none is wanted.
    Down,
    /// Asterisk is calling the app.
    Opening,
    /// In its bridge: a callee would be heard at once.
    Up,
    /// It was up and is gone, while the session goes on.
    Lost {
        /// UTC epoch, milliseconds.
        #[specta(type = specta_typescript::Number)]
        since_ms: i64,
    },
    /// Being taken down.
    Closing,
}
