//! Outcomes on this computer until the server has them.
//!
//! A row is written and synced before the first request, and goes after a 2xx. It holds ids, the
//! outcome and the note; no name, no number. The file is mode 0600.

use std::{
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::{http::RecordOutcome, ids::DeviceId, ids::OutcomeId};
use sqlx::{
    Connection, Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::Mutex;

/// The file, opened when it can be.
pub struct Outbox {
    path: PathBuf,
    pool: Mutex<Option<SqlitePool>>,
}

/// One pressed outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What goes to the server.
    pub record: RecordOutcome,
    /// The device that pressed it: another device's outcome is not ours to send.
    pub device: DeviceId,
    /// The server's clock at the press, UTC epoch milliseconds.
    pub pressed_at_ms: i64,
    /// The server refused it for good.
    pub refused: bool,
}

/// The file cannot be used: the disk is full or read-only, or the file is damaged.
#[derive(Debug, thiserror::Error)]
#[error("outcomes cannot be kept on this computer: {0}")]
pub struct CannotKeep(String);

impl Outbox {
    /// Names the file; it is opened at first use, and again after a failure.
    pub fn new(path: PathBuf) -> Self {
        Self { path, pool: Mutex::new(None) }
    }

    /// Writes a row through to the disk. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`CannotKeep`].
    pub async fn keep(&self, kept: &Kept) -> Result<(), CannotKeep> {
        let record = serde_json::to_string(&kept.record).map_err(cannot)?;
        let pool = self.pool().await?;
        let mut kept_together = pool.begin().await.map_err(cannot)?;
        sqlx::query(
            "INSERT INTO last_id (one, id) VALUES (1, $1)
             ON CONFLICT (one) DO UPDATE SET id = max(id, excluded.id)",
        )
        .bind(kept.record.id.to_string())
        .execute(&mut *kept_together)
        .await
        .map_err(cannot)?;
        sqlx::query(
            "INSERT INTO outcome (id, device, record, pressed_at_ms, refused) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (id) DO UPDATE SET refused = excluded.refused",
        )
        .bind(kept.record.id.to_string())
        .bind(kept.device.to_string())
        .bind(record)
        .bind(kept.pressed_at_ms)
        .bind(kept.refused)
        .execute(&mut *kept_together)
        .await
        .map_err(cannot)?;
        kept_together.commit().await.map_err(cannot)
    }

    /// The server has it.
    ///
    /// # Errors
    /// [`CannotKeep`].
    pub async fn remove(&self, id: OutcomeId) -> Result<(), CannotKeep> {
        let pool = self.pool().await?;
        sqlx::query("DELETE FROM outcome WHERE id = $1")
            .bind(id.to_string())
            .execute(&pool)
            .await
            .map_err(cannot)?;
        Ok(())
    }

    /// All rows, the oldest first. A row that cannot be read is left where it is and logged.
    ///
    /// # Errors
    /// [`CannotKeep`].
    pub async fn all(&self) -> Result<Vec<Kept>, CannotKeep> {
        let pool = self.pool().await?;
        let rows = sqlx::query(
            "SELECT id, device, record, pressed_at_ms, refused FROM outcome ORDER BY pressed_at_ms, id",
        )
        .fetch_all(&pool)
        .await
        .map_err(cannot)?;
        Ok(rows.iter().filter_map(read).collect())
    }

    /// The greatest id that was ever kept here.
    ///
    /// # Errors
    /// [`CannotKeep`].
    pub async fn last_id(&self) -> Result<Option<OutcomeId>, CannotKeep> {
        let pool = self.pool().await?;
        let id: Option<String> =
            sqlx::query_scalar("SELECT id FROM last_id").fetch_optional(&pool).await.map_err(cannot)?;
        Ok(id.and_then(|id| id.parse().ok()))
    }

    async fn pool(&self) -> Result<SqlitePool, CannotKeep> {
        let mut pool = self.pool.lock().await;
        if let Some(open) = &*pool {
            return Ok(open.clone());
        }
        let opened = open(&self.path).await?;
        *pool = Some(opened.clone());
        Ok(opened)
    }
}

async fn open(path: &Path) -> Result<SqlitePool, CannotKeep> {
    // SQLite would make the file with the umask's mode.
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(cannot)?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(cannot)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Extra)
        .pragma("secure_delete", "ON")
        .busy_timeout(Duration::from_secs(2));
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        // After a full disk SQLite has rolled back by itself, and sqlx takes the connection to be
        // in that transaction for ever: a new one goes on.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .acquire_timeout(Duration::from_secs(3))
        .connect_with(options)
        .await
        .map_err(cannot)?;
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS outcome (
             id TEXT PRIMARY KEY, device TEXT NOT NULL, record TEXT NOT NULL,
             pressed_at_ms INTEGER NOT NULL, refused INTEGER NOT NULL) STRICT",
    )
    .execute(&pool)
    .await
    .map_err(cannot)?;
    // The server takes the later id for the later press, also when this computer's clock was set back.
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS last_id (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL) STRICT",
    )
    .execute(&pool)
    .await
    .map_err(cannot)?;
    Ok(pool)
}

fn read(row: &sqlx::sqlite::SqliteRow) -> Option<Kept> {
    let id: String = row.try_get("id").ok()?;
    let kept = (|| {
        let record: String = row.try_get("record").ok()?;
        let device: String = row.try_get("device").ok()?;
        Some(Kept {
            record: serde_json::from_str(&record).ok()?,
            device: device.parse().ok()?,
            pressed_at_ms: row.try_get("pressed_at_ms").ok()?,
            refused: row.try_get::<i64, _>("refused").ok()? != 0,
        })
    })();
    if kept.is_none() {
        tracing::error!(id, "an outcome in the outbox cannot be read; it is left there");
    }
    kept
}

fn cannot(error: impl std::fmt::Display) -> CannotKeep {
    CannotKeep(error.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use protocol::{ids::AttemptId, outcome::Outcome};
    use uuid::Uuid;

    fn kept() -> Kept {
        Kept {
            record: RecordOutcome {
                id: OutcomeId::new(Uuid::now_v7()),
                attempt_id: AttemptId::new(Uuid::now_v7()),
                outcome: Outcome::Reached,
                note: Some("A note".to_owned()),
                again: None,
            },
            device: DeviceId::new(Uuid::now_v7()),
            pressed_at_ms: 1_700_000_000_000,
            refused: false,
        }
    }

    #[tokio::test]
    async fn a_row_is_there_after_a_crash_and_gone_after_the_server_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.sqlite");
        let (first, second) = (kept(), kept());
        {
            let outbox = Outbox::new(path.clone());
            outbox.keep(&first).await.unwrap();
            outbox.keep(&first).await.unwrap();
            outbox.keep(&second).await.unwrap();
            // No close: a crash does not close either.
        }
        let again = Outbox::new(path.clone());
        assert_eq!(again.all().await.unwrap(), [first.clone(), second.clone()]);
        again.remove(first.record.id).await.unwrap();
        again.keep(&Kept { refused: true, ..second.clone() }).await.unwrap();
        assert_eq!(again.all().await.unwrap(), [Kept { refused: true, ..second }]);
    }

    #[tokio::test]
    async fn the_last_id_outlives_its_row() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().join("outbox.sqlite"));
        assert_eq!(outbox.last_id().await.unwrap(), None);
        let (first, second) = (kept(), kept());
        outbox.keep(&second).await.unwrap();
        outbox.keep(&first).await.unwrap();
        outbox.remove(first.record.id).await.unwrap();
        outbox.remove(second.record.id).await.unwrap();
        let again = Outbox::new(folder.path().join("outbox.sqlite"));
        assert_eq!(again.last_id().await.unwrap(), Some(second.record.id));
    }

    #[tokio::test]
    async fn a_full_disk_that_is_emptied_takes_outcomes_again() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().join("outbox.sqlite"));
        let pool = outbox.pool().await.unwrap();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&pool).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")))
            .execute(&pool)
            .await
            .unwrap();
        let long = kept();
        let note = Some("x".repeat(20_000));
        let long = Kept { record: RecordOutcome { note, ..long.record }, ..long };
        assert!(outbox.keep(&long).await.is_err());
        // The limit is the connection's: the next one has none, like a disk with room again.
        sqlx::query("PRAGMA max_page_count = 1000000").execute(&pool).await.unwrap();
        outbox.keep(&long).await.unwrap();
        assert_eq!(outbox.all().await.unwrap(), [long]);
    }

    #[tokio::test]
    async fn only_its_owner_can_read_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.sqlite");
        Outbox::new(path.clone()).keep(&kept()).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_yet_is_no_reason_to_fail_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let later = folder.path().join("later");
        let outbox = Outbox::new(later.join("outbox.sqlite"));
        let row = kept();
        assert!(outbox.keep(&row).await.is_err(), "no folder: the caller must hear of it");
        std::fs::create_dir(&later).unwrap();
        outbox.keep(&row).await.unwrap();
        assert_eq!(outbox.all().await.unwrap(), [row]);
    }

    #[tokio::test]
    async fn a_row_that_makes_no_sense_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().join("outbox.sqlite"));
        let row = kept();
        outbox.keep(&row).await.unwrap();
        let pool = outbox.pool().await.unwrap();
        sqlx::query("INSERT INTO outcome VALUES ('x', 'y', '{', 0, 0)").execute(&pool).await.unwrap();
        assert_eq!(outbox.all().await.unwrap(), [row]);
    }
}
