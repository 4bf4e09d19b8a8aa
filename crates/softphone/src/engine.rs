//! The only tokio loop of the crate.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{mpsc, oneshot};

use crate::events::{CallId, Event};
use crate::settings::{Devices, Secret, Settings};

/// What the handle asks for.
#[derive(Debug)]
pub(crate) enum Command {
    ExpectLine(Secret),
    Call { id: CallId, target: String },
    HangUp(CallId),
    Mute(CallId, bool),
    SendAudio(CallId, bool),
    Digits(CallId, String),
    Ring(bool),
    Devices(Devices),
    RetryNow,
    Bearer(Secret),
    Stop(oneshot::Sender<()>),
}

/// Runs a phone until it is stopped or nobody holds it any more.
pub(crate) async fn run(
    _settings: Settings,
    mut commands: mpsc::UnboundedReceiver<Command>,
    _events: mpsc::UnboundedSender<Event>,
    _calls: Arc<AtomicU64>,
) {
    while let Some(command) = commands.recv().await {
        if let Command::Stop(done) = command {
            let _ = done.send(());
            return;
        }
    }
}
