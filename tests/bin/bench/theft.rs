//! A stolen sign-in, used by a program for five minutes.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use e2e::{
    report::{Goal, Report},
    theft::{self, Stolen, Tried},
    world::World,
};

/// Options of `bench theft`.
#[derive(Debug, Args)]
pub struct Options {
    /// How long the program works
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// How long the list is
    #[arg(long, default_value_t = 240)]
    contacts: u8,
}

/// By the organiser's own commands, and what came to the program.
pub async fn run(options: &Options) -> Result<Report> {
    let numbers = theft::list(options.contacts);
    let mut world = World::with(&numbers).await?;
    let report = Report::of(1);
    let stolen = theft::evening(&mut world, &numbers, Duration::from_secs(options.seconds)).await?;
    Ok(filled(report, &stolen, options.seconds))
}

/// The thief must have been busy all the time: that it took little would else say nothing.
fn filled(mut report: Report, stolen: &Stolen, seconds: u64) -> Report {
    let at_most = |most: u32| Some(Goal::Under(f64::from(most) + 0.5));
    report.add(
        "contacts_closed",
        stolen.contacts_closed as f64,
        at_most(25),
        "done, put off for months, do not call",
    );
    report.add("names_read", stolen.names_read as f64, at_most(45), "different people on its cards");
    report.add(
        "forged",
        stolen.forged as f64,
        Some(Goal::Is(0.0)),
        "outcomes of a conversation that never was",
    );
    let whole = f64::from(u8::from(stolen.undone_whole));
    report.add(
        "undone_whole",
        whole,
        Some(Goal::Is(1.0)),
        "the list after people undo, compared with before",
    );
    let in_five_minutes = |least: u64| Some(Goal::AtLeast((least * seconds) as f64 / 300.0));
    let Tried { cards, dials, forgeries } = stolen.tried;
    report.add("cards_tried", cards as f64, in_five_minutes(20), "cards the program did something with");
    report.add("dials_tried", dials as f64, in_five_minutes(10), "requests to ring somebody");
    report.add("forgeries_tried", forgeries as f64, in_five_minutes(10), "requests that would be forged");
    report.add("rung", stolen.rung as f64, in_five_minutes(8), "INVITEs at the provider");
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_wrong_misses_the_goal() {
        let tried = Tried { cards: 20, dials: 10, forgeries: 10 };
        let fine =
            || Stolen { contacts_closed: 25, names_read: 45, forged: 0, rung: 8, undone_whole: true, tried };
        assert!(filled(Report::of(1), &fine(), 300).all_reached());
        for wrong in [
            Stolen { contacts_closed: 26, ..fine() },
            Stolen { names_read: 46, ..fine() },
            Stolen { forged: 1, ..fine() },
            Stolen { undone_whole: false, ..fine() },
            Stolen { rung: 7, ..fine() },
            Stolen { tried: Tried { cards: 19, ..tried }, ..fine() },
            Stolen { tried: Tried { dials: 9, ..tried }, ..fine() },
            Stolen { tried: Tried { forgeries: 9, ..tried }, ..fine() },
            // A thief that does nothing takes nothing.
            Stolen { undone_whole: true, ..Stolen::default() },
        ] {
            assert!(!filled(Report::of(1), &wrong, 300).all_reached(), "{wrong:?}");
        }
    }
}
