//! News from the server: `GET /live`, a WebSocket of [`LiveEvent`]s.
//!
//! One task for one socket. It checks `Hello` and the sequence, keeps the socket alive by pings
//! (each renews the lease of a card), and ends with the reason; opening it anew is the caller's.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::{
    PROTOCOL,
    events::{Change, LiveEvent},
    http::{ErrorCode, PROTOCOL_HEADER},
    session::Desk,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    Connector, connect_async_tls_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, header::AUTHORIZATION},
        protocol::WebSocketConfig,
    },
};

use crate::{
    server::{RequestError, Server, refusal},
    trust,
};

/// Time to open the socket, TLS included.
const OPEN: Duration = Duration::from_secs(8);
/// The lease of a card is 90 s; a dead network shows after [`SILENCE`].
const PING: Duration = Duration::from_secs(5);
/// Without any frame for so long, the server is away.
const SILENCE: Duration = Duration::from_secs(12);
/// A frame is never longer than this, bytes.
const LONGEST_FRAME: usize = 1024 * 1024;

/// What comes of the socket.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Open, with the server's clock (UTC epoch milliseconds).
    Hello {
        /// The clock.
        now_ms: i64,
    },
    /// The whole state.
    Snapshot(Box<Desk>),
    /// A part of it.
    Change(Box<Change>),
    /// This device was switched off.
    Revoked {
        /// Whom to ask.
        organiser: String,
    },
    /// The last word of a socket.
    Closed(Closed),
}

/// Why a socket is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// No way there, or it broke.
    Unreachable {
        /// For the log.
        why: String,
    },
    /// A stranger's certificate.
    Untrusted,
    /// Refused with the server's code: sign in again, revoked, update.
    Refused(ErrorCode),
    /// Another protocol: this app is older.
    UpdateApp,
    /// Another protocol: the server is older.
    UpdateServer,
    /// A change was missed: open anew for a new snapshot.
    Gap,
}

/// Runs one socket to its end.
pub async fn listen(server: Server, bearer: String, news: mpsc::Sender<News>) {
    let closed = match run(&server, &bearer, &news).await {
        Ok(closed) | Err(closed) => closed,
    };
    // Nobody listens any more: then nobody needs to know.
    let _ = news.send(News::Closed(closed)).await;
}

async fn run(server: &Server, bearer: &str, news: &mpsc::Sender<News>) -> Result<Closed, Closed> {
    let unreachable = |why: &dyn std::fmt::Display| Closed::Unreachable { why: why.to_string() };
    let mut url = server.origin().join("/live").map_err(|error| unreachable(&error))?;
    url.set_scheme("wss").map_err(|()| unreachable(&"not an https address"))?;
    let mut request = url.as_str().into_client_request().map_err(|error| unreachable(&error))?;
    let mut authorization =
        HeaderValue::from_str(&format!("Bearer {bearer}")).map_err(|error| unreachable(&error))?;
    authorization.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, authorization);
    request.headers_mut().insert(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL));

    let limits =
        WebSocketConfig::default().max_message_size(Some(LONGEST_FRAME)).max_frame_size(Some(LONGEST_FRAME));
    let connector = Connector::Rustls(server.tls());
    let opening = connect_async_tls_with_config(request, Some(limits), true, Some(connector));
    let (mut socket, _) = timeout(OPEN, opening)
        .await
        .map_err(|_| unreachable(&"no answer in time"))?
        .map_err(|error| closed_by(&error))?;

    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut seq: Option<u64> = None;
    loop {
        let frame = tokio::select! {
            frame = socket.next() => frame,
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE {
                    return Err(unreachable(&"silent"));
                }
                socket.send(Message::Ping(bytes_of_nothing())).await.map_err(|error| closed_by(&error))?;
                continue;
            }
            () = news.closed() => return Ok(unreachable(&"not wanted any more")),
        };
        let Some(frame) = frame else { return Ok(unreachable(&"closed by the server")) };
        let frame = frame.map_err(|error| closed_by(&error))?;
        heard = Instant::now();
        let Message::Text(text) = frame else { continue };
        let event = match serde_json::from_str::<LiveEvent>(&text) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "a frame of /live makes no sense; opening it anew");
                return Err(Closed::Gap);
            }
        };
        let item = match event {
            LiveEvent::Hello { protocol, .. } if protocol > PROTOCOL => return Err(Closed::UpdateApp),
            LiveEvent::Hello { protocol, .. } if protocol < PROTOCOL => return Err(Closed::UpdateServer),
            LiveEvent::Hello { now_ms, .. } => News::Hello { now_ms },
            LiveEvent::Snapshot { seq: at, desk } => {
                seq = Some(at);
                News::Snapshot(Box::new(desk))
            }
            LiveEvent::Change { seq: at, change } => {
                if seq.and_then(|seq| seq.checked_add(1)) != Some(at) {
                    return Err(Closed::Gap);
                }
                seq = Some(at);
                News::Change(Box::new(change))
            }
            LiveEvent::Revoked { organiser } => News::Revoked { organiser },
        };
        if news.send(item).await.is_err() {
            return Ok(unreachable(&"not wanted any more"));
        }
    }
}

fn bytes_of_nothing() -> tokio_tungstenite::tungstenite::Bytes {
    tokio_tungstenite::tungstenite::Bytes::new()
}

fn closed_by(error: &Error) -> Closed {
    if trust::is_untrusted(error) {
        return Closed::Untrusted;
    }
    if let Error::Http(response) = error {
        let body = response.body().as_deref().unwrap_or_default();
        if let RequestError::Refused { error, .. } = refusal(response.status().as_u16(), body) {
            return Closed::Refused(error.code);
        }
    }
    Closed::Unreachable { why: error.to_string() }
}
