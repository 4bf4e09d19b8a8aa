//! What came of an attempt.

use axum::{Json, Router, extract::State, routing::post};
use protocol::{http::RecordOutcome, plain};
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
    Body(mut record): Body<RecordOutcome>,
) -> Result<Json<Value>, Refusal> {
    record.note = record.note.as_deref().and_then(as_kept);
    app.dialling.record_outcome(device.id, record).await?;
    Ok(Json(json!({})))
}

/// A note as it is kept: its lines, and nothing that nobody sees.
fn as_kept(note: &str) -> Option<String> {
    let note = plain::text(note);
    let note = note.trim();
    (!note.is_empty()).then(|| note.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_with_its_lines_and_without_what_nobody_sees() {
        let kept = as_kept("\u{feff}rang twice\r\n\u{202e}asked for\tRuth\u{1b}]0;title\u{7}\u{e0041}\n");
        assert_eq!(kept.as_deref(), Some("rang twice\nasked for Ruth]0;title"));
        assert_eq!(as_kept("\u{200b} \r\n"), None);
    }
}
