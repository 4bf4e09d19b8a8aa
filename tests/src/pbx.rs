//! The two Asterisks: the node beside the server, and the simulated provider. Made and run by the scripts that
//! the demo uses too, each in a folder and on a machine of its own, as far as the network goes.

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    child::{Child, poll},
    networks::{Net, Networks, PROVIDER, TRUNK},
    provider_records::ProviderRecords,
    sound::Sound,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// Of both, towards each other.
pub const SIP_PORT: u16 = 5060;
/// Of the node: ARI, SIP over WebSocket, figures.
pub const HTTP_PORT: u16 = 8088;
/// UDP ports of one Asterisk's media.
pub const RTP: RangeInclusive<u16> = 10_000..=10_199;

/// The telephone network: it rings callees, and its records are what tests believe.
pub struct Provider {
    folder: PathBuf,
    _asterisk: Child,
}

/// The Asterisk beside the server.
pub struct Node {
    /// Where it stands.
    pub networks: Arc<Networks>,
    folder: PathBuf,
    asterisk: Option<Child>,
}

impl Provider {
    /// Starts it and waits until it answers SIP. Numbers 9nn ring at `harness`.
    ///
    /// # Errors
    /// When it does not come up; says what its log says.
    pub async fn start(networks: &Networks, folder: &Path, harness: Option<SocketAddr>) -> Result<Self> {
        let folder = folder.join("provider");
        let voices = folder.join("voices");
        std::fs::create_dir_all(&voices)?;
        for name in ["hello", "thanks", "voicemail", "beep"] {
            Sound::silence(8_000, 200).write(&voices.join(format!("{name}.wav")))?;
        }
        let harness = harness.unwrap_or(SocketAddr::from((PROVIDER, 9)));
        let values = [
            format!("ADDRESS={PROVIDER}"),
            format!("CUSTOMER={TRUNK}"),
            format!("HARNESS={harness}"),
            format!("VOICES={}", voices.display()),
        ];
        configure(&networks.provider, "provider", &folder, &values)?;
        let mut asterisk = run(&networks.provider, "provider", &folder)?;
        // The node is its only customer.
        let answers = || networks.server.run(answers_options());
        let up = poll("the provider's answer to OPTIONS", PATIENCE, answers).await;
        asterisk.still_runs()?;
        up?;
        Ok(Self { folder, _asterisk: asterisk })
    }

    /// Where it takes calls, SIP over UDP.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((PROVIDER, SIP_PORT))
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
    pub async fn start(networks: &Arc<Networks>, folder: &Path, trunk: SocketAddr) -> Result<Self> {
        crate::tls::use_ring();
        let folder = folder.join("node");
        std::fs::create_dir_all(&folder)?;
        let values =
            [format!("HTTP_PORT={HTTP_PORT}"), format!("TRUNK_ADDRESS={TRUNK}"), format!("PROVIDER={trunk}")];
        configure(&networks.server, "node", &folder, &values)?;
        let mut node = Self { networks: Arc::clone(networks), folder, asterisk: None };
        node.start_again().await?;
        Ok(node)
    }

    /// Starts it once more after [`Node::kill`], from the same folder.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_again(&mut self) -> Result<()> {
        self.asterisk = Some(run(&self.networks.server, "node", &self.folder)?);
        let ready = || async {
            self.ask("asterisk/info").await.is_some()
                && self.ask("endpoints/PJSIP/trunk").await.is_some_and(|e| e["state"] == "online")
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
        format!("http://127.0.0.1:{HTTP_PORT}")
    }

    /// The UDP ports of its media.
    pub fn rtp(&self) -> RangeInclusive<u16> {
        RTP
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
        let list = self.ask("channels").await.context("the node's ARI does not answer")?;
        let ids = list.as_array().context("a list of channels")?;
        Ok(ids.iter().filter_map(|c| c["id"].as_str()).map(str::to_owned).collect())
    }

    /// What its ARI answers to a GET, `endpoints/PJSIP/trunk`.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub async fn get(&self, what: &str) -> Result<Value> {
        self.ask(what).await.with_context(|| format!("the node's ARI has no {what}"))
    }

    /// Has it ring a number by itself, as nobody but the server should: the channel is no session's.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn ring(&self, number: &str) -> Result<()> {
        let what = format!("channels?endpoint=PJSIP/{number}@trunk&app=nobody");
        self.request("POST", &what.replace('+', "%2B"), &Value::Null).await?;
        Ok(())
    }

    /// A request to its ARI, with a body unless that is null.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub async fn request(&self, method: &str, what: &str, body: &Value) -> Result<reqwest::Response> {
        let password = std::fs::read_to_string(self.password_file())?;
        let url = format!("{}/ari/{what}", self.http());
        let request = reqwest::Client::new().request(method.parse()?, url);
        let request = if body.is_null() { request } else { request.json(body) };
        let reply =
            self.networks.server.run(request.basic_auth("ringround", Some(password.trim())).send()).await?;
        let status = reply.status();
        ensure!(status.is_success(), "{method} {what}: {status} {}", reply.text().await?);
        Ok(reply)
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.asterisk.as_ref().map(Child::id)
    }

    async fn ask(&self, what: &str) -> Option<Value> {
        self.request("GET", what, &Value::Null).await.ok()?.json().await.ok()
    }
}

/// The project's folder.
pub fn project() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map_or_else(|| tests.to_owned(), Path::to_owned)
}

/// A TCP port of the harness's own loopback that nobody uses.
///
/// # Errors
/// When there is none.
pub fn free_tcp_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn configure(net: &Net, kind: &str, folder: &Path, values: &[String]) -> Result<()> {
    let mut command = Command::new(project().join("scripts/asterisk-config"));
    command.arg(kind).arg(folder).arg(format!("SIP_PORT={SIP_PORT}"));
    command.args([format!("RTP_START={}", RTP.start()), format!("RTP_END={}", RTP.end())]).args(values);
    let output = net.enter(move || command.output())??;
    ensure!(
        output.status.success(),
        "scripts/asterisk-config {kind}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn run(net: &Arc<Net>, name: &str, folder: &Path) -> Result<Child> {
    let mut command = Command::new(project().join("scripts/asterisk"));
    command.arg(folder);
    Child::start_in(net, &format!("the {name}'s Asterisk"), command, &folder.join("console.log"))
}

/// RFC 3261, section 11.
async fn answers_options() -> bool {
    let Ok(socket) = tokio::net::UdpSocket::bind((TRUNK, 0)).await else { return false };
    let Ok(own) = socket.local_addr() else { return false };
    let id = uuid::Uuid::now_v7().simple();
    let options = format!(
        "OPTIONS sip:{PROVIDER} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
         From: <sip:harness@{own}>;tag=1\r\nTo: <sip:{PROVIDER}>\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\n\
         Contact: <sip:harness@{own}>\r\nContent-Length: 0\r\n\r\n"
    );
    if socket.send_to(options.as_bytes(), (PROVIDER, SIP_PORT)).await.is_err() {
        return false;
    }
    let mut reply = [0; 2_048];
    let got = tokio::time::timeout(Duration::from_millis(200), socket.recv(&mut reply)).await;
    matches!(got, Ok(Ok(length)) if reply[..length].starts_with(b"SIP/2.0 "))
}
