//! `scripts/demo` on a desktop, for somebody who is not root: its window joins by the link, and after a Ctrl-C nothing
//! that it started is left, and none of its files.

use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use e2e::{child::poll, desktop::Desktop, pbx::project, ringround, window::app};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;

use crate::nothing_stays_behind::of_folder;

const NOBODY: u32 = 65_534;

#[tokio::test(flavor = "multi_thread")]
async fn joins_by_its_link_and_leaves_nothing() {
    if !geteuid().is_root() {
        return shown().await;
    }
    // The demo refuses root: this test once more, as somebody else.
    let folder = tempfile::Builder::new().prefix("rr").tempdir().unwrap();
    let again = as_nobody(folder.path())
        .arg(env::current_exe().unwrap())
        .args(["--exact", "the_demo_with_a_window::joins_by_its_link_and_leaves_nothing", "--nocapture"])
        .env("TMPDIR", folder.path())
        .env("HOME", folder.path())
        .env("XDG_CACHE_HOME", cache().parent().unwrap())
        .env("RINGROUND_SERVER", ringround::built().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    let passed = again.status.success() && said.contains("1 passed");
    assert!(passed, "{}\n{said}{}", again.status, String::from_utf8_lossy(&again.stderr));
}

/// By `setpriv`, where that is possible: with the right to read what is root's here, as one reads a clone of one's
/// own, and none to write it. As the root of a name space of users, by one more of them.
fn as_nobody(home: &Path) -> Command {
    let mut other = Command::new("setpriv");
    other.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    other.args(["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--"]);
    let arguments: Vec<_> = other.get_args().map(ToOwned::to_owned).collect();
    let possible = Command::new("setpriv").args(&arguments).arg("true").stderr(Stdio::null()).status();
    if possible.unwrap().success() {
        std::os::unix::fs::chown(home, Some(NOBODY), Some(NOBODY)).unwrap();
        return other;
    }
    let mut other = Command::new("unshare");
    other.args(["--user", &format!("--map-user={NOBODY}"), &format!("--map-group={NOBODY}"), "--"]);
    other
}

async fn shown() {
    let folder = tempfile::Builder::new().prefix("rr").tempdir().unwrap();
    let desktop = Desktop::start_of_the_demo(folder.path()).await.unwrap();
    // Asterisk and the voices are what set-up made for whoever runs this.
    std::os::unix::fs::symlink(cache(), desktop.home().join("cache/ringround")).unwrap();
    let (said, mark) = (folder.path().join("said"), folder.path().join("of the demo"));
    // Where this test runs in the background of a shell, Ctrl-C would be ignored by all that it starts.
    let mut demo = Command::new("env")
        .arg("--default-signal=INT")
        .arg(project().join("scripts/demo"))
        .arg("--no-build")
        .envs(desktop.environment().iter().cloned())
        .env("RINGROUND_APP", app())
        .env("RINGROUND_SERVER", ringround::built().unwrap())
        .env("RINGROUND_MARK", &mark)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let tells = |what: &str| std::fs::read_to_string(&said).unwrap().contains(what);
    let joined = async || tells("the app is open, joined by its link: press Start, then Call");
    let joined = poll("the demo", Duration::from_secs(45), joined).await;
    joined.unwrap_or_else(|error| panic!("{error}: {}", std::fs::read_to_string(&said).unwrap()));
    let names = of_folder(&mark);
    let [stage] = &stages(&desktop)[..] else { panic!("not one folder: {:?}", stages(&desktop)) };
    let people = Command::new(ringround::built().unwrap())
        .arg("--data")
        .arg(stage.join("server"))
        .args(["--json", "people", "list"])
        .output()
        .unwrap();

    kill_process(Pid::from_child(&demo), Signal::INT).unwrap();
    let status = demo.wait().unwrap();
    let said = std::fs::read_to_string(&said).unwrap();
    for part in ["ringround-serve", "ringround", "guard", "WebKitWebProces"] {
        assert!(names.iter().any(|name| name == part), "{part} is not among {names:?}");
    }
    // Asterisk may have its loader's name.
    let asterisks = names.iter().filter(|name| *name == "asterisk" || name.starts_with("ld-linux")).count();
    assert_eq!(asterisks, 2, "{names:?}");
    let people: Value = serde_json::from_slice(&people.stdout).unwrap();
    let people = &people["people"];
    assert_eq!(people.as_array().map(Vec::len), Some(1), "{people:#}");
    assert_eq!(people[0]["devices"].as_array().map(Vec::len), Some(1), "{people:#}");

    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("ended by Ctrl-C"), "{said}");
    let none = async || of_folder(&mark).is_empty() && stages(&desktop).is_empty();
    poll("an end of everything", Duration::from_secs(15), none).await.unwrap_or_else(|error| {
        panic!("{error}: {:?} still run, {:?} are there", of_folder(&mark), stages(&desktop))
    });
    let left = named_after_the_app(desktop.home());
    assert!(left.is_empty(), "the demo's files are in its own folder, not in {left:?}");
}

/// As scripts/common.sh has it.
fn cache() -> PathBuf {
    let of = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache"))).unwrap().join("ringround")
}

fn stages(desktop: &Desktop) -> Vec<PathBuf> {
    let run = desktop.home().with_file_name("run");
    let all = std::fs::read_dir(run).unwrap().flatten();
    all.filter(|entry| entry.file_name().to_string_lossy().starts_with("ringround-demo"))
        .map(|entry| entry.path())
        .collect()
}

fn named_after_the_app(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_symlink() {
            continue;
        }
        if path.file_name().is_some_and(|name| name.to_string_lossy().contains("ringround")) {
            found.push(path);
        } else if path.is_dir() {
            found.extend(named_after_the_app(&path));
        }
    }
    found
}
