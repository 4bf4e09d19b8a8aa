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

#[test]
fn a_link_leads_to_a_session_and_a_line() {
    let mut bench = Bench::new();
    assert_eq!(bench.app.view().screen, Screen::Opening);
    bench.give(Input::Opened(Opened::default()));
    assert_eq!(bench.app.view().screen, Screen::Join { busy: false, problem: None });

    bench.press(Request::Join { link: "https://example".into() }).unwrap();
    assert_eq!(bench.app.view().screen, Screen::Join { busy: false, problem: Some(JoinProblem::NotALink) });

    let link = "ringround://join/?s=https://calls.example:8443&t=AAAAAAAAAAAAAAAAAAAAAA";
    bench.press(Request::Join { link: link.into() }).unwrap();
    assert_eq!(bench.took(&Effect::Join(JoinLink::parse(link).unwrap())), 1);
    assert_eq!(bench.app.view().screen, Screen::Join { busy: true, problem: None });

    bench.give(Input::Joined(Ok(device())));
    assert_eq!(bench.took(&Effect::SignIn), 1);
    bench.give(Input::SignedIn(device().id, Ok(bench.now + 12 * 3_600_000)));
    assert_eq!((bench.took(&Effect::StartPhone), bench.took(&Effect::Listen)), (1, 1));

    bench.live_up(Session::Ended, ServersLine::Down);
    bench.press(Request::Start).unwrap();
    assert_eq!(bench.took(&Effect::Ask(Ask::Start)), 1);
    assert_eq!(bench.desk().busy, Some(Press::Start));
    bench.session(Session::Waiting { why: Waiting::Line });
    assert_eq!(bench.took(&Effect::OpenLine), 0, "nobody can call an app that is not registered");
    bench.give(Input::Phone(Event::Registration(Registration::Registered)));
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    assert_eq!(bench.desk().line, LineView::Opening);
    bench.line_up(LINE);
    assert_eq!(bench.took(&Effect::SendAudio(LINE, false)), 1, "nothing is sent between calls");
    bench.give(Input::Live(News::Change(Box::new(Change::Line(ServersLine::Up)))));
    assert_eq!((bench.desk().line, bench.desk().busy), (LineView::Up, None));
}

#[test]
fn a_link_moves_no_computer_that_has_joined_before_the_volunteer_says_so() {
    let mut bench = Bench::with(Session::Ended, ServersLine::Down);
    let link = "ringround://join/?s=https://other.example:8443&t=AAAAAAAAAAAAAAAAAAAAAA";
    let spent = Effect::Join(JoinLink::parse(link).unwrap());
    let join = || Request::Join { link: link.into() };
    bench.press(join()).unwrap();
    assert_eq!(bench.took(&spent), 0);
    let invitation = Invitation {
        host: "other.example:8443".into(),
        organisation: "Lantern Street Trust".into(),
        waiting_outcomes: 0,
    };
    assert_eq!(bench.app.view().invitation, Some(invitation));
    bench.press(Request::AnswerInvitation { join: false }).unwrap();
    assert_eq!(bench.app.view().invitation, None);
    assert_eq!(bench.press(Request::AnswerInvitation { join: true }), Err(Refusal::NotNow));

    bench.press(join()).unwrap();
    bench.press(Request::Start).unwrap();
    assert_eq!(bench.app.view().invitation, None, "who calls has answered");
    bench.session(ready());
    assert_eq!(bench.press(join()), Err(Refusal::NotNow));
    bench.session(Session::Ended);

    bench.press(join()).unwrap();
    bench.press(Request::AnswerInvitation { join: true }).unwrap();
    assert_eq!(bench.took(&spent), 1);
}

#[test]
fn joining_another_server_ends_all_that_was_with_the_one_before() {
    let mut bench = Bench::with(Session::Ended, ServersLine::Down);
    bench.done.clear();
    let other = Device { id: DeviceId::new(Uuid::from_u128(77)), ..device() };
    bench.give(Input::Joined(Ok(other.clone())));
    assert_eq!(
        (bench.took(&Effect::Depart(device(), vec![])), bench.took(&Effect::Remember(other.clone()))),
        (1, 1)
    );
    assert_eq!((bench.took(&Effect::StopListening), bench.took(&Effect::StopPhone)), (1, 1));
    assert_eq!(bench.took(&Effect::SignIn), 1);
    bench.give(Input::SignedIn(device().id, Ok(bench.now + 12 * 3_600_000)));
    assert_eq!(bench.took(&Effect::Listen), 0, "the device before has nothing to say any more");
    bench.give(Input::SignedIn(other.id, Ok(bench.now + 12 * 3_600_000)));
    assert_eq!((bench.took(&Effect::Listen), bench.took(&Effect::StartPhone)), (1, 1));
    bench.live_up(Session::Waiting { why: Waiting::Line }, ServersLine::Down);
    assert_eq!(bench.took(&Effect::OpenLine), 0, "this server does not know the phone yet");
}

#[test]
fn sound_leaves_only_from_call_to_the_end_of_the_call() {
    let mut bench = Bench::on_the_line(ready());
    bench.press(Request::Call { lease_id: card().lease_id }).unwrap();
    assert_eq!(bench.took(&Effect::Ask(Ask::Dial(card().lease_id))), 1);
    assert_eq!(bench.took(&Effect::SendAudio(LINE, true)), 1);
    assert_eq!(
        bench.press(Request::Call { lease_id: card().lease_id }),
        Err(Refusal::NotNow),
        "a second press while the first is under way"
    );
    bench.session(talking());
    assert_eq!(bench.took(&Effect::SendAudio(LINE, false)), 0);
    bench.session(wrap_up());
    assert_eq!(bench.took(&Effect::SendAudio(LINE, false)), 1);
}

#[test]
fn the_national_ring_sounds_until_media_comes() {
    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(false));
    assert_eq!(bench.took(&Effect::Ring(true)), 1);
    assert!(bench.desk().rings);
    bench.give(Input::Phone(Event::FirstMedia { id: LINE }));
    assert_eq!(bench.took(&Effect::Ring(false)), 1);
    assert!(!bench.desk().rings);

    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(true));
    bench.give(Input::Phone(Event::FirstMedia { id: LINE }));
    bench.wait(30_000);
    assert_eq!(bench.took(&Effect::Ring(true)), 0, "the network sends its own ringing");

    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(false));
    bench.session(talking());
    assert_eq!(bench.took(&Effect::Ring(false)), 1, "the answer ends it without media too");
}

#[test]
fn after_a_183_without_sound_the_app_rings_and_only_until_sound_comes() {
    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(true));
    bench.wait(999);
    assert_eq!(bench.took(&Effect::Ring(true)), 0, "sound may come yet");
    bench.wait(1);
    assert_eq!(bench.took(&Effect::Ring(true)), 1);
    // The 180 after it begins nothing anew.
    bench.session(Session::Dialling {
        card: card(),
        call: call(CalleeState::Ringing { since_ms: 14_000, early_media: true }),
    });
    assert_eq!((bench.took(&Effect::Ring(true)), bench.took(&Effect::Ring(false))), (0, 0));
    bench.give(Input::Phone(Event::FirstMedia { id: LINE }));
    assert_eq!(bench.took(&Effect::Ring(false)), 1, "never two at once");
    bench.wait(30_000);
    assert_eq!(bench.took(&Effect::Ring(true)), 0);
    bench.session(ready());
    bench.session(ringing(true));
    bench.wait(1_000);
    assert_eq!(bench.took(&Effect::Ring(true)), 1, "each attempt for itself");
}

#[test]
fn a_183_without_sound_after_a_180_does_not_interrupt_the_ring() {
    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(false));
    assert_eq!(bench.took(&Effect::Ring(true)), 1);
    bench.session(ringing(true));
    bench.wait(2_000);
    assert_eq!((bench.took(&Effect::Ring(true)), bench.took(&Effect::Ring(false))), (0, 0));
    bench.give(Input::Phone(Event::FirstMedia { id: LINE }));
    assert_eq!(bench.took(&Effect::Ring(false)), 1, "never two at once");
}

#[test]
fn while_the_provider_refuses_calls_the_card_stays_and_only_the_try_is_dialled() {
    let mut bench = Bench::on_the_line(ready());
    let shut =
        |next_try| Trunk::Shut { complaint: Complaint::Refuses { sip: Some(503) }, since_ms: 0, next_try };
    let trouble = |next_try| Trouble::Trunk { complaint: Complaint::Refuses { sip: Some(503) }, next_try };
    for next_try in [NextTry::Later { at_ms: 10_000 }, NextTry::Others] {
        bench.trunk(shut(next_try));
        assert_eq!(bench.troubles(), [trouble(next_try)]);
        assert_eq!(bench.press(Request::Call { lease_id: card().lease_id }), Err(Refusal::NotNow));
    }
    bench.trunk(shut(NextTry::Yours));
    assert_eq!(bench.troubles(), [trouble(NextTry::Yours)]);
    bench.press(Request::Call { lease_id: card().lease_id }).unwrap();
    bench.session(ringing(false));
    assert_eq!(bench.troubles(), [], "not over a call");
    bench.trunk(Trunk::Open);
    bench.session(ready());
    assert_eq!(bench.troubles(), []);
}

#[test]
fn a_call_needs_a_line_and_devices() {
    let mut bench = Bench::with(ready(), ServersLine::Down);
    assert_eq!(bench.press(Request::Call { lease_id: card().lease_id }), Err(Refusal::NotNow));
    let mut bench = Bench::on_the_line(ready());
    let why = || "none".to_owned();
    for (state, troubles) in [
        (DeviceState::Nothing { why: why() }, &[Trouble::NoMicrophone, Trouble::NoSpeaker][..]),
        (DeviceState::NoSpeaker { why: why(), microphone: "m".into() }, &[Trouble::NoSpeaker]),
        (DeviceState::NoMicrophone { why: why(), speaker: "s".into() }, &[Trouble::NoMicrophone]),
    ] {
        bench.give(Input::Phone(Event::Devices(state)));
        assert_eq!(bench.troubles(), troubles);
        assert_eq!(bench.press(Request::Call { lease_id: card().lease_id }), Err(Refusal::NotNow));
    }
}

#[test]
fn a_press_for_one_person_never_meets_the_next() {
    let other = LeaseId::new(Uuid::from_u128(33));
    let mut bench = Bench::on_the_line(ready());
    assert_eq!(bench.press(Request::Call { lease_id: other }), Err(Refusal::NotNow));
    let never = Request::Settle { lease_id: other, how: Settle::DoNotCall };
    assert_eq!(bench.press(never), Err(Refusal::NotNow));
    let before = AttemptId::new(Uuid::from_u128(44));
    let mut bench = Bench::on_the_line(talking());
    let mark = Request::Outcome { attempt_id: before, press: press(Outcome::DoNotCall) };
    assert_eq!(bench.press(mark), Err(Refusal::NotNow));
    let last = LastOutcome {
        attempt_id: attempt_id(),
        name: "Terence Whitlow".into(),
        outcome: Outcome::NoAnswer,
        by: WrittenBy::Network,
        again_at_ms: None,
        times: RingingTimes::default(),
        keys: Outcome::keys_after(false),
    };
    bench.give(Input::Live(News::Change(Box::new(Change::LastOutcome(Some(last))))));
    // The server says what it may be: nobody answered.
    let talked = Request::Correct { attempt_id: attempt_id(), press: press(Outcome::Reached) };
    assert_eq!(bench.press(talked), Err(Refusal::NotNow));
    let correct = Request::Correct { attempt_id: before, press: press(Outcome::DoNotCall) };
    assert_eq!(bench.press(correct), Err(Refusal::NotNow));
    assert!(!bench.done.iter().any(|effect| matches!(effect, Effect::Ask(_) | Effect::Write(_))));
}

#[test]
fn a_refused_call_says_why_and_leaves_the_card() {
    let mut bench = Bench::on_the_line(ready());
    bench.press(Request::Call { lease_id: card().lease_id }).unwrap();
    bench.give(Input::Answered(Ask::Dial(card().lease_id), Err(refused(409, ErrorCode::RefusedByRule))));
    assert_eq!(bench.app.view().notice, Some(Notice::RefusedByRule { message: "Because".into() }));
    assert_eq!(bench.desk().busy, None);
    assert_eq!(bench.took(&Effect::SendAudio(LINE, false)), 1);
}

#[test]
fn hanging_up_mutes_at_once_and_is_sent_when_the_server_is_back() {
    let mut bench = Bench::on_the_line(talking());
    bench.lose_the_server();
    bench.done.clear();
    bench.press(Request::HangUp).unwrap();
    assert_eq!(bench.took(&Effect::SendAudio(LINE, false)), 1);
    assert_eq!(bench.took(&Effect::Ask(Ask::HangUp(attempt_id()))), 0, "there is nobody to tell yet");
    assert_eq!(bench.desk().busy, Some(Press::HangUp));
    bench.live_up(talking(), ServersLine::Up);
    assert_eq!(bench.took(&Effect::Ask(Ask::HangUp(attempt_id()))), 1);
    bench.give(Input::Answered(Ask::HangUp(attempt_id()), Err(away())));
    bench.wait(1_500);
    assert_eq!(bench.took(&Effect::Ask(Ask::HangUp(attempt_id()))), 1, "and again, until it is done");
    bench.give(Input::Answered(Ask::HangUp(attempt_id()), Ok(None)));
    bench.session(wrap_up());
    assert_eq!(bench.desk().busy, None);
}

#[test]
fn a_hang_up_before_the_answer_to_call_finds_its_call() {
    let mut bench = Bench::on_the_line(ready());
    bench.press(Request::Call { lease_id: card().lease_id }).unwrap();
    bench.press(Request::HangUp).unwrap();
    bench.give(Input::Answered(Ask::Dial(card().lease_id), Ok(Some(attempt_id()))));
    assert_eq!(bench.took(&Effect::Ask(Ask::HangUp(attempt_id()))), 1);
}

#[test]
fn a_cancel_outlives_the_lost_answer_to_call() {
    for (found, hangs_up) in [(ringing(false), 1), (ready(), 0)] {
        let mut bench = Bench::on_the_line(ready());
        bench.press(Request::Call { lease_id: card().lease_id }).unwrap();
        bench.press(Request::HangUp).unwrap();
        bench.done.clear();
        bench.give(Input::Answered(Ask::Dial(card().lease_id), Err(away())));
        bench.wait(300);
        assert_eq!(bench.desk().busy, Some(Press::HangUp), "nobody knows yet whether it was dialled");
        bench.live_up(found, ServersLine::Up);
        assert_eq!(bench.took(&Effect::Ask(Ask::HangUp(attempt_id()))), hangs_up);
        assert_eq!(bench.took(&Effect::SendAudio(LINE, true)), 0);
        assert_eq!(bench.desk().busy.is_some(), hangs_up == 1);
    }
}

#[test]
fn an_outcome_is_on_the_disk_before_it_is_sent_and_gone_after_the_server_has_it() {
    let mut bench = Bench::on_the_line(wrap_up());
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Reached) }).unwrap();
    assert_eq!(bench.delivers(), None);
    let id = bench.written(true);
    let sent = bench.delivers().unwrap();
    assert_eq!((sent.id, sent.attempt_id, sent.outcome), (id, attempt_id(), Outcome::Reached));
    assert_eq!(bench.desk().waiting_outcomes, 0, "an ordinary press does not count as waiting");
    bench.give(Input::Delivered(id, Ok(())));
    assert_eq!(bench.took(&Effect::Forget(id)), 1);
    bench.session(ready());
    assert_eq!((bench.desk().busy, bench.desk().marked), (None, None));
}

#[test]
fn an_outcome_pressed_without_a_server_waits_and_says_so() {
    let mut bench = Bench::on_the_line(wrap_up());
    bench.lose_the_server();
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Refused) }).unwrap();
    let id = bench.written(true);
    assert_eq!(bench.delivers(), None);
    assert_eq!(bench.app.view().notice, Some(Notice::SavedHere { outcome: Outcome::Refused }));
    assert_eq!((bench.desk().waiting_outcomes, bench.desk().marked), (1, Some(Outcome::Refused)));
    bench.live_up(wrap_up(), ServersLine::Up);
    assert_eq!(bench.delivers().unwrap().id, id);
    bench.give(Input::Delivered(id, Err(away())));
    bench.wait(1_100);
    assert_eq!(bench.delivers().unwrap().id, id, "the same press, the same id");
    bench.give(Input::Delivered(id, Ok(())));
    assert_eq!((bench.app.view().notice, bench.desk().waiting_outcomes), (None, 0));
}

#[test]
fn an_outcome_of_an_earlier_run_is_sent_and_marks_the_wrap_up() {
    let mut bench = Bench::new();
    let record = record(Outcome::Machine);
    let kept = Kept { record: record.clone(), device: device().id, pressed_at_ms: 5, refused: false };
    let until = Some(bench.now + 12 * 3_600_000);
    bench.give(Input::Opened(Opened {
        device: Some(device()),
        signed_in_until: until,
        outcomes: vec![kept],
        ..Opened::default()
    }));
    bench.live_up(wrap_up(), ServersLine::Down);
    assert_eq!(bench.delivers(), Some(record));
    assert_eq!(bench.desk().marked, Some(Outcome::Machine));
}

#[test]
fn an_outcome_of_another_device_is_neither_sent_nor_a_reason_to_wake() {
    let mut bench = Bench::new();
    let record = record(Outcome::Machine);
    let other = DeviceId::new(Uuid::from_u128(99));
    let kept = Kept { record, device: other, pressed_at_ms: 5, refused: false };
    let until = Some(bench.now + 12 * 3_600_000);
    bench.give(Input::Opened(Opened {
        device: Some(device()),
        signed_in_until: until,
        outcomes: vec![kept],
        ..Opened::default()
    }));
    bench.live_up(Session::Ended, ServersLine::Down);
    bench.wait(60_000);
    assert_eq!(bench.delivers(), None);
    assert_eq!(bench.desk().waiting_outcomes, 0, "it would be shown as waiting for ever");
}

#[test]
fn a_later_press_has_the_greater_id_though_the_clock_was_set_back() {
    let mut bench = Bench::new();
    let earlier = OutcomeId::new(Uuid::from_u128(u128::MAX / 2));
    let until = Some(bench.now + 12 * 3_600_000);
    bench.give(Input::Opened(Opened {
        device: Some(device()),
        signed_in_until: until,
        last_id: Some(earlier),
        ..Opened::default()
    }));
    bench.live_up(wrap_up(), ServersLine::Down);
    let mut last = earlier;
    for outcome in [Outcome::Reached, Outcome::DoNotCall] {
        bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(outcome) }).unwrap();
        let id = bench.written(true);
        assert!(id.uuid() > last.uuid());
        last = id;
        bench.done.clear();
    }
}

#[test]
fn an_outcome_that_the_server_refuses_stays_and_is_shown_until_it_is_corrected() {
    let mut bench = Bench::on_the_line(wrap_up());
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Other) }).unwrap();
    let id = bench.written(true);
    bench.delivers().unwrap();
    bench.give(Input::Delivered(id, Err(refused(404, ErrorCode::NotFound))));
    assert!(bench.done.iter().any(|effect| matches!(effect, Effect::Write(kept) if kept.refused)));
    bench.done.clear();
    let shown = |bench: &Bench| {
        bench.troubles().iter().any(|trouble| matches!(trouble, Trouble::OutcomeRefused { .. }))
    };
    assert!(shown(&bench));
    bench.wait(120_000);
    assert_eq!(bench.delivers(), None, "what was refused is not sent again");
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Reached) }).unwrap();
    let second = bench.written(true);
    bench.delivers().unwrap();
    bench.give(Input::Delivered(second, Ok(())));
    assert_eq!(bench.took(&Effect::Forget(id)), 1);
    assert!(!shown(&bench));
}

#[test]
fn a_full_disk_loses_no_outcome_while_the_app_runs_and_is_told() {
    let mut bench = Bench::on_the_line(wrap_up());
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Reached) }).unwrap();
    let id = bench.written(false);
    assert!(bench.troubles().contains(&Trouble::LocalStorage));
    assert_eq!(bench.delivers().unwrap().id, id);
    bench.give(Input::Delivered(id, Err(refused(503, ErrorCode::NoStorage))));
    assert!(bench.troubles().contains(&Trouble::ServerStorage));
    assert_eq!(bench.written(true), id, "with each try the disk is tried too");
    assert!(!bench.troubles().contains(&Trouble::LocalStorage));
    bench.wait(2_000);
    bench.delivers().unwrap();
    bench.give(Input::Delivered(id, Ok(())));
    assert_eq!(bench.troubles(), []);
}

#[test]
fn machine_while_talking_marks_and_rings_off() {
    let mut bench = Bench::on_the_line(talking());
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Machine) }).unwrap();
    assert_eq!(bench.desk().marked, Some(Outcome::Machine));
    assert_eq!(bench.took(&Effect::Ask(Ask::HangUp(attempt_id()))), 1);

    let mut bench = Bench::on_the_line(talking());
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Reached) }).unwrap();
    assert_eq!(bench.took(&Effect::Ask(Ask::HangUp(attempt_id()))), 0, "any other key cuts nothing off");
}

#[test]
fn a_muted_volunteer_is_heard_again_by_the_next_callee() {
    let mut bench = Bench::on_the_line(talking());
    bench.press(Request::Mute { on: true }).unwrap();
    assert_eq!((bench.took(&Effect::Mute(LINE, true)), bench.desk().muted), (1, true));
    bench.session(wrap_up());
    assert_eq!((bench.took(&Effect::Mute(LINE, false)), bench.desk().muted), (1, false));
    assert_eq!(bench.press(Request::Mute { on: true }), Err(Refusal::NotNow));
}

#[test]
fn a_volunteer_nobody_hears_is_told_and_one_who_speaks_is_not() {
    let mut bench = Bench::on_the_line(ringing(false));
    bench.session(talking());
    bench.wait(9_000);
    assert_eq!(bench.troubles(), []);
    bench.wait(1_500);
    assert_eq!(bench.troubles(), [Trouble::TooQuiet]);
    bench.give(Input::Phone(Event::Level { microphone: 0.1, speaker: 0.0 }));
    assert_eq!(bench.troubles(), []);
    bench.wait(60_000);
    assert_eq!(bench.troubles(), [], "who was heard once may listen as long as they like");
}

#[test]
fn the_window_stays_open_in_a_call_and_says_why() {
    let mut bench = Bench::on_the_line(talking());
    assert_eq!(bench.press(Request::Quit), Err(Refusal::NotNow));
    assert_eq!(bench.app.view().notice, Some(Notice::InCall));
    bench.session(wrap_up());
    assert_eq!(bench.press(Request::Quit), Ok(()));
    assert!(!bench.app.session_to_stop(), "a wrap-up waits for the next run");
}

#[test]
fn do_not_call_says_which_outcome_may_be_corrected_and_of_a_card_none() {
    let says = |bench: &Bench| match bench.app.view().notice {
        Some(Notice::DoNotCall { attempt_id, .. }) => Some(attempt_id),
        _ => None,
    };
    let mut bench = Bench::on_the_line(wrap_up());
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::DoNotCall) }).unwrap();
    assert_eq!(says(&bench), Some(Some(attempt_id())));
    let mut bench = Bench::on_the_line(ready());
    bench.press(Request::Settle { lease_id: card().lease_id, how: Settle::DoNotCall }).unwrap();
    assert_eq!(says(&bench), Some(None));
}

#[test]
fn digits_are_telephone_keys_only() {
    let mut bench = Bench::on_the_line(talking());
    bench.press(Request::Digits { digits: "12*#".into() }).unwrap();
    assert_eq!(bench.took(&Effect::Digits(LINE, "12*#".into())), 1);
    for digits in ["", "a", "1 2", &"1".repeat(33)] {
        assert_eq!(
            bench.press(Request::Digits { digits: digits.to_owned() }),
            Err(Refusal::NotNow),
            "{digits}"
        );
    }
}

#[test]
fn the_session_that_ends_takes_the_line_down() {
    let mut bench = Bench::on_the_line(ready());
    bench.session(Session::Ended);
    assert_eq!(bench.took(&Effect::DropLine(LINE)), 1);
    assert_eq!(bench.desk().line, LineView::Down);
    bench.wait(60_000);
    assert_eq!(bench.took(&Effect::OpenLine), 0);
}

proptest::proptest! {
    /// Whatever comes in whatever order: no panic, no spin, and never sound outside a call.
    #[test]
    fn no_order_of_events_makes_it_panic_or_spin(steps in proptest::collection::vec((0_u8..26, 0_i64..8_000), 1..120)) {
        let mut bench = Bench::with(Session::Ended, ServersLine::Down);
        let mut sends = false;
        for (step, ms) in steps {
            random_step(&mut bench, step);
            bench.wait(ms);
            let written: Vec<OutcomeId> = bench
                .done
                .iter()
                .filter_map(written_id)
                .collect();
            for id in written {
                bench.give(Input::Written(id, ms % 2 == 0));
            }
            for effect in std::mem::take(&mut bench.done) {
                if let Effect::SendAudio(_, on) = effect {
                    sends = on;
                }
                if matches!(effect, Effect::DropLine(_) | Effect::StopPhone | Effect::StartPhone) {
                    sends = false;
                }
            }
            if let (Screen::Desk(desk), Some(_)) = (bench.app.view().screen, bench.app.line.id()) {
                let may = matches!(desk.session, Session::Dialling { .. } | Session::Talking { .. }) || desk.busy == Some(Press::Call);
                proptest::prop_assert!(!sends || may, "sound in {:?}", desk.session);
            }
        }
    }
}

fn random_step(bench: &mut Bench, step: u8) {
    // Presses are refused or not; both are fine here.
    let _ = match step {
        0 => bench.press(Request::Start),
        1 => bench.press(Request::Call { lease_id: card().lease_id }),
        2 => bench.press(Request::HangUp),
        3 => bench.press(Request::Mute { on: true }),
        4 => bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Reached) }),
        5 => bench.press(Request::Stop),
        6 => bench.press(Request::RetryNow),
        7 => bench.press(Request::Pause),
        _ => Ok(()),
    };
    let ended = CallState::Ended { by: Ender::Peer, reason: Reason::HungUp };
    match step {
        8 => bench.session(Session::Ended),
        9 => bench.session(Session::Waiting { why: Waiting::Line }),
        10 => bench.session(ready()),
        11 => bench.session(ringing(false)),
        12 => bench.session(talking()),
        13 => bench.session(wrap_up()),
        14 => bench.line_up(LINE),
        15 => bench.give(Input::Phone(Event::Call { id: LINE, state: ended })),
        16 => bench.give(Input::Phone(Event::Call {
            id: LINE,
            state: CallState::Reconnecting { missing: Missing::Signalling },
        })),
        17 => bench.give(Input::Live(News::Closed(Closed::Gap))),
        18 => bench.live_up(ready(), ServersLine::Up),
        19 => bench.give(Input::Answered(Ask::Dial(card().lease_id), Err(away()))),
        20 => bench.give(Input::LineAsked(Err(refused(503, ErrorCode::NoTelephone)))),
        21 => bench.give(Input::SignedIn(device().id, Err(away()))),
        22 => bench.give(Input::SignedIn(device().id, Ok(bench.now + 7_200_000))),
        23 => bench.give(Input::Phone(Event::Registration(Registration::Registered))),
        24 => bench.give(Input::Live(News::Revoked { organiser: "Ruth".into() })),
        25 => bench.give(Input::Answered(Ask::HangUp(attempt_id()), Ok(None))),
        _ => {}
    }
}
