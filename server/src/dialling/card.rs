//! What a volunteer sees of a contact, and what the rules see of a campaign.

use dialler::{
    CampaignRules,
    hours::{self, Hours, Region},
    rules::{LEAST_RINGING_MS, SPACING_MS},
};
use jiff::tz::TimeZone;
use protocol::{contact::Card, ids::DeviceId, times::RingingTimes};

use crate::{
    script,
    store::{Store, StoreError, campaigns::CampaignRow, leases::HeldContact},
};

/// The card of a held contact; `attempt` is which attempt it is for, from 1.
///
/// # Errors
/// [`StoreError`]
pub async fn of(
    store: &Store,
    device: DeviceId,
    held: &HeldContact,
    attempt: u32,
) -> Result<Card, StoreError> {
    let campaign = store.campaign(held.facts.campaign).await?;
    let volunteer = match store.device(device).await? {
        Some(device) => store.person(device.person_id).await?.map(|person| person.name),
        None => None,
    };
    let (organisation, text, attempts_allowed) = match &campaign {
        Some(row) => (row.form.organisation.as_str(), row.form.script.as_str(), row.form.attempts_allowed),
        None => ("", "", attempt),
    };
    let script = script::fill(
        text,
        &script::Fields {
            name: &held.name,
            form_of_address: &held.form_of_address,
            volunteer: volunteer.as_deref().unwrap_or_default(),
            organisation,
        },
    );
    Ok(Card {
        lease_id: held.lease,
        name: held.name.clone(),
        form_of_address: held.form_of_address.clone(),
        flag: held.flag.clone(),
        facts: held
            .context
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
        number: held.facts.number.masked(),
        attempt,
        attempts_allowed,
        script,
        // The dialler says, by the rules.
        times: RingingTimes::default(),
    })
}

/// What stands in for the rules of a campaign whose own are not allowed: the strictest of its country, and
/// nobody is rung by them.
pub fn rules_to_end_by(row: &CampaignRow) -> CampaignRules {
    let form = &row.form;
    CampaignRules {
        id: row.id,
        zone: hours::zone(&form.time_zone).unwrap_or(TimeZone::UTC),
        abroad: form.abroad,
        region: Region::from_word(&form.country).unwrap_or(Region::EnglandAndWales),
        hours: Hours::Rules,
        spacing_ms: form.spacing_ms.max(SPACING_MS),
        attempts_allowed: form.attempts_allowed.max(1),
        ring_timeout_ms: form.ring_timeout_ms.max(LEAST_RINGING_MS),
        caller_id: form.caller_id.clone(),
        pause: row.seen_pause(),
        callable: false,
    }
}

/// The rules of a campaign.
///
/// # Errors
/// What is wrong with the row, for the organiser.
pub fn rules(row: &CampaignRow) -> Result<CampaignRules, String> {
    let form = &row.form;
    let zone = hours::zone(&form.time_zone)
        .ok_or_else(|| format!("{} is not the name of a time zone", form.time_zone))?;
    let region = Region::from_word(&form.country)
        .ok_or_else(|| format!("there are no calling rules for {} here", form.country))?;
    Ok(CampaignRules {
        id: row.id,
        zone,
        abroad: form.abroad,
        region,
        hours: form.hours,
        spacing_ms: form.spacing_ms,
        attempts_allowed: form.attempts_allowed,
        ring_timeout_ms: form.ring_timeout_ms,
        caller_id: form.caller_id.clone(),
        pause: row.seen_pause(),
        callable: true,
    })
}
