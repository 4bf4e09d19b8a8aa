//! When a contact is due again, by the outcome of its last attempt. United Kingdom.
//!
//! | outcome | due again |
//! | --- | --- |
//! | busy | after 2 h |
//! | no-answer | after 4 h |
//! | machine, screened, failed, unknown | the next calling day, when its hours open |
//! | abandoned | after 72 h (R06) |
//! | callback | at the time the callee asked for; without one, as machine |
//! | not counted: the call went no further than the trunk (cause.rs) | after 15 min, or the spacing where that is less |
//! | reached, refused, wrong-number, do-not-call, other | never |
//!
//! R15 always on top, and R16 but for a callback at a time, 30 min after the last call at the soonest. A contact that has had all its attempts is done; only a
//! callback, which the callee asked for, is still made. A promise is kept by one attempt that reaches a telephone:
//! whatever comes of that one, the next is bound by R16 again. One that goes nowhere is not counted, as above.

use protocol::{
    http::RecordOutcome,
    outcome::{Outcome, RingAgain},
};

use crate::{
    input::{CampaignRules, ContactFacts},
    output::ContactNext,
    rules::{self, HOUR, MINUTE},
};

/// What becomes of a contact whose attempt ended at `ended_at` with this outcome. `contact` counts
/// the attempt: in `attempts` and in `dialled`. `again_at` is the time the volunteer gave.
pub fn after(
    outcome: Outcome,
    again_at: Option<i64>,
    contact: &ContactFacts,
    campaign: &CampaignRules,
    ended_at: i64,
) -> ContactNext {
    let tomorrow = || rules::next_day_open(contact, campaign, ended_at);
    let wanted = match outcome {
        Outcome::Busy => Some(ended_at + 2 * HOUR),
        Outcome::NoAnswer => Some(ended_at + 4 * HOUR),
        Outcome::Machine | Outcome::Screened | Outcome::Failed | Outcome::Unknown => tomorrow(),
        Outcome::Abandoned => Some(ended_at + 72 * HOUR),
        Outcome::Callback => again_at.or_else(tomorrow),
        Outcome::Reached | Outcome::Refused | Outcome::WrongNumber | Outcome::DoNotCall | Outcome::Other => {
            None
        }
    };
    if outcome != Outcome::Callback && contact.attempts >= campaign.attempts_allowed {
        return ContactNext::Done;
    }
    let promised = if outcome == Outcome::Callback { again_at } else { None };
    let contact = ContactFacts { promised, ..contact.clone() };
    match wanted.and_then(|at| rules::next_allowed(&contact, campaign, at)) {
        Some(at) => ContactNext::Due(at),
        None => ContactNext::Done,
    }
}

/// When the callee asked to be rung, as a volunteer wrote it down at `now`. Other outcomes have no such time.
pub(crate) fn asked_for(
    record: &RecordOutcome,
    contact: &ContactFacts,
    campaign: &CampaignRules,
    now: i64,
) -> Option<i64> {
    let again = record.again.filter(|_| record.outcome == Outcome::Callback)?;
    let dialled = contact.dialled.iter().max().copied().unwrap_or(now);
    Some(
        instant_of(again, contact, campaign, now).max(dialled + SOONEST_PROMISE.min(campaign.spacing_ms / 4)),
    )
}

/// Whether nobody is rung again after this outcome.
pub fn is_final(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Reached | Outcome::Refused | Outcome::WrongNumber | Outcome::DoNotCall | Outcome::Other
    )
}

/// No call that somebody asked for comes sooner after the last: a promise lifts all other limits, and who writes down
/// promises without end rings one person without end. The app offers an hour at least. A simulated trunk may have less
/// than R16's two hours of spacing, and then a quarter of it.
const SOONEST_PROMISE: i64 = 30 * MINUTE;

/// How soon a call is tried again that went no further than the trunk: late enough that the others go before it, and
/// the same day.
const AFTER_NOTHING: i64 = 15 * MINUTE;

/// The last attempt, dialled latest, is none of the contact's any more.
pub(crate) fn uncount(contact: &mut ContactFacts) {
    contact.attempts = contact.attempts.saturating_sub(1);
    if let Some(last) = contact.dialled.iter().enumerate().max_by_key(|(_, at)| **at).map(|(n, _)| n) {
        contact.dialled.remove(last);
    }
    contact.uncounted = contact.uncounted.saturating_add(1);
}

/// What becomes of a contact whose call went no further than the trunk, so that nobody was rung. `contact` does not
/// count that attempt.
pub(crate) fn after_nothing(contact: &ContactFacts, campaign: &CampaignRules, ended_at: i64) -> ContactNext {
    let wanted = ended_at + AFTER_NOTHING.min(campaign.spacing_ms);
    rules::next_allowed(contact, campaign, wanted).map_or(ContactNext::Done, ContactNext::Due)
}

/// The instant that a volunteer's "later" means at `now`, before the rules: at most a year ahead.
pub fn instant_of(again: RingAgain, contact: &ContactFacts, campaign: &CampaignRules, now: i64) -> i64 {
    let at = match again {
        RingAgain::InAnHour => now + HOUR,
        RingAgain::Tomorrow => rules::next_day_open(contact, campaign, now).unwrap_or(now + 24 * HOUR),
        RingAgain::At { at_ms } => at_ms,
    };
    at.clamp(now, now + 365 * 24 * HOUR)
}
