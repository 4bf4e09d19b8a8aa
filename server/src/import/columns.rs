//! The first line: which column is where, and what separates them.

use super::{
    BadFile, LONGEST_HEADER, Report,
    rows::{Field, Rows, Separator},
};

/// A column that means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Name,
    Phone,
    FormOfAddress,
    Flag,
    Context,
    Reference,
}

impl Column {
    const ALL: [Column; 6] = [
        Column::Name,
        Column::Phone,
        Column::FormOfAddress,
        Column::Flag,
        Column::Context,
        Column::Reference,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Column::Name => "name",
            Column::Phone => "phone",
            Column::FormOfAddress => "form_of_address",
            Column::Flag => "flag",
            Column::Context => "context",
            Column::Reference => "reference",
        }
    }

    /// The longest text of a field, characters.
    pub const fn longest(self) -> usize {
        match self {
            Column::Phone => 60,
            Column::Context => 2_000,
            Column::Name | Column::FormOfAddress | Column::Flag | Column::Reference => 200,
        }
    }
}

/// Which column is where.
#[derive(Debug, Clone)]
pub struct Columns {
    places: [Option<usize>; 6],
    /// How many fields the first line has.
    pub count: usize,
}

impl Columns {
    /// Reads the first line, without its end.
    pub fn read(line: &[u8], report: &mut Report) -> Result<(Self, Separator), BadFile> {
        if line.starts_with(&[0xff, 0xfe]) || line.starts_with(&[0xfe, 0xff]) {
            return Err(BadFile::Utf16);
        }
        if line.len() > LONGEST_HEADER {
            return Err(BadFile::HeaderTooLong);
        }
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|e| {
            BadFile::NotUtf8(String::from_utf8_lossy(&line[..e.valid_up_to()]).chars().count() + 1)
        })?;
        let count = |separator: char| text.chars().filter(|c| *c == separator).count();
        let all = [(',', Separator::Comma), (';', Separator::Semicolon), ('\t', Separator::Tab)];
        // Of several as frequent, the first: `max_by_key` takes the last.
        let most = all.into_iter().rev().max_by_key(|(mark, _)| count(*mark));
        let separator = most.map_or(Separator::Comma, |(_, separator)| separator);

        let mut names: Vec<String> = Vec::new();
        let mut rows = Rows::new(separator);
        let mut take = |row: super::Row| {
            for place in 0..row.fields {
                names.push(match row.field(place) {
                    Some(Field::Bytes(bytes)) => String::from_utf8_lossy(bytes).trim().to_lowercase(),
                    Some(Field::TooLong) | None => String::new(),
                });
            }
        };
        rows.feed(line, &mut take);
        rows.feed(&[], &mut take);

        let mut places = [None; 6];
        for (column, slot) in Column::ALL.into_iter().zip(&mut places) {
            let mut found = names.iter().enumerate().filter(|(_, name)| *name == column.name());
            *slot = found.next().map(|(place, _)| place);
            if found.next().is_some() {
                return Err(BadFile::ColumnTwice(column.name()));
            }
        }
        report.ignored_columns = names
            .iter()
            .filter(|name| !name.is_empty() && Column::ALL.iter().all(|column| column.name() != *name))
            .map(|name| name.chars().take(40).collect())
            .collect();
        let columns = Self { places, count: names.len() };
        for column in [Column::Name, Column::Phone] {
            if columns.place(column).is_none() {
                let found =
                    names.iter().take(8).map(|n| format!("\"{}\"", n.chars().take(40).collect::<String>()));
                return Err(BadFile::MissingColumn {
                    missing: column.name(),
                    found: found.collect::<Vec<_>>().join(", "),
                });
            }
        }
        Ok((columns, separator))
    }

    /// Where a column is, from 0.
    pub fn place(&self, column: Column) -> Option<usize> {
        Column::ALL.iter().position(|c| *c == column).and_then(|index| self.places[index])
    }
}
