//! Links, joining and leaving.

use super::*;

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
fn a_device_whose_key_is_gone_departs_all_the_same() {
    let other = Device { id: DeviceId::new(Uuid::from_u128(77)), ..device() };
    let keyless = || {
        let mut bench = Bench::new();
        bench.give(Input::Opened(Opened { device: Some(device()), keyless: true, ..Opened::default() }));
        bench
    };
    let mut joins = keyless();
    joins.give(Input::Joined(Ok(other.clone())));
    assert_eq!(joins.took(&Effect::Depart(device(), vec![])), 1);
    joins.give(Input::Joined(Ok(other)));
    assert!(
        !joins.done.iter().any(|effect| matches!(effect, Effect::Depart(..))),
        "it joined again as itself"
    );
    let mut leaves = keyless();
    leaves.press(Request::Leave).unwrap();
    assert_eq!((leaves.took(&Effect::Leave), leaves.took(&Effect::Depart(device(), vec![]))), (1, 1));
}

#[test]
fn a_link_moves_no_computer_whose_keyring_is_away_before_the_volunteer_says_so() {
    let mut bench = Bench::new();
    let record = record(Outcome::Reached);
    bench.give(Input::Opened(Opened {
        device: Some(device()),
        keyless: true,
        no_keyring: Some(NoKeyring { why: "dismissed".into() }),
        outcomes: vec![Kept { record, device: device().id, pressed_at_ms: 5, refused: true }],
        ..Opened::default()
    }));
    let link = "ringround://join/?s=https://other.example:8443&t=AAAAAAAAAAAAAAAAAAAAAA";
    let spent = Effect::Join(JoinLink::parse(link).unwrap());
    bench.press(Request::Join { link: link.into() }).unwrap();
    assert_eq!(bench.took(&spent), 0);
    let invitation = Invitation {
        host: "other.example:8443".into(),
        organisation: "Lantern Street Trust".into(),
        waiting_outcomes: 1,
    };
    assert_eq!(
        bench.app.view().invitation,
        Some(invitation),
        "the refused one never reaches its server either"
    );
    bench.press(Request::AnswerInvitation { join: true }).unwrap();
    assert_eq!(bench.took(&spent), 1);
}

#[test]
fn what_was_found_before_a_link_was_spent_does_not_undo_the_join() {
    let other = Device { id: DeviceId::new(Uuid::from_u128(77)), ..device() };
    let found =
        || Opened { device: Some(device()), signed_in_until: Some(12 * 3_600_000), ..Opened::default() };
    let link = "ringround://join/?s=https://other.example:8443&t=AAAAAAAAAAAAAAAAAAAAAA";
    for late in [false, true] {
        let mut bench = Bench::new();
        bench.give(Input::Opened(Opened { device: None, ..found() }));
        bench.done.clear();
        bench.press(Request::RetryNow).unwrap();
        bench.press(Request::RetryNow).unwrap();
        assert_eq!(bench.took(&Effect::Open), 1, "one at a time");
        bench.press(Request::Join { link: link.into() }).unwrap();
        if !late {
            assert!(!bench.app.may_open());
            bench.give(Input::Opened(found()));
            assert_eq!(bench.app.device(), None);
        }
        bench.give(Input::Joined(Ok(other.clone())));
        if late {
            assert!(!bench.app.may_open());
            bench.give(Input::Opened(found()));
        }
        assert_eq!(bench.app.device(), Some(&other));
    }
}

#[test]
fn outcomes_that_are_only_in_memory_go_along_when_the_device_leaves() {
    let other = Device { id: DeviceId::new(Uuid::from_u128(77)), ..device() };
    for moves in [false, true] {
        let mut bench = Bench::on_the_line(wrap_up());
        bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Reached) }).unwrap();
        let id = bench.written(false);
        bench.give(Input::Delivered(id, Err(refused(503, ErrorCode::NoStorage))));
        bench.session(Session::Ended);
        bench.done.clear();
        if moves {
            bench.give(Input::Joined(Ok(other.clone())));
        } else {
            bench.press(Request::Leave).unwrap();
        }
        let along: Vec<OutcomeId> = bench
            .done
            .iter()
            .filter_map(|effect| if let Effect::Depart(of, rows) = effect { Some((of, rows)) } else { None })
            .inspect(|(of, _)| assert_eq!(**of, device()))
            .flat_map(|(_, rows)| rows.iter().map(|kept| kept.record.id))
            .collect();
        assert_eq!(along, [id]);
    }
}
