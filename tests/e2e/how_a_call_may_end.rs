//! The outcomes that the server writes by itself, from the call's cause.

use std::time::Duration;

use e2e::world::{World, number};
use protocol::{
    call::{CallState, EndedBy},
    outcome::{Outcome, WrittenBy},
    session::{Session, Waiting},
};

#[tokio::test(flavor = "multi_thread")]
async fn busy_unallocated_refused_and_no_answer_are_written_by_the_network() {
    let expected = [(1, Outcome::Busy), (3, Outcome::Failed), (8, Outcome::Failed), (2, Outcome::NoAnswer)];
    let numbers: Vec<String> = expected.iter().map(|(behaviour, _)| number(*behaviour, 10)).collect();
    let world = World::with(&numbers).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    for _ in expected {
        let card = maya.next_card(None).await.unwrap();
        let attempt = maya.call().await.unwrap();
        let over = |desk: &protocol::session::Desk| {
            desk.last_outcome.as_ref().is_some_and(|last| last.attempt_id == attempt)
        };
        let desk = maya.until_within("the outcome", Duration::from_secs(40), over).await.unwrap();
        let last = desk.last_outcome.unwrap();
        let behaviour = card.name.chars().rev().nth(2).unwrap().to_digit(10).unwrap();
        let (_, outcome) = expected.iter().find(|(b, _)| u32::from(*b) == behaviour).unwrap();
        assert_eq!((last.outcome, last.by, &last.name), (*outcome, WrittenBy::Network, &card.name));
        let goes_on = |desk: &protocol::session::Desk| match &desk.session {
            Session::Ready { card: next } => next.lease_id != card.lease_id,
            Session::Waiting { why } => matches!(why, Waiting::NobodyLeft { .. }),
            Session::Ended
            | Session::Dialling { .. }
            | Session::Talking { .. }
            | Session::WrapUp { .. }
            | Session::Paused { .. } => false,
        };
        maya.until("the next card, or the end of the list", goes_on).await.unwrap();
    }
    let outcomes = world.server.outcomes().unwrap();
    for (behaviour, outcome) in expected {
        assert_eq!(outcomes[&number(behaviour, 10)], outcome.word());
    }
    assert_eq!(world.provider.records().rung_twice().unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callee_rings_off_and_the_volunteer_is_asked() {
    let world = World::with(&[number(4, 1)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    maya.call_and_talk().await.unwrap();
    let desk =
        maya.until("the wrap-up", |desk| matches!(desk.session, Session::WrapUp { .. })).await.unwrap();
    let Session::WrapUp { call, .. } = desk.session else { unreachable!() };
    let CallState::Ended { by, talked_ms } = call.state else { panic!("{call:?}") };
    assert_eq!(by, EndedBy::Callee);
    assert!((500..3_000).contains(&talked_ms), "talked {talked_ms} ms");
    maya.outcome(Outcome::Refused).await.unwrap();
    maya.until("the confirmation", |desk| desk.last_outcome.is_some()).await.unwrap();
    assert_eq!(world.server.outcomes().unwrap()[&number(4, 1)], "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volunteer_cancels_while_it_rings() {
    let world = World::with(&[number(2, 1)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    maya.call().await.unwrap();
    maya.until("ringing", e2e::volunteer::rings).await.unwrap();
    maya.hang_up().await.unwrap();
    let desk = maya.until("the outcome", |desk| desk.last_outcome.is_some()).await.unwrap();
    let last = desk.last_outcome.unwrap();
    assert_eq!((last.outcome, last.by), (Outcome::NoAnswer, WrittenBy::Volunteer));
    let calls = || async { world.provider.records().calls().is_ok_and(|calls| !calls.is_empty()) };
    e2e::child::poll("the provider's record of the call", Duration::from_secs(5), calls).await.unwrap();
    let calls = world.provider.records().calls().unwrap();
    assert_eq!(calls[0].disposition, "NO ANSWER");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_outcome_is_corrected() {
    let world = World::with(&[number(1, 1), number(4, 2)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    let mut corrected = 0;
    for _ in 0..2 {
        let card = maya.next_card(None).await.unwrap();
        let attempt = maya.call().await.unwrap();
        let over = |desk: &protocol::session::Desk| {
            matches!(desk.session, Session::WrapUp { .. })
                || desk.last_outcome.as_ref().is_some_and(|last| last.attempt_id == attempt)
        };
        let desk = maya.until("the end", over).await.unwrap();
        let answered = matches!(desk.session, Session::WrapUp { .. });
        if answered {
            maya.outcome(Outcome::Reached).await.unwrap();
        }
        // Of a call that nobody answered only the network's sound is known.
        let corrected_to = if answered { Outcome::WrongNumber } else { Outcome::NoAnswer };
        let correction = e2e::volunteer::press(attempt, corrected_to);
        maya.deliver(&correction, Duration::from_secs(5)).await.unwrap();
        // Delivered at least once, applied once.
        maya.deliver(&correction, Duration::from_secs(5)).await.unwrap();
        let shown = |desk: &protocol::session::Desk| {
            desk.last_outcome.as_ref().is_some_and(|last| {
                last.attempt_id == attempt && last.outcome == corrected_to && last.by == WrittenBy::Volunteer
            })
        };
        maya.until("the correction", shown).await.unwrap();
        corrected += 1;
        drop(card);
    }
    assert_eq!(corrected, 2);
    let outcomes = world.server.outcomes().unwrap();
    assert_eq!(outcomes[&number(1, 1)], "no-answer");
    assert_eq!(outcomes[&number(4, 2)], "wrong-number");
}
