//! What an organiser says of a trunk: the forms of numbers its provider wants, and what it allows.

use std::{num::NonZeroU32, str::FromStr};

use dialler::TrunkLimits;
use protocol::number::Number;
use rlibphonenumber::Region;
use serde::{Deserialize, Serialize};

use crate::{
    campaign_form::BadForm,
    number_form::{self, NumberForm},
};

/// A trunk as it is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkForm {
    /// How the callee's number is written, behind the prefix.
    pub number_form: NumberForm,
    /// What comes before it: "9#00".
    pub prefix: String,
    /// How the caller ID is written.
    pub caller_id_form: NumberForm,
    /// The provider's country, whose national form it takes: "GB".
    pub country: String,
    /// Calls at once; `None`: no limit.
    pub channels: Option<NonZeroU32>,
    /// New calls in any second; `None`: no limit.
    pub calls_per_second: Option<NonZeroU32>,
}

impl Default for TrunkForm {
    /// As numbers are written everywhere, without a limit.
    fn default() -> Self {
        Self {
            number_form: NumberForm::E164,
            prefix: String::new(),
            caller_id_form: NumberForm::E164,
            country: "GB".into(),
            channels: None,
            calls_per_second: None,
        }
    }
}

/// What is to be different; the rest stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the fields of the form")]
pub struct TrunkChange {
    pub number_form: Option<NumberForm>,
    pub prefix: Option<String>,
    pub caller_id_form: Option<NumberForm>,
    pub country: Option<String>,
    pub channels: Option<Limit>,
    pub calls_per_second: Option<Limit>,
}

/// A limit as it is written: a number, or "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// There is none.
    None,
    /// At most so many.
    AtMost(NonZeroU32),
}

/// No provider sells more to one customer; a slip of the finger does.
const MOST: u32 = 10_000;
const LONGEST_PREFIX: usize = 20;
/// The word that takes a prefix or a limit away.
const NONE: &str = "none";

impl Limit {
    /// The number, if there is one.
    pub fn at_most(self) -> Option<NonZeroU32> {
        match self {
            Limit::None => None,
            Limit::AtMost(number) => Some(number),
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Limit::None);
        }
        match text.parse::<NonZeroU32>() {
            Ok(number) if number.get() <= MOST => Ok(Limit::AtMost(number)),
            Ok(_) => Err(format!("at most {MOST}, or none")),
            Err(_) => {
                Err("a whole number from 1, or none (to let nobody be rung, pause the campaigns)".into())
            }
        }
    }
}

impl TrunkChange {
    /// As it is stored.
    ///
    /// # Errors
    /// [`BadForm`] for the first field that is wrong.
    pub fn check(self) -> Result<Self, BadForm> {
        Ok(Self {
            prefix: self.prefix.as_deref().map(prefix).transpose()?,
            country: self.country.as_deref().map(country).transpose()?,
            ..self
        })
    }
}

impl TrunkForm {
    /// A callee's number as the provider wants it.
    pub fn callee(&self, number: &Number) -> String {
        format!("{}{}", self.prefix, self.number_form.write(number, self.home()))
    }

    /// A caller ID as the provider wants it.
    pub fn caller_id(&self, number: &Number) -> String {
        self.caller_id_form.write(number, self.home())
    }

    /// What the dialler keeps to.
    pub fn limits(&self) -> TrunkLimits {
        TrunkLimits { channels: self.channels, calls_per_second: self.calls_per_second }
    }

    fn home(&self) -> Region {
        number_form::country(&self.country).unwrap_or(Region::GB)
    }
}

/// It becomes part of a SIP address, and of what Asterisk is told to dial; it must not end either.
fn prefix(text: &str) -> Result<String, BadForm> {
    let wrong = |why: String| BadForm { field: "prefix", why };
    let text = if text == NONE { "" } else { text };
    if let Some(other) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "+*#".contains(*c))) {
        let other = other.escape_debug();
        return Err(wrong(format!("'{other}' cannot stand there; only digits, letters, *, # and + can")));
    }
    if text.len() > LONGEST_PREFIX {
        return Err(wrong(format!("must have at most {LONGEST_PREFIX} characters")));
    }
    Ok(text.to_owned())
}

fn country(text: &str) -> Result<String, BadForm> {
    let text = text.to_ascii_uppercase();
    match number_form::country(&text) {
        Some(_) => Ok(text),
        None => Err(BadForm {
            field: "country",
            why: "must be the two letters of a country, as ISO 3166 has them; the United Kingdom is GB"
                .into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn number(e164: &str) -> Number {
        Number::from_e164(e164).unwrap()
    }

    fn prefixed(prefix: &str) -> Result<Option<String>, BadForm> {
        let change = TrunkChange { prefix: Some(prefix.into()), ..TrunkChange::default() };
        change.check().map(|change| change.prefix)
    }

    #[test]
    fn three_providers_get_the_number_as_they_want_it() {
        let (callee, caller) = (number("+447700900123"), number("+442079460000"));
        let usual = TrunkForm::default();
        let a = TrunkForm {
            number_form: NumberForm::E164NoPlus,
            caller_id_form: NumberForm::E164NoPlus,
            ..usual.clone()
        };
        let b = TrunkForm { number_form: NumberForm::National, ..usual.clone() };
        let c = TrunkForm { number_form: NumberForm::E164NoPlus, prefix: "9#00".into(), ..usual.clone() };
        assert_eq!(
            (usual.callee(&callee), usual.caller_id(&caller)),
            ("+447700900123".into(), "+442079460000".into())
        );
        assert_eq!((a.callee(&callee), a.caller_id(&caller)), ("447700900123".into(), "442079460000".into()));
        assert_eq!(b.callee(&callee), "07700900123");
        assert_eq!(c.callee(&callee), "9#00447700900123");
        assert_eq!(c.caller_id(&caller), "+442079460000", "the prefix is the callee's");
    }

    #[test]
    fn a_prefix_cannot_break_an_address() {
        for bad in [
            ";user=phone",
            "9@evil.example",
            "9 00",
            "9/other",
            "9%23",
            "a&b",
            "0\r\n",
            "９",
            "9<",
            "(0)",
            ",",
        ] {
            let refused = prefixed(bad).unwrap_err();
            assert!(refused.to_string().starts_with("prefix: "), "{refused}");
            assert!(refused.why.contains("only digits"), "{refused}");
        }
        assert!(prefixed(&"9".repeat(21)).unwrap_err().why.contains("20 characters"));
        assert_eq!(prefixed("*31#").unwrap().unwrap(), "*31#");
        assert_eq!(prefixed("none").unwrap().unwrap(), "");
    }

    #[test]
    fn a_limit_is_a_number_or_none() {
        assert_eq!("30".parse::<Limit>().unwrap().at_most(), NonZeroU32::new(30));
        assert_eq!("none".parse::<Limit>().unwrap().at_most(), None);
        for bad in ["0", "-1", "", "many", "1.5", "10001", "99999999999"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_country_that_is_none_is_refused() {
        let checked = |country: &str| {
            let change = TrunkChange { country: Some(country.into()), ..TrunkChange::default() };
            change.check().map(|change| change.country)
        };
        for bad in ["", "UK-", "44", "ZZ", "Great Britain"] {
            assert_eq!(checked(bad).unwrap_err().field, "country", "{bad}");
        }
        assert_eq!(checked("us").unwrap().unwrap(), "US");
    }
}
