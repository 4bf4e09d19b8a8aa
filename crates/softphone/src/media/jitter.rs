//! The jitter buffer: which packet is played when. Pure: time comes in, packets go out.
//!
//! A packet's *transit* is its arrival minus its timestamp; the fastest of the last seconds is the
//! link's own delay. The *target* is how much slower nearly all packets (all but 0.5 %) were than the
//! fastest; the *delay* is how long after the fastest possible moment a packet is played. The delay is
//! kept between the target and one frame above it: below, a frame is inserted, above, sound is played
//! faster. So on a clean link a packet is played at the first chance and the buffer is one frame deep.
//!
//! Loss is not lateness: a gap that later packets prove never changes the delay. And a stop of the link
//! is one slow packet, however many come at once when it is over: the delay falls back at once.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Packet;

/// Packets kept; at 20 ms more than a second, beyond which nobody talks.
const MOST_PACKETS: usize = 64;
/// How long a slow packet is remembered: the buffer is back to one frame within 10 s.
const WINDOW: Duration = Duration::from_secs(8);
const MOST_TRANSITS: usize = 800;
/// Part of the packets that may be too late.
const LATE: f64 = 0.005;
/// Above the target by less than a frame, so that the buffer is one frame deep when the target is 0.
const ROOM: i64 = 18_000;
/// Never wait longer than this for slow packets.
const MOST_DELAY: i64 = 500_000;
/// Concealed frames after which the other side is taken to be silent.
const MOST_CONCEALED: u32 = 6;
/// A change of transit over a silence that is the sender's, not the link's.
const AFTER_SILENCE: i64 = 50_000;
/// A jump that no network makes: another stream.
const JUMP: i64 = 1_000;

/// What to play for the next frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Pull {
    /// This packet; faster, if it is `behind` its turn by so many microseconds.
    Play { payload: Bytes, payload_type: u8, behind: Option<i64> },
    /// The packet before this one is lost; this one may carry a copy (in-band FEC).
    Recover { next: Bytes, payload_type: u8 },
    /// Something that sounds like the last frame.
    Conceal,
    /// Silence: nothing is coming.
    Nothing,
}

/// Counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) expected: u64,
    /// Came after its turn.
    pub(crate) late: u64,
    pub(crate) concealed: u64,
    pub(crate) jitter_us: f32,
}

/// Sorts packets of one stream by their turn.
#[derive(Debug)]
pub(crate) struct Jitter {
    clock: i64,
    start: Instant,
    stream: Option<u32>,
    packets: BTreeMap<i64, Held>,
    next: Option<i64>,
    highest: i64,
    highest_timestamp: i64,
    frame_us: i64,
    transits: VecDeque<Transit>,
    last: Option<Transit>,
    /// Frames concealed while nothing had come, not yet known to be lost or only late.
    ahead: u32,
    counts: Counts,
}

#[derive(Debug, Clone, Copy)]
struct Transit {
    arrived: Instant,
    micros: i64,
    /// It came right behind a slower one: held up by the same cause.
    behind: bool,
}

#[derive(Debug)]
struct Held {
    timestamp: i64,
    payload: Bytes,
    payload_type: u8,
}

impl Jitter {
    /// `clock`: RTP ticks in a second.
    pub(crate) fn new(clock: u32, now: Instant) -> Self {
        Self {
            clock: i64::from(clock.max(1)),
            start: now,
            stream: None,
            packets: BTreeMap::new(),
            next: None,
            highest: 0,
            highest_timestamp: 0,
            frame_us: 20_000,
            transits: VecDeque::new(),
            last: None,
            ahead: 0,
            counts: Counts::default(),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Packets that wait.
    pub(crate) fn depth(&self) -> usize {
        self.packets.len()
    }

    pub(crate) fn push(&mut self, packet: Packet) {
        let sequence = self.unwrap(&packet);
        let timestamp = self.timestamp(&packet);
        self.counts.received += 1;
        self.counts.expected += (sequence - self.highest).max(0) as u64;
        self.measure(packet.arrived, timestamp);
        if sequence > self.highest {
            let frames = sequence - self.highest;
            let frame = (timestamp - self.highest_timestamp) * 1_000_000 / self.clock / frames;
            if (2_500..=120_000).contains(&frame) {
                self.frame_us = frame;
            }
            self.highest = sequence;
            self.highest_timestamp = timestamp;
        }
        if self.next.is_some_and(|next| sequence < next) {
            self.counts.late += 1;
            return;
        }
        let Packet { payload, payload_type, .. } = packet;
        self.packets.insert(sequence, Held { timestamp, payload, payload_type });
        if self.packets.len() > MOST_PACKETS {
            self.packets.pop_first();
            self.next = self.packets.keys().next().copied();
        }
    }

    /// What to play now, for one frame.
    pub(crate) fn pull(&mut self, now: Instant) -> Pull {
        let Some((&first, held)) = self.packets.first_key_value() else {
            return self.starved();
        };
        let next = *self.next.get_or_insert(first);
        // What was concealed while nothing came is proven lost by what follows it.
        let proven = i64::from(self.ahead).min(first - next);
        let next = next + proven;
        self.next = Some(next);
        self.ahead = 0;
        let missing = first - next;
        let turn = held.timestamp * 1_000_000 / self.clock - missing * self.frame_us;
        let (fastest, target) = self.target();
        let delay = self.micros(now) - turn - fastest;
        if delay < target {
            // Everything comes later than we play: wait a frame, and be in time from then on.
            self.counts.concealed += 1;
            return Pull::Conceal;
        }
        self.next = Some(next + 1);
        if missing == 0
            && let Some((_, held)) = self.packets.pop_first()
        {
            let Held { payload, payload_type, .. } = held;
            return Pull::Play {
                payload,
                payload_type,
                behind: (delay > target + ROOM).then_some(delay - target),
            };
        }
        self.counts.concealed += 1;
        match self.packets.first_key_value() {
            Some((_, held)) if missing == 1 => {
                Pull::Recover { next: held.payload.clone(), payload_type: held.payload_type }
            }
            _ => Pull::Conceal,
        }
    }

    fn starved(&mut self) -> Pull {
        if self.next.is_none() {
            return Pull::Nothing;
        }
        self.ahead += 1;
        if self.ahead > MOST_CONCEALED {
            self.next = None;
            self.ahead = 0;
            return Pull::Nothing;
        }
        self.counts.concealed += 1;
        Pull::Conceal
    }

    /// The fastest transit and how much slower nearly all were, in microseconds.
    fn target(&self) -> (i64, i64) {
        let Some(fastest) = self.transits.iter().map(|transit| transit.micros).min() else {
            return (0, 0);
        };
        let own = self.transits.iter().filter(|transit| !transit.behind);
        let mut slow: Vec<i64> = own.map(|transit| transit.micros - fastest).collect();
        if slow.is_empty() {
            return (fastest, 0);
        }
        let nearly_all = ((slow.len() - 1) as f64 * (1.0 - LATE)) as usize;
        let (_, target, _) = slow.select_nth_unstable(nearly_all);
        (fastest, (*target).min(MOST_DELAY))
    }

    fn measure(&mut self, arrived: Instant, timestamp: i64) {
        let micros = self.micros(arrived) - timestamp * 1_000_000 / self.clock;
        let mut behind = false;
        if let Some(last) = self.last {
            let difference = (micros - last.micros).abs();
            let idle = self.next.is_none() && self.packets.is_empty();
            if difference > if idle { AFTER_SILENCE } else { JUMP * 1_000 } {
                // Another clock, or a silence that did not count in timestamps.
                self.transits.clear();
            } else {
                // RFC 3550 section 6.4.1.
                self.counts.jitter_us += (difference as f32 - self.counts.jitter_us) / 16.0;
                let gap = arrived.saturating_duration_since(last.arrived).as_micros() as i64;
                behind = gap < self.frame_us / 4 && micros < last.micros;
            }
        }
        let transit = Transit { arrived, micros, behind };
        self.last = Some(transit);
        self.transits.push_back(transit);
        let old = |first: &Transit| arrived.saturating_duration_since(first.arrived) > WINDOW;
        while self.transits.len() > MOST_TRANSITS || self.transits.front().is_some_and(old) {
            self.transits.pop_front();
        }
    }

    fn unwrap(&mut self, packet: &Packet) -> i64 {
        let step = i64::from(packet.sequence.wrapping_sub(self.highest as u16) as i16);
        if self.stream == Some(packet.stream) && step.abs() < JUMP {
            return self.highest + step;
        }
        // A new stream: whatever waits is played no more.
        self.stream = Some(packet.stream);
        self.packets.clear();
        self.transits.clear();
        self.last = None;
        self.next = None;
        self.ahead = 0;
        let sequence = i64::from(packet.sequence) + (1 << 32);
        self.highest = sequence - 1;
        self.highest_timestamp = i64::from(packet.timestamp) + (1 << 40);
        sequence
    }

    fn timestamp(&self, packet: &Packet) -> i64 {
        let step = packet.timestamp.wrapping_sub(self.highest_timestamp as u32) as i32;
        self.highest_timestamp + i64::from(step)
    }

    fn micros(&self, at: Instant) -> i64 {
        at.saturating_duration_since(self.start).as_micros() as i64
    }
}

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;
