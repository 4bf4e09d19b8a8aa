//! Sound in and out: devices, files, buffers, tones, and the thread that moves 10 ms at a time.

pub mod buffers;
pub mod devices;
pub mod files;
pub mod ring;

/// Samples a second of everything inside the phone (Opus's own rate).
pub const RATE: usize = 48_000;
/// Samples in the 10 ms that the audio thread moves at a time.
pub const TICK: usize = RATE / 100;
