//! All that the app decides, without a window: requests in, the view out.

use protocol::http::Settle;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::view::{DeviceChoices, OutcomePress, View};

/// A press, or another thing that the shell asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Join by a link, pasted or clicked.
    Join {
        /// The link as text.
        link: String,
    },
    /// Start a session.
    Start,
    /// Ring the contact on the card.
    Call,
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
        /// Which, and the note.
        press: OutcomePress,
    },
    /// Another outcome for the last attempt.
    Correct {
        /// Which, and the note.
        press: OutcomePress,
    },
    /// Give the card back.
    Settle {
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

/// The handle that the shell and the commands hold.
#[derive(Clone)]
pub struct Controller {
    requests: mpsc::UnboundedSender<(Request, oneshot::Sender<Result<(), Refusal>>)>,
    view: watch::Receiver<View>,
}

impl Controller {
    /// What is so now.
    pub fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// Passes a press on; the answer says whether it was taken.
    pub async fn ask(&self, request: Request) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        self.requests.send((request, answer)).map_err(|_| Refusal::Closing)?;
        answered.await.unwrap_or(Err(Refusal::Closing))
    }

    /// What may be chosen.
    pub async fn device_choices(&self) -> Result<DeviceChoices, Refusal> {
        Err(Refusal::NotNow)
    }
}
