//! Routes of outcome.

use axum::Router;

use crate::app::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
}
