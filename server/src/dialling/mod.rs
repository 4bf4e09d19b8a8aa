//! The only loop around the dialler: one task that takes commands, Asterisk's news and time, and
//! carries out what the dialler wants. Its parts: [`exchange`] knows which channels are ours,
//! [`saves`] writes in order, [`card`] makes what a volunteer sees of a contact, [`trunk`] guards
//! the way out, [`watch`] notices lines that are dead.

pub mod card;
mod commands;
mod exchange;
mod names;
mod rounds;
mod saves;
#[cfg(test)]
mod tests;
pub mod trunk;
mod turn;
mod watch;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dialler::{Answer, Ask, LineToken};
use protocol::{
    http::{ApiError, ErrorCode, RecordOutcome, Settle},
    ids::{AttemptId, CampaignId, DeviceId, LeaseId},
    outcome::{LONGEST_NOTE, Outcome},
    trunk::Trunk,
};
use tokio::sync::{Mutex, mpsc, oneshot, watch as latest};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use rounds::{Telephone, TrunkState};

use crate::{
    ari::{Ari, News},
    clock::Clock,
    config::Config,
    live::{Following, Hub},
    metrics::Metrics,
    store::{Store, StoreError},
    tunnel::Tunnels,
};
use commands::{Command, Inward};

/// What the loop works with.
#[derive(Debug)]
pub struct Parts {
    /// The organiser's settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// Asterisk.
    pub ari: Ari,
    /// What [`Ari::start`] gave along.
    pub news: mpsc::Receiver<News>,
    /// The volunteers' apps.
    pub live: Hub,
    /// Their ways to Asterisk.
    pub tunnels: Tunnels,
    /// Counts.
    pub metrics: Metrics,
    /// Ends the loop.
    pub stop: CancellationToken,
}

/// How long a request may wait for its answer: a disk that stalls, an Asterisk that hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Asks the loop, cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    /// What comes from outside is bounded where it comes in: so many requests and pings a device and second
    /// ([`crate::http::limits`]), and each request waits for its answer.
    inward: mpsc::UnboundedSender<Inward>,
    /// Held from reading a campaign's or the trunk's row until the loop is told, so that no older row goes last.
    telling: Arc<Mutex<()>>,
    store: Store,
    ari: Ari,
    trunk: String,
    trunk_seen: latest::Receiver<Trunk>,
    clock: Clock,
    metrics: Metrics,
    tasks: TaskTracker,
}

impl Handle {
    /// Starts the loop with what the store knows: campaigns, and attempts that were open when the
    /// server stopped.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn start(parts: Parts) -> Result<Self, StoreError> {
        let (inward, commands) = mpsc::unbounded_channel();
        let (tell_trunk, trunk_seen) = latest::channel(Trunk::Open);
        let tasks = TaskTracker::new();
        let handle = Self {
            inward: inward.clone(),
            telling: Arc::default(),
            store: parts.store.clone(),
            ari: parts.ari.clone(),
            trunk: parts.config.trunk.endpoint.clone(),
            trunk_seen,
            clock: parts.clock.clone(),
            metrics: parts.metrics.clone(),
            tasks: tasks.clone(),
        };
        turn::start(parts, inward, commands, tell_trunk, &tasks).await?;
        tasks.close();
        Ok(handle)
    }

    /// Waits until the loop ended and everything it had to write is on the disk.
    pub async fn finished(&self) {
        self.tasks.wait().await;
    }

    /// Starts a volunteer's session on the campaign of their device.
    ///
    /// # Errors
    /// [`ApiError`], as for all requests below: for the app.
    pub async fn start_session(&self, device: DeviceId, campaign: CampaignId) -> Result<(), ApiError> {
        if !self.tell_of_campaign(campaign).await? {
            return Err(ApiError::new(ErrorCode::NotFound, "This campaign is no more. Ask for a new link"));
        }
        self.ask(device, Ask::Start { campaign }).await.map(|_| ())
    }

    /// Pauses; after wrap-up, if there is a call.
    pub async fn pause(&self, device: DeviceId) -> Result<(), ApiError> {
        self.ask(device, Ask::Pause).await.map(|_| ())
    }

    /// Goes on after a pause.
    pub async fn resume(&self, device: DeviceId) -> Result<(), ApiError> {
        self.ask(device, Ask::Resume).await.map(|_| ())
    }

    /// Stops; after wrap-up, if there is a call.
    pub async fn stop(&self, device: DeviceId) -> Result<(), ApiError> {
        self.ask(device, Ask::Stop).await.map(|_| ())
    }

    /// Has Asterisk call the app; `token` comes back to it in the INVITE.
    pub async fn open_line(&self, device: DeviceId, token: String) -> Result<(), ApiError> {
        let token = line_token(token)?;
        self.ask(device, Ask::OpenLine { line: names::line(device), token }).await.map(|_| ())
    }

    /// The app says whether sound gets through on its line.
    pub async fn line_sound(
        &self,
        device: DeviceId,
        token: String,
        gets_through: bool,
    ) -> Result<(), ApiError> {
        let token = line_token(token)?;
        self.ask(device, Ask::LineSound { token, gets_through }).await.map(|_| ())
    }

    /// Whose app says that no sound gets through to it, and since when, UTC epoch milliseconds.
    pub async fn without_sound(&self) -> Vec<(DeviceId, i64)> {
        let (reply, lines) = oneshot::channel();
        self.tell(Command::WithoutSound { reply });
        // No answer only while the server stops.
        lines.await.unwrap_or_default()
    }

    /// Rings the leased contact. The answer comes when the attempt is on the disk and its channel
    /// is being made, or at once when it waits for its place on the trunk. Whoever asks has looked whether the lease became an attempt before.
    pub async fn dial(&self, device: DeviceId, lease: LeaseId) -> Result<AttemptId, ApiError> {
        let since = Instant::now();
        let facts = self.store.facts_of_lease(lease, device, self.clock.now_ms()).await?;
        let attempt = AttemptId::new(uuid::Uuid::now_v7());
        match self.ask(device, Ask::Dial { lease, attempt, facts }).await? {
            Answer::Dialled(attempt) => {
                self.metrics.dial_seconds.observe(since.elapsed().as_secs_f64());
                Ok(attempt)
            }
            Answer::InLine(attempt) => Ok(attempt),
            Answer::Done => {
                tracing::error!(%device, "a request to dial was granted, and nobody was dialled; a fault of ours");
                Err(ApiError::new(ErrorCode::Internal, "The server made a mistake: it dialled nobody"))
            }
        }
    }

    /// Ends a call, or cancels it while it rings.
    pub async fn hang_up(&self, device: DeviceId, attempt: AttemptId) -> Result<(), ApiError> {
        self.ask(device, Ask::HangUp { attempt }).await.map(|_| ())
    }

    /// Gives a contact back without ringing it.
    pub async fn settle(&self, device: DeviceId, lease: LeaseId, how: Settle) -> Result<(), ApiError> {
        self.ask(device, Ask::Settle { lease, how }).await.map(|_| ())
    }

    /// Records what came of an attempt, or corrects it.
    pub async fn record_outcome(&self, device: DeviceId, record: RecordOutcome) -> Result<(), ApiError> {
        if record.note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
            let words = format!("The note is longer than {LONGEST_NOTE} characters");
            return Err(ApiError::new(ErrorCode::Invalid, words));
        }
        // The others are the server's own findings, with waiting times of their own.
        if !Outcome::KEYS.contains(&record.outcome) {
            return Err(ApiError::new(ErrorCode::Invalid, "This outcome has no key; a fault of the app"));
        }
        let stored = self.store.stored_attempt(record.attempt_id, device, self.clock.now_ms()).await?;
        self.ask(device, Ask::Record { record, stored: stored.map(Box::new) }).await.map(|_| ())
    }

    /// The device may do nothing any more: its line is hung up, its account, tunnel and `/live` go.
    /// `organiser` is the first name of the person to ask.
    pub async fn revoke(&self, device: DeviceId, organiser: String) {
        self.end_device(device, Some(organiser)).await;
    }

    /// The device's sign-in is over (signed out, or past its time): as [`Handle::revoke`], without blame.
    pub async fn sign_out(&self, device: DeviceId) {
        self.end_device(device, None).await;
    }

    async fn end_device(&self, device: DeviceId, organiser: Option<String>) {
        let (done, ended) = oneshot::channel();
        self.tell(Command::End { device, organiser, done });
        // Asterisk may be away: what is left there then goes when it is back.
        let _ = tokio::time::timeout(Duration::from_secs(3), ended).await;
    }

    /// The campaign's row is new: read it again, look for due contacts.
    pub async fn campaign_changed(&self, campaign: CampaignId) {
        if let Err(error) = self.tell_of_campaign(campaign).await {
            tracing::error!(%error, %campaign, "a changed campaign could not be read");
        }
        self.contacts_added(campaign);
    }

    /// The row of this server's trunk is new: numbers and limits are as it says from now on.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read; the loop goes on with what it knows.
    pub async fn trunk_changed(&self) -> Result<(), StoreError> {
        let _telling = self.telling.lock().await;
        if let Some(row) = self.store.trunk(&self.trunk).await? {
            self.tell(Command::Trunk(row.form));
        }
        Ok(())
    }

    /// The campaign's list has new rows.
    pub fn contacts_added(&self, campaign: CampaignId) {
        self.tell(Command::ContactsAdded(campaign));
    }

    /// The app is there: a ping on `/live`.
    pub fn ping(&self, device: DeviceId) {
        self.tell(Command::Ping(device));
    }

    /// Everything this volunteer is to be told from now on, and what is true now.
    ///
    /// # Errors
    /// [`ApiError`] when the device's campaign cannot be read.
    pub async fn follow(
        &self,
        device: DeviceId,
        volunteer: String,
        campaign: CampaignId,
    ) -> Result<Following, ApiError> {
        let row = self.store.campaign(campaign).await?;
        let Some(row) = row else {
            return Err(ApiError::new(ErrorCode::NotFound, "This campaign is no more. Ask for a new link"));
        };
        let (reply, following) = oneshot::channel();
        self.tell(Command::Follow { device, volunteer, campaign: row.seen(), reply });
        following.await.map_err(|_| stopping())
    }

    /// What the last calls show of the trunk.
    pub fn trunk(&self) -> Trunk {
        *self.trunk_seen.borrow()
    }

    /// Whether Asterisk and the trunk are there, asked now.
    pub async fn telephone(&self) -> Telephone {
        rounds::telephone(&self.ari, &self.trunk).await
    }

    /// Tells the loop what a campaign's row says now; `false`: there is no such row.
    async fn tell_of_campaign(&self, campaign: CampaignId) -> Result<bool, StoreError> {
        let _telling = self.telling.lock().await;
        let Some(row) = self.store.campaign(campaign).await? else { return Ok(false) };
        self.tell(Command::Campaign(Box::new(row)));
        Ok(true)
    }

    async fn ask(&self, device: DeviceId, ask: Ask) -> Result<Answer, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Ask { device, ask, reply });
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(stopping()),
            Err(_) => {
                let seconds = ANSWER_WITHIN.as_secs();
                tracing::error!(%device, seconds, "a request was not answered in time; is the disk, or Asterisk, stuck?");
                Err(ApiError::new(ErrorCode::Internal, "The server is stuck. Try again in a moment"))
            }
        }
    }

    fn tell(&self, command: Command) {
        // Nobody listens only while the server stops.
        let _ = self.inward.send(Inward::Command(command));
    }
}

fn line_token(token: String) -> Result<LineToken, ApiError> {
    if token.len() != 32 || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ApiError::new(ErrorCode::Invalid, "The line's token is not 32 hexadecimal digits"));
    }
    Ok(LineToken(token))
}

fn stopping() -> ApiError {
    ApiError::new(
        ErrorCode::NoTelephone,
        "The server is stopping. Nothing was changed; try again in a moment",
    )
}
