//! Whose certificates are believed.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt as _;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::events::Why;
use crate::settings::Trust;

/// A configuration to keep for the phone's life, so that a reconnect resumes the TLS session. It serves any
/// other client of the same server as well. Names and dates are always checked.
///
/// # Errors
/// When the system's authorities cannot be read: a fault of the system's configuration.
pub fn client(trust: &Trust) -> Result<Arc<ClientConfig>, Why> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let broken = |error: Error| Why::Tls(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(broken)?;
    let config = match trust {
        Trust::System => builder.with_platform_verifier().map_err(broken)?.with_no_client_auth(),
        Trust::Authority { public_key_sha256 } => {
            let pinned = PinnedAuthority { public_key_sha256: *public_key_sha256, provider };
            // "Dangerous" is rustls's word for a verifier of one's own; this one still checks the
            // chain, the dates and the name, with fewer roots than the system has.
            builder.dangerous().with_custom_certificate_verifier(Arc::new(pinned)).with_no_client_auth()
        }
    };
    Ok(Arc::new(config))
}

/// Believes only chains that hold one authority, known by its public key.
#[derive(Debug)]
struct PinnedAuthority {
    public_key_sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl PinnedAuthority {
    fn root(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<RootCertStore, Error> {
        let found = chain.iter().find_map(|certificate| {
            let mut roots = RootCertStore::empty();
            roots.add(certificate.clone().into_owned()).ok()?;
            let key = roots.roots.first()?.subject_public_key_info.as_ref();
            (sha256_of_sequence(key) == self.public_key_sha256).then_some((roots, certificate))
        });
        let (roots, certificate) = found.ok_or(CertificateError::UnknownIssuer)?;
        // Nobody else looks at the dates of a root.
        let (_, dates) =
            X509Certificate::from_der(certificate).map_err(|_| Error::from(CertificateError::BadEncoding))?;
        let (dates, now) = (dates.validity(), i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        if now < dates.not_before.timestamp() {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > dates.not_after.timestamp() {
            return Err(CertificateError::Expired.into());
        }
        Ok(roots)
    }
}

/// The hash of a DER sequence, given its content only, as the trust anchor keeps it.
fn sha256_of_sequence(content: &[u8]) -> [u8; 32] {
    let mut header = vec![0x30];
    let length = content.len();
    match length {
        0..=0x7f => header.push(length as u8),
        0x80..=0xff => header.extend([0x81, length as u8]),
        _ => header.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    Sha256::new().chain_update(header).chain_update(content).finalize().into()
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = self.root(intermediates, now)?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Who is to blame for a TLS handshake that failed.
pub(crate) fn blame(error: &Error) -> Why {
    let Error::InvalidCertificate(certificate) = error else {
        return Why::Tls(error.to_string());
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls may add causes; all mean: not trusted")]
    match certificate {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Why::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Why::WrongName,
        other => Why::Untrusted(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData};

    fn authority() -> (CertifiedIssuer<'static, KeyPair>, [u8; 32]) {
        let key = KeyPair::generate().unwrap();
        let pin = Sha256::digest(key.subject_public_key_info()).into();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (CertifiedIssuer::self_signed(params, key).unwrap(), pin)
    }

    fn check(pin: [u8; 32], leaf: &[u8], chain: &[&[u8]], name: &str, now: u64) -> Option<Why> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = PinnedAuthority { public_key_sha256: pin, provider };
        let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
        let leaf = CertificateDer::from(leaf.to_vec());
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
        verifier.verify_server_cert(&leaf, &chain, &name, &[], now).err().map(|error| blame(&error))
    }

    #[test]
    fn only_the_pinned_authority_the_right_name_and_date_are_believed() {
        const NOW: u64 = 1_900_000_000;
        let (ours, pin) = authority();
        let (other, _) = authority();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["phones.test".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let leaf = params.signed_by(&key, &ours).unwrap();
        let (ours, other) = (ours.der().to_vec(), other.der().to_vec());

        assert_eq!(check(pin, leaf.der(), &[&ours], "phones.test", NOW), None);
        assert!(matches!(check(pin, leaf.der(), &[], "phones.test", NOW), Some(Why::Untrusted(_))));
        assert!(matches!(check(pin, leaf.der(), &[&other], "phones.test", NOW), Some(Why::Untrusted(_))));
        assert_eq!(check(pin, leaf.der(), &[&ours], "else.test", NOW), Some(Why::WrongName));
        assert_eq!(check(pin, leaf.der(), &[&ours], "phones.test", 4_000_000_000), Some(Why::Expired));
    }

    #[test]
    fn an_authority_out_of_date_is_believed_no_more() {
        let authority_key = KeyPair::generate().unwrap();
        let pin = Sha256::digest(authority_key.subject_public_key_info()).into();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2030, 1, 1));
        let authority = CertifiedIssuer::self_signed(params, authority_key).unwrap();
        let params = CertificateParams::new(vec!["phones.test".to_owned()]).unwrap();
        let leaf = params.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
        let at = |now: u64| check(pin, leaf.der(), &[authority.der()], "phones.test", now);
        assert_eq!(at(1_500_000_000), Some(Why::Expired));
        assert_eq!(at(1_800_000_000), None);
        assert_eq!(at(1_900_000_000), Some(Why::Expired));
    }

    #[test]
    fn a_length_is_written_as_der_wants_it() {
        for (length, header) in [(5, &[0x30, 5][..]), (200, &[0x30, 0x81, 200]), (300, &[0x30, 0x82, 1, 44])]
        {
            let content = vec![1; length];
            let whole: [u8; 32] = Sha256::digest([header, &content].concat()).into();
            assert_eq!(sha256_of_sequence(&content), whole);
        }
    }

    #[test]
    fn a_leaf_that_another_signed_is_refused_although_the_authority_is_in_the_chain() {
        let (ours, pin) = authority();
        let (other, _) = authority();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["phones.test".to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &other).unwrap();
        let refused = check(pin, leaf.der(), &[ours.der()], "phones.test", 1_900_000_000);
        assert!(matches!(refused, Some(Why::Untrusted(_))), "{refused:?}");
    }
}
