//! The words that the server, the desktop and its screens must agree on.
//!
//! Commands go from the desktop to the server as `POST /api/...` ([`http`]); news comes
//! back over one WebSocket, `/live` ([`events`]). A type lives here only when two packages
//! must agree on it; the TypeScript of the screens is generated from these types.

pub mod attempt;
pub mod call;
pub mod campaign;
pub mod contact;
pub mod events;
pub mod http;
pub mod ids;
pub mod join_link;
pub mod line;
pub mod number;
pub mod outcome;
pub mod plain;
pub mod session;
pub mod times;
pub mod trunk;

/// Major number of what both ends speak. Another major is refused with a sentence that says
/// which end to update.
pub const PROTOCOL: u32 = 1;
