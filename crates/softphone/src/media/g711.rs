//! G.711 at 8 kHz, from and to the 48 kHz of the phone.

use crate::events::Codec;

/// Samples of 48 kHz in one of 8 kHz.
const RATIO: usize = 6;
const TAPS: usize = 48;

/// Encodes and decodes one direction; keeps the filter's memory.
pub(crate) struct G711 {
    law: Law,
    filter: [f32; TAPS],
    memory: [f32; TAPS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Law {
    Mu,
    A,
}

impl G711 {
    /// For a codec of G.711; Opus has its own.
    pub(crate) fn new(codec: Codec) -> Self {
        let law = match codec {
            Codec::Pcma => Law::A,
            Codec::Pcmu | Codec::Opus => Law::Mu,
        };
        Self { law, filter: low_pass(), memory: [0.0; TAPS] }
    }

    /// One byte for each six samples of 48 kHz.
    pub(crate) fn encode(&mut self, samples: &[f32], bytes: &mut Vec<u8>) {
        for (at, sample) in samples.iter().enumerate() {
            self.memory.rotate_right(1);
            self.memory[0] = *sample;
            if at % RATIO == RATIO - 1 {
                let low: f32 = self.filter.iter().zip(&self.memory).map(|(f, m)| f * m).sum();
                let value = (low.clamp(-1.0, 1.0) * 32_767.0) as i16;
                bytes.push(match self.law {
                    Law::Mu => to_mu(value),
                    Law::A => to_a(value),
                });
            }
        }
    }

    /// Six samples of 48 kHz for each byte.
    pub(crate) fn decode(&mut self, bytes: &[u8], samples: &mut Vec<f32>) {
        for byte in bytes {
            let value = match self.law {
                Law::Mu => from_mu(*byte),
                Law::A => from_a(*byte),
            };
            self.push(f32::from(value) / 32_768.0, samples);
        }
    }

    fn push(&mut self, value: f32, samples: &mut Vec<f32>) {
        for phase in 0..RATIO {
            self.memory.rotate_right(1);
            // Zeros between the samples; the filter fills them in, with the gain that they cost.
            self.memory[0] = if phase == 0 { value * RATIO as f32 } else { 0.0 };
            samples.push(self.filter.iter().zip(&self.memory).map(|(f, m)| f * m).sum());
        }
    }
}

/// A windowed sinc (Blackman) that ends at 3.6 kHz.
fn low_pass() -> [f32; TAPS] {
    const CUT: f32 = 3_600.0 / 48_000.0;
    let mut taps = [0.0; TAPS];
    let middle = (TAPS - 1) as f32 / 2.0;
    for (at, tap) in taps.iter_mut().enumerate() {
        let x = at as f32 - middle;
        let phase = std::f32::consts::TAU * at as f32 / (TAPS - 1) as f32;
        let window = 0.42 - 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos();
        let angle = std::f32::consts::TAU * CUT * x;
        *tap = window * if x == 0.0 { 2.0 * CUT } else { angle.sin() / (std::f32::consts::PI * x) };
    }
    let sum: f32 = taps.iter().sum();
    taps.map(|tap| tap / sum)
}

/// ITU-T G.711 table 2.
fn to_mu(value: i16) -> u8 {
    const BIAS: i32 = 0x84;
    let sign = if value < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(value).abs().min(32_635) + BIAS;
    let exponent = (31 - (magnitude as u32).leading_zeros()) as i32 - 7;
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | (exponent << 4) | mantissa) as u8
}

fn from_mu(byte: u8) -> i16 {
    let byte = !byte;
    let exponent = i32::from(byte >> 4 & 7);
    let magnitude = (((i32::from(byte & 0x0f) << 3) + 0x84) << exponent) - 0x84;
    (if byte & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

/// ITU-T G.711 table 1.
fn to_a(value: i16) -> u8 {
    let (sign, magnitude) = if value >= 0 { (0x80, i32::from(value)) } else { (0, -i32::from(value) - 1) };
    let magnitude = magnitude >> 3;
    let coded = if magnitude < 32 {
        magnitude >> 1
    } else {
        let exponent = (31 - (magnitude as u32).leading_zeros()) as i32 - 4;
        (exponent << 4) | ((magnitude >> exponent) & 0x0f)
    };
    ((sign | coded) ^ 0x55) as u8
}

fn from_a(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let exponent = i32::from(byte >> 4 & 7);
    let mantissa = i32::from(byte & 0x0f) << 4;
    let magnitude = match exponent {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (exponent - 1),
    };
    (if byte & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_as_itself() {
        for byte in 0..=255_u8 {
            // µ-law has two zeros.
            if byte != 0x7f {
                assert_eq!(to_mu(from_mu(byte)), byte);
            }
            assert_eq!(to_a(from_a(byte)), byte);
        }
        assert_eq!((from_mu(0xff), from_mu(0x80), from_mu(0)), (0, 32_124, -32_124));
        assert_eq!((from_a(0xd5), from_a(0xaa), from_a(0x2a)), (8, 32_256, -32_256));
    }

    #[test]
    fn a_tone_passes_there_and_back() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let tone: Vec<f32> = (0..48_000)
                .map(|n| 0.5 * (std::f32::consts::TAU * 1_000.0 * n as f32 / 48_000.0).sin())
                .collect();
            let (mut bytes, mut back) = (Vec::new(), Vec::new());
            G711::new(codec).encode(&tone, &mut bytes);
            assert_eq!(bytes.len(), 8_000);
            G711::new(codec).decode(&bytes, &mut back);
            let power = |s: &[f32]| s.iter().map(|s| s * s).sum::<f32>() / s.len() as f32;
            // Both filters delay by 47/2 samples, and the sixth sample of each six is the one taken.
            let error: Vec<f32> =
                tone[4_000..44_000].iter().zip(&back[4_000 + 42..]).map(|(a, b)| a - b).collect();
            let ratio = 10.0 * (power(&tone[4_000..44_000]) / power(&error)).log10();
            assert!(ratio > 30.0, "{codec:?}: {ratio} dB");
        }
    }
}
