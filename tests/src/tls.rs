//! The harness's own clients of the server: they believe the server's own authority, and nobody else.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};

/// One provider of cryptography for every client of this process.
pub fn use_ring() {
    // Fails only where it was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Believes the authorities of a PEM file.
///
/// # Errors
/// When the file cannot be read.
pub fn believing(authority: &Path) -> Result<Arc<ClientConfig>> {
    use_ring();
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(authority).with_context(|| authority.display().to_string())?
    {
        roots.add(certificate?)?;
    }
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}
