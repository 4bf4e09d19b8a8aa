//! Keys as named events (RFC 4733), in the place of sound packets.

use std::collections::VecDeque;

use bytes::Bytes;

/// Digits that wait; more are left out.
const MOST_WAITING: usize = 64;
/// 20 ms frames that a key is down, and that it is up before the next.
const DOWN: u16 = 5;
const UP: u16 = 4;
/// The end is sent three times (RFC 4733 section 2.5.1.4).
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
    Event { timestamp: u32, marker: bool, payload: Bytes, copies: u16 },
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
        if key.frame > DOWN {
            if key.frame == DOWN + UP {
                self.now = None;
            }
            return Instead::Pause;
        }
        let last = key.frame == DOWN;
        let duration = (key.frame * length).to_be_bytes();
        let volume = VOLUME | if last { 0x80 } else { 0 };
        Instead::Event {
            timestamp: key.started,
            marker: key.frame == 1,
            payload: Bytes::copy_from_slice(&[key.event, volume, duration[0], duration[1]]),
            copies: if last { ENDS } else { 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_event_of_one_timestamp_that_grows_and_ends_three_times() {
        let mut digits = Digits::default();
        digits.press("5x");
        let mut packets = Vec::new();
        let mut at = 1_000;
        loop {
            match digits.frame(at, 960) {
                Instead::Event { timestamp, marker, payload, copies } => {
                    packets.push((timestamp, marker, payload.to_vec(), copies));
                }
                Instead::Pause => {}
                Instead::Nothing => break,
            }
            at += 960;
        }
        assert_eq!(packets.len(), 5);
        assert!(packets.iter().all(|(timestamp, ..)| *timestamp == 1_000));
        assert_eq!(packets[0], (1_000, true, vec![5, 10, 0x03, 0xc0], 1));
        assert_eq!(packets[4], (1_000, false, vec![5, 0x8a, 0x12, 0xc0], 3));
    }

    #[test]
    fn a_flood_of_keys_is_bounded() {
        let mut digits = Digits::default();
        digits.press(&"1".repeat(10_000));
        assert_eq!(digits.waiting.len(), MOST_WAITING);
    }
}
