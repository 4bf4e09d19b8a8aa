//! What devices did lately, so that a restart gives nobody new allowances.

use std::collections::{BTreeMap, HashMap};

use dialler::retry;
use protocol::{ids::DeviceId, outcome::Outcome};
use sqlx::Row;

use super::{Store, StoreError, id};

/// How far back an allowance remembers, milliseconds: none takes longer to be full again.
const MEMORY_MS: i64 = 45 * 60 * 1_000;

/// Calls that their volunteer gave up, by a key or by letting the line go; see the dialler's `pace.rs`.
const GIVEN_UP: &str =
    "SELECT device_id, id, closed_at AS at FROM attempts WHERE closed_at > $1 AND given_up = 1";

/// What one device did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recent {
    /// Calls and cards passed on, the oldest first, UTC epoch milliseconds.
    pub cards: Vec<i64>,
    /// Cards passed on, calls given up and contacts closed, the oldest first.
    pub taken_off: Vec<i64>,
}

impl Store {
    /// What each device did in the last 45 minutes.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn recent(&self, now: i64) -> Result<BTreeMap<DeviceId, Recent>, StoreError> {
        let since = now - MEMORY_MS;
        let mut all: BTreeMap<DeviceId, Recent> = BTreeMap::new();
        let passed_on = "SELECT device_id, closed_at AS at FROM leases
             WHERE passed_on IS NOT NULL AND closed_at > $1 ORDER BY closed_at";
        let passed_on = sqlx::query(passed_on).bind(since).fetch_all(self.reader()).await?;
        for row in &passed_on {
            let recent = all.entry(id(row, "device_id")?).or_default();
            recent.cards.push(row.try_get("at")?);
            recent.taken_off.push(row.try_get("at")?);
        }
        let calls = "SELECT device_id, dialled_at AS at FROM attempts WHERE dialled_at > $1";
        for row in sqlx::query(calls).bind(since).fetch_all(self.reader()).await? {
            all.entry(id(&row, "device_id")?).or_default().cards.push(row.try_get("at")?);
        }
        for (device, at) in self.taken_off_by_calls(since).await? {
            all.entry(device).or_default().taken_off.push(at);
        }
        for recent in all.values_mut() {
            recent.cards.sort_unstable();
            recent.taken_off.sort_unstable();
        }
        Ok(all)
    }

    /// Each attempt once, at the first time.
    async fn taken_off_by_calls(&self, since: i64) -> Result<Vec<(DeviceId, i64)>, StoreError> {
        let mut once: HashMap<String, (DeviceId, i64)> = HashMap::new();
        for row in sqlx::query(GIVEN_UP).bind(since).fetch_all(self.reader()).await? {
            once.insert(row.try_get("id")?, (id(&row, "device_id")?, row.try_get("at")?));
        }
        let pressed = "SELECT device_id, attempt_id, outcome, received_at AS at FROM outcomes
             WHERE received_at > $1 AND undone_by IS NULL ORDER BY received_at";
        for row in sqlx::query(pressed).bind(since).fetch_all(self.reader()).await? {
            if Outcome::from_word(row.try_get("outcome")?).is_some_and(retry::is_final) {
                let pressed = (id(&row, "device_id")?, row.try_get("at")?);
                once.entry(row.try_get("attempt_id")?).or_insert(pressed);
            }
        }
        Ok(once.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use dialler::{Close, ContactNext, Keep, Progress, Release, Released};
    use protocol::call::EndedBy;

    use super::*;
    use crate::store::fixture::{Hall, NOW};

    #[tokio::test]
    async fn what_was_done_lately_is_found_by_an_index() {
        let hall = Hall::new(1, 1).await;
        let steps = hall.plan(GIVEN_UP).await;
        assert!(steps.iter().all(|step| step.contains("attempts_by_end")), "{steps:#?}");
    }

    #[tokio::test]
    async fn what_was_done_lately_is_read_again_and_long_ago_is_not() {
        use protocol::outcome::WrittenBy::{Network, Server, Volunteer};
        let hall = Hall::new(7, 2).await;
        let release = async |device: usize, how, at| {
            let held = hall.claim(device, NOW).await.unwrap();
            let (lease, contact) = (held.lease, held.facts.contact);
            let release = Release { lease, device: hall.devices[device], contact, how, at };
            hall.store.release_lease(&release).await.unwrap();
        };
        release(0, Released::Skipped { until: NOW + 1 }, NOW + 1).await;
        release(0, Released::DoNotCall, NOW + 2).await;
        release(1, Released::GivenBack, NOW + 3).await;
        // Given up, answered and closed, and answered without a key.
        let call = async |answered_at: Option<i64>, by, ended_by, outcome, next| {
            let held = hall.claim(0, NOW + 10).await.unwrap();
            let attempt = hall.attempt(0, &held);
            hall.store.commit_attempt(&attempt).await.unwrap();
            let mut close = hall.close(0, &attempt, outcome, next);
            (close.at, close.by) = (NOW + 20, by);
            if by != Volunteer || answered_at.is_none() {
                close.id = None;
            }
            close.given_up = answered_at.is_none() && by != Network;
            close.call = Some(Progress {
                attempt: attempt.attempt,
                state: "closed",
                ringing_at: None,
                answered_at,
                ended_at: Some(NOW + 20),
                ended_by: Some(ended_by),
                cause: Some(16),
                sip: None,
            });
            hall.store.close_attempt(&close).await.unwrap();
        };
        let later = ContactNext::Due(NOW + 1_000_000);
        call(None, Volunteer, EndedBy::Volunteer, Outcome::NoAnswer, later).await;
        call(Some(NOW + 15), Volunteer, EndedBy::Volunteer, Outcome::Reached, ContactNext::Done).await;
        call(Some(NOW + 15), Volunteer, EndedBy::Volunteer, Outcome::Machine, later).await;
        call(None, Network, EndedBy::Network, Outcome::Busy, later).await;
        // The line that it was for went, or was gone before it was dialled.
        call(None, Server, EndedBy::Server, Outcome::Unknown, later).await;
        let recent = hall.store.recent(NOW + 60_000).await.unwrap();
        let expected = Recent {
            cards: vec![NOW, NOW, NOW, NOW, NOW, NOW + 1, NOW + 2],
            taken_off: vec![NOW + 1, NOW + 2, NOW + 20, NOW + 20, NOW + 20],
        };
        assert_eq!(recent, BTreeMap::from([(hall.devices[0], expected)]));
        assert_eq!(hall.store.recent(NOW + MEMORY_MS + 30_000).await.unwrap(), BTreeMap::new());
    }

    #[tokio::test]
    async fn one_press_id_for_all_calls_counts_for_each_with_what_it_said_last() {
        let hall = Hall::new(3, 1).await;
        let press = "ffffffff-ffff-7fff-bfff-ffffffffffff".parse().unwrap();
        for n in 1..=3 {
            let held = hall.claim(0, NOW).await.unwrap();
            let attempt = hall.attempt(0, &held);
            hall.store.commit_attempt(&attempt).await.unwrap();
            let close =
                Close { id: Some(press), ..hall.close(0, &attempt, Outcome::Reached, ContactNext::Done) };
            let keep = Keep {
                attempt: attempt.attempt,
                device: hall.devices[0],
                id: press,
                outcome: Outcome::Machine,
                note: None,
                again_at: None,
            };
            hall.store.keep_outcome(&keep, NOW + n).await.unwrap();
            hall.store.close_attempt(&close).await.unwrap();
        }
        let recent = hall.store.recent(NOW + 60_000).await.unwrap();
        assert_eq!(recent[&hall.devices[0]].taken_off, [NOW + 1, NOW + 2, NOW + 3]);
    }
}
