//! A small disk under the server's data folder. `scripts/in-net` gives each run mounts of its own, so nothing is left
//! behind, whatever happens.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

/// A tmpfs of 16 MB. Unmounted when dropped.
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Mounts it at a folder, which is made.
    ///
    /// # Errors
    /// When it may not be mounted.
    pub fn mount(at: &Path) -> Result<Self> {
        std::fs::create_dir_all(at)?;
        run("mount", &["-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", &at.display().to_string()])?;
        Ok(Self { at: at.to_owned() })
    }

    /// Makes it read-only, or writable again. Refused while a file on it is open for writing.
    ///
    /// # Errors
    /// When it is in use.
    pub fn read_only(&self, yes: bool) -> Result<()> {
        let how = if yes { "remount,ro" } else { "remount,rw" };
        run("mount", &["-o", how, &self.at.display().to_string()])
    }

    /// Writes until nothing more fits.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn fill(&self) -> Result<()> {
        let mut file = std::fs::File::create(self.at.join("filler"))?;
        let page = [0x55; 4096];
        while file.write_all(&page).is_ok() {}
        Ok(())
    }

    /// Makes room again.
    ///
    /// # Errors
    /// When it was not full.
    pub fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.at.join("filler"))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(
        output.status.success(),
        "{program} {}: {} (use scripts/in-net)",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
