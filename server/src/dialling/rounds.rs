//! Asking Asterisk what it has: after a (re)connect, in passing, and for `/health`.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use dialler::Input;
use protocol::ids::{CampaignId, DeviceId};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::commands::Inward;
use crate::{
    ari::{Ari, AriError, Bridge, Channel, Reachable},
    health::CHECK_THE_TRUNK,
    provisioning,
    store::{Store, StoreError},
};

/// What Asterisk has.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing {
    pub(super) channels: Vec<Channel>,
    pub(super) bridges: Vec<Bridge>,
    /// Accounts that we made, by their devices.
    pub(super) accounts: Vec<DeviceId>,
    /// Where the trunk leads; `None`: Asterisk does not know it.
    pub(super) trunk: Option<Vec<String>>,
    /// The devices that are signed in, and what they joined.
    pub(super) signed_in: HashMap<DeviceId, CampaignId>,
}

/// Why it could not be listed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    #[error(transparent)]
    Asterisk(#[from] AriError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Listing {
    pub(super) fn is_in(&self, bridge: &str, channel: &str) -> bool {
        self.bridges.iter().any(|b| b.id == bridge && b.channels.iter().any(|c| c == channel))
    }

    pub(super) fn bridge_of(&self, channel: &str) -> Option<&str> {
        let bridge = self.bridges.iter().find(|bridge| bridge.channels.iter().any(|c| c == channel));
        bridge.map(|bridge| bridge.id.as_str())
    }
}

/// Everything, after a (re)connect.
pub(super) async fn list(ari: &Ari, store: &Store, trunk: &str, now: i64) -> Result<Listing, ListError> {
    let (channels, bridges, endpoints, contacts) =
        (ari.channels(), ari.bridges(), ari.endpoints(), ari.contacts_of(trunk));
    let trunk = match contacts.await {
        Ok(contacts) => Some(contacts),
        Err(AriError::NotThere) => None,
        Err(error) => return Err(error.into()),
    };
    let accounts = endpoints.await?.iter().filter_map(|name| name.parse().ok()).collect();
    let mut signed_in = HashMap::new();
    for device in store.signed_in_devices(now).await? {
        if let Some(row) = store.device(device).await? {
            signed_in.insert(device, row.campaign_id);
        }
    }
    Ok(Listing { channels: channels.await?, bridges: bridges.await?, accounts, trunk, signed_in })
}

/// Removes the accounts of devices that are not signed in.
pub(super) async fn remove_accounts(
    ari: &Ari,
    store: &Store,
    accounts: Vec<DeviceId>,
    signed_in: &HashSet<DeviceId>,
    now: i64,
) {
    for device in accounts.into_iter().filter(|device| !signed_in.contains(device)) {
        provisioning::remove_unless_signed_in(ari, store, device, now).await;
    }
}

/// Says once that the provider went away, and that it came back; the dialler hears of that too.
pub(super) async fn watch_provider(
    answer: impl Future<Output = Result<Reachable, AriError>> + Send,
    silent: Arc<AtomicBool>,
    back: mpsc::UnboundedSender<Inward>,
) {
    let Ok(reachable) = answer.await else { return };
    let is_silent = reachable == Reachable::No;
    if silent.swap(is_silent, Ordering::Relaxed) == is_silent {
        return;
    }
    if is_silent {
        warn!("the telephone provider does not answer, nobody can be rung: {CHECK_THE_TRUNK}");
    } else {
        info!("the telephone provider answers again");
        let _ = back.send(Inward::Input(Input::ProviderBack));
    }
}

/// Whether Asterisk and the trunk are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telephone {
    /// Asterisk's version; `None`: it does not answer.
    pub asterisk: Option<String>,
    /// The trunk.
    pub trunk: TrunkState,
}

/// Whether the provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrunkState {
    /// It answered our OPTIONS.
    Online,
    /// It did not.
    Offline,
    /// Asterisk does not ask it (`qualify_frequency` is 0).
    NotAsked,
    /// Asterisk does not know the trunk, or is not there.
    Unknown,
}

pub(super) async fn telephone(ari: &Ari, trunk: &str) -> Telephone {
    let (version, reachable) = (ari.version(), ari.reachable(trunk));
    let asterisk = version.await.ok();
    let trunk = match reachable.await {
        Ok(Reachable::Yes) => TrunkState::Online,
        Ok(Reachable::No) => TrunkState::Offline,
        Ok(Reachable::NotAsked) => TrunkState::NotAsked,
        Err(_) => TrunkState::Unknown,
    };
    Telephone { asterisk, trunk }
}
