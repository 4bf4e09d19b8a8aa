//! The benches: each prints its figures beside their goals and writes `target/bench/NAME.json`.

#[path = "bench/faults.rs"]
mod faults;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use e2e::pbx::project;

/// Measures the real thing.
#[derive(Parser)]
enum Bench {
    /// Kills parts in the middle of calls, and counts what was lost
    Faults(faults::Options),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let folder = project().join("target/bench");
    let reached = match Bench::parse() {
        Bench::Faults(options) => faults::run(&options, &folder).await?,
    };
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
