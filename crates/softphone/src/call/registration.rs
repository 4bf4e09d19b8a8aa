//! Our standing with the registrar (RFC 3261 section 10), and the connection it needs.
//!
//! | state | input | then |
//! | --- | --- | --- |
//! | Waiting | Tick at its time, Retry | Connecting, or Registering where a connection is up |
//! | Connecting | Connected | REGISTER, Registering |
//! | Registering | 2xx | Registered |
//! | | 401, 407 | REGISTER with credentials; refused again: Refused |
//! | | 403, 404 | Refused |
//! | | anything else, too late | Waiting |
//! | Registered | Tick before the end | REGISTER, Registering |
//! | any | Lost | Waiting, or Refused where trying again cannot help |
//! | any | Leave | un-REGISTER, Leaving |

use std::time::{Duration, Instant};

use super::Context;
use crate::events::{Registration as Standing, Why};
use crate::sip::digest::Challenge;
use crate::sip::message::{elements, parameter};
use crate::sip::{Message, Method, Request, Response, token};

const ASK_FOR: u64 = 300;
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);
const LEFT_WITHIN: Duration = Duration::from_millis(800);
/// Seconds before each next attempt; half to one and a half of it, so that a thousand phones do not
/// come back in one moment. The first is short: a call is waiting for its socket.
const BACK_OFF: [f64; 7] = [0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0];
const MOST_CHALLENGES: u8 = 3;

/// What happens to the registration.
#[derive(Debug)]
pub(crate) enum Input {
    Connected,
    Lost(Why),
    Response(Box<Response>),
    /// Try now.
    Retry,
    Leave,
    Tick,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Output {
    Connect,
    Send(Box<Message>),
    Tell(Standing),
    /// Nothing more is to come.
    Left,
}

/// Keeps us registered.
pub(crate) struct Registration {
    call_id: String,
    tag: String,
    sequence: u32,
    failures: usize,
    connected: bool,
    state: State,
}

enum State {
    Waiting { until: Instant },
    Connecting,
    Registering(Asked),
    Registered { refresh_at: Instant },
    Refused,
    Leaving { until: Instant, asked: Option<Asked> },
}

struct Asked {
    request: Request,
    challenges: u8,
    until: Instant,
    /// We are registered still.
    refresh: bool,
}

impl Registration {
    /// Begins by connecting.
    pub(crate) fn start(out: &mut Vec<Output>) -> Self {
        out.push(Output::Tell(Standing::Registering));
        out.push(Output::Connect);
        Self {
            call_id: token(12),
            tag: token(5),
            sequence: 0,
            failures: 0,
            connected: false,
            state: State::Connecting,
        }
    }

    pub(crate) fn call_id(&self) -> &str {
        &self.call_id
    }

    /// When the next `Tick` is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { until } | State::Leaving { until, .. } => Some(*until),
            State::Registering(asked) => Some(asked.until),
            State::Registered { refresh_at } => Some(*refresh_at),
            State::Connecting | State::Refused => None,
        }
    }

    /// `chance`: 0 to 1.
    pub(crate) fn handle(&mut self, input: Input, chance: f64, context: Context<'_>, out: &mut Vec<Output>) {
        let now = context.now;
        match input {
            Input::Connected => {
                self.connected = true;
                if matches!(self.state, State::Leaving { .. }) {
                    return;
                }
                self.ask(false, context, out);
            }
            Input::Lost(why) => {
                self.connected = false;
                match self.state {
                    State::Leaving { .. } => out.push(Output::Left),
                    State::Refused => {}
                    State::Waiting { .. }
                    | State::Connecting
                    | State::Registering(_)
                    | State::Registered { .. } => self.fail(why, None, chance, now, out),
                }
            }
            Input::Response(response) => self.response(&response, chance, context, out),
            Input::Retry => {
                if matches!(self.state, State::Waiting { .. } | State::Refused) {
                    self.failures = 0;
                    out.push(Output::Tell(Standing::Registering));
                    self.again(context, out);
                }
            }
            Input::Leave => {
                let until = now + LEFT_WITHIN;
                if self.connected && !matches!(self.state, State::Refused) {
                    let asked = self.register(0, None, context, out);
                    self.state = State::Leaving { until, asked: Some(asked) };
                } else {
                    self.state = State::Leaving { until, asked: None };
                    out.push(Output::Left);
                }
            }
            Input::Tick => self.tick(chance, context, out),
        }
    }

    fn tick(&mut self, chance: f64, context: Context<'_>, out: &mut Vec<Output>) {
        if self.deadline().is_none_or(|at| context.now < at) {
            return;
        }
        match &self.state {
            State::Waiting { .. } => {
                out.push(Output::Tell(Standing::Registering));
                self.again(context, out);
            }
            State::Registered { .. } => self.ask(true, context, out),
            State::Registering(_) => {
                let why = Why::TimedOut("no answer to REGISTER");
                self.fail(why, None, chance, context.now, out);
            }
            State::Leaving { .. } => out.push(Output::Left),
            State::Connecting | State::Refused => {}
        }
    }

    fn again(&mut self, context: Context<'_>, out: &mut Vec<Output>) {
        if self.connected {
            self.ask(false, context, out);
        } else {
            self.state = State::Connecting;
            out.push(Output::Connect);
        }
    }

    fn ask(&mut self, refresh: bool, context: Context<'_>, out: &mut Vec<Output>) {
        let mut asked = self.register(ASK_FOR, None, context, out);
        asked.refresh = refresh;
        self.state = State::Registering(asked);
    }

    fn register(
        &mut self,
        expires: u64,
        challenge: Option<&Challenge>,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) -> Asked {
        let Context { identity, account, now } = context;
        self.sequence += 1;
        let uri = format!("sip:{}", account.domain);
        let mut request = Request::new(Method::Register, uri.clone())
            .with("Via", identity.via())
            .with("Max-Forwards", "70")
            .with("From", format!("<{}>;tag={}", identity.address, self.tag))
            .with("To", format!("<{}>", identity.address))
            .with("Call-ID", self.call_id.clone())
            .with("CSeq", format!("{} REGISTER", self.sequence))
            .with("Contact", format!("<{}>;expires={expires}", identity.contact))
            .with("Expires", expires.to_string())
            .with("User-Agent", identity.user_agent.clone());
        if let Some(challenge) = challenge {
            let (name, value) = challenge.answer(account, "REGISTER", &uri);
            request.headers.push(name, value);
        }
        out.push(Output::Send(Box::new(request.clone().into())));
        Asked { request, challenges: 0, until: now + ANSWERED_WITHIN, refresh: false }
    }

    fn response(&mut self, response: &Response, chance: f64, context: Context<'_>, out: &mut Vec<Output>) {
        let (asked, leaving) = match &self.state {
            State::Registering(asked) => (asked, None),
            State::Leaving { until, asked: Some(asked) } => (asked, Some(*until)),
            State::Leaving { .. }
            | State::Waiting { .. }
            | State::Connecting
            | State::Registered { .. }
            | State::Refused => return,
        };
        if response.headers.branch() != asked.request.headers.branch() || response.status < 200 {
            return;
        }
        let (challenges, refresh) = (asked.challenges, asked.refresh);
        let retry_after = response.headers.get("Retry-After");
        let retry_after = retry_after.and_then(|after| after.split([';', ' ']).next()?.parse().ok());
        let retry_after = retry_after.map(|s: u64| Duration::from_secs(s.min(600)));
        match response.status {
            200..=299 if leaving.is_some() => out.push(Output::Left),
            200..=299 => {
                let seconds = granted(response, &context.identity.contact).clamp(10, 86_400) as f64;
                // Between 0.7 and 0.8 of the time: a lost refresh can be sent again.
                let after = Duration::from_secs_f64(seconds * (0.7 + 0.1 * chance));
                self.failures = 0;
                self.state = State::Registered { refresh_at: context.now + after };
                if !refresh {
                    out.push(Output::Tell(Standing::Registered));
                }
            }
            status @ (401 | 407) => {
                let challenge = Challenge::strongest(&response.headers)
                    .filter(|challenge| challenges == 0 || (challenge.stale && challenges < MOST_CHALLENGES));
                match (challenge, leaving) {
                    (Some(challenge), _) => {
                        let expires = if leaving.is_some() { 0 } else { ASK_FOR };
                        let mut asked = self.register(expires, Some(&challenge), context, out);
                        (asked.challenges, asked.refresh) = (challenges + 1, refresh);
                        self.state = match leaving {
                            Some(until) => State::Leaving { until, asked: Some(asked) },
                            None => State::Registering(asked),
                        };
                    }
                    (None, Some(_)) => out.push(Output::Left),
                    (None, None) => self.fail(Why::Account(status), None, chance, context.now, out),
                }
            }
            _ if leaving.is_some() => out.push(Output::Left),
            status @ (403 | 404) => self.fail(Why::Account(status), None, chance, context.now, out),
            status => {
                self.fail(Why::Registrar(status), retry_after, chance, context.now, out);
            }
        }
    }

    fn fail(
        &mut self,
        why: Why,
        at_least: Option<Duration>,
        chance: f64,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        if !why.may_pass() {
            self.state = State::Refused;
            out.push(Output::Tell(Standing::Refused { why }));
            return;
        }
        let step = BACK_OFF[self.failures.min(BACK_OFF.len() - 1)];
        self.failures += 1;
        let retry_in = Duration::from_secs_f64(step * (0.5 + chance)).max(at_least.unwrap_or_default());
        self.state = State::Waiting { until: now + retry_in };
        out.push(Output::Tell(Standing::Lost { why, retry_in }));
    }
}

/// Seconds that the registrar gave our contact.
fn granted(response: &Response, contact: &str) -> u64 {
    let contacts = response.headers.all("Contact");
    let ours = contacts
        .iter()
        .flat_map(|value| elements(value))
        .find(|element| element.contains(contact))
        .and_then(|element| parameter(element, "expires"));
    ours.or_else(|| response.headers.get("Expires"))
        .and_then(|seconds| seconds.trim().parse().ok())
        .unwrap_or(ASK_FOR)
}

#[cfg(test)]
#[path = "registration_tests.rs"]
mod tests;
