//! Outcomes on their way.

use super::*;

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

/// The app starts, signed in, and finds this kept from an earlier run.
fn opens_with_an_outcome(bench: &mut Bench, record: RecordOutcome, of: DeviceId) {
    let kept = Kept { record, device: of, pressed_at_ms: 5, refused: false };
    let until = Some(bench.now + 12 * 3_600_000);
    bench.give(Input::Opened(Opened {
        device: Some(device()),
        signed_in_until: until,
        outcomes: vec![kept],
        ..Opened::default()
    }));
}

#[test]
fn an_outcome_of_an_earlier_run_is_sent_and_marks_the_wrap_up() {
    let mut bench = Bench::new();
    let record = record(Outcome::Machine);
    opens_with_an_outcome(&mut bench, record.clone(), device().id);
    bench.live_up(wrap_up(), ServersLine::Down);
    assert_eq!(bench.delivers(), Some(record));
    assert_eq!(bench.desk().marked, Some(Outcome::Machine));
}

#[test]
fn an_outcome_of_another_device_is_neither_sent_nor_a_reason_to_wake() {
    let mut bench = Bench::new();
    let record = record(Outcome::Machine);
    opens_with_an_outcome(&mut bench, record, DeviceId::new(Uuid::from_u128(99)));
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
fn an_outbox_read_again_at_each_try_of_the_keyring_holds_each_outcome_once() {
    let mut bench = Bench::new();
    let record = record(Outcome::Reached);
    let kept = Kept { record: record.clone(), device: device().id, pressed_at_ms: 5, refused: false };
    for _ in 0..2 {
        bench.give(Input::Opened(Opened {
            no_keyring: Some(NoKeyring { why: "ServiceUnknown".into() }),
            outcomes: vec![kept.clone()],
            ..Opened::default()
        }));
        bench.press(Request::RetryNow).unwrap();
    }
    bench.give(Input::Opened(Opened {
        device: Some(device()),
        signed_in_until: Some(bench.now + 12 * 3_600_000),
        outcomes: vec![kept],
        ..Opened::default()
    }));
    bench.live_up(Session::Ended, ServersLine::Down);
    assert_eq!(bench.desk().waiting_outcomes, 1);
    assert_eq!(bench.delivers(), Some(record.clone()));
    bench.done.clear();
    bench.give(Input::Delivered(record.id, Ok(())));
    assert_eq!(bench.desk().waiting_outcomes, 0);
    assert_eq!(bench.delivers(), None, "the server has it");
}

#[test]
fn a_disk_that_does_not_answer_keeps_no_outcome_from_the_server() {
    let mut bench = Bench::on_the_line(wrap_up());
    let mark = || Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Reached) };
    bench.press(mark()).unwrap();
    let id = bench.done.iter().find_map(written_id).unwrap();
    bench.done.clear();
    bench.wait(2_900);
    assert_eq!((bench.delivers(), bench.troubles()), (None, vec![]));
    bench.wait(200);
    assert_eq!(bench.delivers().unwrap().id, id);
    assert_eq!(bench.troubles(), [Trouble::LocalStorage]);
    bench.give(Input::Delivered(id, Err(refused(503, ErrorCode::NoStorage))));
    assert!(!bench.done.iter().any(|effect| written_id(effect).is_some()), "the disk is still asked");
    bench.give(Input::Written(id, true));
    assert_eq!(bench.troubles(), [Trouble::ServerStorage]);
    bench.wait(1_100);
    assert_eq!(bench.delivers().unwrap().id, id);
    bench.give(Input::Delivered(id, Ok(())));
    assert_eq!((bench.took(&Effect::Forget(id)), bench.troubles()), (1, vec![]));
    bench.give(Input::Written(id, true));
    bench.wait(60_000);
    assert_eq!(bench.delivers(), None, "the server has it");

    let mut bench = Bench::on_the_line(wrap_up());
    bench.lose_the_server();
    bench.press(mark()).unwrap();
    assert_eq!(bench.app.next_wake(), Some(bench.now + 3_000));
    bench.wait(3_000);
    assert_eq!(bench.app.view().notice, Some(Notice::SavedHere { outcome: Outcome::Reached }));
    assert!(bench.troubles().contains(&Trouble::LocalStorage), "without a server it is said too");
}

#[test]
fn an_outcome_that_the_server_fails_with_holds_up_no_other_attempts() {
    let mut bench = Bench::new();
    let other = AttemptId::new(Uuid::from_u128(44));
    let (first, second) = (record(Outcome::NoAnswer), record(Outcome::Reached));
    let third = RecordOutcome { attempt_id: other, ..record(Outcome::Busy) };
    let kept = |record: &RecordOutcome| Kept {
        record: record.clone(),
        device: device().id,
        pressed_at_ms: 5,
        refused: false,
    };
    bench.give(Input::Opened(Opened {
        device: Some(device()),
        signed_in_until: Some(bench.now + 12 * 3_600_000),
        outcomes: [&first, &second, &third].map(kept).to_vec(),
        ..Opened::default()
    }));
    bench.live_up(Session::Ended, ServersLine::Down);
    assert_eq!(bench.delivers(), Some(first.clone()));
    bench.give(Input::Delivered(first.id, Err(refused(503, ErrorCode::NoStorage))));
    bench.wait(1_100);
    assert_eq!(bench.delivers(), Some(first.clone()), "a full disk there is no fault of this one");
    bench.give(Input::Delivered(first.id, Err(refused(500, ErrorCode::Internal))));
    bench.wait(2_100);
    assert_eq!(bench.delivers(), Some(third.clone()));
    bench.give(Input::Delivered(third.id, Ok(())));
    for _ in 0..3 {
        bench.wait(30_000);
        assert_eq!(bench.delivers(), Some(first.clone()), "in an attempt the order stays");
        bench.give(Input::Delivered(first.id, Err(refused(500, ErrorCode::Internal))));
    }
    bench.session(wrap_up());
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Other) }).unwrap();
    let correction = bench.written(true);
    bench.wait(30_000);
    for id in [first.id, second.id, correction] {
        assert_eq!(bench.delivers().unwrap().id, id);
        bench.give(Input::Delivered(id, Ok(())));
    }
}

#[test]
fn a_correction_that_the_server_wants_later_holds_up_no_newer_outcome() {
    let mut bench = Bench::on_the_line(wrap_up());
    // The server's clock is not this computer's.
    let server_ahead = 7_000;
    bench.give(Input::Live(News::Hello { now_ms: bench.now + server_ahead }));
    let before = |n: u128| AttemptId::new(Uuid::from_u128(n));
    let kept = [44, 45].map(|n| Kept {
        record: RecordOutcome { attempt_id: before(n), ..record(Outcome::DoNotCall) },
        device: device().id,
        pressed_at_ms: 5,
        refused: false,
    });
    bench.app.outcomes.load(kept.to_vec(), None);
    let later = |bench: &Bench, ms| {
        let error = ApiError {
            again_at_ms: Some(bench.now + server_ahead + ms),
            ..ApiError::new(ErrorCode::TooMany, "In a moment")
        };
        Err(RequestError::Refused { status: 429, error })
    };
    bench.give(Input::Tick);
    let [first, second] = kept.map(|kept| kept.record);
    assert_eq!(bench.delivers(), Some(first.clone()));
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Reached) }).unwrap();
    let pressed = bench.written(true);
    bench.give(Input::Delivered(first.id, later(&bench, 60_000)));
    assert_eq!(bench.desk().busy, Some(Press::Outcome), "the refusal was not of this one");
    assert_eq!(bench.delivers(), Some(second.clone()), "at once");
    bench.give(Input::Delivered(second.id, later(&bench, 120_000)));
    assert_eq!(bench.delivers().map(|record| record.id), Some(pressed));
    bench.give(Input::Delivered(pressed, Ok(())));

    bench.wait(59_900);
    assert_eq!((bench.delivers(), bench.desk().waiting_outcomes), (None, 2), "not before its time");
    bench.wait(100);
    assert_eq!(bench.delivers(), Some(first.clone()));
    bench.give(Input::Delivered(first.id, Ok(())));
    bench.wait(59_900);
    assert_eq!(bench.delivers(), None);
    // A server that is there again may have forgotten what it asked for.
    bench.live_up(ready(), ServersLine::Up);
    assert_eq!(bench.delivers(), Some(second.clone()));
    bench.give(Input::Delivered(second.id, Ok(())));
    assert_eq!(bench.desk().waiting_outcomes, 0);
    assert!(bench.done.contains(&Effect::Forget(first.id)), "nothing is lost");
}

#[test]
fn a_server_that_is_in_haste_for_ever_is_asked_ever_less_often() {
    let mut bench = Bench::on_the_line(wrap_up());
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Reached) }).unwrap();
    let id = bench.written(true);
    let mut tries = 0;
    let end = bench.now + 300_000;
    while bench.now < end {
        if bench.delivers().is_some() {
            tries += 1;
            // Without a time, and with one that is over.
            let again_at_ms = (tries % 2 == 0).then_some(bench.now - 1);
            let error = ApiError { again_at_ms, ..ApiError::new(ErrorCode::TooMany, "Too often") };
            bench.give(Input::Delivered(id, Err(RequestError::Refused { status: 429, error })));
        }
        bench.wait(100);
    }
    assert!((10..=16).contains(&tries), "{tries}");
}
