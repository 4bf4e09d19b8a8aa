//! How often an address may fail before it has to wait.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use protocol::http::{ApiError, ErrorCode};

const MOST_FAILURES: u32 = 30;
const WINDOW_MS: i64 = 10 * 60 * 1_000;
const MOST_ADDRESSES: usize = 10_000;

/// Failed joins and sign-ins, by address.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<IpAddr, Failed>>);

#[derive(Debug, Clone, Copy)]
struct Failed {
    times: u32,
    until_ms: i64,
}

impl Failures {
    /// Whether this address may try.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`], with the time when it may try again.
    pub fn check(&self, address: IpAddr, now_ms: i64) -> Result<(), ApiError> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.get(&neighbourhood(address)) {
            Some(failed) if failed.until_ms > now_ms && failed.times >= MOST_FAILURES => Err(ApiError {
                code: ErrorCode::TooMany,
                message: "Too many tries from this network. Wait ten minutes, then try again".into(),
                again_at_ms: Some(failed.until_ms),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a failure.
    pub fn count(&self, address: IpAddr, now_ms: i64) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MOST_ADDRESSES {
            failures.retain(|_, failed| failed.until_ms > now_ms);
        }
        if failures.len() >= MOST_ADDRESSES {
            failures.clear();
        }
        let failed = failures
            .entry(neighbourhood(address))
            .or_insert(Failed { times: 0, until_ms: now_ms + WINDOW_MS });
        if failed.until_ms <= now_ms {
            *failed = Failed { times: 0, until_ms: now_ms + WINDOW_MS };
        }
        failed.times += 1;
    }
}

/// One customer has a whole /64 of IPv6.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thirty_first_try_waits_ten_minutes_and_others_do_not() {
        let failures = Failures::default();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for now in 0..30 {
            assert_eq!(failures.check(one, now), Ok(()));
            failures.count(one, now);
        }
        assert_eq!(failures.check(one, 30).expect_err("limited").again_at_ms, Some(WINDOW_MS));
        assert_eq!(failures.check(other, 30), Ok(()));
        assert_eq!(failures.check(one, WINDOW_MS), Ok(()));
        failures.count(one, WINDOW_MS);
        assert_eq!(failures.check(one, WINDOW_MS + 1), Ok(()));
    }

    #[test]
    fn a_neighbourhood_of_ipv6_counts_as_one() {
        let failures = Failures::default();
        for last in 0..MOST_FAILURES {
            let address: IpAddr = format!("2001:db8::{last:x}").parse().expect("address");
            failures.count(address, 0);
        }
        assert!(failures.check("2001:db8::ffff".parse().expect("address"), 1).is_err());
        assert!(failures.check("2001:db8:0:1::1".parse().expect("address"), 1).is_ok());
    }

    #[test]
    fn many_addresses_use_little_memory() {
        let failures = Failures::default();
        for n in 0..20_000_u32 {
            failures.count(IpAddr::from(n.to_be_bytes()), 0);
        }
        assert!(failures.0.lock().expect("not poisoned").len() <= MOST_ADDRESSES);
    }
}
