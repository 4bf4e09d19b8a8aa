//! The TypeScript that the screens use is the TypeScript of these commands.

use std::{fs, path::Path};

use specta_typescript::Typescript;

#[test]
fn the_committed_bindings_are_current() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/api/bindings.ts");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fresh = folder.path().join("bindings.ts");
    let header =
        "// Made from src-tauri/src by `UPDATE_BINDINGS=1 cargo test --test bindings`. Do not edit.\n";
    ringround::seam::<tauri::Wry>()
        .export(Typescript::default().header(header), &fresh)
        .expect("types that TypeScript knows");
    let fresh = fs::read_to_string(fresh).expect("just written");
    if std::env::var_os("UPDATE_BINDINGS").is_some() {
        fs::create_dir_all(committed.parent().expect("a folder")).expect("ui/src/api can be made");
        fs::write(&committed, &fresh).expect("ui/src/api is writable");
    }
    let found = fs::read_to_string(&committed).unwrap_or_default();
    assert!(found == fresh, "ui/src/api/bindings.ts is old: UPDATE_BINDINGS=1 cargo test --test bindings");
}
