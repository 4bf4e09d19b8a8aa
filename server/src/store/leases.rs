//! Leases: who holds which contact. Two volunteers never hold one number, and the database
//! itself refuses a second hold (`leases_one_per_contact`, `leases_one_per_device`).
//!
//! When a hold lapses is on the server's steady time ([`Now`]), all else by the wall.

use dialler::{ContactFacts, Now, Release, Released};
use protocol::{
    ids::{CampaignId, ContactId, DeviceId, LeaseId},
    number::Number,
};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{Store, StoreError, damaged, id};
use crate::place;

/// How far back the rules look at attempts to a number, milliseconds (R16 counts seven days).
const HISTORY_MS: i64 = 8 * 24 * 60 * 60 * 1_000;

/// A contact that a device holds.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldContact {
    /// The hold.
    pub lease: LeaseId,
    /// When it lapses, on [`Now::steady`].
    pub expires_at: i64,
    /// What the rules look at.
    pub facts: ContactFacts,
    /// "Margaret Hollis"
    pub name: String,
    /// "Mrs Hollis", or empty.
    pub form_of_address: String,
    /// What to know before the first word.
    pub flag: Option<String>,
    /// Context from the list, lines.
    pub context: String,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// The device holds this contact.
    Held(Box<HeldContact>),
    /// Nobody is due.
    Nobody,
    /// So far only contacts were found whose hours are closed. They were put off, and there may be more: ask again.
    PutOff {
        /// How many will never be rung: abroad, of no known zone, or where it is never time to ring.
        never: usize,
    },
}

/// Who may be rung later, when nobody may be rung now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// How many.
    pub contacts: u32,
    /// When the first of them is due, UTC epoch milliseconds.
    pub next_at: Option<i64>,
}

impl Store {
    /// Holds the contact of a campaign that has been due longest, for this device; the one that it
    /// holds already, if it does. Holds whose time is over lapse first.
    ///
    /// `opens_at` says when a number may first be rung by the hours; `None`: never. Whom it does not let ring now is
    /// not offered: they are due when it says, and many at once, so that none stands in the way of others twice a day.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is held.
    pub async fn claim_due(
        &self,
        campaign: CampaignId,
        device: DeviceId,
        now: Now,
        expires_at: i64,
        mut opens_at: impl FnMut(&Number) -> Option<i64> + Send,
    ) -> Result<Claim, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE leases SET state = 'expired', closed_at = $1
             WHERE state = 'held' AND (expires_at < $2 OR expires_at > $3)",
        )
        .bind(now.wall)
        .bind(now.steady)
        // Later than anybody asked for: of a run whose clock was ahead, and that could not be renewed.
        .bind(now.steady + 2 * dialler::LEASE_MS)
        .execute(&mut *tx)
        .await?;
        let renewed = sqlx::query(
            "UPDATE leases SET expires_at = $1 WHERE device_id = $2 AND state = 'held' RETURNING id",
        )
        .bind(expires_at)
        .bind(device.to_string())
        .fetch_optional(&mut *tx)
        .await?;
        let lease = match renewed {
            Some(row) => Some(id::<LeaseId>(&row, "id")?),
            None => hold_due(&mut tx, campaign, device, now.wall, expires_at).await?,
        };
        let held = match lease {
            Some(lease) => read_held(&mut tx, lease, device, now.wall).await?,
            None => None,
        };
        let claim = match held {
            None => Claim::Nobody,
            Some(held) if opens_at(&held.facts.number).is_some_and(|at| at <= now.wall) => {
                Claim::Held(Box::new(held))
            }
            Some(held) => {
                let never = put_off(&mut tx, held.lease, now.wall, opens_at).await?;
                Claim::PutOff { never }
            }
        };
        tx.commit().await?;
        Ok(claim)
    }

    /// How many open contacts of a campaign this device may ring later, and when the first is due.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn due_later(
        &self,
        campaign: CampaignId,
        device: DeviceId,
        now: i64,
    ) -> Result<Later, StoreError> {
        let row = sqlx::query(
            "SELECT count(*) AS contacts, min(at) AS next_at FROM (
                 SELECT max(c.due_at, coalesce(s.until, 0)) AS at
                 FROM contacts c
                 JOIN campaigns k ON k.id = c.campaign_id
                 LEFT JOIN skips s ON s.contact_id = c.id AND s.device_id = $2
                 WHERE c.campaign_id = $1 AND c.state = 'open'
                   AND (c.attempts < k.attempts_allowed OR c.last_outcome = 'callback')
                   AND NOT EXISTS (SELECT 1 FROM do_not_call d WHERE d.number = c.number)
                   AND NOT EXISTS (SELECT 1 FROM leases l
                                   WHERE l.contact_id = c.id AND l.state IN ('held', 'dialled')))
             WHERE at > $3",
        )
        .bind(campaign.to_string())
        .bind(device.to_string())
        .bind(now)
        .fetch_one(self.reader())
        .await?;
        let contacts: i64 = row.try_get("contacts")?;
        Ok(Later { contacts: u32::try_from(contacts).unwrap_or(u32::MAX), next_at: row.try_get("next_at")? })
    }

    /// The contact of a lease of this device, as it is now; `None` for another's or an unknown lease.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn facts_of_lease(
        &self,
        lease: LeaseId,
        device: DeviceId,
        now: i64,
    ) -> Result<Option<ContactFacts>, StoreError> {
        let mut reader = self.reader().acquire().await?;
        Ok(read_held(&mut reader, lease, device, now).await?.map(|held| held.facts))
    }

    /// Lets a held lease last longer.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn renew_lease(&self, lease: LeaseId, expires_at: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE leases SET expires_at = $2 WHERE id = $1 AND state = 'held'")
            .bind(lease.to_string())
            .bind(expires_at)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// At a start: every hold of the last run lasts until then, whatever its clock said.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn renew_all_leases(&self, expires_at: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE leases SET expires_at = $1 WHERE state = 'held'")
            .bind(expires_at)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Ends a held lease without a call. One that is held no more stays as it is, and its contact
    /// too; a number for the do-not-call list is put there all the same.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn release_lease(&self, release: &Release) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let (lease, device, contact) =
            (release.lease.to_string(), release.device.to_string(), release.contact.to_string());
        let state = if release.how == Released::Expired { "expired" } else { "settled" };
        let ended = sqlx::query(
            "UPDATE leases SET state = $4, closed_at = $5, passed_on = $6
             WHERE id = $1 AND device_id = $2 AND contact_id = $3 AND state = 'held'",
        )
        .bind(&lease)
        .bind(&device)
        .bind(&contact)
        .bind(state)
        .bind(release.at)
        .bind(passed_on(release.how))
        .execute(&mut *tx)
        .await?;
        // That they must not be rung is true whoever holds the contact by now.
        let lapsed = ended.rows_affected() == 0;
        if lapsed
            && (release.how != Released::DoNotCall || !was_held(&mut tx, &lease, &device, &contact).await?)
        {
            return Ok(());
        }
        match release.how {
            Released::Expired | Released::GivenBack => {}
            Released::Skipped { until } => {
                sqlx::query(
                    "INSERT INTO skips (contact_id, device_id, until) VALUES ($1, $2, $3)
                     ON CONFLICT (contact_id, device_id) DO UPDATE SET until = excluded.until",
                )
                .bind(&contact)
                .bind(&device)
                .bind(until)
                .execute(&mut *tx)
                .await?;
            }
            Released::Later { due_at } | Released::Refused { due_at: Some(due_at) } => {
                sqlx::query("UPDATE contacts SET due_at = $2 WHERE id = $1")
                    .bind(&contact)
                    .bind(due_at)
                    .execute(&mut *tx)
                    .await?;
            }
            Released::Refused { due_at: None } => done(&mut tx, &contact).await?,
            Released::DoNotCall => {
                sqlx::query(
                    "INSERT INTO do_not_call (number, created_at, source)
                     SELECT number, $2, $3 FROM contacts WHERE id = $1
                     ON CONFLICT (number, source) DO NOTHING",
                )
                .bind(&contact)
                .bind(release.at)
                .bind(&lease)
                .execute(&mut *tx)
                .await?;
                if lapsed {
                    mark_lapsed(&mut tx, &lease, release.at).await?;
                }
                done(&mut tx, &contact).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The word of what a volunteer did with a card besides calling.
fn passed_on(how: Released) -> Option<&'static str> {
    match how {
        Released::Skipped { .. } => Some("skip"),
        Released::Later { .. } => Some("later"),
        Released::DoNotCall => Some("do-not-call"),
        Released::Expired | Released::GivenBack | Released::Refused { .. } => None,
    }
}

/// A hold that had lapsed counts as passed on from the press.
async fn mark_lapsed(tx: &mut SqliteConnection, lease: &str, at: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE leases SET passed_on = 'do-not-call', closed_at = $2 WHERE id = $1")
        .bind(lease)
        .bind(at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Whether the device held the contact by this lease at some time.
async fn was_held(
    tx: &mut SqliteConnection,
    lease: &str,
    device: &str,
    contact: &str,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT 1 FROM leases WHERE id = $1 AND device_id = $2 AND contact_id = $3")
        .bind(lease)
        .bind(device)
        .bind(contact)
        .fetch_optional(tx)
        .await?;
    Ok(row.is_some())
}

async fn done(tx: &mut SqliteConnection, contact: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE contacts SET state = 'done' WHERE id = $1").bind(contact).execute(tx).await?;
    Ok(())
}

macro_rules! hold_first {
    ($which:literal) => {
        concat!(
            "INSERT INTO leases (id, contact_id, device_id, created_at, expires_at, state)
             SELECT $1, c.id, $2, $3, $4, 'held'
             FROM contacts c
             JOIN campaigns k ON k.id = c.campaign_id
             WHERE c.campaign_id = $5 AND c.state = 'open' AND c.due_at <= $3 AND ",
            $which,
            " AND NOT EXISTS (SELECT 1 FROM do_not_call d WHERE d.number = c.number)
               AND NOT EXISTS (SELECT 1 FROM skips s
                               WHERE s.contact_id = c.id AND s.device_id = $2 AND s.until > $3)
               AND NOT EXISTS (SELECT 1 FROM contacts o JOIN leases l ON l.contact_id = o.id
                               WHERE o.number = c.number AND l.state IN ('held', 'dialled'))
             ORDER BY c.due_at, c.rowid
             LIMIT 1
             RETURNING id"
        )
    };
}

async fn hold_due(
    tx: &mut SqliteConnection,
    campaign: CampaignId,
    device: DeviceId,
    now: i64,
    expires_at: i64,
) -> Result<Option<LeaseId>, StoreError> {
    // Callbacks first, which were promised, also beyond the attempts allowed. Then by due_at, and by
    // rowid where that is the same, so that an index gives the order.
    let callbacks = hold_first!("c.last_outcome = 'callback'");
    let others = hold_first!("c.last_outcome IS NOT 'callback' AND c.attempts < k.attempts_allowed");
    for sql in [callbacks, others] {
        let row = sqlx::query(sql)
            .bind(uuid::Uuid::now_v7().to_string())
            .bind(device.to_string())
            .bind(now)
            .bind(expires_at)
            .bind(campaign.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(row) = row {
            return Ok(Some(id(&row, "id")?));
        }
    }
    Ok(None)
}

/// How many contacts one claim puts off at most: some 10 ms of the one writer's time.
const PUT_OFF_AT_ONCE: i64 = 500;

/// Ends a hold on a contact whose hours are closed, and has it and those of the same list that are due after it and closed
/// too be due when they open. Says how many never do.
async fn put_off(
    tx: &mut SqliteConnection,
    lease: LeaseId,
    now: i64,
    mut opens_at: impl FnMut(&Number) -> Option<i64>,
) -> Result<usize, StoreError> {
    let held = sqlx::query(
        "UPDATE leases SET state = 'expired', closed_at = $2 WHERE id = $1 AND state = 'held' RETURNING contact_id",
    )
    .bind(lease.to_string())
    .bind(now)
    .fetch_one(&mut *tx)
    .await?;
    let due = sqlx::query(
        "SELECT c.id, c.number
         FROM contacts held
         JOIN contacts c ON c.campaign_id = held.campaign_id AND c.state = 'open'
                        AND c.due_at >= held.due_at AND c.due_at <= $2
                        AND (c.due_at > held.due_at OR c.rowid >= held.rowid)
         WHERE held.id = $1
         ORDER BY c.due_at, c.rowid
         LIMIT $3",
    )
    .bind(held.try_get::<&str, _>("contact_id")?)
    .bind(now)
    .bind(PUT_OFF_AT_ONCE)
    .fetch_all(&mut *tx)
    .await?;
    let mut never = 0;
    for row in &due {
        let contact: &str = row.try_get("id")?;
        match opens_at(&number(row)?) {
            Some(at) if at <= now => {}
            Some(at) => {
                sqlx::query("UPDATE contacts SET due_at = $2 WHERE id = $1")
                    .bind(contact)
                    .bind(at)
                    .execute(&mut *tx)
                    .await?;
            }
            None => {
                never += 1;
                done(&mut *tx, contact).await?;
            }
        }
    }
    Ok(never)
}

/// A lease's contact with its history, whatever the lease's state.
pub(super) async fn read_held(
    connection: &mut SqliteConnection,
    lease: LeaseId,
    device: DeviceId,
    now: i64,
) -> Result<Option<HeldContact>, StoreError> {
    let row = sqlx::query(
        "SELECT l.id, l.expires_at, c.id AS contact_id, c.campaign_id, c.number, c.name, c.form_of_address,
                c.flag, c.context, c.state = 'open' AS open, c.attempts, c.promised_at, k.country,
                EXISTS (SELECT 1 FROM do_not_call d WHERE d.number = c.number) AS do_not_call,
                EXISTS (SELECT 1 FROM imports i WHERE i.id = c.import_id) AS from_import
         FROM leases l JOIN contacts c ON c.id = l.contact_id JOIN campaigns k ON k.id = c.campaign_id
         WHERE l.id = $1 AND l.device_id = $2",
    )
    .bind(lease.to_string())
    .bind(device.to_string())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let number = number(&row)?;
    let history =
        sqlx::query("SELECT dialled_at, counts FROM attempts WHERE number = $1 AND dialled_at > $2")
            .bind(number.e164())
            .bind(now - HISTORY_MS)
            .fetch_all(&mut *connection)
            .await?;
    let (mut dialled, mut uncounted) = (Vec::new(), 0);
    for attempt in &history {
        if attempt.try_get("counts")? {
            dialled.push(attempt.try_get("dialled_at")?);
        } else {
            uncounted += 1;
        }
    }
    let attempts: i64 = row.try_get("attempts")?;
    Ok(Some(HeldContact {
        lease: id(&row, "id")?,
        expires_at: row.try_get("expires_at")?,
        name: row.try_get("name")?,
        form_of_address: row.try_get("form_of_address")?,
        flag: row.try_get("flag")?,
        context: row.try_get("context")?,
        facts: ContactFacts {
            contact: id::<ContactId>(&row, "contact_id")?,
            campaign: id::<CampaignId>(&row, "campaign_id")?,
            place: place::of(&number, row.try_get("country")?),
            number,
            from_import: row.try_get("from_import")?,
            do_not_call: row.try_get("do_not_call")?,
            open: row.try_get("open")?,
            promised: row.try_get("promised_at")?,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            dialled,
            uncounted,
        },
    }))
}

fn number(row: &SqliteRow) -> Result<Number, StoreError> {
    let text: &str = row.try_get("number")?;
    Number::from_e164(text).map_err(|error| damaged("number", error))
}

#[cfg(test)]
#[path = "leases_tests.rs"]
mod tests;
