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
    /// When a frame was not played as it came, microseconds.
    broken: Vec<u64>,
    /// Deepest buffer, in packets, in each second.
    deepest: Vec<usize>,
}

/// Whether the voice pauses: 0.3 s after each 1.2 s, or never.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Voice {
    Pauses,
    GoesOn,
}

/// Sends 20 ms packets over a link that delays packet `n` by `delay(n)` ms or loses it, and plays
/// them on a 10 ms tick as the audio thread does: a frame is pulled when the last is used up, and
/// faster ones are 8 ms shorter.
fn link(packets: u64, voice: Voice, mut delay: impl FnMut(u64) -> Option<u64>) -> Heard {
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
    for tick in 0..packets * 2 + 40 {
        let now = tick * 10_000;
        while let Some((arrived, n)) = waiting.next_if(|(arrived, _)| *arrived <= now) {
            jitter.push(packet(n as u16, n, at(arrived)));
        }
        let second = (now / 1_000_000) as usize;
        heard.deepest.resize(second + 1, 0);
        heard.deepest[second] = heard.deepest[second].max(jitter.depth());
        let quiet = voice == Voice::Pauses && now % 1_500_000 >= 1_200_000;
        while pcm_us < 10_000 {
            match jitter.pull(at(now), quiet) {
                Pull::Play { behind, .. } => {
                    let faster = behind.is_some_and(|behind| quiet || behind.long);
                    heard.played += 1;
                    heard.broken.extend(faster.then_some(now));
                    pcm_us += if faster { 12_000 } else { 20_000 };
                }
                Pull::Recover { .. } | Pull::Conceal => {
                    heard.broken.push(now);
                    pcm_us += 20_000;
                }
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

/// The `n`th, with a number and a time that soon start again at 0.
fn packet(sequence: u16, n: u64, arrived: Instant) -> Packet {
    Packet {
        stream: 7,
        sequence: sequence.wrapping_add(65_500),
        timestamp: (n as u32).wrapping_mul(960).wrapping_add(u32::MAX - 9_000),
        payload_type: 111,
        payload: Bytes::new(),
        arrived,
    }
}

#[test]
fn on_a_clean_link_it_plays_every_packet_and_is_one_frame_deep_after_the_first_pause() {
    for (voice, from) in [(Voice::Pauses, 2), (Voice::GoesOn, 4)] {
        let heard = link(3_000, voice, |_| Some(0));
        assert_eq!((heard.late, heard.concealed.saturating_sub(6), heard.played), (0, 0, 3_000));
        assert!(heard.deepest[from..].iter().all(|depth| *depth <= 1), "{:?}", heard.deepest);
    }
}

#[test]
fn the_first_words_after_a_silence_are_whole_however_the_first_packets_come() {
    // Calls through a busy Asterisk: so late came the first packets, in ms; then like the last four.
    let seen: [&[u64]; 6] = [
        &[0, 1, 0, 0],
        &[0, 11, 21, 2, 0, 0, 0, 0],
        &[14, 0, 3, 0, 40, 20, 0, 0],
        &[0, 0, 0, 31, 11, 0, 45, 25, 5, 0, 0, 1],
        &[38, 18, 0, 0, 0, 0],
        &[0, 58, 38, 18, 0, 0, 0, 0],
    ];
    for late in seen {
        let heard = link(100, Voice::GoesOn, |n| {
            let n = n as usize;
            Some(late.get(n).copied().unwrap_or_else(|| late[late.len() - 4 + n % 4]))
        });
        assert!(heard.broken.iter().all(|at| *at > 2_000_000), "{late:?}: {:?}", heard.broken);
    }
    for seed in 1..=50 {
        let mut chance = Chance(seed);
        let heard = link(100, Voice::GoesOn, |_| Some(chance.below(60)));
        assert!(heard.broken.iter().all(|at| *at > 2_000_000), "seed {seed}: {:?}", heard.broken);
    }
}

#[test]
fn a_link_that_was_slow_before_a_silence_is_not_trusted_after_it() {
    // 100 ms late now and then in the first second; half a second of silence; the same again.
    let late = |n: u64| if n % 25 == 20 { 100 } else { 0 };
    let heard = link(150, Voice::GoesOn, |n| (!(50..75).contains(&n)).then(|| late(n)));
    let second = heard.broken.iter().filter(|at| (1_600_000..3_000_000).contains(*at)).count();
    assert_eq!(second, 0, "{:?}", heard.broken);
}

#[test]
fn at_0_to_60_ms_of_jitter_less_than_one_packet_in_a_hundred_is_late() {
    for seed in 1..=8 {
        let mut chance = Chance(seed);
        let voice = if seed % 2 == 0 { Voice::Pauses } else { Voice::GoesOn };
        // Clean at first, so that it must grow.
        let heard = link(3_000, voice, |n| Some(if n < 300 { 0 } else { chance.below(61) }));
        assert!(heard.late < 30, "seed {seed}: {} late", heard.late);
        assert!(heard.played > 2_970, "seed {seed}: {} played", heard.played);
    }
}

#[test]
fn ten_seconds_after_the_link_is_clean_it_is_one_frame_deep_again() {
    for seed in 1..=8 {
        let mut chance = Chance(seed);
        let voice = if seed % 2 == 0 { Voice::Pauses } else { Voice::GoesOn };
        // 20 s of jitter, then 20 s without.
        let heard = link(2_000, voice, |n| Some(if n < 1_000 { chance.below(61) } else { 0 }));
        let clean = &heard.deepest[30..39];
        assert!(clean.iter().all(|depth| *depth <= 1), "seed {seed}: {:?}", heard.deepest);
        let noisy = &heard.deepest[5..19];
        assert!(noisy.iter().any(|depth| *depth > 2), "seed {seed}: never grew");
    }
}

#[test]
fn one_stop_of_the_link_is_forgotten_within_three_seconds() {
    // Whatever is sent between 5.0 and 5.4 s comes at 5.4 s.
    let stop = |n: u64| (270_u64.saturating_sub(n) * 20).min(400) * u64::from(n >= 250);
    let heard = link(1_000, Voice::Pauses, |n| Some(stop(n)));
    assert_eq!(heard.late, 0);
    assert!(heard.deepest[5] > 2, "{:?}", heard.deepest);
    assert!(heard.deepest[8..19].iter().all(|depth| *depth <= 1), "{:?}", heard.deepest);
}

#[test]
fn loss_is_not_lateness() {
    for seed in 1..=8 {
        let mut chance = Chance(seed);
        let heard = link(3_000, Voice::Pauses, |_| (chance.below(10) != 0).then_some(0));
        assert_eq!(heard.late, 0);
        assert!(heard.deepest[2..].iter().all(|depth| *depth <= 2), "seed {seed}: {:?}", heard.deepest);
    }
}

#[test]
fn a_pause_of_the_other_side_is_silence_and_the_first_packet_after_it_is_played() {
    let heard = link(600, Voice::Pauses, |n| (!(200..400).contains(&n)).then_some(0));
    assert_eq!((heard.late, heard.played), (0, 400));
}

#[test]
fn a_silence_that_does_not_count_in_timestamps_does_not_hurry_what_follows() {
    let start = Instant::now();
    let mut jitter = Jitter::new(48_000, start);
    let mut played = 0;
    for frame in 0..400_u64 {
        // A second of silence after each second, in which the sender's clock stands still.
        let now = start + Duration::from_millis(frame * 20);
        if frame % 100 < 50 {
            let n = frame / 100 * 50 + frame % 100;
            jitter.push(packet(n as u16, n, now));
        }
        if let Pull::Play { behind, .. } = jitter.pull(now, false) {
            played += 1;
            assert!(behind.is_none_or(|behind| behind.micros <= START + 20_000), "{frame}: {behind:?}");
        }
    }
    assert_eq!(played, 200);
}

#[test]
fn a_sender_whose_clock_leaps_is_heard_after_each_leap_and_overflows_nothing() {
    let start = Instant::now();
    let mut jitter = Jitter::new(8_000, start);
    let mut played = 0;
    for n in 0..20_000_u64 {
        let now = start + Duration::from_millis(20) * n as u32;
        jitter.push(Packet { timestamp: (n as u32).wrapping_mul(0x7fff_ffff), ..packet(n as u16, n, now) });
        played += u32::from(matches!(jitter.pull(now + Duration::from_millis(200), true), Pull::Play { .. }));
    }
    assert!(played > 19_000, "{played}");
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
            let _ = jitter.pull(now, timestamp % 2 == 0);
            prop_assert!(jitter.depth() <= MOST_PACKETS);
        }
    }
}
