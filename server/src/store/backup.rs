//! A copy of the whole database while it is in use.

use std::{io, os::unix::fs::PermissionsExt, path::Path};

use super::Store;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupRefused {
    /// Another file has this name.
    #[error("{0} is there already; choose another name")]
    Exists(String),
    /// The folder cannot be written.
    #[error("the copy could not be written: {0}")]
    Disk(#[from] io::Error),
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
        let copied = self.copy_to(&part).await;
        let size = match copied {
            Ok(()) => {
                std::fs::hard_link(&part, file)?;
                std::fs::metadata(file)?.len()
            }
            Err(error) => {
                remove(&part);
                return Err(error);
            }
        };
        remove(&part);
        Ok(size)
    }

    async fn copy_to(&self, part: &Path) -> Result<(), BackupRefused> {
        remove(part);
        // An empty file is as good as none to VACUUM INTO, and has its permissions from the start.
        std::fs::File::create_new(part)?.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        sqlx::query("VACUUM INTO $1").bind(part.display().to_string()).execute(self.reader()).await?;
        std::fs::File::open(part)?.sync_all()?;
        Ok(())
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
