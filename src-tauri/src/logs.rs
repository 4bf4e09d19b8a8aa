//! The log: `logs/ringround.<date>.log` in the data folder, seven days, and warnings on stderr.
//!
//! Secrets have no `Debug`, numbers never reach the app whole, and names are not logged.

use std::path::Path;

use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// The libraries of WebRTC and of the sound server warn of what is ordinary: a call without candidates yet, a
/// stream that ends.
const WANTED: &str =
    "warn,rtc_dtls=error,rtc_ice=error,rtc=error,pulseaudio=off,ringround=info,softphone=info";
const ALOUD: &str = "warn,rtc_dtls=error,rtc_ice=error,rtc=error,pulseaudio=off";

/// Starts the log. Without a place to write there is only stderr.
pub fn start(folder: &Path) {
    let logs = folder.join("logs");
    // Where it cannot be made there is no file; the start of the log says no more than that either.
    let _ = crate::folder::make(folder).and_then(|()| crate::folder::make(&logs));
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("ringround")
        .filename_suffix("log")
        .max_log_files(7)
        .build(logs)
        .ok();
    let wanted = || EnvFilter::try_from_env("RINGROUND_LOG").unwrap_or_else(|_| EnvFilter::new(WANTED));
    let file =
        appender.map(|appender| fmt::layer().with_ansi(false).with_writer(appender).with_filter(wanted()));
    let stderr = fmt::layer().with_writer(std::io::stderr).with_filter(EnvFilter::new(ALOUD));
    // A second start, in a test, keeps the first log.
    let _ = tracing_subscriber::registry().with(file).with(stderr).try_init();
}
