//! Eight volunteers without windows drain two hundred contacts at once.

use std::time::Instant;

use anyhow::Result;
use clap::Args;
use e2e::{
    drain::drain,
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
    let began = Instant::now();
    let drained = drain(&world, &numbers, VOLUNTEERS).await?;
    let took = began.elapsed().as_secs_f64();
    let mut report = Report::of(contacts);
    report.add("contacts_dialled_twice", drained.rung_twice.len() as f64, Some(Goal::Is(0.0)), "");
    report.add("leases_shared", drained.leases_shared as f64, Some(Goal::Is(0.0)), "");
    report.add("contacts_left", drained.never_rung.len() as f64, Some(Goal::Is(0.0)), "");
    report.add("attempts_without_outcome", drained.without_outcome as f64, Some(Goal::Is(0.0)), "");
    report.add("invites", drained.invites as f64, Some(Goal::Is(contacts as f64)), "at the provider");
    report.add("seconds", took, None, "eight volunteers at once");
    Ok(report)
}
