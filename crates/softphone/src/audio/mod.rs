//! Sound in and out: devices, files, buffers, tones, and the thread that moves 10 ms at a time.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use rtrb::{Consumer, Producer};

use buffers::BufferDevice;

pub mod buffers;
pub mod devices;
pub mod files;
mod meter;
pub mod ring_tone;
pub(crate) mod streams;
pub(crate) mod thread;
mod wav;

/// Samples a second of everything inside the phone (Opus's own rate).
pub const RATE: usize = 48_000;
/// Samples in the 10 ms that the audio thread moves at a time.
pub const TICK: usize = RATE / 100;

/// The audio thread's ends of whatever device there is: two lock-free rings of mono samples.
pub(crate) struct Sound {
    pub(crate) microphone: Option<Consumer<f32>>,
    pub(crate) speaker: Option<Producer<f32>>,
    pub(crate) pace: Pace,
}

/// Who says when the next samples are due.
pub(crate) enum Pace {
    /// Our own clock: 10 ms in, 10 ms out.
    Clock,
    /// The device, which last asked for so many samples at once.
    Device { wanted: Arc<AtomicUsize> },
}

impl Sound {
    pub(crate) fn of_buffers(device: BufferDevice) -> Self {
        let BufferDevice { microphone, speaker } = device;
        Self { microphone: Some(microphone), speaker: Some(speaker), pace: Pace::Clock }
    }

    /// Silence in, nothing out.
    pub(crate) fn none() -> Self {
        Self { microphone: None, speaker: None, pace: Pace::Clock }
    }
}
