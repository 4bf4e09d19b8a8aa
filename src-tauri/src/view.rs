//! What the screens show: one value, made by the controller, drawn by the page.
//!
//! It says what is so, never in sentences: the page has the words, in the volunteer's language.
//! Dates are the server's; the page counts on from [`View::server_now_ms`] by its own
//! monotonic clock.

use protocol::{
    attempt::LastOutcome,
    campaign::Campaign,
    ids::AttemptId,
    outcome::{Outcome, RingAgain},
    session::Session,
    trunk::{Complaint, NextTry},
};
use serde::{Deserialize, Serialize};

/// Everything on the screen but the level meter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct View {
    /// The server's clock when this was made, UTC epoch milliseconds.
    #[specta(type = specta_typescript::Number)]
    pub server_now_ms: i64,
    /// What fills the window.
    pub screen: Screen,
    /// What is wrong, the worst first; the first one takes the header's place.
    pub troubles: Vec<Trouble>,
    /// The answer to the last press, until the next one: shown once, in the title row.
    pub notice: Option<Notice>,
    /// A question that waits for the volunteer, over whatever fills the window.
    pub invitation: Option<Invitation>,
}

/// A link came to a computer that has joined already. Any web page can open one: nothing is done
/// with it before the volunteer says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Invitation {
    /// The server it leads to, `host` or `host:port`.
    pub host: String,
    /// Whom this computer would leave.
    pub organisation: String,
    /// Outcomes on this computer that its server does not have yet.
    pub waiting_outcomes: u32,
}

/// What fills the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Screen {
    /// Keyring and settings are being read.
    Opening,
    /// No device yet: paste or click an invitation.
    Join {
        /// A request is under way.
        busy: bool,
        /// Why the last link did not work.
        problem: Option<JoinProblem>,
    },
    /// Joined.
    Desk(Box<DeskView>),
}

/// Why a link did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum JoinProblem {
    /// Not an invitation link at all.
    NotALink,
    /// A part of it is missing.
    Damaged,
    /// The server does not know it.
    Unknown,
    /// Used by another device.
    Spent {
        /// First name of the person who can send a new one.
        organiser: String,
    },
    /// Past its time.
    Expired {
        /// First name of the person who can send a new one.
        organiser: String,
        /// When it ended, UTC epoch milliseconds.
        #[specta(type = specta_typescript::Number)]
        ended_at_ms: i64,
    },
    /// The server cannot be reached.
    Unreachable,
    /// Its certificate is not the one the link names.
    Untrusted,
    /// Another protocol: this app is too old.
    UpdateApp,
    /// Another protocol: the server is too old.
    UpdateServer,
    /// Refused for another reason; the server's own words.
    Refused {
        /// The server's sentence.
        message: String,
    },
}

/// The volunteer's desk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct DeskView {
    /// "Maya".
    pub volunteer: String,
    /// What they are calling for.
    pub campaign: Campaign,
    /// Their line, as the softphone and the server together know it.
    pub line: LineView,
    /// Where they are.
    pub session: Session,
    /// For the confirmation and for `U`.
    pub last_outcome: Option<LastOutcome>,
    /// The microphone is off.
    pub muted: bool,
    /// The outcome pressed while the callee still talks.
    pub marked: Option<Outcome>,
    /// A press is on its way: the button that was pressed shows it.
    pub busy: Option<Press>,
    /// The app plays the national ring.
    pub rings: bool,
    /// Outcomes kept on this computer, not yet at the server.
    pub waiting_outcomes: u32,
    /// How it sounds.
    pub quality: Quality,
    /// What talks and what is heard.
    pub devices: Devices,
}

/// A press that is on its way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "kebab-case")]
pub enum Press {
    /// Start
    Start,
    /// Call
    Call,
    /// Hang up or cancel
    HangUp,
    /// An outcome key
    Outcome,
    /// Skip, later, do not call
    Settle,
    /// Pause
    Pause,
    /// Back to calling
    Resume,
    /// Stop
    Stop,
}

/// The line as the volunteer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum LineView {
    /// Not wanted.
    Down,
    /// Coming up.
    Opening,
    /// Up, and sound flows or would at once.
    Up,
    /// Lost in a session; it comes back by itself.
    Lost {
        /// UTC epoch, milliseconds.
        #[specta(type = specta_typescript::Number)]
        since_ms: i64,
    },
}

/// How it sounds, with the figures for the popover.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct Quality {
    /// In one word.
    pub grade: Grade,
    /// Lost packets of the last seconds, both ways, the worse; 0 to 1.
    pub loss: f32,
    /// Interarrival jitter, milliseconds (RFC 3550, section 6.4.1).
    pub jitter_ms: f32,
    /// Round trip to Asterisk, milliseconds.
    pub round_trip_ms: Option<f32>,
}

/// How it sounds, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Nothing measured yet.
    Unknown,
    /// Under 1 % lost.
    Good,
    /// 1 to 5 % lost.
    SomeLost,
    /// More than that, or much jitter.
    Poor,
    /// The line was lost.
    Down,
}

/// Microphone and loudspeaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Devices {
    /// Name of the microphone in use; `None`: there is none.
    pub microphone: Option<String>,
    /// Name of the loudspeaker in use; `None`: there is none.
    pub speaker: Option<String>,
}

/// A choice of device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct DeviceChoice {
    /// For the command `choose_devices`.
    pub id: String,
    /// For people.
    pub name: String,
    /// In use now.
    pub chosen: bool,
}

/// All that may be chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct DeviceChoices {
    /// What can hear.
    pub microphones: Vec<DeviceChoice>,
    /// What can be heard.
    pub speakers: Vec<DeviceChoice>,
}

/// What is wrong, until it is mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Trouble {
    /// Switched off by the organiser.
    Revoked {
        /// Whom to ask.
        organiser: String,
    },
    /// This app is too old for the server.
    UpdateApp,
    /// The server is too old for this app.
    UpdateServer,
    /// The server's certificate is not by the authority that the link named.
    Untrusted,
    /// The line is gone; the callee is held.
    LineLost {
        /// UTC epoch, milliseconds.
        #[specta(type = specta_typescript::Number)]
        since_ms: i64,
        /// Someone was on it.
        in_call: bool,
    },
    /// The server cannot be reached.
    ServerUnreachable {
        /// The next try, seconds from when this was made.
        retry_in_s: u32,
        /// The call goes on.
        in_call: bool,
    },
    /// No microphone.
    NoMicrophone,
    /// No loudspeaker.
    NoSpeaker,
    /// The microphone gives nothing but silence while talking.
    TooQuiet,
    /// Between calls: sound finds no way to the server.
    WithoutSound,
    /// The server has no telephone: Asterisk or the trunk is away.
    NoTelephone,
    /// The telephone provider puts no call through.
    Trunk {
        /// What it does with calls.
        complaint: Complaint,
        /// Who tries next, and when.
        next_try: NextTry,
    },
    /// The server cannot write its disk.
    ServerStorage,
    /// This computer cannot write its disk: an outcome is only in memory.
    LocalStorage,
    /// The keyring is locked and its window waits for the volunteer.
    KeyringLocked,
    /// No keyring: the secrets are in memory, for this run only.
    NoKeyring {
        /// The system's reason.
        why: String,
    },
    /// An outcome was refused by the server and is kept here.
    OutcomeRefused {
        /// The callee's name is not kept; this is when the key was pressed, UTC epoch milliseconds.
        #[specta(type = specta_typescript::Number)]
        pressed_at_ms: i64,
        /// What was pressed.
        outcome: Outcome,
    },
}

/// The answer to a press.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Notice {
    /// Not rung: a rule forbids it.
    RefusedByRule {
        /// The server's sentence.
        message: String,
    },
    /// The card was held no longer; another is there.
    LeaseLost,
    /// The outcome is on this computer and goes to the server when it is back.
    SavedHere {
        /// What was pressed.
        outcome: Outcome,
    },
    /// You are back with the callee.
    LineBack,
    /// Will not be rung again, by anyone here.
    DoNotCall {
        /// "Mrs Hollis".
        name: String,
        /// The attempt whose outcome says so, which can be corrected; `None`: said of a card that was not rung.
        attempt_id: Option<AttemptId>,
    },
    /// The window was to be closed in a call: hang up first.
    InCall,
    /// The server refused for another reason; its own words.
    Refused {
        /// The server's sentence.
        message: String,
    },
}

/// Sound levels, at most ten a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct Level {
    /// 0 to 1.
    pub microphone: f32,
    /// 0 to 1.
    pub speaker: f32,
}

/// An outcome key with what goes along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct OutcomePress {
    /// Which.
    pub outcome: Outcome,
    /// The note as it stands, if any.
    pub note: Option<String>,
    /// For call back.
    pub again: Option<RingAgain>,
}
