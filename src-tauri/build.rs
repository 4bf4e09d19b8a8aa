//! Grants the window the plugin `phone`, and makes `cargo check` work before the screens are built.

use std::{fs, path::Path};

use tauri_build::{Attributes, InlinedPlugin};

/// The commands of `src/commands.rs`: what the page may be granted at all.
const COMMANDS: &[&str] = &[
    "view",
    "join",
    "answer_invitation",
    "start",
    "call",
    "hang_up",
    "mute",
    "digits",
    "outcome",
    "correct",
    "settle",
    "pause",
    "resume",
    "stop",
    "retry_now",
    "device_choices",
    "choose_devices",
    "leave",
];

const PLACEHOLDER: &str = "<!doctype html><title>Ringround</title>\
    <p>The screens are not built yet: run <code>npm ci && npm run build</code> in ui, then build again.";

fn main() {
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-changed=ui/dist");
    let page = Path::new("ui/dist/index.html");
    if !page.exists() {
        fs::create_dir_all("ui/dist").expect("ui/dist can be made");
        fs::write(page, PLACEHOLDER).expect("a placeholder can be written");
    }
    let phone = InlinedPlugin::new().commands(COMMANDS);
    tauri_build::try_build(
        Attributes::new().plugin("phone", phone).capabilities_path_pattern("./src-tauri/capabilities/**/*"),
    )
    .expect("tauri.conf.json and capabilities are right");
}
