//! Where a number may be: its time zones, by libphonenumber's data, and whether it is abroad.
//!
//! Worked out from the number whenever it is needed and never stored, so that it holds for old lists too, and newer
//! data for all.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use dialler::{CampaignRules, Place, hours, rules};
use jiff::tz::TimeZone;
use protocol::number::Number;

use crate::number;

/// A line for each set of zones: their names, a colon, and how the numbers begin that may be in any of them.
/// `scripts/time-zones` makes it.
const DATA: &str = include_str!("../data/time_zones.txt");

/// Where a number may be, seen from this country ("GB", "GB-SCT"). No zone is known of a number in no range that is in
/// use, and of networks of no country, like satellites'.
pub fn of(number: &Number, country: &str) -> Place {
    let Some(found) = number::find(number, country) else {
        return Place { zones: Arc::default(), abroad: false };
    };
    let zones = if found.by_area {
        zones_by_beginning(number.e164().trim_start_matches('+'))
    } else {
        zones_by_beginning(&found.calling_code.to_string())
    };
    Place { zones: zones.unwrap_or_default(), abroad: found.abroad }
}

/// The names of a place's zones, "America/Adak, America/Anchorage"; of many, the first.
pub fn names(place: &Place) -> String {
    const SHOWN: usize = 3;
    let names: Vec<&str> = place.zones.iter().filter_map(TimeZone::iana_name).collect();
    match names.get(SHOWN..) {
        None | Some([]) => names.join(", "),
        Some(more) => format!("{} and {} more", names[..SHOWN].join(", "), more.len()),
    }
}

/// When people may be rung by the hours of one campaign, from one instant on; reckoned once for each set of zones.
#[derive(Debug)]
pub struct Openings {
    /// Of which campaign.
    pub campaign: CampaignRules,
    /// Its country, "GB-SCT".
    pub country: String,
    from: i64,
    reckoned: HashMap<(usize, bool), Option<i64>>,
}

impl Openings {
    /// From this instant on, UTC epoch milliseconds.
    pub fn from(campaign: CampaignRules, country: &str, from: i64) -> Self {
        Self { campaign, country: country.to_owned(), from, reckoned: HashMap::new() }
    }

    /// When the number may first be rung; `None`: never.
    pub fn of(&mut self, number: &Number) -> Option<i64> {
        self.at(&of(number, &self.country))
    }

    /// When somebody at this place may first be rung; `None`: never.
    pub fn at(&mut self, place: &Place) -> Option<i64> {
        // Of each set of zones there is one list in the program.
        let which = (place.zones.as_ptr().addr(), place.abroad);
        let reckon = || rules::next_open(place, &self.campaign, self.from);
        *self.reckoned.entry(which).or_insert_with(reckon)
    }
}

/// By the longest beginning that the data has.
fn zones_by_beginning(digits: &str) -> Option<Arc<[TimeZone]>> {
    static ZONES: LazyLock<HashMap<&str, Arc<[TimeZone]>>> = LazyLock::new(|| sets().flatten().collect());
    (1..=digits.len()).rev().find_map(|length| ZONES.get(&digits[..length]).cloned())
}

/// Each beginning with its zones. A set with a zone that is not known here is left out: better nowhere than at night.
fn sets() -> impl Iterator<Item = Vec<(&'static str, Arc<[TimeZone]>)>> {
    let lines = DATA.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let (names, beginnings) = line.split_once(": ")?;
        let zones: Arc<[TimeZone]> = names.split(' ').map(hours::zone).collect::<Option<_>>()?;
        Some(beginnings.split(' ').map(|beginning| (beginning, zones.clone())).collect())
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::from_e164(text).unwrap()
    }

    fn zones(text: &str) -> Vec<String> {
        of(&number(text), "GB").zones.iter().map(|zone| zone.iana_name().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_line_of_the_data_is_read() {
        let lines = DATA.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(sets().count(), lines.count(), "a zone is not in the program's own table");
        let beginnings: usize = sets().map(|set| set.len()).sum();
        assert!(beginnings > 3_000, "{beginnings}");
        assert!(sets().flatten().all(|(beginning, _)| beginning.bytes().all(|b| b.is_ascii_digit())));
    }

    #[test]
    fn the_longest_beginning_says_where_a_number_is() {
        assert_eq!(zones("+12125550123"), ["America/New_York"]);
        assert_eq!(zones("+19165550123"), ["America/Los_Angeles"]);
        assert_eq!(zones("+61255500123"), ["Australia/Sydney"]);
        assert_eq!(zones("+33142685300"), ["Europe/Paris"]);
        assert_eq!(zones("+19075550123"), ["America/Adak", "America/Anchorage"]);
        assert_eq!(zones("+442079460123"), ["Europe/London"]);
    }

    #[test]
    fn a_number_that_moves_about_may_be_in_any_zone_of_its_country() {
        let australia = zones("+61412345678");
        for zone in ["Australia/Perth", "Australia/Sydney", "Australia/Adelaide"] {
            assert!(australia.iter().any(|known| known == zone), "{zone} in {australia:?}");
        }
        assert!(zones("+79261234567").len() > 10, "Russia");
        assert!(zones("+18005550123").len() > 40, "free of charge, from all of North America");
        let home = zones("+447700900123");
        assert!(home.iter().any(|zone| zone == "Europe/London"), "{home:?}");
    }

    #[test]
    fn nobody_knows_the_zone_of_a_satellite_or_of_a_number_in_no_range() {
        for nowhere in ["+881612345678", "+979123456789", "+441022026", "+4477009001"] {
            assert_eq!(zones(nowhere), [""; 0], "{nowhere}");
        }
    }

    #[test]
    fn abroad_is_another_country_also_where_it_has_the_same_code() {
        let abroad = |text: &str, country: &str| of(&number(text), country).abroad;
        for far in ["+33142685300", "+12125550123", "+353861234567", "+881612345678"] {
            assert!(abroad(far, "GB-ENG"), "{far}");
        }
        for near in ["+447700900123", "+442079460123", "+447797712345", "+441624612345", "+441481712345"] {
            assert!(!abroad(near, "GB-SCT"), "{near}");
        }
        assert!(abroad("+18762345678", "US"), "Jamaica");
        assert!(!abroad("+12125550123", "US"));
    }

    #[test]
    fn many_zones_are_named_by_the_first() {
        assert_eq!(names(&of(&number("+19075550123"), "GB")), "America/Adak, America/Anchorage");
        let australia = names(&of(&number("+61412345678"), "GB"));
        assert_eq!(australia, "Australia/Adelaide, Australia/Brisbane, Australia/Eucla and 5 more");
    }
}
