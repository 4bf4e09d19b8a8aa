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
        error::ProtocolError,
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
    /// A frame makes no sense, or is too long: open anew, too.
    Unreadable {
        /// For the log; nothing of what is in the frame.
        why: String,
    },
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
        let frame = frame.map_err(|error| unread(&error))?;
        heard = Instant::now();
        let text = match frame {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Closed::Unreadable { why: "not a text".to_owned() }),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => continue,
        };
        if news.send(read(&text, &mut seq)?).await.is_err() {
            return Ok(unreachable(&"not wanted any more"));
        }
    }
}

/// What a frame says, if it may follow `seq`, the number of the last change.
fn read(text: &str, seq: &mut Option<u64>) -> Result<News, Closed> {
    // Where it fails, not at what: names of people are in it.
    let unreadable = |error: serde_json::Error| Closed::Unreadable {
        why: format!("{:?} at {} of {} bytes", error.classify(), error.column(), text.len()),
    };
    Ok(match serde_json::from_str::<LiveEvent>(text).map_err(unreadable)? {
        LiveEvent::Hello { protocol, .. } if protocol > PROTOCOL => return Err(Closed::UpdateApp),
        LiveEvent::Hello { protocol, .. } if protocol < PROTOCOL => return Err(Closed::UpdateServer),
        LiveEvent::Hello { now_ms, .. } => News::Hello { now_ms },
        LiveEvent::Snapshot { seq: at, desk } => {
            *seq = Some(at);
            News::Snapshot(Box::new(desk))
        }
        LiveEvent::Change { seq: at, change } => {
            if seq.and_then(|seq| seq.checked_add(1)) != Some(at) {
                return Err(Closed::Gap);
            }
            *seq = Some(at);
            News::Change(Box::new(change))
        }
        LiveEvent::Revoked { organiser } => News::Revoked { organiser },
    })
}

fn bytes_of_nothing() -> tokio_tungstenite::tungstenite::Bytes {
    tokio_tungstenite::tungstenite::Bytes::new()
}

/// What a frame that could not be received says of its sender: it is there, and talks nonsense, or it is gone.
fn unread(error: &Error) -> Closed {
    let nonsense = match error {
        Error::Capacity(_) | Error::Utf8(_) => true,
        Error::Protocol(broken) => *broken != ProtocolError::ResetWithoutClosingHandshake,
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => false,
    };
    if nonsense { Closed::Unreadable { why: error.to_string() } } else { closed_by(error) }
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use protocol::{events::Change, line::Line};
    use serde_json::json;

    use super::*;

    fn frames() -> Vec<String> {
        let campaign = json!({"id": uuid::Uuid::nil(), "name": "Winter", "organisation": "Lantern",
            "mode": "one-touch", "organiser": "Ruth"});
        let desk = json!({"volunteer": "Maya", "campaign": campaign, "line": {"state": "down"},
            "session": {"state": "ended"}, "last_outcome": null});
        vec![
            json!({"type": "hello", "protocol": PROTOCOL, "server_version": "0", "now_ms": 7}).to_string(),
            json!({"type": "snapshot", "seq": 0, "desk": desk}).to_string(),
            change(1),
            json!({"type": "revoked", "organiser": "Ruth"}).to_string(),
        ]
    }

    fn change(seq: u64) -> String {
        serde_json::to_string(&LiveEvent::Change { seq, change: Change::Line(Line::Down) }).unwrap()
    }

    #[test]
    fn whole_frames_are_read() {
        let mut seq = None;
        let read: Vec<News> = frames().iter().map(|frame| read(frame, &mut seq).unwrap()).collect();
        assert_eq!(read[0], News::Hello { now_ms: 7 });
        assert!(matches!(&read[1], News::Snapshot(desk) if desk.volunteer == "Maya"), "{read:?}");
        assert_eq!(read[2], News::Change(Box::new(Change::Line(Line::Down))));
        assert_eq!(read[3], News::Revoked { organiser: "Ruth".into() });
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_news_or_an_end(text in "\\PC{0,200}|[\\[{\":,0-9a-z}\\] ]{0,200}") {
            let mut seq = Some(3);
            if let Err(closed) = read(&text, &mut seq) {
                let Closed::Unreadable { why } = closed else { panic!("{closed:?}") };
                proptest::prop_assert!(why.len() < 80, "{why}");
                proptest::prop_assert_eq!(seq, Some(3));
            }
        }

        #[test]
        fn a_damaged_frame_is_news_or_an_end(which in 0_usize..4, at in 0_usize..600, put in "\\PC{0,3}", cut in 0_usize..9) {
            let mut frame: Vec<char> = frames()[which].chars().collect();
            let at = at % frame.len();
            frame.splice(at..(at + cut).min(frame.len()), put.chars());
            let frame: String = frame.into_iter().collect();
            if let Err(Closed::Unreadable { why }) = read(&frame, &mut Some(0)) {
                proptest::prop_assert!(!why.contains("Ruth") && !why.contains("Maya"), "{why}");
            }
        }

        #[test]
        fn changes_are_taken_in_order_only(first in proptest::num::u64::ANY, jumps in proptest::collection::vec(0_u64..3, 0..20)) {
            let mut seq = Some(first);
            let mut at = first;
            for jump in jumps {
                at = at.wrapping_add(jump);
                let follows = seq.and_then(|seq| seq.checked_add(1)) == Some(at);
                match read(&change(at), &mut seq) {
                    Ok(_) => proptest::prop_assert!(follows && seq == Some(at)),
                    Err(closed) => {
                        proptest::prop_assert_eq!(closed, Closed::Gap);
                        proptest::prop_assert!(!follows);
                        break;
                    }
                }
            }
        }
    }
}
