//! Eight volunteers without windows drain two hundred contacts at once.

use std::time::Instant;

use anyhow::Result;
use clap::Args;
use e2e::{
    drain::{Drained, drain},
    report::{Goal, Report},
    world::{World, number},
};

const VOLUNTEERS: usize = 8;

/// Options of `bench volunteers`.
#[derive(Debug, Args)]
pub struct Options {
    /// How long the list is
    #[arg(long, default_value_t = 200)]
    contacts: usize,
}

/// By the provider's records.
pub async fn run(options: &Options) -> Result<Report> {
    let contacts = options.contacts;
    // A hundred numbers each: the callee who speaks, busy, unallocated, hangs up, refused by the carrier.
    let numbers: Vec<String> =
        (0..contacts).map(|n| number([0, 1, 3, 4, 8][n % 5], (n / 5 % 90) as u8)).collect();
    let world = World::with(&numbers).await?;
    let report = Report::of(contacts);
    let began = Instant::now();
    let drained = drain(&world, &numbers, VOLUNTEERS).await?;
    let took = began.elapsed().as_secs_f64();
    Ok(filled(report, &drained, took))
}

fn filled(mut report: Report, drained: &Drained, took: f64) -> Report {
    let none = Some(Goal::Is(0.0));
    report.add("contacts_dialled_twice", drained.rung_twice.len() as f64, none, "INVITEs at the provider");
    report.add("leases_shared", drained.leases_shared as f64, none, "a lease or contact on two screens");
    report.add("contacts_left", drained.never_rung.len() as f64, none, "never rung, says the provider");
    report.add("attempts_without_outcome", drained.without_outcome as f64, none, "read by an organiser");
    report.add("invites", drained.invites as f64, Some(Goal::Is(report.runs() as f64)), "at the provider");
    report.add("seconds", took, None, "eight volunteers at once");
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_wrong_misses_the_goal() {
        let fine = || Drained { invites: 2, ..Drained::default() };
        assert!(filled(Report::of(2), &fine(), 1.0).all_reached());
        let one = || vec!["+447700900001".to_owned()];
        for wrong in [
            Drained { rung_twice: one(), ..fine() },
            Drained { never_rung: one(), ..fine() },
            Drained { leases_shared: 1, ..fine() },
            Drained { without_outcome: 1, ..fine() },
            Drained { invites: 3, ..fine() },
        ] {
            assert!(!filled(Report::of(2), &wrong, 1.0).all_reached(), "{wrong:?}");
        }
    }
}
