//! How often somebody may fail to join or to sign in before they have to wait.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use dialler::Now;
use protocol::{
    http::{ApiError, ErrorCode},
    ids::DeviceId,
};

use super::limits::neighbourhood;

const MOST_FAILURES: u32 = 30;
const WINDOW_MS: i64 = 10 * 60 * 1_000;
const MOST_KEPT: usize = 10_000;

/// Who failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// Somebody there who is not known, and holds no invitation.
    Network(IpAddr),
    /// Somebody there who names a device that is known here, and cannot prove to be it. The device itself, which can,
    /// is never counted with them: ids are no secret.
    Claimed(DeviceId, IpAddr),
    /// A device that is known here and proved it: its own failures must not shut out an office behind one address.
    Device(DeviceId, IpAddr),
}

/// Failed joins and sign-ins.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<Who, Failed>>);

#[derive(Debug, Clone, Copy)]
struct Failed {
    times: u32,
    /// On [`Now::steady`]: a clock that is set shuts nobody out for longer.
    until: i64,
}

impl Failures {
    /// Whether they may try.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`], with the time when they may try again.
    pub fn check(&self, who: Who, now: Now) -> Result<(), ApiError> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.get(&who.kept()) {
            Some(failed) if failed.until > now.steady && failed.times >= MOST_FAILURES => {
                let words = "Too many tries from this network. Wait ten minutes, then try again";
                let again_at_ms = Some(now.wall + failed.until - now.steady);
                Err(ApiError { again_at_ms, ..ApiError::new(ErrorCode::TooMany, words) })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a failure.
    pub fn count(&self, who: Who, now: Now) {
        let now = now.steady;
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let who = who.kept();
        if failures.len() >= MOST_KEPT && !failures.contains_key(&who) {
            failures.retain(|_, failed| failed.until > now);
        }
        // Still too many: who failed least is forgotten, so that new addresses set nobody free who has to wait.
        if failures.len() >= MOST_KEPT
            && !failures.contains_key(&who)
            && let Some(least) = failures.iter().min_by_key(|(_, f)| (f.times, f.until)).map(|(who, _)| *who)
        {
            failures.remove(&least);
        }
        let failed = failures.entry(who).or_insert(Failed { times: 0, until: now + WINDOW_MS });
        if failed.until <= now {
            *failed = Failed { times: 0, until: now + WINDOW_MS };
        }
        failed.times += 1;
    }
}

impl Who {
    fn kept(self) -> Self {
        match self {
            Self::Network(address) => Self::Network(neighbourhood(address)),
            Self::Claimed(device, address) => Self::Claimed(device, neighbourhood(address)),
            Self::Device(device, address) => Self::Device(device, neighbourhood(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(ms: i64) -> Now {
        Now { wall: ms, steady: ms }
    }

    fn v4(last: u8) -> Who {
        Who::Network(IpAddr::from([192, 0, 2, last]))
    }

    fn v6(address: &str) -> Who {
        Who::Network(address.parse().expect("address"))
    }

    #[test]
    fn the_thirty_first_try_waits_ten_minutes_and_others_do_not() {
        let failures = Failures::default();
        for now in 0..30 {
            assert_eq!(failures.check(v4(1), at(now)), Ok(()));
            failures.count(v4(1), at(now));
        }
        assert_eq!(failures.check(v4(1), at(30)).expect_err("limited").again_at_ms, Some(WINDOW_MS));
        assert_eq!(failures.check(v4(2), at(30)), Ok(()));
        assert_eq!(failures.check(v4(1), at(WINDOW_MS)), Ok(()));
        failures.count(v4(1), at(WINDOW_MS));
        assert_eq!(failures.check(v4(1), at(WINDOW_MS + 1)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nobody_out_for_longer() {
        let failures = Failures::default();
        for _ in 0..MOST_FAILURES {
            failures.count(v4(1), at(0));
        }
        let day = 24 * 60 * 60 * 1_000;
        let refused = failures.check(v4(1), Now { wall: -day, steady: 1_000 }).expect_err("limited");
        assert_eq!(refused.again_at_ms, Some(WINDOW_MS - 1_000 - day));
        assert_eq!(failures.check(v4(1), Now { wall: -day, steady: WINDOW_MS }), Ok(()));
    }

    #[test]
    fn a_device_that_fails_shuts_out_itself_and_not_its_office() {
        let failures = Failures::default();
        let (office, device) = (IpAddr::from([192, 0, 2, 1]), DeviceId::new(Uuid::now_v7()));
        for _ in 0..MOST_FAILURES {
            failures.count(Who::Device(device, office), at(0));
        }
        assert!(failures.check(Who::Device(device, office), at(1)).is_err());
        assert!(failures.check(Who::Device(DeviceId::new(Uuid::now_v7()), office), at(1)).is_ok());
        assert!(failures.check(Who::Network(office), at(1)).is_ok());
        for _ in 0..MOST_FAILURES {
            failures.count(Who::Claimed(device, IpAddr::from([192, 0, 2, 2])), at(0));
        }
        let elsewhere = Who::Device(device, IpAddr::from([192, 0, 2, 2]));
        assert!(failures.check(elsewhere, at(1)).is_ok(), "who knows its id cannot lock it out");
    }

    #[test]
    fn a_neighbourhood_of_ipv6_counts_as_one() {
        let failures = Failures::default();
        for last in 0..MOST_FAILURES {
            failures.count(v6(&format!("2001:db8::{last:x}")), at(0));
        }
        assert!(failures.check(v6("2001:db8::ffff"), at(1)).is_err());
        assert!(failures.check(v6("2001:db8:0:1::1"), at(1)).is_ok());
    }

    #[test]
    fn many_addresses_use_little_memory_and_set_nobody_free() {
        let failures = Failures::default();
        for _ in 0..MOST_FAILURES {
            failures.count(v4(1), at(0));
        }
        for n in 0..11_000_u32 {
            failures.count(Who::Network(IpAddr::from((0x0a00_0000 + n).to_be_bytes())), at(1));
        }
        assert!(failures.0.lock().expect("not poisoned").len() <= MOST_KEPT);
        assert!(failures.check(v4(1), at(2)).is_err(), "it still has to wait");
    }
}
