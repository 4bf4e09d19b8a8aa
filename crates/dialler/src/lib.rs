//! When and whom to call: the rules, and the states of lines, calls, attempts and sessions.
//!
//! Pure: no clock, no async, no IO, no randomness. The server feeds [`Dialler::handle`] with
//! what happened ([`Input`]) and the time ([`Now`]), and carries out what comes back ([`Output`]).
//! Times are UTC epoch milliseconds, durations milliseconds.
//!
//! A seat is one volunteer's device. It has a line and a session; the session holds at most one
//! attempt, which holds at most one call: a state machine each, in the file of that name, which
//! opens with its table. [`rules`] say whether a contact may be rung, [`retry`] when again; who comes
//! first is the store's to say, as it holds the list.

mod attempt;
mod call;
mod cause;
mod channels;
pub mod dialler;
pub mod hours;
pub mod input;
mod line;
mod now;
pub mod output;
mod pace;

pub mod retry;
pub mod rules;
mod scene;
mod seat;
mod session;
pub mod times;
mod trunk_health;
mod words;

pub use attempt::{LEASE_MS, WRAP_UP_LIMIT_MS};

pub use cause::nobody_saw;
pub use channels::TrunkLimits;
pub use dialler::{Dialler, View};
pub use input::{
    Adopted, AdoptedState, Ask, CallFacts, CampaignRules, ChannelState, ContactFacts, Fault, Input, Lease,
    LineFacts, LineId, LineToken, Place, SaveId, SaveRefused, StoredAttempt, Ticket,
};
pub use now::Now;
pub use output::{
    Announcement, Answer, Close, ContactNext, DoNotCall, HangUpWhy, Keep, NewAttempt, Output, Progress,
    Release, Released, Write,
};
