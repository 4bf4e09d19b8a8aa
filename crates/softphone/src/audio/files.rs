//! A device of two WAV files.

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rtrb::{Consumer, RingBuffer};

use super::wav::{self, Writer};
use super::{Pace, RATE, Sound};

/// Speaks one file (16-bit PCM WAV, any rate, first channel; silence after its end) and keeps what is
/// heard in another (mono, 48 kHz).
#[derive(Debug, Clone, Default)]
pub struct FileDevice {
    /// What to say; silence where there is none.
    pub microphone: Option<PathBuf>,
    /// Where to keep what is heard; thrown away where there is none.
    pub speaker: Option<PathBuf>,
}

impl FileDevice {
    /// Opens the files; what is heard is written by a thread of its own until the phone lets go.
    pub(crate) fn open(&self) -> io::Result<Sound> {
        let microphone = match &self.microphone {
            None => None,
            Some(path) => {
                let samples = wav::read(path)?;
                let (mut said, microphone) = RingBuffer::new(samples.len().max(1));
                for sample in samples {
                    // The ring is as long as the file.
                    let _ = said.push(sample);
                }
                Some(microphone)
            }
        };
        let speaker = match &self.speaker {
            None => None,
            Some(path) => {
                let writer = Writer::create(path)?;
                let (speaker, heard) = RingBuffer::new(2 * RATE);
                thread::Builder::new().name("wav".to_owned()).spawn(move || keep(writer, heard))?;
                Some(speaker)
            }
        };
        Ok(Sound { microphone, speaker, pace: Pace::Clock })
    }
}

fn keep(mut writer: Writer, mut heard: Consumer<f32>) {
    const EVERY: Duration = Duration::from_millis(100);
    loop {
        let last = heard.is_abandoned();
        let samples: Vec<f32> = match heard.read_chunk(heard.slots()) {
            Ok(chunk) => chunk.into_iter().collect(),
            Err(_) => Vec::new(),
        };
        if let Err(error) = writer.write(&samples).and_then(|()| writer.settle()) {
            tracing::warn!(%error, "what was heard cannot be kept");
            return;
        }
        if last {
            return;
        }
        thread::sleep(EVERY);
    }
}
