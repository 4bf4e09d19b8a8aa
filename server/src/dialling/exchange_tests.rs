#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use protocol::ids::CampaignId;
use uuid::Uuid;

use super::*;
use crate::ari::Bridge;

fn channel(id: &str, name: &str, state: ChannelState) -> Channel {
    Channel { id: id.into(), name: name.into(), state }
}

fn told(step: Option<Step>) -> Input {
    match step {
        Some(Step::Tell(input)) => input,
        other => panic!("{other:?}"),
    }
}

struct Scene {
    exchange: Exchange,
    device: DeviceId,
    line: LineId,
    attempt: AttemptId,
}

fn scene() -> Scene {
    let device = DeviceId::new(Uuid::now_v7());
    let (line, attempt) = (names::line(device), AttemptId::new(Uuid::now_v7()));
    let mut exchange = Exchange::default();
    exchange.line_asked(&line, device);
    exchange.call_asked(attempt, device);
    Scene { exchange, device, line, attempt }
}

fn start(id: &str) -> Event {
    Event::StasisStart { channel: channel(id, "PJSIP/x-1", ChannelState::Down) }
}

#[test]
fn a_line_is_up_when_it_answered_and_is_in_its_own_bridge_in_any_order_and_told_once() {
    let Scene { mut exchange, device, line, .. } = scene();
    let entered = Event::EnteredBridge { channel: line.0.clone(), bridge: names::bridge(device) };
    let answered = Event::ChannelState { channel: line.0.clone(), state: ChannelState::Up };
    let rings = Event::ChannelState { channel: line.0.clone(), state: ChannelState::Ringing };
    assert!(matches!(exchange.event(start(&line.0)), Some(Step::DialLine { device: d, .. }) if d == device));
    for event in [rings, entered.clone()] {
        assert!(exchange.event(event).is_none());
        assert_eq!(exchange.lines_up(), 0);
    }
    assert!(matches!(told(exchange.event(answered.clone())), Input::LineAnswered { .. }));
    let dialled = Event::Dial { channel: line.0.clone(), status: "ANSWER".into() };
    for again in [answered.clone(), dialled, entered.clone()] {
        assert!(exchange.event(again).is_none());
    }
    let mut other = scene();
    let (id, bridge) = (other.line.0.clone(), names::bridge(other.device));
    let answered = Event::ChannelState { channel: id.clone(), state: ChannelState::Up };
    assert!(other.exchange.event(answered).is_none());
    let elsewhere = Event::EnteredBridge { channel: id.clone(), bridge: names::bridge(device) };
    assert!(other.exchange.event(elsewhere).is_none());
    assert!(matches!(
        told(other.exchange.event(Event::EnteredBridge { channel: id, bridge })),
        Input::LineAnswered { .. }
    ));
    assert_eq!(exchange.lines_up(), 1);
    let destroyed = Event::Destroyed { channel: line.0.clone(), ending: Ending::by(16) };
    let gone = exchange.event(destroyed.clone());
    assert!(
        matches!(gone, Some(Step::Gone(Gone::Line(gone), ending)) if gone == line.0 && ending == Ending::by(16))
    );
    assert!(!exchange.is_empty_of(device));
    assert!(matches!(exchange.line_gone(&line.0), Some(Input::LineGone { .. })));
    assert!(exchange.event(destroyed).is_none());
}

#[test]
fn each_step_of_a_call_is_told_once_whatever_asterisk_repeats() {
    let Scene { mut exchange, device, attempt, .. } = scene();
    let id = attempt.to_string();
    let dial = |status: &str| Event::Dial { channel: id.clone(), status: status.into() };
    let state = |state| Event::ChannelState { channel: id.clone(), state };
    let events = vec![
        start(&id),
        Event::EnteredBridge { channel: id.clone(), bridge: names::bridge(device) },
        dial(""),
        dial("PROGRESS"),
        dial("RINGING"),
        state(ChannelState::Ringing),
        state(ChannelState::Up),
        dial("ANSWER"),
        Event::Destroyed { channel: id.clone(), ending: Ending::by(17) },
    ];
    let told: Vec<Input> = events
        .into_iter()
        .flat_map(|event| [exchange.event(event.clone()), exchange.event(event)])
        .flatten()
        .filter_map(|step| match step {
            Step::Tell(input) => Some(input),
            Step::Announced { .. } | Step::Gone(..) | Step::HangUpStray(_) | Step::DialLine { .. } => None,
        })
        .collect();
    assert!(
        matches!(
            told.as_slice(),
            [
                Input::CalleeCreated { .. },
                Input::CalleeInBridge { .. },
                Input::CalleeDialled { .. },
                Input::CalleeProgress { .. },
                Input::CalleeRinging { .. },
                Input::CalleeUp { .. },
            ]
        ),
        "{told:?}"
    );
    assert!(matches!(exchange.call_gone(attempt, Ending::by(17)), Some(Input::CalleeGone { cause: 17, .. })));
    assert!(exchange.call_gone(attempt, Ending::by(17)).is_none());
    assert!(exchange.event(Event::Destroyed { channel: id.clone(), ending: Ending::by(17) }).is_none());
}

#[test]
fn a_call_that_came_in_by_itself_is_hung_up() {
    let Scene { mut exchange, .. } = scene();
    for id in
        ["1732192192.12", &Uuid::now_v7().to_string(), "line-x", &names::line(DeviceId::new(Uuid::nil())).0]
    {
        assert!(matches!(exchange.event(start(id)), Some(Step::HangUpStray(stray)) if stray == id));
    }
}

#[test]
fn after_a_reconnect_running_calls_and_lines_of_signed_in_devices_are_kept() {
    let Scene { mut exchange, device, line, attempt, .. } = scene();
    let other = DeviceId::new(Uuid::now_v7());
    let (no_device, not_bridged) = (names::line(other), names::line(device));
    let stray = "1732192192.12";
    let listing = Listing {
        channels: vec![
            channel(&line.0, "PJSIP/a-1", ChannelState::Up),
            channel(&no_device.0, "PJSIP/b-1", ChannelState::Up),
            channel(&not_bridged.0, "PJSIP/a-2", ChannelState::Up),
            channel(&attempt.to_string(), "PJSIP/trunk-1", ChannelState::Ringing),
            channel(stray, "PJSIP/a-3", ChannelState::Up),
            channel("announcer", "Announcer/ARI-1", ChannelState::Up),
        ],
        bridges: vec![
            Bridge { id: names::bridge(device), channels: vec![line.0.clone(), attempt.to_string()] },
            Bridge { id: names::bridge(other), channels: vec![no_device.0.clone()] },
        ],
        signed_in: HashMap::from([(device, CampaignId::new(Uuid::now_v7()))]),
        ..Listing::default()
    };
    let found = exchange.adopt(&listing, |_| None);
    assert_eq!(found.strays, [no_device.0, not_bridged.0, stray.to_owned()]);
    assert_eq!(found.calls, [CallFacts { attempt, state: dialler::ChannelState::Ringing }]);
    assert_eq!(found.lines.iter().map(|line| &line.line).collect::<Vec<_>>(), [&line]);
    assert_eq!(exchange.lines_up(), 1);
    // It rang already; that it is answered is news.
    let id = attempt.to_string();
    assert!(exchange.event(Event::Dial { channel: id.clone(), status: "RINGING".into() }).is_none());
    let up = exchange.event(Event::ChannelState { channel: id, state: ChannelState::Up });
    assert!(matches!(told(up), Input::CalleeUp { .. }));
    assert_eq!(exchange.lines_with_talk(), [(line.0, device, true)]);
}

#[test]
fn a_sweep_needs_two_lists_to_call_a_channel_gone_or_a_stray() {
    let Scene { mut exchange, line, attempt, .. } = scene();
    let strange = [
        channel("1732192192.12", "PJSIP/a-3", ChannelState::Up),
        channel("announcer", "Announcer/ARI-1", ChannelState::Up),
    ];
    let (strays, gone) = exchange.sweep(&strange);
    assert!(strays.is_empty() && gone.is_empty());
    let (strays, gone) = exchange.sweep(&strange);
    assert_eq!(strays, ["1732192192.12"]);
    assert_eq!(gone, [Gone::Callee(attempt), Gone::Line(line.0)]);
}

#[test]
fn a_channel_that_was_only_late_for_one_list_stays() {
    let Scene { mut exchange, line, attempt, .. } = scene();
    let all = [
        channel(&line.0, "PJSIP/a-1", ChannelState::Up),
        channel(&attempt.to_string(), "PJSIP/trunk-1", ChannelState::Down),
    ];
    for list in [&all[..0], &all, &all[..0], &all] {
        let (strays, gone) = exchange.sweep(list);
        assert!(strays.is_empty() && gone.is_empty(), "{gone:?}");
    }
    assert_eq!(exchange.call_gone(attempt, Ending::by(16)).map(|_| ()).unwrap(), ());
}

#[test]
fn the_end_of_an_announcement_that_we_stopped_is_no_news() {
    let Scene { mut exchange, attempt, .. } = scene();
    let now = Instant::now();
    exchange.announcement_asked("say-1".into(), attempt, now);
    exchange.announcement_asked("say-other".into(), AttemptId::new(Uuid::now_v7()), now);
    assert_eq!(exchange.stop_announcements(attempt), ["say-1"]);
    exchange.announcement_asked("say-2".into(), attempt, now);
    assert!(exchange.event(Event::PlaybackFinished { playback: "say-1".into() }).is_none());
    let over = exchange.event(Event::PlaybackFinished { playback: "say-2".into() });
    assert!(matches!(over, Some(Step::Announced { attempt: of, .. }) if of == attempt));
}

#[test]
fn a_line_that_was_to_go_and_a_call_that_is_over_are_strays_as_long_as_they_are_there() {
    let Scene { mut exchange, device, line, attempt } = scene();
    let new = names::line(device);
    exchange.line_asked(&new, device);
    assert!(exchange.line_dropped(&line.0), "asked");
    assert!(!exchange.line_dropped(&line.0), "asked before");
    exchange.call_over(attempt);
    let all = [
        channel(&line.0, "PJSIP/a-1", ChannelState::Up),
        channel(&new.0, "PJSIP/a-2", ChannelState::Up),
        channel(&attempt.to_string(), "PJSIP/trunk-1", ChannelState::Up),
    ];
    assert_eq!(exchange.sweep(&all).0, Vec::<String>::new());
    let (strays, gone) = exchange.sweep(&all);
    assert_eq!(HashSet::from_iter(strays), HashSet::from([line.0.clone(), attempt.to_string()]));
    assert!(gone.is_empty(), "{gone:?}");
    // Its end is still news to the dialler.
    let destroyed = Event::Destroyed { channel: line.0.clone(), ending: Ending::by(16) };
    assert!(matches!(exchange.event(destroyed), Some(Step::Gone(Gone::Line(gone), _)) if gone == line.0));
    assert!(exchange.line_gone(&line.0).is_some());
    assert!(
        exchange.call_gone(attempt, Ending::by(16)).is_some(),
        "and its bridge is ended when it is empty"
    );
}
