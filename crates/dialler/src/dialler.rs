//! The front door: each input goes to the seat it is for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::{
    attempt::LastOutcome,
    call::EndedBy,
    http::ApiError,
    ids::{AttemptId, CampaignId, DeviceId},
    line::Line,
    number::Number,
    session::Session as SessionView,
    trunk::Trunk as TrunkView,
};

use crate::{
    attempt::{Attempt, AttemptInput, Elsewhere},
    call::{self, CallInput},
    cause::Ending,
    channels::Channels,
    input::{
        Adopted, AdoptedState, Ask, CallFacts, CampaignRules, Input, Lease, LineFacts, SaveId, SaveRefused,
        Ticket,
    },
    line::LineInput,
    now::Now,
    output::{Answer, HangUpWhy, Output},
    pace::Pace,
    rules::MINUTE,
    scene::{Saves, Scene},
    seat::Seat,
    session::{Session, SessionInput},
    trunk_health::TrunkHealth,
    words,
};

/// When Asterisk has been away for so long, the calls it had count as gone.
const TELEPHONE_GONE_LIMIT: i64 = 5 * MINUTE;

/// What one volunteer sees of their line and session.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// [`protocol::session::Desk::line`]
    pub line: Line,
    /// [`protocol::session::Desk::session`]
    pub session: SessionView,
    /// [`protocol::session::Desk::last_outcome`]
    pub last_outcome: Option<LastOutcome>,
    /// [`protocol::session::Desk::trunk`]
    pub trunk: TrunkView,
}

/// All seats of one telephone exchange.
#[derive(Debug, Default)]
pub struct Dialler {
    seats: BTreeMap<DeviceId, Seat>,
    campaigns: BTreeMap<CampaignId, CampaignRules>,
    /// Of devices that have no seat yet.
    recalled: BTreeMap<DeviceId, Pace>,
    telephone: Telephone,
    channels: Channels,
    trunk: TrunkHealth,
    outputs: VecDeque<Output>,
    saves: Saves,
}

/// Whether Asterisk is there.
#[derive(Debug, Default)]
enum Telephone {
    /// Not yet.
    #[default]
    Unknown,
    There,
    Gone {
        since: i64,
        given_up: bool,
    },
}

impl Dialler {
    /// A dialler without seats; Asterisk counts as away until [`Input::TelephoneBack`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what happened at `now`.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.take_in(input, now);
        self.look_at_trunk(now);
    }

    fn take_in(&mut self, input: Input, now: Now) {
        match input {
            Input::Campaign(campaign) => self.campaign(campaign, now),
            Input::TrunkLimits(limits) => self.channels.limit(limits),
            Input::ContactsAdded { campaign } => self.look(campaign, now),
            Input::Ask { ticket, device, ask } => self.ask(ticket, device, ask, now),
            Input::Ping { device } => self.at(device, now, "Ping", Seat::seen),
            Input::Revoked { device } => self.revoked(device, now),
            Input::Leased { device, lease } => self.leased(device, lease, now),
            Input::NobodyDue { device, again, next_at } => {
                let input = SessionInput::NobodyDue { again, next_at };
                self.at(device, now, "NobodyDue", |seat, scene| seat.session(input, scene));
            }
            Input::LeaseFailed { device } => {
                self.at(device, now, "LeaseFailed", |seat, scene| {
                    seat.session(SessionInput::LeaseFailed, scene);
                });
            }
            Input::Saved { save } => self.saved(save, None, now),
            Input::SaveFailed { save, why } => self.saved(save, Some(why), now),
            Input::LineAnswered { device, line } => {
                if !self.seats.contains_key(&device) {
                    return self.outputs.push_back(Output::DropLine { line });
                }
                self.at(device, now, "LineAnswered", |seat, scene| {
                    seat.line(LineInput::Answered(line), scene)
                });
            }
            Input::LineGone { device, line } => {
                if self.seats.contains_key(&device) {
                    self.at(device, now, "LineGone", |seat, scene| seat.line(LineInput::Gone(line), scene));
                }
            }
            Input::CalleeCreated { attempt } => self.callee(attempt, CallInput::Created, now),
            Input::CalleeInBridge { attempt } => self.callee(attempt, CallInput::InBridge, now),
            Input::CalleeDialled { attempt } => self.channels.dialled(attempt, now.steady),
            Input::CalleeProgress { attempt } => self.callee(attempt, CallInput::Progress, now),
            Input::CalleeRinging { attempt } => self.callee(attempt, CallInput::Ringing, now),
            Input::CalleeUp { attempt } => self.callee(attempt, CallInput::Up, now),
            Input::CalleeUnheard { attempt } => self.callee(attempt, CallInput::Unheard, now),
            Input::CalleeGone { attempt, cause, sip } => {
                self.callee(attempt, CallInput::Gone(Ending { cause, sip }), now);
            }
            Input::CalleeFailed { attempt, fault, why } => {
                self.callee(attempt, CallInput::Failed { fault, why }, now);
            }
            Input::AnnouncementDone { attempt } => self.callee(attempt, CallInput::AnnouncementDone, now),
            Input::TelephoneGone => {
                if !matches!(self.telephone, Telephone::Gone { .. }) {
                    self.telephone = Telephone::Gone { since: now.steady, given_up: false };
                }
                self.each(now, Seat::look);
            }
            Input::TelephoneBack { calls, lines } => self.telephone_back(&calls, lines, now),
            Input::Recent { device, cards, taken_off } => {
                self.recalled.insert(device, Pace::recalled(&cards, &taken_off, now));
            }
            Input::ProviderBack => self.trunk.is_worth_a_try(now),
            Input::Adopted(adopted) => self.adopt(*adopted, now),
            Input::Tick => self.tick(now),
        }
        self.serve_line(now);
    }

    /// The next thing to do; call until `None` after each [`Dialler::handle`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due at the latest, on [`Now::steady`].
    pub fn next_wake(&self) -> Option<i64> {
        let telephone = matches!(self.telephone, Telephone::There);
        let seats = self.seats.values().filter_map(|seat| {
            let campaign = self.campaigns.get(&seat.campaign)?;
            seat.next_wake(campaign, telephone)
        });
        let given_up = match self.telephone {
            Telephone::Gone { since, given_up: false } => Some(since + TELEPHONE_GONE_LIMIT),
            Telephone::Gone { given_up: true, .. } | Telephone::Unknown | Telephone::There => None,
        };
        seats.chain(given_up).chain(self.channels.next_wake()).chain(self.trunk.next_wake()).min()
    }

    /// What a volunteer sees; for a device that never started, an ended session.
    pub fn view(&self, device: DeviceId) -> View {
        match self.seats.get(&device) {
            None => View {
                line: Line::Down,
                session: SessionView::Ended,
                last_outcome: None,
                trunk: TrunkView::Open,
            },
            Some(seat) => View {
                line: seat.told.line,
                session: seat.told.session.clone(),
                last_outcome: seat.told.last_outcome.clone(),
                trunk: seat.told.trunk,
            },
        }
    }

    /// How many seats there are by session, for the metrics: (started, in a call).
    pub fn counts(&self) -> (usize, usize) {
        let started = self.seats.values().filter(|seat| !seat.session.is_ended()).count();
        let calling = self.seats.values().filter_map(|seat| seat.session.attempt());
        (started, calling.filter(|attempt| attempt.is_calling()).count())
    }

    /// Whose app says that no sound gets through to it, and since when, by the wall.
    pub fn without_sound(&self) -> Vec<(DeviceId, i64)> {
        let since = |(device, seat): (&DeviceId, &Seat)| Some((*device, seat.without_sound_since?));
        self.seats.iter().filter_map(since).collect()
    }

    /// Whether this device's app says so.
    pub fn is_without_sound(&self, device: DeviceId) -> bool {
        self.seats.get(&device).is_some_and(|seat| seat.without_sound_since.is_some())
    }

    /// How many calls have a place on the trunk, and how many presses wait for one, for the metrics.
    pub fn trunk_use(&self) -> (usize, usize) {
        (self.channels.in_use(), self.channels.in_line())
    }

    fn ask(&mut self, ticket: Ticket, device: DeviceId, ask: Ask, now: Now) {
        if let Some(answer) = self.take_seat(device, &ask, now) {
            return self.outputs.push_back(Output::Answer { ticket, answer });
        }
        let elsewhere = match &ask {
            Ask::Dial { facts: Some(facts), .. } => {
                Elsewhere { number_busy: self.is_in_a_call(&facts.number), under_way: self.under_way() }
            }
            Ask::Dial { facts: None, .. }
            | Ask::Start { .. }
            | Ask::Pause
            | Ask::Resume
            | Ask::Stop
            | Ask::OpenLine { .. }
            | Ask::LineSound { .. }
            | Ask::HangUp { .. }
            | Ask::Settle { .. }
            | Ask::Record { .. } => Elsewhere::default(),
        };
        self.at(device, now, "Ask", |seat, scene| {
            seat.seen(scene);
            match ask {
                Ask::Start { .. } => seat.session(SessionInput::Start(ticket), scene),
                Ask::Pause => seat.session(SessionInput::Pause(ticket), scene),
                Ask::Resume => seat.session(SessionInput::Resume(ticket), scene),
                Ask::Stop => seat.session(SessionInput::Stop(ticket), scene),
                Ask::OpenLine { line, token } => seat.open_line(ticket, line, token, scene),
                Ask::LineSound { token, gets_through } => {
                    seat.line_sound(token, gets_through, scene);
                    scene.done(ticket);
                }
                Ask::Dial { lease, attempt, facts } => {
                    let input = AttemptInput::Dial { ticket, lease, attempt, facts, elsewhere };
                    match seat.dialled_before(lease) {
                        Some(before) => scene.dialled(ticket, before),
                        None => seat.session(SessionInput::Attempt(input), scene),
                    }
                }
                Ask::HangUp { attempt } => {
                    if seat.session.attempt().and_then(Attempt::id) == Some(attempt) {
                        seat.session(SessionInput::Attempt(AttemptInput::HangUp { ticket }), scene);
                    } else {
                        scene.done(ticket);
                    }
                }
                Ask::Settle { lease, how } => {
                    let input = AttemptInput::Settle { ticket, lease, how };
                    seat.session(SessionInput::Attempt(input), scene);
                }
                Ask::Record { record, stored } => {
                    seat.record(ticket, record, stored.map(|stored| *stored), scene);
                }
            }
        });
    }

    /// A start needs a seat, and so does a correction, which may come long after the session. What is answered where
    /// there is none.
    fn take_seat(&mut self, device: DeviceId, ask: &Ask, now: Now) -> Option<Result<Answer, ApiError>> {
        let campaign = match ask {
            Ask::Start { campaign } => {
                if !self.campaigns.contains_key(campaign) {
                    return Some(Err(words::not_found(
                        "The server does not know this campaign. Ask your organiser for a new link",
                    )));
                }
                Some(*campaign)
            }
            Ask::Record { stored: Some(stored), .. } => {
                Some(stored.contact.campaign).filter(|campaign| self.campaigns.contains_key(campaign))
            }
            Ask::Pause
            | Ask::Resume
            | Ask::Stop
            | Ask::OpenLine { .. }
            | Ask::LineSound { .. }
            | Ask::Dial { .. }
            | Ask::HangUp { .. }
            | Ask::Settle { .. }
            | Ask::Record { .. } => None,
        };
        if let Some(campaign) = campaign {
            let recalled = &mut self.recalled;
            let anew = || Seat::new(campaign, take(recalled, device), now);
            let seat = self.seats.entry(device).or_insert_with(anew);
            if matches!(ask, Ask::Start { .. }) && seat.session.is_ended() {
                seat.campaign = campaign;
            }
        }
        if self.seats.contains_key(&device) {
            return None;
        }
        Some(match ask {
            Ask::Stop | Ask::HangUp { .. } => Ok(Answer::Done),
            Ask::Dial { .. } | Ask::Settle { .. } => Err(words::lease_lost()),
            Ask::Record { .. } => Err(words::unknown_call()),
            Ask::Start { .. } | Ask::Pause | Ask::Resume | Ask::OpenLine { .. } | Ask::LineSound { .. } => {
                Err(words::not_calling())
            }
        })
    }

    fn campaign(&mut self, campaign: CampaignRules, now: Now) {
        let id = campaign.id;
        self.campaigns.insert(id, campaign);
        self.look(id, now);
    }

    /// Something changed for all seats of a campaign.
    fn look(&mut self, campaign: CampaignId, now: Now) {
        self.each(now, |seat, scene| {
            if seat.campaign == campaign {
                seat.session(SessionInput::Look, scene);
            }
        });
    }

    fn revoked(&mut self, device: DeviceId, now: Now) {
        if !self.seats.contains_key(&device) {
            return;
        }
        self.at(device, now, "Revoked", |seat, scene| {
            seat.session(SessionInput::Revoked, scene);
            seat.line(LineInput::Close, scene);
        });
    }

    fn leased(&mut self, device: DeviceId, lease: Box<Lease>, now: Now) {
        let contact = lease.contact.contact;
        let is_held = self.attempts().any(|attempt| attempt.contact() == Some(contact));
        let is_in_a_call = self.is_in_a_call(&lease.contact.number);
        self.at(device, now, "Leased", |seat, scene| {
            let has_room = seat.session.attempt().is_none();
            if is_held || !has_room {
                // The store broke its promise: one contact, one seat. This lease must not stay.
                scene.unexpected("dialler", "Leased twice");
                seat.send_back(&lease, scene);
                if has_room {
                    seat.session(SessionInput::LeaseFailed, scene);
                }
            } else if is_in_a_call {
                seat.session(SessionInput::LeasedInACall(lease), scene);
            } else {
                seat.session(SessionInput::Leased(lease), scene);
            }
        });
    }

    fn is_in_a_call(&self, number: &Number) -> bool {
        self.attempts().any(|attempt| attempt.number_in_a_call() == Some(number))
    }

    /// Calls that are being dialled, and have not reached a telephone yet.
    fn under_way(&self) -> usize {
        self.attempts().filter(|attempt| attempt.is_under_way()).count()
    }

    fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.seats.values().filter_map(|seat| seat.session.attempt())
    }

    /// A try falls due, or to another seat; everybody is told what is new of the trunk.
    fn look_at_trunk(&mut self, now: Now) {
        let (seats, telephone) = (&self.seats, matches!(self.telephone, Telephone::There));
        let can_call = |device| telephone && seats.get(&device).is_some_and(|seat| seat.can_call(now));
        self.trunk.look(now, can_call, |after| {
            let able = || seats.keys().copied().filter(|device| can_call(*device));
            after.and_then(|after| able().find(|device| *device > after)).or_else(|| able().next())
        });
        if let Some(trunk) = self.trunk.news() {
            self.outputs.push_back(Output::TrunkHealth { trunk });
            // Who waits in line waits for nothing if it is shut.
            self.each(now, Seat::look);
        }
    }

    fn saved(&mut self, save: SaveId, failed: Option<SaveRefused>, now: Now) {
        let Some(device) = self.saves.take(save) else {
            let input = if failed.is_some() { "SaveFailed" } else { "Saved" };
            return self.outputs.push_back(Output::Unexpected { state: "dialler", input });
        };
        self.at(device, now, "Saved", |seat, scene| match failed {
            None => seat.saved(save, scene),
            Some(why) => seat.save_failed(save, why, scene),
        });
    }

    /// Those whose turn has come on the trunk.
    fn serve_line(&mut self, now: Now) {
        loop {
            self.channels.hold(self.trunk.is_doubted(self.under_way(), now));
            let Some(next) = self.channels.next(now.steady) else { return };
            let input = SessionInput::Attempt(AttemptInput::Place);
            self.at(next.device, now, "Place", |seat, scene| seat.session(input, scene));
            let attempt = self.seats.get(&next.device).and_then(|seat| seat.session.attempt());
            let took_it = attempt.is_some_and(|held| held.is_committing() && held.id() == Some(next.attempt));
            if !took_it {
                self.channels.leave(next.attempt);
            }
        }
    }

    fn callee(&mut self, attempt: AttemptId, input: CallInput, now: Now) {
        if matches!(input, CallInput::Progress | CallInput::Ringing | CallInput::Up) {
            self.channels.dialled(attempt, now.steady);
        }
        if matches!(input, CallInput::Gone(_)) {
            self.channels.gone(attempt, now.steady);
        }
        let owner = self.seats.iter().find(|(_, seat)| {
            seat.session.attempt().is_some_and(|held| held.is_calling() && held.id() == Some(attempt))
        });
        if let Some((&device, _)) = owner {
            self.at(device, now, "callee", |seat, scene| seat.callee(input, scene));
        } else if !input.is_last_news() {
            self.outputs.push_back(Output::Unexpected { state: "no call", input: "a callee's channel" });
            self.outputs.push_back(Output::HangUp { attempt, why: HangUpWhy::Stray });
        }
    }

    fn telephone_back(&mut self, calls: &[CallFacts], lines: Vec<LineFacts>, now: Now) {
        self.telephone = Telephone::There;
        let mut found: BTreeMap<DeviceId, LineFacts> = BTreeMap::new();
        for facts in lines {
            let device = facts.device;
            let seat = self.seats.get(&device);
            if seat.is_none()
                && !self.campaigns.get(&facts.campaign).is_some_and(|campaign| campaign.callable)
            {
                self.outputs.push_back(Output::DropLine { line: facts.line });
                continue;
            }
            let is_known = seat.is_some_and(|seat| seat.line.is(&facts.line));
            match found.get_mut(&device) {
                None => {
                    found.insert(device, facts);
                }
                Some(first) => {
                    let other = if is_known { std::mem::replace(first, facts) } else { facts };
                    self.outputs.push_back(Output::DropLine { line: other.line });
                }
            }
        }
        for (device, facts) in &found {
            self.seats.entry(*device).or_insert_with(|| {
                let mut seat = Seat::new(facts.campaign, take(&mut self.recalled, *device), now);
                seat.session = Session::resumed();
                seat
            });
        }
        let attempts = self.seats.values().filter_map(|seat| seat.session.attempt());
        let committing = attempts.filter(|attempt| attempt.is_committing()).filter_map(Attempt::id).collect();
        self.channels.listed(calls.iter().map(|call| call.attempt), &committing, now.steady);
        let mut owned = BTreeSet::new();
        self.each(now, |seat, scene| {
            // One that is over in the books owns nothing: a channel of it that lived on is a stray.
            let calling = seat.session.attempt().filter(|attempt| attempt.is_calling());
            let attempt = calling.and_then(Attempt::id);
            let channel = calls.iter().find(|call| Some(call.attempt) == attempt);
            owned.extend(channel.map(|call| call.attempt));
            let call = channel.map_or(CallInput::NotFound, |call| CallInput::Found(call.state));
            seat.reconcile(call, found.remove(&scene.device).map(|facts| facts.line), scene);
        });
        for call in calls.iter().filter(|call| !owned.contains(&call.attempt)) {
            self.outputs.push_back(Output::HangUp { attempt: call.attempt, why: HangUpWhy::Stray });
        }
    }

    fn adopt(&mut self, adopted: Adopted, now: Now) {
        let Adopted { attempt, device, lease, state, dialled_at, kept } = adopted;
        if matches!(self.telephone, Telephone::Unknown) {
            self.telephone = Telephone::Gone { since: now.steady, given_up: false };
        }
        let campaign = lease.contact.campaign;
        if !self.campaigns.contains_key(&campaign) || self.seats.contains_key(&device) {
            let input = "Adopted, of an unknown campaign or a second one for a device";
            return self.outputs.push_back(Output::Unexpected { state: "dialler", input });
        }
        self.seats.insert(device, Seat::new(campaign, take(&mut self.recalled, device), now));
        self.at(device, now, "Adopted", |seat, scene| {
            let (ringing_at, answered_at, over) = match state {
                AdoptedState::Dialling => (None, None, None),
                AdoptedState::Ringing { ringing_at } => (Some(ringing_at), None, None),
                AdoptedState::Talking { ringing_at, answered_at } => (ringing_at, Some(answered_at), None),
                AdoptedState::WrapUp { ringing_at, answered_at, ended_at, by } => {
                    (ringing_at, Some(answered_at), Some((ended_at.min(now.wall), by)))
                }
            };
            let ended = |(at, by)| call::Ended {
                attempt,
                ringing_at,
                answered_at,
                at,
                by,
                ending: None,
                verdict: None,
                given_up: false,
            };
            let held = match over {
                _ if !scene.campaign.callable => {
                    let over = over.unwrap_or((now.wall, EndedBy::Server));
                    scene.push(Output::CallOver { attempt });
                    Attempt::adopted_to_close(lease, ended(over), kept, scene)
                }
                Some(over) => {
                    scene.push(Output::CallOver { attempt });
                    Attempt::adopted_wrap_up(lease, ended(over), scene)
                }
                None => {
                    let call = call::adopted(attempt, dialled_at, ringing_at, answered_at, now);
                    Attempt::adopted_call(lease, call, kept, scene)
                }
            };
            seat.session = Session::adopted(held);
        });
    }

    fn tick(&mut self, now: Now) {
        if let Telephone::Gone { since, given_up } = &mut self.telephone
            && !*given_up
            && now.steady >= *since + TELEPHONE_GONE_LIMIT
        {
            *given_up = true;
            self.each(now, |seat, scene| seat.callee(CallInput::NotFound, scene));
        }
        // Whose time has come and who finds a place is dialled, and never seen in line.
        self.serve_line(now);
        self.each(now, Seat::tick);
        self.seats.retain(|device, seat| !seat.is_forgotten(now) || self.saves.are_owed_to(*device));
    }

    fn each(&mut self, now: Now, mut act: impl FnMut(&mut Seat, &mut Scene<'_>)) {
        let devices: Vec<DeviceId> = self.seats.keys().copied().collect();
        for device in devices {
            self.at(device, now, "each", &mut act);
        }
    }

    /// Lets one seat act, tells its volunteer what is new, and lets waiting seats know of a
    /// contact that went back.
    fn at(
        &mut self,
        device: DeviceId,
        now: Now,
        input: &'static str,
        act: impl FnOnce(&mut Seat, &mut Scene<'_>),
    ) {
        let known = self.seats.get_mut(&device);
        let Some((seat, campaign)) = known.and_then(|seat| {
            let campaign = self.campaigns.get(&seat.campaign)?;
            Some((seat, campaign))
        }) else {
            return self.outputs.push_back(Output::Unexpected { state: "no seat", input });
        };
        let mut scene = Scene {
            now,
            device,
            campaign,
            telephone: matches!(self.telephone, Telephone::There),
            line_up: seat.line.is_up(),
            present: seat.is_present(now),
            pace: seat.pace,
            trunk: &mut self.trunk,
            contact_is_due: false,
            channels: &mut self.channels,
            out: &mut self.outputs,
            saves: &mut self.saves,
        };
        act(seat, &mut scene);
        seat.pace = scene.pace;
        seat.tell(&mut scene);
        if scene.contact_is_due {
            let campaign = campaign.id;
            let waiting: Vec<DeviceId> = self
                .seats
                .iter()
                .filter(|(_, seat)| seat.campaign == campaign && seat.session.is_waiting())
                .map(|(device, _)| *device)
                .collect();
            for device in waiting {
                self.at(device, now, "look", Seat::look);
            }
        }
    }
}

/// What a device that gets a seat did in the server's last run.
fn take(recalled: &mut BTreeMap<DeviceId, Pace>, device: DeviceId) -> Pace {
    recalled.remove(&device).unwrap_or_default()
}
