//! SIP frames between a signed-in app and Asterisk's WebSocket on loopback. What an app sends passes a gate
//! ([`gate`]), so that nobody has Asterisk send to where it should not; what Asterisk sends is passed on as it is.
//! Separate secrets keep accounts apart.

mod description;
mod gate;
mod message;
mod reach;
mod routes;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::extract::ws;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use protocol::ids::DeviceId;
use tokio::{net::TcpStream, time::interval_at};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        self,
        client::IntoClientRequest,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::WebSocketConfig,
    },
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use url::Url;

use crate::{http::limits::PerKey, metrics::Metrics};

pub use reach::Reach;

/// The largest SIP message that passes; Asterisk's own limit for a frame is 64 KiB.
pub const LARGEST_MESSAGE: usize = 64 * 1024;

/// The app is pinged this often, so that a lost network is noticed.
const PING_EVERY: Duration = Duration::from_secs(2);
/// Not a sign of life for so long: closed, and Asterisk forgets the app's contact.
const SILENT_FOR: Duration = Duration::from_secs(30);
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// An app sends a few messages a minute, and a few tens when a line opens. More wait, in the sender's
/// own network: a flood must not reach Asterisk, which is everybody's.
const MESSAGES_AHEAD: u32 = 100;
const ONE_MORE_EVERY: Duration = Duration::from_millis(50);
/// A session description makes Asterisk send some checks to each address in it. An app writes one for each line.
const DESCRIPTIONS_AHEAD: u32 = 20;
const ONE_MORE_DESCRIPTION_EVERY: Duration = Duration::from_secs(3);
/// That an app's frames are refused is written down so often; a healthy app's are not.
const TOLD_EVERY: Duration = Duration::from_secs(600);
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// A connection to Asterisk's WebSocket for SIP.
pub type ToAsterisk = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The open tunnels: one for each device. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tunnels {
    open: Arc<Mutex<HashMap<DeviceId, Open>>>,
    opened: Arc<AtomicU64>,
    /// What apps send, by device: a new tunnel does not set a flood free.
    messages: Arc<PerKey<DeviceId>>,
    descriptions: Arc<PerKey<DeviceId>>,
    told: Arc<PerKey<DeviceId>>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Open {
    number: u64,
    heard: Instant,
    close: CancellationToken,
}

impl Tunnels {
    /// No tunnels.
    pub fn new(metrics: Metrics) -> Self {
        Self {
            open: Arc::default(),
            opened: Arc::default(),
            messages: Arc::new(PerKey::new(MESSAGES_AHEAD, ONE_MORE_EVERY)),
            descriptions: Arc::new(PerKey::new(DESCRIPTIONS_AHEAD, ONE_MORE_DESCRIPTION_EVERY)),
            told: Arc::new(PerKey::new(1, TOLD_EVERY)),
            metrics,
        }
    }

    /// When a device's tunnel last gave a sign of life; `None`: it has none.
    pub fn last_heard(&self, device: DeviceId) -> Option<Instant> {
        self.open().get(&device).map(|open| open.heard)
    }

    /// Closes a device's tunnel.
    pub fn close(&self, device: DeviceId) {
        if let Some(open) = self.open().remove(&device) {
            open.close.cancel();
        }
        self.count();
    }

    /// A tunnel that nobody sends anything through; what is given back says when it is closed.
    #[cfg(test)]
    pub fn stand_in(&self, device: DeviceId) -> CancellationToken {
        let close = CancellationToken::new();
        self.open().insert(device, Open { number: 0, heard: Instant::now(), close: close.clone() });
        close
    }

    /// Forgets what apps sent that have sent nothing for a while.
    pub fn forget(&self) {
        for devices in [&self.messages, &self.descriptions, &self.told] {
            devices.forget();
        }
    }

    /// Passes frames both ways until an end closes, or [`Tunnels::close`], or a newer tunnel of
    /// the same device: then the older is of a connection that was lost. Asked once the tunnel can be found by
    /// who ends sign-ins: whether its own `has_ended`; then it closes, and no newer one does.
    pub async fn pass(
        &self,
        device: DeviceId,
        reach: Reach,
        app: ws::WebSocket,
        asterisk: ToAsterisk,
        has_ended: impl Future<Output = bool>,
    ) {
        let close = CancellationToken::new();
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let newer = Open { number, heard: Instant::now(), close: close.clone() };
        if let Some(older) = self.open().insert(device, newer) {
            older.close.cancel();
        }
        self.count();
        debug!(%device, "tunnel open");
        let (mut to_asterisk, from_asterisk) = asterisk.split();
        let why = tokio::select! {
            why = self.frames(device, number, &reach, app, &mut to_asterisk, from_asterisk) => why,
            () = close.cancelled() => "closed here",
            () = ended(has_ended) => "its sign-in has ended",
        };
        info!(%device, why, "tunnel closed");
        self.forget_tunnel(device, number);
        // Of a socket that ends without a word Asterisk writes a warning.
        let _ = tokio::time::timeout(SEND_WITHIN, to_asterisk.close()).await;
    }

    async fn frames(
        &self,
        device: DeviceId,
        number: u64,
        reach: &Reach,
        app: ws::WebSocket,
        to_asterisk: &mut SplitSink<ToAsterisk, tungstenite::Message>,
        mut from_asterisk: SplitStream<ToAsterisk>,
    ) -> &'static str {
        let (mut to_app, mut from_app) = app.split();
        let inwards = async {
            loop {
                let message = match tokio::time::timeout(SILENT_FOR, from_app.next()).await {
                    Err(_) => return "the app was silent",
                    Ok(None | Some(Ok(ws::Message::Close(_)))) => return "the app closed it",
                    Ok(Some(Err(error))) => {
                        if is_bad_frame(&error) {
                            self.metrics.frames_dropped.inc();
                        }
                        debug!(%error, %device, "the app's connection failed");
                        return "the app's connection failed";
                    }
                    Ok(Some(Ok(message))) => message,
                };
                self.heard(device, number);
                let frame = match &message {
                    ws::Message::Text(text) => Some(text.as_str()),
                    ws::Message::Binary(bytes) => std::str::from_utf8(bytes).ok(),
                    ws::Message::Ping(_) | ws::Message::Pong(_) | ws::Message::Close(_) => continue,
                };
                self.messages.wait(&device).await;
                let passed = match frame.map(|frame| gate::pass(frame, reach)) {
                    Some(Ok(passed)) => passed,
                    Some(Err(why)) => {
                        self.refused(device, &why.to_string());
                        continue;
                    }
                    None => {
                        self.refused(device, "not text");
                        continue;
                    }
                };
                if passed.describes {
                    self.descriptions.wait(&device).await;
                }
                let message = tungstenite::Message::text(passed.text);
                match tokio::time::timeout(SEND_WITHIN, to_asterisk.send(message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return "Asterisk took no more",
                }
            }
        };
        let outwards = async {
            let mut ping = interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
            loop {
                let message = tokio::select! {
                    _ = ping.tick() => ws::Message::Ping("".into()),
                    message = from_asterisk.next() => match message {
                        None | Some(Ok(tungstenite::Message::Close(_))) => return "Asterisk closed it",
                        Some(Err(_)) => return "Asterisk's connection failed",
                        Some(Ok(tungstenite::Message::Text(text))) => ws::Message::Text(text.as_str().into()),
                        Some(Ok(tungstenite::Message::Binary(bytes))) => ws::Message::Binary(bytes),
                        Some(Ok(
                            tungstenite::Message::Ping(_)
                            | tungstenite::Message::Pong(_)
                            | tungstenite::Message::Frame(_),
                        )) => continue,
                    },
                };
                match tokio::time::timeout(SEND_WITHIN, to_app.send(message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return "the app took no more",
                }
            }
        };
        tokio::select! {
            why = inwards => why,
            why = outwards => why,
        }
    }

    fn forget_tunnel(&self, device: DeviceId, number: u64) {
        let mut open = self.open();
        if open.get(&device).is_some_and(|current| current.number == number) {
            open.remove(&device);
        }
        drop(open);
        self.count();
    }

    fn refused(&self, device: DeviceId, why: &str) {
        self.metrics.frames_dropped.inc();
        if self.told.take(&device).is_ok() {
            info!(%device, why, "SIP that no app of ours sends was not passed on to Asterisk");
        }
    }

    fn heard(&self, device: DeviceId, number: u64) {
        if let Some(open) = self.open().get_mut(&device)
            && open.number == number
        {
            open.heard = Instant::now();
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<DeviceId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) {
        self.metrics.tunnels.set(i64::try_from(self.open().len()).unwrap_or(i64::MAX));
    }
}

async fn ended(has_ended: impl Future<Output = bool>) {
    if !has_ended.await {
        std::future::pending::<()>().await;
    }
}

/// Whether a connection failed for what the peer sent (too long, not UTF-8, not a WebSocket frame),
/// not for want of the peer. axum keeps its WebSocket library's error to itself; its words tell.
pub fn is_bad_frame(error: &axum::Error) -> bool {
    let words = error.to_string();
    !["without closing handshake", "IO error", "closed connection", "Connection closed"]
        .iter()
        .any(|gone| words.contains(gone))
}

/// Connects to Asterisk's WebSocket for SIP, `ws://127.0.0.1:8088/ws`.
///
/// # Errors
/// Why not, for the log.
pub async fn to_asterisk(http: &Url) -> Result<ToAsterisk, String> {
    let mut address = http.clone();
    let scheme = if http.scheme() == "https" { "wss" } else { "ws" };
    address.set_scheme(scheme).map_err(|()| "the address of Asterisk is not http or https".to_owned())?;
    address.set_path("/ws");
    let mut request = address.as_str().into_client_request().map_err(|error| error.to_string())?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip"));
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    let connecting = connect_async_with_config(request, Some(config), true);
    match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
        Ok(Ok((stream, _))) => Ok(stream),
        Ok(Err(error)) => {
            debug!(%error, "Asterisk's WebSocket for SIP refused a tunnel");
            Err(error.to_string())
        }
        Err(_) => Err("no answer".to_owned()),
    }
}

#[cfg(test)]
mod tests;
