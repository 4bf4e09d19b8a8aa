//! The line: the standing call from Asterisk to this app, and what sounds on it.
//!
//! | state | input | then |
//! | --- | --- | --- |
//! | down | session wants it, server up, registered | asked |
//! | asked | the expected call is up | up; the server is told that sound gets through |
//! | asked | Asterisk has called, and sound does not get through in time | asked; volunteer and server are told |
//! | asked | refused, or not there in time | down, later again |
//! | up | signalling or media away | away |
//! | away | the sound is away | volunteer and server are told |
//! | up, away | call ended, or the server says it is gone | down, at once again |
//! | any | session ended | down |

use protocol::{
    call::CallState as CalleeState, http::ErrorCode, line::Line as ServersLine, session::Session,
};
use softphone::{CallId, CallState, DeviceState, Event, Missing, Quality, Reason, Registration, Why};

use super::{App, Effect, link};
use crate::{
    server::RequestError,
    view::{Devices, Notice},
};

/// Asterisk calls within milliseconds; beyond this something is wrong.
const ASKED_MS: i64 = 10_000;
/// Tries after a failed one.
const RETRY_FROM_MS: i64 = 500;
const RETRY_UP_TO_MS: i64 = 8_000;
/// ICE and DTLS take a fiftieth of a second, on a slow network half of one. Told after this; they go on trying.
const SOUND_WITHIN_MS: i64 = 3_000;
/// Till the server is told again how it is with the sound, when it did not answer.
const TELL_AGAIN_MS: i64 = 1_000;
/// The phone waits longer and longer between its tries; a volunteer who is calling waits for it.
const REGISTER_AGAIN_MS: i64 = 2_500;
/// After a restart the server first finds its lines again; only then is its word against ours final.
const SERVERS_WORD_MS: i64 = 3_000;
/// A second without the report of a second is not yet silence.
const MEDIA_STALE_MS: i64 = 2_500;
/// A path for sound (183) on which nothing came for so long carries no ringing: then the app rings.
const SILENT_MS: i64 = 1_000;
/// A volunteer who says nothing for so long is not heard, and is told so.
const QUIET_MS: i64 = 10_000;
/// A live microphone's noise is above this.
const QUIET_LEVEL: f32 = 0.002;

#[derive(Default)]
pub(super) struct Line {
    /// A phone was started.
    pub(super) running: bool,
    /// It runs with an account of an earlier sign-in.
    stale: bool,
    pub(super) registered: bool,
    /// When the phone is told to try again, while a session wants it and the server is there.
    register_at: i64,
    pub(super) untrusted: bool,
    pub(super) at: At,
    pub(super) lost_since: Option<i64>,
    failures: u32,
    /// Asterisk's call for the line that was asked for.
    called_at: Option<i64>,
    /// Sound does not get through to the server: ICE has found no way, or lost it.
    pub(super) without_sound: bool,
    sound: Sound,
    pub(super) retry_at: i64,
    /// Since when the server says that the line is gone while we have it.
    denied_since: Option<i64>,
    /// Taken down by us; its end is still to be heard, and is not the next one's.
    dropped: Option<CallId>,
    sends: bool,
    pub(super) rings: bool,
    /// Media came while this attempt rang.
    heard: bool,
    /// Since when the network has a path for sound of its own, in this attempt.
    path_since: Option<i64>,
    media_at: i64,
    /// Talking since, and nothing was heard from the microphone yet.
    quiet_since: Option<i64>,
    pub(super) quality: Option<Quality>,
    pub(super) devices: Option<Devices>,
}

/// What the server was told of the sound on this line: it rings nobody before it is told that sound gets through.
#[derive(Default)]
struct Sound {
    told: Option<bool>,
    /// The last word that was sent, and when it is sent again if nobody heard it.
    sent: Option<bool>,
    again_at: i64,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
    #[default]
    Down,
    Asked {
        until: i64,
    },
    Up(CallId),
    Away(CallId),
}

impl Line {
    pub(super) fn with_devices(devices: Option<Devices>) -> Self {
        Self { devices, ..Self::default() }
    }

    pub(super) fn id(&self) -> Option<CallId> {
        match self.at {
            At::Up(id) | At::Away(id) => Some(id),
            At::Down | At::Asked { .. } => None,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.at, At::Up(_))
    }

    fn microphone(&self) -> bool {
        self.devices.as_ref().is_none_or(|devices| devices.microphone.is_some())
    }

    fn speaker(&self) -> bool {
        self.devices.as_ref().is_none_or(|devices| devices.speaker.is_some())
    }

    /// Both can be used, as far as is known.
    pub(super) fn can_talk(&self) -> bool {
        self.microphone() && self.speaker()
    }
}

impl App {
    pub(super) fn start_phone(&mut self) {
        self.line = Line {
            running: true,
            devices: self.line.devices.clone(),
            lost_since: self.line.lost_since,
            ..Line::default()
        };
        self.want(Effect::StartPhone);
    }

    /// After a sign-in: a line that is in use is not dropped for it.
    pub(super) fn renew_phone(&mut self) {
        if self.line.id().is_some() && self.calling() {
            self.line.stale = true;
            self.want(Effect::RenewBearer);
        } else {
            self.start_phone();
        }
    }

    pub(super) fn phone(&mut self, event: Event) {
        match event {
            Event::Registration(registration) => self.registration(registration),
            Event::Call { id, state } => self.line_call(id, state),
            Event::FirstMedia { .. } => {
                self.line.media_at = self.now;
                if self.in_call() || self.call_pressed() {
                    self.line.heard = true;
                }
            }
            Event::Media { quality, .. } => {
                let before = self.line.quality.map_or(0, |quality| quality.received);
                if quality.received > before {
                    self.line.media_at = self.now;
                }
                self.line.quality = Some(quality);
            }
            Event::Level { microphone, .. } => {
                if microphone > QUIET_LEVEL {
                    self.line.quiet_since = None;
                }
            }
            Event::Devices(state) => self.line.devices = Some(devices(state)),
        }
    }

    fn registration(&mut self, registration: Registration) {
        self.line.registered = registration == Registration::Registered;
        if self.line.registered {
            self.line.register_at = 0;
        }
        match registration {
            Registration::Registered => {
                self.link.account_refused = false;
                self.line.untrusted = false;
                self.no_telephone = false;
            }
            Registration::Registering => {}
            // The server is there and says so of its Asterisk.
            Registration::Lost { why, .. } => self.no_telephone |= why == Why::Upgrade(503),
            Registration::Refused { why } => match why {
                Why::Untrusted(_) | Why::WrongName | Why::Expired => self.line.untrusted = true,
                // A line that outlives its account has its next one already.
                Why::Account(_) | Why::Upgrade(_) => self.link.account_refused = !self.line.stale,
                Why::Address(_)
                | Why::NoRandom(_)
                | Why::NameNotFound(_)
                | Why::Unreachable(_)
                | Why::TimedOut(_)
                | Why::Tls(_)
                | Why::Registrar(_)
                | Why::Closed(_)
                | Why::Protocol(_) => {}
            },
        }
    }

    fn line_call(&mut self, id: CallId, state: CallState) {
        match state {
            CallState::Dialling => {
                if matches!(self.line.at, At::Asked { .. }) {
                    self.line.called_at.get_or_insert(self.now);
                }
            }
            CallState::Ringing { .. } => {}
            CallState::Ended { .. } if self.line.dropped == Some(id) => self.line.dropped = None,
            CallState::Up { .. } if self.line.dropped == Some(id) => {}
            CallState::Up { .. } => {
                if self.line.at == At::Up(id) {
                    return;
                }
                let same = self.line.at == At::Away(id);
                self.line.at = At::Up(id);
                self.line.called_at = None;
                self.line.without_sound = false;
                self.line.failures = 0;
                self.line.denied_since = None;
                self.line.media_at = self.now;
                if self.line.lost_since.take().is_some() && self.in_call() {
                    self.notice = Some(Notice::LineBack);
                }
                self.listen_for_the_volunteer();
                if !same {
                    // A new call knows nothing of what was said to the one before it.
                    self.line.quality = None;
                    self.line.sends = false;
                    self.want(Effect::SendAudio(id, false));
                    if self.muted {
                        self.want(Effect::Mute(id, true));
                    }
                }
            }
            CallState::Reconnecting { missing } => {
                if self.line.id() == Some(id) {
                    self.line.at = At::Away(id);
                    self.line.without_sound = missing == Missing::Sound;
                }
            }
            CallState::Ended { reason, .. } => match self.line.at {
                At::Up(current) | At::Away(current) if current == id => self.line_gone(),
                At::Asked { .. } => {
                    self.line.without_sound |= matches!(reason, Reason::Media(_));
                    self.line_failed();
                }
                At::Down | At::Up(_) | At::Away(_) => {}
            },
        }
    }

    fn drop_line(&mut self, id: CallId) {
        self.want(Effect::DropLine(id));
        self.line.dropped = Some(id);
        self.line_gone();
    }

    fn line_gone(&mut self) {
        self.line.at = At::Down;
        if std::mem::take(&mut self.line.rings) {
            self.want(Effect::Ring(false));
        }
        self.line.sends = false;
        self.line.quality = None;
        self.line.denied_since = None;
        if self.calling() {
            self.line.lost_since.get_or_insert(self.now);
            self.line.retry_at = self.now;
        }
        if self.line.stale {
            self.start_phone();
        }
    }

    fn line_failed(&mut self) {
        self.line.at = At::Down;
        self.line.called_at = None;
        let wait = (RETRY_FROM_MS << self.line.failures.min(5)).min(RETRY_UP_TO_MS);
        self.line.failures = self.line.failures.saturating_add(1);
        self.line.retry_at = self.now + wait + self.spread(wait / 4);
    }

    pub(super) fn line_asked(&mut self, result: Result<(), RequestError>) {
        self.no_telephone = false;
        let Err(error) = result else { return };
        match error.code() {
            Some(ErrorCode::NoTelephone) => self.no_telephone = true,
            Some(ErrorCode::NoStorage) => self.no_storage = true,
            Some(ErrorCode::SignInAgain) => self.sign_in_again(),
            _ => {}
        }
        if matches!(self.line.at, At::Asked { .. }) {
            self.line_failed();
        }
    }

    /// The server answered what it was told of the sound, or did not.
    pub(super) fn sound_told(&mut self, line: u64, gets_through: bool, result: Result<(), RequestError>) {
        match result {
            Ok(()) if line == self.lines => self.line.sound.told = Some(gets_through),
            // Of a line that is gone: the server knows nothing yet of the one after it.
            Ok(()) => {}
            Err(error) if error.code() == Some(ErrorCode::SignInAgain) => self.sign_in_again(),
            Err(_) => {}
        }
    }

    /// `None`: there is no line that anything could be said of.
    fn sound_to_tell(&self) -> Option<bool> {
        let gets_through = match self.line.at {
            At::Up(_) => true,
            At::Asked { .. } | At::Away(_) if self.line.without_sound => false,
            At::Down | At::Asked { .. } | At::Away(_) => return None,
        };
        (self.link.is_up() && self.line.sound.told != Some(gets_through)).then_some(gets_through)
    }

    /// A server that was started anew takes a line that it finds for one with sound.
    pub(super) fn sound_is_told_anew(&mut self) {
        if self.line.sound.told == Some(false) {
            self.line.sound = Sound::default();
        }
    }

    fn tell_of_the_sound(&mut self) {
        if let (At::Asked { .. }, Some(called_at)) = (self.line.at, self.line.called_at) {
            self.line.without_sound |= self.now >= called_at + SOUND_WITHIN_MS;
        }
        if let Some(gets_through) = self.sound_to_tell()
            && (self.line.sound.sent != Some(gets_through) || self.now >= self.line.sound.again_at)
        {
            self.line.sound.sent = Some(gets_through);
            self.line.sound.again_at = self.now + TELL_AGAIN_MS;
            self.want(Effect::TellOfSound { line: self.lines, gets_through });
        }
    }

    pub(super) fn line_wake(&self) -> Option<i64> {
        let sound = self.line.called_at.map(|at| at + SOUND_WITHIN_MS).filter(|_| !self.line.without_sound);
        let tell = self.sound_to_tell().map(|_| self.line.sound.again_at);
        let asked = match self.line.at {
            At::Asked { until } => Some(until),
            At::Down => {
                (self.calling() && self.link.is_up() && self.line.registered).then_some(self.line.retry_at)
            }
            At::Up(_) => None,
            // Whether media still comes is asked once a second.
            At::Away(_) => Some(self.now + 1_000),
        };
        let registers = self.waits_for_registration().then_some(self.line.register_at);
        let denied = self.line.denied_since.map(|since| since + SERVERS_WORD_MS);
        let quiet = self.line.quiet_since.map(|since| since + QUIET_MS).filter(|at| *at > self.now);
        let silent = self.line.path_since.map(|since| since + SILENT_MS).filter(|at| *at > self.now);
        [asked, registers, denied, quiet, sound, tell, silent].into_iter().flatten().min()
    }

    pub(super) fn reconcile_line(&mut self) {
        if let At::Asked { until } = self.line.at
            && self.now >= until
        {
            self.line_failed();
        }
        if let At::Away(_) = self.line.at
            && self.line.lost_since.is_none()
            && self.calling()
            && self.sound_is_away()
        {
            self.line.lost_since = Some(self.now);
        }
        self.tell_of_the_sound();
        self.heed_the_servers_word();
        if !self.calling() {
            if let (Some(id), Some(_)) = (self.line.id(), self.session()) {
                self.drop_line(id);
            }
            self.line.lost_since = None;
            self.line.without_sound = false;
            self.line.failures = 0;
            return;
        }
        // Also in an app that was started anew: the callee waits.
        if matches!(self.line.at, At::Down | At::Asked { .. }) && self.in_call() {
            self.line.lost_since.get_or_insert(self.now);
        }
        if self.waits_for_registration() && self.now >= self.line.register_at {
            // Not at the first look: the phone tries by itself first.
            if self.line.register_at > 0 {
                self.want(Effect::RetryPhone);
            }
            self.line.register_at = self.now + REGISTER_AGAIN_MS;
        }
        let wanted = self.line.at == At::Down && self.link.is_up() && self.line.registered;
        if wanted && self.now >= self.line.retry_at {
            self.line.at = At::Asked { until: self.now + ASKED_MS };
            self.line.sound = Sound::default();
            self.lines += 1;
            self.want(Effect::OpenLine);
        }
    }

    fn waits_for_registration(&self) -> bool {
        self.calling() && self.link.is_up() && self.line.running && !self.line.registered
    }

    /// Signalling goes through the server and sound does not: a call may go on without a server.
    fn sound_is_away(&self) -> bool {
        let silent = self.now - self.line.media_at > MEDIA_STALE_MS;
        match self.session() {
            Some(Session::Talking { .. }) => silent,
            _ => self.link.at == link::At::Up,
        }
    }

    fn heed_the_servers_word(&mut self) {
        let denied = match (&self.desk, self.line.at) {
            (Some(desk), At::Up(id) | At::Away(id))
                if self.link.is_up() && desk.session != Session::Ended =>
            {
                match desk.line {
                    ServersLine::Lost { .. } | ServersLine::Down => Some(id),
                    ServersLine::Opening | ServersLine::Up | ServersLine::Closing => None,
                }
            }
            _ => None,
        };
        let Some(id) = denied else {
            self.line.denied_since = None;
            return;
        };
        let since = *self.line.denied_since.get_or_insert(self.now);
        if self.now - since >= SERVERS_WORD_MS {
            tracing::warn!("the server says that the line is gone: opening it anew");
            self.drop_line(id);
        }
    }

    /// Whether the callee's telephone rings, as far as is known, and the network may leave the ringing to us: after a
    /// 180, also when a 183 follows it; after a 183 alone where nothing came for a while.
    fn is_left_to_ring(&mut self) -> bool {
        let Some(Session::Dialling { call, .. }) = self.session() else {
            self.line.path_since = None;
            return false;
        };
        match call.state {
            CalleeState::Ringing { early_media: false, .. } => true,
            CalleeState::Ringing { early_media: true, .. } => {
                let since = *self.line.path_since.get_or_insert(self.now);
                self.line.rings || self.now - since >= SILENT_MS
            }
            CalleeState::InLine { .. }
            | CalleeState::Dialling { .. }
            | CalleeState::Talking { .. }
            | CalleeState::Ended { .. } => false,
        }
    }

    /// Sound leaves only from Call to the end of the call, and the ring sounds only while nothing else does.
    pub(super) fn reconcile_sound(&mut self) {
        let call_pressed = self.call_pressed();
        let talking = matches!(self.session(), Some(Session::Talking { .. }));
        if !self.in_call() && !call_pressed {
            self.line.heard = false;
        }
        if !talking || self.muted || !self.line.is_up() {
            self.line.quiet_since = None;
        }
        let Some(id) = self.line.id() else { return };
        let sends = (self.in_call() || call_pressed) && self.hang_up.is_none();
        if sends != self.line.sends {
            self.line.sends = sends;
            self.want(Effect::SendAudio(id, sends));
        }
        let rings = self.is_left_to_ring() && !self.line.heard && self.hang_up.is_none();
        if rings != self.line.rings {
            self.line.rings = rings;
            self.want(Effect::Ring(rings));
        }
    }

    /// The callee answered: from now on the volunteer should be heard.
    pub(super) fn listen_for_the_volunteer(&mut self) {
        self.line.quiet_since = Some(self.now);
    }

    pub(super) fn too_quiet(&self) -> bool {
        self.line.quiet_since.is_some_and(|since| self.now - since >= QUIET_MS)
    }
}

fn devices(state: DeviceState) -> Devices {
    match state {
        DeviceState::Ready { microphone, speaker } | DeviceState::Changed { microphone, speaker } => {
            Devices { microphone: Some(microphone), speaker: Some(speaker) }
        }
        DeviceState::NoMicrophone { speaker, .. } => Devices { microphone: None, speaker: Some(speaker) },
        DeviceState::NoSpeaker { microphone, .. } => Devices { microphone: Some(microphone), speaker: None },
        DeviceState::Nothing { .. } => Devices { microphone: None, speaker: None },
    }
}
