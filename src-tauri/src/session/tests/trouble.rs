//! When server, account, version or keyring are not as they should be.

use super::*;

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
