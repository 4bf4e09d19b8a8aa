//! What the app says to a terminal that started it, before there is a window.

use std::ffi::OsString;

const HELP: &str = "\
The volunteer's app of Ringround: it opens a window.

Usage: ringround [INVITATION LINK]

  ringround://...   joins with this link, as a click on it does
  -h, --help        this text
  -V, --version     the version

There is nothing else to set here: what the app needs to know comes with the link, microphone and loudspeaker are chosen
in the window. Guide: docs/guide/volunteer.md
";

/// Said instead of opening a window.
#[derive(Debug, PartialEq, Eq)]
pub enum Instead {
    /// What was asked for.
    Answer(String),
    /// Why there can be none, and what to do.
    Complaint(String),
}

/// `has_desktop`: whether there is anything to open a window on.
pub fn instead(arguments: impl IntoIterator<Item = OsString>, has_desktop: bool) -> Option<Instead> {
    for argument in arguments {
        match argument.to_str() {
            Some("-h" | "--help") => return Some(Instead::Answer(HELP.to_owned())),
            Some("-V" | "--version") => {
                return Some(Instead::Answer(
                    concat!("ringround ", env!("CARGO_PKG_VERSION"), "\n").to_owned(),
                ));
            }
            // Desktops pass words of their own, and a link may be anything: the window says what is wrong with it.
            Some(_) | None => {}
        }
    }
    (!has_desktop).then(|| {
        Instead::Complaint(
            "there is no desktop here to open a window on (neither WAYLAND_DISPLAY nor DISPLAY is set): start the app from \
             a desktop session. A telephone without a window, for trying: cargo run --example call -- --help\n"
                .to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(arguments: &[&str], has_desktop: bool) -> Option<Instead> {
        instead(arguments.iter().map(OsString::from), has_desktop)
    }

    #[test]
    fn who_asks_gets_an_answer_with_a_desktop_or_without() {
        for has_desktop in [false, true] {
            for flag in ["-h", "--help"] {
                assert_eq!(told(&[flag], has_desktop), Some(Instead::Answer(HELP.to_owned())));
            }
            for flag in ["-V", "--version"] {
                let Some(Instead::Answer(version)) = told(&[flag], has_desktop) else { panic!("no answer") };
                assert_eq!(version.trim(), format!("ringround {}", env!("CARGO_PKG_VERSION")));
            }
        }
    }

    #[test]
    fn a_window_opens_where_there_is_a_desktop() {
        for arguments in [&[][..], &["ringround://join/x"], &["--gapplication-service"]] {
            assert_eq!(told(arguments, true), None);
            assert!(matches!(told(arguments, false), Some(Instead::Complaint(_))));
        }
    }
}
