//! The front door: each input goes to the desk it is for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::{
    attempt::LastOutcome,
    ids::{AttemptId, CampaignId, DeviceId},
    line::Line,
    number::Number,
    session::Session as SessionView,
};

use crate::{
    attempt::{Attempt, AttemptInput},
    call::{self, CallInput},
    desk::Desk,
    input::{
        Adopted, AdoptedState, Ask, CallFacts, CampaignRules, Input, Lease, LineFacts, SaveId, SaveRefused,
        Ticket,
    },
    line::LineInput,
    output::{HangUpWhy, Output},
    rules::MINUTE,
    scene::{Saves, Scene},
    session::{Session, SessionInput},
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
}

/// All desks of one telephone exchange.
#[derive(Debug, Default)]
pub struct Dialler {
    desks: BTreeMap<DeviceId, Desk>,
    campaigns: BTreeMap<CampaignId, CampaignRules>,
    telephone: Telephone,
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
    /// A dialler without desks; Asterisk counts as away until [`Input::TelephoneBack`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what happened at `now` (UTC epoch milliseconds).
    pub fn handle(&mut self, input: Input, now: i64) {
        match input {
            Input::Campaign(campaign) => self.campaign(campaign, now),
            Input::ContactsAdded { campaign } => self.look(campaign, now),
            Input::Ask { ticket, device, ask } => self.ask(ticket, device, ask, now),
            Input::Ping { device } => self.at(device, now, "Ping", Desk::seen),
            Input::Revoked { device } => self.revoked(device, now),
            Input::Leased { device, lease } => self.leased(device, lease, now),
            Input::NobodyDue { device, again, next_at } => {
                let input = SessionInput::NobodyDue { again, next_at };
                self.at(device, now, "NobodyDue", |desk, scene| desk.session(input, scene));
            }
            Input::LeaseFailed { device } => {
                self.at(device, now, "LeaseFailed", |desk, scene| {
                    desk.session(SessionInput::LeaseFailed, scene);
                });
            }
            Input::Saved { save } => self.saved(save, None, now),
            Input::SaveFailed { save, why } => self.saved(save, Some(why), now),
            Input::LineUp { device, line } => {
                if !self.desks.contains_key(&device) {
                    return self.outputs.push_back(Output::DropLine { device, line });
                }
                self.at(device, now, "LineUp", |desk, scene| desk.line(LineInput::Up(line), scene));
            }
            Input::LineGone { device, line } => {
                if self.desks.contains_key(&device) {
                    self.at(device, now, "LineGone", |desk, scene| desk.line(LineInput::Gone(line), scene));
                }
            }
            Input::CalleeCreated { attempt } => self.callee(attempt, CallInput::Created, now),
            Input::CalleeInBridge { attempt } => self.callee(attempt, CallInput::InBridge, now),
            Input::CalleeProgress { attempt } => self.callee(attempt, CallInput::Progress, now),
            Input::CalleeRinging { attempt } => self.callee(attempt, CallInput::Ringing, now),
            Input::CalleeUp { attempt } => self.callee(attempt, CallInput::Up, now),
            Input::CalleeGone { attempt, cause } => self.callee(attempt, CallInput::Gone { cause }, now),
            Input::CalleeFailed { attempt, why } => self.callee(attempt, CallInput::Failed { why }, now),
            Input::AnnouncementDone { attempt } => self.callee(attempt, CallInput::AnnouncementDone, now),
            Input::TelephoneGone => {
                if !matches!(self.telephone, Telephone::Gone { .. }) {
                    self.telephone = Telephone::Gone { since: now, given_up: false };
                }
                self.each(now, Desk::look);
            }
            Input::TelephoneBack { calls, lines } => self.telephone_back(&calls, lines, now),
            Input::Adopted(adopted) => self.adopt(*adopted, now),
            Input::Tick => self.tick(now),
        }
    }

    /// The next thing to do; call until `None` after each [`Dialler::handle`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due at the latest, UTC epoch milliseconds.
    pub fn next_wake(&self) -> Option<i64> {
        let telephone = matches!(self.telephone, Telephone::There);
        let desks = self.desks.values().filter_map(|desk| {
            let campaign = self.campaigns.get(&desk.campaign)?;
            desk.next_wake(campaign, telephone)
        });
        let given_up = match self.telephone {
            Telephone::Gone { since, given_up: false } => Some(since + TELEPHONE_GONE_LIMIT),
            Telephone::Gone { given_up: true, .. } | Telephone::Unknown | Telephone::There => None,
        };
        desks.chain(given_up).min()
    }

    /// What a volunteer sees; for a device that never started, an ended session.
    pub fn view(&self, device: DeviceId) -> View {
        match self.desks.get(&device) {
            None => View { line: Line::Down, session: SessionView::Ended, last_outcome: None },
            Some(desk) => View {
                line: desk.told.line,
                session: desk.told.session.clone(),
                last_outcome: desk.told.last_outcome.clone(),
            },
        }
    }

    /// How many desks there are by session, for the metrics: (started, in a call).
    pub fn counts(&self) -> (usize, usize) {
        let started = self.desks.values().filter(|desk| !desk.session.is_ended()).count();
        let calling = self.desks.values().filter_map(|desk| desk.session.attempt());
        (started, calling.filter(|attempt| attempt.is_calling()).count())
    }

    fn ask(&mut self, ticket: Ticket, device: DeviceId, ask: Ask, now: i64) {
        if let Ask::Start { campaign } = ask {
            if !self.campaigns.contains_key(&campaign) {
                let why = words::not_found(
                    "The server does not know this campaign. Ask your organiser for a new link",
                );
                return self.outputs.push_back(Output::Answer { ticket, answer: Err(why) });
            }
            let desk = self.desks.entry(device).or_insert_with(|| Desk::new(campaign, now));
            if desk.session.is_ended() {
                desk.campaign = campaign;
            }
        }
        // A correction may come long after the session: it needs a desk, not a start.
        if let Ask::Record { stored: Some(stored), .. } = &ask
            && self.campaigns.contains_key(&stored.contact.campaign)
        {
            self.desks.entry(device).or_insert_with(|| Desk::new(stored.contact.campaign, now));
        }
        if !self.desks.contains_key(&device) {
            let answer = match ask {
                Ask::Stop | Ask::HangUp { .. } => Ok(crate::Answer::Done),
                Ask::Dial { .. } | Ask::Settle { .. } => Err(words::lease_lost()),
                Ask::Record { .. } => {
                    Err(words::not_found("The server does not know this call. Nothing was changed"))
                }
                Ask::Start { .. } | Ask::Pause | Ask::Resume | Ask::OpenLine { .. } => {
                    Err(words::wrong_state("You are not calling. Press Start first"))
                }
            };
            return self.outputs.push_back(Output::Answer { ticket, answer });
        }
        let number_busy = match &ask {
            Ask::Dial { facts: Some(facts), .. } => self.is_in_a_call(&facts.number),
            Ask::Dial { facts: None, .. }
            | Ask::Start { .. }
            | Ask::Pause
            | Ask::Resume
            | Ask::Stop
            | Ask::OpenLine { .. }
            | Ask::HangUp { .. }
            | Ask::Settle { .. }
            | Ask::Record { .. } => false,
        };
        self.at(device, now, "Ask", |desk, scene| {
            desk.seen(scene);
            match ask {
                Ask::Start { .. } => desk.session(SessionInput::Start(ticket), scene),
                Ask::Pause => desk.session(SessionInput::Pause(ticket), scene),
                Ask::Resume => desk.session(SessionInput::Resume(ticket), scene),
                Ask::Stop => desk.session(SessionInput::Stop(ticket), scene),
                Ask::OpenLine { line, token } => desk.open_line(ticket, line, token, scene),
                Ask::Dial { lease, attempt, facts } => {
                    let input = AttemptInput::Dial { ticket, lease, attempt, facts, number_busy };
                    match desk.dialled_before(lease) {
                        Some(before) => scene.dialled(ticket, before),
                        None => desk.session(SessionInput::Attempt(input), scene),
                    }
                }
                Ask::HangUp { attempt } => {
                    if desk.session.attempt().and_then(Attempt::id) == Some(attempt) {
                        desk.session(SessionInput::Attempt(AttemptInput::HangUp { ticket }), scene);
                    } else {
                        scene.done(ticket);
                    }
                }
                Ask::Settle { lease, how } => {
                    let input = AttemptInput::Settle { ticket, lease, how };
                    desk.session(SessionInput::Attempt(input), scene);
                }
                Ask::Record { record, stored } => {
                    desk.record(ticket, record, stored.map(|stored| *stored), scene);
                }
            }
        });
    }

    fn campaign(&mut self, campaign: CampaignRules, now: i64) {
        let id = campaign.id;
        self.campaigns.insert(id, campaign);
        self.look(id, now);
    }

    /// Something changed for all desks of a campaign.
    fn look(&mut self, campaign: CampaignId, now: i64) {
        self.each(now, |desk, scene| {
            if desk.campaign == campaign {
                desk.session(SessionInput::Look, scene);
            }
        });
    }

    fn revoked(&mut self, device: DeviceId, now: i64) {
        if !self.desks.contains_key(&device) {
            return;
        }
        self.at(device, now, "Revoked", |desk, scene| {
            desk.session(SessionInput::Revoked, scene);
            desk.line(LineInput::Close, scene);
        });
    }

    fn leased(&mut self, device: DeviceId, lease: Box<Lease>, now: i64) {
        let contact = lease.contact.contact;
        let is_held = self
            .desks
            .values()
            .filter_map(|desk| desk.session.attempt())
            .any(|attempt| attempt.contact() == Some(contact));
        let is_in_a_call = self.is_in_a_call(&lease.contact.number);
        self.at(device, now, "Leased", |desk, scene| {
            let has_room = desk.session.attempt().is_none();
            if is_held || !has_room {
                // The store broke its promise: one contact, one desk. This lease must not stay.
                scene.unexpected("dialler", "Leased twice");
                desk.send_back(&lease, scene);
                if has_room {
                    desk.session(SessionInput::LeaseFailed, scene);
                }
            } else if is_in_a_call {
                desk.session(SessionInput::LeasedInACall(lease), scene);
            } else {
                desk.session(SessionInput::Leased(lease), scene);
            }
        });
    }

    fn is_in_a_call(&self, number: &Number) -> bool {
        self.desks
            .values()
            .filter_map(|desk| desk.session.attempt())
            .any(|attempt| attempt.number_in_a_call() == Some(number))
    }

    fn saved(&mut self, save: SaveId, failed: Option<SaveRefused>, now: i64) {
        let Some(device) = self.saves.take(save) else {
            let input = if failed.is_some() { "SaveFailed" } else { "Saved" };
            return self.outputs.push_back(Output::Unexpected { state: "dialler", input });
        };
        self.at(device, now, "Saved", |desk, scene| match failed {
            None => desk.saved(save, scene),
            Some(why) => desk.save_failed(save, why, scene),
        });
    }

    fn callee(&mut self, attempt: AttemptId, input: CallInput, now: i64) {
        let owner = self.desks.iter().find(|(_, desk)| {
            desk.session.attempt().is_some_and(|held| held.is_calling() && held.id() == Some(attempt))
        });
        if let Some((&device, _)) = owner {
            return self.at(device, now, "callee", |desk, scene| desk.callee(input, scene));
        }
        match input {
            // The call was given up before; its last news.
            CallInput::Gone { .. } | CallInput::Failed { .. } | CallInput::AnnouncementDone => {}
            CallInput::Created
            | CallInput::InBridge
            | CallInput::Progress
            | CallInput::Ringing
            | CallInput::Up
            | CallInput::HangUp
            | CallInput::LineLost
            | CallInput::LineBack
            | CallInput::LineRevoked
            | CallInput::Found(_)
            | CallInput::NotFound
            | CallInput::Tick => {
                self.outputs.push_back(Output::Unexpected { state: "no call", input: "a callee's channel" });
                self.outputs.push_back(Output::HangUp { attempt, why: HangUpWhy::Stray });
            }
        }
    }

    fn telephone_back(&mut self, calls: &[CallFacts], lines: Vec<LineFacts>, now: i64) {
        self.telephone = Telephone::There;
        let mut found: BTreeMap<DeviceId, LineFacts> = BTreeMap::new();
        for facts in lines {
            let device = facts.device;
            let desk = self.desks.get(&device);
            if desk.is_none() && !self.campaigns.contains_key(&facts.campaign) {
                self.outputs.push_back(Output::DropLine { device, line: facts.line });
                continue;
            }
            let is_known = desk.is_some_and(|desk| desk.line.is(&facts.line));
            match found.get_mut(&device) {
                None => {
                    found.insert(device, facts);
                }
                Some(first) => {
                    let other = if is_known { std::mem::replace(first, facts) } else { facts };
                    self.outputs.push_back(Output::DropLine { device, line: other.line });
                }
            }
        }
        for (device, facts) in &found {
            self.desks.entry(*device).or_insert_with(|| {
                let mut desk = Desk::new(facts.campaign, now);
                desk.session = Session::resumed();
                desk
            });
        }
        let mut owned = BTreeSet::new();
        self.each(now, |desk, scene| {
            let attempt = desk.session.attempt().and_then(Attempt::id);
            let channel = calls.iter().find(|call| Some(call.attempt) == attempt);
            owned.extend(channel.map(|call| call.attempt));
            let call = channel.map_or(CallInput::NotFound, |call| CallInput::Found(call.state));
            desk.reconcile(call, found.remove(&scene.device).map(|facts| facts.line), scene);
        });
        for call in calls.iter().filter(|call| !owned.contains(&call.attempt)) {
            self.outputs.push_back(Output::HangUp { attempt: call.attempt, why: HangUpWhy::Stray });
        }
    }

    fn adopt(&mut self, adopted: Adopted, now: i64) {
        let Adopted { attempt, device, lease, state, dialled_at, kept } = adopted;
        if matches!(self.telephone, Telephone::Unknown) {
            self.telephone = Telephone::Gone { since: now, given_up: false };
        }
        let campaign = lease.contact.campaign;
        if !self.campaigns.contains_key(&campaign) || self.desks.contains_key(&device) {
            let input = "Adopted, of an unknown campaign or a second one for a device";
            return self.outputs.push_back(Output::Unexpected { state: "dialler", input });
        }
        self.desks.insert(device, Desk::new(campaign, now));
        self.at(device, now, "Adopted", |desk, scene| {
            let call =
                |ringing_at, answered_at| call::adopted(attempt, dialled_at, ringing_at, answered_at, now);
            let held = match state {
                AdoptedState::Dialling => Attempt::adopted_call(lease, call(None, None), kept, scene),
                AdoptedState::Ringing { ringing_at } => {
                    Attempt::adopted_call(lease, call(Some(ringing_at), None), kept, scene)
                }
                AdoptedState::Talking { ringing_at, answered_at } => {
                    Attempt::adopted_call(lease, call(ringing_at, Some(answered_at)), kept, scene)
                }
                AdoptedState::WrapUp { ringing_at, answered_at, ended_at, by } => {
                    let ended = call::Ended {
                        attempt,
                        ringing_at,
                        answered_at: Some(answered_at),
                        at: ended_at,
                        by,
                        cause: None,
                        verdict: None,
                    };
                    Attempt::adopted_wrap_up(lease, ended)
                }
            };
            desk.session = Session::adopted(held);
        });
    }

    fn tick(&mut self, now: i64) {
        if let Telephone::Gone { since, given_up } = &mut self.telephone
            && !*given_up
            && now >= *since + TELEPHONE_GONE_LIMIT
        {
            *given_up = true;
            self.each(now, |desk, scene| desk.callee(CallInput::NotFound, scene));
        }
        self.each(now, Desk::tick);
    }

    fn each(&mut self, now: i64, mut act: impl FnMut(&mut Desk, &mut Scene<'_>)) {
        let devices: Vec<DeviceId> = self.desks.keys().copied().collect();
        for device in devices {
            self.at(device, now, "each", &mut act);
        }
    }

    /// Lets one desk act, tells its volunteer what is new, and lets waiting desks know of a
    /// contact that went back.
    fn at(
        &mut self,
        device: DeviceId,
        now: i64,
        input: &'static str,
        act: impl FnOnce(&mut Desk, &mut Scene<'_>),
    ) {
        let known = self.desks.get_mut(&device);
        let Some((desk, campaign)) = known.and_then(|desk| {
            let campaign = self.campaigns.get(&desk.campaign)?;
            Some((desk, campaign))
        }) else {
            return self.outputs.push_back(Output::Unexpected { state: "no desk", input });
        };
        let mut scene = Scene {
            now,
            device,
            campaign,
            telephone: matches!(self.telephone, Telephone::There),
            line_up: desk.line.is_up(),
            present: desk.is_present(now),
            contact_is_due: false,
            out: &mut self.outputs,
            saves: &mut self.saves,
        };
        act(desk, &mut scene);
        desk.tell(&mut scene);
        if scene.contact_is_due {
            let campaign = campaign.id;
            let waiting: Vec<DeviceId> = self
                .desks
                .iter()
                .filter(|(_, desk)| desk.campaign == campaign && desk.session.is_waiting())
                .map(|(device, _)| *device)
                .collect();
            for device in waiting {
                self.at(device, now, "look", Desk::look);
            }
        }
    }
}
