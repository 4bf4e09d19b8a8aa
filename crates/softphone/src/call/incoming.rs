//! A call to us up to its ACK.

use std::time::{Duration, Instant};

use super::established::{Up, bye};
use super::session_timer::SessionTimer;
use super::{Context, Input, Media, Output, State, end, send};
use crate::events::{EndedBy, Reason};
use crate::sip::dialog::{ALLOW, Dialog};
use crate::sip::{Method, Request, Response, token};

/// RFC 3261 section 13.3.1.4: the 2xx is repeated until its ACK, over whatever it travels.
const FIRST_REPEAT: Duration = Duration::from_millis(500);
const LONGEST_REPEAT: Duration = Duration::from_secs(4);
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(32);

/// The media library makes an answer.
pub(crate) struct Answering {
    invite: Request,
    tag: String,
}

/// 200 sent.
pub(crate) struct Answered {
    invite: Request,
    tag: String,
    response: Response,
    up: Up,
    repeat: Duration,
    pub(super) resend_at: Instant,
    give_up_at: Instant,
}

impl Answering {
    pub(super) fn new(invite: Request) -> Self {
        Self { invite, tag: token(5) }
    }

    pub(super) fn handle(
        self,
        input: Input,
        media: &mut Media,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Described(answer) => self.answer(&answer, media, context, out),
            Input::MediaFailed(why) => {
                send(out, self.invite.respond(488, "Not Acceptable Here", Some(&self.tag)));
                end(out, EndedBy::Failure, Reason::Media(why));
                State::Over
            }
            Input::HangUp => {
                send(out, self.invite.respond(486, "Busy Here", Some(&self.tag)));
                end(out, EndedBy::Us, Reason::Cancelled);
                State::Over
            }
            Input::Request(request) if request.method == Method::Cancel => {
                send(out, request.respond(200, "OK", Some(&self.tag)));
                send(out, self.invite.respond(487, "Request Terminated", Some(&self.tag)));
                end(out, EndedBy::Peer, Reason::Cancelled);
                State::Over
            }
            Input::SocketLost => {
                end(out, EndedBy::Failure, Reason::ConnectionLost);
                State::Over
            }
            // The INVITE again: it is being answered.
            Input::Request(request) if request.method == Method::Invite => State::Answering(self),
            Input::MediaUp | Input::MediaAway | Input::Agreed(_) | Input::Tick => State::Answering(self),
            Input::Request(_) | Input::Response(_) | Input::SocketBack | Input::Info(_) => {
                out.push(Output::Unexpected("while answering"));
                State::Answering(self)
            }
        }
    }

    fn answer(self, answer: &str, media: &mut Media, context: Context<'_>, out: &mut Vec<Output>) -> State {
        let Some(dialog) = Dialog::incoming(&self.invite, &self.tag) else {
            send(out, self.invite.respond(400, "Bad Request", Some(&self.tag)));
            end(out, EndedBy::Failure, Reason::Protocol("an INVITE without a Contact".to_owned()));
            return State::Over;
        };
        let mut response = self
            .invite
            .respond(200, "OK", Some(&self.tag))
            .with("Contact", format!("<{}>", context.identity.contact))
            .with("Allow", ALLOW)
            .with("User-Agent", context.identity.user_agent.clone());
        let timer = SessionTimer::answer(&self.invite, &mut response, context.now);
        let response = response.with_body("application/sdp", answer);
        send(out, response.clone());
        media.version += 1;
        State::Answered(Answered {
            up: Up::new(dialog, timer, None, context.now),
            invite: self.invite,
            tag: self.tag,
            response,
            repeat: FIRST_REPEAT,
            resend_at: context.now + FIRST_REPEAT,
            give_up_at: context.now + ACKNOWLEDGED_WITHIN,
        })
    }
}

impl Answered {
    pub(super) fn handle(
        mut self,
        input: Input,
        media: &mut Media,
        line: bool,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Request(request) if request.method == Method::Ack => {
                self.up.back(media, line, out);
                return State::Up(self.up);
            }
            Input::Request(request)
                if request.method == Method::Invite
                    && request.headers.branch() == self.invite.headers.branch() =>
            {
                send(out, self.response.clone());
            }
            Input::Request(request) if request.method == Method::Cancel => {
                // Too late: it is answered, a BYE will follow (RFC 3261 section 9.2).
                send(out, request.respond(200, "OK", Some(&self.tag)));
            }
            Input::Tick if context.now >= self.give_up_at => {
                return bye(
                    self.up.dialog,
                    EndedBy::Failure,
                    Reason::Protocol("no ACK came".to_owned()),
                    context,
                    out,
                );
            }
            Input::Tick if context.now >= self.resend_at => {
                send(out, self.response.clone());
                self.repeat = (self.repeat * 2).min(LONGEST_REPEAT);
                self.resend_at = context.now + self.repeat;
            }
            Input::Tick | Input::MediaUp | Input::MediaAway | Input::Agreed(_) => {}
            // Anything else means the same as with the ACK here: the other side took the answer, or
            // the call goes on without.
            other @ (Input::Described(_)
            | Input::MediaFailed(_)
            | Input::Request(_)
            | Input::Response(_)
            | Input::SocketLost
            | Input::SocketBack
            | Input::HangUp
            | Input::Info(_)) => return self.up.handle(other, media, line, context, out),
        }
        State::Answered(self)
    }
}
