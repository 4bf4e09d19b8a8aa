//! Which due contact comes first: callbacks at their time, because a promise was made, then
//! whoever has been due longest.
//!
//! The store claims in SQL by the same order:
//! `ORDER BY last_outcome IS NOT 'callback', due_at, id`.

use protocol::ids::ContactId;

/// A contact that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub contact: ContactId,
    /// When it is due, UTC epoch milliseconds.
    pub due_at: i64,
    /// Its last outcome was a callback.
    pub callback: bool,
}

/// The contact to offer next at `now`; `None` if nobody is due.
pub fn next(candidates: &[Candidate], now: i64) -> Option<ContactId> {
    candidates
        .iter()
        .filter(|candidate| candidate.due_at <= now)
        .min_by_key(|candidate| (!candidate.callback, candidate.due_at, candidate.contact))
        .map(|candidate| candidate.contact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(last: u8, due_at: i64, callback: bool) -> Candidate {
        let contact = ContactId::new(uuid::Uuid::from_u128(u128::from(last)));
        Candidate { contact, due_at, callback }
    }

    #[test]
    fn callbacks_at_their_time_come_first_then_the_oldest_due() {
        let list = [
            candidate(1, 500, false),
            candidate(2, 100, false),
            candidate(3, 900, true),
            candidate(4, 100, false),
        ];
        assert_eq!(next(&list, 1_000), Some(list[2].contact));
        assert_eq!(next(&list, 899), Some(list[1].contact), "the callback's time has not come");
        assert_eq!(next(&list, 99), None);
    }
}
