//! The shape of the project, as far as a machine can check it: ARCHITECTURE.md section "What holds everywhere".
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Longest a file of ours may be, in lines.
const LONGEST: usize = 800;

/// Written by a program, and proven current by tests of their own.
const GENERATED: &[&str] =
    &["Cargo.lock", "ui/package-lock.json", "ui/src/api/bindings.ts", "ui/src/api/constants.ts"];

/// What each package may name in its [dependencies]: the packages that must stay free of IO, by a list of what is
/// allowed; the others by what is not.
const ONLY: &[(&str, &[&str])] = &[
    ("dialler", &["protocol", "jiff", "serde", "serde_json", "thiserror"]),
    (
        "protocol",
        &[
            "serde",
            "serde_json",
            "specta",
            "specta-typescript",
            "specta-serde",
            "uuid",
            "thiserror",
            "url",
            "base64",
        ],
    ),
];
const NEVER: &[(&str, &[&str])] = &[
    ("softphone", &["protocol", "dialler", "ringround-server", "tauri"]),
    ("ringround-server", &["softphone", "tauri", "cpal"]),
    ("ringround", &["dialler", "ringround-server"]),
    ("e2e", &["tauri", "ringround", "ringround-server", "dialler"]),
];

#[test]
fn packages_depend_only_on_what_they_may() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(top())
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let mut wrong = Vec::new();
    for (package, allowed) in ONLY {
        wrong.extend(
            dependencies(&metadata, package)
                .into_iter()
                .filter(|d| !allowed.contains(&d.as_str()))
                .map(|d| format!("{package} must not depend on {d}: it is free of IO, and the list in tests/tidy.rs says of what it is made")),
        );
    }
    for (package, forbidden) in NEVER {
        wrong.extend(
            dependencies(&metadata, package)
                .into_iter()
                .filter(|d| forbidden.contains(&d.as_str()))
                .map(|d| format!("{package} must not depend on {d}")),
        );
    }
    report(&wrong);
}

#[test]
fn what_decides_touches_no_clock_file_socket_or_chance() {
    let words = [
        "tokio::",
        "std::fs",
        "std::net",
        "std::thread",
        "std::process",
        "std::env",
        "Instant::now",
        "SystemTime",
        "Timestamp::now",
        "Zoned::now",
        "async fn",
        "thread_rng",
        "fastrand",
        "getrandom",
        "Uuid::now",
        "cpal::",
        "tracing::",
    ];
    forbid(&words, |path| {
        path.starts_with("crates/dialler/src/") || path.starts_with("crates/softphone/src/call/")
    });
}

#[test]
fn each_library_stays_behind_its_seam() {
    let rust = |path: &str| path.ends_with(".rs") && path != "tests/tidy.rs";
    forbid(&["use tauri", "tauri::", "tauri_specta"], |path| {
        let shell =
            ["main.rs", "lib.rs", "commands.rs", "shell.rs"].map(|file| format!("src-tauri/src/{file}"));
        rust(path)
            && !path.starts_with("src-tauri/tests/")
            && path != "src-tauri/build.rs"
            && !shell.iter().any(|file| file == path)
    });
    // SQL; a test of the outbox holds its file locked from outside
    forbid(&["sqlx::"], |path| {
        rust(path)
            && !path.starts_with("server/src/store/")
            && !path.starts_with("src-tauri/src/outbox")
            && !path.starts_with("src-tauri/tests/")
    });
    // ARI's JSON; the volunteers' API and the organiser's commands have JSON of their own
    let speaks_json = ["ari/", "http/", "control/", "cli/"].map(|part| format!("server/src/{part}"));
    forbid(&["serde_json", "json!("], |path| {
        rust(path)
            && path.starts_with("server/src/")
            && !speaks_json.iter().any(|part| path.starts_with(part))
    });
    // SIP text, WebRTC, sound devices
    forbid(&["rsip::"], |path| rust(path) && !path.starts_with("crates/softphone/src/sip/"));
    forbid(&["webrtc::"], |path| rust(path) && !path.starts_with("crates/softphone/src/media/"));
    forbid(&["cpal::"], |path| rust(path) && !path.starts_with("crates/softphone/src/audio/"));
    // the pages
    let page = |path: &str| path.starts_with("ui/src/") && !GENERATED.contains(&path);
    forbid(&["@tauri-apps"], |path| page(path) && path != "ui/src/host/tauri.ts");
    // What imports the bindings imports Tauri with them; the types alone do not stay in what is built.
    forbid(&["/bindings'"], |path| {
        page(path) && path != "ui/src/host/tauri.ts" && path != "ui/src/api/types.ts"
    });
    forbid(&["fetch(", "XMLHttpRequest", "new WebSocket("], |path| {
        page(path) && path != "ui/src/host/browser.ts"
    });
}

#[test]
fn no_file_is_too_long() {
    let code = [".rs", ".ts", ".svelte", ".css", ".sql", ".mjs", ".sh", ".md", ".toml", ".conf"];
    let wrong: Vec<_> = texts()
        .into_iter()
        .filter(|(path, _)| !GENERATED.contains(&path.as_str()))
        .filter(|(path, _)| code.iter().any(|end| path.ends_with(end)) || path.starts_with("scripts/"))
        .filter(|(_, text)| text.lines().count() > LONGEST)
        .map(|(path, text)| format!("{path} has {} lines: at most {LONGEST}", text.lines().count()))
        .collect();
    report(&wrong);
}

#[test]
fn nothing_names_a_machine_or_a_mirror() {
    // Put together here, so that this file does not name them either.
    let words = [
        ["/home", "/"],
        ["/ro", "ot/"],
        ["/wo", "rk/"],
        ["artifac", "tory"],
        ["/Us", "ers/"],
        ["\"reso", "lved\""],
    ];
    let words = words.map(|parts| parts.concat());
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    forbid(&words, |path| path != ".gitignore");
}

#[test]
fn the_map_names_paths_that_exist() {
    let map = fs::read_to_string(top().join("ARCHITECTURE.md")).unwrap();
    // A path in backticks has a slash and no spaces: `server/src/http/`, not `POST /api/dial`.
    let wrong: Vec<_> = map
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| {
            word.contains('/') && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
        })
        .filter(|word| !word.starts_with(['/', '~', '.']) || word.starts_with(".ci/"))
        .filter(|word| !word.starts_with("target/"))
        .filter(|word| !top().join(word).exists())
        .map(|word| format!("ARCHITECTURE.md names `{word}`, which is not there"))
        .collect();
    report(&wrong);
}

/// Names of a package's ordinary dependencies.
fn dependencies(metadata: &serde_json::Value, package: &str) -> Vec<String> {
    let packages = metadata["packages"].as_array().unwrap();
    let package =
        packages.iter().find(|p| p["name"] == package).unwrap_or_else(|| panic!("no package {package}"));
    let ordinary = package["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"].is_null());
    ordinary.map(|d| d["name"].as_str().unwrap().to_owned()).collect()
}

/// Fails if a line of code in one of the chosen files holds one of the words. A remark may, and so may a unit test:
/// it needs an instant to count from, and a row to begin with.
fn forbid(words: &[&str], chosen: impl Fn(&str) -> bool) {
    let mut wrong = Vec::new();
    for (path, text) in texts().iter().filter(|(path, _)| chosen(path) && !path.ends_with("tests.rs")) {
        for (number, line) in text.lines().enumerate().take_while(|(_, line)| *line != "mod tests {") {
            let code = line.trim_start();
            if code.starts_with("//") || code.starts_with('*') || code.starts_with("<!--") {
                continue;
            }
            wrong.extend(
                words
                    .iter()
                    .filter(|word| code.contains(**word))
                    .map(|word| format!("{path}:{}: {word}", number + 1)),
            );
        }
    }
    report(&wrong);
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every text file that is not made by a build: its path from the top, with slashes, and what it holds.
fn texts() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(top().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let name = path.to_str().unwrap().replace('\\', "/");
            if entry.file_type().unwrap().is_dir() {
                let made = matches!(name.as_str(), ".git" | "target" | "gen" | "ui/dist" | "src-tauri/gen");
                if !made && !name.ends_with("node_modules") {
                    folders.push(path);
                }
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                found.push((name, text));
            }
        }
    }
    assert!(found.len() > 100, "only {} files were found below {}", found.len(), top().display());
    found
}
