//! `GET /health` for anyone who watches the server, `GET /metrics` for Prometheus on this machine.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{ConnectInfo, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{app::Shared, health};

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/health", get(health)).route("/metrics", get(metrics))
}

async fn health(State(app): State<Shared>) -> Response {
    let health = health::glance(&app).await;
    let status = if health.is_well() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}

/// Counts are nobody's business elsewhere: only for a peer on this machine.
async fn metrics(State(app): State<Shared>, ConnectInfo(peer): ConnectInfo<SocketAddr>) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        return StatusCode::NOT_FOUND.into_response();
    }
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], app.metrics.text())
        .into_response()
}
