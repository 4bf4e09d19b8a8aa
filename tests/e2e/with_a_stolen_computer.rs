//! A volunteer's sign-in in other hands: what it can take off a list is bounded, and an organiser takes it back.

use std::time::Duration;

use e2e::{
    theft::{self, THIEF},
    volunteer::press,
    world::{World, number},
};
use protocol::{
    http::{ErrorCode, HangUp, Settle},
    outcome::{Outcome, WrittenBy},
    session::{Desk, Session, Waiting},
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_sign_in_neither_reads_nor_empties_a_list_and_leaves_no_trace() {
    let numbers = theft::list(90);
    let mut world = World::with(&numbers).await.unwrap();
    let stolen = theft::evening(&mut world, &numbers, Duration::from_secs(30)).await.unwrap();
    // Twenty at once and one on credit; twenty-four cards at once and one more every fifteen seconds.
    assert!((5..=21).contains(&stolen.contacts_closed), "{stolen:?}");
    assert!((8..=26).contains(&stolen.names_read), "{stolen:?}");
    assert_eq!((stolen.forged, stolen.undone_whole), (0, true), "{stolen:?}");
    assert!(world.logs().contains("passes on more cards than people read"), "not in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_that_had_one_attempt_left_are_rung_again_when_a_thief_used_it_up() {
    let numbers = theft::list(60);
    let mut world = World::with(&numbers).await.unwrap();
    theft::leave_one_attempt(&world).unwrap();
    let stolen = theft::evening(&mut world, &numbers, Duration::from_secs(20)).await.unwrap();
    // Whatever came of a call, it was the last.
    assert!(stolen.contacts_closed >= 5 && stolen.rung >= 2, "{stolen:?}");
    assert_eq!((stolen.forged, stolen.undone_whole), (0, true), "{stolen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_a_conversation_is_not_recorded_as_one() {
    let world = World::with(&[number(2, 1), number(0, 2)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    let first = maya.next_card(None).await.unwrap();
    let attempt = maya.call().await.unwrap();
    let refused = async |outcome| {
        let reply = maya.api.post::<Value>("/api/outcome", &press(attempt, outcome)).await;
        let refused = reply.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::WrongState), "{outcome:?}: {refused:?}");
    };
    refused(Outcome::Reached).await;
    maya.until("ringing", e2e::volunteer::rings).await.unwrap();
    refused(Outcome::Refused).await;
    let _: Value = maya.api.post("/api/hang-up", &HangUp { attempt_id: attempt }).await.unwrap();
    let over = |desk: &Desk| desk.last_outcome.as_ref().is_some_and(|last| last.attempt_id == attempt);
    let last = maya.until("the outcome", over).await.unwrap().last_outcome.unwrap();
    assert_eq!((last.outcome, last.by), (Outcome::NoAnswer, WrittenBy::Volunteer));
    assert_eq!(last.keys, [Outcome::NoAnswer, Outcome::Busy, Outcome::DoNotCall]);
    for outcome in [Outcome::Reached, Outcome::WrongNumber, Outcome::Callback] {
        refused(outcome).await;
    }
    assert_eq!(world.server.outcomes().unwrap()[&number(2, 1)], "no-answer");
    // A call that was answered takes every key.
    maya.next_card(Some(&first)).await.unwrap();
    maya.call_and_talk().await.unwrap();
    maya.hang_up().await.unwrap();
    maya.outcome(Outcome::Reached).await.unwrap();
    let desk = maya.until("the outcome", |desk| !over(desk)).await.unwrap();
    assert_eq!(desk.last_outcome.unwrap().keys, Outcome::KEYS);
}

fn nobody_left(desk: &Desk) -> bool {
    matches!(desk.session, Session::Waiting { why: Waiting::NobodyLeft { .. } })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_lists_what_a_computer_marked_and_takes_it_back() {
    let world = World::with(&[number(0, 1), number(0, 2), number(0, 3)]).await.unwrap();
    let mallory = world.volunteer(THIEF).await.unwrap();
    mallory.start().await.unwrap();
    let never = mallory.next_card(None).await.unwrap();
    mallory.settle(Settle::DoNotCall).await.unwrap();
    let reached = mallory.next_card(Some(&never)).await.unwrap();
    mallory.call_and_talk().await.unwrap();
    mallory.hang_up().await.unwrap();
    mallory.outcome(Outcome::Reached).await.unwrap();
    mallory.next_card(Some(&reached)).await.unwrap();
    mallory.call_and_talk().await.unwrap();
    let in_a_call = world.server.command(&["people", "undo", THIEF, "--since", "1h", "--yes"]).unwrap_err();
    assert!(in_a_call.to_string().contains("call that is not over"), "{in_a_call}");
    mallory.hang_up().await.unwrap();
    mallory.outcome(Outcome::Machine).await.unwrap();
    mallory.until("the end of the list", nobody_left).await.unwrap();

    let listed = theft::listed(&world, "1h").unwrap();
    assert_eq!((&listed["count"], &listed["by"]), (&json!(3), &json!("Ruth")));
    assert_eq!(listed["signed_in"].as_array().unwrap().len(), 1, "{listed}");
    let marked = |n: usize| (listed["marks"][n]["name"].clone(), listed["marks"][n]["marked"].clone());
    assert_eq!(marked(0), (json!(never.name), json!("do-not-call")));
    assert_eq!(marked(1), (json!(reached.name), json!("reached")));
    // Without a terminal it only lists.
    let words = world.server.command(&["people", "undo", THIEF, "--since", "1h"]).unwrap();
    assert!(words.contains(&never.name) && words.contains("Nothing was taken back"), "{words}");
    assert!(world.server.command(&["people", "undo", THIEF, "--since", "23:59:59"]).is_err());
    assert!(world.server.command(&["people", "undo", "Nobody", "--since", "1h"]).is_err());

    // Else it would have the first card that is free again.
    world.server.command(&["people", "revoke", THIEF]).unwrap();
    let words =
        world.server.command(&["people", "undo", THIEF, "--since", "1h", "--by", "Sam", "--yes"]).unwrap();
    assert!(words.contains("Taken back by Sam: 3 marks. 3 contacts may be rung again."), "{words}");
    let results = world.server.results().unwrap();
    let undone = results.iter().find(|row| row.written_by.as_deref() == Some("organiser")).unwrap();
    assert_eq!(
        (undone.outcome.as_deref(), undone.note.as_deref()),
        (Some("unknown"), Some("taken back by Sam"))
    );
    // Who was only marked is on the next card; who was rung is not rung again today.
    let tom = world.volunteer("Tom").await.unwrap();
    tom.start().await.unwrap();
    assert_eq!(tom.next_card(None).await.unwrap().name, never.name);
    tom.call_and_talk().await.unwrap();
    let words = world.server.command(&["people", "undo", THIEF, "--since", "1h"]).unwrap();
    assert!(words.contains("Nothing was marked"), "{words}");
    assert_eq!(world.provider.records().rung_twice().unwrap(), Vec::<String>::new());
}
