//! What somebody with a volunteer's secrets can have Asterisk send, and write down, through their tunnel: nothing
//! elsewhere, and nothing for each request.

use std::{net::UdpSocket, path::PathBuf, time::Duration};

use e2e::{
    child::poll,
    pbx::own_address,
    raw_sip::{Request, Socket, Stolen},
    world::World,
};
use protocol::http::OpenLine;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

fn register<'a>(own: &'a str, contact: &'a str) -> Request<'a> {
    let headers = "Expires: 60\r\n";
    Request { method: "REGISTER", uri: "sip:ringround", to: own, contact, headers, ..Request::default() }
}

/// Has the line opened, and gives the INVITE that comes down the tunnel; `None`: none came.
async fn line(mallory: &Stolen, socket: &mut Socket, token: &str) -> Option<String> {
    mallory.api.post::<Value>("/api/line", &OpenLine { token: token.into() }).await.unwrap();
    socket.invited(Duration::from_secs(5)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_elsewhere_is_not_registered_and_calls_come_by_the_tunnel() {
    let world = World::with(&[]).await.unwrap();
    let mallory = Stolen::from(&world.server, "Mallory").await.unwrap();
    let mut socket = mallory.open("/sip").await.unwrap();
    let own = format!("sip:{}@ringround", mallory.device);
    // Somebody who waits for a call that should not come.
    let victim = UdpSocket::bind((own_address().unwrap().unwrap(), 0)).unwrap();
    victim.set_nonblocking(true).unwrap();
    let there = victim.local_addr().unwrap();

    for contact in [
        format!("<sip:x@{there};transport=udp>"),
        format!("<sip:x@{there}>"),
        format!("<sip:x@a.invalid;maddr={};transport=ws>", there.ip()),
        format!("<sip:x@a.invalid;transport=ws?Route=%3Csip:{there};transport=udp;lr%3E>"),
        format!("<sip:x@a.invalid;transport=ws>;expires=0, <sip:x@{there};transport=udp>"),
        format!("<sip:x@a.invalid;transport=ws>;expires=0\r\nContact: <sip:x@{there};transport=udp>"),
        format!("<sip:x@a.invalid;transport=ws>;expires=0\r\nm: <sip:x@{there};transport=udp>"),
    ] {
        assert_eq!(socket.ask(register(&own, &contact)).await.unwrap(), None, "{contact}");
    }
    // The address in a Contact of the right form counts for nothing: Asterisk puts the tunnel's in its place.
    let named = format!("<sip:x@{there};transport=ws>");
    assert_eq!(socket.ask(register(&own, &named)).await.unwrap(), Some(200));
    mallory.api.post::<Value>("/api/session/start", &json!({})).await.unwrap();
    let invite = line(&mallory, &mut socket, "first-line-token-0000000000000001").await;
    assert!(invite.expect("the line's INVITE").contains("X-Line-Token: first-line"));
    assert!(victim.recv(&mut [0; 2_048]).is_err(), "Asterisk sent something to {there}");
    // Tells the organiser, once.
    let told = world.logs().matches("SIP that no app of ours sends was not passed on").count();
    assert_eq!(told, 1, "{}", world.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_forty_candidates_has_sixteen_of_them_knocked_at() {
    let world = World::with(&[]).await.unwrap();
    let mallory = Stolen::from(&world.server, "Mallory").await.unwrap();
    let mut socket = mallory.open("/sip").await.unwrap();
    let own = format!("sip:{}@ringround", mallory.device);
    assert_eq!(socket.ask(register(&own, "")).await.unwrap(), Some(200));
    mallory.api.post::<Value>("/api/session/start", &json!({})).await.unwrap();

    let here = own_address().unwrap().unwrap();
    let doors: Vec<UdpSocket> = (0..40).map(|_| UdpSocket::bind((here, 0)).unwrap()).collect();
    let candidates: String = doors
        .iter()
        .enumerate()
        .map(|(n, door)| {
            door.set_nonblocking(true).unwrap();
            let port = door.local_addr().unwrap().port();
            format!("a=candidate:{n} 1 udp {} {here} {port} typ host\r\n", 2_130_706_431 - n)
        })
        .collect();
    let invite = line(&mallory, &mut socket, "forty-candidates-000000000000001").await.expect("the INVITE");
    let opus = invite.lines().find_map(|line| line.strip_prefix("a=rtpmap:")?.strip_suffix(" opus/48000/2"));
    let opus = opus.expect("Opus is offered");
    let answer = format!(
        "v=0\r\no=- 1 1 IN IP4 {here}\r\ns=-\r\nt=0 0\r\na=group:BUNDLE audio-0\r\nm=audio 9 UDP/TLS/RTP/SAVPF {opus}\r\n\
         c=IN IP4 {here}\r\na=mid:audio-0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\n\
         a=fingerprint:sha-256 {}\r\na=setup:active\r\na=rtcp-mux\r\na=rtpmap:{opus} opus/48000/2\r\n{candidates}a=sendrecv\r\n",
        ["AA"; 32].join(":")
    );
    let contact = format!("Contact: <sip:{}@thief.invalid;transport=ws>\r\n", mallory.device);
    socket.reply_with(&invite, "200 OK", &contact, &answer).await.unwrap();

    let mut knocked = [false; 40];
    let mut look = || {
        for (knocked, door) in knocked.iter_mut().zip(&doors) {
            *knocked |= door.recv(&mut [0; 2_048]).is_ok();
        }
        knocked.iter().filter(|knocked| **knocked).count()
    };
    poll("Asterisk's checks", PATIENCE, || std::future::ready(look() >= 16)).await.unwrap();
    let none = || async { world.node.channels().await.unwrap().is_empty() };
    poll("an end of the line, which never comes up", Duration::from_secs(20), none).await.unwrap();
    assert_eq!(look(), 16);
    assert!(knocked[..16].iter().all(|knocked| *knocked), "{knocked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_options_leaves_asterisks_log_as_it_is() {
    let world = World::with(&[]).await.unwrap();
    let mallory = Stolen::from(&world.server, "Mallory").await.unwrap();
    let mut socket = mallory.open("/sip").await.unwrap();
    let own = format!("sip:{}@ringround", mallory.device);
    assert_eq!(socket.ask(register(&own, "")).await.unwrap(), Some(200));
    let written = || {
        let files = ["node/log/messages", "node/console.log"].map(|file| world.folder.path().join(file));
        files.map(|file| std::fs::metadata(file).unwrap().len())
    };
    let options = Request { method: "OPTIONS", uri: "sip:ringround", ..Request::default() };
    assert!(socket.ask(options).await.unwrap().is_some());
    let before = written();
    for _ in 0..100 {
        assert!(socket.ask(options).await.unwrap().is_some());
    }
    assert_eq!(written(), before, "{}", world.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn asterisks_log_turns_over_and_three_old_ones_are_kept() {
    let world = World::with(&[]).await.unwrap();
    let log = world.folder.path().join("node/log/messages");
    let old = |n: u8| PathBuf::from(format!("{}.{n}", log.display()));
    // As scripts/asterisk sets it, but for a smaller file.
    let most = 256 * 1024;
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    let node = rustix::process::Pid::from_raw(i32::try_from(world.node.id().unwrap()).unwrap());
    rustix::process::prlimit(node, rustix::process::Resource::Fsize, limit).unwrap();
    // Each is an error in the log: there is no such function.
    let nonsense = format!("asterisk/variable?variable=NONE({})", "x".repeat(3_000));
    let mut asked = 0;
    while !old(2).exists() || std::fs::metadata(&log).is_ok_and(|log| log.len() < most / 2) {
        let _ = world.node.get(&nonsense).await;
        asked += 1;
        assert!(asked < 4_000, "the log does not turn over");
    }
    for _ in 0..3 * most / 3_000 {
        let _ = world.node.get(&nonsense).await;
    }
    let only = || async { [0, 1, 2].into_iter().all(|n| old(n).exists()) && !old(3).exists() };
    poll("three old files", PATIENCE, only).await.unwrap();
    for file in [log.clone(), old(0), old(1), old(2)] {
        assert!(std::fs::metadata(&file).unwrap().len() <= most, "{}", file.display());
    }
    assert!(world.node.get("asterisk/info").await.is_ok(), "it goes on");
}
