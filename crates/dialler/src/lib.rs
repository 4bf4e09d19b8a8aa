//! When and whom to call: the rules, and the states of lines, calls, attempts and sessions.
//!
//! Pure: no clock, no async, no IO, no randomness. The server feeds [`Dialler::handle`] with
//! what happened ([`Input`]) and the time, and carries out what comes back ([`Output`]).
//! Times are UTC epoch milliseconds, durations milliseconds.
//!
//! A desk is one volunteer's device. It has a [line](mod@line) and a [session](mod@session);
//! the session holds at most one [attempt](mod@attempt), which holds at most one
//! [call](mod@call). [`rules`] say whether a contact may be rung, [`retry`] when again.

pub mod attempt;
pub mod call;
pub mod desk;
pub mod dialler;
pub mod hours;
pub mod input;
pub mod line;
pub mod output;
pub mod retry;
pub mod rules;
pub mod select;
pub mod session;
mod words;

pub use dialler::{Dialler, View};
pub use input::{
    Adopted, AdoptedState, Ask, CallFacts, CampaignRules, ChannelState, ContactFacts, Input, Lease, LineFacts,
    LineId, SaveId, SaveRefused, StoredAttempt, Ticket,
};
pub use output::{
    Announcement, Answer, Close, ContactNext, DoNotCall, HangUpWhy, Keep, NewAttempt, Output, Progress, Release,
    Released, Write,
};
