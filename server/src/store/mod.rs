//! The database: the only place with SQL. One writer, several readers, one file.
//!
//! Methods of [`Store`] stand in one file for each kind of row. A write answers
//! [`StoreError::NoStorage`] when the disk is full or read-only, and nothing of it is kept.

pub mod attempts;
pub mod backup;
pub mod campaigns;
pub mod contacts;
pub mod devices;
pub mod do_not_call;
pub mod error;
#[cfg(test)]
pub(crate) mod fixture;
pub mod imports;
pub mod join_links;
pub mod leases;
pub mod outcomes;
pub mod pace;
pub mod people;
pub mod restore;
pub mod results;
pub mod sign_ins;
#[cfg(test)]
mod tests;
pub mod trunks;
pub mod undo;

use std::{
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sqlx::{
    Connection, Row, Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

pub use error::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The file's name in the data folder.
pub const FILE: &str = "ringround.db";

/// The database, cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    folder: PathBuf,
}

impl Store {
    /// Opens `ringround.db` in `folder`, and brings its tables up to date. Before each migration of a
    /// file with rows in it, the file is copied to `before-NNNN.db` beside it.
    ///
    /// # Errors
    /// [`StoreError::Open`], in words for the organiser: also when a backup was copied over the file of a
    /// server that crashed, whose last writes would be mixed into it.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let file = folder.join(FILE);
        let copied_by_hand = restore::look_for_a_copy(&file)?;
        // The write-ahead files that SQLite makes beside it take over these permissions.
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&file)
            .map_err(|e| StoreError::Open(format!("{}: {e}", file.display())))?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let opened = |e: sqlx::Error| StoreError::Open(format!("{}: {e}", file.display()));
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            // After a full disk SQLite has rolled back by itself, and sqlx takes the connection to be
            // in that transaction for ever: a new one goes on.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(opened)?;
        if copied_by_hand {
            restore::unmark(&writer).await.map_err(opened)?;
        }
        migrate(&writer, folder).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.read_only(true))
            .await
            .map_err(opened)?;
        Ok(Self { writer, readers, folder: folder.to_owned() })
    }

    /// For `SELECT`s that need not see an open write.
    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.readers
    }

    /// For a single statement that writes.
    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// For several statements that are kept together or not at all. Takes the write lock at once.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Whether a row can be written now.
    ///
    /// # Errors
    /// [`StoreError::NoStorage`] when the disk refuses.
    pub async fn probe(&self, now_ms: i64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO settings (name, value) VALUES ('probed_at', $1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(now_ms.to_string())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The folder the file lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Finishes what was begun and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Reads a column of UUID text as an identifier.
pub(crate) fn id<T>(row: &SqliteRow, column: &str) -> Result<T, StoreError>
where
    T: FromStr<Err = uuid::Error>,
{
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|e: uuid::Error| damaged(column, e))
}

/// A column holds what no version of the server writes.
pub(crate) fn damaged(
    column: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Fault(sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() })
}

async fn migrate(writer: &SqlitePool, folder: &Path) -> Result<(), StoreError> {
    let done: i64 = match sqlx::query("SELECT max(version) FROM _sqlx_migrations").fetch_one(writer).await {
        Ok(row) => row.try_get::<Option<i64>, _>(0)?.unwrap_or(0),
        Err(_) => 0, // a new file
    };
    for migration in MIGRATIONS.iter().filter(|m| m.version > done) {
        if done > 0 {
            copy_before(migration.version, writer, folder).await?;
        }
        MIGRATIONS.run_to(migration.version, writer).await.map_err(|e| StoreError::Open(e.to_string()))?;
    }
    // Also when none was new: refuses a file of a newer server, and a changed migration.
    MIGRATIONS.run(writer).await.map_err(|e| StoreError::Open(e.to_string()))
}

/// The copy has its name when it is whole: a start that is killed meanwhile leaves none that looks like one.
async fn copy_before(version: i64, writer: &SqlitePool, folder: &Path) -> Result<(), StoreError> {
    let copy = folder.join(format!("before-{version:04}.db"));
    if copy.exists() {
        return Ok(());
    }
    let part = folder.join(format!(".before-{version:04}"));
    let refused = |e: std::io::Error| StoreError::Open(format!("{}: {e}", copy.display()));
    backup::remove(&part);
    let whole = backup::for_its_owner(&part).map_err(refused)?;
    let copied = sqlx::query("VACUUM INTO $1").bind(part.display().to_string()).execute(writer).await;
    if let Err(error) = copied {
        backup::remove(&part);
        return Err(error.into());
    }
    whole.sync_all().and_then(|()| std::fs::rename(&part, &copy)).map_err(refused)
}
