//! How much of the trunk is in use, and who is next.
//!
//! A provider allows so many calls at once, and so many new ones a second. A call takes its place before its
//! attempt is committed, and keeps it until its channel is gone. Whoever finds none waits in line, in the order
//! of the presses: nothing is written and nobody is rung meanwhile, so a restart, a cancelled press or a lost
//! line has nothing to undo.
//!
//! Both limits are kept exactly, whatever time the disk and Asterisk take between our word and the wire:
//! - calls at once are counted from before a channel is asked for until Asterisk said that it is no more; after a
//!   reconnect or a restart, by its own list;
//! - a new call counts from the moment it gets its place until a second after Asterisk said that it dials.

use std::{
    collections::{BTreeSet, VecDeque},
    num::NonZeroU32,
};

use protocol::ids::{AttemptId, DeviceId};

use crate::rules::SECOND;

/// What a provider allows; `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrunkLimits {
    /// Calls at once, from the making of a callee's channel to its end.
    pub channels: Option<NonZeroU32>,
    /// New calls in any second.
    pub calls_per_second: Option<NonZeroU32>,
}

/// A second, and what may lie between Asterisk's word that it dials and the INVITE on the wire: another of its
/// threads sends it.
const WINDOW: i64 = SECOND + 50;

/// Who has a place on the trunk, and who waits for one.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    limits: TrunkLimits,
    /// In the order of their presses.
    line: VecDeque<Waiter>,
    /// Each has a channel, or will have one in a moment.
    taken: BTreeSet<AttemptId>,
    /// Those of them that Asterisk has not said it dials.
    going_out: BTreeSet<AttemptId>,
    /// When it said so of the others in the last second, oldest first; steady.
    went_out: VecDeque<i64>,
    /// Nobody in line goes on: what the calls under way show of the trunk comes first.
    is_held: bool,
    /// What went out before is not known, so nothing more does before this; steady.
    counts_from: i64,
}

/// A press of Call that waits for its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub attempt: AttemptId,
    pub device: DeviceId,
    /// It wants none sooner (pace.rs), and holds up nobody until then; steady.
    pub not_before: i64,
}

impl Channels {
    /// The provider's limits from now on. Calls above a lower one go on to their ends.
    pub fn limit(&mut self, limits: TrunkLimits) {
        self.limits = limits;
    }

    /// Takes a place; `false`: there is none, or others wait for it, and this one is the last in line now.
    pub fn ask(&mut self, asks: Waiter, now: i64) -> bool {
        let others = self.line.iter().any(|waits| waits.not_before <= now);
        let has_place = asks.not_before <= now && !others && self.is_free(now);
        if has_place {
            self.take(asks.attempt);
        } else {
            self.line.push_back(asks);
        }
        has_place
    }

    /// Whether the line stands still, whatever is free.
    pub fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Whose turn has come; the place is theirs.
    pub fn next(&mut self, now: i64) -> Option<Waiter> {
        if self.is_held || !self.is_free(now) {
            return None;
        }
        let next = self.line.iter().position(|waits| waits.not_before <= now)?;
        let next = self.line.remove(next)?;
        self.take(next.attempt);
        Some(next)
    }

    /// Nobody was dialled: it leaves the line, or gives its place back.
    pub fn leave(&mut self, attempt: AttemptId) {
        self.line.retain(|waits| waits.attempt != attempt);
        self.taken.remove(&attempt);
        self.going_out.remove(&attempt);
    }

    /// Asterisk dials it, or something came of that.
    pub fn dialled(&mut self, attempt: AttemptId, now: i64) {
        if !self.going_out.remove(&attempt) {
            return;
        }
        while self.went_out.front().is_some_and(|at| at + WINDOW <= now) {
            self.went_out.pop_front();
        }
        self.went_out.push_back(now);
    }

    /// Its channel is no more.
    pub fn gone(&mut self, attempt: AttemptId, now: i64) {
        // Whether it was dialled before is not always told.
        self.dialled(attempt, now);
        self.taken.remove(&attempt);
    }

    /// These channels are there after a reconnect, and no others; `committing` have a place and no channel yet.
    /// What another run of the server dialled in the last second is not known.
    pub fn listed(
        &mut self,
        there: impl Iterator<Item = AttemptId>,
        committing: &BTreeSet<AttemptId>,
        now: i64,
    ) {
        self.taken = there.chain(committing.iter().copied()).collect();
        self.going_out.retain(|attempt| committing.contains(attempt));
        self.counts_from = now + WINDOW;
    }

    /// When a place may become free by time alone, steady.
    pub fn next_wake(&self) -> Option<i64> {
        if self.is_held || !self.has_free_channel() {
            return None;
        }
        let wanted_at = self.line.iter().map(|waits| waits.not_before).min()?;
        let free_at = match self.limits.calls_per_second {
            None => return Some(wanted_at),
            Some(limit) => {
                let out = self.went_out.len();
                let above = (self.going_out.len() + out + 1).saturating_sub(count(limit));
                match above.checked_sub(1) {
                    None => self.counts_from,
                    // If this many of the last ones do not count any more; `None`: only news help.
                    Some(last) => *self.went_out.get(last)? + WINDOW,
                }
            }
        };
        Some(free_at.max(self.counts_from).max(wanted_at))
    }

    /// Calls that have a place.
    pub fn in_use(&self) -> usize {
        self.taken.len()
    }

    /// Presses that wait for one.
    pub fn in_line(&self) -> usize {
        self.line.len()
    }

    fn take(&mut self, attempt: AttemptId) {
        self.taken.insert(attempt);
        self.going_out.insert(attempt);
    }

    fn is_free(&self, now: i64) -> bool {
        let Some(limit) = self.limits.calls_per_second else { return self.has_free_channel() };
        let last_second = self.went_out.iter().rev().take_while(|at| **at + WINDOW > now).count();
        self.has_free_channel()
            && now >= self.counts_from
            && self.going_out.len() + last_second < count(limit)
    }

    fn has_free_channel(&self) -> bool {
        self.limits.channels.is_none_or(|limit| self.taken.len() < count(limit))
    }
}

fn count(limit: NonZeroU32) -> usize {
    usize::try_from(limit.get()).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[path = "channels_tests.rs"]
mod tests;
