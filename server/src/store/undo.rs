//! Takes back what devices marked, as an organiser decides: outcomes that were pressed, and cards that were put off or
//! marked "do not call".
//!
//! | a device | then |
//! | --- | --- |
//! | pressed a key for a call | the outcome before that, if there was one, else `unknown`; the contact follows from it, unless somebody rang it since |
//! | put a card off | due again, unless somebody had the card since |
//! | marked a card "do not call" | open again, unless somebody else asked so too |
//! | skipped a card | nothing: it marked nothing |
//!
//! A call that was made stays one: the attempt counts, and so do the rules between two attempts. What is listed is
//! done in a transaction that is given up.

use dialler::{ContactFacts, ContactNext};
use protocol::{
    ids::{AttemptId, CampaignId, ContactId, DeviceId, LeaseId, OutcomeId},
    outcome::Outcome,
};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

use super::{Store, StoreError, id, leases::read_held};

/// What the volunteer's keys of a device are taken back by.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Whose.
    pub devices: Vec<DeviceId>,
    /// From when on, UTC epoch milliseconds.
    pub since: i64,
    /// Until when.
    pub until: i64,
    /// Who decides so.
    pub by: String,
}

/// Something that was marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Whom.
    pub contact: ContactId,
    /// On which list.
    pub campaign: CampaignId,
    /// "Margaret Hollis".
    pub name: String,
    /// When, UTC epoch milliseconds.
    pub at: i64,
    /// How.
    pub kind: Kind,
    /// What it is now; `None`: the contact stays as it is, as somebody rang it since, or marked it too.
    pub next: Option<ContactNext>,
}

/// How a contact was marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By the key of an outcome.
    Outcome {
        /// Which.
        was: Outcome,
        /// What stands there now.
        now: Outcome,
    },
    /// Its card was put off.
    Later,
    /// Its card was marked.
    DoNotCall,
}

/// When a contact may be rung again, by the rules: of its facts, and of the outcome and the end of its last call if it
/// was a call that was marked.
pub type Rules<'a> = &'a (dyn Fn(&ContactFacts, Option<(Outcome, i64)>) -> ContactNext + Sync);

const PRESSED: &str = "SELECT a.id, a.lease_id, a.contact_id, a.campaign_id, a.outcome,
            coalesce(a.ended_at, a.dialled_at) AS ended_at, o.received_at AS at, c.name,
            (SELECT p.outcome FROM outcomes p WHERE p.attempt_id = a.id AND p.received_at < $2
             ORDER BY p.received_at DESC, p.id DESC LIMIT 1) AS before,
            NOT EXISTS (SELECT 1 FROM attempts later
                        WHERE later.contact_id = a.contact_id AND later.dialled_at > a.dialled_at) AS latest
     FROM outcomes o JOIN attempts a ON a.id = o.attempt_id AND a.outcome_id = o.id
          JOIN contacts c ON c.id = a.contact_id
     WHERE o.device_id = $1 AND o.received_at >= $2 AND o.received_at <= $3
       AND o.undone_by IS NULL AND a.state = 'closed'
     ORDER BY o.received_at, o.id";

const PASSED_ON: &str = "SELECT l.id, l.passed_on, l.contact_id, c.campaign_id, c.name, l.closed_at AS at,
            c.state = 'open' AND c.due_at > $4
              AND NOT EXISTS (SELECT 1 FROM leases n WHERE n.contact_id = l.contact_id
                              AND n.created_at > l.created_at
                              AND (n.passed_on IS NOT NULL OR n.state IN ('dialled', 'closed'))) AS is_put_off
     FROM leases l JOIN contacts c ON c.id = l.contact_id
     WHERE l.device_id = $1 AND l.closed_at >= $2 AND l.closed_at <= $3
       AND l.passed_on IS NOT NULL AND l.passed_on <> 'skip' AND l.undone_by IS NULL
     ORDER BY l.closed_at, l.id";

impl Store {
    /// Whether a call of this device is not over, so that what was pressed for it is still to be written.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn is_in_a_call(&self, device: DeviceId) -> Result<bool, StoreError> {
        let open = "SELECT EXISTS (SELECT 1 FROM attempts WHERE state <> 'closed' AND device_id = $1)";
        Ok(sqlx::query(open).bind(device.to_string()).fetch_one(self.reader()).await?.try_get(0)?)
    }

    /// Takes all of it back, or lists what that would be. `now` is written into the records.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn take_back(
        &self,
        scope: &Scope,
        rules: Rules<'_>,
        now: i64,
        done: bool,
    ) -> Result<Vec<Mark>, StoreError> {
        let mut tx = self.begin().await?;
        let mut marks = Vec::new();
        for device in &scope.devices {
            for row in marked(&mut tx, PASSED_ON, *device, scope, Some(now)).await? {
                marks.push(Undoing { tx: &mut tx, scope, device: *device, now, rules }.card(&row).await?);
            }
            for row in marked(&mut tx, PRESSED, *device, scope, None).await? {
                marks.push(Undoing { tx: &mut tx, scope, device: *device, now, rules }.outcome(&row).await?);
            }
        }
        if done {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        marks.sort_by_key(|mark| mark.at);
        Ok(marks)
    }
}

async fn marked(
    tx: &mut SqliteConnection,
    query: &'static str,
    device: DeviceId,
    scope: &Scope,
    now: Option<i64>,
) -> Result<Vec<SqliteRow>, StoreError> {
    let mut query = sqlx::query(query).bind(device.to_string()).bind(scope.since).bind(scope.until);
    if let Some(now) = now {
        query = query.bind(now);
    }
    Ok(query.fetch_all(tx).await?)
}

/// One mark, as it is taken back.
struct Undoing<'a> {
    tx: &'a mut SqliteConnection,
    scope: &'a Scope,
    device: DeviceId,
    now: i64,
    rules: Rules<'a>,
}

impl Undoing<'_> {
    /// A card that was put off, or marked.
    async fn card(&mut self, row: &SqliteRow) -> Result<Mark, StoreError> {
        let lease: LeaseId = id(row, "id")?;
        let is_later = row.try_get::<&str, _>("passed_on")? == "later";
        let contact: ContactId = id(row, "contact_id")?;
        let may_change = if is_later {
            row.try_get("is_put_off")?
        } else {
            self.forget_request(contact, &lease.to_string()).await?;
            true
        };
        sqlx::query("UPDATE leases SET undone_by = $2 WHERE id = $1")
            .bind(lease.to_string())
            .bind(&self.scope.by)
            .execute(&mut *self.tx)
            .await?;
        let next = if may_change { self.contact(contact, lease, None).await? } else { None };
        Ok(Mark {
            contact,
            campaign: id(row, "campaign_id")?,
            name: row.try_get("name")?,
            at: row.try_get("at")?,
            kind: if is_later { Kind::Later } else { Kind::DoNotCall },
            next,
        })
    }

    /// What was pressed for a call.
    async fn outcome(&mut self, row: &SqliteRow) -> Result<Mark, StoreError> {
        let word = |column| row.try_get::<Option<&str>, _>(column);
        let was = word("outcome")?.and_then(Outcome::from_word).unwrap_or(Outcome::Unknown);
        let before = word("before")?.and_then(Outcome::from_word).unwrap_or(Outcome::Unknown);
        let (attempt, lease): (AttemptId, LeaseId) = (id(row, "id")?, id(row, "lease_id")?);
        let contact: ContactId = id(row, "contact_id")?;
        if before == Outcome::DoNotCall {
            self.request_again(contact, &attempt.to_string()).await?;
        } else {
            self.forget_request(contact, &attempt.to_string()).await?;
        }
        self.write_outcome(attempt, before).await?;
        let ended_at: i64 = row.try_get("ended_at")?;
        let next = match row.try_get("latest")? {
            true => self.contact(contact, lease, Some((before, ended_at))).await?,
            false => None,
        };
        Ok(Mark {
            contact,
            campaign: id(row, "campaign_id")?,
            name: row.try_get("name")?,
            at: row.try_get("at")?,
            kind: Kind::Outcome { was, now: before },
            next,
        })
    }

    /// A line of the log, and the attempt as it says. A press that is still on its way is older than this one.
    async fn write_outcome(&mut self, attempt: AttemptId, outcome: Outcome) -> Result<(), StoreError> {
        let press = OutcomeId::new(Uuid::now_v7()).to_string();
        let note = format!("taken back by {}", self.scope.by);
        sqlx::query(
            "INSERT INTO outcomes (id, attempt_id, device_id, outcome, note, received_at, undone_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&press)
        .bind(attempt.to_string())
        .bind(self.device.to_string())
        .bind(outcome.word())
        .bind(&note)
        .bind(self.now)
        .bind(&self.scope.by)
        .execute(&mut *self.tx)
        .await?;
        sqlx::query(
            "UPDATE attempts SET outcome = $2, outcome_id = $3, written_by = 'organiser', note = $4, again_at = NULL
             WHERE id = $1",
        )
        .bind(attempt.to_string())
        .bind(outcome.word())
        .bind(&press)
        .bind(&note)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// What a contact is by the rules now; `None`: as it was, as its number is not to be rung for another reason.
    async fn contact(
        &mut self,
        contact: ContactId,
        lease: LeaseId,
        call: Option<(Outcome, i64)>,
    ) -> Result<Option<ContactNext>, StoreError> {
        let held = read_held(self.tx, lease, self.device, self.now).await?;
        let Some(facts) = held.map(|held| held.facts).filter(|facts| !facts.do_not_call) else {
            return Ok(None);
        };
        let next = (self.rules)(&facts, call);
        let (state, due_at) = match next {
            ContactNext::Due(at) => ("open", Some(at)),
            ContactNext::Done => ("done", None),
        };
        sqlx::query(
            "UPDATE contacts
             SET state = $2, due_at = coalesce($3, due_at), last_outcome = coalesce($4, last_outcome),
                 promised_at = iif($4 IS NULL, promised_at, NULL)
             WHERE id = $1",
        )
        .bind(contact.to_string())
        .bind(state)
        .bind(due_at)
        .bind(call.map(|(outcome, _)| outcome.word()))
        .execute(&mut *self.tx)
        .await?;
        Ok(Some(next))
    }

    /// What others asked for the number stays.
    async fn forget_request(&mut self, contact: ContactId, source: &str) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM do_not_call WHERE number = (SELECT number FROM contacts WHERE id = $1) AND source = $2",
        )
        .bind(contact.to_string())
        .bind(source)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// A request that a correction had taken back.
    async fn request_again(&mut self, contact: ContactId, source: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO do_not_call (number, created_at, source) SELECT number, $3, $2 FROM contacts WHERE id = $1
             ON CONFLICT (number, source) DO NOTHING",
        )
        .bind(contact.to_string())
        .bind(source)
        .bind(self.now)
        .execute(&mut *self.tx)
        .await?;
        sqlx::query("UPDATE contacts SET state = 'done', last_outcome = 'do-not-call' WHERE id = $1")
            .bind(contact.to_string())
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "undo_tests.rs"]
mod tests;
