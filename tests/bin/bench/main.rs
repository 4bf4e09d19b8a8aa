//! The benches: each prints its figures beside their goals and writes `target/bench/NAME.json`.

mod call;
mod faults;
mod first_words;
mod theft;
mod two_machines;
mod volunteers;
mod window;

use std::{io::Write, path::Path, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use e2e::{pbx::project, report::Report};

/// Measures the real thing: real Asterisk, real server, the real window. Ends with 0 when every goal is reached.
#[derive(Parser)]
enum Bench {
    /// From the press of Call to the callee's first word in the ear; memory, and time of the processor
    Call(call::Options),
    /// Kills parts in the middle of calls, and counts what was lost
    Faults(faults::Options),
    /// A volunteer on another computer, over IPv4 and over IPv6: lines, first words, and a network without UDP
    TwoMachines(two_machines::Options),
    /// Eight volunteers call a list of two hundred at once
    Volunteers(volunteers::Options),
    /// A program with a stolen sign-in reads and empties a list, for five minutes
    Theft(theft::Options),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let folder = project().join("target/bench");
    let reached = match Bench::parse() {
        Bench::Call(options) => finish(call::run(&options).await?, &folder.join("call.json"))?,
        Bench::Faults(options) => faults::run(&options, &folder).await?,
        Bench::TwoMachines(options) => {
            finish(two_machines::run(&options).await?, &folder.join("two-machines.json"))?
        }
        Bench::Volunteers(options) => {
            finish(volunteers::run(&options).await?, &folder.join("volunteers.json"))?
        }
        Bench::Theft(options) => finish(theft::run(&options).await?, &folder.join("theft.json"))?,
    };
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn finish(report: Report, file: &Path) -> Result<bool> {
    report.write(file)?;
    write!(std::io::stdout(), "{}", report.table())?;
    Ok(report.all_reached())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_scripts_help_names_each_bench_with_its_options() {
        let help = fs::read_to_string(project().join("scripts/bench")).expect("it is there");
        let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut bench = String::new();
        for line in help.lines().filter_map(|line| line.strip_prefix("#   ")) {
            if !line.starts_with(' ') {
                bench = line.split(' ').next().unwrap_or_default().to_owned();
            }
            let options = line.split("  ").filter_map(|option| option.trim().strip_prefix("--"));
            named.entry(bench.clone()).or_default().extend(options.map(str::to_owned));
        }
        for sub in Bench::command().get_subcommands() {
            let options: Vec<String> = sub
                .get_arguments()
                .filter_map(|option| {
                    let default = option.get_default_values().first().map(|value| value.to_string_lossy());
                    let value = match option.get_id().as_str() {
                        "fault" => "NAME".into(),
                        _ => default.filter(|value| value != "false").unwrap_or_default(),
                    };
                    Some(format!("{} {value}", option.get_long()?).trim().to_owned())
                })
                .collect();
            assert_eq!(named.get(sub.get_name()), Some(&options), "{}", sub.get_name());
        }
    }
}
