//! What a volunteer, an organiser and a telephone network see of the whole: real Asterisk, real server, real
//! softphone. One file a behaviour.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod network;
