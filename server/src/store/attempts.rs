//! Attempts: written before the channel is made, and at every step after.

use dialler::{Adopted, AdoptedState, NewAttempt, Progress, StoredAttempt};
use protocol::{
    call::EndedBy,
    contact::Card,
    http::RecordOutcome,
    ids::{AttemptId, DeviceId, LeaseId, OutcomeId},
    number::Number,
    outcome::{Outcome, RingAgain},
};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{
    Store, StoreError, damaged, id,
    leases::{HeldContact, read_held},
};

/// An attempt that is in the database: what a callee's channel is made of. Only
/// [`Store::commit_attempt`] makes one.
#[derive(Debug)]
pub struct Committed {
    id: AttemptId,
    number: Number,
    caller_id: Number,
}

impl Committed {
    /// The attempt, and the id of its channel.
    pub fn id(&self) -> AttemptId {
        self.id
    }

    /// Whom to ring. Not for logs.
    pub fn number(&self) -> &Number {
        &self.number
    }

    /// What the callee sees.
    pub fn caller_id(&self) -> &Number {
        &self.caller_id
    }
}

/// Why an attempt was not written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The device does not hold the lease, or by now its contact is done or the number on the do-not-call list.
    #[error("the lease is not held any more")]
    LeaseLost,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The lease becomes a call: what was read of the contact may be older than a press that waited in line.
pub(super) const DIAL: &str = "UPDATE leases SET state = 'dialled'
     WHERE id = $1 AND device_id = $2 AND contact_id = $3 AND state = 'held'
       AND EXISTS (SELECT 1 FROM contacts WHERE id = $3 AND state = 'open')
       AND NOT EXISTS (SELECT 1 FROM do_not_call WHERE number = $4)";

/// An attempt of a device, and what came after it.
pub(super) const STORED: &str = "SELECT a.lease_id, coalesce(a.ended_at, a.dialled_at) AS ended_at, a.outcome,
            a.outcome_id, a.answered_at, a.ended_by, a.cause,
            NOT EXISTS (SELECT 1 FROM attempts later
                        WHERE later.contact_id = a.contact_id AND later.rowid > a.rowid
                          AND later.undone_by IS NULL) AS latest,
            NOT EXISTS (SELECT 1 FROM attempts later
                        WHERE later.device_id = a.device_id AND later.dialled_at > a.dialled_at) AS devices_last
     FROM attempts a WHERE a.id = $1 AND a.device_id = $2";

/// An attempt that was open when the server stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenAttempt {
    attempt: AttemptId,
    device: DeviceId,
    /// Its contact.
    pub held: HeldContact,
    state: AdoptedState,
    dialled_at: i64,
    kept: Option<RecordOutcome>,
}

impl OpenAttempt {
    /// The device that dialled it.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// What the dialler takes up again.
    pub fn adopted(self, card: Card) -> Adopted {
        Adopted {
            attempt: self.attempt,
            device: self.device,
            lease: dialler::Lease {
                id: self.held.lease,
                contact: self.held.facts,
                card,
                expires_at: self.held.expires_at,
            },
            state: self.state,
            dialled_at: self.dialled_at,
            kept: self.kept,
        }
    }
}

impl Store {
    /// The write-ahead: attempt, lease and contact in one transaction that is on the disk when
    /// this returns.
    ///
    /// # Errors
    /// [`CommitError`]; then nothing was written.
    pub async fn commit_attempt(&self, attempt: &NewAttempt) -> Result<Committed, CommitError> {
        let mut tx = self.begin().await?;
        let dialled = sqlx::query(DIAL)
            .bind(attempt.lease.to_string())
            .bind(attempt.device.to_string())
            .bind(attempt.contact.to_string())
            .bind(attempt.number.e164())
            .execute(&mut *tx)
            .await
            .map_err(StoreError::from)?;
        if dialled.rows_affected() != 1 {
            return Err(CommitError::LeaseLost);
        }
        sqlx::query(
            "INSERT INTO attempts (id, lease_id, campaign_id, contact_id, device_id, number, caller_id,
                                   state, dialled_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'dialling', $8)",
        )
        .bind(attempt.attempt.to_string())
        .bind(attempt.lease.to_string())
        .bind(attempt.campaign.to_string())
        .bind(attempt.contact.to_string())
        .bind(attempt.device.to_string())
        .bind(attempt.number.e164())
        .bind(attempt.caller_id.e164())
        .bind(attempt.dialled_at)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::from)?;
        sqlx::query("UPDATE contacts SET attempts = attempts + 1 WHERE id = $1")
            .bind(attempt.contact.to_string())
            .execute(&mut *tx)
            .await
            .map_err(StoreError::from)?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(Committed {
            id: attempt.attempt,
            number: attempt.number.clone(),
            caller_id: attempt.caller_id.clone(),
        })
    }

    /// The attempt that a lease of this device became, if it did.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn attempt_of_lease(
        &self,
        lease: LeaseId,
        device: DeviceId,
    ) -> Result<Option<AttemptId>, StoreError> {
        let row = sqlx::query("SELECT id FROM attempts WHERE lease_id = $1 AND device_id = $2")
            .bind(lease.to_string())
            .bind(device.to_string())
            .fetch_optional(self.reader())
            .await?;
        row.map(|row| id(&row, "id")).transpose()
    }

    /// Writes how far an open attempt has come.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn save_progress(&self, progress: &Progress) -> Result<(), StoreError> {
        let mut writer = self.writer().acquire().await?;
        write_progress(&mut writer, progress).await
    }

    /// Every attempt that is not closed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open_attempts(&self, now: i64) -> Result<Vec<OpenAttempt>, StoreError> {
        let mut reader = self.reader().acquire().await?;
        let rows = sqlx::query(
            "SELECT id, device_id, lease_id, state, dialled_at, ringing_at, answered_at, ended_at, ended_by,
                    outcome, outcome_id, note, again_at
             FROM attempts WHERE state <> 'closed' ORDER BY id",
        )
        .fetch_all(&mut *reader)
        .await?;
        let mut open = Vec::with_capacity(rows.len());
        for row in rows {
            let device: DeviceId = id(&row, "device_id")?;
            let lease: LeaseId = id(&row, "lease_id")?;
            let Some(held) = read_held(&mut reader, lease, device, now).await? else { continue };
            open.push(OpenAttempt {
                attempt: id(&row, "id")?,
                device,
                held,
                state: state_of(&row)?,
                dialled_at: row.try_get("dialled_at")?,
                kept: kept(&row)?,
            });
        }
        Ok(open)
    }

    /// An attempt of this device for a correction; `None` for another's or an unknown one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn stored_attempt(
        &self,
        attempt: AttemptId,
        device: DeviceId,
        now: i64,
    ) -> Result<Option<StoredAttempt>, StoreError> {
        let mut reader = self.reader().acquire().await?;
        let row = sqlx::query(STORED)
            .bind(attempt.to_string())
            .bind(device.to_string())
            .fetch_optional(&mut *reader)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let lease: LeaseId = id(&row, "lease_id")?;
        let Some(held) = read_held(&mut reader, lease, device, now).await? else { return Ok(None) };
        Ok(Some(StoredAttempt {
            attempt,
            lease,
            contact: held.facts,
            name: held.name,
            ended_at: row.try_get("ended_at")?,
            outcome: row.try_get::<Option<&str>, _>("outcome")?.and_then(Outcome::from_word),
            outcome_id: row.try_get::<Option<&str>, _>("outcome_id")?.and_then(|id| id.parse().ok()),
            latest: row.try_get("latest")?,
            devices_last: row.try_get("devices_last")?,
            may_have_talked: may_have_talked(&row)?,
        }))
    }
}

/// Columns without a value stay as they are.
pub(super) async fn write_progress(
    connection: &mut SqliteConnection,
    progress: &Progress,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE attempts
         SET state = $2, ringing_at = coalesce($3, ringing_at), answered_at = coalesce($4, answered_at),
             ended_at = coalesce($5, ended_at), ended_by = coalesce($6, ended_by), cause = coalesce($7, cause),
             sip = coalesce($8, sip)
         WHERE id = $1 AND state <> 'closed'",
    )
    .bind(progress.attempt.to_string())
    .bind(progress.state)
    .bind(progress.ringing_at)
    .bind(progress.answered_at)
    .bind(progress.ended_at)
    .bind(progress.ended_by.map(word_of))
    .bind(progress.cause)
    .bind(progress.sip)
    .execute(connection)
    .await?;
    Ok(())
}

fn may_have_talked(row: &SqliteRow) -> Result<bool, StoreError> {
    let by: Option<&str> = row.try_get("ended_by")?;
    let answered: Option<i64> = row.try_get("answered_at")?;
    Ok(answered.is_some() || dialler::nobody_saw(by == Some("volunteer"), row.try_get("cause")?))
}

fn word_of(by: EndedBy) -> &'static str {
    match by {
        EndedBy::Callee => "callee",
        EndedBy::Volunteer => "volunteer",
        EndedBy::Network => "network",
        EndedBy::Server => "server",
    }
}

fn state_of(row: &SqliteRow) -> Result<AdoptedState, StoreError> {
    let (ringing_at, answered_at): (Option<i64>, Option<i64>) =
        (row.try_get("ringing_at")?, row.try_get("answered_at")?);
    let dialled_at: i64 = row.try_get("dialled_at")?;
    let state: &str = row.try_get("state")?;
    Ok(match state {
        "ringing" => AdoptedState::Ringing { ringing_at: ringing_at.unwrap_or(dialled_at) },
        "talking" => AdoptedState::Talking { ringing_at, answered_at: answered_at.unwrap_or(dialled_at) },
        "wrap-up" => {
            let answered_at = answered_at.unwrap_or(dialled_at);
            let by = match row.try_get::<Option<&str>, _>("ended_by")? {
                Some("callee") => EndedBy::Callee,
                Some("volunteer") => EndedBy::Volunteer,
                Some("network") => EndedBy::Network,
                _ => EndedBy::Server,
            };
            let ended_at = row.try_get::<Option<i64>, _>("ended_at")?.unwrap_or(answered_at);
            AdoptedState::WrapUp { ringing_at, answered_at, ended_at, by }
        }
        "dialling" => AdoptedState::Dialling,
        other => return Err(damaged("state", other)),
    })
}

fn kept(row: &SqliteRow) -> Result<Option<RecordOutcome>, StoreError> {
    let Some(outcome) = row.try_get::<Option<&str>, _>("outcome")?.and_then(Outcome::from_word) else {
        return Ok(None);
    };
    let Some(press) = row.try_get::<Option<&str>, _>("outcome_id")? else { return Ok(None) };
    let Ok(press) = press.parse::<OutcomeId>() else { return Ok(None) };
    Ok(Some(RecordOutcome {
        id: press,
        attempt_id: id(row, "id")?,
        outcome,
        note: row.try_get("note")?,
        again: row.try_get::<Option<i64>, _>("again_at")?.map(|at_ms| RingAgain::At { at_ms }),
    }))
}
