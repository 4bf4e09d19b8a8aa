//! The sentences of refusals: what happened, then what to do.

use protocol::{
    http::{ApiError, ErrorCode},
    trunk::Complaint,
};

use crate::{
    pace::AT_ONCE,
    rules::{HOUR, MINUTE, Refusal},
};

pub(crate) const NOT_RUNG_DO_NOT_CALL: &str =
    "Not rung: this person asked not to be called. The next card is ready";
pub(crate) const NOT_RUNG_NO_LIST: &str =
    "Not rung: this number is on no imported list. The next card is ready";
pub(crate) const NOT_RUNG_DONE: &str = "Not rung: someone else finished this card. The next card is ready";
pub(crate) const NOT_RUNG_ABROAD: &str =
    "Not rung: this number is abroad, and the campaign rings nobody there. The next card is ready";
pub(crate) const NOT_RUNG_NO_ZONE: &str =
    "Not rung: nobody knows what time it is where this number is. The next card is ready";
pub(crate) const NOT_RUNG_HOURS: &str = "Not rung: it is outside calling hours there";

pub(crate) const NOT_CALLABLE: &str =
    "This campaign cannot be called for: its settings are not allowed here. Tell your organiser";

/// Asked of a device that has no session.
pub(crate) fn not_calling() -> ApiError {
    wrong_state("You are not calling. Press Start first")
}

/// An outcome for a call that is neither the one in hand nor one that can be corrected.
pub(crate) fn no_such_call() -> ApiError {
    not_found("There is no such call to record an outcome for")
}

/// As [`no_such_call`], where the store was asked too.
pub(crate) fn unknown_call() -> ApiError {
    not_found("The server does not know this call. Nothing was changed")
}

/// R16, with the time since the last call where there is one.
pub(crate) fn not_rung_too_often(last: Option<i64>, now: i64) -> String {
    let ago = last.map_or(0, |last| now.saturating_sub(last).max(0));
    let when = match ago {
        0..MINUTE => "just now".to_owned(),
        MINUTE..HOUR => format!("{} min ago", ago / MINUTE),
        _ if ago < 2 * HOUR => "an hour ago".to_owned(),
        _ if ago < 24 * HOUR => format!("{} hours ago, and often enough", ago / HOUR),
        _ => "often enough this week".to_owned(),
    };
    format!("Not rung: this person was called {when}. The next card is ready")
}

pub(crate) fn refused(refusal: Refusal) -> ApiError {
    ApiError { again_at_ms: refusal.until, ..ApiError::new(ErrorCode::RefusedByRule, refusal.words) }
}

pub(crate) fn number_in_a_call() -> ApiError {
    ApiError::new(ErrorCode::RefusedByRule, "Not rung: this number is in a call now. The next card is ready")
}

/// A card that is not passed on: it may be called.
pub(crate) fn passed_on_many(again_at_ms: i64) -> ApiError {
    let words = format!(
        "You have passed on {AT_ONCE} people without a call in a short time. Call this one, or wait a minute"
    );
    ApiError { again_at_ms: Some(again_at_ms), ..ApiError::new(ErrorCode::TooMany, words) }
}

/// A correction of an earlier call than the last.
pub(crate) fn corrected_many(again_at_ms: i64) -> ApiError {
    let words = "Many outcomes were changed in a short time. This one is taken in a moment";
    ApiError { again_at_ms: Some(again_at_ms), ..ApiError::new(ErrorCode::TooMany, words) }
}

/// A correction of an earlier call than the last, which would have somebody rung who asked not to be.
pub(crate) fn do_not_call_stands() -> ApiError {
    wrong_state(
        "Somebody asked in an earlier call not to be called. Only your organiser can take that back. Nothing was changed",
    )
}

/// An outcome of a conversation that was not.
pub(crate) fn nobody_answered() -> ApiError {
    wrong_state("Nobody answered this call, so this cannot be what came of it. Nothing was changed")
}

pub(crate) fn wrong_state(message: &str) -> ApiError {
    ApiError::new(ErrorCode::WrongState, message)
}

pub(crate) fn lease_lost() -> ApiError {
    ApiError::new(ErrorCode::LeaseLost, "This card is no longer held. The next card is ready")
}

pub(crate) fn no_telephone() -> ApiError {
    ApiError::new(
        ErrorCode::NoTelephone,
        "The server's telephone line is away. Nobody was rung; try again in a moment",
    )
}

/// The last calls did not go through, and one that is under way shows what is the matter.
pub(crate) fn trunk_doubted() -> ApiError {
    wrong_state("The last call was refused by the provider. One moment: another shows whether calls go out")
}

pub(crate) fn trunk_shut(complaint: Complaint) -> ApiError {
    let why = match complaint {
        Complaint::Refuses { sip: Some(sip) } => format!("The telephone provider refuses calls ({sip})"),
        Complaint::Refuses { sip: None } => "The telephone provider refuses calls".to_owned(),
        Complaint::Silent => "The telephone provider lets calls come to nothing".to_owned(),
        Complaint::Number => "The telephone provider knows none of these numbers".to_owned(),
    };
    wrong_state(&format!("{why}. Nobody was rung; the card stays here, and calls are tried now and then"))
}

pub(crate) fn no_storage() -> ApiError {
    ApiError::new(
        ErrorCode::NoStorage,
        "The server cannot save (its disk is full or read-only). Nothing was changed; tell your organiser",
    )
}

pub(crate) fn not_found(message: &str) -> ApiError {
    ApiError::new(ErrorCode::NotFound, message)
}
