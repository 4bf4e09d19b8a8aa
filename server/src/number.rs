//! Telephone numbers as people write them.

use protocol::number::Number;
use rlibphonenumber::{PHONE_NUMBER_UTIL, ParseError, PhoneNumberFormat, Region, ValidationError};

/// A number that libphonenumber calls possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possible {
    /// In international form.
    pub number: Number,
    /// Also within a range that is in use; the numbers set aside for drama are not.
    pub valid: bool,
}

/// Why a text is not a telephone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// There is no text.
    #[error("empty")]
    Empty,
    /// Letters, dates, several numbers in one field, ...
    #[error("not a telephone number")]
    NotOne,
    /// An extension cannot be dialled from here.
    #[error("has an extension; only whole numbers can be rung")]
    Extension,
    /// The code behind the + is no country's.
    #[error("no country has this code")]
    Country,
    /// Digits are missing.
    #[error("too short for a telephone number")]
    TooShort,
    /// There are too many digits.
    #[error("too long for a telephone number")]
    TooLong,
}

const LONGEST: usize = 60;

/// Reads a number; `country` ("GB", "GB-SCT") says how one without + is meant.
///
/// # Errors
/// [`NotANumber`], in words for the organiser.
pub fn read(text: &str, country: &str) -> Result<Possible, NotANumber> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NotANumber::Empty);
    }
    if text.len() > LONGEST {
        return Err(NotANumber::TooLong);
    }
    let region: Option<Region> = country.get(..2).and_then(|code| code.parse().ok());
    let parsed = PHONE_NUMBER_UTIL.parse(text, region).map_err(|error| match error {
        ParseError::InvalidCountryCode => NotANumber::Country,
        ParseError::NotANumber(_) => NotANumber::NotOne,
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => NotANumber::TooShort,
        ParseError::TooLongNsn => NotANumber::TooLong,
    })?;
    if parsed.extension.as_ref().is_some_and(|extension| !extension.is_empty()) {
        return Err(NotANumber::Extension);
    }
    parsed.is_possible_with_reason().map_err(|error| match error {
        ValidationError::InvalidCountryCode => NotANumber::Country,
        ValidationError::TooShort | ValidationError::InvalidLength => NotANumber::TooShort,
        ValidationError::TooLong => NotANumber::TooLong,
    })?;
    let text = parsed.format_as(PhoneNumberFormat::E164);
    let number = Number::from_e164(&text).map_err(|_| NotANumber::NotOne)?;
    Ok(Possible { number, valid: parsed.is_valid() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_the_same_in_every_way_of_writing_it() {
        for text in
            ["07700 900123", "+44 7700 900123", "(07700) 900-123", "0044 7700 900123", " 07700900123 "]
        {
            let read = read(text, "GB-SCT").expect(text);
            assert_eq!(read.number.e164(), "+447700900123", "{text}");
            assert!(!read.valid, "a drama number is possible, not valid");
        }
        assert!(read("020 7946 0000", "GB").is_ok());
        assert!(read("020 8366 1177", "GB").expect("possible").valid);
    }

    #[test]
    fn what_cannot_be_rung_says_why() {
        for (text, why) in [
            ("", NotANumber::Empty),
            ("Margaret", NotANumber::NotOne),
            ("077", NotANumber::TooShort),
            ("07700 900123 900124 900125", NotANumber::TooLong),
            ("+999 7700 900123", NotANumber::Country),
            ("020 7946 0000 ext. 12", NotANumber::Extension),
        ] {
            assert_eq!(read(text, "GB"), Err(why), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9() .;extA-Z\\PC]{0,70}") {
            let _ = read(&text, "GB");
        }
    }
}
