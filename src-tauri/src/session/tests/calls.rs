//! Calling somebody, and hanging up.

use super::*;

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
fn the_window_stays_open_in_a_call_and_says_why() {
    let mut bench = Bench::on_the_line(talking());
    assert_eq!(bench.press(Request::Quit), Err(Refusal::NotNow));
    assert_eq!(bench.app.view().notice, Some(Notice::InCall));
    bench.session(wrap_up());
    assert_eq!(bench.press(Request::Quit), Ok(()));
    assert!(!bench.app.session_to_stop(), "a wrap-up waits for the next run");
}

#[test]
fn the_window_stays_open_until_call_or_hang_up_has_its_answer() {
    let called = || {
        let mut bench = Bench::on_the_line(ready());
        bench.press(Request::Call { lease_id: card().lease_id }).unwrap();
        assert_eq!(bench.press(Request::Quit), Err(Refusal::NotNow), "perhaps it rings already");
        assert_eq!(bench.app.view().notice, Some(Notice::InCall));
        bench
    };
    let mut bench = called();
    bench.give(Input::Answered(Ask::Dial(card().lease_id), Err(refused(503, ErrorCode::NoTelephone))));
    assert_eq!(bench.app.view().notice, None);
    assert_eq!(bench.press(Request::Quit), Ok(()));

    let mut bench = called();
    bench.wait(12_100);
    assert_eq!(bench.press(Request::Quit), Ok(()), "not for ever");

    for back in [false, true] {
        let mut bench = called();
        bench.press(Request::HangUp).unwrap();
        bench.give(Input::Answered(Ask::Dial(card().lease_id), Err(away())));
        assert_eq!(bench.press(Request::Quit), Err(Refusal::NotNow), "the hang-up is still to be sent");
        bench.wait(300);
        if back {
            bench.live_up(ready(), ServersLine::Up);
        } else {
            bench.give(Input::Live(News::Closed(Closed::Unreachable { why: "refused".into() })));
        }
        assert_eq!(bench.press(Request::Quit), Ok(()), "nobody rings, or there is nobody to tell: {back}");
    }
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
