//! Takes back what devices marked, as an organiser decides: outcomes that were pressed, and cards that were put off or
//! marked "do not call".
//!
//! | a device | then |
//! | --- | --- |
//! | pressed a key for a call | what stood there before, its note and its time too, else `unknown`; the contact follows from it, unless somebody rang it since |
//! | gave a call up before an answer | it is none of the contact's attempts |
//! | made the last call that its contact is allowed | it is none of the contact's attempts, and as many before it that the device pressed a key for as open it again |
//! | put a card off | due again, unless somebody had the card since |
//! | marked a card "do not call" | open again, unless somebody else asked so too, or the last call says it is done |
//! | skipped a card | nothing: it marked nothing |
//!
//! What a contact is then, the last call says that is one of its attempts: whether it is open, when it is due, and what
//! is promised to it. Every call that was made stays one for the rules between two calls. What is listed is done in a
//! transaction that is given up.

use dialler::{ContactFacts, ContactNext, retry};
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
    /// Until when; `None`: all, as the clock may have been ahead when something was marked.
    pub until: Option<i64>,
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
    /// By a call that nobody pressed a key for, with what came of it.
    Call(Outcome),
    /// Its card was put off.
    Later,
    /// Its card was marked.
    DoNotCall,
}

/// The last of a contact's attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastCall {
    /// What came of it.
    pub outcome: Outcome,
    /// When the callee asked to be rung, UTC epoch milliseconds.
    pub again_at: Option<i64>,
    /// When it ended.
    pub ended_at: i64,
}

/// When a contact may be rung again, by the rules: of its facts, and of its last call unless it was a card that was
/// marked.
pub type Rules<'a> = &'a (dyn Fn(&ContactFacts, Option<LastCall>) -> ContactNext + Sync);

/// The presses that stand, with what stood there before the first of them: older databases have only the press before.
const PRESSED: &str =
    "SELECT a.id, a.lease_id, a.contact_id, a.campaign_id, a.outcome, a.counts, o.received_at AS at,
            c.name, a.closed_at >= $2 AS is_of_then,
            a.answered_at IS NULL AND (a.given_up = 1 OR a.ended_by = 'volunteer') AS is_given_up,
            coalesce(f.before_outcome, b.outcome) AS before, coalesce(f.before_note, b.note) AS before_note,
            f.before_again_at AS before_again_at
     FROM outcomes o JOIN attempts a ON a.id = o.attempt_id AND a.outcome_id = o.id
          JOIN contacts c ON c.id = a.contact_id
          JOIN outcomes f ON f.attempt_id = a.id
               AND f.id = (SELECT p.id FROM outcomes p WHERE p.attempt_id = a.id AND p.received_at >= $2
                           ORDER BY p.received_at, p.id LIMIT 1)
          LEFT JOIN outcomes b ON b.attempt_id = a.id
               AND b.id = (SELECT p.id FROM outcomes p WHERE p.attempt_id = a.id AND p.received_at < $2
                           ORDER BY p.received_at DESC, p.id DESC LIMIT 1)
     WHERE o.device_id = $1 AND o.received_at >= $2 AND o.received_at <= $3
       AND o.undone_by IS NULL AND a.state = 'closed'
     ORDER BY o.received_at, o.id";

/// Calls without a press that took an attempt of their contact for nothing: given up, or the last that it had.
const TAKEN: &str = "SELECT a.id, a.lease_id, a.contact_id, a.campaign_id, a.outcome, a.closed_at AS at, c.name,
            c.state = 'open' AND EXISTS (SELECT 1 FROM leases n WHERE n.contact_id = a.contact_id
                AND n.closed_at > a.closed_at AND n.passed_on = 'later' AND n.undone_by IS NULL) AS is_put_off
     FROM attempts a JOIN contacts c ON c.id = a.contact_id
     WHERE a.device_id = $1 AND a.closed_at >= $2 AND a.closed_at <= $3 AND a.state = 'closed'
       AND a.counts = 1 AND a.undone_by IS NULL AND a.written_by <> 'organiser'
       AND (a.answered_at IS NULL AND (a.given_up = 1 OR a.ended_by = 'volunteer')
            OR c.state = 'done'
               AND c.last_outcome IN ('busy', 'no-answer', 'machine', 'screened', 'failed', 'unknown', 'abandoned'))
     ORDER BY a.closed_at, a.id";

/// The last of a contact's attempts; one that is not closed says nothing yet.
const LAST: &str = "SELECT id, state, outcome, again_at, coalesce(ended_at, dialled_at) AS ended_at
     FROM attempts WHERE contact_id = $1 AND counts = 1 AND undone_by IS NULL
     ORDER BY dialled_at DESC, rowid DESC LIMIT 1";

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
        let (mut marks, mut pressed) = (Vec::new(), Vec::new());
        for device in &scope.devices {
            for row in marked(&mut tx, PASSED_ON, *device, scope, Some(now)).await? {
                marks.push(Undoing { tx: &mut tx, scope, device: *device, now, rules }.card(&row).await?);
            }
            for row in marked(&mut tx, PRESSED, *device, scope, None).await? {
                marks.push(Undoing { tx: &mut tx, scope, device: *device, now, rules }.outcome(&row).await?);
                pressed.push((*device, row));
            }
            for row in marked(&mut tx, TAKEN, *device, scope, None).await? {
                marks.push(Undoing { tx: &mut tx, scope, device: *device, now, rules }.call(&row).await?);
            }
        }
        // The newest first.
        for (device, row) in pressed.into_iter().rev() {
            let undoing = Undoing { tx: &mut tx, scope, device, now, rules };
            if let Some((contact, next)) = undoing.give_back(&row).await? {
                let of_it =
                    |mark: &&mut Mark| mark.contact == contact && mark.next == Some(ContactNext::Done);
                marks.iter_mut().filter(of_it).for_each(|mark| mark.next = Some(next));
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
    let until = scope.until.unwrap_or(i64::MAX);
    let mut query = sqlx::query(query).bind(device.to_string()).bind(scope.since).bind(until);
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
        let next = if may_change { self.card_again(contact, lease).await? } else { None };
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
        let was = outcome_in(row, "outcome")?;
        let before = Before {
            outcome: outcome_in(row, "before")?,
            note: row.try_get("before_note")?,
            again_at: row.try_get("before_again_at")?,
        };
        let (attempt, lease): (AttemptId, LeaseId) = (id(row, "id")?, id(row, "lease_id")?);
        let contact: ContactId = id(row, "contact_id")?;
        if before.outcome == Outcome::DoNotCall {
            self.request_again(contact, &attempt.to_string()).await?;
        } else {
            self.forget_request(contact, &attempt.to_string()).await?;
        }
        self.write_outcome(attempt, &before).await?;
        let is_of_then: bool = row.try_get("is_of_then")?;
        let is_last = self.last(contact).await?.is_some_and(|last| last.attempt == attempt);
        // One that does not count is none of the contact's, and its key said so all the same.
        let may_change = is_last || !row.try_get::<bool, _>("counts")?;
        if is_of_then && row.try_get("is_given_up")? {
            self.uncount(attempt).await?;
        }
        let mut next = self.contact(contact, lease, may_change).await?;
        if is_of_then && is_last && next == Some(ContactNext::Done) && !retry::is_final(before.outcome) {
            self.uncount(attempt).await?;
            next = self.contact(contact, lease, true).await?;
        }
        Ok(Mark {
            contact,
            campaign: id(row, "campaign_id")?,
            name: row.try_get("name")?,
            at: row.try_get("at")?,
            kind: Kind::Outcome { was, now: before.outcome },
            next,
        })
    }

    /// A call that nobody pressed a key for: what is written of it is true, and stays.
    async fn call(&mut self, row: &SqliteRow) -> Result<Mark, StoreError> {
        let (attempt, contact): (AttemptId, ContactId) = (id(row, "id")?, id(row, "contact_id")?);
        let is_last = self.last(contact).await?.is_some_and(|last| last.attempt == attempt);
        self.uncount(attempt).await?;
        let may_change = is_last && !row.try_get::<bool, _>("is_put_off")?;
        Ok(Mark {
            contact,
            campaign: id(row, "campaign_id")?,
            name: row.try_get("name")?,
            at: row.try_get("at")?,
            kind: Kind::Call(outcome_in(row, "outcome")?),
            next: self.contact(contact, id(row, "lease_id")?, may_change).await?,
        })
    }

    /// A call that a key was pressed for, of a contact that is still done for want of attempts: it is none of them.
    async fn give_back(mut self, row: &SqliteRow) -> Result<Option<(ContactId, ContactNext)>, StoreError> {
        let (contact, lease): (ContactId, LeaseId) = (id(row, "contact_id")?, id(row, "lease_id")?);
        let may_be_given: bool = row.try_get("is_of_then")?;
        if !may_be_given || retry::is_final(outcome_in(row, "before")?) {
            return Ok(None);
        }
        let mut next = self.contact(contact, lease, false).await?;
        if next == Some(ContactNext::Done) {
            self.uncount(id(row, "id")?).await?;
            next = self.contact(contact, lease, false).await?;
        }
        Ok(next.map(|next| (contact, next)))
    }

    /// A line of the log, and the attempt as it says. A press that is still on its way is older than this one.
    async fn write_outcome(&mut self, attempt: AttemptId, before: &Before) -> Result<(), StoreError> {
        let press = OutcomeId::new(Uuid::now_v7()).to_string();
        let note = before.note.clone().unwrap_or_else(|| format!("taken back by {}", self.scope.by));
        sqlx::query(
            "INSERT INTO outcomes (id, attempt_id, device_id, outcome, note, received_at, undone_by,
                                   before_outcome, before_note, before_again_at)
             SELECT $1, id, $3, $4, $5, $6, $7, outcome, note, again_at FROM attempts WHERE id = $2",
        )
        .bind(&press)
        .bind(attempt.to_string())
        .bind(self.device.to_string())
        .bind(before.outcome.word())
        .bind(&note)
        .bind(self.now)
        .bind(&self.scope.by)
        .execute(&mut *self.tx)
        .await?;
        sqlx::query(
            "UPDATE attempts SET outcome = $2, outcome_id = $3, written_by = 'organiser', note = $4, again_at = $5
             WHERE id = $1",
        )
        .bind(attempt.to_string())
        .bind(before.outcome.word())
        .bind(&press)
        .bind(&note)
        .bind(before.again_at)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// The contact has its attempt again; once. The call stays one for the rules between two calls.
    async fn uncount(&mut self, attempt: AttemptId) -> Result<(), StoreError> {
        let undone = sqlx::query(
            "UPDATE attempts SET undone_by = $2 WHERE id = $1 AND undone_by IS NULL RETURNING contact_id, counts",
        )
        .bind(attempt.to_string())
        .bind(&self.scope.by)
        .fetch_optional(&mut *self.tx)
        .await?;
        let Some(row) = undone else { return Ok(()) };
        if row.try_get("counts")? {
            sqlx::query("UPDATE contacts SET attempts = attempts - 1 WHERE id = $1 AND attempts > 0")
                .bind(row.try_get::<&str, _>("contact_id")?)
                .execute(&mut *self.tx)
                .await?;
        }
        Ok(())
    }

    async fn last(&mut self, contact: ContactId) -> Result<Option<Last>, StoreError> {
        let row = sqlx::query(LAST).bind(contact.to_string()).fetch_optional(&mut *self.tx).await?;
        row.map(|row| {
            Ok(Last {
                attempt: id(&row, "id")?,
                is_closed: row.try_get::<&str, _>("state")? == "closed",
                call: LastCall {
                    outcome: outcome_in(&row, "outcome")?,
                    again_at: row.try_get("again_at")?,
                    ended_at: row.try_get("ended_at")?,
                },
            })
        })
        .transpose()
    }

    /// What a contact is by its last call and the rules now; `None`: as it was, as somebody rings it, or its number is
    /// not to be rung for another reason. If it may not change, one that is done for want of attempts may all the same.
    async fn contact(
        &mut self,
        contact: ContactId,
        lease: LeaseId,
        may_change: bool,
    ) -> Result<Option<ContactNext>, StoreError> {
        let Some(mut facts) = self.facts(lease).await? else { return Ok(None) };
        let last = self.last(contact).await?;
        if last.as_ref().is_some_and(|last| !last.is_closed) {
            return Ok(None);
        }
        let call = last.map(|last| last.call);
        let is_used_up = !facts.open && call.is_none_or(|call| !retry::is_final(call.outcome));
        if !may_change && !is_used_up {
            return Ok(None);
        }
        facts.promised = call.filter(|call| call.outcome == Outcome::Callback).and_then(|call| call.again_at);
        let next = (self.rules)(&facts, call);
        sqlx::query("UPDATE contacts SET last_outcome = $2, promised_at = $3 WHERE id = $1")
            .bind(contact.to_string())
            .bind(call.map(|call| call.outcome.word()))
            .bind(facts.promised)
            .execute(&mut *self.tx)
            .await?;
        self.write_next(contact, next).await?;
        Ok(Some(next))
    }

    /// The contact of a card: what was promised to it is still to be kept. One whose last call says by now that it is
    /// done stays so.
    async fn card_again(
        &mut self,
        contact: ContactId,
        lease: LeaseId,
    ) -> Result<Option<ContactNext>, StoreError> {
        let Some(facts) = self.facts(lease).await? else { return Ok(None) };
        let last = self.last(contact).await?.filter(|last| last.is_closed).map(|last| last.call);
        if last.is_some() && (self.rules)(&facts, last) == ContactNext::Done {
            return Ok(None);
        }
        let next = (self.rules)(&facts, None);
        self.write_next(contact, next).await?;
        Ok(Some(next))
    }

    /// The contact of a lease; `None`: its number is not to be rung.
    async fn facts(&mut self, lease: LeaseId) -> Result<Option<ContactFacts>, StoreError> {
        let held = read_held(self.tx, lease, self.device, self.now).await?;
        Ok(held.map(|held| held.facts).filter(|facts| !facts.do_not_call))
    }

    async fn write_next(&mut self, contact: ContactId, next: ContactNext) -> Result<(), StoreError> {
        let (state, due_at) = match next {
            ContactNext::Due(at) => ("open", Some(at)),
            ContactNext::Done => ("done", None),
        };
        sqlx::query("UPDATE contacts SET state = $2, due_at = coalesce($3, due_at) WHERE id = $1")
            .bind(contact.to_string())
            .bind(state)
            .bind(due_at)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
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

/// What stood at an attempt before the press.
struct Before {
    outcome: Outcome,
    note: Option<String>,
    again_at: Option<i64>,
}

struct Last {
    attempt: AttemptId,
    is_closed: bool,
    call: LastCall,
}

fn outcome_in(row: &SqliteRow, column: &str) -> Result<Outcome, StoreError> {
    let word: Option<&str> = row.try_get(column)?;
    Ok(word.and_then(Outcome::from_word).unwrap_or(Outcome::Unknown))
}

#[cfg(test)]
#[path = "undo_tests.rs"]
mod tests;
