//! What each volunteer's app is told: a desk for each device, sent whole and then in changes.

/// The desks and the sockets that follow them, cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Hub {}
