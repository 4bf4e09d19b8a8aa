//! Sounds of a run: sentences synthesised anew from a seed, a voice-like marker, and the files they lie in.

use std::{io::Cursor, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

/// Mono sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Samples a second.
    pub rate: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

/// A sentence and its sound.
#[derive(Debug, Clone)]
pub struct Sentence {
    /// What is said.
    pub text: String,
    /// How it sounds, 48,000 samples a second.
    pub sound: Sound,
}

const WHO: [&str; 8] = [
    "The old gardener",
    "My youngest neighbour",
    "Every second lodger",
    "The night porter",
    "A patient clockmaker",
    "The harbour choir",
    "Our quiet postman",
    "The weaver's cousin",
];
const DID: [&str; 8] =
    ["counted", "borrowed", "painted over", "hid away", "mended", "sang about", "photographed", "gave back"];
const WHAT: [&str; 8] = [
    "seven copper lanterns",
    "a basket of green apples",
    "forty wooden spoons",
    "the broken weather vane",
    "eleven letters from Lisbon",
    "a very small piano",
    "two bags of river sand",
    "the parish umbrella",
];
const WHERE: [&str; 8] = [
    "behind the bakery on Tuesday",
    "before the ferry came",
    "under the railway bridge",
    "while it snowed in Leeds",
    "at a quarter past nine",
    "without telling anyone",
    "for the whole of August",
    "beside the empty theatre",
];

impl Sentence {
    /// A sentence of this seed, about five seconds long, in a voice of this seed.
    ///
    /// # Errors
    /// When `espeak-ng` is not installed or fails.
    pub fn say(seed: u64) -> Result<Self> {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut one = |from: &[&'static str; 8]| from[chance.usize(..8)];
        let text = format!(
            "{} {} {} {}. {} {} {}.",
            one(&WHO),
            one(&DID),
            one(&WHAT),
            one(&WHERE),
            one(&WHO),
            one(&DID),
            one(&WHAT)
        );
        let voice = ["en-gb", "en-gb-scotland", "en-us", "en-gb-x-rp"][chance.usize(..4)];
        let output = Command::new("espeak-ng")
            .args([
                "-v",
                voice,
                "-p",
                &chance.u32(30..70).to_string(),
                "-s",
                &chance.u32(140..175).to_string(),
            ])
            .args(["--stdout", &text])
            .output()
            .context("espeak-ng speaks the sentences of the tests; is it installed?")?;
        ensure!(output.status.success(), "espeak-ng: {}", String::from_utf8_lossy(&output.stderr));
        let spoken = Sound::of_stream(&output.stdout)?;
        Ok(Self { text, sound: spoken.at_rate(48_000).as_loud_as(0.1) })
    }
}

impl Sound {
    /// Nothing, this long.
    pub fn silence(rate: u32, milliseconds: u32) -> Self {
        Self { rate, samples: vec![0; (rate / 1000 * milliseconds) as usize] }
    }

    /// A hum that never repeats and never pauses, so that each of its 10 ms can be found again:
    /// twelve harmonics of a gliding pitch, weighted by formants that wander. From a seed.
    pub fn marker(seed: u64, rate: u32, milliseconds: u32) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let (mut pitch, mut glide, mut phase) = (150.0_f32, 0.0_f32, 0.0_f32);
        let mut formants = [600.0_f32, 1500.0, 2500.0];
        let mut samples = Vec::new();
        for at in 0..rate / 1000 * milliseconds {
            if at % (rate / 100) == 0 {
                glide = (glide * 0.7 + (chance.f32() - 0.5) * 14.0).clamp(-12.0, 12.0);
                pitch = (pitch + glide).clamp(100.0, 230.0);
                for (formant, (least, most)) in
                    formants.iter_mut().zip([(350.0, 850.0), (950.0, 1900.0), (2100.0, 3100.0)])
                {
                    *formant = (*formant + (chance.f32() - 0.5) * 240.0).clamp(least, most);
                }
            }
            phase = (phase + pitch / rate as f32).fract();
            let mut value = 0.0;
            for harmonic in 1_u8..=12 {
                let frequency = pitch * f32::from(harmonic);
                let weight: f32 =
                    formants.iter().map(|f| 1.0 / (1.0 + ((frequency - f) / 160.0).powi(2))).sum();
                value += (0.15 + weight) * (std::f32::consts::TAU * phase * f32::from(harmonic)).sin();
            }
            samples.push((value * 2200.0).clamp(-30000.0, 30000.0) as i16);
        }
        Self { rate, samples }
    }

    /// Reads a WAV file; several channels are made one.
    ///
    /// # Errors
    /// When the file is not there or is no 16 bit WAV file.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        Self::of_stream(&bytes).with_context(|| path.display().to_string())
    }

    /// Reads both channels of a WAV file, left and right.
    ///
    /// # Errors
    /// As [`Sound::read`], and when it has not two channels.
    pub fn read_two(path: &Path) -> Result<(Self, Self)> {
        let (rate, channels, all) = frames_of(&std::fs::read(path)?)?;
        ensure!(channels == 2, "{} has {channels} channels", path.display());
        let of = |n: usize| Self { rate, samples: all.iter().skip(n).step_by(2).copied().collect() };
        Ok((of(0), of(1)))
    }

    /// Writes a 16 bit WAV file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: self.rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).with_context(|| path.display().to_string())?;
        for sample in &self.samples {
            writer.write_sample(*sample)?;
        }
        Ok(writer.finalize()?)
    }

    fn of_stream(bytes: &[u8]) -> Result<Self> {
        let (rate, channels, all) = frames_of(bytes)?;
        let samples = all
            .chunks_exact(channels)
            .map(|frame| (frame.iter().map(|s| i32::from(*s)).sum::<i32>() / frame.len() as i32) as i16)
            .collect();
        Ok(Self { rate, samples })
    }

    /// Length, milliseconds.
    pub fn milliseconds(&self) -> usize {
        self.samples.len() * 1000 / self.rate as usize
    }

    /// The same at another rate: interpolated by a windowed sinc of 16 zero crossings.
    pub fn at_rate(&self, rate: u32) -> Self {
        if rate == self.rate {
            return self.clone();
        }
        let ratio = f64::from(self.rate) / f64::from(rate);
        let cut = (1.0 / ratio).min(1.0) * 0.95;
        let half = 16.0 / cut;
        let length = (self.samples.len() as f64 / ratio) as usize;
        let samples = (0..length)
            .map(|n| {
                let centre = n as f64 * ratio;
                let first = (centre - half).ceil().max(0.0) as usize;
                let last = ((centre + half) as usize).min(self.samples.len().saturating_sub(1));
                let mut sum = 0.0;
                for at in first..=last {
                    let x = at as f64 - centre;
                    let angle = std::f64::consts::PI * x * cut;
                    let sinc = if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
                    let window = 0.5 + 0.5 * (std::f64::consts::PI * x / half).cos();
                    sum += f64::from(self.samples[at]) * sinc * window * cut;
                }
                sum.clamp(-32768.0, 32767.0) as i16
            })
            .collect();
        Self { rate, samples }
    }

    /// The same with this root mean square, as a fraction of full scale.
    pub fn as_loud_as(&self, level: f32) -> Self {
        let gain = level / self.level().max(1e-6);
        let louder = |s: &i16| (f32::from(*s) * gain).clamp(-32000.0, 32000.0) as i16;
        Self { rate: self.rate, samples: self.samples.iter().map(louder).collect() }
    }

    /// Root mean square, as a fraction of full scale.
    pub fn level(&self) -> f32 {
        let sum: f64 = self.samples.iter().map(|s| (f64::from(*s) / 32768.0).powi(2)).sum();
        (sum / self.samples.len().max(1) as f64).sqrt() as f32
    }

    /// A part of it, as far as it goes.
    pub fn part(&self, from_ms: usize, milliseconds: usize) -> Self {
        let at = |ms: usize| (ms * self.rate as usize / 1000).min(self.samples.len());
        Self { rate: self.rate, samples: self.samples[at(from_ms)..at(from_ms + milliseconds)].to_vec() }
    }

    /// This, then that.
    pub fn then(mut self, next: &Sound) -> Self {
        self.samples.extend(next.at_rate(self.rate).samples);
        self
    }
}

/// Rate, channels and samples of a WAV file as programs write it: into a pipe, or not finished, so that the
/// lengths in its header are wrong.
fn frames_of(bytes: &[u8]) -> Result<(u32, usize, Vec<i16>)> {
    let mut bytes = bytes.to_vec();
    let data = bytes.windows(4).take(400).position(|w| w == b"data").context("not a WAV file")?;
    ensure!(bytes.len() >= data + 8, "a WAV file without sound");
    let length = u32::try_from(bytes.len() - data - 8)? & !3;
    bytes[data + 4..data + 8].copy_from_slice(&length.to_le_bytes());
    let mut reader = hound::WavReader::new(Cursor::new(bytes))?;
    let (rate, channels) = (reader.spec().sample_rate, usize::from(reader.spec().channels));
    Ok((rate, channels, reader.samples::<i16>().filter_map(Result::ok).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_shape_at_another_rate() {
        let tone = |rate: u32| Sound {
            rate,
            samples: (0..rate / 2)
                .map(|n| {
                    ((f64::from(n) * 440.0 / f64::from(rate) * std::f64::consts::TAU).sin() * 9000.0) as i16
                })
                .collect(),
        };
        let there = tone(22_050).at_rate(8_000);
        let worst = there.samples[100..3_900]
            .iter()
            .zip(&tone(8_000).samples[100..])
            .map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs())
            .max();
        assert!(worst.is_some_and(|w| w < 200), "off by {worst:?} of 9000");
    }

    #[test]
    fn a_file_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let marker = Sound::marker(7, 8_000, 300);
        marker.write(&folder.path().join("m.wav")).expect("written");
        assert_eq!(Sound::read(&folder.path().join("m.wav")).expect("read"), marker);
    }
}
