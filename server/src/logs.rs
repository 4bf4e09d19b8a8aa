//! What the server writes down: plain lines on standard error, JSON lines in `logs/` of the data
//! folder, a file a day, fourteen kept. Contacts by their ids, never by number.

use std::path::Path;

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

/// Starts to write; the guard writes what is left when it is dropped.
///
/// # Errors
/// When the folder cannot be made or written.
pub fn start(data: &Path) -> Result<WorkerGuard, InitError> {
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("ringround-server")
        .filename_suffix("log")
        .max_log_files(DAYS_KEPT)
        .build(data.join("logs"))?;
    let (files, guard) = tracing_appender::non_blocking(files);
    let levels = || {
        EnvFilter::builder()
            .with_default_directive(LevelFilter::INFO.into())
            .with_env_var(LEVELS)
            .from_env_lossy()
    };
    tracing_subscriber::registry()
        .with(fmt::layer().json().with_writer(files).with_filter(levels()))
        .with(fmt::layer().with_writer(std::io::stderr).with_target(false).with_filter(levels()))
        .init();
    Ok(guard)
}
