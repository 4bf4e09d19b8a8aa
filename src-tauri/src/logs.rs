//! The log: `logs/ringround.<date>.log` in the data folder, seven days, and warnings on stderr.
//!
//! Secrets have no `Debug`, numbers never reach the app whole, and names are not logged. What a peer wrote, a SIP
//! reason or a server's refusal, is in it as [`protocol::plain`] shows it.

use std::{path::Path, sync::Mutex};

use protocol::plain::Lines;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, Targets},
    fmt,
    layer::{Filter, SubscriberExt},
    util::SubscriberInitExt,
};

/// The libraries of WebRTC and of the sound server warn of what is ordinary: a call without candidates yet, a
/// stream that ends.
const WANTED: &str =
    "warn,rtc_dtls=error,rtc_ice=error,rtc=error,pulseaudio=off,ringround=info,softphone=info";
/// These write whole frames, headers and messages below `info`: tokens, passwords, names.
const NEVER_BELOW_INFO: [&str; 9] =
    ["axum", "h2", "hyper", "hyper_util", "reqwest", "rustls", "tokio_tungstenite", "tungstenite", "zbus"];
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
    let wanted = EnvFilter::try_from_env("RINGROUND_LOG").unwrap_or_else(|_| EnvFilter::new(WANTED));
    let file = appender.map(|appender| {
        let writer = Mutex::new(Lines::new(appender));
        fmt::layer().with_ansi(false).with_writer(writer).with_filter(without_secrets(wanted))
    });
    let stderr = fmt::layer().with_ansi(false).with_writer(|| Lines::new(std::io::stderr()));
    let stderr = stderr.with_filter(EnvFilter::new(ALOUD));
    // A second start, in a test, keeps the first log.
    let _ = tracing_subscriber::registry().with(file).with(stderr).try_init();
}

fn without_secrets<S: 'static>(wanted: EnvFilter) -> impl Filter<S> {
    let capped = NEVER_BELOW_INFO.map(|target| (target, LevelFilter::INFO));
    FilterExt::<S>::and(wanted, Targets::new().with_default(LevelFilter::TRACE).with_targets(capped))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

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
        let page = Page::default();
        let writer = page.clone();
        let wanted = EnvFilter::new("trace,tungstenite::protocol=trace");
        let layer = fmt::layer().with_writer(move || writer.clone()).with_filter(without_secrets(wanted));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::trace!(target: "tungstenite::protocol::frame", "canary 1");
            tracing::debug!(target: "hyper::proto::h1", "canary 2");
            tracing::trace!(target: "ringround::live", "a detail");
        });
        let said = String::from_utf8_lossy(&page.0.lock().expect("not poisoned")).into_owned();
        assert!(!said.contains("canary") && said.contains("a detail"), "{said}");
    }
}
