//! Cards that are passed on without a call: how many, and what comes after too many.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "each test file uses a part of the support")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants and fails on the rest")]

mod support;

use dialler::{Answer, Ask, CampaignRules, Input, Output, hours::Hours};
use protocol::{
    http::{ApiError, ErrorCode, Settle},
    ids::DeviceId,
    line::Line,
    outcome::RingAgain,
    session::{Session, Waiting},
};
use support::*;

const LATER: Settle = Settle::Later { again: RingAgain::Tomorrow };

/// Maya at her desk with a long list, at an hour when nothing else keeps a card back.
fn evening() -> (World, DeviceId) {
    let mut world = World::new(CampaignRules { hours: Hours::Always, ..campaign() }, 200);
    let maya = device_id(1);
    world.start(maya);
    (world, maya)
}

fn pass_on(world: &mut World, device: DeviceId, how: Settle) -> Result<Answer, ApiError> {
    let lease = world.card(device).lease_id;
    world.ask(device, Ask::Settle { lease, how }).unwrap()
}

fn pass_on_all_she_may(world: &mut World, device: DeviceId, how: Settle) {
    for _ in 0..20 {
        assert_eq!(pass_on(world, device, how), Ok(Answer::Done));
    }
}

fn waits_until(world: &World, device: DeviceId) -> i64 {
    match world.view(device).session {
        Session::Waiting { why: Waiting::PassedOn { next_at_ms } } => next_at_ms,
        other => panic!("no such wait: {other:?}"),
    }
}

fn told(world: &World) -> usize {
    world.said.iter().filter(|output| matches!(output, Output::PassesOnMany { .. })).count()
}

fn marked(world: &World) -> usize {
    world.rows.iter().filter(|row| row.facts.do_not_call).count()
}

#[test]
fn the_twenty_first_skip_is_refused_for_a_minute_and_its_card_may_be_called() {
    for how in [Settle::Skip, LATER] {
        let (mut world, maya) = evening();
        pass_on_all_she_may(&mut world, maya, how);
        let card = world.card(maya);
        let refusal = pass_on(&mut world, maya, how).unwrap_err();
        assert_eq!((refusal.code, refusal.again_at_ms), (ErrorCode::TooMany, Some(NOON + MINUTE)));
        assert!(refusal.message.contains("20 people without a call"), "{}", refusal.message);
        assert_eq!((world.card(maya).lease_id, told(&world)), (card.lease_id, 1));
        world.pass(MINUTE, &[maya]);
        assert_eq!(pass_on(&mut world, maya, how), Ok(Answer::Done));
        assert!(pass_on(&mut world, maya, how).is_err());
        assert_eq!(told(&world), 1, "now and then");
        world.dial(maya);
    }
}

#[test]
fn do_not_call_is_never_refused_and_beyond_the_allowance_the_next_card_waits() {
    let (mut world, maya) = evening();
    pass_on_all_she_may(&mut world, maya, Settle::DoNotCall);
    assert_eq!(told(&world), 0);
    world.now += 10 * SECOND;
    assert_eq!(pass_on(&mut world, maya, Settle::DoNotCall), Ok(Answer::Done));
    assert_eq!((marked(&world), told(&world)), (21, 1));
    assert_eq!(waits_until(&world, maya), NOON + MINUTE);
    assert_eq!(world.view(maya).line, Line::Up, "nothing else is taken away");
    let mark = world.said.len();
    world.pass(50 * SECOND - 1, &[maya]);
    assert_eq!(waits_until(&world, maya), NOON + MINUTE);
    assert!(
        !world
            .since(mark)
            .iter()
            .any(|output| matches!(output, Output::WantLease { .. } | Output::Tell { .. }))
    );
    world.pass(1, &[maya]);
    // She may call this one; to pass it on she would need another minute.
    world.card(maya);
    assert_eq!(pass_on(&mut world, maya, Settle::Skip).unwrap_err().code, ErrorCode::TooMany);
    world.dial(maya);
}

#[test]
fn neither_a_new_session_nor_a_new_sign_in_brings_the_card_sooner() {
    let (mut world, maya) = evening();
    pass_on_all_she_may(&mut world, maya, Settle::Skip);
    pass_on(&mut world, maya, Settle::DoNotCall).unwrap();
    let until = waits_until(&world, maya);
    world.ask(maya, Ask::Stop);
    world.start(maya);
    assert_eq!(waits_until(&world, maya), until);
    world.ask(maya, Ask::Pause);
    world.ask(maya, Ask::Resume);
    assert_eq!(waits_until(&world, maya), until);
    world.feed(Input::Revoked { device: maya });
    assert_eq!(world.view(maya).session, Session::Ended);
    world.start(maya);
    assert_eq!(waits_until(&world, maya), until);
    world.feed(Input::Campaign(CampaignRules { hours: Hours::Always, ..campaign() }));
    world.feed(Input::ContactsAdded { campaign: campaign_id(0) });
    assert_eq!(waits_until(&world, maya), until);
    // Others have a card all the while.
    let tom = device_id(2);
    world.start(tom);
    world.card(tom);
    world.pass(until - world.now, &[maya, tom]);
    world.card(maya);
}

#[test]
fn a_whole_list_is_marked_at_one_a_minute_and_no_faster() {
    let (mut world, maya) = evening();
    let until = world.now + 30 * MINUTE;
    while world.now < until {
        match world.view(maya).session {
            Session::Ready { .. } => {
                assert_eq!(pass_on(&mut world, maya, Settle::DoNotCall), Ok(Answer::Done))
            }
            _ => world.pass(MINUTE, &[maya]),
        }
    }
    assert_eq!(marked(&world), 20 + 30);
    assert_eq!(told(&world), 3, "every ten minutes");
}

#[test]
fn what_could_not_be_written_takes_nothing() {
    let (mut world, maya) = evening();
    world.disk_is_full = true;
    for how in [Settle::Skip, LATER, Settle::DoNotCall].into_iter().cycle().take(30) {
        assert_eq!(pass_on(&mut world, maya, how).unwrap_err().code, ErrorCode::NoStorage);
    }
    let lease = lease_id(999);
    let lost = world.ask(maya, Ask::Settle { lease, how: Settle::Skip }).unwrap().unwrap_err();
    assert_eq!(lost.code, ErrorCode::LeaseLost);
    world.disk_is_full = false;
    pass_on_all_she_may(&mut world, maya, Settle::Skip);
    assert_eq!(pass_on(&mut world, maya, Settle::Skip).unwrap_err().code, ErrorCode::TooMany);
    // Refused: that takes nothing either.
    world.pass(MINUTE, &[maya]);
    assert_eq!(pass_on(&mut world, maya, Settle::Skip), Ok(Answer::Done));
}

#[test]
fn cards_that_go_back_otherwise_and_calls_do_not_count() {
    let (mut world, maya) = evening();
    for _ in 0..25 {
        world.ask(maya, Ask::Pause);
        world.ask(maya, Ask::Resume);
    }
    for _ in 0..25 {
        let attempt = world.dial(maya);
        world.feed(Input::CalleeGone { attempt, cause: 17, sip: None });
    }
    pass_on_all_she_may(&mut world, maya, Settle::DoNotCall);
    world.card(maya);
}
