//! From packets to sound: jitter buffer, decoder, concealment.

use std::collections::VecDeque;
use std::time::Instant;

use opus::{Channels, Decoder};

use super::g711::G711;
use super::jitter::{Behind, Counts, Jitter, Pull};
use super::{Packet, stretch};
use crate::audio::RATE;
use crate::events::Codec;
use crate::sip::sdp::{Agreed, clock};

/// 120 ms: the longest Opus packet (RFC 6716 section 2.1.4).
const LONGEST: usize = RATE * 120 / 1000;
const SHORTEST: usize = RATE / 400;
/// Beyond this, in microseconds, what is late is not played at all.
const TOO_FAR: i64 = 400_000;
/// Frames in a row that may be too much alike to nothing to be shortened; then it is done anyhow.
const PATIENCE: u32 = 25;
/// Below this energy nobody hears a cut, nor at this part of the loudest of the last seconds.
const SILENT: f32 = 1e-5;
const QUIET: f32 = 0.0025;
/// What is left of the loudest after another frame: half after 7 s.
const FADES: f32 = 0.998;

/// One call's sound to us.
pub(crate) struct Playout {
    jitter: Jitter,
    opus: Option<Decoder>,
    g711: G711,
    codec: Codec,
    agreed: u8,
    sound: VecDeque<f32>,
    frame: Vec<f32>,
    /// Samples in the last decoded frame.
    length: usize,
    loudest: f32,
    /// The last frame was.
    quiet: bool,
    /// Nothing was played before: what comes starts anew.
    fresh: bool,
    refused: u32,
}

impl Playout {
    /// Fails where libopus has no memory.
    pub(crate) fn new(agreed: Agreed, now: Instant) -> Result<Self, opus::Error> {
        let opus = match agreed.codec {
            Codec::Opus => Some(Decoder::new(RATE as u32, Channels::Mono)?),
            Codec::Pcmu | Codec::Pcma => None,
        };
        Ok(Self {
            jitter: Jitter::new(clock(agreed.codec), now),
            opus,
            g711: G711::new(agreed.codec),
            codec: agreed.codec,
            agreed: agreed.payload_type,
            sound: VecDeque::with_capacity(2 * LONGEST),
            frame: Vec::with_capacity(LONGEST),
            length: RATE / 50,
            loudest: 0.0,
            quiet: true,
            fresh: true,
            refused: 0,
        })
    }

    pub(crate) fn counts(&self) -> Counts {
        self.jitter.counts()
    }

    /// Sound that waits, in ms.
    pub(crate) fn waiting_ms(&self) -> f32 {
        let samples = self.jitter.depth() * self.length + self.sound.len();
        samples as f32 * 1000.0 / RATE as f32
    }

    pub(crate) fn receive(&mut self, packet: Packet) {
        // Events and comfort noise are not sound; the buffer sees one clock and one codec.
        if packet.payload_type == self.agreed {
            self.jitter.push(packet);
        }
    }

    /// Adds the next samples to what is played.
    pub(crate) fn add_to(&mut self, out: &mut [f32], now: Instant) {
        while self.sound.len() < out.len() {
            if !self.decode_next(now) {
                break;
            }
        }
        let ready = out.len().min(self.sound.len());
        for (sample, sound) in out.iter_mut().zip(self.sound.drain(..ready)) {
            *sample += sound;
        }
    }

    /// False: there is nothing to play.
    fn decode_next(&mut self, now: Instant) -> bool {
        let mut behind = None;
        match self.jitter.pull(now, self.quiet) {
            Pull::Play { payload, behind: by } => {
                self.begin();
                self.decode(&payload, false);
                behind = by;
            }
            Pull::Recover { next } => self.decode(&next, true),
            Pull::Conceal => self.decode(&[], false),
            Pull::Nothing => {
                (self.quiet, self.fresh) = (true, true);
                return false;
            }
        }
        let energy = stretch::energy(&self.frame);
        self.loudest = energy.max(self.loudest * FADES);
        self.quiet = energy < SILENT.max(self.loudest * QUIET);
        if let Some(behind) = behind {
            self.hurry(behind);
        }
        self.sound.extend(self.frame.drain(..));
        true
    }

    /// After a silence the other side's encoder is a new one as a rule. A decoder that goes on from what it
    /// concealed last fades the first word in.
    fn begin(&mut self) {
        if std::mem::take(&mut self.fresh)
            && let Some(opus) = &mut self.opus
            && let Err(error) = opus.reset_state()
        {
            tracing::warn!(%error, "the decoder cannot start anew");
        }
    }

    /// Fills `frame`. An empty packet is concealed; `copy`: the copy of the packet before in this one.
    fn decode(&mut self, packet: &[u8], copy: bool) {
        self.frame.clear();
        let Some(opus) = &mut self.opus else {
            match (packet, copy) {
                ([], _) | (_, true) => self.frame.resize(self.length, 0.0),
                (bytes, false) => {
                    // 120 ms at most, whatever the packet says.
                    let bytes = &bytes[..bytes.len().min(LONGEST / 6)];
                    self.g711.decode(bytes, &mut self.frame);
                    self.length = self.frame.len().max(SHORTEST);
                }
            }
            return;
        };
        let whole = packet.is_empty() || copy;
        self.frame.resize(if whole { self.length } else { LONGEST }, 0.0);
        match opus.decode_float(packet, &mut self.frame, copy) {
            Ok(samples) => {
                self.frame.truncate(samples);
                self.length = samples.max(SHORTEST);
            }
            Err(error) => {
                // It counts as its silence.
                tracing::trace!(%error, codec = ?self.codec, "a packet cannot be decoded");
                self.frame.clear();
                self.frame.resize(self.length, 0.0);
            }
        }
    }

    fn hurry(&mut self, behind: Behind) {
        // The device stood still: nobody talks with half a second between.
        if behind.micros > TOO_FAR {
            self.frame.clear();
            self.length = self.length.max(SHORTEST);
            return;
        }
        if self.quiet {
            stretch::cut(&mut self.frame);
            return;
        }
        if !behind.long {
            return;
        }
        if stretch::shorten(&mut self.frame) > 0 {
            self.refused = 0;
            return;
        }
        self.refused += 1;
        if self.refused > PATIENCE {
            self.refused = 0;
            let half = self.frame.len() / 2;
            self.frame.truncate(half);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::audio::TICK;
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::time::Duration;

    fn opus() -> Agreed {
        Agreed { codec: Codec::Opus, payload_type: 111, digits: None }
    }

    fn packet(n: u16, payload: Bytes, arrived: Instant) -> Packet {
        let timestamp = u32::from(n) * 960;
        Packet { stream: 1, sequence: n, timestamp, payload_type: 111, payload, arrived }
    }

    /// Of a hum like a voice's: a tone is coded as music, which has no copies.
    fn overtone(turns: f32, k: f32) -> f32 {
        0.3 / k * (std::f32::consts::TAU * turns * k).sin()
    }

    /// Levels of the frames of a hum, played 40 ms behind a link on which every tenth packet is slow,
    /// so that a lost packet's successor is there when it is missed.
    fn hear(lost: &[u16], fec: bool) -> Vec<f32> {
        let mut encoder = opus::Encoder::new(48_000, Channels::Mono, opus::Application::Voip).unwrap();
        encoder.set_inband_fec(fec).unwrap();
        encoder.set_packet_loss_perc(if fec { 20 } else { 0 }).unwrap();
        encoder.set_bitrate(opus::Bitrate::Bits(28_000)).unwrap();
        encoder.set_signal(opus::Signal::Voice).unwrap();
        encoder.set_max_bandwidth(opus::Bandwidth::Wideband).unwrap();
        let start = Instant::now();
        let at = |n: u16| start + Duration::from_millis(20) * u32::from(n);
        let mut playout = Playout::new(opus(), start).unwrap();
        let (mut levels, mut slow) = (Vec::new(), Vec::new());
        for n in 0..200_u16 {
            let tone: Vec<f32> = (0..960)
                .map(|s| (usize::from(n) * 960 + s) as f32 * 125.0 / 48_000.0)
                .map(|turns| (1..20_u8).map(|k| overtone(turns, f32::from(k))).sum())
                .map(|hum: f32| if n / 10 % 2 == 0 { hum } else { 0.0 })
                .collect();
            let bytes = encoder.encode_vec_float(&tone, 400).unwrap();
            slow.extend((n % 10 == 5).then_some((n + 2, n, bytes.clone())));
            if !lost.contains(&n) && n % 10 != 5 {
                playout.receive(packet(n, bytes.into(), at(n)));
            }
            for (_, n, bytes) in slow.extract_if(.., |(due, ..)| *due == n) {
                playout.receive(packet(n, bytes.into(), at(n + 2)));
            }
            let mut out = [0.0; 960];
            playout.add_to(&mut out, at(n));
            levels.push((out.iter().map(|s| s * s).sum::<f32>() / 960.0).sqrt());
        }
        levels
    }

    #[test]
    fn a_lost_packet_is_played_from_the_copy_in_the_next() {
        // The first packets of a hum after silence: nothing before them tells what they were.
        let lost = [100, 120, 140, 160];
        let at_the_loss = |levels: &[f32]| lost.iter().map(|n| levels[usize::from(*n) + 2]).sum::<f32>();
        let (without, with) = (at_the_loss(&hear(&lost, false)), at_the_loss(&hear(&lost, true)));
        assert!(with > 0.2 && with > 4.0 * without, "{with} with copies, {without} without");
    }

    /// A voice whose pitch never stands still, so that 10 ms of it are found at one place only.
    fn word(seed: u16) -> Vec<f32> {
        let mut turns = 0.0_f32;
        let pitch = |s: f32| 150.0 + 30.0 * (s * (0.0004 + f32::from(seed) * 0.00003)).sin() + s * 0.0003;
        let samples = (0_u16..48_000).map(f32::from).map(|s| {
            turns = (turns + pitch(s) / 48_000.0).fract();
            (1..12_u8).map(|k| overtone(turns, f32::from(k))).sum()
        });
        samples.collect()
    }

    /// Correlation of each 10 ms of `said`, laid at `at` of `heard`.
    fn alike(said: &[f32], heard: &[f32], at: usize) -> Vec<f32> {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let one = |(a, b): (&[f32], &[f32])| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-6);
        said.chunks(480).zip(heard[at..].chunks(480)).map(one).collect()
    }

    /// At so many bits the coding keeps the wave; a decoder that goes on from another voice starts at 0.67.
    const SAME_WAVE: f32 = 0.85;

    #[test]
    fn each_first_word_after_a_silence_is_whole() {
        let start = Instant::now();
        let mut playout = Playout::new(opus(), start).unwrap();
        let mut heard = Vec::new();
        let (mut number, mut tick) = (0_u16, 0_u32);
        for call in 0..12_u16 {
            // As Asterisk does it: each callee has an encoder, the line has one stream.
            let mut encoder = opus::Encoder::new(48_000, Channels::Mono, opus::Application::Audio).unwrap();
            encoder.set_bitrate(opus::Bitrate::Bits(128_000)).unwrap();
            let said = word(call);
            let began = heard.len();
            let mut frames = said.chunks(960).enumerate().peekable();
            for now in 0..160_u32 {
                // Every third is 17 ms late, and one is 50.
                let due = |n: usize| n as u32 * 2 + if n == 7 { 5 } else { (n as u32 % 3) / 2 * 2 };
                while let Some((_, sound)) = frames.next_if(|(n, _)| due(*n) <= now) {
                    let bytes = encoder.encode_vec_float(sound, 1_200).unwrap();
                    playout.receive(packet(number, bytes.into(), start + Duration::from_millis(10) * tick));
                    number += 1;
                }
                let mut out = [0.0; TICK];
                playout.add_to(&mut out, start + Duration::from_millis(10) * tick);
                heard.extend(out);
                tick += 1;
            }
            // The end of what was said is still in the encoder.
            let (said, heard) = (&said[..said.len() - 960], &heard[began..]);
            let sum = |at: usize| alike(said, heard, at).iter().sum::<f32>();
            let at = (0..9_600).max_by(|a, b| sum(*a).total_cmp(&sum(*b))).unwrap();
            let lost: Vec<_> =
                alike(said, heard, at).into_iter().enumerate().filter(|(_, r)| *r < SAME_WAVE).collect();
            assert!(lost.is_empty(), "call {call}, at {at}: {lost:?}");
        }
    }

    #[test]
    fn what_is_not_the_agreed_codec_is_left_out() {
        let now = Instant::now();
        let mut playout = Playout::new(opus(), now).unwrap();
        playout.receive(Packet { payload_type: 13, ..packet(1, Bytes::from_static(&[1; 9]), now) });
        assert_eq!(playout.counts().received, 0);
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..1300), 1..40), g711: bool) {
            let now = Instant::now();
            let agreed = if g711 { Agreed { codec: Codec::Pcma, ..opus() } } else { opus() };
            let mut playout = Playout::new(agreed, now).unwrap();
            let mut out = [0.0; 480];
            for (n, payload) in payloads.into_iter().enumerate() {
                let now = now + Duration::from_millis(20) * n as u32;
                playout.receive(packet(n as u16, payload.into(), now));
                playout.add_to(&mut out, now);
                prop_assert!(playout.sound.len() <= 2 * LONGEST);
            }
        }
    }
}
