//! The server and its node on one machine, a volunteer on another, with nothing between them but a cable: over IPv4 and
//! over IPv6; what a volunteer's network can reach of the server's machine, and what is said when it holds back the sound.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use e2e::{
    desktop::Desktop,
    listening::{self, HEARD},
    networks::{Family, Net, PROVIDER, TRUNK, server_address},
    pbx::{HTTP_PORT, RTP, SIP_PORT},
    sound::Sentence,
    volunteer::Volunteer,
    window::{PATIENCE, Window, app},
    wire::{Datagram, Wire},
    world::{World, number},
};
use protocol::{line::Line, outcome::Outcome};
use tokio::net::{TcpStream, UdpSocket};

/// The issue of a line whose sound does not get through must be known so soon.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

async fn each_hears_the_other(family: Family) {
    let (callee, volunteer) = (Sentence::say(301).unwrap(), Sentence::say(302).unwrap());
    let world = World::with(&[number(0, 1)]).await.unwrap();
    world.provider.says(&callee.sound).unwrap();
    let maya = world.volunteer_by(family, "Maya").await.unwrap();
    let desk = maya.start().await.unwrap();
    assert_eq!(desk.line, Line::Up);
    let (ear, wire) =
        (maya.handset.mark(), Wire::watch(&world.server.networks.server, Datagram::is_rtp).unwrap());
    maya.call_and_talk().await.unwrap();
    maya.handset.say(&volunteer.sound);
    let longest = callee.sound.milliseconds().max(volunteer.sound.milliseconds());
    tokio::time::sleep(Duration::from_millis(longest as u64 + 1_000)).await;
    let heard = listening::find(&callee.sound, &maya.handset.heard_since(ear));
    maya.hang_up().await.unwrap();
    maya.outcome(Outcome::Reached).await.unwrap();
    let ends = |datagram: Datagram| [datagram.from.ip(), datagram.to.ip()];
    let of_the_trunk = |ip: &IpAddr| [TRUNK, PROVIDER].map(IpAddr::from).contains(ip);
    let took: BTreeSet<IpAddr> =
        wire.take().into_iter().flat_map(ends).filter(|ip| !of_the_trunk(ip)).collect();
    let way = BTreeSet::from([maya.home.address(family), server_address(family)]);
    assert_eq!(took, way, "the sound took another way than {family:?}");
    assert!(heard.correlation >= HEARD, "{family:?}: the volunteer did not hear the callee: {heard:?}");
    let records = world.provider.records();
    let spoken_to = records.heard(&records.arrivals().unwrap()[0]).unwrap();
    let found = listening::find(&volunteer.sound, &spoken_to);
    assert!(found.correlation >= HEARD, "{family:?}: the callee did not hear the volunteer: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_hears_the_other_over_ipv4() {
    each_hears_the_other(Family::V4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_hears_the_other_over_ipv6() {
    each_hears_the_other(Family::V6).await;
}

/// Where sockets of a network wait for whoever comes, by IPv4 and by IPv6: proc_net(5).
fn bound(net: &Net, protocol: &'static str, wanted: impl Fn(&SocketAddr) -> bool) -> BTreeSet<SocketAddr> {
    let read = move || {
        let table =
            |family: &str| std::fs::read_to_string(format!("/proc/thread-self/net/{protocol}{family}"));
        std::io::Result::Ok(table("")? + &table("6")?)
    };
    let waits = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
        // TCP_LISTEN; a UDP socket without a peer is in the state 7.
        let waits = state == if protocol == "tcp" { "0A" } else { "07" };
        waits.then(|| socket_address(local)).flatten()
    };
    net.enter(read).unwrap().unwrap().lines().filter_map(waits).filter(wanted).collect()
}

/// `0100007F:1F98`; each group of eight digits is a number in the order of bytes of this machine.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        _ => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?).into()
        }
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

async fn answers_tcp(from: &Net, at: SocketAddr) -> bool {
    let connecting =
        async move { tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(at)).await };
    matches!(from.run(connecting).await, Ok(Ok(_)))
}

/// An OPTIONS, which each SIP element answers, be it with a refusal (RFC 3261, section 11.2).
async fn answers_sip(from: &Net, at: SocketAddr) -> bool {
    let asking = async move {
        let any: IpAddr =
            if at.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0)).await.unwrap();
        socket.connect(at).await.ok()?;
        let own = socket.local_addr().unwrap();
        let options = format!(
            "OPTIONS sip:{at} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{}\r\nMax-Forwards: 70\r\n\
             From: <sip:nobody@{own}>;tag=1\r\nTo: <sip:{at}>\r\nCall-ID: {}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
            uuid::Uuid::now_v7().simple(),
            uuid::Uuid::now_v7().simple()
        );
        socket.send(options.as_bytes()).await.ok()?;
        tokio::time::timeout(Duration::from_secs(1), socket.recv(&mut [0; 2_048])).await.ok()?.ok()
    };
    from.run(asking).await.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volunteers_network_reaches_the_server_and_the_sound_and_nothing_else() {
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    maya.call_and_talk().await.unwrap();
    let networks = &world.server.networks;
    let (machine, home) = (&networks.server, networks.home().unwrap());

    // What waits for anybody on the server's machine, all of it.
    let anybody = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    assert_eq!(
        bound(machine, "tcp", anybody),
        BTreeSet::from([(Ipv6Addr::UNSPECIFIED, world.server.address().port()).into()])
    );
    let loopback = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
    let inside = bound(machine, "tcp", loopback);
    assert_eq!(
        inside,
        BTreeSet::from([(Ipv4Addr::LOCALHOST, HTTP_PORT).into()]),
        "ARI, SIP's WebSocket, figures"
    );
    // Asterisk's resolver asks from ports that the system gave it (from 32768 on), and takes answers to its questions alone.
    let udp = bound(machine, "udp", |address| anybody(address) && address.port() < 32_768);
    let (sound, other): (BTreeSet<SocketAddr>, _) =
        udp.into_iter().partition(|address| RTP.contains(&address.port()));
    assert_eq!(other, BTreeSet::from([(TRUNK, SIP_PORT).into()]), "SIP listens on the trunk's address alone");
    // The volunteer's sound on every address of the machine, the callee's on the trunk's.
    let places: BTreeSet<IpAddr> = sound.iter().map(SocketAddr::ip).collect();
    assert_eq!(places, BTreeSet::from([Ipv6Addr::UNSPECIFIED.into(), TRUNK.into()]), "{sound:?}");

    // And what a volunteer's network gets of it.
    for family in [Family::V4, Family::V6] {
        let at = |port| SocketAddr::new(server_address(family), port);
        assert!(answers_tcp(&home, at(world.server.address().port())).await, "{family:?}");
        assert!(!answers_tcp(&home, at(HTTP_PORT)).await, "ARI is reached from outside, {family:?}");
        assert!(
            !answers_tcp(&home, at(SIP_PORT)).await && !answers_sip(&home, at(SIP_PORT)).await,
            "SIP, {family:?}"
        );
        let url = format!("https://{}/metrics", world.server.address_of(family));
        let figures = home.run(world.server.client().unwrap().get(url).send()).await.unwrap();
        assert_eq!(figures.status(), 404, "the figures are told outside, {family:?}");
    }
    // The same questions are answered where they may be.
    assert!(answers_tcp(machine, (Ipv4Addr::LOCALHOST, HTTP_PORT).into()).await);
    assert!(answers_sip(&networks.provider, (TRUNK, SIP_PORT).into()).await);
    let url = format!("https://127.0.0.1:{}/metrics", world.server.address().port());
    let figures = machine.run(world.server.client().unwrap().get(url).send()).await.unwrap();
    assert_eq!(figures.status(), 200);
}

const HEAD: &str = "Sound does not get through to the server.";

#[tokio::test(flavor = "multi_thread")]
async fn a_network_without_udp_is_told_of_before_anybody_is_rung() {
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let home = world.home().unwrap();
    let desktop = Desktop::start(&home, world.folder.path(), true).await.unwrap();
    let link = world.server.invite("Maya").unwrap().text();
    let log = world.folder.path().join("app.log");
    let window = Window::open_with(&app(), &[&link], &desktop, &[], &log).await.unwrap();
    window.wait_for("button", "Start calling").await.unwrap();
    assert!(!status(&world).contains("Sound"), "{}", status(&world));

    world.server.networks.hold_back_udp(&home).unwrap();
    window.press("Start calling").await.unwrap();
    told_in_time(&world, &window).await;
    world.server.networks.let_udp_through(&home).unwrap();
    window.wait_for("button", "Call Callee").await.unwrap();
    assert!(!window.text().await.unwrap().contains(HEAD));
    assert!(!status(&world).contains("Sound"), "{}", status(&world));

    // The same while the line waits for the next call.
    world.server.networks.hold_back_udp(&home).unwrap();
    told_in_time(&world, &window).await;
    assert!(world.provider.records().arrivals().unwrap().is_empty(), "somebody was rung");
    world.server.networks.let_udp_through(&home).unwrap();
    window.press("Call Callee").await.unwrap();
    window.wait_for_text("Talking with", PATIENCE).await.unwrap();
    window.close().await;
}

fn status(world: &World) -> String {
    world.server.command(&["status"]).unwrap()
}

/// Volunteer and organiser.
async fn told_in_time(world: &World, window: &Window) {
    let since = Instant::now();
    window.wait_for_text(HEAD, PATIENCE).await.unwrap();
    assert!(since.elapsed() < TOLD_WITHIN, "the volunteer was told after {:?}", since.elapsed());
    let told = async || status(world).contains("does not get through to Maya");
    e2e::child::poll("the organiser's status", Duration::from_secs(10), told).await.unwrap();
    assert!(since.elapsed() < TOLD_WITHIN, "the organiser was told after {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_rung_for_a_line_whose_app_has_not_said_that_sound_gets_through() {
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let maya: Volunteer = world.volunteer("Maya").await.unwrap();
    world.server.networks.hold_back_udp(&maya.home).unwrap();
    maya.session("start").await.unwrap();
    maya.open_line().await.unwrap();
    // Asterisk has the answer of the app, and the line in its bridge.
    let answered = || async {
        let channels = world.node.get("channels").await;
        channels.is_ok_and(|all| all.as_array().is_some_and(|all| all.iter().any(|one| one["state"] == "Up")))
    };
    e2e::child::poll("the answered line", Duration::from_secs(5), answered).await.unwrap();
    let desk = maya.desk().unwrap();
    assert_eq!((desk.line, desk.session.card()), (Line::Opening, None), "no card, nobody to ring: {desk:?}");
    world.server.networks.let_udp_through(&maya.home).unwrap();
    maya.until("the line", |desk| desk.line == Line::Up).await.unwrap();
    maya.next_card(None).await.unwrap();
}
