//! Playing faster without changing the pitch: one period of the voice is taken out (WSOLA).

/// 2.5 to 10 ms at 48 kHz: the periods of human voices.
const SHORTEST: usize = 120;
const LONGEST: usize = 480;
/// Samples compared, and skipped between two comparisons.
const COMPARED: usize = 360;
const STRIDE: usize = 4;
/// How alike two stretches must be to be laid over each other.
const ALIKE: f32 = 0.6;

/// Takes one period out of a frame, if it can be done unheard; returns how many samples went.
pub(crate) fn shorten(frame: &mut Vec<f32>) -> usize {
    if frame.len() < COMPARED + LONGEST {
        return 0;
    }
    let here = energy(&frame[..COMPARED]);
    let lags = (SHORTEST..=LONGEST).step_by(2).map(|lag| (likeness(frame, lag, here), lag));
    match lags.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((alike, lag)) if alike > ALIKE => take(frame, lag),
        _ => 0,
    }
}

/// Takes 10 ms out of a frame in which nobody speaks.
pub(crate) fn cut(frame: &mut Vec<f32>) -> usize {
    if frame.len() < LONGEST { 0 } else { take(frame, LONGEST) }
}

fn take(frame: &mut Vec<f32>, period: usize) -> usize {
    let overlap = period.min(frame.len() - period);
    for at in 0..overlap {
        let share = at as f32 / overlap as f32;
        frame[at] = frame[at] * (1.0 - share) + frame[at + period] * share;
    }
    frame.drain(overlap..overlap + period);
    period
}

fn likeness(frame: &[f32], lag: usize, here: f32) -> f32 {
    let (a, b) = (&frame[..COMPARED], &frame[lag..lag + COMPARED]);
    let both: f32 = a.iter().zip(b).step_by(STRIDE).map(|(a, b)| a * b).sum();
    let there = energy(b);
    both * STRIDE as f32 / COMPARED as f32 / (here * there).sqrt().max(f32::MIN_POSITIVE)
}

/// Mean of the squares.
pub(crate) fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_loses_whole_periods_and_stays_a_tone() {
        let tone = |n: usize| (std::f32::consts::TAU * 200.0 * n as f32 / 48_000.0).sin();
        let mut frame: Vec<f32> = (0..960).map(tone).collect();
        let gone = shorten(&mut frame);
        assert!(gone > 0 && gone.is_multiple_of(240), "{gone}");
        for (n, sample) in frame.iter().enumerate() {
            assert!((sample - tone(n)).abs() < 0.02, "at {n}");
        }
    }

    #[test]
    fn noise_is_left_alone_where_it_is_not_to_be_cut() {
        let mut state = 1_u32;
        let mut noise: Vec<f32> = (0..960)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state as f32 / u32::MAX as f32 - 0.5
            })
            .collect();
        assert_eq!(shorten(&mut noise), 0);
        assert_eq!(cut(&mut noise), LONGEST);
        assert_eq!(noise.len(), 480);
        for mut short in [vec![0.0; 100], Vec::new()] {
            assert_eq!((shorten(&mut short), cut(&mut short)), (0, 0));
        }
    }
}
