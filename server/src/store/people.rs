//! People who may sign in, and what revoking one does.

use protocol::ids::{DeviceId, PersonId};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::Uuid;

use super::{Store, StoreError, id};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Their id.
    pub id: PersonId,
    /// As the organiser wrote it, "Maya".
    pub name: String,
    /// UTC epoch, milliseconds.
    pub created_at: i64,
    /// When an organiser switched them off.
    pub revoked_at: Option<i64>,
}

impl Store {
    /// Adds a volunteer.
    pub async fn add_volunteer(&self, name: &str, now_ms: i64) -> Result<PersonId, StoreError> {
        let id = PersonId::new(Uuid::now_v7());
        sqlx::query("INSERT INTO people (id, name, role, created_at) VALUES ($1, $2, 'volunteer', $3)")
            .bind(id.to_string())
            .bind(name)
            .bind(now_ms)
            .execute(self.writer())
            .await?;
        Ok(id)
    }

    /// A person by id.
    pub async fn person(&self, id: PersonId) -> Result<Option<PersonRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM people WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(person_of).transpose()
    }

    /// Everyone with this name (in any case of letters) or id.
    pub async fn find_people(&self, name_or_id: &str) -> Result<Vec<PersonRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM people WHERE id = $1 OR name = $1 COLLATE NOCASE ORDER BY created_at, id",
        )
        .bind(name_or_id)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(person_of).collect()
    }

    /// Everyone, oldest first.
    pub async fn people(&self) -> Result<Vec<PersonRow>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM people ORDER BY created_at, id").fetch_all(self.reader()).await?;
        rows.iter().map(person_of).collect()
    }

    /// Switches a person off: their devices, sign-ins and unspent links are worth nothing from now on.
    /// Answers with the devices that this switched off.
    pub async fn revoke_person(&self, person: PersonId, now_ms: i64) -> Result<Vec<DeviceId>, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE people SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(person.to_string())
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE join_links SET expires_at = $2 WHERE person_id = $1 AND expires_at > $2")
            .bind(person.to_string())
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
        let devices = sqlx::query(
            "UPDATE devices SET revoked_at = $2 WHERE person_id = $1 AND revoked_at IS NULL RETURNING id",
        )
        .bind(person.to_string())
        .bind(now_ms)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        devices.iter().map(|row| id(row, "id")).collect()
    }
}

fn person_of(row: &SqliteRow) -> Result<PersonRow, StoreError> {
    Ok(PersonRow {
        id: id(row, "id")?,
        name: row.try_get("name")?,
        created_at: row.try_get("created_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}
