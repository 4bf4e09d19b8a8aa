//! Whether what was said on one side was heard on the other, and whether all of it was.

use crate::sound::Sound;

/// Where and how well a sound was found in another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Pearson's correlation of the envelopes at the best place, -1 to 1.
    pub correlation: f32,
    /// Where what was said begins in what was heard, milliseconds; negative: its start is missing.
    pub at_ms: i64,
}

/// Which of the 10 ms frames of a sound were heard, at one constant delay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frames {
    /// Frames that were looked for.
    pub sent: usize,
    /// Those without a match, by their number from 0.
    pub lost: Vec<usize>,
    /// The delay, from the start of what was sent to its place in what was heard, microseconds.
    pub delay_us: i64,
    /// How alike the whole waves are at that delay, per mille.
    pub likeness: i64,
}

/// From this correlation on, a sentence counts as heard.
pub const HEARD: f32 = 0.8;

const FRAME_MS: usize = 10;
/// From this correlation on, a frame counts as heard: Opus at 28 kb/s keeps the wave of a voice above 0.9,
/// another 10 ms of the same voice at the same place in its pitch is below 0.7.
const SAME_WAVE: f64 = 0.75;
/// A codec's filters may bend the phase of a frame by so much and no more, samples at 8,000 a second.
const BEND: i64 = 4;

/// Looks for a sentence by the envelope (root mean square of 10 ms) of both.
pub fn find(said: &Sound, heard: &Sound) -> Found {
    let (said, heard) = (envelope(said), envelope(heard));
    let mut best = Found { correlation: -1.0, at_ms: 0 };
    // A quarter of the sentence may be cut off at either end, and still it must be compared.
    let slack = said.len() / 4;
    for shift in 0..(heard.len() + slack).saturating_sub(said.len()) + slack + 1 {
        let at = shift as i64 - slack as i64;
        let pairs: Vec<(f32, f32)> = said
            .iter()
            .enumerate()
            .map(|(n, s)| {
                let there = usize::try_from(at + n as i64).ok().and_then(|i| heard.get(i));
                (*s, there.copied().unwrap_or(0.0))
            })
            .collect();
        let correlation = pearson(&pairs);
        if correlation > best.correlation {
            best = Found { correlation, at_ms: at * FRAME_MS as i64 };
        }
    }
    best
}

/// Looks for each 10 ms of `sent` in `heard`, all at the one delay where most of the wave is found.
/// Frames that were silent when sent are left out.
pub fn frames(sent: &Sound, heard: &Sound) -> Frames {
    const RATE: u32 = 8_000;
    let (sent, heard) = (sent.at_rate(RATE), heard.at_rate(RATE));
    let (sent, heard) = (&sent.samples, &heard.samples);
    let length = RATE as usize / 100;
    let delay = places(sent, heard)
        .flat_map(|place| place - 2 * BEND..=place + 2 * BEND)
        .max_by(|a, b| likeness(sent, heard, *a).total_cmp(&likeness(sent, heard, *b)))
        .unwrap_or(0);
    let whole = sent.len() / length;
    let loud = |frame: &[i16]| frame.iter().any(|s| s.unsigned_abs() > 300);
    let asked: Vec<usize> = (0..whole).filter(|n| loud(&sent[n * length..(n + 1) * length])).collect();
    let lost = asked
        .iter()
        .copied()
        .filter(|n| {
            let frame = &sent[n * length..(n + 1) * length];
            !(-BEND..=BEND)
                .any(|bend| likeness(frame, heard, delay + bend + (n * length) as i64) >= SAME_WAVE)
        })
        .collect();
    let likeness = (likeness(sent, heard, delay) * 1_000.0) as i64;
    Frames { sent: asked.len(), lost, delay_us: delay * 1_000_000 / i64::from(RATE), likeness }
}

/// Where the start, the middle and the end of a sound (0.3 s of each) are best found in another, each as the place
/// of the whole. An envelope would not do: a hum's is flat.
fn places(sent: &[i16], heard: &[i16]) -> impl Iterator<Item = i64> {
    const PART: usize = 2_400;
    let part = PART.min(sent.len());
    let starts = [0, (sent.len() - part) / 2, sent.len() - part];
    starts.into_iter().filter_map(move |start| {
        let piece = &sent[start..start + part];
        let last = heard.len().checked_sub(part)?;
        let best = (0..=last)
            .map(|at| (at, likeness_within(piece, &heard[at..at + part])))
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(best.0 as i64 - start as i64)
    })
}

/// [`likeness`] of two pieces of the same length.
fn likeness_within(a: &[i16], b: &[i16]) -> f32 {
    let (mut aa, mut bb, mut ab) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f32::from(*a), f32::from(*b));
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    if aa * bb < 1.0 { 0.0 } else { ab / (aa * bb).sqrt() }
}

/// Root mean square of each 10 ms, smoothed over three of them.
fn envelope(sound: &Sound) -> Vec<f32> {
    let length = sound.rate as usize / (1000 / FRAME_MS);
    let raw: Vec<f32> = sound
        .samples
        .chunks(length)
        .map(|frame| {
            let sum: f64 = frame.iter().map(|s| f64::from(*s).powi(2)).sum();
            (sum / frame.len() as f64).sqrt() as f32
        })
        .collect();
    (0..raw.len())
        .map(|n| {
            let around = &raw[n.saturating_sub(1)..(n + 2).min(raw.len())];
            around.iter().sum::<f32>() / around.len() as f32
        })
        .collect()
}

fn pearson(pairs: &[(f32, f32)]) -> f32 {
    let n = pairs.len().max(1) as f64;
    let (mut x, mut y, mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (a, b) in pairs {
        let (a, b) = (f64::from(*a), f64::from(*b));
        x += a;
        y += b;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    let spread = ((xx - x * x / n) * (yy - y * y / n)).sqrt();
    if spread < 1e-3 { 0.0 } else { ((xy - x * y / n) / spread) as f32 }
}

/// Normalised correlation of the waves with `part` laid at `at` of `whole`; what lies outside counts as silence.
fn likeness(part: &[i16], whole: &[i16], at: i64) -> f64 {
    let (mut pp, mut ww, mut pw) = (0.0, 0.0, 0.0);
    for (n, p) in part.iter().enumerate() {
        let p = f64::from(*p);
        let w = usize::try_from(at + n as i64).ok().and_then(|i| whole.get(i)).map_or(0.0, |w| f64::from(*w));
        pp += p * p;
        ww += w * w;
        pw += p * w;
    }
    if pp * ww < 1.0 { 0.0 } else { pw / (pp * ww).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::Sentence;

    #[test]
    fn a_sentence_is_found_where_it_is_and_no_other_is() {
        let said = Sentence::say(1).expect("espeak-ng").sound;
        let other = Sentence::say(2).expect("espeak-ng").sound;
        let heard = Sound::silence(8_000, 1_230).then(&said.at_rate(8_000).as_loud_as(0.02));
        let found = find(&said, &heard);
        assert!(found.correlation > 0.98 && (found.at_ms - 1_230).abs() <= 10, "{found:?}");
        assert!(find(&other, &heard).correlation < HEARD, "{:?}", find(&other, &heard));
        assert!(find(&said, &Sound::silence(8_000, 6_000)).correlation < 0.1);
    }

    #[test]
    fn a_missing_frame_is_named() {
        let sent = Sound::marker(3, 8_000, 1_000);
        let mut heard = Sound::silence(48_000, 345).then(&sent.at_rate(48_000).as_loud_as(0.05));
        let all = frames(&sent, &heard);
        assert_eq!((all.sent, all.lost.len()), (100, 0), "{all:?}");
        assert!((all.delay_us - 345_000).abs() < 500, "{all:?}");
        let (from, to) = ((345 + 200) * 48, (345 + 220) * 48);
        heard.samples[from..to].fill(0);
        assert_eq!(frames(&sent, &heard).lost, [20, 21]);
    }

    #[test]
    fn a_gap_that_was_closed_up_is_a_loss() {
        let sent = Sound::marker(4, 8_000, 1_000);
        let mut heard = Sound::silence(8_000, 100).then(&sent);
        heard.samples.drain(100 * 8 + 2_000..100 * 8 + 2_160);
        let found = frames(&sent, &heard);
        assert!(found.lost.len() >= 25, "20 ms cut out shift one side: {found:?}");
    }
}
