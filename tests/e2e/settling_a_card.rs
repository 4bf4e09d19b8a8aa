//! What a volunteer may do with a card besides calling: skip, later, do not call, pause, stop.

use e2e::world::{World, number};
use protocol::{
    http::{ErrorCode, Settle},
    outcome::RingAgain,
    session::{Session, Waiting},
};

fn nobody_left(desk: &protocol::session::Desk) -> bool {
    matches!(desk.session, Session::Waiting { why: Waiting::NobodyLeft { .. } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_person_goes_to_somebody_else() {
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    maya.settle(Settle::Skip).await.unwrap();
    maya.until("nobody left", nobody_left).await.unwrap();
    let tom = world.volunteer("Tom").await.unwrap();
    tom.start().await.unwrap();
    assert_eq!(tom.next_card(None).await.unwrap().name, "Callee 001");
}

#[tokio::test(flavor = "multi_thread")]
async fn later_and_do_not_call_take_a_person_off_today() {
    let world = World::with(&[number(0, 1), number(0, 2)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    let first = maya.next_card(None).await.unwrap();
    maya.settle(Settle::Later { again: RingAgain::InAnHour }).await.unwrap();
    let second = maya.next_card(Some(&first)).await.unwrap();
    assert_ne!(first.name, second.name);
    maya.settle(Settle::DoNotCall).await.unwrap();
    let desk = maya.until("nobody left", nobody_left).await.unwrap();
    let Session::Waiting { why: Waiting::NobodyLeft { again, next_at_ms } } = desk.session else {
        unreachable!()
    };
    assert_eq!(again, 1, "one of them may be rung again");
    assert!(next_at_ms.is_some());
    // Never again, not on a new list either.
    let never = if second.name.ends_with("001") { number(0, 1) } else { number(0, 2) };
    world.server.import(&[never]).unwrap();
    let tom = world.volunteer("Tom").await.unwrap();
    let desk = tom.start().await.unwrap();
    assert!(nobody_left(&desk), "{:?}", desk.session);
    assert!(world.provider.records().arrivals().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_gives_the_card_up_and_stop_takes_the_line_down() {
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    let lease_id = maya.next_card(None).await.unwrap().lease_id;
    maya.session("pause").await.unwrap();
    maya.until("the pause", |desk| matches!(desk.session, Session::Paused { .. })).await.unwrap();
    let refused = maya
        .api
        .post::<serde_json::Value>("/api/dial", &protocol::http::Dial { lease_id })
        .await
        .unwrap_err();
    assert!(matches!(refused.code(), Some(ErrorCode::WrongState | ErrorCode::LeaseLost)), "{refused:?}");
    maya.session("resume").await.unwrap();
    maya.next_card(None).await.unwrap();
    maya.session("stop").await.unwrap();
    maya.until("the end", |desk| desk.session == Session::Ended && desk.line == protocol::line::Line::Down)
        .await
        .unwrap();
    maya.handset.until("the line's end", e2e::volunteer::PATIENCE, |s| s.line.is_none()).await.unwrap();
    assert!(world.node.channels().await.unwrap().is_empty());
    assert!(world.provider.records().arrivals().unwrap().is_empty());
}
