//! Keys as named events (RFC 4733), in the place of sound packets.

use std::collections::VecDeque;

use bytes::Bytes;

/// Digits that wait; more are left out.
const MOST_WAITING: usize = 64;
/// 20 ms frames that a key is down, and that it is up before the next.
const DOWN: u16 = 5;
const UP: u16 = 4;
/// The end is sent three times, a frame apart: one loss does not take them all (RFC 4733 section 2.5.1.4).
const ENDS: u16 = 3;
/// -10 dBm0.
const VOLUME: u8 = 10;

/// Keys to be sent.
#[derive(Debug, Default)]
pub(crate) struct Digits {
    waiting: VecDeque<u8>,
    now: Option<Key>,
}

#[derive(Debug)]
struct Key {
    event: u8,
    frame: u16,
    started: u32,
}

/// What goes out instead of this frame's sound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Instead {
    /// Sound as usual.
    Nothing,
    /// Neither sound nor event: the key is up before the next.
    Pause,
    /// An event packet.
    Event { timestamp: u32, marker: bool, payload: Bytes },
}

/// The event of a key: `0-9`, `*`, `#`, `A-D`.
pub(crate) fn event(key: char) -> Option<u8> {
    Some(match key {
        '0'..='9' => key as u8 - b'0',
        '*' => 10,
        '#' => 11,
        'A'..='D' => key as u8 - b'A' + 12,
        'a'..='d' => key as u8 - b'a' + 12,
        _ => return None,
    })
}

impl Digits {
    pub(crate) fn press(&mut self, keys: &str) {
        let room = MOST_WAITING.saturating_sub(self.waiting.len());
        self.waiting.extend(keys.chars().filter_map(event).take(room));
    }

    /// For each frame of `length` ticks that starts at `timestamp`.
    pub(crate) fn frame(&mut self, timestamp: u32, length: u16) -> Instead {
        if self.now.is_none() {
            let Some(event) = self.waiting.pop_front() else { return Instead::Nothing };
            self.now = Some(Key { event, frame: 0, started: timestamp });
        }
        let Some(key) = &mut self.now else { return Instead::Nothing };
        key.frame += 1;
        let frame = key.frame;
        if frame >= DOWN + ENDS {
            if frame == DOWN + UP {
                self.now = None;
            }
            return Instead::Pause;
        }
        let duration = (frame.min(DOWN) * length).to_be_bytes();
        let volume = VOLUME | if frame >= DOWN { 0x80 } else { 0 };
        Instead::Event {
            timestamp: key.started,
            marker: frame == 1,
            payload: Bytes::copy_from_slice(&[key.event, volume, duration[0], duration[1]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_event_of_one_timestamp_that_grows_and_ends_three_times_and_the_next_is_another() {
        let mut digits = Digits::default();
        digits.press("5x5");
        let mut packets = Vec::new();
        let mut at = 1_000;
        loop {
            match digits.frame(at, 960) {
                Instead::Event { timestamp, marker, payload } => {
                    packets.push((at, timestamp, marker, payload.to_vec()));
                }
                Instead::Pause => {}
                Instead::Nothing => break,
            }
            at += 960;
        }
        let after = 960 * u32::from(DOWN + UP);
        let key = |started: u32| {
            let packet = move |n: u32, end: u8, duration: u16| {
                let [high, low] = duration.to_be_bytes();
                (started + 960 * n, started, n == 0, vec![5, 10 | end, high, low])
            };
            let down = (0..4).map(move |n| packet(n, 0, 960 * (n as u16 + 1)));
            down.chain((4..7).map(move |n| packet(n, 0x80, 4_800)))
        };
        assert_eq!(packets, key(1_000).chain(key(1_000 + after)).collect::<Vec<_>>());
    }

    #[test]
    fn a_flood_of_keys_is_bounded() {
        let mut digits = Digits::default();
        digits.press(&"1".repeat(10_000));
        assert_eq!(digits.waiting.len(), MOST_WAITING);
    }
}
