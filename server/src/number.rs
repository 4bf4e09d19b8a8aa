//! Telephone numbers as people write them.
//!
//! Nothing is guessed: a number is taken when a text holds its digits and no others, and when it is in a range that
//! is in use, or set aside for drama. Everything else could be a stranger's.

mod written;

use protocol::number::Number;
use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region,
    ValidationError,
};

use written::Written;

/// A number that can be rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// In international form.
    pub number: Number,
    /// Why a call may cost more than most.
    pub cost: Option<Cost>,
    /// Of another country.
    pub abroad: bool,
    /// Set aside for drama: nobody has it.
    pub drama: bool,
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
    /// Jersey, Guernsey and the Isle of Man, which have +44 too.
    #[error("not a number of the campaign's country: a call may cost more")]
    Islands,
}

/// Why a text is not a telephone number that can be rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// There is no text.
    #[error("empty")]
    Empty,
    /// `07700 900TBA`, `mob 07700 900123`; no letter becomes a digit.
    #[error("not a telephone number: there are letters in it. Write digits only, like 07700 900123")]
    Letters,
    /// `01/02/2026`
    #[error("not a telephone number: a date. Is it in the wrong column?")]
    Date,
    /// `4.477009E+11`, `7700900123.0`
    #[error(
        "not a telephone number any more: a spreadsheet took it for an amount, and digits may be lost. Make the \
         column text, put the numbers in again, and save the file anew"
    )]
    Calculated,
    /// `07700 900123 / 020 7946 0123`
    #[error("not one telephone number. Several? Keep one of them here")]
    Several,
    /// Any other text.
    #[error("not a telephone number. Write digits only, like 07700 900123")]
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
    /// As long as a number, and nobody's, as far as is known.
    #[error("in no range of numbers that is in use: a digit is wrong or missing")]
    NotInUse,
}

/// Reads a number; `country` ("GB", "GB-SCT") says how one without + is meant.
///
/// # Errors
/// [`NotANumber`], in words for the organiser.
pub fn read(text: &str, country: &str) -> Result<Read, NotANumber> {
    let written = Written::read(text)?;
    let home = region_of(country);
    let parsed = PHONE_NUMBER_UTIL.parse(written.to_string(), home).map_err(|error| match error {
        ParseError::InvalidCountryCode => NotANumber::Country,
        ParseError::NotANumber(_) => NotANumber::NotOne,
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => NotANumber::TooShort,
        ParseError::TooLongNsn => NotANumber::TooLong,
    })?;
    match parsed.is_possible_with_reason() {
        Ok(NumberLengthType::IsPossible) => {}
        // Without its area code.
        Ok(NumberLengthType::IsPossibleLocalOnly)
        | Err(ValidationError::TooShort | ValidationError::InvalidLength) => {
            return Err(NotANumber::TooShort);
        }
        Err(ValidationError::TooLong) => return Err(NotANumber::TooLong),
        Err(ValidationError::InvalidCountryCode) => return Err(NotANumber::Country),
    }
    let number =
        Number::from_e164(&parsed.format_as(PhoneNumberFormat::E164)).map_err(|_| NotANumber::NotOne)?;
    let drama = is_for_drama(&number) || is_for_drama_elsewhere(&number);
    if !parsed.is_valid() && !drama {
        return Err(NotANumber::NotInUse);
    }
    if !has_its_digits(&parsed, &number, &written.digits) {
        return Err(NotANumber::NotOne);
    }
    let region = parsed.get_region_code();
    Ok(Read {
        cost: cost(&parsed, region, home),
        abroad: is_of_another_country(&parsed, region, home),
        drama,
        number,
    })
}

/// Whether it is one of the mobile numbers that Ofcom set aside for drama, which nobody has: +44 7700 900000 to
/// 900999. The only ones that a simulated trunk may ring.
pub fn is_for_drama(number: &Number) -> bool {
    number.e164().strip_prefix("+447700900").is_some_and(|rest| rest.len() == 3)
}

/// Those set aside for drama that are in no range in use, besides the mobile ones: 01632 960000 to 960999.
fn is_for_drama_elsewhere(number: &Number) -> bool {
    number.e164().strip_prefix("+441632960").is_some_and(|rest| rest.len() == 3)
}

/// Where a number that was read once is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Of another country than this one.
    pub abroad: bool,
    /// What is behind the + and before the rest: 44, 1.
    pub calling_code: i32,
    /// Its first digits say where it is; else only its country does.
    pub by_area: bool,
}

/// Where a number is; `None`: in no range that is in use, so nobody knows whose it is.
pub(crate) fn find(number: &Number, country: &str) -> Option<Found> {
    let parsed = PHONE_NUMBER_UTIL.parse(number.e164(), None::<Region>).ok()?;
    let known = parsed.is_valid() || is_for_drama(number) || is_for_drama_elsewhere(number);
    known.then(|| Found {
        abroad: is_of_another_country(&parsed, parsed.get_region_code(), region_of(country)),
        calling_code: parsed.country_code,
        by_area: parsed.is_geographical(),
    })
}

fn region_of(country: &str) -> Option<Region> {
    country.get(..2).and_then(|code| code.parse().ok())
}

/// A number is what was written: the digits of its international form, of which the text may leave out the country's
/// code, and to which it may add what is dialled before it, at home a 0 or from abroad 00 or 011. The library rewrites
/// some more, which would be a guess.
fn has_its_digits(parsed: &PhoneNumber, number: &Number, written: &str) -> bool {
    let code = parsed.country_code.to_string();
    let Some(national) = number.e164().get(1 + code.len()..) else { return false };
    let Some(before) = written.strip_suffix(national) else { return false };
    let before = before.strip_suffix('0').unwrap_or(before);
    let before = before.strip_suffix(code.as_str()).unwrap_or(before);
    matches!(before, "" | "00" | "011")
}

fn cost(number: &PhoneNumber, region: Option<Region>, home: Option<Region>) -> Option<Cost> {
    let kind = number.get_type();
    if kind == PhoneNumberType::PremiumRate {
        Some(Cost::Premium)
    } else if kind == PhoneNumberType::SharedCost {
        Some(Cost::Shared)
    } else {
        is_of_the_islands(region, home).then_some(Cost::Islands)
    }
}

/// Several countries share a code, +1 most of all. A number of no range in use belongs to the one with its code.
fn is_of_another_country(number: &PhoneNumber, region: Option<Region>, home: Option<Region>) -> bool {
    let Some(home) = home else { return true };
    match region {
        Some(_) => region != Some(home) && !is_of_the_islands(region, Some(home)),
        None => PHONE_NUMBER_UTIL.get_country_code_for_region(home) != Some(number.country_code),
    }
}

/// They are dialled from Great Britain as at home, and have its time.
fn is_of_the_islands(region: Option<Region>, home: Option<Region>) -> bool {
    home == Some(Region::GB) && matches!(region, Some(Region::JE | Region::GG | Region::IM))
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
