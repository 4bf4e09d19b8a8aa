//! The thread that moves sound: 10 ms from the microphone to every call, 10 ms from every call to the
//! loudspeaker. It alone encodes, decodes and conceals; devices touch two rings, the engine a channel.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::meter::Meter;
use super::ring_tone::{Ring, RingTone};
use super::{Pace, RATE, Sound, TICK};
use crate::events::{CallId, DeviceState, Quality};
use crate::media::jitter::Counts;
use crate::media::leg::Ends;
use crate::media::playout::Playout;
use crate::media::speaking::Speaking;
use crate::sip::sdp::Agreed;

const CLOCK: Duration = Duration::from_millis(10);
/// Twice for each period of a device: what it takes is given back in time with one tick in hand.
const DEVICE: Duration = Duration::from_millis(5);
/// Beyond this the microphone's ring is old: the thread was stopped for a while.
const STALE: usize = RATE / 10;
/// Without a sample for so long the microphone is dead, and silence is said in its place.
const DEAD: Duration = Duration::from_millis(100);
const LEVEL_EVERY: Duration = Duration::from_millis(100);
const QUALITY_EVERY: Duration = Duration::from_secs(1);
const FIRST_AFTER: Duration = Duration::from_millis(500);
const MOST_CATCH_UP: u32 = 5;

/// What the thread is told.
pub(crate) enum Order {
    Join { id: CallId, ends: Ends, agreed: Agreed, muted: bool, sending: bool },
    Leave(CallId),
    Mute(CallId, bool),
    Send(CallId, bool),
    Press(CallId, String),
    Ring(Option<Ring>),
    Sound(Sound),
    Stop,
}

/// What the thread tells.
#[derive(Debug)]
pub(crate) enum Told {
    FirstMedia(CallId),
    Quality(CallId, Quality),
    Level { microphone: f32, speaker: f32 },
    Devices(DeviceState),
}

/// Runs until told to stop or until nobody can tell any more.
pub(crate) fn run(orders: &Receiver<Order>, told: &dyn Fn(Told)) {
    let mut mixer = Mixer::new(told);
    loop {
        if mixer.is_idle() {
            match orders.recv() {
                Ok(Order::Stop) | Err(RecvError) => return,
                Ok(order) => mixer.order(order),
            }
            mixer.wake();
            continue;
        }
        loop {
            match orders.try_recv() {
                Ok(Order::Stop) => return,
                Ok(order) => mixer.order(order),
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
            }
        }
        mixer.tick();
    }
}

struct Mixer<'a> {
    told: &'a dyn Fn(Told),
    sound: Sound,
    talks: Vec<Talk>,
    ring: Option<RingTone>,
    due: Instant,
    heard_from_microphone: Instant,
    microphone: Meter,
    speaker: Meter,
    levels_at: Instant,
    quality_at: Instant,
}

struct Talk {
    id: CallId,
    ends: Ends,
    playout: Playout,
    speaking: Speaking,
    last_media: Option<Instant>,
    before: Counts,
}

impl<'a> Mixer<'a> {
    fn new(told: &'a dyn Fn(Told)) -> Self {
        let now = Instant::now();
        Self {
            told,
            sound: Sound::none(),
            talks: Vec::new(),
            ring: None,
            due: now,
            heard_from_microphone: now,
            microphone: Meter::default(),
            speaker: Meter::default(),
            levels_at: now,
            quality_at: now,
        }
    }

    fn is_idle(&self) -> bool {
        self.talks.is_empty() && self.ring.is_none()
    }

    fn wake(&mut self) {
        let now = Instant::now();
        (self.due, self.heard_from_microphone) = (now, now);
        (self.levels_at, self.quality_at) = (now + LEVEL_EVERY, now + QUALITY_EVERY);
        if let Some(microphone) = &mut self.sound.microphone
            && matches!(self.sound.pace, Pace::Device { .. })
        {
            discard(microphone, 0);
        }
    }

    fn order(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Join { id, ends, agreed, muted, sending } => {
                let first = u32::from_ne_bytes(crate::random::bytes());
                match (Playout::new(agreed, now), Speaking::new(agreed, first)) {
                    (Ok(playout), Ok(mut speaking)) => {
                        (speaking.muted, speaking.sending) = (muted, sending);
                        let before = playout.counts();
                        self.talks.push(Talk { id, ends, playout, speaking, last_media: None, before });
                    }
                    (Err(error), _) | (_, Err(error)) => tracing::error!(%error, "no codec for {id}"),
                }
            }
            Order::Leave(id) => self.leave(id),
            Order::Mute(id, on) => self.talk(id, |talk| talk.speaking.muted = on),
            Order::Send(id, on) => self.talk(id, |talk| talk.speaking.sending = on),
            Order::Press(id, keys) => self.talk(id, |talk| talk.speaking.press(&keys)),
            Order::Ring(ring) => self.ring = ring.map(RingTone::new),
            Order::Sound(sound) => {
                self.sound = sound;
                (self.due, self.heard_from_microphone) = (now, now);
            }
            Order::Stop => {}
        }
    }

    /// Nobody is rung any more when the last call is over; the next one must not begin with this one's ring.
    fn leave(&mut self, id: CallId) {
        let before = self.talks.len();
        self.talks.retain(|talk| talk.id != id);
        if self.talks.is_empty() && before > 0 {
            self.ring = None;
        }
    }

    fn talk(&mut self, id: CallId, act: impl FnOnce(&mut Talk)) {
        if let Some(talk) = self.talks.iter_mut().find(|talk| talk.id == id) {
            act(talk);
        }
    }

    fn tick(&mut self) {
        let period = match self.sound.pace {
            Pace::Clock => CLOCK,
            Pace::Device { .. } => DEVICE,
        };
        let now = Instant::now();
        if now < self.due {
            thread::sleep(self.due - now);
        }
        let now = Instant::now();
        // After a stop of the whole machine there is no use in saying all that was missed.
        if now > self.due + period * MOST_CATCH_UP {
            self.due = now;
        }
        let due = self.due;
        self.due += period;
        self.receive(now);
        match &self.sound.pace {
            Pace::Clock => {
                self.listen_by_clock();
                // These samples' own time: a tick that comes late is made good by the next, and nothing is behind.
                self.play(due);
            }
            Pace::Device { wanted } => {
                let wanted = wanted.load(Ordering::Relaxed).clamp(TICK, RATE / 5);
                self.listen_to_device(now);
                while self.sound.speaker.as_ref().is_some_and(|s| waiting(s) < wanted) {
                    self.play(now);
                }
            }
        }
        self.tell(now);
    }

    /// Takes what came in from the network.
    fn receive(&mut self, now: Instant) {
        let mut ring_stops = false;
        for talk in &mut self.talks {
            while let Ok(packet) = talk.ends.received.pop() {
                let silent = talk.last_media.is_none_or(|last| now.duration_since(last) > FIRST_AFTER);
                talk.last_media = Some(now);
                if silent {
                    ring_stops = true;
                    (self.told)(Told::FirstMedia(talk.id));
                }
                talk.playout.receive(packet);
            }
        }
        if ring_stops {
            self.ring = None;
        }
    }

    fn listen_by_clock(&mut self) {
        let mut samples = [0.0; TICK];
        if let Some(microphone) = &mut self.sound.microphone {
            let _ = microphone.pop_partial_slice(&mut samples);
        }
        self.say(&samples);
    }

    fn listen_to_device(&mut self, now: Instant) {
        let mut samples = [0.0; TICK];
        if let Some(microphone) = &mut self.sound.microphone
            && microphone.slots() > STALE
        {
            discard(microphone, 2 * TICK);
        }
        while let Some(microphone) = &mut self.sound.microphone
            && microphone.pop_entire_slice(&mut samples).is_ok()
        {
            self.heard_from_microphone = now;
            self.say(&samples);
        }
        if self.sound.microphone.is_none() || now.duration_since(self.heard_from_microphone) > DEAD {
            // 10 ms of silence for each 10 ms that passed.
            while self.heard_from_microphone + CLOCK + DEAD <= now {
                self.heard_from_microphone += CLOCK;
                self.say(&[0.0; TICK]);
            }
        }
    }

    fn say(&mut self, samples: &[f32]) {
        self.microphone.hear(samples);
        for talk in &mut self.talks {
            let send = &talk.ends.send;
            // Full: the network side stands still, and late sound is of no use.
            talk.speaking.say(samples, |packet| drop(send.try_send(packet)));
        }
    }

    fn play(&mut self, now: Instant) {
        let mut samples = [0.0; TICK];
        for talk in &mut self.talks {
            talk.playout.add_to(&mut samples, now);
        }
        if let Some(ring) = &mut self.ring {
            ring.add_to(&mut samples);
        }
        for sample in &mut samples {
            *sample = sample.clamp(-1.0, 1.0);
        }
        self.speaker.hear(&samples);
        if let Some(speaker) = &mut self.sound.speaker {
            // Full: nobody listens at the other end.
            let _ = speaker.push_partial_slice(&samples);
        }
    }

    fn tell(&mut self, now: Instant) {
        if now >= self.levels_at {
            self.levels_at = now + LEVEL_EVERY;
            let (microphone, speaker) = (self.microphone.read(), self.speaker.read());
            (self.told)(Told::Level { microphone, speaker });
        }
        if now >= self.quality_at {
            self.quality_at = now + QUALITY_EVERY;
            for talk in &mut self.talks {
                let quality = talk.quality();
                (self.told)(Told::Quality(talk.id, quality));
            }
        }
    }
}

impl Talk {
    fn quality(&mut self) -> Quality {
        let now = self.playout.counts();
        let before = std::mem::replace(&mut self.before, now);
        let report = &self.ends.report;
        let lost_up = report.lost_up.load(Ordering::Relaxed);
        self.speaking.report_loss(lost_up);
        let part = |some: u64, all: u64| if all == 0 { 0.0 } else { some as f32 / all as f32 };
        let received = now.received - before.received;
        let expected = now.expected - before.expected;
        let round_trip = report.round_trip.load(Ordering::Relaxed);
        Quality {
            loss: part(expected.saturating_sub(received), expected),
            loss_up: lost_up as f32 / 256.0,
            jitter_ms: now.jitter_us / 1000.0,
            round_trip_ms: (round_trip > 0).then_some(round_trip as f32 / 1000.0),
            late_drops: part(now.late - before.late, received),
            buffer_ms: self.playout.waiting_ms(),
            received: report.received.load(Ordering::Relaxed),
            sent: report.sent.load(Ordering::Relaxed),
        }
    }
}

fn waiting(speaker: &rtrb::Producer<f32>) -> usize {
    speaker.buffer().capacity() - speaker.slots()
}

fn discard(microphone: &mut rtrb::Consumer<f32>, keep: usize) {
    let old = microphone.slots().saturating_sub(keep);
    if let Ok(chunk) = microphone.read_chunk(old) {
        chunk.commit_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::events::Codec;

    fn join(mixer: &mut Mixer<'_>, id: CallId) {
        let ends = Ends {
            received: rtrb::RingBuffer::new(1).1,
            send: tokio::sync::mpsc::channel(1).0,
            report: Arc::default(),
        };
        let agreed = Agreed { codec: Codec::Opus, payload_type: 111, digits: None };
        mixer.order(Order::Join { id, ends, agreed, muted: false, sending: true });
    }

    #[test]
    fn the_ring_goes_with_the_last_call() {
        let mut mixer = Mixer::new(&|_| {});
        mixer.order(Order::Ring(Some(Ring::Europe)));
        mixer.order(Order::Leave(CallId(1)));
        assert!(mixer.ring.is_some(), "nobody left: it was asked for without a call");
        join(&mut mixer, CallId(1));
        join(&mut mixer, CallId(2));
        mixer.order(Order::Leave(CallId(1)));
        assert!(mixer.ring.is_some() && !mixer.is_idle());
        mixer.order(Order::Leave(CallId(2)));
        assert!(mixer.ring.is_none() && mixer.is_idle());
    }
}
