//! What time it is. Tests set it; nothing else in the server asks the system.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// A clock, cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `now_ms` until it is moved.
    pub fn standing_at(now_ms: i64) -> Self {
        Self(Source::Set(Arc::new(AtomicI64::new(now_ms))))
    }

    /// UTC epoch, milliseconds.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => jiff::Timestamp::now().as_millisecond(),
            Source::Set(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a standing clock; the machine's clock stays as it is.
    pub fn advance(&self, by_ms: i64) {
        match &self.0 {
            Source::System => {}
            Source::Set(now) => {
                now.fetch_add(by_ms, Ordering::SeqCst);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_standing_clock_move_together() {
        let clock = Clock::standing_at(1_000);
        let other = clock.clone();
        clock.advance(500);
        assert_eq!(other.now_ms(), 1_500);
    }
}
