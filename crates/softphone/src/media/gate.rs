//! Sockets that hold back what the WebRTC library would drop.
//!
//! `webrtc` 0.21 throws away STUN that arrives before the peer's description is applied and DTLS that
//! arrives before ICE has chosen a path; the peer sends the latter again only after a second. So the
//! sockets keep such datagrams and hand them over once the library can use them. It does so through the
//! library's own seam for runtimes.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::ReadBuf;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    TokioRuntime, Transmit,
};

/// Datagrams a socket keeps; a handshake has about ten.
const MOST_HELD: usize = 64;
const LARGEST: usize = 1500;

/// Says what the library can use by now.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    described: AtomicBool,
    connected: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Gate {
    /// The peer's description is applied.
    pub(crate) fn described(&self) {
        self.described.store(true, Ordering::Release);
        self.wake();
    }

    /// ICE has chosen a path.
    pub(crate) fn connected(&self) {
        self.connected.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        for waker in lock(&self.wakers).drain(..) {
            waker.wake();
        }
    }

    fn is_open(&self) -> bool {
        self.described.load(Ordering::Acquire) && self.connected.load(Ordering::Acquire)
    }

    fn wants(&self, datagram: &[u8]) -> bool {
        match datagram.first() {
            // RFC 7983: 20 to 63 is DTLS, below is STUN.
            Some(20..=63) => self.connected.load(Ordering::Acquire),
            Some(0..=19) => self.described.load(Ordering::Acquire),
            _ => true,
        }
    }

    fn wait(&self, waker: &Waker) {
        let mut wakers = lock(&self.wakers);
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held; if something did, the data is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tokio, with sockets behind a gate.
#[derive(Debug)]
pub(crate) struct GatedRuntime(pub(crate) Arc<Gate>);

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Runtime for GatedRuntime {
    fn spawn(&self, future: Task<()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        socket.set_nonblocking(true)?;
        Ok(Arc::new(GatedSocket {
            socket: tokio::net::UdpSocket::from_std(socket)?,
            gate: Arc::clone(&self.0),
            held: Mutex::default(),
        }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        Box::pin(async move { TokioRuntime.connect_tcp(remote).await })
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(async move { TokioRuntime.resolve_host(host).await })
    }

    fn sleep(&self, duration: Duration) -> Task<()> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }
}

#[derive(Debug)]
struct GatedSocket {
    socket: tokio::net::UdpSocket,
    gate: Arc<Gate>,
    held: Mutex<VecDeque<(Vec<u8>, SocketAddr)>>,
}

impl GatedSocket {
    fn take_held(&self) -> Option<(Vec<u8>, SocketAddr)> {
        let mut held = lock(&self.held);
        let at = held.iter().position(|(datagram, _)| self.gate.wants(datagram))?;
        held.remove(at)
    }

    fn hold(&self, datagram: &[u8], from: SocketAddr) {
        let mut held = lock(&self.held);
        if held.len() < MOST_HELD && datagram.len() <= LARGEST {
            held.push_back((datagram.to_vec(), from));
        }
    }
}

fn received(meta: &mut RecvMeta, length: usize, from: SocketAddr) {
    *meta = RecvMeta::default();
    meta.len = length;
    meta.stride = length.max(1);
    meta.addr = from;
}

impl AsyncUdpSocket for GatedSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.socket.poll_send_to(cx, transmit.contents, transmit.destination)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (buffers.first_mut(), metas.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        if !self.gate.is_open() {
            self.gate.wait(cx.waker());
        }
        if let Some((datagram, from)) = self.take_held() {
            let length = datagram.len().min(buffer.len());
            buffer[..length].copy_from_slice(&datagram[..length]);
            received(meta, length, from);
            return Poll::Ready(Ok(1));
        }
        loop {
            let mut read = ReadBuf::new(buffer);
            let from = match self.socket.poll_recv_from(cx, &mut read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(from)) => from,
            };
            let length = read.filled().len();
            if self.gate.wants(&buffer[..length]) {
                received(meta, length, from);
                return Poll::Ready(Ok(1));
            }
            self.hold(&buffer[..length], from);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    async fn next(socket: &Arc<dyn AsyncUdpSocket>) -> u8 {
        let mut bytes = [0; 64];
        let (length, _) = socket.recv_from(&mut bytes).await.unwrap();
        assert_eq!(length, 3);
        bytes[0]
    }

    #[tokio::test]
    async fn what_comes_too_early_is_handed_over_later_and_nothing_is_lost() {
        let gate = Arc::new(Gate::default());
        let runtime = GatedRuntime(Arc::clone(&gate));
        let socket = runtime.wrap_udp_socket(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = socket.local_addr().unwrap();
        for first in [1_u8, 22, 128] {
            peer.send_to(&[first, 0, 0], to).unwrap();
        }
        assert_eq!(next(&socket).await, 128);
        let waiting = tokio::spawn({
            let socket = Arc::clone(&socket);
            async move { [next(&socket).await, next(&socket).await] }
        });
        gate.described();
        gate.connected();
        assert_eq!(waiting.await.unwrap(), [1, 22]);
        peer.send_to(&[22, 0, 0], to).unwrap();
        assert_eq!(next(&socket).await, 22);
    }
}
