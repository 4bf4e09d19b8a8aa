//! From how a call ended to who ended it, what came of it, and what it says of the trunk.
//!
//! Asterisk gives every end a cause (ITU-T Q.850). Where a SIP answer ended the call, newer versions give its status
//! too (`tech_cause`, since 22.7); everything here works by the cause alone, and by how far the call came. Which cause
//! Asterisk makes of which status is in its `res_pjsip.c` (`ast_sip_hangup_sip2cause`); RFC 3398, section 7.2.4.1, is
//! the standard for it, and RFC 3261, section 21, says what the answers mean.
//!
//! Nothing rang is what an answer at once and one after a 183 have in common, except of 21: a 183 shows that somebody's
//! network had the call, and what it refused then is not the trunk's.
//!
//! | cause | SIP answer | it means | whose fault | nothing rang: outcome, when again | it rang |
//! | --- | --- | --- | --- | --- | --- |
//! | 1, 22, 28 | 404, 410, 484, 485, 604 | no such number, or not in this form | the number's; [`Complaint::Number`] | failed, next day | the same |
//! | 17 | 486, 600 | busy | nobody's | busy, 2 h | the same |
//! | 18, 19, 20 | 408, 480 | nobody answers, or the telephone is off | nobody's, or the trunk's if it is said of many | no-answer, 4 h; of six numbers in a row: not counted, soon | no-answer, 4 h |
//! | 21 | 603 | a person said no, or their telephone for them | the callee's, or the trunk's if it is said to many | failed, next day | no-answer, 4 h |
//! | 21 | 401, 403, 407 | who calls is not known, or may not | the trunk's | failed, not counted, soon | no-answer, 4 h |
//! | 21 | not told | one of the two above | not known | failed, next day; where several numbers in a row are refused: not counted, soon | no-answer, 4 h |
//! | 2, 3, 29, 34, 38, 41, 42, 44, 47, 49, 50, 52, 57, 58, 63, 65, 79, 102, 111, 127 | 402, 420, 483, 488, 500, 501, 503, 504, other 4xx, 5xx and 6xx | the call goes no further: full, unpaid, out of order, not allowed, not understood | the trunk's | failed, not counted, soon | failed, next day |
//! | 16 | a BYE | rung off | nobody's | failed, next day | no-answer, 4 h |
//! | 0, none | | nobody saw the end | nobody's | unknown, next day | the same |
//! | other | 302, 502 | the callee's side is not reached | not known | failed, next day; of six numbers in a row: not counted, soon | failed, next day |
//! | - | no answer at all, or nothing rings | the call is swallowed | the trunk's | failed, not counted, soon | |
//! | - | never asked: Asterisk makes no call (the provider does not answer its OPTIONS) | nobody is rung | the trunk's | failed, not counted, soon | |
//! | - | no answer at all, and the volunteer cancels | nobody waited for it; after two seconds, as above | the trunk's, if it is so of many | no-answer, not counted, soon | |
//!
//! Answered, the volunteer is asked, whatever the cause; unknown where nobody saw the end. Answered while no volunteer
//! was there: unknown where the callee rang off at once, else abandoned (R06).
//!
//! "Not counted" takes nothing of a contact's attempts, spacing and limits, as nobody was rung (`retry.rs` says what
//! soon is); what the complaints of several calls make of the trunk is in `trunk_health.rs`.

use protocol::{
    call::EndedBy,
    outcome::{Outcome, WrittenBy},
    trunk::Complaint,
};

use crate::{input::Fault, output::HangUpWhy};

/// How a callee's channel ended, as Asterisk tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    pub cause: u16,
    /// The status of the SIP answer, where that is told.
    pub sip: Option<u16>,
}

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// Nothing rang.
    Nowhere,
    /// The provider answered nothing at all, not even that it is trying.
    Unheard {
        /// It had the time to.
        in_time: bool,
    },
    /// The network sent sound (183), and did not say that it rings.
    ToProgress,
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
    pub counts: Counts,
    pub sign: Sign,
    /// What a person must mend, whatever other calls say.
    pub trunk_fault: Option<&'static str>,
}

/// Whether the contact had one of its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    Yes,
    /// Nobody was rung, and the fault may be the trunk's.
    No,
    /// A person may have said no, or the trunk: it was the trunk if other numbers say the same.
    UnlessRepeated,
}

/// What the end of a call says of the trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Nothing.
    Nothing,
    /// The call reached a telephone or its network.
    Works,
    /// It went no further than the trunk.
    Against(Complaint),
    /// Nothing rang, and telephones that are off look the same: it takes many to speak against the trunk.
    Doubtful(Complaint),
}

/// What an end means. The variants are the rows of the table at this file's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    NoSuchNumber,
    Busy,
    NoAnswer,
    Declined,
    NotAllowed,
    DeclinedOrNotAllowed,
    NotCarried,
    RungOff,
    Unseen,
    NotReached,
}

const TRUNK_REFUSES: &str =
    "the provider refused the call: check the trunk's user name, password and caller ID";

/// Who ended a call. `why` if we hung up; no ending if nobody saw it.
pub(crate) fn ended_by(why: Option<HangUpWhy>, answered: bool, ending: Option<Ending>) -> EndedBy {
    match (why, ending.map(|ending| ending.cause)) {
        (Some(HangUpWhy::Volunteer), _) => EndedBy::Volunteer,
        (Some(_), _) | (None, None) => EndedBy::Server,
        (None, Some(_)) if !answered => EndedBy::Network,
        (None, Some(0 | 16 | 31)) => EndedBy::Callee,
        (None, Some(_)) => EndedBy::Network,
    }
}

/// ITU-T Q.850: somebody rang off.
pub(crate) const NORMAL_CLEARING: u16 = 16;

/// Whether nobody saw the end of a call that was not known to be answered, so that it may have been.
pub fn nobody_saw(by_volunteer: bool, cause: Option<u16>) -> bool {
    !by_volunteer && matches!(cause, None | Some(0))
}

/// What came of a call, if that needs no volunteer.
pub(crate) fn verdict(
    why: Option<HangUpWhy>,
    words: Option<String>,
    came: Came,
    ending: Option<Ending>,
) -> Option<Verdict> {
    let rang = match came {
        Came::Nowhere | Came::Unheard { .. } => false,
        Came::ToProgress | Came::ToRinging => true,
        Came::ToTalk => {
            let note = match (why, ending) {
                (Some(HangUpWhy::LineLost), _) => "the volunteer's line was lost",
                (None, None) => "nobody saw the end of the call",
                (Some(_), _) | (None, Some(_)) => return None,
            };
            return Some(server(Outcome::Unknown, note));
        }
        Came::ToNobody { in_time } => {
            let rang_off = in_time && why.is_none() && ending.is_some();
            return Some(if rang_off {
                server(Outcome::Unknown, "the callee rang off before the volunteer's line was back")
            } else {
                server(Outcome::Abandoned, "answered while the volunteer's line was away")
            });
        }
    };
    let verdict = match why {
        Some(HangUpWhy::Volunteer) => cancelled(came),
        Some(HangUpWhy::RingTimeout) => Verdict { sign: Sign::Works, ..network(Outcome::NoAnswer, None) },
        Some(HangUpWhy::NoReply) => swallowed("the provider did not answer the call at all"),
        Some(HangUpWhy::NoRinging) => swallowed("it did not ring within 25 s"),
        Some(HangUpWhy::LineLost) if rang => server(Outcome::NoAnswer, "the volunteer's line was lost"),
        Some(HangUpWhy::LineLost) => server(Outcome::Unknown, "the volunteer's line was lost"),
        Some(HangUpWhy::FoundDown) => server(Outcome::Unknown, "the server was away before it rang"),
        Some(HangUpWhy::Failed(fault)) => {
            let note = words.unwrap_or_else(|| "Asterisk refused a step".to_owned());
            let failed = server(Outcome::Failed, &note);
            match fault {
                Fault::Telephone if !rang => {
                    Verdict { counts: Counts::No, sign: Sign::Against(Complaint::Silent), ..failed }
                }
                Fault::Telephone | Fault::Call => failed,
            }
        }
        Some(HangUpWhy::TooLong | HangUpWhy::Stray) => server(Outcome::Unknown, "hung up by the server"),
        None => by_ending(ending, came),
    };
    Some(verdict)
}

/// It was committed, and nothing was left to dial with.
pub(crate) fn never_dialled() -> Verdict {
    server(Outcome::Unknown, "not dialled: the line or the telephone was lost at that moment")
}

/// Its volunteer hung up before it was answered.
fn cancelled(came: Came) -> Verdict {
    let by_volunteer = |note| Verdict { by: WrittenBy::Volunteer, ..server(Outcome::NoAnswer, note) };
    match came {
        Came::Nowhere => by_volunteer("cancelled before it rang"),
        Came::Unheard { in_time } => {
            let sign = if in_time { Sign::Against(Complaint::Silent) } else { Sign::Nothing };
            let note = "cancelled before the provider answered the call at all";
            Verdict { counts: Counts::No, sign, ..by_volunteer(note) }
        }
        Came::ToProgress | Came::ToRinging | Came::ToTalk | Came::ToNobody { .. } => {
            by_volunteer("cancelled while it rang")
        }
    }
}

/// The table, by cause and status.
fn meaning(ending: Option<Ending>) -> Means {
    let Some(Ending { cause, sip }) = ending else { return Means::Unseen };
    match (cause, sip) {
        // Asterisk takes it for no answer (19), and it is a call that went in circles.
        (_, Some(483)) => Means::NotCarried,
        (0, _) => Means::Unseen,
        (1 | 22 | 28, _) => Means::NoSuchNumber,
        (16, _) => Means::RungOff,
        (17, _) => Means::Busy,
        (18..=20, _) => Means::NoAnswer,
        (21, Some(603)) => Means::Declined,
        (21, Some(401 | 403 | 407)) => Means::NotAllowed,
        (21, _) => Means::DeclinedOrNotAllowed,
        (
            2 | 3 | 29 | 34 | 38 | 41 | 42 | 44 | 47 | 49 | 50 | 52 | 57 | 58 | 63 | 65 | 79 | 102 | 111
            | 127,
            _,
        ) => Means::NotCarried,
        _ => Means::NotReached,
    }
}

fn by_ending(ending: Option<Ending>, came: Came) -> Verdict {
    let sip = ending.and_then(|ending| ending.sip);
    let refuses = Sign::Against(Complaint::Refuses { sip });
    let means = meaning(ending);
    let rang = came == Came::ToRinging;
    let reached = rang || came == Came::ToProgress;
    let works = |outcome, note| Verdict { sign: Sign::Works, ..network(outcome, note) };
    match means {
        Means::Unseen => server(Outcome::Unknown, "nobody saw the end of the call"),
        Means::Busy => works(Outcome::Busy, None),
        Means::NoAnswer if reached => works(Outcome::NoAnswer, None),
        Means::NoAnswer => Verdict {
            counts: Counts::UnlessRepeated,
            sign: Sign::Doubtful(Complaint::Refuses { sip }),
            ..network(Outcome::NoAnswer, None)
        },
        Means::RungOff if reached => works(Outcome::NoAnswer, None),
        Means::Declined | Means::NotAllowed | Means::DeclinedOrNotAllowed if reached => {
            works(Outcome::NoAnswer, Some("the call was declined"))
        }
        Means::NoSuchNumber if rang => works(Outcome::Failed, Some("the number is not in use")),
        Means::NoSuchNumber => Verdict {
            sign: Sign::Against(Complaint::Number),
            ..network(Outcome::Failed, Some("the number is not in use"))
        },
        Means::Declined => Verdict {
            sign: refuses,
            ..network(Outcome::Failed, Some("the call was declined before it rang (603)"))
        },
        Means::NotAllowed => Verdict {
            counts: Counts::No,
            sign: refuses,
            trunk_fault: Some(TRUNK_REFUSES),
            ..network(Outcome::Failed, Some(TRUNK_REFUSES))
        },
        Means::DeclinedOrNotAllowed => Verdict {
            counts: Counts::UnlessRepeated,
            sign: refuses,
            ..network(
                Outcome::Failed,
                Some("the call was refused before it rang, by the callee or the provider"),
            )
        },
        Means::NotCarried if rang => works(Outcome::Failed, Some(&not_carried(ending))),
        Means::NotCarried => Verdict {
            counts: Counts::No,
            sign: refuses,
            ..network(Outcome::Failed, Some(&not_carried(ending)))
        },
        Means::RungOff | Means::NotReached if rang => works(Outcome::Failed, Some(&not_carried(ending))),
        Means::RungOff => network(Outcome::Failed, Some(&not_carried(ending))),
        Means::NotReached => Verdict {
            counts: Counts::UnlessRepeated,
            sign: Sign::Doubtful(Complaint::Refuses { sip }),
            ..network(Outcome::Failed, Some(&not_carried(ending)))
        },
    }
}

/// "the telephone network did not carry the call (SIP 503, cause 42)"
fn not_carried(ending: Option<Ending>) -> String {
    let what = match ending {
        Some(Ending { cause, sip: Some(sip) }) => format!("SIP {sip}, cause {cause}"),
        Some(Ending { cause, sip: None }) => format!("cause {cause}"),
        None => "no cause".to_owned(),
    };
    format!("the telephone network did not carry the call ({what})")
}

fn swallowed(note: &str) -> Verdict {
    Verdict {
        counts: Counts::No,
        sign: Sign::Against(Complaint::Silent),
        ..network(Outcome::Failed, Some(note))
    }
}

fn network(outcome: Outcome, note: Option<&str>) -> Verdict {
    Verdict {
        outcome,
        by: WrittenBy::Network,
        note: note.map(str::to_owned),
        counts: Counts::Yes,
        sign: Sign::Nothing,
        trunk_fault: None,
    }
}

fn server(outcome: Outcome, note: &str) -> Verdict {
    Verdict { by: WrittenBy::Server, ..network(outcome, Some(note)) }
}
