//! The trunk's limits, alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn limits(channels: u32, calls_per_second: u32) -> TrunkLimits {
    TrunkLimits { channels: NonZeroU32::new(channels), calls_per_second: NonZeroU32::new(calls_per_second) }
}

fn places(channels: u32, calls_per_second: u32) -> Places {
    Places { limits: limits(channels, calls_per_second), ..Places::default() }
}

fn attempt(n: u128) -> AttemptId {
    AttemptId::new(Uuid::from_u128(n))
}

fn asks(n: u128) -> InLine {
    InLine { attempt: attempt(n), device: DeviceId::new(Uuid::from_u128(n)) }
}

fn next(places: &mut Places, now: i64) -> Option<AttemptId> {
    places.next(now).map(|next| next.attempt)
}

#[test]
fn without_limits_nobody_waits() {
    let mut places = places(0, 0);
    assert!((0..1_000).all(|n| places.ask(asks(n), 0)));
    assert_eq!((places.in_use(), places.in_line(), places.next_wake()), (1_000, 0, None));
}

#[test]
fn a_channel_is_taken_until_it_is_gone_and_those_in_line_keep_their_order() {
    let mut places = places(2, 0);
    assert!(places.ask(asks(1), 0) && places.ask(asks(2), 0));
    assert!(!places.ask(asks(3), 0) && !places.ask(asks(4), 0));
    places.dialled(attempt(1), 0);
    assert_eq!(next(&mut places, 60_000), None, "it rings");
    assert_eq!(places.next_wake(), None, "time alone frees no channel");
    places.gone(attempt(1), 60_000);
    assert!(!places.ask(asks(5), 60_000), "others wait longer");
    assert_eq!(next(&mut places, 60_000), Some(attempt(3)));
    assert_eq!(next(&mut places, 60_000), None);
    places.leave(attempt(4));
    places.gone(attempt(2), 60_000);
    assert_eq!(next(&mut places, 60_000), Some(attempt(5)));
    assert_eq!((places.in_use(), places.in_line()), (2, 0));
}

#[test]
fn a_new_call_counts_until_a_second_after_it_went_out() {
    let mut places = places(0, 2);
    assert!(places.ask(asks(1), 0) && places.ask(asks(2), 0));
    assert!(!places.ask(asks(3), 0));
    // The disk stalls: nobody knows when the INVITE will leave.
    assert_eq!((next(&mut places, 5_000), places.next_wake()), (None, None));
    places.dialled(attempt(1), 5_000);
    assert_eq!(places.next_wake(), Some(5_000 + WINDOW));
    places.dialled(attempt(1), 5_900);
    assert_eq!(next(&mut places, 5_000 + WINDOW - 1), None);
    assert_eq!(next(&mut places, 5_000 + WINDOW), Some(attempt(3)));
    assert_eq!(places.next_wake(), None, "nobody waits");
}

#[test]
fn one_that_was_never_dialled_gives_its_place_back_at_once() {
    let mut places = places(1, 1);
    assert!(places.ask(asks(1), 0));
    assert!(!places.ask(asks(2), 0));
    places.leave(attempt(1));
    assert_eq!(next(&mut places, 0), Some(attempt(2)));
    // One that is gone before anything was heard of it may have been dialled.
    assert!(!places.ask(asks(3), 0));
    places.gone(attempt(2), 10);
    assert_eq!((next(&mut places, 10), places.next_wake()), (None, Some(10 + WINDOW)));
}

#[test]
fn after_a_restart_the_channels_that_are_there_count_and_the_first_second_is_full() {
    let mut places = places(3, 5);
    let committing = BTreeSet::from([attempt(9)]);
    places.listed([attempt(1), attempt(2)].into_iter(), &committing, 100);
    assert_eq!(places.in_use(), 3);
    assert!(!places.ask(asks(4), 100_000));
    places.gone(attempt(1), 100_000);
    assert_eq!(next(&mut places, 100_000), Some(attempt(4)));

    let mut places = self::places(3, 5);
    places.listed(std::iter::empty(), &BTreeSet::new(), 100);
    assert!(!places.ask(asks(1), 100));
    assert_eq!(places.next_wake(), Some(100 + WINDOW));
    assert_eq!(next(&mut places, 100 + WINDOW), Some(attempt(1)));
}

#[test]
fn a_new_limit_holds_at_once_and_cuts_nobody_off() {
    let mut places = places(0, 0);
    assert!((0..4).all(|n| places.ask(asks(n), 0)));
    for n in 0..4 {
        places.dialled(attempt(n), 0);
    }
    places.limit(limits(3, 2));
    assert!(!places.ask(asks(5), 0));
    places.gone(attempt(0), 10_000);
    assert_eq!(next(&mut places, 10_000), None, "three are left, and three are allowed");
    places.limit(TrunkLimits::default());
    assert_eq!(next(&mut places, 10_000), Some(attempt(5)));
}

#[derive(Debug, Clone)]
enum Step {
    Ask,
    /// The n-th of those that wait for it: dialled, and later gone.
    Dialled(usize),
    Gone(usize),
    Leave(usize),
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Ask),
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
        channels in 1u32..5,
        calls_per_second in 1u32..5,
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut places = places(channels, calls_per_second);
        let (mut now, mut serial) = (0, 0);
        let mut up: BTreeMap<AttemptId, (i64, Option<i64>)> = BTreeMap::new();
        let mut sent: Vec<(i64, i64)> = Vec::new();
        for step in steps {
            let nth = |n: usize| up.keys().nth(n % up.len().max(1)).copied();
            match step {
                Step::Ask => {
                    serial += 1;
                    if places.ask(asks(serial), now) {
                        up.insert(attempt(serial), (now, None));
                    }
                }
                Step::Dialled(n) => if let Some(attempt) = nth(n) {
                    places.dialled(attempt, now);
                    up.get_mut(&attempt).unwrap().1.get_or_insert(now);
                },
                Step::Gone(n) => if let Some(attempt) = nth(n) {
                    places.gone(attempt, now);
                    let (from, to) = up.remove(&attempt).unwrap();
                    sent.push((from, to.unwrap_or(now)));
                },
                Step::Leave(n) => if let Some(attempt) = nth(n) && up[&attempt].1.is_none() {
                    places.leave(attempt);
                    up.remove(&attempt);
                },
                Step::Pass(ms) => now += ms,
            }
            while let Some(next) = places.next(now) {
                up.insert(next.attempt, (now, None));
            }
            prop_assert!(up.len() <= usize::try_from(channels).unwrap());
            prop_assert_eq!(places.in_use(), up.len());
            let wakes = places.next_wake();
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
