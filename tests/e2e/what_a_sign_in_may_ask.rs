//! What one volunteer's sign-in may ask of the whole, be it in honest hands or in others.

use std::time::Duration;

use e2e::{
    api::{Api, Failure},
    live::Live,
    tls,
    volunteer::{PATIENCE, Volunteer, authorise, new_key, spend},
    world::{World, number},
};
use protocol::{
    http::{ErrorCode, Settle, SettleLease},
    ids::DeviceId,
    session::{Desk, Session, Waiting},
};
use serde_json::Value;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_not_read_by_passing_on_its_cards() {
    let people: Vec<String> = (1..=40).map(|which| number(0, which)).collect();
    let world = World::with(&people).await.unwrap();
    let mallory = world.volunteer("Mallory").await.unwrap();
    mallory.start().await.unwrap();
    let mut read = vec![mallory.next_card(None).await.unwrap()];
    let refused = loop {
        let card = read.last().unwrap();
        let settle = SettleLease { lease_id: card.lease_id, how: Settle::Skip };
        match mallory.api.post::<Value>("/api/lease/settle", &settle).await {
            Ok(_) => read.push(mallory.next_card(read.last()).await.unwrap()),
            Err(Failure::Refused(refused)) => break refused,
            Err(other) => panic!("{other:?}"),
        }
        assert!(read.len() < people.len(), "the whole list");
    };
    assert_eq!(refused.code, ErrorCode::TooMany);
    assert!(refused.message.contains("without a call"), "{}", refused.message);
    assert!((20..=23).contains(&read.len()), "{} cards", read.len());
    // The organiser is told, the card is still there, and calling goes on.
    assert!(world.logs().contains("passes on more cards than people read"), "not in the log");
    assert_eq!(mallory.card().unwrap().lease_id, read.last().unwrap().lease_id);
    mallory.call_and_talk().await.unwrap();
}

/// When the next card comes, if this desk waits because many were passed on.
fn waits_until(desk: &Desk) -> Option<i64> {
    match desk.session {
        Session::Waiting { why: Waiting::PassedOn { next_at_ms } } => Some(next_at_ms),
        Session::Waiting { .. }
        | Session::Ended
        | Session::Ready { .. }
        | Session::Dialling { .. }
        | Session::Talking { .. }
        | Session::WrapUp { .. }
        | Session::Paused { .. } => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_not_marked_never_to_be_rung_by_passing_on_its_cards() {
    let people: Vec<String> = (1..=40).map(|which| number(0, which)).collect();
    let world = World::with(&people).await.unwrap();
    let link = world.server.invite("Mallory").unwrap();
    let (device, key) = (DeviceId::new(Uuid::now_v7()), new_key().unwrap());
    let home = world.home().unwrap();
    let api = Api::new(&home, &link.server, &world.server).unwrap();
    spend(&api, &link, device, &key).await.unwrap();
    let sign_in = async || Volunteer::sign_in(&world.server, &home, &link, device, &key).await.unwrap();

    let mallory = sign_in().await;
    mallory.start().await.unwrap();
    let mut marked = 0;
    let until = loop {
        let card = mallory.card().unwrap().lease_id;
        // Never refused.
        mallory.settle(Settle::DoNotCall).await.unwrap();
        marked += 1;
        assert!(marked < people.len(), "the whole list");
        let next = |desk: &Desk| desk.session.card().is_some_and(|next| next.lease_id != card);
        let desk = mallory.until("what follows", |desk| next(desk) || waits_until(desk).is_some()).await;
        if let Some(until) = waits_until(&desk.unwrap()) {
            break until;
        }
    };
    assert!((21..=23).contains(&marked), "{marked} marked");
    assert!(world.logs().contains("passes on more cards than people read"), "not in the log");
    let is_the_same = |desk: &Desk| waits_until(desk).is_some_and(|again| (again - until).abs() < 1_000);

    mallory.session("stop").await.unwrap();
    mallory.until("the end", |desk| desk.session == Session::Ended).await.unwrap();
    let desk = mallory.start().await.unwrap();
    assert!(is_the_same(&desk), "a new session: {:?}", desk.session);
    drop(mallory);
    let again = sign_in().await;
    let desk = again.start().await.unwrap();
    assert!(is_the_same(&desk), "a new sign-in: {:?}", desk.session);
    // Nobody else waits for it.
    let tom = world.volunteer("Tom").await.unwrap();
    tom.start().await.unwrap();
    tom.next_card(None).await.unwrap();
    let came = again.live.until("the next card", Duration::from_secs(70), |told| {
        told.desk.as_ref().is_some_and(|desk| desk.session.card().is_some())
    });
    came.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_sign_in_closes_what_the_older_one_opened() {
    let world = World::with(&[]).await.unwrap();
    let link = world.server.invite("Maya").unwrap();
    let home = world.home().unwrap();
    let api = Api::new(&home, &link.server, &world.server).unwrap();
    let (device, key) = (DeviceId::new(Uuid::now_v7()), new_key().unwrap());
    spend(&api, &link, device, &key).await.unwrap();
    let tls = tls::believing(&world.server.authority()).unwrap();
    let live = |token: &str| Live::open(&home, &link.server, token, tls.clone());

    let stolen = authorise(&api, device, &key).await.unwrap();
    let thief = live(&stolen.token);
    thief.until("the first snapshot", PATIENCE, |told| told.open).await.unwrap();
    let own = authorise(&api, device, &key).await.unwrap();
    // Maya has not opened hers yet; the thief's does not come back.
    let closed = thief.until("the end", PATIENCE, |told| told.losses == 1).await.unwrap();
    assert!(!closed.revoked);
    let maya = live(&own.token);
    maya.until("the first snapshot", PATIENCE, |told| told.open).await.unwrap();
    let back = thief.until("the thief back", Duration::from_secs(2), |told| told.open).await;
    assert!(back.is_err(), "opened with the older sign-in");
    assert_eq!(maya.told().losses, 0);
}
