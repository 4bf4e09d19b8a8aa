//! May this contact be rung now? Rules R12, R15, R16 and R19, for the United Kingdom. R03, R05 and R06 say
//! how a call is made: they hold in `call.rs`, `cause.rs` and `retry.rs`.
//!
//! | rule | says | source |
//! | --- | --- | --- |
//! | R03 | who answers is connected to the volunteer within 2 s, or was abandoned | Ofcom 2016, annex 1 |
//! | R05 | a telephone rings for at least 15 s before a machine gives up | Ofcom 2016, annex 1 |
//! | R06 | who was abandoned is not rung again for 72 h | Ofcom 2016, annex 1 |
//! | R12 | a number on the do-not-call list is never rung, by any campaign | PECR 2003 reg. 21(1)(a); GDPR art. 21(2)-(3) |
//! | R15 | only inside the campaign's hours and the callee's, in all zones that they may be in, the ringing included | convention of the DMA, see [`crate::hours`] |
//! | R16 | a number at most 3 times a day, 6 times in 7 days, 2 h apart, all campaigns together | convention |
//! | abroad | nobody in another country, unless the campaign says so | these are the rules of one country |
//! | R19 | only rows of an imported list | DMA code 1.6; Ofcom 2016, annex 1 |
//!
//! R16 is for calls that nobody asked for. The one call that a callee asked for, at a time, is a promise: from that
//! time on R16 does not hold it up ([`ContactFacts::promised`]). It counts for the calls that come after it.

use jiff::tz::TimeZone;

use crate::{
    hours::{self, Hours},
    input::{CampaignRules, ContactFacts, Place},
    words,
};

/// R05: what a telephone rings for at least before a machine gives up, milliseconds.
pub const LEAST_RINGING_MS: i64 = 15_000;

/// R15: the ringing that must end before closing time, milliseconds.
pub const RINGING_BEFORE_CLOSE_MS: i64 = 25_000;

/// R16: the usual least time between two attempts to a number, milliseconds.
pub const SPACING_MS: i64 = 2 * HOUR;

/// R16: attempts to a number in one local day.
pub const ATTEMPTS_A_DAY: usize = 3;

/// R16: attempts to a number in any 7 x 24 hours.
pub const ATTEMPTS_A_WEEK: usize = 6;

pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
const WEEK: i64 = 7 * 24 * HOUR;

/// What is at the other end of the trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrunkKind {
    /// A network of ours on loopback; only the numbers set aside for drama may be rung.
    Simulated,
    /// A telephone provider: people.
    Sip,
}

/// A rule, or the state of the list, that forbids a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// On the do-not-call list.
    R12,
    /// Outside calling hours.
    R15,
    /// Rung too often or too recently.
    R16,
    /// In another country, and the campaign is for one.
    Abroad,
    /// Not from an imported list.
    R19,
    /// Done on this list: reached, refused, wrong number or out of attempts.
    Done,
}

/// Why a contact may not be rung now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// The first instant at which all rules allow it, UTC epoch milliseconds; `None`: never.
    pub until: Option<i64>,
    /// A sentence for the volunteer.
    pub words: String,
}

/// Whether the contact may be dialled at `now`.
///
/// # Errors
/// [`Refusal`], with the first time that all rules allow.
pub fn may_ring(contact: &ContactFacts, campaign: &CampaignRules, now: i64) -> Result<(), Refusal> {
    let never = |rule, words: &str| Err(Refusal { rule, until: None, words: words.to_owned() });
    if contact.do_not_call {
        return never(Rule::R12, words::NOT_RUNG_DO_NOT_CALL);
    }
    if !contact.from_import {
        return never(Rule::R19, words::NOT_RUNG_NO_LIST);
    }
    if !contact.open {
        return never(Rule::Done, words::NOT_RUNG_DONE);
    }
    if contact.place.abroad && !campaign.abroad {
        return never(Rule::Abroad, words::NOT_RUNG_ABROAD);
    }
    if contact.place.zones.is_empty() {
        return never(Rule::R15, words::NOT_RUNG_NO_ZONE);
    }
    let refused = |rule, words| Err(Refusal { rule, until: next_allowed(contact, campaign, now), words });
    if attempts_allow_from(contact, campaign, now) > now {
        return refused(Rule::R16, words::not_rung_too_often(contact.dialled.iter().copied().max(), now));
    }
    let ringing = campaign.ringing_before_close();
    let mut zones = zones_of(&contact.place, campaign);
    if !zones.all(|zone| hours::are_open(campaign.hours, campaign.region, zone, now, ringing)) {
        return refused(Rule::R15, words::NOT_RUNG_HOURS.to_owned());
    }
    Ok(())
}

/// The first instant at or after `from` at which R15 and R16 both allow a call.
pub fn next_allowed(contact: &ContactFacts, campaign: &CampaignRules, from: i64) -> Option<i64> {
    let mut at = from;
    // Each round moves past one opening or one limit; more than a few mean a broken clock.
    for _ in 0..64 {
        let spaced = attempts_allow_from(contact, campaign, at);
        let open = next_open(&contact.place, campaign, spaced)?;
        if open == at {
            return Some(at);
        }
        at = open;
    }
    None
}

/// The first instant at or after `from` at which somebody there may be rung by the hours (R15); `None`: never, as the
/// hours of all places where they may be are not open together, as nobody knows where they are, or as they are abroad.
pub fn next_open(place: &Place, campaign: &CampaignRules, from: i64) -> Option<i64> {
    if place.zones.is_empty() || place.abroad && !campaign.abroad {
        return None;
    }
    let ringing = campaign.ringing_before_close();
    hours::next_open_in_all(campaign.hours, campaign.region, zones_of(place, campaign), from, ringing)
}

/// Whether the campaign's own hours are open: else nobody is offered, wherever they are.
pub fn is_open(campaign: &CampaignRules, now: i64) -> bool {
    hours::are_open(campaign.hours, campaign.region, &campaign.zone, now, campaign.ringing_before_close())
}

/// When calling opens on the next day that has hours where this contact may be.
pub(crate) fn next_day_open(contact: &ContactFacts, campaign: &CampaignRules, at: i64) -> Option<i64> {
    let (zones, ringing) = (zones_of(&contact.place, campaign), campaign.ringing_before_close());
    hours::next_day_open(campaign.hours, campaign.region, zones, at, ringing)
}

/// The last instant of the hours that `at` lies in, where this contact may be.
pub(crate) fn closes(contact: &ContactFacts, campaign: &CampaignRules, at: i64) -> Option<i64> {
    let (zones, ringing) = (zones_of(&contact.place, campaign), campaign.ringing_before_close());
    hours::closes(campaign.hours, campaign.region, zones, at, ringing)
}

/// When a contact is due again that was not rung, as its number is in a call now.
pub(crate) fn due_after_busy(contact: &ContactFacts, campaign: &CampaignRules, now: i64) -> Option<i64> {
    let wait = if contact.promised.is_some() { MINUTE } else { campaign.spacing_ms.max(MINUTE) };
    next_allowed(contact, campaign, now + wait)
}

/// R16: `at` itself, or a later instant before which it certainly refuses; a promise is kept all the same.
pub(crate) fn attempts_allow_from(contact: &ContactFacts, campaign: &CampaignRules, at: i64) -> i64 {
    let unasked = unasked_allowed_from(contact, campaign, at);
    contact.promised.map_or(unasked, |asked| unasked.min(asked.max(at)))
}

/// R16 for a call that nobody asked for.
fn unasked_allowed_from(contact: &ContactFacts, campaign: &CampaignRules, at: i64) -> i64 {
    let mut dialled = contact.dialled.clone();
    dialled.sort_unstable();
    let Some(last) = dialled.last() else { return at };
    let mut from = at.max(last.saturating_add(campaign.spacing_ms));
    let in_a_week: Vec<i64> =
        dialled.iter().copied().filter(|then| then.saturating_add(WEEK) > from).collect();
    if let Some(over) = in_a_week.len().checked_sub(ATTEMPTS_A_WEEK) {
        from = from.max(in_a_week[over].saturating_add(WEEK));
    }
    let rung_out = |zone: &&TimeZone| {
        let today = hours::local_date(from, zone);
        dialled.iter().filter(|then| hours::local_date(**then, zone) == today).count() >= ATTEMPTS_A_DAY
    };
    let midnights = zones_of(&contact.place, campaign)
        .filter(rung_out)
        .map(|zone| hours::next_midnight(from, zone).unwrap_or(i64::MAX));
    midnights.max().unwrap_or(from)
}

/// Where the hours must be open: the campaign's zone, and all those that the callee may be in.
fn zones_of<'a>(
    place: &'a Place,
    campaign: &'a CampaignRules,
) -> impl Iterator<Item = &'a TimeZone> + Clone + use<'a> {
    std::iter::once(&campaign.zone).chain(place.zones.iter())
}

/// Why a campaign's settings are not allowed; a sentence for the organiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCampaign {
    /// Hours `always` towards people.
    #[error(
        "hours \"always\" are only for a simulated trunk; set hours to \"rules\" (09:30-20:30, Sundays and bank holidays 10:00-20:00)"
    )]
    AlwaysOpen,
    /// Own hours beyond the hard limits.
    #[error(
        "calling hours must lie within 08:00-21:00, on Saturdays, Sundays and bank holidays within 09:00-21:00"
    )]
    HoursTooWide,
    /// Less than two hours between attempts towards people.
    #[error("attempts to one number must be at least 2 hours apart; less is only for a simulated trunk")]
    TooClose,
    /// Less than no time between attempts.
    #[error("the time between attempts cannot be negative")]
    NegativeSpacing,
    /// Less than 15 s, or more than 2 min, of ringing.
    #[error("the ring timeout must be from 15 to 120 seconds")]
    RingTimeout,
    /// No attempt at all, or more than 100.
    #[error("the attempts allowed for a contact must be from 1 to 100")]
    Attempts,
}

impl CampaignRules {
    /// Whether these settings may be used towards this kind of trunk.
    ///
    /// # Errors
    /// The first [`BadCampaign`] found.
    pub fn check(&self, trunk: TrunkKind) -> Result<(), BadCampaign> {
        match self.hours {
            Hours::Always if trunk != TrunkKind::Simulated => return Err(BadCampaign::AlwaysOpen),
            Hours::Own(week) if !week.is_lawful() => return Err(BadCampaign::HoursTooWide),
            Hours::Always | Hours::Own(_) | Hours::Rules => {}
        }
        if self.spacing_ms < 0 {
            return Err(BadCampaign::NegativeSpacing);
        }
        if self.spacing_ms < SPACING_MS && trunk != TrunkKind::Simulated {
            return Err(BadCampaign::TooClose);
        }
        if !(LEAST_RINGING_MS..=2 * MINUTE).contains(&self.ring_timeout_ms) {
            return Err(BadCampaign::RingTimeout);
        }
        if !(1..=100).contains(&self.attempts_allowed) {
            return Err(BadCampaign::Attempts);
        }
        Ok(())
    }

    /// R15: what must fit before closing time, milliseconds.
    pub(crate) fn ringing_before_close(&self) -> i64 {
        self.ring_timeout_ms.max(RINGING_BEFORE_CLOSE_MS)
    }
}
