//! Whatever comes in whatever order.

use super::*;

proptest::proptest! {
    /// Whatever comes in whatever order: no panic, no spin, and never sound outside a call.
    #[test]
    fn no_order_of_events_makes_it_panic_or_spin(steps in proptest::collection::vec((0_u8..26, 0_i64..8_000), 1..120)) {
        let mut bench = Bench::with(Session::Ended, ServersLine::Down);
        let mut sends = false;
        for (step, ms) in steps {
            random_step(&mut bench, step);
            bench.wait(ms);
            let written: Vec<OutcomeId> = bench
                .done
                .iter()
                .filter_map(written_id)
                .collect();
            for id in written {
                bench.give(Input::Written(id, ms % 2 == 0));
            }
            for effect in std::mem::take(&mut bench.done) {
                if let Effect::SendAudio(_, on) = effect {
                    sends = on;
                }
                if matches!(effect, Effect::DropLine(_) | Effect::StopPhone | Effect::StartPhone) {
                    sends = false;
                }
            }
            if let (Screen::Desk(desk), Some(_)) = (bench.app.view().screen, bench.app.line.id()) {
                let may = matches!(desk.session, Session::Dialling { .. } | Session::Talking { .. }) || desk.busy == Some(Press::Call);
                proptest::prop_assert!(!sends || may, "sound in {:?}", desk.session);
            }
        }
    }
}

fn random_step(bench: &mut Bench, step: u8) {
    // Presses are refused or not; both are fine here.
    let _ = match step {
        0 => bench.press(Request::Start),
        1 => bench.press(Request::Call { lease_id: card().lease_id }),
        2 => bench.press(Request::HangUp),
        3 => bench.press(Request::Mute { on: true }),
        4 => bench.press(Request::Outcome { attempt_id: attempt_id(), press: press(Outcome::Reached) }),
        5 => bench.press(Request::Stop),
        6 => bench.press(Request::RetryNow),
        7 => bench.press(Request::Pause),
        _ => Ok(()),
    };
    let ended = CallState::Ended { by: Ender::Peer, reason: Reason::HungUp };
    match step {
        8 => bench.session(Session::Ended),
        9 => bench.session(Session::Waiting { why: Waiting::Line }),
        10 => bench.session(ready()),
        11 => bench.session(ringing(false)),
        12 => bench.session(talking()),
        13 => bench.session(wrap_up()),
        14 => bench.line_up(LINE),
        15 => bench.give(Input::Phone(Event::Call { id: LINE, state: ended })),
        16 => bench.give(Input::Phone(Event::Call {
            id: LINE,
            state: CallState::Reconnecting { missing: Missing::Signalling },
        })),
        17 => bench.give(Input::Live(News::Closed(Closed::Gap))),
        18 => bench.live_up(ready(), ServersLine::Up),
        19 => bench.give(Input::Answered(Ask::Dial(card().lease_id), Err(away()))),
        20 => bench.give(Input::LineAsked(Err(refused(503, ErrorCode::NoTelephone)))),
        21 => bench.give(Input::SignedIn(device().id, Err(away()))),
        22 => bench.give(Input::SignedIn(device().id, Ok(bench.now + 7_200_000))),
        23 => bench.give(Input::Phone(Event::Registration(Registration::Registered))),
        24 => bench.give(Input::Live(News::Revoked { organiser: "Ruth".into() })),
        25 => bench.give(Input::Answered(Ask::HangUp(attempt_id()), Ok(None))),
        _ => {}
    }
}
