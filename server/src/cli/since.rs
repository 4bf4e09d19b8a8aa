//! "14:30", "2026-11-30 14:30", "2h": since when.

use jiff::{SignedDuration, Timestamp, Zoned, civil};

/// Reads a time of today, a date with a time, a date, or how long ago; by this machine's clock and time zone.
///
/// # Errors
/// In words, with what may be written.
pub fn since(text: &str) -> Result<i64, String> {
    before(text, &Zoned::now())
}

fn before(text: &str, now: &Zoned) -> Result<i64, String> {
    let text = text.trim();
    let Some(at) = read(text, now) else {
        return Err(
            "write a time of today (14:30), a date and time (2026-11-30 14:30), or how long ago (2h, 90m)"
                .into(),
        );
    };
    if at > now.timestamp() {
        let mend = if text.contains('-') { "" } else { "; for a time of yesterday, write the date too" };
        return Err(format!("{text} has not come yet by this machine's clock (date shows it){mend}"));
    }
    Ok(at.as_millisecond())
}

fn read(text: &str, now: &Zoned) -> Option<Timestamp> {
    let zoned = |at: civil::DateTime| at.to_zoned(now.time_zone().clone()).ok().map(|at| at.timestamp());
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if text.contains(':')
        && !text.contains('-')
        && let Ok(time) = text.parse::<civil::Time>()
    {
        return zoned(now.date().to_datetime(time));
    }
    if let Ok(at) = text.parse::<civil::DateTime>() {
        return zoned(at);
    }
    let ago = text.parse::<SignedDuration>().ok().filter(|ago| !ago.is_negative())?;
    now.timestamp().checked_sub(ago).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_a_date_or_how_long_ago() {
        let now: Zoned = "2026-11-30T19:30:00+00:00[Europe/London]".parse().expect("a time");
        let read =
            |text| before(text, &now).map(|ms| Timestamp::from_millisecond(ms).expect("a time").to_string());
        for (text, at) in [
            ("14:30", "2026-11-30T14:30:00Z"),
            (" 19:30 ", "2026-11-30T19:30:00Z"),
            ("2026-11-29 22:15", "2026-11-29T22:15:00Z"),
            ("2026-06-01T22:15", "2026-06-01T21:15:00Z"),
            ("2026-11-29", "2026-11-29T00:00:00Z"),
            ("2026-11-30T18:00:00Z", "2026-11-30T18:00:00Z"),
            ("2026-11-30T19:00:00+01:00", "2026-11-30T18:00:00Z"),
            ("2h", "2026-11-30T17:30:00Z"),
            ("1h 30m", "2026-11-30T18:00:00Z"),
            ("90m", "2026-11-30T18:00:00Z"),
            ("0s", "2026-11-30T19:30:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(at), "{text}");
        }
        for text in ["", "yesterday", "14", "25:00", "-2h", "2026-13-01", "14:30:00:00"] {
            assert!(read(text).is_err_and(|why| why.starts_with("write a time")), "{text}");
        }
        for text in ["19:31", "2026-12-01", "2027-01-01T00:00:00Z"] {
            assert!(read(text).is_err_and(|why| why.contains("has not come yet")), "{text}");
        }
    }
}
