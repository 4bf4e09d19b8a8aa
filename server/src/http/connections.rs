//! How many connections there may be, in all and from one address, and for how long a peer may take nothing.

use std::{
    collections::HashMap,
    io::{self, ErrorKind, IoSlice},
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum_server::accept::Accept;
use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::limits::{neighbourhood, site};
use crate::config::Doors;

/// Lets connections in, before their handshake, while there is room. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Doorkeeper {
    doors: Doors,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    /// By network and the length of its prefix.
    from: HashMap<(IpAddr, u8), usize>,
}

impl Doorkeeper {
    /// Nobody is in.
    pub fn new(doors: Doors) -> Self {
        Self { doors, open: Arc::default() }
    }

    /// A place for a connection from there, if there is one. This machine's own count in all, and not by
    /// address: health checks come from here, and so do all the apps of a load test.
    fn let_in(&self, address: IpAddr) -> Option<Place> {
        let networks = [(neighbourhood(address), 64), (site(address), 48)];
        let most = [self.doors.per_address, self.doors.per_site];
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.doors.connections {
            return None;
        }
        let is_full = |(network, most)| open.from.get(network).is_some_and(|from| *from >= most);
        if networks.iter().zip(most).any(is_full) && !address.to_canonical().is_loopback() {
            return None;
        }
        for network in networks {
            *open.from.entry(network).or_default() += 1;
        }
        open.all += 1;
        Some(Place { networks, open: self.open.clone() })
    }
}

/// A connection's place, until this is dropped.
#[derive(Debug)]
struct Place {
    networks: [(IpAddr, u8); 2],
    open: Arc<Mutex<Open>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        for network in &self.networks {
            if let Some(from) = open.from.get_mut(network) {
                *from = from.saturating_sub(1);
                if *from == 0 {
                    open.from.remove(network);
                }
            }
        }
    }
}

impl<S> Accept<TcpStream, S> for Doorkeeper {
    type Stream = Connection;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Connection, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = (|| {
            let address = stream.peer_addr()?.ip();
            let place = self.let_in(address).ok_or_else(|| {
                // Closed without a word: an answer would cost a handshake.
                tracing::debug!("a connection too many was closed");
                io::Error::new(ErrorKind::QuotaExceeded, "too many connections")
            })?;
            // Without delay: a press of Call is one small packet.
            stream.set_nodelay(true)?;
            Ok((Connection { stream, stuck_for: self.doors.stuck_for, stuck: None, _place: place }, service))
        })();
        std::future::ready(accepted)
    }
}

/// A connection that is counted, and fails when its peer takes nothing for too long.
/// Whoever takes nothing is gone, or holds the connection for its own sake.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    stuck_for: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Connection {
    fn unless_stuck<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(self.stuck_for)));
        stuck.as_mut().poll(cx).map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

/// Ends connections whose first request's head does not come in time, and those that speak HTTP/2, which has no limits
/// here. Also where hyper-util is to know one version only, it waits for the first bytes without a timer and
/// speaks HTTP/2 to who begins so (0.1.21, with upgrades).
#[derive(Clone, Debug)]
pub struct Beginnings<A> {
    inner: A,
    within: Duration,
}

impl<A> Beginnings<A> {
    /// Around the acceptor that does the handshake.
    pub fn new(inner: A, within: Duration) -> Self {
        Self { inner, within }
    }
}

impl<A, I, S> Accept<I, S> for Beginnings<A>
where
    A: Accept<I, S> + 'static,
    A::Future: Send + 'static,
    I: 'static,
    S: 'static,
{
    type Stream = Begun<A::Stream>;
    type Service = A::Service;
    type Future = BoxFuture<'static, io::Result<(Begun<A::Stream>, A::Service)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let (accepting, within) = (self.inner.accept(stream, service), self.within);
        Box::pin(async move {
            let (stream, service) = accepting.await?;
            let over = Some(Box::pin(sleep(within)));
            Ok((Begun { stream, said: Vec::new(), end: 0, over }, service))
        })
    }
}

/// How HTTP/2 begins (RFC 9113, section 3.4).
const VERSION_2: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How a head ends (RFC 9112, section 2.1).
const HEAD_ENDS: &[u8; 4] = b"\r\n\r\n";

/// A connection whose first head comes in time, or that fails.
#[derive(Debug)]
pub struct Begun<I> {
    stream: I,
    /// Its first bytes.
    said: Vec<u8>,
    /// How many bytes of the head's end ([`HEAD_ENDS`]) came last.
    end: usize,
    over: Option<Pin<Box<Sleep>>>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Begun<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(over) = &mut self.over else { return read };
        if read.is_pending() {
            return over.as_mut().poll(cx).map(|()| Err(ErrorKind::TimedOut.into()));
        }
        let new = &buffer.filled()[before..];
        let room = VERSION_2.len() - self.said.len();
        self.said.extend_from_slice(&new[..new.len().min(room)]);
        if self.said == VERSION_2 {
            return Poll::Ready(Err(ErrorKind::Unsupported.into()));
        }
        let is_other = self.said[..] != VERSION_2[..self.said.len()];
        let mut end = self.end;
        for byte in new {
            end = match *byte {
                _ if end == HEAD_ENDS.len() => break,
                byte if byte == HEAD_ENDS[end] => end + 1,
                b'\r' => 1,
                _ => 0,
            };
        }
        self.end = end;
        if is_other && end == HEAD_ENDS.len() {
            // From here on hyper's own limits hold.
            self.over = None;
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Begun<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_stuck(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.unless_stuck(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    fn keeper() -> Doorkeeper {
        Doorkeeper::new(Doors { connections: 5, per_address: 2, ..Doors::default() })
    }

    #[test]
    fn each_network_has_its_share_and_all_have_an_end() {
        let (keeper, v4) = (keeper(), |last: u8| IpAddr::from([192, 0, 2, last]));
        let first = keeper.let_in(v4(1)).unwrap();
        let _second = keeper.let_in(v4(1)).unwrap();
        assert!(keeper.let_in(v4(1)).is_none(), "a third of one address");
        let v6: Vec<_> = ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
            .map(|address| keeper.let_in(address.parse().unwrap()))
            .into();
        assert_eq!(v6.iter().flatten().count(), 2, "a /64 is one customer");
        let _fifth = keeper.let_in(v4(2)).unwrap();
        assert!(keeper.let_in(v4(3)).is_none(), "a sixth in all");
        drop(first);
        assert!(keeper.let_in(v4(1)).is_some(), "there is room again");
    }

    #[test]
    fn a_customer_with_many_networks_of_ipv6_has_a_share_too() {
        let doors = Doors { connections: 100, per_address: 2, per_site: 3, ..Doors::default() };
        let (keeper, v6) = (Doorkeeper::new(doors), |address: &str| address.parse::<IpAddr>().unwrap());
        let places: Vec<_> = (0..10).map(|n| keeper.let_in(v6(&format!("2001:db8:1:{n:x}::1")))).collect();
        assert_eq!(places.iter().flatten().count(), 3);
        assert!(keeper.let_in(v6("2001:db8:2::1")).is_some(), "a neighbour");
    }

    #[test]
    fn this_machine_counts_in_all_only_and_what_is_over_is_forgotten() {
        let keeper = keeper();
        let places: Vec<_> = (0..6).map(|_| keeper.let_in(IpAddr::from([127, 0, 0, 1]))).collect();
        assert_eq!(places.iter().flatten().count(), 5);
        drop(places);
        let open = keeper.open.lock().unwrap();
        assert_eq!((open.all, open.from.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let impatient = Doors { stuck_for: Duration::from_millis(200), ..Doors::default() };
        let (mut connection, ()) = Doorkeeper::new(impatient).accept(stream, ()).await.unwrap();
        // More than the system takes for a peer that does not read.
        let much = vec![0; 64 * 1024 * 1024];
        let writing = tokio::time::timeout(Duration::from_secs(10), connection.write_all(&much));
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
