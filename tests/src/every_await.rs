//! The server is killed at every await between Call and the outcome. Each of them ends, and each next one begins, with
//! something that passes: a request of the app or its answer, a request to Asterisk, an answer or event of it. So the
//! server dies before and after each of these: the nth in one call, the (n + 1)th in another, until a call ends before.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use protocol::{
    contact::Card,
    http::{Dial, Dialled, HangUp},
    line::Line,
    outcome::Outcome,
    session::{Desk, Session, Waiting},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use crate::{
    api::Api,
    ari_proxy::AriProxy,
    cable::Cable,
    callee::{Callee, Manner},
    child::poll,
    faults::{Person, Round, SETTLED_AFTER, number_of},
    pbx::Provider,
    sound::Sound,
    trap::{Lane, Moment, Point, Trap},
    volunteer::rings,
    world::{World, number},
};

/// A commit takes about that long.
const LONGEST_LINGER_US: u64 = 4_000;
/// About as long as the server needs to come back: some callees answer before, some while, some after it is away.
const LONGEST_RINGING_MS: u64 = 300;

/// A computer may take so many contacts off a list at once and some more (the dialler's `pace.rs`): then another
/// volunteer goes on.
const CALLS_OF_ONE: usize = 15;

/// A telephone network, a node, a server, a volunteer, and a trap around the server.
pub struct Scene {
    person: Person,
    /// Who called before.
    earlier: Vec<Person>,
    /// Of this volunteer.
    calls: usize,
    world: World,
    /// Still to be imported, from the end: first those who ring as long as they are told, then others who answer after
    /// a second.
    numbers: Vec<String>,
    trap: Trap,
    /// Only requests go through it, one at a time.
    requests: Cable,
    callee: Callee,
    chance: Rng,
    _ari: AriProxy,
}

/// What came of the kills.
#[derive(Debug, Default)]
pub struct Kills {
    /// At so many points of each lane and moment the server died.
    pub points: HashMap<(Lane, Moment), usize>,
    /// What was counted after all of them.
    pub round: Round,
}

impl Scene {
    /// Sets everything up; the list is long enough for 280 points. Ringing and lingering take what this seed says.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn set(seed: u64) -> Result<Self> {
        let (plan, trap) = (World::lay()?, Trap::default());
        let callee = Callee::listen(&plan.networks, manner(0)).await?;
        let provider = Provider::start(&plan.networks, plan.folder.path(), Some(callee.address())).await?;
        let (world, ari) = plan.start_behind(provider, &trap).await?;
        let person = Person::join(&world.server, "Maya").await?;
        let requests = Cable::with_trap(&world.server, &person.home, trap.clone()).await?;
        let mut numbers: Vec<String> =
            [9, 0, 6].into_iter().flat_map(|kind| (0..97).map(move |n| number(kind, n))).collect();
        numbers.reverse();
        Ok(Self {
            person,
            earlier: Vec::new(),
            calls: 0,
            world,
            numbers,
            trap,
            requests,
            callee,
            chance: Rng::with_seed(seed),
            _ari: ari,
        })
    }

    /// Kills the server at each point, and counts.
    ///
    /// # Errors
    /// When the evening cannot go on after a kill, or what the provider says of that call is wrong.
    pub async fn kill_at_each(&mut self) -> Result<Kills> {
        let mut kills = Kills::default();
        for lane in Lane::ALL {
            for moment in [Moment::Before, Moment::After] {
                let mut nth = 1;
                while self.kill_at(lane, moment, nth).await? {
                    *kills.points.entry((lane, moment)).or_default() += 1;
                    nth += 1;
                }
            }
        }
        kills.round = self.count(Instant::now() + SETTLED_AFTER).await?;
        Ok(kills)
    }

    /// Calls the next contact; the server dies on the way to the outcome, is started again, and the volunteer goes on to
    /// the next card. False when the outcome was answered before.
    async fn kill_at(&mut self, lane: Lane, moment: Moment, nth: usize) -> Result<bool> {
        let lingers = match lane {
            Lane::FromApp | Lane::FromAsterisk => Duration::from_micros(self.chance.u64(..LONGEST_LINGER_US)),
            Lane::ToAsterisk | Lane::ToApp => Duration::ZERO,
        };
        let point = Point { lane, moment, nth, lingers };
        if self.calls == CALLS_OF_ONE {
            self.another_goes_on().await?;
        }
        self.calls += 1;
        self.callee.behave(manner(self.chance.u64(..LONGEST_RINGING_MS)));
        let card = self.next_card().await?;
        let number = number_of(&card)?;
        let what = || format!("{point}, at {number}");
        let api = self.connected().await.with_context(what)?;
        self.trap.set(point, self.world.server.id())?;
        let called = tokio::select! {
            biased;
            () = self.trap.sprung() => Ok(()),
            called = from_call_to_outcome(&mut self.person, &api) => called,
        };
        let killed = self.trap.open().await.with_context(what)?;
        // The volunteer has seen it ring, or talked: then there must be an INVITE.
        let desk = self.person.desk()?;
        let rang = matches!(desk.session, Session::Talking { .. } | Session::WrapUp { .. }) || rings(&desk);
        if killed {
            self.world.server.kill();
            self.world.server.start_again().await.with_context(what)?;
        } else {
            called.with_context(what)?;
        }
        self.person.go_on(Some(card.lease_id)).await.with_context(what)?;
        self.next_card().await.with_context(what)?;
        self.only_the_line_is_left().await.with_context(what)?;
        let invites = self.world.provider.records().rung()?.get(&number).copied().unwrap_or_default();
        let fits = if rang || !killed { invites == 1 } else { invites <= 1 };
        ensure!(fits, "{}: {invites} INVITEs; the volunteer has seen it ring: {rang}", what());
        tracing::info!(%point, %number, killed, rang, invites, "went on");
        Ok(killed)
    }

    async fn another_goes_on(&mut self) -> Result<()> {
        self.person.deliver().await;
        let app = self.person.app()?;
        app.session("stop").await?;
        let is_over = |desk: &Desk| desk.session == Session::Ended && desk.line == Line::Down;
        app.until("the end of a volunteer's session", is_over).await?;
        let next = Person::join(&self.world.server, "Maya").await?;
        self.requests = Cable::with_trap(&self.world.server, &next.home, self.trap.clone()).await?;
        self.earlier.push(std::mem::replace(&mut self.person, next));
        self.calls = 0;
        Ok(())
    }

    /// A contact is imported only when nobody is left: somebody who comes back on the list is on the next card.
    async fn next_card(&mut self) -> Result<Card> {
        self.person.go_on(None).await?;
        let app = self.person.app()?;
        if app.card().is_none() {
            self.world.server.import(&[self.numbers.pop().context("a number that was not called yet")?])?;
            let nobody_left =
                |desk: &Desk| matches!(desk.session, Session::Waiting { why: Waiting::NobodyLeft { .. } });
            app.until("somebody to call", |desk| !nobody_left(desk)).await?;
        }
        self.person.next_card().await
    }

    /// Between two calls Asterisk has one channel: the volunteer's line.
    async fn only_the_line_is_left(&self) -> Result<()> {
        let line = format!("line-{}", self.person.device);
        let left = || async {
            let channels = self.world.node.channels().await;
            channels.is_ok_and(|channels| matches!(&channels[..], [only] if only.starts_with(&line)))
        };
        poll("Asterisk to have no channel but the line's", SETTLED_AFTER, left).await
    }

    async fn count(&mut self, at: Instant) -> Result<Round> {
        tokio::time::sleep_until(at).await;
        self.person.deliver().await;
        let records = self.world.provider.records();
        ensure!(records.calls()?.len() == records.arrivals()?.len(), "a callee is still in a call");
        let everybody = self.earlier.iter().chain([&self.person]);
        let pressed =
            everybody.flat_map(Person::pressed).map(|(number, word)| (number.clone(), word)).collect();
        let stuck = self.world.node.channels().await?.len() - 1;
        Round::count(&pressed, &self.world.server.outcomes()?, &records, stuck)
    }

    /// A connection for requests that is open already: its handshake is none of the points.
    async fn connected(&self) -> Result<Api> {
        let mut api = self.person.app()?.api.clone();
        api.server = Url::parse(&format!("https://{}", self.requests.address()))?;
        api.post::<Value>("/api/session/start", &json!({})).await?; // started already: nothing happens
        Ok(api)
    }
}

/// What a volunteer does: Call, hang up, a key.
async fn from_call_to_outcome(person: &mut Person, api: &Api) -> Result<()> {
    let app = person.app()?;
    let lease_id = app.card().context("a card")?.lease_id;
    let Dialled { attempt_id } = api.post("/api/dial", &Dial { lease_id }).await?;
    app.until("the answer", |desk| matches!(desk.session, Session::Talking { .. })).await?;
    api.post::<Value>("/api/hang-up", &HangUp { attempt_id }).await?;
    app.until("the wrap-up", |desk| matches!(desk.session, Session::WrapUp { .. })).await?;
    let press = person.keep(Outcome::Refused)?;
    api.post::<Value>("/api/outcome", &press).await?;
    Ok(())
}

fn manner(rings_for_ms: u64) -> Manner {
    let says = Sound::silence(8_000, 200);
    Manner { rings_for: Duration::from_millis(rings_for_ms), says, rings_off_after: None }
}
