//! How a provider wants numbers written.

use protocol::number::Number;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};
use serde::{Deserialize, Serialize};

/// How a provider wants numbers written. Providers differ, and answer 404 or 484 to the wrong form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum NumberForm {
    /// +447700900123
    #[value(name = "e164")]
    #[serde(rename = "e164")]
    E164,
    /// 447700900123
    #[value(name = "e164-no-plus")]
    #[serde(rename = "e164-no-plus")]
    E164NoPlus,
    /// 07700900123, and one abroad with the country's international prefix: 0012125550123
    National,
}

impl NumberForm {
    /// Every form.
    pub const ALL: [NumberForm; 3] = [NumberForm::E164, NumberForm::E164NoPlus, NumberForm::National];

    /// The word of the command line and the database.
    pub const fn word(self) -> &'static str {
        match self {
            NumberForm::E164 => "e164",
            NumberForm::E164NoPlus => "e164-no-plus",
            NumberForm::National => "national",
        }
    }

    /// Reads [`NumberForm::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.word() == word)
    }

    /// Writes a number; `home` is the provider's country.
    pub fn write(self, number: &Number, home: Region) -> String {
        let e164 = number.e164();
        match self {
            NumberForm::E164 => e164.to_owned(),
            NumberForm::E164NoPlus => e164.trim_start_matches('+').to_owned(),
            NumberForm::National => national(e164, home).unwrap_or_else(|| e164.to_owned()),
        }
    }
}

/// As a telephone in that country dials it; `None`: nobody knows how.
fn national(e164: &str, home: Region) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
    if PHONE_NUMBER_UTIL.get_country_code_for_region(home) == Some(number.country_code) {
        return Some(trunk_prefix(home)? + &number.get_national_significant_number());
    }
    let dialled = number.format_out_of_country_calling_number(home);
    // A country with several international prefixes has none that is right everywhere.
    let has_prefix = !dialled.starts_with('+');
    has_prefix.then(|| digits(&dialled))
}

/// What stands before a number at home, the 0 of 020: taken from a number that the country has, as libphonenumber
/// leaves it out of those in no range that it knows.
fn trunk_prefix(home: Region) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.get_example_number(home).ok()?;
    let dialled = digits(&number.format_as(PhoneNumberFormat::National));
    dialled.strip_suffix(&number.get_national_significant_number()).map(str::to_owned)
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The country of "GB" or "GB-SCT".
pub fn country(text: &str) -> Option<Region> {
    let country = text.split('-').next().unwrap_or_default();
    let region: Region = (country.len() == 2).then(|| country.parse().ok()).flatten()?;
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| region)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn written(form: NumberForm, number: &str, home: &str) -> String {
        form.write(&Number::from_e164(number).unwrap(), country(home).unwrap())
    }

    #[test]
    fn each_form_is_as_the_provider_wants_it() {
        let number = "+447700900123";
        assert_eq!(written(NumberForm::E164, number, "GB"), "+447700900123");
        assert_eq!(written(NumberForm::E164NoPlus, number, "GB"), "447700900123");
        assert_eq!(written(NumberForm::National, number, "GB"), "07700900123");
        assert_eq!(written(NumberForm::National, "+442079460000", "GB-SCT"), "02079460000");
        for form in NumberForm::ALL {
            assert_eq!(NumberForm::from_word(form.word()), Some(form));
        }
    }

    #[test]
    fn a_number_abroad_is_dialled_as_from_the_providers_country() {
        for (number, home, dialled) in [
            ("+12125550123", "GB", "0012125550123"),
            ("+61255500123", "GB", "0061255500123"),
            ("+447700900123", "US", "011447700900123"),
            ("+12125550123", "US", "2125550123"),
            // Rome keeps its 0 at home, and has no other prefix.
            ("+390612345678", "IT", "0612345678"),
            // Jersey has the same code as Great Britain.
            ("+447797712345", "GB", "07797712345"),
        ] {
            assert_eq!(written(NumberForm::National, number, home), dialled, "{number} from {home}");
        }
    }

    #[test]
    fn a_country_is_two_letters_that_exist() {
        for text in ["", "G", "44", "XX", "GBR", "gb "] {
            assert!(country(text).is_none(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_can_be_dialled(digits in "[1-9][0-9]{6,14}", home in "(GB|US|AU|BR|IT|RU)") {
            for form in NumberForm::ALL {
                let written = written(form, &format!("+{digits}"), &home);
                let plain = written.trim_start_matches('+');
                // Seven digits, three of which may be a country's.
                proptest::prop_assert!(plain.len() >= 4 && plain.bytes().all(|b| b.is_ascii_digit()), "{}", written);
            }
        }
    }
}
