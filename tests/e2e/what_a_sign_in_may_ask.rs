//! What one volunteer's sign-in may ask of the whole, be it in honest hands or in others.

use std::time::Duration;

use e2e::{
    api::{Api, Failure},
    live::Live,
    tls,
    volunteer::{PATIENCE, authorise, new_key, spend},
    world::{World, number},
};
use protocol::{
    http::{ErrorCode, Settle, SettleLease},
    ids::DeviceId,
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

#[tokio::test(flavor = "multi_thread")]
async fn a_new_sign_in_closes_what_the_older_one_opened() {
    let world = World::with(&[]).await.unwrap();
    let link = world.server.invite("Maya").unwrap();
    let api = Api::new(link.server.clone(), world.server.client().unwrap());
    let (device, key) = (DeviceId::new(Uuid::now_v7()), new_key().unwrap());
    spend(&api, &link, device, &key).await.unwrap();
    let tls = tls::believing(&world.server.authority()).unwrap();
    let live = |token: &str| Live::open(&link.server, token, tls.clone());

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
