//! What sounds on the line, and what leaves.

use super::*;

#[test]
fn sound_leaves_only_from_call_to_the_end_of_the_call() {
    let mut bench = Bench::on_the_line(ready());
    bench.press(Request::Call { lease_id: card().lease_id }).unwrap();
    assert_eq!(bench.took(&Effect::Ask(Ask::Dial(card().lease_id))), 1);
    assert_eq!(bench.took(&Effect::SendAudio(LINE, true)), 1);
    assert_eq!(
        bench.press(Request::Call { lease_id: card().lease_id }),
        Err(Refusal::NotNow),
        "a second press while the first is under way"
    );
    bench.session(talking());
    assert_eq!(bench.took(&Effect::SendAudio(LINE, false)), 0);
    bench.session(wrap_up());
    assert_eq!(bench.took(&Effect::SendAudio(LINE, false)), 1);
}

#[test]
fn the_national_ring_sounds_until_media_comes() {
    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(false));
    assert_eq!(bench.took(&Effect::Ring(true)), 1);
    assert!(bench.desk().rings);
    bench.give(Input::Phone(Event::FirstMedia { id: LINE }));
    assert_eq!(bench.took(&Effect::Ring(false)), 1);
    assert!(!bench.desk().rings);

    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(true));
    bench.give(Input::Phone(Event::FirstMedia { id: LINE }));
    bench.wait(30_000);
    assert_eq!(bench.took(&Effect::Ring(true)), 0, "the network sends its own ringing");

    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(false));
    bench.session(talking());
    assert_eq!(bench.took(&Effect::Ring(false)), 1, "the answer ends it without media too");
}

#[test]
fn after_a_183_without_sound_the_app_rings_and_only_until_sound_comes() {
    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(true));
    bench.wait(999);
    assert_eq!(bench.took(&Effect::Ring(true)), 0, "sound may come yet");
    bench.wait(1);
    assert_eq!(bench.took(&Effect::Ring(true)), 1);
    // The 180 after it begins nothing anew.
    bench.session(Session::Dialling {
        card: card(),
        call: call(CalleeState::Ringing { since_ms: 14_000, early_media: true }),
    });
    assert_eq!((bench.took(&Effect::Ring(true)), bench.took(&Effect::Ring(false))), (0, 0));
    bench.give(Input::Phone(Event::FirstMedia { id: LINE }));
    assert_eq!(bench.took(&Effect::Ring(false)), 1, "never two at once");
    bench.wait(30_000);
    assert_eq!(bench.took(&Effect::Ring(true)), 0);
    bench.session(ready());
    bench.session(ringing(true));
    bench.wait(1_000);
    assert_eq!(bench.took(&Effect::Ring(true)), 1, "each attempt for itself");
}

#[test]
fn a_183_without_sound_after_a_180_does_not_interrupt_the_ring() {
    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(false));
    assert_eq!(bench.took(&Effect::Ring(true)), 1);
    bench.session(ringing(true));
    bench.wait(2_000);
    assert_eq!((bench.took(&Effect::Ring(true)), bench.took(&Effect::Ring(false))), (0, 0));
    bench.give(Input::Phone(Event::FirstMedia { id: LINE }));
    assert_eq!(bench.took(&Effect::Ring(false)), 1, "never two at once");
}

#[test]
fn a_muted_volunteer_is_heard_again_by_the_next_callee() {
    let mut bench = Bench::on_the_line(talking());
    bench.press(Request::Mute { on: true }).unwrap();
    assert_eq!((bench.took(&Effect::Mute(LINE, true)), bench.desk().muted), (1, true));
    bench.session(wrap_up());
    assert_eq!((bench.took(&Effect::Mute(LINE, false)), bench.desk().muted), (1, false));
    assert_eq!(bench.press(Request::Mute { on: true }), Err(Refusal::NotNow));
}

#[test]
fn a_volunteer_nobody_hears_is_told_and_one_who_speaks_is_not() {
    let mut bench = Bench::on_the_line(ringing(false));
    bench.session(talking());
    bench.wait(9_000);
    assert_eq!(bench.troubles(), []);
    bench.wait(1_500);
    assert_eq!(bench.troubles(), [Trouble::TooQuiet]);
    bench.give(Input::Phone(Event::Level { microphone: 0.1, speaker: 0.0 }));
    assert_eq!(bench.troubles(), []);
    bench.wait(60_000);
    assert_eq!(bench.troubles(), [], "who was heard once may listen as long as they like");
}

#[test]
fn the_ring_ends_with_the_line_that_it_sounds_on() {
    let lost = || CallState::Ended { by: Ender::Failure, reason: Reason::ConnectionLost };
    let mut bench = Bench::on_the_line(ready());
    bench.session(ringing(false));
    assert_eq!(bench.took(&Effect::Ring(true)), 1);
    bench.give(Input::Phone(Event::Call { id: LINE, state: lost() }));
    assert_eq!(bench.took(&Effect::Ring(false)), 1, "nobody hears the callee answer");
    bench.line_up(CallId(8));
    assert_eq!(bench.took(&Effect::Ring(true)), 1, "they still ring");
    bench.session(Session::Ended);
    assert_eq!((bench.took(&Effect::DropLine(CallId(8))), bench.took(&Effect::Ring(false))), (1, 1));
}

#[test]
fn an_outcome_refused_before_does_not_hide_that_nobody_hears_the_volunteer() {
    let mut bench = Bench::on_the_line(wrap_up());
    bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Other) }).unwrap();
    let id = bench.written(true);
    bench.delivers().unwrap();
    bench.give(Input::Delivered(id, Err(refused(404, ErrorCode::NotFound))));
    bench.session(ready());
    bench.session(talking());
    bench.wait(11_000);
    assert!(
        matches!(bench.troubles()[..], [Trouble::TooQuiet, Trouble::OutcomeRefused { .. }]),
        "{:?}",
        bench.troubles()
    );
}
