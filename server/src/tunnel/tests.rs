#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::{Router, extract::State, response::Response, routing::get};
use tokio::net::TcpListener;
use tokio_tungstenite::{accept_async, tungstenite::Message};
use uuid::Uuid;

use super::*;

#[derive(Clone)]
struct Ends {
    tunnels: Tunnels,
    device: DeviceId,
    asterisk: Url,
    sign_in_ended: CancellationToken,
}

/// An Asterisk that answers each message with `got ` before it, and a server with a tunnel to it.
async fn ends() -> (Ends, String) {
    let asterisk = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", asterisk.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = asterisk.accept().await.unwrap();
            tokio::spawn(async move {
                let mut socket = accept_async(stream).await.unwrap();
                while let Some(Ok(Message::Text(text))) = socket.next().await {
                    socket.send(Message::text(format!("got {text}"))).await.unwrap();
                }
            });
        }
    });
    let ends = Ends {
        tunnels: Tunnels::new(Metrics::default()),
        device: DeviceId::new(Uuid::now_v7()),
        asterisk: url,
        sign_in_ended: CancellationToken::new(),
    };
    async fn sip(State(ends): State<Ends>, upgrade: ws::WebSocketUpgrade) -> Response {
        // The double does not speak subprotocols.
        let (asterisk, _) =
            tokio_tungstenite::connect_async(ends.asterisk.as_str().replace("http", "ws")).await.unwrap();
        let sign_in = ends.sign_in_ended.clone();
        let has_ended = async move {
            sign_in.cancelled().await;
            true
        };
        upgrade.max_message_size(LARGEST_MESSAGE).on_upgrade(async move |socket| {
            let reach = Reach::from_machine("203.0.113.9", &[("127.0.0.1", 8)]);
            ends.tunnels.pass(ends.device, reach, socket, asterisk, has_ended).await;
        })
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/sip", listener.local_addr().unwrap());
    let router = Router::new().route("/sip", get(sip)).with_state(ends.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (ends, address)
}

/// A request that is known by this word.
fn sip(word: impl std::fmt::Display) -> Message {
    Message::text(format!("OPTIONS sip:{word} SIP/2.0\r\nContent-Length: 0\r\n\r\n"))
}

/// What Asterisk's double answers to [`sip`].
fn got(word: &str) -> Option<String> {
    Some(format!("got {}", sip(word)))
}

async fn app(address: &str) -> ToAsterisk {
    tokio_tungstenite::connect_async(address).await.unwrap().0
}

async fn next(socket: &mut ToAsterisk) -> Option<String> {
    let message = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => return Some(text.as_str().to_owned()),
                Some(Ok(Message::Ping(_))) => {}
                None | Some(_) => return None,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), message).await.unwrap()
}

#[tokio::test]
async fn messages_pass_both_ways_until_it_is_closed() {
    let (ends, address) = ends().await;
    let mut app = app(&address).await;
    app.send(sip("a")).await.unwrap();
    assert_eq!(next(&mut app).await, got("a"));
    assert!(ends.tunnels.last_heard(ends.device).unwrap().elapsed() < Duration::from_secs(5));
    assert_eq!(ends.tunnels.metrics.tunnels.get(), 1);
    ends.tunnels.close(ends.device);
    assert_eq!(next(&mut app).await, None);
    assert_eq!(ends.tunnels.last_heard(ends.device), None);
    assert_eq!(ends.tunnels.metrics.tunnels.get(), 0);
}

#[tokio::test]
async fn a_newer_tunnel_of_a_device_closes_the_older_and_stays() {
    let (ends, address) = ends().await;
    let mut older = app(&address).await;
    older.send(sip("1")).await.unwrap();
    assert_eq!(next(&mut older).await, got("1"));
    let mut newer = app(&address).await;
    newer.send(sip("2")).await.unwrap();
    assert_eq!(next(&mut newer).await, got("2"));
    assert_eq!(next(&mut older).await, None);
    newer.send(sip("3")).await.unwrap();
    assert_eq!(next(&mut newer).await, got("3"));
    assert!(ends.tunnels.last_heard(ends.device).is_some());
}

#[tokio::test]
async fn a_message_that_is_too_long_is_counted_and_reaches_nobody() {
    let (ends, address) = ends().await;
    let mut app = app(&address).await;
    let sent = app.send(Message::text("x".repeat(10 * 1024 * 1024))).await;
    assert!(sent.is_err() || next(&mut app).await.is_none());
    assert_eq!(ends.tunnels.metrics.frames_dropped.get(), 1);
    drop(app);
    let mut again = self::app(&address).await;
    again.send(sip("still-there")).await.unwrap();
    assert_eq!(next(&mut again).await, got("still-there"));
    assert_eq!(ends.tunnels.metrics.frames_dropped.get(), 1, "an app that went away is no bad frame");
}

#[tokio::test]
async fn a_flood_waits_also_in_a_newer_tunnel() {
    let (_ends, address) = ends().await;
    let mut first = app(&address).await;
    for n in 0..MESSAGES_AHEAD {
        first.send(sip(n)).await.unwrap();
        assert!(next(&mut first).await.is_some());
    }
    let mut second = app(&address).await;
    let start = Instant::now();
    for n in 0..20 {
        second.send(sip(n)).await.unwrap();
    }
    for _ in 0..20 {
        assert!(next(&mut second).await.is_some());
    }
    assert!(start.elapsed() >= 10 * ONE_MORE_EVERY, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_tunnel_whose_own_sign_in_has_ended_is_closed() {
    let (ends, address) = ends().await;
    let mut app = app(&address).await;
    app.send(sip("1")).await.unwrap();
    assert_eq!(next(&mut app).await, got("1"));
    ends.sign_in_ended.cancel();
    assert_eq!(next(&mut app).await, None);
    assert_eq!(ends.tunnels.last_heard(ends.device), None);
}

#[tokio::test]
async fn what_no_app_sends_is_counted_and_the_rest_goes_on() {
    let (ends, address) = ends().await;
    let mut app = app(&address).await;
    let elsewhere =
        "REGISTER sip:a SIP/2.0\r\nContact: <sip:x@203.0.113.9;transport=udp>\r\nContent-Length: 0\r\n\r\n";
    for refused in [Message::text("no SIP"), Message::binary(vec![0xff, 0xfe]), Message::text(elsewhere)] {
        app.send(refused).await.unwrap();
    }
    app.send(sip("1")).await.unwrap();
    app.send(Message::binary(sip("2").into_data())).await.unwrap();
    assert_eq!(next(&mut app).await, got("1"));
    assert_eq!(next(&mut app).await, got("2"));
    assert_eq!(ends.tunnels.metrics.frames_dropped.get(), 3);
}

#[tokio::test]
async fn descriptions_are_passed_on_now_and_then() {
    let (_ends, address) = ends().await;
    let mut app = app(&address).await;
    let body = "v=0\r\nm=audio 0 RTP/AVP 0\r\n";
    let length = body.len();
    let text =
        format!("SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}");
    for _ in 0..=DESCRIPTIONS_AHEAD {
        app.send(Message::text(text.clone())).await.unwrap();
    }
    for _ in 0..DESCRIPTIONS_AHEAD {
        assert!(next(&mut app).await.is_some());
    }
    let start = Instant::now();
    assert!(next(&mut app).await.is_some());
    assert!(start.elapsed() >= ONE_MORE_DESCRIPTION_EVERY / 2, "{:?}", start.elapsed());
}
