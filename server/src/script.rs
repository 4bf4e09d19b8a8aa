//! A script as the organiser writes it: plain text, a blank line between parts, `>` before what is
//! never read out, and names in braces that are filled in for each callee.
//!
//! ```text
//! Hello, is that {form_of_address}? I'm {volunteer}, a volunteer with {organisation}.
//!
//! > Wait for an answer. Speak slowly.
//! ```

use protocol::campaign::{Run, ScriptPart};

/// The longest script, characters.
pub const LONGEST: usize = 20_000;

/// What a script is filled in with.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// `{name}`, "Margaret Hollis".
    pub name: &'a str,
    /// `{form_of_address}`, "Mrs Hollis"; the name where the list has none.
    pub form_of_address: &'a str,
    /// `{volunteer}`, "Maya".
    pub volunteer: &'a str,
    /// `{organisation}`, "Lantern Street Trust".
    pub organisation: &'a str,
}

/// The placeholders there are.
pub const PLACEHOLDERS: [&str; 4] = ["name", "form_of_address", "volunteer", "organisation"];

impl<'a> Fields<'a> {
    fn get(&self, placeholder: &str) -> Option<&'a str> {
        match placeholder {
            "name" => Some(self.name),
            "form_of_address" if self.form_of_address.is_empty() => Some(self.name),
            "form_of_address" => Some(self.form_of_address),
            "volunteer" => Some(self.volunteer),
            "organisation" => Some(self.organisation),
            _ => None,
        }
    }
}

/// The script's parts for one callee. What is in braces and not a placeholder stays as it is.
pub fn fill(script: &str, fields: &Fields<'_>) -> Vec<ScriptPart> {
    paragraphs(script)
        .map(|paragraph| match paragraph {
            Paragraph::Say(text) => ScriptPart::Say { runs: runs(&text, fields) },
            Paragraph::Cue(text) => ScriptPart::Cue { runs: runs(&text, fields) },
        })
        .collect()
}

/// The first name in braces that is not a placeholder: most likely a slip of the organiser's.
pub fn unknown_placeholder(script: &str) -> Option<&str> {
    let mut rest = script;
    while let Some((_, placeholder, after)) = split_at_braces(rest) {
        if !PLACEHOLDERS.contains(&placeholder) {
            return Some(placeholder);
        }
        rest = after;
    }
    None
}

enum Paragraph {
    Say(String),
    Cue(String),
}

fn paragraphs(script: &str) -> impl Iterator<Item = Paragraph> {
    let mut parts: Vec<Paragraph> = Vec::new();
    let mut begun = false;
    for line in script.lines().map(str::trim) {
        if line.is_empty() {
            begun = false;
            continue;
        }
        match (line.strip_prefix('>'), parts.last_mut()) {
            (Some(cue), Some(Paragraph::Cue(text))) if begun => push_line(text, cue),
            (None, Some(Paragraph::Say(text))) if begun => push_line(text, line),
            (Some(cue), _) => parts.push(Paragraph::Cue(cue.trim().to_owned())),
            (None, _) => parts.push(Paragraph::Say(line.to_owned())),
        }
        begun = true;
    }
    parts.into_iter()
}

fn push_line(text: &mut String, line: &str) {
    text.push(' ');
    text.push_str(line.trim());
}

fn runs(text: &str, fields: &Fields<'_>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, placeholder, after)) = split_at_braces(rest) {
        plain.push_str(before);
        match fields.get(placeholder) {
            Some(filling) => {
                if !plain.is_empty() {
                    runs.push(Run { text: std::mem::take(&mut plain), filled: false });
                }
                runs.push(Run { text: filling.to_owned(), filled: true });
            }
            None => {
                plain.push('{');
                plain.push_str(placeholder);
                plain.push('}');
            }
        }
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        runs.push(Run { text: plain, filled: false });
    }
    runs
}

/// Text before the first pair of braces, what is in them, text behind them.
fn split_at_braces(text: &str) -> Option<(&str, &str, &str)> {
    let close = text.find('}')?;
    let open = text[..close].rfind('{');
    match open {
        Some(open) => Some((&text[..open], &text[open + 1..close], &text[close + 1..])),
        None => {
            // A closing brace alone is text; look behind it.
            let (before, inside, after) = split_at_braces(&text[close + 1..])?;
            let start = close + 1;
            Some((&text[..start + before.len()], inside, after))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields<'_> = Fields {
        name: "Margaret Hollis",
        form_of_address: "Mrs Hollis",
        volunteer: "Maya",
        organisation: "Lantern Street Trust",
    };

    fn plain(text: &str) -> Run {
        Run { text: text.into(), filled: false }
    }

    fn filled(text: &str) -> Run {
        Run { text: text.into(), filled: true }
    }

    #[test]
    fn parts_are_split_at_blank_lines_and_cues_at_their_mark() {
        let script = "Hello, is that {form_of_address}?\nI'm {volunteer}.\n> Speak slowly.\n\nGood bye.\n";
        assert_eq!(
            fill(script, &FIELDS),
            [
                ScriptPart::Say {
                    runs: vec![
                        plain("Hello, is that "),
                        filled("Mrs Hollis"),
                        plain("? I'm "),
                        filled("Maya"),
                        plain(".")
                    ]
                },
                ScriptPart::Cue { runs: vec![plain("Speak slowly.")] },
                ScriptPart::Say { runs: vec![plain("Good bye.")] },
            ]
        );
    }

    #[test]
    fn without_a_form_of_address_the_name_is_used() {
        let fields = Fields { form_of_address: "", ..FIELDS };
        assert_eq!(
            fill("{form_of_address}", &fields),
            [ScriptPart::Say { runs: vec![filled("Margaret Hollis")] }]
        );
    }

    #[test]
    fn braces_that_mean_nothing_stay_as_they_are() {
        assert_eq!(fill("a } {nam} b", &FIELDS), [ScriptPart::Say { runs: vec![plain("a } {nam} b")] }]);
        assert_eq!(unknown_placeholder("Hello {name}, {nam}"), Some("nam"));
        assert_eq!(unknown_placeholder("Hello {name}"), None);
    }

    proptest::proptest! {
        #[test]
        fn filling_never_panics_and_loses_nothing_but_placeholders(script in "[a-z{}> \\n]{0,200}") {
            let letters = |text: &str| text.chars().filter(|c| c.is_ascii_lowercase()).count();
            let nobody = Fields { name: "", form_of_address: "", volunteer: "", organisation: "" };
            let shown: usize = fill(&script, &nobody)
                .iter()
                .map(|part| match part {
                    ScriptPart::Say { runs } | ScriptPart::Cue { runs } => {
                        runs.iter().map(|run| letters(&run.text)).sum::<usize>()
                    }
                })
                .sum();
            let known = PLACEHOLDERS.iter().any(|placeholder| script.contains(placeholder));
            proptest::prop_assert!(known || shown == letters(&script));
        }
    }
}
