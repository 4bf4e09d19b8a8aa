//! A telephone: SIP over a secure WebSocket, WebRTC media, the system's sound devices.
//!
//! It runs with or without a sound card and knows nothing of who uses it. [`Softphone::start`] gives
//! a handle and a stream of [`Event`]s; everything else is behind them:
//!
//! - `engine` is the only tokio loop; it carries messages between the parts below;
//! - `call` holds the states of a registration and of a call: pure, time comes in as `now`;
//! - `sip` reads and writes messages and owns the socket; `media` owns RTP, codecs and the jitter
//!   buffer; `audio` owns the devices and the 10 ms thread;
//! - `tls` says whose certificates are believed, for SIP and, as [`tls_client`], for any other client of the server.

pub mod audio;
mod call;
mod engine;
mod events;
mod media;
mod random;
mod settings;
mod sip;
mod softphone;
mod tls;

pub use audio::buffers::{BufferDevice, BufferEnds};
pub use audio::files::FileDevice;
pub use audio::ring_tone::Ring;
pub use events::{
    Blame, CallId, CallState, Codec, DeviceState, EndedBy, Event, Missing, Quality, Reason, Registration, Why,
};
pub use settings::{Account, Devices, Secret, Settings, Trust, UnusableKey};
pub use softphone::Softphone;
pub use tls::client as tls_client;
