//! SIP over WebSocket (RFC 7118): one message a frame, over TLS and TCP without delay.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError, UrlError};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message as Frame};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use url::{Host, Url};

use super::message::{LARGEST, Message, Unreadable};
use crate::events::Why;
use crate::settings::Secret;
use crate::tls;

/// RFC 6455 lets either side ask; Asterisk answers, and a proxy keeps the connection open.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);
const REACHED_WITHIN: Duration = Duration::from_secs(8);
const WRITTEN_WITHIN: Duration = Duration::from_secs(3);
/// A frame of up to this many bytes is read and dropped; a longer one ends the connection.
const LARGEST_FRAME: usize = 16 << 20;

/// A connection that is up.
pub(crate) struct Transport {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    local: SocketAddr,
    ping_at: Instant,
    pong_by: Option<Instant>,
}

/// What came in.
#[derive(Debug)]
pub(crate) enum Incoming {
    Message(Box<Message>),
    /// To be counted, nothing else.
    Unreadable(Unreadable),
    Lost(Why),
}

/// Whether the address may be used: `wss://`, or `ws://` to this very machine.
pub(crate) fn check(server: &Url) -> Result<(), Why> {
    let loopback = match server.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(Why::Address(server.to_string())),
    };
    match server.scheme() {
        "wss" => Ok(()),
        "ws" if loopback => Ok(()),
        _ => Err(Why::Address(server.to_string())),
    }
}

/// Connects: name, TCP, TLS, upgrade.
pub(crate) async fn connect(
    server: Url,
    tls: Arc<ClientConfig>,
    bearer: Option<Secret>,
    user_agent: String,
) -> Result<Transport, Why> {
    check(&server)?;
    let stream =
        timeout(REACHED_WITHIN, reach(&server)).await.map_err(|_| Why::TimedOut("no TCP connection"))??;
    // Each message is one small frame; Nagle's algorithm would hold it for 40 ms.
    stream.set_nodelay(true).map_err(|error| Why::Unreachable(error.to_string()))?;
    let local = stream.local_addr().map_err(|error| Why::Unreachable(error.to_string()))?;
    let request = upgrade(&server, bearer.as_ref(), &user_agent)?;
    let limits = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(1 << 20)
        .max_message_size(Some(LARGEST_FRAME))
        .max_frame_size(Some(LARGEST_FRAME));
    let upgraded = client_async_tls_with_config(request, stream, Some(limits), Some(Connector::Rustls(tls)));
    let (socket, _) = timeout(REACHED_WITHIN, upgraded)
        .await
        .map_err(|_| Why::TimedOut("no answer to the upgrade"))?
        .map_err(blame)?;
    Ok(Transport { socket, local, ping_at: Instant::now() + PING_EVERY, pong_by: None })
}

async fn reach(server: &Url) -> Result<TcpStream, Why> {
    let port = server.port_or_known_default().unwrap_or(443);
    let addresses: Vec<SocketAddr> = match server.host() {
        Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
        Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        Some(Host::Domain(name)) => tokio::net::lookup_host((name, port))
            .await
            .map_err(|error| Why::NameNotFound(error.to_string()))?
            .collect(),
        None => return Err(Why::Address(server.to_string())),
    };
    TcpStream::connect(&addresses[..]).await.map_err(|error| Why::Unreachable(error.to_string()))
}

fn upgrade(server: &Url, bearer: Option<&Secret>, user_agent: &str) -> Result<Request<()>, Why> {
    let unusable = |_| Why::Address(server.to_string());
    let mut request = server.as_str().into_client_request().map_err(|_| Why::Address(server.to_string()))?;
    let headers = request.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip"));
    headers.insert(header::USER_AGENT, HeaderValue::from_str(user_agent).map_err(unusable)?);
    if let Some(bearer) = bearer {
        let text = format!("Bearer {}", bearer.reveal());
        let mut value = HeaderValue::from_str(&text).map_err(|_| Why::Upgrade(401))?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

impl Transport {
    /// Our own address of the connection: the way to the server, and so to its media.
    pub(crate) fn local_ip(&self) -> IpAddr {
        self.local.ip()
    }

    /// Whether the connection is protected, for the Via header.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.socket.get_ref(), MaybeTlsStream::Rustls(_))
    }

    /// The next thing that came in. May be dropped and called again at any time.
    pub(crate) async fn next(&mut self) -> Incoming {
        loop {
            let wake = self.pong_by.unwrap_or(self.ping_at);
            let frame = tokio::select! {
                frame = self.socket.next() => frame,
                () = sleep_until(wake) => {
                    if self.pong_by.is_some() {
                        return Incoming::Lost(Why::TimedOut("no answer to a ping"));
                    }
                    self.pong_by = Some(Instant::now() + PONG_WITHIN);
                    if let Err(why) = self.write(Frame::Ping(Bytes::new())).await {
                        return Incoming::Lost(why);
                    }
                    continue;
                }
            };
            // Whatever came: the other side lives.
            self.pong_by = None;
            self.ping_at = Instant::now() + PING_EVERY;
            let bytes = match frame {
                None => return Incoming::Lost(Why::Closed("by the server".to_owned())),
                Some(Err(error)) => return Incoming::Lost(blame(error)),
                Some(Ok(Frame::Text(text))) => Bytes::from(text),
                Some(Ok(Frame::Binary(bytes))) => bytes,
                Some(Ok(Frame::Close(reason))) => {
                    let reason = reason.map_or_else(String::new, |r| format!(" ({})", r.code));
                    return Incoming::Lost(Why::Closed(format!("by the server{reason}")));
                }
                Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => continue,
            };
            // An empty line is a keep-alive (RFC 7118 section 6).
            if bytes.len() <= 4 && bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                continue;
            }
            return match Message::read(&bytes) {
                Ok(message) => Incoming::Message(Box::new(message)),
                Err(why) => Incoming::Unreadable(why),
            };
        }
    }

    pub(crate) async fn send(&mut self, message: &Message) -> Result<(), Why> {
        let text = message.to_string();
        debug_assert!(text.len() <= LARGEST, "a message of ours is too long");
        self.write(Frame::Text(text.into())).await
    }

    pub(crate) async fn close(mut self) {
        // A peer that does not answer the closing is left as it is.
        let _ = timeout(Duration::from_millis(300), self.socket.close(None)).await;
    }

    async fn write(&mut self, frame: Frame) -> Result<(), Why> {
        timeout(WRITTEN_WITHIN, self.socket.send(frame))
            .await
            .map_err(|_| Why::TimedOut("nothing can be sent"))?
            .map_err(blame)
    }
}

fn blame(error: tungstenite::Error) -> Why {
    use tungstenite::Error;
    match error {
        Error::Io(error) => {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            inner.map_or_else(|| Why::Closed(error.to_string()), tls::blame)
        }
        Error::Http(response) => Why::Upgrade(response.status().as_u16()),
        Error::Url(UrlError::UnableToConnect(at)) => Why::Unreachable(at),
        Error::Url(error) => Why::Address(error.to_string()),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete) => {
            Why::Closed("by the server".to_owned())
        }
        Error::Capacity(CapacityError::MessageTooLong { size, .. }) => {
            Why::Protocol(format!("a frame of {size} bytes"))
        }
        error @ (Error::Tls(_)
        | Error::Capacity(_)
        | Error::Protocol(_)
        | Error::WriteBufferFull(_)
        | Error::Utf8(_)
        | Error::AttackAttempt
        | Error::HttpFormat(_)) => Why::Protocol(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn without_tls_only_this_machine_is_spoken_to() {
        let may = |text: &str| check(&Url::parse(text).unwrap()).is_ok();
        assert!(may("wss://phones.example:8443/sip"));
        assert!(may("ws://127.0.0.1:8088/ws"));
        assert!(may("ws://[::1]/ws"));
        assert!(may("ws://localhost/ws"));
        assert!(!may("ws://192.0.2.1/ws"));
        assert!(!may("https://phones.example/"));
        assert!(!may("ws://localhost.example/ws"));
    }
}
