//! The volunteer's desktop app: a shell around the softphone.
//!
//! [`session`] decides, and touches nothing; [`controller`] does what was decided, and knows no Tauri; [`shell`]
//! and [`commands`] translate between it, the window and the system.

pub mod commands;
pub mod controller;
pub mod folder;
pub mod live;
pub mod logs;
pub mod outbox;
pub mod secrets;
pub mod server;
pub mod session;
pub mod settings;
pub mod shell;
pub mod terminal;
pub mod trust;
pub mod view;

use tauri::{Context, Runtime, Wry};
use tauri_specta::{collect_commands, collect_events};

/// Runs the app until its window is closed.
pub fn run() {
    shell::run(context::<Wry>());
}

/// The app's configuration, page and capabilities, for a window or for the mock runtime.
pub fn context<R: Runtime>() -> Context<R> {
    tauri::generate_context!()
}

/// The commands and events that the page sees; also the source of `ui/src/api/bindings.ts`.
pub fn seam<R: Runtime>() -> tauri_specta::Builder<R> {
    tauri_specta::Builder::new()
        .plugin_name("phone")
        .disable_serde_phases()
        .commands(collect_commands![
            commands::view,
            commands::join,
            commands::answer_invitation,
            commands::start,
            commands::call,
            commands::hang_up,
            commands::mute,
            commands::digits,
            commands::outcome,
            commands::correct,
            commands::settle,
            commands::pause,
            commands::resume,
            commands::stop,
            commands::retry_now,
            commands::device_choices,
            commands::choose_devices,
            commands::leave,
        ])
        .events(collect_events![view::View, view::Level])
}

/// The values that the page has in common with the app: the source of `ui/src/api/constants.ts`, which
/// reaches for no Tauri.
pub fn constants() -> tauri_specta::Builder<Wry> {
    tauri_specta::Builder::new()
        .constant("HELD_FOR_MS", protocol::call::HELD_FOR_MS)
        .constant("LONGEST_NOTE", protocol::outcome::LONGEST_NOTE)
        .constant("OUTCOME_KEYS", protocol::outcome::Outcome::KEYS)
}
