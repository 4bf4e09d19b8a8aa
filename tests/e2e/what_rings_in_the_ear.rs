//! While it rings, the volunteer hears ringing, and one of it: the app's own where the network sends none (180), the
//! network's where it does (183). The very app, in its window, by its loudspeaker. And its line is silent between calls.

use std::{path::PathBuf, time::Duration};

use e2e::{
    desktop::Desktop,
    line,
    listening::{self, HEARD},
    pbx::project,
    sound::Sound,
    tones::{THERE, loudest, tone},
    window::{PATIENCE, Window},
    world::{World, number},
};

/// The app's own: British. 400 + 450 Hz, 0.4 s on, 0.2 off, 0.4 on, 2.0 off.
const OWN: [f32; 2] = [400.0, 450.0];
/// 799's network: 425 Hz, so that the two can be told apart.
const NETWORKS: f32 = 425.0;

#[tokio::test(flavor = "multi_thread")]
async fn the_app_rings_where_the_network_does_not_and_only_there() {
    let world = World::with(&[number(2, 41), number(7, 99)]).await.unwrap();
    let desktop = Desktop::start(&world.home().unwrap(), world.folder.path(), true).await.unwrap();
    let app = std::env::var_os("RINGROUND_APP")
        .map_or_else(|| project().join("target/debug/ringround"), PathBuf::from);
    let window = Window::open(&app, &desktop, &[], &world.folder.path().join("app.log")).await.unwrap();
    let field = window.wait_for("textbox", "Invitation link").await.unwrap();
    window.paste(&field, &world.server.invite("Maya").unwrap().text()).await.unwrap();
    window.press("Join").await.unwrap();
    window.press("Start calling").await.unwrap();

    window.wait_for_text("Callee 241", PATIENCE).await.unwrap();
    let own = ringing(&world, &desktop, &window, 4_000).await;
    window.wait_for_text("Callee 799", PATIENCE).await.unwrap();
    let networks = ringing(&world, &desktop, &window, 2_500).await;
    window.close().await;

    let burst = tone(8_000, OWN[0], 0.1, 400);
    let cadence =
        burst.clone().then(&Sound::silence(8_000, 200)).then(&burst).then(&Sound::silence(8_000, 1_900));
    let found = listening::find(&cadence, &own);
    assert!(found.correlation >= HEARD, "the app does not ring as it should at 2nn: {found:?}");
    let strength = |sound: &Sound| [OWN[0], OWN[1], NETWORKS].map(|hertz| loudest(sound, hertz));
    let (at_own, at_networks) = (strength(&own), strength(&networks));
    eprintln!("400, 450, 425 Hz: 2nn {at_own:?}, 799 {at_networks:?}; cadence {found:?}");
    assert!(at_own[0] > THERE && at_own[1] > THERE && at_own[2] < THERE, "2nn: {at_own:?}");
    assert!(at_networks[2] > THERE, "the network's ringing is not in the ear: {at_networks:?}");
    assert!(at_networks[0] < THERE && at_networks[1] < THERE, "the app rings over it: {at_networks:?}");
}

/// Calls the card's person, and gives what the loudspeaker played in the first while of ringing.
async fn ringing(world: &World, desktop: &Desktop, window: &Window, milliseconds: u64) -> Sound {
    window.wait_for("button", "Call Callee").await.unwrap();
    line::is_silent(&world.node).await.unwrap();
    let file = world.folder.path().join(format!("ear-{milliseconds}.wav"));
    let recording = desktop.sound.record(&file).unwrap();
    window.press("Call Callee").await.unwrap();
    window.wait_for_text("Ringing", PATIENCE).await.unwrap();
    // A cadence takes its time.
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    let sound = recording.finish().unwrap();
    window.press("Cancel").await.unwrap();
    sound
}
