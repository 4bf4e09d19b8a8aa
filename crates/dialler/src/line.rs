//! A volunteer's line: their standing leg into Asterisk.
//!
//! | state | Open | Answered | Sound | Gone | Close | Reconcile | Tick |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | down | opening; MakeLine | DropLine | - | - | - | up, if Asterisk has one; else - | - |
//! | opening | the same token: -; else opening; DropLine old, MakeLine | answered, or up if sound gets through | noted | down, or lost if it was up before | closing; DropLine | as Answered / down or lost | after 30 s: down or lost; DropLine |
//! | answered | the same token: -; else opening; DropLine old, MakeLine | - | yes: up | down, or lost if it was up before | closing; DropLine | - / down or lost | after 30 s: down or lost; DropLine |
//! | up | the same token: -; else opening; DropLine old, MakeLine | - | no: answered | lost | closing; DropLine | up / lost | - |
//! | lost | opening; MakeLine | DropLine | - | - | down | up, if Asterisk has one; else - | - |
//! | closing | opening; MakeLine | DropLine | - | down | - | closing; DropLine / down | every 5 s: DropLine |
//!
//! Asterisk says that a line was answered, and only the app whether sound gets through on it: nobody is rung before both
//! are true. Answered and Gone name the line. News of a line that is not this one: Answered is answered with DropLine,
//! Gone is late news of an old line and means nothing. Of a line that Asterisk kept while the server was away the app's
//! word is not known any more; it is taken to be up.

use std::collections::VecDeque;

use protocol::{ids::DeviceId, line as view};

use crate::{
    input::{LineId, LineToken},
    now::Now,
    output::Output,
    rules::SECOND,
};

/// How long a channel may take to go after DropLine before it is asked again.
const CLOSING_PATIENCE: i64 = 5 * SECOND;

#[derive(Debug, Default)]
pub(crate) enum Line {
    #[default]
    Down,
    Opening(Opening),
    /// Sound does not get through on it, as far as is known.
    Answered(Opening),
    Up(Up),
    Lost(Lost),
    Closing(Closing),
}

#[derive(Debug)]
pub(crate) struct Opening {
    line: LineId,
    /// `None` after adoption.
    token: Option<LineToken>,
    until: i64,
    /// Since when the session has been without the line it had.
    lost_since: Option<i64>,
    /// The app's word may come before Asterisk's.
    sound: bool,
}

#[derive(Debug)]
pub(crate) struct Up {
    line: LineId,
    /// `None` after adoption: it is not stored.
    token: Option<LineToken>,
}

#[derive(Debug)]
pub(crate) struct Lost {
    since: i64,
}

#[derive(Debug)]
pub(crate) struct Closing {
    line: LineId,
    ask_again_at: i64,
}

#[derive(Debug)]
pub(crate) enum LineInput {
    Open {
        line: LineId,
        token: LineToken,
    },
    Answered(LineId),
    Sound {
        token: LineToken,
        gets_through: bool,
    },
    Gone(LineId),
    Close,
    /// Asterisk has this line of the device, up and in its bridge, and no other.
    Reconcile(Option<LineId>),
    Tick,
}

impl Line {
    pub fn handle(self, input: LineInput, device: DeviceId, now: Now, out: &mut VecDeque<Output>) -> Self {
        match input {
            LineInput::Open { line, token } => self.open(line, token, device, now, out),
            LineInput::Answered(line) => self.answered(line, out),
            LineInput::Sound { token, gets_through } => self.sound(&token, gets_through, now),
            LineInput::Gone(line) => self.gone(&line, now),
            LineInput::Close => self.close(now, out),
            LineInput::Reconcile(found) => self.reconcile(found, now, out),
            LineInput::Tick => self.tick(now, out),
        }
    }

    pub fn is_up(&self) -> bool {
        matches!(self, Line::Up(_))
    }

    pub fn is_down(&self) -> bool {
        matches!(self, Line::Down)
    }

    /// Whether this is the line that is up, coming or going.
    pub fn is(&self, id: &LineId) -> bool {
        match self {
            Line::Down | Line::Lost(_) => false,
            Line::Opening(Opening { line, .. })
            | Line::Answered(Opening { line, .. })
            | Line::Up(Up { line, .. })
            | Line::Closing(Closing { line, .. }) => line == id,
        }
    }

    pub fn view(&self) -> view::Line {
        match self {
            Line::Down => view::Line::Down,
            Line::Opening(_) | Line::Answered(_) => view::Line::Opening,
            Line::Up(_) => view::Line::Up,
            Line::Lost(lost) => view::Line::Lost { since_ms: lost.since },
            Line::Closing(_) => view::Line::Closing,
        }
    }

    pub fn next_wake(&self) -> Option<i64> {
        match self {
            Line::Down | Line::Up(_) | Line::Lost(_) => None,
            Line::Opening(opening) | Line::Answered(opening) => Some(opening.until),
            Line::Closing(closing) => Some(closing.ask_again_at),
        }
    }

    fn open(
        self,
        line: LineId,
        token: LineToken,
        device: DeviceId,
        now: Now,
        out: &mut VecDeque<Output>,
    ) -> Self {
        let lost_since = match self {
            Line::Opening(opening) if opening.is_of(&token) => return Line::Opening(opening),
            Line::Answered(opening) if opening.is_of(&token) => return Line::Answered(opening),
            Line::Up(up) if up.token.as_ref() == Some(&token) => return Line::Up(up),
            Line::Down | Line::Closing(_) => None,
            Line::Lost(lost) => Some(lost.since),
            Line::Opening(old) | Line::Answered(old) => {
                out.push_back(Output::DropLine { line: old.line });
                old.lost_since
            }
            Line::Up(old) => {
                out.push_back(Output::DropLine { line: old.line });
                Some(now.wall)
            }
        };
        out.push_back(Output::MakeLine { device, line: line.clone(), token: token.clone() });
        let (token, until) = (Some(token), now.steady + view::TOKEN_LIFE_MS);
        Line::Opening(Opening { line, token, until, lost_since, sound: false })
    }

    fn answered(self, line: LineId, out: &mut VecDeque<Output>) -> Self {
        match self {
            Line::Opening(opening) if opening.line == line => opening.answered(),
            Line::Answered(opening) if opening.line == line => Line::Answered(opening),
            Line::Up(up) if up.line == line => Line::Up(up),
            Line::Down
            | Line::Opening(_)
            | Line::Answered(_)
            | Line::Up(_)
            | Line::Lost(_)
            | Line::Closing(_) => {
                out.push_back(Output::DropLine { line });
                self
            }
        }
    }

    fn sound(self, token: &LineToken, gets_through: bool, now: Now) -> Self {
        match self {
            Line::Opening(opening) if opening.is_of(token) => {
                Line::Opening(Opening { sound: gets_through, ..opening })
            }
            Line::Answered(opening) if gets_through && opening.is_of(token) => {
                Line::Up(Up { line: opening.line, token: opening.token })
            }
            Line::Up(up) if !gets_through && up.token.as_ref().is_none_or(|of_it| of_it == token) => {
                Line::Answered(Opening {
                    line: up.line,
                    token: up.token,
                    until: now.steady + view::TOKEN_LIFE_MS,
                    lost_since: Some(now.wall),
                    sound: false,
                })
            }
            Line::Down
            | Line::Opening(_)
            | Line::Answered(_)
            | Line::Up(_)
            | Line::Lost(_)
            | Line::Closing(_) => self,
        }
    }

    fn gone(self, line: &LineId, now: Now) -> Self {
        match self {
            Line::Opening(opening) | Line::Answered(opening) if opening.line == *line => opening.failed(),
            Line::Up(up) if up.line == *line => Line::Lost(Lost { since: now.wall }),
            Line::Closing(closing) if closing.line == *line => Line::Down,
            Line::Down
            | Line::Opening(_)
            | Line::Answered(_)
            | Line::Up(_)
            | Line::Lost(_)
            | Line::Closing(_) => self,
        }
    }

    fn close(self, now: Now, out: &mut VecDeque<Output>) -> Self {
        let line = match self {
            Line::Down | Line::Lost(_) => return Line::Down,
            Line::Closing(closing) => return Line::Closing(closing),
            Line::Opening(Opening { line, .. })
            | Line::Answered(Opening { line, .. })
            | Line::Up(Up { line, .. }) => line,
        };
        out.push_back(Output::DropLine { line: line.clone() });
        Line::Closing(Closing { line, ask_again_at: now.steady + CLOSING_PATIENCE })
    }

    fn reconcile(self, found: Option<LineId>, now: Now, out: &mut VecDeque<Output>) -> Self {
        match (self, found) {
            (Line::Down, None) => Line::Down,
            (Line::Lost(lost), None) => Line::Lost(lost),
            (Line::Opening(opening) | Line::Answered(opening), None) => opening.failed(),
            (Line::Up(_), None) => Line::Lost(Lost { since: now.wall }),
            (Line::Closing(_), None) => Line::Down,
            (Line::Closing(closing), Some(line)) => {
                out.push_back(Output::DropLine { line });
                Line::Closing(closing)
            }
            (Line::Opening(opening), Some(line)) if opening.line == line => opening.answered(),
            (Line::Answered(opening), Some(line)) if opening.line == line => Line::Answered(opening),
            (Line::Up(up), Some(line)) if up.line == line => Line::Up(up),
            (Line::Down | Line::Lost(_) | Line::Opening(_) | Line::Answered(_) | Line::Up(_), Some(line)) => {
                Line::Up(Up { line, token: None })
            }
        }
    }

    fn tick(self, now: Now, out: &mut VecDeque<Output>) -> Self {
        match self {
            Line::Opening(opening) | Line::Answered(opening) if now.steady >= opening.until => {
                out.push_back(Output::DropLine { line: opening.line.clone() });
                opening.failed()
            }
            Line::Closing(closing) if now.steady >= closing.ask_again_at => {
                out.push_back(Output::DropLine { line: closing.line.clone() });
                Line::Closing(Closing { ask_again_at: now.steady + CLOSING_PATIENCE, ..closing })
            }
            Line::Down
            | Line::Opening(_)
            | Line::Answered(_)
            | Line::Up(_)
            | Line::Lost(_)
            | Line::Closing(_) => self,
        }
    }
}

impl Opening {
    fn is_of(&self, token: &LineToken) -> bool {
        self.token.as_ref().is_none_or(|of_it| of_it == token)
    }

    fn answered(self) -> Line {
        if self.sound { Line::Up(Up { line: self.line, token: self.token }) } else { Line::Answered(self) }
    }

    fn failed(self) -> Line {
        match self.lost_since {
            None => Line::Down,
            Some(since) => Line::Lost(Lost { since }),
        }
    }
}
