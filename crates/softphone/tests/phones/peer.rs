//! The other side of the WebSocket, in this process: a registrar that says yes and passes everything
//! else between two phones, as plain text.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use softphone::{Account, Devices, Event, Secret, Settings, Softphone};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the peer does with a REGISTER: its status and more header lines.
pub type Registrar = fn(&str) -> (u16, String);

/// What the peer makes of a session description on its way to the other phone.
pub type Meddler = fn(&str) -> String;

/// A peer that listens.
pub struct Peer {
    pub address: SocketAddr,
    /// Every message that came from a phone.
    pub heard: mpsc::UnboundedReceiver<String>,
    phones: Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Frame>>>>,
    accepting: JoinHandle<()>,
    sessions: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Peer {
    pub async fn start(registrar: Registrar) -> Self {
        Self::meddling(registrar, str::to_owned).await
    }

    /// One that passes other descriptions on than it was given.
    pub async fn meddling(registrar: Registrar, meddler: Meddler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on the loopback");
        let address = listener.local_addr().expect("its address");
        let (said, heard) = mpsc::unbounded_channel();
        let phones: Arc<Mutex<HashMap<_, _>>> = Arc::default();
        let sessions: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let (all, them) = (Arc::clone(&sessions), Arc::clone(&phones));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (said, phones) = (said.clone(), Arc::clone(&them));
                let session = tokio::spawn(async move {
                    if let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, upgrade).await {
                        serve(socket, registrar, meddler, said, phones).await;
                    }
                });
                all.lock().expect("no panic").push(session);
            }
        });
        Self { address, heard, phones, accepting, sessions }
    }

    /// Cuts every connection, as a network does: without a word.
    pub fn cut(&self) {
        self.phones.lock().expect("no panic").clear();
        for session in self.sessions.lock().expect("no panic").drain(..) {
            session.abort();
        }
    }

    /// Sends a frame to a phone that has registered.
    pub fn send(&self, user: &str, frame: Frame) {
        let phones = self.phones.lock().expect("no panic");
        phones[user].send(frame).expect("the phone is connected");
    }

    /// The next message from a phone that contains this.
    pub async fn hear(&mut self, text: &str) -> String {
        let wait = async {
            loop {
                let message = self.heard.recv().await.expect("the peer lives");
                if message.contains(text) {
                    return message;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never heard {text:?}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

#[expect(clippy::result_large_err, reason = "the library's own type")]
fn upgrade(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let bearer = request.headers().get("Authorization").and_then(|v| v.to_str().ok());
    if bearer == Some("Bearer stale") {
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = 401.try_into().expect("a status");
        return Err(refusal);
    }
    response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("sip"));
    Ok(response)
}

pub async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    socket: WebSocketStream<S>,
    registrar: Registrar,
    meddler: Meddler,
    said: mpsc::UnboundedSender<String>,
    phones: Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Frame>>>>,
) {
    let (sink, mut stream) = socket.split();
    let (tell, told) = mpsc::unbounded_channel();
    let writing = tokio::spawn(write(sink, told));
    let mut user = String::new();
    while let Some(Ok(frame)) = stream.next().await {
        let Frame::Text(text) = frame else { continue };
        let text = text.to_string();
        let _ = said.send(text.clone());
        if text.starts_with("REGISTER ") {
            user = between(&text, "To: <sip:", "@").to_owned();
            phones.lock().expect("no panic").insert(user.clone(), tell.clone());
            let (status, lines) = registrar(&text);
            let _ = tell.send(Frame::Text(answer(&text, status, &lines).into()));
            continue;
        }
        // Everything else is for the other phone.
        let text = if text.starts_with("INVITE ") && !text.contains("\r\nTo: <sip:b@test>;tag") {
            text.replacen("\r\nVia:", "\r\nX-Line-Token: right\r\nVia:", 1)
        } else {
            text
        };
        let text = described(&text, meddler);
        let phones = phones.lock().expect("no panic");
        if let Some((_, other)) = phones.iter().find(|(name, _)| **name != user) {
            let _ = other.send(Frame::Text(text.into()));
        }
    }
    writing.abort();
}

/// The same message with the description that the meddler makes of its own.
fn described(message: &str, meddler: Meddler) -> String {
    let (head, body) = message.split_once("\r\n\r\n").expect("a message of the softphone's");
    if !body.starts_with("v=0") {
        return message.to_owned();
    }
    let body = meddler(body);
    let head: Vec<&str> = head.lines().filter(|line| !line.starts_with("Content-Length:")).collect();
    format!("{}\r\nContent-Length: {}\r\n\r\n{body}", head.join("\r\n"), body.len())
}

/// A description without what is called so (`opus/48000/2`).
pub fn without(description: &str, name: &str) -> String {
    let map = description.lines().find(|line| line.starts_with("a=rtpmap:") && line.contains(name));
    let Some(map) = map else { return description.to_owned() };
    let number = between(map, "a=rtpmap:", " ");
    let mut out = String::new();
    for line in description.lines() {
        if line.starts_with("m=audio") {
            let (head, numbers) = line.split_at(line.match_indices(' ').nth(2).expect("m=").0);
            let kept: Vec<&str> = numbers.split(' ').filter(|n| *n != number).collect();
            out += &format!("{head}{}\r\n", kept.join(" "));
        } else if !["rtpmap", "fmtp", "rtcp-fb"]
            .iter()
            .any(|kind| line.starts_with(&format!("a={kind}:{number} ")))
        {
            out += &format!("{line}\r\n");
        }
    }
    out
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    mut sink: SplitSink<WebSocketStream<S>, Frame>,
    mut told: mpsc::UnboundedReceiver<Frame>,
) {
    while let Some(frame) = told.recv().await {
        if sink.send(frame).await.is_err() {
            return;
        }
    }
}

/// A response to a request, with its own lines.
pub fn answer(request: &str, status: u16, lines: &str) -> String {
    let mut response = format!("SIP/2.0 {status} Whatever\r\n");
    for line in request.lines().filter(|line| {
        ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
    }) {
        let tag = if line.starts_with("To:") && !line.contains(";tag=") { ";tag=peer" } else { "" };
        response += &format!("{line}{tag}\r\n");
    }
    response + lines + "Content-Length: 0\r\n\r\n"
}

/// Grants a minute.
pub fn yes(_: &str) -> (u16, String) {
    (200, "Expires: 60\r\n".to_owned())
}

pub fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or("", |(found, _)| found)
}

pub fn settings(scheme: &str, address: SocketAddr, user: &str) -> Settings {
    let account =
        Account { username: user.to_owned(), password: Secret::new("p"), domain: "test".to_owned() };
    let server = format!("{scheme}://localhost:{}/sip", address.port());
    let mut settings = Settings::new(server.parse().expect("an address"), account);
    settings.devices = Devices::Silence;
    settings
}

/// A phone with what it says.
pub struct Phone {
    pub phone: Softphone,
    pub events: mpsc::UnboundedReceiver<Event>,
}

impl Phone {
    pub fn start(settings: Settings) -> Self {
        let (phone, events) = Softphone::start(settings);
        Self { phone, events }
    }

    /// Waits for the first event that is meant.
    pub async fn wait<T>(&mut self, what: &str, mut meant: impl FnMut(&Event) -> Option<T>) -> T {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the phone lives");
                if let Some(found) = meant(&event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"))
    }
}
