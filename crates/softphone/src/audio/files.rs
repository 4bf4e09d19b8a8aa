//! A device of two WAV files.

use std::path::PathBuf;

/// Speaks one file (16-bit PCM WAV, any rate, first channel; silence after its end) and keeps what is
/// heard in another (mono, 48 kHz).
#[derive(Debug, Clone, Default)]
pub struct FileDevice {
    /// What to say; silence where there is none.
    pub microphone: Option<PathBuf>,
    /// Where to keep what is heard; thrown away where there is none.
    pub speaker: Option<PathBuf>,
}
