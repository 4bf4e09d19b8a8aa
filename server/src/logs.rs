//! What the server writes down: plain lines on standard error, JSON lines in `logs/` of the data
//! folder, a file a day, fourteen kept. Contacts by their ids, never by number. What a peer wrote is in them as
//! [`protocol::plain`] shows it; colours would speak to the terminal in the same way, so there are none.

use std::{fs::DirBuilder, io, os::unix::fs::DirBuilderExt, path::Path};

use protocol::plain::Lines;
use tracing_appender::{
    non_blocking::WorkerGuard,
    rolling::{InitError, RollingFileAppender, Rotation},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, Targets},
    fmt,
    layer::{Filter, SubscriberExt},
    util::SubscriberInitExt,
};

/// Names of the levels in `RINGROUND_LOG`, as `info,server=debug`.
pub const LEVELS: &str = "RINGROUND_LOG";
const DAYS_KEPT: usize = 14;
/// These write whole frames, headers and bodies below `info`: tokens, and the numbers on the way to Asterisk.
const NEVER_BELOW_INFO: [&str; 7] =
    ["axum", "h2", "hyper", "hyper_util", "rustls", "tokio_tungstenite", "tungstenite"];

/// Why nothing can be written down.
#[derive(Debug, thiserror::Error)]
pub enum NoLogs {
    /// The folder cannot be made.
    #[error(transparent)]
    Folder(#[from] io::Error),
    /// The first file cannot be made.
    #[error(transparent)]
    File(#[from] InitError),
}

/// Starts to write; the guard writes what is left when it is dropped. Makes the data folder, for
/// its owner only, if it is not there.
///
/// # Errors
/// [`NoLogs`]
pub fn start(data: &Path) -> Result<WorkerGuard, NoLogs> {
    let folder = data.join("logs");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("ringround-server")
        .filename_suffix("log")
        .max_log_files(DAYS_KEPT)
        .build(folder)?;
    let (files, guard) = tracing_appender::non_blocking(files);
    let wanted = std::env::var(LEVELS).unwrap_or_default();
    let terminal = fmt::layer().with_writer(|| Lines::new(io::stderr())).with_ansi(false).with_target(false);
    let files = fmt::layer().json().with_writer(move || Lines::new(files.clone()));
    tracing_subscriber::registry()
        .with(files.with_filter(levels(&wanted)))
        .with(terminal.with_filter(levels(&wanted)))
        .init();
    Ok(guard)
}

/// What is wanted, as far as it shows no secrets.
fn levels<S: 'static>(wanted: &str) -> impl Filter<S> + use<S> {
    let wanted = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse_lossy(wanted);
    let capped = NEVER_BELOW_INFO.map(|target| (target, LevelFilter::INFO));
    FilterExt::<S>::and(wanted, Targets::new().with_default(LevelFilter::TRACE).with_targets(capped))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_may_be_wanted_but_whole_frames() {
        for wanted in ["trace", "trace,tungstenite=trace,tungstenite::protocol=trace,hyper::proto=trace"] {
            let page = Page::default();
            let writer = page.clone();
            let layer = fmt::layer().with_writer(move || writer.clone()).with_filter(levels(wanted));
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                tracing::trace!(target: "tungstenite::protocol::frame", "canary 1");
                tracing::debug!(target: "hyper::proto::h1", "canary 2");
                tracing::info!(target: "tungstenite", "an upgrade");
                tracing::trace!(target: "server::tunnel", "a detail");
            });
            let said = String::from_utf8_lossy(&page.0.lock().expect("not poisoned")).into_owned();
            assert!(!said.contains("canary"), "{said}");
            assert!(said.contains("an upgrade") && said.contains("a detail"), "{said}");
        }
    }
}
