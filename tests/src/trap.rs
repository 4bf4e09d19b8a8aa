//! A trap for a program: it is killed when the nth thing passes on a lane to or from it, before or after that thing
//! is passed on.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

/// Where things pass, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Requests of the app.
    FromApp,
    /// Requests to Asterisk.
    ToAsterisk,
    /// Answers and events.
    FromAsterisk,
    /// Answers to the app.
    ToApp,
}

impl Lane {
    /// All.
    pub const ALL: [Lane; 4] = [Lane::FromApp, Lane::ToAsterisk, Lane::FromAsterisk, Lane::ToApp];
}

/// When the program dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Before the thing is passed on; it never is.
    Before,
    /// After it was passed on.
    After,
}

/// A moment to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Point {
    /// On this lane,
    pub lane: Lane,
    /// before or after
    pub moment: Moment,
    /// the nth thing, from 1.
    pub nth: usize,
    /// So long after it was passed on ([`Moment::After`]); the program works on it, and what it sends is held back.
    pub lingers: Duration,
}

/// The trap; clones are the same one. Whatever carries things asks it by [`Trap::pass`].
#[derive(Debug, Clone)]
pub struct Trap(watch::Sender<State>, Arc<Mutex<Seen>>);

/// How many things passed on each lane since the trap was set.
pub type Seen = [usize; Lane::ALL.len()];

#[derive(Debug, Clone, Copy)]
enum State {
    Open,
    Set {
        point: Point,
        victim: Pid,
    },
    /// The thing is being passed on; then the victim dies.
    Closing,
    Sprung,
}

enum Fate {
    Passes,
    /// Nothing passes any more.
    Stopped,
    DiesBefore(Pid),
    DiesAfter(Pid, Duration),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane, moment, nth, lingers } = self;
        write!(f, "killed {moment:?} number {nth} {lane:?}, {lingers:?} later")
    }
}

impl Default for Trap {
    fn default() -> Self {
        Self(watch::Sender::new(State::Open), Arc::default())
    }
}

impl Trap {
    /// Sets it for a process, by its id.
    ///
    /// # Errors
    /// When there is no such id.
    pub fn set(&self, point: Point, victim: Option<u32>) -> Result<()> {
        let victim = victim.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let victim = victim.context("a process to be killed")?;
        *self.seen() = Seen::default();
        self.0.send_replace(State::Set { point, victim });
        Ok(())
    }

    /// Waits until the victim was killed.
    pub async fn sprung(&self) {
        let _ = self.0.subscribe().wait_for(|state| matches!(state, State::Sprung)).await;
    }

    /// Opens it again: things pass. True when the victim was killed.
    ///
    /// # Errors
    /// When it was about to be, and the thing that it was to die after did not pass.
    pub async fn open(&self) -> Result<bool> {
        self.0.send_if_modified(|state| {
            let waits = matches!(state, State::Set { .. });
            if waits {
                *state = State::Open;
            }
            waits
        });
        let mut state = self.0.subscribe();
        let settled = state.wait_for(|state| !matches!(state, State::Closing));
        let settled = tokio::time::timeout(Duration::from_secs(5), settled).await;
        let killed = matches!(*settled.context("the server was to die, and nothing passed")??, State::Sprung);
        self.0.send_replace(State::Open);
        Ok(killed)
    }

    /// How many things passed on each lane since it was set.
    pub fn passed(&self) -> Seen {
        *self.seen()
    }

    /// Passes a thing on by `carry`, unless the victim dies before. False: its connection is over.
    pub async fn pass<E>(&self, lane: Lane, carry: impl Future<Output = Result<(), E>>) -> bool {
        match self.fate(lane) {
            Fate::Passes => carry.await.is_ok(),
            Fate::Stopped => {
                let _ = self.0.subscribe().wait_for(|state| !matches!(state, State::Closing)).await;
                false
            }
            Fate::DiesBefore(victim) => {
                self.spring(victim);
                false
            }
            Fate::DiesAfter(victim, lingers) => {
                let _ = carry.await;
                tokio::time::sleep(lingers).await;
                self.spring(victim);
                false
            }
        }
    }

    fn fate(&self, lane: Lane) -> Fate {
        let mut fate = Fate::Passes;
        self.0.send_if_modified(|state| {
            let State::Set { point, victim } = *state else {
                if !matches!(state, State::Open) {
                    fate = Fate::Stopped;
                }
                return false;
            };
            let nth = {
                let mut seen = self.seen();
                seen[lane as usize] += 1;
                seen[lane as usize]
            };
            if (point.lane, point.nth) != (lane, nth) {
                return false;
            }
            fate = match point.moment {
                Moment::Before => Fate::DiesBefore(victim),
                Moment::After => Fate::DiesAfter(victim, point.lingers),
            };
            *state = State::Closing;
            true
        });
        fate
    }

    fn spring(&self, victim: Pid) {
        let _ = kill_process(victim, Signal::KILL);
        self.0.send_replace(State::Sprung);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::ExitStatusExt,
        process::{Child, Command},
    };

    use super::*;

    fn victim() -> Child {
        Command::new("sleep").arg("60").spawn().expect("sleep")
    }

    async fn passes(trap: &Trap, lane: Lane, at: &mut Vec<usize>) -> bool {
        let carry = async {
            at.push(trap.passed()[lane as usize]);
            Ok::<(), ()>(())
        };
        trap.pass(lane, carry).await
    }

    #[tokio::test]
    async fn the_nth_thing_of_its_lane_kills() {
        for (moment, carried) in [(Moment::Before, vec![1]), (Moment::After, vec![1, 2])] {
            let (trap, mut victim, mut at) = (Trap::default(), victim(), Vec::new());
            let point = Point { lane: Lane::ToAsterisk, moment, nth: 2, lingers: Duration::from_millis(1) };
            trap.set(point, Some(victim.id())).expect("set");
            assert!(passes(&trap, Lane::ToAsterisk, &mut at).await);
            assert!(passes(&trap, Lane::FromApp, &mut Vec::new()).await, "another lane");
            assert!(!passes(&trap, Lane::ToAsterisk, &mut at).await);
            assert!(!passes(&trap, Lane::ToAsterisk, &mut at).await, "what a dead program says later");
            assert_eq!(at, carried, "{moment:?}");
            trap.sprung().await;
            assert_eq!(victim.wait().expect("ended").signal(), Some(9));
            assert!(trap.open().await.expect("settled"));
            assert!(passes(&trap, Lane::ToAsterisk, &mut at).await, "it is open again");
        }
    }

    #[tokio::test]
    async fn a_call_that_ends_before_kills_nobody() {
        let (trap, mut victim) = (Trap::default(), victim());
        let point = Point { lane: Lane::FromApp, moment: Moment::After, nth: 2, lingers: Duration::ZERO };
        trap.set(point, Some(victim.id())).expect("set");
        assert!(passes(&trap, Lane::FromApp, &mut Vec::new()).await);
        assert!(!trap.open().await.expect("settled"));
        assert!(passes(&trap, Lane::FromApp, &mut Vec::new()).await);
        assert!(victim.try_wait().expect("asked").is_none());
        victim.kill().expect("killed");
        victim.wait().expect("ended");
    }
}
