//! Trunks: the forms of numbers their providers want, and what they allow.

use std::num::NonZeroU32;

use sqlx::{Row, sqlite::SqliteRow};

use super::{Store, StoreError, damaged};
use crate::{
    number_form::NumberForm,
    trunk_form::{Limit, TrunkChange, TrunkForm},
};

/// A trunk's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkRow {
    /// Name of its PJSIP endpoint.
    pub name: String,
    /// What an organiser set.
    pub form: TrunkForm,
}

impl Store {
    /// Adds a trunk; one that is there stays as it is.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn add_trunk(&self, row: &TrunkRow, now_ms: i64) -> Result<(), StoreError> {
        let TrunkForm { number_form, prefix, caller_id_form, country, channels, calls_per_second } =
            &row.form;
        sqlx::query(
            "INSERT INTO trunks (name, number_form, prefix, caller_id_form, country, channels,
                                 calls_per_second, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&row.name)
        .bind(number_form.word())
        .bind(prefix)
        .bind(caller_id_form.word())
        .bind(country)
        .bind(channels.map(NonZeroU32::get))
        .bind(calls_per_second.map(NonZeroU32::get))
        .bind(now_ms)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Changes what is to be different, and says how the trunk is then; `None`: there is none of that name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn change_trunk(
        &self,
        name: &str,
        change: &TrunkChange,
    ) -> Result<Option<TrunkRow>, StoreError> {
        let limit = |limit: Option<Limit>| limit.and_then(Limit::at_most).map(NonZeroU32::get);
        let row = sqlx::query(
            "UPDATE trunks
             SET number_form = coalesce($2, number_form), prefix = coalesce($3, prefix),
                 caller_id_form = coalesce($4, caller_id_form), country = coalesce($5, country),
                 channels = iif($6, $7, channels), calls_per_second = iif($8, $9, calls_per_second)
             WHERE name = $1 RETURNING *",
        )
        .bind(name)
        .bind(change.number_form.map(NumberForm::word))
        .bind(&change.prefix)
        .bind(change.caller_id_form.map(NumberForm::word))
        .bind(&change.country)
        .bind(change.channels.is_some())
        .bind(limit(change.channels))
        .bind(change.calls_per_second.is_some())
        .bind(limit(change.calls_per_second))
        .fetch_optional(self.writer())
        .await?;
        row.as_ref().map(trunk_of).transpose()
    }

    /// A trunk by its name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn trunk(&self, name: &str) -> Result<Option<TrunkRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM trunks WHERE name = $1")
            .bind(name)
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(trunk_of).transpose()
    }

    /// All trunks, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn trunks(&self) -> Result<Vec<TrunkRow>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM trunks ORDER BY created_at, name").fetch_all(self.reader()).await?;
        rows.iter().map(trunk_of).collect()
    }
}

fn trunk_of(row: &SqliteRow) -> Result<TrunkRow, StoreError> {
    Ok(TrunkRow {
        name: row.try_get("name")?,
        form: TrunkForm {
            number_form: number_form(row, "number_form")?,
            prefix: row.try_get("prefix")?,
            caller_id_form: number_form(row, "caller_id_form")?,
            country: row.try_get("country")?,
            channels: limit(row, "channels")?,
            calls_per_second: limit(row, "calls_per_second")?,
        },
    })
}

fn number_form(row: &SqliteRow, column: &str) -> Result<NumberForm, StoreError> {
    let word: &str = row.try_get(column)?;
    NumberForm::from_word(word).ok_or_else(|| damaged(column, word))
}

fn limit(row: &SqliteRow, column: &str) -> Result<Option<NonZeroU32>, StoreError> {
    let number: Option<u32> = row.try_get(column)?;
    number.map(|number| NonZeroU32::new(number).ok_or_else(|| damaged(column, "0"))).transpose()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::store::fixture::{Hall, NOW};

    #[tokio::test]
    async fn a_trunk_is_kept_as_it_was_set_and_made_once() {
        let hall = Hall::new(0, 1).await;
        let store = &hall.store;
        let first = TrunkRow { name: "trunk".into(), form: TrunkForm::default() };
        store.add_trunk(&first, NOW).await.unwrap();
        let change = TrunkChange {
            number_form: Some(NumberForm::National),
            prefix: Some("9#00".into()),
            caller_id_form: Some(NumberForm::E164NoPlus),
            country: Some("US".into()),
            channels: Some(Limit::AtMost(NonZeroU32::new(30).unwrap())),
            calls_per_second: Some(Limit::AtMost(NonZeroU32::new(5).unwrap())),
        };
        let form = TrunkForm {
            number_form: NumberForm::National,
            prefix: "9#00".into(),
            caller_id_form: NumberForm::E164NoPlus,
            country: "US".into(),
            channels: NonZeroU32::new(30),
            calls_per_second: NonZeroU32::new(5),
        };
        let set = TrunkRow { name: "trunk".into(), form };
        assert_eq!(store.change_trunk("trunk", &change).await.unwrap().as_ref(), Some(&set));
        store.add_trunk(&first, NOW).await.unwrap();
        assert_eq!(store.trunk("trunk").await.unwrap().as_ref(), Some(&set), "a start changes nothing");
        assert_eq!(store.trunks().await.unwrap(), std::slice::from_ref(&set));

        let change = TrunkChange { channels: Some(Limit::None), ..TrunkChange::default() };
        let without = TrunkForm { channels: None, ..set.form };
        assert_eq!(store.change_trunk("trunk", &change).await.unwrap().map(|row| row.form), Some(without));
        assert_eq!(store.change_trunk("other", &change).await.unwrap(), None);
        assert_eq!(store.trunk("other").await.unwrap(), None);
    }
}
