//! A phone against a registrar that is kind, unkind, or out of its mind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::peer::{Peer, Phone, serve, settings, yes};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use softphone::{CallState, EndedBy, Event, Reason, Registration, Secret, Trust, Why};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message as Frame;

async fn registered(phone: &mut Phone) {
    phone
        .wait("registered", |e| matches!(e, Event::Registration(Registration::Registered)).then_some(()))
        .await;
}

async fn refused(phone: &mut Phone) -> Why {
    phone
        .wait("refused", |event| match event {
            Event::Registration(Registration::Refused { why }) => Some(why.clone()),
            Event::Registration(_)
            | Event::Call { .. }
            | Event::FirstMedia { .. }
            | Event::Media { .. }
            | Event::Level { .. }
            | Event::Devices(_) => None,
        })
        .await
}

#[tokio::test]
async fn it_answers_the_strongest_challenge_and_leaves_when_stopped() {
    fn asks(register: &str) -> (u16, String) {
        if register.contains("Authorization: Digest") && register.contains("algorithm=SHA-256") {
            return yes(register);
        }
        let of = |name: &str| {
            format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm={name}, qop=\"auth\"\r\n")
        };
        (401, of("SHA-256") + &of("MD5"))
    }
    let mut peer = Peer::start(asks).await;
    let mut phone = Phone::start(settings("ws", peer.address, "a"));
    registered(&mut phone).await;
    phone.phone.stop().await;
    let last = peer.hear("Expires: 0\r\n").await;
    assert!(last.starts_with("REGISTER sip:test SIP/2.0\r\n"), "{last}");
}

#[tokio::test]
async fn a_refused_account_and_a_refused_token_say_whose_fault_it_is() {
    let peer = Peer::start(|_| (403, String::new())).await;
    let mut phone = Phone::start(settings("ws", peer.address, "a"));
    assert_eq!(refused(&mut phone).await, Why::Account(403));

    let peer = Peer::start(yes).await;
    let mut stale = settings("ws", peer.address, "a");
    stale.bearer = Some(Secret::new("stale"));
    let mut phone = Phone::start(stale);
    assert_eq!(refused(&mut phone).await, Why::Upgrade(401));
    phone.phone.set_bearer(Secret::new("fresh"));
    registered(&mut phone).await;
}

#[tokio::test]
async fn an_address_without_tls_is_used_for_this_machine_only() {
    let mut elsewhere = settings("ws", ([127, 0, 0, 1], 1).into(), "a");
    elsewhere.server = "ws://192.0.2.1/sip".parse().unwrap();
    assert!(matches!(refused(&mut Phone::start(elsewhere)).await, Why::Address(_)));
}

#[tokio::test]
async fn it_comes_back_when_the_connection_is_cut() {
    let peer = Peer::start(yes).await;
    let mut phone = Phone::start(settings("ws", peer.address, "a"));
    registered(&mut phone).await;
    peer.cut();
    phone
        .wait("lost", |event| matches!(event, Event::Registration(Registration::Lost { .. })).then_some(()))
        .await;
    registered(&mut phone).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_dropped_and_the_phone_goes_on() {
    let mut peer = Peer::start(yes).await;
    let mut phone = Phone::start(settings("ws", peer.address, "a"));
    registered(&mut phone).await;
    assert_eq!(phone.phone.unreadable(), 0);
    let unreadable = [
        Frame::Text("x".repeat(10 << 20).into()),
        Frame::Binary(vec![0xff; 10 << 20].into()),
        Frame::Binary(vec![0; 65_536].into()),
        Frame::Text("INVITE sip:a@b SIP/2.0\r\n\r\n".into()),
        Frame::Text("SIP/2.0 999 \r\nVia: a\r\n\r\n".into()),
        Frame::Text(
            "BYE sip:a SIP/2.0\r\nv: x\r\nf: x\r\nt: x\r\ni: nobody\r\nCSeq: 99999999999 BYE\r\n\r\n".into(),
        ),
    ];
    let readable = [
        Frame::Text("".into()),
        Frame::Text("\r\n\r\n".into()),
        Frame::Text(
            "SIP/2.0 200 OK\r\nVia: x\r\nFrom: x\r\nTo: x\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n".into(),
        ),
    ];
    let dropped = unreadable.len() as u64;
    for frame in unreadable.into_iter().chain(readable) {
        peer.send("a", frame);
    }
    let ask = |method: &str, more: &str| {
        format!(
            "{method} sip:a@x SIP/2.0\r\nv: SIP/2.0/WS p;branch=z9hG4bK{method}\r\nf: <sip:p@test>;tag=1\r\n\
             t: <sip:a@test>\r\ni: {method}\r\nCSeq: 1 {method}\r\nm: <sip:p@p>\r\n{more}\r\n\r\n"
        )
    };
    let cases = [
        ("OPTIONS", "", "SIP/2.0 200"),
        ("INVITE", "c: application/sdp\r\n\r\nv=0", "SIP/2.0 486"),
        ("INVITE", "X-Line-Token: guess\r\nc: application/sdp\r\n\r\nv=0", "SIP/2.0 486"),
        ("INVITE", "Require: 100rel\r\n\r\nv=0", "SIP/2.0 420"),
        ("REFER", "Refer-To: <sip:evil@x>", "SIP/2.0 405"),
        ("BYE", "", "SIP/2.0 481"),
    ];
    for (method, more, expected) in cases {
        peer.send("a", Frame::Text(ask(method, more).into()));
        let answer = peer.hear(&format!("CSeq: 1 {method}")).await;
        assert!(answer.starts_with(expected), "{method} {more}: {answer}");
    }
    assert_eq!(phone.phone.unreadable(), dropped);
    // More than is read at all costs the connection, and only that.
    peer.send("a", Frame::Binary(vec![b'x'; 17 << 20].into()));
    phone
        .wait("lost", |event| match event {
            Event::Registration(Registration::Lost { why: Why::Protocol(_), .. }) => Some(()),
            Event::Registration(_)
            | Event::Call { .. }
            | Event::FirstMedia { .. }
            | Event::Media { .. }
            | Event::Level { .. }
            | Event::Devices(_) => None,
        })
        .await;
    registered(&mut phone).await;
}

#[tokio::test]
async fn a_line_token_lets_one_call_in_and_a_description_that_cannot_be_used_ends_it() {
    let mut peer = Peer::start(yes).await;
    let mut phone = Phone::start(settings("ws", peer.address, "a"));
    registered(&mut phone).await;
    phone.phone.expect_line("right".to_owned());
    for expected in ["SIP/2.0 488", "SIP/2.0 486"] {
        let invite = "INVITE sip:a@x SIP/2.0\r\nVia: SIP/2.0/WS p;branch=z9hG4bK1\r\nFrom: <sip:p@test>;tag=1\r\n\
            To: <sip:a@test>\r\nCall-ID: 5\r\nCSeq: 1 INVITE\r\nContact: <sip:p@p>\r\nX-Line-Token: right\r\n\r\nv=0\r\n";
        peer.send("a", Frame::Text(invite.into()));
        let mut answer = peer.hear("CSeq: 1 INVITE").await;
        if answer.starts_with("SIP/2.0 100") {
            answer = peer.hear("CSeq: 1 INVITE").await;
        }
        assert!(answer.starts_with(expected), "{answer}");
    }
}

#[tokio::test]
async fn a_call_without_a_connection_ends_at_once() {
    let mut phone = Phone::start(settings("ws", ([127, 0, 0, 1], 1).into(), "a"));
    let id = phone.phone.call("1");
    let state = CallState::Ended { by: EndedBy::Failure, reason: Reason::NotRegistered };
    phone.wait("ended", |event| (*event == Event::Call { id, state: state.clone() }).then_some(())).await;
}

#[tokio::test]
async fn only_the_pinned_authority_is_believed() {
    let key = KeyPair::generate().unwrap();
    let public_key_sha256 = Sha256::digest(key.subject_public_key_info()).into();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, key).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let chain = vec![leaf.der().clone(), CertificateDer::from(authority.der().to_vec())];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let tls = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = tls.accept(stream).await else { continue };
            #[expect(clippy::result_large_err, reason = "the library's own type")]
            let accept = tokio_tungstenite::accept_hdr_async(
                stream,
                |_: &_, mut response: tokio_tungstenite::tungstenite::handshake::server::Response| {
                    response.headers_mut().insert("Sec-WebSocket-Protocol", "sip".parse().unwrap());
                    Ok(response)
                },
            );
            if let Ok(socket) = accept.await {
                let (said, _) = tokio::sync::mpsc::unbounded_channel();
                tokio::spawn(serve(socket, yes, str::to_owned, said, Arc::new(Mutex::new(HashMap::new()))));
            }
        }
    });
    for (pin, name, good) in [
        (public_key_sha256, "localhost", true),
        ([7; 32], "localhost", false),
        (public_key_sha256, "127.0.0.1", false),
    ] {
        let mut settings = settings("wss", address, "a");
        settings.server.set_host(Some(name)).unwrap();
        settings.trust = Trust::Authority { public_key_sha256: pin };
        let mut phone = Phone::start(settings);
        if good {
            registered(&mut phone).await;
        } else {
            let why = refused(&mut phone).await;
            assert!(matches!(why, Why::Untrusted(_) | Why::WrongName), "{why:?}");
        }
    }
    serving.abort();
}
