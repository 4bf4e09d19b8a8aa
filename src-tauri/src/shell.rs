//! The window: where the controller's view goes, and where presses come from.

use std::path::Path;

use tauri::{
    AppHandle, Context, Manager, RunEvent, Runtime, Webview, WindowEvent, Wry,
    plugin::{Builder as PluginBuilder, TauriPlugin},
};
use tauri_plugin_deep_link::DeepLinkExt;
use tauri_specta::Event;
use url::Url;

use crate::{
    controller::{Controller, Parts, Sound},
    logs, seam,
    secrets::{Secrets, system_store},
    session::{Refusal, Request},
    view::{Level, View},
};

/// Opens the window and runs until it is closed.
pub fn run(context: Context<Wry>) {
    let app = tauri::Builder::default()
        // First, so that a second app only hands over its link and ends.
        .plugin(tauri_plugin_single_instance::init(|app, _, _| to_front(app)))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(phone())
        .setup(|app| {
            start(app.handle());
            Ok(())
        })
        .on_window_event(|window, event| {
            if let WindowEvent::CloseRequested { api, .. } = event {
                // The line is taken down first. In a call the window stays, and the screen says why.
                api.prevent_close();
                close(window.app_handle().clone());
            }
        })
        .build(context);
    match app {
        Ok(app) => app.run(|_, event| {
            if let RunEvent::Exit = event {
                tracing::info!("closed");
            }
        }),
        Err(error) => {
            tracing::error!(%error, "the window cannot be opened");
            std::process::exit(1);
        }
    }
}

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

fn start(app: &AppHandle) {
    let folder = app.path().app_data_dir().unwrap_or_else(|error| {
        tracing::error!(%error, "there is no data folder; using a temporary one");
        std::env::temp_dir().join("ringround")
    });
    logs::start(&folder);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "started");
    let parts = Parts {
        folder,
        secrets: Secrets::new(system_store),
        device_name: device_name(Path::new("/proc/sys/kernel/hostname")),
        sound: Sound::System,
    };
    let controller = tauri::async_runtime::block_on(async { Controller::start(parts) });
    app.manage(controller.clone());
    show_views(app.clone(), controller.clone());
    show_levels(app.clone(), controller.clone());

    // A link that started the app comes by `get_current`, without an event; later ones by the event.
    if let Ok(Some(links)) = app.deep_link().get_current() {
        open_links(&controller, &links);
    }
    let handle = app.clone();
    app.deep_link().on_open_url(move |event| {
        open_links(&controller, &event.urls());
        to_front(&handle);
    });
}

impl Event for View {
    const NAME: &'static str = "view";
}

impl Event for Level {
    const NAME: &'static str = "level";
}

fn show_views(app: AppHandle, mut controller: Controller) {
    tauri::async_runtime::spawn(async move {
        while let Ok(view) = controller.next_view().await {
            emit(&app, &view);
        }
    });
}

fn emit(app: &AppHandle, view: &View) {
    if let Err(error) = view.emit(app) {
        tracing::warn!(%error, "the page was not told");
    }
}

fn show_levels(app: AppHandle, mut controller: Controller) {
    tauri::async_runtime::spawn(async move {
        while let Ok(level) = controller.next_level().await {
            // A level that was not shown is replaced by the next one.
            let _ = level.emit(&app);
        }
    });
}

fn open_links(controller: &Controller, links: &[Url]) {
    if let Some(link) = links.first().map(Url::to_string) {
        let controller = controller.clone();
        tauri::async_runtime::spawn(async move {
            // The screen says what came of it.
            let _ = controller.open_link(link).await;
        });
    }
}

fn close(app: AppHandle) {
    tauri::async_runtime::spawn(async move {
        let quits = match app.try_state::<Controller>() {
            Some(controller) => controller.inner().clone().ask(Request::Quit).await != Err(Refusal::NotNow),
            None => true,
        };
        if quits {
            app.exit(0);
        } else {
            to_front(&app);
        }
    });
}

fn to_front(app: &AppHandle) {
    for window in app.webview_windows().values() {
        // What a window manager refuses is its right.
        let _ = window.unminimize();
        let _ = window.show();
        let _ = window.set_focus();
    }
}

fn device_name(hostname: &Path) -> String {
    std::fs::read_to_string(hostname)
        .map(|name| name.trim().chars().take(64).collect())
        .ok()
        .filter(|name: &String| !name.is_empty())
        .unwrap_or_else(|| "a computer".to_owned())
}

/// The content security policy does not stop a navigation; this does.
fn is_ours(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => true,
        "about" => url.path() == "blank",
        "http" | "https" => {
            // Elsewhere the page has a scheme of its own, and this name leads to whatever listens on this computer.
            (cfg!(windows) && url.host_str() == Some("tauri.localhost"))
                || (cfg!(not(feature = "custom-protocol")) && url.host_str() == Some("localhost"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn the_page_leads_nowhere_else() {
        for (url, ours) in [
            ("tauri://localhost/index.html", true),
            ("about:blank", true),
            ("http://127.0.0.1:9/", false),
            ("https://calls.example/", false),
            ("https://tauri.localhost.example/", false),
            ("http://tauri.localhost:9/", cfg!(windows)),
            ("file:///etc/passwd", false),
            ("data:text/html,x", false),
            ("about:config", false),
        ] {
            assert_eq!(is_ours(&Url::parse(url).unwrap()), ours, "{url}");
        }
    }

    #[test]
    fn a_computer_without_a_name_still_has_one() {
        assert_eq!(device_name(Path::new("/nonexistent")), "a computer");
    }
}
