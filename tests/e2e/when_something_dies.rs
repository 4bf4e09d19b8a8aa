//! Server, app, Asterisk, cable or disk die in the middle of a call: it goes on where it can, nobody is rung twice,
//! nothing that was pressed is lost, no line is left behind. The provider's records say so.

use std::time::Duration;

use e2e::{
    faults::{Fault, Stage},
    listening::{self, HEARD},
    ringround::Ringround,
    sound::Sentence,
    world::{World, number},
};
use protocol::session::Session;

/// So many kills of the server at random times between Call and wrap-up; `bench faults` does more, and
/// `killed_at_every_await.rs` goes from one step to the next.
const KILLS: u64 = 8;

async fn one_round(fault: Fault) {
    let mut stage = Stage::set(fault).await.unwrap();
    let seed = fastrand::u64(..);
    let round = stage.round(seed).await.unwrap();
    assert!(round.is_clean() && round.callees == 1, "seed {seed}: {round:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_killed_in_wrap_up_shows_it_again() {
    one_round(Fault::AppInWrapUp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_killed_in_a_call_comes_back_to_it() {
    one_round(Fault::AppInCall).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_a_callee_rings_adopts_the_call() {
    one_round(Fault::ServerWhileRinging).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asterisk_killed_in_a_call_costs_that_call_only() {
    one_round(Fault::AsteriskInCall).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_disk_is_said_and_adopts_the_call_later() {
    one_round(Fault::ReadOnly).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_in_words_and_recovers() {
    let mut stage = Stage::set(Fault::DiskFull).await.unwrap();
    for seed in [1, 2, 3] {
        stage.strike(seed).await.unwrap();
    }
    let round = stage.count(tokio::time::Instant::now() + e2e::faults::SETTLED_AFTER).await.unwrap();
    assert!(round.is_clean() && round.callees >= 3, "{round:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_outlives_the_server() {
    a_conversation_goes_on_while(Fault::ServerInCall).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_outlives_the_cable_to_the_server() {
    a_conversation_goes_on_while(Fault::CableInCall).await;
}

/// What the volunteer says while the server is away is heard by the callee; then the call is theirs again.
async fn a_conversation_goes_on_while(fault: Fault) {
    let mut stage = Stage::set(fault).await.unwrap();
    let lease = stage.person.next_card().await.unwrap().lease_id;
    let app = stage.person.app().unwrap();
    let attempt = app.call_and_talk().await.unwrap();
    if fault == Fault::ServerInCall {
        stage.world.server.kill();
    } else {
        stage.person.cable.pull();
    }
    let sentence = Sentence::say(fastrand::u64(..)).unwrap();
    let app = stage.person.app().unwrap();
    app.handset.say(&sentence.sound);
    let speaks = sentence.sound.samples.len() as u64 * 1_000 / u64::from(sentence.sound.rate);
    // There is no event of a sentence's end.
    tokio::time::sleep(Duration::from_millis(speaks + 500)).await;
    assert!(!app.live.told().open, "the app is cut off");
    if fault == Fault::ServerInCall {
        stage.world.server.start_again().await.unwrap();
    } else {
        stage.person.cable.plug();
    }
    let back = tokio::time::Instant::now();
    let app = stage.person.app().unwrap();
    app.live.until("the server", Duration::from_secs(10), |told| told.open).await.unwrap();
    let desk =
        app.until("the same call", |desk| matches!(desk.session, Session::Talking { .. })).await.unwrap();
    assert_eq!(app.attempt(), Some(attempt), "{desk:?}");
    stage.person.go_on(Some(lease)).await.unwrap();
    let round = stage.count(back + e2e::faults::SETTLED_AFTER).await.unwrap();
    assert!(round.is_clean() && round.outcomes_pressed == 1, "{round:?}");
    let records = stage.world.provider.records();
    let heard = records.heard(&records.arrivals().unwrap()[0]).unwrap();
    let found = listening::find(&sentence.sound, &heard);
    assert!(found.correlation >= HEARD, "the callee did not hear \"{}\": {found:?}", sentence.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_at_the_same_asterisk_costs_the_first_only_its_time() {
    let world = World::with(&[number(0, 1), number(0, 2)]).await.unwrap();
    let mut second = Ringround::start(&world.folder.path().join("second"), &world.node).await.unwrap();
    // Longer than the first looks for it to leave: it is not thrown out.
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = std::time::Instant::now();
        let status = world.server.command(&["status"]).unwrap();
        assert!(asked.elapsed() < Duration::from_secs(2), "status took {:?}", asked.elapsed());
        assert!(status.contains("another server"), "{status}");
        assert_eq!(second.health().await.unwrap()["asterisk"], "ready");
    }
    second.stop();
    let back = || async { world.server.health().await.is_ok_and(|health| health["asterisk"] == "ready") };
    e2e::child::poll("the first server's health", Duration::from_secs(8), back).await.unwrap();
    let log = std::fs::read_to_string(world.server.console()).unwrap();
    assert!(log.contains("another server is connected to this Asterisk"), "{log}");
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    maya.call_and_talk().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_at_any_moment_rings_nobody_twice_and_loses_nothing() {
    let mut stage = Stage::set(Fault::ServerAtAnyMoment).await.unwrap();
    let seed = fastrand::u64(..);
    for kill in 0..KILLS {
        stage.strike(seed.wrapping_add(kill)).await.unwrap();
    }
    let round = stage.count(tokio::time::Instant::now() + e2e::faults::SETTLED_AFTER).await.unwrap();
    assert!(round.is_clean() && round.callees > 0, "seed {seed}: {round:?}");
}
