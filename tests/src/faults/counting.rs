//! The counts of a round, from what the provider, an organiser and Asterisk say. They are all made here, so that tests
//! can show of each that it rises.

use std::collections::HashMap;

use anyhow::Result;
use serde_json::Value;

use super::Round;
use crate::provider_records::ProviderRecords;

impl Round {
    /// Counts. `pressed` are the numbers for which a key was pressed, with the word of the last one; `outcomes` what an
    /// organiser reads of each number; `strays` the channels that nobody owns ([`strays`]).
    ///
    /// # Errors
    /// When a record cannot be read.
    pub fn count(
        pressed: &HashMap<String, &'static str>,
        outcomes: &HashMap<String, String>,
        records: &ProviderRecords,
        strays: usize,
    ) -> Result<Self> {
        let rung = records.rung()?;
        let lost = pressed.iter().filter(|(number, word)| outcomes.get(*number).is_none_or(|o| o != *word));
        let silent = rung.keys().filter(|number| outcomes.get(*number).is_none_or(String::is_empty));
        Ok(Self {
            callees: rung.len(),
            outcomes_pressed: pressed.len(),
            without_outcome: silent.count(),
            outcomes_lost: lost.count(),
            callees_dialled_twice: records.rung_twice()?.len(),
            stuck_lines: strays,
        })
    }
}

/// How many of Asterisk's channels no live session owns: it owns at most one whose id begins with `line`, if it has a
/// line at all, and the one of its call.
pub fn strays(channels: &[String], line: &str, has_line: bool, call: Option<&str>) -> usize {
    let lines = channels.iter().filter(|id| id.starts_with(line)).count();
    let calls = channels.iter().filter(|id| Some(id.as_str()) == call).count();
    channels.len() - lines.min(usize::from(has_line)) - calls.min(1)
}

/// Whether one of these sentences is in what the live regions said, a list of texts.
pub fn was_told(said: &Value, any: &[&str]) -> bool {
    let mut said = said.as_array().into_iter().flatten().filter_map(Value::as_str);
    said.any(|text| any.iter().any(|sentence| text.contains(sentence)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::ringround::Attempted;

    const MARGARET: &str = "+447700900001";
    const SUNITA: &str = "+447700900002";

    /// Each rung once, as the provider's dialplan writes it.
    const ARRIVALS: &str = "1732192000123,+447700900001,+442079460000,17.1,abc\n\
                            1732192009123,+447700900002,+442079460000,17.2,abd\n";
    /// As `ringround-server results --format json` prints it.
    const RESULTS: &str = r#"{"number":"+447700900001","outcome":"reached","written_by":"volunteer"}
{"number":"+447700900002","outcome":"refused","written_by":"volunteer"}"#;

    fn provider(arrivals: &str) -> (TempDir, ProviderRecords) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("records")).expect("made");
        std::fs::write(folder.path().join("records/arrivals.csv"), arrivals).expect("written");
        let records = ProviderRecords::of(folder.path());
        (folder, records)
    }

    fn round(arrivals: &str, results: &str, strays: usize) -> Round {
        let (_folder, records) = provider(arrivals);
        let outcomes = Attempted::outcomes(Attempted::read(results).expect("rows"));
        let pressed = HashMap::from([(MARGARET.to_owned(), "reached"), (SUNITA.to_owned(), "refused")]);
        Round::count(&pressed, &outcomes, &records, strays).expect("counted")
    }

    #[test]
    fn a_round_in_which_nothing_went_wrong_is_clean() {
        let round = round(ARRIVALS, RESULTS, 0);
        assert!(round.is_clean(), "{round:?}");
        assert_eq!((round.callees, round.outcomes_pressed), (2, 2));
    }

    #[test]
    fn an_outcome_that_is_not_read_is_lost() {
        let row = RESULTS.lines().next().expect("a row");
        let gone = round(ARRIVALS, row, 0);
        assert_eq!((gone.outcomes_lost, gone.without_outcome, gone.is_clean()), (1, 1, false));
        // The attempt is there, and what was pressed is not.
        let null = round(ARRIVALS, &RESULTS.replace("\"refused\"", "null"), 0);
        assert_eq!((null.outcomes_lost, null.without_outcome), (1, 1));
        let other = round(ARRIVALS, &RESULTS.replace("refused", "unknown"), 0);
        assert_eq!((other.outcomes_lost, other.without_outcome, other.is_clean()), (1, 0, false));
    }

    #[test]
    fn a_second_invite_is_a_callee_dialled_twice() {
        let again = format!("{ARRIVALS}1732192019123,{MARGARET},+442079460000,17.3,abe\n");
        let round = round(&again, RESULTS, 0);
        assert_eq!((round.callees_dialled_twice, round.callees, round.is_clean()), (1, 2, false));
    }

    #[test]
    fn a_channel_that_nobody_owns_is_a_stuck_line() {
        let channels = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let all = channels(&["line-maya-1", "attempt-1"]);
        assert_eq!(strays(&all, "line-maya", true, Some("attempt-1")), 0);
        assert_eq!(strays(&all, "line-maya", true, None), 1, "the call is over");
        assert_eq!(strays(&all, "line-maya", false, Some("attempt-1")), 1, "the line is closed");
        let twice = channels(&["line-maya-1", "line-maya-2", "line-tom-1"]);
        assert_eq!(strays(&twice, "line-maya", true, None), 2, "an old line, and somebody else's");
        assert!(!round(ARRIVALS, RESULTS, 1).is_clean());
    }

    #[test]
    fn a_sentence_that_was_not_said_is_untold() {
        let said = json!(["Calling Callee 001", "Server not reachable. Your call goes on. Answers are kept"]);
        assert!(was_told(&said, &["Your call goes on"]));
        assert!(was_told(&said, &["Line lost", "Your call goes on"]));
        assert!(!was_told(&said, &["The server is back"]));
        assert!(
            !was_told(&json!([]), &["Your call goes on"]) && !was_told(&Value::Null, &["Your call goes on"])
        );
    }
}
