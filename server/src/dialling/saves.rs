//! Writes and claims, one after the other in the order in which the dialler asked for them.

use dialler::{Input, Lease, SaveId, SaveRefused, Write};
use protocol::ids::{CampaignId, DeviceId};
use tokio::sync::mpsc;
use tracing::{error, warn};

use super::{card, commands::Inward};
use crate::{
    clock::Clock,
    metrics::Metrics,
    store::{Store, StoreError, attempts::CommitError},
};

/// How long a lease lasts without a sign of the app.
pub(super) use dialler::LEASE_MS;

/// Something to do with the database.
#[derive(Debug)]
pub(super) enum Job {
    Save(SaveId, Box<Write>),
    Claim { device: DeviceId, campaign: CampaignId },
}

/// Does the jobs; ends when nobody can ask for more.
pub(super) struct Saves {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) jobs: mpsc::UnboundedReceiver<Job>,
    pub(super) back: mpsc::UnboundedSender<Inward>,
}

impl Saves {
    pub(super) async fn run(mut self) {
        while let Some(job) = self.jobs.recv().await {
            let input = match job {
                Job::Save(save, write) => match self.save(*write).await {
                    Ok(()) => Input::Saved { save },
                    Err(why) => Input::SaveFailed { save, why },
                },
                Job::Claim { device, campaign } => {
                    self.claim(device, campaign).await.unwrap_or_else(|error| {
                        self.count(&error);
                        warn!(%error, %device, "no contact could be claimed");
                        Input::LeaseFailed { device }
                    })
                }
            };
            // Nobody listens only while the server stops.
            let _ = self.back.send(Inward::Input(input));
        }
    }

    async fn save(&self, write: Write) -> Result<(), SaveRefused> {
        let saved = match write {
            Write::Attempt(attempt) => match self.store.commit_attempt(&attempt).await {
                Ok(committed) => {
                    self.metrics.attempts.inc();
                    // Goes ahead of `Saved`, so that it is there when the channel is to be made.
                    let _ = self.back.send(Inward::Committed(committed));
                    Ok(())
                }
                Err(CommitError::LeaseLost | CommitError::Store(StoreError::Conflict(_))) => {
                    return Err(SaveRefused::LeaseLost);
                }
                Err(CommitError::Store(error)) => Err(error),
            },
            Write::Progress(progress) => self.store.save_progress(&progress).await,
            Write::Keep(keep) => self.store.keep_outcome(&keep, self.clock.now_ms()).await,
            Write::Close(close) => self.store.close_attempt(&close).await,
            Write::Release(release) => self.store.release_lease(&release).await,
            Write::Renew { lease, expires_at } => self.store.renew_lease(lease, expires_at).await,
        };
        saved.map_err(|error| {
            self.count(&error);
            if matches!(error, StoreError::NoStorage(_)) {
                warn!(%error, "a write was refused");
            } else {
                error!(%error, "a write failed");
            }
            SaveRefused::NoStorage
        })
    }

    async fn claim(&self, device: DeviceId, campaign: CampaignId) -> Result<Input, StoreError> {
        let now = self.clock.now();
        let Some(held) = self.store.claim_due(campaign, device, now, now.steady + LEASE_MS).await? else {
            let later = self.store.due_later(campaign, device, now.wall).await?;
            return Ok(Input::NobodyDue { device, again: later.contacts, next_at: later.next_at });
        };
        let card = card::of(&self.store, device, &held, held.facts.attempts + 1).await?;
        let lease = Lease { id: held.lease, contact: held.facts, card, expires_at: held.expires_at };
        Ok(Input::Leased { device, lease: Box::new(lease) })
    }

    fn count(&self, error: &StoreError) {
        if matches!(error, StoreError::NoStorage(_)) {
            self.metrics.writes_refused.inc();
        }
    }
}
