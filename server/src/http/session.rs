//! Start, pause, resume and stop of a volunteer's session.

use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};

use super::{Refusal, SignedInDevice};
use crate::app::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/session/start", post(start))
        .route("/api/session/pause", post(pause))
        .route("/api/session/resume", post(resume))
        .route("/api/session/stop", post(stop))
}

async fn start(State(app): State<Shared>, device: SignedInDevice) -> Result<Json<Value>, Refusal> {
    app.dialling.start_session(device.id, device.campaign_id).await?;
    Ok(Json(json!({})))
}

async fn pause(State(app): State<Shared>, device: SignedInDevice) -> Result<Json<Value>, Refusal> {
    app.dialling.pause(device.id).await?;
    Ok(Json(json!({})))
}

async fn resume(State(app): State<Shared>, device: SignedInDevice) -> Result<Json<Value>, Refusal> {
    app.dialling.resume(device.id).await?;
    Ok(Json(json!({})))
}

async fn stop(State(app): State<Shared>, device: SignedInDevice) -> Result<Json<Value>, Refusal> {
    app.dialling.stop(device.id).await?;
    Ok(Json(json!({})))
}
