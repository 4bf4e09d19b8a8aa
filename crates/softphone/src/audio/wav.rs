//! 16-bit PCM in RIFF files.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::RATE;

/// Ten minutes of stereo at 48 kHz.
const LARGEST: u64 = 120 << 20;

/// Reads the first channel of a file, at 48 kHz.
pub(crate) fn read(path: &Path) -> io::Result<Vec<f32>> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    if std::fs::metadata(path)?.len() > LARGEST {
        return Err(bad("longer than ten minutes"));
    }
    samples(&std::fs::read(path)?).ok_or_else(|| bad("not a WAV file of 16-bit PCM"))
}

fn samples(bytes: &[u8]) -> Option<Vec<f32>> {
    let u16_at = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"WAVE" {
        return None;
    }
    let (mut at, mut form) = (12, None);
    loop {
        let (name, length) = (bytes.get(at..at + 4)?, u32_at(at + 4)?);
        let start = at + 8;
        match name {
            b"fmt " => {
                let (channels, rate) = (usize::from(u16_at(start + 2)?), u32_at(start + 4)?);
                let sound = (1..=8).contains(&channels) && (1_000..=384_000).contains(&rate);
                form = (sound && u16_at(start + 14)? == 16).then_some((channels, rate));
            }
            b"data" => {
                let (channels, rate) = form?;
                let end = start.saturating_add(length).min(bytes.len());
                let first = bytes.get(start..end)?.chunks_exact(2 * channels);
                let first: Vec<f32> = first
                    .map(|frame| f32::from(i16::from_le_bytes([frame[0], frame[1]])) / 32_768.0)
                    .collect();
                return Some(resample(&first, rate));
            }
            _ => {}
        }
        // Chunks are padded to even lengths.
        at = start.checked_add(length)?.checked_add(length % 2)?;
    }
}

/// Straight lines between the samples: enough for a test's voice.
fn resample(samples: &[f32], rate: usize) -> Vec<f32> {
    if rate == RATE {
        return samples.to_vec();
    }
    let length = samples.len() * RATE / rate;
    let sample = |n: usize| samples.get(n).copied().unwrap_or_default();
    (0..length)
        .map(|n| {
            let (whole, part) = (n * rate / RATE, (n * rate % RATE) as f32 / RATE as f32);
            sample(whole) * (1.0 - part) + sample(whole + 1) * part
        })
        .collect()
}

/// Writes a mono file at 48 kHz, as it comes.
pub(crate) struct Writer {
    file: BufWriter<File>,
    bytes: u32,
}

impl Writer {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut writer = Self { file: BufWriter::new(File::create(path)?), bytes: 0 };
        writer.header()?;
        Ok(writer)
    }

    pub(crate) fn write(&mut self, samples: &[f32]) -> io::Result<()> {
        for sample in samples {
            let value = (sample.clamp(-1.0, 1.0) * 32_767.0) as i16;
            self.file.write_all(&value.to_le_bytes())?;
        }
        self.bytes = self.bytes.saturating_add(2 * samples.len() as u32);
        Ok(())
    }

    /// Makes the file whole up to here.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.header()?;
        self.file.seek(SeekFrom::End(0))?;
        self.file.flush()
    }

    fn header(&mut self) -> io::Result<()> {
        let rate = RATE as u32;
        self.file.write_all(b"RIFF")?;
        self.file.write_all(&self.bytes.saturating_add(36).to_le_bytes())?;
        self.file.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x01\0")?;
        self.file.write_all(&rate.to_le_bytes())?;
        self.file.write_all(&(rate * 2).to_le_bytes())?;
        self.file.write_all(b"\x02\0\x10\0data")?;
        self.file.write_all(&self.bytes.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read_and_resampled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut writer = Writer::create(&path).unwrap();
        writer.write(&[0.0, 0.5, -0.5, 1.0]).unwrap();
        writer.settle().unwrap();
        let back = read(&path).unwrap();
        assert_eq!(back.len(), 4);
        assert!((back[1] - 0.5).abs() < 1e-3 && (back[3] - 1.0).abs() < 1e-3);
        assert_eq!(resample(&[0.0, 1.0], 24_000), [0.0, 0.5, 1.0, 0.5]);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(head in 0_usize..44, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\xbb\0\0\0\0\0\0\x02\0\x10\0data\x10\0\0\0".to_vec();
            file.truncate(head.max(12));
            file.extend(bytes);
            let _ = samples(&file);
        }
    }
}
