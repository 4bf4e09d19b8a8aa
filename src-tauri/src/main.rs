//! Starts the app.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use ringround::terminal::{Instead, instead};

fn main() -> ExitCode {
    let has_desktop = !cfg!(target_os = "linux")
        || ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| env::var_os(name).is_some());
    match instead(env::args_os().skip(1), has_desktop) {
        Some(Instead::Answer(text)) => {
            let _ = io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Some(Instead::Complaint(text)) => {
            let _ = write!(io::stderr(), "ringround: {text}");
            return ExitCode::FAILURE;
        }
        None => {}
    }
    #[cfg(target_os = "linux")]
    without_dmabuf();
    ringround::run();
    ExitCode::SUCCESS
}

/// Where there is no graphics card (no `/dev/dri`), WebKitGTK's DMABUF renderer only costs: without it
/// the first paint comes after 0.4 s instead of 0.6 s and the app takes 60 MiB less. The variable must be
/// set before WebKit's threads start, and setting one's own is unsafe; so the app starts itself once more,
/// in the same process.
#[cfg(target_os = "linux")]
fn without_dmabuf() {
    use std::{os::unix::process::CommandExt, path::Path, process::Command};

    const NAME: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    if env::var_os(NAME).is_some() || Path::new("/dev/dri").exists() {
        return;
    }
    if let Ok(program) = env::current_exe() {
        // `exec` only returns when it failed; then the app runs as it is, a little slower.
        let _ = Command::new(program).args(env::args_os().skip(1)).env(NAME, "1").exec();
    }
}
