//! Telephone numbers as people write them.

use protocol::number::Number;
use rlibphonenumber::{
    PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region, ValidationError,
};

/// A number that libphonenumber calls possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possible {
    /// In international form.
    pub number: Number,
    /// Also within a range that is in use; the numbers set aside for drama are not.
    pub valid: bool,
    /// Why a call may cost more than most.
    pub cost: Option<Cost>,
}

/// Why a call may cost more than most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cost {
    /// 09, 084 and 087 in Great Britain, +979.
    #[error("a premium-rate number: a call costs more, and may be very dear")]
    Premium,
    /// 0180 in Germany.
    #[error("a shared-cost number: a call may cost more than to others")]
    Shared,
    /// +881, +870, and the networks of no country, +882 and +883.
    #[error("a satellite's or another network's of no country: a call may be very dear")]
    Satellite,
    /// Of another country than the campaign's.
    #[error("not a number of the campaign's country: a call may cost more")]
    Abroad,
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
    Ok(Possible { number, valid: parsed.is_valid(), cost: cost(&parsed, region) })
}

/// Whether it is one of the mobile numbers that Ofcom set aside for drama, which nobody has: +44 7700 900000 to
/// 900999. The only ones that a simulated trunk may ring.
pub fn is_for_drama(number: &Number) -> bool {
    number.e164().strip_prefix("+447700900").is_some_and(|rest| rest.len() == 3)
}

fn cost(number: &PhoneNumber, home: Option<Region>) -> Option<Cost> {
    let kind = number.get_type();
    if kind == PhoneNumberType::PremiumRate {
        return Some(Cost::Premium);
    }
    if kind == PhoneNumberType::SharedCost {
        return Some(Cost::Shared);
    }
    if [870, 881, 882, 883].contains(&number.country_code) {
        return Some(Cost::Satellite);
    }
    // Several countries share a code; a number of no range in use belongs to the one with that code.
    let home = home?;
    let here = match number.get_region_code() {
        Some(region) => region == home,
        None => PHONE_NUMBER_UTIL.get_country_code_for_region(home) == Some(number.country_code),
    };
    (!here).then_some(Cost::Abroad)
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
    fn what_may_cost_more_is_known() {
        for (text, cost) in [
            ("09061234567", Some(Cost::Premium)),
            ("+979 1 2345 6789", Some(Cost::Premium)),
            ("0871 234 5678", Some(Cost::Premium)),
            ("+8816 1234 5678", Some(Cost::Satellite)),
            ("+33 1 42 68 53 00", Some(Cost::Abroad)),
            ("07797 712345", Some(Cost::Abroad)), // Jersey
            ("020 7219 3000", None),
            ("07700 900123", None),
            ("07400 123456", None),
            ("0800 1111", None),
            ("0330 123 4567", None),
        ] {
            assert_eq!(read(text, "GB-ENG").expect(text).cost, cost, "{text}");
        }
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
