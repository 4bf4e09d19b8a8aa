//! How many cards a device may pass on without a call: twenty at once, then one more a minute.
//!
//! Far above what an honest volunteer does. Without it a stolen sign-in reads a whole list by skipping its cards,
//! or has it marked never to be rung. What was not written counts for nothing; and as whoever asks not to be
//! called is heard however often (R12), such a card is taken also where none is left: then the next card waits
//! until that one is given.

use crate::{now::Now, rules::MINUTE};

/// So many at once.
pub(crate) const AT_ONCE: i64 = 20;

/// Then one more each time.
const ONE_MORE: i64 = MINUTE;

/// How often the organiser is told of one device.
const TOLD_AGAIN: i64 = 10 * MINUTE;

/// One device's allowance. It stays when its session ends and when it signs in anew, as long as its seat does.
/// All times are on [`Now::steady`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PassedOn {
    /// When all that was taken will have been given again.
    full_at: Option<i64>,
    told_at: Option<i64>,
}

impl PassedOn {
    /// When the next one may be passed on; `None`: now.
    pub fn next_at(&self, now: Now) -> Option<i64> {
        self.full_at.map(|full| full - (AT_ONCE - 1) * ONE_MORE).filter(|at| *at > now.steady)
    }

    /// More was taken than there was: when that is given again, and the next card may come.
    pub fn owes_until(&self, now: Now) -> Option<i64> {
        self.full_at.map(|full| full - AT_ONCE * ONE_MORE).filter(|at| *at > now.steady)
    }

    /// A card was passed on, and that is written.
    pub fn take(&mut self, now: Now) {
        self.full_at = Some(self.full_at.map_or(now.steady, |full| full.max(now.steady)) + ONE_MORE);
    }

    /// Whether it is time to tell of this device, which has come to the end of its allowance.
    pub fn is_to_be_told(&mut self, now: Now) -> bool {
        let is_old = self.told_at.is_none_or(|at| now.steady - at >= TOLD_AGAIN);
        if is_old {
            self.told_at = Some(now.steady);
        }
        is_old
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::SECOND;

    fn at(steady: i64) -> Now {
        Now { wall: 0, steady }
    }

    fn used_up() -> PassedOn {
        let mut passed_on = PassedOn::default();
        for _ in 0..AT_ONCE {
            assert_eq!(passed_on.next_at(at(0)), None);
            passed_on.take(at(0));
        }
        passed_on
    }

    #[test]
    fn twenty_at_once_then_one_a_minute() {
        let mut passed_on = used_up();
        assert_eq!((passed_on.next_at(at(0)), passed_on.owes_until(at(0))), (Some(MINUTE), None));
        assert_eq!(passed_on.next_at(at(MINUTE - 1)), Some(MINUTE));
        assert_eq!(passed_on.next_at(at(MINUTE)), None);
        passed_on.take(at(MINUTE));
        assert_eq!(passed_on.next_at(at(MINUTE)), Some(2 * MINUTE));
        assert_eq!(passed_on.next_at(at(21 * MINUTE)), None);
        // Rest does not pile up.
        for _ in 0..AT_ONCE {
            passed_on.take(at(500 * MINUTE));
        }
        assert_eq!(passed_on.next_at(at(500 * MINUTE)), Some(501 * MINUTE));
    }

    #[test]
    fn what_is_taken_beyond_is_owed_a_minute_each() {
        let mut passed_on = used_up();
        passed_on.take(at(10 * SECOND));
        assert_eq!(passed_on.owes_until(at(10 * SECOND)), Some(MINUTE));
        assert_eq!(passed_on.owes_until(at(MINUTE)), None);
        assert_eq!(passed_on.next_at(at(MINUTE)), Some(2 * MINUTE), "what was owed, and no more");
    }

    #[test]
    fn the_organiser_is_told_now_and_then() {
        let mut passed_on = PassedOn::default();
        let told: Vec<bool> =
            [0, 1, TOLD_AGAIN - 1, TOLD_AGAIN].map(|when| passed_on.is_to_be_told(at(when))).into();
        assert_eq!(told, [true, false, false, true]);
    }
}
