//! `GET /live`: a WebSocket on which the server tells an app what is true and what changes.

use std::time::Duration;

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::HeaderMap,
    response::Response,
    routing::get,
};
use protocol::{PROTOCOL, events::LiveEvent};
use tokio::sync::broadcast::error::RecvError;
use tracing::debug;

use super::{
    Refusal, SignedInDevice,
    auth::{has_ended, sign_in_again},
};
use crate::{app::Shared, live::Following, tunnel::is_bad_frame};

/// The app sends pings only.
const LARGEST_FRAME: usize = 4 * 1024;
/// The app pings every 5 s; after this it is taken for gone.
const SILENT_FOR: Duration = Duration::from_secs(75);
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/live", get(live))
}

async fn live(
    State(app): State<Shared>,
    device: SignedInDevice,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    // Asked before the upgrade, so that a refusal is an HTTP reply like all others.
    let volunteer = device.volunteer.clone();
    let following = app.dialling.follow(device.id, volunteer, device.campaign_id).await?;
    if has_ended(&app, &headers).await {
        drop(following);
        app.live.left(device.id);
        return Err(sign_in_again());
    }
    let upgrade = upgrade.max_message_size(LARGEST_FRAME).max_frame_size(LARGEST_FRAME);
    Ok(upgrade.on_upgrade(async move |socket| follow(app, device, following, socket).await))
}

async fn follow(app: Shared, device: SignedInDevice, following: Following, socket: WebSocket) {
    let why = tell(&app, &device, following, socket).await;
    app.live.left(device.id);
    debug!(device = %device.id, why, "/live closed");
}

async fn tell(
    app: &Shared,
    device: &SignedInDevice,
    following: Following,
    mut socket: WebSocket,
) -> &'static str {
    let Following { seq, desk, mut changes } = following;
    app.dialling.ping(device.id);
    let hello = LiveEvent::Hello {
        protocol: PROTOCOL,
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        now_ms: app.clock.now_ms(),
    };
    for event in [hello, LiveEvent::Snapshot { seq, desk }] {
        if send(&mut socket, &event).await.is_err() {
            return "the app took no more";
        }
    }
    let why = loop {
        tokio::select! {
            () = app.stop.cancelled() => break "the server stops",
            change = changes.recv() => match change {
                Ok(event) => if send(&mut socket, &event).await.is_err() { break "the app took no more" },
                Err(RecvError::Closed) => break "closed here",
                Err(RecvError::Lagged(_)) => break "the app was too slow",
            },
            message = tokio::time::timeout(SILENT_FOR, socket.recv()) => match message {
                Ok(Some(Ok(_))) if app.limits.live.take(&device.id).is_err() => {
                    app.metrics.frames_dropped.inc();
                    break "the app sent too much";
                }
                Err(_) => break "the app was silent",
                Ok(None | Some(Ok(Message::Close(_)))) => break "the app closed it",
                Ok(Some(Err(error))) => {
                    if is_bad_frame(&error) {
                        app.metrics.frames_dropped.inc();
                    }
                    break "the app's connection failed";
                }
                Ok(Some(Ok(Message::Ping(_)))) => app.dialling.ping(device.id),
                Ok(Some(Ok(Message::Pong(_)))) => {}
                Ok(Some(Ok(Message::Text(_) | Message::Binary(_)))) => {
                    app.metrics.frames_dropped.inc();
                }
            },
        }
    };
    // The peer may be gone; then there is nobody to say goodbye to.
    let _ = tokio::time::timeout(SEND_WITHIN, socket.send(Message::Close(None))).await;
    why
}

async fn send(socket: &mut WebSocket, event: &LiveEvent) -> Result<(), ()> {
    let text = serde_json::to_string(event).map_err(|_| ())?;
    let sent = tokio::time::timeout(SEND_WITHIN, socket.send(Message::Text(text.into()))).await;
    sent.map_err(|_| ())?.map_err(|_| ())
}
