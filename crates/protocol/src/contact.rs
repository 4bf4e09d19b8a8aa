//! The one contact that a volunteer holds.

use serde::{Deserialize, Serialize};

use crate::{campaign::ScriptPart, ids::LeaseId, number::MaskedNumber, times::RingingTimes};

/// A leased contact, as the volunteer sees it: never the whole number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Card {
    /// The hold on the contact; the key of `POST /api/dial`.
    pub lease_id: LeaseId,
    /// "Margaret Hollis".
    pub name: String,
    /// "Mrs Hollis"; empty if the list has none.
    pub form_of_address: String,
    /// What to know before the first word, "Hard of hearing. Speak slowly"; shown first, in bold.
    pub flag: Option<String>,
    /// Context from the list, a line each.
    pub facts: Vec<String>,
    /// "+44 7700 ••• 123".
    pub number: MaskedNumber,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many there may be.
    pub attempts_allowed: u32,
    /// What to say, filled in for this callee.
    pub script: Vec<ScriptPart>,
    /// When they may be rung, if not now.
    pub times: RingingTimes,
}
