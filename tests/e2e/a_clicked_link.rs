//! A click on a link: the system starts the app with the link as its argument. Where the app runs already, that is a
//! second one, which hands the link over and ends.

use std::{process::ExitStatus, time::Duration};

use e2e::{
    desktop::Desktop,
    window::{PATIENCE, Window, app},
    world::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_app_that_a_link_starts_joins_by_it() {
    let world = World::with(&[]).await.unwrap();
    let desktop = Desktop::start(&world.home().unwrap(), world.folder.path(), true).await.unwrap();
    let link = world.server.invite("Maya").unwrap().text();
    let window = opened(&world, &desktop, &link).await;
    window.wait_for("button", "Start calling").await.unwrap();
    window.wait_for_text("Signed in as Maya", PATIENCE).await.unwrap();
    window.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_clicked_while_the_app_is_open_goes_to_the_open_one() {
    let world = World::with(&[]).await.unwrap();
    let desktop = Desktop::start(&world.home().unwrap(), world.folder.path(), true).await.unwrap();
    let link = world.server.invite("Maya").unwrap().text();
    let window = opened(&world, &desktop, &link[..link.len() - 20]).await;
    let damaged = "A part of this link is missing. Copy the whole of it again.";
    window.wait_for_text(damaged, PATIENCE).await.unwrap();
    let people = world.server.command(&["--json", "people", "list"]).unwrap();
    assert!(people.contains(r#""devices":[]"#), "no computer joined by half a link: {people}");

    assert!(clicked(&desktop, "ringround://elsewhere/?t=1").await.success());
    let no_link = "That is not an invitation link. It starts with ringround://join";
    window.wait_for_text(no_link, PATIENCE).await.unwrap();

    assert!(clicked(&desktop, &link).await.success());
    window.wait_for("button", "Start calling").await.unwrap();
    window.wait_for_text("Signed in as Maya", PATIENCE).await.unwrap();

    // Once joined, another link is a question: it may come from anybody.
    assert!(clicked(&desktop, &world.server.invite("Tom").unwrap().text()).await.success());
    window.wait_for_text(&format!("Join {}?", world.server.address()), PATIENCE).await.unwrap();
    window.wait_for_text("Only join if you asked for this link.", PATIENCE).await.unwrap();
    window.close().await;
}

async fn opened(world: &World, desktop: &Desktop, link: &str) -> Window {
    Window::open_with(&app(), &[link], desktop, &[], &world.folder.path().join("app.log")).await.unwrap()
}

/// What became of the second app, which is on the same computer.
async fn clicked(desktop: &Desktop, link: &str) -> ExitStatus {
    let mut second = std::process::Command::new(app());
    second.arg(link).envs(desktop.environment().iter().cloned());
    let net = desktop.net.clone();
    let ends = tokio::task::spawn_blocking(move || net.enter(move || second.status()).unwrap().unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(10), ends).await;
    ended.expect("the second app ends by itself").unwrap()
}
