//! The app without a window: requests in, the view out.
//!
//! [`session::App`](crate::session::App) decides and does nothing; this task does what was decided, and holds
//! what only one may hold: the key, the sign-in, the sockets, the phone.

mod departure;
mod effects;
mod writer;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use protocol::{http::SignedIn, ids::DeviceId};
use softphone::{Event, Softphone};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::{JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use uuid::Uuid;

use crate::{
    live::{Closed, News},
    outbox::Outbox,
    secrets::Secrets,
    server::Server,
    session::{App, Input, Refusal, Request},
    settings::Settings,
    view::{DeviceChoice, DeviceChoices, Level, Screen, View},
};
use writer::Writer;

/// What the controller stands on.
pub struct Parts {
    /// The app's data folder; made if it is not there.
    pub folder: PathBuf,
    /// The keyring.
    pub secrets: Secrets,
    /// What the organiser sees in the list of devices, "maya-laptop".
    pub device_name: String,
    /// What the phone hears and speaks with.
    pub sound: Sound,
}

/// What the phone hears and speaks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// The system's devices.
    System,
    /// None: for tests without a sound server.
    Silence,
}

/// The handle that the shell and the commands hold.
#[derive(Clone)]
pub struct Controller {
    requests: mpsc::UnboundedSender<(Request, Answer)>,
    view: watch::Receiver<(View, Instant)>,
    levels: watch::Receiver<Level>,
    chosen: watch::Receiver<Chosen>,
    unreadable: Arc<AtomicU64>,
}

type Answer = oneshot::Sender<Result<(), Refusal>>;

/// Ids of the chosen microphone and loudspeaker.
type Chosen = (Option<String>, Option<String>);

impl Controller {
    /// Starts the task on the current runtime.
    pub fn start(parts: Parts) -> Self {
        let (requests, inbox) = mpsc::unbounded_channel();
        let clock = Clock::new();
        let app = App::new(clock.now());
        let (view, shown) = watch::channel((app.view(), Instant::now()));
        let (levels, heard) = watch::channel(Level { microphone: 0.0, speaker: 0.0 });
        let (chosen, choice) = watch::channel((None, None));
        let (messages, done) = mpsc::unbounded_channel();
        let outbox = Arc::new(Outbox::new(parts.folder.join("outbox.sqlite")));
        let unreadable = Arc::new(AtomicU64::new(0));
        let writer = Writer::start(Arc::clone(&outbox), parts.folder.clone(), messages.clone());
        let task = Task {
            app,
            clock,
            outbox,
            writer,
            parts,
            settings: Settings::default(),
            server: None,
            key: None,
            sign_in: None,
            pending_join: Arc::default(),
            live: None,
            phone: None,
            line_token: String::new(),
            departures: JoinSet::new(),
            messages,
            view,
            levels,
            chosen,
            unreadable: Arc::clone(&unreadable),
        };
        tokio::spawn(task.run(inbox, done));
        Self { requests, view: shown, levels: heard, chosen: choice, unreadable }
    }

    /// What is so now.
    pub fn view(&self) -> View {
        let (mut view, made) = self.view.borrow().clone();
        view.server_now_ms += i64::try_from(made.elapsed().as_millis()).unwrap_or(0);
        view
    }

    /// The next view that differs from the last one that was taken.
    ///
    /// # Errors
    /// [`Refusal::Closing`].
    pub async fn next_view(&mut self) -> Result<View, Refusal> {
        self.view.changed().await.map_err(|_| Refusal::Closing)?;
        Ok(self.view.borrow_and_update().0.clone())
    }

    /// The next sound level.
    ///
    /// # Errors
    /// [`Refusal::Closing`].
    pub async fn next_level(&mut self) -> Result<Level, Refusal> {
        self.levels.changed().await.map_err(|_| Refusal::Closing)?;
        Ok(*self.levels.borrow_and_update())
    }

    /// How many frames of `/live` could not be read in this run.
    pub fn unreadable_frames(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// Passes a press on; the answer says whether it was taken.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn ask(&self, request: Request) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        self.requests.send((request, answer)).map_err(|_| Refusal::Closing)?;
        answered.await.unwrap_or(Err(Refusal::Closing))
    }

    /// A clicked link: taken as soon as the settings are read.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn open_link(&self, link: String) -> Result<(), Refusal> {
        let mut view = self.view.clone();
        view.wait_for(|(view, _)| view.screen != Screen::Opening).await.map_err(|_| Refusal::Closing)?;
        self.ask(Request::Join { link }).await
    }

    /// What may be chosen.
    ///
    /// # Errors
    /// [`Refusal::Closing`].
    pub async fn device_choices(&self) -> Result<DeviceChoices, Refusal> {
        let (microphone, speaker) = self.chosen.borrow().clone();
        // Asking the sound server takes milliseconds.
        let list = tokio::task::spawn_blocking(softphone::audio::devices::list)
            .await
            .map_err(|_| Refusal::Closing)?;
        let choices = |devices: Vec<softphone::audio::devices::Device>, chosen: Option<String>| {
            devices
                .into_iter()
                .map(|device| DeviceChoice {
                    chosen: Some(&device.id) == chosen.as_ref(),
                    id: device.id,
                    name: device.name,
                })
                .collect()
        };
        Ok(DeviceChoices {
            microphones: choices(list.microphones, microphone),
            speakers: choices(list.speakers, speaker),
        })
    }
}

/// UTC epoch milliseconds that never step back: the wall clock at the start, and time since.
struct Clock {
    start: Instant,
    start_ms: i64,
}

impl Clock {
    fn new() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_ms: i64::try_from(since.as_millis()).unwrap_or(0) }
    }

    fn now(&self) -> i64 {
        self.start_ms + i64::try_from(self.start.elapsed().as_millis()).unwrap_or(0)
    }

    fn instant(&self, at_ms: i64) -> Instant {
        self.start + Duration::from_millis(u64::try_from(at_ms - self.start_ms).unwrap_or(0))
    }
}

struct Task {
    app: App,
    clock: Clock,
    parts: Parts,
    outbox: Arc<Outbox>,
    writer: Writer,
    settings: Settings,
    server: Option<Server>,
    key: Option<ed25519_dalek::SigningKey>,
    sign_in: Option<OwnSignIn>,
    pending_join: Arc<Mutex<Option<PendingJoin>>>,
    live: Option<Live>,
    phone: Option<Phone>,
    /// Of the line that was asked for last.
    line_token: String,
    /// Each ends with the device that nothing is left to do for.
    departures: JoinSet<Option<DeviceId>>,
    messages: mpsc::UnboundedSender<Message>,
    view: watch::Sender<(View, Instant)>,
    levels: watch::Sender<Level>,
    chosen: watch::Sender<Chosen>,
    /// Frames of `/live`.
    unreadable: Arc<AtomicU64>,
}

/// What a finished piece of work brings, with what only this task may hold.
struct Message {
    input: Input,
    settings: Option<Settings>,
    key: Option<ed25519_dalek::SigningKey>,
    sign_in: Option<OwnSignIn>,
}

/// A sign-in is good for one device at its server, and never sent elsewhere.
type OwnSignIn = (DeviceId, SignedIn);

impl From<Input> for Message {
    fn from(input: Input) -> Self {
        Self { input, settings: None, key: None, sign_in: None }
    }
}

/// The last link, and the device that was made for it.
struct PendingJoin {
    link: String,
    id: DeviceId,
    key: ed25519_dalek::SigningKey,
    /// This computer became that device.
    joined: bool,
}

struct Live {
    news: mpsc::Receiver<News>,
    task: JoinHandle<()>,
}

struct Phone {
    phone: Softphone,
    events: mpsc::UnboundedReceiver<Event>,
}

/// The server is told of the end of a session, if it is there; the volunteer does not wait longer.
const STOP_WITHIN: Duration = Duration::from_millis(1_500);
/// What a device that left is still to tell its server; else the next run tells it.
const DEPARTED_WITHIN: Duration = Duration::from_secs(12);

impl Task {
    async fn run(
        mut self,
        mut requests: mpsc::UnboundedReceiver<(Request, Answer)>,
        mut done: mpsc::UnboundedReceiver<Message>,
    ) {
        loop {
            self.do_effects();
            let wake = self.app.next_wake().map(|at| self.clock.instant(at));
            tokio::select! {
                request = requests.recv() => {
                    let Some((request, answer)) = request else { break };
                    let quits = request == Request::Quit;
                    let taken = self.app.handle(Input::Press(request, Uuid::now_v7()), self.clock.now());
                    if quits && taken.is_ok() {
                        self.quit().await;
                        let _ = answer.send(Ok(()));
                        break;
                    }
                    self.show();
                    // The page may have gone; the press stands.
                    let _ = answer.send(taken);
                }
                Some(message) = done.recv() => self.message(message),
                Some(ended) = self.departures.join_next() => self.departed(ended),
                news = next_news(&mut self.live) => self.news(news),
                event = next_event(&mut self.phone) => self.event(event),
                () = until(wake) => self.take(Input::Tick),
            }
        }
        self.stop_listening();
    }

    fn take(&mut self, input: Input) {
        // Only a press is ever refused.
        let _ = self.app.handle(input, self.clock.now());
        self.show();
    }

    fn message(&mut self, message: Message) {
        let Message { input, settings, key, sign_in } = message;
        if matches!(input, Input::Opened(_)) && !self.app.may_open() {
            // What came with it is of the device before.
            return self.take(input);
        }
        if let Some(settings) = settings {
            self.chosen.send_replace((settings.microphone.clone(), settings.speaker.clone()));
            self.settings = settings;
            self.server = None;
        }
        self.key = key.or(self.key.take());
        self.take(input);
        // Held for the device that this computer is now, and for no other.
        let own = sign_in.filter(|(id, _)| self.app.device().is_some_and(|device| device.id == *id));
        self.sign_in = own.or(self.sign_in.take());
    }

    fn departed(&mut self, ended: Result<Option<DeviceId>, JoinError>) {
        match ended {
            Ok(Some(id)) => {
                self.settings.left.retain(|device| device.id != id);
                self.writer.settings(self.settings.clone());
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a device that left is tried again in the next run"),
        }
    }

    fn news(&mut self, news: News) {
        if let News::Closed(Closed::Unreadable { why }) = &news {
            let dropped = self.unreadable.fetch_add(1, Ordering::Relaxed) + 1;
            // A flood of it does not flood the log.
            if dropped.is_power_of_two() {
                tracing::warn!(%why, dropped, "a frame of /live cannot be read; opening it anew");
            }
        }
        self.take(Input::Live(news));
    }

    fn event(&mut self, event: Event) {
        match &event {
            Event::Level { microphone, speaker } => {
                self.levels.send_replace(Level { microphone: *microphone, speaker: *speaker });
            }
            Event::Registration(state) => tracing::debug!(?state, "registration"),
            Event::Call { id, state } => tracing::debug!(%id, ?state, "line"),
            Event::FirstMedia { id } => tracing::info!(%id, "first sound"),
            Event::Devices(state) => tracing::info!(?state, "devices"),
            Event::Media { .. } => {}
        }
        self.take(Input::Phone(event));
    }

    /// Publishes the view if anything in it changed but the clock.
    fn show(&self) {
        let view = self.app.view();
        self.view.send_if_modified(|(shown, made)| {
            let same = View { server_now_ms: shown.server_now_ms, ..view.clone() } == *shown;
            if !same {
                *shown = view;
                *made = Instant::now();
            }
            !same
        });
    }

    async fn quit(&mut self) {
        // What was pressed last first: the server hears of it in the next run, if not in this one.
        self.writer.finish().await;
        if self.app.session_to_stop()
            && let (Some(server), Some(sign_in)) = (self.server.clone(), self.own_sign_in().cloned())
        {
            let body = serde_json::json!({});
            let stop = server.post::<_, serde_json::Value>("/api/session/stop", Some(&sign_in.token), &body);
            if !matches!(timeout(STOP_WITHIN, stop).await, Ok(Ok(_))) {
                tracing::warn!("closed without telling the server; it ends the session by itself");
            }
        }
        self.stop_listening();
        if let Some(Phone { phone, .. }) = self.phone.take() {
            phone.stop().await;
        }
        let departures = async {
            while let Some(ended) = self.departures.join_next().await {
                self.departed(ended);
            }
        };
        if timeout(DEPARTED_WITHIN, departures).await.is_err() {
            tracing::warn!("closed before a device had left; the next run goes on with it");
        }
        self.writer.finish().await;
    }

    fn stop_listening(&mut self) {
        if let Some(Live { task, .. }) = self.live.take() {
            task.abort();
        }
    }
}

async fn next_news(live: &mut Option<Live>) -> News {
    match live {
        Some(socket) => match socket.news.recv().await {
            Some(news) => news,
            None => {
                *live = None;
                std::future::pending().await
            }
        },
        None => std::future::pending().await,
    }
}

async fn next_event(phone: &mut Option<Phone>) -> Event {
    match phone {
        Some(running) => match running.events.recv().await {
            Some(event) => event,
            None => {
                *phone = None;
                std::future::pending().await
            }
        },
        None => std::future::pending().await,
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(wake) => sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
