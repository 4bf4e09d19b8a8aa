//! SIP: messages, digest, dialogs, session descriptions, and the socket.
//!
//! The text of SIP is known nowhere else.

pub(crate) mod dialog;
pub(crate) mod digest;
pub(crate) mod message;
pub(crate) mod sdp;
pub(crate) mod transport;

pub(crate) use message::{Headers, Message, Method, Request, Response};

/// A new random token of `bytes` random bytes in hex: tags, branches, Call-IDs.
pub(crate) fn token(bytes: usize) -> String {
    let mut random = vec![0_u8; bytes];
    crate::random::fill(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
