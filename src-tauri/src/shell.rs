//! The window: where the controller's view goes, and where presses come from.

use tauri::{
    Context, Manager, Runtime, Webview, WindowEvent, Wry,
    plugin::{Builder as PluginBuilder, TauriPlugin},
};
use tauri_plugin_deep_link::DeepLinkExt;
use tauri_specta::Event;
use url::Url;

use crate::{
    controller::{Controller, Request},
    seam,
};

/// Opens the window and runs until it is closed.
pub fn run(_context: Context<Wry>) {}

/// The plugin `phone`: the commands, the events, and no way out of the page.
pub fn phone<R: Runtime>() -> TauriPlugin<R> {
    let seam = seam::<R>();
    PluginBuilder::new("phone")
        .invoke_handler(seam.invoke_handler())
        .setup(move |app, _| {
            seam.mount_events(app);
            Ok(())
        })
        .on_navigation(|_: &Webview<R>, url| is_ours(url))
        .build()
}

/// The content security policy does not stop a navigation; this does.
fn is_ours(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => true,
        "about" => url.path() == "blank",
        "http" | "https" => {
            url.host_str() == Some("tauri.localhost")
                || (cfg!(not(feature = "custom-protocol")) && url.host_str() == Some("localhost"))
        }
        _ => false,
    }
}
