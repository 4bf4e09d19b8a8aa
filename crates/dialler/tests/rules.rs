//! R12, R15, R16, R19, the retry table and the settings a campaign may have.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "each test file uses a part of the support")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants and fails on the rest")]

mod support;

use dialler::{
    CampaignRules, ContactFacts, ContactNext, Place,
    hours::{Hours, Region, Week, Window},
    retry,
    rules::{BadCampaign, Rule, TrunkKind, may_ring, next_allowed},
};
use proptest::prelude::*;
use protocol::outcome::{Outcome, RingAgain};
use support::*;

const DAY: i64 = 24 * HOUR;

fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn contact(dialled: &[i64]) -> ContactFacts {
    ContactFacts {
        uncounted: 0,
        contact: contact_id(0),
        campaign: campaign_id(0),
        number: number(0),
        place: at(&["Europe/London"]),
        from_import: true,
        do_not_call: false,
        open: true,
        promised: None,
        attempts: dialled.len() as u32,
        dialled: dialled.to_vec(),
    }
}

fn abroad(zones: &[&str]) -> ContactFacts {
    ContactFacts { place: Place { abroad: true, ..at(zones) }, ..contact(&[]) }
}

fn refusal(contact: &ContactFacts, now: i64) -> Option<(Rule, Option<i64>)> {
    may_ring(contact, &campaign(), now).err().map(|refusal| (refusal.rule, refusal.until))
}

#[test]
fn noon_is_noon() {
    assert_eq!(NOON, ms("2026-11-23T12:00:00Z"));
}

#[test]
fn who_asked_not_to_be_rung_or_is_on_no_list_is_never_rung() {
    let good = contact(&[]);
    assert_eq!(refusal(&good, NOON), None);
    let refused = |contact: ContactFacts| refusal(&contact, NOON);
    assert_eq!(refused(ContactFacts { do_not_call: true, ..good.clone() }), Some((Rule::R12, None)));
    assert_eq!(refused(ContactFacts { from_import: false, ..good.clone() }), Some((Rule::R19, None)));
    assert_eq!(refused(ContactFacts { open: false, ..good }), Some((Rule::Done, None)));
}

#[test]
fn two_hours_lie_between_attempts() {
    let rung = contact(&[NOON]);
    assert_eq!(refusal(&rung, NOON + 2 * HOUR - 1), Some((Rule::R16, Some(NOON + 2 * HOUR))));
    assert_eq!(refusal(&rung, NOON + 2 * HOUR), None);
}

#[test]
fn a_number_is_rung_three_times_a_local_day() {
    // 10:00, 12:00 and 14:00 on Monday; the next may come on Tuesday at 09:30.
    let rung = contact(&[NOON - 2 * HOUR, NOON, NOON + 2 * HOUR]);
    assert_eq!(refusal(&rung, NOON + 6 * HOUR), Some((Rule::R16, Some(ms("2026-11-24T09:30:00Z")))));
    assert_eq!(refusal(&rung, ms("2026-11-24T09:30:00Z")), None);
}

#[test]
fn a_local_day_has_twenty_five_hours_when_the_clocks_go_back() {
    let rules = CampaignRules { hours: Hours::Always, spacing_ms: 0, ..campaign() };
    // 25 October 2026: midnight to midnight is 23:00 UTC to 00:00 UTC, 25 hours.
    let first = ms("2026-10-24T23:00:00Z");
    let rung = contact(&[first, first + HOUR, first + 2 * HOUR]);
    let last_second = ms("2026-10-25T23:59:59Z");
    assert_eq!(may_ring(&rung, &rules, last_second).unwrap_err().rule, Rule::R16);
    assert_eq!(may_ring(&rung, &rules, ms("2026-10-26T00:00:00Z")), Ok(()));
    let eve = contact(&[first - 1, first + HOUR, first + 2 * HOUR]);
    assert_eq!(may_ring(&eve, &rules, last_second), Ok(()), "one of them was the day before");
}

#[test]
fn a_number_is_rung_six_times_in_seven_days() {
    let times: Vec<i64> = [0, 1, 2, 3, 4, 5].map(|day| NOON - 6 * DAY + day * DAY).to_vec();
    let rung = contact(&times);
    assert_eq!(refusal(&rung, NOON), Some((Rule::R16, Some(NOON + DAY))));
    assert_eq!(refusal(&rung, NOON + DAY - 1).unwrap().0, Rule::R16);
    assert_eq!(refusal(&rung, NOON + DAY), None, "the first is seven days old");
}

/// Case D6, as it reads: July, a campaign of London.
#[test]
fn nobody_abroad_is_rung_at_night() {
    let campaign = CampaignRules { abroad: true, ..campaign() };
    let opens = |zones: &[&str], now: &str| match may_ring(&abroad(zones), &campaign, ms(now)) {
        Ok(()) => ms(now),
        Err(refusal) => {
            assert_eq!(refusal.rule, Rule::R15, "{zones:?} at {now}");
            refusal.until.unwrap()
        }
    };
    let (ten, noon) = ("2026-07-14T09:00:00Z", "2026-07-14T11:00:00Z");
    assert_eq!(opens(&["America/New_York"], ten), ms("2026-07-14T13:30:00Z"), "+1 212: 09:30 there");
    assert_eq!(opens(&["America/Los_Angeles"], ten), ms("2026-07-14T16:30:00Z"), "+1 916: 09:30 there");
    assert_eq!(opens(&["Australia/Sydney"], ten), ms(ten), "+61 2: 19:00 there");
    assert_eq!(opens(&["Australia/Sydney"], noon), ms("2026-07-15T08:30:00Z"), "21:00 there");
    // Where it may be either, both must be open.
    let coasts = ["America/New_York", "America/Los_Angeles"];
    assert_eq!(opens(&coasts, "2026-07-14T14:00:00Z"), ms("2026-07-14T16:30:00Z"));
}

#[test]
fn the_campaigns_own_hours_bind_too() {
    let campaign = CampaignRules { abroad: true, ..campaign() };
    let evening = ms("2026-07-14T20:00:00Z"); // 16:00 in New York, 21:00 in London
    let refusal = may_ring(&abroad(&["America/New_York"]), &campaign, evening).unwrap_err();
    assert_eq!((refusal.rule, refusal.until), (Rule::R15, Some(ms("2026-07-15T13:30:00Z"))));
}

#[test]
fn a_number_abroad_or_of_nowhere_is_never_rung_unless_the_campaign_says_so_and_its_zone_is_known() {
    let all_hours = CampaignRules { hours: Hours::Always, ..campaign() };
    let never = |contact: &ContactFacts, campaign: &CampaignRules| {
        let refusal = may_ring(contact, campaign, NOON).unwrap_err();
        assert_eq!((refusal.until, next_allowed(contact, campaign, NOON)), (None, None));
        refusal.rule
    };
    assert_eq!(never(&abroad(&["Europe/Paris"]), &all_hours), Rule::Abroad);
    assert_eq!(never(&abroad(&[]), &CampaignRules { abroad: true, ..all_hours.clone() }), Rule::R15);
    let nowhere = ContactFacts { place: at(&[]), ..contact(&[]) };
    assert_eq!(never(&nowhere, &all_hours), Rule::R15);
    // Hours that are never open together.
    let far = abroad(&["Pacific/Auckland"]);
    assert_eq!(never(&far, &CampaignRules { abroad: true, ..campaign() }), Rule::R15);
}

#[test]
fn a_day_with_three_attempts_is_a_day_of_any_of_the_zones() {
    let campaign = CampaignRules { abroad: true, hours: Hours::Always, spacing_ms: 0, ..campaign() };
    // 23:00 to 01:00 in London is one evening in New York.
    let first = ms("2026-07-14T22:00:00Z");
    let rung = ContactFacts {
        dialled: vec![first, first + HOUR, first + 2 * HOUR],
        ..abroad(&["America/New_York"])
    };
    let refusal = may_ring(&rung, &campaign, first + 3 * HOUR).unwrap_err();
    assert_eq!((refusal.rule, refusal.until), (Rule::R16, Some(ms("2026-07-15T04:00:00Z"))));
}

#[test]
fn a_longer_ring_timeout_ends_calling_earlier() {
    let rules = CampaignRules { ring_timeout_ms: 60 * SECOND, ..campaign() };
    assert_eq!(may_ring(&contact(&[]), &rules, ms("2026-11-23T20:29:00Z")), Ok(()));
    assert_eq!(may_ring(&contact(&[]), &rules, ms("2026-11-23T20:29:01Z")).unwrap_err().rule, Rule::R15);
}

#[test]
fn retry_times_are_those_of_the_table() {
    let rung = contact(&[NOON]);
    let after = |outcome| retry::after(outcome, None, &rung, &campaign(), NOON);
    let tomorrow = ContactNext::Due(ms("2026-11-24T09:30:00Z"));
    for (outcome, next) in [
        (Outcome::Busy, ContactNext::Due(NOON + 2 * HOUR)),
        (Outcome::NoAnswer, ContactNext::Due(NOON + 4 * HOUR)),
        (Outcome::Machine, tomorrow),
        (Outcome::Failed, tomorrow),
        (Outcome::Unknown, tomorrow),
        (Outcome::Screened, tomorrow),
        (Outcome::Callback, tomorrow),
        (Outcome::Abandoned, ContactNext::Due(NOON + 72 * HOUR)),
        (Outcome::Reached, ContactNext::Done),
        (Outcome::Refused, ContactNext::Done),
        (Outcome::WrongNumber, ContactNext::Done),
        (Outcome::DoNotCall, ContactNext::Done),
        (Outcome::Other, ContactNext::Done),
    ] {
        assert_eq!(after(outcome), next, "{outcome:?}");
        assert_eq!(retry::is_final(outcome), next == ContactNext::Done, "{outcome:?}");
    }
}

#[test]
fn a_retry_past_closing_time_waits_for_the_morning() {
    // Saturday 21 November 2026, 18:00; Sunday opens at 10:00.
    let evening = ms("2026-11-21T18:00:00Z");
    let rung = contact(&[evening]);
    let next = retry::after(Outcome::NoAnswer, None, &rung, &campaign(), evening);
    assert_eq!(next, ContactNext::Due(ms("2026-11-22T10:00:00Z")));
    // New Year's Eve to New Year's Day, a Friday with Sunday's hours.
    let eve = ms("2026-12-31T19:00:00Z");
    let next = retry::after(Outcome::Busy, None, &contact(&[eve]), &campaign(), eve);
    assert_eq!(next, ContactNext::Due(ms("2027-01-01T10:00:00Z")));
}

#[test]
fn a_third_attempt_of_the_day_moves_the_retry_to_the_next() {
    let rung = contact(&[NOON - 2 * HOUR, NOON, NOON + 2 * HOUR]);
    let rules = CampaignRules { attempts_allowed: 9, ..campaign() };
    let next = retry::after(Outcome::Busy, None, &rung, &rules, NOON + 2 * HOUR);
    assert_eq!(next, ContactNext::Due(ms("2026-11-24T09:30:00Z")));
}

#[test]
fn the_last_attempt_is_the_last_but_a_callback_is_kept() {
    let rung = ContactFacts { attempts: 3, ..contact(&[NOON]) };
    assert_eq!(retry::after(Outcome::Busy, None, &rung, &campaign(), NOON), ContactNext::Done);
    let again_at =
        Some(retry::instant_of(RingAgain::At { at_ms: NOON + 5 * HOUR }, &rung, &campaign(), NOON));
    let next = retry::after(Outcome::Callback, again_at, &rung, &campaign(), NOON);
    assert_eq!(next, ContactNext::Due(NOON + 5 * HOUR));
}

#[test]
fn later_means_a_time_of_the_callees_day() {
    let at = |again| retry::instant_of(again, &contact(&[]), &campaign(), NOON);
    assert_eq!(at(RingAgain::InAnHour), NOON + HOUR);
    assert_eq!(at(RingAgain::Tomorrow), ms("2026-11-24T09:30:00Z"));
    assert_eq!(at(RingAgain::At { at_ms: 0 }), NOON, "not in the past");
    assert_eq!(at(RingAgain::At { at_ms: i64::MAX }), NOON + 365 * DAY);
}

#[test]
fn settings_for_a_simulated_trunk_are_refused_towards_people() {
    let always = CampaignRules { hours: Hours::Always, ..campaign() };
    let close = CampaignRules { spacing_ms: 0, ..campaign() };
    for (rules, refusal) in [(always, BadCampaign::AlwaysOpen), (close, BadCampaign::TooClose)] {
        assert_eq!(rules.check(TrunkKind::Simulated), Ok(()));
        assert_eq!(rules.check(TrunkKind::Sip), Err(refusal));
        assert!(refusal.to_string().contains("simulated"), "{refusal}");
    }
    let week = Week { sunday: Window { open: 8 * 60, close: 20 * 60 }, ..Week::DEFAULT };
    let early = CampaignRules { hours: Hours::Own(week), ..campaign() };
    assert_eq!(early.check(TrunkKind::Simulated), Err(BadCampaign::HoursTooWide));
    let short = CampaignRules { ring_timeout_ms: 14_999, ..campaign() };
    assert_eq!(short.check(TrunkKind::Simulated), Err(BadCampaign::RingTimeout));
    assert_eq!(campaign().check(TrunkKind::Sip), Ok(()));
}

proptest! {
    #[test]
    fn the_next_allowed_time_is_allowed_and_keeps_every_limit(
        from in ms("2026-01-05T00:00:00Z")..ms("2028-12-20T00:00:00Z"),
        ages in proptest::collection::vec(0i64..8 * DAY, 0..9),
        region in prop_oneof![Just(Region::Scotland), Just(Region::UnitedKingdom)],
    ) {
        let rules = CampaignRules { region, ..campaign() };
        let contact = contact(&ages.iter().map(|age| from - age).collect::<Vec<_>>());
        let next = next_allowed(&contact, &rules, from).unwrap();
        prop_assert!(next >= from);
        prop_assert_eq!(may_ring(&contact, &rules, next), Ok(()));
        let week = contact.dialled.iter().filter(|then| **then > next - 7 * DAY).count();
        prop_assert!(week < 6);
        prop_assert!(contact.dialled.iter().all(|then| next - then >= 2 * HOUR));
        prop_assert!(next == from || may_ring(&contact, &rules, from).is_err());
        if let Err(refusal) = may_ring(&contact, &rules, from) {
            prop_assert_eq!(refusal.until, Some(next));
        }
    }
}
