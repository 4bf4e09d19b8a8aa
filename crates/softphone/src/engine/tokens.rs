//! The tokens of the calls that are awaited. Pure: time comes in as `now`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::settings::Secret;

/// The server calls at once; a token that nobody showed by then was meant for a line that never came.
const LASTS: Duration = Duration::from_secs(30);
/// The oldest go first: a phone awaits one line, and asks again when it did not come.
const MOST: usize = 8;

/// Tokens that let one call in each.
#[derive(Default)]
pub(super) struct Tokens(VecDeque<(Secret, Instant)>);

impl Tokens {
    /// Lets a call in that shows this token, from now on.
    pub(super) fn expect(&mut self, token: Secret, now: Instant) {
        self.0.push_back((token, now + LASTS));
        if self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    /// Whether a call that shows this is awaited; the token is used up by it, whatever becomes of the call.
    pub(super) fn take(&mut self, shown: &str, now: Instant) -> bool {
        self.0.retain(|(_, until)| *until > now);
        let Some(at) = self.0.iter().position(|(token, _)| same(token.reveal(), shown)) else { return false };
        self.0.remove(at);
        true
    }
}

/// Does not tell by its time how much was right.
fn same(a: &str, b: &str) -> bool {
    let differ = a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    !a.is_empty() && a.len() == b.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awaiting(token: &str, now: Instant) -> Tokens {
        let mut tokens = Tokens::default();
        tokens.expect(token.into(), now);
        tokens
    }

    #[test]
    fn a_token_lets_in_for_thirty_seconds_and_not_a_moment_longer() {
        let now = Instant::now();
        let moment = Duration::from_millis(1);
        assert!(awaiting("right", now).take("right", now + LASTS - moment));
        assert!(!awaiting("right", now).take("right", now + LASTS));
        assert_eq!(LASTS, Duration::from_secs(30));
    }

    #[test]
    fn a_token_lets_one_call_in_and_a_wrong_guess_uses_none_up() {
        let now = Instant::now();
        let mut tokens = awaiting("right", now);
        for guess in ["", "righ", "right ", "wrong", "RIGHT"] {
            assert!(!tokens.take(guess, now), "{guess:?}");
        }
        assert!(tokens.take("right", now));
        assert!(!tokens.take("right", now));
        assert!(!awaiting("", now).take("", now), "no token at all is not a token");
    }

    #[test]
    fn the_oldest_gives_way() {
        let now = Instant::now();
        let mut tokens = Tokens::default();
        for n in 0..=MOST {
            tokens.expect(n.to_string().into(), now);
        }
        assert!(!tokens.take("0", now));
        assert!(tokens.take("1", now) && tokens.take(&MOST.to_string(), now));
    }
}
