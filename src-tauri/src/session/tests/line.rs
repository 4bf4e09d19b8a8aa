//! The line comes up, is lost, and comes back.

use super::*;
use crate::view::Grade;

#[test]
fn the_session_that_ends_takes_the_line_down() {
    let mut bench = Bench::on_the_line(ready());
    bench.session(Session::Ended);
    assert_eq!(bench.took(&Effect::DropLine(LINE)), 1);
    assert_eq!(bench.desk().line, LineView::Down);
    bench.wait(60_000);
    assert_eq!(bench.took(&Effect::OpenLine), 0);
}

#[test]
fn a_lost_line_comes_back_by_itself_and_says_so() {
    let mut bench = Bench::on_the_line(talking());
    let state = CallState::Ended { by: Ender::Failure, reason: Reason::ConnectionLost };
    bench.give(Input::Phone(Event::Call { id: LINE, state }));
    assert!(matches!(bench.troubles()[..], [Trouble::LineLost { in_call: true, .. }]));
    assert!(matches!(bench.desk().line, LineView::Lost { .. }));
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    bench.give(Input::LineAsked(Ok(())));
    bench.wait(10_300);
    assert_eq!(bench.took(&Effect::OpenLine), 0, "not at once after a try that came to nothing");
    bench.wait(1_000);
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    bench.line_up(CallId(8));
    assert_eq!(bench.took(&Effect::SendAudio(CallId(8), true)), 1, "the callee is still there");
    assert_eq!(bench.app.view().notice, Some(Notice::LineBack));
    assert_eq!(bench.troubles(), []);
}

#[test]
fn a_line_is_down_when_it_was_lost_and_not_before_it_is_wanted() {
    let mut bench = Bench::with(Session::Ended, ServersLine::Down);
    assert_eq!((bench.desk().line, bench.desk().quality.grade), (LineView::Down, Grade::Unknown));
    bench.session(ready());
    assert_eq!((bench.desk().line, bench.desk().quality.grade), (LineView::Opening, Grade::Unknown));

    let mut bench = Bench::on_the_line(ready());
    assert_eq!(bench.desk().quality.grade, Grade::Unknown, "nothing came yet");
    let quality = Quality { received: 50, ..Quality::default() };
    bench.give(Input::Phone(Event::Media { id: LINE, quality }));
    assert_eq!(bench.desk().quality.grade, Grade::Good);
    let state = CallState::Ended { by: Ender::Failure, reason: Reason::ConnectionLost };
    bench.give(Input::Phone(Event::Call { id: LINE, state }));
    assert!(matches!(bench.desk().line, LineView::Lost { .. }));
    assert_eq!(bench.desk().quality.grade, Grade::Down);
}

#[test]
fn an_app_started_anew_in_a_call_says_that_its_line_is_away_and_back() {
    let mut bench = Bench::with(talking(), ServersLine::Up);
    assert!(matches!(bench.troubles()[..], [Trouble::LineLost { in_call: true, .. }]));
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    bench.line_up(LINE);
    assert_eq!(bench.app.view().notice, Some(Notice::LineBack));
    assert_eq!(bench.troubles(), []);
}

#[test]
fn a_call_goes_on_without_the_server_while_sound_comes() {
    let mut bench = Bench::on_the_line(talking());
    bench.lose_the_server();
    bench.give(Input::Phone(Event::Call {
        id: LINE,
        state: CallState::Reconnecting { missing: Missing::Signalling },
    }));
    for second in 1..5 {
        bench.wait(1_000);
        let quality = Quality { received: 50 * second, ..Quality::default() };
        bench.give(Input::Phone(Event::Media { id: LINE, quality }));
    }
    assert!(matches!(bench.troubles()[..], [Trouble::ServerUnreachable { in_call: true, .. }]));
    bench.wait(4_000);
    assert!(
        matches!(bench.troubles()[0], Trouble::LineLost { in_call: true, .. }),
        "now the callee is not heard either: {:?}",
        bench.troubles()
    );
}

#[test]
fn a_line_without_sound_is_told_of_in_time_and_till_it_gets_through() {
    let told = |gets_through| Effect::TellOfSound { line: 1, gets_through };
    let mut bench = Bench::with(Session::Waiting { why: Waiting::Line }, ServersLine::Opening);
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    bench.wait(500);
    bench.give(Input::Phone(Event::Call { id: LINE, state: CallState::Dialling }));
    bench.wait(2_900);
    assert_eq!((bench.took(&told(false)), bench.troubles()), (0, vec![]), "it may come yet");
    bench.wait(200);
    assert_eq!((bench.took(&told(false)), bench.troubles()), (1, vec![Trouble::WithoutSound]));
    bench.give(Input::SoundTold { line: 1, gets_through: false, result: Err(away()) });
    bench.wait(1_100);
    assert_eq!(bench.took(&told(false)), 1, "once more: the server did not hear it");
    bench.give(Input::SoundTold { line: 1, gets_through: false, result: Ok(()) });
    bench.wait(1_500);
    assert_eq!(bench.took(&told(false)), 0);
    bench.line_up(LINE);
    assert_eq!((bench.took(&told(true)), bench.troubles()), (1, vec![]));
    bench.give(Input::SoundTold { line: 1, gets_through: true, result: Ok(()) });

    // Between two calls it is lost, and comes back.
    bench.session(ready());
    let missing =
        |missing| Input::Phone(Event::Call { id: LINE, state: CallState::Reconnecting { missing } });
    bench.give(missing(Missing::Signalling));
    assert_eq!(bench.took(&told(false)), 0, "sound is another matter");
    bench.give(missing(Missing::Sound));
    assert_eq!((bench.took(&told(false)), bench.troubles()), (1, vec![Trouble::WithoutSound]));
    bench.give(Input::SoundTold { line: 1, gets_through: false, result: Ok(()) });
    // The server comes back after a restart, and would ring somebody for this line.
    bench.give(Input::Live(News::Closed(Closed::Gap)));
    bench.wait(300);
    bench.live_up(ready(), ServersLine::Up);
    assert_eq!(bench.took(&told(false)), 1);
    bench.give(Input::SoundTold { line: 1, gets_through: false, result: Ok(()) });
    bench.line_up(LINE);
    assert_eq!((bench.took(&told(true)), bench.troubles()), (1, vec![]));
}

#[test]
fn a_line_whose_sound_failed_is_told_of_with_the_next_try() {
    let mut bench = Bench::with(Session::Waiting { why: Waiting::Line }, ServersLine::Opening);
    bench.give(Input::LineAsked(Ok(())));
    let state = CallState::Ended { by: Ender::Failure, reason: Reason::Media("no way".to_owned()) };
    bench.give(Input::Phone(Event::Call { id: LINE, state }));
    assert_eq!(bench.troubles(), [Trouble::WithoutSound]);
    bench.took(&Effect::OpenLine);
    bench.wait(1_000);
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    assert_eq!(bench.took(&Effect::TellOfSound { line: 2, gets_through: false }), 1);
    bench.session(Session::Ended);
    assert_eq!(bench.troubles(), []);
}

#[test]
fn a_late_answer_for_the_line_before_says_nothing_of_the_one_that_is_up() {
    let told = |line| Effect::TellOfSound { line, gets_through: true };
    let mut bench = Bench::with(ready(), ServersLine::Opening);
    bench.line_up(LINE);
    assert_eq!(bench.took(&told(1)), 1);
    let state = CallState::Ended { by: Ender::Failure, reason: Reason::ConnectionLost };
    bench.give(Input::Phone(Event::Call { id: LINE, state }));
    bench.line_up(CallId(8));
    assert_eq!(bench.took(&told(2)), 1);
    bench.give(Input::SoundTold { line: 1, gets_through: true, result: Ok(()) });
    bench.give(Input::SoundTold { line: 2, gets_through: true, result: Err(away()) });
    bench.wait(1_100);
    assert_eq!(bench.took(&told(2)), 1, "the server has not heard of this one, and would take it down");
    bench.give(Input::SoundTold { line: 2, gets_through: true, result: Ok(()) });
    bench.wait(60_000);
    assert_eq!(bench.took(&told(2)), 0);
}

#[test]
fn a_server_that_lost_the_line_is_believed_after_it_had_time_to_find_it() {
    for away in [false, true] {
        let mut bench = Bench::on_the_line(ready());
        if away {
            bench.give(Input::Phone(Event::Call {
                id: LINE,
                state: CallState::Reconnecting { missing: Missing::Signalling },
            }));
        }
        let lost = ServersLine::Lost { since_ms: 0 };
        bench.give(Input::Live(News::Change(Box::new(Change::Line(lost)))));
        bench.wait(2_000);
        assert_eq!(bench.took(&Effect::DropLine(LINE)), 0);
        bench.wait(1_500);
        assert_eq!((bench.took(&Effect::DropLine(LINE)), bench.took(&Effect::OpenLine)), (1, 1));
    }
}

#[test]
fn the_end_of_a_line_that_was_dropped_is_not_the_failure_of_the_next() {
    let mut bench = Bench::on_the_line(ready());
    bench.give(Input::Live(News::Change(Box::new(Change::Line(ServersLine::Lost { since_ms: 0 })))));
    bench.wait(3_500);
    assert_eq!((bench.took(&Effect::DropLine(LINE)), bench.took(&Effect::OpenLine)), (1, 1));
    // What was on its way when it was dropped.
    bench.line_up(LINE);
    assert!(!bench.app.line.is_up());
    let ended = |by| CallState::Ended { by, reason: Reason::HungUp };
    bench.give(Input::Phone(Event::Call { id: LINE, state: ended(Ender::Us) }));
    bench.wait(9_000);
    assert_eq!(bench.took(&Effect::OpenLine), 0, "another token would end the one that is coming up");
    bench.line_up(CallId(8));
    assert!(bench.app.line.is_up());

    let mut bench = Bench::with(ready(), ServersLine::Down);
    assert_eq!(bench.took(&Effect::OpenLine), 1);
    bench.give(Input::Phone(Event::Call { id: LINE, state: ended(Ender::Peer) }));
    bench.wait(1_000);
    assert_eq!(bench.took(&Effect::OpenLine), 1, "its own end is its failure");
}
