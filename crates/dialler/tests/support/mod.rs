//! A server made of lists: it carries out what the dialler asks for, checks on the way that
//! nobody is rung twice, and keeps what was said.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dialler::{
    Answer, Ask, CallFacts, CampaignRules, ContactFacts, ContactNext, Dialler, DoNotCall, Input, Lease,
    LineFacts, LineId, LineToken, Now, Output, Place, Progress, Released, SaveRefused, StoredAttempt, Ticket,
    View, Write,
    hours::{Hours, Region, zone},
};
use protocol::{
    call::EndedBy,
    contact::Card,
    http::{ApiError, RecordOutcome},
    ids::{AttemptId, CampaignId, ContactId, DeviceId, LeaseId, OutcomeId},
    number::Number,
    outcome::{Outcome, RingAgain},
    session::Session,
    times::RingingTimes,
};
use uuid::Uuid;

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;

/// Monday 23 November 2026, 12:00 in London.
pub const NOON: i64 = 1_795_435_200_000;

/// A place at home, in any of these zones.
pub fn at(zones: &[&str]) -> Place {
    Place { zones: zones.iter().map(|name| zone(name).unwrap()).collect(), abroad: false }
}

macro_rules! numbered {
    ($($name:ident -> $id:ident, $kind:expr);+ $(;)?) => {$(
        pub fn $name(n: u32) -> $id {
            $id::new(Uuid::from_u128(($kind as u128) << 64 | u128::from(n)))
        }
    )+};
}
numbered! {
    attempt_id -> AttemptId, 1;
    campaign_id -> CampaignId, 2;
    contact_id -> ContactId, 3;
    device_id -> DeviceId, 4;
    lease_id -> LeaseId, 5;
    outcome_id -> OutcomeId, 6;
}

pub fn number(n: u32) -> Number {
    Number::from_e164(&format!("+447700900{n:03}")).unwrap()
}

/// A campaign towards a simulated trunk, as the defaults of the United Kingdom have it.
pub fn campaign() -> CampaignRules {
    CampaignRules {
        id: campaign_id(0),
        zone: zone("Europe/London").unwrap(),
        abroad: false,
        region: Region::EnglandAndWales,
        hours: Hours::Rules,
        spacing_ms: 2 * HOUR,
        attempts_allowed: 3,
        ring_timeout_ms: 25 * SECOND,
        caller_id: Number::from_e164("+442079460000").unwrap(),
        pause: None,
        callable: true,
    }
}

/// A row of the list.
#[derive(Debug, Clone)]
pub struct Row {
    pub facts: ContactFacts,
    pub due_at: i64,
    pub leased: Option<(LeaseId, DeviceId)>,
    pub last: Option<Outcome>,
}

/// A row of the attempts.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    pub contact: ContactId,
    pub device: DeviceId,
    pub lease: LeaseId,
    pub state: &'static str,
    pub outcome: Option<Outcome>,
    pub outcome_id: Option<OutcomeId>,
    pub dialled_at: i64,
    pub ended_at: Option<i64>,
    /// How far the call came, as far as it was told.
    pub call: Option<Progress>,
    /// How often it was closed by other than a correction.
    pub closed: u32,
    /// It is one of its contact's attempts.
    pub counts: bool,
}

impl AttemptRow {
    /// As the store reads it.
    fn may_have_talked(&self) -> bool {
        let Some(call) = &self.call else { return true };
        let nobody_saw = call.ended_by != Some(EndedBy::Volunteer) && call.cause.unwrap_or(0) == 0;
        call.answered_at.is_some() || nobody_saw
    }
}

#[derive(Default)]
pub struct World {
    pub dialler: Dialler,
    /// UTC epoch milliseconds, as an undisturbed clock would have it.
    pub now: i64,
    /// How far somebody set the clock on the wall ahead of that.
    pub set_by: i64,
    pub rows: Vec<Row>,
    pub attempts: BTreeMap<AttemptId, AttemptRow>,
    /// What the store and Asterisk have to say, not yet delivered.
    pub news: VecDeque<Input>,
    /// Every output, in order.
    pub said: Vec<Output>,
    pub answers: BTreeMap<Ticket, Result<Answer, ApiError>>,
    pub created: BTreeSet<AttemptId>,
    pub unexpected: Vec<(&'static str, &'static str)>,
    pub disk_is_full: bool,
    tickets: u64,
    leases: u32,
    presses: u32,
    lines: u32,
}

impl World {
    pub fn new(rules: CampaignRules, contacts: u32) -> Self {
        let mut world = World { now: NOON, ..World::default() };
        for n in 0..contacts {
            let facts = ContactFacts {
                contact: contact_id(n),
                campaign: rules.id,
                number: number(n),
                place: at(&["Europe/London"]),
                from_import: true,
                do_not_call: false,
                open: true,
                promised: None,
                attempts: 0,
                dialled: Vec::new(),
                uncounted: 0,
            };
            world.rows.push(Row { facts, due_at: 0, leased: None, last: None });
        }
        world.feed(Input::Campaign(rules));
        world.feed(Input::TelephoneBack { calls: Vec::new(), lines: Vec::new() });
        world
    }

    /// One input, then all news that come of it.
    pub fn feed(&mut self, input: Input) {
        self.give(input);
        while let Some(news) = self.news.pop_front() {
            self.give(news);
        }
    }

    /// One input, and its outputs carried out; what comes of them waits in `news`.
    pub fn give(&mut self, input: Input) {
        self.dialler.handle(input, self.time());
        while let Some(output) = self.dialler.poll_output() {
            self.carry_out(&output);
            self.said.push(output);
        }
    }

    /// The two kinds of time are far apart, so that whoever takes one for the other fails.
    pub fn time(&self) -> Now {
        Now { wall: self.wall(), steady: self.now - NOON }
    }

    pub fn wall(&self) -> i64 {
        self.now + self.set_by
    }

    fn next_wake(&self) -> Option<i64> {
        self.dialler.next_wake().map(|steady| steady + NOON)
    }

    /// Time passes; the dialler is woken when it wants to be, and the app pings every 30 s.
    pub fn pass(&mut self, ms: i64, pings: &[DeviceId]) {
        let until = self.now + ms;
        let mut ping_at = self.now + 30 * SECOND;
        let mut wakes_at_once = 0;
        loop {
            let wake = self.next_wake().unwrap_or(i64::MAX).max(self.now);
            let next = wake.min(if pings.is_empty() { i64::MAX } else { ping_at });
            if next > until {
                break;
            }
            self.now = next;
            if next == ping_at && !pings.is_empty() {
                ping_at += 30 * SECOND;
                for device in pings {
                    self.feed(Input::Ping { device: *device });
                }
            }
            self.feed(Input::Tick);
            // A write that was answered meanwhile may leave something due.
            let is_due_again = self.next_wake().is_some_and(|again| again <= self.now);
            wakes_at_once = if is_due_again { wakes_at_once + 1 } else { 0 };
            assert!(wakes_at_once < 3, "it would wake at once for ever");
        }
        self.now = until;
    }

    pub fn ask(&mut self, device: DeviceId, ask: Ask) -> Option<Result<Answer, ApiError>> {
        let ticket = self.ticket();
        self.feed(Input::Ask { ticket, device, ask });
        self.answers.get(&ticket).cloned()
    }

    pub fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Start, and the line is up.
    pub fn start(&mut self, device: DeviceId) {
        let campaign = campaign_id(0);
        assert_eq!(self.ask(device, Ask::Start { campaign }), Some(Ok(Answer::Done)));
        self.open_line(device);
    }

    pub fn open_line(&mut self, device: DeviceId) -> LineId {
        let ask = self.new_line();
        let Ask::OpenLine { line, token } = ask.clone() else { unreachable!() };
        assert_eq!(self.ask(device, ask), Some(Ok(Answer::Done)));
        self.feed(Input::LineAnswered { device, line: line.clone() });
        self.sound(device, token, true);
        line
    }

    /// The app says whether sound gets through on its line.
    pub fn sound(&mut self, device: DeviceId, token: LineToken, gets_through: bool) {
        assert_eq!(self.ask(device, Ask::LineSound { token, gets_through }), Some(Ok(Answer::Done)));
    }

    pub fn new_line(&mut self) -> Ask {
        self.lines += 1;
        let line = LineId(format!("line-{}", self.lines));
        Ask::OpenLine { line, token: LineToken(format!("token {}", self.lines)) }
    }

    /// The line that was asked for last.
    pub fn last_line(&self) -> LineId {
        LineId(format!("line-{}", self.lines))
    }

    pub fn view(&self, device: DeviceId) -> View {
        self.dialler.view(device)
    }

    pub fn card(&self, device: DeviceId) -> Card {
        match self.view(device).session {
            Session::Ready { card } => card,
            other => panic!("no card: {other:?}"),
        }
    }

    pub fn facts(&self, lease: LeaseId) -> Option<ContactFacts> {
        let row = self.rows.iter().find(|row| row.leased.is_some_and(|(held, _)| held == lease))?;
        Some(row.facts.clone())
    }

    pub fn dial_ask(&mut self, lease: LeaseId) -> Ask {
        let attempt = attempt_id(1_000 + self.said.len() as u32);
        Ask::Dial { lease, attempt, facts: self.facts(lease) }
    }

    /// Presses Call; the channel is created, bridged and dialled.
    pub fn dial(&mut self, device: DeviceId) -> AttemptId {
        let lease = self.card(device).lease_id;
        let ask = self.dial_ask(lease);
        let attempt = match self.ask(device, ask) {
            Some(Ok(Answer::Dialled(attempt))) => attempt,
            // The last call was just now.
            Some(Ok(Answer::InLine(attempt))) => {
                while !self.created.contains(&attempt) {
                    assert!(
                        matches!(self.view(device).session, Session::Dialling { .. }),
                        "it does not go out"
                    );
                    let wake = self.next_wake().unwrap();
                    self.pass(wake - self.now, &[]);
                }
                attempt
            }
            answer => panic!("not dialled: {answer:?}"),
        };
        self.is_dialled(attempt);
        attempt
    }

    /// Its channel is created, bridged and dialled.
    pub fn is_dialled(&mut self, attempt: AttemptId) {
        self.feed(Input::CalleeCreated { attempt });
        self.feed(Input::CalleeInBridge { attempt });
        self.feed(Input::CalleeDialled { attempt });
    }

    pub fn answer(&mut self, attempt: AttemptId) {
        self.feed(Input::CalleeRinging { attempt });
        self.now += 5 * SECOND;
        self.feed(Input::CalleeUp { attempt });
    }

    pub fn record(&mut self, attempt: AttemptId, outcome: Outcome) -> RecordOutcome {
        self.presses += 1;
        let again = (outcome == Outcome::Callback).then_some(RingAgain::InAnHour);
        RecordOutcome { id: outcome_id(self.presses), attempt_id: attempt, outcome, note: None, again }
    }

    pub fn press(
        &mut self,
        device: DeviceId,
        attempt: AttemptId,
        outcome: Outcome,
    ) -> Option<Result<Answer, ApiError>> {
        let record = self.record(attempt, outcome);
        let stored = self.stored(attempt);
        self.ask(device, Ask::Record { record, stored })
    }

    pub fn stored(&self, attempt: AttemptId) -> Option<Box<StoredAttempt>> {
        let row = self.attempts.get(&attempt)?;
        let contact = self.row(row.contact).facts.clone();
        let latest = self
            .attempts
            .values()
            .all(|other| other.contact != row.contact || other.dialled_at <= row.dialled_at);
        Some(Box::new(StoredAttempt {
            attempt,
            lease: row.lease,
            contact,
            name: "Margaret Hollis".to_owned(),
            ended_at: row.ended_at.unwrap_or(row.dialled_at),
            outcome: row.outcome,
            outcome_id: row.outcome_id,
            latest,
            devices_last: self
                .attempts
                .values()
                .all(|other| other.device != row.device || other.dialled_at <= row.dialled_at),
            may_have_talked: row.may_have_talked(),
        }))
    }

    pub fn row(&self, contact: ContactId) -> &Row {
        self.rows.iter().find(|row| row.facts.contact == contact).unwrap()
    }

    pub fn outcome(&self, attempt: AttemptId) -> (Option<Outcome>, &'static str) {
        let row = &self.attempts[&attempt];
        (row.outcome, row.state)
    }

    /// The outputs since the mark.
    pub fn since(&self, mark: usize) -> &[Output] {
        &self.said[mark..]
    }

    /// The server stops and starts again with what the store has. Asterisk goes on.
    pub fn restart(&mut self, rules: CampaignRules) {
        self.dialler = Dialler::new();
        self.news.clear();
        self.give(Input::Campaign(rules));
    }

    pub fn back(&mut self, calls: Vec<CallFacts>, lines: Vec<LineFacts>) {
        self.feed(Input::TelephoneBack { calls, lines });
    }

    fn carry_out(&mut self, output: &Output) {
        match output {
            Output::Answer { ticket, answer } => {
                let first = self.answers.insert(*ticket, answer.clone());
                assert!(first.is_none(), "two answers for {ticket:?}");
            }
            Output::WantLease { device, .. } => {
                let news = self.claim(*device);
                self.news.push_back(news);
            }
            Output::Save { save, write } => {
                let news = match self.write(write) {
                    Ok(()) => Input::Saved { save: *save },
                    Err(why) => Input::SaveFailed { save: *save, why },
                };
                self.news.push_back(news);
            }
            Output::CreateChannel { attempt, .. } => {
                assert!(self.attempts.contains_key(attempt), "created before it was committed");
                assert!(self.created.insert(*attempt), "created twice");
                let this = &self.attempts[attempt];
                let is_close = |other: &AttemptRow| {
                    other.counts && (this.dialled_at - other.dialled_at).abs() < 2 * HOUR
                };
                let others = self.created.iter().filter(|id| *id != attempt).map(|id| &self.attempts[id]);
                let twice = others.filter(|other| other.contact == this.contact && is_close(other)).count();
                let asked = self.row(this.contact).facts.promised.is_some_and(|at| this.dialled_at >= at);
                assert!(twice == 0 || asked, "a callee rung twice within two hours, and did not ask for it");
            }
            Output::Unexpected { state, input } => self.unexpected.push((state, input)),
            Output::MakeLine { .. }
            | Output::DropLine { .. }
            | Output::JoinBridge { .. }
            | Output::DialChannel { .. }
            | Output::HangUp { .. }
            | Output::Announce { .. }
            | Output::StopAnnouncement { .. }
            | Output::CallOver { .. }
            | Output::Tell { .. }
            | Output::GoesTooFast { .. }
            | Output::LookForReply { .. }
            | Output::TrunkHealth { .. }
            | Output::TrunkFault { .. } => {}
        }
    }

    fn claim(&mut self, device: DeviceId) -> Input {
        if self.disk_is_full {
            return Input::LeaseFailed { device };
        }
        let (now, expires_at) = (self.wall(), self.time().steady + 90 * SECOND);
        self.leases += 1;
        let lease = lease_id(self.leases);
        assert!(
            self.rows.iter().all(|row| row.leased.is_none_or(|(_, holder)| holder != device)),
            "a second contact for one desk"
        );
        let due =
            self.rows.iter_mut().filter(|row| row.facts.open && row.due_at <= now && row.leased.is_none());
        let Some(row) = due.min_by_key(|row| row.due_at) else {
            let open = self.rows.iter().filter(|row| row.facts.open);
            let next_at = open.clone().map(|row| row.due_at).min();
            return Input::NobodyDue { device, again: open.count() as u32, next_at };
        };
        row.leased = Some((lease, device));
        let card = Card {
            lease_id: lease,
            name: "Margaret Hollis".to_owned(),
            form_of_address: "Mrs Hollis".to_owned(),
            flag: None,
            facts: Vec::new(),
            number: row.facts.number.masked(),
            attempt: row.facts.attempts + 1,
            attempts_allowed: 3,
            script: Vec::new(),
            times: RingingTimes::default(),
        };
        let contact = row.facts.clone();
        Input::Leased { device, lease: Box::new(Lease { id: lease, contact, card, expires_at }) }
    }

    fn write(&mut self, write: &Write) -> Result<(), SaveRefused> {
        if self.disk_is_full {
            return Err(SaveRefused::NoStorage);
        }
        match write {
            Write::Attempt(new) => {
                let row = self.rows.iter_mut().find(|row| row.facts.contact == new.contact).unwrap();
                if row.leased != Some((new.lease, new.device)) {
                    return Err(SaveRefused::LeaseLost);
                }
                row.facts.attempts += 1;
                row.facts.dialled.push(new.dialled_at);
                let attempt = AttemptRow {
                    contact: new.contact,
                    device: new.device,
                    lease: new.lease,
                    state: "dialling",
                    outcome: None,
                    outcome_id: None,
                    dialled_at: new.dialled_at,
                    ended_at: None,
                    call: None,
                    closed: 0,
                    counts: true,
                };
                assert!(self.attempts.insert(new.attempt, attempt).is_none(), "an attempt twice");
            }
            Write::Progress(progress) => {
                let row = self.attempts.get_mut(&progress.attempt).unwrap();
                assert_ne!(row.state, "closed", "progress of a closed attempt");
                row.state = progress.state;
                row.ended_at = progress.ended_at;
                row.call = Some(progress.clone());
            }
            Write::Keep(keep) => {
                let row = self.attempts.get_mut(&keep.attempt).unwrap();
                (row.outcome, row.outcome_id) = (Some(keep.outcome), Some(keep.id));
            }
            Write::Close(close) => {
                let row = self.attempts.get_mut(&close.attempt).unwrap();
                if close.call.is_some() {
                    row.closed += 1;
                    row.call.clone_from(&close.call);
                }
                row.state = "closed";
                row.ended_at = row.ended_at.or(Some(close.at));
                (row.outcome, row.outcome_id) = (Some(close.outcome), close.id.or(row.outcome_id));
                let contact = self.rows.iter_mut().find(|row| row.facts.contact == close.contact_id).unwrap();
                if contact.leased.is_some_and(|(lease, _)| lease == close.lease) {
                    contact.leased = None;
                }
                if !close.counts && std::mem::take(&mut row.counts) {
                    contact.facts.attempts -= 1;
                    contact.facts.dialled.pop();
                    contact.facts.uncounted += 1;
                }
                match close.contact {
                    Some(ContactNext::Due(at)) => (contact.facts.open, contact.due_at) = (true, at),
                    Some(ContactNext::Done) => contact.facts.open = false,
                    None => {}
                }
                if close.contact.is_some() && close.counts {
                    contact.facts.promised = close.again_at;
                }
                match close.do_not_call {
                    DoNotCall::Add => contact.facts.do_not_call = true,
                    DoNotCall::TakeBack => contact.facts.do_not_call = false,
                    DoNotCall::Leave => {}
                }
                contact.last = Some(close.outcome);
            }
            Write::Release(release) => {
                let row = self.rows.iter_mut().find(|row| row.facts.contact == release.contact).unwrap();
                if row.leased.is_some_and(|(lease, _)| lease == release.lease) {
                    row.leased = None;
                }
                match release.how {
                    Released::Expired | Released::GivenBack => {}
                    Released::Skipped { .. } => row.due_at += 1,
                    Released::Later { due_at } | Released::Refused { due_at: Some(due_at) } => {
                        row.due_at = due_at
                    }
                    Released::DoNotCall => (row.facts.open, row.facts.do_not_call) = (false, true),
                    Released::Refused { due_at: None } => row.facts.open = false,
                }
            }
            Write::Renew { .. } => {}
        }
        Ok(())
    }
}
