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

/// From the organiser's command to its effect.
const WITHIN: Duration = Duration::from_secs(1);

/// Everything that a revocation takes. A callee who was being talked to hears an apology first.
async fn is_out(world: &World, maya: &Volunteer) -> bool {
    let channels = world.node.channels().await.unwrap();
    let account = world.node.get(&format!("endpoints/PJSIP/{}", maya.device)).await;
    maya.live.told().revoked
        && !maya.live.told().open
        && maya.handset.standing().line.is_none()
        && !channels.iter().any(|id| id.starts_with("line-"))
        && account.is_err()
}

async fn revoke_and_look(world: &World, maya: &Volunteer) -> Duration {
    let began = Instant::now();
    world.server.command(&["people", "revoke", "Maya"]).unwrap();
    let out = || async { is_out(world, maya).await };
    poll("the end of everything Maya had", Duration::from_secs(10), out).await.unwrap();
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
        assert!(matches!(status, Some(401 | 403)), "{path}: {status:?}");
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
