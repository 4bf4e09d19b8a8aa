//! The requests of the app, all `POST` with a JSON body, and their replies.
//!
//! | path | body | reply | idempotent by |
//! | --- | --- | --- | --- |
//! | `/api/join` | [`Join`] | [`Joined`] | link and device key |
//! | `/api/sign-in/challenge` | [`AskChallenge`] | [`Challenge`] | - |
//! | `/api/sign-in` | [`SignIn`] | [`SignedIn`] | - |
//! | `/api/sign-out` | `{}` | `{}` | bearer |
//! | `/api/session/start` | `{}` | `{}` | state |
//! | `/api/session/pause` | `{}` | `{}` | state |
//! | `/api/session/resume` | `{}` | `{}` | state |
//! | `/api/session/stop` | `{}` | `{}` | state |
//! | `/api/line` | [`OpenLine`] | `{}` | line token |
//! | `/api/line/sound` | [`LineSound`] | `{}` | state |
//! | `/api/dial` | [`Dial`] | [`Dialled`] | lease |
//! | `/api/hang-up` | [`HangUp`] | `{}` | attempt |
//! | `/api/lease/settle` | [`SettleLease`] | `{}` | lease |
//! | `/api/outcome` | [`RecordOutcome`] | `{}` | outcome id |
//!
//! Beside them: `GET /live` ([`crate::events`]) and `GET /sip` (WebSocket, subprotocol `sip`).
//! All but the first three want `Authorization: Bearer`. Every request carries
//! `X-Ringround-Protocol: 1`; another major is answered 426 with [`ErrorCode::UpdateApp`] or
//! [`ErrorCode::UpdateServer`]. A refusal is a 4xx or 5xx with [`ApiError`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    campaign::Campaign,
    ids::{AttemptId, DeviceId, LeaseId, OutcomeId},
    outcome::{Outcome, RingAgain},
};

/// The header that names the protocol's major.
pub const PROTOCOL_HEADER: &str = "x-ringround-protocol";

/// What goes before the challenge when it is signed ([`sign_in_text`]), so that the signature is of no use elsewhere.
const SIGN_IN_CONTEXT: &[u8] = b"ringround sign-in v1\0";

/// What goes before the link, the device and its key when a join is signed; see [`join_text`].
const JOIN_CONTEXT: &[u8] = b"ringround join v1\0";

/// Spends a join link for a device. The token is a secret: `Debug` leaves it out.
#[derive(Clone, Serialize, Deserialize)]
pub struct Join {
    /// The link's token, base64url.
    pub token: String,
    /// Made by the app.
    pub device_id: DeviceId,
    /// Ed25519 public key of the device, 32 bytes, base64url.
    pub public_key: String,
    /// What the organiser sees in the list of devices, "Maya's laptop".
    pub device_name: String,
    /// Ed25519 over [`join_text`] with that key, so that nobody joins with another's; 64 bytes, base64url.
    pub signature: String,
}

/// What a device signs to join: the context, the link's token as it stands in the link, the 16 bytes of
/// the device's id and the 32 of its public key. The last two have fixed lengths, so no two joins read alike.
pub fn join_text(token: &str, device: DeviceId, public_key: &[u8; 32]) -> Vec<u8> {
    [JOIN_CONTEXT, token.as_bytes(), device.uuid().as_bytes(), public_key].concat()
}

impl fmt::Debug for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Join of {}", self.device_id)
    }
}

/// The device is bound.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Joined {
    /// The volunteer's name as the organiser wrote it.
    pub volunteer: String,
    /// What they were invited to.
    pub campaign: Campaign,
}

/// Asks for something to sign.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AskChallenge {
    /// Who wants to sign in.
    pub device_id: DeviceId,
}

/// 32 random bytes, base64url; good for 60 seconds and one use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Challenge {
    /// What to sign, by [`sign_in_text`].
    pub challenge: String,
}

/// Answers a challenge. `Debug` leaves out what would sign in.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignIn {
    /// Who.
    pub device_id: DeviceId,
    /// The challenge, as it came.
    pub challenge: String,
    /// Ed25519 over [`sign_in_text`]; 64 bytes, base64url.
    pub signature: String,
}

/// What a device signs to sign in: the context and the challenge's bytes, decoded.
pub fn sign_in_text(challenge: &[u8]) -> Vec<u8> {
    [SIGN_IN_CONTEXT, challenge].concat()
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignIn of {}", self.device_id)
    }
}

/// A sign-in: two secrets for 12 hours.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedIn {
    /// Bearer token, base64url.
    pub token: String,
    /// UTC epoch, milliseconds.
    pub expires_at_ms: i64,
    /// User name is the device's id.
    pub sip_password: String,
    /// Realm of the digest and domain of the address of record.
    pub sip_domain: String,
}

/// Asks Asterisk to call the app and keep the line up.
#[derive(Clone, Serialize, Deserialize)]
pub struct OpenLine {
    /// 128 bits made by the app, hexadecimal; comes back as `X-Line-Token` in the INVITE.
    pub token: String,
}

/// Says whether sound gets through on the line. Nobody is rung for a line whose app has not said so.
#[derive(Clone, Serialize, Deserialize)]
pub struct LineSound {
    /// Of the line, as in [`OpenLine`].
    pub token: String,
    /// `false`: the line was answered, or was up, and ICE finds no way for the sound (or no more).
    pub gets_through: bool,
}

/// Rings the leased contact.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dial {
    /// The card's lease.
    pub lease_id: LeaseId,
}

/// The attempt was committed; its progress comes over `/live`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dialled {
    /// The attempt.
    pub attempt_id: AttemptId,
}

/// Ends a call, or cancels it while it rings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HangUp {
    /// The attempt.
    pub attempt_id: AttemptId,
}

/// Gives a contact back without ringing it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SettleLease {
    /// The card's lease.
    pub lease_id: LeaseId,
    /// How.
    pub how: Settle,
}

/// How a contact is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Settle {
    /// Someone else may have it; not this volunteer today.
    Skip,
    /// Later.
    Later {
        /// When.
        again: RingAgain,
    },
    /// Never again, by anyone here.
    DoNotCall,
}

/// Records what came of an attempt, or corrects it: the newest id of an attempt wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordOutcome {
    /// Made by the app at the press, UUIDv7.
    pub id: OutcomeId,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// What came of it.
    pub outcome: Outcome,
    /// A note, at most [`crate::outcome::LONGEST_NOTE`] characters.
    pub note: Option<String>,
    /// For [`Outcome::Callback`].
    pub again: Option<RingAgain>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What a program decides by.
    pub code: ErrorCode,
    /// What happened and how to mend it, for a person.
    pub message: String,
    /// When trying again makes sense, UTC epoch milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub again_at_ms: Option<i64>,
    /// With [`ErrorCode::LinkSpent`] and [`ErrorCode::LinkExpired`]: which invitation it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<EndedLink>,
}

impl ApiError {
    /// A refusal of this code, with words for a person.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), again_at_ms: None, link: None }
    }
}

/// An invitation that lets nobody in any more. Only who holds its link is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedLink {
    /// First name of the person who can send a new one, "Ruth".
    pub organiser: String,
    /// When its time is or was over, UTC epoch milliseconds.
    pub expires_at_ms: i64,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// 400: the request makes no sense; a fault of the app.
    Invalid,
    /// 401: no token, an unknown one, or one past its time: sign in again.
    SignInAgain,
    /// 401: the device was switched off by an organiser; signing in again is of no use.
    DeviceRevoked,
    /// 403: the link is not known here.
    UnknownLink,
    /// 410: the link was used.
    LinkSpent,
    /// 410: the link is past its time.
    LinkExpired,
    /// 404: no such thing (any more).
    NotFound,
    /// 409: the request does not fit the state; the next snapshot says what is true.
    WrongState,
    /// 409: the card is no longer held.
    LeaseLost,
    /// 409: a calling rule forbids it now.
    RefusedByRule,
    /// 426: the app is older than the server.
    UpdateApp,
    /// 426: the server is older than the app.
    UpdateServer,
    /// 413: the body is too large.
    TooLarge,
    /// 429: too many requests from this address, or of this device.
    TooMany,
    /// 503: Asterisk is not there; nothing was dialled.
    NoTelephone,
    /// 503: the server cannot write its database (full or read-only disk); nothing was changed.
    NoStorage,
    /// 500: a fault of the server.
    Internal,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_signs_in_or_joins_is_not_shown_in_a_log() {
        let device_id = DeviceId::new(Uuid::nil());
        let secret = || "secret".to_owned();
        let join = Join {
            token: secret(),
            device_id,
            public_key: secret(),
            device_name: "Maya's laptop".into(),
            signature: secret(),
        };
        let sign_in = SignIn { device_id, challenge: secret(), signature: secret() };
        let shown = format!("{join:?} {sign_in:?}");
        assert!(shown.contains(&device_id.to_string()) && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn another_link_device_or_key_is_another_text_to_sign() {
        let device = DeviceId::new(Uuid::nil());
        let text = join_text("token", device, &[1; 32]);
        assert_ne!(text, join_text("tokem", device, &[1; 32]));
        assert_ne!(text, join_text("token", DeviceId::new(Uuid::max()), &[1; 32]));
        assert_ne!(text, join_text("token", device, &[2; 32]));
        assert_ne!(join_text("a", device, &[1; 32]).len(), join_text("ab", device, &[1; 32]).len());
    }
}
