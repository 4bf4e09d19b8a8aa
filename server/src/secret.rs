//! Secrets made here: random, shown once, kept as a hash.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// `N` random bytes as base64url.
pub fn random<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<N>())
}

/// `N` random bytes.
///
/// # Panics
/// When the operating system has no randomness to give: nothing safe can be done then.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// What the store keeps of a token: SHA-256. Tokens are random, so no salt is needed.
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// The bytes of a base64url text if there are exactly `N`.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() > N.div_ceil(3) * 4 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_and_no_two_are_alike() {
        let (one, two) = (random::<32>(), random::<32>());
        assert_ne!(one, two);
        assert!(decode::<32>(&one).is_some());
        assert_eq!(decode::<16>(&one), None);
        assert_ne!(hash(&one), hash(&two));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_decoding_panic(text in ".{0,80}") {
            let _ = decode::<32>(&text);
        }
    }
}
