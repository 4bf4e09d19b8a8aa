//! What somebody with a volunteer's secrets can have Asterisk send, and write down, through their tunnel: nothing
//! elsewhere, and nothing for each request.

use std::{net::UdpSocket, process::Stdio, time::Duration};

use e2e::{
    child::poll,
    networks::{Family, Home},
    pbx::{free_tcp_port, project},
    raw_sip::{OFFER, Request, Socket, Stolen},
    world::World,
};
use protocol::http::OpenLine;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(10);
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn register<'a>(own: &'a str, contact: &'a str) -> Request<'a> {
    let headers = "Expires: 60\r\n";
    Request { method: "REGISTER", uri: "sip:ringround", to: own, contact, headers, ..Request::default() }
}

/// Has the line opened, and gives the INVITE that comes down the tunnel; `None`: none came.
async fn line(mallory: &Stolen, socket: &mut Socket, token: &str) -> Option<String> {
    mallory.api.post::<Value>("/api/line", &OpenLine { token: token.into() }).await.unwrap();
    socket.invited(Duration::from_secs(5)).await.unwrap()
}

/// A port that waits for whatever comes.
fn door(home: &Home, family: Family) -> UdpSocket {
    let address = home.address(family);
    let door = home.enter(move || UdpSocket::bind((address, 0))).unwrap().unwrap();
    door.set_nonblocking(true).unwrap();
    door
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_elsewhere_is_not_registered_and_calls_come_by_the_tunnel() {
    let world = World::with(&[]).await.unwrap();
    let mallory = Stolen::from(&world.server, "Mallory").await.unwrap();
    let mut socket = mallory.open("/sip").await.unwrap();
    let own = format!("sip:{}@ringround", mallory.device);
    // Somebody who waits for a call that should not come.
    let victim = door(&world.home().unwrap(), Family::V4);
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
    // For Asterisk an `&` begins a header.
    let smuggled = format!("Expires: 60&Contact: <sip:x@{there};transport=udp>\r\n");
    let request = Request { headers: &smuggled, ..register(&own, "") };
    assert_eq!(socket.ask(request).await.unwrap(), None);
    // The address in a Contact of the right form counts for nothing: Asterisk puts the tunnel's in its place.
    let named = format!("<sip:x@{there};transport=ws>");
    assert_eq!(socket.ask(register(&own, &named)).await.unwrap(), Some(200));
    mallory.api.post::<Value>("/api/session/start", &json!({})).await.unwrap();
    let invite = line(&mallory, &mut socket, TOKEN).await;
    assert!(invite.expect("the line's INVITE").contains(TOKEN));
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

    // Of somebody else, in a network of theirs; by IPv4 all of them are in the server's 10.0.0.0/8.
    let elsewhere = world.home().unwrap();
    let here = elsewhere.address(Family::V6);
    let doors: Vec<UdpSocket> = (0..40).map(|_| door(&elsewhere, Family::V6)).collect();
    let candidate = |n: usize, colon: &str| {
        let port = doors[n].local_addr().unwrap().port();
        format!("a=candidate{colon}{n} 1 udp {} {here} {port} typ host\r\n", 2_130_706_431 - n)
    };
    // To Asterisk the last ones are candidates too.
    let disguised = [" ", "/", ";", ","].into_iter().zip(36..).map(|(colon, n)| candidate(n, colon));
    let candidates: String = disguised.chain((0..36).map(|n| candidate(n, ":"))).collect();
    let invite = line(&mallory, &mut socket, TOKEN).await.expect("the INVITE");
    let opus = invite.lines().find_map(|line| line.strip_prefix("a=rtpmap:")?.strip_suffix(" opus/48000/2"));
    let opus = opus.expect("Opus is offered");
    let answer = format!(
        "v=0\r\no=- 1 1 IN IP6 {here}\r\ns=-\r\nt=0 0\r\na=group:BUNDLE audio-0\r\nm=audio 9 UDP/TLS/RTP/SAVPF {opus}\r\n\
         c=IN IP6 {here}\r\na=mid:audio-0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\n\
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
async fn a_flood_leaves_asterisks_log_as_it_is_and_makes_no_channel() {
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
    // No app rings out, so these do not come to Asterisk; what follows them does.
    let invite = Request { method: "INVITE", uri: "sip:a@ringround", body: OFFER, ..Request::default() };
    for _ in 0..20 {
        socket.tell(invite).await.unwrap();
    }
    // In no call that there is.
    let forged = Request { to: "<sip:a@ringround>;tag=5d1c", ..invite };
    assert_eq!(socket.ask(forged).await.unwrap(), Some(481));
    assert_eq!(world.node.channels().await.unwrap(), Vec::<String>::new());
    assert_eq!(written(), before, "{}", world.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn asterisks_log_turns_over_and_three_old_ones_are_kept() {
    e2e::tls::use_ring();
    let folder = tempfile::tempdir().unwrap();
    let node = folder.path().join("node");
    let scripts = project().join("scripts");
    let port = free_tcp_port().unwrap();
    let mut made = Command::new(scripts.join("asterisk-config"));
    let made = made.arg("node").arg(&node).args([
        format!("HTTP_PORT={port}"),
        "SIP_PORT=15060".into(),
        "RTP_START=15100".into(),
        "RTP_END=15199".into(),
        "PROVIDER=127.0.0.1:9".into(),
    ]);
    assert!(made.status().await.unwrap().success());
    // Its console is no file, as where it serves: there it would have no limit.
    let mut asterisk = Command::new(scripts.join("asterisk"));
    let asterisk = asterisk.arg(&node).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut asterisk = asterisk.kill_on_drop(true).spawn().unwrap();
    let mut console = asterisk.stdout.take().unwrap();
    tokio::spawn(async move { tokio::io::copy(&mut console, &mut tokio::io::sink()).await });

    let (client, password) = (reqwest::Client::new(), node.join("ari-password"));
    let url = format!("http://127.0.0.1:{port}/ari/asterisk/config/dynamic/res_pjsip/auth/nobody");
    // An error in the log for each: there is no such option.
    let write_a_line = async || {
        let fields = json!({ "fields": [{ "attribute": "x".repeat(1_000), "value": "" }] });
        let password = std::fs::read_to_string(&password).unwrap();
        let ask = client.put(&url).basic_auth("ringround", Some(password.trim())).json(&fields);
        ask.send().await.is_ok_and(|reply| reply.status() == 400)
    };
    poll("its ARI", Duration::from_secs(30), &write_a_line).await.unwrap();

    // The limit that scripts/asterisk sets is there, and made small for this test.
    let process = Pid::from_raw(i32::try_from(asterisk.id().unwrap()).unwrap());
    let most = 64 * 1024;
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    let before = prlimit(process, Resource::Fsize, limit).unwrap();
    assert_eq!(before.current, Some(32 * 1024 * 1024));
    let files = || {
        let all = std::fs::read_dir(node.join("log")).unwrap().map(|entry| entry.unwrap());
        let mut all: Vec<_> = all
            .filter_map(|file| Some((file.file_name().into_string().ok()?, file.metadata().ok()?.len())))
            .filter(|(name, _)| name.starts_with("messages"))
            .collect();
        all.sort();
        all
    };
    for _ in 0..6 * most / 1_000 {
        assert!(write_a_line().await, "Asterisk is gone");
    }
    let names = || files().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let three = || std::future::ready(names() == ["messages", "messages.0", "messages.1", "messages.2"]);
    poll("three old files", PATIENCE, three).await.unwrap();
    assert!(files().iter().all(|(_, length)| *length <= most), "{:?}", files());
}
