//! A copy of the whole database while it is in use.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

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
        // Beside the target, so that the rename stays on one disk; only its owner may enter.
        let part = folder.join(format!(".ringround-backup-{}", std::process::id()));
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
        remove(part);
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

fn remove(part: &Path) {
    // Nothing to remove is the usual case.
    if let Err(error) = std::fs::remove_file(part)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "an unfinished copy could not be removed");
    }
}
