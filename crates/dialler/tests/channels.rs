//! The trunk has room for so many calls, and lets so many begin in a second: who waits, and what becomes of it.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "each test file uses a part of the support")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants and fails on the rest")]

mod support;

use std::num::NonZeroU32;

use dialler::{Answer, Ask, CallFacts, CampaignRules, ChannelState, Input, LineFacts, Output, TrunkLimits};
use protocol::{
    call::CallState,
    http::{ErrorCode, Settle},
    ids::{AttemptId, DeviceId},
    outcome::Outcome,
    session::{Pause, Session, Waiting},
};
use support::*;

fn limits(channels: u32, calls_per_second: u32) -> Input {
    Input::TrunkLimits(TrunkLimits {
        channels: NonZeroU32::new(channels),
        calls_per_second: NonZeroU32::new(calls_per_second),
    })
}

/// So many volunteers with a card each.
fn desks(volunteers: u32, limits: Input) -> World {
    let mut world = World::new(campaign(), volunteers);
    world.feed(limits);
    for n in 0..volunteers {
        world.start(device_id(n));
    }
    world.now += 10 * SECOND;
    world
}

/// Presses Call.
fn call(world: &mut World, n: u32) -> Answer {
    let device = device_id(n);
    let lease = world.card(device).lease_id;
    let ask = world.dial_ask(lease);
    world.ask(device, ask).unwrap().unwrap()
}

fn attempt(answer: Answer) -> AttemptId {
    match answer {
        Answer::Dialled(attempt) | Answer::InLine(attempt) => attempt,
        Answer::Done => panic!("nobody was dialled"),
    }
}

fn is_in_line(world: &World, device: DeviceId) -> bool {
    match world.view(device).session {
        Session::Dialling { call, .. } => matches!(call.state, CallState::InLine { .. }),
        _ => false,
    }
}

/// Two volunteers; the first has the only channel, the second waits.
fn one_waits() -> (World, AttemptId, AttemptId) {
    let mut world = desks(2, limits(1, 0));
    let first = attempt(call(&mut world, 0));
    let answer = call(&mut world, 1);
    let Answer::InLine(second) = answer else { panic!("{answer:?}") };
    assert!(is_in_line(&world, device_id(1)));
    assert_eq!(world.dialler.trunk_use(), (1, 1));
    (world, first, second)
}

fn is_untouched(world: &World, n: u32) {
    let row = world.row(contact_id(n));
    assert_eq!((row.facts.attempts, row.facts.dialled.len()), (0, 0), "nothing was written");
    assert!(world.attempts.values().all(|attempt| attempt.contact != contact_id(n)));
    assert_eq!(world.unexpected, []);
}

#[test]
fn a_press_that_finds_no_channel_waits_and_is_dialled_when_one_is_free() {
    let (mut world, first, second) = one_waits();
    is_untouched(&world, 1);
    world.feed(Input::CalleeGone { attempt: first, cause: 17, sip: None });
    assert!(world.created.contains(&second), "its turn came with the end of the other");
    assert_eq!(world.attempts[&second].dialled_at, world.wall());
    assert!(!is_in_line(&world, device_id(1)));
    assert_eq!(world.dialler.trunk_use(), (1, 0));
    assert_eq!(world.unexpected, []);
}

#[test]
fn the_line_is_served_in_its_order_and_the_limit_is_never_passed() {
    let mut world = desks(6, limits(2, 0));
    let asked: Vec<AttemptId> = (0..6).map(|n| attempt(call(&mut world, n))).collect();
    for n in 0..6 {
        let dialled: Vec<AttemptId> = asked.iter().copied().filter(|id| world.created.contains(id)).collect();
        assert_eq!(dialled, asked[..(n + 2).min(6)], "after {n} ends");
        assert!(world.dialler.trunk_use().0 <= 2);
        world.feed(Input::CalleeGone { attempt: asked[n], cause: 17, sip: None });
    }
    assert_eq!(world.dialler.trunk_use(), (0, 0));
}

#[test]
fn so_many_begin_in_a_second_and_the_others_a_second_later() {
    let mut world = desks(5, limits(0, 2));
    let asked: Vec<AttemptId> = (0..5).map(|n| attempt(call(&mut world, n))).collect();
    assert_eq!(world.created.len(), 2);
    // Until Asterisk says that it dials, nobody knows when the INVITE leaves.
    world.pass(3 * SECOND, &[]);
    assert_eq!(world.created.len(), 2);
    for id in &asked[..2] {
        world.feed(Input::CalleeDialled { attempt: *id });
    }
    world.pass(SECOND, &[]);
    assert_eq!(world.created.len(), 2, "less than a second and a margin");
    world.pass(SECOND / 10, &[]);
    assert_eq!(world.created.len(), 4);
    for id in &asked[2..4] {
        // Another Asterisk might not say that it dials.
        world.feed(Input::CalleeRinging { attempt: *id });
    }
    world.pass(2 * SECOND, &[]);
    assert_eq!(world.created.len(), 5);
}

#[test]
fn whoever_hangs_up_in_line_keeps_the_card_and_nobody_is_rung() {
    let (mut world, first, second) = one_waits();
    assert_eq!(world.ask(device_id(1), Ask::HangUp { attempt: second }), Some(Ok(Answer::Done)));
    let card = world.card(device_id(1));
    world.feed(Input::CalleeGone { attempt: first, cause: 17, sip: None });
    assert!(!world.created.contains(&second));
    is_untouched(&world, 1);
    // The card can be called again.
    let ask = world.dial_ask(card.lease_id);
    assert!(matches!(world.ask(device_id(1), ask), Some(Ok(Answer::Dialled(_)))));
}

#[test]
fn in_line_the_same_press_is_the_same_call_and_other_presses_are_refused() {
    let (mut world, _, second) = one_waits();
    let maya = device_id(1);
    let Session::Dialling { card, .. } = world.view(maya).session else { panic!("not in line") };
    let ask = world.dial_ask(card.lease_id);
    assert_eq!(world.ask(maya, ask), Some(Ok(Answer::InLine(second))));
    assert_eq!(world.dialler.trunk_use(), (1, 1));
    let skipped = world.ask(maya, Ask::Settle { lease: card.lease_id, how: Settle::Skip });
    assert_eq!(skipped.unwrap().unwrap_err().code, ErrorCode::WrongState);
    let record = world.record(second, Outcome::Reached);
    let recorded = world.ask(maya, Ask::Record { record, stored: None });
    assert_eq!(recorded.unwrap().unwrap_err().code, ErrorCode::NotFound);
    assert!(is_in_line(&world, maya));
    is_untouched(&world, 1);
}

#[test]
fn whoever_cannot_be_called_for_any_more_leaves_the_line() {
    type Event = (&'static str, fn(&mut World));
    let events: [Event; 7] = [
        ("the line is lost", |world| {
            let device = device_id(1);
            let ask = world.new_line();
            world.ask(device, ask);
        }),
        ("Asterisk is gone", |world| world.feed(Input::TelephoneGone)),
        ("the volunteer pauses", |world| drop(world.ask(device_id(1), Ask::Pause))),
        ("the volunteer stops", |world| drop(world.ask(device_id(1), Ask::Stop))),
        ("the organiser pauses", |world| {
            let pause = Some(Pause { by: Some("Ruth".to_owned()), message: None });
            world.feed(Input::Campaign(CampaignRules { pause, ..campaign() }));
        }),
        ("the device is switched off", |world| world.feed(Input::Revoked { device: device_id(1) })),
        ("nothing is heard of the app", |world| world.pass(2 * MINUTE, &[device_id(0)])),
    ];
    for (what, event) in events {
        let (mut world, first, second) = one_waits();
        event(&mut world);
        assert!(!is_in_line(&world, device_id(1)), "{what}");
        assert_eq!(world.dialler.trunk_use().1, 0, "{what}");
        world.feed(Input::CalleeGone { attempt: first, cause: 17, sip: None });
        assert!(!world.created.contains(&second), "{what}");
        is_untouched(&world, 1);
    }
}

#[test]
fn the_hours_end_in_line_too() {
    let (mut world, first, second) = one_waits();
    // The line is asked at each end of a call; the hours at 20:30.
    world.pass(9 * HOUR, &[device_id(0), device_id(1)]);
    assert!(matches!(
        world.view(device_id(1)).session,
        Session::Waiting { why: Waiting::OutsideHours { .. } }
    ));
    world.feed(Input::CalleeGone { attempt: first, cause: 17, sip: None });
    assert!(!world.created.contains(&second));
    is_untouched(&world, 1);
}

#[test]
fn a_number_that_waits_in_line_is_rung_for_nobody_else() {
    let mut world = desks(3, limits(1, 0));
    // Two lists, one number.
    for row in &mut world.rows {
        if row.facts.contact == contact_id(2) {
            row.facts.number = number(1);
        }
    }
    attempt(call(&mut world, 0));
    let waits = call(&mut world, 1);
    assert!(matches!(waits, Answer::InLine(_)));
    let lease = world.card(device_id(2)).lease_id;
    let ask = world.dial_ask(lease);
    let refused = world.ask(device_id(2), ask).unwrap().unwrap_err();
    assert_eq!(refused.code, ErrorCode::RefusedByRule);
}

#[test]
fn a_place_whose_write_was_refused_goes_to_the_next() {
    let mut world = desks(3, limits(1, 0));
    let first = attempt(call(&mut world, 0));
    let (second, third) = (attempt(call(&mut world, 1)), attempt(call(&mut world, 2)));
    world.disk_is_full = true;
    world.feed(Input::CalleeGone { attempt: first, cause: 17, sip: None });
    assert!(!world.created.contains(&second) && !world.created.contains(&third));
    assert_eq!(world.dialler.trunk_use(), (0, 0), "each had its turn, and keeps the card");
    world.card(device_id(1));
    world.card(device_id(2));
    world.disk_is_full = false;
    assert!(matches!(call(&mut world, 2), Answer::Dialled(_)));
}

#[test]
fn after_a_restart_the_calls_that_are_up_count_and_the_line_is_empty() {
    let mut world = desks(3, limits(2, 0));
    let up = [attempt(call(&mut world, 0)), attempt(call(&mut world, 1))];
    attempt(call(&mut world, 2));
    world.restart(campaign());
    world.give(limits(2, 0));
    let facts = |attempt| CallFacts { attempt, state: ChannelState::Up };
    let line =
        LineFacts { device: device_id(2), campaign: campaign_id(0), line: dialler::LineId("l".into()) };
    let row = world.rows.iter_mut().find(|row| row.facts.contact == contact_id(2)).unwrap();
    row.leased = None;
    world.back(up.map(facts).to_vec(), vec![line]);
    assert_eq!(world.dialler.trunk_use(), (2, 0));
    is_untouched(&world, 2);
    // Both belong to nobody here and are hung up; they count until they are gone.
    world.feed(Input::Ping { device: device_id(2) });
    let waits = call(&mut world, 2);
    assert!(matches!(waits, Answer::InLine(_)));
    world.feed(Input::CalleeGone { attempt: up[0], cause: 16, sip: None });
    assert!(world.created.contains(&attempt(waits)));
}

#[test]
fn a_limit_that_is_taken_away_lets_everybody_go() {
    let (mut world, _, second) = one_waits();
    let mark = world.said.len();
    world.feed(limits(0, 0));
    assert!(world.created.contains(&second));
    let created = |output: &&Output| matches!(output, Output::CreateChannel { .. });
    assert_eq!(world.since(mark).iter().filter(created).count(), 1);
}
