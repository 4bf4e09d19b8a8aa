#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::{fake::*, *};

struct Wire {
    asterisk: FakeAsterisk,
    ari: Ari,
    news: mpsc::Receiver<News>,
    metrics: Metrics,
    _stop: tokio_util::sync::DropGuard,
}

async fn wire(behaviour: Behaviour) -> Wire {
    let asterisk = FakeAsterisk::start(behaviour).await;
    let (metrics, stop) = (Metrics::default(), CancellationToken::new());
    let (ari, mut news) = Ari::start(asterisk.settings(), metrics.clone(), stop.clone());
    assert_eq!(news.recv().await, Some(News::Here));
    Wire { asterisk, ari, news, metrics, _stop: stop.drop_guard() }
}

fn silent() -> Behaviour {
    Box::new(|_| vec![])
}

#[tokio::test]
async fn answers_find_their_requests_in_any_order() {
    let mut first = None;
    let mut wire = wire(Box::new(move |asked| match first.take() {
        None => {
            first = Some(asked.clone());
            vec![]
        }
        Some(first) => vec![
            asked.answer(200, &json!([channel("b", "PJSIP/b-1", "Up")])),
            first.answer(200, &json!([{"id": "a", "channels": ["x"]}])),
        ],
    }))
    .await;
    // Both are on their way before either is awaited.
    let (bridges, channels) = (wire.ari.bridges(), wire.ari.channels());
    assert_eq!(wire.asterisk.asked("bridges").await.method, "GET");
    assert_eq!(bridges.await.unwrap(), [Bridge { id: "a".into(), channels: vec!["x".into()] }]);
    assert_eq!(channels.await.unwrap()[0].state, ChannelState::Up);
}

#[tokio::test]
async fn a_refusal_says_what_it_is() {
    let mut statuses = [404, 409, 500, 204].into_iter();
    let wire = wire(Box::new(move |asked| {
        vec![asked.answer(statuses.next().unwrap(), &json!({"message": "Allocation failed"}))]
    }))
    .await;
    assert_eq!(wire.ari.hang_up("x").await, Err(AriError::NotThere));
    assert_eq!(wire.ari.dial("x", 30).await, Err(AriError::Conflict(409)));
    assert_eq!(wire.ari.dial("x", 30).await, Err(AriError::Refused(500, "Allocation failed".into())));
    assert_eq!(wire.ari.dial("x", 30).await, Ok(()));
}

#[tokio::test]
async fn what_is_malformed_or_too_long_is_counted_and_the_next_event_is_heard() {
    let mut wire = wire(silent()).await;
    let too_long = json!({"type": "ChannelDestroyed", "channel": {"id": "x".repeat(10 * 1024 * 1024)}});
    wire.asterisk.send(&too_long);
    for bad in
        ["", "{", "[]", "{\"type\":\"StasisStart\"}", "{\"type\":\"RESTResponse\",\"request_id\":\"x\"}"]
    {
        wire.asterisk.send_text(bad.to_owned());
    }
    // An answer that nobody waits for, and an event of a kind that we do not know, are no faults.
    wire.asterisk.send(&json!({"type": "RESTResponse", "request_id": "99", "status_code": 200}));
    wire.asterisk.send(&event("ChannelTalkingStarted", "a", "Up"));
    wire.asterisk.send(&event("ChannelDestroyed", "a", "Up"));
    assert_eq!(
        wire.news.recv().await,
        Some(News::Event(Event::Destroyed { channel: "a".into(), ending: Ending::by(0) }))
    );
    assert_eq!(wire.metrics.frames_dropped.get(), 6);
}

#[tokio::test]
async fn a_lost_connection_fails_what_waits_and_comes_back_by_itself() {
    let mut wire = wire(silent()).await;
    let waiting = wire.ari.channels();
    wire.asterisk.asked("GET channels").await;
    wire.asterisk.close();
    assert_eq!(waiting.await, Err(AriError::Away));
    assert_eq!(wire.news.recv().await, Some(News::Away));
    assert!(!wire.ari.is_here());
    assert_eq!(wire.ari.channels().await, Err(AriError::Away));
    assert_eq!(wire.news.recv().await, Some(News::Here));
    assert!(wire.ari.is_here());
    assert_eq!(wire.metrics.asterisk_connected.get(), 2);
}

#[tokio::test]
async fn a_place_that_another_took_is_left_to_them_until_they_go() {
    let mut taken = [true, false].into_iter();
    let mut wire = wire(Box::new(move |asked| match asked.line() == "GET applications/ringround" {
        true if taken.next() == Some(true) => vec![asked.answer(200, &json!({"channel_ids": []}))],
        true => vec![asked.answer(404, &json!({"message": "Application not found"}))],
        false => vec![],
    }))
    .await;
    let waiting = wire.ari.channels();
    wire.asterisk.asked("GET channels").await;
    wire.asterisk.send(&json!({"type": "ApplicationReplaced", "application": "ringround"}));
    assert_eq!(waiting.await, Err(AriError::Away));
    assert_eq!(wire.news.recv().await, Some(News::Away));
    for _look in 0..2 {
        assert_eq!(wire.metrics.asterisk_connected.get(), 1);
        assert_eq!(wire.ari.channels().await, Err(AriError::Away), "it waits for no answer");
        wire.asterisk.asked("GET applications/ringround").await;
    }
    assert_eq!(wire.news.recv().await, Some(News::Here));
    assert_eq!(wire.metrics.asterisk_connected.get(), 2);
}

#[tokio::test]
async fn an_account_is_made_of_digests_and_reaches_our_application_only() {
    let mut wire = wire(Box::new(|asked| vec![asked.answer(200, &json!([]))])).await;
    let account = Account::new("maya", "pass word");
    // `printf 'maya:ringround:pass word' | md5sum`, `sha256sum`
    assert_eq!(account.md5, "b966bfb8f9156f09f2ee49ae91bdd217");
    assert_eq!(account.sha256, "ac98864a46b6577b0005dd01c775430ebd4ac0d2bea179b454e9cc7e81f3ece2");
    wire.ari.put_account(&account).await.unwrap();
    let auth = wire.asterisk.asked("PUT").await;
    assert!(auth.uri.ends_with("res_pjsip/auth/maya"), "{}", auth.uri);
    wire.asterisk.asked("/aor/maya").await;
    let endpoint = wire.asterisk.asked("/endpoint/maya").await;
    let field = |asked: &Asked, name: &str| -> String {
        let fields = asked.body["fields"].as_array().unwrap();
        let field = fields.iter().find(|field| field["attribute"] == name);
        field.map_or(Value::Null, |field| field["value"].clone()).as_str().unwrap_or_default().to_owned()
    };
    assert!(!auth.body.to_string().contains("pass word"));
    assert_eq!(field(&auth, "password_digest"), format!("MD5:{},SHA-256:{}", account.md5, account.sha256));
    assert_eq!(field(&endpoint, "context"), "stasis-ringround");
    assert_eq!(field(&endpoint, "allow_transfer"), "no");
    assert_eq!(field(&endpoint, "allow_subscribe"), "no");
}
