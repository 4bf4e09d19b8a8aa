//! What the page may ask for: each command is translated into a [`Request`] and passed on.
//!
//! What comes of it arrives as the event [`crate::view::View`]; a [`Refusal`] only says that the
//! press did not fit what is so now.

use protocol::{
    http::Settle,
    ids::{AttemptId, LeaseId},
};
use tauri::State;

use crate::{
    controller::Controller,
    session::{Refusal, Request},
    view::{DeviceChoices, OutcomePress, View},
};

/// The view as it is now. The page listens for the event first, then asks.
#[tauri::command]
#[specta::specta]
pub fn view(controller: State<'_, Controller>) -> View {
    controller.view()
}

/// Joins by an invitation link as it was pasted.
#[tauri::command]
#[specta::specta]
pub async fn join(controller: State<'_, Controller>, link: String) -> Result<(), Refusal> {
    controller.ask(Request::Join { link }).await
}

/// Answers [`crate::view::Invitation`]: joins, and leaves where this computer is now; or stays.
#[tauri::command]
#[specta::specta]
pub async fn answer_invitation(controller: State<'_, Controller>, join: bool) -> Result<(), Refusal> {
    controller.ask(Request::AnswerInvitation { join }).await
}

/// Starts a session and brings the line up.
#[tauri::command]
#[specta::specta]
pub async fn start(controller: State<'_, Controller>) -> Result<(), Refusal> {
    controller.ask(Request::Start).await
}

/// Rings the contact on the card, if it is still this one.
#[tauri::command]
#[specta::specta]
pub async fn call(controller: State<'_, Controller>, lease_id: LeaseId) -> Result<(), Refusal> {
    controller.ask(Request::Call { lease_id }).await
}

/// Ends the call, or cancels it while it rings.
#[tauri::command]
#[specta::specta]
pub async fn hang_up(controller: State<'_, Controller>) -> Result<(), Refusal> {
    controller.ask(Request::HangUp).await
}

/// Switches the microphone off or on.
#[tauri::command]
#[specta::specta]
pub async fn mute(controller: State<'_, Controller>, on: bool) -> Result<(), Refusal> {
    controller.ask(Request::Mute { on }).await
}

/// Sends keys of the telephone: `0` to `9`, `*`, `#`.
#[tauri::command]
#[specta::specta]
pub async fn digits(controller: State<'_, Controller>, digits: String) -> Result<(), Refusal> {
    controller.ask(Request::Digits { digits }).await
}

/// An outcome key: marks it while the callee talks, saves it when the call is over.
#[tauri::command]
#[specta::specta]
pub async fn outcome(
    controller: State<'_, Controller>,
    attempt_id: AttemptId,
    press: OutcomePress,
) -> Result<(), Refusal> {
    controller.ask(Request::Outcome { attempt_id, press }).await
}

/// Corrects the last saved outcome.
#[tauri::command]
#[specta::specta]
pub async fn correct(
    controller: State<'_, Controller>,
    attempt_id: AttemptId,
    press: OutcomePress,
) -> Result<(), Refusal> {
    controller.ask(Request::Correct { attempt_id, press }).await
}

/// Gives the card back without ringing.
#[tauri::command]
#[specta::specta]
pub async fn settle(
    controller: State<'_, Controller>,
    lease_id: LeaseId,
    how: Settle,
) -> Result<(), Refusal> {
    controller.ask(Request::Settle { lease_id, how }).await
}

/// Pauses.
#[tauri::command]
#[specta::specta]
pub async fn pause(controller: State<'_, Controller>) -> Result<(), Refusal> {
    controller.ask(Request::Pause).await
}

/// Back to calling.
#[tauri::command]
#[specta::specta]
pub async fn resume(controller: State<'_, Controller>) -> Result<(), Refusal> {
    controller.ask(Request::Resume).await
}

/// Ends the session and takes the line down.
#[tauri::command]
#[specta::specta]
pub async fn stop(controller: State<'_, Controller>) -> Result<(), Refusal> {
    controller.ask(Request::Stop).await
}

/// Tries at once what waits for another try: the server, the line, the keyring.
#[tauri::command]
#[specta::specta]
pub async fn retry_now(controller: State<'_, Controller>) -> Result<(), Refusal> {
    controller.ask(Request::RetryNow).await
}

/// The microphones and loudspeakers there are.
#[tauri::command]
#[specta::specta]
pub async fn device_choices(controller: State<'_, Controller>) -> Result<DeviceChoices, Refusal> {
    controller.device_choices().await
}

/// Chooses devices by their ids; `None` is the system's choice.
#[tauri::command]
#[specta::specta]
pub async fn choose_devices(
    controller: State<'_, Controller>,
    microphone: Option<String>,
    speaker: Option<String>,
) -> Result<(), Refusal> {
    controller.ask(Request::ChooseDevices { microphone, speaker }).await
}

/// Forgets this device: its key, its sign-in and its server.
#[tauri::command]
#[specta::specta]
pub async fn leave(controller: State<'_, Controller>) -> Result<(), Refusal> {
    controller.ask(Request::Leave).await
}
