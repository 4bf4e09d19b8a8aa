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
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

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
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let plugged = Arc::new(AtomicBool::new(true));
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let (open, all) = (Arc::clone(&plugged), Arc::clone(&connections));
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if !open.load(Ordering::Relaxed) {
                    continue; // dropped: the connection is reset
                }
                let carry = async move {
                    let Ok(mut far) = TcpStream::connect(far).await else { return };
                    let _ = (near.set_nodelay(true), far.set_nodelay(true));
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
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
