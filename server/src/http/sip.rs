//! `GET /sip`: the tunnel to Asterisk, for a signed-in device.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{ConnectInfo, State, ws::WebSocketUpgrade},
    http::HeaderMap,
    response::Response,
    routing::get,
};
use protocol::http::ErrorCode;

use super::{Refusal, SignedInDevice, auth::has_ended, refuse};
use crate::{
    app::Shared,
    tunnel::{self, LARGEST_MESSAGE, Reach},
};

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/sip", get(sip))
}

async fn sip(
    State(app): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    device: SignedInDevice,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    // Asterisk first, so that an app knows from the HTTP reply that there is no telephone. Asterisk
    // that does not speak to the server yet could register the app, but not make its line.
    let no_telephone =
        || refuse(ErrorCode::NoTelephone, "The telephone system is not there. Trying again by itself");
    app.limits.tunnel(device.id, app.clock.now_ms())?;
    if !app.ari.is_here() {
        return Err(no_telephone());
    }
    let reach = Reach::of_app_at(peer.ip()).map_err(|error| {
        tracing::error!(%error, "this machine's addresses cannot be read: no tunnel is opened without them");
        refuse(ErrorCode::Internal, "The server cannot read its own addresses. Tell the organiser")
    })?;
    let asterisk = tunnel::to_asterisk(&app.config.asterisk.url).await.map_err(|_| no_telephone())?;
    let upgrade =
        upgrade.protocols(["sip"]).max_message_size(LARGEST_MESSAGE).max_frame_size(LARGEST_MESSAGE);
    Ok(upgrade.on_upgrade(async move |socket| {
        app.tunnels.pass(device.id, reach, socket, asterisk, has_ended(&app, &headers)).await;
    }))
}
