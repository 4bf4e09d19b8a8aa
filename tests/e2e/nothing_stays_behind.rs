//! The demo is ended in the middle, by a Ctrl-C or by SIGKILL, or fails: nothing that it started is left, and none of
//! its files.

use std::{
    fs::File,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use e2e::{child::poll, ringround, window::app};
use rustix::process::{Pid, Signal, kill_process};

/// The processes that have a path in their arguments or their environment; those that have ended have neither.
pub(crate) fn of_folder(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let holds =
        |file: PathBuf| std::fs::read(file).is_ok_and(|b| String::from_utf8_lossy(&b).contains(&folder));
    let all = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    all.filter(|process| holds(process.join("cmdline")) || holds(process.join("environ")))
        .map(|process| std::fs::read_to_string(process.join("comm")).unwrap_or_default().trim().to_owned())
        .collect()
}

/// Ends the demo while a callee is being rung, and gives what became of it.
async fn ended_by(signal: Signal) -> ExitStatus {
    let folder = tempfile::Builder::new().prefix("rr").tempdir().unwrap();
    let (out, temporary) = (folder.path().join("out"), folder.path().join("tmp"));
    std::fs::create_dir(&temporary).unwrap();
    let said = folder.path().join("said");
    let mut demo = demo(&out, &temporary, ringround::built().unwrap())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let calls =
        || async { std::fs::read_to_string(&said).is_ok_and(|said| said.contains("waiting for the answer")) };
    let called = poll("a call in the demo", Duration::from_secs(90), calls).await;
    called.unwrap_or_else(|error| panic!("{error}: {}", std::fs::read_to_string(&said).unwrap()));
    let names = of_folder(&temporary);
    // Names as the kernel keeps them, 15 characters; Asterisk may have its loader's.
    let asterisks = names.iter().filter(|name| *name == "asterisk" || name.starts_with("ld-linux")).count();
    assert_eq!(asterisks, 2, "{names:?}");
    for part in ["ringround-serve", "ringround", "pulseaudio", "Xvfb", "WebKitWebDriver", "gnome-keyring-d"] {
        assert!(names.iter().any(|name| name == part), "{part} is not among {names:?}");
    }

    kill_process(Pid::from_child(&demo), signal).unwrap();
    let status = demo.wait().unwrap();
    until_nothing_is_left(&temporary).await;
    status
}

fn demo(out: &Path, temporary: &Path, server: &Path) -> Command {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo-headless"));
    demo.arg("--app").arg(app()).arg("--server").arg(server).arg("--out").arg(out).env("TMPDIR", temporary);
    demo
}

async fn until_nothing_is_left(temporary: &Path) {
    let none = || async {
        of_folder(temporary).is_empty() && std::fs::read_dir(temporary).unwrap().next().is_none()
    };
    poll("an end of everything", Duration::from_secs(15), none).await.unwrap_or_else(|error| {
        let left: Vec<_> = std::fs::read_dir(temporary).unwrap().flatten().map(|e| e.path()).collect();
        panic!("{error}: {:?} still run, {left:?} are there", of_folder(temporary))
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_of_the_demo() {
    assert_eq!(ended_by(Signal::KILL).await.signal(), Some(9));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_ctrl_c_in_the_demo() {
    assert_eq!(ended_by(Signal::INT).await.code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_demo_whose_server_ends_at_once() {
    let folder = tempfile::Builder::new().prefix("rr").tempdir().unwrap();
    let (out, temporary) = (folder.path().join("out"), folder.path().join("tmp"));
    std::fs::create_dir(&temporary).unwrap();
    let ended = demo(&out, &temporary, Path::new("/bin/false")).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    let sentence = "demo: failed: ringround-server ended by itself (exit status: 1)";
    assert!(said.contains(sentence), "{said}");
    assert!(!out.join("report.json").exists(), "nothing was proven");
    until_nothing_is_left(&temporary).await;
}
