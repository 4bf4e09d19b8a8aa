//! The callee's number reaches the volunteer's machine masked, and the card is gone after the wrap-up.

use e2e::{
    canary,
    live::Live,
    tls,
    volunteer::PATIENCE,
    world::{World, number},
};
use protocol::{outcome::Outcome, session::Session};

#[tokio::test(flavor = "multi_thread")]
async fn no_whole_number_is_in_anything_the_app_receives() {
    let world = World::with(&[number(0, 42), number(1, 43)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    for _ in 0..2 {
        let called = maya.next_card(None).await.unwrap();
        let attempt = maya.call().await.unwrap();
        let over = |desk: &protocol::session::Desk| {
            matches!(desk.session, Session::Talking { .. })
                || desk.last_outcome.as_ref().is_some_and(|last| last.attempt_id == attempt)
        };
        if matches!(maya.until("an answer or an end", over).await.unwrap().session, Session::Talking { .. }) {
            maya.hang_up().await.unwrap();
            maya.outcome(Outcome::Reached).await.unwrap();
        }
        let next = maya
            .until("what comes next", |desk| {
                matches!(desk.session, Session::Ready { .. } | Session::Waiting { .. })
            })
            .await
            .unwrap();
        let next = serde_json::to_string(&next.session).unwrap();
        let of_the_card = [called.name.as_str(), called.form_of_address.as_str(), called.number.as_str()];
        for gone in of_the_card {
            assert!(!next.contains(gone), "{gone} is still there: {next}");
        }
    }
    // Whoever opens the app now is told no more of them than the name of the last.
    let server = format!("https://{}", world.server.address()).parse().unwrap();
    let tls = tls::believing(&world.server.authority()).unwrap();
    let again = Live::open(&maya.home, &server, &maya.sign_in.token, tls);
    again.until("a snapshot", PATIENCE, |told| told.desk.is_some()).await.unwrap();
    let again = again.text();
    for gone in ["Mx 042", "Mx 043", "the weather", "•••"] {
        assert!(!again.contains(gone), "{gone} is still there: {again}");
    }
    assert_eq!(world.provider.records().arrivals().unwrap().len(), 2);
    let told = maya.live.text() + &maya.api.replies();
    assert!(told.contains("+44 7700 ••• 042"), "the masked number is there");
    for whole in [number(0, 42), number(1, 43)].iter().flat_map(|n| canary::spellings(n)) {
        assert!(!told.contains(&whole), "{whole} was sent to the app");
    }
    let log = std::fs::read_to_string(world.server.console()).unwrap();
    for secret in [&maya.sign_in.token, &maya.sign_in.sip_password, &number(0, 42)[3..].to_owned()] {
        assert!(!log.contains(secret), "a secret is in the server's log");
    }
}
