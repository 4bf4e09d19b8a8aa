//! Writes and claims, one after the other in the order in which the dialler asked for them.

use std::collections::VecDeque;

use dialler::{Input, Lease, SaveId, SaveRefused, Write, rules};
use protocol::{
    ids::{CampaignId, DeviceId},
    number::Number,
};
use tokio::sync::mpsc;
use tracing::{error, warn};

use super::{card, commands::Inward};
use crate::{
    clock::Clock,
    metrics::Metrics,
    place::Openings,
    store::{Store, StoreError, attempts::CommitError, leases::Claim},
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
    /// Claims that are not answered yet.
    pub(super) again: VecDeque<Job>,
    pub(super) back: mpsc::UnboundedSender<Inward>,
}

impl Saves {
    pub(super) async fn run(mut self) {
        while let Some(job) = self.next().await {
            let input = match job {
                Job::Save(save, write) => match self.save(*write).await {
                    Ok(()) => Input::Saved { save },
                    Err(why) => Input::SaveFailed { save, why },
                },
                Job::Claim { device, campaign } => match self.claim(device, campaign).await {
                    Ok(Some(input)) => input,
                    Ok(None) => {
                        // Behind what others wait for by now.
                        self.again.push_back(Job::Claim { device, campaign });
                        continue;
                    }
                    Err(error) => {
                        self.count(&error);
                        warn!(%error, %device, "no contact could be claimed");
                        Input::LeaseFailed { device }
                    }
                },
            };
            // Nobody listens only while the server stops.
            let _ = self.back.send(Inward::Input(input));
        }
    }

    async fn next(&mut self) -> Option<Job> {
        if let Ok(job) = self.jobs.try_recv() {
            return Some(job);
        }
        match self.again.pop_front() {
            Some(job) => Some(job),
            None => self.jobs.recv().await,
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

    /// `None`: the claim is not answered yet, and is to be done again.
    async fn claim(&self, device: DeviceId, campaign: CampaignId) -> Result<Option<Input>, StoreError> {
        let now = self.clock.now();
        let Some(row) = self.store.campaign(campaign).await? else {
            return Ok(Some(Input::NobodyDue { device, again: 0, next_at: None }));
        };
        let rules = card::rules(&row).unwrap_or_else(|_| card::rules_to_end_by(&row));
        // Asked for before closing time: a whole list would be put off.
        if !rules::is_open(&rules, now.wall) {
            return self.nobody_due(device, campaign, now.wall).await.map(Some);
        }
        let mut openings = Openings::from(rules, &row.form.country, now.wall);
        let expires_at = now.steady + LEASE_MS;
        let opens_at = |number: &Number| openings.of(number);
        match self.store.claim_due(campaign, device, now, expires_at, opens_at).await? {
            Claim::Held(held) => {
                let card = card::of(&self.store, device, &held, held.facts.attempts + 1).await?;
                let lease = Lease { id: held.lease, contact: held.facts, card, expires_at: held.expires_at };
                Ok(Some(Input::Leased { device, lease: Box::new(lease) }))
            }
            Claim::Nobody => self.nobody_due(device, campaign, now.wall).await.map(Some),
            Claim::PutOff { never } => {
                if never > 0 {
                    warn!(
                        %campaign, contacts = never,
                        "are done without a call: they are abroad and the campaign does not say abroad = true, in no \
                         known time zone, or where it is never calling time together with the campaign's zone"
                    );
                }
                Ok(None)
            }
        }
    }

    async fn nobody_due(
        &self,
        device: DeviceId,
        campaign: CampaignId,
        now: i64,
    ) -> Result<Input, StoreError> {
        let later = self.store.due_later(campaign, device, now).await?;
        Ok(Input::NobodyDue { device, again: later.contacts, next_at: later.next_at })
    }

    fn count(&self, error: &StoreError) {
        if matches!(error, StoreError::NoStorage(_)) {
            self.metrics.writes_refused.inc();
        }
    }
}
