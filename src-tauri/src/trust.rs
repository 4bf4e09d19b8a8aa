//! Whether the server's certificate was believed. Whose is, the phone decides for both ([`softphone::tls_client`]).

use rustls::Error;

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
