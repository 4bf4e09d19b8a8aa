//! A computer without a keyring: the app works for this run and says so, and its secrets are in no file.

use std::{path::Path, process::Command};

use e2e::{
    canary,
    child::poll,
    desktop::Desktop,
    window::{PATIENCE, Window, app},
    world::{World, number},
};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn the_secrets_stay_in_memory_and_the_window_says_so() {
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let mut desktop = Desktop::start(&world.home().unwrap(), world.folder.path(), false).await.unwrap();
    let window = Window::open(&app(), &desktop, &[], &world.folder.path().join("app.log")).await.unwrap();
    let field = window.wait_for("textbox", "Invitation link").await.unwrap();
    window.paste(&field, &world.server.invite("Maya").unwrap().text()).await.unwrap();
    window.press("Join").await.unwrap();
    window.wait_for_text("No keyring on this computer.", PATIENCE).await.unwrap();
    window.wait_for_text("You stay signed in until you close the app.", PATIENCE).await.unwrap();
    let (_, alert) = window.said().await.unwrap();
    assert_eq!(alert, "No keyring on this computer. You stay signed in until you close the app");
    let banner = "return document.querySelector('[data-trouble=no-keyring]') !== null";
    assert_eq!(window.run(banner, vec![]).await.unwrap(), true);

    // All three secrets are in use once a line is up.
    window.press("Start calling").await.unwrap();
    window.wait_for("button", "Call Callee").await.unwrap();
    let without = world.folder.path().join("without");
    assert!(Command::new("cp").arg("-a").args([desktop.home(), &without]).status().unwrap().success());

    // Only the app knows them; a keyring that comes is told.
    desktop.bring_keyring().await.unwrap();
    window.run("return window.__TAURI_INTERNALS__.invoke('plugin:phone|retry_now')", vec![]).await.unwrap();
    let gone = "return document.querySelector('[data-trouble=no-keyring]') === null";
    let gone = async || window.run(gone, vec![]).await.is_ok_and(|gone| gone == true);
    if let Err(error) = poll("an end of the sentence", PATIENCE, gone).await {
        panic!("{error} in {}; {}", window.text().await.unwrap(), app_log(&desktop));
    }
    let secrets = in_the_keyring(&desktop);
    window.close().await;
    for folder in [&without, &desktop.home().to_owned()] {
        assert!(files(folder) > 5, "the app keeps files in {}", folder.display());
        let found = canary::in_files(folder, &["/keyrings/"], &secrets).unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
}

/// Kind and text of the device's private key, the bearer token and the password of SIP.
fn in_the_keyring(desktop: &Desktop) -> Vec<(String, String)> {
    let read = Command::new(env!("CARGO_BIN_EXE_demo-headless"))
        .arg("--read-keyring")
        .envs(desktop.environment().iter().cloned())
        .output()
        .unwrap();
    let kept = String::from_utf8(read.stdout).unwrap();
    let (sign_in, keys): (Vec<&str>, Vec<&str>) = kept.lines().partition(|line| line.starts_with('{'));
    assert_eq!((sign_in.len(), keys.len()), (1, 1), "{}", String::from_utf8_lossy(&read.stderr));
    let sign_in: Value = serde_json::from_str(sign_in[0]).unwrap();
    let text = |name: &str| sign_in[name].as_str().unwrap().to_owned();
    let secrets =
        [("private key", keys[0].to_owned()), ("token", text("token")), ("password", text("sip_password"))];
    for (kind, secret) in &secrets {
        assert!(secret.len() >= 20, "{kind}");
    }
    secrets.map(|(kind, secret)| (kind.to_owned(), secret)).into()
}

fn app_log(desktop: &Desktop) -> String {
    let logs = std::fs::read_dir(desktop.home().join("data/org.ringround.desktop/logs")).unwrap();
    logs.flatten().map(|log| std::fs::read_to_string(log.path()).unwrap()).collect()
}

fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    entries.map(|path| if path.is_dir() && !path.is_symlink() { files(&path) } else { 1 }).sum()
}
