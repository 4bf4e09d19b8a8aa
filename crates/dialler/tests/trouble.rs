//! Lines that drop, disks that fill, servers that stop and telephones that go away.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "each test file uses a part of the support")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it wants and fails on the rest")]

mod support;

use dialler::{
    Adopted, AdoptedState, Announcement, Answer, Ask, CallFacts, CampaignRules, ChannelState, Fault,
    HangUpWhy, Input, Lease, LineFacts, LineId, LineToken, Output,
};
use protocol::{
    call::EndedBy,
    http::{ErrorCode, RecordOutcome},
    ids::{AttemptId, DeviceId},
    line::Line,
    outcome::{Outcome, WrittenBy},
    session::{Session, Waiting},
};
use support::*;

fn announcements(world: &World, mark: usize) -> Vec<Announcement> {
    let said = world.since(mark).iter();
    said.filter_map(|output| match output {
        Output::Announce { what, .. } => Some(*what),
        _ => None,
    })
    .collect()
}

/// Start, and the line is asked for.
fn opening(world: &mut World, device: DeviceId) -> (LineId, LineToken) {
    world.ask(device, Ask::Start { campaign: campaign_id(0) });
    let ask = world.new_line();
    let Ask::OpenLine { line, token } = ask.clone() else { unreachable!() };
    world.ask(device, ask);
    (line, token)
}

fn talking(world: &mut World, device: DeviceId) -> (AttemptId, LineId) {
    assert_eq!(world.ask(device, Ask::Start { campaign: campaign_id(0) }), Some(Ok(Answer::Done)));
    let line = world.open_line(device);
    let attempt = world.dial(device);
    world.answer(attempt);
    (attempt, line)
}

#[test]
fn a_lost_line_is_announced_after_a_second_repeated_and_silenced_when_it_is_back() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let (attempt, line) = talking(&mut world, maya);
    let mark = world.said.len();
    world.feed(Input::LineGone { device: maya, line });
    let lost_at = world.now;
    assert_eq!(world.view(maya).line, Line::Lost { since_ms: lost_at });
    world.pass(SECOND - 1, &[]);
    assert!(announcements(&world, mark).is_empty());
    world.pass(1, &[]);
    assert_eq!(announcements(&world, mark), [Announcement::OneMoment]);
    world.pass(2 * SECOND, &[]);
    world.feed(Input::AnnouncementDone { attempt });
    world.pass(5 * SECOND, &[]);
    assert_eq!(announcements(&world, mark), [Announcement::OneMoment; 2], "repeated");

    world.open_line(maya);
    assert!(world.since(mark).contains(&Output::StopAnnouncement { attempt }));
    assert_eq!(world.view(maya).line, Line::Up);
    assert!(matches!(world.view(maya).session, Session::Talking { .. }), "they talk on");
    let mark = world.said.len();
    world.pass(5 * MINUTE, &[maya]);
    assert!(announcements(&world, mark).is_empty());
}

#[test]
fn after_thirty_seconds_the_callee_gets_an_apology_and_the_outcome_is_unknown_and_editable() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    let (attempt, line) = talking(&mut world, maya);
    let mark = world.said.len();
    world.feed(Input::LineGone { device: maya, line });
    world.pass(30 * SECOND - 1, &[]);
    assert!(!announcements(&world, mark).contains(&Announcement::Apology));
    world.pass(1, &[]);
    assert!(announcements(&world, mark).ends_with(&[Announcement::Apology]));
    world.pass(3 * SECOND, &[]);
    world.feed(Input::AnnouncementDone { attempt });
    assert!(world.since(mark).contains(&Output::HangUp { attempt, why: HangUpWhy::LineLost }));
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.outcome(attempt), (Some(Outcome::Unknown), "closed"));
    assert_eq!(world.view(maya).session, Session::Waiting { why: Waiting::Line });
    assert_eq!(world.view(maya).last_outcome.unwrap().by, WrittenBy::Server);
    world.press(maya, attempt, Outcome::Reached);
    assert_eq!(world.outcome(attempt), (Some(Outcome::Reached), "closed"));
}

#[test]
fn a_line_lost_while_it_rings_lets_it_ring_fifteen_seconds() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.ask(maya, Ask::Start { campaign: campaign_id(0) });
    let line = world.open_line(maya);
    let attempt = world.dial(maya);
    world.feed(Input::CalleeRinging { attempt });
    world.pass(SECOND, &[]);
    let mark = world.said.len();
    world.feed(Input::LineGone { device: maya, line });
    world.pass(14 * SECOND - 1, &[]);
    let hang_up = Output::HangUp { attempt, why: HangUpWhy::LineLost };
    assert!(!world.since(mark).contains(&hang_up), "R05");
    world.pass(1, &[]);
    assert!(world.since(mark).contains(&hang_up));
    world.feed(Input::CalleeUp { attempt });
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.outcome(attempt).1, "closed");
}

#[test]
fn a_revoked_device_loses_its_line_at_once_and_its_callee_gets_an_apology() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let (attempt, line) = talking(&mut world, maya);
    let mark = world.said.len();
    world.feed(Input::Revoked { device: maya });
    assert!(world.since(mark).contains(&Output::DropLine { line: line.clone() }));
    assert_eq!(announcements(&world, mark), [Announcement::Apology]);
    world.feed(Input::LineGone { device: maya, line });
    world.pass(8 * SECOND, &[]);
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.outcome(attempt), (Some(Outcome::Unknown), "closed"));
    assert_eq!((world.view(maya).session, world.view(maya).line), (Session::Ended, Line::Down));
}

#[test]
fn a_callee_who_answers_a_revoked_device_gets_an_apology_at_once() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.feed(Input::CalleeRinging { attempt });
    world.feed(Input::Revoked { device: maya });
    let mark = world.said.len();
    world.feed(Input::CalleeUp { attempt });
    assert_eq!(announcements(&world, mark), [Announcement::Apology]);
    world.pass(8 * SECOND, &[]);
    assert!(world.since(mark).contains(&Output::HangUp { attempt, why: HangUpWhy::LineLost }));
}

#[test]
fn a_card_that_the_store_does_not_hold_any_more_goes() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.start(maya);
    let lease = world.card(maya).lease_id;
    for row in &mut world.rows {
        row.leased = None;
    }
    let ask = world.dial_ask(lease);
    assert_eq!(world.ask(maya, ask).unwrap().unwrap_err().code, ErrorCode::LeaseLost);
    assert_ne!(world.card(maya).lease_id, lease);
    world.dial(maya);
}

#[test]
fn a_line_that_does_not_come_up_is_down_again_after_thirty_seconds() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let (line, token) = opening(&mut world, maya);
    let mark = world.said.len();
    let retried = Ask::OpenLine { line: LineId("another".to_owned()), token };
    assert_eq!(world.ask(maya, retried), Some(Ok(Answer::Done)));
    assert!(
        !world.since(mark).iter().any(|output| matches!(output, Output::MakeLine { .. })),
        "one token, one line"
    );
    world.pass(30 * SECOND, &[]);
    assert_eq!(world.view(maya).line, Line::Down);
    let mark = world.said.len();
    world.feed(Input::LineAnswered { device: maya, line: line.clone() });
    assert_eq!(world.since(mark), [Output::DropLine { line }], "too late");
}

#[test]
fn nobody_is_rung_before_the_app_says_that_sound_gets_through_and_when_it_does_no_more() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let (line, token) = opening(&mut world, maya);
    world.feed(Input::LineAnswered { device: maya, line });
    assert_eq!(world.view(maya).line, Line::Opening);
    assert_eq!(world.view(maya).session, Session::Waiting { why: Waiting::Line });
    world.sound(maya, token.clone(), false);
    assert_eq!(world.dialler.without_sound(), [(maya, world.now)]);
    world.sound(maya, LineToken("of another line".to_owned()), true);
    assert_eq!(world.view(maya).line, Line::Opening);

    world.sound(maya, token.clone(), true);
    assert_eq!((world.view(maya).line, world.dialler.without_sound()), (Line::Up, vec![]));
    world.sound(maya, LineToken("of another line".to_owned()), false);
    assert_eq!((world.view(maya).line, world.dialler.without_sound()), (Line::Up, vec![]));
    let lease = world.card(maya).lease_id;
    world.pass(MINUTE, &[maya]);
    world.sound(maya, token.clone(), false);
    let ask = world.dial_ask(lease);
    assert_eq!(world.ask(maya, ask).unwrap().unwrap_err().code, ErrorCode::WrongState);
    assert_eq!(world.card(maya).lease_id, lease, "the card stays");
    world.sound(maya, token, true);
    world.dial(maya);
}

#[test]
fn the_apps_word_may_come_before_asterisks() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let (line, token) = opening(&mut world, maya);
    world.sound(maya, token, true);
    assert_eq!(world.view(maya).line, Line::Opening);
    world.feed(Input::LineAnswered { device: maya, line });
    assert_eq!(world.view(maya).line, Line::Up);
}

#[test]
fn a_callee_is_not_left_in_silence_when_sound_is_lost_in_a_call() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let (line, token) = opening(&mut world, maya);
    world.feed(Input::LineAnswered { device: maya, line });
    world.sound(maya, token.clone(), true);
    let attempt = world.dial(maya);
    world.feed(Input::CalleeRinging { attempt });
    world.feed(Input::CalleeUp { attempt });
    let mark = world.said.len();
    world.sound(maya, token.clone(), false);
    world.pass(2 * SECOND, &[maya]);
    assert_eq!(announcements(&world, mark), [Announcement::OneMoment]);
    world.sound(maya, token, true);
    assert_eq!(world.view(maya).line, Line::Up);
    assert!(matches!(world.view(maya).session, Session::Talking { .. }));
}

#[test]
fn a_full_disk_refuses_the_call_and_the_key_and_loses_neither() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.start(maya);
    let card = world.card(maya);
    world.disk_is_full = true;
    let ask = world.dial_ask(card.lease_id);
    assert_eq!(world.ask(maya, ask).unwrap().unwrap_err().code, ErrorCode::NoStorage);
    assert!(world.created.is_empty(), "write-ahead: nothing was created");
    assert_eq!(world.card(maya), card);

    world.disk_is_full = false;
    let attempt = world.dial(maya);
    world.answer(attempt);
    world.disk_is_full = true;
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.press(maya, attempt, Outcome::Reached).unwrap().unwrap_err().code, ErrorCode::NoStorage);
    assert!(matches!(world.view(maya).session, Session::WrapUp { .. }), "the key may be pressed again");
    world.disk_is_full = false;
    assert_eq!(world.press(maya, attempt, Outcome::Reached), Some(Ok(Answer::Done)));
    assert_eq!(world.outcome(attempt), (Some(Outcome::Reached), "closed"));
    world.card(maya);
}

#[test]
fn what_the_server_writes_by_itself_is_tried_until_the_disk_takes_it() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.disk_is_full = true;
    world.feed(Input::CalleeGone { attempt, cause: 17, sip: None });
    world.pass(MINUTE, &[maya]);
    assert!(matches!(world.view(maya).session, Session::WrapUp { .. }), "no new card before it is written");
    world.disk_is_full = false;
    world.pass(10 * SECOND, &[maya]);
    assert_eq!(world.outcome(attempt), (Some(Outcome::Busy), "closed"));
    world.card(maya);
}

/// The world after a restart: the store's open attempt is adopted.
fn restarted(world: &mut World, device: DeviceId, attempt: AttemptId, state: AdoptedState) {
    restarted_by(campaign(), world, device, attempt, state, None);
}

fn restarted_by(
    rules: CampaignRules,
    world: &mut World,
    device: DeviceId,
    attempt: AttemptId,
    state: AdoptedState,
    kept: Option<RecordOutcome>,
) {
    let row = world.attempts[&attempt].clone();
    let card = match world.view(device).session {
        Session::Dialling { card, .. } | Session::Talking { card, .. } | Session::WrapUp { card, .. } => card,
        other => panic!("{other:?}"),
    };
    world.restart(rules);
    let contact = world.row(row.contact).facts.clone();
    let lease = Lease { id: row.lease, contact, card, expires_at: world.now };
    let adopted = Adopted { attempt, device, lease, state, dialled_at: row.dialled_at, kept };
    world.feed(Input::Adopted(Box::new(adopted)));
}

#[test]
fn a_restart_in_a_call_adopts_channel_line_and_session() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    let (attempt, line) = talking(&mut world, maya);
    let answered_at = world.now;
    restarted(&mut world, maya, attempt, AdoptedState::Talking { ringing_at: None, answered_at });
    let mark = world.said.len();
    world.pass(10 * SECOND, &[]);
    let facts = LineFacts { device: maya, campaign: campaign_id(0), line };
    world.back(vec![CallFacts { attempt, state: ChannelState::Up }], vec![facts]);
    assert!(matches!(world.view(maya).session, Session::Talking { .. }));
    assert_eq!(world.view(maya).line, Line::Up);
    world.pass(MINUTE, &[maya]);
    assert!(announcements(&world, mark).is_empty(), "they heard nothing of it");
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    world.press(maya, attempt, Outcome::Reached);
    assert_eq!(world.created.len(), 1);
    world.card(maya);
}

#[test]
fn a_restart_closes_what_has_no_channel_and_never_rings_it_again() {
    for stage in ["dialling", "ringing", "talking"] {
        let mut world = World::new(campaign(), 1);
        let maya = device_id(1);
        world.start(maya);
        let attempt = world.dial(maya);
        let state = match stage {
            "dialling" => AdoptedState::Dialling,
            "ringing" => AdoptedState::Ringing { ringing_at: world.now },
            _ => AdoptedState::Talking { ringing_at: Some(world.now), answered_at: world.now },
        };
        restarted(&mut world, maya, attempt, state);
        world.back(Vec::new(), Vec::new());
        assert_eq!(world.outcome(attempt), (Some(Outcome::Unknown), "closed"), "{stage}");
        assert!(world.row(contact_id(0)).due_at > world.now + 12 * HOUR, "{stage}");
        assert_eq!(world.created.len(), 1, "{stage}: never originated again");
        // The key that waited in the app's outbox.
        assert_eq!(world.press(maya, attempt, Outcome::Reached), Some(Ok(Answer::Done)), "{stage}");
        assert_eq!(world.outcome(attempt), (Some(Outcome::Reached), "closed"), "{stage}");
    }
}

#[test]
fn an_answer_that_came_while_the_server_was_away_is_found() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.ask(maya, Ask::Start { campaign: campaign_id(0) });
    let line = world.open_line(maya);
    let attempt = world.dial(maya);
    restarted(&mut world, maya, attempt, AdoptedState::Dialling);
    let facts = LineFacts { device: maya, campaign: campaign_id(0), line };
    world.back(vec![CallFacts { attempt, state: ChannelState::Up }], vec![facts]);
    assert!(matches!(world.view(maya).session, Session::Talking { .. }));
    assert_eq!(world.attempts[&attempt].state, "talking");
}

#[test]
fn a_wrap_up_is_shown_again_after_a_restart() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let (attempt, _) = talking(&mut world, maya);
    let answered_at = world.now;
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    let (ended_at, by) = (world.now, EndedBy::Callee);
    let state = AdoptedState::WrapUp { ringing_at: None, answered_at, ended_at, by };
    restarted(&mut world, maya, attempt, state);
    world.back(Vec::new(), Vec::new());
    assert!(matches!(world.view(maya).session, Session::WrapUp { .. }));
    world.pass(30 * MINUTE, &[]);
    assert_eq!(world.outcome(attempt), (Some(Outcome::Unknown), "closed"));
}

#[test]
fn channels_that_nobody_owns_are_hung_up() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let stray = attempt_id(77);
    let unknown = LineFacts { device: device_id(9), campaign: campaign_id(9), line: LineId("x".to_owned()) };
    let known = LineFacts { device: maya, campaign: campaign_id(0), line: LineId("y".to_owned()) };
    let second = LineFacts { device: maya, campaign: campaign_id(0), line: LineId("z".to_owned()) };
    world.back(vec![CallFacts { attempt: stray, state: ChannelState::Up }], vec![unknown, known, second]);
    assert!(world.said.contains(&Output::HangUp { attempt: stray, why: HangUpWhy::Stray }));
    let drop = |line: &str| Output::DropLine { line: LineId(line.to_owned()) };
    assert!(world.said.contains(&drop("x")) && world.said.contains(&drop("z")));
    world.card(maya);
    assert_eq!(world.view(maya).line, Line::Up, "a session goes on with its line");
}

#[test]
fn a_telephone_that_stays_away_ends_its_calls_in_the_books() {
    let mut world = World::new(campaign(), 2);
    let maya = device_id(1);
    let (attempt, _) = talking(&mut world, maya);
    world.feed(Input::TelephoneGone);
    world.pass(5 * MINUTE - 1, &[maya]);
    assert_eq!(world.outcome(attempt).1, "talking");
    world.pass(1, &[maya]);
    assert_eq!(world.outcome(attempt), (Some(Outcome::Unknown), "closed"));
    assert_eq!(world.view(maya).session, Session::Waiting { why: Waiting::NoTelephone });
    world.back(vec![CallFacts { attempt, state: ChannelState::Up }], vec![]);
    assert!(world.said.contains(&Output::HangUp { attempt, why: HangUpWhy::Stray }));
}

#[test]
fn a_channel_found_down_after_a_restart_is_hung_up_and_rung_another_day() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.ask(maya, Ask::Start { campaign: campaign_id(0) });
    let line = world.open_line(maya);
    let attempt = world.dial(maya);
    restarted(&mut world, maya, attempt, AdoptedState::Dialling);
    let facts = LineFacts { device: maya, campaign: campaign_id(0), line };
    world.back(vec![CallFacts { attempt, state: ChannelState::Down }], vec![facts]);
    assert!(world.said.contains(&Output::HangUp { attempt, why: HangUpWhy::FoundDown }));
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.outcome(attempt), (Some(Outcome::Unknown), "closed"));
    let row = world.row(contact_id(0));
    assert!(row.facts.open && row.due_at > world.now + 12 * HOUR, "not lost, and not the same day");
    assert_eq!(world.created.len(), 1);
    assert!(world.unexpected.is_empty(), "{:?}", world.unexpected);
}

#[test]
fn a_channel_that_is_down_when_only_the_events_were_away_goes_on_if_it_was_dialled() {
    for dialled in [true, false] {
        let mut world = World::new(campaign(), 1);
        let maya = device_id(1);
        world.ask(maya, Ask::Start { campaign: campaign_id(0) });
        let line = world.open_line(maya);
        let lease = world.card(maya).lease_id;
        let attempt = if dialled {
            world.dial(maya)
        } else {
            let ask = world.dial_ask(lease);
            let Some(Ok(Answer::Dialled(attempt))) = world.ask(maya, ask) else { panic!("not dialled") };
            attempt
        };
        world.feed(Input::TelephoneGone);
        let facts = LineFacts { device: maya, campaign: campaign_id(0), line };
        world.back(vec![CallFacts { attempt, state: ChannelState::Down }], vec![facts]);
        let hung_up = world.said.contains(&Output::HangUp { attempt, why: HangUpWhy::FoundDown });
        assert_eq!(hung_up, !dialled, "StasisStart was lost, nothing would ever follow");
    }
}

/// A callee rings, the volunteer's line goes, the callee answers.
fn answered_alone(world: &mut World, maya: DeviceId) -> AttemptId {
    world.ask(maya, Ask::Start { campaign: campaign_id(0) });
    let line = world.open_line(maya);
    let attempt = world.dial(maya);
    world.feed(Input::CalleeRinging { attempt });
    world.feed(Input::LineGone { device: maya, line });
    world.pass(3 * SECOND, &[]);
    world.feed(Input::CalleeUp { attempt });
    attempt
}

#[test]
fn who_answers_while_the_line_is_away_is_spoken_to_and_recorded_as_abandoned() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let mark = world.said.len();
    let attempt = answered_alone(&mut world, maya);
    world.pass(SECOND, &[]);
    assert_eq!(announcements(&world, mark), [Announcement::OneMoment], "within two seconds, R03");
    world.pass(29 * SECOND, &[]);
    assert!(announcements(&world, mark).ends_with(&[Announcement::Apology]));
    world.pass(8 * SECOND, &[]);
    assert!(world.since(mark).contains(&Output::HangUp { attempt, why: HangUpWhy::LineLost }));
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.outcome(attempt), (Some(Outcome::Abandoned), "closed"));
    assert_eq!(world.view(maya).last_outcome.unwrap().by, WrittenBy::Server);
    let due_at = world.row(contact_id(0)).due_at;
    assert!(due_at >= world.now + 72 * HOUR, "R06");
}

#[test]
fn an_answer_without_a_volunteer_is_abandoned_unless_they_come_or_the_callee_rings_off_at_once() {
    let cases = [(1_999, Outcome::Unknown), (2_000, Outcome::Abandoned), (20_000, Outcome::Abandoned)];
    for (after, outcome) in cases {
        let mut world = World::new(campaign(), 1);
        let maya = device_id(1);
        let attempt = answered_alone(&mut world, maya);
        world.pass(after, &[]);
        world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
        assert_eq!(world.outcome(attempt), (Some(outcome), "closed"), "rang off after {after} ms");
    }
    // Our own hanging up abandons them however soon it comes.
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let attempt = answered_alone(&mut world, maya);
    world.ask(maya, Ask::HangUp { attempt });
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert_eq!(world.outcome(attempt), (Some(Outcome::Abandoned), "closed"));

    let mut world = World::new(campaign(), 1);
    let attempt = answered_alone(&mut world, maya);
    world.pass(SECOND, &[]);
    let mark = world.said.len();
    world.open_line(maya);
    assert!(world.since(mark).contains(&Output::StopAnnouncement { attempt }));
    world.pass(MINUTE, &[maya]);
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    assert!(matches!(world.view(maya).session, Session::WrapUp { .. }), "they talked");
}

#[test]
fn a_request_that_fails_does_not_cut_off_who_rings_or_talks() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    world.start(maya);
    let attempt = world.dial(maya);
    let mark = world.said.len();
    let failed = Input::CalleeFailed { attempt, fault: Fault::Telephone, why: "status 500".to_owned() };
    let hung_up =
        |world: &World| world.since(mark).iter().any(|output| matches!(output, Output::HangUp { .. }));
    world.feed(Input::CalleeRinging { attempt });
    world.feed(failed.clone());
    world.feed(Input::CalleeUp { attempt });
    world.feed(failed.clone());
    assert!(!hung_up(&world));
    assert_eq!(world.unexpected, [("call ringing", "CalleeFailed"), ("call answered", "CalleeFailed")]);
    world.pass(MINUTE, &[maya]);
    assert!(matches!(world.view(maya).session, Session::Talking { .. }));
    // Nor is it stuck: its end, or that it is gone, still ends it.
    world.back(Vec::new(), Vec::new());
    assert_eq!(world.outcome(attempt), (Some(Outcome::Unknown), "closed"));

    let mut world = World::new(campaign(), 1);
    world.start(maya);
    let attempt = world.dial(maya);
    world.feed(Input::CalleeFailed { attempt, fault: Fault::Telephone, why: "status 500".to_owned() });
    assert!(
        world.said.contains(&Output::HangUp { attempt, why: HangUpWhy::Failed(Fault::Telephone) }),
        "before it rings it ends"
    );
}

#[test]
fn what_is_over_in_the_books_and_lives_on_in_asterisk_is_hung_up() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let (attempt, line) = talking(&mut world, maya);
    world.feed(Input::TelephoneGone);
    world.disk_is_full = true;
    world.pass(6 * MINUTE, &[maya]);
    assert_eq!(world.outcome(attempt).1, "talking", "given up, and the disk does not take it");
    let facts = LineFacts { device: maya, campaign: campaign_id(0), line };
    let mark = world.said.len();
    world.back(vec![CallFacts { attempt, state: ChannelState::Up }], vec![facts]);
    assert!(world.since(mark).contains(&Output::HangUp { attempt, why: HangUpWhy::Stray }));
    world.disk_is_full = false;
    world.pass(10 * SECOND, &[maya]);
    assert_eq!(world.outcome(attempt), (Some(Outcome::Unknown), "closed"));
}

#[test]
fn a_campaign_that_is_not_allowed_any_more_closes_its_open_attempts_at_the_restart() {
    let not_allowed = CampaignRules { callable: false, ..campaign() };
    for stage in ["dialling", "ringing", "talking", "kept", "wrap-up"] {
        let mut world = World::new(campaign(), 2);
        let maya = device_id(1);
        world.ask(maya, Ask::Start { campaign: campaign_id(0) });
        let line = world.open_line(maya);
        let attempt = world.dial(maya);
        let (ringing_at, answered_at) = (Some(world.now), world.now);
        let state = match stage {
            "dialling" => AdoptedState::Dialling,
            "ringing" => AdoptedState::Ringing { ringing_at: world.now },
            "wrap-up" => {
                AdoptedState::WrapUp { ringing_at, answered_at, ended_at: world.now, by: EndedBy::Callee }
            }
            _ => AdoptedState::Talking { ringing_at, answered_at },
        };
        let kept = (stage == "kept").then(|| world.record(attempt, Outcome::Reached));
        world.disk_is_full = true;
        restarted_by(not_allowed.clone(), &mut world, maya, attempt, state, kept);
        world.disk_is_full = false;
        let facts = LineFacts { device: maya, campaign: campaign_id(0), line: line.clone() };
        let calls =
            if stage == "wrap-up" { vec![] } else { vec![CallFacts { attempt, state: ChannelState::Up }] };
        world.back(calls, vec![facts]);
        let hung_up = world.said.contains(&Output::HangUp { attempt, why: HangUpWhy::Stray });
        assert_eq!(hung_up, stage != "wrap-up", "{stage}");
        world.pass(10 * SECOND, &[]);
        let outcome = if stage == "kept" { Outcome::Reached } else { Outcome::Unknown };
        assert_eq!(world.outcome(attempt), (Some(outcome), "closed"), "{stage}: also over a full disk");
        let row = world.row(contact_id(0));
        assert!(row.leased.is_none(), "{stage}");
        assert!(!row.facts.open || row.due_at > world.now + 12 * HOUR, "{stage}: never the same day");
        assert_eq!(world.view(maya).session, Session::Ended, "{stage}");
        assert!(world.said.contains(&Output::DropLine { line }), "{stage}");
        let refused = world.ask(maya, Ask::Start { campaign: campaign_id(0) }).unwrap().unwrap_err();
        assert_eq!(refused.code, ErrorCode::WrongState, "{stage}");
        assert!(refused.message.contains("settings are not allowed"), "{refused}");
        // The key that waited in the app's outbox.
        assert_eq!(world.press(maya, attempt, Outcome::WrongNumber), Some(Ok(Answer::Done)), "{stage}");
        assert_eq!(world.outcome(attempt), (Some(Outcome::WrongNumber), "closed"), "{stage}");
        world.feed(Input::Campaign(campaign()));
        world.start(maya);
        world.card(maya);
        assert_eq!(world.created.len(), 1, "{stage}");
    }
}

#[test]
fn a_new_line_takes_the_old_one_away_first() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let (attempt, old) = talking(&mut world, maya);
    let mark = world.said.len();
    let new = world.open_line(maya);
    let lines: Vec<_> = world
        .since(mark)
        .iter()
        .filter(|output| matches!(output, Output::DropLine { .. } | Output::MakeLine { .. }))
        .collect();
    assert!(
        matches!(lines[..], [Output::DropLine { line: dropped }, Output::MakeLine { line: made, .. }]
            if *dropped == old && *made == new),
        "{lines:?}"
    );
    world.feed(Input::LineGone { device: maya, line: old });
    assert_eq!(world.view(maya).line, Line::Up, "late news of the old line");
    assert!(matches!(world.view(maya).session, Session::Talking { call, .. } if call.attempt_id == attempt));
}

#[test]
fn a_seat_that_nobody_sits_on_is_forgotten_and_its_outcomes_find_their_attempts() {
    let mut world = World::new(campaign(), 2);
    let (maya, sam) = (device_id(1), device_id(2));
    let (attempt, line) = talking(&mut world, maya);
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    world.press(maya, attempt, Outcome::Reached);
    assert_eq!(world.ask(maya, Ask::Stop), Some(Ok(Answer::Done)));
    world.feed(Input::LineGone { device: maya, line });
    world.start(sam);
    world.pass(12 * HOUR - SECOND, &[sam]);
    assert!(world.view(maya).last_outcome.is_some(), "till then it may be corrected from memory");
    let record = world.record(attempt, Outcome::Refused);
    assert_eq!(world.ask(maya, Ask::Record { record, stored: None }), Some(Ok(Answer::Done)));
    world.pass(12 * HOUR + MINUTE, &[sam]);
    assert_eq!(world.view(maya).last_outcome, None, "forgotten");
    assert!(!matches!(world.view(sam).session, Session::Ended), "who sits there stays");
    assert_eq!(world.press(maya, attempt, Outcome::Busy), Some(Ok(Answer::Done)));
    assert_eq!(world.outcome(attempt).0, Some(Outcome::Busy), "found in the store");
    assert_eq!(world.unexpected, []);
}

#[test]
fn a_do_not_call_goes_although_the_press_that_took_it_back_could_not_be_written() {
    let mut world = World::new(campaign(), 1);
    let maya = device_id(1);
    let (attempt, _) = talking(&mut world, maya);
    world.feed(Input::CalleeGone { attempt, cause: 16, sip: None });
    world.press(maya, attempt, Outcome::DoNotCall);
    assert!(world.row(contact_id(0)).facts.do_not_call);
    // Two corrections cross: the first one's write fails, the second was decided beside it.
    let stored = world.stored(attempt);
    let (first, second) = (world.record(attempt, Outcome::Reached), world.record(attempt, Outcome::Refused));
    let (one, two) = (world.ticket(), world.ticket());
    world.disk_is_full = true;
    world.give(Input::Ask {
        ticket: one,
        device: maya,
        ask: Ask::Record { record: first, stored: stored.clone() },
    });
    world.disk_is_full = false;
    world.feed(Input::Ask { ticket: two, device: maya, ask: Ask::Record { record: second, stored } });
    assert!(world.answers[&one].is_err() && world.answers[&two].is_ok());
    assert!(!world.row(contact_id(0)).facts.do_not_call, "taken back");
}
