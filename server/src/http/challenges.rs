//! Challenges that wait for a signature: 32 random bytes, 60 seconds, one use.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use protocol::ids::DeviceId;

const LIFE_MS: i64 = 60_000;
const MOST_EACH: usize = 4;

/// The challenges of the devices that are known here, so their number bounds the memory.
#[derive(Debug, Default)]
pub struct Challenges(Mutex<HashMap<DeviceId, VecDeque<(String, i64)>>>);

impl Challenges {
    /// Keeps a challenge for a device; its oldest goes when it has four.
    pub fn keep(&self, device: DeviceId, challenge: String, now_ms: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(device).or_default();
        own.retain(|(_, until)| *until > now_ms);
        if own.len() >= MOST_EACH {
            own.pop_front();
        }
        own.push_back((challenge, now_ms + LIFE_MS));
    }

    /// Whether it was given to this device and still counts; it never counts again.
    pub fn take(&self, device: DeviceId, challenge: &str, now_ms: i64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = all.get_mut(&device) else { return false };
        let Some(place) = own.iter().position(|(kept, _)| kept == challenge) else { return false };
        let valid = own.remove(place).is_some_and(|(_, until)| until > now_ms);
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
        for name in ["a", "b", "c"] {
            challenges.keep(device, name.into(), 0);
        }
        assert!(!challenges.take(other, "a", 1));
        assert!(challenges.take(device, "a", 1));
        assert!(!challenges.take(device, "a", 1), "used");
        assert!(!challenges.take(device, "b", LIFE_MS), "too old");
        for name in ["d", "e", "f", "g"] {
            challenges.keep(device, name.into(), 2);
        }
        assert!(!challenges.take(device, "c", 3), "pushed out by newer ones");
        assert!(challenges.take(device, "g", 3));
    }
}
