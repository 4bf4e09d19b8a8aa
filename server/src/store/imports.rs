//! What an import puts on a list: all of it or nothing.

use std::collections::HashSet;

use protocol::ids::{CampaignId, ContactId};
use sqlx::{QueryBuilder, Row, Sqlite, Transaction, sqlite::SqliteRow};
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

/// Fewer, larger statements: the one writer is held for a second by 100,000 rows, not for ten.
const ROWS_AT_ONCE: usize = 200;

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
        for batch in contacts.chunks(ROWS_AT_ONCE) {
            let silent = silent_numbers(&mut tx, batch).await?;
            let (wanted, unwanted): (Vec<_>, Vec<_>) =
                batch.iter().partition(|contact| !silent.contains(contact.number.e164()));
            not_added.extend(unwanted.iter().map(|contact| (contact.line, NotAdded::DoNotCall)));
            if wanted.is_empty() {
                continue;
            }
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO contacts (id, campaign_id, import_id, number, name, form_of_address, flag,
                                       context, reference, due_at, created_at) ",
            );
            insert.push_values(&wanted, |mut row, contact| {
                row.push_bind(ContactId::new(Uuid::now_v7()).to_string())
                    .push_bind(&campaign)
                    .push_bind(&import)
                    .push_bind(contact.number.e164())
                    .push_bind(&contact.name)
                    .push_bind(&contact.form_of_address)
                    .push_bind(&contact.flag)
                    .push_bind(&contact.context)
                    .push_bind(&contact.reference)
                    .push_bind(now_ms)
                    .push_bind(now_ms);
            });
            insert.push(" ON CONFLICT (campaign_id, number) DO NOTHING RETURNING number");
            let added = numbers(insert.build().fetch_all(&mut *tx).await?)?;
            let known = wanted.iter().filter(|contact| !added.contains(contact.number.e164()));
            not_added.extend(known.map(|contact| (contact.line, NotAdded::OnTheList)));
        }
        sqlx::query("UPDATE imports SET kept = $2, refused = $3 WHERE id = $1")
            .bind(&import)
            .bind(whole(contacts.len() - not_added.len()))
            .bind(whole(not_added.len()) + i64::try_from(refused).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        not_added.sort_by_key(|(line, _)| *line);
        Ok(not_added)
    }
}

/// Those of a batch that asked never to be rung again.
async fn silent_numbers(
    tx: &mut Transaction<'_, Sqlite>,
    batch: &[NewContact],
) -> Result<HashSet<String>, StoreError> {
    let mut select = QueryBuilder::<Sqlite>::new("SELECT DISTINCT number FROM do_not_call WHERE number IN (");
    let mut list = select.separated(", ");
    for contact in batch {
        list.push_bind(contact.number.e164());
    }
    select.push(")");
    numbers(select.build().fetch_all(&mut **tx).await?)
}

fn numbers(rows: Vec<SqliteRow>) -> Result<HashSet<String>, StoreError> {
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
