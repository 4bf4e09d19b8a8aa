//! A JSON body whose refusals are [`protocol::http::ApiError`]s like all others.

use std::time::Duration;

use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
    http::StatusCode,
};
use protocol::http::ErrorCode;
use serde::de::DeserializeOwned;

use super::error::{Refusal, refuse};

/// How long a body, 64 KiB at most, may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// A request's JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body = tokio::time::timeout(BODY_WITHIN, Json::from_request(request, state)).await;
        let body: Result<Json<T>, JsonRejection> = body.map_err(|_| {
            refuse(ErrorCode::TooMany, "The request did not arrive in time. Trying again by itself")
        })?;
        body.map(|Json(value)| Self(value)).map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                refuse(ErrorCode::TooLarge, "The request is larger than 64 KiB; a fault of the app")
            } else {
                refuse(
                    ErrorCode::Invalid,
                    format!("The request makes no sense; a fault of the app: {rejection}"),
                )
            }
        })
    }
}
