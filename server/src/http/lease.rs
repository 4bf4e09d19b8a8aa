//! Giving a contact back without ringing it.

use axum::{Json, Router, extract::State, routing::post};
use protocol::http::{Settle, SettleLease};
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
    let now_ms = app.clock.now_ms();
    if settle.how == Settle::DoNotCall {
        // Who asks not to be called is heard, however often (R12); it counts, and is reported, all the same.
        app.dialling.settle(device.id, settle.lease_id, settle.how).await?;
        let _ = app.limits.card(device.id, now_ms);
    } else {
        app.limits.card(device.id, now_ms)?;
        app.dialling.settle(device.id, settle.lease_id, settle.how).await?;
    }
    Ok(Json(json!({})))
}
