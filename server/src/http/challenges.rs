//! What a device signs to sign in: it says itself when it ends and for whom it is, under the server's own key, so that
//! nothing is kept of one that nobody answered. Whoever asks for many, in anybody's name, uses up nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use dialler::Now;
use hmac::{Hmac, Mac};
use protocol::ids::DeviceId;
use sha2::Sha256;

use crate::secret;

const LIFE_MS: i64 = 60_000;

/// When it ends, on [`Now::steady`]; what makes it unlike all others; the server's mark over both and the device.
const ENDS: usize = 8;
const NONCE: usize = 8;
const MARK: usize = 16;
const WHOLE: usize = ENDS + NONCE + MARK;

/// Gives challenges and knows them again, until the server ends: the next one has another key.
#[derive(Debug)]
pub struct Challenges {
    key: [u8; 32],
    /// Those that were answered, until they end. Only a device's own signature comes so far, and that not often.
    spent: Mutex<HashMap<[u8; WHOLE], i64>>,
}

impl Default for Challenges {
    fn default() -> Self {
        Self { key: secret::bytes(), spent: Mutex::default() }
    }
}

impl Challenges {
    /// A challenge for this device, base64url. It counts for a minute.
    pub fn give(&self, device: DeviceId, now: Now) -> String {
        let mut challenge = [0; WHOLE];
        challenge[..ENDS].copy_from_slice(&(now.steady + LIFE_MS).to_be_bytes());
        challenge[ENDS..ENDS + NONCE].copy_from_slice(&secret::bytes::<NONCE>());
        let mark = self.mark(device, &challenge).finalize().into_bytes();
        challenge[ENDS + NONCE..].copy_from_slice(&mark[..MARK]);
        URL_SAFE_NO_PAD.encode(challenge)
    }

    /// The challenge's bytes if it was given here, to this device, less than a minute ago.
    pub fn read(&self, device: DeviceId, challenge: &str, now: Now) -> Option<[u8; WHOLE]> {
        let challenge = secret::decode::<WHOLE>(challenge)?;
        let marked = self.mark(device, &challenge).verify_truncated_left(&challenge[ENDS + NONCE..]);
        (marked.is_ok() && ends(&challenge) > now.steady).then_some(challenge)
    }

    /// Spends a challenge that was [read](Self::read) and is signed; false: it was spent before.
    pub fn spend(&self, challenge: [u8; WHOLE], now: Now) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|_, ends| *ends > now.steady);
        spent.insert(challenge, ends(&challenge)).is_none()
    }

    fn mark(&self, device: DeviceId, challenge: &[u8; WHOLE]) -> Hmac<Sha256> {
        let mut mark = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mark.update(device.to_string().as_bytes());
        mark.update(&challenge[..ENDS + NONCE]);
        mark
    }
}

fn ends(challenge: &[u8; WHOLE]) -> i64 {
    let (ends, _) = challenge.split_first_chunk().expect("it begins with its end");
    i64::from_be_bytes(*ends)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use uuid::Uuid;

    use super::*;

    fn at(steady: i64) -> Now {
        Now { wall: 1_795_000_000_000, steady }
    }

    fn device() -> DeviceId {
        DeviceId::new(Uuid::now_v7())
    }

    #[test]
    fn a_challenge_counts_once_for_one_device_within_a_minute() {
        let (challenges, maya, sam) = (Challenges::default(), device(), device());
        let given = challenges.give(maya, at(0));
        assert_ne!(given, challenges.give(maya, at(0)));
        assert_eq!(challenges.read(sam, &given, at(1)), None, "not Sam's");
        assert_eq!(Challenges::default().read(maya, &given, at(1)), None, "another server's");
        let read = challenges.read(maya, &given, at(LIFE_MS - 1)).unwrap();
        assert_eq!(challenges.read(maya, &given, at(LIFE_MS)), None, "too old");
        assert!(challenges.spend(read, at(1)));
        assert!(!challenges.spend(read, at(2)), "spent");
    }

    #[test]
    fn a_challenge_of_which_one_bit_was_changed_is_none() {
        let (challenges, maya) = (Challenges::default(), device());
        let given = secret::decode::<WHOLE>(&challenges.give(maya, at(0))).unwrap();
        for bit in 0..WHOLE * 8 {
            let mut other = given;
            other[bit / 8] ^= 1 << (bit % 8);
            let read = challenges.read(maya, &URL_SAFE_NO_PAD.encode(other), at(1));
            assert_eq!(read, None, "bit {bit}");
        }
    }

    #[test]
    fn what_nobody_answers_takes_no_memory_and_what_was_answered_is_forgotten() {
        let (challenges, maya) = (Challenges::default(), device());
        let first = challenges.give(maya, at(0));
        for _ in 0..10_000 {
            challenges.give(maya, at(0));
        }
        assert_eq!(challenges.spent.lock().unwrap().len(), 0);
        let read = challenges.read(maya, &first, at(1)).expect("no later one pushed it out");
        assert!(challenges.spend(read, at(1)));
        let later = challenges.give(maya, at(LIFE_MS));
        let later = challenges.read(maya, &later, at(LIFE_MS)).unwrap();
        assert!(challenges.spend(later, at(LIFE_MS)));
        assert_eq!(challenges.spent.lock().unwrap().len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = Challenges::default().read(device(), &text, at(0));
        }
    }
}
