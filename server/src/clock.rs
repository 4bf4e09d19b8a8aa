//! What time it is, for the rules, the records and every deadline that is told to people; tests set it. How long
//! a peer may take is measured where it is waited for.
//!
//! Read twice, as [`Now`] says why: by the wall, which somebody may set, and steadily, for how long things last.

use std::time::Instant;

use dialler::Now;
use tokio::sync::watch;

/// A clock, cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// The steady time starts at the wall's time when the clock was made.
    System { made: Instant, at: i64 },
    /// What its hands show.
    Set(watch::Sender<Now>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System { made: Instant::now(), at: wall() })
    }

    /// A clock that stands at `now_ms` until it is moved.
    pub fn standing_at(now_ms: i64) -> Self {
        Self(Source::Set(watch::Sender::new(Now { wall: now_ms, steady: now_ms })))
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
            Source::Set(hands) => *hands.borrow(),
        }
    }

    /// Waits until a standing clock shows another time than this; the machine's clock, which everybody's timers
    /// go by, for ever.
    pub async fn moved_since(&self, seen: Now) {
        if let Source::Set(hands) = &self.0
            && hands.subscribe().wait_for(|now| *now != seen).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// Lets time pass on a standing clock; the machine's clock stays as it is.
    pub fn advance(&self, by_ms: i64) {
        self.move_by(by_ms, by_ms);
    }

    /// Sets a standing clock, forwards or backwards, as somebody sets a machine's: no time passes.
    pub fn set_by(&self, by_ms: i64) {
        self.move_by(by_ms, 0);
    }

    fn move_by(&self, wall: i64, steady: i64) {
        match &self.0 {
            Source::System { .. } => {}
            Source::Set(hands) => hands.send_modify(|now| {
                now.wall += wall;
                now.steady += steady;
            }),
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

    #[tokio::test]
    async fn who_waits_for_a_standing_clock_is_woken_by_a_move_before_or_after() {
        let clock = Clock::standing_at(1_000);
        let (seen, other) = (clock.now(), clock.clone());
        clock.advance(1);
        clock.moved_since(seen).await;
        let seen = clock.now();
        let ((), ()) = tokio::join!(clock.moved_since(seen), async { other.set_by(-1) });
        assert_eq!(clock.now_ms(), 1_000);
    }

    #[test]
    fn the_machines_clock_starts_steadily_at_the_walls_time() {
        let now = Clock::system().now();
        assert!((now.wall - now.steady).abs() < 1_000, "{now:?}");
    }
}
