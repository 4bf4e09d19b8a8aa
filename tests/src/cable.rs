//! A place on the way between an app and the server, at the router of a home, where a test can cut and mend it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Result;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    networks::Home,
    pbx::{HTTP_PORT, Node},
    ringround::Ringround,
    trap::{Lane, Trap},
};

/// The cable. Whoever connects to [`Cable::address`] arrives at the far end, while it is plugged in.
pub struct Cable {
    address: SocketAddr,
    plugged: Arc<AtomicBool>,
    connections: Arc<Mutex<JoinSet<()>>>,
    _listener: JoinSet<()>,
}

impl Cable {
    /// Lays it from a home to a server.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to(server: &Ringround, home: &Home) -> Result<Self> {
        Self::with_trap(server, home, Trap::default()).await
    }

    /// The same; whatever goes through it passes a trap: each request, and each answer, that fits into one packet.
    ///
    /// # Errors
    /// As [`Cable::to`].
    pub async fn with_trap(server: &Ringround, home: &Home, trap: Trap) -> Result<Self> {
        let far = server.address();
        let (router, place) = server.networks.on_the_way(home);
        let listener = router.run(TcpListener::bind(place)).await?;
        let on_router = router.runtime().clone();
        let address = listener.local_addr()?;
        let plugged = Arc::new(AtomicBool::new(true));
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let (open, all) = (Arc::clone(&plugged), Arc::clone(&connections));
        let mut task = JoinSet::new();
        let accepting = async move {
            while let Ok((near, _)) = listener.accept().await {
                if !open.load(Ordering::Relaxed) {
                    continue; // dropped: the connection is reset
                }
                let trap = trap.clone();
                let carry = async move {
                    let Ok(far) = TcpStream::connect(far).await else { return };
                    let _ = (near.set_nodelay(true), far.set_nodelay(true));
                    let ((from_app, to_app), (from_server, to_server)) =
                        (near.into_split(), far.into_split());
                    tokio::join!(
                        one_way(from_app, to_server, Lane::FromApp, &trap),
                        one_way(from_server, to_app, Lane::ToApp, &trap)
                    );
                };
                all.lock().unwrap_or_else(PoisonError::into_inner).spawn_on(carry, &on_router);
            }
        };
        task.spawn_on(accepting, router.runtime());
        Ok(Self { address, plugged, connections, _listener: task })
    }

    /// The near end.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection, and refuses new ones.
    pub fn pull(&self) {
        self.plugged.store(false, Ordering::Relaxed);
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Lets connections through again.
    pub fn plug(&self) {
        self.plugged.store(true, Ordering::Relaxed);
    }
}

/// A tunnel from a home's loopback to a port of the node's, as `ssh -L` makes one: for what Asterisk tells nobody from
/// outside.
pub struct Tunnel {
    address: SocketAddr,
    _listener: JoinSet<()>,
}

impl Tunnel {
    /// To the node's HTTP port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to(node: &Node, home: &Home) -> Result<Self> {
        let listener = home.run(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = listener.local_addr()?;
        let server = Arc::clone(&node.networks.server);
        let mut task = JoinSet::new();
        let accepting = async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let server = Arc::clone(&server);
                connections.spawn(async move {
                    let Ok(mut far) = server.run(TcpStream::connect((Ipv4Addr::LOCALHOST, HTTP_PORT))).await
                    else {
                        return;
                    };
                    // Either end may close it.
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        };
        task.spawn_on(accepting, home.runtime());
        Ok(Self { address, _listener: task })
    }

    /// The end at home.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Until one end closes, which the other is told by closing it too.
async fn one_way(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, lane: Lane, trap: &Trap) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        if !trap.pass(lane, to.write_all(&piece[..length])).await {
            break;
        }
    }
    let _ = to.shutdown().await;
}
