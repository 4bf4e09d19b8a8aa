//! A stolen sign-in in the hands of a program: it reads names and takes contacts off the list, in every way that a
//! sign-in has, as fast as the server lets it. Then the organiser takes back what it did.

use std::{
    collections::BTreeSet,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use ed25519_dalek::SigningKey;
use protocol::{
    events::{Change, LiveEvent},
    http::{Dial, Dialled, ErrorCode, HangUp, Settle, SettleLease},
    ids::{AttemptId, DeviceId, LeaseId},
    join_link::JoinLink,
    outcome::{Outcome, RingAgain},
    session::{Desk, Session, Waiting},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api::{Api, Failure},
    child::poll,
    volunteer::{PATIENCE, Volunteer, new_key, press, spend},
    world::{World, number},
};

/// The thief's name, on the organiser's list of people.
pub const THIEF: &str = "Mallory";

/// What cannot be known of a call that nobody answered.
const OF_A_CONVERSATION: [Outcome; 6] = [
    Outcome::Reached,
    Outcome::Refused,
    Outcome::Callback,
    Outcome::Machine,
    Outcome::WrongNumber,
    Outcome::Other,
];

/// Beyond any evening: a card that is put off until then is off the list.
const A_YEAR_MS: i64 = 365 * 24 * 3_600_000;
/// From one call of a device to its next, at least.
const BETWEEN_DIALS: Duration = Duration::from_secs(3);
/// The campaign's spacing, and a quarter of an hour.
const SOON_MS: i64 = 75 * 60 * 1_000;
const A_MONTH_MS: i64 = A_YEAR_MS / 12;

/// What came of an evening, by the organiser's own commands and the thief's own eyes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stolen {
    /// Contacts that would not be rung any more: done, put off for months, or on the do-not-call list.
    pub contacts_closed: usize,
    /// People whose names the thief saw.
    pub names_read: usize,
    /// Outcomes of a conversation that were taken although nobody had answered.
    pub forged: usize,
    /// Calls that the provider got.
    pub rung: usize,
    /// What the thief did for it: limits show nothing of one who does nothing.
    pub tried: Tried,
    /// After `people undo` every contact is to be rung again, those nobody rang at once.
    pub undone_whole: bool,
}

/// How busy the thief was.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tried {
    /// Cards it had before it, and did something with.
    pub cards: usize,
    /// Requests to ring somebody.
    pub dials: usize,
    /// Requests with an outcome of a conversation, for a call that nobody had answered when it was asked.
    pub forgeries: usize,
}

/// A list with callees of every kind: such a list is to be emptied.
pub fn list(contacts: u8) -> Vec<String> {
    (0..contacts).map(|n| number([0, 1, 3, 4, 2, 8][usize::from(n) % 6], n / 6)).collect()
}

/// Every contact has had all its attempts but one: a call that comes to nothing closes it.
///
/// # Errors
/// When the database is not to be written.
pub fn leave_one_attempt(world: &World) -> Result<()> {
    let leave = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], timeout=30); \
                 db.execute('UPDATE contacts SET attempts = (SELECT attempts_allowed - 1 FROM campaigns)'); db.commit()";
    let database = world.server.data().join("ringround.db");
    let left = Command::new("python3").args(["-c", leave]).arg(database).status()?;
    ensure!(left.success(), "the database was not written");
    Ok(())
}

/// What is known of a contact.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    do_not_call: bool,
    due_at: Option<i64>,
    attempts: u64,
}

/// Lets the thief work for so long, with a restart of the server in the middle, and takes back what it did.
///
/// # Errors
/// When a part of the world fails.
pub async fn evening(world: &mut World, numbers: &[String], lasts: Duration) -> Result<Stolen> {
    let before = known(world, numbers)?;
    let mut thief = Thief::join(world).await?;
    let began = Instant::now();
    let middle = began + lasts / 2;
    thief.work_until(world, middle).await?;
    thief.read_all();
    // How a call ended while the server was away nobody saw, so each outcome of such a one is taken.
    thief.end_call().await?;
    world.server.kill();
    world.server.start_again().await?;
    thief.sign_in(world).await?;
    thief.work_until(world, began + lasts).await?;
    thief.read_all();
    let (names_read, forged, tried) = (thief.names.len(), thief.forged, thief.tried);
    drop(thief);
    world.server.command(&["people", "revoke", THIEF])?;
    let after = known(world, numbers)?;
    let contacts_closed = before.iter().zip(&after).filter(|(was, is)| is_open(was) && !is_open(is)).count();
    // Reckoned back from each try: the thief's last call may hold up the first ones.
    let undo = || async {
        let since = format!("{}s", began.elapsed().as_secs() + 5);
        world.server.command(&["people", "undo", THIEF, "--since", &since, "--yes"]).is_ok()
    };
    poll("the end of the thief's last call, and all of it taken back", Duration::from_secs(30), undo).await?;
    let undone = known(world, numbers)?;
    let changed = before.iter().zip(&undone).zip(numbers).filter(|((was, is), _)| !is_as_before(was, is));
    changed.for_each(|((was, is), number)| eprintln!("not as before: {number}: {was:?}, now {is:?}"));
    Ok(Stolen {
        contacts_closed,
        names_read,
        forged,
        rung: world.provider.records().arrivals()?.len(),
        tried,
        undone_whole: before.iter().zip(&undone).all(|(was, is)| is_as_before(was, is)),
    })
}

fn is_open(contact: &Known) -> bool {
    let far = now_ms() + A_MONTH_MS;
    !contact.do_not_call && contact.due_at.is_some_and(|due_at| due_at < far)
}

/// Who was rung is due when the rules say so: after the spacing where that call was taken out of their attempts. Whose call
/// went no further than the trunk, after a quarter of an hour; all others at once.
fn is_as_before(was: &Known, is: &Known) -> bool {
    let is_due = is.due_at.is_some_and(|due_at| due_at <= now_ms() + SOON_MS);
    is_open(is) && (is_due || is.attempts > was.attempts)
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn known(world: &World, numbers: &[String]) -> Result<Vec<Known>> {
    numbers.iter().map(|number| look_up(world, number)).collect()
}

fn look_up(world: &World, number: &str) -> Result<Known> {
    let said: Value = serde_json::from_str(&world.server.command(&["lookup", number, "--json"])?)?;
    let contact = said["contacts"].get(0).with_context(|| format!("nobody has {number}: {said}"))?;
    Ok(Known {
        do_not_call: said["do_not_call_since"].is_i64(),
        due_at: contact["due_at"].as_i64(),
        attempts: contact["attempts"].as_u64().unwrap_or(0),
    })
}

/// The program.
struct Thief {
    link: JoinLink,
    device: DeviceId,
    key: SigningKey,
    app: Volunteer,
    names: BTreeSet<String>,
    forged: usize,
    tried: Tried,
    turns: usize,
    /// A call that comes sooner after the last only waits.
    dials_from: Instant,
    /// Nothing can be taken off the list until then without the next card's waiting for it.
    patient_until: Option<Instant>,
}

impl Thief {
    async fn join(world: &World) -> Result<Self> {
        let link = world.server.invite(THIEF)?;
        let (device, key) = (DeviceId::new(Uuid::now_v7()), new_key()?);
        let home = world.home()?;
        let api = Api::new(&home, &link.server, &world.server)?;
        spend(&api, &link, device, &key).await?;
        let app = Volunteer::sign_in(&world.server, &home, &link, device, &key).await?;
        let thief = Self {
            link,
            device,
            key,
            app,
            names: BTreeSet::new(),
            forged: 0,
            tried: Tried::default(),
            turns: 0,
            dials_from: Instant::now(),
            patient_until: None,
        };
        thief.app.start().await?;
        Ok(thief)
    }

    /// Anew, with the same key: a sign-in of its own, and a line of its own.
    async fn sign_in(&mut self, world: &World) -> Result<()> {
        self.read_all();
        let home = self.app.home.clone();
        self.app = Volunteer::sign_in(&world.server, &home, &self.link, self.device, &self.key).await?;
        self.app.start().await?;
        Ok(())
    }

    async fn work_until(&mut self, world: &World, end: Instant) -> Result<()> {
        while Instant::now() < end {
            let desk = self.app.desk()?;
            match &desk.session {
                Session::Ready { card } => self.turn(card.lease_id).await?,
                Session::Talking { .. } | Session::Dialling { .. } => self.end_call().await?,
                Session::WrapUp { call, .. } => self.close_or_leave(call.attempt_id).await?,
                Session::Waiting { why: Waiting::PassedOn { .. } } => {
                    self.try_to_get_round(world, end).await?
                }
                Session::Waiting { why: Waiting::NobodyLeft { .. } } => {
                    bail!("it has emptied the whole list")
                }
                Session::Ended => drop(self.app.start().await),
                Session::Paused { .. } => drop(self.app.session("resume").await),
                Session::Waiting { .. } => self.moves(&desk, PATIENCE).await,
            }
        }
        Ok(())
    }

    /// One card, another way each time; and where the list is guarded by now, names at least.
    async fn turn(&mut self, lease: LeaseId) -> Result<()> {
        self.turns += 1;
        self.tried.cards += 1;
        let desk = self.app.desk()?;
        if self.patient_until.is_some_and(|until| Instant::now() < until) {
            return self.read_by_calling(lease).await;
        }
        // A call that would only wait is no way to lose time.
        let would_wait = Instant::now() < self.dials_from;
        match self.turns % 6 {
            0 => self.settle(lease, Settle::DoNotCall).await,
            kind if kind < 3 || would_wait => {
                let far = RingAgain::At { at_ms: now_ms() + A_YEAR_MS };
                self.settle(lease, Settle::Later { again: far }).await;
            }
            3 if self.turns.is_multiple_of(2) => {
                // A card does not count until something is done with it.
                for word in ["pause", "resume", "stop"] {
                    let _ = self.app.session(word).await;
                }
                let _ = self.app.start().await;
                return Ok(());
            }
            // A line that goes ends a call, too.
            3 => {
                if let Some(attempt) = self.dial(lease).await {
                    let _ = self.app.open_line().await;
                    self.forge(attempt).await;
                }
            }
            // Somebody may answer, which is as good as a key.
            4 => return self.read_by_calling(lease).await,
            // The loop that this is about: dial, hang up, outcome.
            _ => {
                if let Some(attempt) = self.dial(lease).await {
                    self.forge(attempt).await;
                    let _: Result<Value, _> =
                        self.app.api.post("/api/hang-up", &HangUp { attempt_id: attempt }).await;
                    self.over(attempt).await;
                    self.forge(attempt).await;
                    let _: Result<Value, _> =
                        self.app.api.post("/api/outcome", &press(attempt, Outcome::DoNotCall)).await;
                }
            }
        }
        self.moves(&desk, Duration::from_secs(5)).await;
        Ok(())
    }

    /// A call that ends by itself, or rings as long as any call may, costs the thief nothing.
    async fn read_by_calling(&mut self, lease: LeaseId) -> Result<()> {
        if let Some(attempt) = self.dial(lease).await {
            self.forge(attempt).await;
            let rings = |desk: &Desk| matches!(desk.session, Session::Dialling { .. });
            let _ = self.app.until_within("an answer", Duration::from_secs(16), |desk| !rings(desk)).await;
        }
        Ok(())
    }

    async fn settle(&mut self, lease_id: LeaseId, how: Settle) {
        let settle = SettleLease { lease_id, how };
        let settled: Result<Value, Failure> = self.app.api.post("/api/lease/settle", &settle).await;
        if settled.is_err_and(|refused| refused.code() == Some(ErrorCode::TooMany)) {
            self.patient_until = Some(Instant::now() + Duration::from_secs(60));
        }
    }

    async fn dial(&mut self, lease_id: LeaseId) -> Option<AttemptId> {
        tokio::time::sleep_until(self.dials_from.into()).await;
        self.dials_from = Instant::now() + BETWEEN_DIALS;
        self.tried.dials += 1;
        let dialled: Result<Dialled, Failure> = self.app.api.post("/api/dial", &Dial { lease_id }).await;
        dialled.ok().map(|dialled| dialled.attempt_id)
    }

    /// Says of a call that nobody answered what only a conversation tells.
    async fn forge(&mut self, attempt: AttemptId) {
        self.tried.forgeries += 1;
        let outcome = OF_A_CONVERSATION[self.tried.forgeries % OF_A_CONVERSATION.len()];
        let taken: Result<Value, Failure> = self.app.api.post("/api/outcome", &press(attempt, outcome)).await;
        // The answer to the request may be here before the word of the callee's.
        let answered = || std::future::ready(self.was_answered(attempt));
        if taken.is_ok() && poll("the callee's answer", Duration::from_secs(2), answered).await.is_err() {
            self.forged += 1;
            eprintln!("forged: {outcome:?} of {attempt}, which nobody answered; now {:?}", self.app.desk());
            let told = events(&self.app).filter(|event| format!("{event:?}").contains(&attempt.to_string()));
            told.for_each(|event| eprintln!("  {event:?}"));
        }
    }

    /// Whether this call was answered, by what came down `/live`.
    fn was_answered(&self, attempt: AttemptId) -> bool {
        events(&self.app).any(|event| {
            let session = match event {
                LiveEvent::Change { change: Change::Session(session), .. } => session,
                LiveEvent::Snapshot { desk, .. } => desk.session,
                LiveEvent::Change { .. } | LiveEvent::Hello { .. } | LiveEvent::Revoked { .. } => {
                    return false;
                }
            };
            match session {
                Session::Talking { call, .. } | Session::WrapUp { call, .. } => call.attempt_id == attempt,
                Session::Ended
                | Session::Waiting { .. }
                | Session::Ready { .. }
                | Session::Dialling { .. }
                | Session::Paused { .. } => false,
            }
        })
    }

    async fn over(&self, attempt: AttemptId) {
        let is_over = |desk: &Desk| desk.session.call().is_none_or(|call| call.attempt_id != attempt);
        let _ = self.app.until_within("the end of the call", Duration::from_secs(5), is_over).await;
    }

    async fn end_call(&self) -> Result<()> {
        let desk = self.app.desk()?;
        let Some(attempt_id) = self.app.attempt() else { return Ok(()) };
        let _: Result<Value, Failure> = self.app.api.post("/api/hang-up", &HangUp { attempt_id }).await;
        self.moves(&desk, Duration::from_secs(5)).await;
        Ok(())
    }

    /// Somebody answered: it closes the contact, or leaves it for the sake of the names.
    async fn close_or_leave(&mut self, attempt: AttemptId) -> Result<()> {
        self.turns += 1;
        let desk = self.app.desk()?;
        let closing = [Outcome::Reached, Outcome::WrongNumber, Outcome::Other];
        let is_patient = self.patient_until.is_some_and(|until| Instant::now() < until);
        let outcome = if is_patient { Outcome::Machine } else { closing[self.turns % 3] };
        let _: Result<Value, Failure> = self.app.api.post("/api/outcome", &press(attempt, outcome)).await;
        self.moves(&desk, Duration::from_secs(5)).await;
        Ok(())
    }

    /// The next card waits: nothing that a sign-in can do brings it sooner.
    async fn try_to_get_round(&mut self, world: &World, end: Instant) -> Result<()> {
        self.turns += 1;
        match self.turns % 4 {
            0 => {
                let _ = self.app.session("stop").await;
                let _ = self.app.start().await;
            }
            1 => {
                let _ = self.app.session("pause").await;
                let _ = self.app.session("resume").await;
            }
            2 => self.sign_in(world).await?,
            _ => drop(self.app.open_line().await),
        }
        let left = end.saturating_duration_since(Instant::now()).min(Duration::from_secs(4));
        let has_card = |desk: &Desk| desk.session.card().is_some();
        let _ = self.app.until_within("a card", left, has_card).await;
        Ok(())
    }

    /// Waits until the desk shows something else.
    async fn moves(&self, than: &Desk, patience: Duration) {
        let _ = self.app.until_within("the next thing", patience, |desk| desk.session != than.session).await;
    }

    /// Every name that ever came down `/live`.
    fn read_all(&mut self) {
        let names: Vec<String> = events(&self.app)
            .filter_map(|event| match event {
                LiveEvent::Change { change: Change::Session(session), .. } => Some(session),
                LiveEvent::Snapshot { desk, .. } => Some(desk.session),
                LiveEvent::Change { .. } | LiveEvent::Hello { .. } | LiveEvent::Revoked { .. } => None,
            })
            .filter_map(|session| session.card().map(|card| card.name.clone()))
            .collect();
        self.names.extend(names);
    }
}

fn events(app: &Volunteer) -> impl Iterator<Item = LiveEvent> {
    let frames: Vec<LiveEvent> =
        app.live.text().lines().filter_map(|frame| serde_json::from_str(frame).ok()).collect();
    frames.into_iter()
}

/// What an organiser is told of the thief's marks, without taking them back.
///
/// # Errors
/// When the server refuses it, or says nothing of them.
pub fn listed(world: &World, since: &str) -> Result<Value> {
    let said = world.server.command(&["people", "undo", THIEF, "--since", since, "--json"])?;
    let listed: Value = serde_json::from_str(&said)?;
    ensure!(listed["done"] == json!(false), "it was done: {listed}");
    Ok(listed)
}
