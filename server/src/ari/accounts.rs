//! SIP accounts, made and removed live; nothing is edited or reloaded.

use std::{
    fmt::Write as _,
    future::Future,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use protocol::ids::DeviceId;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use super::{APPLICATION, Ari, AriError, Request, channels::gone_is_fine};

/// Realm of the digests and domain of the addresses of record.
pub const SIP_DOMAIN: &str = "ringround";

const OBJECTS: &str = "asterisk/config/dynamic/res_pjsip";

/// An account as Asterisk knows it: digests, never the password.
pub struct Account {
    /// The device's id: user name, endpoint, address of record and credentials have this name.
    pub name: String,
    /// `MD5(name:realm:password)`, hexadecimal (RFC 2617).
    pub md5: String,
    /// `SHA-256(name:realm:password)`, hexadecimal (RFC 8760).
    pub sha256: String,
}

impl Account {
    /// Digests a password.
    pub fn new(name: &str, password: &str) -> Self {
        let text = format!("{name}:{SIP_DOMAIN}:{password}");
        Self {
            name: name.to_owned(),
            md5: hex(&md5::Md5::digest(text.as_bytes())),
            sha256: hex(&Sha256::digest(text.as_bytes())),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One lock for a few devices each.
#[derive(Clone, Debug, Default)]
pub(super) struct Locks(Arc<[Mutex<()>; 32]>);

impl Ari {
    /// Whoever makes or removes a device's account, and writes down that it is signed in or not, holds its lock
    /// for both: else two that cross leave a sign-in without an account, or with another's password.
    pub async fn account_lock(&self, device: DeviceId) -> MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(device);
        let Locks(locks) = &self.locks;
        locks[usize::try_from(hash % 32).unwrap_or_default()].lock().await
    }

    /// Makes an account, or gives it other digests; it may reach our application and nothing else.
    pub fn put_account(
        &self,
        account: &Account,
    ) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        let name = account.name.as_str();
        let context = format!("stasis-{APPLICATION}");
        // The endpoint goes last: it names the others.
        let requests = [
            put(
                "auth",
                name,
                &[
                    ("auth_type", "digest"),
                    ("username", name),
                    ("realm", SIP_DOMAIN),
                    // Which of them are asked for stands in pjsip.conf: to a list of its own, Asterisk adds it anew with
                    // every PUT (22.10), until it does not fit.
                    ("password_digest", &format!("MD5:{},SHA-256:{}", account.md5, account.sha256)),
                ],
            ),
            put(
                "aor",
                name,
                &[
                    ("max_contacts", "1"),
                    ("remove_existing", "yes"),
                    ("minimum_expiration", "30"),
                    ("maximum_expiration", "600"),
                    ("qualify_frequency", "0"),
                ],
            ),
            put(
                "endpoint",
                name,
                &[
                    ("transport", "transport-ws"),
                    ("webrtc", "yes"),
                    ("dtls_auto_generate_cert", "yes"),
                    ("disallow", "all"),
                    ("allow", "opus,ulaw"),
                    ("context", &context),
                    // No such context: a MESSAGE leads nowhere.
                    ("message_context", "ringround-nowhere"),
                    ("auth", name),
                    ("aors", name),
                    ("allow_transfer", "no"),
                    ("allow_subscribe", "no"),
                    ("send_pai", "no"),
                    ("trust_id_inbound", "no"),
                    ("rtp_timeout", "0"),
                ],
            ),
        ];
        let answers = requests.map(|request| self.ask(request));
        async move {
            for answer in answers {
                answer.await?;
            }
            Ok(())
        }
    }

    /// Removes an account; nobody can register with it or be called by it any more. A call
    /// that is up goes on (seen with 22.10): hang up first.
    pub fn remove_account(&self, name: &str) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        let answers = ["endpoint", "auth", "aor"]
            .map(|kind| gone_is_fine(self.ask(Request::new("DELETE", format!("{OBJECTS}/{kind}/{name}")))));
        async move {
            for answer in answers {
                answer.await?;
            }
            Ok(())
        }
    }

    /// Whether an account is there.
    pub fn has_account(&self, name: &str) -> impl Future<Output = Result<bool, AriError>> + Send + use<> {
        let answer = self.ask(Request::new("GET", format!("{OBJECTS}/auth/{name}")));
        async move {
            match answer.await {
                Ok(_) => Ok(true),
                Err(AriError::NotThere) => Ok(false),
                Err(error) => Err(error),
            }
        }
    }

    /// The names of all PJSIP endpoints, trunks included.
    pub fn endpoints(&self) -> impl Future<Output = Result<Vec<String>, AriError>> + Send + use<> {
        let answer = self.ask(Request::new("GET", "endpoints/PJSIP"));
        async move {
            let answer = answer.await?;
            let all = answer.body.as_array().into_iter().flatten();
            Ok(all.filter_map(|end| end.get("resource")?.as_str().map(str::to_owned)).collect())
        }
    }
}

fn put(kind: &str, name: &str, fields: &[(&str, &str)]) -> Request {
    let fields: Vec<Value> =
        fields.iter().map(|(attribute, value)| json!({"attribute": attribute, "value": value})).collect();
    Request::new("PUT", format!("{OBJECTS}/{kind}/{name}")).body(json!({"fields": fields}))
}
