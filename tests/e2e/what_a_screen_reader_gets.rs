//! The real window, as axe judges it and as AT-SPI hands it to a screen reader: Join, Start, the card, a call, the
//! wrap-up with its note.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use e2e::{
    child::poll,
    desktop::Desktop,
    pbx::project,
    window::{PATIENCE, Window, app},
    world::{World, number},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_screen_of_a_call_has_names_and_roles_and_no_violation() {
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let desktop =
        Desktop::start_for_screen_readers(&world.home().unwrap(), world.folder.path()).await.unwrap();
    let window = Window::open(&app(), &desktop, &[], &world.folder.path().join("app.log")).await.unwrap();

    let field = window.wait_for("textbox", "Invitation link").await.unwrap();
    reads(&desktop, &[("entry", "Invitation link")]).await;
    no_violation(&window, "Join").await;
    window.paste(&field, &world.server.invite("Maya").unwrap().text()).await.unwrap();
    window.press("Join").await.unwrap();

    window.wait_for("button", "Start calling").await.unwrap();
    reads(&desktop, &[("button", "Start calling")]).await;
    no_violation(&window, "Start").await;
    window.press("Start calling").await.unwrap();

    window.wait_for("button", "Call Callee").await.unwrap();
    reads(&desktop, &[("button", "Call Callee"), ("button", "Pause"), ("button", "Do not call")]).await;
    no_violation(&window, "the card").await;
    window.press("Call Callee").await.unwrap();

    window.wait_for_text("Talking with", PATIENCE).await.unwrap();
    reads(&desktop, &[("button", "Hang up"), ("button", "Mute"), ("button", "1, Reached")]).await;
    no_violation(&window, "the call").await;
    window.press("Hang up").await.unwrap();

    window.wait_for_text("How did it go?", PATIENCE).await.unwrap();
    let keys: Vec<String> = (1..=9).map(|key| format!("{key}, ")).collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|key| ("button", key.as_str())).collect();
    reads(&desktop, &keys).await;
    reads(&desktop, &[("button", "How did it go?"), ("button", "1, Reached"), ("entry", "Note")]).await;
    no_violation(&window, "the wrap-up").await;
    let note = window.wait_for("textbox", "Note").await.unwrap();
    window.paste(&note, "Has a cold").await.unwrap();
    no_violation(&window, "the note").await;
    window.press("1, Reached").await.unwrap();
    window.wait_for_text("reached, saved", PATIENCE).await.unwrap();
    let saved = world.server.results().unwrap();
    assert_eq!(saved[0].note.as_deref(), Some("Has a cold"), "{saved:?}");
    window.close().await;
}

/// Waits until AT-SPI has all of these; a role's name may be longer ("push button").
async fn reads(desktop: &Desktop, wanted: &[(&str, &str)]) {
    let tree = || {
        let output = Command::new("/usr/bin/python3")
            .arg(project().join("tests/desktop/atspi.py"))
            .envs(desktop.environment().iter().cloned())
            .stderr(Stdio::null())
            .output();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    };
    let has = |tree: &str, (role, name): &(&str, &str)| {
        tree.lines()
            .filter_map(|line| line.split_once('\t'))
            .any(|(r, n)| r.ends_with(role) && n.starts_with(name))
    };
    let all = || async { wanted.iter().all(|one| has(&tree(), one)) };
    poll("the names in the tree", Duration::from_secs(10), all)
        .await
        .unwrap_or_else(|error| panic!("{error}: {wanted:?} in\n{}", tree()));
}

async fn no_violation(window: &Window, screen: &str) {
    let axe = std::fs::read_to_string(project().join("ui/node_modules/axe-core/axe.min.js")).unwrap();
    window.run(&format!("{axe}; window.axe = axe"), vec![]).await.unwrap();
    let run = "window.found = null; axe.run().then(r => window.found = JSON.stringify(
        r.violations.map(v => [v.id, v.impact, v.nodes.map(n => n.html)])))";
    window.run(run, vec![]).await.unwrap();
    let ready =
        || async { window.run("return window.found", vec![]).await.is_ok_and(|found| found.is_string()) };
    poll("axe", Duration::from_secs(20), ready).await.unwrap();
    assert_eq!(window.run("return window.found", vec![]).await.unwrap(), "[]", "{screen}");
}
