//! From how a call ended to who ended it and what came of it (Q.850 causes, as Asterisk gives
//! them).
//!
//! | cause | not answered | answered |
//! | --- | --- | --- |
//! | 17 | busy | |
//! | 18, 19, 20 | no-answer | |
//! | 1, 28 | failed: the number is not in use | |
//! | 21 | failed, and a fault of the trunk's configuration | |
//! | 34, 38, 41, 42 | failed: the network is congested | |
//! | 16 | no-answer if it rang, else failed | the volunteer is asked |
//! | 0, none | unknown: nobody saw its end | 0: the volunteer is asked; none: unknown |
//! | other | failed | the volunteer is asked |
//!
//! Answered while no volunteer was there: unknown where the callee rang off at once, else abandoned (R06).

use protocol::{
    call::EndedBy,
    outcome::{Outcome, WrittenBy},
};

use crate::output::HangUpWhy;

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// Nothing rang.
    Nowhere,
    /// It rang.
    ToRinging,
    /// It was answered, and the volunteer's line was there.
    ToTalk,
    /// It was answered, and the volunteer's line was not there until the end.
    ToNobody {
        /// It ended before that counts as abandoned.
        in_time: bool,
    },
}

/// What the server writes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub outcome: Outcome,
    pub by: WrittenBy,
    /// Why, for the attempt's record.
    pub note: Option<String>,
    /// What a person must mend.
    pub trunk_fault: Option<&'static str>,
}

const TRUNK_REFUSES: &str =
    "the provider refused the call (cause 21): check the trunk's user name, password and caller ID";

/// Who ended a call. `why` if we hung up; no cause if nobody saw its end.
pub(crate) fn ended_by(why: Option<HangUpWhy>, answered: bool, cause: Option<u16>) -> EndedBy {
    match (why, cause) {
        (Some(HangUpWhy::Volunteer), _) => EndedBy::Volunteer,
        (Some(_), _) | (None, None) => EndedBy::Server,
        (None, Some(_)) if !answered => EndedBy::Network,
        (None, Some(0 | 16 | 31)) => EndedBy::Callee,
        (None, Some(_)) => EndedBy::Network,
    }
}

/// Whether nobody saw the end of a call that was not known to be answered, so that it may have been.
pub fn nobody_saw(by_volunteer: bool, cause: Option<u16>) -> bool {
    !by_volunteer && matches!(cause, None | Some(0))
}

/// What came of a call, if that needs no volunteer.
pub(crate) fn verdict(
    why: Option<HangUpWhy>,
    words: Option<String>,
    came: Came,
    cause: Option<u16>,
) -> Option<Verdict> {
    let rang = match came {
        Came::Nowhere => false,
        Came::ToRinging => true,
        Came::ToTalk => {
            let note = match (why, cause) {
                (Some(HangUpWhy::LineLost), _) => "the volunteer's line was lost",
                (None, None) => "nobody saw the end of the call",
                (Some(_), _) | (None, Some(_)) => return None,
            };
            return Some(server(Outcome::Unknown, note));
        }
        Came::ToNobody { in_time } => {
            let rang_off = in_time && why.is_none() && cause.is_some();
            return Some(if rang_off {
                server(Outcome::Unknown, "the callee rang off before the volunteer's line was back")
            } else {
                server(Outcome::Abandoned, "answered while the volunteer's line was away")
            });
        }
    };
    let verdict = match why {
        Some(HangUpWhy::Volunteer) => Verdict {
            by: WrittenBy::Volunteer,
            ..server(
                Outcome::NoAnswer,
                if rang { "cancelled while it rang" } else { "cancelled before it rang" },
            )
        },
        Some(HangUpWhy::RingTimeout) => network(Outcome::NoAnswer, None),
        Some(HangUpWhy::NoRinging) => network(Outcome::Failed, Some("it did not ring within 25 s")),
        Some(HangUpWhy::LineLost) if rang => server(Outcome::NoAnswer, "the volunteer's line was lost"),
        Some(HangUpWhy::LineLost) => server(Outcome::Unknown, "the volunteer's line was lost"),
        Some(HangUpWhy::FoundDown) => server(Outcome::Unknown, "the server was away before it rang"),
        Some(HangUpWhy::Failed) => {
            let words = words.unwrap_or_else(|| "Asterisk refused a step".to_owned());
            Verdict { outcome: Outcome::Failed, by: WrittenBy::Server, note: Some(words), trunk_fault: None }
        }
        Some(HangUpWhy::TooLong | HangUpWhy::Stray) => server(Outcome::Unknown, "hung up by the server"),
        None => by_cause(cause, rang),
    };
    Some(verdict)
}

fn by_cause(cause: Option<u16>, rang: bool) -> Verdict {
    match cause {
        None | Some(0) => server(Outcome::Unknown, "nobody saw the end of the call"),
        Some(17) => network(Outcome::Busy, None),
        Some(18..=20) => network(Outcome::NoAnswer, None),
        Some(1 | 28) => network(Outcome::Failed, Some("the number is not in use")),
        Some(21) => {
            Verdict { trunk_fault: Some(TRUNK_REFUSES), ..network(Outcome::Failed, Some(TRUNK_REFUSES)) }
        }
        Some(34 | 38 | 41 | 42) => network(Outcome::Failed, Some("the telephone network is congested")),
        Some(16) if rang => network(Outcome::NoAnswer, None),
        Some(other) => {
            let note = format!("the telephone network gave cause {other}");
            Verdict { outcome: Outcome::Failed, by: WrittenBy::Network, note: Some(note), trunk_fault: None }
        }
    }
}

fn network(outcome: Outcome, note: Option<&str>) -> Verdict {
    Verdict { outcome, by: WrittenBy::Network, note: note.map(str::to_owned), trunk_fault: None }
}

fn server(outcome: Outcome, note: &str) -> Verdict {
    Verdict { outcome, by: WrittenBy::Server, note: Some(note.to_owned()), trunk_fault: None }
}
