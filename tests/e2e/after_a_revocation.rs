//! An organiser switches somebody off: within a second they have no way in, and their call is over.

use std::time::{Duration, Instant};

use e2e::{
    child::poll,
    raw_sip::Stolen,
    volunteer::Volunteer,
    world::{World, number},
};
use protocol::http::ErrorCode;
use serde_json::{Value, json};
use softphone::Registration;

/// From the organiser's command to its effect.
const WITHIN: Duration = Duration::from_secs(1);

/// What a revocation has not taken yet. A callee who was being talked to hears an apology first.
async fn left(world: &World, maya: &Volunteer) -> Vec<&'static str> {
    let channels = world.node.channels().await.unwrap();
    // `endpoints/` lists for a while what is no more, as the running call had it.
    let account = format!("asterisk/config/dynamic/res_pjsip/auth/{}", maya.device);
    let endpoint = format!("asterisk/config/dynamic/res_pjsip/endpoint/{}", maya.device);
    let told = maya.live.told();
    let all = [
        ("the app is not told", !told.revoked),
        ("/live is open", told.open),
        ("the tunnel is open", maya.handset.standing().registration == Some(Registration::Registered)),
        ("the line is up", channels.iter().any(|id| id.starts_with("line-"))),
        ("the account is there", world.node.get(&account).await.is_ok()),
        ("the endpoint is there", world.node.get(&endpoint).await.is_ok()),
    ];
    all.into_iter().filter(|(_, holds)| *holds).map(|(what, _)| what).collect()
}

async fn revoke_and_look(world: &World, maya: &Volunteer) -> Duration {
    let began = Instant::now();
    world.server.command(&["people", "revoke", "Maya"]).unwrap();
    let out = || async { left(world, maya).await.is_empty() };
    if let Err(error) = poll("the end of everything Maya had", Duration::from_secs(10), out).await {
        panic!("{error}: {:?}", left(world, maya).await);
    }
    let took = began.elapsed();
    let refused = maya.api.post::<Value>("/api/session/start", &json!({})).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::DeviceRevoked), "{refused:?}");
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_volunteer_is_out_within_a_second() {
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    let took = revoke_and_look(&world, &maya).await;
    assert!(took < WITHIN, "took {took:?}");
    // Her card is somebody else's now, and her token opens nothing.
    let tom = world.volunteer("Tom").await.unwrap();
    tom.start().await.unwrap();
    assert_eq!(tom.next_card(None).await.unwrap().name, "Callee 001");
    let thief = Stolen::from(&world.server, "Ann").await.unwrap();
    for path in ["/sip", "/live"] {
        let status = thief.refusal(path, Some(&maya.sign_in.token)).await.unwrap();
        assert_eq!(status, Some(401), "{path}");
    }
    assert!(world.provider.records().arrivals().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_over_within_a_second() {
    let world = World::with(&[number(0, 98)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    maya.call_and_talk().await.unwrap();
    let took = revoke_and_look(&world, &maya).await;
    assert!(took < WITHIN, "took {took:?}");
    let over = || async { world.provider.records().calls().is_ok_and(|calls| calls.len() == 1) };
    poll("the provider's record of the call", Duration::from_secs(15), over).await.unwrap();
    assert!(world.node.channels().await.unwrap().is_empty());
    assert_eq!(world.provider.records().calls().unwrap()[0].disposition, "ANSWERED");
    let rows = world.server.results().unwrap();
    assert_eq!((rows.len(), rows[0].outcome.as_deref()), (1, Some("unknown")), "{rows:?}");
}
