//! Session timers (RFC 4028): a call whose other side has vanished ends by itself.

use std::time::{Duration, Instant};

use crate::sip::message::parameter;
use crate::sip::{Headers, Request, Response};

/// Shorter ones only make traffic (RFC 4028 section 5).
const LEAST: u64 = 90;
const LONGEST: u64 = 86_400;

/// A timer of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionTimer {
    seconds: u64,
    ours: bool,
    since: Instant,
}

impl SessionTimer {
    /// From the 2xx to a request of ours.
    pub(crate) fn from_response(response: &Response, now: Instant) -> Option<Self> {
        let value = response.headers.get("Session-Expires")?;
        let ours = !parameter(&value, "refresher").is_some_and(|r| r.eq_ignore_ascii_case("uas"));
        Some(Self { seconds: seconds(&value)?, ours, since: now })
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
        Some(Self { seconds, ours, since: now })
    }

    /// Adds what a refresh of ours must say.
    pub(crate) fn ask(self, headers: &mut Headers) {
        let refresher = if self.ours { "uac" } else { "uas" };
        headers.push("Session-Expires", format!("{};refresher={refresher}", self.seconds));
        headers.push("Min-SE", LEAST.to_string());
    }

    /// When we must refresh.
    pub(crate) fn refresh_at(self) -> Option<Instant> {
        self.ours.then(|| self.since + Duration::from_secs(self.seconds / 2))
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
