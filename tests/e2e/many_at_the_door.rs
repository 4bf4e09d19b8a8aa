//! Many who come at once, be they volunteers or strangers who want nothing but the places.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use e2e::{
    raw_sip::Stolen,
    ringround::Ringround,
    tls,
    world::{World, number},
};
use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Connections of one address in the attack that was seen: eight of these took all places.
const EACH: usize = 512;

/// So many join, sign in and open their tunnels at once; how long each waited for its tunnel, the longest last.
async fn come(world: &World, many: usize) -> anyhow::Result<Vec<Duration>> {
    let come = join_all((0..many).map(|n| async move {
        let volunteer = Stolen::from(&world.server, &format!("Volunteer {n}")).await?;
        let start = Instant::now();
        let tunnel = volunteer.open("/sip").await?;
        anyhow::Ok((start.elapsed(), tunnel))
    }));
    // Their tunnels stay open until all have one.
    let all: Vec<_> = come.await.into_iter().collect::<anyhow::Result<_>>()?;
    let mut took: Vec<Duration> = all.into_iter().map(|(took, _)| took).collect();
    took.sort();
    Ok(took)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_beside_others_has_a_tunnel_at_once() {
    let world = World::with(&[]).await.unwrap();
    for many in [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 40] {
        let took = come(&world, many).await.unwrap();
        eprintln!(
            "{many} at once: a tunnel after {:?} in the middle, {:?} at most",
            took[many / 2],
            took[many - 1]
        );
        assert!(took[many - 1] < Duration::from_secs(3), "{took:?}");
    }
}

/// Of this server's process, MiB.
fn memory(server: &Ringround) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

/// A connection that made one request, from an address that is a stranger's.
async fn stranger(server: SocketAddr, from: u8, tls: TlsConnector) -> anyhow::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into())?;
    let name = server.ip().into();
    let mut stream = tls.connect(name, socket.connect(server).await?).await?;
    stream.write_all(b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n").await?;
    stream.read_u8().await?;
    Ok(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_with_thousands_of_connections_shut_nobody_out() {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: files.maximum, ..files };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    // Of a machine's own addresses only one is its own for the server, so these seven others are strangers.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, world.server.address().port()));
    let machine = &world.server.networks.server;
    let tls = TlsConnector::from(Arc::new((*tls::believing(&world.server.authority()).unwrap()).clone()));
    let before = memory(&world.server);

    let mut held = Vec::new();
    for _ in 0..EACH / 16 {
        let come = (2..10)
            .flat_map(|from| (0..16).map(move |_| from))
            .map(|from| machine.run(stranger(address, from, tls.clone())));
        // Those who lost their place meanwhile got nothing, and are no loss.
        held.extend(join_all(come).await.into_iter().flatten());
    }
    let during = memory(&world.server);
    // Those who came first have lost their places by now, and come again.
    for _ in 0..4 {
        drop(held.drain(..EACH));
        let again = (2..10)
            .flat_map(|from| (0..EACH / 8).map(move |_| from))
            .map(|from| machine.run(stranger(address, from, tls.clone())));
        held.extend(join_all(again).await.into_iter().flatten());
    }
    assert!(held.len() > 3_000, "only {} were let in at all", held.len());

    // Everybody else comes in: a health check, one who is in already, one who comes with a link.
    assert_eq!(world.server.health().await.unwrap()["database"], "ready");
    let sam = world.volunteer("Sam").await.unwrap();
    sam.session("stop").await.unwrap();
    maya.start().await.unwrap();
    maya.call_and_talk().await.unwrap();
    assert_eq!(maya.live.told().losses, 0, "Maya lost a connection");

    drop(held);
    let after = memory(&world.server);
    eprintln!("{before} MiB before, {during} MiB with the strangers, {after} MiB after");
    assert!(during < before + 90, "{before} MiB before, {during} MiB with the strangers");
    // What they needed serves whoever comes next, and is no more for their coming again.
    assert!(after < before + 64, "{before} MiB before, {after} MiB after the strangers");
}
