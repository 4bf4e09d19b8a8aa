//! How fast one device goes through a list: cards passed on, calls that are not let ring, and what comes after too
//! many.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants and fails on the rest")]

mod support;

use dialler::{
    Answer, Ask, CampaignRules, Input, LineFacts, LineId, Output, TrunkLimits, Write, hours::Hours,
};
use protocol::{
    call::CallState,
    http::{ApiError, ErrorCode, Settle},
    ids::{AttemptId, DeviceId},
    line::Line,
    outcome::{Outcome, RingAgain},
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
    world.said.iter().filter(|output| matches!(output, Output::GoesTooFast { .. })).count()
}

/// As it is written.
fn given_up(world: &World) -> usize {
    let given_up = |output: &&Output| matches!(output, Output::Save { write: Write::Close(close), .. } if close.given_up);
    world.said.iter().filter(given_up).count()
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
fn cards_that_go_back_otherwise_and_calls_that_the_network_ends_are_not_passed_on() {
    let (mut world, maya) = evening();
    for _ in 0..25 {
        world.ask(maya, Ask::Pause);
        world.ask(maya, Ask::Resume);
    }
    for _ in 0..25 {
        let attempt = world.dial(maya);
        world.feed(Input::CalleeGone { attempt, cause: 17, sip: None });
        world.pass(15 * SECOND, &[maya]);
    }
    pass_on_all_she_may(&mut world, maya, Settle::DoNotCall);
    world.card(maya);
}

/// One turn of a thief's loop: `turn` brings the call to its end.
fn dialled(world: &mut World, device: DeviceId, turn: impl Fn(&mut World, AttemptId)) -> AttemptId {
    let attempt = world.dial(device);
    turn(world, attempt);
    assert_eq!(world.outcome(attempt).1, "closed");
    attempt
}

fn hung_up(world: &mut World, attempt: AttemptId) {
    world.ask(device_id(1), Ask::HangUp { attempt });
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
}

#[test]
fn a_call_that_its_volunteer_ends_before_it_was_answered_is_a_card_passed_on() {
    let ringing = |world: &mut World, attempt| {
        world.feed(Input::CalleeRinging { attempt });
        hung_up(world, attempt);
    };
    // A line that goes ends a call that does not ring yet, and the volunteer's computer can let it go at will.
    let line_lost = |world: &mut World, attempt| {
        let line = world.last_line();
        world.feed(Input::LineGone { device: device_id(1), line });
        world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
        world.open_line(device_id(1));
    };
    // A provider that answers nothing is no excuse: the names were seen.
    let unheard = |world: &mut World, attempt| {
        world.ask(device_id(1), Ask::HangUp { attempt });
        world.feed(Input::CalleeUnheard { attempt });
        world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    };
    type Turn<'a> = &'a dyn Fn(&mut World, AttemptId);
    let turns: [Turn<'_>; 4] = [&hung_up, &ringing, &line_lost, &unheard];
    for (which, turn) in turns.into_iter().enumerate() {
        let (mut world, maya) = evening();
        for _ in 0..20 {
            dialled(&mut world, maya, turn);
        }
        assert_eq!(pass_on(&mut world, maya, Settle::Skip).unwrap_err().code, ErrorCode::TooMany, "{which}");
        assert_eq!(told(&world), 1, "{which}");
        // This one may be called, and in the minute that it all took one came back; given up too, the next card waits.
        dialled(&mut world, maya, turn);
        dialled(&mut world, maya, turn);
        assert_eq!(waits_until(&world, maya), NOON + 2 * MINUTE, "{which}");
        assert_eq!(given_up(&world), 22, "{which}: what a restart counts by");
    }
}

#[test]
fn who_lets_it_ring_as_long_as_any_call_may_ring_passed_nobody_on() {
    let (mut world, maya) = evening();
    for _ in 0..40 {
        let attempt = world.dial(maya);
        world.feed(Input::CalleeRinging { attempt });
        world.pass(15 * SECOND, &[maya]);
        hung_up(&mut world, attempt);
    }
    assert_eq!(pass_on(&mut world, maya, Settle::Skip), Ok(Answer::Done));
    assert_eq!(given_up(&world), 0);
}

#[test]
fn a_list_is_not_closed_by_answered_calls_either() {
    let (mut world, maya) = evening();
    let (began, mut closed) = (world.now, 0);
    while world.now < began + 5 * MINUTE {
        if matches!(world.view(maya).session, Session::Ready { .. }) {
            let attempt = world.dial(maya);
            world.feed(Input::CalleeUp { attempt });
            world.ask(maya, Ask::HangUp { attempt });
            world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
            world.press(maya, attempt, Outcome::Reached);
            closed += 1;
        }
        world.pass(100, &[maya]);
    }
    assert_eq!(closed, 25);
    assert_eq!(world.rows.iter().filter(|row| !row.facts.open).count(), 25);
}

#[test]
fn twenty_four_cards_at_once_then_one_every_fifteen_seconds() {
    let (mut world, maya) = evening();
    // One every three seconds, and in that time five more.
    for _ in 0..24 + 5 {
        let attempt = world.dial(maya);
        world.feed(Input::CalleeGone { attempt, cause: 17, sip: None });
    }
    assert_eq!(waits_until(&world, maya), NOON + 90 * SECOND);
    assert_eq!(told(&world), 1);
    world.pass(NOON + 90 * SECOND - world.now, &[maya]);
    let attempt = world.dial(maya);
    world.feed(Input::CalleeGone { attempt, cause: 17, sip: None });
    assert_eq!(waits_until(&world, maya), NOON + 105 * SECOND);
}

/// Presses Call, and looks at what the volunteer sees then.
fn pressed(world: &mut World, device: DeviceId) -> (AttemptId, CallState) {
    let lease = world.card(device).lease_id;
    let ask = world.dial_ask(lease);
    let (Answer::Dialled(attempt) | Answer::InLine(attempt)) = world.ask(device, ask).unwrap().unwrap()
    else {
        panic!("not taken")
    };
    let Session::Dialling { call, .. } = world.view(device).session else { panic!("it is not dialled") };
    (attempt, call.state)
}

#[test]
fn three_seconds_lie_between_two_calls_of_one_device_and_a_press_in_between_goes_out_then() {
    let (mut world, maya) = evening();
    let attempt = world.dial(maya);
    hung_up(&mut world, attempt);
    world.now += SECOND;
    let pressed_at = CallState::Dialling { since_ms: world.now };
    let (second, state) = pressed(&mut world, maya);
    assert_eq!(state, pressed_at, "nothing that a volunteer would notice");
    let mark = world.said.len();
    world.pass(2 * SECOND - 1, &[maya]);
    assert!(!world.created.contains(&second) && !world.attempts.contains_key(&second), "nobody is rung yet");
    world.pass(1, &[maya]);
    assert_eq!(world.attempts[&second].dialled_at, NOON + 3 * SECOND);
    let in_line = |output: &&Output| format!("{output:?}").contains("InLine");
    assert_eq!(world.since(mark).iter().find(in_line), None);
    // Others do not wait for it, and whoever hangs up meanwhile keeps the card.
    hung_up(&mut world, second);
    let (third, _) = pressed(&mut world, maya);
    let tom = device_id(2);
    world.start(tom);
    let (toms, _) = pressed(&mut world, tom);
    assert!(world.created.contains(&toms));
    assert_eq!(world.ask(maya, Ask::HangUp { attempt: third }), Some(Ok(Answer::Done)));
    world.pass(10 * SECOND, &[maya]);
    assert!(!world.created.contains(&third));
    // From one dialling to the next: after any call that lasted so long it goes out at once.
    let (fourth, _) = pressed(&mut world, maya);
    world.pass(3 * SECOND, &[maya]);
    hung_up(&mut world, fourth);
    let (fifth, _) = pressed(&mut world, maya);
    assert!(world.created.contains(&fifth));
    assert_eq!(world.unexpected, []);
}

#[test]
fn whoever_finds_no_place_when_the_three_seconds_are_over_is_seen_in_line() {
    let (mut world, maya) = evening();
    let tom = device_id(2);
    world.start(tom);
    let channels = std::num::NonZeroU32::new(1);
    world.feed(Input::TrunkLimits(TrunkLimits { channels, calls_per_second: None }));
    let attempt = world.dial(maya);
    hung_up(&mut world, attempt);
    let (second, _) = pressed(&mut world, maya);
    let toms = world.dial(tom);
    world.pass(3 * SECOND, &[maya, tom]);
    let Session::Dialling { call, .. } = world.view(maya).session else { panic!("not in line") };
    assert_eq!(call.state, CallState::InLine { since_ms: NOON });
    world.feed(Input::CalleeGone { attempt: toms, cause: 17, sip: None });
    assert!(world.created.contains(&second));
}

#[test]
fn outcomes_of_a_conversation_are_taken_only_of_one() {
    use Outcome::{Busy, Callback, DoNotCall, Machine, NoAnswer, Other, Reached, Refused, WrongNumber};
    let of_a_conversation = [Reached, Refused, Callback, Machine, WrongNumber, Other];
    let (mut world, maya) = evening();
    let attempt = world.dial(maya);
    for ringing in [false, true] {
        if ringing {
            world.feed(Input::CalleeRinging { attempt });
        }
        for outcome in of_a_conversation {
            let refused = world.press(maya, attempt, outcome).unwrap().unwrap_err();
            assert_eq!(refused.code, ErrorCode::WrongState, "{outcome:?}");
            assert!(refused.message.contains("Nobody answered"), "{refused}");
        }
    }
    world.feed(Input::CalleeGone { attempt, cause: 17, sip: None });
    let last = world.view(maya).last_outcome.unwrap();
    assert_eq!((last.outcome, &last.keys[..]), (Busy, &[NoAnswer, Busy, DoNotCall][..]));
    // Nor as a correction: at once, after the next call, and after a restart.
    let refused = |world: &mut World, when: &str| {
        for outcome in of_a_conversation {
            let answer = world.press(maya, attempt, outcome).unwrap();
            assert_eq!(answer.unwrap_err().code, ErrorCode::WrongState, "{when} {outcome:?}");
        }
        assert_eq!(world.outcome(attempt).0, Some(Busy), "{when}");
        assert!(world.row(contact_id(0)).facts.open, "{when}");
    };
    refused(&mut world, "at once");
    let next = world.dial(maya);
    world.feed(Input::CalleeGone { attempt: next, cause: 17, sip: None });
    refused(&mut world, "later");
    world.ask(maya, Ask::Stop);
    world.restart(CampaignRules { hours: Hours::Always, ..campaign() });
    refused(&mut world, "after a restart");
    // What may be known without an answer is taken.
    assert_eq!(world.press(maya, attempt, NoAnswer), Some(Ok(Answer::Done)));
    assert_eq!(world.press(maya, attempt, DoNotCall), Some(Ok(Answer::Done)));
    assert!(world.row(contact_id(0)).facts.do_not_call);
    // Answered: all of them.
    world.back(Vec::new(), Vec::new());
    world.start(maya);
    let attempt = world.dial(maya);
    world.answer(attempt);
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    world.press(maya, attempt, Reached);
    assert_eq!(world.view(maya).last_outcome.unwrap().keys, Outcome::KEYS);
}

#[test]
fn what_the_store_said_of_a_call_that_went_on_makes_no_conversation_of_it() {
    let (mut world, maya) = evening();
    let attempt = world.dial(maya);
    let (record, stored) = (world.record(attempt, Outcome::Other), world.stored(attempt));
    world.feed(Input::CalleeGone { attempt, cause: 17, sip: None });
    let answer = world.ask(maya, Ask::Record { record, stored }).unwrap();
    assert_eq!(answer.unwrap_err().code, ErrorCode::WrongState);
    assert_eq!(world.outcome(attempt).0, Some(Outcome::Busy));
}

#[test]
fn a_call_whose_line_goes_before_it_is_dialled_is_no_conversation() {
    let (mut world, maya) = evening();
    let ask = world.dial_ask(world.card(maya).lease_id);
    let Ask::Dial { attempt, .. } = ask else { unreachable!() };
    let (ticket, line) = (world.ticket(), world.last_line());
    // The line goes while the attempt is being written.
    world.give(Input::Ask { ticket, device: maya, ask });
    world.feed(Input::LineGone { device: maya, line });
    assert_eq!(world.outcome(attempt).0, Some(Outcome::Unknown));
    let answer = world.press(maya, attempt, Outcome::Refused).unwrap();
    assert_eq!(answer.unwrap_err().code, ErrorCode::WrongState);
    assert_eq!(given_up(&world), 1);
}

#[test]
fn a_correction_of_an_older_call_waits_where_much_was_taken_off_and_do_not_call_of_the_last_never() {
    let (mut world, maya) = evening();
    let older: Vec<AttemptId> = (0..3)
        .map(|_| {
            let attempt = world.dial(maya);
            world.feed(Input::CalleeGone { attempt, cause: 17, sip: None });
            attempt
        })
        .collect();
    let began = world.now;
    for _ in 0..20 {
        pass_on(&mut world, maya, Settle::DoNotCall).unwrap();
    }
    let refused = world.press(maya, older[0], Outcome::DoNotCall).unwrap().unwrap_err();
    assert_eq!((refused.code, refused.again_at_ms), (ErrorCode::TooMany, Some(began + MINUTE)));
    assert_eq!(world.press(maya, older[2], Outcome::DoNotCall), Some(Ok(Answer::Done)), "the last call");
    assert_eq!(marked(&world), 21);
    world.pass(2 * MINUTE, &[maya]);
    assert_eq!(world.press(maya, older[0], Outcome::DoNotCall), Some(Ok(Answer::Done)), "in its time");
}

fn says(world: &mut World, device: DeviceId, outcome: Outcome) -> AttemptId {
    let attempt = world.dial(device);
    world.answer(attempt);
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.press(device, attempt, outcome), Some(Ok(Answer::Done)));
    attempt
}

#[test]
fn only_the_last_calls_do_not_call_is_taken_back_and_older_calls_are_not_all_changed_at_once() {
    let (mut world, maya) = evening();
    let asked_not_to_be = says(&mut world, maya, Outcome::DoNotCall);
    assert_eq!(world.press(maya, asked_not_to_be, Outcome::Machine), Some(Ok(Answer::Done)), "a slip");
    assert_eq!(world.press(maya, asked_not_to_be, Outcome::DoNotCall), Some(Ok(Answer::Done)));
    let refused: Vec<AttemptId> = (0..30)
        .map(|_| {
            world.pass(2 * MINUTE, &[maya]);
            says(&mut world, maya, Outcome::Refused)
        })
        .collect();
    let refusal = world.press(maya, asked_not_to_be, Outcome::Callback).unwrap().unwrap_err();
    assert_eq!((refusal.code, marked(&world)), (ErrorCode::WrongState, 1));
    world.pass(HOUR, &[maya]);
    // Older ones become calls again as slowly as people are taken off the list.
    let open = |world: &World| world.rows.iter().filter(|row| row.facts.open && row.last.is_some()).count();
    let answers: Vec<bool> = refused[..29]
        .iter()
        .map(|attempt| world.press(maya, *attempt, Outcome::Callback).unwrap().is_ok())
        .collect();
    assert_eq!(answers.iter().filter(|is_taken| **is_taken).count(), 20);
    assert_eq!((open(&world), told(&world)), (20, 1));
}

#[test]
fn a_pause_shows_no_names_beyond_the_allowance() {
    let (mut world, maya) = evening();
    let others: Vec<DeviceId> = (2..22).map(device_id).collect();
    others.iter().for_each(|other| world.start(*other));
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..60 {
        if let Session::Ready { card } = world.view(maya).session {
            seen.insert(world.facts(card.lease_id).unwrap().contact);
        }
        world.ask(maya, Ask::Pause);
        // Another has the card that went back.
        pass_on(&mut world, others[n % others.len()], Settle::DoNotCall).unwrap();
        world.ask(maya, Ask::Resume);
    }
    assert_eq!(seen.len(), 24);
    assert!(told(&world) > 0);
}

#[test]
fn a_restart_forgets_nothing() {
    let rules = || CampaignRules { hours: Hours::Always, ..campaign() };
    let (mut world, maya) = evening();
    let lately = vec![NOON - SECOND; 21];
    for seat in ["started", "resumed"] {
        world.restart(rules());
        world.feed(Input::Recent { device: maya, cards: lately.clone(), taken_off: lately.clone() });
        let line = LineId("line".to_owned());
        let facts = LineFacts { device: maya, campaign: campaign_id(0), line };
        world.back(Vec::new(), if seat == "resumed" { vec![facts] } else { Vec::new() });
        if seat == "started" {
            world.start(maya);
        }
        assert_eq!(waits_until(&world, maya), NOON + 59 * SECOND, "{seat}");
    }
}
