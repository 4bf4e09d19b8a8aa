//! What a connection may be: one that has a place, says something in time, and takes what it is sent.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::Arc,
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
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower_http::add_extension::AddExtension;

use super::places::{Place, Places, Standing};
use crate::config::Doors;

/// Lets connections in, before their handshake, while there is room. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Doorkeeper {
    stuck_for: Duration,
    places: Arc<Places>,
}

impl Doorkeeper {
    /// Nobody is in.
    pub fn new(doors: Doors) -> Self {
        Self { stuck_for: doors.stuck_for, places: Places::new(doors) }
    }
}

impl<S> Accept<TcpStream, S> for Doorkeeper {
    type Stream = Connection;
    type Service = AddExtension<S, Standing>;
    type Future = std::future::Ready<io::Result<(Connection, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = (|| {
            let address = stream.peer_addr()?.ip();
            let place = self.places.let_in(address).ok_or_else(|| {
                // Closed without a word: an answer would cost a handshake.
                tracing::debug!("a connection too many was closed");
                io::Error::new(ErrorKind::QuotaExceeded, "too many connections")
            })?;
            // Without delay: a press of Call is one small packet.
            stream.set_nodelay(true)?;
            let service = AddExtension::new(service, place.standing());
            let gave_way = Box::pin(place.gave_way());
            Ok((Connection { stream, stuck_for: self.stuck_for, stuck: None, place, gave_way }, service))
        })();
        std::future::ready(accepted)
    }
}

/// A connection that is counted, and fails when its place went to another, or its peer takes nothing for too long:
/// whoever takes nothing is gone, or holds the connection for its own sake.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    stuck_for: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
    place: Place,
    gave_way: Pin<Box<WaitForCancellationFutureOwned>>,
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
        if self.gave_way.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.place.heard();
        }
        read
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

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let impatient = Doors { stuck_for: Duration::from_millis(200), ..Doors::default() };
        let (mut connection, _) = Doorkeeper::new(impatient).accept(stream, ()).await.unwrap();
        // More than the system takes for a peer that does not read.
        let much = vec![0; 64 * 1024 * 1024];
        let writing = tokio::time::timeout(Duration::from_secs(10), connection.write_all(&much));
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_whose_place_went_to_another_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let doors = Doors { per_address: 1, ..Doors::default() };
        let keeper = Doorkeeper::new(doors);
        let somebody = || async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
            let peer = socket.connect(listener.local_addr().unwrap()).await.unwrap();
            let (connection, _) = keeper.accept(listener.accept().await.unwrap().0, ()).await.unwrap();
            (peer, connection)
        };
        let (_peer, mut older) = somebody().await;
        let (mut peer, mut newer) = somebody().await;
        let read = tokio::time::timeout(Duration::from_secs(10), older.read_u8()).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        peer.write_u8(7).await.unwrap();
        assert_eq!(newer.read_u8().await.unwrap(), 7);
    }
}
