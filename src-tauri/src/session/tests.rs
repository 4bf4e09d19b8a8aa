//! The session through its front door, in made-up time.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use protocol::{
    attempt::LastOutcome,
    call::{Call, CallState as CalleeState, EndedBy},
    campaign::{Campaign, Mode},
    contact::Card,
    events::Change,
    http::{ApiError, ErrorCode},
    ids::{AttemptId, CampaignId, DeviceId, LeaseId},
    line::Line as ServersLine,
    outcome::WrittenBy,
    session::{Desk, Session, Waiting},
    times::RingingTimes,
    trunk::{Complaint, NextTry, Trunk},
};
use softphone::{
    CallState, Codec, DeviceState, EndedBy as Ender, Missing, Quality, Reason, Registration, Why,
};

use super::*;
use crate::{
    live::Closed,
    view::{DeskView, Invitation, LineView, OutcomePress, Screen, Trouble},
};

mod any_order;
mod calls;
mod joining;
mod line;
mod outcomes;
mod sound;
mod trouble;

const LINE: CallId = CallId(7);

/// An app, its clock, and what it wanted done.
struct Bench {
    app: App,
    now: i64,
    done: Vec<Effect>,
}

fn campaign() -> Campaign {
    Campaign {
        id: CampaignId::new(Uuid::from_u128(1)),
        name: "Winter Warmth".into(),
        organisation: "Lantern Street Trust".into(),
        mode: Mode::OneTouch,
        organiser: "Ruth".into(),
    }
}

fn device() -> Device {
    Device {
        id: DeviceId::new(Uuid::from_u128(2)),
        server: "https://calls.example:8443".parse().unwrap(),
        authority: None,
        volunteer: "Maya".into(),
        campaign: campaign(),
    }
}

fn card() -> Card {
    Card {
        lease_id: LeaseId::new(Uuid::from_u128(3)),
        name: "Margaret Hollis".into(),
        form_of_address: "Mrs Hollis".into(),
        flag: None,
        facts: vec![],
        number: serde_json::from_str("\"+44 7700 ••• 001\"").unwrap(),
        attempt: 1,
        attempts_allowed: 3,
        script: vec![],
        times: RingingTimes::default(),
    }
}

fn attempt_id() -> AttemptId {
    AttemptId::new(Uuid::from_u128(4))
}

fn call(state: CalleeState) -> Call {
    Call { attempt_id: attempt_id(), state }
}

fn ready() -> Session {
    Session::Ready { card: card() }
}

fn ringing(early_media: bool) -> Session {
    Session::Dialling { card: card(), call: call(CalleeState::Ringing { since_ms: 0, early_media }) }
}

fn talking() -> Session {
    Session::Talking { card: card(), call: call(CalleeState::Talking { since_ms: 0 }) }
}

fn wrap_up() -> Session {
    Session::WrapUp { card: card(), call: call(CalleeState::Ended { by: EndedBy::Callee, talked_ms: 9 }) }
}

fn desk(session: Session, line: ServersLine) -> Desk {
    Desk {
        volunteer: "Maya".into(),
        campaign: campaign(),
        line,
        session,
        last_outcome: None,
        trunk: Trunk::Open,
    }
}

fn refused(status: u16, code: ErrorCode) -> RequestError {
    RequestError::Refused { status, error: ApiError::new(code, "Because") }
}

fn away() -> RequestError {
    RequestError::Unreachable { why: "connection refused".into() }
}

fn record(outcome: Outcome) -> RecordOutcome {
    RecordOutcome {
        id: OutcomeId::new(Uuid::now_v7()),
        attempt_id: attempt_id(),
        outcome,
        note: None,
        again: None,
    }
}

fn press(outcome: Outcome) -> OutcomePress {
    OutcomePress { outcome, note: None, again: None }
}

fn written_id(effect: &Effect) -> Option<OutcomeId> {
    if let Effect::Write(kept) = effect { Some(kept.record.id) } else { None }
}

impl Bench {
    /// A computer that never joined.
    fn new() -> Self {
        Self { app: App::new(1_000_000), now: 1_000_000, done: vec![] }
    }

    /// Joined, signed in, `/live` up with this session, registered.
    fn with(session: Session, line: ServersLine) -> Self {
        let mut bench = Self::new();
        let until = Some(bench.now + 12 * 3_600_000);
        bench.give(Input::Opened(Opened {
            device: Some(device()),
            signed_in_until: until,
            ..Opened::default()
        }));
        bench.live_up(session, line);
        bench.give(Input::Phone(Event::Registration(Registration::Registered)));
        bench
    }

    /// The same with the line up.
    fn on_the_line(session: Session) -> Self {
        let mut bench = Self::with(session, ServersLine::Opening);
        bench.line_up(LINE);
        bench.give(Input::Live(News::Change(Box::new(Change::Line(ServersLine::Up)))));
        bench.done.clear();
        bench
    }

    fn live_up(&mut self, session: Session, line: ServersLine) {
        self.give(Input::Live(News::Hello { now_ms: self.now }));
        self.give(Input::Live(News::Snapshot(Box::new(desk(session, line)))));
    }

    fn line_up(&mut self, id: CallId) {
        let state = CallState::Up { codec: Codec::Opus, line: true };
        self.give(Input::Phone(Event::Call { id, state }));
    }

    fn session(&mut self, session: Session) {
        self.give(Input::Live(News::Change(Box::new(Change::Session(session)))));
    }

    fn trunk(&mut self, trunk: Trunk) {
        self.give(Input::Live(News::Change(Box::new(Change::Trunk(trunk)))));
    }

    fn give(&mut self, input: Input) {
        self.app.handle(input, self.now).unwrap();
        self.done.extend(self.app.effects());
    }

    fn press(&mut self, request: Request) -> Result<(), Refusal> {
        let answer = self.app.handle(Input::Press(request, Uuid::now_v7()), self.now);
        self.done.extend(self.app.effects());
        answer
    }

    /// Time goes by, and the app wakes when it asked for it.
    fn wait(&mut self, ms: i64) {
        let end = self.now + ms;
        while let Some(wake) = self.app.next_wake().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            let before = self.done.len();
            self.give(Input::Tick);
            if self.done.len() == before && self.app.next_wake() == Some(wake) {
                panic!("woken at {wake} for nothing: the task would spin");
            }
        }
        self.now = end;
        self.give(Input::Tick);
    }

    fn lose_the_server(&mut self) {
        self.give(Input::Live(News::Closed(Closed::Unreachable { why: "reset".into() })));
        self.wait(300);
        self.give(Input::Live(News::Closed(Closed::Unreachable { why: "refused".into() })));
    }

    fn took(&mut self, wanted: &Effect) -> usize {
        let count = self.done.iter().filter(|effect| *effect == wanted).count();
        self.done.retain(|effect| effect != wanted);
        count
    }

    fn desk(&self) -> DeskView {
        match self.app.view().screen {
            Screen::Desk(desk) => *desk,
            other @ (Screen::Opening | Screen::Join { .. }) => panic!("not the desk: {other:?}"),
        }
    }

    fn troubles(&self) -> Vec<Trouble> {
        self.app.view().troubles
    }

    fn written(&mut self, on_disk: bool) -> OutcomeId {
        let id = self.done.iter().find_map(written_id).expect("an outcome is written before it is sent");
        self.done.retain(|effect| !matches!(effect, Effect::Write(_)));
        self.give(Input::Written(id, on_disk));
        id
    }

    fn delivers(&mut self) -> Option<RecordOutcome> {
        let at = self.done.iter().position(|effect| matches!(effect, Effect::Deliver(_)))?;
        if let Effect::Deliver(record) = self.done.remove(at) { Some(record) } else { None }
    }
}
