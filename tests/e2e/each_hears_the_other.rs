//! One touch: the volunteer and the callee hear each other, and the outcome is kept.

use std::time::Duration;

use e2e::{
    callee::{Callee, Incoming, Manner},
    child::poll,
    line,
    listening::{self, HEARD},
    sound::{Sentence, Sound},
    volunteer::{PATIENCE, Volunteer},
    world::{World, number},
};
use protocol::{
    line::Line,
    outcome::Outcome,
    session::{Desk, Session},
};

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
    let rung = world.provider.records().arrivals().unwrap();
    assert!(rung.is_empty(), "nobody is rung before Call: {rung:?}");
    let between_calls = line::is_silent(&world.node).await.unwrap();

    let ear = maya.handset.mark();
    maya.call_and_talk().await.unwrap();
    maya.handset.say(&volunteer.sound);
    let longest = callee.sound.milliseconds().max(volunteer.sound.milliseconds());
    tokio::time::sleep(Duration::from_millis(longest as u64 + 1_000)).await;
    let heard = maya.handset.heard_since(ear);
    let in_the_call = line::packets(&world.node).await.unwrap();
    // What was silent is counted when it is not: 20 ms a packet, as long as somebody spoke.
    let spoke = |packets: u64, sound: &Sound| packets as usize * 20 > sound.milliseconds() * 9 / 10;
    assert!(
        spoke(in_the_call.from_app - between_calls.from_app, &volunteer.sound)
            && spoke(in_the_call.to_app - between_calls.to_app, &callee.sound),
        "{between_calls:?}, {in_the_call:?}"
    );
    maya.hang_up().await.unwrap();
    maya.outcome(Outcome::Reached).await.unwrap();
    maya.until("nobody left", |desk| matches!(desk.session, Session::Waiting { .. })).await.unwrap();
    line::is_silent(&world.node).await.unwrap();

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

/// Asterisk compares the sequence numbers of the RTP packets that it passes on, also those of one peer with the last
/// one's. This callee begins each call with 1.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_hears_its_second_callee_too_and_a_callee_the_second_line() {
    let sentence = Sentence::say(103).unwrap().sound.part(0, 2_500);
    let says = sentence.clone().then(&Sound::silence(48_000, 1_000));
    let manner = Manner { rings_for: Duration::ZERO, says, rings_off_after: None };
    let plan = World::lay().unwrap().contacts([number(9, 1), number(9, 2)]);
    let callee = Callee::listen(&plan.networks, manner).await.unwrap();
    let mut world = plan.start(callee).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();

    maya.next_card(None).await.unwrap();
    let first = hears(&maya, &mut world.provider, &sentence).await;
    maya.hang_up().await.unwrap();
    let judged = maya.card().unwrap();
    maya.outcome(Outcome::Reached).await.unwrap();
    maya.next_card(Some(&judged)).await.unwrap();
    let second = hears(&maya, &mut world.provider, &sentence).await;
    assert_ne!(first.id, second.id);

    // Where a line begins its numbers is chance; a lower beginning than the last one's is every second.
    for _ in 0..4 {
        let before = maya.handset.standing().line.unwrap();
        maya.handset.phone.hang_up(before);
        maya.handset.until("the end of the line", PATIENCE, |now| now.line.is_none()).await.unwrap();
        maya.until("the lost line", |desk: &Desk| desk.line != Line::Up).await.unwrap();
        maya.open_line().await.unwrap();
        maya.until("the next line", |desk: &Desk| desk.line == Line::Up).await.unwrap();
        let heard = second.packets_heard();
        let hears = || async { second.packets_heard() > heard + 25 };
        poll("half a second of the new line at the callee", Duration::from_secs(3), hears).await.unwrap();
    }
}

/// Calls, and hears what the callee says from the answer on.
async fn hears(maya: &Volunteer, callee: &mut Callee, sentence: &Sound) -> Incoming {
    let ear = maya.handset.mark();
    maya.call_and_talk().await.unwrap();
    let incoming = callee.next(PATIENCE).await.unwrap();
    tokio::time::sleep(Duration::from_millis(sentence.milliseconds() as u64 + 500)).await;
    let found = listening::find(sentence, &maya.handset.heard_since(ear));
    assert!(found.correlation >= HEARD, "{} was not heard: {found:?}", incoming.number);
    incoming
}
