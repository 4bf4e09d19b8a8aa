//! Whether the telephone provider puts calls through, as the last calls show.

use serde::{Deserialize, Serialize};

/// The way from the node to the telephone network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Trunk {
    /// Calls go out, as far as is known.
    #[default]
    Open,
    /// The provider turned away the last calls, each to another number. Nobody's call is made but a try, now and
    /// then; with the first that reaches a telephone it is open again.
    Shut {
        /// What it does with calls.
        complaint: Complaint,
        /// UTC epoch milliseconds.
        #[specta(type = specta_typescript::Number)]
        since_ms: i64,
        /// Who tries, and when.
        next_try: NextTry,
    },
}

/// What a provider does with a call that it does not put through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Complaint {
    /// It refuses it.
    Refuses {
        /// The status of its SIP answer, where Asterisk tells it.
        sip: Option<u16>,
    },
    /// It answers nothing, or nothing rings.
    Silent,
    /// It does not know the number; of all of them, it may want them in another form.
    Number,
}

/// Who makes the next call through a trunk that is shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "who", rename_all = "kebab-case")]
pub enum NextTry {
    /// Nobody before this.
    Later {
        /// UTC epoch milliseconds.
        #[specta(type = specta_typescript::Number)]
        at_ms: i64,
    },
    /// This volunteer, with the call of their card.
    Yours,
    /// Another volunteer, just now.
    Others,
}
