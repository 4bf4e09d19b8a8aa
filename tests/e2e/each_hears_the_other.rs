//! One touch: the volunteer and the callee hear each other, and the outcome is kept.

use std::time::Duration;

use e2e::{
    listening::{self, HEARD},
    sound::Sentence,
    world::{World, number},
};
use protocol::{line::Line, outcome::Outcome, session::Session};

#[tokio::test(flavor = "multi_thread")]
async fn a_volunteer_calls_the_next_person() {
    let (callee, volunteer) = (Sentence::say(101).unwrap(), Sentence::say(102).unwrap());
    let world = World::with(&[number(0, 1)]).await.unwrap();
    world.provider.says(&callee.sound).unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    let desk = maya.start().await.unwrap();
    assert_eq!(desk.line, Line::Up);
    let card = maya.card().unwrap();
    assert_eq!(
        (card.name.as_str(), card.number.as_str(), card.attempt),
        ("Callee 001", "+44 7700 ••• 001", 1)
    );
    // Between calls the line sends nothing.
    let silent = world.provider.records().arrivals().unwrap();
    assert!(silent.is_empty(), "nobody is rung before Call: {silent:?}");

    let ear = maya.handset.mark();
    maya.call_and_talk().await.unwrap();
    maya.handset.say(&volunteer.sound);
    let longest = callee.sound.milliseconds().max(volunteer.sound.milliseconds());
    tokio::time::sleep(Duration::from_millis(longest as u64 + 1_000)).await;
    let heard = maya.handset.heard_since(ear);
    maya.hang_up().await.unwrap();
    maya.outcome(Outcome::Reached).await.unwrap();
    maya.until("nobody left", |desk| matches!(desk.session, Session::Waiting { .. })).await.unwrap();

    let in_the_ear = listening::find(&callee.sound, &heard);
    assert!(in_the_ear.correlation >= HEARD, "the volunteer did not hear the callee: {in_the_ear:?}");
    let arrivals = world.provider.records().arrivals().unwrap();
    assert_eq!(arrivals.len(), 1, "{arrivals:?}");
    assert_eq!(
        (arrivals[0].number.as_str(), arrivals[0].caller_id.as_str()),
        (number(0, 1).as_str(), "+442079460000")
    );
    let at_the_callee =
        listening::find(&volunteer.sound, &world.provider.records().heard(&arrivals[0]).unwrap());
    eprintln!("ear {in_the_ear:?}, callee {at_the_callee:?}");
    assert!(at_the_callee.correlation >= HEARD, "the callee did not hear the volunteer: {at_the_callee:?}");
    assert_eq!(world.server.outcomes().unwrap()[&number(0, 1)], "reached");
}
