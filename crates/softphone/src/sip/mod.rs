//! SIP: messages, digest, dialogs, session descriptions, and the socket.
//!
//! The text of SIP is known nowhere else.

pub(crate) mod dialog;
pub(crate) mod digest;
pub(crate) mod message;
pub(crate) mod sdp;
pub(crate) mod tls;
pub(crate) mod transport;

pub(crate) use message::{Headers, Message, Method, Request, Response};

/// A new random token of `bytes` random bytes in hex: tags, branches, Call-IDs.
pub(crate) fn token(bytes: usize) -> String {
    let mut random = vec![0_u8; bytes];
    // The system's random source does not fail on any system we run on; should it ever, two equal
    // tokens do less harm than a phone that stops.
    let _ = getrandom::fill(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
