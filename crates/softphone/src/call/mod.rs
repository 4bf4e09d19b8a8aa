//! The states of a registration and of a call: no socket, file, device or clock.
//!
//! Time comes in as `now`, chance as a number, and random names come from [`crate::sip::token`]; what is
//! to be done goes out as a list. An input that a state cannot use is [`Output::Unexpected`]: counted,
//! never a panic.
//!
//! | state | inputs | then |
//! | --- | --- | --- |
//! | Offering | Described | INVITE, Calling |
//! | Calling | 401/407 | INVITE again with credentials, once a challenge |
//! | | 18x | Ringing (with a description: early media) |
//! | | 2xx | ACK, Up |
//! | | 3xx-6xx | ACK, Over |
//! | | HangUp | CANCEL once a 1xx came, Cancelling |
//! | Answering | Described | 200, Answered |
//! | Answered | ACK | Up; without one the 200 is repeated, then BYE |
//! | Up | BYE | 200, Over |
//! | | re-INVITE, UPDATE, INFO | 200 |
//! | | SocketLost, SocketBack | Reconnecting; UPDATE, and Up again by its 2xx |
//! | | MediaAway, MediaUp | Reconnecting; Up again |
//! | | HangUp, media failed, session expired | BYE, Ending |
//! | Cancelling, Ending | final response, or too long without | Over |

mod established;
mod incoming;
mod outgoing;
pub(crate) mod registration;
mod session_timer;

use std::time::Instant;

use crate::events::{CallId, CallState, Codec, EndedBy, Reason};
use crate::settings::Account;
use crate::sip::dialog::Identity;
use crate::sip::{Message, Method, Request, Response};

use established::{Ending, Up};
use incoming::{Answered, Answering};
use outgoing::{Calling, Cancelling, Offering};

/// What a call may look at.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) account: &'a Account,
    pub(crate) now: Instant,
}

/// What happens to a call.
#[derive(Debug)]
pub(crate) enum Input {
    /// Our description of the media is ready.
    Described(String),
    /// The media library or the peer's description fails.
    MediaFailed(String),
    /// Media is connected.
    MediaUp,
    /// Media is interrupted; it may come back.
    MediaAway,
    /// The peer's description was taken; this is spoken.
    Agreed(Codec),
    Request(Box<Request>),
    Response(Box<Response>),
    SocketLost,
    SocketBack,
    HangUp,
    /// Keys, where they cannot go as events.
    Info(char),
    /// A deadline may have passed.
    Tick,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Output {
    Send(Box<Message>),
    /// Make an offer; the answer is `Described`.
    Offer,
    /// Answer this; the answer is `Described`.
    Answer(Vec<u8>),
    /// Take this answer.
    Accept(Vec<u8>),
    Tell(CallState),
    /// Nothing more is said or heard.
    CloseMedia,
    Unexpected(&'static str),
}

/// A call, whoever began it.
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) call_id: String,
    /// Awaited by its token.
    pub(crate) line: bool,
    state: State,
    media: Media,
}

/// What is known of the media, in any state.
#[derive(Debug, Default)]
struct Media {
    codec: Option<Codec>,
    connected: bool,
    /// Sent to the peer.
    ours: String,
    version: u64,
}

#[expect(clippy::large_enum_variant, reason = "a phone has eight calls at most")]
enum State {
    Offering(Offering),
    Calling(Calling),
    Cancelling(Cancelling),
    Answering(Answering),
    Answered(Answered),
    Up(Up),
    Ending(Ending),
    Over,
}

impl Call {
    /// A call of ours.
    pub(crate) fn outgoing(id: CallId, target: &str, call_id: String, out: &mut Vec<Output>) -> Self {
        out.push(Output::Tell(CallState::Dialling));
        out.push(Output::Offer);
        let state = State::Offering(Offering { target: target.to_owned() });
        Self { id, call_id, line: false, state, media: Media::default() }
    }

    /// A call to us that is to be answered.
    pub(crate) fn incoming(id: CallId, invite: Request, line: bool, out: &mut Vec<Output>) -> Self {
        out.push(Output::Tell(CallState::Dialling));
        out.push(Output::Answer(invite.body.clone()));
        let call_id = invite.headers.call_id();
        let state = State::Answering(Answering::new(invite));
        Self { id, call_id, line, state, media: Media::default() }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// When the next `Tick` is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Offering(_) | State::Answering(_) | State::Over => None,
            State::Calling(calling) => Some(calling.deadline),
            State::Cancelling(cancelling) => Some(cancelling.deadline),
            State::Answered(answered) => Some(answered.resend_at),
            State::Up(up) => up.deadline(),
            State::Ending(ending) => Some(ending.deadline),
        }
    }

    pub(crate) fn handle(&mut self, input: Input, context: Context<'_>, out: &mut Vec<Output>) {
        let media = &mut self.media;
        match &input {
            Input::Agreed(codec) => media.codec = Some(*codec),
            Input::MediaUp => media.connected = true,
            Input::MediaAway | Input::MediaFailed(_) => media.connected = false,
            Input::Described(ours) => (media.ours, media.version) = (ours.clone(), media.version + 1),
            Input::Request(_)
            | Input::Response(_)
            | Input::SocketLost
            | Input::SocketBack
            | Input::HangUp
            | Input::Info(_)
            | Input::Tick => {}
        }
        let line = self.line;
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Offering(state) => state.handle(input, &self.call_id, context, out),
            State::Calling(state) => state.handle(input, media, context, out),
            State::Cancelling(state) => state.handle(input, context, out),
            State::Answering(state) => state.handle(input, media, context, out),
            State::Answered(state) => state.handle(input, media, line, context, out),
            State::Up(state) => state.handle(input, media, line, context, out),
            State::Ending(state) => state.handle(input, context, out),
            State::Over => over(&input, out),
        };
    }
}

/// Requests of a call that is over get the answer that ends them on the other side too.
fn over(input: &Input, out: &mut Vec<Output>) -> State {
    if let Input::Request(request) = input
        && request.method != Method::Ack
    {
        send(out, request.respond(481, "Call Does Not Exist", None));
    }
    State::Over
}

fn send(out: &mut Vec<Output>, message: impl Into<Message>) {
    out.push(Output::Send(Box::new(message.into())));
}

fn end(out: &mut Vec<Output>, by: EndedBy, reason: Reason) {
    out.push(Output::CloseMedia);
    out.push(Output::Tell(CallState::Ended { by, reason }));
}

/// What a refusal means to people.
fn meaning(status: u16) -> Reason {
    match status {
        486 | 600 => Reason::Busy,
        408 | 480 | 487 => Reason::NoAnswer,
        404 | 410 | 484 | 604 => Reason::NoSuchNumber,
        other => Reason::Refused(other),
    }
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
