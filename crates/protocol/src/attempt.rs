//! What a volunteer is told of an attempt when it is over.

use serde::{Deserialize, Serialize};

use crate::{
    ids::AttemptId,
    outcome::{Outcome, WrittenBy},
    times::RingingTimes,
};

/// The last attempt whose outcome was saved: the line of confirmation, and what `U` corrects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct LastOutcome {
    /// The attempt.
    pub attempt_id: AttemptId,
    /// The callee's name, kept for the confirmation only; the rest of the card is gone.
    pub name: String,
    /// What was saved.
    pub outcome: Outcome,
    /// By whom.
    pub by: WrittenBy,
    /// With [`Outcome::Callback`]: when they are rung again, UTC epoch milliseconds.
    #[specta(type = Option<specta_typescript::Number>)]
    pub again_at_ms: Option<i64>,
    /// When they may be rung, for a correction to [`Outcome::Callback`].
    pub times: RingingTimes,
    /// What it may be corrected to: not to an outcome of a conversation where there was none.
    #[serde(default = "every_key")]
    pub keys: Vec<Outcome>,
}

/// A server that does not say takes every key, or refuses it.
fn every_key() -> Vec<Outcome> {
    Outcome::KEYS.to_vec()
}
