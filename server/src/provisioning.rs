//! SIP accounts, made and removed in the running Asterisk. It holds digests only.

use protocol::{
    http::{ApiError, ErrorCode},
    ids::DeviceId,
};
use tracing::error;
use zeroize::Zeroizing;

use crate::{
    ari::{Account, Ari, AriError, SIP_DOMAIN},
    secret,
};

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
pub async fn account_for(ari: &Ari, device: DeviceId) -> Result<SipAccount, ApiError> {
    let password = Zeroizing::new(secret::random::<32>());
    let account = Account::new(&device.to_string(), &password);
    match ari.put_account(&account).await {
        Ok(()) => Ok(SipAccount { password, domain: SIP_DOMAIN.to_owned() }),
        Err(error @ (AriError::Away | AriError::Silent)) => {
            Err(refusal(ErrorCode::NoTelephone, format!("{error}. Trying again by itself")))
        }
        Err(error) => {
            error!(%error, "Asterisk refused an account; compare sorcery.conf with deploy/asterisk");
            Err(refusal(
                ErrorCode::Internal,
                "The telephone system refused this computer's account. Tell the organiser".to_owned(),
            ))
        }
    }
}

fn refusal(code: ErrorCode, message: String) -> ApiError {
    ApiError { code, message, again_at_ms: None }
}
