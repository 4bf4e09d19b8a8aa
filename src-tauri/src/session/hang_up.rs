//! The hang-up that is wanted and not done yet.
//!
//! | state | input | then |
//! | --- | --- | --- |
//! | none | the press, or the press of Machine while talking | wanted |
//! | wanted | server there, and the attempt is known | asked |
//! | asked | no answer, or the call is not over | wanted, again in a second |
//! | wanted, asked | that call is over, or the server knows of none | none |
//!
//! While it is wanted no sound leaves this computer, whether the server is there or not.

use protocol::{http::ErrorCode, ids::AttemptId};

use super::{App, Ask, Effect};
use crate::server::RequestError;

const HANG_UP_AGAIN_MS: i64 = 1_000;

pub(super) struct HangUp {
    /// Unknown while the answer to Call is on its way.
    pub(super) attempt: Option<AttemptId>,
    in_flight: bool,
    retry_at: i64,
}

impl HangUp {
    pub(super) fn wanted(attempt: Option<AttemptId>, now: i64) -> Self {
        Self { attempt, in_flight: false, retry_at: now }
    }
}

impl App {
    pub(super) fn hang_up_answered(&mut self, result: &Result<Option<AttemptId>, RequestError>) {
        let Some(hang_up) = &mut self.hang_up else { return };
        hang_up.in_flight = false;
        hang_up.retry_at = self.now + HANG_UP_AGAIN_MS;
        let Err(error) = result else { return };
        if matches!(error.code(), Some(ErrorCode::NotFound | ErrorCode::WrongState)) {
            // Already over: the session says so, or will.
            self.hang_up = None;
        } else if error.code() == Some(ErrorCode::SignInAgain) {
            self.sign_in_again();
        }
    }

    pub(super) fn hang_up_wake(&self) -> Option<i64> {
        let hang_up = self.hang_up.as_ref().filter(|_| self.link.is_up())?;
        (hang_up.attempt.is_some() && !hang_up.in_flight).then_some(hang_up.retry_at)
    }

    /// A hang-up stays wanted until the call is over, also over a loss of the server.
    pub(super) fn reconcile_hang_up(&mut self) {
        let current = self.attempt_in_call();
        let dialling = self.call_pressed();
        let up = self.link.is_up();
        let Some(hang_up) = &mut self.hang_up else { return };
        if hang_up.attempt.is_none() {
            hang_up.attempt = current;
        }
        let over = current.is_none_or(|current| hang_up.attempt != Some(current)) && !dialling;
        // Without the server nobody knows: it may have dialled, and its answer was lost.
        if over && up {
            self.hang_up = None;
            return;
        }
        if let (Some(attempt), true, false) = (hang_up.attempt, up, hang_up.in_flight)
            && self.now >= hang_up.retry_at
        {
            hang_up.in_flight = true;
            self.want(Effect::Ask(Ask::HangUp(attempt)));
        }
    }
}
