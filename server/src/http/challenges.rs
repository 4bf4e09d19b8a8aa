//! Challenges that wait for a signature: 32 random bytes, 60 seconds, one use.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use protocol::ids::DeviceId;

use super::limits::neighbourhood;

const LIFE_MS: i64 = 60_000;
/// Of a device in one network: who asks for it elsewhere pushes out none of these.
const MOST_EACH: usize = 4;
/// Of a device in all networks.
const MOST: usize = 64;

/// The challenges of the devices that are known here, so their number bounds the memory.
#[derive(Debug, Default)]
pub struct Challenges(Mutex<HashMap<DeviceId, VecDeque<Given>>>);

#[derive(Debug)]
struct Given {
    challenge: String,
    network: IpAddr,
    until_ms: i64,
}

impl Challenges {
    /// Keeps a challenge for a device; the oldest from there goes when it has four.
    pub fn keep(&self, device: DeviceId, address: IpAddr, challenge: String, now_ms: i64) {
        let network = neighbourhood(address);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(device).or_default();
        own.retain(|given| given.until_ms > now_ms);
        if own.iter().filter(|given| given.network == network).count() >= MOST_EACH
            && let Some(oldest) = own.iter().position(|given| given.network == network)
        {
            own.remove(oldest);
        }
        if own.len() >= MOST {
            own.pop_front();
        }
        own.push_back(Given { challenge, network, until_ms: now_ms + LIFE_MS });
    }

    /// Whether it was given to this device and still counts; it never counts again.
    pub fn take(&self, device: DeviceId, challenge: &str, now_ms: i64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = all.get_mut(&device) else { return false };
        let Some(place) = own.iter().position(|given| given.challenge == challenge) else { return false };
        let valid = own.remove(place).is_some_and(|given| given.until_ms > now_ms);
        if own.is_empty() {
            all.remove(&device);
        }
        valid
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_challenge_counts_once_for_one_device_within_a_minute() {
        let challenges = Challenges::default();
        let (device, other) = (DeviceId::new(Uuid::now_v7()), DeviceId::new(Uuid::now_v7()));
        let (office, home) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for name in ["a", "b", "c"] {
            challenges.keep(device, office, name.into(), 0);
        }
        assert!(!challenges.take(other, "a", 1));
        assert!(challenges.take(device, "a", 1));
        assert!(!challenges.take(device, "a", 1), "used");
        assert!(!challenges.take(device, "b", LIFE_MS), "too old");
        for name in ["d", "e", "f", "g"] {
            challenges.keep(device, office, name.into(), 2);
        }
        assert!(!challenges.take(device, "c", 3), "pushed out by newer ones");
        for n in 0..10 {
            challenges.keep(device, home, n.to_string(), 3);
        }
        assert!(challenges.take(device, "g", 3), "not pushed out from elsewhere");
    }
}
