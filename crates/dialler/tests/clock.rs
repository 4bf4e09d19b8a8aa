//! A clock on the wall that is set, by hours and in both directions, while something is under way.

#![expect(dead_code, reason = "each test file uses a part of the support")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants and fails on the rest")]

mod support;

use dialler::{Announcement, Ask, CampaignRules, HangUpWhy, Input, Output, hours::Hours};
use protocol::{
    call::{CallState, EndedBy},
    outcome::Outcome,
    session::{Session, Waiting},
};
use support::*;

/// How far it is set.
const STEPS: [i64; 4] = [-30 * HOUR, -5 * HOUR, 5 * HOUR, 30 * HOUR];

/// A campaign that a clock does not close.
fn always() -> CampaignRules {
    CampaignRules { hours: Hours::Always, ..campaign() }
}

impl World {
    fn set_clock(&mut self, by: i64) {
        self.set_by += by;
        self.feed(Input::Tick);
    }
}

#[test]
fn a_wrap_up_lasts_thirty_minutes_whatever_the_clock_says() {
    for step in STEPS {
        let mut world = World::new(always(), 2);
        let maya = device_id(1);
        world.start(maya);
        let attempt = world.dial(maya);
        world.answer(attempt);
        world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
        world.pass(10 * MINUTE, &[maya]);
        world.set_clock(step);
        assert!(matches!(world.view(maya).session, Session::WrapUp { .. }), "fired by {step}");
        world.pass(20 * MINUTE - 1, &[maya]);
        assert!(matches!(world.view(maya).session, Session::WrapUp { .. }), "fired by {step}");
        world.pass(1, &[maya]);
        assert_eq!(world.outcome(attempt), (Some(Outcome::Unknown), "closed"), "stalled by {step}");
    }
}

#[test]
fn a_card_is_held_for_ninety_seconds_whatever_the_clock_says() {
    for step in STEPS {
        let mut world = World::new(always(), 1);
        let maya = device_id(1);
        world.start(maya);
        let lease = world.card(maya).lease_id;
        world.set_clock(step);
        world.pass(10 * MINUTE, &[maya]);
        assert_eq!(world.card(maya).lease_id, lease, "fired by {step}");
        world.pass(91 * SECOND, &[]);
        assert_eq!(world.view(maya).session, Session::Waiting { why: Waiting::Line }, "stalled by {step}");
        assert!(world.row(contact_id(0)).leased.is_none(), "stalled by {step}");
    }
}

#[test]
fn ringing_talking_and_a_lost_line_keep_their_times() {
    for step in STEPS {
        let mut world = World::new(always(), 2);
        let maya = device_id(1);
        world.ask(maya, Ask::Start { campaign: campaign_id(0) });
        let line = world.open_line(maya);
        let rung_out = world.dial(maya);
        world.feed(Input::CalleeRinging { attempt: rung_out });
        world.set_clock(step);
        let mark = world.said.len();
        let hang_up = Output::HangUp { attempt: rung_out, why: HangUpWhy::RingTimeout };
        world.pass(25 * SECOND - 1, &[]);
        assert!(!world.since(mark).contains(&hang_up), "R05, {step}");
        world.pass(1, &[]);
        assert!(world.since(mark).contains(&hang_up), "stalled by {step}");
        world.feed(Input::CalleeGone { attempt: rung_out, cause: 16, sip: None });

        let attempt = world.dial(maya);
        world.answer(attempt);
        world.pass(5 * SECOND, &[]);
        world.set_clock(-step);
        let mark = world.said.len();
        world.feed(Input::LineGone { device: maya, line });
        world.pass(SECOND, &[]);
        let says = |what| Output::Announce { attempt, what };
        assert!(world.since(mark).contains(&says(Announcement::OneMoment)), "{step}");
        assert!(!world.since(mark).contains(&says(Announcement::Apology)), "{step}");
        world.open_line(maya);
        world.pass(9 * SECOND, &[maya]);
        world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
        let Session::WrapUp { call, .. } = world.view(maya).session else { panic!("no wrap-up, {step}") };
        assert_eq!(call.state, CallState::Ended { by: EndedBy::Callee, talked_ms: 15 * SECOND });
    }
}

#[test]
fn calling_hours_and_retries_follow_the_wall() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.set_by = 10 * HOUR;
    world.start(maya);
    let opens_at_ms = NOON + 21 * HOUR + 30 * MINUTE;
    assert_eq!(world.view(maya).session, Session::Waiting { why: Waiting::OutsideHours { opens_at_ms } });
    world.set_by = 0;
    world.pass(MINUTE, &[maya]);
    let attempt = world.dial(maya);
    world.feed(Input::CalleeGone { attempt, cause: 17, sip: None });
    assert_eq!(world.row(contact_id(0)).due_at, world.wall() + 2 * HOUR);
    let lease = world.card(maya).lease_id;
    // Late at night by the wall: nobody is rung, and the card goes within a minute.
    world.set_by = 10 * HOUR;
    world.pass(MINUTE, &[maya]);
    assert!(matches!(world.view(maya).session, Session::Waiting { why: Waiting::OutsideHours { .. } }));
    let ask = world.dial_ask(lease);
    assert!(world.ask(maya, ask).unwrap().is_err());
    assert_eq!(world.created.len(), 1);
}
