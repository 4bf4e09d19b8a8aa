//! What the app asks of the server: one file for each resource, and the order of the layers.

pub mod auth;
pub mod body;
pub mod calls;
pub mod challenges;
pub mod connections;
pub mod error;
pub mod failures;
pub mod health;
pub mod join;
pub mod lease;
pub mod limits;
pub mod line;
pub mod live;
pub mod outcome;
pub mod places;
pub mod session;
pub mod sign_in;
pub mod sip;
mod version;

use axum::{Router, extract::DefaultBodyLimit, middleware};
use protocol::http::ErrorCode;

use crate::app::Shared;

pub use auth::SignedInDevice;
pub use body::Body;
pub use error::{Refusal, refuse, to_the_end};

/// The largest body of a request, bytes.
pub const LARGEST_BODY: usize = 64 * 1024;

/// Every route of the one origin.
pub fn router(app: Shared) -> Router {
    Router::new()
        .merge(join::routes())
        .merge(sign_in::routes())
        .merge(session::routes())
        .merge(line::routes())
        .merge(calls::routes())
        .merge(lease::routes())
        .merge(outcome::routes())
        .merge(live::routes())
        .merge(sip::routes())
        .layer(middleware::from_fn(version::check))
        .merge(health::routes())
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), error::count))
        .with_state(app)
}

async fn nothing_here() -> Refusal {
    refuse(ErrorCode::NotFound, "There is nothing here. Volunteers open their link in the Ringround app")
}
