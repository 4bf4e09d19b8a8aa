//! What came of an import, for the organiser.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// The most rows that are listed; all are counted.
const MOST_LISTED: usize = 5_000;
/// How many lines are named of rows that have the same time zones abroad.
const LINES_NAMED: usize = 5;

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The file's name.
    pub source: String,
    /// Rows that are on the list now.
    pub kept: u64,
    /// Rows that are not.
    pub refused: u64,
    /// Why, for the first 5,000 of them, in the order of their lines.
    pub rows: Vec<Refused>,
    /// Rows that were kept and may be wrong.
    pub warned: u64,
    /// Why, for the first 5,000 of them.
    pub warnings: Vec<Refused>,
    /// Rows that were kept with numbers abroad, by the time zones that bind them.
    pub abroad: Vec<Abroad>,
    /// Columns that mean nothing here.
    pub ignored_columns: Vec<String>,
}

/// Rows with numbers abroad that may be in the same time zones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abroad {
    /// "America/New_York"; of many, the first.
    pub zones: String,
    /// When it is calling time in all of them and in the campaign's zone next, UTC epoch milliseconds.
    pub opens_at: i64,
    /// How many rows.
    pub rows: u64,
    /// The lines of the first of them.
    pub lines: Vec<u64>,
}

/// A row that was refused, or kept with a doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Line of the file where the row begins, from 1.
    pub line: u64,
    /// Name of the column; its number where it has no name.
    pub column: String,
    /// What is wrong; never the number itself.
    pub why: String,
}

impl Report {
    /// Nothing has come of it yet.
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            kept: 0,
            refused: 0,
            rows: Vec::new(),
            warned: 0,
            warnings: Vec::new(),
            abroad: Vec::new(),
            ignored_columns: Vec::new(),
        }
    }

    /// Counts a refused row, and lists it.
    pub fn refuse(&mut self, row: Refused) {
        self.refused += 1;
        if self.rows.len() < MOST_LISTED {
            self.rows.push(row);
        }
    }

    /// Turns rows that seemed good into refused ones; doubts about them matter no more.
    pub fn take_back(&mut self, rows: Vec<Refused>) {
        let lines: HashSet<u64> = rows.iter().map(|row| row.line).collect();
        let listed = self.warnings.len();
        self.warnings.retain(|warning| !lines.contains(&warning.line));
        self.warned -= (listed - self.warnings.len()) as u64;
        for group in &mut self.abroad {
            group.lines.retain(|line| !lines.contains(line));
        }
        self.kept -= lines.len() as u64;
        rows.into_iter().for_each(|row| self.refuse(row));
    }

    /// Counts a doubt, and lists it.
    pub fn warn(&mut self, row: Refused) {
        self.warned += 1;
        if self.warnings.len() < MOST_LISTED {
            self.warnings.push(row);
        }
    }

    /// Notes a row that was kept with a number abroad.
    pub fn abroad(&mut self, line: u64, zones: String, opens_at: i64) {
        match self.abroad.iter_mut().find(|group| group.zones == zones) {
            Some(group) => group.lines.push(line),
            None => self.abroad.push(Abroad { zones, opens_at, rows: 0, lines: vec![line] }),
        }
    }

    /// Nothing more comes: puts the listed rows in the order of their lines, and counts the rows abroad.
    pub fn close(&mut self) {
        self.rows.sort_by_key(|row| row.line);
        self.warnings.sort_by_key(|row| row.line);
        self.abroad.retain(|group| !group.lines.is_empty());
        self.abroad.sort_by_key(|group| std::cmp::Reverse(group.lines.len()));
        for group in &mut self.abroad {
            group.rows = group.lines.len() as u64;
            group.lines.truncate(LINES_NAMED);
        }
    }
}
