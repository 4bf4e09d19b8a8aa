//! A call that the callee asked for comes when they asked for it, whatever R16 says; hours and do-not-call bind.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "each test file uses a part of the support")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants and fails on the rest")]

mod support;

use dialler::{
    Adopted, AdoptedState, Answer, Ask, CallFacts, CampaignRules, ChannelState, ContactFacts, ContactNext,
    Input, Lease, LineFacts,
    hours::{Hours, Region},
    retry,
    rules::{Rule, may_ring, next_allowed},
    times,
};
use proptest::prelude::*;
use protocol::{
    outcome::{Outcome, RingAgain},
    session::{Session, Waiting},
    times::RingingTimes,
};
use support::*;

const DAY: i64 = 24 * HOUR;

fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Rung at these times, the last attempt of the list included.
fn rung(dialled: &[i64]) -> ContactFacts {
    let world = World::new(campaign(), 1);
    ContactFacts {
        attempts: dialled.len() as u32,
        dialled: dialled.to_vec(),
        ..world.row(contact_id(0)).facts.clone()
    }
}

/// When the contact is due if its callee, at `now`, asks to be rung then.
fn due(contact: &ContactFacts, rules: &CampaignRules, again: RingAgain, now: i64) -> Option<i64> {
    let asked = retry::instant_of(again, contact, rules, now);
    match retry::after(Outcome::Callback, Some(asked), contact, rules, now) {
        ContactNext::Due(at) => Some(at),
        ContactNext::Done => None,
    }
}

#[test]
fn ring_me_in_an_hour_is_an_hour_though_the_last_call_was_shortly_before() {
    // D5: Tuesday, dialled 12:55, ended 13:00.
    let (dialled, ended) = (ms("2026-11-24T12:55:00Z"), ms("2026-11-24T13:00:00Z"));
    let contact = rung(&[dialled]);
    assert_eq!(due(&contact, &campaign(), RingAgain::InAnHour, ended), Some(ms("2026-11-24T14:00:00Z")));
    // The second of D5: 19:50 and an hour is after closing time.
    let (dialled, ended) = (ms("2026-11-24T19:45:00Z"), ms("2026-11-24T19:50:00Z"));
    let contact = rung(&[dialled]);
    assert_eq!(due(&contact, &campaign(), RingAgain::InAnHour, ended), Some(ms("2026-11-25T09:30:00Z")));
}

#[test]
fn an_hour_is_a_real_one_when_the_clocks_change() {
    // D5: Saturday 28 March 2026, 23:30 UTC; the clocks go forward at 01:00 UTC.
    let (night, rules) = (ms("2026-03-28T23:30:00Z"), campaign());
    let always = CampaignRules { hours: Hours::Always, ..campaign() };
    let contact = rung(&[night - 5 * MINUTE]);
    assert_eq!(due(&contact, &always, RingAgain::InAnHour, night), Some(ms("2026-03-29T00:30:00Z")));
    assert_eq!(due(&contact, &always, RingAgain::InAnHour, night + HOUR), Some(ms("2026-03-29T01:30:00Z")));
    let opening = ms("2026-03-29T09:00:00Z");
    assert_eq!(due(&contact, &rules, RingAgain::InAnHour, night), Some(opening), "10:00 of the new time");
}

#[test]
fn no_limit_of_r16_holds_up_what_was_asked_for_but_hours_and_do_not_call_do() {
    let today = [NOON - 2 * HOUR, NOON - MINUTE];
    let week: Vec<i64> = (0..6).map(|day| NOON - 5 * DAY + day * DAY).collect();
    for dialled in [vec![NOON - 4 * HOUR, today[0], today[1]], week] {
        let unasked = rung(&dialled);
        assert_eq!(may_ring(&unasked, &campaign(), NOON + HOUR).unwrap_err().rule, Rule::R16);
        assert_eq!(due(&unasked, &campaign(), RingAgain::InAnHour, NOON), Some(NOON + HOUR));
        let promised = ContactFacts { promised: Some(NOON + HOUR), ..unasked };
        assert_eq!(may_ring(&promised, &campaign(), NOON + HOUR), Ok(()));
        assert_eq!(may_ring(&promised, &campaign(), NOON + 3 * HOUR), Ok(()), "late is kept too");
        let early = may_ring(&promised, &campaign(), NOON + HOUR - 1).unwrap_err();
        assert_eq!((early.rule, early.until), (Rule::R16, Some(NOON + HOUR)), "not before they asked for it");
        let evening = may_ring(&promised, &campaign(), ms("2026-11-23T20:30:00Z")).unwrap_err();
        assert_eq!((evening.rule, evening.until), (Rule::R15, Some(ms("2026-11-24T09:30:00Z"))));
        let never = ContactFacts { do_not_call: true, ..promised };
        assert_eq!(may_ring(&never, &campaign(), NOON + HOUR).unwrap_err().rule, Rule::R12);
    }
}

#[test]
fn only_a_callback_at_a_time_is_promised_and_only_once() {
    let contact = ContactFacts { promised: Some(NOON), ..rung(&[NOON]) };
    let after = |outcome, again_at| retry::after(outcome, again_at, &contact, &campaign(), NOON);
    assert_eq!(after(Outcome::Busy, None), ContactNext::Due(NOON + 2 * HOUR), "the promise was tried");
    assert_eq!(after(Outcome::NoAnswer, Some(NOON + HOUR)), ContactNext::Due(NOON + 4 * HOUR));
    let third = ContactFacts { promised: Some(NOON), ..rung(&[NOON - 4 * HOUR, NOON - 2 * HOUR, NOON]) };
    let rules = CampaignRules { attempts_allowed: 9, ..campaign() };
    let next = retry::after(Outcome::NoAnswer, None, &third, &rules, NOON);
    assert_eq!(next, ContactNext::Due(ms("2026-11-24T09:30:00Z")), "the fourth of the day");
    let used_up = ContactFacts { attempts: 3, ..third };
    assert_eq!(retry::after(Outcome::NoAnswer, None, &used_up, &campaign(), NOON), ContactNext::Done);
}

/// Maya has talked to the one contact, and writes down that they want to be rung in an hour.
fn promised() -> (World, protocol::ids::DeviceId, protocol::ids::AttemptId) {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(0);
    world.start(maya);
    let attempt = world.dial(maya);
    world.answer(attempt);
    world.now += MINUTE;
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.press(maya, attempt, Outcome::Callback), Some(Ok(Answer::Done)));
    (world, maya, attempt)
}

#[test]
fn the_desk_says_when_and_the_card_comes_then_and_may_be_called() {
    let (mut world, maya, _) = promised();
    let at = world.now + HOUR;
    let last = world.view(maya).last_outcome.unwrap();
    assert_eq!((last.outcome, last.again_at_ms), (Outcome::Callback, Some(at)));
    let why = Waiting::NobodyLeft { again: 1, next_at_ms: Some(at) };
    assert_eq!(world.view(maya).session, Session::Waiting { why });
    world.pass(HOUR - 1, &[maya]);
    assert!(!matches!(world.view(maya).session, Session::Ready { .. }));
    world.pass(2 * SECOND, &[maya]);
    let second = world.dial(maya);
    // Nobody answers: the promise was tried, the next one keeps its distance.
    world.feed(Input::CalleeRinging { attempt: second });
    world.pass(30 * SECOND, &[maya]);
    world.feed(Input::CalleeGone { attempt: second, cause: 19, sip: None });
    let row = world.row(contact_id(0));
    assert_eq!((row.last, row.facts.promised), (Some(Outcome::NoAnswer), None));
    assert!(row.due_at >= at + 4 * HOUR, "{}", row.due_at - at);
}

#[test]
fn a_correction_takes_the_promise_away() {
    let (mut world, maya, attempt) = promised();
    assert_eq!(world.press(maya, attempt, Outcome::Machine), Some(Ok(Answer::Done)));
    let row = world.row(contact_id(0));
    assert_eq!((row.facts.promised, row.due_at), (None, ms("2026-11-24T09:30:00Z")));
    let last = world.view(maya).last_outcome.unwrap();
    assert_eq!((last.outcome, last.again_at_ms), (Outcome::Machine, None));
    // And one to it makes it.
    assert_eq!(world.press(maya, attempt, Outcome::Callback), Some(Ok(Answer::Done)));
    let at = world.now + HOUR;
    assert_eq!(world.row(contact_id(0)).facts.promised, Some(at));
    assert_eq!(world.view(maya).last_outcome.unwrap().again_at_ms, Some(at));
}

#[test]
fn a_promise_outlives_the_server_and_the_call_that_keeps_it_does_not() {
    let (mut world, maya, _) = promised();
    world.restart(campaign());
    world.back(Vec::new(), Vec::new());
    world.now += HOUR;
    world.start(maya);
    let second = world.dial(maya);
    world.answer(second);
    // It stops again while they talk.
    let row = world.attempts[&second].clone();
    let contact = world.row(row.contact).facts.clone();
    assert_eq!(contact.promised, Some(world.now - 5 * SECOND), "no attempt was closed since");
    let card = protocol::contact::Card {
        lease_id: row.lease,
        name: "Margaret Hollis".to_owned(),
        form_of_address: String::new(),
        flag: None,
        facts: Vec::new(),
        number: contact.number.masked(),
        attempt: 2,
        attempts_allowed: 3,
        script: Vec::new(),
        times: RingingTimes::default(),
    };
    let lease = Lease { id: row.lease, contact, card, expires_at: 0 };
    let state = AdoptedState::Talking { ringing_at: None, answered_at: world.now };
    let dialled_at = row.dialled_at;
    world.restart(campaign());
    world.feed(Input::Adopted(Box::new(Adopted {
        attempt: second,
        device: maya,
        lease,
        state,
        dialled_at,
        kept: None,
    })));
    let line =
        LineFacts { device: maya, campaign: campaign_id(0), line: dialler::LineId("line-2".to_owned()) };
    world.back(vec![CallFacts { attempt: second, state: ChannelState::Up }], vec![line]);
    let Session::Talking { card, .. } = world.view(maya).session else { panic!("not adopted") };
    assert!(!card.times.days.is_empty(), "it says again what an hour comes to");
    world.feed(Input::CalleeGone { attempt: second, cause: 16, sip: None });
    assert_eq!(world.press(maya, second, Outcome::Busy), Some(Ok(Answer::Done)));
    let row = world.row(contact_id(0));
    assert_eq!((row.facts.promised, row.due_at), (None, dialled_at + 2 * HOUR + 5 * SECOND));
}

#[test]
fn a_call_that_reaches_no_telephone_keeps_no_promise() {
    let endings =
        [(16, Some(487), true), (27, Some(502), false), (1, Some(404), false), (42, Some(503), false)];
    for (cause, sip, is_cancelled) in endings {
        let (mut world, maya, _) = promised();
        let promise = world.row(contact_id(0)).facts.promised;
        let attempts = world.row(contact_id(0)).facts.attempts;
        world.pass(HOUR, &[maya]);
        let attempt = world.dial(maya);
        if is_cancelled {
            world.ask(maya, Ask::HangUp { attempt });
        }
        world.feed(dialler::Input::CalleeGone { attempt, cause, sip });
        let row = world.row(contact_id(0));
        assert_eq!((row.facts.promised, row.facts.attempts), (promise, attempts), "{cause}");
        assert_eq!(row.due_at, world.wall() + 15 * MINUTE, "{cause}");
    }
}

#[test]
fn nobody_is_rung_by_promises_without_end() {
    let (mut world, maya, attempt) = promised();
    let dialled_at = world.attempts[&attempt].dialled_at;
    for at_ms in [0, world.now, world.now + MINUTE] {
        let record = protocol::http::RecordOutcome {
            again: Some(RingAgain::At { at_ms }),
            ..world.record(attempt, Outcome::Callback)
        };
        let stored = world.stored(attempt);
        assert_eq!(world.ask(maya, Ask::Record { record, stored }), Some(Ok(Answer::Done)));
        let row = world.row(contact_id(0));
        let soonest = dialled_at + 30 * MINUTE;
        assert_eq!((row.facts.promised, row.due_at), (Some(soonest), soonest), "{at_ms}");
    }
}

#[test]
fn a_time_with_another_outcome_means_nothing() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(0);
    world.start(maya);
    let attempt = world.dial(maya);
    world.answer(attempt);
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    let record = protocol::http::RecordOutcome {
        again: Some(RingAgain::At { at_ms: world.now }),
        ..world.record(attempt, Outcome::Busy)
    };
    assert_eq!(world.ask(maya, Ask::Record { record, stored: None }), Some(Ok(Answer::Done)));
    let row = world.row(contact_id(0));
    assert_eq!((row.facts.promised, row.due_at), (None, world.now + 2 * HOUR));
}

/// What a screen makes of the times of a card.
fn kept(times: &RingingTimes, again: RingAgain, asked: bool, now: i64) -> Option<i64> {
    let wanted = match again {
        RingAgain::InAnHour => now + HOUR,
        RingAgain::Tomorrow => times.days.iter().find(|day| day.starts_ms > now)?.morning_ms,
        RingAgain::At { at_ms } => at_ms,
    };
    let from = if asked { wanted } else { wanted.max(times.unasked_from_ms) };
    let day = times.days.iter().find(|day| day.last_ms >= from)?;
    Some(from.max(day.opens_ms))
}

#[test]
fn the_card_says_what_an_hour_and_tomorrow_come_to() {
    let now = ms("2026-11-24T19:50:00Z");
    let contact = rung(&[now - 5 * MINUTE]);
    let times = times::of(&contact, &campaign(), now);
    assert_eq!(times.time_zone.as_deref(), Some("Europe/London"));
    assert_eq!(kept(&times, RingAgain::InAnHour, true, now), Some(ms("2026-11-25T09:30:00Z")));
    assert_eq!(kept(&times, RingAgain::Tomorrow, true, now), Some(ms("2026-11-25T09:30:00Z")));
    let noon = times::of(&rung(&[NOON - 5 * MINUTE]), &campaign(), NOON);
    assert_eq!(kept(&noon, RingAgain::InAnHour, true, NOON), Some(NOON + HOUR), "asked for");
    assert_eq!(kept(&noon, RingAgain::InAnHour, false, NOON), Some(NOON + 115 * MINUTE), "R16");
}

#[test]
fn the_card_names_a_place_elsewhere_only_where_the_clocks_are_others() {
    let named = |zones: &[&str]| {
        let contact = ContactFacts { place: at(zones), ..rung(&[]) };
        times::of(&contact, &campaign(), NOON).time_zone.unwrap()
    };
    // A mobile of the United Kingdom, which the islands share.
    assert_eq!(
        named(&["Europe/Guernsey", "Europe/Isle_of_Man", "Europe/Jersey", "Europe/London"]),
        "Europe/London"
    );
    // The same time now, and not next month; by then another card says so.
    assert_eq!(named(&["Africa/Abidjan"]), "Europe/London");
    assert_eq!(named(&["Europe/Paris", "Europe/London"]), "Europe/Paris");
    // Days before the clocks change they are not alike.
    let contact = ContactFacts { place: at(&["Africa/Abidjan"]), ..rung(&[]) };
    let march = times::of(&contact, &campaign(), ms("2026-03-20T12:00:00Z"));
    assert_eq!(march.time_zone.as_deref(), Some("Africa/Abidjan"));
}

proptest! {
    #[test]
    fn what_the_card_says_is_what_the_server_keeps(
        now in ms("2026-01-05T00:00:00Z")..ms("2028-12-20T00:00:00Z"),
        at_hand in 0i64..20 * HOUR,
        ages in proptest::collection::vec(0i64..8 * DAY, 0..8),
        again in prop_oneof![Just(RingAgain::InAnHour), Just(RingAgain::Tomorrow)],
        hours in prop_oneof![Just(Hours::Rules), Just(Hours::Always)],
        asked in any::<bool>(),
    ) {
        let rules = CampaignRules { hours, region: Region::UnitedKingdom, ..campaign() };
        let contact = rung(&ages.iter().map(|age| now - age).collect::<Vec<_>>());
        let said = kept(&times::of(&contact, &rules, now), again, asked, now + at_hand);
        let promised = if asked { Some(now) } else { None };
        let contact = ContactFacts { promised, ..contact };
        let wanted = retry::instant_of(again, &contact, &rules, now + at_hand);
        prop_assert_eq!(said, next_allowed(&contact, &rules, wanted));
    }
}
