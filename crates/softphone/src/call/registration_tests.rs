//! The registration in fake time.

use super::*;
use crate::settings::{Account, Secret};
use crate::sip::dialog::Identity;

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
