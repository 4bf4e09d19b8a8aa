//! A backup takes the database's place, while no server runs.
//!
//! A crashed server leaves `-wal` beside its database: SQLite would apply those writes to any file that
//! is put under the database's name. So [`restore`] moves them away together with the old database, and
//! backups bear a mark by which a copy made by hand is seen at the start.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use sqlx::{
    Connection, Row, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};

use super::{FILE, MIGRATIONS, StoreError, backup};

/// The application id in the header of a file that `backup` wrote. A database in use has none.
pub(super) const MARK: [u8; 4] = *b"RRbk";
/// Where SQLite keeps it, <https://sqlite.org/fileformat2.html#application_id>.
pub(super) const MARK_AT: u64 = 68;

/// What SQLite puts beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Why nothing was restored; the database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreRefused {
    /// It is what is there now.
    #[error("{0} is the database in use; name the backup")]
    Same(String),
    /// A file that cannot be read or written.
    #[error("{0}: {1}; the database is as it was")]
    Disk(String, io::Error),
    /// Something else, or an empty file.
    #[error("{0} is no database of Ringround; the database here is as it was")]
    NotOurs(String),
    /// Made by a later version.
    #[error("{0} was written by a newer version of ringround-server; restore it with that version")]
    Newer(String),
    /// Pages or rows are missing.
    #[error("{0} is damaged ({1}); the database here is as it was. Is there an older backup?")]
    Damaged(String, String),
}

/// Checks a copy of `backup`, moves the database in `folder` aside, and puts the copy in its place. The
/// caller holds the folder's lock. Answers with the old database's new place, if there was one.
///
/// # Errors
/// [`RestoreRefused`]: nothing was changed.
pub async fn restore(backup: &Path, folder: &Path) -> Result<Option<PathBuf>, RestoreRefused> {
    let file = folder.join(FILE);
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| RestoreRefused::Disk(path, error)
    };
    let real = backup.canonicalize().map_err(at(backup))?;
    if file.canonicalize().is_ok_and(|file| file == real) {
        return Err(RestoreRefused::Same(backup.display().to_string()));
    }
    let new = folder.join("restoring.db");
    remove_all(&new).map_err(at(&new))?;
    let ready = async {
        copy(backup, &new).map_err(at(backup))?;
        // One that was moved aside has its last writes beside it.
        if beside(backup, "-wal").exists() {
            copy(&beside(backup, "-wal"), &beside(&new, "-wal")).map_err(at(backup))?;
        }
        check(&new, &backup.display().to_string()).await?;
        File::open(&new).and_then(|file| file.sync_all()).map_err(at(&new))
    };
    let old = match ready.await {
        Ok(()) => exchange(&file, &new, folder).map_err(at(&file)),
        Err(refused) => Err(refused),
    };
    if old.is_err() {
        // Why it was refused matters more; the next try removes what is left.
        let _ = remove_all(&new);
    }
    old
}

/// Whether the file at the database's place is a backup that was copied there by hand.
///
/// # Errors
/// When a crashed server's last writes lie beside it.
pub(super) fn look_for_a_copy(file: &Path) -> Result<bool, StoreError> {
    let mut mark = [0; 4];
    // No file, or a short one, is no backup; what else is wrong is seen when it is opened.
    let read = File::open(file).and_then(|file| file.read_exact_at(&mut mark, MARK_AT));
    if read.is_err() || mark != MARK {
        return Ok(false);
    }
    let left = beside(file, "-wal");
    if std::fs::metadata(&left).is_ok_and(|left| left.len() > 0) {
        return Err(StoreError::Open(format!(
            "{} is a copy from a backup, and {} belongs to the database that was there before; together they \
             would be a mixture of both. Move the copy elsewhere, and run: ringround-server restore FILE",
            file.display(),
            left.display()
        )));
    }
    Ok(true)
}

/// A copy that is in use is a backup no more. The mark is gone from the file itself, not only beside it.
pub(super) async fn unmark(writer: &SqlitePool) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA application_id = 0").execute(writer).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await?;
    Ok(())
}

/// Opens it, which takes in its last writes, and leaves one whole, unmarked file.
async fn check(new: &Path, name: &str) -> Result<(), RestoreRefused> {
    let damaged = |e: sqlx::Error| RestoreRefused::Damaged(name.to_owned(), e.to_string());
    let not_ours = |e: sqlx::Error| {
        // 11 is SQLITE_CORRUPT, <https://sqlite.org/rescode.html>.
        let code = e.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i32>().ok());
        if code.is_some_and(|code| code & 0xff == 11) {
            damaged(e)
        } else {
            RestoreRefused::NotOurs(name.to_owned())
        }
    };
    let options = SqliteConnectOptions::new().filename(new).journal_mode(SqliteJournalMode::Delete);
    let mut database = SqliteConnection::connect_with(&options).await.map_err(not_ours)?;
    let done = sqlx::query("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&mut database)
        .await
        .map_err(not_ours)?;
    let mut known = MIGRATIONS.iter();
    for row in &done {
        let version: i64 = row.try_get(0).map_err(damaged)?;
        let checksum: Vec<u8> = row.try_get(1).map_err(damaged)?;
        match known.next() {
            Some(migration) if migration.version == version && *migration.checksum == *checksum => {}
            Some(_) => return Err(RestoreRefused::NotOurs(name.to_owned())),
            None => return Err(RestoreRefused::Newer(name.to_owned())),
        }
    }
    if done.is_empty() {
        return Err(RestoreRefused::NotOurs(name.to_owned()));
    }
    let found: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut database).await.map_err(damaged)?;
    if found != "ok" {
        return Err(RestoreRefused::Damaged(name.to_owned(), found));
    }
    let orphans = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut database).await.map_err(damaged)?;
    if !orphans.is_empty() {
        let why = format!("{} rows belong to others that are not there", orphans.len());
        return Err(RestoreRefused::Damaged(name.to_owned(), why));
    }
    sqlx::query("PRAGMA application_id = 0").execute(&mut database).await.map_err(damaged)?;
    database.close().await.map_err(damaged)
}

/// What lies beside the database goes first: it must never meet the new one.
fn exchange(file: &Path, new: &Path, folder: &Path) -> io::Result<Option<PathBuf>> {
    let old = free_name(folder);
    let mut moved: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut step = || {
        for suffix in BESIDE.into_iter().chain([""]) {
            let (from, to) = (beside(file, suffix), beside(&old, suffix));
            match std::fs::rename(&from, &to) {
                Ok(()) => moved.push((from, to)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        std::fs::rename(new, file)
    };
    if let Err(error) = step() {
        for (from, to) in moved.iter().rev() {
            std::fs::rename(to, from)?;
        }
        return Err(error);
    }
    File::open(folder)?.sync_all()?;
    Ok(old.exists().then_some(old))
}

/// "before-restore-20261130T180500Z.db", or the second of that name, ...
fn free_name(folder: &Path) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let first = folder.join(format!("before-restore-{now}.db"));
    let more = (2..).map(|n: u32| folder.join(format!("before-restore-{now}-{n}.db")));
    std::iter::once(first.clone()).chain(more).find(|name| !name.exists()).unwrap_or(first)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut to = backup::for_its_owner(to)?;
    io::copy(&mut File::open(from)?, &mut to)?;
    Ok(())
}

fn remove_all(file: &Path) -> io::Result<()> {
    for suffix in BESIDE.into_iter().chain([""]) {
        match std::fs::remove_file(beside(file, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    name.into()
}
