//! What an import puts on a list: all of it or nothing.

use protocol::ids::{CampaignId, ContactId};
use sqlx::Row;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::import::NewContact;

/// Why a good row of a file was not put on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdded {
    /// The number is on this campaign's list; that row stays as it is.
    OnTheList,
    /// The number asked never to be rung again (R12).
    DoNotCall,
}

impl Store {
    /// Puts contacts on a campaign's list, due at once, in one transaction. Answers with the lines of
    /// those that were not added. `refused`: how many rows were refused before.
    pub async fn add_contacts(
        &self,
        campaign: CampaignId,
        source: &str,
        contacts: &[NewContact],
        refused: u64,
        now_ms: i64,
    ) -> Result<Vec<(u64, NotAdded)>, StoreError> {
        let import = Uuid::now_v7().to_string();
        let campaign = campaign.to_string();
        let mut not_added = Vec::new();
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO imports (id, campaign_id, source, kept, refused, created_at)
             VALUES ($1, $2, $3, 0, 0, $4)",
        )
        .bind(&import)
        .bind(&campaign)
        .bind(source)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        for contact in contacts {
            let silent = sqlx::query("SELECT 1 FROM do_not_call WHERE number = $1")
                .bind(contact.number.e164())
                .fetch_optional(&mut *tx)
                .await?;
            if silent.is_some() {
                not_added.push((contact.line, NotAdded::DoNotCall));
                continue;
            }
            let added = sqlx::query(
                "INSERT INTO contacts (id, campaign_id, import_id, number, name, form_of_address, flag,
                                       context, reference, due_at, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
                 ON CONFLICT (campaign_id, number) DO NOTHING",
            )
            .bind(ContactId::new(Uuid::now_v7()).to_string())
            .bind(&campaign)
            .bind(&import)
            .bind(contact.number.e164())
            .bind(&contact.name)
            .bind(&contact.form_of_address)
            .bind(&contact.flag)
            .bind(&contact.context)
            .bind(&contact.reference)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
            if added.rows_affected() == 0 {
                not_added.push((contact.line, NotAdded::OnTheList));
            }
        }
        sqlx::query("UPDATE imports SET kept = $2, refused = $3 WHERE id = $1")
            .bind(&import)
            .bind(whole(contacts.len() - not_added.len()))
            .bind(whole(not_added.len()) + i64::try_from(refused).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(not_added)
    }

    /// How many imports a campaign has had.
    pub async fn count_imports(&self, campaign: CampaignId) -> Result<u32, StoreError> {
        let row = sqlx::query("SELECT count(*) FROM imports WHERE campaign_id = $1")
            .bind(campaign.to_string())
            .fetch_one(self.reader())
            .await?;
        Ok(row.try_get(0)?)
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
