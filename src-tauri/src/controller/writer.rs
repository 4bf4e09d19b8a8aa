//! The one task that writes to the disk, in the order in which it was asked to: a row of the outbox never
//! comes back after it was removed, and closing the app waits for what was pressed.

use std::{path::PathBuf, sync::Arc, time::Duration};

use protocol::ids::OutcomeId;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::Message;
use crate::{
    outbox::{Kept, Outbox},
    session::Input,
    settings::{self, Settings},
};

/// A disk that takes longer does not take it.
const WRITTEN_WITHIN: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub(super) struct Writer(mpsc::UnboundedSender<Job>);

enum Job {
    Keep(Kept),
    Remove(OutcomeId),
    Settings(Settings),
    Say(oneshot::Sender<()>),
}

impl Writer {
    pub(super) fn start(
        outbox: Arc<Outbox>,
        folder: PathBuf,
        messages: mpsc::UnboundedSender<Message>,
    ) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        tokio::spawn(write(outbox, folder, queue, messages));
        Self(jobs)
    }

    pub(super) fn keep(&self, kept: Kept) {
        // The task ends only with this handle.
        let _ = self.0.send(Job::Keep(kept));
    }

    pub(super) fn remove(&self, id: OutcomeId) {
        let _ = self.0.send(Job::Remove(id));
    }

    pub(super) fn settings(&self, settings: Settings) {
        let _ = self.0.send(Job::Settings(settings));
    }

    /// Waits until all is written that was asked for before.
    pub(super) async fn finish(&self) {
        let (say, said) = oneshot::channel();
        let _ = self.0.send(Job::Say(say));
        if timeout(WRITTEN_WITHIN, said).await.is_err() {
            tracing::error!("not all is written: the disk does not answer");
        }
    }
}

async fn write(
    outbox: Arc<Outbox>,
    folder: PathBuf,
    mut queue: mpsc::UnboundedReceiver<Job>,
    messages: mpsc::UnboundedSender<Message>,
) {
    while let Some(job) = queue.recv().await {
        match job {
            Job::Keep(kept) => {
                let written = outbox.keep(&kept).await;
                if let Err(error) = &written {
                    tracing::error!(%error, "an outcome is only in memory");
                }
                // An app that is gone needs no answer.
                let _ = messages.send(Input::Written(kept.record.id, written.is_ok()).into());
            }
            Job::Remove(id) => {
                if let Err(error) = outbox.remove(id).await {
                    tracing::warn!(%error, "a delivered outcome is still in the outbox; it is sent once more");
                }
            }
            Job::Settings(settings) => {
                let folder = folder.clone();
                let written = tokio::task::spawn_blocking(move || settings::write(&folder, &settings)).await;
                let written = written.unwrap_or_else(|stopped| Err(stopped.into()));
                if let Err(error) = &written {
                    tracing::error!(%error, "the settings cannot be written");
                }
                let _ = messages.send(Input::SettingsWritten(written.is_ok()).into());
            }
            Job::Say(written) => {
                let _ = written.send(());
            }
        }
    }
}
