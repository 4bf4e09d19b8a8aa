//! Attempts with what came of them, for the organiser's exports.

use protocol::ids::{AttemptId, CampaignId};
use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::{Store, StoreError, id};

/// An attempt, for an export. Times are UTC epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns of an export, named as the table's")]
pub struct ResultRow {
    pub attempt_id: AttemptId,
    pub contact_id: String,
    pub name: String,
    pub number: String,
    pub reference: Option<String>,
    pub volunteer: String,
    pub device_id: String,
    pub state: String,
    pub dialled_at: i64,
    pub ringing_at: Option<i64>,
    pub answered_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub ended_by: Option<String>,
    /// The telephone network's cause (Q.850).
    pub cause: Option<i64>,
    /// The status of the SIP answer that ended it, where Asterisk told it.
    pub sip: Option<i64>,
    pub outcome: Option<String>,
    pub written_by: Option<String>,
    pub note: Option<String>,
    pub again_at: Option<i64>,
}

impl Store {
    /// At most `most` attempts of a campaign, oldest first, behind `after`.
    pub async fn results(
        &self,
        campaign: CampaignId,
        after: Option<AttemptId>,
        most: u32,
    ) -> Result<Vec<ResultRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT a.id, a.contact_id, c.name, a.number, c.reference, p.name AS volunteer, a.device_id, a.state,
                    a.dialled_at, a.ringing_at, a.answered_at, a.ended_at, a.ended_by, a.cause, a.sip, a.outcome,
                    a.written_by, a.note, a.again_at
             FROM attempts a JOIN contacts c ON c.id = a.contact_id
                  JOIN devices d ON d.id = a.device_id JOIN people p ON p.id = d.person_id
             WHERE a.campaign_id = $1 AND a.id > $2 ORDER BY a.id LIMIT $3",
        )
        .bind(campaign.to_string())
        .bind(after.map(|id| id.to_string()).unwrap_or_default())
        .bind(most)
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ResultRow {
                    attempt_id: id(row, "id")?,
                    contact_id: row.try_get("contact_id")?,
                    name: row.try_get("name")?,
                    number: row.try_get("number")?,
                    reference: row.try_get("reference")?,
                    volunteer: row.try_get("volunteer")?,
                    device_id: row.try_get("device_id")?,
                    state: row.try_get("state")?,
                    dialled_at: row.try_get("dialled_at")?,
                    ringing_at: row.try_get("ringing_at")?,
                    answered_at: row.try_get("answered_at")?,
                    ended_at: row.try_get("ended_at")?,
                    ended_by: row.try_get("ended_by")?,
                    cause: row.try_get("cause")?,
                    sip: row.try_get("sip")?,
                    outcome: row.try_get("outcome")?,
                    written_by: row.try_get("written_by")?,
                    note: row.try_get("note")?,
                    again_at: row.try_get("again_at")?,
                })
            })
            .collect()
    }
}
