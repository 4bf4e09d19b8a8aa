//! What the page may do, by the real capabilities and the real commands, on the mock runtime.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ringround::{
    controller::{Controller, Parts, Sound},
    secrets::Secrets,
};
use serde_json::{Value, json};
use tauri::{
    App, Manager, WebviewWindowBuilder,
    ipc::{CallbackFn, InvokeBody},
    test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder},
    webview::InvokeRequest,
};

fn app(folder: &tempfile::TempDir) -> App<MockRuntime> {
    let app = mock_builder().plugin(ringround::shell::phone()).build(ringround::context()).unwrap();
    let parts = Parts {
        folder: folder.path().to_owned(),
        secrets: Secrets::new(|| Err(keyring_core::Error::NoDefaultStore)),
        device_name: "a test".into(),
        sound: Sound::Silence,
    };
    app.manage(tauri::async_runtime::block_on(async { Controller::start(parts) }));
    app
}

fn ask(app: &App<MockRuntime>, window: &str, command: &str, arguments: Value) -> Result<Value, Value> {
    let webview = match app.get_webview_window(window) {
        Some(webview) => webview,
        None => WebviewWindowBuilder::new(app, window, tauri::WebviewUrl::default()).build().unwrap(),
    };
    let request = InvokeRequest {
        cmd: command.to_owned(),
        callback: CallbackFn(0),
        error: CallbackFn(1),
        url: "tauri://localhost".parse().unwrap(),
        body: InvokeBody::Json(arguments),
        headers: Default::default(),
        invoke_key: INVOKE_KEY.to_owned(),
    };
    get_ipc_response(&webview, request).map(|body| body.deserialize().unwrap())
}

fn is_refused_by_rights(answer: &Result<Value, Value>) -> bool {
    matches!(answer, Err(Value::String(text)) if text.contains("not allowed"))
}

#[test]
fn the_window_may_use_the_phone_and_no_other_window_may() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(&folder);
    let view = ask(&app, "main", "plugin:phone|view", json!({})).unwrap();
    assert!(view["screen"]["name"].is_string(), "{view}");
    let card = json!({"leaseId": "00000000-0000-0000-0000-000000000003"});
    assert_eq!(ask(&app, "main", "plugin:phone|call", card), Err(json!("not-now")));
    let other = ask(&app, "other", "plugin:phone|view", json!({}));
    assert!(is_refused_by_rights(&other), "{other:?}");
}

#[test]
fn the_window_may_not_ask_for_more_than_the_phone_and_its_events() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(&folder);
    for command in [
        "plugin:event|emit",
        "plugin:event|emit_to",
        "plugin:window|create",
        "plugin:webview|create_webview_window",
        "plugin:path|resolve_directory",
        "plugin:app|version",
        "plugin:resources|close",
        "plugin:deep-link|get_current",
    ] {
        let answer = ask(&app, "main", command, json!({}));
        assert!(answer.is_err(), "{command}: {answer:?}");
        assert_ne!(answer, Err(json!("not-now")), "{command} went through");
    }
}

#[test]
fn every_command_is_granted_and_every_grant_is_a_command() {
    let text = include_str!("../capabilities/window.json");
    let capability: Value = serde_json::from_str(text).unwrap();
    let granted: Vec<String> = capability["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|permission| permission.as_str()?.strip_prefix("phone:allow-"))
        .map(|name| name.replace('-', "_"))
        .collect();
    let bindings = include_str!("../../ui/src/api/bindings.ts");
    let commands: Vec<String> = bindings
        .split("\"plugin:phone|")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(granted, commands);
    assert_eq!(capability["windows"], json!(["main"]));
}
