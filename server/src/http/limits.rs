//! How often somebody may ask. Each limit is far above what an app does for an honest volunteer. How many people they
//! may ring, and cards pass on, is the dialler's to say, as it knows which of them were.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _};
use protocol::{
    http::{ApiError, ErrorCode},
    ids::DeviceId,
};

use super::failures::Failures;

/// What the doors count.
#[derive(Debug)]
pub struct Limits {
    /// Joins and sign-ins that failed.
    pub failures: Failures,
    /// Everything a signed-in device asks. It bounds what waits for the dialling loop: a device's requests
    /// and pings come there one by one, and each request waits for its answer.
    pub requests: PerKey<DeviceId>,
    /// Messages of a device on `/live`; the app sends a ping every 5 s.
    pub live: PerKey<DeviceId>,
    sign_ins: PerKey<DeviceId>,
    tunnels: PerKey<DeviceId>,
    lines: Reported,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            failures: Failures::default(),
            requests: PerKey::new(60, Duration::from_millis(100)),
            live: PerKey::new(30, seconds(1)),
            sign_ins: PerKey::new(20, seconds(2)),
            // An app on a bad network comes back a few times in a row.
            tunnels: PerKey::new(10, seconds(2)),
            // One for an evening; a few in a row where the sound does not get through, or the network changes.
            lines: Reported::new(20, seconds(6)),
        }
    }
}

impl Limits {
    /// Whether a device may sign in once more: a sign-in costs three writes in Asterisk. Asked of a device that proved to
    /// be it, so that nobody else uses this up.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`]
    pub fn sign_in(&self, device: DeviceId, now_ms: i64) -> Result<(), ApiError> {
        let words = "This computer signs in too often. Trying again by itself";
        self.sign_ins.take(&device).map_err(|wait| too_many(words, wait, now_ms))
    }

    /// Whether a device may open one more tunnel: each costs Asterisk a connection.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`]
    pub fn tunnel(&self, device: DeviceId, now_ms: i64) -> Result<(), ApiError> {
        let words = "This app connects too often. Trying again by itself";
        self.tunnels.take(&device).map_err(|wait| too_many(words, wait, now_ms))
    }

    /// Whether a device may have its line opened once more: Asterisk calls it, and sends packets to the addresses that
    /// it answers with.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`], and a line in the log for the organiser.
    pub fn line(&self, device: DeviceId, now_ms: i64) -> Result<(), ApiError> {
        let words = "This app opens its line too often. Trying again by itself";
        self.lines
            .take(device, "this device opens its line again and again")
            .map_err(|wait| too_many(words, wait, now_ms))
    }

    /// Whether a device may ask for anything now.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`]
    pub fn request(&self, device: DeviceId, now_ms: i64) -> Result<(), ApiError> {
        let words = "This app asks too much at once. Trying again by itself";
        self.requests.take(&device).map_err(|wait| too_many(words, wait, now_ms))
    }

    /// Forgets who has not asked for a while.
    pub fn forget(&self) {
        for devices in [&self.requests, &self.live, &self.sign_ins, &self.tunnels] {
            devices.forget();
        }
        self.lines.forget();
    }
}

/// A limit that only a stolen sign-in meets: the organiser is told, at most every ten minutes for a device.
#[derive(Debug)]
struct Reported {
    limit: PerKey<DeviceId>,
    told: PerKey<DeviceId>,
}

impl Reported {
    fn new(at_once: u32, one_more_every: Duration) -> Self {
        Self { limit: PerKey::new(at_once, one_more_every), told: PerKey::new(1, Duration::from_secs(600)) }
    }

    fn take(&self, device: DeviceId, seen: &str) -> Result<(), Duration> {
        let taken = self.limit.take(&device);
        if taken.is_err() && self.told.take(&device).is_ok() {
            tracing::warn!(
                %device,
                "{seen}; if nobody sits there, switch it off: ringround-server people revoke"
            );
        }
        taken
    }

    fn forget(&self) {
        self.limit.forget();
        self.told.forget();
    }
}

/// So many at once, then one more for each period that passes.
#[derive(Debug)]
pub struct PerKey<K: Hash + Eq + Clone>(DefaultKeyedRateLimiter<K>);

impl<K: Hash + Eq + Clone> PerKey<K> {
    /// So many at once, one more after each such time.
    pub fn new(at_once: u32, one_more_every: Duration) -> Self {
        let at_once = NonZeroU32::new(at_once).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(one_more_every).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        Self(DefaultKeyedRateLimiter::keyed(quota.allow_burst(at_once)))
    }

    /// Takes one, or says after what time there is one.
    ///
    /// # Errors
    /// The time to wait.
    pub fn take(&self, key: &K) -> Result<(), Duration> {
        self.0.check_key(key).map_err(|not_until| not_until.wait_time_from(self.0.clock().now()))
    }

    /// Takes one, after waiting for it if need be.
    pub async fn wait(&self, key: &K) {
        while let Err(wait) = self.take(key) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Forgets who has not asked for a while.
    pub fn forget(&self) {
        self.0.retain_recent();
    }
}

/// One customer has a whole /64 of IPv6.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// What one customer may have besides: a /48 of IPv6. An address of IPv4 stands for itself.
pub fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX >> 48)).into(),
    }
}

fn too_many(words: &str, wait: Duration, now_ms: i64) -> ApiError {
    let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    let again_at_ms = Some(now_ms.saturating_add(wait_ms));
    ApiError { again_at_ms, ..ApiError::new(ErrorCode::TooMany, words) }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn device() -> DeviceId {
        DeviceId::new(Uuid::now_v7())
    }

    #[test]
    fn so_many_at_once_then_one_for_each_period_and_others_as_before() {
        let limit = PerKey::new(3, Duration::from_millis(50));
        for _ in 0..3 {
            assert_eq!(limit.take(&1), Ok(()));
        }
        let wait = limit.take(&1).expect_err("used up");
        assert!(wait <= Duration::from_millis(50), "{wait:?}");
        assert_eq!(limit.take(&2), Ok(()), "another");
        std::thread::sleep(wait);
        assert_eq!(limit.take(&1), Ok(()), "one more");
    }

    #[test]
    fn a_device_signs_in_now_and_then_and_others_as_before() {
        let (limits, maya) = (Limits::default(), device());
        for _ in 0..20 {
            assert_eq!(limits.sign_in(maya, 0), Ok(()));
        }
        assert_eq!(limits.sign_in(maya, 0).expect_err("too many").code, ErrorCode::TooMany);
        assert_eq!(limits.sign_in(device(), 0), Ok(()));
    }

    #[test]
    fn a_line_is_opened_now_and_then_and_another_devices_as_before() {
        let (limits, maya) = (Limits::default(), device());
        for _ in 0..20 {
            assert_eq!(limits.line(maya, 0), Ok(()));
        }
        let refused = limits.line(maya, 0).expect_err("too many");
        assert!(refused.again_at_ms.is_some_and(|at| (1..=6_000).contains(&at)), "{refused:?}");
        assert_eq!(limits.line(device(), 0), Ok(()));
    }

    #[test]
    fn who_asks_no_more_is_forgotten() {
        let limits = Limits { requests: PerKey::new(1, Duration::from_millis(1)), ..Limits::default() };
        for _ in 0..100 {
            let _ = limits.request(device(), 0);
        }
        std::thread::sleep(Duration::from_millis(20));
        limits.forget();
        assert_eq!(limits.requests.0.len(), 0);
    }
}
