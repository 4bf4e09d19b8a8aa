//! The front door.

use std::collections::VecDeque;

use protocol::{attempt::LastOutcome, ids::DeviceId, line::Line, session::Session};

use crate::{Input, Output};

/// What one volunteer sees of their line and session.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// [`protocol::session::Desk::line`]
    pub line: Line,
    /// [`protocol::session::Desk::session`]
    pub session: Session,
    /// [`protocol::session::Desk::last_outcome`]
    pub last_outcome: Option<LastOutcome>,
}

/// All desks of one telephone exchange.
#[derive(Debug, Default)]
pub struct Dialler {
    outputs: VecDeque<Output>,
}

impl Dialler {
    /// A dialler without desks; Asterisk counts as away until [`Input::TelephoneBack`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what happened at `now` (UTC epoch milliseconds).
    pub fn handle(&mut self, _input: Input, _now: i64) {
        todo!()
    }

    /// The next thing to do; call until `None` after each [`Dialler::handle`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due at the latest, UTC epoch milliseconds.
    pub fn next_wake(&self) -> Option<i64> {
        None
    }

    /// What a volunteer sees; for a device that never started, an ended session.
    pub fn view(&self, _device: DeviceId) -> View {
        View { line: Line::Down, session: Session::Ended, last_outcome: None }
    }
}
