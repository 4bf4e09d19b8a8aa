//! What the phone tells whoever holds it.

use std::fmt;
use std::time::Duration;

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Our standing with the registrar changed.
    Registration(Registration),
    /// A call changed its state.
    Call {
        /// Which call.
        id: CallId,
        /// Its state now.
        state: CallState,
    },
    /// The first sound packet after the start or after half a second without any.
    FirstMedia {
        /// Which call.
        id: CallId,
    },
    /// Each second of a call that is up.
    Media {
        /// Which call.
        id: CallId,
        /// How well it goes.
        quality: Quality,
    },
    /// How loud it is, 0 to 1, at most ten times a second and only in a call.
    Level {
        /// What the microphone hears, also while muted.
        microphone: f32,
        /// What is played.
        speaker: f32,
    },
    /// A device came, went or could not be opened.
    Devices(DeviceState),
}

/// Names a call within one phone; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.0)
    }
}

/// Our standing with the registrar.
#[derive(Debug, Clone, PartialEq)]
pub enum Registration {
    /// Trying, for the first time or again.
    Registering,
    /// We can be called.
    Registered,
    /// We cannot be called now; tried again by itself.
    Lost {
        /// What went wrong.
        why: Why,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// We cannot be called, and trying again would not help: nothing is tried until `retry_now`,
    /// `set_bearer` or a new phone.
    Refused {
        /// What went wrong.
        why: Why,
    },
}

/// Who must mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The person's own network or machine.
    User,
    /// What was set up: address, certificate, account.
    Configuration,
    /// The server or what stands between.
    Peer,
    /// This program.
    Us,
}

/// What went wrong on the way to the registrar.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Why {
    /// Neither `wss://` nor `ws://` to a loopback address.
    #[error("the address {0} cannot be used: it must be wss://")]
    Address(String),
    /// The name is not known to the name service.
    #[error("the server's name was not found: {0}")]
    NameNotFound(String),
    /// Nothing can be kept secret without random numbers.
    #[error("this system has no random numbers: {0}")]
    NoRandom(String),
    /// Nobody answered, or the network is away.
    #[error("the server was not reached: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("the server did not answer in time ({0})")]
    TimedOut(&'static str),
    /// The certificate is not from the authority we were told to trust.
    #[error("the server's certificate is not trusted: {0}")]
    Untrusted(String),
    /// The certificate is trusted but out of date.
    #[error("the server's certificate is out of date, or this machine's clock is wrong")]
    Expired,
    /// The certificate is trusted but for another name.
    #[error("the server's certificate is for another name")]
    WrongName,
    /// TLS failed otherwise.
    #[error("no secure connection: {0}")]
    Tls(String),
    /// The upgrade to a WebSocket was refused: 401 and 403 ask for a new sign-in.
    #[error("the server refused the connection (HTTP {0})")]
    Upgrade(u16),
    /// User name or password were refused by the registrar.
    #[error("the registrar refused the account ({0})")]
    Account(u16),
    /// The registrar answered something else than yes.
    #[error("the registrar answered {0}")]
    Registrar(u16),
    /// The connection ended.
    #[error("the connection was closed: {0}")]
    Closed(String),
    /// The other side does not keep to the protocol.
    #[error("the server sent something that could not be understood: {0}")]
    Protocol(String),
}

impl Why {
    /// Who must mend it.
    pub fn blame(&self) -> Blame {
        match self {
            Self::NameNotFound(_) | Self::Unreachable(_) => Blame::User,
            Self::Address(_)
            | Self::NoRandom(_)
            | Self::Untrusted(_)
            | Self::Expired
            | Self::WrongName
            | Self::Upgrade(401 | 403)
            | Self::Account(_) => Blame::Configuration,
            Self::TimedOut(_)
            | Self::Tls(_)
            | Self::Upgrade(_)
            | Self::Registrar(_)
            | Self::Closed(_)
            | Self::Protocol(_) => Blame::Peer,
        }
    }

    /// Whether trying again by itself could help.
    pub fn may_pass(&self) -> bool {
        self.blame() != Blame::Configuration
    }
}

/// Where a call is.
#[derive(Debug, Clone, PartialEq)]
pub enum CallState {
    /// Sent, nothing heard yet; or an awaited call is being answered.
    Dialling,
    /// The other side rings.
    Ringing {
        /// The network sends its own ringing as sound.
        early_media: bool,
    },
    /// Answered, and media is connected.
    Up {
        /// What is spoken with.
        codec: Codec,
        /// It is the line that was awaited by its token.
        line: bool,
    },
    /// Something is away; the call is being kept.
    Reconnecting {
        /// What, at the worst.
        missing: Missing,
    },
    /// Over.
    Ended {
        /// Who ended it.
        by: EndedBy,
        /// Why.
        reason: Reason,
    },
}

/// What is away of a call that is being kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// The connection for signalling; sound goes on.
    Signalling,
    /// Nothing gets through of the sound (ICE).
    Sound,
}

/// What is spoken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Opus, 48 kHz.
    Opus,
    /// G.711 µ-law, 8 kHz.
    Pcmu,
    /// G.711 A-law, 8 kHz.
    Pcma,
}

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// We did.
    Us,
    /// The other side did.
    Peer,
    /// Nobody wished it.
    Failure,
}

/// Why a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// Hung up after a talk.
    HungUp,
    /// Given up before the answer.
    Cancelled,
    /// 486 or 600.
    Busy,
    /// 408, 480 or no answer in time.
    NoAnswer,
    /// 404, 484 or 604.
    NoSuchNumber,
    /// Any other refusal, with its SIP status.
    Refused(u16),
    /// We are not registered.
    NotRegistered,
    /// The connection to the server did not come back in time.
    ConnectionLost,
    /// Sound could not be carried: no path (ICE), no keys (DTLS), no common codec.
    Media(String),
    /// The other side does not keep to the protocol.
    Protocol(String),
    /// The phone was stopped.
    Stopped,
}

/// How well a call goes, over the last second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// Part of the packets to us that did not come, 0 to 1.
    pub loss: f32,
    /// Part of our packets that the other side reports missing, 0 to 1.
    pub loss_up: f32,
    /// Inter-arrival jitter of RFC 3550, ms.
    pub jitter_ms: f32,
    /// From the last RTCP report, where there was one, ms.
    pub round_trip_ms: Option<f32>,
    /// Part of the packets that came too late to be played, 0 to 1.
    pub late_drops: f32,
    /// Sound waiting to be played, ms.
    pub buffer_ms: f32,
    /// Packets received in all.
    pub received: u64,
    /// Packets sent in all.
    pub sent: u64,
}

/// What we hear and speak with.
#[derive(Debug, Clone, PartialEq)]
pub enum DeviceState {
    /// Both work.
    Ready {
        /// Name for people.
        microphone: String,
        /// Name for people.
        speaker: String,
    },
    /// Nothing can be said; what is sent is silence.
    NoMicrophone {
        /// What the system said.
        why: String,
        /// Name for people of the output in use.
        speaker: String,
    },
    /// Nothing can be heard.
    NoSpeaker {
        /// What the system said.
        why: String,
        /// Name for people of the input in use.
        microphone: String,
    },
    /// Neither.
    Nothing {
        /// What the system said.
        why: String,
    },
    /// The chosen device went away and the system took another, or it came back.
    Changed {
        /// Name for people of the input now in use.
        microphone: String,
        /// Name for people of the output now in use.
        speaker: String,
    },
}
