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

use protocol::{
    call::EndedBy,
    outcome::{Outcome, WrittenBy},
};

use crate::output::HangUpWhy;

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

/// What came of a call, if that needs no volunteer.
pub(crate) fn verdict(
    why: Option<HangUpWhy>,
    words: Option<String>,
    rang: bool,
    answered: bool,
    cause: Option<u16>,
) -> Option<Verdict> {
    if answered {
        let note = match (why, cause) {
            (Some(HangUpWhy::LineLost), _) => "the volunteer's line was lost",
            (None, None) => "nobody saw the end of the call",
            (Some(_), _) | (None, Some(_)) => return None,
        };
        return Some(server(Outcome::Unknown, note));
    }
    let verdict = match why {
        Some(HangUpWhy::Volunteer) => network(Outcome::NoAnswer, Some("the volunteer cancelled")),
        Some(HangUpWhy::RingTimeout) => network(Outcome::NoAnswer, None),
        Some(HangUpWhy::NoRinging) => network(Outcome::Failed, Some("it did not ring within 25 s")),
        Some(HangUpWhy::LineLost) if rang => server(Outcome::NoAnswer, "the volunteer's line was lost"),
        Some(HangUpWhy::LineLost) => server(Outcome::Unknown, "the volunteer's line was lost"),
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
