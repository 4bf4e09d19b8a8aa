//! What an organiser writes to make a campaign: flags, or a TOML file.

use dialler::hours::{Hours, Region, zone};
use jiff::SignedDuration;
use protocol::{campaign::Mode, plain};
use serde::{Deserialize, Serialize};

use crate::{config::TrunkKind, number, script, store::campaigns::NewCampaign};

/// A campaign as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignForm {
    /// "Winter Warmth".
    pub name: String,
    /// "Lantern Street Trust".
    pub organisation: String,
    /// First name of the person volunteers ask, "Ruth".
    pub organiser: String,
    /// The number that callees see.
    pub caller_id: String,
    /// "GB", or a part of it: "GB-ENG", "GB-WLS", "GB-SCT", "GB-NIR".
    #[serde(default = "default_country")]
    pub country: String,
    /// IANA name, "Europe/London".
    #[serde(default = "default_time_zone")]
    pub time_zone: String,
    /// Numbers of other countries may be rung too.
    #[serde(default)]
    pub abroad: bool,
    /// The text of [`crate::script`].
    pub script: String,
    /// "rules", or "always" towards a simulated trunk.
    #[serde(default = "default_hours")]
    pub hours: String,
    /// Between two attempts at one number, "2h".
    #[serde(default = "default_spacing")]
    pub spacing: String,
    /// How many attempts a contact may have.
    #[serde(default = "default_attempts")]
    pub attempts_allowed: u32,
}

/// `country` where none is given.
pub fn default_country() -> String {
    "GB".into()
}

/// `time_zone` where none is given.
pub fn default_time_zone() -> String {
    "Europe/London".into()
}

/// `hours` where none are given.
pub fn default_hours() -> String {
    "rules".into()
}

/// `spacing` where none is given: R16's least.
pub fn default_spacing() -> String {
    "2h".into()
}

/// `attempts_allowed` where none is given.
pub fn default_attempts() -> u32 {
    4
}

/// Which line of the form is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct BadForm {
    /// The form's field.
    pub field: &'static str,
    /// What is wrong, and what is right.
    pub why: String,
}

/// R16: at least two hours between two attempts at one number.
const LEAST_SPACING: SignedDuration = SignedDuration::from_hours(2);
/// How long a telephone rings: R05 asks for at least 15 seconds, and many voicemails answer soon after 25.
const RING_TIMEOUT_MS: i64 = 25_000;

impl CampaignForm {
    /// Reads a TOML file's text.
    ///
    /// # Errors
    /// What toml says, with the line.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Checks the form against the rules and the trunk.
    ///
    /// # Errors
    /// [`BadForm`] for the first field that is wrong.
    pub fn check(&self, trunk: TrunkKind) -> Result<NewCampaign, BadForm> {
        let simulated = trunk == TrunkKind::Simulated;
        if Region::from_word(&self.country).is_none() {
            return Err(bad(
                "country",
                "only GB, GB-ENG, GB-WLS, GB-SCT and GB-NIR have calling rules so far",
            ));
        }
        // The country says how a number without + is read, so it is looked at first.
        let caller_id = number::read(&self.caller_id, &self.country)
            .map_err(|e| bad("caller_id", format!("{e}; write it like 020 7946 0000")))?;
        if zone(&self.time_zone).is_none() {
            return Err(bad("time_zone", "not a time zone; write it like Europe/London"));
        }
        let hours =
            Hours::from_word(&self.hours).ok_or_else(|| bad("hours", "must be \"rules\" or \"always\""))?;
        if hours == Hours::Always && !simulated {
            return Err(bad("hours", "\"always\" is only for a simulated trunk; real people need \"rules\""));
        }
        let spacing: SignedDuration = match self.spacing.trim() {
            "0" => SignedDuration::ZERO,
            text => text.parse().map_err(|_| bad("spacing", "must be a time, like 2h or 90m"))?,
        };
        if spacing < LEAST_SPACING && !simulated {
            return Err(bad("spacing", "less than 2h is only for a simulated trunk"));
        }
        if spacing.is_negative() || spacing > SignedDuration::from_hours(24 * 28) {
            return Err(bad("spacing", "must be between 0 and 28 days"));
        }
        if !(1..=20).contains(&self.attempts_allowed) {
            return Err(bad("attempts_allowed", "must be between 1 and 20"));
        }
        if self.script.trim().is_empty() || self.script.chars().count() > script::LONGEST {
            return Err(bad("script", format!("must have between 1 and {} characters", script::LONGEST)));
        }
        if let Some(unknown) = script::unknown_placeholder(&self.script) {
            let unknown: String = unknown.chars().take(40).collect();
            return Err(bad(
                "script",
                format!("{{{unknown}}} is not known; there are {{{}}}", script::PLACEHOLDERS.join("}, {")),
            ));
        }
        Ok(NewCampaign {
            name: one_line("name", &self.name)?,
            organisation: one_line("organisation", &self.organisation)?,
            organiser: one_line("organiser", &self.organiser)?,
            mode: Mode::OneTouch,
            caller_id: caller_id.number,
            country: self.country.clone(),
            time_zone: self.time_zone.clone(),
            abroad: self.abroad,
            script: plain::text(&self.script),
            hours,
            spacing_ms: i64::try_from(spacing.as_millis()).unwrap_or(i64::MAX),
            attempts_allowed: self.attempts_allowed,
            ring_timeout_ms: RING_TIMEOUT_MS,
        })
    }
}

/// A name of one line, 1 to 100 characters; what nobody sees of it is left out.
///
/// # Errors
/// [`BadForm`] for this field.
pub fn one_line(field: &'static str, text: &str) -> Result<String, BadForm> {
    let (text, seen) = (text.trim(), plain::name(text));
    if seen.is_empty() || seen.chars().count() > 100 || text.chars().any(char::is_control) {
        return Err(bad(field, "must be one line of 1 to 100 characters"));
    }
    Ok(seen)
}

fn bad(field: &'static str, why: impl Into<String>) -> BadForm {
    BadForm { field, why: why.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOML: &str = r#"
        name = "Winter Warmth"
        organisation = "Lantern Street Trust"
        organiser = "Ruth"
        caller_id = "020 7946 0000"
        script = "Hello, is that {form_of_address}?"
    "#;

    #[test]
    fn a_short_file_takes_the_careful_defaults() {
        let form = CampaignForm::from_toml(TOML).expect("toml");
        let campaign = form.check(TrunkKind::Sip).expect("good");
        assert_eq!(campaign.caller_id.e164(), "+442079460000");
        assert_eq!((campaign.hours, campaign.spacing_ms), (Hours::Rules, 7_200_000));
        assert!(!campaign.abroad);
        let form = CampaignForm::from_toml(&format!("abroad = true\n{TOML}")).expect("toml");
        assert!(form.check(TrunkKind::Sip).expect("good").abroad);
    }

    #[test]
    fn real_people_keep_their_hours_and_their_peace() {
        let form = CampaignForm::from_toml(TOML).expect("toml");
        let always = CampaignForm { hours: "always".into(), ..form.clone() };
        let at_once = CampaignForm { spacing: "0".into(), ..form };
        for (form, field) in [(always, "hours"), (at_once, "spacing")] {
            assert_eq!(form.check(TrunkKind::Sip).expect_err("refused").field, field);
            assert!(form.check(TrunkKind::Simulated).is_ok());
        }
    }

    #[test]
    fn each_wrong_field_is_named() {
        let form = CampaignForm::from_toml(TOML).expect("toml");
        let wrong = [
            ("caller_id", CampaignForm { caller_id: "nobody".into(), ..form.clone() }),
            ("caller_id", CampaignForm { caller_id: "020 7946 0TBA".into(), ..form.clone() }),
            ("country", CampaignForm { country: "UK".into(), ..form.clone() }),
            ("time_zone", CampaignForm { time_zone: "Mars".into(), ..form.clone() }),
            ("attempts_allowed", CampaignForm { attempts_allowed: 0, ..form.clone() }),
            ("script", CampaignForm { script: "Hello {nmae}".into(), ..form.clone() }),
            ("name", CampaignForm { name: "two\nlines".into(), ..form.clone() }),
            ("spacing", CampaignForm { spacing: "soon".into(), ..form }),
        ];
        for (field, form) in wrong {
            assert_eq!(form.check(TrunkKind::Simulated).expect_err("refused").field, field);
        }
    }

    /// A value of TOML, half of the time one that the field could hold.
    fn value() -> impl Strategy<Value = toml::Value> {
        let words = [
            "",
            "GB",
            "GB-SCT",
            "Europe/London",
            "always",
            "rules",
            "0",
            "2h",
            "-2h",
            "9999999999999h",
            "1y",
            "P1DT2H",
            "2 h 90 m",
            "020 7946 0000",
            "+44",
            "+",
            "{name}",
            "{",
            "}",
            "{}",
            "{{}}",
            "\0",
            "\u{feff}",
        ];
        let text = prop_oneof![
            prop::sample::select(words.to_vec()).prop_map(str::to_owned),
            "[-+]?[0-9]{0,20}(ns|us|ms|s|m|h|d|w|mo|y)?",
            "(\\{|\\}|[a-z_]|\\PC){0,40}",
            ".{0,300}",
        ];
        prop_oneof![
            4 => text.prop_map(toml::Value::String),
            1 => any::<i64>().prop_map(toml::Value::Integer),
            1 => any::<f64>().prop_map(toml::Value::Float),
            1 => any::<bool>().prop_map(toml::Value::Boolean),
            1 => prop::collection::vec(any::<u32>().prop_map(|n| i64::from(n).into()), 0..3)
                .prop_map(toml::Value::Array),
        ]
    }

    /// A good form with some of its lines replaced, so that each check is reached.
    fn form() -> impl Strategy<Value = String> {
        let fields = [
            "name",
            "organisation",
            "organiser",
            "caller_id",
            "country",
            "time_zone",
            "script",
            "hours",
            "spacing",
            "attempts_allowed",
            "abroad",
            "nonsense",
        ];
        let line = (prop::sample::select(fields.to_vec()), value());
        prop::collection::vec(line, 0..4).prop_map(|lines| {
            let mut form: toml::Table = toml::from_str(TOML).expect("toml");
            form.extend(lines.into_iter().map(|(field, value)| (field.to_owned(), value)));
            form.to_string()
        })
    }

    proptest! {
        #[test]
        fn whatever_a_form_holds_it_is_good_or_one_field_is_named(toml in form(), simulated in any::<bool>()) {
            let trunk = if simulated { TrunkKind::Simulated } else { TrunkKind::Sip };
            let Ok(form) = CampaignForm::from_toml(&toml) else { return Ok(()) };
            match form.check(trunk) {
                Ok(campaign) => {
                    prop_assert!((0..=28 * 24 * 3_600_000).contains(&campaign.spacing_ms));
                    prop_assert!(simulated || campaign.spacing_ms >= 7_200_000, "{}", form.spacing);
                    prop_assert!(simulated || campaign.hours == Hours::Rules);
                    prop_assert!((1..=20).contains(&campaign.attempts_allowed));
                }
                Err(bad) => {
                    let is_a_field = toml::Table::try_from(&form).expect("a table").contains_key(bad.field);
                    prop_assert!(is_a_field && !bad.why.is_empty(), "{bad:?}");
                }
            }
        }

        #[test]
        fn no_text_makes_the_reading_panic(text in "(\\PC|[\n\t\"'=\\[\\]{}#,.0-9a-z_ ]){0,400}") {
            if let Ok(form) = CampaignForm::from_toml(&text) {
                let _ = form.check(TrunkKind::Simulated);
            }
        }
    }
}
