//! From sound to packets: 20 ms frames, encoder, digits.

use bytes::Bytes;
use opus::{Application, Bitrate, Channels, Encoder, Signal};

use super::Outgoing;
use super::digits::{Digits, Instead};
use super::g711::G711;
use crate::audio::RATE;
use crate::events::Codec;
use crate::sip::sdp::{Agreed, clock};

/// Samples in a packet of 20 ms.
const FRAME: usize = RATE / 50;
/// Opus speech at 28 kb/s is wide band, with room for FEC.
const BIT_RATE: i32 = 28_000;
/// Half the work of the highest for no difference that PESQ finds.
const COMPLEXITY: i32 = 5;
const LARGEST: usize = 1_000;

/// One call's sound from us.
pub(crate) struct Speaking {
    opus: Option<Encoder>,
    g711: G711,
    agreed: Agreed,
    frame: Vec<f32>,
    bytes: Vec<u8>,
    timestamp: u32,
    digits: Digits,
    /// Silence is sent instead of what is said.
    pub(crate) muted: bool,
    /// False: nothing is sent at all.
    pub(crate) sending: bool,
    paused: bool,
    loss: i32,
}

impl Speaking {
    /// Fails where libopus has no memory.
    pub(crate) fn new(agreed: Agreed, timestamp: u32) -> Result<Self, opus::Error> {
        let opus = match agreed.codec {
            Codec::Opus => {
                let mut encoder = Encoder::new(RATE as u32, Channels::Mono, Application::Voip)?;
                encoder.set_bitrate(Bitrate::Bits(BIT_RATE))?;
                encoder.set_complexity(COMPLEXITY)?;
                encoder.set_signal(Signal::Voice)?;
                encoder.set_inband_fec(true)?;
                Some(encoder)
            }
            Codec::Pcmu | Codec::Pcma => None,
        };
        Ok(Self {
            opus,
            g711: G711::new(agreed.codec),
            agreed,
            frame: Vec::with_capacity(FRAME),
            bytes: Vec::with_capacity(LARGEST),
            timestamp,
            digits: Digits::default(),
            muted: false,
            sending: true,
            paused: true,
            loss: 0,
        })
    }

    /// Sends keys as events, where they were agreed.
    pub(crate) fn press(&mut self, keys: &str) {
        self.digits.press(keys);
    }

    /// Part of 256 that the other side reports lost: FEC costs band, so it is spent as needed.
    pub(crate) fn report_loss(&mut self, lost: u32) {
        let percent = (lost.min(255) * 100 / 256) as i32;
        // Up at once, down slowly.
        let loss = percent.max(self.loss - 1).min(30);
        if loss != self.loss
            && let Some(opus) = &mut self.opus
            && opus.set_packet_loss_perc(loss).is_ok()
        {
            self.loss = loss;
        }
    }

    /// Takes what was said and hands out what is to be sent.
    pub(crate) fn say(&mut self, samples: &[f32], mut send: impl FnMut(Outgoing)) {
        for part in samples.chunks(FRAME) {
            let room = FRAME - self.frame.len();
            let (now, rest) = part.split_at(part.len().min(room));
            self.frame.extend_from_slice(now);
            if self.frame.len() == FRAME {
                self.finish(&mut send);
                self.frame.extend_from_slice(rest);
            }
        }
    }

    fn finish(&mut self, send: &mut impl FnMut(Outgoing)) {
        let ticks = clock(self.agreed.codec) / 50;
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(ticks);
        if self.muted {
            self.frame.fill(0.0);
        }
        if let Some(payload_type) = self.agreed.digits {
            match self.digits.frame(timestamp, ticks as u16) {
                Instead::Nothing => {}
                Instead::Pause => return self.pause(),
                Instead::Event { timestamp, marker, payload } => {
                    send(Outgoing { timestamp, payload_type, marker, payload });
                    return self.pause();
                }
            }
        }
        if !self.sending {
            return self.pause();
        }
        self.bytes.clear();
        match &mut self.opus {
            None => self.g711.encode(&self.frame, &mut self.bytes),
            Some(opus) => {
                self.bytes.resize(LARGEST, 0);
                let length = opus.encode_float(&self.frame, &mut self.bytes).unwrap_or_else(|error| {
                    tracing::warn!(%error, "sound cannot be encoded");
                    0
                });
                self.bytes.truncate(length);
            }
        }
        self.frame.clear();
        if self.bytes.is_empty() {
            return;
        }
        send(Outgoing {
            timestamp,
            payload_type: self.agreed.payload_type,
            marker: std::mem::take(&mut self.paused),
            payload: Bytes::copy_from_slice(&self.bytes),
        });
    }

    fn pause(&mut self) {
        self.frame.clear();
        self.paused = true;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn speaking(codec: Codec) -> Speaking {
        Speaking::new(Agreed { codec, payload_type: 8, digits: Some(101) }, 5).unwrap()
    }

    fn say(speaking: &mut Speaking, samples: usize) -> Vec<Outgoing> {
        let mut sent = Vec::new();
        for _ in 0..samples / 240 {
            speaking.say(&[0.1; 240], |packet| sent.push(packet));
        }
        sent
    }

    #[test]
    fn every_20_ms_a_packet_whose_timestamp_goes_by_the_codecs_clock() {
        for (codec, ticks) in [(Codec::Opus, 960), (Codec::Pcmu, 160)] {
            let sent = say(&mut speaking(codec), 4_800);
            let times: Vec<u32> = sent.iter().map(|packet| packet.timestamp).collect();
            assert_eq!(times, [5, 5 + ticks, 5 + 2 * ticks, 5 + 3 * ticks, 5 + 4 * ticks]);
            assert_eq!(sent.iter().filter(|packet| packet.marker).count(), 1);
        }
    }

    #[test]
    fn not_one_packet_leaves_while_it_does_not_send_but_time_goes_on() {
        let mut speaking = speaking(Codec::Opus);
        speaking.sending = false;
        assert_eq!(say(&mut speaking, 48_000), []);
        speaking.sending = true;
        let sent = say(&mut speaking, 960);
        assert_eq!((sent[0].timestamp, sent[0].marker), (5 + 50 * 960, true));
    }

    #[test]
    fn a_key_takes_the_place_of_sound() {
        let mut speaking = speaking(Codec::Pcma);
        speaking.press("1");
        let sent = say(&mut speaking, 9_600);
        assert_eq!(sent.iter().filter(|packet| packet.payload_type == 101).count(), 7);
        assert_eq!(sent.iter().filter(|packet| packet.payload_type == 8).count(), 1);
    }
}
