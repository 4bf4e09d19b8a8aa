//! Telephone numbers, whole (server only) and masked (all a volunteer sees).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A telephone number in E.164 form, `+` and 7 to 15 digits (ITU-T E.164, section 6).
/// `Debug` shows the last three digits only, so that a log line cannot give a number away.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(String);

/// Why a text is not a number in E.164 form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not in international form: expected + and 7 to 15 digits, such as +442079460000")]
pub struct NotE164;

impl Number {
    /// Takes a number that is already in E.164 form.
    ///
    /// # Errors
    /// [`NotE164`] for anything else, spaces included.
    pub fn from_e164(text: &str) -> Result<Self, NotE164> {
        let digits = text.strip_prefix('+').ok_or(NotE164)?;
        let well_formed = (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if well_formed { Ok(Self(text.to_owned())) } else { Err(NotE164) }
    }

    /// The whole number, `+447700900123`. Not for logs, and not for a volunteer's replies.
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// What a volunteer may see: the start and the last three digits.
    pub fn masked(&self) -> MaskedNumber {
        let digits = &self.0[1..];
        let (head, last) = digits.split_at(digits.len() - 3);
        let shown = match head.strip_prefix("44") {
            Some(rest) => format!("+44 {}", &rest[..rest.len().min(4).min(rest.len().saturating_sub(2))]),
            None => format!("+{}", &head[..head.len().min(2)]),
        };
        MaskedNumber(format!("{} ••• {last}", shown.trim_end()))
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "•••{}", &self.0[self.0.len() - 3..])
    }
}

/// A number with its middle left out, `+44 7700 ••• 123`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(transparent)]
pub struct MaskedNumber(String);

impl MaskedNumber {
    /// The text to show.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_number_keeps_its_start_and_its_last_three_digits() {
        let number = Number::from_e164("+447700900123").expect("a drama number");
        assert_eq!(number.masked().as_str(), "+44 7700 ••• 123");
        assert_eq!(format!("{number:?}"), "•••123");
    }

    #[test]
    fn what_is_not_e164_is_refused() {
        for text in
            ["", "+", "07700900123", "+44 7700 900123", "+0123456789", "+12345678901234567", "+44770090012x"]
        {
            assert_eq!(Number::from_e164(text), Err(NotE164), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_mask_always_hides_at_least_two_digits(digits in "[1-9][0-9]{6,14}") {
            let number = Number::from_e164(&format!("+{digits}")).expect("well formed");
            let shown = number.masked().as_str().bytes().filter(u8::is_ascii_digit).count();
            proptest::prop_assert!(shown + 2 <= digits.len(), "{} shows {shown} of {}", number.masked().as_str(), digits.len());
        }
    }
}
