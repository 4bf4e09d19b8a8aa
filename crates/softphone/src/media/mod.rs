//! Media: the WebRTC leg, codecs, the jitter buffer, digits, and the voice that joins them.

use std::time::Instant;

use bytes::Bytes;

pub(crate) mod digits;
pub(crate) mod g711;
pub(crate) mod gate;
pub(crate) mod jitter;
pub(crate) mod leg;
pub(crate) mod playout;
pub(crate) mod speaking;
pub(crate) mod stretch;

/// A sound packet that came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packet {
    pub(crate) stream: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload_type: u8,
    pub(crate) payload: Bytes,
    pub(crate) arrived: Instant,
}

/// A sound packet to go out; its sequence number is given when it goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outgoing {
    pub(crate) timestamp: u32,
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    pub(crate) payload: Bytes,
}
