//! A volunteer who keeps calm: whatever was taken away, they look at their screen and do the next thing.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ed25519_dalek::SigningKey;
use protocol::{
    contact::Card,
    http::{Dial, Dialled, ErrorCode, HangUp, RecordOutcome},
    ids::{AttemptId, DeviceId, LeaseId},
    join_link::JoinLink,
    line::Line,
    outcome::Outcome,
    session::{Desk, Session, Waiting},
};
use serde_json::{Value, json};
use softphone::Registration;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use crate::{
    api::{Api, Failure},
    cable::Cable,
    networks::Home,
    ringround::Ringround,
    volunteer::{Volunteer, new_key, press, spend},
};

/// How long it may take from the return of everything to the next card.
const PATIENCE: Duration = Duration::from_secs(45);
/// A line that was asked for needs a moment; then it is asked for again.
const LINE_PATIENCE: Duration = Duration::from_secs(4);

/// The volunteer: what is on their disk, and the app, while it runs.
pub struct Person {
    /// Their device.
    pub device: DeviceId,
    /// Between them and the server.
    pub cable: Cable,
    /// Where they are.
    pub home: Home,
    app: Option<Volunteer>,
    link: JoinLink,
    key: SigningKey,
    outbox: Vec<Kept>,
    asked_for_line: Option<Instant>,
}

struct Kept {
    number: String,
    press: RecordOutcome,
    /// The server said yes, or a no that is for ever.
    done: bool,
}

impl Person {
    /// Joins from a home of their own, by a cable that can be cut.
    ///
    /// # Errors
    /// When joining fails.
    pub async fn join(server: &Ringround, name: &str) -> Result<Self> {
        let home = server.networks.home()?;
        let cable = Cable::to(server, &home).await?;
        let mut link = server.invite(name)?;
        link.server = Url::parse(&format!("https://{}", cable.address()))?;
        let (device, key) = (DeviceId::new(Uuid::now_v7()), new_key()?);
        spend(&Api::new(&home, &link.server, server)?, &link, device, &key).await?;
        let app = Some(Volunteer::sign_in(server, &home, &link, device, &key).await?);
        Ok(Self { device, cable, home, app, link, key, outbox: Vec::new(), asked_for_line: None })
    }

    /// The app.
    ///
    /// # Errors
    /// When it was killed.
    pub fn app(&self) -> Result<&Volunteer> {
        self.app.as_ref().context("the app does not run")
    }

    /// The desk as the app shows it.
    ///
    /// # Errors
    /// When there is none.
    pub fn desk(&self) -> Result<Desk> {
        self.app()?.desk()
    }

    /// The app is killed: its connections are cut, and all that was not on the disk is gone.
    pub fn kill_app(&mut self) {
        self.cable.pull();
        self.app = None;
    }

    /// The app is started again, and signs in with its key.
    ///
    /// # Errors
    /// When it cannot sign in.
    pub async fn start_app(&mut self, server: &Ringround) -> Result<()> {
        self.cable.plug();
        self.asked_for_line = None;
        self.app = Some(Volunteer::sign_in(server, &self.home, &self.link, self.device, &self.key).await?);
        Ok(())
    }

    /// Every number that has an outcome key pressed, and the word of the last one.
    pub fn pressed(&self) -> impl Iterator<Item = (&String, &'static str)> {
        self.outbox.iter().enumerate().filter_map(|(n, kept)| {
            let newer = self.outbox[n + 1..].iter().any(|other| other.number == kept.number);
            (!newer).then(|| (&kept.number, kept.press.outcome.word()))
        })
    }

    /// Presses Call, and gives what the server says.
    ///
    /// # Errors
    /// When there is no card.
    pub async fn call(&self) -> Result<Result<AttemptId, Failure>> {
        let app = self.app()?;
        let lease_id = app.card().context("no card to call")?.lease_id;
        let dialled: Result<Dialled, Failure> = app.api.post("/api/dial", &Dial { lease_id }).await;
        Ok(dialled.map(|dialled| dialled.attempt_id))
    }

    /// Puts a pressed key on the disk; it is sent by [`Person::deliver`].
    ///
    /// # Errors
    /// When there is no attempt to judge.
    pub fn keep(&mut self, outcome: Outcome) -> Result<RecordOutcome> {
        let app = self.app()?;
        let card = app.card().context("no card")?;
        let press = press(app.attempt().context("no attempt to judge")?, outcome);
        self.outbox.push(Kept { number: number_of(&card)?, press: press.clone(), done: false });
        Ok(press)
    }

    /// Sends what is on the disk, each key once; what gets no answer, or a "not now", stays.
    pub async fn deliver(&mut self) {
        let Some(app) = &self.app else { return };
        for kept in self.outbox.iter_mut().filter(|kept| !kept.done) {
            kept.done = match app.api.post::<Value>("/api/outcome", &kept.press).await {
                Ok(_) => true,
                Err(Failure::Refused(error)) => !matches!(
                    error.code,
                    ErrorCode::NoStorage
                        | ErrorCode::NoTelephone
                        | ErrorCode::Internal
                        | ErrorCode::SignInAgain
                        | ErrorCode::TooMany
                ),
                Err(Failure::Strange(..) | Failure::Lost(_)) => false,
            };
        }
    }

    /// Goes on to a card with the line up.
    ///
    /// # Errors
    /// As [`Person::go_on`].
    pub async fn next_card(&mut self) -> Result<Card> {
        self.go_on(None).await?;
        self.app()?.card().context("nobody is left to call")
    }

    /// Does what the screen asks for until there is another card than the one of `from`, and the line is up: ends
    /// the call, presses "reached", calls again where Call was of no effect, starts again where the session ended.
    ///
    /// # Errors
    /// When that does not come about.
    pub async fn go_on(&mut self, from: Option<LeaseId>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.step(from).await? {
            ensure!(Instant::now() < deadline, "still no next card; now {:#?}", self.app()?.live.told());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// One look at the screen; true when there is nothing more to do.
    async fn step(&mut self, from: Option<LeaseId>) -> Result<bool> {
        self.deliver().await;
        let app = self.app()?;
        let told = app.live.told();
        let (true, Some(desk)) = (told.open, told.desk) else { return Ok(false) };
        if desk.session != Session::Ended && !self.has_line(&desk) {
            self.ask_for_line().await;
        }
        // What the server does not take now is tried again at the next look.
        let app = self.app()?;
        match &desk.session {
            Session::Ended => {
                let _ = app.api.post::<Value>("/api/session/start", &json!({})).await;
            }
            Session::Talking { call, .. } | Session::Dialling { call, .. } => {
                let _ = app.api.post::<Value>("/api/hang-up", &HangUp { attempt_id: call.attempt_id }).await;
            }
            Session::WrapUp { call, .. } => {
                if !self.outbox.iter().any(|kept| kept.press.attempt_id == call.attempt_id) {
                    self.keep(Outcome::Reached)?;
                }
            }
            Session::Ready { card } if Some(card.lease_id) == from && self.has_line(&desk) => {
                let _ = self.call().await?;
            }
            Session::Ready { .. } => return Ok(self.has_line(&desk)),
            Session::Waiting { why: Waiting::NobodyLeft { .. } } => return Ok(true),
            Session::Waiting { .. } => {}
            Session::Paused { .. } => bail!("nobody paused"),
        }
        Ok(false)
    }

    /// The server says so, and the app has it.
    fn has_line(&self, desk: &Desk) -> bool {
        let standing = self.app.as_ref().map(|app| app.handset.standing());
        desk.line == Line::Up && standing.is_some_and(|standing| standing.line.is_some())
    }

    async fn ask_for_line(&mut self) {
        let Some(app) = &self.app else { return };
        let registered = app.handset.standing().registration == Some(Registration::Registered);
        let lately = self.asked_for_line.is_some_and(|at| at.elapsed() < LINE_PATIENCE);
        if registered && !lately {
            self.asked_for_line = Some(Instant::now());
            let _ = app.open_line().await;
        }
    }
}

/// The harness names contacts after the last three digits.
pub fn number_of(card: &Card) -> Result<String> {
    let last = card.name.strip_prefix("Callee ").context("a contact of the harness")?;
    Ok(format!("+447700900{last}"))
}
