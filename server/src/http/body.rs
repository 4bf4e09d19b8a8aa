//! A JSON body whose refusals are [`protocol::http::ApiError`]s like all others.

use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
    http::StatusCode,
};
use protocol::http::ErrorCode;
use serde::de::DeserializeOwned;

use super::error::{Refusal, refuse};
use crate::app::Shared;

/// A request's JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Refusal> {
        let within = app.config.doors.body_within;
        let body = tokio::time::timeout(within, Json::from_request(request, app)).await;
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
