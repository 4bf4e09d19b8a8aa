//! The server's parts, and the order in which they start and stop.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    ari::Ari, clock::Clock, config::Config, dialling, live::Hub, metrics::Metrics, store::Store,
};

/// What the handlers of requests and commands share.
pub type Shared = Arc<App>;

/// The server's parts.
pub struct App {
    /// The organiser's settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// Counts.
    pub metrics: Metrics,
    /// Asterisk.
    pub ari: Ari,
    /// The dialling loop.
    pub dialling: dialling::Handle,
    /// What the volunteers' apps are told.
    pub live: Hub,
    /// Cancelled once, when the server stops.
    pub stop: CancellationToken,
}
