//! The jitter buffer: which packet is played when. Pure: time comes in, packets go out.
//!
//! A packet's *transit* is its arrival minus its timestamp; the fastest of the last seconds is the
//! link's own delay. The *target* is how much slower nearly all packets (all but 0.5 %) were than the
//! fastest; the *delay* is how long after the fastest possible moment a packet is played. The delay is
//! kept between the target and one frame above it: below, a frame is inserted, above, sound is played
//! faster. So on a clean link a packet is played at the first chance and the buffer is one frame deep.
//!
//! Words are neither cut nor stretched for that: frames are inserted in the quiet only, unless a packet
//! really came too late, and [`super::playout`] plays faster in the quiet, unless there is none for
//! seconds. Nobody knows how even a sound will come before it comes, so the first packet after a silence
//! is kept back for [`START`]: the callee's first word is whole, and the first pause takes the delay away.
//!
//! Loss is not lateness: a gap that later packets prove never changes the delay. And a stop of the link
//! is one slow packet, however many come at once when it is over: the delay falls back at once.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Packet;

/// Packets kept; at 20 ms more than a second, beyond which nobody talks.
const MOST_PACKETS: usize = 64;
/// How long a slow packet is remembered: with the pause that is then waited for, the buffer is back to one
/// frame within 10 s.
const WINDOW: Duration = Duration::from_secs(6);
const MOST_TRANSITS: usize = 800;
/// Part of the packets that may be too late.
const LATE: f64 = 0.005;
/// Above the target by less than a frame, so that the buffer is one frame deep when the target is 0.
const ROOM: i64 = 18_000;
/// Never wait longer than this for slow packets.
const MOST_DELAY: i64 = 500_000;
/// The delay of the first packet after a silence; up to the second where packets were so slow before.
const START: i64 = 60_000;
const MOST_AT_START: i64 = 160_000;
/// How long a pause is waited for before words are played faster.
const PATIENCE: Duration = Duration::from_secs(3);
/// Concealed frames after which the other side is taken to be silent.
const MOST_CONCEALED: u32 = 6;
/// A change of transit over a silence that is the sender's, not the link's.
const AFTER_SILENCE: i64 = 50_000;
/// A jump that no network makes, in packets: another stream.
const JUMP: i64 = 1_000;
/// The same of timestamps, in seconds; a sender may count its silence.
const JUMP_S: i64 = 10;

/// What to play for the next frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Pull {
    /// This packet; faster, if it is behind its turn.
    Play { payload: Bytes, behind: Option<Behind> },
    /// The packet before this one is lost; this one may carry a copy (in-band FEC).
    Recover { next: Bytes },
    /// Something that sounds like the last frame.
    Conceal,
    /// Silence: nothing is coming.
    Nothing,
}

/// How far a packet is behind its turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Behind {
    pub(crate) micros: i64,
    /// For so long that no pause is waited for any more.
    pub(crate) long: bool,
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
    /// A packet came after its turn, and no frame was inserted since.
    missed: bool,
    behind_since: Option<Instant>,
    /// How much slower than the fastest a packet was, in microseconds; halved by each silence.
    slowest: i64,
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
            missed: false,
            behind_since: None,
            slowest: 0,
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
            self.missed = true;
            return;
        }
        self.packets.insert(sequence, Held { timestamp, payload: packet.payload });
        if self.packets.len() > MOST_PACKETS {
            self.packets.pop_first();
            self.next = self.packets.keys().next().copied();
        }
    }

    /// What to play now, for one frame; `quiet`: the last one was, so that nobody hears another like it.
    pub(crate) fn pull(&mut self, now: Instant, quiet: bool) -> Pull {
        let Some((&first, held)) = self.packets.first_key_value() else {
            return self.starved();
        };
        let (fastest, target) = self.target();
        let since = |turn: i64| self.micros(now) - turn - fastest;
        let turn = self.micros_of(held.timestamp);
        let Some(next) = self.next else {
            if since(turn) < target.max(self.slowest).clamp(START, MOST_AT_START) {
                return Pull::Nothing;
            }
            self.slowest /= 2;
            self.behind_since = None;
            self.next = Some(first);
            return self.pull(now, quiet);
        };
        // What was concealed while nothing came is proven lost by what follows it.
        let proven = i64::from(self.ahead).min(first - next);
        let missing = first - next - proven;
        let delay = since(turn - missing * self.frame_us);
        self.ahead = 0;
        if delay < target && (quiet || self.missed) {
            // Packets come later than they are played: wait a frame, and be in time from then on.
            self.next = Some(next + proven);
            self.missed = false;
            self.counts.concealed += 1;
            return Pull::Conceal;
        }
        self.next = Some(next + proven + 1);
        if missing == 0
            && let Some((_, held)) = self.packets.pop_first()
        {
            return Pull::Play { payload: held.payload, behind: self.behind(delay - target, now) };
        }
        self.counts.concealed += 1;
        match self.packets.first_key_value() {
            Some((_, held)) if missing == 1 => Pull::Recover { next: held.payload.clone() },
            _ => Pull::Conceal,
        }
    }

    fn behind(&mut self, micros: i64, now: Instant) -> Option<Behind> {
        if micros <= ROOM {
            self.behind_since = None;
            return None;
        }
        let since = *self.behind_since.get_or_insert(now);
        Some(Behind { micros, long: now.saturating_duration_since(since) > PATIENCE })
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
        let micros = self.micros(arrived) - self.micros_of(timestamp);
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
        if let Some(fastest) = self.transits.iter().map(|transit| transit.micros).min() {
            self.slowest = self.slowest.max(micros - fastest);
        }
        self.transits.push_back(transit);
        let old = |first: &Transit| arrived.saturating_duration_since(first.arrived) > WINDOW;
        while self.transits.len() > MOST_TRANSITS || self.transits.front().is_some_and(old) {
            self.transits.pop_front();
        }
    }

    fn unwrap(&mut self, packet: &Packet) -> i64 {
        let step = i64::from(packet.sequence.wrapping_sub(self.highest as u16) as i16);
        let ticks = self.timestamp(packet) - self.highest_timestamp;
        if self.stream == Some(packet.stream) && step.abs() < JUMP && ticks.abs() < JUMP_S * self.clock {
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

    /// Of a timestamp that counts on: after centuries, too, it is not too great for its type.
    fn micros_of(&self, timestamp: i64) -> i64 {
        (i128::from(timestamp) * 1_000_000 / i128::from(self.clock)) as i64
    }

    fn micros(&self, at: Instant) -> i64 {
        at.saturating_duration_since(self.start).as_micros() as i64
    }
}

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;
