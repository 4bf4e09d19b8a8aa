//! What a stranger, or a stolen sign-in, cannot use up; over real TLS, without Asterisk.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{Device, Server, code, server, server_with};
use futures_util::{SinkExt, StreamExt};
use protocol::{
    http::{Challenge, ErrorCode, Join, Joined, PROTOCOL_HEADER, Settle, SettleLease, SignIn},
    ids::LeaseId,
};
use serde_json::{Value, json};
use server::config::Doors;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(10);

async fn connect(server: &Server) -> std::io::Result<TlsStream<TcpStream>> {
    connect_from(server, 1).await
}

/// From `127.0.0.1`, which is this machine, or another address of that kind, which is a stranger's.
async fn connect_from(server: &Server, last: u8) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, last], 0).into())?;
    let tcp = socket.connect(server.running.app.address).await?;
    TlsConnector::from(Arc::new(server.tls())).connect("localhost".try_into().unwrap(), tcp).await
}

/// What the server says until it closes.
async fn until_closed(mut stream: TlsStream<TcpStream>) -> String {
    let mut said = Vec::new();
    // Closed without a goodbye is closed, too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("closed in time");
    String::from_utf8_lossy(&said).into_owned()
}

async fn live(server: &Server, token: &str) -> WebSocketStream<TlsStream<TcpStream>> {
    live_on(connect(server).await.unwrap(), server, token).await
}

async fn live_on(
    connection: TlsStream<TcpStream>,
    server: &Server,
    token: &str,
) -> WebSocketStream<TlsStream<TcpStream>> {
    let mut request = server.url("/live").replace("https", "wss").into_client_request().unwrap();
    request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    let (mut socket, _) = client_async(request, connection).await.unwrap();
    for what in ["hello", "snapshot"] {
        let event = socket.next().await.unwrap().unwrap();
        assert!(event.to_text().unwrap().contains(what), "{event}");
    }
    socket
}

/// Whether it is closed within the time.
async fn closes(socket: &mut WebSocketStream<TlsStream<TcpStream>>) -> bool {
    let end = async {
        while let Some(Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_))) = socket.next().await {}
    };
    tokio::time::timeout(PATIENCE, end).await.is_ok()
}

#[tokio::test]
async fn a_peer_that_says_nothing_or_not_enough_is_closed() {
    let short = Duration::from_millis(300);
    let server =
        server_with(Doors { head_within: short, idle_for: short, body_within: short, ..Doors::default() })
            .await;
    let head = "POST /api/join HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                x-ringround-protocol: 1\r\ncontent-length: 100\r\n\r\n{";
    for (says, answer) in [
        ("", ""),
        ("P", ""),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
        ("POST /api/join HTTP/1.1\r\nhost: local", ""),
        // Answered, and then nothing more.
        ("GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n", "HTTP/1.1 404"),
        // A body that does not come.
        (head, "HTTP/1.1 429"),
    ] {
        let mut stream = connect(&server).await.unwrap();
        stream.write_all(says.as_bytes()).await.unwrap();
        let said = until_closed(stream).await;
        assert!(said.contains(answer), "{says:?} -> {said:?}");
    }
    // Not even a handshake.
    let mut silent = TcpStream::connect(server.running.app.address).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, silent.read_u8()).await;
    assert!(read.expect("closed in time").is_err());
    server.running.stop().await;
}

#[tokio::test]
async fn a_connection_that_waits_for_its_next_request_is_kept_longer_than_a_first_head_may_take() {
    let short = Duration::from_millis(300);
    let server = server_with(Doors { head_within: short, ..Doors::default() }).await;
    let mut stream = connect(&server).await.unwrap();
    let mut slow = connect(&server).await.unwrap();
    slow.write_all(b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\n").await.unwrap();
    let request = "GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = [0; 4_096];
        let length = tokio::time::timeout(PATIENCE, stream.read(&mut said)).await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&said[..length]).contains("HTTP/1.1 404"));
        tokio::time::sleep(2 * short).await;
    }
    assert_eq!(until_closed(slow).await, "", "a head that does not end");
    server.running.stop().await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_there_is_room_again_after() {
    let server = server_with(Doors { connections: 2, ..Doors::default() }).await;
    let first = connect(&server).await.unwrap();
    let _second = connect(&server).await.unwrap();
    assert!(connect(&server).await.is_err(), "a third");
    drop(first);
    let again = async {
        // The server notices the end of the first a moment later.
        while connect(&server).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    server.running.stop().await;
}

#[tokio::test]
async fn nobody_joins_with_a_key_that_is_not_theirs() {
    let server = server().await;
    let (maya, mallory, link) = (Device::new(), Device::new(), server.invite("Maya").await);
    let join = async |join: Join| code(server.post::<Joined>("/api/join", None, &join).await);
    let not_signed = Some((400, ErrorCode::Invalid));
    // Maya's id and key, signed by Mallory; signed by Maya for another link; signed by Maya for another device.
    let foreign = Join { signature: mallory.join(&link).signature, ..maya.join(&link) };
    assert_eq!(join(foreign).await, not_signed);
    let other_link = Join { signature: maya.join("other").signature, ..maya.join(&link) };
    assert_eq!(join(other_link).await, not_signed);
    assert_eq!(join(Join { device_id: mallory.id, ..maya.join(&link) }).await, not_signed);
    assert_eq!(join(Join { signature: String::new(), ..maya.join(&link) }).await, not_signed);
    assert_eq!(join(maya.join(&link)).await, None, "the link was not spent by these");
    server.running.stop().await;
}

#[tokio::test]
async fn a_device_that_moves_to_somebody_else_leaves_its_desk() {
    let server = server().await;
    let (device, token) = server.signed_in("Maya").await;
    let mut socket = live(&server, &token).await;
    let ask = async || code(server.post::<Value>("/api/session/pause", Some(&token), &json!({})).await);
    assert_ne!(ask().await, Some((401, ErrorCode::SignInAgain)));
    let link = server.invite("Sam").await;
    let joined: Joined = server.post("/api/join", None, &device.join(&link)).await.unwrap();
    assert_eq!(joined.volunteer, "Sam");
    assert!(closes(&mut socket).await, "Maya's desk");
    assert_eq!(ask().await, Some((401, ErrorCode::SignInAgain)));
    // A retry of the same link moves nobody.
    let now = server.clock.now_ms();
    let hash = server::secret::hash("sam's");
    server.running.app.store.sign_in(&hash, device.id, now, now + 1_000).await.unwrap();
    let _: Joined = server.post("/api/join", None, &device.join(&link)).await.unwrap();
    let signed_in = server.running.app.store.signed_in_devices(now).await.unwrap();
    assert_eq!(signed_in, [device.id]);
    server.running.stop().await;
}

#[tokio::test]
async fn a_newer_live_socket_closes_the_older_and_a_flood_closes_itself() {
    let server = server().await;
    let (_, token) = server.signed_in("Maya").await;
    let mut older = live(&server, &token).await;
    let mut newer = live(&server, &token).await;
    assert!(closes(&mut older).await, "one for each device");
    newer.send(Message::Ping("still here".into())).await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, newer.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(answer, Message::Pong("still here".into()));
    for _ in 0..1_000 {
        if newer.send(Message::Ping("".into())).await.is_err() {
            break;
        }
    }
    assert!(closes(&mut newer).await, "a flood of pings");
    server.running.stop().await;
}

#[tokio::test]
async fn a_device_that_asks_too_much_waits_and_others_do_not() {
    let server = server().await;
    let ((_, maya), (_, sam)) = (server.signed_in("Maya").await, server.signed_in("Sam").await);
    let client = server.app();
    let ask = async |token: &str| {
        let request = client.post(server.url("/api/session/pause")).header(PROTOCOL_HEADER, "1");
        request.bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    let mut asked = 0;
    while ask(&maya).await != 429 {
        asked += 1;
        assert!(asked < 2_000, "never too much");
    }
    assert!(asked >= 60, "an honest app was stopped after {asked}");
    assert_ne!(ask(&sam).await, 429);
    server.running.stop().await;
}

#[tokio::test]
async fn a_card_that_is_not_passed_on_counts_for_nothing() {
    let server = server().await;
    let (_, token) = server.signed_in("Maya").await;
    for _ in 0..40 {
        let settle = SettleLease { lease_id: LeaseId::new(Uuid::now_v7()), how: Settle::Skip };
        let refused = server.post::<Value>("/api/lease/settle", Some(&token), &settle).await;
        assert_eq!(code(refused), Some((409, ErrorCode::LeaseLost)));
    }
    server.running.stop().await;
}

#[tokio::test]
async fn nobody_uses_up_another_devices_challenges_or_tries() {
    let server = server().await;
    let ((maya, _), mallory) = (server.signed_in("Maya").await, Device::new());
    let client = server.app();
    let post = async |path: &str, body: Value| {
        let request = client.post(server.url(path)).header(PROTOCOL_HEADER, "1").json(&body);
        request.send().await.unwrap()
    };
    let challenge = async || {
        let reply = post("/api/sign-in/challenge", json!({ "device_id": maya.id })).await;
        reply.json::<Challenge>().await.unwrap().challenge
    };
    let sign_in = async |challenge: &str, signature: String| {
        let answer = json!(SignIn { device_id: maya.id, challenge: challenge.into(), signature });
        post("/api/sign-in", answer).await.status().as_u16()
    };
    // Whoever knows her device's id, at her own address.
    let hers = challenge().await;
    let mut refused = Vec::new();
    for _ in 0..100 {
        let theirs = challenge().await;
        refused.push(sign_in(&theirs, mallory.sign(&theirs)).await);
    }
    assert_eq!(refused[..30], [401; 30]);
    assert_eq!(refused[30..], [429; 70], "nothing is written down of these any more");
    // Her signature is good: only Asterisk is missing, of the older challenge and of a new one.
    assert_eq!(sign_in(&hers, maya.sign(&hers)).await, 503);
    let fresh = challenge().await;
    assert_eq!(sign_in(&fresh, maya.sign(&fresh)).await, 503);
    assert_eq!(sign_in(&fresh, maya.sign(&fresh)).await, 429, "it counts once, and this is nobody's");
    server.running.stop().await;
}

#[tokio::test]
async fn a_device_signs_in_only_now_and_then() {
    let server = server().await;
    let (maya, _) = server.signed_in("Maya").await;
    let sign_in = async || {
        let body = json!({ "device_id": maya.id });
        let given: Challenge = server.post("/api/sign-in/challenge", None, &body).await.unwrap();
        let signature = maya.sign(&given.challenge);
        let answer = SignIn { device_id: maya.id, challenge: given.challenge, signature };
        code(server.post::<Value>("/api/sign-in", None, &answer).await)
    };
    for _ in 0..20 {
        assert_eq!(sign_in().await, Some((503, ErrorCode::NoTelephone)));
    }
    let mut asked = 0;
    while sign_in().await != Some((429, ErrorCode::TooMany)) {
        asked += 1;
        assert!(asked < 50, "never too often");
    }
    server.running.stop().await;
}

#[tokio::test]
async fn strangers_give_way_to_each_other_and_to_whoever_signs_in() {
    let doors = Doors { connections: 20, strangers: 8, here: 2, per_address: 6, ..Doors::default() };
    let server = server_with(doors).await;
    let ((_, maya), (_, sam)) = (server.signed_in("Maya").await, server.signed_in("Sam").await);
    let mut maya = live_on(connect_from(&server, 20).await.unwrap(), &server, &maya).await;
    let mut held = Vec::new();
    for last in 2..10 {
        for _ in 0..6 {
            held.push(connect_from(&server, last).await.unwrap());
        }
    }
    // Sam from elsewhere, a stranger with a link, this machine's health check: each comes in.
    let _sam = live_on(connect_from(&server, 21).await.unwrap(), &server, &sam).await;
    for last in [22, 1] {
        let mut stream = connect_from(&server, last).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        assert!(until_closed(stream).await.starts_with("HTTP/1.1 503"), "no Asterisk, from {last}");
    }
    maya.send(Message::Ping("still here".into())).await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, maya.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(answer, Message::Pong("still here".into()), "who is signed in keeps the place");
    let mut lost = 0;
    for mut stream in held {
        let closed = tokio::time::timeout(Duration::from_millis(50), stream.read_u8()).await.is_ok();
        lost += usize::from(closed);
    }
    assert!((40..48).contains(&lost), "{lost} of 48 strangers gave way");
    server.running.stop().await;
}
