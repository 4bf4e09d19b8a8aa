//! The trunk's limits, alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn limits(channels: u32, calls_per_second: u32) -> TrunkLimits {
    TrunkLimits { channels: NonZeroU32::new(channels), calls_per_second: NonZeroU32::new(calls_per_second) }
}

fn with_limits(channels: u32, calls_per_second: u32) -> Channels {
    Channels { limits: limits(channels, calls_per_second), ..Channels::default() }
}

fn attempt(n: u128) -> AttemptId {
    AttemptId::new(Uuid::from_u128(n))
}

fn asks(n: u128) -> Waiter {
    asks_from(n, 0)
}

fn asks_from(n: u128, not_before: i64) -> Waiter {
    Waiter { attempt: attempt(n), device: DeviceId::new(Uuid::from_u128(n)), not_before }
}

fn next(channels: &mut Channels, now: i64) -> Option<AttemptId> {
    channels.next(now).map(|next| next.attempt)
}

#[test]
fn without_limits_nobody_waits() {
    let mut channels = with_limits(0, 0);
    assert!((0..1_000).all(|n| channels.ask(asks(n), 0)));
    assert_eq!((channels.in_use(), channels.in_line(), channels.next_wake()), (1_000, 0, None));
}

#[test]
fn who_wants_to_go_later_holds_up_nobody_and_is_served_then() {
    let mut channels = with_limits(0, 0);
    assert!(!channels.ask(asks_from(1, 3_000), 0));
    assert!(channels.ask(asks(2), 0), "it may go now");
    assert_eq!((next(&mut channels, 2_999), channels.next_wake()), (None, Some(3_000)));
    assert_eq!(next(&mut channels, 3_000), Some(attempt(1)));
    let mut channels = with_limits(1, 0);
    assert!(
        !channels.ask(asks_from(1, 3_000), 0) && channels.ask(asks(2), 0) && !channels.ask(asks(3), 1_000)
    );
    channels.gone(attempt(2), 2_000);
    assert_eq!(next(&mut channels, 2_000), Some(attempt(3)), "whoever may go");
    channels.gone(attempt(3), 4_000);
    assert_eq!(next(&mut channels, 4_000), Some(attempt(1)));
}

#[test]
fn a_channel_is_taken_until_it_is_gone_and_those_in_line_keep_their_order() {
    let mut channels = with_limits(2, 0);
    assert!(channels.ask(asks(1), 0) && channels.ask(asks(2), 0));
    assert!(!channels.ask(asks(3), 0) && !channels.ask(asks(4), 0));
    channels.dialled(attempt(1), 0);
    assert_eq!(next(&mut channels, 60_000), None, "it rings");
    assert_eq!(channels.next_wake(), None, "time alone frees no channel");
    channels.gone(attempt(1), 60_000);
    assert!(!channels.ask(asks(5), 60_000), "others wait longer");
    assert_eq!(next(&mut channels, 60_000), Some(attempt(3)));
    assert_eq!(next(&mut channels, 60_000), None);
    channels.leave(attempt(4));
    channels.gone(attempt(2), 60_000);
    assert_eq!(next(&mut channels, 60_000), Some(attempt(5)));
    assert_eq!((channels.in_use(), channels.in_line()), (2, 0));
}

#[test]
fn a_new_call_counts_until_a_second_after_it_went_out() {
    let mut channels = with_limits(0, 2);
    assert!(channels.ask(asks(1), 0) && channels.ask(asks(2), 0));
    assert!(!channels.ask(asks(3), 0));
    // The disk stalls: nobody knows when the INVITE will leave.
    assert_eq!((next(&mut channels, 5_000), channels.next_wake()), (None, None));
    channels.dialled(attempt(1), 5_000);
    assert_eq!(channels.next_wake(), Some(5_000 + WINDOW));
    channels.dialled(attempt(1), 5_900);
    assert_eq!(next(&mut channels, 5_000 + WINDOW - 1), None);
    assert_eq!(next(&mut channels, 5_000 + WINDOW), Some(attempt(3)));
    assert_eq!(channels.next_wake(), None, "nobody waits");
}

#[test]
fn one_that_was_never_dialled_gives_its_place_back_at_once() {
    let mut channels = with_limits(1, 1);
    assert!(channels.ask(asks(1), 0));
    assert!(!channels.ask(asks(2), 0));
    channels.leave(attempt(1));
    assert_eq!(next(&mut channels, 0), Some(attempt(2)));
    // One that is gone before anything was heard of it may have been dialled.
    assert!(!channels.ask(asks(3), 0));
    channels.gone(attempt(2), 10);
    assert_eq!((next(&mut channels, 10), channels.next_wake()), (None, Some(10 + WINDOW)));
}

#[test]
fn after_a_restart_the_channels_that_are_there_count_and_the_first_second_is_full() {
    let mut channels = with_limits(3, 5);
    let committing = BTreeSet::from([attempt(9)]);
    channels.listed([attempt(1), attempt(2)].into_iter(), &committing, 100);
    assert_eq!(channels.in_use(), 3);
    assert!(!channels.ask(asks(4), 100_000));
    channels.gone(attempt(1), 100_000);
    assert_eq!(next(&mut channels, 100_000), Some(attempt(4)));

    let mut channels = with_limits(3, 5);
    channels.listed(std::iter::empty(), &BTreeSet::new(), 100);
    assert!(!channels.ask(asks(1), 100));
    assert_eq!(channels.next_wake(), Some(100 + WINDOW));
    assert_eq!(next(&mut channels, 100 + WINDOW), Some(attempt(1)));
}

#[test]
fn a_new_limit_holds_at_once_and_cuts_nobody_off() {
    let mut channels = with_limits(0, 0);
    assert!((0..4).all(|n| channels.ask(asks(n), 0)));
    for n in 0..4 {
        channels.dialled(attempt(n), 0);
    }
    channels.limit(limits(3, 2));
    assert!(!channels.ask(asks(5), 0));
    channels.gone(attempt(0), 10_000);
    assert_eq!(next(&mut channels, 10_000), None, "three are left, and three are allowed");
    channels.limit(TrunkLimits::default());
    assert_eq!(next(&mut channels, 10_000), Some(attempt(5)));
}

#[derive(Debug, Clone)]
enum Step {
    /// So much later.
    Ask(i64),
    /// The n-th of those that wait for it: dialled, and later gone.
    Dialled(usize),
    Gone(usize),
    Leave(usize),
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop_oneof![Just(0i64), 0i64..4_000].prop_map(Step::Ask),
        4 => (0usize..8).prop_map(Step::Dialled),
        3 => (0usize..8).prop_map(Step::Gone),
        1 => (0usize..8).prop_map(Step::Leave),
        3 => (0i64..700).prop_map(Step::Pass),
    ]
}

proptest! {
    /// An INVITE leaves at any time from the place's being given to Asterisk's word; the limits hold for the
    /// earliest and the latest such time alike.
    #[test]
    fn no_limit_is_ever_passed(
        at_once in 1u32..5,
        calls_per_second in 1u32..5,
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut channels = with_limits(at_once, calls_per_second);
        let (mut now, mut serial) = (0, 0);
        let mut up: BTreeMap<AttemptId, (i64, Option<i64>)> = BTreeMap::new();
        let mut sent: Vec<(i64, i64)> = Vec::new();
        for step in steps {
            let nth = |n: usize| up.keys().nth(n % up.len().max(1)).copied();
            match step {
                Step::Ask(later) => {
                    serial += 1;
                    if channels.ask(asks_from(serial, now + later), now) {
                        up.insert(attempt(serial), (now, None));
                    }
                }
                Step::Dialled(n) => if let Some(attempt) = nth(n) {
                    channels.dialled(attempt, now);
                    up.get_mut(&attempt).unwrap().1.get_or_insert(now);
                },
                Step::Gone(n) => if let Some(attempt) = nth(n) {
                    channels.gone(attempt, now);
                    let (from, to) = up.remove(&attempt).unwrap();
                    sent.push((from, to.unwrap_or(now)));
                },
                Step::Leave(n) => if let Some(attempt) = nth(n) && up[&attempt].1.is_none() {
                    channels.leave(attempt);
                    up.remove(&attempt);
                },
                Step::Pass(ms) => now += ms,
            }
            while let Some(next) = channels.next(now) {
                up.insert(next.attempt, (now, None));
            }
            prop_assert!(up.len() <= usize::try_from(at_once).unwrap());
            prop_assert_eq!(channels.in_use(), up.len());
            let wakes = channels.next_wake();
            prop_assert!(wakes.is_none_or(|at| at > now), "would wake at once for ever: {:?} at {}", wakes, now);
        }
        // From the latest moment at which each may have left, less than the limit begin within a second.
        let calls: Vec<(i64, i64)> = sent.into_iter().chain(up.into_values().map(|(from, to)| (from, to.unwrap_or(now)))).collect();
        for (_, left) in &calls {
            let window = calls.iter().filter(|(from, to)| *to >= *left && *from < *left + SECOND).count();
            prop_assert!(window <= usize::try_from(calls_per_second).unwrap(), "{} within a second", window);
        }
    }
}
