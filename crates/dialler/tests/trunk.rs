//! Provider and callee told apart: a ring that is silent at first, a call that is declined, a trunk that refuses all.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "each test file uses a part of the support")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants and fails on the rest")]

mod support;

use std::{collections::BTreeSet, num::NonZeroU32};

use dialler::{Ask, Fault, HangUpWhy, Input, Output, TrunkLimits};
use protocol::{
    call::CallState,
    ids::{AttemptId, DeviceId},
    outcome::Outcome,
    session::Session,
    trunk::{Complaint, NextTry, Trunk},
};
use support::*;

/// A trunk that is full.
const FULL: (u16, Option<u16>) = (42, Some(503));

fn volunteers(world: &mut World, n: u32) -> Vec<DeviceId> {
    let devices: Vec<DeviceId> = (1..=n).map(device_id).collect();
    for device in &devices {
        world.start(*device);
    }
    devices
}

/// Presses Call, and the call ends at once.
fn refused(world: &mut World, device: DeviceId, (cause, sip): (u16, Option<u16>)) -> AttemptId {
    let attempt = world.dial(device);
    world.feed(Input::CalleeGone { attempt, cause, sip });
    attempt
}

fn press(world: &mut World, device: DeviceId) -> bool {
    let lease = world.card(device).lease_id;
    let ask = world.dial_ask(lease);
    world.ask(device, ask).unwrap().is_ok()
}

fn is_asked(world: &World, attempt: AttemptId) -> bool {
    world.said.contains(&Output::LookForReply { attempt })
}

fn trouble(world: &World, device: DeviceId) -> (Complaint, NextTry) {
    match world.view(device).trunk {
        Trunk::Shut { complaint, next_try, .. } => (complaint, next_try),
        Trunk::Open => panic!("it is open"),
    }
}

/// Whose turn it is to try.
fn turn(world: &World, devices: &[DeviceId]) -> Vec<DeviceId> {
    let yours = |device: &&DeviceId| {
        matches!(world.view(**device).trunk, Trunk::Shut { next_try: NextTry::Yours, .. })
    };
    devices.iter().filter(yours).copied().collect()
}

#[test]
fn ringing_counts_from_the_first_180_after_a_183() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.pass(SECOND, &[]);
    world.feed(Input::CalleeProgress { attempt });
    world.pass(14 * SECOND, &[]);
    world.feed(Input::CalleeRinging { attempt });
    let rings = CallState::Ringing { since_ms: world.wall(), early_media: true };
    let Session::Dialling { call, .. } = world.view(maya).session else { panic!("it rings") };
    assert_eq!(call.state, rings);
    world.feed(Input::CalleeRinging { attempt });
    let mark = world.said.len();
    let hang_up = Output::HangUp { attempt, why: HangUpWhy::RingTimeout };
    world.pass(25 * SECOND - 1, &[]);
    assert!(!world.since(mark).contains(&hang_up), "ended after 40 s, not after 26 s");
    world.pass(1, &[]);
    assert!(world.since(mark).contains(&hang_up));
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: Some(487) });
    assert_eq!(world.outcome(attempt).0, Some(Outcome::NoAnswer));
}

#[test]
fn where_no_180_comes_ringing_counts_from_the_183() {
    for ring_timeout_ms in [15 * SECOND, 25 * SECOND, 40 * SECOND] {
        let rules = dialler::CampaignRules { ring_timeout_ms, ..campaign() };
        let mut world = World::new(rules, 1);
        let maya = device_id(1);
        world.start(maya);
        let attempt = world.dial(maya);
        world.feed(Input::CalleeProgress { attempt });
        let mark = world.said.len();
        let hang_up = Output::HangUp { attempt, why: HangUpWhy::RingTimeout };
        world.pass(ring_timeout_ms.max(25 * SECOND) - 1, &[]);
        assert!(!world.since(mark).contains(&hang_up), "a 180 may come yet: {ring_timeout_ms}");
        world.pass(1, &[]);
        assert!(world.since(mark).contains(&hang_up), "{ring_timeout_ms}");
    }
}

#[test]
fn asterisk_itself_gives_up_later_than_we_do() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    let limit = world.said.iter().find_map(|output| match output {
        Output::DialChannel { timeout_ms, .. } => Some(*timeout_ms),
        _ => None,
    });
    world.pass(25 * SECOND - 1, &[]);
    world.feed(Input::CalleeProgress { attempt });
    world.pass(25 * SECOND - 1, &[]);
    world.feed(Input::CalleeRinging { attempt });
    world.pass(25 * SECOND, &[]);
    assert!(world.said.contains(&Output::HangUp { attempt, why: HangUpWhy::RingTimeout }));
    assert!(limit.unwrap() >= world.now - NOON, "R05 holds while the server is away");
}

#[test]
fn a_callee_who_declines_is_no_fault_of_the_trunk() {
    // Cause, status, whether it rang, then what comes of it: the outcome, whether it counts, and a fault that is said.
    let cases = [
        (21, Some(603), true, Outcome::NoAnswer, true, false),
        (21, None, true, Outcome::NoAnswer, true, false),
        (21, Some(403), false, Outcome::Failed, false, true),
        (17, Some(486), true, Outcome::Busy, true, false),
        (17, Some(486), false, Outcome::Busy, true, false),
        (21, Some(603), false, Outcome::Failed, true, false),
        (21, None, false, Outcome::Failed, true, false),
        (42, Some(503), true, Outcome::Failed, true, false),
    ];
    for (cause, sip, rang, outcome, counts, fault) in cases {
        let mut world = World::new(campaign(), 2);
        let maya = device_id(1);
        world.start(maya);
        let attempt = world.dial(maya);
        if rang {
            world.feed(Input::CalleeRinging { attempt });
            world.pass(5 * SECOND, &[]);
        }
        world.feed(Input::CalleeGone { attempt, cause, sip });
        let what = format!("{cause} {sip:?} rang {rang}");
        assert_eq!(world.outcome(attempt).0, Some(outcome), "{what}");
        assert_eq!(world.row(contact_id(0)).facts.attempts, u32::from(counts), "{what}");
        let said = world.said.iter().any(|output| matches!(output, Output::TrunkFault { .. }));
        assert_eq!(said, fault, "{what}");
        assert_eq!(world.view(maya).trunk, Trunk::Open, "one is none: {what}");
    }
}

#[test]
fn declined_by_sound_alone_it_is_a_person_all_the_same() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.feed(Input::CalleeProgress { attempt });
    world.feed(Input::CalleeGone { attempt, cause: 21, sip: None });
    assert_eq!(world.outcome(attempt).0, Some(Outcome::NoAnswer));
    // An announcement of the provider's, "your credit is used up", comes by a 183 too.
    let attempt = world.dial(maya);
    world.feed(Input::CalleeProgress { attempt });
    world.feed(Input::CalleeGone { attempt, cause: 42, sip: None });
    assert_eq!(world.row(contact_id(1)).facts.attempts, 0, "nobody was rung");
}

#[test]
fn three_numbers_in_a_row_shut_the_trunk_and_no_contact_loses_an_attempt() {
    for ending in [FULL, (42, None), (21, Some(403)), (127, Some(402))] {
        let mut world = World::new(campaign(), 40);
        let devices = volunteers(&mut world, 5);
        for device in &devices[..3] {
            refused(&mut world, *device, ending);
        }
        for device in &devices {
            let (complaint, next_try) = trouble(&world, *device);
            assert_eq!(complaint, Complaint::Refuses { sip: ending.1 });
            assert_eq!(next_try, NextTry::Later { at_ms: world.wall() + 10 * SECOND });
            let card = world.card(*device);
            assert!(!press(&mut world, *device), "nobody calls now");
            assert_eq!(world.card(*device), card, "the card stays");
        }
        assert_eq!(world.created.len(), 3);
        let lost: u32 = world.rows.iter().map(|row| row.facts.attempts).sum();
        assert_eq!(lost, 0);
        for row in world.rows.iter().filter(|row| row.last.is_some()) {
            assert_eq!((row.facts.open, row.due_at), (true, world.wall() + 15 * MINUTE), "the same day");
            assert!(row.facts.dialled.is_empty(), "and no spacing");
        }
    }
}

#[test]
fn refused_without_a_status_it_is_the_callees_word_until_other_numbers_are_refused_too() {
    let mut world = World::new(campaign(), 10);
    let maya = volunteers(&mut world, 1)[0];
    // Without a status a telephone that declines and a provider that refuses look alike.
    for n in 0..4 {
        refused(&mut world, maya, (21, None));
        world.pass(10 * SECOND, &[maya]);
        let row = world.row(contact_id(n));
        assert_eq!(row.facts.attempts, u32::from(n == 0), "{n}");
        let tomorrow = row.due_at > NOON + 12 * HOUR;
        assert_eq!(tomorrow, n == 0, "whoever may have declined is left alone: {n}");
    }
    assert_eq!(trouble(&world, maya).0, Complaint::Refuses { sip: None });
}

#[test]
fn a_cancelled_call_that_the_provider_never_answered_takes_nothing_and_three_shut_the_trunk() {
    for (after, shuts) in [(3 * SECOND, true), (SECOND, false)] {
        let mut world = World::new(campaign(), 20);
        let maya = volunteers(&mut world, 1)[0];
        for n in 0..3 {
            assert_eq!(world.view(maya).trunk, Trunk::Open, "before the {n}th");
            let attempt = world.dial(maya);
            world.pass(after, &[maya]);
            let mark = world.said.len();
            world.ask(maya, Ask::HangUp { attempt });
            let order = |wanted: &Output| world.since(mark).iter().position(|output| output == wanted);
            let asked = order(&Output::LookForReply { attempt }).unwrap();
            assert!(asked < order(&Output::HangUp { attempt, why: HangUpWhy::Volunteer }).unwrap());
            world.feed(Input::CalleeUnheard { attempt });
            world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
            assert_eq!(world.outcome(attempt).0, Some(Outcome::NoAnswer));
            let row = world.row(contact_id(n));
            assert_eq!((row.facts.attempts, row.due_at), (0, world.wall() + 15 * MINUTE), "{n}");
        }
        let trunk = world.view(maya).trunk;
        let is_shut = matches!(trunk, Trunk::Shut { complaint: Complaint::Silent, .. });
        assert_eq!(is_shut, shuts, "cancelled after {after} ms: {trunk:?}");
        assert_eq!(world.unexpected, []);
    }
    // Cancelled where the provider had said anything, it is as ever.
    let mut world = World::new(campaign(), 20);
    let maya = volunteers(&mut world, 1)[0];
    let attempt = world.dial(maya);
    world.pass(3 * SECOND, &[maya]);
    world.ask(maya, Ask::HangUp { attempt });
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.row(contact_id(0)).facts.attempts, 1);
}

#[test]
fn the_third_of_603s_at_once_shuts_it_too() {
    let mut world = World::new(campaign(), 10);
    let maya = volunteers(&mut world, 1)[0];
    for n in 1..=3 {
        assert_eq!(world.view(maya).trunk, Trunk::Open, "before the {n}th");
        refused(&mut world, maya, (21, Some(603)));
    }
    assert_eq!(trouble(&world, maya).0, Complaint::Refuses { sip: Some(603) });
}

#[test]
fn a_provider_that_answers_no_options_costs_no_attempt_and_no_promise() {
    let mut world = World::new(campaign(), 10);
    let maya = volunteers(&mut world, 1)[0];
    world.rows[1].facts.promised = Some(NOON - HOUR);
    for n in 0..3 {
        assert_eq!(world.view(maya).trunk, Trunk::Open, "before the {n}th");
        let attempt = world.dial(maya);
        // Asterisk makes no channel for it.
        let why = "Asterisk refused, status 500: Allocation failed".to_owned();
        world.feed(Input::CalleeFailed { attempt, fault: Fault::Telephone, why });
        world.feed(Input::CalleeGone { attempt, cause: 0, sip: None });
        let row = world.row(contact_id(n));
        assert_eq!((row.facts.attempts, row.due_at), (0, world.wall() + 15 * MINUTE), "{n}");
    }
    assert_eq!(world.row(contact_id(1)).facts.promised, Some(NOON - HOUR));
    assert_eq!(trouble(&world, maya).0, Complaint::Silent);

    // A number that cannot be dialled at all is its own fault.
    let mut world = World::new(campaign(), 10);
    let maya = volunteers(&mut world, 1)[0];
    for n in 0..4 {
        let attempt = world.dial(maya);
        world.feed(Input::CalleeFailed { attempt, fault: Fault::Call, why: "no such form".to_owned() });
        world.feed(Input::CalleeGone { attempt, cause: 0, sip: None });
        assert_eq!((world.view(maya).trunk, world.row(contact_id(n)).facts.attempts), (Trunk::Open, 1));
    }
}

#[test]
fn what_is_also_said_of_telephones_that_are_off_shuts_it_with_the_sixth_number() {
    for (cause, sip) in [(20, Some(480)), (18, Some(408)), (19, None), (27, Some(502)), (23, Some(302))] {
        let mut world = World::new(campaign(), 20);
        let maya = volunteers(&mut world, 1)[0];
        for n in 0..6 {
            assert_eq!(world.view(maya).trunk, Trunk::Open, "before the {n}th: {cause}");
            refused(&mut world, maya, (cause, sip));
        }
        assert_eq!(trouble(&world, maya).0, Complaint::Refuses { sip }, "{cause}");
        let lost: u32 = world.rows.iter().map(|row| row.facts.attempts).sum();
        assert_eq!(lost, 3, "so many may have been off: {cause}");
        // What rings in between shows that it works.
        let mut world = World::new(campaign(), 40);
        let maya = volunteers(&mut world, 1)[0];
        for n in 0..20 {
            let attempt = world.dial(maya);
            if n % 4 == 3 {
                world.feed(Input::CalleeRinging { attempt });
            }
            world.feed(Input::CalleeGone { attempt, cause, sip });
        }
        assert_eq!(world.view(maya).trunk, Trunk::Open, "{cause}");
    }
}

#[test]
fn a_telephone_that_is_off_says_nothing_of_a_trunk_that_refused() {
    let mut world = World::new(campaign(), 20);
    let devices = volunteers(&mut world, 1);
    for _ in 0..3 {
        refused(&mut world, devices[0], FULL);
    }
    world.pass(10 * SECOND, &devices);
    let attempt = refused(&mut world, devices[0], (20, Some(480)));
    assert_eq!(turn(&world, &devices), devices, "the next try comes at once");
    assert_eq!(world.row(world.attempts[&attempt].contact).facts.attempts, 0);
}

#[test]
fn one_number_that_is_always_refused_is_the_numbers_own_fault() {
    let mut world = World::new(campaign(), 1);
    let maya = volunteers(&mut world, 1)[0];
    for n in 1..=4 {
        let attempt = refused(&mut world, maya, FULL);
        assert_eq!(world.view(maya).trunk, Trunk::Open);
        let row = world.row(contact_id(0));
        assert_eq!(row.facts.attempts, u32::from(n == 4), "{n}");
        assert_eq!(world.outcome(attempt).0, Some(Outcome::Failed));
        world.pass(15 * MINUTE + 10 * SECOND, &[maya]);
    }
    assert!(world.row(contact_id(0)).due_at > NOON + 12 * HOUR, "tomorrow");
}

#[test]
fn what_reaches_a_telephone_in_between_is_a_trunk_that_works() {
    type Between = fn(&mut World, AttemptId);
    let between: [Between; 3] = [
        |world, attempt| world.feed(Input::CalleeRinging { attempt }),
        |world, attempt| world.feed(Input::CalleeUp { attempt }),
        |world, attempt| world.feed(Input::CalleeGone { attempt, cause: 17, sip: Some(486) }),
    ];
    for reach in between {
        let mut world = World::new(campaign(), 20);
        let devices = volunteers(&mut world, 2);
        refused(&mut world, devices[0], FULL);
        refused(&mut world, devices[0], FULL);
        let attempt = world.dial(devices[1]);
        reach(&mut world, attempt);
        refused(&mut world, devices[0], FULL);
        assert_eq!(world.view(devices[0]).trunk, Trunk::Open);
    }
}

#[test]
fn while_it_is_doubted_no_more_calls_are_under_way_than_settle_it() {
    let mut world = World::new(campaign(), 40);
    let devices = volunteers(&mut world, 5);
    let under_way: Vec<AttemptId> = devices[..3].iter().map(|device| world.dial(*device)).collect();
    world.feed(Input::CalleeGone { attempt: under_way[0], cause: 42, sip: None });
    assert!(!press(&mut world, devices[0]), "two more are under way");
    assert!(!press(&mut world, devices[4]));
    world.feed(Input::CalleeGone { attempt: under_way[1], cause: 42, sip: None });
    assert!(!press(&mut world, devices[1]));
    world.feed(Input::CalleeGone { attempt: under_way[2], cause: 42, sip: None });
    assert_eq!((world.created.len(), trouble(&world, devices[4]).0), (3, Complaint::Refuses { sip: None }));

    // Where others ring, one refusal holds up nobody.
    let mut world = World::new(campaign(), 40);
    let devices = volunteers(&mut world, 5);
    let attempt = world.dial(devices[0]);
    world.feed(Input::CalleeRinging { attempt });
    for device in &devices[1..4] {
        world.dial(*device);
    }
    refused(&mut world, devices[4], FULL);
    assert!(press(&mut world, devices[4]));
}

#[test]
fn one_volunteer_at_a_time_tries_and_each_failure_doubles_the_wait() {
    let mut world = World::new(campaign(), 60);
    let devices = volunteers(&mut world, 3);
    for device in &devices {
        refused(&mut world, *device, FULL);
    }
    let mut tried = Vec::new();
    for wait in [10, 20, 40, 80, 160, 300, 300] {
        world.pass(wait * SECOND - 1, &devices);
        assert_eq!(turn(&world, &devices), [], "not before {wait} s");
        world.pass(1, &devices);
        let turn = turn(&world, &devices);
        assert_eq!(turn.len(), 1, "one of them");
        for device in devices.iter().filter(|device| **device != turn[0]) {
            assert_eq!(trouble(&world, *device).1, NextTry::Others);
            assert!(!press(&mut world, *device));
        }
        tried.push(turn[0]);
        refused(&mut world, turn[0], FULL);
    }
    assert_eq!(tried[..3], devices[..], "one after the other");
    assert_eq!(world.created.len(), 3 + 7);
    assert_eq!(world.rows.iter().map(|row| row.facts.attempts).sum::<u32>(), 0);
    assert!(world.unexpected.is_empty(), "{:?}", world.unexpected);
}

#[test]
fn with_the_first_call_that_rings_everybody_calls_again() {
    let mut world = World::new(campaign(), 20);
    let devices = volunteers(&mut world, 3);
    for device in &devices {
        refused(&mut world, *device, FULL);
    }
    world.pass(10 * SECOND, &devices);
    let turn = turn(&world, &devices)[0];
    let attempt = world.dial(turn);
    assert_eq!(trouble(&world, turn).1, NextTry::Yours);
    let mark = world.said.len();
    world.feed(Input::CalleeRinging { attempt });
    assert!(world.since(mark).contains(&Output::TrunkHealth { trunk: Trunk::Open }));
    for device in devices.iter().filter(|device| **device != turn) {
        assert_eq!(world.view(*device).trunk, Trunk::Open);
        assert!(press(&mut world, *device));
    }
}

#[test]
fn a_turn_that_is_not_taken_goes_on_to_the_next() {
    let mut world = World::new(campaign(), 20);
    let devices = volunteers(&mut world, 2);
    for device in [devices[0], devices[1], devices[0]] {
        refused(&mut world, device, FULL);
    }
    world.pass(10 * SECOND, &devices);
    let first = turn(&world, &devices)[0];
    world.pass(30 * SECOND, &devices);
    let second = turn(&world, &devices)[0];
    assert_ne!(first, second, "30 s without a press");
    world.ask(second, Ask::Pause);
    assert_eq!(turn(&world, &devices), [first], "whoever pauses has none");
    // Cancelled, it shows nothing: it is tried again at once.
    let attempt = world.dial(first);
    world.ask(first, Ask::HangUp { attempt });
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(turn(&world, &devices), [first]);
    world.ask(first, Ask::Stop);
    assert_eq!(turn(&world, &devices), []);
    world.pass(HOUR, &[second]);
    world.ask(second, Ask::Resume);
    assert_eq!(turn(&world, &devices), [second], "whoever comes first");
}

#[test]
fn an_invite_that_is_swallowed_is_given_up_after_eight_seconds() {
    let mut world = World::new(campaign(), 20);
    let maya = volunteers(&mut world, 1)[0];
    for _ in 0..3 {
        let attempt = world.dial(maya);
        world.pass(8 * SECOND - 1, &[maya]);
        assert!(!is_asked(&world, attempt));
        world.pass(1, &[maya]);
        assert!(is_asked(&world, attempt));
        world.feed(Input::CalleeUnheard { attempt });
        assert!(world.said.contains(&Output::HangUp { attempt, why: HangUpWhy::NoReply }));
        world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
        assert_eq!(world.outcome(attempt).0, Some(Outcome::Failed));
    }
    assert_eq!(trouble(&world, maya).0, Complaint::Silent);
    assert_eq!(world.rows.iter().map(|row| row.facts.attempts).sum::<u32>(), 0);
}

#[test]
fn a_call_that_was_answered_with_a_100_has_its_25_seconds() {
    let mut world = World::new(campaign(), 2);
    let maya = volunteers(&mut world, 1)[0];
    let attempt = world.dial(maya);
    world.pass(20 * SECOND, &[maya]);
    assert!(is_asked(&world, attempt), "and nothing was said against it");
    world.feed(Input::CalleeRinging { attempt });
    assert!(matches!(world.view(maya).session, Session::Dialling { .. }));
    // Late news of the question say nothing any more.
    world.feed(Input::CalleeUnheard { attempt });
    assert!(!world.said.iter().any(|output| matches!(output, Output::HangUp { .. })));
}

/// One of them talks, and goes on talking.
fn talks(world: &mut World, device: DeviceId) -> AttemptId {
    let attempt = world.dial(device);
    world.answer(attempt);
    world.pass(5 * SECOND, &[device]);
    attempt
}

#[test]
fn who_talks_meanwhile_neither_opens_a_shut_trunk_nor_forgets_a_complaint() {
    // Refused at once.
    let mut world = World::new(campaign(), 40);
    let devices = volunteers(&mut world, 5);
    let talking = talks(&mut world, devices[0]);
    for device in &devices[1..4] {
        refused(&mut world, *device, FULL);
        world.feed(Input::Tick);
    }
    assert_eq!(trouble(&world, devices[1]).0, Complaint::Refuses { sip: Some(503) });
    world.pass(10 * SECOND, &devices);
    assert_eq!(turn(&world, &devices).len(), 1, "one has the try, the others wait for it");
    // Nor does the end of that talk, nor of a call that rang all the while.
    world.feed(Input::CalleeGone { attempt: talking, cause: 16, sip: None });
    assert_eq!(turn(&world, &devices).len(), 1);

    // Swallowed.
    let mut world = World::new(campaign(), 40);
    let devices = volunteers(&mut world, 4);
    talks(&mut world, devices[0]);
    for device in &devices[1..] {
        let attempt = world.dial(*device);
        world.pass(8 * SECOND, &devices);
        assert!(is_asked(&world, attempt));
        world.feed(Input::CalleeUnheard { attempt });
        world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    }
    world.pass(5 * SECOND, &devices);
    assert_eq!(trouble(&world, devices[1]).0, Complaint::Silent);
}

#[test]
fn the_end_of_a_call_that_rang_before_says_nothing_new() {
    let mut world = World::new(campaign(), 40);
    let devices = volunteers(&mut world, 4);
    let ringing = world.dial(devices[0]);
    world.feed(Input::CalleeRinging { attempt: ringing });
    for device in &devices[1..] {
        refused(&mut world, *device, FULL);
    }
    world.feed(Input::CalleeGone { attempt: ringing, cause: 19, sip: Some(480) });
    assert_eq!(trouble(&world, devices[0]).0, Complaint::Refuses { sip: Some(503) });
}

#[test]
fn whoever_waits_in_line_calls_no_trunk_that_refuses() {
    for (channels, ending) in [(2, Some(FULL)), (3, Some(FULL)), (2, None), (3, None)] {
        let mut world = World::new(campaign(), 40);
        let channels = NonZeroU32::new(channels);
        world.feed(Input::TrunkLimits(TrunkLimits { channels, calls_per_second: NonZeroU32::new(10) }));
        let devices = volunteers(&mut world, 9);
        world.pass(2 * SECOND, &devices);
        let cards: Vec<_> = devices.iter().map(|device| world.card(*device)).collect();
        for device in &devices {
            press(&mut world, *device);
        }
        // Whatever is dialled comes to nothing: refused at once, or swallowed.
        let mut dialled = BTreeSet::new();
        for _ in 0..60 {
            let open = world.created.iter().filter(|id| world.attempts[id].state != "closed");
            for attempt in open.copied().collect::<Vec<_>>() {
                if dialled.insert(attempt) {
                    world.is_dialled(attempt);
                }
                match ending {
                    Some((cause, sip)) => world.feed(Input::CalleeGone { attempt, cause, sip }),
                    None if is_asked(&world, attempt) => {
                        world.feed(Input::CalleeUnheard { attempt });
                        world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
                    }
                    None => {}
                }
            }
            world.pass(SECOND / 2, &devices);
            if matches!(world.view(devices[8]).trunk, Trunk::Shut { .. }) {
                break;
            }
        }
        assert_eq!(world.created.len(), 3, "{channels:?} {ending:?}");
        assert_eq!(world.dialler.trunk_use(), (0, 0), "nobody is in line");
        for (device, card) in devices.iter().zip(&cards).skip(3) {
            assert!(matches!(world.view(*device).trunk, Trunk::Shut { .. }), "and reads why");
            assert_eq!(world.card(*device).lease_id, card.lease_id, "the card is kept");
        }
        assert_eq!(world.rows.iter().map(|row| row.facts.attempts).sum::<u32>(), 0);
        assert_eq!(world.unexpected, []);
    }
}

#[test]
fn a_line_that_stood_still_goes_on_with_the_first_call_that_rings() {
    let mut world = World::new(campaign(), 40);
    let channels = NonZeroU32::new(3);
    world.feed(Input::TrunkLimits(TrunkLimits { channels, calls_per_second: None }));
    let devices = volunteers(&mut world, 4);
    let under_way: Vec<AttemptId> = devices[..3].iter().map(|device| world.dial(*device)).collect();
    assert!(press(&mut world, devices[3]));
    world.feed(Input::CalleeGone { attempt: under_way[0], cause: 42, sip: None });
    assert_eq!(world.dialler.trunk_use(), (2, 1), "there is a place, and it is not given away");
    world.pass(SECOND, &devices);
    world.feed(Input::CalleeRinging { attempt: under_way[1] });
    assert_eq!(world.dialler.trunk_use(), (3, 0));
}

#[test]
fn clocks_that_run_a_millisecond_apart_are_no_news() {
    let mut world = World::new(campaign(), 20);
    let maya = volunteers(&mut world, 1)[0];
    for _ in 0..3 {
        refused(&mut world, maya, FULL);
    }
    let (told, mark) = (world.view(maya).trunk, world.said.len());
    for set_by in [1, 0, -1, 0, 1] {
        world.set_by = set_by;
        world.now += SECOND;
        world.feed(Input::Tick);
        world.feed(Input::Ping { device: maya });
    }
    assert_eq!(world.view(maya).trunk, told);
    assert_eq!(world.since(mark), []);
}

#[test]
fn that_nothing_was_heard_may_be_said_when_the_call_is_over() {
    let mut world = World::new(campaign(), 20);
    let maya = volunteers(&mut world, 1)[0];
    let attempt = world.dial(maya);
    world.pass(8 * SECOND, &[maya]);
    world.feed(Input::CalleeGone { attempt, cause: 42, sip: Some(503) });
    let mark = world.said.len();
    world.feed(Input::CalleeUnheard { attempt });
    assert_eq!(world.since(mark), []);
}

#[test]
fn unknown_numbers_shut_it_only_before_anything_rang_this_evening() {
    let mut world = World::new(campaign(), 40);
    let maya = volunteers(&mut world, 1)[0];
    for _ in 0..3 {
        refused(&mut world, maya, (1, Some(404)));
    }
    assert_eq!(trouble(&world, maya).0, Complaint::Number);
    world.pass(10 * SECOND, &[maya]);
    let attempt = world.dial(maya);
    world.feed(Input::CalleeRinging { attempt });
    world.feed(Input::CalleeGone { attempt, cause: 17, sip: Some(486) });
    for _ in 0..5 {
        let attempt = refused(&mut world, maya, (1, Some(404)));
        assert_eq!(world.outcome(attempt).0, Some(Outcome::Failed));
    }
    assert_eq!(world.view(maya).trunk, Trunk::Open, "a bad part of the list");
}

#[test]
fn a_provider_that_comes_back_is_tried_at_once() {
    let mut world = World::new(campaign(), 20);
    let maya = volunteers(&mut world, 1)[0];
    for _ in 0..3 {
        refused(&mut world, maya, FULL);
    }
    world.feed(Input::ProviderBack);
    assert_eq!(trouble(&world, maya).1, NextTry::Yours);
}

#[test]
fn a_restart_finds_out_anew_by_three_calls() {
    let mut world = World::new(campaign(), 20);
    let maya = volunteers(&mut world, 1)[0];
    for _ in 0..3 {
        refused(&mut world, maya, FULL);
    }
    world.restart(campaign());
    for row in &mut world.rows {
        row.leased = None;
    }
    world.back(Vec::new(), Vec::new());
    world.start(maya);
    assert_eq!(world.view(maya).trunk, Trunk::Open);
    for _ in 0..3 {
        refused(&mut world, maya, FULL);
    }
    assert_eq!(trouble(&world, maya).0, Complaint::Refuses { sip: Some(503) });
    assert_eq!(world.rows.iter().map(|row| row.facts.attempts).sum::<u32>(), 0);
}
