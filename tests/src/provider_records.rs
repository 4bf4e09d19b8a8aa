//! What the provider wrote down by itself: each INVITE as it came, each call, and what each callee heard. Tests
//! of "nobody twice" and "nothing lost" believe these and nothing of the server's.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::sound::Sound;

/// The records, read anew each time they are asked.
#[derive(Debug, Clone)]
pub struct ProviderRecords {
    folder: PathBuf,
}

/// An INVITE that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// UTC epoch, milliseconds.
    pub at_ms: i64,
    /// The number dialled, as it stood in the request.
    pub number: String,
    /// The caller ID it carried.
    pub caller_id: String,
    /// The provider's name for the call.
    pub call: String,
}

/// A call that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The number dialled.
    pub number: String,
    /// From the answer to the end, seconds.
    pub talked_s: u32,
    /// `ANSWERED`, `NO ANSWER`, `BUSY`, `FAILED`, `CONGESTION`.
    pub disposition: String,
    /// The provider's name for the call.
    pub call: String,
}

impl ProviderRecords {
    /// The records in a provider's folder.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Every INVITE, in the order they came.
    ///
    /// # Errors
    /// When the file cannot be read as what it should be.
    pub fn arrivals(&self) -> Result<Vec<Arrival>> {
        let row = |row: &csv::StringRecord| -> Option<Arrival> {
            Some(Arrival {
                at_ms: row.get(0)?.parse().ok()?,
                number: row.get(1)?.to_owned(),
                caller_id: row.get(2)?.to_owned(),
                call: row.get(3)?.to_owned(),
            })
        };
        read(&self.folder.join("records/arrivals.csv"), row)
    }

    /// Every call that is over, in the order they ended.
    ///
    /// # Errors
    /// When the file cannot be read as what it should be.
    pub fn calls(&self) -> Result<Vec<Record>> {
        let row = |row: &csv::StringRecord| -> Option<Record> {
            Some(Record {
                number: row.get(2)?.to_owned(),
                talked_s: row.get(13)?.parse().ok()?,
                disposition: row.get(14)?.to_owned(),
                call: row.get(16)?.to_owned(),
            })
        };
        read(&self.folder.join("log/cdr-csv/Master.csv"), row)
    }

    /// How often each number was rung.
    ///
    /// # Errors
    /// As [`ProviderRecords::arrivals`].
    pub fn rung(&self) -> Result<HashMap<String, usize>> {
        let mut rung = HashMap::new();
        for arrival in self.arrivals()? {
            *rung.entry(arrival.number).or_default() += 1;
        }
        Ok(rung)
    }

    /// Numbers that were rung more than once.
    ///
    /// # Errors
    /// As [`ProviderRecords::arrivals`].
    pub fn rung_twice(&self) -> Result<Vec<String>> {
        let mut twice: Vec<String> =
            self.rung()?.into_iter().filter(|(_, times)| *times > 1).map(|(number, _)| number).collect();
        twice.sort();
        Ok(twice)
    }

    /// What the callee heard in a call, from the volunteer's side only.
    ///
    /// # Errors
    /// When there is no such recording.
    pub fn heard(&self, arrival: &Arrival) -> Result<Sound> {
        let file = format!("records/heard/{}-{}.wav", arrival.number, arrival.call);
        Sound::read(&self.folder.join(file))
    }
}

/// A file that does not exist yet has no rows; a row that is being written is left for the next time.
fn read<T>(path: &Path, row: impl Fn(&csv::StringRecord) -> Option<T>) -> Result<Vec<T>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(whole.as_bytes())
        .records()
        .map(|line| {
            let line = line?;
            row(&line).with_context(|| format!("{}: not understood: {line:?}", path.display()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_rung_twice_is_named_and_a_half_written_line_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("records")).expect("made");
        let lines = "1732192000123,+447700900001,+442079460000,17.1,abc\n1732192000456,+447700900002,,17.2,d\n\
                     1732192009123,+447700900001,+442079460000,17.3,abd\n17321920";
        std::fs::write(folder.path().join("records/arrivals.csv"), lines).expect("written");
        let records = ProviderRecords::of(folder.path());
        assert_eq!(records.arrivals().expect("read").len(), 3);
        assert_eq!(records.rung_twice().expect("read"), ["+447700900001"]);
        assert_eq!(records.calls().expect("none yet"), []);
    }

    #[test]
    fn a_call_record_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("log/cdr-csv")).expect("made");
        let line = r#""","+442079460000","+447700900001","callees","""x"" <1>","PJSIP/c-1","","Wait","600","2026-11-21 10:00:00","2026-11-21 10:00:01","2026-11-21 10:00:09",9,8,"ANSWERED","DOCUMENTATION","17.1","""#;
        std::fs::write(folder.path().join("log/cdr-csv/Master.csv"), format!("{line}\n")).expect("written");
        let calls = ProviderRecords::of(folder.path()).calls().expect("read");
        assert_eq!(
            calls,
            [Record {
                number: "+447700900001".into(),
                talked_s: 8,
                disposition: "ANSWERED".into(),
                call: "17.1".into()
            }]
        );
    }
}
