//! What came of an attempt.

use serde::{Deserialize, Serialize};

/// The longest note, in characters.
pub const LONGEST_NOTE: usize = 2_000;

/// What came of an attempt (the field also says disposition).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The callee, or someone for them, talked with the volunteer.
    Reached,
    /// The callee does not want this call.
    Refused,
    /// The line was engaged.
    Busy,
    /// It rang and nobody answered.
    NoAnswer,
    /// An answering machine, voicemail included.
    Machine,
    /// The number belongs to someone else.
    WrongNumber,
    /// The callee asked to be rung at another time.
    Callback,
    /// The callee asked never to be rung again.
    DoNotCall,
    /// A person answered and no volunteer was there in time.
    Abandoned,
    /// A call-screening service answered.
    Screened,
    /// The network could not place the call.
    Failed,
    /// Nobody knows: a crash, or no key within 30 minutes.
    Unknown,
    /// None of these; the note says what.
    Other,
}

impl Outcome {
    /// The nine outcome keys, in their order, key 1 first. The same on every screen.
    pub const KEYS: [Outcome; 9] = [
        Outcome::Reached,
        Outcome::Refused,
        Outcome::Callback,
        Outcome::NoAnswer,
        Outcome::Busy,
        Outcome::Machine,
        Outcome::WrongNumber,
        Outcome::DoNotCall,
        Outcome::Other,
    ];

    /// Every outcome there is.
    pub const ALL: [Outcome; 13] = [
        Outcome::Reached,
        Outcome::Refused,
        Outcome::Busy,
        Outcome::NoAnswer,
        Outcome::Machine,
        Outcome::WrongNumber,
        Outcome::Callback,
        Outcome::DoNotCall,
        Outcome::Abandoned,
        Outcome::Screened,
        Outcome::Failed,
        Outcome::Unknown,
        Outcome::Other,
    ];

    /// Whether it can only be known of a call that was answered. Whom to ring never again a volunteer may know
    /// otherwise, and how the telephone network sounded they heard.
    pub const fn needs_an_answer(self) -> bool {
        match self {
            Outcome::Reached
            | Outcome::Refused
            | Outcome::Callback
            | Outcome::Machine
            | Outcome::WrongNumber
            | Outcome::Abandoned
            | Outcome::Screened
            | Outcome::Other => true,
            Outcome::Busy | Outcome::NoAnswer | Outcome::DoNotCall | Outcome::Failed | Outcome::Unknown => {
                false
            }
        }
    }

    /// The keys that may be pressed for a call that was answered, or was not.
    pub fn keys_after(answered: bool) -> Vec<Self> {
        Self::KEYS.into_iter().filter(|key| answered || !key.needs_an_answer()).collect()
    }

    /// The word on the wire, in the store and in exports: `no-answer`.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Reached => "reached",
            Outcome::Refused => "refused",
            Outcome::Busy => "busy",
            Outcome::NoAnswer => "no-answer",
            Outcome::Machine => "machine",
            Outcome::WrongNumber => "wrong-number",
            Outcome::Callback => "callback",
            Outcome::DoNotCall => "do-not-call",
            Outcome::Abandoned => "abandoned",
            Outcome::Screened => "screened",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
            Outcome::Other => "other",
        }
    }

    /// The outcome of a word that [`Outcome::word`] gave.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// Who wrote an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "kebab-case")]
pub enum WrittenBy {
    /// The server, from the call's cause: busy, no-answer, failed.
    Network,
    /// The volunteer, by an outcome key, or by cancelling the call.
    Volunteer,
    /// The server, because no key came in time, or the call or the volunteer's line was lost.
    Server,
}

/// When to ring again. The server's clock and the callee's time zone decide what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "when", rename_all = "kebab-case")]
pub enum RingAgain {
    /// Sixty minutes from now.
    InAnHour,
    /// On the next day of calling, when its hours open.
    Tomorrow,
    /// At a date.
    At {
        /// UTC epoch, milliseconds.
        #[specta(type = specta_typescript::Number)]
        at_ms: i64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_closes_a_contact_but_do_not_call_is_said_of_a_call_that_nobody_answered() {
        let keys = Outcome::keys_after(false);
        assert_eq!(keys, [Outcome::NoAnswer, Outcome::Busy, Outcome::DoNotCall]);
        assert_eq!(Outcome::keys_after(true), Outcome::KEYS);
    }

    #[test]
    fn every_outcome_has_one_word_and_it_is_the_word_on_the_wire() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).expect("json"), outcome.word());
            assert_eq!(Outcome::from_word(outcome.word()), Some(outcome));
        }
    }
}
