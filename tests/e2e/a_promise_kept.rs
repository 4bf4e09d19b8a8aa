//! A callee asks to be rung at a time: they are, to the second, although the campaign keeps a minute between calls.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::{
    volunteer::{Volunteer, press},
    world::{World, number},
};
use protocol::{
    http::RecordOutcome,
    join_link::JoinLink,
    outcome::{Outcome, RingAgain},
    session::{Desk, Session, Waiting},
};

fn nobody_left(desk: &Desk) -> Option<Option<i64>> {
    let Session::Waiting { why: Waiting::NobodyLeft { next_at_ms, .. } } = desk.session else { return None };
    Some(next_at_ms)
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_for_it_is_rung_in_spite_of_the_spacing_also_after_a_restart_and_once() {
    let mut world = World::with(&[]).await.unwrap();
    let form = world.folder.path().join("spaced.toml");
    std::fs::write(
        &form,
        "name = \"Spaced\"\norganisation = \"Lantern Street Trust\"\norganiser = \"Ruth\"\n\
         caller_id = \"020 7946 0000\"\nhours = \"always\"\nspacing = \"60s\"\nscript = \"Hello\"\n",
    )
    .unwrap();
    world.server.create_campaign_of(&form).unwrap();
    let list = world.folder.path().join("spaced.csv");
    // One who speaks at the first call.
    std::fs::write(&list, format!("name,phone\nAnn Bell,{}\n", number(0, 1))).unwrap();
    world.server.command(&["import", list.to_str().unwrap(), "-c", "Spaced"]).unwrap();
    let said = world.server.command(&["invite", "-c", "Spaced", "--name", "Maya"]).unwrap();
    let link = JoinLink::parse(said.lines().last().unwrap()).unwrap();
    let maya = Volunteer::join_by(&world.server, &world.home().unwrap(), &link).await.unwrap();
    maya.start().await.unwrap();
    let card = maya.next_card(None).await.unwrap();
    assert!(!card.times.days.is_empty(), "the card says what an hour comes to");
    let called = now_ms();
    let attempt_id = maya.call_and_talk().await.unwrap();
    maya.hang_up().await.unwrap();
    // A quarter of the spacing after the last call at the soonest.
    let asked = now_ms() + 16_000;
    let again = Some(RingAgain::At { at_ms: asked });
    let callback = RecordOutcome { again, ..press(attempt_id, Outcome::Callback) };
    maya.deliver(&callback, Duration::from_secs(5)).await.unwrap();
    let desk = maya.until("nobody left till then", |desk| nobody_left(desk).is_some()).await.unwrap();
    assert_eq!(nobody_left(&desk), Some(Some(asked)));
    assert_eq!(desk.last_outcome.unwrap().again_at_ms, Some(asked));
    // The server forgets nothing of it.
    world.server.kill();
    world.server.start_again().await.unwrap();
    let within = Duration::from_secs(30);
    let ready = |desk: &Desk| matches!(desk.session, Session::Ready { .. });
    maya.until_within("the promised card", within, ready).await.unwrap();
    let offered = now_ms();
    assert!(offered >= asked, "{} ms before they asked for it", asked - offered);
    assert!(offered < called + 60_000, "the spacing held it up");
    let second = maya.call_and_talk().await.unwrap();
    maya.hang_up().await.unwrap();
    maya.deliver(&press(second, Outcome::Busy), Duration::from_secs(5)).await.unwrap();
    let desk = maya.until("nobody left again", |desk| nobody_left(desk).is_some()).await.unwrap();
    let next = nobody_left(&desk).flatten().unwrap();
    assert!(
        next >= offered + 2 * 3_600_000,
        "the promise was kept: another call is as far as after any busy one"
    );
}
