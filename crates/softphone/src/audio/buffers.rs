//! A device of two rings in memory, for tests and load.

use std::fmt;
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use super::RATE;

/// The phone's end: goes into [`crate::Devices::Buffers`].
pub struct BufferDevice {
    pub(crate) microphone: Consumer<f32>,
    pub(crate) speaker: Producer<f32>,
}

/// The test's end. Samples are mono, 48 kHz, -1 to 1.
pub struct BufferEnds {
    microphone: Producer<f32>,
    speaker: Consumer<f32>,
}

impl BufferDevice {
    /// Two rings that hold `length` of sound each. What the phone plays beyond that is lost, and what
    /// it wants beyond what was said is silence.
    pub fn new(length: Duration) -> (Self, BufferEnds) {
        let samples = (length.as_secs_f64() * RATE as f64) as usize;
        let (said, microphone) = RingBuffer::new(samples.max(RATE / 10));
        let (speaker, heard) = RingBuffer::new(samples.max(RATE / 10));
        (Self { microphone, speaker }, BufferEnds { microphone: said, speaker: heard })
    }
}

impl BufferEnds {
    /// Puts sound before the microphone; returns how many samples found room.
    pub fn say(&mut self, samples: &[f32]) -> usize {
        let room = self.microphone.slots().min(samples.len());
        for sample in &samples[..room] {
            // There was room for it a line ago and nobody else writes.
            let _ = self.microphone.push(*sample);
        }
        room
    }

    /// Takes everything the loudspeaker played since the last time.
    pub fn heard(&mut self) -> Vec<f32> {
        let count = self.speaker.slots();
        match self.speaker.read_chunk(count) {
            Ok(chunk) => chunk.into_iter().collect(),
            Err(_) => Vec::new(),
        }
    }
}

impl fmt::Debug for BufferDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BufferDevice")
    }
}

impl fmt::Debug for BufferEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BufferEnds")
    }
}
