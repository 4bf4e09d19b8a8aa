//! The app's own disk is full and its server is away: an outcome that is pressed is in memory only, the window says
//! so, and it reaches the server when that is back.

use std::time::Duration;

use e2e::{
    child::poll,
    desktop::Desktop,
    faults::Disk,
    window::{PATIENCE, Window, app},
    world::{World, number},
};

/// Keeps whatever is said at once, however short.
const LISTEN: &str = "window.told = []; new MutationObserver(() =>
    window.told.push(...[...document.querySelectorAll('[role=alert]')].map(e => e.textContent.trim())))
    .observe(document.body, { subtree: true, childList: true, characterData: true })";

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_not_lost_and_the_window_says_why_it_is_in_danger() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not run: a small disk may not be mounted here; use scripts/in-net");
        return;
    }
    let mut world = World::with(&[number(0, 1), number(0, 2)]).await.unwrap();
    let desktop = Desktop::start(&world.home().unwrap(), world.folder.path(), true).await.unwrap();
    let disk = Disk::mount(&desktop.home().join("data/org.ringround.desktop")).unwrap();
    let link = world.server.invite("Maya").unwrap().text();
    let log = world.folder.path().join("app.log");
    let window = Window::open_with(&app(), &[&link], &desktop, &[], &log).await.unwrap();
    window.press("Start calling").await.unwrap();
    window.press("Call Callee").await.unwrap();
    window.wait_for_text("Talking with", PATIENCE).await.unwrap();
    window.press("Hang up").await.unwrap();
    window.wait_for_text("How did it go?", PATIENCE).await.unwrap();

    disk.fill().unwrap();
    world.server.kill();
    window.run(LISTEN, vec![]).await.unwrap();
    window.press("1, Reached").await.unwrap();
    let sentence =
        "This computer can’t save. Its disk is full or locked. Free some space, and keep this app open";
    let said = async || {
        let told = window.run("return window.told", vec![]).await.unwrap();
        told.as_array().is_some_and(|told| told.iter().any(|one| one == sentence))
    };
    poll("the sentence, said", PATIENCE, said).await.unwrap();
    window.wait_for_text("This computer can’t save.", PATIENCE).await.unwrap();

    world.server.start_again().await.unwrap();
    let there = async || {
        let results = world.server.results().unwrap();
        results.iter().any(|row| row.outcome.as_deref() == Some("reached"))
    };
    poll("the outcome at the server", Duration::from_secs(30), there).await.unwrap();
    let over = "return document.querySelector('[data-trouble=local-storage]') === null";
    let over = async || window.run(over, vec![]).await.unwrap() == true;
    poll("an end of the trouble", PATIENCE, over).await.unwrap();
    window.close().await;
}
