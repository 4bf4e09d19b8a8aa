//! What the server writes down: plain lines on standard error, JSON lines in `logs/` of the data
//! folder, a file a day, fourteen kept. Contacts by their ids, never by number.

use std::{
    fs::DirBuilder,
    io::{self, IsTerminal},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use tracing_appender::{
    non_blocking::WorkerGuard,
    rolling::{InitError, RollingFileAppender, Rotation},
};
use tracing_subscriber::{
    EnvFilter, Layer, filter::LevelFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

/// Names of the levels in `RINGROUND_LOG`, as `info,server=debug`.
pub const LEVELS: &str = "RINGROUND_LOG";
const DAYS_KEPT: usize = 14;

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
    let levels = || {
        EnvFilter::builder()
            .with_default_directive(LevelFilter::INFO.into())
            .with_env_var(LEVELS)
            .from_env_lossy()
    };
    let terminal =
        fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_target(false);
    tracing_subscriber::registry()
        .with(fmt::layer().json().with_writer(files).with_filter(levels()))
        .with(terminal.with_filter(levels()))
        .init();
    Ok(guard)
}
