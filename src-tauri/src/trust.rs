//! Whom the app believes to be its server: the system's authorities, or the one that the link named.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use rustls_platform_verifier::BuilderVerifierExt;
use sha2::{Digest, Sha256};

/// The TLS configuration towards one server. Names and dates are always checked.
///
/// # Errors
/// When the system's authorities cannot be read: a fault of the system's configuration.
pub fn client_config(authority: Option<[u8; 32]>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    Ok(match authority {
        None => builder.with_platform_verifier()?.with_no_client_auth(),
        Some(public_key_sha256) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned { public_key_sha256, provider }))
            .with_no_client_auth(),
    })
}

/// Accepts a chain that ends in the authority with this public key, and sends that authority along.
#[derive(Debug)]
struct Pinned {
    public_key_sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn authority(&self, chain: &[CertificateDer<'_>]) -> Option<RootCertStore> {
        chain.iter().find_map(|certificate| {
            let mut roots = RootCertStore::empty();
            roots.add(certificate.clone().into_owned()).ok()?;
            let contents = &roots.roots.first()?.subject_public_key_info;
            let found: [u8; 32] = Sha256::digest(sequence(contents)).into();
            (found == self.public_key_sha256).then_some(roots)
        })
    }
}

/// A trust anchor keeps the SubjectPublicKeyInfo without its outer DER tag and length; the pin is over the whole.
fn sequence(contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut der = vec![0x30];
    match length {
        [short] if *short < 0x80 => der.push(*short),
        _ => {
            der.push(0x80 | u8::try_from(length.len()).unwrap_or(0x7f));
            der.extend_from_slice(length);
        }
    }
    der.extend_from_slice(contents);
    der
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = self.authority(intermediates).ok_or(rustls::CertificateError::UnknownIssuer)?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a failed request failed because the server's certificate was not believed.
pub fn is_untrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if matches!(error.downcast_ref(), Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented))
        {
            return true;
        }
        // std::io::Error hides the error it carries from `source`.
        let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(carried) = carried
            && is_untrusted(carried)
        {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_der_wants_them() {
        assert_eq!(sequence(&[1; 5])[..2], [0x30, 5]);
        assert_eq!(sequence(&[1; 200])[..3], [0x30, 0x81, 200]);
        assert_eq!(sequence(&[1; 300])[..4], [0x30, 0x82, 1, 44]);
    }
}
