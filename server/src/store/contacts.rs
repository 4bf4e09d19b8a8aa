//! Contacts: the people on campaigns' lists.

use protocol::{
    ids::{CampaignId, ContactId},
    number::Number,
    outcome::Outcome,
};
use sqlx::{Row, sqlite::SqliteRow};

use super::{Store, StoreError, damaged, id};

/// A contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    /// Its id.
    pub id: ContactId,
    /// Whose list it is on.
    pub campaign_id: CampaignId,
    /// The whole number; never for a volunteer or a log.
    pub number: Number,
    /// "Margaret Hollis".
    pub name: String,
    /// "Mrs Hollis"; empty if the list has none.
    pub form_of_address: String,
    /// What to know before the first word.
    pub flag: Option<String>,
    /// Context from the list, a line each.
    pub facts: Vec<String>,
    /// The organisation's own key for them.
    pub reference: Option<String>,
    /// May still be rung: false when done.
    pub open: bool,
    /// Not to be rung before, UTC epoch milliseconds.
    pub due_at: i64,
    /// How many attempts were made.
    pub attempts: u32,
    /// What came of the last one.
    pub last_outcome: Option<Outcome>,
}

/// How far a campaign's list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct ListCount {
    /// On the list.
    pub contacts: u32,
    /// May still be rung.
    pub open: u32,
    /// Of these, due now.
    pub due: u32,
    /// Never to be rung again.
    pub done: u32,
}

impl Store {
    /// A contact by id.
    pub async fn contact(&self, id: ContactId) -> Result<Option<ContactRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM contacts WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(contact_of).transpose()
    }

    /// The contacts with this number, newest first, on all lists.
    pub async fn contacts_with_number(&self, number: &Number) -> Result<Vec<ContactRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM contacts WHERE number = $1 ORDER BY created_at DESC, id DESC LIMIT 100",
        )
        .bind(number.e164())
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(contact_of).collect()
    }

    /// How far a list is.
    pub async fn count_list(&self, campaign: CampaignId, now_ms: i64) -> Result<ListCount, StoreError> {
        let row = sqlx::query(
            "SELECT count(*) AS contacts, count(*) FILTER (WHERE state = 'open') AS open,
                    count(*) FILTER (WHERE state = 'open' AND due_at <= $2) AS due,
                    count(*) FILTER (WHERE state <> 'open') AS done
             FROM contacts WHERE campaign_id = $1",
        )
        .bind(campaign.to_string())
        .bind(now_ms)
        .fetch_one(self.reader())
        .await?;
        Ok(ListCount {
            contacts: row.try_get("contacts")?,
            open: row.try_get("open")?,
            due: row.try_get("due")?,
            done: row.try_get("done")?,
        })
    }
}

/// Reads a row of `contacts`, or of a join that selects its columns by their names.
pub(super) fn contact_of(row: &SqliteRow) -> Result<ContactRow, StoreError> {
    let number: &str = row.try_get("number")?;
    let context: &str = row.try_get("context")?;
    let state: &str = row.try_get("state")?;
    let last: Option<&str> = row.try_get("last_outcome")?;
    Ok(ContactRow {
        id: id(row, "id")?,
        campaign_id: id(row, "campaign_id")?,
        number: Number::from_e164(number).map_err(|e| damaged("number", e))?,
        name: row.try_get("name")?,
        form_of_address: row.try_get("form_of_address")?,
        flag: row.try_get("flag")?,
        facts: context.lines().map(str::to_owned).collect(),
        reference: row.try_get("reference")?,
        open: state == "open",
        due_at: row.try_get("due_at")?,
        attempts: row.try_get("attempts")?,
        last_outcome: last.and_then(Outcome::from_word),
    })
}
