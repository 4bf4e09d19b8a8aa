//! What an organiser sets for one server, read once at the start.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

pub use dialler::rules::TrunkKind;
use url::Url;
use zeroize::Zeroizing;

/// Everything `serve` is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of the database, the authority, the logs and the control socket.
    pub data: PathBuf,
    /// Where volunteers' apps arrive.
    pub listen: SocketAddr,
    /// Host names and addresses in the certificate, the first one in join links.
    pub names: Vec<String>,
    /// What join links say instead, `https://calls.example`.
    pub public_url: Option<Url>,
    /// Certificate and key of an authority known to every system; `None`: an authority of our own.
    pub certificate: Option<CertificateFiles>,
    /// Where Asterisk is.
    pub asterisk: Asterisk,
    /// The way to the telephone network.
    pub trunk: Trunk,
    /// What holds for everybody who connects.
    pub doors: Doors,
}

/// What holds for everybody who connects, known or not.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Most connections at once; a tunnel to Asterisk takes two of the system's descriptors.
    pub connections: usize,
    /// Most of them that never showed a sign-in. An app that starts needs one for a moment, and a server's whole crowd
    /// comes back at once when it starts again.
    pub strangers: usize,
    /// Of all, those kept for this machine itself: health checks get in however many others there are.
    pub here: usize,
    /// Most of one device that keep their place when places run short. An app has up to four, and the same again for
    /// a moment when its network changes.
    pub per_device: usize,
    /// Most from one IPv4 address or one /64 of IPv6. An app holds two for as long as it runs and up to two
    /// more for requests, so 512 is an office of 128 volunteers behind one address, and eight such offices fill
    /// the server. Loopback's are not counted here.
    pub per_address: usize,
    /// Most from one /48 of IPv6, which holds many /64s and may be one customer's, too.
    pub per_site: usize,
    /// How long a connection's handshake and the head of its first request may take.
    pub head_within: Duration,
    /// How long a connection may wait for its next request: longer than an app keeps one that it does not use
    /// (60 s), so that no press of Call is lost in one that is being closed.
    pub idle_for: Duration,
    /// How long a body, 64 KiB at most, may take to arrive.
    pub body_within: Duration,
    /// How long a peer may take nothing of what is sent to it.
    pub stuck_for: Duration,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            connections: 4_096,
            strangers: 1_024,
            here: 16,
            per_device: 16,
            per_address: 512,
            per_site: 1_024,
            head_within: Duration::from_secs(10),
            idle_for: Duration::from_secs(75),
            body_within: Duration::from_secs(15),
            stuck_for: Duration::from_secs(30),
        }
    }
}

/// PEM files.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub chain: PathBuf,
    /// The leaf's private key.
    pub key: PathBuf,
}

/// Where Asterisk is, and who we are to it.
#[derive(Clone)]
pub struct Asterisk {
    /// Its HTTP server, `http://127.0.0.1:8088`; events, requests and the SIP tunnel all go there.
    pub url: Url,
    /// User of ari.conf.
    pub user: String,
    /// Password of ari.conf.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Asterisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asterisk at {} as {}", self.url, self.user)
    }
}

/// The way to the telephone network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Name of the PJSIP endpoint, `trunk`.
    pub endpoint: String,
    /// What is at its other end.
    pub kind: TrunkKind,
}
