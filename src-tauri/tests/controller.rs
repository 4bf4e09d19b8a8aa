//! The controller with everything real but the server: TLS, SQLite, the phone, the clock.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod double;

use std::{os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use double::Double;
use keyring_core::{CredentialStore, Error};
use protocol::{
    call::{Call, CallState, EndedBy},
    contact::Card,
    http::{ApiError, EndedLink, ErrorCode},
    ids::{AttemptId, LeaseId},
    join_link::JoinLink,
    outcome::Outcome,
    session::Session,
    times::RingingTimes,
};
use ringround::{
    controller::{Controller, Parts, Sound},
    secrets::Secrets,
    session::Request,
    view::{DeskView, JoinProblem, Notice, OutcomePress, Screen, Trouble, View},
};
use sqlx::Connection;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(15);

fn no_keyring() -> Result<Arc<CredentialStore>, Error> {
    Err(Error::PlatformFailure("ServiceUnknown".into()))
}

fn mock_keyring() -> Result<Arc<CredentialStore>, Error> {
    Ok(keyring_core::mock::Store::new()?)
}

fn start(folder: &Path, secrets: Secrets) -> Controller {
    Controller::start(Parts {
        folder: folder.to_owned(),
        secrets,
        device_name: "a test".into(),
        sound: Sound::Silence,
    })
}

async fn until(controller: &mut Controller, what: &str, fits: impl Fn(&View) -> bool) -> View {
    let wait = async {
        loop {
            let view = controller.view();
            if fits(&view) {
                return view;
            }
            controller.next_view().await.unwrap();
        }
    };
    let found = tokio::time::timeout(PATIENCE, wait).await;
    found.unwrap_or_else(|_| panic!("never {what}: {:#?}", controller.view()))
}

fn desk(view: &View) -> Option<&DeskView> {
    match &view.screen {
        Screen::Desk(desk) => Some(desk),
        Screen::Opening | Screen::Join { .. } => None,
    }
}

fn wrap_up() -> Session {
    let card = Card {
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
    };
    let state = CallState::Ended { by: EndedBy::Callee, talked_ms: 1 };
    Session::WrapUp { card, call: Call { attempt_id: AttemptId::new(Uuid::from_u128(4)), state } }
}

fn pressed(outcome: Outcome) -> Request {
    Request::Outcome {
        attempt_id: AttemptId::new(Uuid::from_u128(4)),
        press: OutcomePress { outcome, note: Some(" Spoke to her son ".into()), again: None },
    }
}

/// A double, a folder, and a controller that joined and sees the desk.
async fn joined() -> (Double, tempfile::TempDir, Secrets, Controller) {
    let double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::new(mock_keyring);
    let mut controller = start(folder.path(), secrets.clone());
    until(&mut controller, "asks for a link", |view| matches!(view.screen, Screen::Join { .. })).await;
    controller.ask(Request::Join { link: double.link() }).await.unwrap();
    until(&mut controller, "at the desk", |view| desk(view).is_some()).await;
    (double, folder, secrets, controller)
}

#[tokio::test]
async fn joining_signs_in_by_the_key_and_a_second_run_needs_no_link() {
    let (mut double, folder, secrets, controller) = joined().await;
    let join = double.request("/api/join").await;
    assert_eq!(join["device_name"], "a test");
    let view = controller.view();
    assert_eq!(desk(&view).unwrap().volunteer, "Maya");
    assert_eq!(view.troubles, []);
    drop(controller);

    let mut again = start(folder.path(), secrets);
    until(&mut again, "at the desk", |view| desk(view).is_some()).await;
    let text = std::fs::read_to_string(folder.path().join("settings.json")).unwrap();
    assert!(!text.contains("canary-sip") && !text.contains("token"), "no secret in a file: {text}");
}

#[tokio::test]
async fn another_authority_is_not_believed() {
    let double = Double::start().await;
    let other = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut controller = start(folder.path(), Secrets::new(mock_keyring));
    until(&mut controller, "asks for a link", |view| matches!(view.screen, Screen::Join { .. })).await;
    let link = double.link().replace(&double.address.port().to_string(), &other.address.port().to_string());
    controller.ask(Request::Join { link }).await.unwrap();
    until(&mut controller, "untrusted", |view| {
        view.screen == Screen::Join { busy: false, problem: Some(JoinProblem::Untrusted) }
    })
    .await;
}

#[tokio::test]
async fn each_bad_link_has_its_own_word() {
    let double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut controller = start(folder.path(), Secrets::new(mock_keyring));
    until(&mut controller, "asks for a link", |view| matches!(view.screen, Screen::Join { .. })).await;
    let ruth = || "Ruth".to_owned();
    let in_its_words = || JoinProblem::Refused { message: "The double says no".into() };
    let link = Some(EndedLink { organiser: ruth(), expires_at_ms: 1_795_435_200_000 });
    let expired = JoinProblem::Expired { organiser: ruth(), ended_at_ms: 1_795_435_200_000 };
    for (status, code, link, problem) in [
        (403, ErrorCode::UnknownLink, None, JoinProblem::Unknown),
        (410, ErrorCode::LinkSpent, link.clone(), JoinProblem::Spent { organiser: ruth() }),
        (410, ErrorCode::LinkSpent, None, in_its_words()),
        (410, ErrorCode::LinkExpired, link, expired),
        (410, ErrorCode::LinkExpired, None, in_its_words()),
        (426, ErrorCode::UpdateApp, None, JoinProblem::UpdateApp),
        (426, ErrorCode::UpdateServer, None, JoinProblem::UpdateServer),
        (429, ErrorCode::TooMany, None, in_its_words()),
    ] {
        let refusal = ApiError { link, ..ApiError::new(code, "The double says no") };
        double.answer("/api/join", status, serde_json::to_value(refusal).unwrap());
        controller.ask(Request::Join { link: double.link() }).await.unwrap();
        let wanted = Screen::Join { busy: false, problem: Some(problem) };
        until(&mut controller, &format!("{wanted:?}"), |view| view.screen == wanted).await;
    }
}

#[tokio::test]
async fn a_link_tried_again_makes_no_second_device() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut controller = start(folder.path(), Secrets::new(mock_keyring));
    until(&mut controller, "asks for a link", |view| matches!(view.screen, Screen::Join { .. })).await;
    double.answer("/api/join", 500, serde_json::json!("lost on the way back"));
    controller.ask(Request::Join { link: double.link() }).await.unwrap();
    let first = double.request("/api/join").await;
    until(&mut controller, "unreachable", |view| {
        view.screen == Screen::Join { busy: false, problem: Some(JoinProblem::Unreachable) }
    })
    .await;
    double.as_usual("/api/join");
    controller.ask(Request::Join { link: double.link() }).await.unwrap();
    let second = double.request("/api/join").await;
    assert_eq!(first, second);
}

/// Whether the keyring has the key of the device that asked to join.
async fn has_key(secrets: &Secrets, join: &serde_json::Value) -> bool {
    secrets.read(format!("{} device key", join["device_id"].as_str().unwrap())).await.unwrap().is_some()
}

async fn until_it_is_forgotten(secrets: &Secrets, join: &serde_json::Value) {
    let forgotten = async {
        while has_key(secrets, join).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, forgotten).await.expect("a key of no use goes from the keyring");
}

#[tokio::test]
async fn a_key_stays_while_its_link_may_be_joined_by_and_no_longer() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::new(mock_keyring);
    let mut controller = start(folder.path(), secrets.clone());
    let asks = |view: &View| matches!(view.screen, Screen::Join { busy: false, .. });
    until(&mut controller, "asks for a link", asks).await;
    let [first, second, third, fourth] = [1, 2, 3, 4].map(|n| {
        let link = JoinLink::parse(&double.link()).unwrap();
        JoinLink { token: URL_SAFE_NO_PAD.encode([n; 16]), ..link }.text()
    });

    double.answer("/api/join", 500, serde_json::json!("lost on the way back"));
    controller.ask(Request::Join { link: first.clone() }).await.unwrap();
    let lost = double.request("/api/join").await;
    until(&mut controller, "asks again", asks).await;
    assert!(has_key(&secrets, &lost).await, "the link may be spent");
    double.refuse("/api/join", 410, ErrorCode::LinkSpent);
    controller.ask(Request::Join { link: first }).await.unwrap();
    assert_eq!(double.request("/api/join").await, lost);
    until_it_is_forgotten(&secrets, &lost).await;
    until(&mut controller, "asks again", asks).await;

    double.refuse("/api/join", 429, ErrorCode::TooMany);
    controller.ask(Request::Join { link: second }).await.unwrap();
    let given_up = double.request("/api/join").await;
    until(&mut controller, "asks again", asks).await;
    assert!(has_key(&secrets, &given_up).await);
    double.as_usual("/api/join");
    controller.ask(Request::Join { link: third }).await.unwrap();
    let joined = double.request("/api/join").await;
    until_it_is_forgotten(&secrets, &given_up).await;
    until(&mut controller, "at the desk", |view| desk(view).is_some()).await;

    double.refuse("/api/join", 403, ErrorCode::UnknownLink);
    controller.ask(Request::Join { link: fourth }).await.unwrap();
    controller.ask(Request::AnswerInvitation { join: true }).await.unwrap();
    let refused = double.request("/api/join").await;
    until_it_is_forgotten(&secrets, &refused).await;
    assert!(has_key(&secrets, &joined).await, "this computer is that device");
}

#[tokio::test]
async fn an_outcome_pressed_without_a_server_reaches_it_after_a_crash_of_the_app() {
    let (mut double, folder, secrets, mut controller) = joined().await;
    double.session(wrap_up());
    let in_wrap_up =
        |view: &View| desk(view).is_some_and(|desk| matches!(desk.session, Session::WrapUp { .. }));
    until(&mut controller, "in wrap-up", in_wrap_up).await;
    double.stop().await;
    until(&mut controller, "told of the loss", |view| {
        view.troubles
            .iter()
            .any(|trouble| matches!(trouble, Trouble::ServerUnreachable { in_call: false, .. }))
    })
    .await;
    controller.ask(pressed(Outcome::Reached)).await.unwrap();
    until(&mut controller, "saved here", |view| {
        view.notice == Some(Notice::SavedHere { outcome: Outcome::Reached })
            && desk(view).is_some_and(|desk| desk.waiting_outcomes == 1)
    })
    .await;
    let outbox = folder.path().join("outbox.sqlite");
    assert_eq!(std::fs::metadata(&outbox).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&outbox).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("Hollis"), "no name in the outbox");
    // A crash: nothing is closed or said.
    drop(controller);

    double.start_again().await;
    let mut again = start(folder.path(), secrets);
    let outcome = double.request("/api/outcome").await;
    assert_eq!(
        (outcome["outcome"].as_str(), outcome["note"].as_str()),
        (Some("reached"), Some("Spoke to her son"))
    );
    until(&mut again, "wrap-up restored with the mark", |view| {
        desk(view).is_some_and(|desk| desk.waiting_outcomes == 0 && desk.marked == Some(Outcome::Reached))
    })
    .await;
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_by_itself() {
    let (mut double, _folder, _, mut controller) = joined().await;
    double.stop().await;
    let away = |view: &View| {
        view.troubles.iter().any(|trouble| matches!(trouble, Trouble::ServerUnreachable { .. }))
    };
    until(&mut controller, "away", away).await;
    double.start_again().await;
    controller.ask(Request::RetryNow).await.unwrap();
    until(&mut controller, "back", |view| view.troubles.is_empty()).await;
}

#[tokio::test]
async fn a_token_past_its_time_is_renewed_without_a_word() {
    let (mut double, _folder, _, mut controller) = joined().await;
    double.request("/api/sign-in").await;
    double.forget_tokens();
    double.request("/api/sign-in").await;
    double.session(wrap_up());
    until(&mut controller, "live again", |view| {
        desk(view).is_some_and(|desk| matches!(desk.session, Session::WrapUp { .. }))
    })
    .await;
    assert_eq!(controller.view().troubles, []);
}

#[tokio::test]
async fn frames_that_make_no_sense_are_counted_and_answered_by_a_new_socket() {
    let (double, _folder, _, mut controller) = joined().await;
    let again = async |opened: usize| {
        while double.opened() == opened {
            controller.ask(Request::RetryNow).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let gap = r#"{"type":"change","seq":99,"change":{"part":"line","value":{"state":"up"}}}"#;
    let long = "x".repeat(10 * 1024 * 1024);
    let frames =
        [("{", 1), ("[]", 2), (gap, 2), (&long, 3), ("\u{0}", 4), (r#"{"type":"change","seq":1}"#, 5)];
    for (frame, counted) in frames {
        let opened = double.opened();
        double.live(frame);
        let told = &frame[..frame.len().min(40)];
        tokio::time::timeout(PATIENCE, again(opened))
            .await
            .unwrap_or_else(|_| panic!("no new socket: {told}"));
        assert_eq!(controller.unreadable_frames(), counted, "{told}");
    }
    double.session(wrap_up());
    until(&mut controller, "live again", |view| {
        desk(view).is_some_and(|desk| matches!(desk.session, Session::WrapUp { .. }))
    })
    .await;
}

#[tokio::test]
async fn another_protocol_says_which_side_to_update() {
    let (double, _folder, _, mut controller) = joined().await;
    double.live(r#"{"type":"hello","protocol":2,"server_version":"9","now_ms":0}"#);
    until(&mut controller, "told", |view| view.troubles == [Trouble::UpdateApp]).await;
}

#[tokio::test]
async fn a_revoked_device_is_told_whom_to_ask_and_may_leave() {
    let (double, folder, _, mut controller) = joined().await;
    double.live(r#"{"type":"revoked","organiser":"Ruth"}"#);
    until(&mut controller, "told", |view| view.troubles == [Trouble::Revoked { organiser: "Ruth".into() }])
        .await;
    controller.ask(Request::Leave).await.unwrap();
    until(&mut controller, "asks for a link", |view| matches!(view.screen, Screen::Join { .. })).await;
    let forgotten = async {
        while ringround::settings::read(folder.path()).device.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, forgotten).await.expect("the settings name no device any more");
}

#[tokio::test]
async fn leaving_signs_out() {
    let (mut double, _folder, _, controller) = joined().await;
    controller.ask(Request::Leave).await.unwrap();
    double.request("/api/sign-out").await;
}

/// Joined, with an outcome that the server did not take.
async fn with_a_waiting_outcome() -> (Double, tempfile::TempDir, Secrets, Controller) {
    let (mut double, folder, secrets, mut controller) = joined().await;
    double.refuse("/api/outcome", 503, ErrorCode::NoStorage);
    double.session(wrap_up());
    until(&mut controller, "in wrap-up", |view| {
        desk(view).is_some_and(|desk| matches!(desk.session, Session::WrapUp { .. }))
    })
    .await;
    controller.ask(pressed(Outcome::Reached)).await.unwrap();
    double.request("/api/outcome").await;
    until(&mut controller, "waiting", |view| desk(view).is_some_and(|desk| desk.waiting_outcomes == 1)).await;
    double.session(Session::Ended);
    until(&mut controller, "ended", |view| desk(view).is_some_and(|desk| desk.session == Session::Ended))
        .await;
    (double, folder, secrets, controller)
}

async fn until_the_outbox_is_empty(folder: &Path) {
    let outbox = ringround::outbox::Outbox::new(folder.join("outbox.sqlite"));
    let empty = async {
        while !outbox.all().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, empty).await.expect("the rows go");
}

#[tokio::test]
async fn an_outcome_that_waits_is_given_to_its_server_before_leaving() {
    let (mut double, folder, _, controller) = with_a_waiting_outcome().await;
    double.as_usual("/api/outcome");
    controller.ask(Request::Leave).await.unwrap();
    assert_eq!(double.request("/api/outcome").await["outcome"], "reached");
    double.request("/api/sign-out").await;
    until_the_outbox_is_empty(folder.path()).await;
}

#[tokio::test]
async fn an_outcome_that_its_server_never_takes_does_not_stay_behind() {
    let (mut double, folder, _, controller) = with_a_waiting_outcome().await;
    controller.ask(Request::Leave).await.unwrap();
    double.request("/api/sign-out").await;
    until_the_outbox_is_empty(folder.path()).await;
}

#[tokio::test]
async fn closing_the_window_right_after_leaving_loses_nothing() {
    let (mut double, folder, _, controller) = with_a_waiting_outcome().await;
    double.as_usual("/api/outcome");
    controller.ask(Request::Leave).await.unwrap();
    controller.ask(Request::Quit).await.unwrap();
    let mut told = vec![];
    while let Ok((path, _)) = double.requests.try_recv() {
        told.push(path);
    }
    assert!(told.ends_with(&["/api/outcome".to_owned(), "/api/sign-out".to_owned()]), "{told:?}");
    let outbox = ringround::outbox::Outbox::new(folder.path().join("outbox.sqlite"));
    assert_eq!(outbox.all().await.unwrap(), []);
    assert_eq!(ringround::settings::read(folder.path()), ringround::settings::Settings::default());
}

#[tokio::test]
async fn outcomes_of_a_device_whose_keyring_is_away_reach_its_server_when_it_is_back() {
    let (mut old, folder, secrets, controller) = with_a_waiting_outcome().await;
    controller.ask(Request::Quit).await.unwrap();
    let mut away = start(folder.path(), Secrets::new(no_keyring));
    until(&mut away, "asks for a link", |view| matches!(view.screen, Screen::Join { .. })).await;
    let mut new = Double::start().await;
    away.open_link(new.link()).await.unwrap();
    let asked = until(&mut away, "asked", |view| view.invitation.is_some()).await;
    assert_eq!(asked.invitation.unwrap().waiting_outcomes, 1);
    assert!(new.requests.try_recv().is_err(), "nothing is sent by a link alone");
    away.ask(Request::AnswerInvitation { join: true }).await.unwrap();
    until(&mut away, "at the new desk", |view| desk(view).is_some()).await;
    away.ask(Request::Quit).await.unwrap();
    assert_eq!(ringround::settings::read(folder.path()).left.len(), 1);
    let outbox = ringround::outbox::Outbox::new(folder.path().join("outbox.sqlite"));
    assert_eq!(outbox.all().await.unwrap().len(), 1, "nobody could send it, and nobody loses it");

    // The next evening: the password is given, and the sign-in of the day before has ended.
    old.as_usual("/api/outcome");
    old.forget_tokens();
    while old.requests.try_recv().is_ok() {}
    let again = start(folder.path(), secrets);
    old.request("/api/sign-in").await;
    assert_eq!(old.request("/api/outcome").await["outcome"], "reached");
    old.request("/api/sign-out").await;
    until_the_outbox_is_empty(folder.path()).await;
    again.ask(Request::Quit).await.unwrap();
    assert_eq!(ringround::settings::read(folder.path()).left, []);
}

/// A keyring behind a password window, which is closed without a password.
fn dismissed_keyring() -> Result<Arc<CredentialStore>, Error> {
    let mut closed = PASSWORD_WINDOW.0.lock().unwrap();
    while !*closed {
        closed = PASSWORD_WINDOW.1.wait_timeout(closed, PATIENCE).unwrap().0;
    }
    Err(Error::PlatformFailure("the prompt was dismissed".into()))
}

static PASSWORD_WINDOW: (std::sync::Mutex<bool>, std::sync::Condvar) =
    (std::sync::Mutex::new(false), std::sync::Condvar::new());

#[tokio::test]
async fn a_password_window_that_is_closed_stops_nothing_and_is_said() {
    let (_double, folder, _, controller) = joined().await;
    drop(controller);
    let mut again = start(folder.path(), Secrets::new(dismissed_keyring));
    until(&mut again, "told to look at the window", |view| view.troubles == [Trouble::KeyringLocked]).await;
    let pressed = tokio::time::timeout(Duration::from_millis(500), again.ask(Request::Start)).await;
    assert!(matches!(pressed, Ok(Err(_))), "the app answers while the window is open: {pressed:?}");
    *PASSWORD_WINDOW.0.lock().unwrap() = true;
    PASSWORD_WINDOW.1.notify_all();
    until(&mut again, "told that there is no keyring", |view| {
        matches!(view.screen, Screen::Join { .. })
            && matches!(&view.troubles[..], [Trouble::NoKeyring { why }] if why.contains("dismissed"))
    })
    .await;
}

#[tokio::test]
async fn joining_elsewhere_is_asked_for_and_takes_nothing_of_the_old_server_along() {
    let (mut old, _folder, secrets, mut controller) = joined().await;
    let id = old.request("/api/join").await["device_id"].as_str().unwrap().to_owned();
    old.request("/api/sign-in").await;
    let mut new = Double::start().await;
    controller.open_link(new.link()).await.unwrap();
    until(&mut controller, "asked", |view| view.invitation.is_some()).await;
    assert!(new.requests.try_recv().is_err(), "nothing is sent by a link alone");

    controller.ask(Request::AnswerInvitation { join: true }).await.unwrap();
    new.request("/api/sign-in").await;
    old.request("/api/sign-out").await;
    until(&mut controller, "at the new desk", |view| desk(view).is_some()).await;
    controller.ask(Request::Start).await.unwrap();
    new.request("/api/session/start").await;
    let forgotten = async {
        for name in ["device key", "sign-in"] {
            while secrets.read(format!("{id} {name}")).await.unwrap().is_some() {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, forgotten).await.expect("the old secrets go");
}

#[tokio::test]
async fn without_a_keyring_it_works_for_this_run_and_says_so() {
    let double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::new(no_keyring);
    let mut controller = start(folder.path(), secrets.clone());
    until(&mut controller, "asks for a link", |view| matches!(view.screen, Screen::Join { .. })).await;
    controller.ask(Request::Join { link: double.link() }).await.unwrap();
    until(&mut controller, "told", |view| {
        desk(view).is_some()
            && matches!(&view.troubles[..], [Trouble::NoKeyring { why }] if why.contains("ServiceUnknown"))
    })
    .await;
    let device = ringround::settings::read(folder.path()).device.unwrap().id;
    let kept = |name: &str| secrets.read(format!("{device} {name}"));
    let key = kept("device key").await.unwrap().expect("in memory");
    let sign_in: protocol::http::SignedIn =
        serde_json::from_str(&kept("sign-in").await.unwrap().expect("in memory")).unwrap();
    assert_eq!(sign_in.sip_password, "canary-sip");
    let mut files = 0;
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            for (what, secret) in
                [("key", &**key), ("token", &sign_in.token), ("password", &sign_in.sip_password)]
            {
                assert!(secret.len() > 8 && !text.contains(secret), "the {what} is in {}", path.display());
            }
        }
    }
    assert!(files >= 2, "the settings and the outbox");
}

#[tokio::test]
async fn a_session_that_was_not_stopped_is_stopped_when_the_app_closes() {
    let (mut double, _folder, _, controller) = joined().await;
    let why = protocol::session::Waiting::Line;
    double.session(Session::Waiting { why });
    let mut waiting = controller.clone();
    until(&mut waiting, "waiting", |view| {
        desk(view).is_some_and(|desk| matches!(desk.session, Session::Waiting { .. }))
    })
    .await;
    controller.ask(Request::Quit).await.unwrap();
    double.request("/api/session/stop").await;
}

#[tokio::test]
async fn closing_the_window_waits_for_the_outcome_that_was_just_pressed() {
    let (double, folder, _, mut controller) = joined().await;
    double.session(wrap_up());
    until(&mut controller, "in wrap-up", |view| {
        desk(view).is_some_and(|desk| matches!(desk.session, Session::WrapUp { .. }))
    })
    .await;
    // A disk that takes its time: somebody else holds the file.
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("outbox.sqlite"));
    let mut slow = sqlx::SqliteConnection::connect_with(&file).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut slow).await.unwrap();
    controller.ask(pressed(Outcome::DoNotCall)).await.unwrap();
    let quit = controller.ask(Request::Quit);
    tokio::pin!(quit);
    let early = tokio::time::timeout(Duration::from_millis(700), &mut quit).await;
    assert!(early.is_err(), "closed with an outcome in nobody's hands");
    sqlx::query("COMMIT").execute(&mut slow).await.unwrap();
    quit.await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM outcome").fetch_one(&mut slow).await.unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn a_request_that_a_rule_refuses_says_the_servers_words() {
    let (double, _folder, _, mut controller) = joined().await;
    double.refuse("/api/session/start", 409, ErrorCode::RefusedByRule);
    controller.ask(Request::Start).await.unwrap();
    until(&mut controller, "refused", |view| {
        view.notice == Some(Notice::RefusedByRule { message: "The double says no".into() })
            && desk(view).is_some_and(|desk| desk.busy.is_none())
    })
    .await;
}
