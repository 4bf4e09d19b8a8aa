//! Outcomes, as the dialler decided them: it sees to it that what is delivered again, or late, changes nothing.
//! The table `outcomes` is the log of the presses that counted, and of those that an organiser took back
//! ([`super::undo`]).

use dialler::{Close, ContactNext, DoNotCall, Keep};
use protocol::outcome::WrittenBy;
use sqlx::SqliteConnection;

use super::{Store, StoreError, attempts::write_progress};

impl Store {
    /// Keeps a key that was pressed while they talk; the attempt stays open.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was written.
    pub async fn keep_outcome(&self, keep: &Keep, now: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let press = Press {
            id: keep.id.to_string(),
            attempt: keep.attempt.to_string(),
            device: keep.device.to_string(),
            outcome: keep.outcome.word(),
            note: keep.note.as_deref(),
            at: now,
        };
        insert(&mut tx, &press).await?;
        sqlx::query(
            "UPDATE attempts
             SET outcome = $2, outcome_id = $3, written_by = 'volunteer', note = coalesce($4, note), again_at = $5
             WHERE id = $1 AND state <> 'closed'",
        )
        .bind(&press.attempt)
        .bind(press.outcome)
        .bind(&press.id)
        .bind(press.note)
        .bind(keep.again_at)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Closes an attempt, or corrects a closed one: attempt, outcomes, lease, contact and
    /// do-not-call list together. The same again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was written.
    pub async fn close_attempt(&self, close: &Close) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let attempt = close.attempt.to_string();
        if let Some(id) = close.id {
            let press = Press {
                id: id.to_string(),
                attempt: attempt.clone(),
                device: close.device.to_string(),
                outcome: close.outcome.word(),
                note: close.note.as_deref(),
                at: close.at,
            };
            insert(&mut tx, &press).await?;
        }
        if let Some(call) = &close.call {
            write_progress(&mut tx, call).await?;
        }
        sqlx::query(
            "UPDATE attempts
             SET state = 'closed', outcome = $2, outcome_id = coalesce($3, outcome_id), written_by = $4,
                 note = coalesce($5, note), again_at = $6, closed_at = coalesce(closed_at, $7),
                 given_up = max(given_up, $8)
             WHERE id = $1",
        )
        .bind(&attempt)
        .bind(close.outcome.word())
        .bind(close.id.map(|id| id.to_string()))
        .bind(word_of(close.by))
        .bind(&close.note)
        .bind(close.again_at)
        .bind(close.at)
        .bind(close.given_up)
        .execute(&mut *tx)
        .await?;
        if !close.counts {
            uncount(&mut tx, &attempt).await?;
        }
        sqlx::query("UPDATE leases SET state = 'closed', closed_at = $2 WHERE id = $1 AND state <> 'closed'")
            .bind(close.lease.to_string())
            .bind(close.at)
            .execute(&mut *tx)
            .await?;
        let (state, due_at) = match close.contact {
            Some(ContactNext::Due(at)) => (Some("open"), Some(at)),
            Some(ContactNext::Done) => (Some("done"), None),
            None => (None, None),
        };
        if state.is_some() {
            // What did not count kept no promise: it is to be kept still, and goes first (`last_outcome`).
            sqlx::query(
                "UPDATE contacts
                 SET state = $2, due_at = coalesce($3, due_at),
                     last_outcome = iif($6 OR promised_at IS NULL, $4, last_outcome),
                     promised_at = iif($6, $5, promised_at)
                 WHERE id = $1",
            )
            .bind(close.contact_id.to_string())
            .bind(state)
            .bind(due_at)
            .bind(close.outcome.word())
            .bind(close.again_at)
            .bind(close.counts)
            .execute(&mut *tx)
            .await?;
        }
        list_number(&mut tx, &attempt, close).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The attempt is none of its contact's any more; once.
async fn uncount(tx: &mut SqliteConnection, attempt: &str) -> Result<(), StoreError> {
    let uncounted = sqlx::query("UPDATE attempts SET counts = 0 WHERE id = $1 AND counts = 1")
        .bind(attempt)
        .execute(&mut *tx)
        .await?;
    if uncounted.rows_affected() == 1 {
        sqlx::query(
            "UPDATE contacts SET attempts = attempts - 1
             WHERE id = (SELECT contact_id FROM attempts WHERE id = $1) AND attempts > 0",
        )
        .bind(attempt)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

struct Press<'a> {
    id: String,
    attempt: String,
    device: String,
    outcome: &'static str,
    note: Option<&'a str>,
    at: i64,
}

/// A line of the log, with what stands there before it; a write that is tried again, and a press that says something
/// else under its old id, have one already. Another call's press is another, whatever its id.
async fn insert(tx: &mut SqliteConnection, press: &Press<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO outcomes (id, attempt_id, device_id, outcome, note, received_at,
                               before_outcome, before_note, before_again_at)
         SELECT $1, id, $3, $4, $5, $6, outcome, note, again_at FROM attempts WHERE id = $2
         ON CONFLICT (attempt_id, id)
         DO UPDATE SET outcome = excluded.outcome, note = coalesce(excluded.note, note)",
    )
    .bind(&press.id)
    .bind(&press.attempt)
    .bind(&press.device)
    .bind(press.outcome)
    .bind(press.note)
    .bind(press.at)
    .execute(tx)
    .await?;
    Ok(())
}

async fn list_number(tx: &mut SqliteConnection, attempt: &str, close: &Close) -> Result<(), StoreError> {
    let query = match close.do_not_call {
        DoNotCall::Leave => return Ok(()),
        DoNotCall::Add => sqlx::query(
            "INSERT INTO do_not_call (number, created_at, source)
             SELECT number, $2, id FROM attempts WHERE id = $1
             ON CONFLICT (number, source) DO NOTHING",
        )
        .bind(attempt)
        .bind(close.at),
        DoNotCall::TakeBack => sqlx::query(
            "DELETE FROM do_not_call
             WHERE source = $1 AND number = (SELECT number FROM attempts WHERE id = $1)",
        )
        .bind(attempt),
    };
    query.execute(tx).await?;
    Ok(())
}

fn word_of(by: WrittenBy) -> &'static str {
    match by {
        WrittenBy::Network => "network",
        WrittenBy::Volunteer => "volunteer",
        WrittenBy::Server => "server",
    }
}

#[cfg(test)]
#[path = "outcomes_tests.rs"]
mod tests;
