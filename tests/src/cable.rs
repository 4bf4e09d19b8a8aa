//! A cable between an app and the server that a test can pull out and plug in again.

use std::{
    net::SocketAddr,
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

use crate::trap::{Lane, Trap};

/// The cable. Whoever connects to [`Cable::address`] arrives at the far end, while it is plugged in.
pub struct Cable {
    address: SocketAddr,
    plugged: Arc<AtomicBool>,
    connections: Arc<Mutex<JoinSet<()>>>,
    _listener: JoinSet<()>,
}

impl Cable {
    /// Lays it to an address.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to(far: SocketAddr) -> Result<Self> {
        Self::with_trap(far, Trap::default()).await
    }

    /// The same; whatever goes through it passes a trap: each request, and each answer, that fits into one packet.
    ///
    /// # Errors
    /// As [`Cable::to`].
    pub async fn with_trap(far: SocketAddr, trap: Trap) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let plugged = Arc::new(AtomicBool::new(true));
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let (open, all) = (Arc::clone(&plugged), Arc::clone(&connections));
        let mut task = JoinSet::new();
        task.spawn(async move {
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
                all.lock().unwrap_or_else(PoisonError::into_inner).spawn(carry);
            }
        });
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
