//! The loop: one input, then everything that follows from it, in order. What the dialler wants is
//! carried out in [`outputs`]; what Asterisk has is compared with what is known in [`adoption`].

mod adoption;
mod outputs;

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU32,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use dialler::{Answer, Ask, CampaignRules, Dialler, Input, Now};
use futures_util::FutureExt;
use futures_util::future::join_all;
use protocol::{
    http::{ApiError, ErrorCode},
    ids::{AttemptId, CampaignId, DeviceId},
    session::{Desk, Session},
    trunk::Trunk,
};
use tokio::{
    sync::{mpsc, oneshot, watch as latest},
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::{
    Parts, card,
    commands::{Command, Inward},
    exchange::{Exchange, Gone, Step},
    names,
    saves::{self, Job, Saves},
    trunk::{TrunkRefuses, Way},
    watch::{self, Watch},
};
use crate::{
    ari::{Ending, Event, News},
    store::{StoreError, attempts::Committed, campaigns::CampaignRow},
    trunk_form::TrunkForm,
};

/// How often the channels are compared with what is known; twice missed means gone or stray.
const SWEEP_EVERY: Duration = Duration::from_secs(4);
/// When every lease of the server's last run is over, unless its app came back and renewed it.
const OLD_LEASES_LAPSE: Duration = Duration::from_millis(saves::LEASE_MS.unsigned_abs() + 2_000);
/// The wall's clock was set by more than this: somebody should know.
const CLOCK_JUMP_MS: i64 = 60_000;
/// How long a revoked device's tunnel stays for the goodbye to its line.
const HUNG_UP_WITHIN: Duration = Duration::from_millis(300);
/// An announcement that ends sooner was not played (its file is missing): no louder a loop than this.
const SHORTEST_ANNOUNCEMENT: Duration = Duration::from_secs(1);

/// Reads what the store knows, then starts the loop and the writer.
pub(super) async fn start(
    parts: Parts,
    back: mpsc::UnboundedSender<Inward>,
    commands: mpsc::UnboundedReceiver<Inward>,
    trunk_seen: latest::Sender<Trunk>,
    tasks: &TaskTracker,
) -> Result<(), StoreError> {
    let (jobs, queue) = mpsc::unbounded_channel();
    let saves = Saves {
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        metrics: parts.metrics.clone(),
        jobs: queue,
        again: VecDeque::new(),
        back: back.clone(),
    };
    let now = parts.clock.now();
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
        provider_silent: Arc::default(),
        trunk_seen,
        clock: now,
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
    /// Whether the provider did not answer when it was last looked at.
    provider_silent: Arc<AtomicBool>,
    /// What calls show of the trunk, for an organiser who asks.
    trunk_seen: latest::Sender<Trunk>,
    /// What time it was when the loop last looked.
    clock: Now,
}

/// Until a time on [`Now::steady`]; for ever if there is none.
async fn sleep_until(at: Option<i64>, now: Now) {
    let Some(at) = at else { return std::future::pending().await };
    let wait = at.saturating_sub(now.steady).max(1).unsigned_abs();
    tokio::time::sleep(Duration::from_millis(wait)).await;
}

impl Turn {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Inward>) {
        let stop = self.parts.stop.clone();
        let lapsed = tokio::time::sleep(OLD_LEASES_LAPSE);
        let mut lapsed = std::pin::pin!(lapsed.fuse());
        let mut looks = interval(watch::EVERY);
        let mut sweeps = interval(SWEEP_EVERY);
        for every in [&mut looks, &mut sweeps] {
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            let now = self.look_at_clock();
            let wake = sleep_until(self.dialler.next_wake(), now);
            let clock = self.parts.clock.clone();
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
                () = &mut lapsed => self.offer_lapsed_leases(),
                _ = looks.tick() => self.look_at_lines(),
                _ = sweeps.tick() => self.sweep(),
                () = wake => self.tick(),
                () = clock.moved_since(now) => self.tick(),
            }
            self.count_lines();
            self.count_trunk();
        }
        // Calls go on; the next start adopts them. What was to be written is written: dropping
        // the queue's end lets the writer finish.
    }

    /// Contacts that apps held when the server stopped, and did not come back for, are free by now.
    fn offer_lapsed_leases(&mut self) {
        for campaign in self.campaigns.keys().copied().collect::<Vec<_>>() {
            self.handle(Input::ContactsAdded { campaign });
        }
    }

    fn now(&self) -> i64 {
        self.parts.clock.now_ms()
    }

    fn tick(&mut self) {
        if self.dialler.next_wake().is_some_and(|at| at <= self.parts.clock.now().steady) {
            self.handle(Input::Tick);
        }
    }

    /// What time it is; a wall's clock that was set is told of: what was written before has other dates.
    fn look_at_clock(&mut self) -> Now {
        let now = self.parts.clock.now();
        let set_by = (now.wall - self.clock.wall) - (now.steady - self.clock.steady);
        if set_by.abs() > CLOCK_JUMP_MS {
            error!(
                seconds = set_by / 1_000,
                "this machine's clock was set; if it was wrong before, calls and due times of that time have wrong dates"
            );
        }
        self.clock = now;
        now
    }

    /// No line is up while Asterisk is away.
    fn count_lines(&self) {
        let up = if self.parts.ari.is_here() { self.exchange.lines_up() } else { 0 };
        self.parts.metrics.lines_up.set(i64::try_from(up).unwrap_or(i64::MAX));
    }

    fn count_trunk(&self) {
        let (in_use, in_line) = self.dialler.trunk_use();
        self.parts.metrics.trunk_channels.set(i64::try_from(in_use).unwrap_or(i64::MAX));
        self.parts.metrics.calls_in_line.set(i64::try_from(in_line).unwrap_or(i64::MAX));
    }

    fn inward(&mut self, inward: Inward) {
        match inward {
            Inward::Command(command) => self.command(command),
            Inward::Input(input) => self.handle(input),
            Inward::Committed(committed) => {
                self.committed.insert(committed.id(), committed);
            }
            Inward::NoSuchCallee(attempt) => self.callee_gone(attempt, Ending::by(0)),
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
                            Gone::Callee(attempt) => self.callee_gone(attempt, Ending::by(0)),
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
                let is_asked = matches!(ask, Ask::LineSound { gets_through: false, .. });
                let is_new = is_asked && !self.dialler.is_without_sound(device);
                self.handle(Input::Ask { ticket: dialler::Ticket(self.tickets), device, ask });
                if is_new && self.dialler.is_without_sound(device) {
                    warn!(%device, "no sound gets through on this line (ICE): is UDP to Asterisk's ports open on the way?");
                }
            }
            // Between sessions there is nothing to renew.
            Command::Ping(device) if self.dialler.view(device).session == Session::Ended => {}
            Command::Ping(device) => self.handle(Input::Ping { device }),
            Command::End { device, organiser, done } => self.end_device(device, organiser, done),
            Command::Campaign(row) => {
                self.campaign(&row);
                self.parts.live.campaign(&row.seen());
            }
            Command::Trunk(form) => self.trunk(form),
            Command::ContactsAdded(campaign) => self.handle(Input::ContactsAdded { campaign }),
            Command::WithoutSound { reply } => {
                let _ = reply.send(self.dialler.without_sound());
            }
            Command::Follow { device, volunteer, campaign, reply } => {
                let view = self.dialler.view(device);
                let desk = Desk {
                    volunteer,
                    campaign,
                    line: view.line,
                    session: view.session,
                    last_outcome: view.last_outcome,
                    trunk: view.trunk,
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
        Err(ApiError::new(code, format!("Nobody was rung: {why}")))
    }

    fn trunk(&mut self, form: TrunkForm) {
        let limit = |limit: Option<NonZeroU32>| limit.map_or(0, |limit| i64::from(limit.get()));
        self.parts.metrics.trunk_channels_limit.set(limit(form.channels));
        self.parts.metrics.trunk_calls_per_second_limit.set(limit(form.calls_per_second));
        let limits = form.limits();
        self.way.set(form);
        self.handle(Input::TrunkLimits(limits));
    }

    fn campaign(&mut self, row: &CampaignRow) {
        let rules = card::rules(row).and_then(|rules| match rules.check(self.parts.config.trunk.kind) {
            Ok(()) => Ok(rules),
            Err(why) => Err(why.to_string()),
        });
        let rules = match rules {
            Err(why) => {
                error!(campaign = %row.id, %why, "this campaign cannot be called for; an organiser must mend it");
                card::rules_to_end_by(row)
            }
            Ok(rules) => rules,
        };
        if self.campaigns.get(&row.id) != Some(&rules) {
            self.campaigns.insert(row.id, rules.clone());
            self.handle(Input::Campaign(rules));
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
            // An Asterisk that does not answer must not keep the tunnel open.
            let _ = tokio::time::timeout(HUNG_UP_WITHIN, join_all(hung_up)).await;
            tunnels.close(device);
            if let Err(error) = removed.await {
                warn!(%error, %device, "the SIP account will be removed when Asterisk is back");
            }
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
            Some(Step::Tell(input)) => {
                let new_line =
                    if let Input::LineAnswered { device, .. } = input { Some(device) } else { None };
                self.handle(input);
                let callee =
                    new_line.and_then(|device| Some((device, self.exchange.answered_callee(device)?)));
                if let Some((device, attempt)) = callee {
                    self.hear_anew(device, attempt.to_string());
                }
            }
            Some(Step::Gone(Gone::Callee(attempt), ending)) => self.callee_gone(attempt, ending),
            Some(Step::Gone(Gone::Line(line), _)) => self.line_gone(&line),
            Some(Step::HangUpStray(channel)) => self.hang_up_strays(vec![channel]),
            Some(Step::DialLine { line, device }) => self.dial_line(line, device),
        }
    }

    fn callee_gone(&mut self, attempt: AttemptId, ending: Ending) {
        let device = self.exchange.device_of(attempt);
        self.owners.remove(&attempt);
        if let Some(input) = self.exchange.call_gone(attempt, ending) {
            self.handle(input);
        }
        self.end_bridge_if_empty(device);
        let line = device.and_then(|device| Some((device, self.exchange.lone_line(device)?.clone())));
        if let Some((device, line)) = line {
            self.hear_anew(device, line);
        }
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

    fn announcement_done(&self, attempt: AttemptId, asked: Instant) {
        let back = self.back.clone();
        tokio::spawn(async move {
            tokio::time::sleep(SHORTEST_ANNOUNCEMENT.saturating_sub(asked.elapsed())).await;
            let _ = back.send(Inward::Input(Input::AnnouncementDone { attempt }));
        });
    }

    fn handle(&mut self, input: Input) {
        self.dialler.handle(input, self.parts.clock.now());
        while let Some(output) = self.dialler.poll_output() {
            self.carry_out(output);
        }
    }
}
