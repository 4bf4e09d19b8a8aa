//! Secrets in a real Secret Service. Runs under `scripts/with-keyring`; on its own it only says so.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ringround::secrets::{Secrets, system_store};
use zeroize::Zeroizing;

/// One of them replaces the daemon that both use.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// `scripts/with-keyring` sets this: without it the test would write into the keyring of whoever runs it.
fn throw_away() -> bool {
    std::env::var_os("RINGROUND_HAS_KEYRING").is_some()
}

#[tokio::test]
async fn a_secret_survives_the_app_and_goes_when_it_is_forgotten() {
    if !throw_away() {
        eprintln!("not run: no throw-away keyring here; use scripts/with-keyring");
        return;
    }
    let _turn = ONE_AT_A_TIME.lock().await;
    let name = || "test device key".to_owned();
    Secrets::new(system_store).keep(name(), Zeroizing::new("one".into())).await.unwrap();
    Secrets::new(system_store).keep(name(), Zeroizing::new("two".into())).await.unwrap();
    let next_run = Secrets::new(system_store);
    assert_eq!(next_run.read(name()).await.unwrap().unwrap().as_str(), "two");
    next_run.forget(name()).await.unwrap();
    assert_eq!(Secrets::new(system_store).read(name()).await, Ok(None));
}

#[tokio::test]
async fn a_keyring_that_restarts_is_opened_anew() {
    if !throw_away() {
        eprintln!("not run: no throw-away keyring here; use scripts/with-keyring");
        return;
    }
    let _turn = ONE_AT_A_TIME.lock().await;
    let secrets = Secrets::new(system_store);
    let name = || "test of a restart".to_owned();
    secrets.keep(name(), Zeroizing::new("kept".into())).await.unwrap();
    let daemon =
        r#"printf throw-away | gnome-keyring-daemon --replace --unlock --components=secrets >/dev/null"#;
    assert!(std::process::Command::new("sh").args(["-c", daemon]).status().unwrap().success());
    let read = async {
        loop {
            // The new daemon takes the bus name when it is ready.
            if let Ok(found) = secrets.read(name()).await {
                break found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(std::time::Duration::from_secs(10), read).await.unwrap();
    assert_eq!(found.unwrap().as_str(), "kept");
    secrets.forget(name()).await.unwrap();
}
