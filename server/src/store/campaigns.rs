//! Campaigns: what is said, by whom, in whose name, and by which rules.

use dialler::hours::Hours;
use protocol::{
    campaign::{Campaign, Mode},
    ids::CampaignId,
    number::Number,
    session::Pause,
};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::Uuid;

use super::{Store, StoreError, damaged, id};

/// A campaign's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignRow {
    /// Its id.
    pub id: CampaignId,
    /// What the organiser wrote.
    pub form: NewCampaign,
    /// An organiser's pause.
    pub pause: Option<CampaignPause>,
    /// UTC epoch, milliseconds.
    pub created_at: i64,
}

/// What makes a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCampaign {
    /// "Winter Warmth"; no two are alike.
    pub name: String,
    /// On whose behalf, "Lantern Street Trust".
    pub organisation: String,
    /// First name of the person to ask, "Ruth".
    pub organiser: String,
    /// How callees are dialled.
    pub mode: Mode,
    /// What callees see.
    pub caller_id: Number,
    /// "GB", or a part of it, "GB-SCT": whose bank holidays count, and how national numbers are read.
    pub country: String,
    /// IANA name of the callees' time zone, "Europe/London".
    pub time_zone: String,
    /// Callees in other countries may be rung.
    pub abroad: bool,
    /// The script with its placeholders ([`crate::script`]).
    pub script: String,
    /// When callees may be rung.
    pub hours: Hours,
    /// Between two attempts at one number, milliseconds (R16).
    pub spacing_ms: i64,
    /// How many attempts a contact may have.
    pub attempts_allowed: u32,
    /// How long a callee's telephone rings, milliseconds.
    pub ring_timeout_ms: i64,
}

/// An organiser's pause of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignPause {
    /// Since when, UTC epoch milliseconds.
    pub at: i64,
    /// By whom.
    pub by: String,
    /// "Tea break, back at 19:15".
    pub message: Option<String>,
}

impl CampaignRow {
    /// What a volunteer sees of it.
    pub fn seen(&self) -> Campaign {
        Campaign {
            id: self.id,
            name: self.form.name.clone(),
            organisation: self.form.organisation.clone(),
            mode: self.form.mode,
            organiser: self.form.organiser.clone(),
        }
    }

    /// What a volunteer sees of an organiser's pause.
    pub fn seen_pause(&self) -> Option<Pause> {
        self.pause.as_ref().map(|pause| Pause { by: Some(pause.by.clone()), message: pause.message.clone() })
    }
}

impl Store {
    /// Adds a campaign; [`StoreError::Conflict`] when its name is taken.
    pub async fn add_campaign(&self, new: &NewCampaign, now_ms: i64) -> Result<CampaignId, StoreError> {
        let id = CampaignId::new(Uuid::now_v7());
        sqlx::query(
            "INSERT INTO campaigns (id, name, organisation, organiser, mode, caller_id, country, time_zone,
                                    script, hours, spacing_ms, attempts_allowed, ring_timeout_ms, created_at,
                                    abroad)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind(id.to_string())
        .bind(&new.name)
        .bind(&new.organisation)
        .bind(&new.organiser)
        .bind(mode_word(new.mode))
        .bind(new.caller_id.e164())
        .bind(&new.country)
        .bind(&new.time_zone)
        .bind(&new.script)
        .bind(hours_word(new.hours))
        .bind(new.spacing_ms)
        .bind(new.attempts_allowed)
        .bind(new.ring_timeout_ms)
        .bind(now_ms)
        .bind(new.abroad)
        .execute(self.writer())
        .await?;
        Ok(id)
    }

    /// A campaign by its id.
    pub async fn campaign(&self, id: CampaignId) -> Result<Option<CampaignRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM campaigns WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(campaign_of).transpose()
    }

    /// A campaign by its name (in any case of letters) or its id.
    pub async fn find_campaign(&self, name_or_id: &str) -> Result<Option<CampaignRow>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM campaigns WHERE id = $1 OR name = $1 COLLATE NOCASE ORDER BY name = $1 DESC LIMIT 1",
        )
        .bind(name_or_id)
        .fetch_optional(self.reader())
        .await?;
        row.as_ref().map(campaign_of).transpose()
    }

    /// All campaigns, oldest first.
    pub async fn campaigns(&self) -> Result<Vec<CampaignRow>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM campaigns ORDER BY created_at, id").fetch_all(self.reader()).await?;
        rows.iter().map(campaign_of).collect()
    }

    /// Pauses a campaign, or with `None` ends its pause.
    pub async fn pause_campaign(
        &self,
        id: CampaignId,
        pause: Option<&CampaignPause>,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE campaigns SET paused_at = $2, paused_by = $3, pause_message = $4 WHERE id = $1")
            .bind(id.to_string())
            .bind(pause.map(|p| p.at))
            .bind(pause.map(|p| &p.by))
            .bind(pause.and_then(|p| p.message.as_ref()))
            .execute(self.writer())
            .await?;
        Ok(())
    }
}

const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::OneTouch => "one-touch",
    }
}

/// The word that [`Hours::from_word`] reads. No form asks for hours of a campaign's own yet.
pub const fn hours_word(hours: Hours) -> &'static str {
    match hours {
        Hours::Rules | Hours::Own(_) => "rules",
        Hours::Always => "always",
    }
}

fn campaign_of(row: &SqliteRow) -> Result<CampaignRow, StoreError> {
    let hours: &str = row.try_get("hours")?;
    let caller_id: &str = row.try_get("caller_id")?;
    let mode: &str = row.try_get("mode")?;
    let paused_at: Option<i64> = row.try_get("paused_at")?;
    let pause = match paused_at {
        None => None,
        Some(at) => Some(CampaignPause {
            at,
            by: row.try_get::<Option<String>, _>("paused_by")?.unwrap_or_default(),
            message: row.try_get("pause_message")?,
        }),
    };
    Ok(CampaignRow {
        id: id(row, "id")?,
        form: NewCampaign {
            name: row.try_get("name")?,
            organisation: row.try_get("organisation")?,
            organiser: row.try_get("organiser")?,
            mode: if mode == mode_word(Mode::OneTouch) {
                Mode::OneTouch
            } else {
                return Err(damaged("mode", mode));
            },
            caller_id: Number::from_e164(caller_id).map_err(|e| damaged("caller_id", e))?,
            country: row.try_get("country")?,
            time_zone: row.try_get("time_zone")?,
            abroad: row.try_get("abroad")?,
            script: row.try_get("script")?,
            hours: Hours::from_word(hours).ok_or_else(|| damaged("hours", hours))?,
            spacing_ms: row.try_get("spacing_ms")?,
            attempts_allowed: row.try_get("attempts_allowed")?,
            ring_timeout_ms: row.try_get("ring_timeout_ms")?,
        },
        pause,
        created_at: row.try_get("created_at")?,
    })
}
