//! Join links: spent in the transaction that makes the device.

use protocol::{
    http::EndedLink,
    ids::{CampaignId, DeviceId, PersonId},
};
use sqlx::Row;

use super::{Store, StoreError, devices::device_of, id};

/// A device that wants to join.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// Its id.
    pub id: DeviceId,
    /// Ed25519.
    pub public_key: [u8; 32],
    /// "Maya's laptop".
    pub name: String,
}

/// What came of spending a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spent {
    /// The device is bound; also the answer to a retry with the same key.
    Joined {
        /// Whose device it is.
        person: PersonId,
        /// What it joined.
        campaign: CampaignId,
    },
    /// No such link.
    Unknown,
    /// Another device used it.
    Spent(EndedLink),
    /// Past its time.
    Expired(EndedLink),
    /// The device was switched off; it may not come back with the same key.
    Revoked,
    /// The id or the key belongs to another device.
    Taken,
}

impl Store {
    /// Keeps a link's hash. Times in UTC epoch milliseconds.
    pub async fn add_join_link(
        &self,
        token_hash: &[u8],
        person: PersonId,
        campaign: CampaignId,
        now_ms: i64,
        expires_ms: i64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO join_links (token_hash, person_id, campaign_id, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(token_hash)
        .bind(person.to_string())
        .bind(campaign.to_string())
        .bind(now_ms)
        .bind(expires_ms)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Whether there is such a link, neither spent nor past its time.
    pub async fn is_open_join_link(&self, token_hash: &[u8], now_ms: i64) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM join_links WHERE token_hash = $1 AND spent_at IS NULL AND expires_at > $2",
        )
        .bind(token_hash)
        .bind(now_ms)
        .fetch_optional(self.reader())
        .await?;
        Ok(row.is_some())
    }

    /// Spends a link and makes the device, or neither. A device that joined before with the same key
    /// is moved to the link's person and campaign.
    pub async fn spend_join_link(
        &self,
        token_hash: &[u8],
        new: &NewDevice,
        now_ms: i64,
    ) -> Result<Spent, StoreError> {
        let mut tx = self.begin().await?;
        let link = sqlx::query(
            "SELECT join_links.*, campaigns.organiser
             FROM join_links JOIN campaigns ON campaigns.id = join_links.campaign_id
             WHERE join_links.token_hash = $1",
        )
        .bind(token_hash)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(link) = link else { return Ok(Spent::Unknown) };
        let (person, campaign): (PersonId, CampaignId) = (id(&link, "person_id")?, id(&link, "campaign_id")?);
        let ended =
            EndedLink { organiser: link.try_get("organiser")?, expires_at_ms: link.try_get("expires_at")? };
        let known = sqlx::query("SELECT * FROM devices WHERE id = $1 OR public_key = $2")
            .bind(new.id.to_string())
            .bind(new.public_key.as_slice())
            .fetch_all(&mut *tx)
            .await?;
        let known = known.iter().map(device_of).collect::<Result<Vec<_>, _>>()?;
        let same = known.iter().find(|d| d.id == new.id && d.public_key == new.public_key);

        if link.try_get::<Option<i64>, _>("spent_at")?.is_some() {
            let spender: DeviceId = id(&link, "device_id")?;
            return Ok(match same {
                Some(device) if device.id == spender && device.revoked_at.is_some() => Spent::Revoked,
                Some(device) if device.id == spender => Spent::Joined { person, campaign },
                Some(_) | None => Spent::Spent(ended),
            });
        }
        if ended.expires_at_ms <= now_ms {
            return Ok(Spent::Expired(ended));
        }
        match same {
            Some(device) if device.revoked_at.is_some() => return Ok(Spent::Revoked),
            None if !known.is_empty() => return Ok(Spent::Taken),
            Some(_) | None => {}
        }
        sqlx::query(
            "INSERT INTO devices (id, person_id, campaign_id, public_key, name, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE
             SET person_id = excluded.person_id, campaign_id = excluded.campaign_id, name = excluded.name",
        )
        .bind(new.id.to_string())
        .bind(person.to_string())
        .bind(campaign.to_string())
        .bind(new.public_key.as_slice())
        .bind(&new.name)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE join_links SET spent_at = $2, device_id = $3 WHERE token_hash = $1")
            .bind(token_hash)
            .bind(now_ms)
            .bind(new.id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Spent::Joined { person, campaign })
    }
}
