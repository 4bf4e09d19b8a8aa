//! What passes over the interfaces of a network, with the time it was seen: for figures that no program may tell
//! about itself. Needs the right to open a packet socket: root, or root of an own network namespace.

use std::{
    io::IoSliceMut,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use nix::{
    cmsg_space,
    sys::{
        socket::{
            AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg,
            setsockopt, socket, sockopt,
        },
        time::{TimeSpec, TimeVal, TimeValLike},
    },
};

use crate::networks::Net;

/// A UDP datagram.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// When it was seen.
    pub at: SystemTime,
    /// From.
    pub from: SocketAddr,
    /// To.
    pub to: SocketAddr,
    /// Its first bytes, at most [`KEPT`].
    pub start: Vec<u8>,
}

/// So much of each datagram is kept.
pub const KEPT: usize = 160;

/// Watches until it is dropped.
pub struct Wire {
    seen: Arc<Mutex<Vec<Datagram>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// Watches the datagrams of a network that `wanted` is true for.
    ///
    /// # Errors
    /// When no packet socket may be opened.
    pub fn watch(net: &Net, wanted: impl Fn(&Datagram) -> bool + Send + 'static) -> Result<Self> {
        let open = || {
            socket(AddressFamily::Packet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)
        };
        let socket = net.enter(open)?.context("a packet socket: run as root, or through scripts/in-net")?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(100))?;
        let _ = setsockopt(&socket, sockopt::RcvBuf, &(8 << 20));
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (keep, ended) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("wire".into()).spawn(move || {
            let mut frame = [0; 2_048];
            let mut last: Option<Datagram> = None;
            while !ended.load(Ordering::Relaxed) {
                let Some((length, at)) = receive(&socket, &mut frame) else { continue };
                let Some(datagram) = read(&frame[..length], at) else { continue };
                // The loopback interface shows each datagram twice: as it leaves and as it comes.
                let again = last.as_ref().is_some_and(|l| {
                    (l.from, l.to, &l.start) == (datagram.from, datagram.to, &datagram.start)
                        && datagram.at.duration_since(l.at).is_ok_and(|d| d < Duration::from_millis(2))
                });
                if !again && wanted(&datagram) {
                    keep.lock().unwrap_or_else(PoisonError::into_inner).push(datagram.clone());
                }
                last = Some(datagram);
            }
        })?;
        Ok(Self { seen, stop, thread: Some(thread) })
    }

    /// What was seen so far, and forgets it.
    pub fn take(&self) -> Vec<Datagram> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was seen so far.
    pub fn seen(&self) -> Vec<Datagram> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A packet and the kernel's time of it: this thread may be late.
fn receive(socket: &OwnedFd, frame: &mut [u8]) -> Option<(usize, SystemTime)> {
    let mut space = cmsg_space!(TimeSpec);
    let mut into = [IoSliceMut::new(frame)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut into, Some(&mut space), MsgFlags::empty()).ok()?;
    let stamp = |part| if let ControlMessageOwned::ScmTimestampns(at) = part { Some(at) } else { None };
    let at = message.cmsgs().ok()?.find_map(stamp)?;
    Some((message.bytes, UNIX_EPOCH + Duration::from(at)))
}

/// Reads a packet of IPv4 (RFC 791, section 3.1) or of IPv6 without extension headers (RFC 8200, section 3) that carries
/// a UDP datagram (RFC 768).
fn read(packet: &[u8], at: SystemTime) -> Option<Datagram> {
    let first = *packet.first()?;
    let (protocol, addresses, header) = match first >> 4 {
        4 => (9, [v4(packet, 12)?, v4(packet, 16)?], usize::from(first & 0x0f) * 4),
        6 => (6, [v6(packet, 8)?, v6(packet, 24)?], 40),
        _ => return None,
    };
    if *packet.get(protocol)? != 17 {
        return None;
    }
    let port = |from: usize| -> Option<u16> {
        Some(u16::from_be_bytes(packet.get(header + from..header + from + 2)?.try_into().ok()?))
    };
    let start = packet.get(header + 8..)?;
    Some(Datagram {
        at,
        from: SocketAddr::new(addresses[0], port(0)?),
        to: SocketAddr::new(addresses[1], port(2)?),
        start: start[..start.len().min(KEPT)].to_vec(),
    })
}

fn v4(packet: &[u8], from: usize) -> Option<IpAddr> {
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(from..from + 4)?).ok()?).into())
}

fn v6(packet: &[u8], from: usize) -> Option<IpAddr> {
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(from..from + 16)?).ok()?).into())
}

impl Datagram {
    /// Whether it is RTP (RFC 3550) and not RTCP, STUN or DTLS (RFC 7983).
    pub fn is_rtp(&self) -> bool {
        self.start.len() > 12 && self.start[0] >> 6 == 2 && !(192..=223).contains(&self.start[1])
    }

    /// Whether it is an INVITE that opens a call: without a tag in To.
    pub fn is_first_invite(&self) -> bool {
        self.start.starts_with(b"INVITE sip:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Networks;

    #[test]
    fn a_datagram_is_seen_once() {
        let networks = Networks::lay().expect("networks");
        let net = &networks.server;
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let socket =
                net.enter(move || std::net::UdpSocket::bind(loopback)).expect("there").expect("a port");
            let to = socket.local_addr().expect("bound");
            let wire = Wire::watch(net, move |d| d.to.port() == to.port()).expect("a wire");
            socket.send_to(b"INVITE sip:x", to).expect("sent");
            let deadline = SystemTime::now() + Duration::from_secs(2);
            while wire.seen().is_empty() && SystemTime::now() < deadline {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(20)); // its double, if it were shown, comes within microseconds
            let seen = wire.take();
            assert_eq!(seen.len(), 1, "{seen:?}");
            assert!(seen[0].is_first_invite());
            assert_eq!((seen[0].from, seen[0].to), (to, to));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_packet_makes_the_reader_panic(bytes in proptest::collection::vec(0_u8.., 0..80)) {
            let _ = read(&bytes, SystemTime::UNIX_EPOCH).map(|d| d.is_rtp());
        }
    }
}
