//! The only loop around the dialler: one task that takes commands, Asterisk's events and time.

use protocol::{
    http::{ApiError, ErrorCode, RecordOutcome, Settle},
    ids::{AttemptId, CampaignId, DeviceId, LeaseId},
};
use tokio_util::sync::CancellationToken;

use crate::{ari::Ari, clock::Clock, config::Config, live::Hub, metrics::Metrics, store::Store};

/// What the loop works with.
#[derive(Debug)]
pub struct Parts {
    /// The organiser's settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// Asterisk.
    pub ari: Ari,
    /// The volunteers' apps.
    pub live: Hub,
    /// Counts.
    pub metrics: Metrics,
    /// Ends the loop.
    pub stop: CancellationToken,
}

/// Asks the loop, cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {}

fn no_telephone() -> ApiError {
    ApiError { code: ErrorCode::NoTelephone, message: "Asterisk is not there".into(), again_at_ms: None }
}

#[expect(missing_docs, clippy::unused_async, reason = "a placeholder until the loop is there")]
impl Handle {
    pub fn start(_parts: Parts) -> Self {
        Self {}
    }
    pub async fn start_session(&self, _device: DeviceId) -> Result<(), ApiError> {
        Err(no_telephone())
    }
    pub async fn pause(&self, _device: DeviceId) -> Result<(), ApiError> {
        Err(no_telephone())
    }
    pub async fn resume(&self, _device: DeviceId) -> Result<(), ApiError> {
        Err(no_telephone())
    }
    pub async fn stop(&self, _device: DeviceId) -> Result<(), ApiError> {
        Err(no_telephone())
    }
    pub async fn open_line(&self, _device: DeviceId, _token: String) -> Result<(), ApiError> {
        Err(no_telephone())
    }
    pub async fn dial(&self, _device: DeviceId, _lease: LeaseId) -> Result<AttemptId, ApiError> {
        Err(no_telephone())
    }
    pub async fn hang_up(&self, _device: DeviceId, _attempt: AttemptId) -> Result<(), ApiError> {
        Err(no_telephone())
    }
    pub async fn settle(&self, _device: DeviceId, _lease: LeaseId, _how: Settle) -> Result<(), ApiError> {
        Err(no_telephone())
    }
    pub async fn record_outcome(&self, _device: DeviceId, _outcome: RecordOutcome) -> Result<(), ApiError> {
        Err(no_telephone())
    }
    /// The device may do nothing any more: its line is hung up, its account, tunnel and `/live` go.
    pub async fn revoke(&self, _device: DeviceId) {}
    /// The device's sign-in is over (signed out, or past its time): as [`Handle::revoke`], without blame.
    pub async fn sign_out(&self, _device: DeviceId) {}
    /// The campaign's row or list is new: read it again, look for due contacts.
    pub async fn campaign_changed(&self, _campaign: CampaignId) {}
}
