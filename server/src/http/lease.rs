//! Giving a contact back without ringing it.

use axum::{Json, Router, extract::State, routing::post};
use protocol::http::SettleLease;
use serde_json::{Value, json};

use super::{Body, Refusal, SignedInDevice};
use crate::app::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/api/lease/settle", post(settle))
}

async fn settle(
    State(app): State<Shared>,
    device: SignedInDevice,
    Body(settle): Body<SettleLease>,
) -> Result<Json<Value>, Refusal> {
    app.dialling.settle(device.id, settle.lease_id, settle.how).await?;
    Ok(Json(json!({})))
}
