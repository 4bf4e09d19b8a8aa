//! What came of an attempt.

use axum::{Json, Router, extract::State, routing::post};
use protocol::http::RecordOutcome;
use serde_json::{Value, json};

use super::{Body, Refusal, SignedInDevice};
use crate::app::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/api/outcome", post(record))
}

async fn record(
    State(app): State<Shared>,
    device: SignedInDevice,
    Body(record): Body<RecordOutcome>,
) -> Result<Json<Value>, Refusal> {
    app.dialling.record_outcome(device.id, record).await?;
    Ok(Json(json!({})))
}
