//! What "in an hour" and "tomorrow" come to for a contact, told before anybody promises it.

use jiff::tz::TimeZone;
use protocol::times::{RingingDay, RingingTimes};

use crate::{
    hours,
    input::{CampaignRules, ContactFacts},
    rules::{self, HOUR},
};

/// A card, or the call after it, is at hand for less than this.
const AT_HAND: i64 = 24 * HOUR;

/// More than any row of days without hours, and than R16 reaches.
const LOOK_AHEAD_DAYS: u32 = 15;

/// The days on which a contact may be rung from `now` on, as far as somebody at this card may need them.
pub fn of(contact: &ContactFacts, campaign: &CampaignRules, now: i64) -> RingingTimes {
    let zone = zone_of(contact, campaign, now);
    let unasked_from_ms = unasked_from(contact, campaign, now);
    let mut days = Vec::new();
    let mut starts_ms = now;
    for _ in 0..LOOK_AHEAD_DAYS {
        let Some(ends) = hours::next_midnight(starts_ms, zone) else { break };
        let opens = rules::next_open(&contact.place, campaign, starts_ms);
        if let Some(opens_ms) = opens.filter(|opens| *opens < ends) {
            let last_ms = rules::closes(contact, campaign, opens_ms).unwrap_or(ends - 1);
            let morning = rules::next_day_open(contact, campaign, starts_ms - 1);
            let morning_ms = morning.filter(|morning| *morning < ends).unwrap_or(opens_ms);
            days.push(RingingDay { starts_ms, opens_ms, last_ms, morning_ms });
        }
        if starts_ms > now.max(unasked_from_ms).saturating_add(AT_HAND) {
            break;
        }
        starts_ms = ends;
    }
    RingingTimes { time_zone: zone.iana_name().map(str::to_owned), days, unasked_from_ms }
}

/// Days are those of where the callee is; of several such places, of one. A screen names it: where its clocks are the
/// campaign's it is the campaign's, for a British mobile may be in Guernsey as well, and hardly is.
fn zone_of<'a>(contact: &'a ContactFacts, campaign: &'a CampaignRules, now: i64) -> &'a TimeZone {
    let elsewhere = |zone: &&TimeZone| !hours::run_alike(zone, &campaign.zone, now, LOOK_AHEAD_DAYS);
    contact.place.zones.first().filter(elsewhere).unwrap_or(&campaign.zone)
}

/// When R16 lets go of a contact. No attempt comes meanwhile, so from then on it never holds again.
fn unasked_from(contact: &ContactFacts, campaign: &CampaignRules, now: i64) -> i64 {
    let mut at = now;
    // One limit may lead into another; there are three.
    for _ in 0..4 {
        at = rules::attempts_allow_from(contact, campaign, at);
    }
    at
}
