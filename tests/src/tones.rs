//! Tones that a network or a telephone makes, known by their frequencies.

use crate::sound::Sound;

/// Shorter than a burst of any ringing tone, and long enough to tell frequencies 25 Hz apart.
const WINDOW_MS: usize = 200;

/// From this amplitude on, a tone is there: half of the app's own ringing.
pub const THERE: f32 = 0.05;

/// How strong a frequency gets anywhere in a sound: the amplitude of its sine, full scale 1.
pub fn loudest(sound: &Sound, hertz: f32) -> f32 {
    let window = sound.rate as usize * WINDOW_MS / 1_000;
    let starts = (0..(sound.samples.len() + 1).saturating_sub(window)).step_by(window / 4);
    starts.map(|at| amplitude(&sound.samples[at..at + window], sound.rate, hertz)).fold(0.0, f32::max)
}

/// A sine of this amplitude, full scale 1.
pub fn tone(rate: u32, hertz: f32, amplitude: f32, milliseconds: u32) -> Sound {
    let step = std::f32::consts::TAU * hertz / rate as f32;
    let samples =
        (0..rate / 1_000 * milliseconds).map(|n| ((n as f32 * step).sin() * amplitude * 32_767.0) as i16);
    Sound { rate, samples: samples.collect() }
}

/// One bin of a Fourier transform under a Hann window.
fn amplitude(samples: &[i16], rate: u32, hertz: f32) -> f32 {
    let (mut real, mut imaginary) = (0.0_f64, 0.0_f64);
    for (n, sample) in samples.iter().enumerate() {
        let hann = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / samples.len() as f64).cos();
        let angle = std::f64::consts::TAU * f64::from(hertz) * n as f64 / f64::from(rate);
        real += f64::from(*sample) / 32_768.0 * hann * angle.cos();
        imaginary += f64::from(*sample) / 32_768.0 * hann * angle.sin();
    }
    // Half of the sine is at the negative frequency, and the window lets half of it through.
    (real.hypot(imaginary) * 4.0 / samples.len() as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_found_and_a_near_one_is_not() {
        let heard = Sound::silence(8_000, 300).then(&tone(8_000, 425.0, 0.25, 400));
        assert!((loudest(&heard, 425.0) - 0.25).abs() < 0.02, "{}", loudest(&heard, 425.0));
        for other in [400.0, 450.0] {
            assert!(loudest(&heard, other) < THERE, "{other}: {}", loudest(&heard, other));
        }
        assert!(loudest(&tone(8_000, 425.0, 0.25, 100), 425.0) == 0.0, "too short for a window");
    }
}
