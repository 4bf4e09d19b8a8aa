//! When line, server, account, version or keyring are not as they should be.

use super::*;
use crate::view::Grade;

#[test]
fn a_lost_line_comes_back_by_itself_and_says_so() {
    let mut bench = Bench::on_the_line(talking());
    let state = CallState::Ended { by: Ender::Failure, reason: Reason::ConnectionLost };
    bench.give(Input::Phone(Event::Call { id: LINE, state }));
    assert!(matches!(bench.troubles()[..], [Trouble::LineLost { in_call: true, .. }]));
    assert!(matches!(bench.desk().line, LineView::Lost { .. }));
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    bench.give(Input::LineAsked(Ok(())));
    bench.wait(10_300);
    assert_eq!(bench.took(&Effect::OpenLine), 0, "not at once after a try that came to nothing");
    bench.wait(1_000);
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    bench.line_up(CallId(8));
    assert_eq!(bench.took(&Effect::SendAudio(CallId(8), true)), 1, "the callee is still there");
    assert_eq!(bench.app.view().notice, Some(Notice::LineBack));
    assert_eq!(bench.troubles(), []);
}

#[test]
fn a_line_is_down_when_it_was_lost_and_not_before_it_is_wanted() {
    let mut bench = Bench::with(Session::Ended, ServersLine::Down);
    assert_eq!((bench.desk().line, bench.desk().quality.grade), (LineView::Down, Grade::Unknown));
    bench.session(ready());
    assert_eq!((bench.desk().line, bench.desk().quality.grade), (LineView::Opening, Grade::Unknown));

    let mut bench = Bench::on_the_line(ready());
    assert_eq!(bench.desk().quality.grade, Grade::Unknown, "nothing came yet");
    let quality = Quality { received: 50, ..Quality::default() };
    bench.give(Input::Phone(Event::Media { id: LINE, quality }));
    assert_eq!(bench.desk().quality.grade, Grade::Good);
    let state = CallState::Ended { by: Ender::Failure, reason: Reason::ConnectionLost };
    bench.give(Input::Phone(Event::Call { id: LINE, state }));
    assert!(matches!(bench.desk().line, LineView::Lost { .. }));
    assert_eq!(bench.desk().quality.grade, Grade::Down);
}

#[test]
fn an_outcome_refused_before_does_not_hide_that_nobody_hears_the_volunteer() {
    let mut bench = Bench::on_the_line(wrap_up());
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Other) }).unwrap();
    let id = bench.written(true);
    bench.delivers().unwrap();
    bench.give(Input::Delivered(id, Err(refused(404, ErrorCode::NotFound))));
    bench.session(ready());
    bench.session(talking());
    bench.wait(11_000);
    assert!(
        matches!(bench.troubles()[..], [Trouble::TooQuiet, Trouble::OutcomeRefused { .. }]),
        "{:?}",
        bench.troubles()
    );
}

#[test]
fn an_app_started_anew_in_a_call_says_that_its_line_is_away_and_back() {
    let mut bench = Bench::with(talking(), ServersLine::Up);
    assert!(matches!(bench.troubles()[..], [Trouble::LineLost { in_call: true, .. }]));
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    bench.line_up(LINE);
    assert_eq!(bench.app.view().notice, Some(Notice::LineBack));
    assert_eq!(bench.troubles(), []);
}

#[test]
fn a_call_goes_on_without_the_server_while_sound_comes() {
    let mut bench = Bench::on_the_line(talking());
    bench.lose_the_server();
    bench.give(Input::Phone(Event::Call {
        id: LINE,
        state: CallState::Reconnecting { missing: Missing::Signalling },
    }));
    for second in 1..5 {
        bench.wait(1_000);
        let quality = Quality { received: 50 * second, ..Quality::default() };
        bench.give(Input::Phone(Event::Media { id: LINE, quality }));
    }
    assert!(matches!(bench.troubles()[..], [Trouble::ServerUnreachable { in_call: true, .. }]));
    bench.wait(4_000);
    assert!(
        matches!(bench.troubles()[0], Trouble::LineLost { in_call: true, .. }),
        "now the callee is not heard either: {:?}",
        bench.troubles()
    );
}

#[test]
fn a_line_without_sound_is_told_of_in_time_and_till_it_gets_through() {
    let told = |gets_through| Effect::TellOfSound { gets_through };
    let mut bench = Bench::with(Session::Waiting { why: Waiting::Line }, ServersLine::Opening);
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    bench.wait(500);
    bench.give(Input::Phone(Event::Call { id: LINE, state: CallState::Dialling }));
    bench.wait(2_900);
    assert_eq!((bench.took(&told(false)), bench.troubles()), (0, vec![]), "it may come yet");
    bench.wait(200);
    assert_eq!((bench.took(&told(false)), bench.troubles()), (1, vec![Trouble::WithoutSound]));
    bench.give(Input::SoundTold { gets_through: false, result: Err(away()) });
    bench.wait(1_100);
    assert_eq!(bench.took(&told(false)), 1, "once more: the server did not hear it");
    bench.give(Input::SoundTold { gets_through: false, result: Ok(()) });
    bench.wait(1_500);
    assert_eq!(bench.took(&told(false)), 0);
    bench.line_up(LINE);
    assert_eq!((bench.took(&told(true)), bench.troubles()), (1, vec![]));
    bench.give(Input::SoundTold { gets_through: true, result: Ok(()) });

    // Between two calls it is lost, and comes back.
    bench.session(ready());
    let missing =
        |missing| Input::Phone(Event::Call { id: LINE, state: CallState::Reconnecting { missing } });
    bench.give(missing(Missing::Signalling));
    assert_eq!(bench.took(&told(false)), 0, "sound is another matter");
    bench.give(missing(Missing::Sound));
    assert_eq!((bench.took(&told(false)), bench.troubles()), (1, vec![Trouble::WithoutSound]));
    bench.give(Input::SoundTold { gets_through: false, result: Ok(()) });
    bench.line_up(LINE);
    assert_eq!((bench.took(&told(true)), bench.troubles()), (1, vec![]));
}

#[test]
fn a_line_whose_sound_failed_is_told_of_with_the_next_try() {
    let mut bench = Bench::with(Session::Waiting { why: Waiting::Line }, ServersLine::Opening);
    bench.give(Input::LineAsked(Ok(())));
    let state = CallState::Ended { by: Ender::Failure, reason: Reason::Media("no way".to_owned()) };
    bench.give(Input::Phone(Event::Call { id: LINE, state }));
    assert_eq!(bench.troubles(), [Trouble::WithoutSound]);
    bench.took(&Effect::OpenLine);
    bench.wait(1_000);
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    assert_eq!(bench.took(&Effect::TellOfSound { gets_through: false }), 1);
    bench.session(Session::Ended);
    assert_eq!(bench.troubles(), []);
}

#[test]
fn a_server_that_lost_the_line_is_believed_after_it_had_time_to_find_it() {
    for away in [false, true] {
        let mut bench = Bench::on_the_line(ready());
        if away {
            bench.give(Input::Phone(Event::Call {
                id: LINE,
                state: CallState::Reconnecting { missing: Missing::Signalling },
            }));
        }
        let lost = ServersLine::Lost { since_ms: 0 };
        bench.give(Input::Live(News::Change(Box::new(Change::Line(lost)))));
        bench.wait(2_000);
        assert_eq!(bench.took(&Effect::DropLine(LINE)), 0);
        bench.wait(1_500);
        assert_eq!((bench.took(&Effect::DropLine(LINE)), bench.took(&Effect::OpenLine)), (1, 1));
    }
}

#[test]
fn the_end_of_a_line_that_was_dropped_is_not_the_failure_of_the_next() {
    let mut bench = Bench::on_the_line(ready());
    bench.give(Input::Live(News::Change(Box::new(Change::Line(ServersLine::Lost { since_ms: 0 })))));
    bench.wait(3_500);
    assert_eq!((bench.took(&Effect::DropLine(LINE)), bench.took(&Effect::OpenLine)), (1, 1));
    // What was on its way when it was dropped.
    bench.line_up(LINE);
    assert!(!bench.app.line.is_up());
    let ended = |by| CallState::Ended { by, reason: Reason::HungUp };
    bench.give(Input::Phone(Event::Call { id: LINE, state: ended(Ender::Us) }));
    bench.wait(9_000);
    assert_eq!(bench.took(&Effect::OpenLine), 0, "another token would end the one that is coming up");
    bench.line_up(CallId(8));
    assert!(bench.app.line.is_up());

    let mut bench = Bench::with(ready(), ServersLine::Down);
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    bench.give(Input::Phone(Event::Call { id: LINE, state: ended(Ender::Peer) }));
    bench.wait(1_000);
    assert_eq!(bench.took(&Effect::OpenLine), 1, "its own end is its failure");
}

#[test]
fn the_ring_ends_with_the_line_that_it_sounds_on() {
    let lost = || CallState::Ended { by: Ender::Failure, reason: Reason::ConnectionLost };
    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(false));
    assert_eq!(bench.took(&Effect::Ring(true)), 1);
    bench.give(Input::Phone(Event::Call { id: LINE, state: lost() }));
    assert_eq!(bench.took(&Effect::Ring(false)), 1, "nobody hears the callee answer");
    bench.line_up(CallId(8));
    assert_eq!(bench.took(&Effect::Ring(true)), 1, "they still ring");
    bench.session(Session::Ended);
    assert_eq!((bench.took(&Effect::DropLine(CallId(8))), bench.took(&Effect::Ring(false))), (1, 1));
}

#[test]
fn a_telephone_that_is_away_is_told_and_tried_again_while_a_volunteer_waits() {
    let mut bench = Bench::on_the_line(ready());
    let lost = Registration::Lost { why: Why::Upgrade(503), retry_in: std::time::Duration::from_secs(28) };
    bench.give(Input::Phone(Event::Registration(lost)));
    assert_eq!(bench.troubles(), [Trouble::NoTelephone]);
    bench.done.clear();
    bench.wait(10_000);
    let tries = bench.took(&Effect::RetryPhone);
    assert!((3..=4).contains(&tries), "{tries}");
    bench.give(Input::Phone(Event::Registration(Registration::Registered)));
    assert_eq!(bench.troubles(), []);
    bench.wait(60_000);
    assert_eq!(bench.took(&Effect::RetryPhone), 0);
}

#[test]
fn a_short_loss_of_the_server_is_told_to_nobody() {
    let mut bench = Bench::on_the_line(ready());
    bench.give(Input::Live(News::Closed(Closed::Gap)));
    assert_eq!(bench.troubles(), []);
    bench.wait(300);
    assert_eq!(bench.took(&Effect::Listen), 1);
    bench.live_up(ready(), ServersLine::Up);
    assert_eq!(bench.troubles(), []);
}

#[test]
fn a_server_that_is_away_is_tried_again_within_six_seconds() {
    let mut bench = Bench::on_the_line(ready());
    bench.lose_the_server();
    let Trouble::ServerUnreachable { retry_in_s, in_call } = bench.troubles()[0] else {
        panic!("{:?}", bench.troubles())
    };
    assert!((4..=6).contains(&retry_in_s) && !in_call, "{retry_in_s}");
    bench.done.clear();
    bench.wait(6_100);
    assert_eq!(bench.took(&Effect::Listen), 1);
    bench.give(Input::Live(News::Closed(Closed::Unreachable { why: "refused".into() })));
    bench.done.clear();
    bench.press(Request::RetryNow).unwrap();
    assert_eq!(bench.took(&Effect::Listen), 1, "Try now does not wait");
}

#[test]
fn a_token_that_ended_is_renewed_by_the_key_without_dropping_the_line() {
    let mut bench = Bench::on_the_line(talking());
    bench.give(Input::Live(News::Closed(Closed::Refused(ErrorCode::SignInAgain))));
    assert_eq!(bench.took(&Effect::SignIn), 1);
    bench.give(Input::SignedIn(device().id, Ok(bench.now + 12 * 3_600_000)));
    assert_eq!((bench.took(&Effect::RenewBearer), bench.took(&Effect::StartPhone)), (1, 0));
    assert_eq!(bench.took(&Effect::Listen), 1);
    bench.live_up(talking(), ServersLine::Up);
    assert_eq!(bench.troubles(), []);
    let state = CallState::Ended { by: Ender::Peer, reason: Reason::HungUp };
    bench.give(Input::Phone(Event::Call { id: LINE, state }));
    assert_eq!(bench.took(&Effect::StartPhone), 1, "the new account is used as soon as it costs nothing");
}

#[test]
fn a_sign_in_is_renewed_and_never_ends_in_a_call() {
    const HOUR: i64 = 3_600_000;
    let mut bench = Bench::with(Session::Ended, ServersLine::Down);
    bench.done.clear();
    bench.wait(6 * HOUR - 1);
    assert_eq!(bench.took(&Effect::SignIn), 0);
    bench.wait(2);
    assert_eq!(bench.took(&Effect::SignIn), 1);
    bench.give(Input::SignedIn(device().id, Err(away())));
    assert_eq!((bench.took(&Effect::StopListening), bench.troubles()), (0, vec![]), "what works goes on");
    bench.wait(301_000);
    assert_eq!(bench.took(&Effect::SignIn), 1);
    bench.give(Input::SignedIn(device().id, Ok(bench.now + 12 * HOUR)));
    bench.wait(HOUR);
    assert_eq!(bench.took(&Effect::SignIn), 0);

    let mut bench = Bench::on_the_line(talking());
    bench.wait(11 * HOUR + 1);
    assert_eq!(bench.took(&Effect::SignIn), 1, "in a call too: the server ends it with the sign-in");
    bench.give(Input::SignedIn(device().id, Ok(bench.now + 12 * HOUR)));
    assert_eq!((bench.took(&Effect::RenewBearer), bench.took(&Effect::StartPhone)), (1, 0));
    bench.session(wrap_up());
    assert_eq!((bench.took(&Effect::SignIn), bench.took(&Effect::StartPhone)), (0, 0));
}

#[test]
fn an_account_refused_soon_after_a_sign_in_is_asked_for_again() {
    let mut bench = Bench::with(ready(), ServersLine::Down);
    bench.give(Input::SignedIn(device().id, Ok(bench.now + 12 * 3_600_000)));
    bench.done.clear();
    bench.give(Input::Phone(Event::Registration(Registration::Refused { why: Why::Account(403) })));
    assert_eq!(bench.took(&Effect::SignIn), 0, "at most every half minute");
    bench.wait(30_000);
    assert_eq!(bench.took(&Effect::SignIn), 1);
}

#[test]
fn requests_that_were_all_refused_make_one_sign_in() {
    let mut bench = Bench::on_the_line(ready());
    bench.press(Request::Call { lease_id: card().lease_id }).unwrap();
    let again = || Err(refused(401, ErrorCode::SignInAgain));
    bench.give(Input::Answered(Ask::Dial(card().lease_id), again()));
    bench.give(Input::LineAsked(again().map(|_: Option<AttemptId>| ())));
    bench.give(Input::Live(News::Closed(Closed::Refused(ErrorCode::SignInAgain))));
    assert_eq!(bench.took(&Effect::SignIn), 1);
}

#[test]
fn a_path_that_is_not_found_switches_nobody_off() {
    let mut bench = Bench::on_the_line(talking());
    bench.give(Input::Live(News::Closed(Closed::Refused(ErrorCode::NotFound))));
    assert_eq!((bench.took(&Effect::StopPhone), bench.troubles()), (0, vec![]));
    bench.wait(300);
    assert_eq!(bench.took(&Effect::Listen), 1);
}

#[test]
fn frames_that_are_never_read_are_not_asked_for_four_times_a_second() {
    let mut bench = Bench::on_the_line(ready());
    bench.done.clear();
    let before = bench.now;
    for _ in 0..4 {
        bench.give(Input::Live(News::Closed(Closed::Gap)));
        while bench.took(&Effect::Listen) == 0 {
            bench.wait(100);
        }
        bench.live_up(ready(), ServersLine::Up);
    }
    assert!(bench.now - before > 12_000, "{} ms", bench.now - before);
}

#[test]
fn a_revoked_device_stops_everything_and_says_whom_to_ask() {
    let mut bench = Bench::on_the_line(talking());
    bench.give(Input::Live(News::Revoked { organiser: "Ruth".into() }));
    assert_eq!(bench.troubles(), [Trouble::Revoked { organiser: "Ruth".into() }]);
    assert_eq!(bench.desk().session, Session::Ended, "the card is gone");
    assert_eq!((bench.took(&Effect::StopPhone), bench.took(&Effect::StopListening)), (1, 1));
    bench.wait(3_600_000);
    assert_eq!(bench.took(&Effect::SignIn), 0, "nothing more is tried by itself");
    bench.press(Request::Leave).unwrap();
    assert_eq!(bench.took(&Effect::Leave), 1);
    assert_eq!(bench.app.view().screen, Screen::Join { busy: false, problem: None });
}

#[test]
fn another_version_or_certificate_has_its_own_word() {
    for (closed, trouble) in [
        (Closed::UpdateApp, Trouble::UpdateApp),
        (Closed::UpdateServer, Trouble::UpdateServer),
        (Closed::Refused(ErrorCode::UpdateApp), Trouble::UpdateApp),
        (Closed::Untrusted, Trouble::Untrusted),
    ] {
        let mut bench = Bench::on_the_line(ready());
        bench.give(Input::Live(News::Closed(closed)));
        assert_eq!(bench.troubles(), [trouble]);
    }
}

#[test]
fn a_keyring_that_waits_or_is_missing_is_told_on_any_screen() {
    let mut bench = Bench::new();
    bench.give(Input::KeyringWaits(true));
    assert_eq!(bench.troubles(), [Trouble::KeyringLocked]);
    bench.give(Input::KeyringWaits(false));
    let no_keyring = NoKeyring { why: "ServiceUnknown".into() };
    bench.give(Input::Opened(Opened { no_keyring: Some(no_keyring.clone()), ..Opened::default() }));
    assert_eq!(bench.troubles(), [Trouble::NoKeyring { why: "ServiceUnknown".into() }]);
    assert_eq!(bench.app.view().screen, Screen::Join { busy: false, problem: None });
    bench.done.clear();
    bench.press(Request::RetryNow).unwrap();
    assert_eq!(
        bench.took(&Effect::Open),
        1,
        "perhaps there is a device, in a keyring that can be opened now"
    );
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
fn a_keyring_is_asked_once_at_a_time() {
    let mut bench = Bench::with(Session::Ended, ServersLine::Down);
    let no_keyring = || NoKeyring { why: "dismissed".into() };
    bench.give(Input::Keyring(Err(no_keyring())));
    for _ in 0..3 {
        bench.press(Request::RetryNow).unwrap();
    }
    assert_eq!(bench.took(&Effect::KeepSecrets), 1);
    assert_eq!(bench.troubles(), [Trouble::NoKeyring { why: "dismissed".into() }]);
    bench.give(Input::KeyringWaits(true));
    bench.press(Request::RetryNow).unwrap();
    assert_eq!(bench.took(&Effect::KeepSecrets), 0, "its password window is open");
    bench.give(Input::KeyringWaits(false));
    bench.give(Input::Keyring(Err(no_keyring())));
    bench.press(Request::RetryNow).unwrap();
    assert_eq!(bench.took(&Effect::KeepSecrets), 1);
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
