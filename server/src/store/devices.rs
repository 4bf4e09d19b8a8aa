//! Volunteers' installations of the app.

use protocol::ids::{CampaignId, DeviceId, PersonId};
use sqlx::{Row, sqlite::SqliteRow};

use super::{Store, StoreError, damaged, id};

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its id, made by the app.
    pub id: DeviceId,
    /// Whose it is.
    pub person_id: PersonId,
    /// What it joined.
    pub campaign_id: CampaignId,
    /// Ed25519.
    pub public_key: [u8; 32],
    /// "Maya's laptop".
    pub name: String,
    /// UTC epoch, milliseconds.
    pub created_at: i64,
    /// When an organiser switched it off.
    pub revoked_at: Option<i64>,
}

impl Store {
    /// A device by id.
    pub async fn device(&self, id: DeviceId) -> Result<Option<DeviceRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM devices WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(device_of).transpose()
    }

    /// Every device, oldest first.
    pub async fn devices(&self) -> Result<Vec<DeviceRow>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM devices ORDER BY created_at, id").fetch_all(self.reader()).await?;
        rows.iter().map(device_of).collect()
    }

    /// Switches one device off; false when it was off, or is not known.
    pub async fn revoke_device(&self, device: DeviceId, now_ms: i64) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE devices SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(device.to_string())
            .bind(now_ms)
            .execute(self.writer())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

pub(super) fn device_of(row: &SqliteRow) -> Result<DeviceRow, StoreError> {
    let key: &[u8] = row.try_get("public_key")?;
    Ok(DeviceRow {
        id: id(row, "id")?,
        person_id: id(row, "person_id")?,
        campaign_id: id(row, "campaign_id")?,
        public_key: key.try_into().map_err(|_| damaged("public_key", "not 32 bytes"))?,
        name: row.try_get("name")?,
        created_at: row.try_get("created_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}
