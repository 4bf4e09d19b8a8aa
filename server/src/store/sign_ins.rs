//! Sign-ins: hashes of bearer tokens, one valid at a time for each device.

use protocol::ids::{CampaignId, DeviceId, PersonId};
use sqlx::Row;

use super::{Store, StoreError, id};

/// The device that a valid bearer token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInDevice {
    /// The device.
    pub id: DeviceId,
    /// Its volunteer.
    pub person_id: PersonId,
    /// The volunteer's name, "Maya".
    pub volunteer: String,
    /// The campaign it joined.
    pub campaign_id: CampaignId,
}

/// What a bearer token is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenState {
    /// It belongs to this device.
    Valid(SignedInDevice),
    /// Its device, or its person, was revoked.
    Revoked,
    /// Never given, ended, or past its time.
    Unknown,
}

impl Store {
    /// Keeps a new sign-in and ends the device's earlier ones; false, and nothing is kept, when the
    /// device or its person was revoked meanwhile. Times in UTC epoch milliseconds.
    pub async fn sign_in(
        &self,
        token_hash: &[u8],
        device: DeviceId,
        now_ms: i64,
        expires_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE sign_ins SET ended_at = $2 WHERE device_id = $1 AND ended_at IS NULL")
            .bind(device.to_string())
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
        let kept = sqlx::query(
            "INSERT INTO sign_ins (token_hash, device_id, created_at, expires_at)
             SELECT $1, d.id, $3, $4 FROM devices d JOIN people p ON p.id = d.person_id
             WHERE d.id = $2 AND d.revoked_at IS NULL AND p.revoked_at IS NULL",
        )
        .bind(token_hash)
        .bind(device.to_string())
        .bind(now_ms)
        .bind(expires_ms)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(kept.rows_affected() == 1)
    }

    /// Whether a device is signed in now.
    pub async fn is_signed_in(&self, device: DeviceId, now_ms: i64) -> Result<bool, StoreError> {
        Ok(self.signed_in_devices(now_ms).await?.contains(&device))
    }

    /// Whose token this is.
    pub async fn device_of_token(&self, token_hash: &[u8], now_ms: i64) -> Result<TokenState, StoreError> {
        let row = sqlx::query(
            "SELECT d.id, d.person_id, d.campaign_id, p.name,
                    d.revoked_at IS NOT NULL OR p.revoked_at IS NOT NULL AS revoked,
                    s.ended_at IS NULL AND s.expires_at > $2 AS running
             FROM sign_ins s JOIN devices d ON d.id = s.device_id JOIN people p ON p.id = d.person_id
             WHERE s.token_hash = $1",
        )
        .bind(token_hash)
        .bind(now_ms)
        .fetch_optional(self.reader())
        .await?;
        let Some(row) = row else { return Ok(TokenState::Unknown) };
        if row.try_get::<bool, _>("revoked")? {
            return Ok(TokenState::Revoked);
        }
        if !row.try_get::<bool, _>("running")? {
            return Ok(TokenState::Unknown);
        }
        Ok(TokenState::Valid(SignedInDevice {
            id: id(&row, "id")?,
            person_id: id(&row, "person_id")?,
            volunteer: row.try_get("name")?,
            campaign_id: id(&row, "campaign_id")?,
        }))
    }

    /// Ends a device's sign-ins.
    pub async fn sign_out(&self, device: DeviceId, now_ms: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE sign_ins SET ended_at = $2 WHERE device_id = $1 AND ended_at IS NULL")
            .bind(device.to_string())
            .bind(now_ms)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Devices whose sign-in runs: those that have a SIP account in Asterisk.
    pub async fn signed_in_devices(&self, now_ms: i64) -> Result<Vec<DeviceId>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT s.device_id FROM sign_ins s JOIN devices d ON d.id = s.device_id
             WHERE s.ended_at IS NULL AND s.expires_at > $1 AND d.revoked_at IS NULL",
        )
        .bind(now_ms)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(|row| id(row, "device_id")).collect()
    }

    /// Ends the sign-ins that are past their time, and says whose they were. One whose device is in a
    /// call, or has its outcome to write, waits for the end of it.
    pub async fn end_lapsed_sign_ins(&self, now_ms: i64) -> Result<Vec<DeviceId>, StoreError> {
        let rows = sqlx::query(
            "UPDATE sign_ins SET ended_at = $1 WHERE ended_at IS NULL AND expires_at <= $1
               AND NOT EXISTS (SELECT 1 FROM attempts a
                               WHERE a.device_id = sign_ins.device_id AND a.state <> 'closed')
             RETURNING device_id",
        )
        .bind(now_ms)
        .fetch_all(self.writer())
        .await?;
        rows.iter().map(|row| id(row, "device_id")).collect()
    }
}
