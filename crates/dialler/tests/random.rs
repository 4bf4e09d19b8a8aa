//! Whatever comes in whatever order: nothing panics, nobody is rung twice, nothing stays open.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "each test file uses a part of the support")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants and fails on the rest")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use dialler::{
    Adopted, AdoptedState, Ask, CallFacts, CampaignRules, ChannelState, Fault, Input, Lease, LineId,
    LineToken, Output, Ticket, TrunkLimits, Write,
};
use proptest::{prelude::*, strategy::ValueTree};
use protocol::{
    call::{CallState, EndedBy},
    contact::Card,
    http::{RecordOutcome, Settle},
    ids::{AttemptId, DeviceId},
    line::Line,
    outcome::{Outcome, RingAgain},
    session::{Pause, Session},
    times::RingingTimes,
};
use support::*;

const DEVICES: u32 = 3;

/// One step; the numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    /// What would come next on an ordinary evening.
    Next {
        device: u32,
        which: u8,
    },
    Ask {
        device: u32,
        what: u8,
        which: u8,
    },
    Ping {
        device: u32,
    },
    Revoke {
        device: u32,
    },
    /// News of the store are delivered: of all that wait, this one.
    News {
        which: u8,
    },
    Line {
        device: u32,
        up: bool,
    },
    Callee {
        which: u8,
        what: u8,
        cause: u16,
    },
    Sound {
        device: u32,
        gets_through: bool,
    },
    Telephone {
        there: bool,
        keeps: u8,
    },
    Disk {
        full: bool,
    },
    Restart {
        keeps: u8,
    },
    Pass {
        ms: i64,
    },
    /// Somebody sets the clock.
    Set {
        ms: i64,
    },
    Organiser {
        pauses: bool,
        callable: bool,
    },
    /// 0: any number.
    Trunk {
        channels: u32,
        calls_per_second: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..DEVICES;
    prop_oneof![
        40 => (device.clone(), any::<u8>()).prop_map(|(device, which)| Step::Next { device, which }),
        8 => (device.clone(), 0u8..9, any::<u8>()).prop_map(|(device, what, which)| Step::Ask { device, what, which }),
        2 => device.clone().prop_map(|device| Step::Ping { device }),
        1 => device.clone().prop_map(|device| Step::Revoke { device }),
        8 => any::<u8>().prop_map(|which| Step::News { which }),
        3 => (device.clone(), prop::bool::weighted(0.8)).prop_map(|(device, up)| Step::Line { device, up }),
        3 => (device, prop::bool::weighted(0.7)).prop_map(|(device, gets_through)| Step::Sound { device, gets_through }),
        8 => (any::<u8>(), 0u8..8, 0u16..45).prop_map(|(which, what, cause)| Step::Callee { which, what, cause }),
        1 => (any::<bool>(), any::<u8>()).prop_map(|(there, keeps)| Step::Telephone { there, keeps }),
        1 => prop::bool::weighted(0.3).prop_map(|full| Step::Disk { full }),
        1 => any::<u8>().prop_map(|keeps| Step::Restart { keeps }),
        3 => prop_oneof![0i64..2 * SECOND, 0i64..MINUTE, 0i64..40 * MINUTE].prop_map(|ms| Step::Pass { ms }),
        1 => (-6 * HOUR..6 * HOUR).prop_map(|ms| Step::Set { ms }),
        1 => (prop::bool::weighted(0.3), prop::bool::weighted(0.8))
            .prop_map(|(pauses, callable)| Step::Organiser { pauses, callable }),
        1 => (0u32..3, 0u32..3)
            .prop_map(|(channels, calls_per_second)| Step::Trunk { channels, calls_per_second }),
    ]
}

struct Chaos {
    world: World,
    rules: CampaignRules,
    /// The last line asked for, by device.
    lines: BTreeMap<DeviceId, (LineId, LineToken)>,
    asked: Vec<Ticket>,
    /// Which news of a callee's channel came.
    stage: BTreeSet<(AttemptId, u8)>,
    serial: u32,
}

impl Chaos {
    fn new() -> Self {
        let (world, rules) = (World::new(campaign(), 6), campaign());
        Chaos { world, rules, lines: BTreeMap::new(), asked: Vec::new(), stage: BTreeSet::new(), serial: 0 }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Next { device, which } => self.next(device_id(*device), *which),
            Step::Ask { device, what, which } => self.ask(device_id(*device), *what, *which),
            Step::Ping { device } => self.world.give(Input::Ping { device: device_id(*device) }),
            Step::Revoke { device } => self.world.give(Input::Revoked { device: device_id(*device) }),
            Step::News { which } => {
                // Each desk's answers keep their order, as the store's do.
                let at = usize::from(*which) % self.world.news.len().max(1);
                if *which < 200 {
                    self.deliver_first();
                } else if let Some(news) = self.world.news.remove(at) {
                    self.world.give(news);
                }
            }
            Step::Line { device, up } => {
                let device = device_id(*device);
                let line =
                    self.lines.get(&device).map_or(LineId("none".to_owned()), |(line, _)| line.clone());
                let news =
                    if *up { Input::LineAnswered { device, line } } else { Input::LineGone { device, line } };
                self.world.give(news);
            }
            Step::Sound { device, gets_through } => {
                let device = device_id(*device);
                let token =
                    self.lines.get(&device).map_or(LineToken("none".to_owned()), |(_, token)| token.clone());
                self.sound(device, token, *gets_through);
            }
            Step::Callee { which, what, cause } => self.callee(*which, *what, *cause),
            Step::Telephone { there: false, .. } => self.world.give(Input::TelephoneGone),
            Step::Telephone { there: true, keeps } => self.back(*keeps),
            Step::Disk { full } => self.world.disk_is_full = *full,
            Step::Restart { keeps } => {
                self.restart();
                self.back(*keeps);
            }
            Step::Pass { ms } => {
                self.world.now += ms;
                self.world.give(Input::Tick);
            }
            Step::Set { ms } => {
                self.world.set_by = *ms;
                self.world.give(Input::Tick);
            }
            Step::Organiser { pauses, callable } => {
                let pause = pauses.then(|| Pause { by: Some("Ruth".to_owned()), message: None });
                self.rules = CampaignRules { pause, callable: *callable, ..campaign() };
                self.world.give(Input::Campaign(self.rules.clone()));
            }
            Step::Trunk { channels, calls_per_second } => {
                let limits = TrunkLimits {
                    channels: NonZeroU32::new(*channels),
                    calls_per_second: NonZeroU32::new(*calls_per_second),
                };
                self.world.give(Input::TrunkLimits(limits));
            }
        }
        self.check();
    }

    /// Delivers the oldest news, or does what this volunteer, or their callee, would do now.
    fn next(&mut self, device: DeviceId, which: u8) {
        self.world.now += i64::from(which) * 20;
        if !self.world.news.is_empty() {
            return self.deliver_first();
        }
        let view = self.world.view(device);
        let open = self.world.attempts.iter().find(|(_, row)| row.device == device && row.state != "closed");
        let attempt = open.map_or(attempt_id(1), |(id, _)| *id);
        match (&view.line, &view.session) {
            (_, Session::Ended) => self.ask(device, 0, which),
            (Line::Opening, _) => {
                let (line, token) = self.lines[&device].clone();
                match which % 8 {
                    0..4 => self.world.give(Input::LineAnswered { device, line }),
                    way => self.sound(device, token, way < 7),
                }
            }
            (Line::Down | Line::Lost { .. }, _) => self.ask(device, 4, which),
            (_, Session::Ready { .. }) => self.ask(device, 5, which),
            (_, Session::Paused { .. }) => self.ask(device, 2, which),
            (_, Session::Dialling { call, .. })
                if matches!(call.state, CallState::InLine { .. }) && which < 64 =>
            {
                let ticket = self.world.ticket();
                self.asked.push(ticket);
                let ask = Ask::HangUp { attempt: call.attempt_id };
                self.world.give(Input::Ask { ticket, device, ask });
            }
            (_, Session::Dialling { call, .. }) => self.world.give(match call.state {
                CallState::InLine { .. } => Input::Tick,
                CallState::Dialling { .. } if self.stage.insert((attempt, 0)) => {
                    Input::CalleeCreated { attempt }
                }
                CallState::Dialling { .. } if self.stage.insert((attempt, 1)) => {
                    Input::CalleeInBridge { attempt }
                }
                CallState::Dialling { .. } if which < 128 => Input::CalleeRinging { attempt },
                _ if which < 64 => Input::CalleeGone { attempt, cause: 17, sip: None },
                _ => Input::CalleeUp { attempt },
            }),
            (_, Session::Talking { .. }) if which < 100 => self.ask(device, 8, which),
            (_, Session::Talking { .. }) => {
                self.world.give(Input::CalleeGone { attempt, cause: 16, sip: None })
            }
            (_, Session::WrapUp { .. }) => self.ask(device, 8, which),
            (_, Session::Waiting { .. }) => {
                self.world.give(Input::Ping { device });
                self.world.give(Input::Tick);
            }
        }
    }

    fn deliver_first(&mut self) {
        if let Some(news) = self.world.news.pop_front() {
            self.world.give(news);
        }
    }

    fn ask(&mut self, device: DeviceId, what: u8, which: u8) {
        self.serial += 1;
        let leases: Vec<_> = self.world.rows.iter().filter_map(|row| row.leased).collect();
        let mine = leases.iter().find(|(_, holder)| *holder == device).map(|(lease, _)| *lease);
        let lease = mine.unwrap_or(lease_id(u32::from(which)));
        let ask = match what {
            0 => Ask::Start { campaign: campaign_id(0) },
            1 => Ask::Pause,
            2 => Ask::Resume,
            3 if which < 40 => Ask::Stop,
            3 | 4 => {
                let line = LineId(format!("line {}", self.serial));
                let token = LineToken(self.serial.to_string());
                self.lines.insert(device, (line.clone(), token.clone()));
                Ask::OpenLine { line, token }
            }
            5 => {
                let facts = self.world.facts(lease);
                Ask::Dial { lease, attempt: attempt_id(10_000 + self.serial), facts }
            }
            6 => Ask::HangUp { attempt: self.attempt(which) },
            7 => {
                let how = match which % 3 {
                    0 => Settle::Skip,
                    1 => Settle::Later { again: RingAgain::Tomorrow },
                    _ => Settle::DoNotCall,
                };
                Ask::Settle { lease, how }
            }
            _ => {
                let open =
                    self.world.attempts.iter().find(|(_, row)| row.device == device && row.state != "closed");
                let attempt_id = open.filter(|_| which < 200).map_or(self.attempt(which), |(id, _)| *id);
                let outcome = Outcome::KEYS[usize::from(which) % 9];
                let again = which.is_multiple_of(2).then_some(RingAgain::InAnHour);
                let id = outcome_id(self.serial.saturating_sub(u32::from(which) % 5));
                let record = RecordOutcome { id, attempt_id, outcome, note: None, again };
                // The server reads the row of this device only.
                let is_own = self.world.attempts.get(&attempt_id).is_some_and(|row| row.device == device);
                let stored = is_own.then(|| self.world.stored(attempt_id).unwrap());
                Ask::Record { record, stored }
            }
        };
        let ticket = self.world.ticket();
        self.asked.push(ticket);
        self.world.give(Input::Ask { ticket, device, ask });
    }

    fn sound(&mut self, device: DeviceId, token: LineToken, gets_through: bool) {
        let ticket = self.world.ticket();
        self.asked.push(ticket);
        self.world.give(Input::Ask { ticket, device, ask: Ask::LineSound { token, gets_through } });
    }

    fn attempt(&self, which: u8) -> AttemptId {
        let newest: Vec<&AttemptId> = self.world.attempts.keys().rev().take(4).collect();
        newest.get(usize::from(which) % 4).map_or(attempt_id(1), |id| **id)
    }

    fn callee(&mut self, which: u8, what: u8, cause: u16) {
        let attempt = self.attempt(which);
        self.world.give(match what {
            0 => Input::CalleeCreated { attempt },
            1 => Input::CalleeInBridge { attempt },
            2 => Input::CalleeProgress { attempt },
            3 => Input::CalleeRinging { attempt },
            4 => Input::CalleeUp { attempt },
            5 => Input::CalleeGone { attempt, cause, sip: None },
            6 if cause.is_multiple_of(2) => Input::CalleeUnheard { attempt },
            6 => Input::CalleeFailed { attempt, fault: Fault::Telephone, why: "no such trunk".to_owned() },
            _ => Input::AnnouncementDone { attempt },
        });
    }

    fn back(&mut self, keeps: u8) {
        let states = [ChannelState::Down, ChannelState::Ringing, ChannelState::Up];
        let created = self.world.created.iter().filter(|id| self.world.attempts[id].state != "closed");
        let calls = created
            .enumerate()
            .filter(|(n, _)| keeps >> (n % 8) & 1 == 1)
            .map(|(n, attempt)| CallFacts { attempt: *attempt, state: states[(n + usize::from(keeps)) % 3] })
            .collect();
        self.world.give(Input::TelephoneBack { calls, lines: Vec::new() });
    }

    fn restart(&mut self) {
        self.asked.clear();
        let world = &mut self.world;
        world.restart(self.rules.clone());
        let open: Vec<_> = world
            .attempts
            .iter()
            .filter(|(_, row)| row.state != "closed")
            .map(|(id, row)| (*id, row.clone()))
            .collect();
        for row in &mut world.rows {
            let has_attempt = |lease| open.iter().any(|(_, attempt)| attempt.lease == lease);
            row.leased = row.leased.filter(|(lease, _)| has_attempt(*lease));
        }
        for (attempt, row) in open {
            let at = row.dialled_at;
            let state = match row.state {
                "ringing" => AdoptedState::Ringing { ringing_at: at },
                "talking" => AdoptedState::Talking { ringing_at: None, answered_at: at },
                "wrap-up" => AdoptedState::WrapUp {
                    ringing_at: None,
                    answered_at: at,
                    ended_at: row.ended_at.unwrap(),
                    by: EndedBy::Callee,
                },
                _ => AdoptedState::Dialling,
            };
            let contact = world.row(row.contact).facts.clone();
            let card = Card {
                lease_id: row.lease,
                name: "Margaret Hollis".to_owned(),
                form_of_address: String::new(),
                flag: None,
                facts: Vec::new(),
                number: contact.number.masked(),
                attempt: 1,
                attempts_allowed: 3,
                script: Vec::new(),
                times: RingingTimes::default(),
            };
            let lease = Lease { id: row.lease, contact, card, expires_at: world.now };
            let kept = row.outcome_id.zip(row.outcome).map(|(id, outcome)| RecordOutcome {
                id,
                attempt_id: attempt,
                outcome,
                note: None,
                again: None,
            });
            let adopted = Adopted { attempt, device: row.device, lease, state, dialled_at: at, kept };
            world.give(Input::Adopted(Box::new(adopted)));
        }
    }

    fn check(&self) {
        let mut open: BTreeMap<DeviceId, u32> = BTreeMap::new();
        for row in self.world.attempts.values().filter(|row| row.state != "closed") {
            *open.entry(row.device).or_default() += 1;
        }
        assert!(open.values().all(|calls| *calls == 1), "two open calls for one device: {open:?}");
        for (id, row) in &self.world.attempts {
            assert!(row.closed <= 1, "{id:?} was closed {} times", row.closed);
            assert!(row.state != "closed" || row.outcome.is_some(), "{id:?} was closed without an outcome");
        }
    }

    /// The disk has room, the store answers, the channels are gone, and time passes.
    fn settle(&mut self) {
        self.world.disk_is_full = false;
        while !self.world.news.is_empty() {
            self.deliver_first();
        }
        self.world.feed(Input::TelephoneBack { calls: Vec::new(), lines: Vec::new() });
        self.world.pass(HOUR, &[]);
        self.check();
        for (id, row) in &self.world.attempts {
            assert_eq!((row.state, row.closed), ("closed", 1), "{id:?} of {:?} stayed open", row.device);
        }
        for ticket in &self.asked {
            assert!(self.world.answers.contains_key(ticket), "{ticket:?} was never answered");
        }
        let held: Vec<_> = self.world.rows.iter().filter(|row| row.leased.is_some()).collect();
        assert!(held.is_empty(), "nobody is there, and {held:?} is held");
        assert_eq!(self.world.dialler.counts(), (0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn nobody_is_rung_twice_and_nothing_stays_open(steps in prop::collection::vec(step(), 0..200)) {
        let mut chaos = Chaos::new();
        for step in &steps {
            chaos.take(step);
        }
        chaos.settle();
    }
}

#[test]
fn random_evenings_do_reach_calls() {
    // The property above proves little if nothing is ever dialled.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(step(), 150..200);
    let (mut dialled, mut answered, mut kept) = (0, 0, 0);
    for _ in 0..300 {
        let steps = strategy.new_tree(&mut runner).unwrap().current();
        let mut chaos = Chaos::new();
        for step in &steps {
            chaos.take(step);
        }
        let writes = |wanted: fn(&Write) -> bool| {
            let said = chaos.world.said.iter();
            said.filter(|output| matches!(output, Output::Save { write, .. } if wanted(write))).count()
        };
        dialled += chaos.world.created.len();
        answered += writes(|write| matches!(write, Write::Progress(progress) if progress.state == "talking"));
        kept += writes(|write| matches!(write, Write::Keep(_)));
    }
    assert!(
        dialled > 100 && answered > 10 && kept > 1,
        "{dialled} dialled, {answered} answered, {kept} kept"
    );
}
