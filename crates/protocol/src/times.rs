//! When a callee may be rung: what "in an hour" and "tomorrow" come to.
//!
//! The server decides. It tells this with the card, so that a screen says a time that will be kept before anybody
//! is promised one, also while the server is away.

use serde::{Deserialize, Serialize};

/// The days on which a callee may be rung, and from when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RingingTimes {
    /// IANA name of the callee's time zone, "Europe/London", if it is known.
    pub time_zone: Option<String>,
    /// The next days on which they may be rung, in their order; today, if there is time left in it.
    pub days: Vec<RingingDay>,
    /// A call that they did not ask for comes no earlier, UTC epoch milliseconds. One that they asked for is only
    /// bound by the days.
    #[specta(type = specta_typescript::Number)]
    pub unasked_from_ms: i64,
}

/// A day of the callee's calendar. All are UTC epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RingingDay {
    /// Where it begins: before this instant it is "tomorrow" or later.
    #[specta(type = specta_typescript::Number)]
    pub starts_ms: i64,
    /// The first instant of it at which they may be rung.
    #[specta(type = specta_typescript::Number)]
    pub opens_ms: i64,
    /// The last one.
    #[specta(type = specta_typescript::Number)]
    pub last_ms: i64,
    /// When "tomorrow" is, said on the day before.
    #[specta(type = specta_typescript::Number)]
    pub morning_ms: i64,
}
