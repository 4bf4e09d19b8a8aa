//! The handle that everybody holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::engine::{self, Command};
use crate::events::{CallId, Event};
use crate::settings::{Devices, Secret, Settings};

/// A telephone that runs by itself. Clones are the same phone; it ends with [`Softphone::stop`] or
/// when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Softphone {
    commands: mpsc::UnboundedSender<Command>,
    counts: Arc<Counts>,
}

/// What the phone and its clones count together.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    calls: AtomicU64,
    pub(crate) unreadable: AtomicU64,
}

impl Counts {
    /// Names a call that begins.
    pub(crate) fn next_call(&self) -> CallId {
        CallId(self.calls.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Softphone {
    /// Starts a phone on the current tokio runtime; it registers at once. Nothing fails here: what
    /// cannot be used is told by the first events.
    pub fn start(settings: Settings) -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (events, outbox) = mpsc::unbounded_channel();
        let counts = Arc::new(Counts::default());
        tokio::spawn(engine::run(settings, inbox, events, Arc::clone(&counts)));
        (Self { commands, counts }, outbox)
    }

    /// Lets one incoming call with this `X-Line-Token` be answered by itself: once, within 30 s.
    /// Every other incoming call is refused (486).
    pub fn expect_line(&self, token: String) {
        self.tell(Command::ExpectLine(token.into()));
    }

    /// Calls a number, or a whole `sip:` address.
    pub fn call(&self, target: &str) -> CallId {
        let id = self.counts.next_call();
        self.tell(Command::Call { id, target: target.to_owned() });
        id
    }

    /// Ends a call, whatever its state.
    pub fn hang_up(&self, id: CallId) {
        self.tell(Command::HangUp(id));
    }

    /// Sends silence instead of what the microphone hears; the meter keeps moving.
    pub fn mute(&self, id: CallId, on: bool) {
        self.tell(Command::Mute(id, on));
    }

    /// `false`: not one sound packet leaves; the meter keeps moving.
    pub fn send_audio(&self, id: CallId, on: bool) {
        self.tell(Command::SendAudio(id, on));
    }

    /// Presses keys (`0-9`, `*`, `#`, `A-D`; anything else is left out), by RFC 4733 or, where that
    /// was not agreed, SIP INFO.
    pub fn send_digits(&self, id: CallId, digits: &str) {
        self.tell(Command::Digits(id, digits.to_owned()));
    }

    /// Plays the national ringing tone in the ear only; it stops at the first media received.
    pub fn play_ring(&self, on: bool) {
        self.tell(Command::Ring(on));
    }

    /// Speaks and hears with other devices from now on.
    pub fn choose_devices(&self, devices: Devices) {
        self.tell(Command::Devices(devices));
    }

    /// Tries to connect and register now instead of at the end of the back-off.
    pub fn retry_now(&self) {
        self.tell(Command::RetryNow);
    }

    /// Uses another bearer token from the next connection on, and connects now if there is none.
    pub fn set_bearer(&self, bearer: Secret) {
        self.tell(Command::Bearer(bearer));
    }

    /// Messages from the server that could not be read and were dropped, since the start.
    pub fn unreadable(&self) -> u64 {
        self.counts.unreadable.load(Ordering::Relaxed)
    }

    /// Ends every call, leaves the registrar and closes the connection; takes at most 2 s.
    pub async fn stop(self) {
        let (done, stopped) = oneshot::channel();
        self.tell(Command::Stop(done));
        // The engine may have ended already: then there is nothing to wait for.
        let _ = stopped.await;
    }

    fn tell(&self, command: Command) {
        // A phone that has stopped has nothing left to do with a command.
        let _ = self.commands.send(command);
    }
}
