//! The volunteer's line.

use axum::{Json, Router, extract::State, routing::post};
use protocol::http::{LineSound, OpenLine};
use serde_json::{Value, json};

use super::{Body, Refusal, SignedInDevice};
use crate::app::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/api/line", post(open)).route("/api/line/sound", post(sound))
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

async fn sound(
    State(app): State<Shared>,
    device: SignedInDevice,
    Body(LineSound { token, gets_through }): Body<LineSound>,
) -> Result<Json<Value>, Refusal> {
    app.dialling.line_sound(device.id, token, gets_through).await?;
    Ok(Json(json!({})))
}
