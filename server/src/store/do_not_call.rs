//! Numbers that asked never to be rung again, by anyone here (R12).

use protocol::number::Number;
use sqlx::Row;

use super::{Store, StoreError};

impl Store {
    /// Since when a number is not to be rung, UTC epoch milliseconds.
    pub async fn do_not_call_since(&self, number: &Number) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query("SELECT min(created_at) FROM do_not_call WHERE number = $1")
            .bind(number.e164())
            .fetch_one(self.reader())
            .await?;
        Ok(row.try_get(0)?)
    }
}
