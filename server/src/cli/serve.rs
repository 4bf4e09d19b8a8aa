//! `ringround-server serve`

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use rustls_pki_types::ServerName;
use url::Url;
use zeroize::Zeroizing;

use crate::config::{Asterisk, CertificateFiles, Config, Doors, Trunk, TrunkKind};

/// Flags of `serve`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Serve {
    /// Address and port for volunteers' apps: they need this one TCP port, and UDP to Asterisk
    #[arg(long, default_value = "0.0.0.0:8443", value_name = "ADDRESS:PORT", value_parser = address)]
    listen: SocketAddr,
    /// Host name or address by which volunteers reach this server; the first one stands in links.
    /// Repeat it for others. This machine's own addresses are in the certificate anyway
    #[arg(long = "name", value_name = "HOST_OR_IP", value_parser = host)]
    names: Vec<String>,
    /// Address in links instead: another name of this machine (also one of --name or of --cert), or a port that
    /// this machine itself hands on to --listen. No proxy and no router that maps addresses may stand between:
    /// the sound would not come through
    #[arg(long, value_name = "https://...", value_parser = https)]
    public_url: Option<Url>,
    /// Certificate chain (PEM) of an authority that every system knows; read again when it changes.
    /// Without it, the server makes an authority of its own, whose fingerprint is in the links
    #[arg(long, requires = "key", value_name = "PEM")]
    cert: Option<PathBuf>,
    /// Private key of --cert (PEM)
    #[arg(long, requires = "cert", value_name = "PEM")]
    key: Option<PathBuf>,
    /// Asterisk's HTTP server: ARI, and the WebSocket for SIP; it should listen on this machine only
    #[arg(long, default_value = "http://127.0.0.1:8088", value_name = "URL", value_parser = http)]
    ari: Url,
    /// User in ari.conf; its password comes from $RINGROUND_ARI_PASSWORD or --ari-password-file
    #[arg(long, default_value = "ringround", value_name = "NAME")]
    ari_user: String,
    /// File with the password of --ari-user
    #[arg(long, value_name = "FILE")]
    ari_password_file: Option<PathBuf>,
    /// Name of the PJSIP endpoint that leads to the telephone provider
    #[arg(long, default_value = "trunk", value_name = "ENDPOINT")]
    trunk: String,
    /// What that provider is. "simulated": ours, on this machine; then only the numbers set aside
    /// for drama can be rung, and a campaign may ignore calling hours
    #[arg(long, value_enum)]
    trunk_kind: Kind,
}

/// [`TrunkKind`] as a word of the command line.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    Simulated,
    Sip,
}

impl From<Kind> for TrunkKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Simulated => TrunkKind::Simulated,
            Kind::Sip => TrunkKind::Sip,
        }
    }
}

const HELP: &str = "\
The server starts without Asterisk and waits for it; until then nothing can be dialled. Whether all
is well: ringround-server status, or GET /health. Logs go to standard error and to logs/ in the data
folder, 14 days of them; RINGROUND_LOG=server=debug says more.";

/// The variable with ARI's password.
pub const PASSWORD: &str = "RINGROUND_ARI_PASSWORD";

impl Serve {
    /// The configuration that these flags say.
    ///
    /// # Errors
    /// In words: no password, or a file that cannot be read.
    pub fn config(self, data: PathBuf) -> Result<Config, String> {
        let password = match &self.ari_password_file {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|e| format!("--ari-password-file {}: {e}", file.display()))?;
                Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned())
            }
            None => Zeroizing::new(std::env::var(PASSWORD).map_err(|_| {
                format!("ARI's password is missing: set {PASSWORD}, or name a file with --ari-password-file")
            })?),
        };
        let plain = self.trunk.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if self.trunk.is_empty() || !plain {
            return Err("--trunk: letters, digits, -, _ and . only".into());
        }
        Ok(Config {
            data,
            listen: self.listen,
            names: self.names,
            public_url: self.public_url,
            certificate: self.cert.zip(self.key).map(|(chain, key)| CertificateFiles { chain, key }),
            asterisk: Asterisk { url: self.ari, user: self.ari_user, password },
            trunk: Trunk { endpoint: self.trunk, kind: self.trunk_kind.into() },
            doors: Doors::default(),
        })
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an IP address and a port, like 0.0.0.0:8443".into())
}

fn host(text: &str) -> Result<String, String> {
    match ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a host name or an IP address, without https:// and without a port".into()),
    }
}

fn https(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "https" && url.host_str().is_some() => Ok(url),
        Ok(_) | Err(_) => Err("must be like https://calls.example.org".into()),
    }
}

fn http(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) && url.host_str().is_some() => Ok(url),
        Ok(_) | Err(_) => Err("must be like http://127.0.0.1:8088".into()),
    }
}
