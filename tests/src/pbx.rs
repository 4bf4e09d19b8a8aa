//! The two Asterisks: the node beside the server, and the simulated provider. Made and run by the scripts that
//! the demo uses too, each in a folder of its own, on free ports.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    child::{Child, poll},
    provider_records::ProviderRecords,
    sound::Sound,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// RTP ports of one Asterisk.
const RTP_PORTS: u16 = 200;

/// The telephone network: it rings callees, and its records are what tests believe.
pub struct Provider {
    folder: PathBuf,
    address: SocketAddr,
    _asterisk: Child,
}

/// The Asterisk beside the server.
pub struct Node {
    folder: PathBuf,
    http: u16,
    rtp: RangeInclusive<u16>,
    asterisk: Option<Child>,
}

impl Provider {
    /// Starts it and waits until it answers SIP. Numbers 9nn ring at `harness`.
    ///
    /// # Errors
    /// When it does not come up; says what its log says.
    pub async fn start(folder: &Path, harness: Option<SocketAddr>) -> Result<Self> {
        let folder = folder.join("provider");
        let voices = folder.join("voices");
        std::fs::create_dir_all(&voices)?;
        for name in ["hello", "thanks", "voicemail", "beep"] {
            Sound::silence(8_000, 200).write(&voices.join(format!("{name}.wav")))?;
        }
        let (sip, (first, last)) = (free_udp_port()?, free_rtp_ports()?);
        let harness = harness.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 9)));
        configure(
            "provider",
            &folder,
            &[
                format!("SIP_PORT={sip}"),
                format!("RTP_START={first}"),
                format!("RTP_END={last}"),
                format!("HARNESS={harness}"),
                format!("VOICES={}", voices.display()),
            ],
        )?;
        let mut asterisk = run("provider", &folder)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, sip));
        let answers = || async { answers_options(address).await };
        let up = poll("the provider's answer to OPTIONS", PATIENCE, answers).await;
        asterisk.still_runs()?;
        up?;
        Ok(Self { folder, address, _asterisk: asterisk })
    }

    /// Where it takes calls, SIP over UDP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it wrote down.
    pub fn records(&self) -> ProviderRecords {
        ProviderRecords::of(&self.folder)
    }

    /// What its callees say from the next call on, after the answer.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn says(&self, sound: &Sound) -> Result<()> {
        // Renamed into place: a call that begins now reads the one or the other.
        let (new, file) = (self.folder.join("voices/new.wav"), self.folder.join("voices/hello.wav"));
        sound.at_rate(8_000).write(&new)?;
        Ok(std::fs::rename(new, file)?)
    }
}

impl Node {
    /// Starts it with its trunk to `trunk` and waits until it is ready: its ARI answers, and the other end of the
    /// trunk answered its OPTIONS.
    ///
    /// # Errors
    /// When it does not come up; says what its log says.
    pub async fn start(folder: &Path, trunk: SocketAddr) -> Result<Self> {
        crate::tls::use_ring();
        ensure!(
            own_address()?.is_some(),
            "Asterisk lists no loopback address to a WebRTC peer, and this network has no other: use scripts/in-net"
        );
        let folder = folder.join("node");
        let (sip, http, (first, last)) = (free_udp_port()?, free_tcp_port()?, free_rtp_ports()?);
        std::fs::create_dir_all(&folder)?;
        configure(
            "node",
            &folder,
            &[
                format!("SIP_PORT={sip}"),
                format!("HTTP_PORT={http}"),
                format!("RTP_START={first}"),
                format!("RTP_END={last}"),
                format!("PROVIDER={trunk}"),
            ],
        )?;
        let mut node = Self { folder, http, rtp: first..=last, asterisk: None };
        node.start_again().await?;
        Ok(node)
    }

    /// Starts it once more after [`Node::kill`], from the same folder.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_again(&mut self) -> Result<()> {
        self.asterisk = Some(run("node", &self.folder)?);
        let client = reqwest::Client::new();
        let ready = || async {
            self.ask(&client, "asterisk/info").await.is_some()
                && self.ask(&client, "endpoints/PJSIP/trunk").await.is_some_and(|e| e["state"] == "online")
        };
        let up = poll("the node: its ARI, and the provider's answer to its OPTIONS", PATIENCE, ready).await;
        if let Some(asterisk) = &mut self.asterisk {
            asterisk.still_runs()?;
        }
        up
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut asterisk) = self.asterisk.take() {
            asterisk.kill();
        }
    }

    /// `http://127.0.0.1:port`: ARI, SIP over WebSocket, figures.
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// The UDP ports of its media.
    pub fn rtp(&self) -> &RangeInclusive<u16> {
        &self.rtp
    }

    /// The file with the password of ARI.
    pub fn password_file(&self) -> PathBuf {
        self.folder.join("ari-password")
    }

    /// Ids of the channels it has now.
    ///
    /// # Errors
    /// When its ARI does not answer.
    pub async fn channels(&self) -> Result<Vec<String>> {
        let list =
            self.ask(&reqwest::Client::new(), "channels").await.context("the node's ARI does not answer")?;
        let ids = list.as_array().context("a list of channels")?;
        Ok(ids.iter().filter_map(|c| c["id"].as_str()).map(str::to_owned).collect())
    }

    /// What its ARI answers to a GET, `endpoints/PJSIP/trunk`.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub async fn get(&self, what: &str) -> Result<serde_json::Value> {
        self.ask(&reqwest::Client::new(), what).await.with_context(|| format!("the node's ARI has no {what}"))
    }

    /// Has it ring a number by itself, as nobody but the server should: the channel is no session's.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn ring(&self, number: &str) -> Result<()> {
        let password = std::fs::read_to_string(self.password_file())?;
        let url = format!("{}/ari/channels?endpoint=PJSIP/{number}@trunk&app=nobody", self.http());
        let client = reqwest::Client::new();
        let reply = client.post(url.replace('+', "%2B")).basic_auth("ringround", Some(password.trim()));
        reply.send().await?.error_for_status()?;
        Ok(())
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.asterisk.as_ref().map(Child::id)
    }

    async fn ask(&self, client: &reqwest::Client, what: &str) -> Option<serde_json::Value> {
        let password = std::fs::read_to_string(self.password_file()).ok()?;
        let url = format!("{}/ari/{what}", self.http());
        let reply = client.get(url).basic_auth("ringround", Some(password.trim())).send().await.ok()?;
        reply.error_for_status().ok()?.json().await.ok()
    }
}

/// The project's folder.
pub fn project() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map_or_else(|| tests.to_owned(), Path::to_owned)
}

/// An address of this machine, or of this network namespace, that is not loopback's.
///
/// # Errors
/// When the interfaces cannot be listed.
pub fn own_address() -> Result<Option<Ipv4Addr>> {
    let all = if_addrs::get_if_addrs().context("listing the network interfaces")?;
    let address = all.into_iter().find_map(|interface| match interface.ip() {
        std::net::IpAddr::V4(address) if !address.is_loopback() => Some(address),
        std::net::IpAddr::V4(_) | std::net::IpAddr::V6(_) => None,
    });
    Ok(address)
}

/// A TCP port that nobody uses.
///
/// # Errors
/// When there is none.
pub fn free_tcp_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn free_udp_port() -> Result<u16> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Below the ports that the system gives out by itself (ip_local_port_range begins at 32768).
fn free_rtp_ports() -> Result<(u16, u16)> {
    let free = |port: u16| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    let first = std::iter::repeat_with(|| 11_000 + fastrand::u16(..100) * RTP_PORTS)
        .take(200)
        .find(|first| (0..RTP_PORTS).step_by(7).all(|n| free(first + n)))
        .context("no free range of RTP ports")?;
    Ok((first, first + RTP_PORTS - 1))
}

fn configure(kind: &str, folder: &Path, values: &[String]) -> Result<()> {
    let output = Command::new(project().join("scripts/asterisk-config"))
        .arg(kind)
        .arg(folder)
        .args(values)
        .output()?;
    ensure!(
        output.status.success(),
        "scripts/asterisk-config {kind}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn run(name: &str, folder: &Path) -> Result<Child> {
    let mut command = Command::new(project().join("scripts/asterisk"));
    command.arg(folder);
    Child::start(&format!("the {name}'s Asterisk"), command, &folder.join("console.log"))
}

/// RFC 3261, section 11.
async fn answers_options(address: SocketAddr) -> bool {
    let Ok(socket) = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else { return false };
    let Ok(own) = socket.local_addr() else { return false };
    let id = uuid::Uuid::now_v7().simple();
    let options = format!(
        "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
         From: <sip:harness@{own}>;tag=1\r\nTo: <sip:{address}>\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\n\
         Contact: <sip:harness@{own}>\r\nContent-Length: 0\r\n\r\n"
    );
    if socket.send_to(options.as_bytes(), address).await.is_err() {
        return false;
    }
    let mut reply = [0; 2_048];
    let got = tokio::time::timeout(Duration::from_millis(200), socket.recv(&mut reply)).await;
    matches!(got, Ok(Ok(length)) if reply[..length].starts_with(b"SIP/2.0 "))
}
