//! What came of an import, for the organiser.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// The most rows that are listed; all are counted.
const MOST_LISTED: usize = 5_000;

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
    /// Columns that mean nothing here.
    pub ignored_columns: Vec<String>,
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

    /// Puts the listed rows in the order of their lines.
    pub fn sort(&mut self) {
        self.rows.sort_by_key(|row| row.line);
        self.warnings.sort_by_key(|row| row.line);
    }
}
