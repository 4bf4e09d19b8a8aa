//! A call of ours up to its answer.

use std::time::{Duration, Instant};

use super::established::Up;
use super::session_timer::SessionTimer;
use super::{Context, Input, Media, Output, State, end, meaning, send};
use crate::events::{CallState, EndedBy, Reason};
use crate::sip::dialog::{ALLOW, Dialog};
use crate::sip::digest::Challenge;
use crate::sip::message::Response;
use crate::sip::{Method, Request, token};

/// Without any answer (RFC 3261 timer B), and without the final one (the network gives up before).
const ANSWERED_WITHIN: Duration = Duration::from_secs(32);
const PICKED_UP_WITHIN: Duration = Duration::from_secs(200);
/// After a CANCEL (RFC 3261 section 9.1).
const CANCELLED_WITHIN: Duration = Duration::from_secs(5);
/// One for the registrar's nonce, one for a nonce that went stale meanwhile.
const MOST_CHALLENGES: u8 = 2;

/// The media library makes an offer.
pub(crate) struct Offering {
    pub(super) target: String,
}

/// INVITE sent.
pub(crate) struct Calling {
    pub(super) invite: Request,
    challenges: u8,
    /// A 1xx came: now it can be cancelled.
    provisional: bool,
    early_media: bool,
    give_up: bool,
    pub(super) deadline: Instant,
}

/// CANCEL sent.
pub(crate) struct Cancelling {
    invite: Request,
    pub(super) deadline: Instant,
}

impl Offering {
    pub(super) fn handle(
        self,
        input: Input,
        call_id: &str,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Described(offer) => {
                let invite = invite(&self.target, call_id, &offer, context);
                send(out, invite.clone());
                State::Calling(Calling {
                    invite,
                    challenges: 0,
                    provisional: false,
                    early_media: false,
                    give_up: false,
                    deadline: context.now + ANSWERED_WITHIN,
                })
            }
            Input::MediaFailed(why) => {
                end(out, EndedBy::Failure, Reason::Media(why));
                State::Over
            }
            Input::HangUp => {
                end(out, EndedBy::Us, Reason::Cancelled);
                State::Over
            }
            Input::SocketLost => {
                end(out, EndedBy::Failure, Reason::ConnectionLost);
                State::Over
            }
            Input::MediaUp
            | Input::MediaAway
            | Input::Agreed(_)
            | Input::Request(_)
            | Input::Response(_)
            | Input::SocketBack
            | Input::Info(_)
            | Input::Tick => {
                out.push(Output::Unexpected("before the offer"));
                State::Offering(self)
            }
        }
    }
}

fn invite(target: &str, call_id: &str, offer: &str, context: Context<'_>) -> Request {
    let Context { identity, account, .. } = context;
    // A whole address, or a number or name at our own domain. Neither may bring another header.
    let target: String = target.chars().filter(|c| !c.is_whitespace() && !"<>\"".contains(*c)).collect();
    let uri = if target.starts_with("sip:") || target.starts_with("sips:") {
        target
    } else {
        format!("sip:{target}@{}", account.domain)
    };
    Request::new(Method::Invite, uri.clone())
        .with("Via", identity.via())
        .with("Max-Forwards", "70")
        .with("From", format!("<{}>;tag={}", identity.address, token(5)))
        .with("To", format!("<{uri}>"))
        .with("Call-ID", call_id)
        .with("CSeq", "1 INVITE")
        .with("Contact", format!("<{}>", identity.contact))
        .with("Allow", ALLOW)
        .with("Supported", "timer, replaces")
        .with("User-Agent", identity.user_agent.clone())
        .with_body("application/sdp", offer)
}

impl Calling {
    pub(super) fn handle(
        mut self,
        input: Input,
        media: &Media,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Response(response) if is_of(&response, &self.invite) => {
                return self.response(*response, media, context, out);
            }
            Input::HangUp if self.provisional => {
                end(out, EndedBy::Us, Reason::Cancelled);
                return cancel(self.invite, context, out);
            }
            Input::HangUp if self.give_up => {}
            Input::HangUp => {
                // Not before a 1xx (RFC 3261 section 9.1): it is sent as soon as there is one.
                end(out, EndedBy::Us, Reason::Cancelled);
                self.give_up = true;
                self.deadline = context.now + CANCELLED_WITHIN;
            }
            Input::Tick if context.now >= self.deadline => {
                if self.give_up {
                    return State::Over;
                }
                end(out, EndedBy::Failure, Reason::NoAnswer);
                return cancel(self.invite, context, out);
            }
            Input::MediaFailed(why) => {
                if !self.give_up {
                    end(out, EndedBy::Failure, Reason::Media(why));
                }
                return cancel(self.invite, context, out);
            }
            Input::SocketLost => {
                // The answer would go to the lost connection.
                if !self.give_up {
                    end(out, EndedBy::Failure, Reason::ConnectionLost);
                }
                return State::Over;
            }
            Input::Tick | Input::MediaUp | Input::MediaAway | Input::Agreed(_) => {}
            Input::Request(request) => {
                // Before the answer nothing may come but what is refused (RFC 3311 section 5.2).
                if request.method != Method::Ack {
                    send(out, request.respond(491, "Request Pending", None));
                }
            }
            Input::Described(_) | Input::Response(_) | Input::SocketBack | Input::Info(_) => {
                out.push(Output::Unexpected("while calling"));
            }
        }
        State::Calling(self)
    }

    fn response(
        mut self,
        response: Response,
        media: &Media,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) -> State {
        match response.status {
            100..=199 => {
                self.provisional = true;
                if self.give_up {
                    return cancel(self.invite, context, out);
                }
                self.deadline = context.now + PICKED_UP_WITHIN;
                if !response.body.is_empty() && !self.early_media {
                    self.early_media = true;
                    out.push(Output::Accept(response.body));
                }
                if response.status != 100 {
                    let early_media = self.early_media;
                    out.push(Output::Tell(CallState::Ringing { early_media }));
                }
                State::Calling(self)
            }
            200..=299 => self.answered(&response, media, context, out),
            status => {
                send(out, ack_of_refusal(&self.invite, &response));
                if matches!(status, 401 | 407)
                    && self.challenges < MOST_CHALLENGES
                    && !self.give_up
                    && let Some(challenge) = Challenge::strongest(&response.headers)
                    && (self.challenges == 0 || challenge.stale)
                {
                    self.invite = again(&self.invite, &challenge, self.challenges, context);
                    self.challenges += 1;
                    send(out, self.invite.clone());
                    return State::Calling(self);
                }
                if !self.give_up {
                    end(out, EndedBy::Peer, meaning(status));
                }
                State::Over
            }
        }
    }

    fn answered(
        self,
        response: &Response,
        media: &Media,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) -> State {
        let Some(mut dialog) = Dialog::outgoing(&self.invite, response) else {
            end(out, EndedBy::Failure, Reason::Protocol("an answer without a tag".to_owned()));
            return State::Over;
        };
        let sequence = dialog.sequence;
        send(out, dialog.ack(context.identity, sequence));
        if self.give_up {
            send(out, dialog.request(context.identity, Method::Bye));
            return State::Over;
        }
        if !self.early_media {
            out.push(Output::Accept(response.body.clone()));
        }
        let timer = SessionTimer::from_response(response, context.now);
        let mut up = Up::new(dialog, timer, Some(sequence), context.now);
        up.back(media, false, out);
        State::Up(up)
    }
}

/// The same INVITE as a new transaction, with credentials.
fn again(invite: &Request, challenge: &Challenge, before: u8, context: Context<'_>) -> Request {
    let (name, value) = challenge.answer(context.account, "INVITE", &invite.uri);
    let mut next = Request::new(Method::Invite, invite.uri.clone());
    next.headers.push("Via", context.identity.via());
    for header in ["Max-Forwards", "From", "To", "Call-ID"] {
        next.headers.push(header, invite.headers.get(header).unwrap_or_default());
    }
    next.headers.push("CSeq", format!("{} INVITE", u32::from(before) + 2));
    for header in ["Contact", "Allow", "Supported", "User-Agent"] {
        next.headers.push(header, invite.headers.get(header).unwrap_or_default());
    }
    next.headers.push(name, value);
    next.with_body("application/sdp", invite.body.clone())
}

/// Whether a response is to this very request.
fn is_of(response: &Response, invite: &Request) -> bool {
    response.headers.branch() == invite.headers.branch() && response.headers.cseq() == invite.headers.cseq()
}

/// The ACK of a refusal belongs to the INVITE's own transaction (RFC 3261 section 17.1.1.3).
fn ack_of_refusal(invite: &Request, response: &Response) -> Request {
    let mut ack = of_transaction(invite, Method::Ack);
    ack.headers.push("To", response.headers.get("To").unwrap_or_default());
    ack
}

fn of_transaction(invite: &Request, method: Method) -> Request {
    let number = invite.headers.cseq().map_or(1, |(number, _)| number);
    let mut request = Request::new(method.clone(), invite.uri.clone());
    for name in ["Via", "Max-Forwards", "From", "Call-ID"] {
        request.headers.push(name, invite.headers.get(name).unwrap_or_default());
    }
    request.headers.push("CSeq", format!("{number} {method}"));
    request
}

fn cancel(invite: Request, context: Context<'_>, out: &mut Vec<Output>) -> State {
    let to = invite.headers.get("To").unwrap_or_default();
    send(out, of_transaction(&invite, Method::Cancel).with("To", to));
    State::Cancelling(Cancelling { invite, deadline: context.now + CANCELLED_WITHIN })
}

impl Cancelling {
    pub(super) fn handle(self, input: Input, context: Context<'_>, out: &mut Vec<Output>) -> State {
        match input {
            Input::Response(response) if is_of(&response, &self.invite) => match response.status {
                100..=199 => State::Cancelling(self),
                200..=299 => {
                    // It was answered while the CANCEL was under way.
                    if let Some(mut dialog) = Dialog::outgoing(&self.invite, &response) {
                        let sequence = dialog.sequence;
                        send(out, dialog.ack(context.identity, sequence));
                        send(out, dialog.request(context.identity, Method::Bye));
                    }
                    State::Over
                }
                _ => {
                    send(out, ack_of_refusal(&self.invite, &response));
                    State::Over
                }
            },
            Input::Tick if context.now >= self.deadline => State::Over,
            Input::SocketLost => State::Over,
            Input::Tick
            | Input::Response(_)
            | Input::Described(_)
            | Input::MediaFailed(_)
            | Input::MediaUp
            | Input::MediaAway
            | Input::Agreed(_)
            | Input::Request(_)
            | Input::SocketBack
            | Input::HangUp
            | Input::Info(_) => State::Cancelling(self),
        }
    }
}
