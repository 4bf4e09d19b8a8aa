//! Refusals as HTTP replies: the status of each [`ErrorCode`], and the log of our own faults.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use protocol::http::{ApiError, ErrorCode};

use crate::{app::Shared, store::StoreError};

/// An [`ApiError`] that axum can send. `?` makes one of an [`ApiError`] or a [`StoreError`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub ApiError);

/// A refusal of this code, with words for a person.
pub fn refuse(code: ErrorCode, message: impl Into<String>) -> Refusal {
    Refusal(ApiError::new(code, message))
}

/// Takes steps that belong together to their end, also when whoever asked for them goes away meanwhile: then
/// the request's own task is dropped where it stands.
///
/// # Errors
/// The steps' own, and [`ErrorCode::Internal`] if they panicked.
pub async fn to_the_end<T: Send + 'static>(
    steps: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(steps).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request ended badly; a fault of ours");
        Err(refuse(ErrorCode::Internal, "The server made a mistake. Its log says which"))
    })
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NoStorage(_) => tracing::warn!(%error, "a request could not be saved"),
            StoreError::Conflict(_) => tracing::info!(%error, "a request did not fit"),
            StoreError::Open(_) | StoreError::Fault(_) => tracing::error!(%error, "a request failed"),
        }
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = self.0.code;
        let mut response = (status(code), Json(self.0)).into_response();
        response.extensions_mut().insert(Code(code));
        response
    }
}

/// Goes along with a refusal to [`count`].
#[derive(Clone, Copy)]
struct Code(ErrorCode);

/// A layer that counts refusals by their codes.
pub async fn count(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if let Some(Code(code)) = response.extensions().get()
        && let Ok(serde_json::Value::String(word)) = serde_json::to_value(code)
    {
        app.metrics.refused(&word);
    }
    response
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Invalid => StatusCode::BAD_REQUEST,
        ErrorCode::SignInAgain | ErrorCode::DeviceRevoked => StatusCode::UNAUTHORIZED,
        ErrorCode::UnknownLink => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::WrongState | ErrorCode::LeaseLost | ErrorCode::RefusedByRule => StatusCode::CONFLICT,
        ErrorCode::LinkSpent | ErrorCode::LinkExpired => StatusCode::GONE,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::UpdateApp | ErrorCode::UpdateServer => StatusCode::UPGRADE_REQUIRED,
        ErrorCode::TooMany => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::NoTelephone | ErrorCode::NoStorage => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
