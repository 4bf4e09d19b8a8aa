//! Session timers (RFC 4028): a call whose other side has vanished ends by itself.

use std::time::{Duration, Instant};

use crate::sip::message::parameter;
use crate::sip::{Headers, Request, Response};

/// Shorter ones only make traffic (RFC 4028 section 5).
const LEAST: u64 = 90;
const LONGEST: u64 = 86_400;
/// After a refusal, before the next try.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A timer of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionTimer {
    seconds: u64,
    ours: bool,
    since: Instant,
    refresh_at: Instant,
}

impl SessionTimer {
    /// From the 2xx to a request of ours.
    pub(crate) fn from_response(response: &Response, now: Instant) -> Option<Self> {
        let value = response.headers.get("Session-Expires")?;
        let ours = !parameter(&value, "refresher").is_some_and(|r| r.eq_ignore_ascii_case("uas"));
        Some(Self::new(seconds(&value)?, ours, now))
    }

    /// From a request of theirs; and adds to our 2xx what it must say.
    pub(crate) fn answer(request: &Request, response: &mut Response, now: Instant) -> Option<Self> {
        response.headers.push("Supported", "timer");
        let value = request.headers.get("Session-Expires")?;
        let seconds = seconds(&value)?;
        let knows = request.headers.lists("Supported", "timer");
        let asked = parameter(&value, "refresher");
        // A side that does not know timers cannot refresh.
        let ours = !knows || asked.is_some_and(|r| r.eq_ignore_ascii_case("uas"));
        if knows {
            response.headers.push("Require", "timer");
        }
        let refresher = if ours { "uas" } else { "uac" };
        response.headers.push("Session-Expires", format!("{seconds};refresher={refresher}"));
        Some(Self::new(seconds, ours, now))
    }

    fn new(seconds: u64, ours: bool, now: Instant) -> Self {
        Self { seconds, ours, since: now, refresh_at: now + Duration::from_secs(seconds / 2) }
    }

    /// Adds what a refresh of ours must say.
    pub(crate) fn ask(self, headers: &mut Headers) {
        let refresher = if self.ours { "uac" } else { "uas" };
        headers.push("Session-Expires", format!("{};refresher={refresher}", self.seconds));
        headers.push("Min-SE", LEAST.to_string());
    }

    /// When we must refresh.
    pub(crate) fn refresh_at(self) -> Option<Instant> {
        self.ours.then_some(self.refresh_at)
    }

    /// A refresh was refused.
    pub(crate) fn again_later(&mut self, now: Instant) {
        self.refresh_at = now + AGAIN_AFTER;
    }

    /// When nobody has refreshed and the call is to end (RFC 4028 section 10).
    pub(crate) fn expires_at(self) -> Instant {
        let early = (self.seconds / 3).min(32);
        self.since + Duration::from_secs(self.seconds - early)
    }
}

fn seconds(value: &str) -> Option<u64> {
    let seconds: u64 = value.split(';').next()?.trim().parse().ok()?;
    Some(seconds.clamp(LEAST, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Method;
    use proptest::prelude::*;

    /// Nearly right, or anything.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof!["[0-9]{0,25}( ?; ?refresher ?= ?\"?(uas|UAC|\\PC{0,5}))?(;\\PC{0,10})?", "\\PC{0,40}"]
    }

    fn within_bounds(timer: SessionTimer, now: Instant) -> Result<(), TestCaseError> {
        let longest = Duration::from_secs(LONGEST);
        prop_assert!(timer.expires_at() > now && timer.expires_at() <= now + longest);
        prop_assert!(timer.refresh_at().is_none_or(|at| at > now && at < timer.expires_at()));
        Ok(())
    }

    proptest! {
        #[test]
        fn whatever_the_other_side_says_a_timer_is_neither_short_nor_endless(
            expires in value(), least in value(), supported in "(timer)?|\\PC{0,10}",
        ) {
            let now = Instant::now();
            let mut request = Request::new(Method::Update, "sip:a@b").with("CSeq", "1 UPDATE");
            for (name, value) in [("Session-Expires", &expires), ("Min-SE", &least), ("Supported", &supported)] {
                request.headers.push(name, value.clone());
            }
            let mut answer = request.respond(200, "OK", None);
            if let Some(timer) = SessionTimer::answer(&request, &mut answer, now) {
                within_bounds(timer, now)?;
                // Both sides count the same: what we answered is read as what we keep, refreshed by one of the two.
                let theirs = SessionTimer::from_response(&answer, now);
                prop_assert!(theirs.is_some_and(|theirs| theirs.seconds == timer.seconds));
                prop_assert!(theirs.is_some_and(|theirs| theirs.ours != timer.ours));
            } else {
                prop_assert!(answer.headers.get("Session-Expires").is_none());
            }
            let response = request.respond(200, "OK", None).with("Session-Expires", expires);
            if let Some(timer) = SessionTimer::from_response(&response, now) {
                within_bounds(timer, now)?;
            }
        }

        #[test]
        fn a_number_is_kept_from_the_shortest_to_a_day(n: u64, theirs: bool) {
            let refresher = if theirs { "uas" } else { "uac" };
            let response = Request::new(Method::Update, "sip:a@b").respond(200, "OK", None);
            let timer = SessionTimer::from_response(
                &response.with("Session-Expires", format!("{n};refresher={refresher}")),
                Instant::now(),
            );
            prop_assert!(timer.is_some_and(|timer| timer.seconds == n.clamp(90, 86_400) && timer.ours != theirs));
        }
    }
}
