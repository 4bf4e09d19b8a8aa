//! A telephone provider whose answers are a script for each number: a SIP peer (UDP) that stands in the place of the
//! whole network, for what Asterisk as a provider cannot be made to do. It answers OPTIONS, plays each INVITE's
//! script, and notes what it was asked.
//!
//! ```no_run
//! # use e2e::{networks::Networks, scripted::{Scripted, Step}};
//! # async fn story() -> anyhow::Result<()> {
//! let provider = Scripted::listen(&Networks::lay()?).await?;
//! provider.otherwise(vec![Step::Status(503)]);
//! provider.on("+447700900001", vec![Step::Status(180), Step::Wait(5.0), Step::Status(603)]);
//! # Ok(()) }
//! ```

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    lock,
    networks::{Networks, PROVIDER},
    sip_peer::{News, Request, SipPeer, media_address, packet},
    sound::Sound,
};

/// What it does next with a call. A script that ends leaves the call as it is: an empty one swallows the INVITE.
#[derive(Debug, Clone)]
pub enum Step {
    /// Nothing for so many seconds.
    Wait(f32),
    /// This SIP status, without sound: 100, 180, 183, or one that ends it.
    Status(u16),
    /// This SIP status with SDP: 183 with a path for sound, 200 for an answer.
    Sound(u16),
    /// From here on it says this, again and again; silence stops the packets.
    Says(Option<Sound>),
    /// A re-INVITE, after the answer.
    Reinvite,
    /// It rings off, after the answer.
    Bye,
}

/// What it was asked, one call.
#[derive(Debug, Clone)]
pub struct Asked {
    /// User part of the request URI: the number, in the form in which it came.
    pub number: String,
    /// User part of From.
    pub from: String,
    /// User part of P-Asserted-Identity.
    pub asserted: Option<String>,
    /// When its INVITE came.
    pub invited: Instant,
    /// When a CANCEL came.
    pub cancelled: Option<Instant>,
    /// When a BYE came.
    pub rung_off: Option<Instant>,
    /// The last status that was sent.
    pub status: Option<u16>,
}

/// The provider. Everything stops when it is dropped.
pub struct Scripted {
    address: SocketAddr,
    scripts: Arc<Mutex<Scripts>>,
    deaf: Arc<AtomicBool>,
    asked: watch::Receiver<Vec<Asked>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Scripts {
    of: HashMap<String, Vec<Step>>,
    otherwise: Vec<Step>,
}

impl Scripted {
    /// Listens at this address, port 0 for any; swallows every INVITE until it is given scripts.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn listen(networks: &Networks) -> Result<Self> {
        let socket =
            networks.provider.run(UdpSocket::bind((PROVIDER, 0))).await.context("the provider's port")?;
        let address = socket.local_addr()?;
        let scripts = Arc::new(Mutex::new(Scripts::default()));
        let (note, asked) = watch::channel(Vec::new());
        let mut tasks = JoinSet::new();
        let deaf = Arc::<AtomicBool>::default();
        let peer = SipPeer::new(socket, Arc::clone(&deaf));
        let exchange = Exchange { peer, scripts: Arc::clone(&scripts), note, playing: JoinSet::new() };
        tasks.spawn_on(exchange.run(), networks.provider.runtime());
        Ok(Self { address, scripts, deaf, asked, _tasks: tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does with this number (user part of the request URI), from the next call on.
    pub fn on(&self, number: &str, script: Vec<Step>) {
        lock(&self.scripts).of.insert(number.to_owned(), script);
    }

    /// What it does with every number that has no script of its own, from the next call on.
    pub fn otherwise(&self, script: Vec<Step>) {
        lock(&self.scripts).otherwise = script;
    }

    /// Whether it leaves OPTIONS without an answer.
    pub fn deaf_to_options(&self, deaf: bool) {
        self.deaf.store(deaf, Ordering::Relaxed);
    }

    /// Every call so far, in the order in which they came.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// Waits until something holds of the calls.
    ///
    /// # Errors
    /// When it does not within the time.
    pub async fn until(
        &self,
        what: &str,
        patience: Duration,
        mut holds: impl FnMut(&[Asked]) -> bool,
    ) -> Result<Vec<Asked>> {
        let mut asked = self.asked.clone();
        let met = tokio::time::timeout(patience, asked.wait_for(|asked| holds(asked))).await;
        let met =
            met.with_context(|| format!("waited in vain for {what}; it was asked {:?}", self.asked()))?;
        Ok(met?.clone())
    }

    /// Waits for so many calls, and gives the last of them.
    ///
    /// # Errors
    /// When they did not come within the time.
    pub async fn call(&self, which: usize, patience: Duration) -> Result<Asked> {
        ensure!(which > 0, "calls are counted from 1");
        let what = format!("call {which}");
        let asked = self.until(&what, patience, |asked| asked.len() >= which).await?;
        asked.get(which - 1).cloned().context("it is there")
    }
}

/// The calls that are going on.
struct Exchange {
    peer: SipPeer<Going>,
    scripts: Arc<Mutex<Scripts>>,
    note: watch::Sender<Vec<Asked>>,
    playing: JoinSet<()>,
}

struct Going {
    /// Its place among what was asked.
    which: usize,
    over: watch::Sender<bool>,
    /// Answers to our own requests.
    replies: mpsc::UnboundedSender<String>,
}

impl Exchange {
    async fn run(mut self) {
        while let Some(news) = self.peer.next().await {
            match news {
                News::Invited(invite, from) => self.play(invite, from),
                News::Cancelled(call) => {
                    let _ = call.over.send(true);
                    note(&self.note, call.which, |asked| {
                        (asked.cancelled, asked.status) = (Some(Instant::now()), Some(487));
                    });
                }
                News::RungOff(call) => {
                    let _ = call.over.send(true);
                    note(&self.note, call.which, |asked| asked.rung_off = Some(Instant::now()));
                }
                News::Reply(text) => self.reply_came(text),
            }
        }
    }

    fn reply_came(&self, text: String) {
        let id = text.lines().find_map(|line| line.strip_prefix("Call-ID:")).unwrap_or_default().trim();
        if let Some(call) = self.peer.call(id) {
            let _ = call.replies.send(text);
        }
    }

    fn play(&mut self, invite: Request, from: SocketAddr) {
        let script = {
            let scripts = lock(&self.scripts);
            scripts.of.get(&invite.number).unwrap_or(&scripts.otherwise).clone()
        };
        let asserted = invite.header("p-asserted-identity");
        let asked = Asked {
            number: invite.number.clone(),
            from: user_of(invite.header("from")),
            asserted: (!asserted.is_empty()).then(|| user_of(asserted)),
            invited: Instant::now(),
            cancelled: None,
            rung_off: None,
            status: None,
        };
        let mut which = 0;
        self.note.send_modify(|all| {
            which = all.len();
            all.push(asked);
        });
        let (over, ended) = watch::channel(false);
        let (replies, answers) = mpsc::unbounded_channel();
        self.peer.remember(invite.clone(), Going { which, over, replies });
        let call = Call {
            invite,
            from,
            sip: Arc::clone(&self.peer.socket),
            rtp: None,
            answers,
            note: self.note.clone(),
            which,
        };
        self.playing.spawn(async move {
            let mut ended = ended;
            tokio::select! {
                _ = ended.wait_for(|over| *over) => {}
                played = call.play(script) => if let Err(error) = played {
                    tracing::error!(%error, "a scripted call went wrong");
                },
            }
        });
    }
}

/// One call, as its script is played.
struct Call {
    invite: Request,
    from: SocketAddr,
    sip: Arc<UdpSocket>,
    rtp: Option<Arc<UdpSocket>>,
    answers: mpsc::UnboundedReceiver<String>,
    note: watch::Sender<Vec<Asked>>,
    which: usize,
}

impl Call {
    async fn play(mut self, script: Vec<Step>) -> Result<()> {
        let mut voice = JoinSet::new();
        let mut sequence = 0;
        for step in script {
            match step {
                Step::Wait(seconds) => tokio::time::sleep(Duration::from_secs_f32(seconds)).await,
                Step::Status(status) => self.answer(status, None).await?,
                Step::Sound(status) => {
                    let sdp = self.sdp().await?;
                    self.answer(status, Some(&sdp)).await?;
                }
                Step::Says(sound) => {
                    voice.abort_all();
                    if let Some(sound) = sound {
                        let rtp = Arc::clone(self.rtp.as_ref().context("no path for sound was made before")?);
                        let to = media_address(&self.invite.body).context("an INVITE without sound")?;
                        voice.spawn(say(rtp, to, sound));
                    }
                }
                Step::Reinvite => {
                    sequence += 1;
                    let sdp = self.sdp().await?;
                    self.ask("INVITE", sequence, &sdp).await?;
                    let reply = self.answers.recv().await.context("the call is over")?;
                    ensure!(reply.starts_with("SIP/2.0 "), "no reply to a re-INVITE: {reply}");
                    self.ask("ACK", sequence, "").await?;
                }
                Step::Bye => {
                    sequence += 1;
                    self.ask("BYE", sequence, "").await?;
                }
            }
        }
        // What it says goes on to the end of the call.
        while voice.join_next().await.is_some() {}
        Ok(())
    }

    async fn answer(&self, status: u16, sdp: Option<&str>) -> Result<()> {
        let kind = if sdp.is_some() { "Content-Type: application/sdp\r\n" } else { "" };
        let more = format!("{}{kind}", self.contact()?);
        let reply = self.invite.reply(&status_line(status), &more, sdp.unwrap_or_default());
        self.sip.send_to(reply.as_bytes(), self.from).await?;
        note(&self.note, self.which, |asked| asked.status = Some(status));
        Ok(())
    }

    async fn ask(&self, method: &str, sequence: u32, sdp: &str) -> Result<()> {
        let request = self.invite.within(method, sequence, &self.contact()?, sdp);
        self.sip.send_to(request.as_bytes(), self.from).await?;
        Ok(())
    }

    fn contact(&self) -> Result<String> {
        Ok(format!("Contact: <sip:callee@{}>\r\n", self.sip.local_addr()?))
    }

    /// The path for sound, made with the first SDP.
    async fn sdp(&mut self) -> Result<String> {
        let ip = self.sip.local_addr()?.ip();
        let rtp = match &self.rtp {
            Some(rtp) => rtp,
            None => self.rtp.insert(Arc::new(UdpSocket::bind((ip, 0)).await?)),
        };
        let (port, kind) = (rtp.local_addr()?.port(), if ip.is_ipv4() { "IP4" } else { "IP6" });
        Ok(format!(
            "v=0\r\no=provider 1 1 IN {kind} {ip}\r\ns=-\r\nc=IN {kind} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
             a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
        ))
    }
}

/// Says it until it is aborted.
async fn say(rtp: Arc<UdpSocket>, to: SocketAddr, sound: Sound) {
    let samples = sound.at_rate(8_000).samples;
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    let mut voice = samples.iter().copied().cycle();
    for sequence in 1_u16.. {
        clock.tick().await;
        let stamp = u32::from(sequence) * 160;
        let _ = rtp.send_to(&packet(sequence == 1, sequence, stamp, voice.by_ref()), to).await;
    }
}

fn note(asked: &watch::Sender<Vec<Asked>>, which: usize, change: impl FnOnce(&mut Asked)) {
    asked.send_modify(|all| {
        if let Some(one) = all.get_mut(which) {
            change(one);
        }
    });
}

fn status_line(status: u16) -> String {
    let words = match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        487 => "Request Terminated",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "As Scripted",
    };
    format!("{status} {words}")
}

/// `+442079460000` of `"x" <sip:+442079460000@ringround>;tag=1`.
fn user_of(header: &str) -> String {
    let (_, uri) = header.split_once("sip:").unwrap_or(("", header));
    uri.split(['@', ';', '>']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::TRUNK;

    const SOON: Duration = Duration::from_secs(2);

    #[tokio::test]
    async fn it_answers_as_its_script_says_and_notes_what_it_was_asked() {
        let networks = Networks::lay().expect("networks");
        let provider = Scripted::listen(&networks).await.expect("a provider");
        provider.otherwise(vec![Step::Status(503)]);
        provider.on(
            "+447700900001",
            vec![Step::Status(100), Step::Sound(183), Step::Says(Some(Sound::marker(1, 8_000, 400)))],
        );
        let (phone, ear) = (socket(&networks).await, socket(&networks).await);

        send(&phone, &provider, "OPTIONS", "ping", &ear).await;
        assert!(receive(&phone).await.starts_with("SIP/2.0 200"));

        send(&phone, &provider, "INVITE", "+447700900001", &ear).await;
        assert!(receive(&phone).await.starts_with("SIP/2.0 100"));
        let progress = receive(&phone).await;
        assert!(progress.starts_with("SIP/2.0 183") && progress.contains("m=audio "), "{progress}");
        let mut packet = [0; 2_000];
        let length =
            tokio::time::timeout(SOON, ear.recv(&mut packet)).await.expect("in time").expect("sound");
        assert_eq!((length, packet[1] & 0x7f), (172, 0));
        send(&phone, &provider, "CANCEL", "+447700900001", &ear).await;
        assert!(receive(&phone).await.starts_with("SIP/2.0 200"));
        assert!(receive(&phone).await.starts_with("SIP/2.0 487"));

        send(&phone, &provider, "INVITE", "+447700900002", &ear).await;
        assert!(receive(&phone).await.starts_with("SIP/2.0 503"));
        let asked =
            provider.until("two calls", SOON, |asked| asked.len() == 2 && asked[1].status == Some(503));
        let asked = asked.await.expect("noted");
        assert_eq!((asked[0].number.as_str(), asked[0].from.as_str()), ("+447700900001", "+442079460000"));
        assert_eq!(asked[0].asserted.as_deref(), Some("+442079460000"));
        assert!(asked[0].cancelled.is_some() && asked[1].cancelled.is_none());
    }

    #[tokio::test]
    async fn what_has_no_script_is_swallowed() {
        let networks = Networks::lay().expect("networks");
        let provider = Scripted::listen(&networks).await.expect("a provider");
        let (phone, ear) = (socket(&networks).await, socket(&networks).await);
        send(&phone, &provider, "INVITE", "+447700900003", &ear).await;
        let asked = provider.call(1, SOON).await.expect("it came");
        assert_eq!((asked.number.as_str(), asked.status), ("+447700900003", None));
        // It is alive all the same.
        send(&phone, &provider, "OPTIONS", "ping", &ear).await;
        assert!(receive(&phone).await.contains("CSeq: 1 OPTIONS"));
    }

    async fn socket(networks: &Networks) -> UdpSocket {
        networks.server.run(UdpSocket::bind((TRUNK, 0))).await.expect("a port")
    }

    async fn send(phone: &UdpSocket, provider: &Scripted, method: &str, number: &str, ear: &UdpSocket) {
        let ear = ear.local_addr().expect("bound").port();
        let sdp = format!("c=IN IP4 {TRUNK}\r\nm=audio {ear} RTP/AVP 0\r\n");
        let text = format!(
            "{method} sip:{number}@x SIP/2.0\r\nVia: v\r\nFrom: <sip:+442079460000@ringround>;tag=1\r\n\
             P-Asserted-Identity: \"Trust\" <sip:+442079460000@ringround>\r\nTo: <sip:b>\r\nCall-ID: {number}\r\n\
             CSeq: 1 {method}\r\nContact: <sip:a@{TRUNK}>\r\n\r\n{sdp}"
        );
        phone.send_to(text.as_bytes(), provider.address()).await.expect("sent");
    }

    async fn receive(phone: &UdpSocket) -> String {
        let mut bytes = [0; 2_000];
        let length =
            tokio::time::timeout(SOON, phone.recv(&mut bytes)).await.expect("in time").expect("a reply");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }
}
