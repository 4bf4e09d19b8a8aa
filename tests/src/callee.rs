//! A callee of the harness: a telephone of a few lines (SIP over UDP, RTP with G.711 µ-law) that notes when
//! each INVITE came, can speak across the answer to the very packet, and keeps what it hears.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    g711, lock,
    networks::{Networks, PROVIDER},
    sip_peer::{News, Request, SipPeer, media_address, packet},
    sound::Sound,
};

/// How the callee behaves.
#[derive(Debug, Clone)]
pub struct Manner {
    /// From the INVITE to the answer; 180 is sent at once.
    pub rings_for: Duration,
    /// What it says, again and again, from the very packet that goes with the 200 OK on.
    pub says: Sound,
    /// Rings off so long after the answer.
    pub rings_off_after: Option<Duration>,
}

/// A call that came in.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The number that was dialled, as it stands in the request URI.
    pub number: String,
    /// When the INVITE came.
    pub invited: Instant,
    /// Call-ID.
    pub id: String,
    state: Arc<Mutex<State>>,
    ended: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct State {
    answered: Option<Instant>,
    heard: Vec<i16>,
    packets_heard: usize,
}

/// The telephone. Everything stops when it is dropped.
pub struct Callee {
    address: SocketAddr,
    calls: mpsc::UnboundedReceiver<Incoming>,
    manner: Arc<Mutex<Manner>>,
    _tasks: JoinSet<()>,
}

impl Callee {
    /// Listens on a free port in the provider's network.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn listen(networks: &Networks, manner: Manner) -> Result<Self> {
        let socket =
            networks.provider.run(UdpSocket::bind((PROVIDER, 0))).await.context("a port for the callee")?;
        let address = socket.local_addr()?;
        let manner = Arc::new(Mutex::new(manner));
        let (tell, calls) = mpsc::unbounded_channel();
        let peer = SipPeer::new(socket, Arc::default());
        let telephone = Telephone { peer, shared: Arc::clone(&manner), tell, talks: JoinSet::new() };
        let mut tasks = JoinSet::new();
        tasks.spawn_on(telephone.run(), networks.provider.runtime());
        Ok(Self { address, calls, manner, _tasks: tasks })
    }

    /// Where it listens for SIP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes its manner from the next call on.
    pub fn behave(&self, manner: Manner) {
        *lock(&self.manner) = manner;
    }

    /// The next call that comes in.
    ///
    /// # Errors
    /// When none came within the time.
    pub async fn next(&mut self, patience: Duration) -> Result<Incoming> {
        let call = tokio::time::timeout(patience, self.calls.recv()).await;
        call.ok().flatten().with_context(|| format!("no INVITE came to the callee within {patience:?}"))
    }

    /// A call that came in and was not asked for yet.
    pub fn waiting(&mut self) -> Option<Incoming> {
        self.calls.try_recv().ok()
    }
}

impl Incoming {
    /// When the 200 OK went out.
    pub fn answered(&self) -> Option<Instant> {
        lock(&self.state).answered
    }

    /// What was heard so far, 8,000 samples a second, packets laid end to end.
    pub fn heard(&self) -> Sound {
        Sound { rate: 8_000, samples: lock(&self.state).heard.clone() }
    }

    /// RTP packets that came so far.
    pub fn packets_heard(&self) -> usize {
        lock(&self.state).packets_heard
    }

    /// Waits for the end of the call.
    ///
    /// # Errors
    /// When it goes on after the time.
    pub async fn ended(&mut self, patience: Duration) -> Result<()> {
        let over = tokio::time::timeout(patience, self.ended.wait_for(|over| *over)).await;
        over.map(|_| ()).with_context(|| format!("the callee's call goes on after {patience:?}"))
    }
}

struct Telephone {
    peer: SipPeer<watch::Sender<bool>>,
    shared: Arc<Mutex<Manner>>,
    tell: mpsc::UnboundedSender<Incoming>,
    talks: JoinSet<()>,
}

impl Telephone {
    async fn run(mut self) {
        while let Some(news) = self.peer.next().await {
            match news {
                News::Invited(invite, from) => self.ring(invite, from, Instant::now()).await,
                News::Cancelled(over) | News::RungOff(over) => drop(over.send(true)),
                News::Reply(_) => {}
            }
        }
    }

    async fn ring(&mut self, invite: Request, from: SocketAddr, now: Instant) {
        let Some(media) = media_address(&invite.body) else {
            return self.peer.send(&invite.reply("488 Not Acceptable Here", "", ""), from).await;
        };
        let Ok(rtp) = UdpSocket::bind((PROVIDER, 0)).await else { return };
        let (over, ended) = watch::channel(false);
        let state = Arc::new(Mutex::new(State::default()));
        self.peer.remember(invite.clone(), over);
        let _ = self.tell.send(Incoming {
            number: invite.number.clone(),
            invited: now,
            id: invite.call_id.clone(),
            state: Arc::clone(&state),
            ended: ended.clone(),
        });
        let manner = lock(&self.shared).clone();
        let socket = Arc::clone(&self.peer.socket);
        self.talks.spawn(async move {
            let mut over = ended.clone();
            tokio::select! {
                _ = over.wait_for(|over| *over) => {}
                _ = talk(invite, from, socket, rtp, media, manner, state) => {}
            }
        });
    }
}

/// Rings, answers, speaks and listens until it is dropped.
async fn talk(
    invite: Request,
    from: SocketAddr,
    sip: Arc<UdpSocket>,
    rtp: UdpSocket,
    media: SocketAddr,
    manner: Manner,
    state: Arc<Mutex<State>>,
) -> Option<()> {
    let contact = format!("Contact: <sip:callee@{}>\r\n", sip.local_addr().ok()?);
    sip.send_to(invite.reply("180 Ringing", &contact, "").as_bytes(), from).await.ok()?;
    tokio::time::sleep(manner.rings_for).await;
    let port = rtp.local_addr().ok()?.port();
    let sdp = format!(
        "v=0\r\no=callee 1 1 IN IP4 {PROVIDER}\r\ns=-\r\nc=IN IP4 {PROVIDER}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
         a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    );
    let answer = invite.reply("200 OK", &format!("{contact}Content-Type: application/sdp\r\n"), &sdp);
    let says = manner.says.at_rate(8_000).samples;
    let (mut sequence, mut stamp, mut at) = (1_u16, 160_u32, 0_usize);
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    let mut heard = [0; 2_048];
    sip.send_to(answer.as_bytes(), from).await.ok()?;
    lock(&state).answered = Some(Instant::now());
    let rings_off = async {
        match manner.rings_off_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(rings_off);
    loop {
        tokio::select! {
            _ = clock.tick() => {
                let samples = (0..160).map(|n| says.get((at + n) % says.len().max(1)).copied().unwrap_or(0));
                let packet = packet(sequence == 1, sequence, stamp, samples);
                at += 160;
                sequence = sequence.wrapping_add(1);
                stamp = stamp.wrapping_add(160);
                let _ = rtp.send_to(&packet, media).await;
            }
            got = rtp.recv_from(&mut heard) => {
                let Ok((length, _)) = got else { continue };
                // RTCP shares no port here; anything but payload type 0 is not speech.
                if length > 12 && heard[1] & 0x7f == 0 {
                    let mut state = lock(&state);
                    state.packets_heard += 1;
                    state.heard.extend(heard[12..length].iter().map(|b| g711::decode(*b)));
                }
            }
            () = &mut rings_off => {
                sip.send_to(invite.bye(&contact).as_bytes(), from).await.ok()?;
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::TRUNK;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn it_answers_speaks_with_the_answer_and_hears() {
        let manner =
            Manner { rings_for: Duration::ZERO, says: Sound::marker(1, 8_000, 400), rings_off_after: None };
        let networks = Networks::lay().expect("networks");
        let mut callee = Callee::listen(&networks, manner).await.expect("a callee");
        let (sip, rtp) = (udp(&networks).await, udp(&networks).await);
        let sdp =
            format!("c=IN IP4 {TRUNK}\r\nm=audio {} RTP/AVP 0\r\n", rtp.local_addr().expect("bound").port());
        let invite = format!(
            "INVITE sip:+447700900900@x SIP/2.0\r\nVia: v\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: c1\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.1>\r\n\r\n{sdp}"
        );
        // A cable passes nothing for the moment until both its ends are told of each other: so, as SIP does, once more.
        let mut rung = None;
        for _ in 0..10 {
            sip.send_to(invite.as_bytes(), callee.address()).await.expect("sent");
            rung = callee.next(SECOND / 2).await.ok();
            if rung.is_some() {
                break;
            }
        }
        let mut call = rung.expect("rung");
        assert_eq!(call.number, "+447700900900");
        let mut bytes = [0; 2_000];
        let mut text = String::new();
        while !text.starts_with("SIP/2.0 200") {
            let length = sip.recv(&mut bytes).await.expect("a reply");
            text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        }
        let (length, from) = rtp.recv_from(&mut bytes).await.expect("speech");
        assert_eq!((length, bytes[1] & 0x7f), (172, 0));
        rtp.send_to(&bytes[..length], from).await.expect("sent");
        let wait = || async { call.packets_heard() == 1 };
        crate::child::poll("the callee to hear a packet", SECOND, wait).await.expect("heard");
        sip.send_to(invite.replace("INVITE", "BYE").as_bytes(), callee.address()).await.expect("sent");
        call.ended(SECOND).await.expect("over");
    }

    async fn udp(networks: &Networks) -> UdpSocket {
        networks.server.run(UdpSocket::bind((TRUNK, 0))).await.expect("a port")
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(INVITE|BYE|X) .{0,60}(\r\n.{0,30}:.{0,30}){0,4}\r\n\r\n.{0,60}") {
            if let Some(request) = Request::read(&text) {
                let _ = (request.reply("200 OK", "", ""), request.bye(""), media_address(&request.body));
            }
        }
    }
}
