//! What a phone must be told before it can start.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use url::Url;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::audio::buffers::BufferDevice;
use crate::audio::files::FileDevice;
use crate::audio::ring_tone::Ring;

/// Everything a phone must be told before it can start.
#[derive(Debug)]
pub struct Settings {
    /// `wss://host:port/path`. Plain `ws://` is taken only for a loopback address.
    pub server: Url,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Who we are to the registrar.
    pub account: Account,
    /// Sent as `Authorization: Bearer` with the upgrade to a WebSocket, where a tunnel asks for it.
    pub bearer: Option<Secret>,
    /// What to hear and speak with.
    pub devices: Devices,
    /// The ringing tone played by [`crate::Softphone::play_ring`].
    pub ring: Ring,
    /// The `User-Agent` of every request.
    pub user_agent: String,
}

impl Settings {
    /// Settings with the system's trust and devices and the ringing tone of the United Kingdom.
    pub fn new(server: Url, account: Account) -> Self {
        Self {
            server,
            trust: Trust::System,
            account,
            bearer: None,
            devices: Devices::System { microphone: None, speaker: None },
            ring: Ring::default(),
            user_agent: concat!("ringround-softphone/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Whose certificates are believed. Names and dates are always checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The public authorities that ship with the program.
    System,
    /// One authority only, which the server sends in its chain.
    Authority {
        /// SHA-256 of the authority's SubjectPublicKeyInfo in DER.
        public_key_sha256: [u8; 32],
    },
}

impl Trust {
    /// Reads a pinned authority from base64 (with or without padding, either alphabet).
    pub fn authority(base64: &str) -> Result<Self, UnusableKey> {
        let text = base64.trim();
        let bytes = STANDARD
            .decode(text)
            .or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')))
            .map_err(|_| UnusableKey)?;
        let public_key_sha256 = bytes.try_into().map_err(|_| UnusableKey)?;
        Ok(Self::Authority { public_key_sha256 })
    }
}

/// The text is not the base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the authority's key must be 32 bytes in base64 (SHA-256 of its public key)")]
pub struct UnusableKey;

/// Who we are to the registrar.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user part of our address, and the user name of the digest.
    pub username: String,
    /// The secret of the digest.
    pub password: Secret,
    /// The host part of our address; with Asterisk any name does.
    pub domain: String,
}

/// A text that is wiped when dropped and never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// What to hear and speak with.
#[derive(Debug)]
pub enum Devices {
    /// The system's own; `None` is its default. Ids are those of [`crate::audio::devices::list`].
    System {
        /// Id of the input.
        microphone: Option<String>,
        /// Id of the output.
        speaker: Option<String>,
    },
    /// Rings in memory, whose other ends a test holds.
    Buffers(BufferDevice),
    /// A file to speak and a file that keeps what was heard.
    Files(FileDevice),
    /// Neither: silence is sent, what is heard is thrown away.
    Silence,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let account = Account { username: "u".into(), password: Secret::new("hunter2"), domain: "d".into() };
        assert!(!format!("{account:?}").contains("hunter2"));
    }

    #[test]
    fn a_pin_is_read_in_either_alphabet_and_refused_when_short() {
        let key = [0xfb_u8; 32];
        let expected = Trust::Authority { public_key_sha256: key };
        assert_eq!(Trust::authority(&STANDARD.encode(key)).unwrap(), expected);
        assert_eq!(Trust::authority(&URL_SAFE_NO_PAD.encode(key)).unwrap(), expected);
        assert_eq!(Trust::authority("AAAA"), Err(UnusableKey));
        assert_eq!(Trust::authority("not base64!"), Err(UnusableKey));
    }
}
