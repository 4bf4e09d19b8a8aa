//! A call that is answered, and its end.

use std::time::{Duration, Instant};

use super::session_timer::SessionTimer;
use super::{Context, Input, Media, Output, State, end, send};
use crate::events::{CallState, EndedBy, Missing, Reason};
use crate::sip::dialog::{ALLOW, Dialog};
use crate::sip::digest::Challenge;
use crate::sip::{Method, Request, Response, sdp};

/// ICE and DTLS take 0.2 s; on a bad network a few.
const MEDIA_WITHIN: Duration = Duration::from_secs(15);
/// How long a call waits for its connection or its media to come back.
const BACK_WITHIN: Duration = Duration::from_secs(60);
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const ENDED_WITHIN: Duration = Duration::from_secs(4);

/// Answered.
pub(crate) struct Up {
    pub(super) dialog: Dialog,
    timer: Option<SessionTimer>,
    /// Of our INVITE: its 2xx may come again and is acknowledged again.
    invite_sequence: Option<u32>,
    asked: Option<Asked>,
    /// No socket, or no media: until then it must be back.
    lost: Option<Instant>,
    socket: bool,
    /// What was told to be away.
    missing: Option<Missing>,
}

/// A request of ours that waits for its answer.
struct Asked {
    request: Request,
    by: Instant,
    challenged: bool,
}

/// BYE sent.
pub(crate) struct Ending {
    bye: Request,
    challenged: bool,
    pub(super) deadline: Instant,
}

impl Up {
    pub(super) fn new(
        dialog: Dialog,
        timer: Option<SessionTimer>,
        invite_sequence: Option<u32>,
        now: Instant,
    ) -> Self {
        Self {
            dialog,
            timer,
            invite_sequence,
            asked: None,
            lost: Some(now + MEDIA_WITHIN),
            socket: true,
            missing: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let timer = self.timer.filter(|_| self.socket);
        let refresh = timer.and_then(SessionTimer::refresh_at).filter(|_| self.asked.is_none());
        let expires = timer.map(SessionTimer::expires_at);
        let asked = self.asked.as_ref().map(|asked| asked.by);
        [refresh, expires, asked, self.lost].into_iter().flatten().min()
    }

    pub(super) fn handle(
        mut self,
        input: Input,
        media: &mut Media,
        line: bool,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Request(request) => return self.request(*request, media, context, out),
            Input::Response(response) => return self.response(*response, media, line, context, out),
            Input::MediaUp => {
                if !self.socket && self.missing == Some(Missing::Sound) {
                    self.missing = None;
                    self.away(Missing::Signalling, context, out);
                }
                self.back(media, line, out);
            }
            Input::MediaAway => self.away(Missing::Sound, context, out),
            Input::SocketLost => {
                self.socket = false;
                self.asked = None;
                self.away(Missing::Signalling, context, out);
            }
            Input::SocketBack => {
                self.socket = true;
                // Moves the dialog to the new connection; without it Asterisk's BYE goes to the dead one.
                let update = self.dialog.request(context.identity, Method::Update);
                self.ask(update, context, out);
            }
            Input::HangUp => return bye(self.dialog, EndedBy::Us, Reason::HungUp, context, out),
            Input::MediaFailed(why) => {
                return bye(self.dialog, EndedBy::Failure, Reason::Media(why), context, out);
            }
            Input::Info(key) => {
                let body = format!("Signal={key}\r\nDuration=100\r\n");
                let info = self.dialog.request(context.identity, Method::Info);
                send(out, info.with_body("application/dtmf-relay", body));
            }
            Input::Tick => return self.tick(media, context, out),
            Input::Agreed(_) => {
                if media.connected && self.missing.is_none() {
                    self.back(media, line, out);
                }
            }
            Input::Described(_) => out.push(Output::Unexpected("a description in a call")),
        }
        State::Up(self)
    }

    fn away(&mut self, missing: Missing, context: Context<'_>, out: &mut Vec<Output>) {
        if self.missing >= Some(missing) {
            return;
        }
        if self.missing.replace(missing).is_none() {
            self.lost = Some(context.now + BACK_WITHIN);
        }
        out.push(Output::Tell(CallState::Reconnecting { missing }));
    }

    /// Says that the call is up, once everything is.
    pub(super) fn back(&mut self, media: &Media, line: bool, out: &mut Vec<Output>) {
        if let Some(codec) = media.codec
            && media.connected
            && self.socket
            && self.asked.is_none()
        {
            (self.missing, self.lost) = (None, None);
            out.push(Output::Tell(CallState::Up { codec, line }));
        }
    }

    fn ask(&mut self, request: Request, context: Context<'_>, out: &mut Vec<Output>) {
        send(out, request.clone());
        self.asked = Some(Asked { request, by: context.now + ANSWERED_WITHIN, challenged: false });
    }

    fn tick(mut self, media: &Media, context: Context<'_>, out: &mut Vec<Output>) -> State {
        let now = context.now;
        if self.lost.is_some_and(|lost| now >= lost) {
            let reason = if !self.socket {
                Reason::ConnectionLost
            } else if media.connected {
                Reason::Protocol("no answer to an UPDATE".to_owned())
            } else {
                Reason::Media("no sound could be connected".to_owned())
            };
            return bye(self.dialog, EndedBy::Failure, reason, context, out);
        }
        if self.asked.as_ref().is_some_and(|asked| now >= asked.by) {
            self.asked = None;
        }
        if !self.socket {
            return State::Up(self);
        }
        let Some(timer) = self.timer else { return State::Up(self) };
        if now >= timer.expires_at() {
            let reason = Reason::Protocol("the other side did not refresh the session".to_owned());
            return bye(self.dialog, EndedBy::Failure, reason, context, out);
        }
        if self.asked.is_none() && timer.refresh_at().is_some_and(|at| now >= at) {
            let mut update = self.dialog.request(context.identity, Method::Update);
            update.headers.push("Supported", "timer");
            timer.ask(&mut update.headers);
            self.ask(update, context, out);
        }
        State::Up(self)
    }

    fn request(
        mut self,
        request: Request,
        media: &mut Media,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) -> State {
        if matches!(request.method, Method::Ack) {
            return State::Up(self);
        }
        if !self.dialog.accepts(&request) {
            send(out, request.respond(500, "Out Of Order", None));
            return State::Up(self);
        }
        match request.method {
            Method::Bye => {
                send(out, request.respond(200, "OK", None));
                end(out, EndedBy::Peer, Reason::HungUp);
                return State::Over;
            }
            Method::Invite | Method::Update => self.renegotiate(&request, media, context, out),
            Method::Info | Method::Options | Method::Cancel => {
                send(out, request.respond(200, "OK", None));
            }
            Method::Ack | Method::Register | Method::Other(_) => {
                send(out, request.respond(405, "Method Not Allowed", None).with("Allow", ALLOW));
            }
        }
        State::Up(self)
    }

    /// A re-INVITE or UPDATE: the session goes on as it is; hold is answered by the mirrored direction.
    fn renegotiate(
        &mut self,
        request: &Request,
        media: &mut Media,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) {
        self.dialog.refresh(&request.headers);
        let mut response = request
            .respond(200, "OK", None)
            .with("Contact", format!("<{}>", context.identity.contact))
            .with("Allow", ALLOW);
        if let Some(timer) = SessionTimer::answer(request, &mut response, context.now) {
            self.timer = Some(timer);
        }
        if !request.body.is_empty() || request.method == Method::Invite {
            media.version += 1;
            let asked = sdp::direction(&request.body);
            let answer = sdp::again(&media.ours, media.version, asked);
            response = response.with_body("application/sdp", answer);
        }
        send(out, response);
    }

    fn response(
        mut self,
        response: Response,
        media: &mut Media,
        line: bool,
        context: Context<'_>,
        out: &mut Vec<Output>,
    ) -> State {
        if let (Some(sequence), Some((number, Method::Invite))) =
            (self.invite_sequence, response.headers.cseq())
        {
            if number == sequence && (200..300).contains(&response.status) {
                send(out, self.dialog.ack(context.identity, sequence));
            }
            return State::Up(self);
        }
        let ours = |asked: &&mut Asked| asked.request.headers.branch() == response.headers.branch();
        let Some(asked) = self.asked.as_mut().filter(ours) else { return State::Up(self) };
        match response.status {
            100..=199 => {}
            401 | 407 if !asked.challenged => {
                let challenge = Challenge::strongest(&response.headers);
                let before = asked.request.clone();
                self.asked = None;
                if let Some(challenge) = challenge {
                    let again = with_credentials(&mut self.dialog, &before, &challenge, context);
                    self.ask(again, context, out);
                    if let Some(asked) = &mut self.asked {
                        asked.challenged = true;
                    }
                }
            }
            // The other side no longer knows this call (RFC 3261 section 12.2.1.2).
            408 | 481 => {
                end(out, EndedBy::Failure, Reason::ConnectionLost);
                return State::Over;
            }
            // Done or refused: the other side lives and knows the call.
            status => {
                let refresh = asked.request.headers.get("Session-Expires").is_some();
                self.asked = None;
                if status < 300 {
                    self.dialog.refresh(&response.headers);
                    let timer = SessionTimer::from_response(&response, context.now);
                    // A refresh that is answered without a time ends the timer (RFC 4028 section 7.2).
                    if refresh || timer.is_some() {
                        self.timer = timer;
                    }
                } else if let Some(timer) = self.timer.as_mut().filter(|_| refresh) {
                    timer.again_later(context.now);
                }
                if self.missing.is_some() {
                    self.back(media, line, out);
                }
            }
        }
        State::Up(self)
    }
}

fn with_credentials(
    dialog: &mut Dialog,
    before: &Request,
    challenge: &Challenge,
    context: Context<'_>,
) -> Request {
    let mut again = dialog.request(context.identity, before.method.clone());
    let (name, value) = challenge.answer(context.account, &before.method.to_string(), &again.uri);
    again.headers.push(name, value);
    for header in ["Supported", "Session-Expires", "Min-SE"] {
        if let Some(value) = before.headers.get(header) {
            again.headers.push(header, value);
        }
    }
    again
}

/// Ends the call for people now, and for the other side with a BYE.
pub(super) fn bye(
    mut dialog: Dialog,
    by: EndedBy,
    reason: Reason,
    context: Context<'_>,
    out: &mut Vec<Output>,
) -> State {
    let bye = dialog.request(context.identity, Method::Bye);
    send(out, bye.clone());
    end(out, by, reason);
    State::Ending(Ending { bye, challenged: false, deadline: context.now + ENDED_WITHIN })
}

impl Ending {
    pub(super) fn handle(mut self, input: Input, context: Context<'_>, out: &mut Vec<Output>) -> State {
        match input {
            Input::Response(response)
                if response.headers.branch() == self.bye.headers.branch() && response.status >= 200 =>
            {
                let challenge = Challenge::strongest(&response.headers);
                match challenge.filter(|_| !self.challenged && matches!(response.status, 401 | 407)) {
                    None => State::Over,
                    Some(challenge) => {
                        self.challenged = true;
                        let (name, value) = challenge.answer(context.account, "BYE", &self.bye.uri);
                        let number = self.bye.headers.cseq().map_or(2, |(number, _)| number + 1);
                        let mut again = Request::new(Method::Bye, self.bye.uri.clone())
                            .with("Via", context.identity.via());
                        for header in ["Max-Forwards", "Route", "From", "To", "Call-ID"] {
                            for value in self.bye.headers.all(header) {
                                again.headers.push(header, value);
                            }
                        }
                        again.headers.push("CSeq", format!("{number} BYE"));
                        again.headers.push(name, value);
                        send(out, again.clone());
                        self.bye = again;
                        State::Ending(self)
                    }
                }
            }
            // The socket was lost with the BYE: the other side is told on the next one.
            Input::SocketBack => {
                send(out, self.bye.clone());
                State::Ending(self)
            }
            Input::Request(request) if request.method == Method::Bye => {
                send(out, request.respond(200, "OK", None));
                State::Over
            }
            Input::Tick if context.now >= self.deadline => State::Over,
            Input::Request(_)
            | Input::Tick
            | Input::Response(_)
            | Input::Described(_)
            | Input::MediaFailed(_)
            | Input::MediaUp
            | Input::MediaAway
            | Input::Agreed(_)
            | Input::SocketLost
            | Input::HangUp
            | Input::Info(_) => State::Ending(self),
        }
    }
}
