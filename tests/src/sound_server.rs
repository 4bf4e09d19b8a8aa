//! A PulseAudio of its own with virtual devices: what is played into `mic_feed` is what the app's microphone
//! hears, and the monitor of `speaker` hears what the app plays.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Result;

use crate::{
    child::{Child, poll, sound_program},
    sound::Sound,
};

/// The server.
pub struct SoundServer {
    server: Child,
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

/// Something being recorded.
pub struct Recording {
    recorder: Child,
    file: PathBuf,
}

/// Something being played.
pub struct Playing {
    _player: Child,
}

impl SoundServer {
    /// Starts it, its socket and log in the folder.
    ///
    /// # Errors
    /// When PulseAudio is not installed or does not come up.
    pub async fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, &apart()).await
    }

    /// The same, but both virtual devices are the two channels of one: [`SoundServer::record_both`] then has what
    /// was said and what was heard on one clock.
    ///
    /// # Errors
    /// As [`SoundServer::start`].
    pub async fn start_on_one_clock(folder: &Path) -> Result<Self> {
        Self::start_with(folder, &together()).await
    }

    async fn start_with(folder: &Path, devices: &[String]) -> Result<Self> {
        let folder = folder.join("sound");
        let state = folder.join("state").display().to_string();
        std::fs::create_dir_all(&state)?;
        let socket = folder.join("native").display().to_string();
        let environment = vec![
            ("PULSE_SERVER".to_owned(), format!("unix:{socket}")),
            ("PULSE_STATE_PATH".to_owned(), state.clone()),
            ("PULSE_RUNTIME_PATH".to_owned(), state.clone()),
            ("PULSE_COOKIE".to_owned(), format!("{state}/cookie")),
        ];
        let mut command = sound_program("pulseaudio");
        command
            .args(["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disallow-exit=no"])
            .args(["--realtime=no", "--high-priority=no", "--log-target=stderr"])
            .arg(format!("--load=module-native-protocol-unix auth-anonymous=1 socket={socket}"))
            .args(devices)
            .envs(environment.iter().cloned());
        let server = Child::start("pulseaudio", command, &folder.join("log"))?;
        let mut this = Self { server, folder, environment };
        let there = || async { this.control(&["info"]) };
        poll("the sound server", Duration::from_secs(10), there).await?;
        this.server.still_runs()?;
        this.control(&["set-default-sink", "speaker"]);
        this.control(&["set-default-source", "virtual_mic"]);
        Ok(this)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.server.id()
    }

    /// What a program needs in its environment to use it.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Says something into the virtual microphone, until it is said or what is returned is dropped.
    ///
    /// # Errors
    /// When it cannot be played.
    pub fn say(&self, sound: &Sound) -> Result<Playing> {
        let file = self.folder.join(format!("{}.wav", uuid::Uuid::now_v7().simple()));
        sound.at_rate(48_000).write(&file)?;
        let mut command = sound_program("paplay");
        command
            .args(["--device=mic_feed", "--latency-msec=40"])
            .arg(&file)
            .envs(self.environment.iter().cloned());
        Ok(Playing { _player: Child::start("paplay", command, &self.folder.join("paplay.log"))? })
    }

    /// Records what the app plays.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn record(&self, file: &Path) -> Result<Recording> {
        let mut command = sound_program("parec");
        command
            .args(["--device=speaker.monitor", "--rate=48000", "--channels=1", "--format=s16le"])
            .args(["--latency-msec=20", "--file-format=wav"])
            .arg(file)
            .envs(self.environment.iter().cloned());
        let recorder = Child::start("parec", command, &self.folder.join("parec.log"))?;
        Ok(Recording { recorder, file: file.to_owned() })
    }

    /// Records both channels of [`SoundServer::start_on_one_clock`]: left what the app plays, right what is said.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn record_both(&self, file: &Path) -> Result<Recording> {
        let mut command = sound_program("parec");
        command
            .args(["--device=both.monitor", "--rate=48000", "--channels=2", "--format=s16le"])
            .args(["--latency-msec=20", "--file-format=wav"])
            .arg(file)
            .envs(self.environment.iter().cloned());
        let recorder = Child::start("parec", command, &self.folder.join("parec.log"))?;
        Ok(Recording { recorder, file: file.to_owned() })
    }

    fn control(&self, words: &[&str]) -> bool {
        let asked = Command::new("pactl").args(words).envs(self.environment.iter().cloned()).output();
        asked.is_ok_and(|output| output.status.success())
    }
}

fn apart() -> Vec<String> {
    let microphone = "--load=module-remap-source master=mic_feed.monitor source_name=virtual_mic \
                      source_properties=device.description=virtual_mic remix=no";
    vec![null_sink("speaker", 2), null_sink("mic_feed", 1), microphone.to_owned()]
}

fn together() -> Vec<String> {
    let part = |kind: &str, of: &str, name: &str, channel: &str| {
        format!(
            "--load=module-remap-{kind} {kind}_name={name} master={of} channels=1 channel_map=mono \
             master_channel_map={channel} remix=no {kind}_properties=device.description={name}"
        )
    };
    vec![
        null_sink("both", 2),
        part("sink", "both", "speaker", "front-left"),
        part("sink", "both", "mic_feed", "front-right"),
        part("source", "both.monitor", "virtual_mic", "front-right"),
    ]
}

/// Without norewinds a stream takes 1.5 s to start on a null sink.
fn null_sink(name: &str, channels: u8) -> String {
    format!(
        "--load=module-null-sink sink_name={name} rate=48000 channels={channels} format=s16le norewinds=1 \
         sink_properties=device.description={name}"
    )
}

impl Recording {
    /// Ends it.
    ///
    /// # Errors
    /// When nothing readable was recorded.
    pub fn finish(mut self) -> Result<Sound> {
        let _ = self.recorder.stop(Duration::from_secs(3));
        Sound::read(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{listening, sound::Sentence};

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_microphone_hears_and_the_loudspeaker_plays_is_heard() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = SoundServer::start(folder.path()).await.expect("PulseAudio");
        assert!(server.control(&["load-module", "module-loopback", "source=virtual_mic", "sink=speaker"]));
        let recording = server.record(&folder.path().join("heard.wav")).expect("recorded");
        let sentence = Sentence::say(11).expect("espeak-ng");
        let _playing = server.say(&sentence.sound).expect("played");
        tokio::time::sleep(Duration::from_millis(sentence.sound.milliseconds() as u64 + 1_500)).await;
        let found = listening::find(&sentence.sound, &recording.finish().expect("sound"));
        assert!(found.correlation > listening::HEARD, "{found:?}");
    }
}
