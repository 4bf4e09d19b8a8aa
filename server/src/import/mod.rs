//! A list of contacts as CSV: streamed in, each row kept or refused with line, column and reason.
//!
//! `name,phone[,form_of_address,flag,context,reference]`, UTF-8, with commas, semicolons or tabs. Nothing a file
//! holds makes the server use more memory than its good rows do.

mod columns;
pub mod report;
mod rows;

use std::collections::{HashMap, hash_map::Entry};

use dialler::Place;
use protocol::{number::Number, plain};

pub use report::{Abroad, Refused, Report};

use crate::{
    config::TrunkKind,
    number,
    place::{self, Openings},
};
use columns::{Column, Columns};
use rows::{Field, Row, Rows};

/// The most rows of one file that are kept.
pub const MOST_ROWS: usize = 200_000;
/// The longest first line, bytes.
const LONGEST_HEADER: usize = 8_192;

/// A row that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContact {
    /// Line of the file, from 1.
    pub line: u64,
    /// The whole number.
    pub number: Number,
    /// "Margaret Hollis".
    pub name: String,
    /// "Mrs Hollis"; may be empty.
    pub form_of_address: String,
    /// What to know before the first word.
    pub flag: Option<String>,
    /// Context, a line each.
    pub context: String,
    /// The organisation's own key.
    pub reference: Option<String>,
}

/// Why a whole file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFile {
    /// There is nothing in it.
    #[error("The file is empty. Its first line must name the columns: name,phone")]
    Empty,
    /// Another encoding, seen from its first bytes.
    #[error("line 1, column 1: the file is UTF-16. Save it as \"CSV UTF-8\" and import it again")]
    Utf16,
    /// The first line cannot be read.
    #[error("line 1, column {0}: not UTF-8. Save the file as \"CSV UTF-8\" and import it again")]
    NotUtf8(usize),
    /// The first line has no end.
    #[error("line 1: longer than 8,192 bytes. Its first line must name the columns: name,phone")]
    HeaderTooLong,
    /// A column is not there.
    #[error(
        "line 1: there is no column \"{missing}\". The first line must name the columns, like \
         name,phone,form_of_address,flag,context,reference; it names {found}"
    )]
    MissingColumn {
        /// The column.
        missing: &'static str,
        /// What the first line has.
        found: String,
    },
    /// A column is there twice.
    #[error("line 1: the column \"{0}\" is there twice")]
    ColumnTwice(&'static str),
    /// More rows than a list may have.
    #[error("line {0}: the file has more than 200,000 rows. Split it, and import its parts")]
    TooManyRows(u64),
}

/// Takes a file piece by piece.
pub struct Importer {
    openings: Openings,
    trunk: TrunkKind,
    state: State,
    report: Report,
    kept: Vec<NewContact>,
    lines: HashMap<Number, u64>,
}

/// What to say of a row that is kept.
struct Doubts {
    warning: Option<Refused>,
    /// The time zones of a number abroad, and when it may be rung next.
    abroad: Option<(String, i64)>,
}

enum State {
    Header(Vec<u8>),
    Rows { rows: Box<Rows>, columns: Columns },
}

impl Importer {
    /// For a campaign with these hours, on this trunk. `source` is the file's name, for the report.
    pub fn new(source: &str, openings: Openings, trunk: TrunkKind) -> Self {
        Self {
            openings,
            trunk,
            state: State::Header(Vec::new()),
            report: Report::new(source),
            kept: Vec::new(),
            lines: HashMap::new(),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`BadFile`]: nothing of the file is to be kept.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), BadFile> {
        let mut piece = bytes;
        let first;
        if let State::Header(header) = &mut self.state {
            // Whatever a first line may be, this much of a piece is enough to look for its end.
            let (head, rest) = piece.split_at(piece.len().min(LONGEST_HEADER + 4));
            header.extend_from_slice(head);
            let Some(end) = header.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
                return if header.len() > LONGEST_HEADER { Err(why_no_line(header)) } else { Ok(()) };
            };
            let (columns, separator) = Columns::read(&header[..end], &mut self.report)?;
            first = header.split_off(end);
            self.state = State::Rows { rows: Box::new(Rows::new(separator)), columns };
            self.take(&first)?;
            piece = rest;
        }
        // No bytes at all would mean the end.
        if piece.is_empty() { Ok(()) } else { self.take(piece) }
    }

    /// The file is at its end.
    ///
    /// # Errors
    /// [`BadFile`]: nothing of the file is to be kept.
    pub fn finish(mut self) -> Result<(Vec<NewContact>, Report), BadFile> {
        if let State::Header(header) = &mut self.state {
            let header = std::mem::take(header);
            if header.iter().all(u8::is_ascii_whitespace) {
                return Err(BadFile::Empty);
            }
            Columns::read(&header, &mut self.report)?;
            return Ok((self.kept, self.report));
        }
        self.take(&[])?;
        self.report.kept = self.kept.len() as u64;
        Ok((self.kept, self.report))
    }

    /// Takes bytes behind the first line; none: the end.
    fn take(&mut self, bytes: &[u8]) -> Result<(), BadFile> {
        let Self { state: State::Rows { rows, columns }, .. } = self else { return Ok(()) };
        let mut whole = Vec::new();
        rows.feed(bytes, |row| whole.push(row));
        let columns = columns.clone();
        for row in whole {
            if self.kept.len() >= MOST_ROWS {
                return Err(BadFile::TooManyRows(row.line));
            }
            self.judge(&row, &columns);
        }
        Ok(())
    }

    fn judge(&mut self, row: &Row, columns: &Columns) {
        let (contact, doubts) = match self.read(row, columns) {
            Ok(read) => read,
            Err(mut refused) => {
                refused.why.push_str(&swallowed(row));
                return self.report.refuse(refused);
            }
        };
        match self.lines.entry(contact.number.clone()) {
            Entry::Occupied(first) => self.report.refuse(Refused {
                line: row.line,
                column: "phone".into(),
                why: format!("the same number as in line {}", first.get()),
            }),
            Entry::Vacant(new) => {
                new.insert(row.line);
                self.kept.push(contact);
                if let Some(doubt) = doubts.warning {
                    self.report.warn(doubt);
                }
                if let Some((zones, opens_at)) = doubts.abroad {
                    self.report.abroad(row.line, zones, opens_at);
                }
            }
        }
    }

    fn read(&mut self, row: &Row, columns: &Columns) -> Result<(NewContact, Doubts), Refused> {
        if row.fields > columns.count {
            return Err(Refused {
                line: row.line,
                column: (columns.count + 1).to_string(),
                why: format!(
                    "has {} fields, the first line has {}; a comma inside a field needs quotation marks around it",
                    row.fields, columns.count
                ),
            });
        }
        let text = |column: Column| -> Result<String, Refused> {
            let Some(place) = columns.place(column) else { return Ok(String::new()) };
            let refused = |why: String| Refused { line: row.line, column: column.name().to_owned(), why };
            match row.field(place) {
                None => Ok(String::new()),
                Some(Field::TooLong) if row.last == row.line => Err(refused(format!(
                    "longer than {} characters; is a quotation mark missing?",
                    column.longest()
                ))),
                Some(Field::TooLong) => Err(refused(format!("longer than {} characters", column.longest()))),
                Some(Field::Bytes(bytes)) => read_text(bytes, column).map_err(refused),
            }
        };
        let name = text(Column::Name)?;
        if name.is_empty() {
            return Err(Refused { line: row.line, column: "name".into(), why: "empty".into() });
        }
        let phone = text(Column::Phone)?;
        let refused = |why: String| Refused { line: row.line, column: "phone".into(), why };
        let read = number::read(&phone, &self.openings.country).map_err(|e| refused(e.to_string()))?;
        if self.trunk == TrunkKind::Simulated && !number::is_for_drama(&read.number) {
            return Err(refused(
                "this server's telephone network is simulated: only +44 7700 900000 to 900999 can be rung"
                    .into(),
            ));
        }
        let (place, opens_at) = self.opening(&read.number, read.abroad).map_err(refused)?;
        let abroad = read.abroad.then(|| (place::names(&place), opens_at));
        let contact = NewContact {
            line: row.line,
            number: read.number,
            name,
            form_of_address: text(Column::FormOfAddress)?,
            flag: Some(text(Column::Flag)?).filter(|t| !t.is_empty()),
            context: text(Column::Context)?,
            reference: Some(text(Column::Reference)?).filter(|t| !t.is_empty()),
        };
        let warning = if row.holds_lines_with(columns.count - 1) {
            Some(format!("fields of several lines{}", swallowed(row)))
        } else if read.drama {
            Some("a number set aside for drama: nobody real has it".to_owned())
        } else {
            read.cost.map(|cost| cost.to_string())
        };
        Ok((contact, Doubts { warning: warning.map(refused), abroad }))
    }

    /// Where a number may be, and when it may be rung next; or why it never may.
    fn opening(&mut self, number: &Number, abroad: bool) -> Result<(Place, i64), String> {
        if abroad && !self.openings.campaign.abroad {
            return Err(
                "a number abroad: this campaign rings nobody there. A campaign with abroad = true does"
                    .into(),
            );
        }
        let place = place::of(number, &self.openings.country);
        if place.zones.is_empty() {
            return Err(
                "a satellite's number, or another of no country: nobody knows what time it is there".into()
            );
        }
        match self.openings.at(&place) {
            Some(opens_at) => Ok((place, opens_at)),
            None => Err(format!(
                "it is never calling time at once in the campaign's time zone and where this number may be ({}). \
                 A campaign whose time_zone is there could ring it",
                place::names(&place)
            )),
        }
    }
}

fn read_text(bytes: &[u8], column: Column) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let good = String::from_utf8_lossy(&bytes[..e.valid_up_to()]).chars().count();
        format!("not UTF-8 at its character {}; save the file as \"CSV UTF-8\"", good + 1)
    })?;
    if text.contains('\0') {
        return Err("holds a zero byte; this is not a text file".into());
    }
    if text.chars().count() > column.longest() {
        return Err(format!("longer than {} characters", column.longest()));
    }
    if column == Column::Context {
        // A cell has one line in most spreadsheets, so a bar separates facts too.
        let facts = text.split(['\n', '\r', '|']).map(plain::name).filter(|fact| !fact.is_empty());
        return Ok(facts.collect::<Vec<_>>().join("\n"));
    }
    Ok(plain::name(text))
}

/// What to say of a row of several lines, which are often others' rows.
fn swallowed(row: &Row) -> String {
    if row.last == row.line {
        return String::new();
    }
    format!("; is a quotation mark missing? Lines {} to {} were read as one row", row.line, row.last)
}

fn why_no_line(header: &[u8]) -> BadFile {
    if header.starts_with(&[0xff, 0xfe]) || header.starts_with(&[0xfe, 0xff]) {
        return BadFile::Utf16;
    }
    BadFile::HeaderTooLong
}

#[cfg(test)]
mod tests;
