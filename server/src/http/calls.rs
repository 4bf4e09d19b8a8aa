//! Call and hang up.

use axum::{Json, Router, extract::State, routing::post};
use protocol::http::{Dial, Dialled, HangUp};
use serde_json::{Value, json};

use super::{Body, Refusal, SignedInDevice};
use crate::app::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/api/dial", post(dial)).route("/api/hang-up", post(hang_up))
}

async fn dial(
    State(app): State<Shared>,
    device: SignedInDevice,
    Body(dial): Body<Dial>,
) -> Result<Json<Dialled>, Refusal> {
    // The same request again is the same call.
    if let Some(attempt_id) = app.store.attempt_of_lease(dial.lease_id, device.id).await? {
        return Ok(Json(Dialled { attempt_id }));
    }
    let attempt_id = app.dialling.dial(device.id, dial.lease_id).await?;
    Ok(Json(Dialled { attempt_id }))
}

async fn hang_up(
    State(app): State<Shared>,
    device: SignedInDevice,
    Body(hang_up): Body<HangUp>,
) -> Result<Json<Value>, Refusal> {
    app.dialling.hang_up(device.id, hang_up.attempt_id).await?;
    Ok(Json(json!({})))
}
