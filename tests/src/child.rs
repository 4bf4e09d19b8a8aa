//! A program that the harness started: its own process group, its output in a file, gone when dropped.

use std::{
    fs::File,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child as Process, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::{networks::Net, pbx::project};

/// A running program.
pub struct Child {
    name: String,
    process: Process,
    /// From then on its number may be another's.
    ended: Option<ExitStatus>,
    log: PathBuf,
    /// The kernel ends it with the thread that started it, which is the network's.
    _net: Option<Arc<Net>>,
}

impl Child {
    /// Starts a program. Should the harness itself be killed, the kernel ends the program (`setpriv`), and
    /// `scripts/guard` the rest of its group.
    ///
    /// # Errors
    /// When the program cannot be started, or its log file not be made.
    pub fn start(name: &str, command: Command, log: &Path) -> Result<Self> {
        Self::start_with(None, name, command, log, Stdio::null(), None)
    }

    /// The same in another network than the harness's own.
    ///
    /// # Errors
    /// As [`Child::start`].
    pub fn start_in(net: &Arc<Net>, name: &str, command: Command, log: &Path) -> Result<Self> {
        Self::start_with(Some(net), name, command, log, Stdio::null(), None)
    }

    /// The same, with its standard input, and its standard output elsewhere than in the log.
    ///
    /// # Errors
    /// As [`Child::start`].
    pub fn start_with(
        net: Option<&Arc<Net>>,
        name: &str,
        command: Command,
        log: &Path,
        stdin: Stdio,
        stdout: Option<Stdio>,
    ) -> Result<Self> {
        let file =
            File::options().create(true).append(true).open(log).with_context(|| log.display().to_string())?;
        let mut outer = Command::new("setpriv");
        outer.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => outer.env(key, value),
                None => outer.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            outer.current_dir(folder);
        }
        outer.stdin(stdin).stderr(file.try_clone()?);
        outer.stdout(stdout.unwrap_or_else(|| file.into())).process_group(0);
        let started = match net {
            Some(net) => net.enter(move || outer.spawn())?,
            None => outer.spawn(),
        };
        let process =
            started.with_context(|| format!("starting {name}; is util-linux's setpriv installed?"))?;
        tell_guard(&format!("+{}", process.id()))?;
        let _net = net.cloned();
        Ok(Self { name: name.to_owned(), process, ended: None, log: log.to_owned(), _net })
    }

    /// Its process id, which is its group's too; nobody's once it has ended.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it was given as standard input, if that was a pipe.
    pub fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.process.stdin.take()
    }

    /// What it says on standard output, if that is a pipe.
    pub fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.process.stdout.take()
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Fails, with the end of its log, once it has ended.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn still_runs(&mut self) -> Result<()> {
        let Some(status) = self.look()? else { return Ok(()) };
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(15).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("{} ended by itself ({status}); the end of its log:\n{}", self.name, tail.join("\n"))
    }

    /// Ends it at once, as a crash or a power cut would (SIGKILL to its group).
    pub fn kill(&mut self) {
        if self.ended.is_none() {
            self.signal(Signal::KILL);
            let _ = self.bury();
        }
    }

    /// Asks it to end (SIGTERM), and kills it if it has not within the time.
    pub fn stop(&mut self, patience: Duration) -> Option<ExitStatus> {
        if self.ended.is_some() {
            return self.ended;
        }
        self.signal(Signal::TERM);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.look() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
        None
    }

    /// Its status, if it has ended; then what it left in its group is ended too.
    fn look(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_some() {
            return Ok(self.ended);
        }
        let id = self.group().context("a process has a number")?;
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::Pid(id), ended)?.is_none() {
            return Ok(None);
        }
        self.signal(Signal::KILL); // before it is waited for: until then the number is its own
        self.bury()
    }

    fn bury(&mut self) -> Result<Option<ExitStatus>> {
        self.ended = Some(self.process.wait()?);
        let _ = tell_guard(&format!("-{}", self.process.id()));
        Ok(self.ended)
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group() {
            let _ = kill_process_group(group, signal);
        }
    }

    fn group(&self) -> Option<Pid> {
        i32::try_from(self.process.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.stop(Duration::from_secs(3));
    }
}

/// Has a folder removed once this process and all that it started are gone, even if it is killed.
///
/// # Errors
/// When the guard cannot be started, or the folder has a name that is not text of one line.
pub fn remove_at_the_end(folder: &Path) -> Result<()> {
    let name = folder.to_str().filter(|name| !name.contains('\n'));
    let name = name.with_context(|| format!("not a name for a shell: {}", folder.display()))?;
    tell_guard(&format!("then rm -rf -- '{}'", name.replace('\'', r"'\''")))
}

/// Tells `scripts/guard` a line; started with the first one, it acts when this process is gone.
fn tell_guard(line: &str) -> Result<()> {
    static GUARD: Mutex<Option<Process>> = Mutex::new(None);
    let mut guard = GUARD.lock().unwrap_or_else(PoisonError::into_inner);
    let guard = match &mut *guard {
        Some(guard) => guard,
        none => none.insert(
            Command::new("setsid")
                .arg(project().join("scripts/guard"))
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .context("starting scripts/guard; is util-linux's setsid installed?")?,
        ),
    };
    let pipe = guard.stdin.as_mut().context("its input is a pipe")?;
    writeln!(pipe, "{line}").context("scripts/guard has ended")
}

/// A program that deals in sound, before others as a desktop's rtkit would have it: on a busy machine, CI's,
/// 10 ms are else soon missed. Where the right to it is missing, `nice` says so in the log and goes on.
pub fn sound_program(name: &str) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "-11", name]);
    command
}

/// Polls a condition for which there is no event, until it holds or the time is over.
///
/// # Errors
/// When the time is over; `what` says what was waited for.
pub async fn poll<F, Fut>(what: &str, patience: Duration, mut holds: F) -> Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = Instant::now() + patience;
    while !holds().await {
        if Instant::now() > deadline {
            bail!("waited {} s in vain for {what}", patience.as_secs_f32());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, log: &Path) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Child::start("sh", command, log).expect("a shell")
    }

    #[test]
    fn what_has_ended_is_signalled_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = shell("exit 3", &folder.path().join("log"));
        let deadline = Instant::now() + Duration::from_secs(10);
        while child.still_runs().is_ok() {
            assert!(Instant::now() < deadline, "it never ended");
        }
        let said = child.still_runs().expect_err("it has ended").to_string();
        assert!(said.contains("exit status: 3"), "{said}");
        assert_eq!(child.stop(Duration::ZERO).and_then(|status| status.code()), Some(3));
    }

    #[test]
    fn a_group_ends_with_its_head() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        // The sleeper keeps the lock for as long as it lives.
        let mut child = shell(&format!("exec 9>'{}'; flock 9; sleep 600 & exit 0", log.display()), &log);
        let deadline = Instant::now() + Duration::from_secs(10);
        while child.still_runs().is_ok() {
            assert!(Instant::now() < deadline, "it never ended");
        }
        let free = Command::new("flock").args(["--wait", "5"]).arg(&log).arg("true").status().expect("flock");
        assert!(free.success(), "the sleeper still runs");
    }
}
