//! The way to the server: signing in, and `/live`; and what its word changes here (`desk_is`).
//!
//! | state | input | then |
//! | --- | --- | --- |
//! | off | device known | signing-in, or opening while a sign-in is still good |
//! | signing-in | signed in | opening; the phone starts with the new account |
//! | opening | snapshot | up |
//! | any | no answer, stranger's certificate, other version | waiting, then again |
//! | any | 401 | signing-in |
//! | any | revoked | off, until the volunteer tries again |
//! | up | the sign-in is getting old, or the phone's account was refused | up, and signing in beside |

use protocol::{
    http::ErrorCode,
    ids::AttemptId,
    session::{Desk, Session},
};

use super::{App, Effect};
use crate::{
    live::{Closed, News},
    server::RequestError,
    view::{Notice, Press},
};

/// At the start of a run a sign-in must be good for an evening, so that it does not end in a call.
pub(super) const FRESH_ENOUGH_TO_START: i64 = 6 * 60 * 60 * 1000;
/// Later it only must not end at once.
pub(super) const FRESH_ENOUGH: i64 = 60 * 1000;
/// The first try after a loss comes at once: most losses are short, and then nobody is told.
const AT_ONCE_MS: i64 = 250;
/// Soon enough to wait for before the screen; a little more or less by device, so that a
/// restarted server is not met by all at the same moment.
const RETRY_MS: i64 = 4_000;
const RETRY_SPREAD_MS: i64 = 2_000;
/// What only an update or another network mends is tried rarely.
const RARELY_MS: i64 = 60_000;
/// A phone whose account is refused is given a new one, at most so often.
const NEW_ACCOUNT_MS: i64 = 30_000;
/// A sign-in that ends takes the call down with it: in a session, in a call too, it is renewed when so little is
/// left.
const RENEW_IN_SESSION_MS: i64 = 60 * 60 * 1000;
/// A renewal that came to nothing is tried again.
const RENEW_AGAIN_MS: i64 = 5 * 60 * 1000;
/// What cannot be read in one socket is perhaps not read in the next one either.
const GAP_REMEMBERED_MS: i64 = 30_000;

#[derive(Default)]
pub(super) struct Link {
    pub(super) at: At,
    signed_in_until: Option<i64>,
    failures: u32,
    refused_sign_ins: u32,
    pub(super) trouble: Option<Trouble>,
    /// Server's clock minus ours, milliseconds.
    pub(super) clock_offset: i64,
    signed_in_at: i64,
    /// Asked, and not answered yet.
    signing_in: bool,
    /// The next renewal is not before this.
    renew_at: i64,
    /// The phone's account is not taken: another one comes with another sign-in.
    pub(super) account_refused: bool,
    /// When a frame could not be read, or was missing.
    gap_at: Option<i64>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
    #[default]
    Off,
    SigningIn,
    Opening,
    Up,
    Waiting {
        until: i64,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    Unreachable,
    Untrusted,
    UpdateApp,
    UpdateServer,
    Revoked { organiser: String },
}

impl Link {
    pub(super) fn signed_in(until: Option<i64>) -> Self {
        Self { signed_in_until: until, ..Self::default() }
    }

    pub(super) fn is_up(&self) -> bool {
        self.at == At::Up
    }
}

impl App {
    /// Goes the next step towards the server.
    pub(super) fn connect(&mut self, fresh_enough: i64) {
        let good = self.link.signed_in_until.is_some_and(|until| until - self.server_now() > fresh_enough);
        if !good {
            self.link.at = At::SigningIn;
            self.sign_in();
            return;
        }
        self.link.at = At::Opening;
        self.want(Effect::Listen);
        if !self.line.running {
            self.start_phone();
        }
    }

    /// The server's clock, as well as it is known.
    pub(super) fn server_now(&self) -> i64 {
        self.now + self.link.clock_offset
    }

    pub(super) fn link_wake(&self) -> Option<i64> {
        match self.link.at {
            At::Waiting { until } => Some(until),
            At::Up if !self.link.signing_in => self.sign_in_due(),
            At::Off | At::SigningIn | At::Opening | At::Up => None,
        }
    }

    /// One at a time: two answers could come in the other order.
    fn sign_in(&mut self) {
        if !self.link.signing_in {
            self.link.signing_in = true;
            self.want(Effect::SignIn);
        }
    }

    /// When to sign in beside an open `/live`.
    fn sign_in_due(&self) -> Option<i64> {
        let account = self.link.account_refused.then_some(self.link.signed_in_at + NEW_ACCOUNT_MS);
        let left = if self.calling() { RENEW_IN_SESSION_MS } else { FRESH_ENOUGH_TO_START };
        let renewal = self
            .link
            .signed_in_until
            .map(|ends| (ends - self.link.clock_offset - left).max(self.link.renew_at));
        account.into_iter().chain(renewal).min()
    }

    pub(super) fn signed_in(&mut self, result: Result<i64, RequestError>) {
        self.link.signing_in = false;
        if self.link.at == At::Off {
            return;
        }
        match result {
            Ok(until) => {
                self.link.account_refused = false;
                self.link.signed_in_until = Some(until);
                self.link.signed_in_at = self.now;
                self.link.refused_sign_ins = 0;
                self.renew_phone();
                if self.link.is_up() {
                    return;
                }
                self.link.at = At::Opening;
                self.want(Effect::Listen);
            }
            Err(error) => {
                if error.code() == Some(ErrorCode::SignInAgain) {
                    self.link.refused_sign_ins += 1;
                }
                let decides = matches!(
                    error.code(),
                    Some(
                        ErrorCode::SignInAgain
                            | ErrorCode::DeviceRevoked
                            | ErrorCode::UpdateApp
                            | ErrorCode::UpdateServer
                    )
                );
                // What works goes on; it is tried again.
                if decides || !self.link.is_up() {
                    self.lost(&error);
                }
            }
        }
    }

    pub(super) fn live(&mut self, news: News) {
        match news {
            News::Hello { now_ms } => self.link.clock_offset = now_ms - self.now,
            News::Snapshot(desk) => {
                let back = self.link.trouble.is_some();
                self.link.at = At::Up;
                self.sound_is_told_anew();
                if self.link.gap_at.is_none_or(|at| self.now - at >= GAP_REMEMBERED_MS) {
                    self.link.failures = 0;
                }
                self.link.trouble = None;
                self.desk_is(*desk);
                self.try_outcomes_now();
                if back {
                    self.line.retry_at = self.now;
                    self.want(Effect::RetryPhone);
                }
            }
            News::Change(change) => {
                if let Some(mut desk) = self.desk.clone() {
                    desk.apply(*change);
                    self.desk_is(desk);
                }
            }
            News::Revoked { organiser } => self.revoked(organiser),
            News::Closed(closed) => match closed {
                Closed::Refused(code) => self.refused(code),
                Closed::Untrusted => self.wait(RARELY_MS, Some(Trouble::Untrusted)),
                Closed::UpdateApp => self.wait(RARELY_MS, Some(Trouble::UpdateApp)),
                Closed::UpdateServer => self.wait(RARELY_MS, Some(Trouble::UpdateServer)),
                Closed::Unreachable { .. } => self.no_answer(),
                Closed::Gap | Closed::Unreadable { .. } => {
                    self.link.gap_at = Some(self.now);
                    self.no_answer();
                }
            },
        }
    }

    /// The server's word on where we are.
    fn desk_is(&mut self, desk: Desk) {
        let before = self.desk.replace(desk);
        let now = self.desk.as_ref();
        if before.as_ref().map(|desk| &desk.session) == now.map(|desk| &desk.session) {
            return;
        }
        let was = before.as_ref().and_then(|desk| attempt(&desk.session));
        let is = now.and_then(|desk| attempt(&desk.session));
        let was_talking = matches!(before.map(|desk| desk.session), Some(Session::Talking { .. }));
        let keeps_press = self.busy.as_ref().is_some_and(|busy| busy.press == Press::Outcome) && was == is;
        if !keeps_press {
            self.busy = None;
        }
        if was != is {
            self.marked =
                is.and_then(|attempt| self.outcomes.pressed(attempt).map(|outcome| (attempt, outcome)));
            if !matches!(
                self.notice,
                Some(Notice::DoNotCall { .. } | Notice::RefusedByRule { .. } | Notice::LeaseLost)
            ) {
                self.notice = None;
            }
        }
        if !self.in_call() {
            // The next callee must hear the volunteer.
            self.mute(false);
        } else if !was_talking && matches!(self.session(), Some(Session::Talking { .. })) {
            self.listen_for_the_volunteer();
        }
    }

    /// A request failed: what that says about the way to the server.
    pub(super) fn lost(&mut self, error: &RequestError) {
        match error {
            RequestError::Untrusted => self.wait(RARELY_MS, Some(Trouble::Untrusted)),
            RequestError::Unreachable { .. } => self.no_answer(),
            RequestError::Refused { error, .. } => self.refused(error.code),
        }
    }

    /// Tries now what waits.
    pub(super) fn reconnect_now(&mut self) {
        let waits = match self.link.at {
            At::Waiting { .. } => true,
            At::Off => self.device.is_some(),
            At::SigningIn | At::Opening | At::Up => false,
        };
        if waits {
            self.connect(FRESH_ENOUGH);
        }
    }

    pub(super) fn sign_in_again(&mut self) {
        if self.link.at == At::SigningIn {
            return;
        }
        self.link.signed_in_until = None;
        self.want(Effect::StopListening);
        self.connect(FRESH_ENOUGH);
    }

    pub(super) fn reconcile_link(&mut self) {
        if let At::Waiting { until } = self.link.at
            && self.now >= until
        {
            self.connect(FRESH_ENOUGH);
        }
        let due = self.sign_in_due().is_some_and(|at| self.now >= at);
        if self.link.is_up() && !self.link.signing_in && due {
            self.link.renew_at = self.now + RENEW_AGAIN_MS;
            self.link.signed_in_at = self.now;
            self.sign_in();
        }
    }

    fn refused(&mut self, code: ErrorCode) {
        match code {
            // A challenge may have been too old; a key that is refused again and again is not known any more.
            ErrorCode::SignInAgain if self.link.at == At::SigningIn && self.link.refused_sign_ins < 3 => {
                self.no_answer()
            }
            ErrorCode::SignInAgain if self.link.at != At::SigningIn => self.sign_in_again(),
            // Something between us and the server may know no such path; only signing in asks for the device.
            ErrorCode::NotFound if self.link.at != At::SigningIn => self.no_answer(),
            ErrorCode::SignInAgain | ErrorCode::DeviceRevoked | ErrorCode::NotFound => {
                let organiser =
                    self.device.as_ref().map(|device| device.campaign.organiser.clone()).unwrap_or_default();
                self.revoked(organiser);
            }
            ErrorCode::UpdateApp => self.wait(RARELY_MS, Some(Trouble::UpdateApp)),
            ErrorCode::UpdateServer => self.wait(RARELY_MS, Some(Trouble::UpdateServer)),
            ErrorCode::NoStorage => {
                self.no_storage = true;
                self.no_answer();
            }
            ErrorCode::Invalid
            | ErrorCode::UnknownLink
            | ErrorCode::LinkSpent
            | ErrorCode::LinkExpired
            | ErrorCode::WrongState
            | ErrorCode::LeaseLost
            | ErrorCode::RefusedByRule
            | ErrorCode::TooLarge
            | ErrorCode::TooMany
            | ErrorCode::NoTelephone
            | ErrorCode::Internal => self.no_answer(),
        }
    }

    fn revoked(&mut self, organiser: String) {
        self.link.at = At::Off;
        self.link.signed_in_until = None;
        self.link.trouble = Some(Trouble::Revoked { organiser });
        // What this device may not see any more goes from the screen at once.
        if let Some(desk) = &mut self.desk {
            desk.session = Session::Ended;
            desk.last_outcome = None;
        }
        self.let_go();
    }

    fn no_answer(&mut self) {
        self.link.failures = self.link.failures.saturating_add(1);
        if self.link.failures == 1 {
            let known = self.link.trouble.clone();
            self.wait(AT_ONCE_MS, known);
            return;
        }
        self.wait(RETRY_MS + self.spread(RETRY_SPREAD_MS), Some(Trouble::Unreachable));
    }

    fn wait(&mut self, for_ms: i64, trouble: Option<Trouble>) {
        self.link.trouble = trouble;
        self.link.at = At::Waiting { until: self.now + for_ms };
        self.want(Effect::StopListening);
    }

    /// The same device always gets the same share of `of_ms` for the same failure.
    pub(super) fn spread(&self, of_ms: i64) -> i64 {
        let id = self.device.as_ref().map_or(0, |device| device.id.uuid().as_u128());
        let byte = (id >> (8 * (self.link.failures % 8))) & 0xff;
        of_ms * i64::try_from(byte).unwrap_or(0) / 255
    }
}

fn attempt(session: &Session) -> Option<AttemptId> {
    session.call().map(|call| call.attempt_id)
}
