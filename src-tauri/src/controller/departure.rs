//! The last that is done for a device that this computer was. It is in the settings until then, so that
//! neither a crash nor a keyring that is away loses what was pressed on it.

use std::{sync::Arc, time::Duration};

use ed25519_dalek::SigningKey;
use protocol::{
    http::{ErrorCode, SignedIn},
    ids::DeviceId,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    effects::{key_name, own_secrets, pin, sign_in_name},
    writer::Writer,
};
use crate::{
    outbox::{Kept, Outbox},
    secrets::Secrets,
    server::{RequestError, Server},
    settings::Device,
};

/// Leaving does not wait longer for a server that is away.
const SIGN_OUT_WITHIN: Duration = Duration::from_secs(2);
/// Nor for one that takes no outcomes.
const DELIVERED_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Departure {
    pub(super) device: Device,
    pub(super) sign_in: Option<SignedIn>,
    /// Known here; perhaps the outbox could not be written.
    pub(super) unsent: Vec<Kept>,
    pub(super) secrets: Secrets,
    pub(super) outbox: Arc<Outbox>,
    pub(super) writer: Writer,
}

impl Departure {
    /// Gives the last outcomes to the server that they are for and signs out there, if it is there to hear it;
    /// then forgets the secrets and whatever outcomes nobody can send any more. The device, when nothing is
    /// left to do; nothing while its outcomes wait for the keyring.
    pub(super) async fn run(self) -> Option<DeviceId> {
        let id = self.device.id;
        self.writer.finish().await;
        let rows = self.rows().await;
        let (key, sign_in) = match own_secrets(&self.secrets, id).await {
            Ok((key, kept)) => (key, self.sign_in.clone().or(kept)),
            Err(error) if self.sign_in.is_none() && !rows.is_empty() => {
                tracing::warn!(%error, count = rows.len(), "outcomes of a device that left wait for the keyring");
                return None;
            }
            Err(_) => (None, self.sign_in.clone()),
        };
        match pin(&self.device).and_then(|pin| Server::new(self.device.server.clone(), pin)) {
            Ok(server) => self.tell(&server, key.as_ref(), sign_in, &rows).await,
            Err(error) => tracing::warn!(%error, "no way to the server of a device that left"),
        }
        self.writer.finish().await;
        remove(&self.writer, &self.in_outbox().await);
        for name in [key_name(id), sign_in_name(id)] {
            if let Err(error) = self.secrets.forget(name).await {
                tracing::warn!(%error, "a secret of a device that left is still in the keyring");
            }
        }
        self.writer.finish().await;
        Some(id)
    }

    /// In the order of the presses.
    async fn rows(&self) -> Vec<Kept> {
        let mut rows = self.in_outbox().await;
        for kept in &self.unsent {
            if !rows.iter().any(|row| row.record.id == kept.record.id) {
                rows.push(kept.clone());
            }
        }
        rows.sort_by_key(|row| row.record.id.uuid());
        rows
    }

    async fn in_outbox(&self) -> Vec<Kept> {
        let mut rows = self.outbox.all().await.unwrap_or_default();
        rows.retain(|kept| kept.device == self.device.id);
        rows
    }

    async fn tell(
        &self,
        server: &Server,
        key: Option<&SigningKey>,
        mut sign_in: Option<SignedIn>,
        rows: &[Kept],
    ) {
        let deliver = self.deliver(server, key, &mut sign_in, rows);
        if timeout(DELIVERED_WITHIN, deliver).await.is_err() {
            tracing::warn!("the server of a device that left takes no outcomes");
        }
        let Some(sign_in) = sign_in else { return };
        let body = json!({});
        let sign_out = server.post::<_, Value>("/api/sign-out", Some(&sign_in.token), &body);
        if !matches!(timeout(SIGN_OUT_WITHIN, sign_out).await, Ok(Ok(_))) {
            tracing::warn!("left without telling the server; the sign-in ends by itself");
        }
    }

    /// What the server refuses for good is not asked again. A sign-in that ended is renewed once.
    async fn deliver(
        &self,
        server: &Server,
        mut key: Option<&SigningKey>,
        sign_in: &mut Option<SignedIn>,
        rows: &[Kept],
    ) {
        for kept in rows.iter().filter(|kept| !kept.refused) {
            let mut taken = post(server, sign_in.as_ref(), kept).await;
            if taken.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::SignInAgain))
                && let Some(key) = key.take()
            {
                match server.sign_in(self.device.id, key).await {
                    Ok(fresh) => taken = post(server, Some(sign_in.insert(fresh)), kept).await,
                    Err(error) => tracing::warn!(%error, "a device that left is not signed in again"),
                }
            }
            match taken {
                Ok(()) => self.writer.remove(kept.record.id),
                Err(error) => {
                    tracing::warn!(%error, attempt = %kept.record.attempt_id, "an outcome was not taken")
                }
            }
        }
    }
}

async fn post(server: &Server, sign_in: Option<&SignedIn>, kept: &Kept) -> Result<(), RequestError> {
    let token = sign_in.map(|sign_in| sign_in.token.as_str());
    server.post::<_, Value>("/api/outcome", token, &kept.record).await.map(|_| ())
}

/// The volunteer was told how many there are, and left all the same. SQLite overwrites what it deletes here.
pub(super) fn remove(writer: &Writer, left: &[Kept]) {
    if !left.is_empty() {
        tracing::warn!(
            count = left.len(),
            "outcomes of a device that left never reached its server; removed"
        );
    }
    for kept in left {
        writer.remove(kept.record.id);
    }
}
