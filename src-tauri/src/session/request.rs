//! What the app may be asked for, and the answer when it does not fit.

use protocol::{
    http::Settle,
    ids::{AttemptId, LeaseId},
};
use serde::{Deserialize, Serialize};

use crate::view::OutcomePress;

/// A press, or another thing that the shell asks for.
#[derive(Clone, PartialEq)]
pub enum Request {
    /// Join by a link, pasted or clicked.
    Join {
        /// The link as text.
        link: String,
    },
    /// Join by the link that waits for an answer, or stay.
    AnswerInvitation {
        /// Join, that is.
        join: bool,
    },
    /// Start a session.
    Start,
    /// Ring the contact on the card.
    Call {
        /// The card that was pressed: by now another one may be there.
        lease_id: LeaseId,
    },
    /// End or cancel the call.
    HangUp,
    /// The microphone.
    Mute {
        /// Off, that is.
        on: bool,
    },
    /// Telephone keys.
    Digits {
        /// `0` to `9`, `*`, `#`.
        digits: String,
    },
    /// An outcome key.
    Outcome {
        /// The call that it was pressed for.
        attempt_id: AttemptId,
        /// Which, and the note.
        press: OutcomePress,
    },
    /// Another outcome for the last attempt.
    Correct {
        /// The attempt that was shown as the last one.
        attempt_id: AttemptId,
        /// Which, and the note.
        press: OutcomePress,
    },
    /// Give the card back.
    Settle {
        /// The card that was pressed.
        lease_id: LeaseId,
        /// How.
        how: Settle,
    },
    /// Pause.
    Pause,
    /// Back to calling.
    Resume,
    /// End the session.
    Stop,
    /// Try at once.
    RetryNow,
    /// Choose devices.
    ChooseDevices {
        /// Id of a microphone.
        microphone: Option<String>,
        /// Id of a loudspeaker.
        speaker: Option<String>,
    },
    /// Forget this device.
    Leave,
    /// Close the app: the session is stopped and the phone leaves. Refused in a call, and while Call or a
    /// hang-up is on its way.
    Quit,
}

/// A link is a secret until it is spent, and a note is about a person: neither goes to a log.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request")
    }
}

/// Why a press did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// It does not fit what is so now; the next view says what is.
    #[error("this press does not fit the present state")]
    NotNow,
    /// The app is closing.
    #[error("the app is closing")]
    Closing,
}
