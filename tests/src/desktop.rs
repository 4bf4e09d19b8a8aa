//! A desktop of its own for the app: screen, session bus, keyring, sound server, home folder. Virtual, and gone
//! when dropped.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use std::os::unix::fs::PermissionsExt;

use crate::{
    child::{Child, poll},
    networks::{Home, Net},
    sound_server::SoundServer,
};

/// Light or dark, as the system tells the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The desktop.
pub struct Desktop {
    /// What talks and listens.
    pub sound: SoundServer,
    /// Where it stands.
    pub net: Arc<Net>,
    environment: Vec<(String, String)>,
    home: PathBuf,
    folder: PathBuf,
    // Ended in this order.
    keyring: Option<Child>,
    _bus: Child,
    _screen: Child,
}

const PATIENCE: Duration = Duration::from_secs(15);

impl Desktop {
    /// Starts all of it in a volunteer's home and a folder; logs go into the folder too. Without a keyring the app must do with memory.
    ///
    /// # Errors
    /// When a program is not installed or does not come up.
    pub async fn start(home: &Home, folder: &Path, with_keyring: bool) -> Result<Self> {
        let sound = SoundServer::start(folder).await?;
        Self::start_around(home.net(), sound, folder, with_keyring, false).await
    }

    /// With a keyring, and both virtual sound devices on one clock.
    ///
    /// # Errors
    /// As [`Desktop::start`].
    pub async fn start_on_one_clock(home: &Home, folder: &Path) -> Result<Self> {
        let sound = SoundServer::start_on_one_clock(folder).await?;
        Self::start_around(home.net(), sound, folder, true, false).await
    }

    /// With a keyring, and the bus by which screen readers read windows (AT-SPI).
    ///
    /// # Errors
    /// As [`Desktop::start`].
    pub async fn start_for_screen_readers(home: &Home, folder: &Path) -> Result<Self> {
        let sound = SoundServer::start(folder).await?;
        Self::start_around(home.net(), sound, folder, true, true).await
    }

    /// With a keyring, in the harness's own network: where somebody looks at the demo, which is all on one machine.
    ///
    /// # Errors
    /// As [`Desktop::start`].
    pub async fn start_of_the_demo(folder: &Path) -> Result<Self> {
        let sound = SoundServer::start(folder).await?;
        Self::start_around(&Net::here()?, sound, folder, true, false).await
    }

    async fn start_around(
        net: &Arc<Net>,
        sound: SoundServer,
        folder: &Path,
        with_keyring: bool,
        readers: bool,
    ) -> Result<Self> {
        let home = folder.join("home");
        let run = folder.join("run");
        for private in [&home, &run] {
            std::fs::create_dir_all(private)?;
            std::fs::set_permissions(private, std::fs::Permissions::from_mode(0o700))?;
        }
        let under = |name: &str| home.join(name).display().to_string();
        let mut environment = vec![
            ("HOME".to_owned(), home.display().to_string()),
            ("XDG_RUNTIME_DIR".to_owned(), run.display().to_string()),
            ("XDG_DATA_HOME".to_owned(), under("data")),
            ("XDG_CONFIG_HOME".to_owned(), under("config")),
            ("XDG_CACHE_HOME".to_owned(), under("cache")),
            ("XDG_STATE_HOME".to_owned(), under("state")),
        ];
        if !readers {
            environment
                .extend([("GTK_A11Y", "none"), ("NO_AT_BRIDGE", "1")].map(|(k, v)| (k.into(), v.into())));
        }
        for name in ["data/keyrings", "config", "cache", "state"] {
            std::fs::create_dir_all(home.join(name))?;
        }
        environment.extend(sound.environment().iter().cloned());
        let (screen, display) = screen(net, folder)?;
        environment.push(("DISPLAY".to_owned(), display));
        let (bus, address) = bus(net, folder, &environment, with_keyring)?;
        environment.push(("DBUS_SESSION_BUS_ADDRESS".to_owned(), address));
        let keyring = if with_keyring { Some(keyring(net, folder, &environment).await?) } else { None };
        let folder = folder.to_owned();
        let net = Arc::clone(net);
        Ok(Self { sound, net, environment, home, folder, keyring, _bus: bus, _screen: screen })
    }

    /// Starts a keyring where there was none.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn bring_keyring(&mut self) -> Result<()> {
        self.keyring = Some(keyring(&self.net, &self.folder, &self.environment).await?);
        Ok(())
    }

    /// What a program needs in its environment to be on this desktop.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Where the programs on this desktop keep their files.
    pub fn home(&self) -> &Path {
        &self.home
    }
}

fn screen(net: &Arc<Net>, folder: &Path) -> Result<(Child, String)> {
    let mut command = Command::new("Xvfb");
    command.args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"]);
    let mut screen = Child::start_with(
        Some(net),
        "Xvfb",
        command,
        &folder.join("xvfb.log"),
        Stdio::null(),
        Some(Stdio::piped()),
    )?;
    let number = first_line(&mut screen)?;
    Ok((screen, format!(":{number}")))
}

/// A bus that starts no service by itself. A session's starts a keyring when it is asked for one.
const ALONE: &str = r#"<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"#;

fn bus(
    net: &Arc<Net>,
    folder: &Path,
    environment: &[(String, String)],
    services: bool,
) -> Result<(Child, String)> {
    let mut command = Command::new("dbus-daemon");
    let address = format!("--address=unix:path={}", folder.join("bus").display());
    command.args(["--nofork", "--nopidfile", "--print-address=1", &address]);
    if services {
        command.arg("--session");
    } else {
        let alone = folder.join("bus.conf");
        std::fs::write(&alone, ALONE)?;
        command.arg(format!("--config-file={}", alone.display()));
    }
    command.envs(environment.iter().cloned());
    let mut bus = Child::start_with(
        Some(net),
        "dbus-daemon",
        command,
        &folder.join("bus.log"),
        Stdio::null(),
        Some(Stdio::piped()),
    )?;
    let address = first_line(&mut bus)?;
    Ok((bus, address))
}

/// Unlocked with a password that nobody knows afterwards.
async fn keyring(net: &Arc<Net>, folder: &Path, environment: &[(String, String)]) -> Result<Child> {
    let mut command = Command::new("gnome-keyring-daemon");
    command.args(["--unlock", "--foreground", "--components=secrets"]).envs(environment.iter().cloned());
    let log = folder.join("keyring.log");
    let mut keyring =
        Child::start_with(Some(net), "gnome-keyring-daemon", command, &log, Stdio::piped(), None)?;
    let password = uuid::Uuid::now_v7().simple().to_string();
    keyring.stdin().context("its input is a pipe")?.write_all(password.as_bytes())?;
    let owned = || async {
        let asked = Command::new("dbus-send")
            .args(["--session", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/"])
            .args(["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"])
            .envs(environment.iter().cloned())
            .output();
        asked.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("true"))
    };
    poll("the keyring", PATIENCE, owned).await?;
    keyring.still_runs()?;
    Ok(keyring)
}

fn first_line(child: &mut Child) -> Result<String> {
    let mut line = String::new();
    BufReader::new(child.stdout().context("its output is a pipe")?).read_line(&mut line)?;
    if line.trim().is_empty() {
        child.still_runs()?;
    }
    ensure!(!line.trim().is_empty(), "it said nothing: see {}", child.log().display());
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Networks;

    #[tokio::test(flavor = "multi_thread")]
    async fn everything_comes_up_and_nothing_stays_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Networks::lay().and_then(|networks| networks.home()).expect("a home");
        let desktop = Desktop::start(&home, folder.path(), true).await.expect("a desktop");
        let ids = [desktop.sound.id(), desktop._bus.id(), desktop._screen.id()];
        assert!(ids.iter().all(|id| Path::new(&format!("/proc/{id}")).exists()));
        drop(desktop);
        assert!(!ids.iter().any(|id| Path::new(&format!("/proc/{id}")).exists()));
    }
}
