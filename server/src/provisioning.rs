//! SIP accounts, made and removed in the running Asterisk. It holds digests only.

use protocol::{
    http::{ApiError, ErrorCode},
    ids::DeviceId,
};
use tracing::{error, info, warn};
use zeroize::Zeroizing;

use crate::{
    ari::{Account, Ari, AriError, SIP_DOMAIN},
    secret,
    store::Store,
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
            Err(ApiError::new(ErrorCode::NoTelephone, format!("{error}. Trying again by itself")))
        }
        Err(error) => {
            error!(%error, "Asterisk refused an account; compare sorcery.conf with deploy/asterisk");
            Err(ApiError::new(
                ErrorCode::Internal,
                "The telephone system refused this computer's account. Tell the organiser".to_owned(),
            ))
        }
    }
}

/// Removes an account that was found in Asterisk; not of a device that has signed in since.
pub async fn remove_unless_signed_in(ari: &Ari, store: &Store, device: DeviceId, now_ms: i64) {
    let _lock = ari.account_lock(device).await;
    match store.is_signed_in(device, now_ms).await {
        Ok(true) => return,
        Ok(false) => {}
        Err(error) => {
            warn!(%error, %device, "a SIP account is left: who is signed in cannot be read");
            return;
        }
    }
    match ari.remove_account(&device.to_string()).await {
        Ok(()) => info!(%device, "removed the SIP account of a device that is not signed in"),
        Err(error) => warn!(%error, %device, "a SIP account could not be removed"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        ari::{News, fake::FakeAsterisk},
        metrics::Metrics,
        store::fixture::{Hall, NOW},
    };

    #[tokio::test]
    async fn who_signs_in_while_asterisk_is_looked_through_keeps_the_account() {
        let hall = Hall::new(0, 2).await;
        let [maya, sam] = hall.devices[..] else { panic!("two devices") };
        for device in [maya, sam] {
            hall.store.sign_out(device, NOW).await.unwrap();
        }
        let removed = Arc::new(Mutex::new(Vec::new()));
        let seen = removed.clone();
        let asterisk = FakeAsterisk::start(Box::new(move |asked| {
            if asked.method == "DELETE" {
                seen.lock().unwrap().push(asked.uri.clone());
            }
            vec![asked.answer(200, &json!({}))]
        }))
        .await;
        let (ari, mut news) = Ari::start(asterisk.settings(), Metrics::default(), CancellationToken::new());
        assert_eq!(news.recv().await, Some(News::Here));

        // Both accounts were found, and neither device was signed in; Maya's sign-in is under way.
        let signing_in = ari.account_lock(maya).await;
        let (again, store) = (ari.clone(), hall.store.clone());
        let looking = tokio::spawn(async move {
            remove_unless_signed_in(&again, &store, maya, NOW).await;
        });
        let too_early = tokio::time::timeout(Duration::from_millis(100), async {
            while removed.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        });
        assert!(too_early.await.is_err(), "removed under a sign-in's hands");
        hall.store.sign_in(&secret::hash("new"), maya, NOW, NOW + 1).await.unwrap();
        drop(signing_in);
        looking.await.unwrap();
        remove_unless_signed_in(&ari, &hall.store, sam, NOW).await;
        let removed = removed.lock().unwrap();
        assert!(removed.iter().all(|uri| uri.contains(&sam.to_string())), "{removed:?}");
        assert_eq!(removed.len(), 3, "Sam's endpoint, auth and aor");
    }
}
