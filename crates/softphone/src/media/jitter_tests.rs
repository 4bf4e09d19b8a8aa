//! The three figures of the buffer, and that nothing makes it panic or grow.

use super::*;
use proptest::prelude::*;

/// A small random source with a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// What came of a link.
#[derive(Debug, Default)]
struct Heard {
    late: u64,
    concealed: u64,
    played: u64,
    /// Deepest buffer, in packets, in each second.
    deepest: Vec<usize>,
}

/// Sends 20 ms packets over a link that delays packet `n` by `delay(n)` ms or loses it, and plays
/// them on a 10 ms tick as the audio thread does: a frame is pulled when the last is used up, and
/// faster ones are 8 ms shorter.
fn link(packets: u64, mut delay: impl FnMut(u64) -> Option<u64>) -> Heard {
    let start = Instant::now();
    let at = |us: u64| start + Duration::from_micros(us);
    let mut arrivals: Vec<(u64, u64)> = (0..packets)
        .filter_map(|n| delay(n).map(|ms| (n * 20_000 + 30_000 + ms * 1_000 + 3_700, n)))
        .collect();
    arrivals.sort_unstable();
    let mut jitter = Jitter::new(48_000, start);
    let mut heard = Heard::default();
    let mut waiting = arrivals.into_iter().peekable();
    let mut pcm_us = 0_i64;
    for tick in 0..packets * 2 + 20 {
        let now = tick * 10_000;
        while let Some((arrived, n)) = waiting.next_if(|(arrived, _)| *arrived <= now) {
            jitter.push(Packet {
                stream: 7,
                sequence: (n + 65_500) as u16,
                timestamp: (n as u32).wrapping_mul(960).wrapping_add(u32::MAX - 9_000),
                payload_type: 111,
                payload: Bytes::new(),
                arrived: at(arrived),
            });
        }
        let second = (now / 1_000_000) as usize;
        heard.deepest.resize(second + 1, 0);
        heard.deepest[second] = heard.deepest[second].max(jitter.depth());
        while pcm_us < 10_000 {
            match jitter.pull(at(now)) {
                Pull::Play { behind, .. } => {
                    heard.played += 1;
                    pcm_us += if behind.is_some() { 12_000 } else { 20_000 };
                }
                Pull::Recover { .. } | Pull::Conceal => pcm_us += 20_000,
                Pull::Nothing => pcm_us = 10_000,
            }
        }
        pcm_us -= 10_000;
    }
    let counts = jitter.counts();
    heard.late = counts.late;
    heard.concealed = counts.concealed;
    heard
}

#[test]
fn on_a_clean_link_it_is_one_frame_deep_and_plays_every_packet() {
    let heard = link(3_000, |_| Some(0));
    assert_eq!((heard.late, heard.concealed.saturating_sub(6), heard.played), (0, 0, 3_000));
    assert!(heard.deepest.iter().all(|depth| *depth <= 1), "{:?}", heard.deepest);
}

#[test]
fn at_0_to_60_ms_of_jitter_less_than_one_packet_in_a_hundred_is_late() {
    for seed in 1..=8 {
        let mut chance = Chance(seed);
        let heard = link(3_000, |_| Some(chance.below(61)));
        assert!(heard.late < 30, "seed {seed}: {} late", heard.late);
        assert!(heard.played > 2_970, "seed {seed}: {} played", heard.played);
    }
}

#[test]
fn ten_seconds_after_the_link_is_clean_it_is_one_frame_deep_again() {
    for seed in 1..=8 {
        let mut chance = Chance(seed);
        // 20 s of jitter, then 20 s without.
        let heard = link(2_000, |n| Some(if n < 1_000 { chance.below(61) } else { 0 }));
        let clean = &heard.deepest[30..39];
        assert!(clean.iter().all(|depth| *depth <= 1), "seed {seed}: {:?}", heard.deepest);
        let noisy = &heard.deepest[5..19];
        assert!(noisy.iter().any(|depth| *depth > 2), "seed {seed}: never grew");
    }
}

#[test]
fn one_stop_of_the_link_is_forgotten_within_three_seconds() {
    // Whatever is sent between 5.0 and 5.4 s comes at 5.4 s.
    let heard = link(1_000, |n| Some((270_u64.saturating_sub(n) * 20).min(400) * u64::from(n >= 250)));
    assert_eq!(heard.late, 0);
    assert!(heard.deepest[5] > 2, "{:?}", heard.deepest);
    assert!(heard.deepest[8..19].iter().all(|depth| *depth <= 1), "{:?}", heard.deepest);
}

#[test]
fn loss_is_not_lateness() {
    for seed in 1..=8 {
        let mut chance = Chance(seed);
        let heard = link(3_000, |_| (chance.below(10) != 0).then_some(0));
        assert_eq!(heard.late, 0);
        assert!(heard.deepest.iter().all(|depth| *depth <= 2), "seed {seed}: {:?}", heard.deepest);
    }
}

#[test]
fn a_pause_of_the_other_side_is_silence_and_the_first_packet_after_it_is_played() {
    let heard = link(600, |n| (!(200..400).contains(&n)).then_some(0));
    assert_eq!((heard.late, heard.played), (0, 400));
}

#[test]
fn a_silence_that_does_not_count_in_timestamps_does_not_hurry_what_follows() {
    let start = Instant::now();
    let mut jitter = Jitter::new(48_000, start);
    let (mut hurried, mut played) = (0, 0);
    for n in 0..200_u32 {
        // Half a second of silence after each second, in which the sender's clock stands still.
        let now = start + Duration::from_millis(u64::from(n * 20 + n / 50 * 500));
        if n % 50 == 0 {
            for _ in 0..7 {
                jitter.pull(now);
            }
        }
        let (sequence, timestamp) = (n as u16, n * 960);
        jitter.push(Packet {
            stream: 1,
            sequence,
            timestamp,
            payload_type: 0,
            payload: Bytes::new(),
            arrived: now,
        });
        if let Pull::Play { behind, .. } = jitter.pull(now) {
            played += 1;
            hurried += u32::from(behind.is_some());
        }
    }
    assert_eq!((played, hurried), (200, 0));
}

proptest! {
    #[test]
    fn whatever_comes_it_neither_panics_nor_grows(
        packets in proptest::collection::vec((any::<u16>(), any::<u32>(), 0_u32..2, 0_u64..50_000), 1..300)
    ) {
        let start = Instant::now();
        let mut jitter = Jitter::new(8_000, start);
        let mut now = start;
        for (sequence, timestamp, stream, wait) in packets {
            now += Duration::from_micros(wait);
            jitter.push(Packet { stream, sequence, timestamp, payload_type: 0, payload: Bytes::new(), arrived: now });
            let _ = jitter.pull(now);
            prop_assert!(jitter.depth() <= MOST_PACKETS);
        }
    }
}
