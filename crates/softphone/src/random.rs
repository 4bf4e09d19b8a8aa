//! Random numbers of the system: they are never guessed, and asked for nowhere else.

use crate::events::Why;

/// Whether there are any: asked at the phone's start.
pub(crate) fn check() -> Result<(), Why> {
    getrandom::fill(&mut [0; 16]).map_err(|error| Why::NoRandom(error.to_string()))
}

/// Fills `bytes`.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system had random numbers at the start");
}

/// So many bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// 0 to 1.
pub(crate) fn chance() -> f64 {
    f64::from(u32::from_ne_bytes(bytes())) / f64::from(u32::MAX)
}
