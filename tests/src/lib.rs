//! The harness of the end-to-end tests, the headless demo and the benches: one file a boundary.

pub mod api;
pub mod ari_proxy;
pub mod cable;
pub mod callee;
pub mod canary;
pub mod child;
pub mod desktop;
pub mod drain;
pub mod every_await;
pub mod faults;
pub mod g711;
pub mod handset;
pub mod line;
pub mod listening;
pub mod live;
pub mod networks;
pub mod pbx;
pub mod provider_records;
pub mod raw_sip;
pub mod report;
pub mod ringround;
pub mod scripted;
mod sip_peer;
pub mod sound;
pub mod sound_server;
pub mod theft;
pub mod tls;
pub mod tones;
pub mod trap;
pub mod volunteer;
pub mod window;
pub mod wire;
pub mod witness;
pub mod world;

/// Whatever it guards stays usable when a test panics with it in hand.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
