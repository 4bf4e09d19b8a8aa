//! The only tokio loop of the crate: carries messages between the handle, the socket, the states of
//! `call`, the media legs and the audio thread. It decides nothing that a state could decide.

mod live;
mod sound;
mod tokens;

use std::collections::VecDeque;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::sync::{mpsc, oneshot};
use url::Url;

use crate::audio::ring_tone::Ring;
use crate::audio::thread::{Order, Told};
use crate::call::registration::{self, Registration};
use crate::call::{Call, Context, Input, Output};
use crate::events::{Blame, CallId, CallState, EndedBy, Event, Reason, Registration as Standing, Why};
use crate::settings::{Account, Devices, Secret, Settings};
use crate::sip::dialog::{ALLOW, Identity};
use crate::sip::message::Unreadable;
use crate::sip::transport::{self, Incoming, Transport};
use crate::sip::{Message, Method, Request, Response, token};
use crate::softphone::Counts;
use crate::{random, tls};
use live::{Inner, Live};
use sound::Audio;
use tokens::Tokens;

/// A volunteer has one line; a phone that rings elsewhere too has a few.
const MOST_CALLS: usize = 8;
const STOPPED_WITHIN: Duration = Duration::from_millis(1_500);
const MOST_KEYS: usize = 64;

/// What the handle asks for.
#[derive(Debug)]
pub(crate) enum Command {
    ExpectLine(Secret),
    Call { id: CallId, target: String },
    HangUp(CallId),
    Mute(CallId, bool),
    SendAudio(CallId, bool),
    Digits(CallId, String),
    Ring(bool),
    Devices(Devices),
    RetryNow,
    Bearer(Secret),
    Stop(oneshot::Sender<()>),
}

type Connecting = Pin<Box<dyn Future<Output = Result<Transport, Why>> + Send>>;

/// Runs a phone until it is stopped or nobody holds it any more.
pub(crate) async fn run(
    settings: Settings,
    mut commands: mpsc::UnboundedReceiver<Command>,
    events: mpsc::UnboundedSender<Event>,
    counts: Arc<Counts>,
) {
    if let Err(why) = random::check() {
        let refused = Standing::Refused { why };
        log(&refused);
        // Nobody may be listening any more.
        let _ = events.send(Event::Registration(refused));
        return;
    }
    let (inner, mut inbox) = mpsc::unbounded_channel();
    let mut engine = Engine::new(settings, events, counts, inner);
    let mut stopped = None;
    engine.begin();
    while !engine.left {
        let deadline = engine.deadline();
        tokio::select! {
            command = commands.recv(), if stopped.is_none() => match command {
                Some(Command::Stop(done)) => {
                    stopped = Some(Some(done));
                    engine.leave();
                }
                None => {
                    stopped = Some(None);
                    engine.leave();
                }
                Some(command) => engine.command(command),
            },
            incoming = next(&mut engine.transport) => engine.incoming(incoming),
            connected = connect(&mut engine.connecting) => engine.connected(connected),
            Some(inner) = inbox.recv() => engine.inner(inner),
            () = sleep_until(deadline) => engine.tick(),
        }
        engine.flush().await;
    }
    if let Some(transport) = engine.transport.take() {
        transport.close().await;
    }
    engine.audio.stop();
    if let Some(Some(done)) = stopped {
        // Whoever asked may have gone.
        let _ = done.send(());
    }
}

async fn next(transport: &mut Option<Transport>) -> Incoming {
    match transport {
        Some(transport) => transport.next().await,
        None => std::future::pending().await,
    }
}

async fn connect(connecting: &mut Option<Connecting>) -> Result<Transport, Why> {
    match connecting {
        Some(attempt) => attempt.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

struct Engine {
    server: Url,
    account: Account,
    bearer: Option<Secret>,
    ring: Ring,
    identity: Identity,
    tls: Result<Arc<ClientConfig>, Why>,
    transport: Option<Transport>,
    local: Option<IpAddr>,
    connecting: Option<Connecting>,
    registration: Option<Registration>,
    calls: Vec<Live>,
    tokens: Tokens,
    outbox: VecDeque<Message>,
    audio: Audio,
    events: mpsc::UnboundedSender<Event>,
    inner: mpsc::UnboundedSender<Inner>,
    counts: Arc<Counts>,
    /// Inputs that fitted no state.
    unexpected: u64,
    leave_by: Option<Instant>,
    left: bool,
}

impl Engine {
    fn new(
        settings: Settings,
        events: mpsc::UnboundedSender<Event>,
        counts: Arc<Counts>,
        inner: mpsc::UnboundedSender<Inner>,
    ) -> Self {
        let Settings { server, trust, account, bearer, devices, ring, user_agent } = settings;
        let tls = transport::check(&server).and_then(|()| tls::client(&trust));
        let mut identity = Identity::new(&account.username, &account.domain, &user_agent);
        if server.scheme() == "ws" {
            identity.protocol = "WS";
        }
        Self {
            audio: Audio::start(devices, inner.clone()),
            server,
            account,
            bearer,
            ring,
            identity,
            tls,
            transport: None,
            local: None,
            connecting: None,
            registration: None,
            calls: Vec::new(),
            tokens: Tokens::default(),
            outbox: VecDeque::new(),
            events,
            inner,
            counts,
            unexpected: 0,
            leave_by: None,
            left: false,
        }
    }

    fn begin(&mut self) {
        let mut out = Vec::new();
        self.registration = Some(Registration::start(&mut out));
        self.registration_outputs(out);
    }

    fn deadline(&self) -> Option<Instant> {
        let registration = self.registration.as_ref().and_then(Registration::deadline);
        let calls = self.calls.iter().filter_map(|live| live.call.deadline());
        calls.chain(registration).chain(self.leave_by).min()
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::ExpectLine(token) => self.tokens.expect(token, Instant::now()),
            Command::Call { id, target } => self.call(id, &target),
            Command::HangUp(id) => self.hand_to(id, Input::HangUp),
            Command::Mute(id, on) => {
                if let Some(live) = self.live(id) {
                    live.muted = on;
                    self.audio.order(Order::Mute(id, on));
                }
            }
            Command::SendAudio(id, on) => {
                if let Some(live) = self.live(id) {
                    live.sending = on;
                    self.audio.order(Order::Send(id, on));
                }
            }
            Command::Digits(id, digits) => self.press(id, digits),
            Command::Ring(on) => self.audio.order(Order::Ring(on.then_some(self.ring))),
            Command::Devices(devices) => self.audio.choose(devices, !self.calls.is_empty()),
            Command::RetryNow => self.registration(registration::Input::Retry),
            Command::Bearer(bearer) => {
                self.bearer = Some(bearer);
                self.registration(registration::Input::Retry);
            }
            Command::Stop(_) => {}
        }
    }

    fn call(&mut self, id: CallId, target: &str) {
        if self.transport.is_none() || self.calls.len() >= MOST_CALLS || self.leave_by.is_some() {
            let state = CallState::Ended { by: EndedBy::Failure, reason: Reason::NotRegistered };
            return self.tell(Event::Call { id, state });
        }
        let mut out = Vec::new();
        let call = Call::outgoing(id, target, token(12), &mut out);
        self.begin_call(call, out);
    }

    fn begin_call(&mut self, call: Call, out: Vec<Output>) {
        if self.calls.is_empty() {
            self.audio.open();
        }
        let id = call.id;
        self.calls.push(Live::new(call));
        self.call_outputs(id, out);
    }

    fn press(&mut self, id: CallId, digits: String) {
        let Some(live) = self.live(id) else { return };
        if live.agreed.is_some_and(|agreed| agreed.digits.is_some()) {
            return self.audio.order(Order::Press(id, digits));
        }
        let keys = digits.chars().filter(|key| crate::media::digits::event(*key).is_some());
        for key in keys.take(MOST_KEYS) {
            self.hand_to(id, Input::Info(key));
        }
    }

    fn connected(&mut self, result: Result<Transport, Why>) {
        self.connecting = None;
        match result {
            Ok(transport) => {
                self.identity.protocol = if transport.is_secure() { "WSS" } else { "WS" };
                self.local = Some(transport.local_ip());
                self.transport = Some(transport);
                self.registration(registration::Input::Connected);
                self.hand_to_all(|| Input::SocketBack);
            }
            Err(why) => self.registration(registration::Input::Lost(why)),
        }
    }

    fn incoming(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Message(message) => match *message {
                Message::Request(request) => self.request(request),
                Message::Response(response) => self.response(response),
            },
            Incoming::Unreadable(why) => self.count(why),
            Incoming::Lost(why) => self.lost(why),
        }
    }

    fn lost(&mut self, why: Why) {
        self.transport = None;
        self.outbox.clear();
        tracing::info!(%why, "the connection to the server is lost");
        self.hand_to_all(|| Input::SocketLost);
        self.registration(registration::Input::Lost(why));
    }

    /// What cannot be read is dropped; a flood of it does not flood the log.
    fn count(&mut self, why: Unreadable) {
        let dropped = self.counts.unreadable.fetch_add(1, Ordering::Relaxed) + 1;
        if dropped.is_power_of_two() {
            tracing::warn!(%why, dropped, "a message from the server cannot be read");
        }
    }

    fn response(&mut self, response: Response) {
        let call_id = response.headers.call_id();
        if self.registration.as_ref().is_some_and(|r| r.call_id() == call_id) {
            return self.registration(registration::Input::Response(Box::new(response)));
        }
        if let Some(id) = self.by_call_id(&call_id) {
            self.hand_to(id, Input::Response(Box::new(response)));
        }
    }

    fn request(&mut self, request: Request) {
        if let Some(id) = self.by_call_id(&request.headers.call_id()) {
            return self.hand_to(id, Input::Request(Box::new(request)));
        }
        let tag = token(5);
        let answer = |status: u16, reason: &str| request.respond(status, reason, Some(&tag));
        let response = match &request.method {
            Method::Ack => return,
            Method::Options => answer(200, "OK").with("Allow", ALLOW).with("Accept", "application/sdp"),
            Method::Invite if request.headers.tag("To").is_some() => answer(481, "Call Does Not Exist"),
            Method::Invite => match self.refuse(&request) {
                None => return self.answer(request),
                Some((420, reason)) => {
                    let unknown = request.headers.all("Require").join(", ");
                    answer(420, reason).with("Unsupported", unknown)
                }
                Some((status, reason)) => answer(status, reason),
            },
            Method::Bye | Method::Cancel | Method::Info | Method::Update => {
                answer(481, "Call Does Not Exist")
            }
            Method::Register | Method::Other(_) => answer(405, "Method Not Allowed").with("Allow", ALLOW),
        };
        self.outbox.push_back(response.into());
    }

    /// Why a call to us is not answered by itself.
    fn refuse(&mut self, invite: &Request) -> Option<(u16, &'static str)> {
        let required = invite.headers.all("Require");
        let known = |token: &str| token.trim().is_empty() || token.trim().eq_ignore_ascii_case("timer");
        if !required.iter().all(|value| value.split(',').all(known)) {
            return Some((420, "Bad Extension"));
        }
        if invite.body.is_empty() {
            return Some((488, "Not Acceptable Here"));
        }
        let shown = invite.headers.get("X-Line-Token").unwrap_or_default();
        let full = self.calls.len() >= MOST_CALLS || self.leave_by.is_some();
        let awaited = !full && self.tokens.take(&shown, Instant::now());
        (!awaited).then_some((486, "Busy Here"))
    }

    fn answer(&mut self, invite: Request) {
        let id = self.counts.next_call();
        let trying = invite.respond(100, "Trying", None);
        self.outbox.push_back(trying.into());
        let mut out = Vec::new();
        let call = Call::incoming(id, invite, true, &mut out);
        self.begin_call(call, out);
    }

    fn leave(&mut self) {
        self.leave_by = Some(Instant::now() + STOPPED_WITHIN);
        self.hand_to_all(|| Input::HangUp);
        self.connecting = None;
        self.registration(registration::Input::Leave);
    }

    fn tick(&mut self) {
        if self.leave_by.is_some_and(|at| Instant::now() >= at) {
            self.left = true;
            return;
        }
        self.registration(registration::Input::Tick);
        self.hand_to_all(|| Input::Tick);
    }

    fn registration(&mut self, input: registration::Input) {
        let Some(mut registration) = self.registration.take() else { return };
        let mut out = Vec::new();
        registration.handle(input, random::chance(), self.context(), &mut out);
        self.registration = Some(registration);
        self.registration_outputs(out);
    }

    fn registration_outputs(&mut self, out: Vec<registration::Output>) {
        for output in out {
            match output {
                registration::Output::Connect => self.connecting = Some(self.attempt()),
                registration::Output::Send(message) => self.outbox.push_back(*message),
                registration::Output::Tell(standing) => {
                    log(&standing);
                    self.tell(Event::Registration(standing));
                }
                registration::Output::Left => self.left = true,
            }
        }
    }

    fn attempt(&self) -> Connecting {
        match self.tls.clone() {
            Err(why) => Box::pin(std::future::ready(Err(why))),
            Ok(tls) => Box::pin(transport::connect(
                self.server.clone(),
                tls,
                self.bearer.clone(),
                self.identity.user_agent.clone(),
            )),
        }
    }

    fn context(&self) -> Context<'_> {
        Context { identity: &self.identity, account: &self.account, now: Instant::now() }
    }

    fn live(&mut self, id: CallId) -> Option<&mut Live> {
        self.calls.iter_mut().find(|live| live.call.id == id)
    }

    fn by_call_id(&self, call_id: &str) -> Option<CallId> {
        self.calls.iter().find(|live| live.call.call_id == call_id).map(|live| live.call.id)
    }

    fn hand_to_all(&mut self, input: impl Fn() -> Input) {
        let ids: Vec<CallId> = self.calls.iter().map(|live| live.call.id).collect();
        for id in ids {
            self.hand_to(id, input());
        }
    }

    fn told(&self, told: Told) {
        match told {
            Told::FirstMedia(id) => self.tell(Event::FirstMedia { id }),
            Told::Quality(id, quality) => self.tell(Event::Media { id, quality }),
            Told::Level { microphone, speaker } => self.tell(Event::Level { microphone, speaker }),
            Told::Devices(state) => self.tell(Event::Devices(state)),
        }
    }

    fn tell(&self, event: Event) {
        // Nobody may be listening any more; the phone goes on.
        let _ = self.events.send(event);
    }

    /// Sends what waits. A connection that takes nothing is lost.
    async fn flush(&mut self) {
        while let Some(message) = self.outbox.pop_front() {
            let Some(transport) = &mut self.transport else { continue };
            if let Err(why) = transport.send(&message).await {
                self.lost(why);
            }
        }
    }
}

fn log(standing: &Standing) {
    match standing {
        Standing::Registering => tracing::debug!("registering"),
        Standing::Registered => tracing::info!("registered"),
        Standing::Lost { why, retry_in } => {
            tracing::warn!(%why, blame = ?why.blame(), ?retry_in, "not registered");
        }
        Standing::Refused { why } => {
            debug_assert_eq!(why.blame(), Blame::Configuration);
            tracing::error!(%why, "not registered, and it will not be tried again");
        }
    }
}
