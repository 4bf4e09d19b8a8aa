//! What this computer remembers between runs and nobody must hide: which device it is, at which
//! server, and the chosen sound devices. One JSON file.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use protocol::{campaign::Campaign, ids::DeviceId};
use serde::{Deserialize, Serialize};
use url::Url;

/// The content of `settings.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The device that this computer is, once it joined.
    pub device: Option<Device>,
    /// Devices that it was, whose last outcomes their servers are still to be given.
    pub left: Vec<Device>,
    /// Id of the microphone; `None`: the system's choice.
    pub microphone: Option<String>,
    /// Id of the loudspeaker; `None`: the system's choice.
    pub speaker: Option<String>,
}

/// A device that joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id, which is also the names of its secrets in the keyring.
    pub id: DeviceId,
    /// The server's origin.
    pub server: Url,
    /// SHA-256 of the authority's public key, base64url; `None`: the system's authorities.
    pub authority: Option<String>,
    /// The volunteer's name, to show before the server is reached.
    pub volunteer: String,
    /// The campaign, to show before the server is reached.
    pub campaign: Campaign,
}

/// Reads the file; without one, or with one that makes no sense, this is a computer that never joined.
pub fn read(folder: &Path) -> Settings {
    let path = file(folder);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::error!(%error, "the settings make no sense; starting with none");
            Settings::default()
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Settings::default(),
        Err(error) => {
            tracing::error!(%error, "the settings cannot be read; starting with none");
            Settings::default()
        }
    }
}

/// Writes the file whole: after a crash there is the old one or the new one.
///
/// # Errors
/// When the disk is full or read-only.
pub fn write(folder: &Path, settings: &Settings) -> io::Result<()> {
    let path = file(folder);
    let fresh = path.with_extension("json.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec_pretty(settings)?)?;
    file.sync_all()?;
    fs::rename(&fresh, &path)?;
    // The new name, too; not every file system of a network can do that.
    match fs::File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("settings.json")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn settings_read_back_and_nonsense_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()), Settings::default());
        let settings = Settings { microphone: Some("pulse:mic".to_owned()), ..Settings::default() };
        write(folder.path(), &settings).unwrap();
        assert_eq!(read(folder.path()), settings);
        fs::write(folder.path().join("settings.json"), b"\xff{").unwrap();
        assert_eq!(read(folder.path()), Settings::default());
    }
}
