//! Calling hours: R15 for the United Kingdom, with bank holidays.
//!
//! No statute fixes hours for live calls; the limits are the DMA's old code 21.41, read the
//! stricter way, and a narrower default. A bank holiday has Sunday's hours.
//!
//! | | hard limit | default |
//! | --- | --- | --- |
//! | Monday to Friday | 08:00-21:00 | 09:30-20:30 |
//! | Saturday | 09:00-21:00 | 09:30-20:30 |
//! | Sunday, bank holiday | 09:00-21:00 | 10:00-20:00 |
//!
//! A callee may be in more than one time zone, as far as is known: the hours must be open in all.

use std::sync::LazyLock;

use jiff::{
    Timestamp,
    civil::{Date, Weekday},
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::Deserialize;

use crate::rules::HOUR;

/// When a campaign's callees may be rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// The word `rules` in the store: R15's default for the United Kingdom, [`Week::DEFAULT`].
    Rules,
    /// Hours of the campaign's own; the hard limits hold all the same.
    Own(Week),
    /// The word `always`: only towards a simulated trunk.
    Always,
}

impl Hours {
    /// The hours of a word in the store.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "rules" => Some(Self::Rules),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}

/// A part of a day, in minutes since local midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first minute in which a callee may be dialled.
    pub open: u16,
    /// The minute at whose start no telephone may ring any more.
    pub close: u16,
}

/// The windows of a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Week {
    /// Monday to Friday.
    pub weekday: Window,
    /// Saturday.
    pub saturday: Window,
    /// Sunday and bank holidays.
    pub sunday: Window,
}

impl Week {
    /// R15, what no campaign may go beyond.
    pub const HARD: Week = Week {
        weekday: Window { open: 8 * 60, close: 21 * 60 },
        saturday: Window { open: 9 * 60, close: 21 * 60 },
        sunday: Window { open: 9 * 60, close: 21 * 60 },
    };

    /// R15, what a campaign gets unless it asks for something else.
    pub const DEFAULT: Week = Week {
        weekday: Window { open: 9 * 60 + 30, close: 20 * 60 + 30 },
        saturday: Window { open: 9 * 60 + 30, close: 20 * 60 + 30 },
        sunday: Window { open: 10 * 60, close: 20 * 60 },
    };

    /// Whether every window is within the hard limits and has some length.
    pub fn is_lawful(&self) -> bool {
        let within = |own: Window, hard: Window| {
            own.open >= hard.open && own.close <= hard.close && own.open < own.close
        };
        within(self.weekday, Self::HARD.weekday)
            && within(self.saturday, Self::HARD.saturday)
            && within(self.sunday, Self::HARD.sunday)
    }

    fn of(&self, date: Date, region: Region) -> Window {
        match date.weekday() {
            Weekday::Sunday => self.sunday,
            _ if region.is_bank_holiday(date) => self.sunday,
            Weekday::Saturday => self.saturday,
            Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday | Weekday::Friday => {
                self.weekday
            }
        }
    }
}

/// Whose bank holidays count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// `GB`: not known which part, so the holidays of all.
    UnitedKingdom,
    /// `GB-EAW`, `GB-ENG`, `GB-WLS`
    EnglandAndWales,
    /// `GB-SCT`
    Scotland,
    /// `GB-NIR`
    NorthernIreland,
}

impl Region {
    /// The region of a campaign's `country`; `None` if there is no preset for it.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "GB" => Some(Self::UnitedKingdom),
            "GB-EAW" | "GB-ENG" | "GB-WLS" => Some(Self::EnglandAndWales),
            "GB-SCT" => Some(Self::Scotland),
            "GB-NIR" => Some(Self::NorthernIreland),
            _ => None,
        }
    }

    /// Whether this day is a bank holiday. In a year that the table does not have, every day
    /// counts as one: the stricter hours, until somebody extends the table.
    pub fn is_bank_holiday(self, date: Date) -> bool {
        let table = &*BANK_HOLIDAYS;
        let is_in = |days: &[Holiday]| days.iter().any(|day| day.date == date);
        if !table.years.contains(&date.year()) {
            return true;
        }
        match self {
            Self::UnitedKingdom => {
                is_in(&table.england_and_wales) || is_in(&table.scotland) || is_in(&table.northern_ireland)
            }
            Self::EnglandAndWales => is_in(&table.england_and_wales),
            Self::Scotland => is_in(&table.scotland),
            Self::NorthernIreland => is_in(&table.northern_ireland),
        }
    }
}

/// The dated table, with its source in the file.
static BANK_HOLIDAYS: LazyLock<BankHolidays> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/bank_holidays.json"))
        .expect("the file is part of the program, and a test reads it")
});

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BankHolidays {
    years: Vec<i16>,
    england_and_wales: Vec<Holiday>,
    scotland: Vec<Holiday>,
    northern_ireland: Vec<Holiday>,
}

#[derive(Deserialize)]
struct Holiday {
    date: Date,
}

/// A time zone by its name, `Europe/London`, from the bundled data (never the machine's own).
pub fn zone(name: &str) -> Option<TimeZone> {
    static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    ZONES.get(name).ok()
}

/// The local date of an instant; `None` only outside the years that a calendar can hold.
pub(crate) fn local_date(at: i64, zone: &TimeZone) -> Option<Date> {
    Timestamp::from_millisecond(at).ok().map(|at| at.to_zoned(zone.clone()).date())
}

/// Whether clocks in both zones show the same, at `from` and on so many days after it.
pub(crate) fn run_alike(one: &TimeZone, other: &TimeZone, from: i64, days: u32) -> bool {
    let alike = |at: Timestamp| one.to_offset(at) == other.to_offset(at);
    let day = |n: u32| from.saturating_add(i64::from(n) * 24 * HOUR);
    (0..=days).all(|n| Timestamp::from_millisecond(day(n)).is_ok_and(alike))
}

/// The instant of a local time of day. Where the clocks go forward over it, the time after the
/// gap; where they go back over it, the first.
pub(crate) fn instant(date: Date, minutes: u16, zone: &TimeZone) -> Option<i64> {
    let hour = i8::try_from(minutes / 60).ok()?;
    let minute = i8::try_from(minutes % 60).ok()?;
    let local = date.at(hour, minute, 0, 0).to_zoned(zone.clone()).ok()?;
    Some(local.timestamp().as_millisecond())
}

/// When a callee may be dialled on a local date: from the opening to the last instant from which
/// `ring_ms` of ringing end in time (both UTC epoch milliseconds, both included).
fn dialling_time(
    hours: Hours,
    region: Region,
    date: Date,
    zone: &TimeZone,
    ring_ms: i64,
) -> Option<(i64, i64)> {
    let week = match hours {
        Hours::Always => {
            return Some((instant(date, 0, zone)?, instant(date.tomorrow().ok()?, 0, zone)? - 1));
        }
        Hours::Rules => Week::DEFAULT,
        Hours::Own(week) => week,
    };
    let own = week.of(date, region);
    let hard = Week::HARD.of(date, region);
    let opens = instant(date, own.open.max(hard.open), zone)?;
    let last = instant(date, own.close.min(hard.close), zone)? - ring_ms;
    (opens <= last).then_some((opens, last))
}

/// Whether `at` lies in the hours, and ringing for `ring_ms` from then on ends before they close.
pub fn are_open(hours: Hours, region: Region, zone: &TimeZone, at: i64, ring_ms: i64) -> bool {
    hours == Hours::Always || next_open(hours, region, zone, at, ring_ms) == Some(at)
}

/// The first instant at or after `from` at which a callee may be dialled.
pub fn next_open(hours: Hours, region: Region, zone: &TimeZone, from: i64, ring_ms: i64) -> Option<i64> {
    if hours == Hours::Always {
        return Some(from);
    }
    let mut date = local_date(from, zone)?;
    for _ in 0..LOOK_AHEAD_DAYS {
        if let Some((opens, last)) = dialling_time(hours, region, date, zone, ring_ms)
            && from <= last
        {
            return Some(from.max(opens));
        }
        date = date.tomorrow().ok()?;
    }
    None
}

/// The first instant at or after `from` at which a callee may be dialled who may be in any of these zones: the hours are
/// open in all of them. At most a year ahead, as the clocks that change move them together and apart.
pub fn next_open_in_all<'a>(
    hours: Hours,
    region: Region,
    zones: impl Iterator<Item = &'a TimeZone> + Clone,
    from: i64,
    ring_ms: i64,
) -> Option<i64> {
    let mut at = from;
    while at.saturating_sub(from) <= YEAR_MS {
        // Nothing before what one zone allows can be allowed by all.
        let opens = zones.clone().try_fold(at, |at, zone| next_open(hours, region, zone, at, ring_ms))?;
        if opens == at {
            return Some(at);
        }
        at = opens;
    }
    None
}

/// The last instant at which a callee may be dialled before the hours close in one of these zones, if `at` lies in the
/// hours of all.
pub fn closes<'a>(
    hours: Hours,
    region: Region,
    mut zones: impl Iterator<Item = &'a TimeZone>,
    at: i64,
    ring_ms: i64,
) -> Option<i64> {
    if hours == Hours::Always {
        return None;
    }
    zones.try_fold(i64::MAX, |first, zone| {
        let (opens, last) = dialling_time(hours, region, local_date(at, zone)?, zone, ring_ms)?;
        (opens <= at && at <= last).then_some(first.min(last))
    })
}

/// When calling opens on the next day that has hours in all these zones, after the one of `at` in each.
pub fn next_day_open<'a>(
    hours: Hours,
    region: Region,
    zones: impl Iterator<Item = &'a TimeZone> + Clone,
    at: i64,
    ring_ms: i64,
) -> Option<i64> {
    // A list that may be rung at any hour still gets its morning: nobody wants "tomorrow" at 00:00.
    let hours = if hours == Hours::Always { Hours::Rules } else { hours };
    let midnight = zones.clone().try_fold(at, |last, zone| Some(last.max(next_midnight(at, zone)?)))?;
    next_open_in_all(hours, region, zones, midnight, ring_ms)
}

/// The start of the next local day.
pub fn next_midnight(at: i64, zone: &TimeZone) -> Option<i64> {
    instant(local_date(at, zone)?.tomorrow().ok()?, 0, zone)
}

/// More than any row of days without hours.
const LOOK_AHEAD_DAYS: u32 = 15;
/// A little more than a year.
const YEAR_MS: i64 = 370 * 24 * 60 * 60 * 1_000;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn london() -> TimeZone {
        zone("Europe/London").unwrap()
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn open(region: Region, text: &str) -> bool {
        are_open(Hours::Rules, region, &london(), ms(text), 25_000)
    }

    #[test]
    fn the_table_has_the_days_of_three_years_for_each_part() {
        let table = &*BANK_HOLIDAYS;
        assert_eq!(table.years, [2026, 2027, 2028]);
        assert_eq!(table.england_and_wales.len(), 8 * 3);
        assert_eq!(table.scotland.len(), 9 * 3 + 1, "and the day after Scotland's first World Cup match");
        assert_eq!(table.northern_ireland.len(), 10 * 3);
        for part in [&table.england_and_wales, &table.scotland, &table.northern_ireland] {
            assert!(part.is_sorted_by_key(|day| day.date));
            for day in part {
                assert!(!matches!(day.date.weekday(), Weekday::Saturday | Weekday::Sunday), "{}", day.date);
            }
        }
    }

    #[test]
    fn twenty_five_seconds_of_ringing_end_before_closing_time() {
        let england = Region::EnglandAndWales;
        assert!(open(england, "2026-11-23T20:29:35Z"), "a Monday in winter");
        assert!(!open(england, "2026-11-23T20:29:35.001Z"));
        assert!(!open(england, "2026-11-23T20:29:36Z"));
        assert!(open(england, "2026-11-23T09:30:00Z"));
        assert!(!open(england, "2026-11-23T09:29:59.999Z"));
        assert!(open(england, "2026-11-22T19:59:35Z"), "Sunday");
        assert!(!open(england, "2026-11-22T19:59:36Z"));
        assert!(!open(england, "2026-11-22T09:59:59Z"));
    }

    #[test]
    fn hours_are_local_on_the_days_when_the_clocks_change() {
        let england = Region::EnglandAndWales;
        // Sunday 29 March 2026: the clocks have gone forward at 01:00 UTC, so 10:00 is 09:00 UTC.
        assert!(!open(england, "2026-03-29T08:59:59Z"));
        assert!(open(england, "2026-03-29T09:00:00Z"));
        assert!(!open(england, "2026-03-29T18:59:36Z"));
        // Saturday before: still winter.
        assert!(!open(england, "2026-03-28T09:29:59Z"));
        assert!(open(england, "2026-03-28T09:30:00Z"));
        // Sunday 25 October 2026: the clocks have gone back, 10:00 is 10:00 UTC again.
        assert!(!open(england, "2026-10-25T09:59:59Z"));
        assert!(open(england, "2026-10-25T10:00:00Z"));
        assert!(open(england, "2026-10-24T08:30:00Z"), "summer until that night");
        // A day of 23 hours and one of 25.
        let night = |text| next_midnight(ms(text), &london()).unwrap();
        assert_eq!(night("2026-03-29T12:00:00Z") - night("2026-03-28T12:00:00Z"), 23 * 3_600_000);
        assert_eq!(night("2026-10-25T12:00:00Z") - night("2026-10-24T12:00:00Z"), 25 * 3_600_000);
    }

    #[test]
    fn a_bank_holiday_has_the_hours_of_sunday_where_it_is_one() {
        // St Andrew's Day, Monday 30 November 2026, 09:45.
        assert!(!open(Region::Scotland, "2026-11-30T09:45:00Z"));
        assert!(open(Region::EnglandAndWales, "2026-11-30T09:45:00Z"));
        assert!(open(Region::NorthernIreland, "2026-11-30T09:45:00Z"));
        assert!(!open(Region::UnitedKingdom, "2026-11-30T09:45:00Z"), "not known where: the strictest");
        assert!(open(Region::Scotland, "2026-11-30T10:00:00Z"));
        // 26 December 2026 is a Saturday, its holiday is the Monday after.
        assert!(open(Region::EnglandAndWales, "2026-12-26T09:30:00Z"));
        assert!(!open(Region::EnglandAndWales, "2026-12-28T09:30:00Z"));
        // A year the table does not have yet.
        assert!(!open(Region::EnglandAndWales, "2029-11-27T09:45:00Z"));
    }

    #[test]
    fn hard_limits_hold_whatever_a_campaign_sets() {
        let whole_day = Window { open: 0, close: 24 * 60 - 1 };
        let week = Week { weekday: whole_day, saturday: whole_day, sunday: whole_day };
        assert!(!week.is_lawful());
        assert!(Week::HARD.is_lawful() && Week::DEFAULT.is_lawful());
        let open = |text| are_open(Hours::Own(week), Region::EnglandAndWales, &london(), ms(text), 25_000);
        // Vector RV06: Sunday 09:00:00 is allowed, 20:59:40 is not.
        assert!(open("2026-11-22T09:00:00Z"));
        assert!(!open("2026-11-22T20:59:40Z"));
        assert!(open("2026-11-22T20:59:35Z"));
        assert!(!open("2026-11-22T08:59:59Z"));
        assert!(open("2026-11-23T08:00:00Z") && !open("2026-11-23T07:59:59Z"));
    }

    #[test]
    fn the_next_opening_is_the_next_morning_after_closing_time() {
        let at = |text| next_open(Hours::Rules, Region::EnglandAndWales, &london(), ms(text), 25_000);
        assert_eq!(at("2026-11-21T20:30:00Z"), Some(ms("2026-11-22T10:00:00Z")), "Saturday night to Sunday");
        assert_eq!(at("2026-11-22T20:30:00Z"), Some(ms("2026-11-23T09:30:00Z")));
        assert_eq!(at("2026-11-23T03:00:00Z"), Some(ms("2026-11-23T09:30:00Z")));
        assert_eq!(at("2026-11-23T11:00:00Z"), Some(ms("2026-11-23T11:00:00Z")));
        let tomorrow = |hours| {
            let london = london();
            let zones = std::iter::once(&london);
            next_day_open(hours, Region::EnglandAndWales, zones, ms("2026-11-20T00:10:00Z"), 25_000)
        };
        assert_eq!(tomorrow(Hours::Rules), Some(ms("2026-11-21T09:30:00Z")));
        assert_eq!(tomorrow(Hours::Always), Some(ms("2026-11-21T09:30:00Z")));
        let closing =
            |text| closes(Hours::Rules, Region::EnglandAndWales, [london()].iter(), ms(text), 25_000);
        assert_eq!(closing("2026-11-23T11:00:00Z"), Some(ms("2026-11-23T20:29:35Z")));
        assert_eq!(closing("2026-11-23T21:00:00Z"), None);
    }

    const ELSEWHERE: [&str; 6] = [
        "America/New_York",
        "America/Los_Angeles",
        "Australia/Perth",
        "Australia/Sydney",
        "Asia/Kolkata",
        "Pacific/Auckland",
    ];

    #[test]
    fn hours_of_several_zones_are_those_that_all_have() {
        let open = |names: &[&str], from: &str| {
            let zones: Vec<TimeZone> = names.iter().map(|name| zone(name).unwrap()).collect();
            next_open_in_all(Hours::Rules, Region::EnglandAndWales, zones.iter(), ms(from), 25_000)
        };
        // July, summer time in London (UTC+1) and New York (UTC-4): 09:30 there is 14:30 here.
        let london_at_ten = "2026-07-14T09:00:00Z";
        let (home, newyork) = ("Europe/London", "America/New_York");
        assert_eq!(open(&[home, newyork], london_at_ten), Some(ms("2026-07-14T13:30:00Z")));
        let to_the_pacific = [home, newyork, "America/Los_Angeles"];
        assert_eq!(open(&to_the_pacific, london_at_ten), Some(ms("2026-07-14T16:30:00Z")));
        // At 21:00 in London it is 16:00 in New York, and the campaign is closed.
        assert_eq!(open(&[home, newyork], "2026-07-14T20:00:00Z"), Some(ms("2026-07-15T13:30:00Z")));
        // Sydney, in July UTC+10: 19:00 at 10:00 in London, 21:00 at 12:00.
        let sydney = [home, "Australia/Sydney"];
        assert_eq!(open(&sydney, london_at_ten), Some(ms(london_at_ten)));
        assert_eq!(open(&sydney, "2026-07-14T11:00:00Z"), Some(ms("2026-07-15T08:30:00Z")));
        // In winter Sydney closes as London opens, till the clocks of London go forward; Easter Monday is one day later.
        assert_eq!(open(&sydney, "2026-12-01T12:00:00Z"), Some(ms("2027-03-30T08:30:00Z")));
        // Half a world away: never together.
        assert_eq!(open(&[home, "Pacific/Auckland"], london_at_ten), None);
    }

    #[test]
    fn the_first_zone_that_closes_ends_the_day_and_every_zone_has_its_own_tomorrow() {
        let zones = [london(), zone("America/New_York").unwrap()];
        let closing = |text| closes(Hours::Rules, Region::EnglandAndWales, zones.iter(), ms(text), 25_000);
        assert_eq!(closing("2026-07-14T15:00:00Z"), Some(ms("2026-07-14T19:29:35Z")), "20:30 in London");
        assert_eq!(closing("2026-07-14T12:00:00Z"), None, "08:00 in New York");
        let tomorrow =
            |text| next_day_open(Hours::Rules, Region::EnglandAndWales, zones.iter(), ms(text), 25_000);
        // 00:30 on the 15th in London is still the 14th in New York.
        assert_eq!(tomorrow("2026-07-14T23:30:00Z"), Some(ms("2026-07-16T13:30:00Z")));
        assert_eq!(tomorrow("2026-07-14T15:00:00Z"), Some(ms("2026-07-15T13:30:00Z")));
    }

    proptest::proptest! {
        #[test]
        fn the_next_opening_in_all_zones_is_the_first_that_is_open_in_each(
            at in 1_767_225_600_000i64..1_861_920_000_000,
            names in proptest::sample::subsequence(ELSEWHERE.to_vec(), 0..4),
            probe in 0.0f64..1.0,
        ) {
            let zones: Vec<TimeZone> = names.iter().map(|name| zone(name).unwrap()).chain([london()]).collect();
            let open = |at| zones.iter().all(|zone| are_open(Hours::Rules, Region::UnitedKingdom, zone, at, 25_000));
            let opens = next_open_in_all(Hours::Rules, Region::UnitedKingdom, zones.iter(), at, 25_000);
            let end = opens.unwrap_or(at + YEAR_MS);
            proptest::prop_assert!(opens.is_none_or(|opens| opens >= at && open(opens)));
            let between = at + ((end - at) as f64 * probe) as i64;
            proptest::prop_assert!(between == end || !open(between));
        }

        #[test]
        fn the_next_opening_is_open_and_nothing_before_it_is(at in 1_767_225_600_000i64..1_861_920_000_000, probe in 0.0f64..1.0) {
            let opens = next_open(Hours::Rules, Region::UnitedKingdom, &london(), at, 25_000).unwrap();
            proptest::prop_assert!(opens >= at);
            proptest::prop_assert!(are_open(Hours::Rules, Region::UnitedKingdom, &london(), opens, 25_000));
            let between = at + ((opens - at) as f64 * probe) as i64;
            proptest::prop_assert!(between == opens || !are_open(Hours::Rules, Region::UnitedKingdom, &london(), between, 25_000));
        }

        #[test]
        fn no_instant_makes_the_calendar_panic(at in proptest::num::i64::ANY) {
            let _ = next_open(Hours::Rules, Region::Scotland, &london(), at, 25_000);
            let zones = [london(), zone("Pacific/Kiritimati").unwrap(), zone("Pacific/Pago_Pago").unwrap()];
            let _ = next_open_in_all(Hours::Rules, Region::Scotland, zones.iter(), at, 25_000);
            let _ = next_day_open(Hours::Always, Region::Scotland, zones.iter(), at, 25_000);
            let _ = closes(Hours::Rules, Region::Scotland, zones.iter(), at, 25_000);
        }
    }
}
