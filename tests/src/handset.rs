//! A volunteer's telephone without a sound card: the product's softphone between two rings of memory.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use softphone::{
    BufferDevice, BufferEnds, CallId, CallState, Devices, Event, Quality, Registration, Settings, Softphone,
};
use tokio::{sync::watch, task::JoinSet};

use crate::{lock, networks::Home, sound::Sound};

/// The telephone. It stops when dropped.
pub struct Handset {
    /// The softphone itself.
    pub phone: Softphone,
    standing: watch::Receiver<Standing>,
    ends: Arc<Mutex<BufferEnds>>,
    ear: Arc<Mutex<Vec<i16>>>,
    _tasks: JoinSet<()>,
}

/// Where it stands.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// With the registrar.
    pub registration: Option<Registration>,
    /// The line's call, once it was up.
    pub line: Option<CallId>,
    /// The state of the newest call.
    pub call: Option<CallState>,
    /// How often sound came after none.
    pub first_media: u32,
    /// Of the last second.
    pub quality: Option<Quality>,
    /// The worst part of late packets of any second.
    pub worst_late: f32,
}

/// A place in what the ear heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(usize);

const RATE: u32 = 48_000;

impl Handset {
    /// Starts it in a home; it registers by itself. The settings' devices are replaced.
    ///
    /// # Errors
    /// When the home is gone.
    pub fn start(home: &Home, mut settings: Settings) -> Result<Self> {
        let (device, ends) = BufferDevice::new(Duration::from_secs(30));
        settings.devices = Devices::Buffers(device);
        let (phone, mut events) = home.enter(move || Softphone::start(settings))?;
        let (tell, standing) = watch::channel(Standing::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Some(event) = events.recv().await {
                tracing::debug!(?event, "handset");
                tell.send_modify(|standing| standing.learn(event));
            }
        });
        let (ends, ear) = (Arc::new(Mutex::new(ends)), Arc::new(Mutex::new(Vec::new())));
        let (from, to) = (Arc::clone(&ends), Arc::clone(&ear));
        tasks.spawn(async move {
            let mut clock = tokio::time::interval(Duration::from_millis(100));
            loop {
                clock.tick().await;
                drain(&from, &to);
            }
        });
        Ok(Self { phone, standing, ends, ear, _tasks: tasks })
    }

    /// Where it stands now.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Where it stands, for a task to follow.
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Waits until something holds.
    ///
    /// # Errors
    /// When it does not within the time.
    pub async fn until(
        &self,
        what: &str,
        patience: Duration,
        holds: impl Fn(&Standing) -> bool,
    ) -> Result<Standing> {
        let mut standing = self.standing.clone();
        let waited = tokio::time::timeout(patience, standing.wait_for(holds)).await;
        let met = waited.with_context(|| format!("waited in vain for {what}; now {:?}", self.standing()))?;
        Ok(met?.clone())
    }

    /// Says something into the microphone; returns at once.
    pub fn say(&self, sound: &Sound) {
        let samples: Vec<f32> =
            sound.at_rate(RATE).samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        lock(&self.ends).say(&samples);
    }

    /// Where the ear is now.
    pub fn mark(&self) -> Mark {
        drain(&self.ends, &self.ear);
        Mark(lock(&self.ear).len())
    }

    /// What the ear heard since.
    pub fn heard_since(&self, mark: Mark) -> Sound {
        drain(&self.ends, &self.ear);
        let ear = lock(&self.ear);
        Sound { rate: RATE, samples: ear.get(mark.0..).unwrap_or_default().to_vec() }
    }
}

impl Standing {
    fn learn(&mut self, event: Event) {
        match event {
            Event::Registration(registration) => self.registration = Some(registration),
            Event::Call { id, state } => {
                if matches!(state, CallState::Up { line: true, .. }) {
                    self.line = Some(id);
                }
                if matches!(state, CallState::Ended { .. }) && self.line == Some(id) {
                    self.line = None;
                }
                self.call = Some(state);
            }
            Event::FirstMedia { .. } => self.first_media += 1,
            Event::Media { quality, .. } => {
                self.worst_late = self.worst_late.max(quality.late_drops);
                self.quality = Some(quality);
            }
            Event::Level { .. } | Event::Devices(_) => {}
        }
    }
}

fn drain(ends: &Mutex<BufferEnds>, ear: &Mutex<Vec<i16>>) {
    let heard = lock(ends).heard();
    lock(ear).extend(heard.into_iter().map(|sample| (sample * 32_767.0).clamp(-32_768.0, 32_767.0) as i16));
}
