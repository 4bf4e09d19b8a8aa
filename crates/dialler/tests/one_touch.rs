//! A volunteer's evening: Start, Call, talk, a key, the next card.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "each test file uses a part of the support")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants and fails on the rest")]

mod support;

use dialler::{Answer, Ask, HangUpWhy, Input, Output};
use protocol::{
    call::{CallState, EndedBy},
    http::{ErrorCode, Settle},
    ids::{AttemptId, DeviceId},
    outcome::{Outcome, RingAgain, WrittenBy},
    session::{Pause, Session, Waiting},
};
use support::*;

fn code(answer: Option<Result<Answer, protocol::http::ApiError>>) -> ErrorCode {
    answer.unwrap().unwrap_err().code
}

/// A volunteer whose one callee answered and rang off.
fn wrap_up() -> (World, DeviceId, AttemptId) {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.answer(attempt);
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    (world, maya, attempt)
}

#[test]
fn a_call_goes_from_start_through_talking_to_the_next_card() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    assert_eq!(world.ask(maya, Ask::Start { campaign: campaign_id(0) }), Some(Ok(Answer::Done)));
    assert_eq!(world.view(maya).session, Session::Waiting { why: Waiting::Line });
    world.open_line(maya);
    let first = world.card(maya);

    let mark = world.said.len();
    let attempt = world.dial(maya);
    let steps: Vec<&Output> = world
        .since(mark)
        .iter()
        .filter(|output| {
            matches!(
                output,
                Output::Save { .. }
                    | Output::CreateChannel { .. }
                    | Output::JoinBridge { .. }
                    | Output::DialChannel { .. }
            )
        })
        .collect();
    assert!(
        matches!(
            steps[..],
            [
                Output::Save { .. },
                Output::CreateChannel { .. },
                Output::JoinBridge { .. },
                Output::DialChannel { .. },
                ..
            ]
        ),
        "write-ahead, then the early bridge: {steps:?}"
    );
    world.answer(attempt);
    let Session::Talking { call, .. } = world.view(maya).session else { panic!("not talking") };
    assert_eq!(call.state, CallState::Talking { since_ms: world.now });

    world.now += 20 * SECOND;
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    let Session::WrapUp { call, .. } = world.view(maya).session else { panic!("not in wrap-up") };
    assert_eq!(call.state, CallState::Ended { by: EndedBy::Callee, talked_ms: 20 * SECOND });

    assert_eq!(world.press(maya, attempt, Outcome::Reached), Some(Ok(Answer::Done)));
    assert_eq!(world.outcome(attempt), (Some(Outcome::Reached), "closed"));
    assert!(!world.row(contact_id(0)).facts.open, "reached: never again");
    assert_ne!(world.card(maya).lease_id, first.lease_id, "the next card is there at once");
    let last = world.view(maya).last_outcome.unwrap();
    assert_eq!((last.outcome, last.by), (Outcome::Reached, WrittenBy::Volunteer));
    assert!(world.unexpected.is_empty(), "{:?}", world.unexpected);
}

#[test]
fn causes_become_outcomes_and_the_next_card_comes_by_itself() {
    let cases = [
        (17, Outcome::Busy, Some(2 * HOUR)),
        (19, Outcome::NoAnswer, Some(4 * HOUR)),
        (18, Outcome::NoAnswer, Some(4 * HOUR)),
        (20, Outcome::NoAnswer, Some(4 * HOUR)),
        (1, Outcome::Failed, None),
        (28, Outcome::Failed, None),
        (27, Outcome::Failed, None),
        // A person may have said no.
        (21, Outcome::Failed, None),
        // Nobody was rung, and it may be the trunk's fault: soon, and the attempt does not count.
        (34, Outcome::Failed, Some(15 * MINUTE)),
        (38, Outcome::Failed, Some(15 * MINUTE)),
        (41, Outcome::Failed, Some(15 * MINUTE)),
        (42, Outcome::Failed, Some(15 * MINUTE)),
        (127, Outcome::Failed, Some(15 * MINUTE)),
        (0, Outcome::Unknown, None),
    ];
    for (cause, outcome, due_in) in cases {
        let mut world = World::new(campaign(), 2);
        let maya = device_id(1);
        world.start(maya);
        let attempt = world.dial(maya);
        world.feed(Input::CalleeGone { attempt, cause, sip: None });
        assert_eq!(world.outcome(attempt), (Some(outcome), "closed"), "cause {cause}");
        // Tuesday 24 November, 09:30.
        let tomorrow = NOON - 2 * HOUR - 30 * MINUTE + 24 * HOUR;
        let due_at = due_in.map_or(tomorrow, |ms| world.now + ms);
        assert_eq!(world.row(contact_id(0)).due_at, due_at, "cause {cause}");
        world.card(maya);
        let faults = world.said.iter().filter(|output| matches!(output, Output::TrunkFault { .. })).count();
        assert_eq!(faults, 0, "one refusal may be a callee's");
        let counted = due_in != Some(15 * MINUTE);
        assert_eq!(world.row(contact_id(0)).facts.attempts, u32::from(counted), "cause {cause}");
    }
}

#[test]
fn an_unanswered_call_rings_for_twenty_five_seconds_and_a_silent_network_gets_as_long() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.pass(20 * SECOND, &[]);
    world.feed(Input::CalleeRinging { attempt });
    let mark = world.said.len();
    world.pass(25 * SECOND - 1, &[]);
    let hang_up = |why| Output::HangUp { attempt, why };
    assert!(!world.since(mark).contains(&hang_up(HangUpWhy::RingTimeout)), "counted from the ringing, R05");
    world.pass(1, &[]);
    assert!(world.since(mark).contains(&hang_up(HangUpWhy::RingTimeout)));
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.outcome(attempt), (Some(Outcome::NoAnswer), "closed"));

    let attempt = world.dial(maya);
    let mark = world.said.len();
    world.pass(25 * SECOND, &[]);
    assert!(world.since(mark).contains(&hang_up_of(attempt, HangUpWhy::NoRinging)));
    world.feed(Input::CalleeGone { attempt, cause: 0, sip: None });
    assert_eq!(world.outcome(attempt), (Some(Outcome::Failed), "closed"));
}

fn hang_up_of(attempt: AttemptId, why: HangUpWhy) -> Output {
    Output::HangUp { attempt, why }
}

#[test]
fn a_volunteer_may_cancel_at_once_and_it_is_recorded_as_theirs() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.feed(Input::CalleeRinging { attempt });
    world.now += SECOND;
    assert_eq!(world.ask(maya, Ask::HangUp { attempt }), Some(Ok(Answer::Done)));
    assert!(world.said.contains(&hang_up_of(attempt, HangUpWhy::Volunteer)));
    let mark = world.said.len();
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    let close = world.since(mark).iter().find_map(|output| match output {
        Output::Save { write: dialler::Write::Close(close), .. } => Some(close.clone()),
        _ => None,
    });
    let close = close.unwrap();
    assert_eq!(close.call.unwrap().ended_by, Some(EndedBy::Volunteer));
    assert_eq!((close.by, close.note.as_deref()), (WrittenBy::Volunteer, Some("cancelled while it rang")));
    assert_eq!(world.view(maya).last_outcome.unwrap().by, WrittenBy::Volunteer);
    assert_eq!(world.outcome(attempt), (Some(Outcome::NoAnswer), "closed"));
    assert_eq!(world.row(contact_id(0)).due_at, world.now + 4 * HOUR, "as after any no-answer");
    assert_eq!(world.ask(maya, Ask::HangUp { attempt }), Some(Ok(Answer::Done)), "again: nothing to do");
}

#[test]
fn a_channel_that_does_not_go_is_asked_three_times_and_then_counts_as_gone() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.answer(attempt);
    world.ask(maya, Ask::HangUp { attempt });
    world.pass(14 * SECOND, &[]);
    let asked = world.said.iter().filter(|output| matches!(output, Output::HangUp { .. })).count();
    assert_eq!(asked, 3);
    assert!(matches!(world.view(maya).session, Session::Talking { .. }));
    world.pass(2 * SECOND, &[]);
    assert!(matches!(world.view(maya).session, Session::WrapUp { .. }));
    world.feed(Input::CalleeRinging { attempt });
    assert!(world.said.contains(&hang_up_of(attempt, HangUpWhy::Stray)), "what lives on is a stray");
}

#[test]
fn a_key_pressed_while_they_talk_closes_the_attempt_without_a_wrap_up() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.answer(attempt);
    let first = world.record(attempt, Outcome::Refused);
    let second = world.record(attempt, Outcome::Callback);
    for record in [second.clone(), first] {
        assert_eq!(world.ask(maya, Ask::Record { record, stored: None }), Some(Ok(Answer::Done)));
    }
    assert_eq!(world.outcome(attempt), (Some(Outcome::Callback), "talking"), "the newest press counts");
    world.now += MINUTE;
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.outcome(attempt), (Some(Outcome::Callback), "closed"));
    world.card(maya);
}

#[test]
fn a_wrap_up_without_a_key_ends_as_unknown_after_thirty_minutes_and_may_be_corrected() {
    let (mut world, maya, attempt) = wrap_up();
    world.pass(30 * MINUTE - 1, &[maya]);
    assert!(matches!(world.view(maya).session, Session::WrapUp { .. }));
    world.pass(1, &[maya]);
    assert_eq!(world.outcome(attempt), (Some(Outcome::Unknown), "closed"));
    assert_eq!(world.view(maya).last_outcome.unwrap().by, WrittenBy::Server);
    let row = world.row(contact_id(0)).clone();
    assert!(row.facts.open && row.due_at > world.now + 12 * HOUR, "never the same day");

    assert_eq!(world.press(maya, attempt, Outcome::WrongNumber), Some(Ok(Answer::Done)));
    assert_eq!(world.outcome(attempt), (Some(Outcome::WrongNumber), "closed"));
    assert!(!world.row(contact_id(0)).facts.open);
    assert_eq!(world.view(maya).last_outcome.unwrap().outcome, Outcome::WrongNumber);
}

#[test]
fn do_not_call_holds_at_once_and_a_wrong_key_is_taken_back() {
    let (mut world, maya, attempt) = wrap_up();
    world.press(maya, attempt, Outcome::DoNotCall);
    assert!(world.row(contact_id(0)).facts.do_not_call);
    world.press(maya, attempt, Outcome::NoAnswer);
    let row = world.row(contact_id(0));
    assert!(!row.facts.do_not_call && row.facts.open);
}

#[test]
fn an_old_press_that_comes_late_changes_nothing() {
    let (mut world, maya, attempt) = wrap_up();
    let old = world.record(attempt, Outcome::Refused);
    world.press(maya, attempt, Outcome::Reached);
    for _ in 0..2 {
        let stored = world.stored(attempt);
        assert_eq!(world.ask(maya, Ask::Record { record: old.clone(), stored }), Some(Ok(Answer::Done)));
    }
    assert_eq!(world.outcome(attempt), (Some(Outcome::Reached), "closed"));
}

#[test]
fn corrections_that_cross_on_their_way_end_with_the_newest() {
    for older_first in [true, false] {
        let (mut world, maya, attempt) = wrap_up();
        world.press(maya, attempt, Outcome::Reached);
        let mut presses = vec![
            world.record(attempt, Outcome::DoNotCall), // the wrong key
            world.record(attempt, Outcome::NoAnswer),
        ];
        if !older_first {
            presses.reverse();
        }
        // Both read the store before either is written.
        let stored = world.stored(attempt);
        for record in presses {
            let ticket = world.ticket();
            let ask = Ask::Record { record, stored: stored.clone() };
            world.give(Input::Ask { ticket, device: maya, ask });
        }
        while let Some(news) = world.news.pop_front() {
            world.give(news);
        }
        assert_eq!(world.outcome(attempt), (Some(Outcome::NoAnswer), "closed"), "{older_first}");
        assert_eq!(world.view(maya).last_outcome.unwrap().outcome, Outcome::NoAnswer, "{older_first}");
        let row = world.row(contact_id(0));
        assert!(!row.facts.do_not_call && row.facts.open, "{older_first}");
    }
}

#[test]
fn dial_twice_is_one_attempt() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.start(maya);
    let lease = world.card(maya).lease_id;
    let attempt = world.dial(maya);
    let ask = world.dial_ask(lease);
    assert_eq!(world.ask(maya, ask), Some(Ok(Answer::Dialled(attempt))));
    world.answer(attempt);
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    let ask = world.dial_ask(lease);
    assert_eq!(world.ask(maya, ask), Some(Ok(Answer::Dialled(attempt))), "in wrap-up too");
    world.press(maya, attempt, Outcome::Reached);
    let ask = world.dial_ask(lease);
    assert_eq!(world.ask(maya, ask), Some(Ok(Answer::Dialled(attempt))), "and when it is closed");
    assert_eq!(world.created.len(), 1);
}

#[test]
fn pause_and_stop_in_a_call_come_after_its_wrap_up() {
    for (ask, is_paused) in [(Ask::Pause, true), (Ask::Stop, false)] {
        let mut world = World::new(campaign(), 2);
        let maya = device_id(1);
        world.start(maya);
        let attempt = world.dial(maya);
        world.answer(attempt);
        assert_eq!(world.ask(maya, ask), Some(Ok(Answer::Done)));
        assert!(matches!(world.view(maya).session, Session::Talking { .. }));
        world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
        world.press(maya, attempt, Outcome::Reached);
        let session = world.view(maya).session;
        if is_paused {
            assert_eq!(session, Session::Paused { pause: Pause { by: None, message: None } });
            assert_eq!(world.ask(maya, Ask::Resume), Some(Ok(Answer::Done)));
            world.card(maya);
        } else {
            assert_eq!(session, Session::Ended);
            assert!(world.said.iter().any(|output| matches!(output, Output::DropLine { .. })));
        }
    }
}

#[test]
fn pause_gives_the_card_back_to_others() {
    let mut world = World::new(campaign(), 1);
    let (maya, tom) = (device_id(1), device_id(2));
    world.start(maya);
    world.start(tom);
    assert!(
        matches!(&world.view(tom).session, Session::Waiting { why: Waiting::NobodyLeft { .. } }),
        "{:?}",
        world.view(tom)
    );
    world.ask(maya, Ask::Pause);
    world.card(tom);
}

#[test]
fn an_organisers_pause_is_for_everybody_and_ends_for_who_did_not_pause_too() {
    let mut world = World::new(campaign(), 3);
    let (maya, tom) = (device_id(1), device_id(2));
    world.start(maya);
    world.start(tom);
    world.ask(tom, Ask::Pause);
    let pause = Pause { by: Some("Ruth".to_owned()), message: Some("Tea break".to_owned()) };
    world.feed(Input::Campaign(dialler::CampaignRules { pause: Some(pause.clone()), ..campaign() }));
    for device in [maya, tom] {
        assert_eq!(world.view(device).session, Session::Paused { pause: pause.clone() });
    }
    assert_eq!(code(world.ask(maya, Ask::Resume)), ErrorCode::WrongState);
    world.feed(Input::Campaign(campaign()));
    world.card(maya);
    assert_eq!(world.view(tom).session, Session::Paused { pause: Pause { by: None, message: None } });
}

#[test]
fn skip_later_and_do_not_call_bring_the_next_card() {
    let mut world = World::new(campaign(), 4);
    let maya = device_id(1);
    world.start(maya);
    let again = RingAgain::InAnHour;
    for how in [Settle::Skip, Settle::Later { again }, Settle::DoNotCall] {
        let lease = world.card(maya).lease_id;
        assert_eq!(world.ask(maya, Ask::Settle { lease, how }), Some(Ok(Answer::Done)));
        assert_ne!(world.card(maya).lease_id, lease);
        assert_eq!(code(world.ask(maya, Ask::Settle { lease, how })), ErrorCode::LeaseLost);
    }
    assert_eq!(world.row(contact_id(1)).due_at, NOON + HOUR);
    assert!(world.row(contact_id(2)).facts.do_not_call);
}

#[test]
fn a_lease_lasts_while_the_app_pings_and_goes_when_it_does_not() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.start(maya);
    let lease = world.card(maya).lease_id;
    world.pass(10 * MINUTE, &[maya]);
    assert_eq!(world.card(maya).lease_id, lease);
    world.pass(91 * SECOND, &[]);
    assert_eq!(world.view(maya).session, Session::Waiting { why: Waiting::Line });
    assert!(world.row(contact_id(0)).leased.is_none());
    world.feed(Input::Ping { device: maya });
    assert_ne!(world.card(maya).lease_id, lease, "the app is back: a card again");
    world.pass(12 * MINUTE, &[]);
    assert_eq!(world.view(maya).session, Session::Ended, "nobody is there");
}

#[test]
fn a_rule_that_came_true_since_the_card_was_shown_stops_the_call() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.start(maya);
    let lease = world.card(maya).lease_id;
    world.rows[0].facts.dialled.push(NOON - HOUR);
    let ask = world.dial_ask(lease);
    let refusal = world.ask(maya, ask).unwrap().unwrap_err();
    assert_eq!(refusal.code, ErrorCode::RefusedByRule);
    assert_eq!(refusal.message, "Not rung: this person was called an hour ago. The next card is ready");
    assert_eq!(refusal.again_at_ms, Some(NOON + HOUR));
    assert_eq!(world.row(contact_id(0)).due_at, NOON + HOUR);
    assert!(world.created.is_empty());
    let lease = world.card(maya).lease_id;
    world.rows[1].facts.do_not_call = true;
    let ask = world.dial_ask(lease);
    assert_eq!(code(world.ask(maya, ask)), ErrorCode::RefusedByRule);
    assert!(!world.row(contact_id(1)).facts.open && world.created.is_empty());
}

#[test]
fn the_same_number_on_two_lists_is_in_one_call_only() {
    let mut world = World::new(campaign(), 2);
    world.rows[1].facts.number = number(0);
    let (maya, tom) = (device_id(1), device_id(2));
    world.start(maya);
    world.start(tom);
    world.dial(maya);
    let lease = world.card(tom).lease_id;
    let ask = world.dial_ask(lease);
    assert_eq!(code(world.ask(tom, ask)), ErrorCode::RefusedByRule);
    assert_eq!(world.created.len(), 1);
    assert!(world.row(contact_id(1)).due_at >= world.now + 2 * HOUR);
}

#[test]
fn at_closing_time_the_card_goes_and_the_screen_says_when_calling_starts_again() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.start(maya);
    world.pass(8 * HOUR + 29 * MINUTE + 35 * SECOND, &[maya]);
    world.card(maya);
    world.pass(1, &[maya]);
    let opens_at_ms = NOON + 21 * HOUR + 30 * MINUTE;
    assert_eq!(world.view(maya).session, Session::Waiting { why: Waiting::OutsideHours { opens_at_ms } });
    world.pass(opens_at_ms - world.now, &[maya]);
    world.card(maya);
}

#[test]
fn attempts_run_out() {
    let rules = dialler::CampaignRules { attempts_allowed: 2, ..campaign() };
    let mut world = World::new(rules, 1);
    let maya = device_id(1);
    world.start(maya);
    for n in [1, 2] {
        let attempt = world.dial(maya);
        world.feed(Input::CalleeGone { attempt, cause: 17, sip: None });
        assert_eq!(world.row(contact_id(0)).facts.open, n < 2);
        world.pass(2 * HOUR + MINUTE, &[maya]);
    }
    let why = Waiting::NobodyLeft { again: 0, next_at_ms: None };
    assert_eq!(world.view(maya).session, Session::Waiting { why });
}

#[test]
fn what_needs_a_line_a_telephone_or_a_start_is_refused_with_words() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let ask = world.new_line();
    assert_eq!(code(world.ask(maya, ask)), ErrorCode::WrongState);
    assert_eq!(code(world.ask(maya, Ask::Resume)), ErrorCode::WrongState);
    assert_eq!(code(world.ask(maya, Ask::Start { campaign: campaign_id(9) })), ErrorCode::NotFound);
    world.start(maya);
    let lease = world.card(maya).lease_id;
    world.feed(Input::TelephoneGone);
    let ask = world.dial_ask(lease);
    assert_eq!(code(world.ask(maya, ask)), ErrorCode::NoTelephone);
    world.feed(Input::TelephoneBack { calls: vec![], lines: vec![] });
    let ask = world.dial_ask(lease);
    assert_eq!(code(world.ask(maya, ask)), ErrorCode::WrongState, "the line went with the telephone");
    world.open_line(maya);
    world.dial(maya);
}

#[test]
fn a_card_that_comes_back_in_a_pause_is_given_back_and_not_dialled() {
    let pause = Some(Pause { by: Some("Ruth".to_owned()), message: None });
    let paused = dialler::CampaignRules { pause: pause.clone(), ..campaign() };
    let pauses: [fn(&mut World, dialler::CampaignRules); 2] = [
        |world, paused| world.give(Input::Campaign(paused)),
        |world, _| {
            let ticket = world.ticket();
            world.give(Input::Ask { ticket, device: device_id(1), ask: Ask::Pause });
        },
    ];
    for pause_it in pauses {
        for press in [true, false] {
            let mut world = World::new(campaign(), 1);
            let maya = device_id(1);
            world.start(maya);
            let lease = world.card(maya).lease_id;
            world.disk_is_full = true;
            let ticket = world.ticket();
            let ask =
                if press { world.dial_ask(lease) } else { Ask::Settle { lease, how: Settle::DoNotCall } };
            // The write is under way; it fails after the pause came.
            world.give(Input::Ask { ticket, device: maya, ask });
            pause_it(&mut world, paused.clone());
            world.disk_is_full = false;
            while let Some(news) = world.news.pop_front() {
                world.give(news);
            }
            assert_eq!(world.answers[&ticket].clone().unwrap_err().code, ErrorCode::NoStorage);
            assert!(matches!(world.view(maya).session, Session::Paused { .. }), "{:?}", world.view(maya));
            assert!(world.rows[0].leased.is_none() && world.created.is_empty());
            let ask = world.dial_ask(lease);
            assert_eq!(code(world.ask(maya, ask)), ErrorCode::LeaseLost);
        }
    }
}

#[test]
fn a_pause_in_a_wrap_up_waits_for_the_key_and_no_card_comes_until_it_ends() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.answer(attempt);
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    let pause = Pause { by: Some("Ruth".to_owned()), message: None };
    world.feed(Input::Campaign(dialler::CampaignRules { pause: Some(pause.clone()), ..campaign() }));
    assert!(matches!(world.view(maya).session, Session::WrapUp { .. }), "the call still wants its outcome");
    world.disk_is_full = true;
    assert_eq!(code(world.press(maya, attempt, Outcome::Reached)), ErrorCode::NoStorage);
    world.disk_is_full = false;
    world.press(maya, attempt, Outcome::Reached);
    assert_eq!(world.view(maya).session, Session::Paused { pause });
    world.pass(MINUTE, &[maya]);
    assert!(world.rows.iter().all(|row| row.leased.is_none()));
    world.feed(Input::Campaign(campaign()));
    world.card(maya);
}

#[test]
fn a_store_that_cannot_be_written_is_said_in_its_own_word() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.disk_is_full = true;
    world.start(maya);
    assert_eq!(world.view(maya).session, Session::Waiting { why: Waiting::NoStorage });
    world.disk_is_full = false;
    world.pass(3 * SECOND, &[]);
    world.card(maya);
    // A card on its way back shows nothing for a moment; for longer, why.
    world.disk_is_full = true;
    world.ask(maya, Ask::Pause);
    assert_eq!(world.view(maya).session, Session::Waiting { why: Waiting::NoStorage });
    world.disk_is_full = false;
    world.pass(10 * SECOND, &[maya]);
    assert!(matches!(world.view(maya).session, Session::Paused { .. }));
}
