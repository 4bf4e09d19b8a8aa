//! Bytes to rows: csv-core reads the format, this bounds what a row may hold and counts lines.

/// What stands between two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    Comma,
    Semicolon,
    Tab,
}

/// A field as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Bytes(Vec<u8>),
    /// More bytes than any column may have; they are gone.
    TooLong,
}

/// A row as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line where it begins, from 1.
    pub line: u64,
    /// Line where it ends.
    pub last: u64,
    /// How many fields it has.
    pub fields: usize,
    kept: Vec<Field>,
    separator: u8,
}

impl Row {
    /// Whether a line within a field looks like a row: it has as many separators.
    pub fn holds_lines_with(&self, separators: usize) -> bool {
        self.last > self.line
            && self.kept.iter().any(|field| match field {
                Field::Bytes(bytes) => bytes
                    .split(|byte| matches!(byte, b'\n' | b'\r'))
                    .skip(1)
                    .any(|line| line.iter().filter(|byte| **byte == self.separator).count() >= separators),
                Field::TooLong => false,
            })
    }

    pub fn field(&self, place: usize) -> Option<&Field> {
        self.kept.get(place)
    }
}

/// The longest field that is kept, bytes: 2,000 characters of four bytes.
const LONGEST_FIELD: usize = 8_000;
/// How many fields of a row are kept; the others are counted.
const MOST_FIELDS: usize = 64;

/// The reader of rows.
pub struct Rows {
    reader: csv_core::Reader,
    separator: u8,
    /// Lines ended so far.
    line: u64,
    before: u8,
    row: Option<Row>,
    field: Vec<u8>,
    too_long: bool,
    out: Box<[u8; 4_096]>,
}

impl Rows {
    pub fn new(separator: Separator) -> Self {
        let byte = match separator {
            Separator::Comma => b',',
            Separator::Semicolon => b';',
            Separator::Tab => b'\t',
        };
        Self {
            reader: csv_core::ReaderBuilder::new().delimiter(byte).build(),
            separator: byte,
            line: 1,
            before: 0,
            row: None,
            field: Vec::new(),
            too_long: false,
            out: Box::new([0; 4_096]),
        }
    }

    /// Takes the next bytes, none at the end, and gives the rows that ended in them.
    pub fn feed(&mut self, mut bytes: &[u8], mut whole: impl FnMut(Row)) {
        let at_end = bytes.is_empty();
        loop {
            // Blank lines belong to no row, and the reader would hide them from the count.
            while self.row.is_none() {
                match bytes.split_first() {
                    Some((byte @ (b'\n' | b'\r'), rest)) => {
                        self.count(*byte);
                        bytes = rest;
                    }
                    Some(_) => {
                        self.row = Some(Row {
                            line: self.line,
                            last: self.line,
                            fields: 0,
                            kept: Vec::new(),
                            separator: self.separator,
                        });
                    }
                    None => break,
                }
            }
            if (bytes.is_empty() && !at_end) || self.row.is_none() {
                return;
            }
            let (result, read, written) = self.reader.read_field(bytes, self.out.as_mut_slice());
            bytes[..read].iter().for_each(|byte| self.count(*byte));
            bytes = &bytes[read..];
            self.keep(written);
            match result {
                csv_core::ReadFieldResult::InputEmpty if at_end => {}
                csv_core::ReadFieldResult::InputEmpty => return,
                csv_core::ReadFieldResult::OutputFull => {}
                csv_core::ReadFieldResult::Field { record_end } => {
                    self.end_field();
                    if record_end && let Some(mut row) = self.row.take() {
                        // The end of the last line is counted already, unless the file ended before it.
                        row.last = self.line - u64::from(matches!(self.before, b'\n' | b'\r'));
                        whole(row);
                    }
                }
                csv_core::ReadFieldResult::End => return,
            }
        }
    }

    fn count(&mut self, byte: u8) {
        if byte == b'\r' || (byte == b'\n' && self.before != b'\r') {
            self.line += 1;
        }
        self.before = byte;
    }

    fn keep(&mut self, written: usize) {
        if self.too_long || self.field.len() + written > LONGEST_FIELD {
            self.too_long = true;
            self.field = Vec::new();
        } else {
            self.field.extend_from_slice(&self.out[..written]);
        }
    }

    fn end_field(&mut self) {
        let bytes = std::mem::take(&mut self.field);
        let field = if std::mem::take(&mut self.too_long) { Field::TooLong } else { Field::Bytes(bytes) };
        if let Some(row) = &mut self.row {
            row.fields += 1;
            if row.kept.len() < MOST_FIELDS {
                row.kept.push(field);
            }
        }
    }
}
