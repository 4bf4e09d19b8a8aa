//! The ringing tone of a country (ITU-T E.180, supplement 2).

use super::RATE;

/// The ringing tone of a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ring {
    /// 400 + 450 Hz, 0.4 on 0.2 off 0.4 on 2.0 off (also Ireland).
    #[default]
    UnitedKingdom,
    /// 440 + 480 Hz, 2 on 4 off.
    NorthAmerica,
    /// 425 Hz, 1 on 4 off: Germany, Italy, Spain, Poland and most of Europe.
    Europe,
    /// 440 Hz, 1.5 on 3.5 off.
    France,
    /// 400 + 450 Hz, 0.4 on 0.2 off 0.4 on 2.0 off, 25 Hz lower.
    Australia,
    /// 425 Hz, 1 on 5 off.
    Sweden,
}

impl Ring {
    /// Frequencies in Hz and the lengths of on and off in ms.
    fn pattern(self) -> ([f32; 2], &'static [u32]) {
        match self {
            Self::UnitedKingdom => ([400.0, 450.0], &[400, 200, 400, 2000]),
            Self::NorthAmerica => ([440.0, 480.0], &[2000, 4000]),
            Self::Europe => ([425.0, 0.0], &[1000, 4000]),
            Self::France => ([440.0, 0.0], &[1500, 3500]),
            Self::Australia => ([375.0, 425.0], &[400, 200, 400, 2000]),
            Self::Sweden => ([425.0, 0.0], &[1000, 5000]),
        }
    }
}

/// Makes a ringing tone sample by sample, from the start of its first burst.
#[derive(Debug, Clone)]
pub struct RingTone {
    ring: Ring,
    at: u64,
}

impl RingTone {
    /// A tone at the start of its first burst.
    pub fn new(ring: Ring) -> Self {
        Self { ring, at: 0 }
    }

    /// Adds the next samples to what is played.
    pub fn add_to(&mut self, samples: &mut [f32]) {
        let (frequencies, pattern) = self.ring.pattern();
        let cycle: u64 = pattern.iter().map(|ms| u64::from(*ms) * RATE as u64 / 1000).sum();
        for sample in samples {
            *sample += level(self.at % cycle, pattern) * tone(self.at, frequencies);
            self.at += 1;
        }
    }
}

/// 0 to 1: with an edge of 5 ms, so that no burst clicks.
fn level(at: u64, pattern: &[u32]) -> f32 {
    const EDGE: u64 = RATE as u64 / 200;
    let mut start = 0;
    for (index, ms) in pattern.iter().enumerate() {
        let length = u64::from(*ms) * RATE as u64 / 1000;
        if at < start + length {
            if index % 2 == 1 {
                return 0.0;
            }
            let inside = (at - start).min(start + length - 1 - at);
            return (inside.min(EDGE) as f32) / EDGE as f32;
        }
        start += length;
    }
    0.0
}

fn tone(at: u64, frequencies: [f32; 2]) -> f32 {
    const LOUDNESS: f32 = 0.1;
    // Both frequencies of every tone are whole, so the phase repeats each second.
    let time = (at % RATE as u64) as f32 / RATE as f32;
    frequencies.iter().map(|f| (std::f32::consts::TAU * f * time).sin() * LOUDNESS).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_united_kingdom_rings_twice_and_pauses_for_two_seconds() {
        let mut samples = vec![0.0; 3 * RATE];
        RingTone::new(Ring::UnitedKingdom).add_to(&mut samples);
        let loud = |from_ms: usize, to_ms: usize| {
            let part = &samples[from_ms * 48..to_ms * 48];
            (part.iter().map(|s| s * s).sum::<f32>() / part.len() as f32).sqrt()
        };
        assert!(loud(10, 390) > 0.05);
        assert_eq!(loud(401, 599), 0.0);
        assert!(loud(610, 990) > 0.05);
        assert_eq!(loud(1001, 2999), 0.0);
    }
}
