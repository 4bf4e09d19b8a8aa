//! Calls in fake time, with the other side played by hand.

use std::time::Duration;

use super::*;
use crate::{events::Missing, settings::Secret};
use proptest::prelude::*;

struct Desk {
    identity: Identity,
    account: Account,
    now: Instant,
    call: Call,
    out: Vec<Output>,
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\na=sendrecv\r\n";

impl Desk {
    fn new(make: impl FnOnce(&mut Vec<Output>) -> Call) -> Self {
        let mut out = Vec::new();
        let call = make(&mut out);
        let account = Account { username: "u".into(), password: Secret::new("p"), domain: "test".into() };
        let identity = Identity::new("u", "test", "agent");
        Self { identity, account, now: Instant::now(), call, out }
    }

    fn calling() -> Self {
        let mut desk = Self::new(|out| Call::outgoing(CallId(1), "+44 7700", "c1".into(), out));
        desk.input(Input::Described(SDP.into()));
        desk
    }

    fn up() -> Self {
        let mut desk = Self::calling();
        desk.answer(200, SDP);
        desk.input(Input::Agreed(Codec::Opus));
        desk.input(Input::MediaUp);
        assert_eq!(desk.told(), [CallState::Up { codec: Codec::Opus, line: false }]);
        desk
    }

    fn incoming() -> Self {
        Self::new(|out| Call::incoming(CallId(2), theirs(Method::Invite, 7), true, out))
    }

    fn input(&mut self, input: Input) {
        self.out.clear();
        let context = Context { identity: &self.identity, account: &self.account, now: self.now };
        self.call.handle(input, context, &mut self.out);
    }

    fn wait(&mut self) -> Duration {
        let at = self.call.deadline().expect("nothing is due");
        let waited = at - self.now;
        self.now = at;
        self.input(Input::Tick);
        waited
    }

    fn requests(&self) -> Vec<Request> {
        let of = |output: &Output| match output {
            Output::Send(message) => match &**message {
                Message::Request(request) => Some(request.clone()),
                Message::Response(_) => None,
            },
            Output::Offer
            | Output::Answer(_)
            | Output::Accept(_)
            | Output::Tell(_)
            | Output::CloseMedia
            | Output::Unexpected(_) => None,
        };
        self.out.iter().filter_map(of).collect()
    }

    fn methods(&self) -> Vec<Method> {
        self.requests().into_iter().map(|request| request.method).collect()
    }

    fn responses(&self) -> Vec<Response> {
        let of = |output: &Output| match output {
            Output::Send(message) => match &**message {
                Message::Response(response) => Some(response.clone()),
                Message::Request(_) => None,
            },
            Output::Offer
            | Output::Answer(_)
            | Output::Accept(_)
            | Output::Tell(_)
            | Output::CloseMedia
            | Output::Unexpected(_) => None,
        };
        self.out.iter().filter_map(of).collect()
    }

    fn statuses(&self) -> Vec<u16> {
        self.responses().into_iter().map(|response| response.status).collect()
    }

    fn told(&self) -> Vec<CallState> {
        let of = |output: &Output| match output {
            Output::Tell(state) => Some(state.clone()),
            Output::Offer
            | Output::Answer(_)
            | Output::Accept(_)
            | Output::Send(_)
            | Output::CloseMedia
            | Output::Unexpected(_) => None,
        };
        self.out.iter().filter_map(of).collect()
    }

    fn answer(&mut self, status: u16, body: &str) -> Request {
        self.answer_with(status, body, &[])
    }

    /// Answers the last request sent; returns it.
    fn answer_with(&mut self, status: u16, body: &str, headers: &[(&str, &str)]) -> Request {
        let request = self.requests().pop().expect("nothing was sent");
        let mut response = request.respond(status, "x", Some("theirs"));
        response.headers.push("Contact", "<sip:asterisk@1.2.3.4;transport=ws>");
        for (name, value) in headers {
            response.headers.push(name, *value);
        }
        response.body = body.into();
        self.input(Input::Response(Box::new(response)));
        request
    }
}

fn theirs(method: Method, number: u32) -> Request {
    let mut request = Request::new(method.clone(), "sip:u@x.invalid")
        .with("Via", format!("SIP/2.0/WS a;branch=z9hG4bK{number}{method}"))
        .with("From", "<sip:a@test>;tag=theirs")
        .with("To", "<sip:u@test>")
        .with("Call-ID", "c2")
        .with("CSeq", format!("{number} {method}"))
        .with("Contact", "<sip:asterisk@1.2.3.4;transport=ws>");
    request.body = SDP.into();
    request
}

fn request(method: Method, number: u32) -> Input {
    Input::Request(Box::new(theirs(method, number)))
}

#[test]
fn a_call_rings_with_its_own_sound_is_answered_and_hung_up() {
    let mut desk = Desk::calling();
    assert_eq!(desk.requests()[0].uri, "sip:+447700@test");
    desk.answer(100, "");
    desk.out = vec![Output::Send(Box::new(desk_invite(&desk).into()))];
    desk.answer(183, SDP);
    assert_eq!(desk.told(), [CallState::Ringing { early_media: true }]);
    assert!(desk.out.iter().any(|output| matches!(output, Output::Accept(_))));
    desk.input(Input::Agreed(Codec::Opus));
    desk.input(Input::MediaUp);
    desk.out = vec![Output::Send(Box::new(desk_invite(&desk).into()))];
    desk.answer(200, SDP);
    assert_eq!(desk.methods(), [Method::Ack]);
    assert_eq!(desk.requests()[0].uri, "sip:asterisk@1.2.3.4;transport=ws");
    assert_eq!(desk.told(), [CallState::Up { codec: Codec::Opus, line: false }]);
    desk.input(Input::HangUp);
    assert_eq!(desk.methods(), [Method::Bye]);
    assert_eq!(desk.told(), [CallState::Ended { by: EndedBy::Us, reason: Reason::HungUp }]);
    desk.answer(200, "");
    assert!(desk.call.is_over());
}

/// The INVITE that the call waits on, to be answered again.
fn desk_invite(desk: &Desk) -> Request {
    match &desk.call.state {
        State::Calling(calling) => calling.invite.clone(),
        State::Offering(_)
        | State::Cancelling(_)
        | State::Answering(_)
        | State::Answered(_)
        | State::Up(_)
        | State::Ending(_)
        | State::Over => panic!("not calling"),
    }
}

#[test]
fn a_challenge_is_acknowledged_and_answered_once() {
    let challenge = ("Proxy-Authenticate", "Digest realm=\"r\", nonce=\"n\"");
    let mut desk = Desk::calling();
    desk.answer_with(407, "", &[challenge]);
    assert_eq!(desk.methods(), [Method::Ack, Method::Invite]);
    let again = desk.requests().pop().expect("no second INVITE");
    assert_eq!(again.headers.cseq(), Some((2, Method::Invite)));
    assert!(again.headers.get("Proxy-Authorization").is_some());
    desk.answer_with(407, "", &[challenge]);
    assert_eq!(desk.methods(), [Method::Ack]);
    let reason = Reason::Refused(407);
    assert_eq!(desk.told(), [CallState::Ended { by: EndedBy::Peer, reason }]);
}

#[test]
fn a_refusal_says_what_it_means() {
    for (status, reason) in [
        (486, Reason::Busy),
        (480, Reason::NoAnswer),
        (404, Reason::NoSuchNumber),
        (403, Reason::Refused(403)),
    ] {
        let mut desk = Desk::calling();
        desk.answer(status, "");
        assert_eq!(desk.methods(), [Method::Ack]);
        assert_eq!(desk.told(), [CallState::Ended { by: EndedBy::Peer, reason }]);
        assert!(desk.call.is_over());
    }
}

#[test]
fn a_call_given_up_is_cancelled_once_that_is_allowed() {
    let mut desk = Desk::calling();
    let invite = desk_invite(&desk);
    desk.input(Input::HangUp);
    assert!(desk.methods().is_empty());
    desk.out = vec![Output::Send(Box::new(invite.clone().into()))];
    desk.answer(180, "");
    assert_eq!(desk.methods(), [Method::Cancel]);
    assert_eq!(desk.requests()[0].headers.branch(), invite.headers.branch());
    // It was answered meanwhile.
    desk.out = vec![Output::Send(Box::new(invite.into()))];
    desk.answer(200, SDP);
    assert_eq!(desk.methods(), [Method::Ack, Method::Bye]);
}

#[test]
fn an_awaited_call_is_answered_and_up_with_the_ack_and_the_media() {
    let mut desk = Desk::incoming();
    assert!(matches!(desk.out[..], [Output::Tell(CallState::Dialling), Output::Answer(_)]));
    desk.input(Input::Agreed(Codec::Pcma));
    desk.input(Input::Described(SDP.into()));
    assert_eq!(desk.statuses(), [200]);
    // No ACK comes: it is said again, later and later.
    let waits: Vec<u128> = (0..4).map(|_| desk.wait().as_millis()).collect();
    assert_eq!(waits, [500, 1_000, 2_000, 4_000]);
    assert_eq!(desk.statuses(), [200]);
    desk.input(request(Method::Ack, 7));
    assert!(desk.told().is_empty());
    desk.input(Input::MediaUp);
    assert_eq!(desk.told(), [CallState::Up { codec: Codec::Pcma, line: true }]);
    desk.input(request(Method::Bye, 8));
    assert_eq!(desk.statuses(), [200]);
    assert_eq!(desk.told(), [CallState::Ended { by: EndedBy::Peer, reason: Reason::HungUp }]);
}

#[test]
fn a_call_to_us_that_is_cancelled_or_has_no_sound_is_refused() {
    let mut desk = Desk::incoming();
    desk.input(request(Method::Cancel, 7));
    assert_eq!(desk.statuses(), [200, 487]);
    let mut desk = Desk::incoming();
    desk.input(Input::MediaFailed("no codec".into()));
    assert_eq!(desk.statuses(), [488]);
    assert!(desk.call.is_over());
}

#[test]
fn a_call_survives_the_loss_of_its_socket_by_an_update() {
    let mut desk = Desk::up();
    desk.input(Input::SocketLost);
    assert_eq!(desk.told(), [CallState::Reconnecting { missing: Missing::Signalling }]);
    desk.input(Input::SocketBack);
    assert_eq!(desk.methods(), [Method::Update]);
    assert!(desk.requests()[0].body.is_empty());
    desk.answer(200, "");
    assert_eq!(desk.told(), [CallState::Up { codec: Codec::Opus, line: false }]);
    assert_eq!(desk.call.deadline(), None);
}

#[test]
fn what_is_away_is_told_with_the_sound_before_the_socket() {
    let missing = |missing| [CallState::Reconnecting { missing }];
    let mut desk = Desk::up();
    desk.input(Input::SocketLost);
    assert_eq!(desk.told(), missing(Missing::Signalling));
    desk.input(Input::MediaAway);
    assert_eq!(desk.told(), missing(Missing::Sound));
    desk.input(Input::SocketLost);
    assert!(desk.told().is_empty());
    desk.input(Input::MediaUp);
    assert_eq!(desk.told(), missing(Missing::Signalling));
    desk.input(Input::SocketBack);
    desk.answer(200, "");
    assert_eq!(desk.told(), [CallState::Up { codec: Codec::Opus, line: false }]);
    desk.input(Input::MediaAway);
    assert_eq!(desk.told(), missing(Missing::Sound));
    desk.input(Input::MediaUp);
    assert_eq!(desk.told(), [CallState::Up { codec: Codec::Opus, line: false }]);
}

#[test]
fn a_call_whose_socket_does_not_come_back_ends() {
    let mut desk = Desk::up();
    desk.input(Input::SocketLost);
    assert_eq!(desk.wait().as_secs(), 60);
    let reason = Reason::ConnectionLost;
    assert_eq!(desk.told(), [CallState::Ended { by: EndedBy::Failure, reason }]);
}

#[test]
fn a_call_that_the_other_side_has_forgotten_ends_after_the_reconnect() {
    let mut desk = Desk::up();
    desk.input(Input::SocketLost);
    desk.input(Input::SocketBack);
    desk.answer(481, "");
    let reason = Reason::ConnectionLost;
    assert_eq!(desk.told(), [CallState::Ended { by: EndedBy::Failure, reason }]);
}

#[test]
fn a_session_that_we_refresh_is_refreshed_in_half_its_time() {
    let mut desk = Desk::calling();
    desk.answer_with(200, SDP, &[("Session-Expires", "90;refresher=uac"), ("Require", "timer")]);
    desk.input(Input::Agreed(Codec::Opus));
    desk.input(Input::MediaUp);
    assert_eq!(desk.wait().as_secs(), 45);
    assert_eq!(desk.methods(), [Method::Update]);
    assert_eq!(desk.requests()[0].headers.get("Session-Expires").as_deref(), Some("90;refresher=uac"));
    desk.answer_with(200, "", &[("Session-Expires", "90;refresher=uac")]);
    assert_eq!(desk.wait().as_secs(), 45);
}

#[test]
fn a_refresh_that_is_refused_is_not_repeated_at_once_and_one_without_a_time_is_the_last() {
    const TIME: (&str, &str) = ("Session-Expires", "90;refresher=uac");
    let challenge = ("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\"");
    let mut desk = Desk::calling();
    desk.answer_with(200, SDP, &[TIME]);
    desk.input(Input::Agreed(Codec::Opus));
    desk.input(Input::MediaUp);
    assert_eq!(desk.wait().as_secs(), 45);
    desk.answer(491, "");
    assert_eq!(desk.wait().as_secs(), 5);
    desk.answer_with(401, "", &[challenge]);
    assert_eq!(desk.requests()[0].headers.get(TIME.0).as_deref(), Some(TIME.1));
    desk.answer_with(200, "", &[TIME]);
    assert_eq!(desk.wait().as_secs(), 45);
    desk.answer(200, "");
    assert_eq!(desk.call.deadline(), None);
}

#[test]
fn a_session_that_nobody_refreshes_ends() {
    let mut desk = Desk::new(|out| {
        let invite =
            theirs(Method::Invite, 7).with("Supported", "timer").with("Session-Expires", "90;refresher=uac");
        Call::incoming(CallId(2), invite, true, out)
    });
    desk.input(Input::Described(SDP.into()));
    let answer = desk.responses().pop().expect("no answer");
    assert_eq!(answer.headers.get("Session-Expires").as_deref(), Some("90;refresher=uac"));
    assert!(answer.headers.lists("Require", "timer"));
    desk.input(request(Method::Ack, 7));
    desk.input(Input::Agreed(Codec::Opus));
    desk.input(Input::MediaUp);
    desk.now += Duration::from_secs(50);
    let update = theirs(Method::Update, 8).with("Session-Expires", "90;refresher=uac");
    desk.input(Input::Request(Box::new(update.with("Supported", "timer"))));
    assert_eq!(desk.statuses(), [200]);
    assert_eq!(desk.wait().as_secs(), 60);
    assert_eq!(desk.methods(), [Method::Bye]);
}

#[test]
fn hold_is_mirrored_and_what_we_do_not_do_is_refused() {
    let mut desk = Desk::up();
    let mut hold = theirs(Method::Invite, 9);
    hold.body = SDP.replace("sendrecv", "sendonly").into();
    desk.input(Input::Request(Box::new(hold)));
    let answer = desk.responses().pop().expect("no answer");
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(body.contains("a=recvonly") && body.contains("o=- 1 2 "), "{body}");
    desk.input(request(Method::Other("REFER".into()), 10));
    assert_eq!(desk.statuses(), [405]);
    desk.input(request(Method::Info, 11));
    assert_eq!(desk.statuses(), [200]);
    desk.input(request(Method::Info, 5));
    assert_eq!(desk.statuses(), [500]);
}

#[test]
fn a_call_without_sound_ends_and_says_so() {
    let mut desk = Desk::calling();
    desk.answer(200, SDP);
    assert_eq!(desk.wait().as_secs(), 15);
    assert_eq!(desk.methods(), [Method::Bye]);
    let told = desk.told();
    assert!(matches!(told[..], [CallState::Ended { by: EndedBy::Failure, reason: Reason::Media(_) }]));
}

proptest! {
    #[test]
    fn no_order_of_inputs_makes_it_panic_and_it_ends_once(
        outgoing: bool,
        steps in proptest::collection::vec((0_u8..14, 100_u16..700, 0_u32..20), 0..40),
    ) {
        let mut desk = if outgoing { Desk::calling() } else { Desk::incoming() };
        let mut ended = 0;
        let mut last = None;
        for (kind, status, number) in steps {
            last = desk.requests().pop().or(last);
            let input = match kind {
                0 => Input::Described(SDP.into()),
                1 => Input::MediaFailed("x".into()),
                2 => Input::MediaUp,
                3 => Input::MediaAway,
                4 => Input::Agreed(Codec::Opus),
                5 => request(Method::Ack, number),
                6 => request(Method::Bye, number),
                7 => request(Method::Update, number),
                8 => Input::SocketLost,
                9 => Input::SocketBack,
                10 => Input::HangUp,
                11 => Input::Info('1'),
                12 => {
                    desk.now += Duration::from_secs(u64::from(number));
                    Input::Tick
                }
                _ => match &last {
                    Some(request) => Input::Response(Box::new(request.respond(status, "x", Some("t")))),
                    None => Input::Tick,
                },
            };
            desk.input(input);
            ended += desk.told().iter().filter(|s| matches!(s, CallState::Ended { .. })).count();
        }
        prop_assert!(ended <= 1, "ended {ended} times");
        prop_assert!(!desk.call.is_over() || ended == 1, "over without a word");
    }
}
