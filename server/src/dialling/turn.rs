//! The loop: one input, then everything that follows from it, in order.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    time::{Duration, Instant},
};

use dialler::{Announcement, Answer, Ask, CampaignRules, Dialler, Input, LineId, Output};
use protocol::{
    http::{ApiError, ErrorCode},
    ids::{AttemptId, CampaignId, DeviceId},
    session::{Desk, Session},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::{
    Parts, card,
    commands::{Command, Inward},
    exchange::{Exchange, Gone, Step},
    names,
    rounds::{self, Listing},
    saves::{Job, Saves},
    trunk::{TrunkRefuses, Way},
    watch::{self, Verdict, Watch},
};
use crate::{
    ari::{AriError, Event, News, OutgoingLine},
    config::TrunkKind,
    store::{StoreError, attempts::Committed, campaigns::CampaignRow},
};

/// How often the channels are compared with what is known; twice missed means gone or stray.
const SWEEP_EVERY: Duration = Duration::from_secs(4);
/// The longest sleep: a clock that is set by a test, or by hand, moves without a sound.
const LONGEST_SLEEP_MS: i64 = 500;
/// How long a failed list waits for the next.
const LIST_AGAIN: Duration = Duration::from_millis(500);
/// How long an app may take to answer its line's INVITE; its token lasts as long.
const LINE_TIMEOUT_S: u32 = 30;
/// An announcement that ends sooner was not played (its file is missing): no louder a loop than this.
const SHORTEST_ANNOUNCEMENT: Duration = Duration::from_secs(1);

/// Reads what the store knows, then starts the loop and the writer.
pub(super) async fn start(
    parts: Parts,
    back: mpsc::UnboundedSender<Inward>,
    commands: mpsc::UnboundedReceiver<Inward>,
    tasks: &TaskTracker,
) -> Result<(), StoreError> {
    let (jobs, queue) = mpsc::unbounded_channel();
    let saves = Saves {
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        metrics: parts.metrics.clone(),
        jobs: queue,
        back: back.clone(),
    };
    let mut turn = Turn {
        way: Way::new(parts.config.trunk.clone()),
        parts,
        back,
        jobs,
        dialler: Dialler::new(),
        exchange: Exchange::default(),
        watch: Watch::default(),
        asked: HashMap::new(),
        tickets: 0,
        committed: HashMap::new(),
        owners: HashMap::new(),
        campaigns: HashMap::new(),
        connection: 0,
        held: None,
    };
    turn.recall().await?;
    tasks.spawn(saves.run());
    tasks.spawn(turn.run(commands));
    Ok(())
}

struct Turn {
    parts: Parts,
    back: mpsc::UnboundedSender<Inward>,
    jobs: mpsc::UnboundedSender<Job>,
    dialler: Dialler,
    exchange: Exchange,
    watch: Watch,
    way: Way,
    /// Who waits for the answer to which ticket.
    asked: HashMap<u64, oneshot::Sender<Result<Answer, ApiError>>>,
    tickets: u64,
    /// Attempts that are on the disk and whose channel is not made yet.
    committed: HashMap<AttemptId, Committed>,
    /// Whose attempt it is.
    owners: HashMap<AttemptId, DeviceId>,
    /// Rules as the dialler has them.
    campaigns: HashMap<CampaignId, CampaignRules>,
    /// Number of the connection to Asterisk.
    connection: u64,
    /// Events that came while the lists were on their way; the lists go first.
    held: Option<Vec<Event>>,
}

impl Turn {
    /// What the store knows: campaigns, and attempts that were open when the server stopped.
    async fn recall(&mut self) -> Result<(), StoreError> {
        for row in self.parts.store.campaigns().await? {
            self.campaign(&row);
        }
        for open in self.parts.store.open_attempts(self.now()).await? {
            let device = open.device();
            let card = card::of(&self.parts.store, device, &open.held, open.held.facts.attempts).await?;
            let adopted = open.adopted(card);
            info!(attempt = %adopted.attempt, %device, state = ?adopted.state, "found an open attempt");
            self.owners.insert(adopted.attempt, device);
            self.handle(Input::Adopted(Box::new(adopted)));
        }
        Ok(())
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Inward>) {
        let stop = self.parts.stop.clone();
        let mut looks = interval(watch::EVERY);
        let mut sweeps = interval(SWEEP_EVERY);
        for every in [&mut looks, &mut sweeps] {
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            let sleep = tokio::time::sleep(self.until_wake());
            tokio::select! {
                () = stop.cancelled() => break,
                inward = commands.recv() => match inward {
                    Some(inward) => self.inward(inward),
                    None => break,
                },
                news = self.parts.news.recv() => match news {
                    Some(news) => self.news(news),
                    None => break,
                },
                _ = looks.tick() => self.look_at_lines(),
                _ = sweeps.tick() => self.sweep(),
                () = sleep => {
                    if self.dialler.next_wake().is_some_and(|at| at <= self.now()) {
                        self.handle(Input::Tick);
                    }
                }
            }
        }
        // Calls go on; the next start adopts them. What was to be written is written: dropping
        // the queue's end lets the writer finish.
    }

    fn now(&self) -> i64 {
        self.parts.clock.now_ms()
    }

    fn until_wake(&self) -> Duration {
        let wait = self.dialler.next_wake().map_or(LONGEST_SLEEP_MS, |at| at - self.now());
        Duration::from_millis(u64::try_from(wait.clamp(1, LONGEST_SLEEP_MS)).unwrap_or(1))
    }

    fn inward(&mut self, inward: Inward) {
        match inward {
            Inward::Command(command) => self.command(command),
            Inward::Input(input) => self.handle(input),
            Inward::Committed(committed) => {
                self.committed.insert(committed.id(), committed);
            }
            Inward::NoSuchCallee(attempt) => self.callee_gone(attempt, 0),
            Inward::NoSuchLine(line) => self.line_gone(&line),
            Inward::Listed { connection, listing } => {
                if connection == self.connection {
                    self.listed(*listing);
                }
            }
            Inward::Swept { connection, channels } => {
                if connection == self.connection && self.held.is_none() {
                    let (strays, gone) = self.exchange.sweep(&channels);
                    self.hang_up_strays(strays);
                    for gone in gone {
                        warn!(?gone, "news of a channel's end were lost; a sweep found it");
                        match gone {
                            Gone::Callee(attempt) => self.callee_gone(attempt, 0),
                            Gone::Line(line) => self.line_gone(&line),
                        }
                    }
                }
            }
            Inward::Trunk { connection, contacts } => {
                if connection == self.connection {
                    self.way.found(contacts.as_deref());
                }
            }
            Inward::Packets { line, count } => self.watch.packets(&line, count),
            Inward::NotPlayed(playback) => self.event(Event::PlaybackFinished { playback }),
        }
        self.parts.metrics.lines_up.set(i64::try_from(self.exchange.lines_up()).unwrap_or(i64::MAX));
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Ask { device, ask, reply } => {
                if let Err(refusal) = self.way_is_open(&ask) {
                    let _ = reply.send(Err(refusal));
                    return;
                }
                self.tickets += 1;
                self.asked.insert(self.tickets, reply);
                self.handle(Input::Ask { ticket: dialler::Ticket(self.tickets), device, ask });
            }
            // Between sessions there is nothing to renew.
            Command::Ping(device) if self.dialler.view(device).session == Session::Ended => {}
            Command::Ping(device) => self.handle(Input::Ping { device }),
            Command::End { device, organiser, done } => self.end_device(device, organiser, done),
            Command::Campaign(row) => {
                self.campaign(&row);
                self.parts.live.campaign(&row.seen());
            }
            Command::ContactsAdded(campaign) => self.handle(Input::ContactsAdded { campaign }),
            Command::Follow { device, volunteer, campaign, reply } => {
                let view = self.dialler.view(device);
                let desk = Desk {
                    volunteer,
                    campaign,
                    line: view.line,
                    session: view.session,
                    last_outcome: view.last_outcome,
                };
                let _ = reply.send(self.parts.live.follow(device, desk));
            }
        }
    }

    /// Refused before anything is written: a number that the trunk would not take.
    fn way_is_open(&self, ask: &Ask) -> Result<(), ApiError> {
        let Ask::Dial { facts: Some(facts), .. } = ask else { return Ok(()) };
        let Err(why) = self.way.to(&facts.number) else { return Ok(()) };
        error!(%why, contact = %facts.contact, "not rung");
        let code = match why {
            TrunkRefuses::NotDrama => ErrorCode::RefusedByRule,
            TrunkRefuses::NotLoopback | TrunkRefuses::Unknown => ErrorCode::NoTelephone,
        };
        Err(ApiError { code, message: format!("Nobody was rung: {why}"), again_at_ms: None })
    }

    fn campaign(&mut self, row: &CampaignRow) {
        let kind = match self.parts.config.trunk.kind {
            TrunkKind::Simulated => dialler::rules::TrunkKind::Simulated,
            TrunkKind::Sip => dialler::rules::TrunkKind::Sip,
        };
        let rules = card::rules(row).and_then(|rules| match rules.check(kind) {
            Ok(()) => Ok(rules),
            Err(why) => Err(why.to_string()),
        });
        match rules {
            Err(why) => error!(campaign = %row.id, %why, "this campaign cannot be called for; an organiser must mend it"),
            Ok(rules) if self.campaigns.get(&row.id) == Some(&rules) => {}
            Ok(rules) => {
                self.campaigns.insert(row.id, rules.clone());
                self.handle(Input::Campaign(rules));
            }
        }
    }

    /// The line goes first: deleting an endpoint leaves its running call.
    fn end_device(&mut self, device: DeviceId, organiser: Option<String>, done: oneshot::Sender<()>) {
        info!(%device, revoked = organiser.is_some(), "a device's sign-in is over");
        match organiser {
            Some(organiser) => self.parts.live.revoke(device, organiser),
            None => self.parts.live.close(device),
        }
        let mut lines = self.exchange.lines_of(device);
        self.handle(Input::Revoked { device });
        lines.extend(self.exchange.lines_of(device));
        let hung_up: Vec<_> = lines.iter().map(|line| self.parts.ari.hang_up(line)).collect();
        let removed = self.parts.ari.remove_account(&device.to_string());
        let tunnels = self.parts.tunnels.clone();
        tokio::spawn(async move {
            for hung_up in hung_up {
                let _ = hung_up.await;
            }
            if let Err(error) = removed.await {
                warn!(%error, %device, "the SIP account will be removed when Asterisk is back");
            }
            tunnels.close(device);
            let _ = done.send(());
        });
    }

    fn news(&mut self, news: News) {
        match news {
            News::Here => {
                self.connection += 1;
                self.held = Some(Vec::new());
                self.list(Duration::ZERO);
            }
            News::Away => {
                self.connection += 1;
                self.held = None;
                self.handle(Input::TelephoneGone);
            }
            News::Event(event) => match &mut self.held {
                Some(held) => held.push(event),
                None => self.event(event),
            },
        }
    }

    fn event(&mut self, event: Event) {
        match self.exchange.event(event) {
            None => {}
            Some(Step::Announced { attempt, asked }) => self.announcement_done(attempt, asked),
            Some(Step::Tell(input)) => self.handle(input),
            Some(Step::Gone(Gone::Callee(attempt), cause)) => self.callee_gone(attempt, cause),
            Some(Step::Gone(Gone::Line(line), _)) => self.line_gone(&line),
            Some(Step::HangUpStray(channel)) => self.hang_up_strays(vec![channel]),
            Some(Step::JoinLine { line, device }) => {
                let joined = self.parts.ari.join_bridge(&names::bridge(device), &line);
                let ari = self.parts.ari.clone();
                tokio::spawn(async move {
                    if let Err(error) = joined.await {
                        warn!(%error, %device, "a line could not be put into its bridge");
                        let _ = ari.hang_up(&line).await;
                    }
                });
            }
        }
        self.parts.metrics.lines_up.set(i64::try_from(self.exchange.lines_up()).unwrap_or(i64::MAX));
    }

    fn callee_gone(&mut self, attempt: AttemptId, cause: u16) {
        let device = self.exchange.device_of(attempt);
        self.owners.remove(&attempt);
        if let Some(input) = self.exchange.call_gone(attempt, cause) {
            self.handle(input);
        }
        self.end_bridge_if_empty(device);
    }

    fn line_gone(&mut self, line: &str) {
        if let Some(input) = self.exchange.line_gone(line) {
            self.handle(input);
        }
        self.end_bridge_if_empty(names::device_of_line(line));
    }

    fn end_bridge_if_empty(&self, device: Option<DeviceId>) {
        if let Some(device) = device.filter(|device| self.exchange.is_empty_of(*device)) {
            self.end_bridge(&names::bridge(device));
        }
    }

    fn end_bridge(&self, bridge: &str) {
        let (ended, bridge) = (self.parts.ari.end_bridge(bridge), bridge.to_owned());
        tokio::spawn(async move {
            if let Err(error) = ended.await {
                tracing::debug!(%error, %bridge, "an empty bridge was not ended");
            }
        });
    }

    fn announcement_done(&self, attempt: AttemptId, asked: Instant) {
        let back = self.back.clone();
        tokio::spawn(async move {
            tokio::time::sleep(SHORTEST_ANNOUNCEMENT.saturating_sub(asked.elapsed())).await;
            let _ = back.send(Inward::Input(Input::AnnouncementDone { attempt }));
        });
    }

    fn hang_up_strays(&self, strays: Vec<String>) {
        for stray in strays {
            info!(channel = %stray, "hanging up a channel that nobody here owns");
            self.parts.metrics.strays_hung_up.inc();
            let hung_up = self.parts.ari.hang_up(&stray);
            tokio::spawn(async move {
                if let Err(error) = hung_up.await {
                    tracing::debug!(%error, channel = %stray, "a stray channel was not hung up");
                }
            });
        }
    }

    /// Asks what Asterisk has, after a (re)connect.
    fn list(&self, after: Duration) {
        let (ari, store, back) = (self.parts.ari.clone(), self.parts.store.clone(), self.back.clone());
        let (trunk, now, connection) = (self.way.endpoint().to_owned(), self.now(), self.connection);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let listing = rounds::list(&ari, &store, &trunk, now).await;
            let _ = back.send(Inward::Listed { connection, listing: Box::new(listing) });
        });
    }

    fn listed(&mut self, listing: Result<Listing, rounds::ListError>) {
        let listing = match listing {
            Ok(listing) => listing,
            Err(error) => {
                warn!(%error, "Asterisk's channels could not be listed; trying again");
                self.list(LIST_AGAIN);
                return;
            }
        };
        self.way.found(listing.trunk.as_deref());
        if let Err(why) = self.way.usable() {
            error!(%why, trunk = self.way.endpoint(), "nobody can be rung");
        }
        let owners = &self.owners;
        let found = self.exchange.adopt(&listing, |attempt| owners.get(&attempt).copied());
        info!(calls = found.calls.len(), lines = found.lines.len(), strays = found.strays.len(), "listed what Asterisk has");
        for line in &found.lines {
            self.watch.adopted(&line.line.0, Instant::now());
        }
        self.hang_up_strays(found.strays);
        for bridge in &found.bridges {
            self.end_bridge(bridge);
        }
        let (ari, signed_in) = (self.parts.ari.clone(), listing.signed_in.keys().copied().collect::<HashSet<_>>());
        tokio::spawn(async move { rounds::remove_accounts(&ari, listing.accounts, &signed_in).await });
        let held = self.held.take().unwrap_or_default();
        self.handle(Input::TelephoneBack { calls: found.calls, lines: found.lines });
        for event in held {
            self.event(event);
        }
    }

    fn sweep(&self) {
        if self.held.is_some() || !self.parts.ari.is_here() {
            return;
        }
        if self.way.usable() == Err(TrunkRefuses::Unknown) {
            self.look_for_trunk();
        }
        let (channels, back, connection) = (self.parts.ari.channels(), self.back.clone(), self.connection);
        tokio::spawn(async move {
            match channels.await {
                Ok(channels) => {
                    let _ = back.send(Inward::Swept { connection, channels });
                }
                Err(error) => warn!(%error, "Asterisk's channels could not be listed"),
            }
        });
    }

    /// A starting Asterisk speaks to us before it has read its trunks.
    fn look_for_trunk(&self) {
        let (found, back) = (self.parts.ari.contacts_of(self.way.endpoint()), self.back.clone());
        let connection = self.connection;
        tokio::spawn(async move {
            let contacts = found.await.ok();
            let _ = back.send(Inward::Trunk { connection, contacts });
        });
    }

    fn look_at_lines(&mut self) {
        let lines = self.exchange.lines_with_talk();
        self.watch.keep(|line| lines.iter().any(|(up, _, _)| up == line));
        for (line, device, talking) in lines {
            let heard = self.parts.tunnels.last_heard(device);
            match self.watch.look(&line, talking, heard, Instant::now()) {
                Verdict::Fine => {}
                Verdict::CountPackets => {
                    let (count, back) = (self.parts.ari.packets_received(&line), self.back.clone());
                    tokio::spawn(async move {
                        if let Ok(count) = count.await {
                            let _ = back.send(Inward::Packets { line, count });
                        }
                    });
                }
                Verdict::Dead => {
                    info!(%device, "a line's app is gone: hanging up the line");
                    self.drop_line(line);
                }
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.dialler.handle(input, self.now());
        while let Some(output) = self.dialler.poll_output() {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Answer { ticket, answer } => {
                if let Some(reply) = self.asked.remove(&ticket.0) {
                    let _ = reply.send(answer);
                }
            }
            Output::WantLease { device, campaign } => self.job(Job::Claim { device, campaign }),
            Output::Save { save, write } => self.job(Job::Save(save, Box::new(write))),
            Output::MakeLine { device, line, token } => self.make_line(device, line, &token.0),
            Output::DropLine { line, .. } => self.drop_line(line.0),
            Output::CreateChannel { attempt, device, .. } => self.create_callee(attempt, device),
            Output::JoinBridge { attempt, device } => {
                let joined = self.parts.ari.join_bridge(&names::bridge(device), &attempt.to_string());
                self.or_callee_failed(attempt, joined);
            }
            Output::DialChannel { attempt, timeout_ms, .. } => {
                let seconds = u32::try_from(timeout_ms.max(0).div_euclid(1_000) + 1).unwrap_or(60);
                let dialled = self.parts.ari.dial(&attempt.to_string(), seconds);
                self.or_callee_failed(attempt, dialled);
            }
            Output::HangUp { attempt, why } => {
                info!(%attempt, ?why, "hanging up");
                let (hung_up, back) = (self.parts.ari.hang_up(&attempt.to_string()), self.back.clone());
                tokio::spawn(async move {
                    match hung_up.await {
                        Ok(()) => {}
                        Err(AriError::NotThere) => drop(back.send(Inward::NoSuchCallee(attempt))),
                        // The sweep, or the lists after the reconnect, find what became of it.
                        Err(error) => warn!(%error, %attempt, "a callee's channel was not hung up"),
                    }
                });
            }
            Output::Announce { attempt, what, .. } => self.announce(attempt, what),
            Output::StopAnnouncement { attempt } => {
                for playback in self.exchange.stop_announcements(attempt) {
                    let stopped = self.parts.ari.stop_playback(&playback);
                    tokio::spawn(async move { drop(stopped.await) });
                }
            }
            Output::Tell { device, change } => self.parts.live.tell(device, change),
            Output::TrunkFault { attempt, words } => error!(%attempt, "the trunk refused a call: {words}"),
            Output::Unexpected { state, input } => {
                self.parts.metrics.unexpected_inputs.inc();
                warn!(state, input, "an input that does not fit the state; nothing was changed");
            }
        }
    }

    fn job(&self, job: Job) {
        // The writer outlives the loop.
        let _ = self.jobs.send(job);
    }

    fn make_line(&mut self, device: DeviceId, line: LineId, token: &str) {
        self.exchange.line_asked(&line, device);
        let ari = &self.parts.ari;
        let made = ari.make_bridge(&names::bridge(device));
        let account = device.to_string();
        let called = ari.call_line(&OutgoingLine {
            channel: &line.0,
            account: &account,
            token,
            timeout_s: LINE_TIMEOUT_S,
        });
        let (ari, back) = (ari.clone(), self.back.clone());
        tokio::spawn(async move {
            let made = made.await;
            if let Err(error) = called.await.and(made) {
                warn!(%error, %device, "a line could not be made; is the app registered?");
                let _ = ari.hang_up(&line.0).await;
                let _ = back.send(Inward::NoSuchLine(line.0));
            }
        });
    }

    fn drop_line(&self, line: String) {
        let (hung_up, back) = (self.parts.ari.hang_up(&line), self.back.clone());
        tokio::spawn(async move {
            match hung_up.await {
                Ok(()) => {}
                Err(AriError::NotThere) => drop(back.send(Inward::NoSuchLine(line))),
                Err(error) => warn!(%error, %line, "a line was not hung up"),
            }
        });
    }

    fn create_callee(&mut self, attempt: AttemptId, device: DeviceId) {
        let Some(committed) = self.committed.remove(&attempt) else {
            error!(%attempt, "a channel was wanted for an attempt that is not on the disk; a fault of ours");
            self.callee_failed(attempt, "the attempt was not saved".to_owned());
            return;
        };
        let endpoint = match self.way.to(committed.number()) {
            Ok(endpoint) => endpoint,
            Err(why) => {
                error!(%attempt, %why, "not rung");
                self.callee_failed(attempt, why.to_string());
                return;
            }
        };
        self.exchange.call_asked(attempt, device);
        self.owners.insert(attempt, device);
        let created = self.parts.ari.create_callee(&committed, endpoint);
        self.or_callee_failed(attempt, created);
    }

    fn or_callee_failed(
        &self,
        attempt: AttemptId,
        asked: impl Future<Output = Result<(), AriError>> + Send + 'static,
    ) {
        let back = self.back.clone();
        tokio::spawn(async move {
            if let Err(error) = asked.await {
                warn!(%error, %attempt, "Asterisk refused a step of a call");
                let _ = back.send(Inward::Input(Input::CalleeFailed { attempt, why: error.to_string() }));
            }
        });
    }

    fn callee_failed(&self, attempt: AttemptId, why: String) {
        let _ = self.back.send(Inward::Input(Input::CalleeFailed { attempt, why }));
    }

    fn announce(&mut self, attempt: AttemptId, what: Announcement) {
        let media = match what {
            Announcement::OneMoment => "sound:ringround/one-moment",
            Announcement::Apology => "sound:ringround/line-lost",
        };
        let playback = names::announcement();
        self.exchange.announcement_asked(playback.clone(), attempt, Instant::now());
        let played = self.parts.ari.play_to_channel(&attempt.to_string(), media, &playback);
        let back = self.back.clone();
        tokio::spawn(async move {
            if let Err(error) = played.await {
                warn!(%error, %attempt, "an announcement could not be played");
                let _ = back.send(Inward::NotPlayed(playback));
            }
        });
    }
}
