//! What an organiser sets for one server, read once at the start.

use std::{net::SocketAddr, path::PathBuf};

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

/// What is at the other end of a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TrunkKind {
    /// A provider of ours on loopback; only the numbers set aside for drama may be rung.
    Simulated,
    /// A telephone provider.
    Sip,
}
