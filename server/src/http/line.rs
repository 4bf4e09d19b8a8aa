//! The volunteer's line.

use axum::{Json, Router, extract::State, routing::post};
use protocol::http::OpenLine;
use serde_json::{Value, json};

use super::{Body, Refusal, SignedInDevice};
use crate::app::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/api/line", post(open))
}

async fn open(
    State(app): State<Shared>,
    device: SignedInDevice,
    Body(line): Body<OpenLine>,
) -> Result<Json<Value>, Refusal> {
    app.limits.line(device.id, app.clock.now_ms())?;
    app.dialling.open_line(device.id, line.token).await?;
    Ok(Json(json!({})))
}
