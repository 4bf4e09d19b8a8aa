//! Words that others wrote - names, notes, lists, what a peer answers - made fit for where they go.
//!
//! | function | for | a line break | what nobody sees |
//! | --- | --- | --- | --- |
//! | [`shown`] | a line of a terminal, a table, a report or a log | � | � |
//! | [`shown_lines`] | text of several lines there | stays | � |
//! | [`name`] | a name as it comes in, to be kept | a space | is left out |
//! | [`text`] | a note or a script as it comes in, to be kept | stays | is left out |
//! | [`Lines`] | a log: what is written at once is one line | � | � |
//!
//! What nobody sees: control characters (the escape of ANSI sequences too), what turns the direction of writing,
//! zero-width characters, line and paragraph separators, tags and whatever else Unicode calls ignorable. Who reads
//! a list must see what is there, and nothing of it may speak to the terminal. Joiners spell words of Persian and
//! Hindi and whole families of emoji, so they are kept behind such a letter; a line that is shown has none.

use std::{
    borrow::Cow,
    io::{self, Write},
};

/// Whether nobody sees this character, or a terminal does something at it.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Not the last two, which only say whether a sign has colours.
            | '\u{fe00}'..='\u{fe0d}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Fit for one line of a terminal, a report or a log.
pub fn shown(text: &str) -> Cow<'_, str> {
    replaced(text, is_unseen)
}

/// Fit for a terminal, where the text may have several lines.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c != '\n' && is_unseen(c))
}

fn replaced(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.contains(&is_bad) { Cow::Owned(text.replace(is_bad, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// A name as it is kept: one line, single spaces, nothing that nobody sees.
pub fn name(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if is_break(c) || c.is_control() { ' ' } else { c }).collect();
    seen(&spaced).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text of several lines as it is kept: every kind of line break is `\n`, a tab is a space, and there is nothing
/// that nobody sees.
pub fn text(text: &str) -> String {
    let breaks = text.replace("\r\n", "\n");
    let broken: String = breaks.chars().map(|c| if is_break(c) { '\n' } else { c }).collect();
    seen(&broken.replace('\t', " "))
}

/// Every line break that Unicode has.
fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Without what nobody sees; line breaks stay.
fn seen(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        let joins = matches!(c, '\u{200c}' | '\u{200d}');
        let spells = joins
            && kept.ends_with(|before: char| {
                !before.is_ascii() && !before.is_whitespace() && !is_unseen(before)
            });
        if c == '\n' || spells || !is_unseen(c) {
            kept.push(c);
        }
    }
    kept
}

/// A log whose lines hold what others wrote: what is written at once is one line.
#[derive(Debug)]
pub struct Lines<W>(W);

impl<W: Write> Lines<W> {
    /// Writes to this.
    pub fn new(to: W) -> Self {
        Self(to)
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        let (words, end) = line.strip_suffix('\n').map_or((line.as_ref(), ""), |words| (words, "\n"));
        self.0.write_all([shown(words).as_ref(), end].concat().as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Colours, a bell, a C1 escape, a line and its overwriting, both directions, tags, joiners, fillers.
    const NASTY: &str = "a\u{1b}[31mb\u{7}\u{9b}2Jc\r\nd\u{202e}e\u{2066}\u{200b}\u{feff}\u{2028}f\u{e0041}\u{200d}\u{85}\u{3164}\u{7f}g";

    #[test]
    fn what_is_shown_says_nothing_to_the_terminal() {
        let line = shown(NASTY);
        assert_eq!(
            line.as_ref(),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}2Jc\u{fffd}\u{fffd}d\u{fffd}e\u{fffd}\u{fffd}\u{fffd}\u{fffd}f\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}g"
        );
        assert_eq!(shown_lines("one\ntwo\u{1b}"), "one\ntwo\u{fffd}");
        assert!(matches!(shown("Siân O’Brien-Łukasz ❤️"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_name_is_one_line_of_what_is_seen() {
        assert_eq!(name(" Maya’s\r\nlaptop\t\u{200b}\u{202e} "), "Maya’s laptop");
        assert_eq!(name("\u{200b}\u{2028}\u{e0041}"), "");
        assert_eq!(name("می\u{200c}خواهم"), "می\u{200c}خواهم", "a joiner spells");
        assert_eq!(name("Ad\u{200c}min"), "Admin", "and hides in ASCII");
    }

    #[test]
    fn a_note_keeps_its_lines() {
        assert_eq!(text("one\r\ntwo\rthree\u{2028}four\tfive\u{1b}[0m"), "one\ntwo\nthree\nfour five[0m");
        assert_eq!(text("👩\u{200d}👧"), "👩\u{200d}👧");
    }

    #[test]
    fn a_log_has_a_line_for_each_that_was_written() {
        let mut log = Lines::new(Vec::new());
        log.write_all(b"INFO not taken: 486 Busy\r\nERROR forged\x1b[2K\n").expect("written");
        log.write_all(b"INFO \xff\n").expect("written");
        let written = String::from_utf8(log.0).expect("text");
        assert_eq!(
            written,
            "INFO not taken: 486 Busy\u{fffd}\u{fffd}ERROR forged\u{fffd}[2K\nINFO \u{fffd}\n"
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_in_goes_out_seen(words in proptest::collection::vec(proptest::char::any(), 0..60)) {
            let words: String = words.into_iter().collect();
            proptest::prop_assert!(!shown(&words).contains(is_unseen));
            proptest::prop_assert!(!shown_lines(&words).contains(|c| c != '\n' && is_unseen(c)));
            let joins = |c| matches!(c, '\u{200c}' | '\u{200d}');
            proptest::prop_assert!(!name(&words).contains(|c| is_unseen(c) && !joins(c)));
            proptest::prop_assert!(!text(&words).contains(|c| c != '\n' && is_unseen(c) && !joins(c)));
            proptest::prop_assert_eq!(name(&name(&words)), name(&words));
        }
    }
}
