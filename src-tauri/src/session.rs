//! The app's state, pure: inputs in, effects out; time comes in as `now`.
//!
//! | part | states | file |
//! | --- | --- | --- |
//! | the way to the server | off, signing-in, opening, up, waiting | `session/link.rs` |
//! | the line | down, asked, up, away | `session/line.rs` |
//! | outcomes on this computer | writing, waiting, in flight, refused | `session/outcomes.rs` |
//! | presses | allowed or not now | `session/presses.rs` |
//! | a hang-up | none, wanted, asked | `session/hang_up.rs` |
//! | the screen | made of all of these | `session/picture.rs` |
//!
//! Where a volunteer is in their session is the server's word ([`protocol::session::Desk`]); the
//! app never guesses it, but shows what was pressed until the answer is there.

mod hang_up;
mod line;
mod link;
mod outcomes;
mod picture;
mod presses;
mod request;
#[cfg(test)]
mod tests;

use protocol::{
    call::CallState,
    http::{RecordOutcome, Settle},
    ids::{AttemptId, DeviceId, LeaseId, OutcomeId},
    join_link::JoinLink,
    outcome::Outcome,
    session::{Desk, Session},
};
use softphone::{CallId, Event};
use uuid::Uuid;

pub use request::{Refusal, Request};

use crate::{
    live::News,
    outbox::Kept,
    secrets::NoKeyring,
    server::RequestError,
    settings::Device,
    view::{JoinProblem, Notice, Press},
};

/// All that the app knows.
pub struct App {
    now: i64,
    opened: bool,
    /// Settings, keyring and outbox are being read.
    opening: bool,
    device: Option<Device>,
    /// Instead of it: the device that this computer joined as, whose key is not to be had.
    keyless: Option<Device>,
    joining: Joining,
    /// A link that came when this computer had joined already.
    invited: Option<JoinLink>,
    keyring: Keyring,
    /// This computer's disk did not take what it should keep.
    disk_failed: bool,
    link: link::Link,
    desk: Option<Desk>,
    line: line::Line,
    /// How many lines were asked for: the number of the last one.
    lines: u64,
    outcomes: outcomes::Outcomes,
    busy: Option<Busy>,
    hang_up: Option<hang_up::HangUp>,
    muted: bool,
    marked: Option<(AttemptId, Outcome)>,
    /// The server's word that it has no telephone, or no storage, until it does something again.
    no_telephone: bool,
    no_storage: bool,
    notice: Option<Notice>,
    effects: Vec<Effect>,
}

#[derive(Default)]
struct Joining {
    busy: bool,
    problem: Option<JoinProblem>,
}

#[derive(PartialEq)]
enum Keyring {
    Usable,
    /// Its password window waits for the volunteer.
    Locked,
    Absent(NoKeyring),
    /// So far absent, and asked once more.
    Tried(NoKeyring),
}

/// A press on its way, shown until the session moves.
struct Busy {
    press: Press,
    /// Given up at, in case the session does not move.
    until: i64,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A press, with an id for the outcome it may make.
    Press(Request, Uuid),
    /// Settings, keyring and outbox were read.
    Opened(Opened),
    /// The keyring has not answered for a second, or has now.
    KeyringWaits(bool),
    /// Something was to be kept in the keyring.
    Keyring(Result<(), NoKeyring>),
    /// A link was spent.
    Joined(Result<Device, JoinProblem>),
    /// Settings were to be written.
    SettingsWritten(bool),
    /// This device signed in, until then (UTC epoch milliseconds, server's clock).
    SignedIn(DeviceId, Result<i64, RequestError>),
    /// From `/live`.
    Live(News),
    /// From the phone.
    Phone(Event),
    /// The server was asked to call us.
    LineAsked(Result<(), RequestError>),
    /// The server was told whether sound gets through on a line.
    SoundTold {
        /// Which, as in [`Effect::TellOfSound`].
        line: u64,
        /// What it was told.
        gets_through: bool,
        /// Whether it heard it.
        result: Result<(), RequestError>,
    },
    /// Another request was answered.
    Answered(Ask, Result<Option<AttemptId>, RequestError>),
    /// An outcome was to be written to the disk.
    Written(OutcomeId, bool),
    /// An outcome was sent.
    Delivered(OutcomeId, Result<(), RequestError>),
    /// Time passed.
    Tick,
}

/// What was found at the start.
#[derive(Debug, Default)]
pub struct Opened {
    /// The device, if this computer joined.
    pub device: Option<Device>,
    /// Its key is not to be had.
    pub keyless: bool,
    /// Devices that it was, and that are not done with yet.
    pub left: Vec<Device>,
    /// A sign-in of an earlier run.
    pub signed_in_until: Option<i64>,
    /// Outcomes of earlier runs.
    pub outcomes: Vec<Kept>,
    /// The greatest outcome id of earlier runs.
    pub last_id: Option<OutcomeId>,
    /// Why the keyring could not be read.
    pub no_keyring: Option<NoKeyring>,
    /// The outbox could not be read.
    pub disk_failed: bool,
}

/// A request to the server whose answer is a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `session/start`
    Start,
    /// `session/pause`
    Pause,
    /// `session/resume`
    Resume,
    /// `session/stop`
    Stop,
    /// `dial`
    Dial(LeaseId),
    /// `hang-up`
    HangUp(AttemptId),
    /// `lease/settle`
    Settle(LeaseId, Settle),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Read settings, keyring and outbox.
    Open,
    /// Make a device and spend the link.
    Join(JoinLink),
    /// Sign a challenge.
    SignIn,
    /// Open `/live`.
    Listen,
    /// Close it.
    StopListening,
    /// Start the phone with the sign-in's account, instead of the one that runs.
    StartPhone,
    /// Stop it.
    StopPhone,
    /// Give the running phone the new bearer.
    RenewBearer,
    /// Let it try at once.
    RetryPhone,
    /// Make a line token, expect it, and ask the server to call.
    OpenLine,
    /// Tell the server whether sound gets through on the line that was asked for last.
    TellOfSound {
        /// Its number, for the answer: another line may have been asked for by then.
        line: u64,
        /// ICE has found a way.
        gets_through: bool,
    },
    /// Take the line down.
    DropLine(CallId),
    /// Packets or none.
    SendAudio(CallId, bool),
    /// Silence instead of the microphone.
    Mute(CallId, bool),
    /// Telephone keys.
    Digits(CallId, String),
    /// The national ring.
    Ring(bool),
    /// A request.
    Ask(Ask),
    /// Write an outcome to the disk.
    Write(Kept),
    /// Send it.
    Deliver(RecordOutcome),
    /// It is at the server: forget it here.
    Forget(OutcomeId),
    /// Use these devices, and remember them.
    ChooseDevices {
        /// Id of a microphone.
        microphone: Option<String>,
        /// Id of a loudspeaker.
        speaker: Option<String>,
    },
    /// Move into the keyring what is in memory.
    KeepSecrets,
    /// Keep in the settings that this computer is this device.
    Remember(Device),
    /// Keep there that it is none.
    Leave,
    /// Give a device's last outcomes to its server, these and what the outbox has, sign it out, and forget its
    /// secrets. The settings name it until that is done.
    Depart(Device, Vec<Kept>),
}

impl App {
    /// Before anything was read.
    pub fn new(now: i64) -> Self {
        Self {
            now,
            opened: false,
            opening: true,
            device: None,
            keyless: None,
            joining: Joining::default(),
            invited: None,
            keyring: Keyring::Usable,
            disk_failed: false,
            link: link::Link::default(),
            desk: None,
            line: line::Line::default(),
            lines: 0,
            outcomes: outcomes::Outcomes::default(),
            busy: None,
            hang_up: None,
            muted: false,
            marked: None,
            no_telephone: false,
            no_storage: false,
            notice: None,
            effects: vec![Effect::Open],
        }
    }

    /// Takes one input at a time (`now`: UTC epoch milliseconds by a monotonic clock).
    ///
    /// # Errors
    /// [`Refusal::NotNow`] for a press that does not fit.
    pub fn handle(&mut self, input: Input, now: i64) -> Result<(), Refusal> {
        self.now = now;
        let answer = if let Input::Press(request, fresh) = input {
            self.press(request, fresh)
        } else {
            self.take(input);
            Ok(())
        };
        self.reconcile();
        answer
    }

    /// What is to be done now, in order.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// When [`Input::Tick`] is due at the latest.
    pub fn next_wake(&self) -> Option<i64> {
        [
            self.link_wake(),
            self.line_wake(),
            self.device().and_then(|device| self.outcomes.wake(device.id, self.link.is_up())),
            self.busy.as_ref().map(|busy| busy.until),
            self.hang_up_wake(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The device that this computer is.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// Whether what is found on this computer still says which device it is: not once it joins, or has joined,
    /// by another link.
    pub fn may_open(&self) -> bool {
        self.device.is_none() && !self.joining.busy
    }

    /// Whether a session is to be stopped when the app is closed; a wrap-up waits for the next run.
    pub fn session_to_stop(&self) -> bool {
        match self.session() {
            Some(Session::Waiting { .. } | Session::Ready { .. } | Session::Paused { .. }) => true,
            // Nobody is rung yet, and nobody is to be.
            Some(Session::Dialling { call, .. }) => matches!(call.state, CallState::InLine { .. }),
            Some(Session::Ended | Session::Talking { .. } | Session::WrapUp { .. }) | None => false,
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Press(..) | Input::Tick => {}
            Input::Opened(opened) => self.open(opened),
            Input::KeyringWaits(waits) => {
                if waits {
                    self.keyring = Keyring::Locked;
                } else if self.keyring == Keyring::Locked {
                    self.keyring = Keyring::Usable;
                }
            }
            Input::Keyring(result) => {
                if let Err(error) = &result
                    && !matches!(&self.keyring, Keyring::Absent(known) | Keyring::Tried(known) if known == error)
                {
                    tracing::warn!(%error, "what the keyring was to keep is in memory, for this run");
                }
                self.keyring = result.map_or_else(Keyring::Absent, |()| Keyring::Usable);
            }
            Input::Joined(Ok(device)) => self.joined(device),
            Input::Joined(Err(problem)) => self.joining = Joining { busy: false, problem: Some(problem) },
            Input::SettingsWritten(written) => self.disk_failed = !written,
            Input::SignedIn(id, result) => {
                // A device that this computer was before has nothing to say any more.
                if self.device.as_ref().is_some_and(|device| device.id == id) {
                    self.signed_in(result);
                }
            }
            Input::Live(news) => self.live(news),
            Input::Phone(event) => self.phone(event),
            Input::LineAsked(result) => self.line_asked(result),
            Input::SoundTold { line, gets_through, result } => self.sound_told(line, gets_through, result),
            Input::Answered(ask, result) => self.answered(ask, result),
            Input::Written(id, on_disk) => self.written(id, on_disk),
            Input::Delivered(id, result) => self.delivered(id, result),
        }
    }

    fn open(&mut self, opened: Opened) {
        self.opening = false;
        if !self.may_open() {
            return;
        }
        self.opened = true;
        self.disk_failed = opened.disk_failed;
        self.keyring = opened.no_keyring.map_or(Keyring::Usable, Keyring::Absent);
        self.outcomes.load(opened.outcomes, opened.last_id);
        for left in opened.left {
            self.depart(left);
        }
        match opened.device {
            Some(device) if !opened.keyless => self.begin(device, opened.signed_in_until),
            keyless => self.keyless = keyless,
        }
    }

    fn joined(&mut self, device: Device) {
        self.joining = Joining::default();
        let former = self.keyless.take().or_else(|| self.device.clone());
        if let Some(former) = former.filter(|former| former.id != device.id) {
            self.depart(former);
        }
        self.want(Effect::Remember(device.clone()));
        self.begin(device, None);
    }

    fn depart(&mut self, device: Device) {
        let unsent = self.outcomes.take_of(device.id);
        self.want(Effect::Depart(device, unsent));
    }

    fn begin(&mut self, device: Device, signed_in_until: Option<i64>) {
        if self.device.is_some() {
            self.let_go();
        }
        self.desk = None;
        self.invited = None;
        self.notice = None;
        self.outcomes.only_of(device.id);
        self.device = Some(device);
        self.keyless = None;
        self.link = link::Link::signed_in(signed_in_until);
        self.connect(link::FRESH_ENOUGH_TO_START);
    }

    /// Nothing of this server is heard, sounds or waits any more.
    fn let_go(&mut self) {
        self.marked = None;
        self.muted = false;
        self.no_telephone = false;
        self.no_storage = false;
        self.busy = None;
        self.hang_up = None;
        self.line = line::Line::with_devices(self.line.devices.take());
        self.want(Effect::StopListening);
        self.want(Effect::StopPhone);
    }

    fn session(&self) -> Option<&Session> {
        self.desk.as_ref().map(|desk| &desk.session)
    }

    /// The attempt that is being dialled or talked in.
    fn attempt_in_call(&self) -> Option<AttemptId> {
        match self.session()? {
            Session::Dialling { call, .. } | Session::Talking { call, .. } => Some(call.attempt_id),
            Session::Ended
            | Session::Waiting { .. }
            | Session::Ready { .. }
            | Session::WrapUp { .. }
            | Session::Paused { .. } => None,
        }
    }

    fn in_call(&self) -> bool {
        self.attempt_in_call().is_some()
    }

    /// Call was pressed, and the session has not moved yet.
    fn call_pressed(&self) -> bool {
        self.busy.as_ref().is_some_and(|busy| busy.press == Press::Call)
    }

    /// Somebody rings or talks, or may do so and is still to be hung up: as long as the server is there, or may be back
    /// before anybody is told that it is away.
    fn holds_the_window(&self) -> bool {
        self.in_call() || self.call_pressed() || (self.hang_up.is_some() && self.link.trouble.is_none())
    }

    /// A session that wants a line.
    fn calling(&self) -> bool {
        self.session().is_some_and(|session| *session != Session::Ended)
    }

    /// After every input: what follows from the state, whatever led to it.
    fn reconcile(&mut self) {
        if self.busy.as_ref().is_some_and(|busy| self.now >= busy.until) {
            self.busy = None;
        }
        self.reconcile_link();
        self.reconcile_hang_up();
        self.reconcile_line();
        self.reconcile_sound();
        self.reconcile_outcomes();
        if self.notice == Some(Notice::InCall) && !self.holds_the_window() {
            self.notice = None;
        }
    }

    fn want(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}
