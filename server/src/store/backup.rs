//! A copy of the whole database while it is in use.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use uuid::Uuid;

use super::{Store, restore};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupRefused {
    /// Another file has this name.
    #[error("{0} is there already; choose another name")]
    Exists(String),
    /// The folder cannot be written.
    #[error("{0} could not be written: {1}")]
    Disk(String, io::Error),
    /// The database could not write it.
    #[error("the copy could not be written: {0}")]
    Database(#[from] sqlx::Error),
}

impl Store {
    /// Writes a whole, compact copy to `file`, for its owner only. A copy that could not be finished
    /// leaves nothing behind. Answers with its size in bytes.
    pub async fn back_up(&self, file: &Path) -> Result<u64, BackupRefused> {
        if file.exists() {
            return Err(BackupRefused::Exists(file.display().to_string()));
        }
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Beside the target, so that both names are on one disk; of its own, as two may be made at once.
        let part = folder.join(format!(".ringround-backup-{}", Uuid::now_v7()));
        let copied = match self.copy_to(&part).await {
            Ok(bytes) => match give_name(&part, file) {
                Ok(()) => Ok(bytes),
                Err(error) => Err(BackupRefused::Disk(file.display().to_string(), error)),
            },
            Err(error) => Err(error),
        };
        remove(&part);
        copied
    }

    async fn copy_to(&self, part: &Path) -> Result<u64, BackupRefused> {
        let folder = part.parent().unwrap_or(Path::new("."));
        let disk =
            |e: io::Error| BackupRefused::Disk(format!("a file in the folder {}", folder.display()), e);
        // An empty file is as good as none to VACUUM INTO, and has its permissions from the start.
        let copy = for_its_owner(part).map_err(disk)?;
        sqlx::query("VACUUM INTO $1").bind(part.display().to_string()).execute(self.reader()).await?;
        copy.write_all_at(&restore::MARK, restore::MARK_AT).map_err(disk)?;
        copy.sync_all().map_err(disk)?;
        Ok(copy.metadata().map_err(disk)?.len())
    }
}

/// A new, empty file that nobody else can open, not even for the moment after it was made.
pub(super) fn for_its_owner(file: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)
}

/// Never over a file that is there. A disk without hard links, as a USB stick, gets a copy.
fn give_name(part: &Path, file: &Path) -> io::Result<()> {
    match std::fs::hard_link(part, file) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => {
            let mut copy = for_its_owner(file)?;
            let copied = std::fs::File::open(part).and_then(|mut part| io::copy(&mut part, &mut copy));
            copied.and_then(|_| copy.sync_all()).inspect_err(|_| remove(file))
        }
    }
}

/// Removes an unfinished copy, if there is one.
pub(super) fn remove(part: &Path) {
    // Nothing to remove is the usual case.
    if let Err(error) = std::fs::remove_file(part)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "an unfinished copy could not be removed");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use crate::store::{FILE, Store, fixture::Hall};

    #[tokio::test]
    async fn two_copies_made_at_once_into_one_folder_are_both_whole() {
        let hall = Hall::new(500, 1).await;
        let to = tempfile::tempdir().unwrap();
        let files = ["timer.db", "organiser.db"].map(|name| to.path().join(name));
        let copied = tokio::join!(hall.store.back_up(&files[0]), hall.store.back_up(&files[1]));
        for (file, copied) in files.iter().zip([copied.0, copied.1]) {
            assert_eq!(file.metadata().unwrap().len(), copied.unwrap());
            let folder = tempfile::tempdir().unwrap();
            std::fs::copy(file, folder.path().join(FILE)).unwrap();
            let copy = Store::open(folder.path()).await.unwrap();
            let row = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM contacts").fetch_one(copy.reader());
            assert_eq!(row.await.unwrap(), 500);
        }
        assert_eq!(to.path().read_dir().unwrap().count(), files.len(), "nothing unfinished is left");
    }
}
