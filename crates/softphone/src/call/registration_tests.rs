//! The registration in fake time.

use super::*;
use crate::settings::{Account, Secret};
use crate::sip::dialog::Identity;
use proptest::prelude::*;

struct Desk {
    identity: Identity,
    account: Account,
    now: Instant,
    registration: Registration,
    out: Vec<Output>,
}

impl Desk {
    fn new() -> Self {
        let mut out = Vec::new();
        let registration = Registration::start(&mut out);
        let account = Account { username: "u".into(), password: Secret::new("p"), domain: "test".into() };
        let identity = Identity::new("u", "test", "agent");
        Self { identity, account, now: Instant::now(), registration, out }
    }

    fn registered(seconds: u64) -> Self {
        let mut desk = Self::new();
        desk.input(Input::Connected);
        desk.answer(200, &[("Expires", &seconds.to_string())]);
        assert!(desk.told(&Standing::Registered));
        desk
    }

    fn input(&mut self, input: Input) {
        self.out.clear();
        let context = Context { identity: &self.identity, account: &self.account, now: self.now };
        self.registration.handle(input, 0.5, context, &mut self.out);
    }

    fn wait(&mut self) -> Duration {
        let at = self.registration.deadline().expect("nothing is due");
        let waited = at - self.now;
        self.now = at;
        self.input(Input::Tick);
        waited
    }

    fn sent(&self) -> Option<&Request> {
        self.out.iter().find_map(|output| match output {
            Output::Send(message) => match &**message {
                Message::Request(request) => Some(request),
                Message::Response(_) => None,
            },
            Output::Connect | Output::Tell(_) | Output::Left => None,
        })
    }

    fn told(&self, standing: &Standing) -> bool {
        self.out.iter().any(|output| matches!(output, Output::Tell(told) if told == standing))
    }

    fn answer(&mut self, status: u16, headers: &[(&str, &str)]) {
        let request = self.sent().expect("nothing was sent").clone();
        let mut response = request.respond(status, "x", Some("t"));
        for (name, value) in headers {
            response.headers.push(name, *value);
        }
        self.input(Input::Response(Box::new(response)));
    }
}

const CHALLENGE: (&str, &str) =
    ("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"");

#[test]
fn it_answers_one_challenge_and_refreshes_before_the_end() {
    let mut desk = Desk::new();
    desk.input(Input::Connected);
    assert!(desk.sent().is_some_and(|r| r.headers.get("Authorization").is_none()));
    desk.answer(401, &[CHALLENGE]);
    let authorization = desk.sent().and_then(|r| r.headers.get("Authorization"));
    assert!(authorization.is_some_and(|a| a.contains("algorithm=SHA-256")));
    let contact = format!("<{}>;expires=100", desk.identity.contact);
    desk.answer(200, &[("Contact", &format!("<sip:other>;expires=9, {contact}")), ("Expires", "3000")]);
    assert!(desk.told(&Standing::Registered));
    assert_eq!(desk.wait().as_secs(), 75);
    assert!(desk.sent().is_some());
    desk.answer(200, &[]);
    assert!(!desk.told(&Standing::Registered), "told twice");
}

#[test]
fn a_wrong_password_is_not_tried_again_until_asked() {
    let mut desk = Desk::new();
    desk.input(Input::Connected);
    desk.answer(401, &[CHALLENGE]);
    desk.answer(401, &[CHALLENGE]);
    assert!(desk.told(&Standing::Refused { why: Why::Account(401) }));
    assert_eq!(desk.registration.deadline(), None);
    desk.input(Input::Retry);
    assert!(desk.sent().is_some());
}

#[test]
fn after_a_loss_it_comes_back_ever_more_slowly_and_at_once_when_told() {
    let mut desk = Desk::registered(60);
    let mut waits = Vec::new();
    for _ in 0..9 {
        desk.input(Input::Lost(Why::Unreachable("x".into())));
        waits.push(desk.wait().as_secs_f64());
        assert!(matches!(desk.out[..], [Output::Tell(Standing::Registering), Output::Connect]));
    }
    assert_eq!(waits, [0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0]);
    desk.input(Input::Lost(Why::Unreachable("x".into())));
    desk.input(Input::Retry);
    assert!(matches!(desk.out[..], [Output::Tell(Standing::Registering), Output::Connect]));
}

#[test]
fn what_trying_again_cannot_mend_is_not_tried_again() {
    for why in [Why::Untrusted("x".into()), Why::WrongName, Why::Expired, Why::Upgrade(401)] {
        let mut desk = Desk::new();
        desk.input(Input::Lost(why.clone()));
        assert!(desk.told(&Standing::Refused { why }));
    }
}

#[test]
fn a_busy_registrar_says_when_and_an_old_answer_changes_nothing() {
    let mut desk = Desk::new();
    desk.input(Input::Connected);
    let old = desk.sent().expect("nothing was sent").respond(200, "OK", Some("t"));
    desk.answer(503, &[("Retry-After", "7")]);
    assert_eq!(desk.wait().as_secs(), 7);
    desk.input(Input::Response(Box::new(old)));
    assert!(desk.out.is_empty());
    assert_eq!(desk.wait(), ANSWERED_WITHIN);
}

#[test]
fn it_leaves_with_an_expiry_of_zero() {
    let mut desk = Desk::registered(60);
    desk.input(Input::Leave);
    let sent = desk.sent().and_then(|request| request.headers.get("Expires"));
    assert_eq!(sent.as_deref(), Some("0"));
    desk.answer(401, &[CHALLENGE]);
    assert_eq!(desk.sent().and_then(|r| r.headers.get("Expires")).as_deref(), Some("0"));
    desk.answer(200, &[]);
    assert!(matches!(desk.out[..], [Output::Left]));
}

/// Nearly right, or anything.
fn value(right: &'static str) -> impl Strategy<Value = String> {
    let nearly = proptest::string::string_regex(&format!("{right}[;, \"<>]?\\PC{{0,12}}"));
    prop_oneof![right, nearly.expect("a pattern"), "\\PC{0,40}"]
}

proptest! {
    #[test]
    fn whatever_the_registrar_grants_it_asks_again_in_time_and_not_without_end(
        expires in value("-?[0-9]{1,25}"), contact in value("(, |\"<)?;expires=\"?[0-9]{0,25}"), ours: bool,
    ) {
        let mut desk = Desk::new();
        desk.input(Input::Connected);
        let contact = if ours { format!("<{}>{contact}", desk.identity.contact) } else { contact };
        desk.answer(200, &[("Contact", &contact), ("Expires", &expires)]);
        prop_assert!(desk.told(&Standing::Registered));
        let waited = desk.wait();
        prop_assert!((7..=64_800).contains(&waited.as_secs()), "{waited:?} of {contact:?}, {expires:?}");
        prop_assert!(desk.sent().is_some());
    }

    #[test]
    fn the_time_of_our_own_contact_counts_before_any_other(
        others in proptest::collection::vec(("[a-z]{1,8}", any::<u64>()), 0..4), at: prop::sample::Index,
        granted: u64, all: u64,
    ) {
        let mut desk = Desk::new();
        desk.input(Input::Connected);
        let mut contacts: Vec<String> =
            others.iter().map(|(name, time)| format!("\"{name}, x\" <sip:{name}>;expires={time}")).collect();
        let ours = format!("<{}>;q=0.5;expires={granted}", desk.identity.contact);
        contacts.insert(at.index(contacts.len() + 1), ours);
        desk.answer(200, &[("Contact", &contacts.join(", ")), ("Expires", &all.to_string())]);
        let expected = Duration::from_secs_f64(granted.clamp(10, 86_400) as f64 * 0.75);
        prop_assert_eq!(desk.wait(), expected);
    }

    #[test]
    fn whatever_a_busy_registrar_says_it_waits_at_least_so_long_and_ten_minutes_at_most(
        text in value("[0-9]{1,25}"), seconds: u64, status in 300_u16..700,
    ) {
        prop_assume!(![401, 403, 404, 407].contains(&status));
        for (text, seconds) in [(text, None), (format!("{seconds}"), Some(seconds)), (format!("{seconds};duration=9"), Some(seconds))] {
            let mut desk = Desk::new();
            desk.input(Input::Connected);
            desk.answer(status, &[("Retry-After", &text)]);
            let waited = desk.wait().as_secs_f64();
            prop_assert!((0.15..=600.0).contains(&waited), "{waited} s after {text:?}");
            prop_assert!(seconds.is_none_or(|seconds| waited >= seconds.min(600) as f64));
        }
    }
}
