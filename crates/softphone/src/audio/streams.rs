//! Opening the system's devices and watching them: a thread of its own, since both may take long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{BufferSize, Host, SampleFormat, SizedSample, Stream, StreamConfig};
use rtrb::{Consumer, Producer, RingBuffer};

use super::devices::{Device, describe, host};
use super::thread::{Order, Told};
use super::{Pace, RATE, Sound, TICK};
use crate::events::DeviceState;

/// Which devices are wished: `None` is the system's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) microphone: Option<String>,
    pub(crate) speaker: Option<String>,
}

/// What this thread is told.
#[derive(Debug)]
pub(crate) enum Wish {
    Open(Choice),
    Close,
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// While a device is missing: it is used within a second of its return.
const MISSING_LOOK_EVERY: Duration = Duration::from_millis(500);
/// The sound server may have gone and come again, and the host that stood in for it knows nothing of it.
const NEW_HOST_EVERY: u32 = 3;
const BUFFER: usize = RATE / 4;
const ENDED_WITHIN: Duration = Duration::from_millis(300);
/// So many streams that do not end are let be; with more, devices are opened anew only when someone asks.
const MOST_ENDING: usize = 8;
/// Waits between tries to open a device that is there and cannot be opened.
const TRY_AGAIN_AFTER: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(30),
];
/// Part of its time that an output must ask for, and for how many looks it may miss it.
const ENOUGH: f64 = 0.9;
const SLOW_LOOKS: u32 = 2;
/// 40 ms: four times what a server with time to spare needs.
const LONGEST_PERIOD: usize = 4 * TICK;

/// Opens and closes devices as wished, tells what becomes of them, ends when nobody wishes any more.
pub(crate) fn run(wishes: &Receiver<Wish>, orders: &Sender<Order>, told: &dyn Fn(Told)) {
    let mut open: Option<Open> = None;
    let mut last: Option<DeviceState> = None;
    let mut tries = Tries::new(Instant::now());
    let ending = Arc::new(AtomicUsize::new(0));
    loop {
        let wish = match &open {
            None => wishes.recv().ok(),
            Some(now) => match wishes.recv_timeout(now.look_every()) {
                Ok(wish) => Some(wish),
                Err(RecvTimeoutError::Disconnected) => None,
                Err(RecvTimeoutError::Timeout) => {
                    let Some(now) = &mut open else { continue };
                    let starves = now.starves();
                    let changed = now.changed(&tries);
                    if (!starves && !changed) || ending.load(Ordering::Relaxed) >= MOST_ENDING {
                        continue;
                    }
                    let period = if starves { now.period * 2 } else { now.period };
                    let (again, sound) = Open::new(now.choice.clone(), period);
                    tries.opened(again.failed(), Instant::now());
                    if changed {
                        let state = again.state(Some(now));
                        // Still the same trouble: it was told once.
                        if last.replace(state.clone()) != Some(state.clone()) {
                            told(Told::Devices(state));
                        }
                    } else {
                        tracing::info!(period, "the output stands still too often: longer periods");
                    }
                    end(std::mem::replace(now, again), &ending);
                    if orders.send(Order::Sound(sound)).is_err() {
                        return;
                    }
                    continue;
                }
            },
        };
        let Some(wish) = wish else { return };
        // The old streams go first: some systems open a device only once.
        if let Some(old) = open.take() {
            end(old, &ending);
        }
        if let Wish::Open(choice) = wish {
            let (now, sound) = Open::new(choice, TICK);
            tries = Tries::new(Instant::now());
            tries.opened(now.failed(), Instant::now());
            let state = now.state(None);
            last = Some(state.clone());
            told(Told::Devices(state));
            open = Some(now);
            if orders.send(Order::Sound(sound)).is_err() {
                return;
            }
        }
    }
}

/// Ends streams. One whose device went may wait for an answer that never comes: it is not waited for.
fn end(old: Open, ending: &Arc<AtomicUsize>) {
    let (done, ended) = channel::<()>();
    let unfinished = Arc::clone(ending);
    unfinished.fetch_add(1, Ordering::Relaxed);
    let started = thread::Builder::new().name("streams".to_owned()).spawn(move || {
        drop(old);
        unfinished.fetch_sub(1, Ordering::Relaxed);
        drop(done);
    });
    match started {
        // The end of the channel, or of the patience.
        Ok(_) => drop(ended.recv_timeout(ENDED_WITHIN)),
        Err(error) => {
            ending.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(%error, "no thread to end streams");
        }
    }
}

/// Tries to open what cannot be opened. Each stops the side that works, so the same trouble makes them rarer.
struct Tries {
    /// Of the microphone and of the loudspeaker.
    failed: [Option<Failed>; 2],
    /// Tries in a row that came to the same.
    same: usize,
    at: Instant,
}

/// Why there is no microphone, or no loudspeaker.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failed {
    /// Id of the device that was found.
    device: Option<String>,
    why: String,
}

impl Tries {
    fn new(now: Instant) -> Self {
        Self { failed: [None, None], same: 0, at: now }
    }

    fn opened(&mut self, failed: [Option<Failed>; 2], now: Instant) {
        self.same = if failed == self.failed { self.same + 1 } else { 0 };
        self.failed = failed;
        self.at = now;
    }

    /// Whether a side that failed is worth another try, now that such a device was found.
    fn due(&self, failed: &Failed, found: Option<&str>, now: Instant) -> bool {
        let patience = TRY_AGAIN_AFTER[self.same.min(TRY_AGAIN_AFTER.len() - 1)];
        failed.device.as_deref() != found || now.duration_since(self.at) >= patience
    }
}

/// Devices in use.
struct Open {
    choice: Choice,
    host: Host,
    microphone: Result<Running, Failed>,
    speaker: Result<Running, Failed>,
    /// Looks since a device is missing.
    looks: u32,
    /// Samples asked for at once, and in all.
    period: usize,
    asked: Arc<Asked>,
    watched: (Instant, usize),
    slow_looks: u32,
}

/// What the output asks for.
struct Asked {
    at_once: Arc<AtomicUsize>,
    in_all: AtomicUsize,
}

struct Running {
    device: Device,
    broken: Arc<AtomicBool>,
    _stream: Stream,
}

impl Open {
    fn new(choice: Choice, period: usize) -> (Self, Sound) {
        let host = host();
        let wanted = Arc::new(AtomicUsize::new(period));
        let counts = Asked { at_once: Arc::clone(&wanted), in_all: AtomicUsize::new(0) };
        let counts = Arc::new(counts);
        let (taken, microphone) = RingBuffer::new(BUFFER);
        let (speaker, given) = RingBuffer::new(BUFFER);
        let nothing = |why| Failed { device: None, why };
        let input = find(&host, choice.microphone.as_deref(), true).map_err(nothing).and_then(|device| {
            start(&device, true, period, move |device, config, format, broken| {
                if format == SampleFormat::I16 {
                    listen(device, config, broken, taken, |s: i16| f32::from(s) / 32_768.0)
                } else {
                    listen(device, config, broken, taken, |s: f32| s)
                }
            })
        });
        let asked = Arc::clone(&counts);
        let output = find(&host, choice.speaker.as_deref(), false).map_err(nothing).and_then(|device| {
            start(&device, false, period, move |device, config, format, broken| {
                if format == SampleFormat::I16 {
                    play(device, config, broken, given, asked, |s| (s * 32_767.0) as i16)
                } else {
                    play(device, config, broken, given, asked, |s| s)
                }
            })
        });
        let pace = if output.is_ok() { Pace::Device { wanted } } else { Pace::Clock };
        let sound = Sound {
            microphone: input.is_ok().then_some(microphone),
            speaker: output.is_ok().then_some(speaker),
            pace,
        };
        let now = Self {
            choice,
            host,
            microphone: input,
            speaker: output,
            looks: 0,
            period,
            asked: counts,
            watched: (Instant::now(), 0),
            slow_looks: 0,
        };
        (now, sound)
    }

    fn is_whole(&self) -> bool {
        self.microphone.is_ok() && self.speaker.is_ok()
    }

    fn look_every(&self) -> Duration {
        if self.is_whole() { LOOK_EVERY } else { MISSING_LOOK_EVERY }
    }

    /// Whether the output stands still so often that it needs longer periods: a sound server that does
    /// not get its turn in time plays less than a second of sound in a second.
    fn starves(&mut self) -> bool {
        let asked = self.asked.in_all.load(Ordering::Relaxed);
        let (since, before) = std::mem::replace(&mut self.watched, (Instant::now(), asked));
        let expected = since.elapsed().as_secs_f64() * RATE as f64;
        let slow = self.speaker.is_ok() && ((asked - before) as f64) < ENOUGH * expected;
        self.slow_looks = if slow { self.slow_looks + 1 } else { 0 };
        self.slow_looks >= SLOW_LOOKS && self.period < LONGEST_PERIOD
    }

    /// What keeps the microphone and the loudspeaker from being used.
    fn failed(&self) -> [Option<Failed>; 2] {
        [&self.microphone, &self.speaker].map(|side| side.as_ref().err().cloned())
    }

    /// Whether the devices must be opened anew: one broke, a chosen one went or came back.
    fn changed(&mut self, tries: &Tries) -> bool {
        if !self.is_whole() {
            self.looks += 1;
            if self.looks.is_multiple_of(NEW_HOST_EVERY) {
                self.host = host();
            }
        }
        let side = |now: &Result<Running, Failed>, chosen: Option<&String>, input: bool| match now {
            Err(failed) => find(&self.host, chosen.map(String::as_str), input)
                .is_ok_and(|found| tries.due(failed, id(&found).as_deref(), Instant::now())),
            Ok(running) if running.broken.load(Ordering::Relaxed) => true,
            // PulseAudio moves a stream without a word when its device goes.
            Ok(running) => match chosen {
                None => default(&self.host, input).is_none_or(|d| d.id != running.device.id),
                Some(id) => {
                    let there = exists(&self.host, id, input);
                    there != (running.device.id == *id)
                }
            },
        };
        side(&self.microphone, self.choice.microphone.as_ref(), true)
            || side(&self.speaker, self.choice.speaker.as_ref(), false)
    }

    fn state(&self, before: Option<&Self>) -> DeviceState {
        match (&self.microphone, &self.speaker) {
            (Err(Failed { why, .. }), Err(_)) => DeviceState::Nothing { why: why.clone() },
            (Err(Failed { why, .. }), Ok(output)) => {
                DeviceState::NoMicrophone { why: why.clone(), speaker: output.device.name.clone() }
            }
            (Ok(input), Err(Failed { why, .. })) => {
                DeviceState::NoSpeaker { why: why.clone(), microphone: input.device.name.clone() }
            }
            (Ok(input), Ok(output)) => {
                let (microphone, speaker) = (input.device.name.clone(), output.device.name.clone());
                match before {
                    None => DeviceState::Ready { microphone, speaker },
                    Some(_) => DeviceState::Changed { microphone, speaker },
                }
            }
        }
    }
}

/// The callback of an input: the first channel into the ring, nothing else.
fn listen<T: SizedSample + 'static>(
    device: &cpal::Device,
    config: StreamConfig,
    broken: Arc<AtomicBool>,
    mut ring: Producer<f32>,
    level: fn(T) -> f32,
) -> Result<Stream, cpal::Error> {
    let channels = usize::from(config.channels);
    let callback = move |samples: &[T], _: &cpal::InputCallbackInfo| {
        for frame in samples.chunks(channels) {
            // Full: the audio thread stands still, and what is heard now would be late.
            let _ = ring.push(level(frame[0]));
        }
    };
    device.build_input_stream(config, callback, flag(broken), None)
}

/// The callback of an output: the ring into all channels, silence where it is empty.
fn play<T: SizedSample + 'static>(
    device: &cpal::Device,
    config: StreamConfig,
    broken: Arc<AtomicBool>,
    mut ring: Consumer<f32>,
    asked: Arc<Asked>,
    value: fn(f32) -> T,
) -> Result<Stream, cpal::Error> {
    let channels = usize::from(config.channels);
    let callback = move |samples: &mut [T], _: &cpal::OutputCallbackInfo| {
        let frames = samples.chunks_mut(channels);
        asked.at_once.store(frames.len(), Ordering::Relaxed);
        asked.in_all.fetch_add(frames.len(), Ordering::Relaxed);
        for frame in frames {
            frame.fill(value(ring.pop().unwrap_or_default()));
        }
    };
    device.build_output_stream(config, callback, flag(broken), None)
}

fn flag(broken: Arc<AtomicBool>) -> impl FnMut(cpal::Error) + Send + 'static {
    move |error| {
        // A change of route and a missed period mend themselves.
        if !matches!(error.kind(), cpal::ErrorKind::DeviceChanged | cpal::ErrorKind::Xrun) {
            broken.store(true, Ordering::Relaxed);
        }
    }
}

/// The chosen device, else the default one.
fn find(host: &Host, chosen: Option<&str>, input: bool) -> Result<cpal::Device, String> {
    let chosen = chosen.and_then(|id| id.parse().ok()).and_then(|id| host.device_by_id(&id));
    let usable =
        |device: &cpal::Device| if input { device.supports_input() } else { device.supports_output() };
    let default = || if input { host.default_input_device() } else { host.default_output_device() };
    chosen
        .filter(|device| usable(device) && describe(device).is_some())
        .or_else(default)
        .ok_or_else(|| "the system has no such device, or its sound server does not run".to_owned())
}

fn id(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.to_string())
}

fn default(host: &Host, input: bool) -> Option<Device> {
    let device = if input { host.default_input_device() } else { host.default_output_device() };
    device.as_ref().and_then(describe)
}

fn exists(host: &Host, id: &str, input: bool) -> bool {
    let devices = if input { host.input_devices().ok() } else { host.output_devices().ok() };
    devices.is_some_and(|mut all| all.any(|device| describe(&device).is_some_and(|d| d.id == id)))
}

/// Opens a period of 48 kHz: one channel where the system mixes, else what it has.
fn start<F>(device: &cpal::Device, input: bool, period: usize, build: F) -> Result<Running, Failed>
where
    F: FnOnce(&cpal::Device, StreamConfig, SampleFormat, Arc<AtomicBool>) -> Result<Stream, cpal::Error>,
{
    let failed = |why: String| Failed { device: id(device), why };
    let said = |error: cpal::Error| failed(error.to_string());
    let found = describe(device).ok_or_else(|| failed("the device has no name".to_owned()))?;
    let (channels, format) = form(device, input).map_err(failed)?;
    let config =
        StreamConfig { channels, sample_rate: RATE as u32, buffer_size: BufferSize::Fixed(period as u32) };
    let broken = Arc::new(AtomicBool::new(false));
    let stream = build(device, config, format, Arc::clone(&broken)).map_err(said)?;
    stream.play().map_err(said)?;
    Ok(Running { device: found, broken, _stream: stream })
}

fn form(device: &cpal::Device, input: bool) -> Result<(u16, SampleFormat), String> {
    let said = |error: cpal::Error| error.to_string();
    let ranges: Vec<cpal::SupportedStreamConfigRange> = if input {
        device.supported_input_configs().map_err(said)?.collect()
    } else {
        device.supported_output_configs().map_err(said)?.collect()
    };
    ranges
        .iter()
        .filter(|range| (range.min_sample_rate()..=range.max_sample_rate()).contains(&(RATE as u32)))
        .filter(|range| matches!(range.sample_format(), SampleFormat::F32 | SampleFormat::I16))
        .min_by_key(|range| (range.channels(), range.sample_format() != SampleFormat::F32))
        .map(|range| (range.channels(), range.sample_format()))
        .ok_or_else(|| "the device does not do 48 kHz".to_owned())
}

#[cfg(test)]
mod tries {
    use super::*;

    #[test]
    fn a_device_that_cannot_be_opened_stops_the_working_one_ever_more_rarely() {
        let began = Instant::now();
        let busy = Failed { device: Some("mic".to_owned()), why: "busy".to_owned() };
        let mut tries = Tries::new(began);
        let mut made = 0;
        tries.opened([Some(busy.clone()), None], began);
        for half_seconds in 1..=120 {
            let now = began + Duration::from_millis(500 * half_seconds);
            if tries.due(&busy, Some("mic"), now) {
                tries.opened([Some(busy.clone()), None], now);
                made += 1;
            }
        }
        assert_eq!(made, 5, "in a minute: after 0.5, 1, 2, 5 and 30 s");
    }

    #[test]
    fn another_device_or_another_trouble_is_tried_at_once() {
        let began = Instant::now();
        let busy = Failed { device: Some("mic".to_owned()), why: "busy".to_owned() };
        let mut tries = Tries::new(began);
        for _ in 0..5 {
            tries.opened([Some(busy.clone()), None], began);
        }
        assert!(!tries.due(&busy, Some("mic"), began + Duration::from_secs(29)));
        assert!(tries.due(&busy, Some("headset"), began), "it may be better");
        let gone = Failed { device: None, why: "none".to_owned() };
        tries.opened([Some(gone.clone()), None], began);
        assert!(tries.due(&gone, Some("mic"), began), "it came back");
        tries.opened([Some(busy.clone()), None], began);
        assert!(tries.due(&busy, Some("mic"), began + Duration::from_millis(500)), "counted anew");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::process::{Child, Command, Stdio};

    use super::*;

    const SERVER: &str = "PULSE_SERVER";

    fn control(words: &[&str]) -> Option<String> {
        let output = Command::new("pactl").args(words).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A loudspeaker and a microphone; their numbers.
    fn plug_in() -> [String; 2] {
        ["module-null-sink sink_name=speaker", "module-null-source source_name=microphone"].map(|module| {
            let words: Vec<&str> = ["load-module"].into_iter().chain(module.split(' ')).collect();
            control(&words).unwrap()
        })
    }

    struct Stopped(Child);

    impl Drop for Stopped {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A sound server of its own is named by the environment, which a test must not change: it starts itself.
    #[test]
    fn devices_that_went_and_came_back_are_used_within_two_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut server = Command::new("pulseaudio");
        server
            .args(["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--log-target=null"])
            .args(["--realtime=no", "--high-priority=no"])
            .arg(format!("--load=module-native-protocol-unix auth-anonymous=1 socket={}", path("native")))
            .env("PULSE_STATE_PATH", path("state"))
            .env("PULSE_RUNTIME_PATH", path("runtime"))
            .env("XDG_CONFIG_HOME", path("config"))
            .env_remove(SERVER)
            .stderr(Stdio::null());
        let Ok(server) = server.spawn() else {
            return eprintln!("not tested: PulseAudio is not installed");
        };
        let _server = Stopped(server);
        let there = Instant::now();
        while !folder.path().join("native").exists() {
            assert!(there.elapsed() < Duration::from_secs(10), "the sound server does not come up");
            thread::sleep(Duration::from_millis(20));
        }
        let again = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "audio::streams::tests::beside_a_sound_server", "--ignored", "--nocapture"])
            .env(SERVER, format!("unix:{}", path("native")))
            .env("PULSE_STATE_PATH", path("state"))
            .env("PULSE_COOKIE", path("cookie"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(
            again.status.success() && said.contains("1 passed"),
            "{said}\n{}",
            String::from_utf8_lossy(&again.stderr)
        );
    }

    #[test]
    #[ignore = "started by the test above, with a sound server of its own"]
    fn beside_a_sound_server() {
        let mut modules = plug_in();
        let (wish, wishes) = channel();
        let (orders, _kept) = channel();
        let (tell, told) = channel();
        thread::spawn(move || run(&wishes, &orders, &|told| drop(tell.send(told))));
        wish.send(Wish::Open(Choice::default())).unwrap();
        let until = |fits: fn(&DeviceState) -> bool, patience: Duration| {
            let began = Instant::now();
            let mut last = None;
            while began.elapsed() < patience {
                if let Ok(Told::Devices(state)) = told.recv_timeout(patience.saturating_sub(began.elapsed()))
                {
                    if fits(&state) {
                        return began.elapsed();
                    }
                    last = Some(state);
                }
            }
            panic!("in {patience:?} only {last:?}");
        };
        until(|state| matches!(state, DeviceState::Ready { .. }), Duration::from_secs(5));
        for _ in 0..3 {
            for module in &modules {
                control(&["unload-module", module]).unwrap();
            }
            until(|state| matches!(state, DeviceState::Nothing { .. }), Duration::from_secs(5));
            modules = plug_in();
            let took = until(|state| matches!(state, DeviceState::Changed { .. }), Duration::from_secs(2));
            eprintln!("back after {took:?}");
        }
    }
}
