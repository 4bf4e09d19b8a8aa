//! While it rings, the volunteer hears ringing, and one of it: the app's own where the network sends none (180, or 183 and
//! nothing), the network's where it does (183). The very app, in its window, by its loudspeaker. And its line is silent
//! between calls.

use std::time::Duration;

use e2e::{
    desktop::Desktop,
    line,
    listening::{self, HEARD},
    scripted::Step,
    sound::Sound,
    tones::{THERE, loudest, tone},
    window::{PATIENCE, Window, app},
    world::{World, number},
};

/// The app's own: British. 400 + 450 Hz, 0.4 s on, 0.2 off, 0.4 on, 2.0 off.
const OWN: [f32; 2] = [400.0, 450.0];
/// 799's network: 425 Hz, so that the two can be told apart.
const NETWORKS: f32 = 425.0;

#[tokio::test(flavor = "multi_thread")]
async fn the_app_rings_where_the_network_does_not_and_only_there() {
    let world = World::with(&[number(2, 41), number(7, 99)]).await.unwrap();
    let (desktop, window) = sit_down(&world).await;
    window.wait_for_text("Callee 241", PATIENCE).await.unwrap();
    let own = ringing(&world, &desktop, &window, 4_000).await;
    window.wait_for_text("Callee 799", PATIENCE).await.unwrap();
    let networks = ringing(&world, &desktop, &window, 2_500).await;
    window.close().await;

    let found = listening::find(&cadence(), &own);
    assert!(found.correlation >= HEARD, "the app does not ring as it should at 2nn: {found:?}");
    let (at_own, at_networks) = (strength(&own), strength(&networks));
    eprintln!("400, 450, 425 Hz: 2nn {at_own:?}, 799 {at_networks:?}; cadence {found:?}");
    assert!(at_own[0] > THERE && at_own[1] > THERE && at_own[2] < THERE, "2nn: {at_own:?}");
    assert!(at_networks[2] > THERE, "the network's ringing is not in the ear: {at_networks:?}");
    assert!(at_networks[0] < THERE && at_networks[1] < THERE, "the app rings over it: {at_networks:?}");
}

/// Providers that send no sound by the path that a 183 makes: the ear must not be left without ringing.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_on_which_no_sound_comes_does_not_silence_the_ringing() {
    let [after_ringing, with_sound, before_ringing] = [1, 2, 3].map(|which| number(9, which));
    let numbers = [&after_ringing, &with_sound, &before_ringing].map(Clone::clone);
    let world = World::lay().unwrap().contacts(numbers).scripted().await.unwrap();
    world.provider.on(&after_ringing, vec![Step::Status(180), Step::Wait(4.0), Step::Sound(183)]);
    let networks = Step::Says(Some(tone(8_000, NETWORKS, 0.2, 1_000)));
    world.provider.on(&with_sound, vec![Step::Sound(183), networks.clone()]);
    // The volunteer has read the screen by then.
    let (silent, rings) = (Step::Wait(4.0), Step::Wait(5.0));
    let script = vec![Step::Sound(183), silent, Step::Status(180), rings, Step::Sound(200), networks];
    world.provider.on(&before_ringing, script);
    let (desktop, window) = sit_down(&world).await;

    window.wait_for_text("Callee 901", PATIENCE).await.unwrap();
    let sound = ringing(&world, &desktop, &window, 8_000).await;
    // Bursts on both sides of the 183, at their times.
    let found = listening::find(&cadence().then(&cadence()).then(&burst()), &sound);
    assert!(found.correlation >= HEARD, "a silent 183 after the 180 interrupts the ringing: {found:?}");

    window.wait_for_text("Callee 902", PATIENCE).await.unwrap();
    let [low, high, networks] = strength(&ringing(&world, &desktop, &window, 2_500).await);
    assert!(networks > THERE, "the sound before the answer is not in the ear: {networks}");
    assert!(low < THERE && high < THERE, "the app rings over it: {low}, {high}");

    window.wait_for_text("Callee 903", PATIENCE).await.unwrap();
    let recording = desktop.sound.record(&world.folder.path().join("before.wav")).unwrap();
    window.press("Call Callee").await.unwrap();
    window.wait_for_text("Ringing", PATIENCE).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let [low, high, _] = strength(&recording.finish().unwrap());
    assert!(low > THERE && high > THERE, "2 s after a silent 183 nothing rings: {low}, {high}");
    // On both sides of the 180, each a cadence long.
    for part in 0..2 {
        let recording = desktop.sound.record(&world.folder.path().join(format!("{part}.wav"))).unwrap();
        tokio::time::sleep(Duration::from_millis(3_000)).await;
        let [low, high, _] = strength(&recording.finish().unwrap());
        assert!(low > THERE && high > THERE, "the ringing ended before the answer ({part}): {low}, {high}");
    }
    window.wait_for_text("Talking with", PATIENCE).await.unwrap();
    let recording = desktop.sound.record(&world.folder.path().join("talk.wav")).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let [low, high, callee] = strength(&recording.finish().unwrap());
    assert!(callee > THERE, "the callee is not in the ear: {callee}");
    assert!(low < THERE && high < THERE, "it rings in the conversation: {low}, {high}");
    window.close().await;
}

async fn sit_down<P>(world: &World<P>) -> (Desktop, Window) {
    let desktop = Desktop::start(&world.home().unwrap(), world.folder.path(), true).await.unwrap();
    let window = Window::open(&app(), &desktop, &[], &world.folder.path().join("app.log")).await.unwrap();
    let field = window.wait_for("textbox", "Invitation link").await.unwrap();
    window.paste(&field, &world.server.invite("Maya").unwrap().text()).await.unwrap();
    window.press("Join").await.unwrap();
    window.press("Start calling").await.unwrap();
    (desktop, window)
}

fn burst() -> Sound {
    let burst = tone(8_000, OWN[0], 0.1, 400);
    burst.clone().then(&Sound::silence(8_000, 200)).then(&burst)
}

fn cadence() -> Sound {
    burst().then(&Sound::silence(8_000, 2_000))
}

/// Of the app's own two tones, and of the network's.
fn strength(sound: &Sound) -> [f32; 3] {
    [OWN[0], OWN[1], NETWORKS].map(|hertz| loudest(sound, hertz))
}

/// Calls the card's person, and gives what the loudspeaker played in the first while of ringing.
async fn ringing<P>(world: &World<P>, desktop: &Desktop, window: &Window, milliseconds: u64) -> Sound {
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
