//! How fast one device may go through a list. Far above what an honest volunteer does; without it a stolen sign-in
//! reads a whole list, or empties it.
//!
//! | counted | what takes one | at once | then one more |
//! | --- | --- | --- | --- |
//! | taken off | a card passed on; a call that its volunteer ended before it was answered and before it had rung for 15 s; a contact that a key closed | 20 | each minute |
//! | cards | a card with another contact than the one before | 24 | every 15 s |
//!
//! The quickest callers close a contact in a minute and ring somebody every 20 s, over an evening; twenty in hand
//! make up for a bad part of a list. In five minutes a program takes off 25 contacts and sees 43 names.
//!
//! Between two calls of one device are three seconds at least, from dialling to dialling: a press that comes sooner is
//! taken, and goes out then.
//!
//! What was not written counts for nothing. A call is never refused, nor is what came of it; and as whoever asks not
//! to be called is heard however often (R12), such a card is taken also where none is left. After more than there
//! was the next card waits.

use protocol::ids::ContactId;

use crate::{
    now::Now,
    rules::{MINUTE, SECOND},
};

/// So many cards may be passed on at once.
pub(crate) const AT_ONCE: i64 = TAKEN_OFF.at_once;

const TAKEN_OFF: Rate = Rate { at_once: 20, one_more: MINUTE };
const CARDS: Rate = Rate { at_once: 24, one_more: 15 * SECOND };

/// From one call's dialling to the next. Whoever looks at a card at all needs longer.
const BETWEEN_DIALS: i64 = 3 * SECOND;

/// How often the organiser is told of one device.
const TOLD_AGAIN: i64 = 10 * MINUTE;

/// One device's allowances. They stay when its session ends and when it signs in anew, and are counted again from the
/// store after a restart ([`crate::Input::Recent`]). All times are on [`Now::steady`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    taken_off: Bucket,
    cards: Bucket,
    dialled_at: Option<i64>,
    /// Whose card it had last.
    shown: Option<ContactId>,
    told_at: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    at_once: i64,
    one_more: i64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    rate: Rate,
    /// When all that was taken will have been given again.
    full_at: Option<i64>,
}

impl Default for Pace {
    fn default() -> Self {
        let full = |rate| Bucket { rate, full_at: None };
        Pace { taken_off: full(TAKEN_OFF), cards: full(CARDS), dialled_at: None, shown: None, told_at: None }
    }
}

impl Pace {
    /// What a device did in an earlier run of the server, by the wall's clock and the oldest first.
    pub fn recalled(cards: &[i64], taken_off: &[i64], now: Now) -> Self {
        let mut pace = Self::default();
        let then = |wall: &i64| now.steady.saturating_sub(now.wall.saturating_sub(*wall).max(0));
        cards.iter().for_each(|at| pace.cards.take(then(at)));
        taken_off.iter().for_each(|at| pace.taken_off.take(then(at)));
        pace
    }

    /// When the next card may be passed on; `None`: now.
    pub fn may_pass_on_at(&self, now: Now) -> Option<i64> {
        self.taken_off.next_at(now)
    }

    /// When the next card may come; `None`: now.
    pub fn next_card_at(&self, now: Now) -> Option<i64> {
        self.taken_off.owes_until(now).max(self.cards.next_at(now))
    }

    /// When the next call may be dialled; `None`: now.
    pub fn next_dial_at(&self, now: Now) -> Option<i64> {
        self.dialled_at.map(|at| at + BETWEEN_DIALS).filter(|at| *at > now.steady)
    }

    /// A card comes. One that went back at a pause and comes again is read once.
    pub fn show(&mut self, contact: ContactId, now: Now) {
        if self.shown.replace(contact) != Some(contact) {
            self.cards.take(now.steady);
        }
    }

    /// A call was committed.
    pub fn dial(&mut self, now: Now) {
        self.dialled_at = Some(now.steady);
    }

    /// A card was passed on, or was dialled and is as good as that, or is closed; and that is written.
    pub fn take_off(&mut self, now: Now) {
        self.taken_off.take(now.steady);
    }

    /// Whether it is time to tell of this device, which has come to the end of an allowance.
    pub fn is_to_be_told(&mut self, now: Now) -> bool {
        let is_old = self.told_at.is_none_or(|at| now.steady - at >= TOLD_AGAIN);
        if is_old {
            self.told_at = Some(now.steady);
        }
        is_old
    }
}

impl Bucket {
    /// When there is one; `None`: now.
    fn next_at(&self, now: Now) -> Option<i64> {
        self.full_at
            .map(|full| full - (self.rate.at_once - 1) * self.rate.one_more)
            .filter(|at| *at > now.steady)
    }

    /// More was taken than there was: when that is given again.
    fn owes_until(&self, now: Now) -> Option<i64> {
        self.full_at.map(|full| full - self.rate.at_once * self.rate.one_more).filter(|at| *at > now.steady)
    }

    /// Nobody owes more than once again as much: the volunteer may have a thief's debts.
    fn take(&mut self, at: i64) {
        let most = at + 2 * self.rate.at_once * self.rate.one_more;
        let full_at = self.full_at.map_or(at, |full| full.max(at)) + self.rate.one_more;
        self.full_at = Some(full_at.min(most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(steady: i64) -> Now {
        Now { wall: 0, steady }
    }

    fn other_contact() -> ContactId {
        ContactId::new(uuid::Uuid::now_v7())
    }

    fn used_up() -> Pace {
        let mut pace = Pace::default();
        for _ in 0..AT_ONCE {
            assert_eq!(pace.may_pass_on_at(at(0)), None);
            pace.take_off(at(0));
        }
        pace
    }

    #[test]
    fn twenty_at_once_then_one_a_minute() {
        let mut pace = used_up();
        assert_eq!((pace.may_pass_on_at(at(0)), pace.next_card_at(at(0))), (Some(MINUTE), None));
        assert_eq!(pace.may_pass_on_at(at(MINUTE - 1)), Some(MINUTE));
        assert_eq!(pace.may_pass_on_at(at(MINUTE)), None);
        pace.take_off(at(MINUTE));
        assert_eq!(pace.may_pass_on_at(at(MINUTE)), Some(2 * MINUTE));
        assert_eq!(pace.may_pass_on_at(at(21 * MINUTE)), None);
        // Rest does not pile up.
        for _ in 0..AT_ONCE {
            pace.take_off(at(500 * MINUTE));
        }
        assert_eq!(pace.may_pass_on_at(at(500 * MINUTE)), Some(501 * MINUTE));
    }

    #[test]
    fn what_is_taken_beyond_is_owed_a_minute_each() {
        let mut pace = used_up();
        pace.take_off(at(10 * SECOND));
        assert_eq!(pace.next_card_at(at(10 * SECOND)), Some(MINUTE));
        assert_eq!(pace.next_card_at(at(MINUTE)), None);
        assert_eq!(pace.may_pass_on_at(at(MINUTE)), Some(2 * MINUTE), "what was owed, and no more");
        // A thief's debts end.
        (0..1_000).for_each(|_| pace.take_off(at(MINUTE)));
        assert_eq!(pace.next_card_at(at(MINUTE)), Some(21 * MINUTE));
    }

    #[test]
    fn twenty_four_cards_at_once_then_one_every_fifteen_seconds() {
        let mut pace = Pace::default();
        for _ in 0..24 {
            assert_eq!(pace.next_card_at(at(0)), None);
            pace.show(other_contact(), at(0));
        }
        assert_eq!(pace.next_card_at(at(0)), Some(15 * SECOND));
        assert_eq!(pace.may_pass_on_at(at(0)), None, "calls are not passed on");
        // The quickest honest volunteer never waits: sixteen seconds a call, all evening.
        let mut pace = Pace::default();
        for n in 0..1_000 {
            assert_eq!(pace.next_card_at(at(n * 16 * SECOND)), None);
            pace.show(other_contact(), at(n * 16 * SECOND));
        }
    }

    #[test]
    fn a_card_that_comes_again_is_one() {
        let (mut pace, contact) = (Pace::default(), other_contact());
        (0..1_000).for_each(|_| pace.show(contact, at(0)));
        (0..22).for_each(|_| pace.show(other_contact(), at(0)));
        assert_eq!(pace.next_card_at(at(0)), None);
        pace.show(contact, at(0));
        assert_eq!(pace.next_card_at(at(0)), Some(15 * SECOND), "others came between");
    }

    #[test]
    fn three_seconds_from_one_call_to_the_next() {
        let mut pace = Pace::default();
        assert_eq!(pace.next_dial_at(at(0)), None);
        pace.dial(at(0));
        assert_eq!(pace.next_dial_at(at(1)), Some(3 * SECOND));
        assert_eq!(pace.next_dial_at(at(3 * SECOND)), None);
    }

    #[test]
    fn five_minutes_give_forty_three_names_and_twenty_five_contacts() {
        let (mut names, mut closed, mut pace) = (0, 0, Pace::default());
        // Every 100 ms it takes the card that there is, and closes it while that costs no waiting.
        for now in (0..300 * SECOND).step_by(100).map(at) {
            if pace.next_card_at(now).is_none() {
                names += 1;
                pace.show(other_contact(), now);
            }
        }
        let mut other = Pace::default();
        for now in (0..300 * SECOND).step_by(100).map(at) {
            if other.next_card_at(now).is_none() {
                closed += 1;
                other.take_off(now);
            }
        }
        assert_eq!((names, closed), (43, 25));
    }

    #[test]
    fn a_restart_counts_again_what_was_done_before() {
        let now = Now { wall: 1_000 * MINUTE, steady: 7 };
        let ago = |ms: i64| now.wall - ms;
        let busy: Vec<i64> = (0..24).map(|n| ago(SECOND * (24 - n))).collect();
        let pace = Pace::recalled(&busy, &busy[4..], now);
        let later = |at: Option<i64>| at.map(|at| at - now.steady);
        assert_eq!(later(pace.next_card_at(now)), None, "one was given again in these 24 s");
        assert_eq!(later(pace.may_pass_on_at(now)), Some(40 * SECOND), "the first was 20 s ago");
        let long_ago = Pace::recalled(&[ago(60 * MINUTE)], &[ago(60 * MINUTE)], now);
        assert_eq!((long_ago.next_card_at(now), long_ago.may_pass_on_at(now)), (None, None));
        // A clock that was set back since: nothing was done in the future.
        let ahead = Pace::recalled(&[], &[now.wall + 60 * MINUTE; 20], now);
        assert_eq!(later(ahead.may_pass_on_at(now)), Some(MINUTE));
    }

    #[test]
    fn the_organiser_is_told_now_and_then() {
        let mut pace = Pace::default();
        let told: Vec<bool> =
            [0, 1, TOLD_AGAIN - 1, TOLD_AGAIN].map(|when| pace.is_to_be_told(at(when))).into();
        assert_eq!(told, [true, false, false, true]);
    }
}
