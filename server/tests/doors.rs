//! What the app and a stranger find at the server's door, over real TLS, without Asterisk.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{Device, Server, code, server};
use protocol::{
    http::{Challenge, EndedLink, ErrorCode, Joined, PROTOCOL_HEADER, SignIn},
    ids::DeviceId,
};
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

async fn challenge(server: &Server, device: DeviceId) -> String {
    let asked =
        server.post::<Challenge>("/api/sign-in/challenge", None, &json!({ "device_id": device })).await;
    asked.unwrap().challenge
}

#[tokio::test]
async fn a_link_is_spent_once_and_a_retry_is_answered_alike() {
    let server = server().await;
    let (device, link) = (Device::new(), server.invite("Maya").await);
    for _ in 0..2 {
        let joined: Joined = server.post("/api/join", None, &device.join(&link)).await.unwrap();
        assert_eq!((joined.volunteer.as_str(), joined.campaign.organiser.as_str()), ("Maya", "Ruth"));
    }
    let refused = async |link: &str| {
        server.post::<Joined>("/api/join", None, &Device::new().join(link)).await.unwrap_err()
    };
    let join = async |device: &Device, link: &str| {
        code(server.post::<Joined>("/api/join", None, &device.join(link)).await)
    };
    let week = 7 * 24 * 60 * 60 * 1_000;
    let ended = Some(EndedLink { organiser: "Ruth".into(), expires_at_ms: server.clock.now_ms() + week });
    let (status, spent) = refused(&link).await;
    assert_eq!((status, spent.code, &spent.link), (410, ErrorCode::LinkSpent, &ended));
    assert!(spent.message.contains("Ruth can send a new one"), "{}", spent.message);
    let unknown = server::secret::random::<16>();
    assert_eq!(join(&Device::new(), &unknown).await, Some((403, ErrorCode::UnknownLink)));
    assert_eq!(join(&Device::new(), "x").await, Some((403, ErrorCode::UnknownLink)));
    let late = server.invite("Sam").await;
    server.clock.advance(week);
    let (status, expired) = refused(&late).await;
    assert_eq!((status, expired.code, expired.link), (410, ErrorCode::LinkExpired, ended));
    assert!(expired.message.contains("Ruth can send a new one"), "{}", expired.message);
    server.running.stop().await;
}

#[tokio::test]
async fn only_the_devices_own_signature_of_a_fresh_challenge_signs_in() {
    let server = server().await;
    let (device, _) = server.signed_in("Maya").await;
    let sign_in = async |id: DeviceId, challenge: String, signature: String| {
        let answer = SignIn { device_id: id, challenge, signature };
        code(server.post::<Value>("/api/sign-in", None, &answer).await)
    };
    let fresh = challenge(&server, device.id).await;
    let signature = device.sign(&fresh);
    // The signature is good, so what is missing is Asterisk, and nothing was signed in.
    let no_telephone = Some((503, ErrorCode::NoTelephone));
    assert_eq!(sign_in(device.id, fresh.clone(), signature.clone()).await, no_telephone);
    let again = Some((401, ErrorCode::SignInAgain));
    assert_eq!(sign_in(device.id, fresh, signature).await, again, "a challenge counts once");

    let fresh = challenge(&server, device.id).await;
    let foreign = Device::new().sign(&fresh);
    assert_eq!(sign_in(device.id, fresh, foreign).await, again, "another's key");

    let fresh = challenge(&server, device.id).await;
    let signature = device.sign(&fresh);
    server.clock.advance(60_000);
    assert_eq!(sign_in(device.id, fresh, signature).await, again, "a minute later");

    let made_up = server::secret::random::<32>();
    let signature = device.sign(&made_up);
    assert_eq!(sign_in(device.id, made_up, signature).await, again, "not given by the server");

    let nobody = DeviceId::new(Uuid::now_v7());
    let fresh = challenge(&server, nobody).await;
    let signature = device.sign(&fresh);
    assert_eq!(sign_in(nobody, fresh, signature).await, Some((404, ErrorCode::NotFound)));

    server.running.app.store.revoke_device(device.id, server.clock.now_ms()).await.unwrap();
    let fresh = challenge(&server, device.id).await;
    let signature = device.sign(&fresh);
    assert_eq!(sign_in(device.id, fresh, signature).await, Some((401, ErrorCode::DeviceRevoked)));
    server.running.stop().await;
}

#[tokio::test]
async fn a_token_opens_until_it_ends_or_its_device_is_revoked() {
    let server = server().await;
    let (device, token) = server.signed_in("Maya").await;
    let out =
        async |token: Option<&str>| code(server.post::<Value>("/api/sign-out", token, &json!({})).await);
    let again = Some((401, ErrorCode::SignInAgain));
    assert_eq!(out(None).await, again);
    assert_eq!(out(Some("nonsense")).await, again);
    assert_eq!(out(Some(&server::secret::random::<32>())).await, again);
    assert_eq!(out(Some(&token)).await, None);
    assert_eq!(out(Some(&token)).await, again, "signed out");

    let (other, token) = server.signed_in("Sam").await;
    server.clock.advance(12 * 60 * 60 * 1_000);
    assert_eq!(out(Some(&token)).await, again, "twelve hours later");
    server.running.app.store.revoke_device(other.id, server.clock.now_ms()).await.unwrap();
    assert_eq!(out(Some(&token)).await, Some((401, ErrorCode::DeviceRevoked)));
    assert_ne!(device.id, other.id);
    server.running.stop().await;
}

#[tokio::test]
async fn another_protocol_a_large_body_and_nonsense_are_refused_in_words() {
    let server = server().await;
    let post = async |protocol: Option<&str>, body: String| {
        let mut request = server.app().post(server.url("/api/join")).body(body);
        request = request.header("content-type", "application/json");
        if let Some(protocol) = protocol {
            request = request.header(PROTOCOL_HEADER, protocol);
        }
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        let error: protocol::http::ApiError = reply.json().await.unwrap();
        assert!(!error.message.is_empty());
        (status, error.code)
    };
    assert_eq!(post(Some("0"), "{}".into()).await, (426, ErrorCode::UpdateApp));
    assert_eq!(post(Some("2"), "{}".into()).await, (426, ErrorCode::UpdateServer));
    assert_eq!(post(None, "{}".into()).await, (400, ErrorCode::Invalid));
    assert_eq!(post(Some("1"), "{".into()).await, (400, ErrorCode::Invalid));
    assert_eq!(post(Some("1"), " ".repeat(70_000)).await, (413, ErrorCode::TooLarge));
    let reply = server.app().get(server.url("/nowhere")).send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 404);
    server.running.stop().await;
}

#[tokio::test]
async fn an_address_that_fails_too_often_waits() {
    let server = server().await;
    let stranger = Device::new();
    let link = server::secret::random::<16>();
    for _ in 0..30 {
        let refused = server.post::<Joined>("/api/join", None, &stranger.join(&link)).await;
        assert_eq!(code(refused), Some((403, ErrorCode::UnknownLink)));
    }
    let limited = server.post::<Joined>("/api/join", None, &stranger.join(&link)).await.unwrap_err();
    assert_eq!((limited.0, limited.1.code), (429, ErrorCode::TooMany));
    assert_eq!(limited.1.again_at_ms, Some(server.clock.now_ms() + 600_000));
    // Somebody behind the same address who was invited, and who signs in, waits for nobody.
    let (maya, _) = server.signed_in("Maya").await;
    let sign_in = async |device: &Device| {
        let challenge = challenge(&server, device.id).await;
        let signature = device.sign(&challenge);
        let answer = SignIn { device_id: device.id, challenge, signature };
        code(server.post::<Value>("/api/sign-in", None, &answer).await)
    };
    assert_eq!(sign_in(&maya).await, Some((503, ErrorCode::NoTelephone)));
    assert_eq!(sign_in(&stranger).await, Some((429, ErrorCode::TooMany)), "who is not known waits");
    server.clock.advance(600_000);
    let refused = server.post::<Joined>("/api/join", None, &stranger.join(&link)).await;
    assert_eq!(code(refused), Some((403, ErrorCode::UnknownLink)));
    server.running.stop().await;
}

#[tokio::test]
async fn health_says_what_is_missing_and_metrics_count() {
    let server = server().await;
    let reply = server.app().get(server.url("/health")).send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 503);
    let health: Value = reply.json().await.unwrap();
    assert_eq!((&health["database"], &health["asterisk"]), (&json!("ready"), &json!("waiting")));
    let _ = server.post::<Joined>("/api/join", None, &Device::new().join("x")).await;
    let text = server.app().get(server.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("ringround_refusals_total{code=\"unknown-link\"} 1"), "{text}");
    server.running.stop().await;
}

#[tokio::test]
async fn the_authority_is_in_the_chain_survives_a_restart_and_is_the_pin_of_links() {
    let server = server().await;
    let pin = server.running.app.identity.pin();
    let key = std::fs::read_to_string(server.data.path().join("tls/authority.key")).unwrap();
    let key = KeyPair::from_pem(&key).unwrap();
    assert_eq!(pin, Some(Sha256::digest(key.subject_public_key_info()).into()));

    let connector = tokio_rustls::TlsConnector::from(Arc::new(server.tls()));
    let tcp = tokio::net::TcpStream::connect(server.running.app.address).await.unwrap();
    let tls = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
    let chain = tls.get_ref().1.peer_certificates().unwrap().to_vec();
    assert_eq!(chain.len(), 2, "leaf and authority");
    drop(tls);

    let link = server.running.app.join_link("token".into(), None);
    assert_eq!(link.server.as_str(), server.url("/"));
    assert_eq!(link.authority, pin);

    let wrong_name = server.url("/health").replace("localhost", "127.0.0.2");
    assert!(server.app().get(wrong_name).send().await.is_err(), "a name that is not in the certificate");

    let common::Server { data, running, clock, .. } = server;
    running.stop().await;
    let again = server::app::start(common::config(data.path()), clock.clone()).await.unwrap();
    assert_eq!(again.app.identity.pin(), pin);
    let second = server::app::start(common::config(data.path()), clock).await;
    assert!(matches!(second, Err(server::app::StartError::Running(_))));
    again.stop().await;
}

#[tokio::test]
async fn the_leaf_is_renewed_while_the_server_runs() {
    let server = server().await;
    let app = &server.running.app;
    assert!(!app.identity.renew().unwrap());
    server.clock.advance(59 * 24 * 60 * 60 * 1_000);
    assert!(!app.identity.renew().unwrap());
    server.clock.advance(2 * 24 * 60 * 60 * 1_000);
    assert!(app.identity.renew().unwrap());
    assert!(!app.identity.renew().unwrap());
    server.running.stop().await;
}

#[tokio::test]
async fn files_of_a_known_authority_are_used_and_read_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let files = server::config::CertificateFiles {
        chain: folder.path().join("chain.pem"),
        key: folder.path().join("key.pem"),
    };
    let write = |changed_s: u64| {
        let made = rcgen::generate_simple_self_signed(vec!["calls.example".into()]).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        std::fs::write(&files.chain, made.cert.pem()).unwrap();
        set_changed(&files.chain, changed_s);
    };
    let config =
        || server::config::Config { certificate: Some(files.clone()), ..common::config(folder.path()) };
    let missing = server::tls::Identity::open(&config(), server::clock::Clock::system()).err().unwrap();
    assert!(missing.to_string().contains("chain.pem"), "{missing}");

    write(1_000);
    let identity = server::tls::Identity::open(&config(), server::clock::Clock::system()).unwrap();
    assert_eq!(identity.pin(), None, "links name no authority");
    assert!(!identity.renew().unwrap());
    write(2_000);
    assert!(identity.renew().unwrap());
    std::fs::write(&files.key, "not a key").unwrap();
    set_changed(&files.chain, 3_000);
    assert!(identity.renew().is_err(), "half written: the old one stays");
}

fn set_changed(file: &std::path::Path, changed_s: u64) {
    let changed = std::time::UNIX_EPOCH + std::time::Duration::from_secs(changed_s);
    std::fs::File::options().append(true).open(file).unwrap().set_modified(changed).unwrap();
}

#[tokio::test]
async fn the_name_of_a_device_is_one_line_of_what_is_seen() {
    let server = server().await;
    let (device, link) = (Device::new(), server.invite("Maya").await);
    let mut join = device.join(&link);
    join.device_name = format!("\u{202e}Maya\u{2019}s\r\nlaptop\u{1b}[2J\u{200b}{}", "x".repeat(200));
    server.post::<Joined>("/api/join", None, &join).await.unwrap();
    let name = server.running.app.store.device(device.id).await.unwrap().unwrap().name;
    assert!(name.starts_with("Maya\u{2019}s laptop [2Jxxx"), "{name}");
    assert_eq!(name.chars().count(), 80);
    server.running.stop().await;
}
