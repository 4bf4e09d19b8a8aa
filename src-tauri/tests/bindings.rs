//! The TypeScript that the screens use is the TypeScript of these commands.

use std::{fs, path::Path};

use specta_typescript::Typescript;
use tauri::Wry;
use tauri_specta::Builder;

#[test]
fn the_committed_bindings_are_current() {
    is_current(&ringround::seam::<Wry>(), "ui/src/api/bindings.ts");
}

#[test]
fn the_committed_constants_are_current_and_reach_for_no_tauri() {
    let made = is_current(&ringround::constants(), "ui/src/api/constants.ts");
    assert!(!made.contains("import "), "{made}");
}

fn is_current(seam: &Builder<Wry>, file: &str) -> String {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fresh = folder.path().join("fresh.ts");
    let header =
        "// Made from src-tauri/src by `UPDATE_BINDINGS=1 cargo test --test bindings`. Do not edit.\n";
    seam.export(Typescript::default().header(header), &fresh).expect("types that TypeScript knows");
    let fresh = fs::read_to_string(fresh).expect("just written");
    if std::env::var_os("UPDATE_BINDINGS").is_some() {
        fs::create_dir_all(committed.parent().expect("a folder")).expect("ui/src/api can be made");
        fs::write(&committed, &fresh).expect("ui/src/api is writable");
    }
    let found = fs::read_to_string(&committed).unwrap_or_default();
    assert!(found == fresh, "{file} is old: UPDATE_BINDINGS=1 cargo test --test bindings");
    fresh
}
