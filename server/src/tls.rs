//! Certificates: an authority of our own, made at the first start, or files of a known one.
//!
//! The authority's certificate is sent in the chain, so that an app can check it against the
//! fingerprint in the join link. Leaf certificates live in memory, for 90 days, and are renewed
//! 30 days before their end; a restart makes a new one.

use std::{
    fs, io,
    net::IpAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::{Arc, Mutex},
};

use axum_server::tls_rustls::RustlsConfig;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sha2::{Digest, Sha256};

use crate::{
    clock::Clock,
    config::{CertificateFiles, Config},
};

const LEAF_DAYS: i64 = 90;
const RENEW_BEFORE_DAYS: i64 = 30;
const AUTHORITY_YEARS: i64 = 10;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or cannot be read or written.
    #[error("{0}: {1}")]
    File(String, io::Error),
    /// A file does not hold what it should.
    #[error("{0} is not a PEM file of the right kind: {1}")]
    Pem(String, String),
    /// A name that cannot stand in a certificate.
    #[error("a certificate cannot be made for these names ({0}); check --name")]
    Names(rcgen::Error),
    /// The library refused the key or the chain.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What the server shows who connects.
pub struct Identity {
    rustls: RustlsConfig,
    source: Source,
    clock: Clock,
    /// When it is to be renewed, UTC epoch milliseconds; for files, when they were changed last.
    mark: Mutex<i64>,
}

enum Source {
    Own(Box<Authority>, Vec<String>),
    Files(CertificateFiles),
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pin: [u8; 32],
}

impl Identity {
    /// Reads the files, or the own authority in `tls/` of the data folder; makes the latter at the
    /// first start.
    ///
    /// # Errors
    /// [`TlsError`], in words for the organiser.
    pub fn open(config: &Config, clock: Clock) -> Result<Self, TlsError> {
        let (source, (rustls, mark)) = match &config.certificate {
            Some(files) => (Source::Files(files.clone()), from_files(files)?),
            None => {
                let authority = Authority::open(&config.data.join("tls"), &clock)?;
                let names = names(config);
                let leaf = authority.leaf(&names, &clock)?;
                (Source::Own(Box::new(authority), names), leaf)
            }
        };
        Ok(Self { rustls: RustlsConfig::from_config(rustls), source, clock, mark: Mutex::new(mark) })
    }

    /// For the listener; a renewal reaches it by itself.
    pub fn rustls(&self) -> RustlsConfig {
        self.rustls.clone()
    }

    /// SHA-256 of the own authority's public key; `None` when every system knows the authority.
    pub fn pin(&self) -> Option<[u8; 32]> {
        match &self.source {
            Source::Own(authority, _) => Some(authority.pin),
            Source::Files(_) => None,
        }
    }

    /// Takes a new leaf when the old one nears its end, or the files again when they are new.
    /// Answers whether it did.
    ///
    /// # Errors
    /// [`TlsError`]; the old certificate stays in use.
    pub fn renew(&self) -> Result<bool, TlsError> {
        let mut mark = self.mark.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (rustls, new_mark) = match &self.source {
            Source::Own(..) if self.clock.now_ms() < *mark => return Ok(false),
            Source::Own(authority, names) => authority.leaf(names, &self.clock)?,
            Source::Files(files) if changed_at(files)? == *mark => return Ok(false),
            Source::Files(files) => from_files(files)?,
        };
        self.rustls.reload_from_config(rustls);
        *mark = new_mark;
        Ok(true)
    }
}

impl Authority {
    fn open(folder: &Path, clock: &Clock) -> Result<Self, TlsError> {
        let in_folder = |e| TlsError::File(folder.display().to_string(), e);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(in_folder)?;
        let (key_file, certificate_file) = (folder.join("authority.key"), folder.join("authority.pem"));
        let key = match fs::read_to_string(&key_file) {
            Ok(pem) => KeyPair::from_pem(&pem)
                .map_err(|e| TlsError::Pem(key_file.display().to_string(), e.to_string()))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(TlsError::Names)?;
                write_whole(&key_file, key.serialize_pem().as_bytes(), 0o600)?;
                key
            }
            Err(e) => return Err(TlsError::File(key_file.display().to_string(), e)),
        };
        let pin = Sha256::digest(key.subject_public_key_info()).into();
        let certificate = match fs::read(&certificate_file) {
            Ok(pem) => CertificateDer::from_pem_slice(&pem)
                .map_err(|e| TlsError::Pem(certificate_file.display().to_string(), e.to_string()))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let certificate = authority_params(clock).self_signed(&key).map_err(TlsError::Names)?;
                write_whole(&certificate_file, certificate.pem().as_bytes(), 0o644)?;
                certificate.der().clone()
            }
            Err(e) => return Err(TlsError::File(certificate_file.display().to_string(), e)),
        };
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|e| TlsError::Pem(certificate_file.display().to_string(), e.to_string()))?;
        Ok(Self { issuer, certificate, pin })
    }

    fn leaf(&self, names: &[String], clock: &Clock) -> Result<(Arc<ServerConfig>, i64), TlsError> {
        let key = KeyPair::generate().map_err(TlsError::Names)?;
        let today = today(clock);
        let mut params = CertificateParams::new(names).map_err(TlsError::Names)?;
        params.distinguished_name = common_name("Ringround server");
        last(&mut params, today, today.saturating_add(LEAF_DAYS.days()));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&key, &self.issuer).map_err(TlsError::Names)?;
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let renew_at = clock.now_ms() + (LEAF_DAYS - RENEW_BEFORE_DAYS) * 24 * 60 * 60 * 1_000;
        Ok((server_config(chain, key)?, renew_at))
    }
}

fn authority_params(clock: &Clock) -> CertificateParams {
    let today = today(clock);
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("Ringround authority of this server");
    last(&mut params, today, today.saturating_add(AUTHORITY_YEARS.years()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn today(clock: &Clock) -> Date {
    let now = Timestamp::from_millisecond(clock.now_ms()).unwrap_or(Timestamp::UNIX_EPOCH);
    now.to_zoned(TimeZone::UTC).date()
}

/// From the day before `from`, for machines whose clock is behind.
fn last(params: &mut CertificateParams, from: Date, until: Date) {
    let parts = |date: Date| (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs());
    let (year, month, day) = parts(from.saturating_sub(1.day()));
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = parts(until);
    params.not_after = date_time_ymd(year, month, day);
}

/// `--name`, this machine's own addresses, and the name every machine has for itself.
fn names(config: &Config) -> Vec<String> {
    let mut names = config.names.clone();
    names.push("localhost".into());
    names.extend(local_addresses().iter().map(IpAddr::to_string));
    if !config.listen.ip().is_unspecified() {
        names.push(config.listen.ip().to_string());
    }
    names.sort();
    names.dedup();
    names
}

/// This machine's own addresses, those that others can reach first.
pub fn local_addresses() -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces.into_iter().map(|interface| interface.ip()).collect(),
        Err(error) => {
            tracing::warn!(%error, "this machine's addresses cannot be read; the certificate has --name only");
            vec![IpAddr::from([127, 0, 0, 1])]
        }
    };
    addresses.retain(|address| match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    });
    addresses.sort_by_key(|address| (address.is_loopback(), address.is_ipv6()));
    addresses
}

fn from_files(files: &CertificateFiles) -> Result<(Arc<ServerConfig>, i64), TlsError> {
    let bad = |file: &Path, e: rustls_pki_types::pem::Error| {
        TlsError::Pem(file.display().to_string(), e.to_string())
    };
    let mark = changed_at(files)?;
    let chain = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| bad(&files.chain, e))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| bad(&files.key, e))?;
    Ok((server_config(chain, key)?, mark))
}

fn changed_at(files: &CertificateFiles) -> Result<i64, TlsError> {
    let changed = fs::metadata(&files.chain)
        .and_then(|m| m.modified())
        .map_err(|e| TlsError::File(files.chain.display().to_string(), e))?;
    let since = changed.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Writes a file beside its place and moves it there, so that it is whole or not there.
fn write_whole(file: &Path, bytes: &[u8], mode: u32) -> Result<(), TlsError> {
    let part = file.with_extension("part");
    let written = (|| {
        if part.exists() {
            fs::remove_file(&part)?;
        }
        let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
        io::Write::write_all(&mut new, bytes)?;
        new.sync_all()?;
        fs::rename(&part, file)
    })();
    written.map_err(|e| TlsError::File(file.display().to_string(), e))
}
