//! Whether the trunk puts calls through, as the calls themselves show: many a provider that is full, unpaid or wrongly
//! set up answers OPTIONS and refuses every call.
//!
//! | state | input | state |
//! | --- | --- | --- |
//! | open | a call that reached a telephone | open, forgets complaints |
//! | open | a complaint; another number than the ones before it | open, or shut with the third in a row |
//! | shut, next try later | its time has come | due |
//! | due | a seat has a card and its line is up | that seat's turn |
//! | a seat's turn | it cannot call any more, or has not in 30 s | due: the next seat |
//! | a seat's turn | it dials | trying |
//! | trying | a complaint | shut, next try later, each time twice as late |
//! | trying | cancelled, not made, nothing heard for a minute | due |
//! | shut, any | a call that reached a telephone | open |
//!
//! One number may be at fault; three in a row, one after the other and none of them rung, are the trunk. What is also
//! said of telephones that are off (480) is half a complaint: six in a row. Calls that
//! were under way then are told from a try: what they complain of changes nothing. While few calls are made, no more
//! are under way than are missing for that third (`allows`), so that three refusals cost three contacts a moment; where
//! something rang in the last minute, others go on. Presses that wait in line wait for that too, and when the trunk is
//! shut they are cards again.
//!
//! A try is a call like any other, of one volunteer who presses Call: nobody is rung for whom no volunteer is there.
//! It is offered to one at a time, to the next seat in order each time.
//!
//! "No such number" is a complaint only until something rang this evening: of a provider that wants numbers in another
//! form, all are unknown; else it is the number's.
//!
//! Nothing of this outlives the server's run: a new one finds out anew, by three calls at most.

use protocol::{
    http::ApiError,
    ids::DeviceId,
    number::Number,
    trunk::{Complaint, NextTry, Trunk as View},
};

use crate::{
    cause::Sign,
    now::Now,
    rules::{HOUR, MINUTE, SECOND},
    words,
};

/// So many numbers in a row shut the trunk.
const COMPLAINTS: usize = 3;

/// The first try comes so soon: a trunk whose channels were all in use has one again.
const FIRST_TRY: i64 = 10 * SECOND;

/// No try comes later than this after the last: whoever mends the trunk waits no longer.
const LAST_TRY: i64 = 5 * MINUTE;

/// How long one volunteer is given to make the try.
const TURN: i64 = 30 * SECOND;

/// When a try counts as lost of which nothing was heard. A call that rings within 25 s, or is given up, tells earlier.
const TRY_LIMIT: i64 = MINUTE;

/// A trunk that reached a telephone so lately is not doubted for one complaint.
const LATELY: i64 = MINUTE;

/// When nothing rang for so long, it is another evening.
const EVENING: i64 = 6 * HOUR;

/// The trunk, as the last calls show it. Times are on [`Now::steady`].
#[derive(Debug, Default)]
pub(crate) struct TrunkHealth {
    state: State,
    /// When a call last reached a telephone.
    reached_at: Option<i64>,
    /// Whose turn was last.
    last_turn: Option<DeviceId>,
    /// What was told last, and whose turn it was then.
    told: (View, Option<DeviceId>),
}

#[derive(Debug)]
enum State {
    /// With the complaints since a call reached a telephone, each of another number.
    Open(Vec<Complained>),
    Shut(Shut),
}

#[derive(Debug)]
struct Complained {
    of: Number,
    complaint: Complaint,
    /// It may be of a telephone that is off.
    is_doubtful: bool,
}

#[derive(Debug)]
struct Shut {
    complaint: Complaint,
    /// By the wall.
    since: i64,
    failures: u32,
    next: Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// By both clocks, as they were when it was decided: read off again, one that is a millisecond ahead of the other
    /// would be news.
    At(Now),
    /// Since then, and no seat can.
    Due(Now),
    Turn {
        device: DeviceId,
        until: i64,
    },
    Trying {
        device: DeviceId,
        until: i64,
    },
}

impl Default for State {
    fn default() -> Self {
        State::Open(Vec::new())
    }
}

impl TrunkHealth {
    pub fn is_shut(&self) -> bool {
        matches!(self.state, State::Shut(_))
    }

    /// More numbers than one complain, and nothing has rung since the first.
    pub fn fails_several(&self) -> bool {
        match &self.state {
            State::Open(complaints) => weight(complaints) > 1,
            State::Shut(_) => true,
        }
    }

    /// Whether this seat may call now. `under_way`: calls that have not reached a telephone yet.
    pub fn allows(&self, device: DeviceId, under_way: usize, now: Now) -> Result<(), ApiError> {
        if self.is_doubted(under_way, now) {
            return Err(words::trunk_doubted());
        }
        match &self.state {
            State::Shut(shut) if self.is_shut_to(device) => Err(words::trunk_shut(shut.complaint)),
            State::Shut(_) | State::Open(_) => Ok(()),
        }
    }

    /// It is open, something speaks against it, and the calls that are under way are enough to shut it.
    pub fn is_doubted(&self, under_way: usize, now: Now) -> bool {
        let State::Open(complaints) = &self.state else { return false };
        let reached = self.reached_at.is_some_and(|at| now.steady - at < LATELY);
        weight(complaints) > usize::from(reached) && weight(complaints) + under_way >= COMPLAINTS
    }

    /// It is shut, and it is not this seat's turn to try.
    pub fn is_shut_to(&self, device: DeviceId) -> bool {
        let State::Shut(shut) = &self.state else { return false };
        !matches!(shut.next, Next::Turn { device: whose, .. } if whose == device)
    }

    /// This seat's call is being made.
    pub fn dials(&mut self, device: DeviceId, now: Now) {
        if let State::Shut(shut) = &mut self.state
            && matches!(shut.next, Next::Turn { device: whose, .. } if whose == device)
        {
            shut.next = Next::Trying { device, until: now.steady + TRY_LIMIT };
        }
    }

    /// A call reached a telephone, or the network of one.
    pub fn reached(&mut self, now: Now) {
        self.reached_at = Some(now.steady);
        self.state = State::default();
    }

    /// A call of this seat ended, or was not made, and says this.
    pub fn heard(&mut self, sign: Sign, device: DeviceId, number: &Number, now: Now) {
        let is_evenings_first = self.reached_at.is_none_or(|at| now.steady - at >= EVENING);
        let is_doubtful = matches!(sign, Sign::Doubtful(_));
        let complaint = match (sign, &self.state) {
            (Sign::Works, _) => return self.reached(now),
            (Sign::Nothing, _) => return self.tried_in_vain(device, now),
            // A provider that looks numbers up refuses calls no more.
            (Sign::Against(Complaint::Number), State::Shut(shut)) if shut.complaint != Complaint::Number => {
                return self.reached(now);
            }
            (Sign::Against(Complaint::Number), _) if !is_evenings_first => {
                return self.tried_in_vain(device, now);
            }
            // One telephone that is off shows nothing of a trunk that refused calls.
            (Sign::Doubtful(complaint), State::Shut(shut)) if shut.complaint != complaint => {
                return self.tried_in_vain(device, now);
            }
            (Sign::Against(complaint) | Sign::Doubtful(complaint), _) => complaint,
        };
        match &mut self.state {
            State::Open(complaints) => {
                complaints.retain(|other| other.of != *number);
                complaints.push(Complained { of: number.clone(), complaint, is_doubtful });
                if weight(complaints) >= COMPLAINTS {
                    let mut all = complaints.iter().map(|of| of.complaint);
                    let complaint =
                        all.rfind(|other| *other != Complaint::Number).unwrap_or(Complaint::Number);
                    let next = Next::At(now.later(pause(0)));
                    self.state = State::Shut(Shut { complaint, since: now.wall, failures: 0, next });
                }
            }
            State::Shut(shut) => {
                shut.complaint = complaint;
                if matches!(shut.next, Next::Trying { device: whose, .. } if whose == device) {
                    shut.failures += 1;
                    shut.next = Next::At(now.later(pause(shut.failures)));
                }
            }
        }
    }

    /// The provider is there again after it was away: what it refused before says nothing any more.
    pub fn is_worth_a_try(&mut self, now: Now) {
        if let State::Shut(Shut { next: next @ Next::At(_), failures, .. }) = &mut self.state {
            (*next, *failures) = (Next::Due(now), 0);
        }
    }

    /// The try of this seat, if it was one, shows nothing: another is made at once.
    fn tried_in_vain(&mut self, device: DeviceId, now: Now) {
        if let State::Shut(shut) = &mut self.state
            && matches!(shut.next, Next::Trying { device: whose, .. } if whose == device)
        {
            shut.next = Next::Due(now);
        }
    }

    /// Time has passed, and seats may be others. `next_to` gives the seat that can call, next to this one in a
    /// circle; it is asked only where a turn is to be given.
    pub fn look(
        &mut self,
        now: Now,
        can_call: impl Fn(DeviceId) -> bool,
        next_to: impl FnOnce(Option<DeviceId>) -> Option<DeviceId>,
    ) {
        let State::Shut(shut) = &mut self.state else { return };
        shut.next = match shut.next {
            Next::At(at) if now.steady >= at.steady => Next::Due(at),
            Next::Turn { device, until } if now.steady >= until || !can_call(device) => Next::Due(now),
            Next::Trying { until, .. } if now.steady >= until => Next::Due(now),
            next @ (Next::At(_) | Next::Due(_) | Next::Turn { .. } | Next::Trying { .. }) => next,
        };
        if let Next::Due(_) = shut.next
            && let Some(device) = next_to(self.last_turn)
        {
            shut.next = Next::Turn { device, until: now.steady + TURN };
            self.last_turn = Some(device);
        }
    }

    pub fn next_wake(&self) -> Option<i64> {
        match &self.state {
            State::Open(_) | State::Shut(Shut { next: Next::Due(_), .. }) => None,
            State::Shut(Shut { next: Next::At(at), .. }) => Some(at.steady),
            State::Shut(Shut { next: Next::Turn { until, .. } | Next::Trying { until, .. }, .. }) => {
                Some(*until)
            }
        }
    }

    /// What a seat sees of it; for an organiser, nobody's.
    pub fn view(&self, device: Option<DeviceId>) -> View {
        let State::Shut(Shut { complaint, since, next, .. }) = &self.state else { return View::Open };
        let next_try = match next {
            Next::At(at) | Next::Due(at) => NextTry::Later { at_ms: at.wall },
            Next::Turn { device: whose, .. } | Next::Trying { device: whose, .. } => {
                if device == Some(*whose) { NextTry::Yours } else { NextTry::Others }
            }
        };
        View::Shut { complaint: *complaint, since_ms: *since, next_try }
    }

    /// What is new since the last time, for everybody.
    pub fn news(&mut self) -> Option<View> {
        let turn = match &self.state {
            State::Shut(Shut { next: Next::Turn { device, .. } | Next::Trying { device, .. }, .. }) => {
                Some(*device)
            }
            State::Shut(_) | State::Open(_) => None,
        };
        let news = (self.view(None), turn);
        (std::mem::replace(&mut self.told, news) != news).then_some(news.0)
    }
}

/// How many complaints these are; two doubtful ones are one.
fn weight(complaints: &[Complained]) -> usize {
    let doubtful = complaints.iter().filter(|of| of.is_doubtful).count();
    complaints.len() - doubtful + doubtful / 2
}

/// From one try that failed to the next: 10 s, 20 s, 40 s .. 5 min.
fn pause(failures: u32) -> i64 {
    (FIRST_TRY << failures.min(8)).min(LAST_TRY)
}
