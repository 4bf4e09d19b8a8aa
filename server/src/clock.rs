//! What time it is. Tests set it; nothing else in the server asks the system.
//!
//! Read twice, as [`Now`] says why: by the wall, which somebody may set, and steadily, for how long things last.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use dialler::Now;

/// A clock, cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// The steady time starts at the wall's time when the clock was made.
    System {
        made: Instant,
        at: i64,
    },
    Set(Arc<Hands>),
}

#[derive(Debug)]
struct Hands {
    wall: AtomicI64,
    steady: AtomicI64,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System { made: Instant::now(), at: wall() })
    }

    /// A clock that stands at `now_ms` until it is moved.
    pub fn standing_at(now_ms: i64) -> Self {
        let hands = Hands { wall: AtomicI64::new(now_ms), steady: AtomicI64::new(now_ms) };
        Self(Source::Set(Arc::new(hands)))
    }

    /// UTC epoch, milliseconds, as the wall has it.
    pub fn now_ms(&self) -> i64 {
        self.now().wall
    }

    /// Both readings.
    pub fn now(&self) -> Now {
        match &self.0 {
            Source::System { made, at } => {
                let since = i64::try_from(made.elapsed().as_millis()).unwrap_or(i64::MAX);
                Now { wall: wall(), steady: at.saturating_add(since) }
            }
            Source::Set(hands) => {
                let read = |hand: &AtomicI64| hand.load(Ordering::SeqCst);
                Now { wall: read(&hands.wall), steady: read(&hands.steady) }
            }
        }
    }

    /// Lets time pass on a standing clock; the machine's clock stays as it is.
    pub fn advance(&self, by_ms: i64) {
        self.set_by(by_ms);
        if let Source::Set(hands) = &self.0 {
            hands.steady.fetch_add(by_ms, Ordering::SeqCst);
        }
    }

    /// Sets a standing clock, forwards or backwards, as somebody sets a machine's: no time passes.
    pub fn set_by(&self, by_ms: i64) {
        match &self.0 {
            Source::System { .. } => {}
            Source::Set(hands) => {
                hands.wall.fetch_add(by_ms, Ordering::SeqCst);
            }
        }
    }
}

fn wall() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_standing_clock_move_together_and_setting_it_lets_no_time_pass() {
        let clock = Clock::standing_at(1_000);
        let other = clock.clone();
        clock.advance(500);
        assert_eq!(other.now(), Now { wall: 1_500, steady: 1_500 });
        clock.set_by(-700);
        assert_eq!((other.now_ms(), other.now().steady), (800, 1_500));
    }

    #[test]
    fn the_machines_clock_starts_steadily_at_the_walls_time() {
        let now = Clock::system().now();
        assert!((now.wall - now.steady).abs() < 1_000, "{now:?}");
    }
}
