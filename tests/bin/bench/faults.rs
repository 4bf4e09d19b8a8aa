//! `bench faults`: each fault many times over. Every round is a line of `target/bench/faults.jsonl`, so that a run that
//! was broken off goes on where it was; the figures are sums over that file.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use clap::Args;
use e2e::{
    faults::{Fault, Round, SETTLED_AFTER, Seen, Stage, Watched},
    pbx::project,
    report::{Goal, Report, quantile},
};
use futures_util::{StreamExt, stream};

/// Options of `bench faults`.
#[derive(Debug, Args)]
pub struct Options {
    /// Only this fault: app-in-wrap-up, app-in-call, server-in-call, server-while-ringing, server-at-any-moment,
    /// asterisk-in-call, cable-in-call, read-only, disk-full
    #[arg(long)]
    fault: Option<String>,
    /// So many rounds of each; those of earlier runs count
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// So many at once, each with a network, a node and a server of its own
    #[arg(long, default_value_t = 2)]
    at_once: usize,
    /// Volunteers without windows: quicker, and nothing is heard of what a screen reader says. Otherwise each round
    /// is in the app's real window; RINGROUND_APP names the app
    #[arg(long)]
    no_window: bool,
    /// Forgets the rounds of earlier runs
    #[arg(long)]
    anew: bool,
}

/// One round, as it is kept.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Line {
    fault: String,
    seed: u64,
    /// In the app's real window.
    #[serde(default)]
    window: bool,
    /// Sentences that should have been said to a screen reader, and were not.
    #[serde(default)]
    untold: Vec<String>,
    /// From the return of everything to the next card.
    #[serde(default)]
    next_card_ms: u64,
    #[serde(flatten)]
    round: Round,
    /// Why the evening could not go on, if it could not.
    broken: Option<String>,
}

/// Where rounds are kept.
struct Ledger {
    file: PathBuf,
    lines: Mutex<Vec<Line>>,
}

/// Runs the rounds that are missing, prints the table and writes `faults.json`; true when every goal was reached.
///
/// # Errors
/// When the files cannot be written, or there is no such fault.
pub async fn run(options: &Options, folder: &Path) -> Result<bool> {
    std::fs::create_dir_all(folder)?;
    let ledger = Arc::new(Ledger::open(folder.join("faults.jsonl"), options.anew)?);
    let wanted: Vec<Fault> = Fault::ALL
        .into_iter()
        .filter(|fault| options.fault.as_deref().is_none_or(|name| name == fault.name()))
        .collect();
    anyhow::ensure!(!wanted.is_empty(), "no such fault; --help names them");
    let work = wanted.iter().map(|fault| rounds(*fault, options, &ledger));
    let mut work = stream::iter(work).buffer_unordered(options.at_once.max(1));
    while let Some(done) = work.next().await {
        done?;
    }
    drop(work);
    let report = ledger.report(&ledger.known(&wanted), options);
    report.write(&folder.join("faults.json"))?;
    write!(std::io::stdout(), "{}", report.table())?;
    Ok(report.all_reached())
}

/// A volunteer without a window, or with one.
enum On {
    Headless(Box<Stage>),
    Window(Box<Watched>),
}

impl On {
    async fn set(fault: Fault, window: bool) -> Result<Self> {
        if !window {
            return Ok(Self::Headless(Box::new(Stage::set(fault).await?)));
        }
        let app = std::env::var_os("RINGROUND_APP")
            .map_or_else(|| project().join("target/debug/ringround"), PathBuf::from);
        Ok(Self::Window(Box::new(Watched::set(fault, &app).await?)))
    }

    async fn round(&mut self, seed: u64) -> Result<Seen> {
        match self {
            On::Headless(stage) => {
                let back = stage.strike(seed).await?;
                let next_card_after = back.elapsed();
                let round = stage.count(back + SETTLED_AFTER).await?;
                Ok(Seen { round, untold: Vec::new(), next_card_after })
            }
            On::Window(watched) => watched.round(seed).await,
        }
    }

    fn logs(&self) -> String {
        match self {
            On::Headless(stage) => stage.world.logs(),
            On::Window(watched) => watched.world.logs(),
        }
    }
}

async fn rounds(fault: Fault, options: &Options, ledger: &Ledger) -> Result<()> {
    let mut stage = None;
    let mut before = Round::default();
    for round in ledger.done(fault, !options.no_window)..options.rounds {
        let on = match &mut stage {
            Some(stage) => stage,
            None => {
                before = Round::default();
                stage.insert(On::set(fault, !options.no_window).await.with_context(|| fault.name())?)
            }
        };
        let seed = fastrand::u64(..);
        let mut line = Line {
            fault: fault.name().to_owned(),
            seed,
            window: !options.no_window,
            untold: Vec::new(),
            next_card_ms: 0,
            round: Round::default(),
            broken: None,
        };
        match on.round(seed).await {
            Ok(seen) => {
                line.round = since(seen.round, std::mem::replace(&mut before, seen.round));
                line.untold = seen.untold;
                line.next_card_ms = u64::try_from(seen.next_card_after.as_millis()).unwrap_or(u64::MAX);
            }
            Err(error) => line.broken = Some(format!("{error:#}")),
        }
        let fine = line.broken.is_none() && line.round.is_clean() && line.untold.is_empty();
        let said = line.broken.clone().unwrap_or_else(|| format!("{:?} {:?}", line.round, line.untold));
        writeln!(std::io::stderr(), "{} {}/{} seed {seed}: {said}", fault.name(), round + 1, options.rounds)?;
        if !fine {
            let logs = ledger.file.with_file_name(format!("faults-{}-{seed}.log", fault.name()));
            std::fs::write(logs, on.logs())?;
        }
        ledger.keep(line)?;
        // A stage on which something went wrong tells no more.
        if !fine {
            stage = None;
        }
    }
    Ok(())
}

fn since(now: Round, before: Round) -> Round {
    Round {
        callees: now.callees - before.callees,
        outcomes_pressed: now.outcomes_pressed - before.outcomes_pressed,
        without_outcome: now.without_outcome.saturating_sub(before.without_outcome),
        outcomes_lost: now.outcomes_lost.saturating_sub(before.outcomes_lost),
        callees_dialled_twice: now.callees_dialled_twice.saturating_sub(before.callees_dialled_twice),
        stuck_lines: now.stuck_lines.saturating_sub(before.stuck_lines),
    }
}

impl Ledger {
    fn open(file: PathBuf, anew: bool) -> Result<Self> {
        if anew && file.exists() {
            std::fs::remove_file(&file)?;
        }
        let text = if file.exists() { std::fs::read_to_string(&file)? } else { String::new() };
        let lines = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        let lines = lines.with_context(|| format!("{}: use --anew", file.display()))?;
        Ok(Self { file, lines: Mutex::new(lines) })
    }

    fn done(&self, fault: Fault, window: bool) -> usize {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| line.fault == fault.name() && line.window == window).count()
    }

    /// Those that were asked for, and those of earlier runs.
    fn known(&self, asked: &[Fault]) -> Vec<Fault> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            |fault: &Fault| asked.contains(fault) || lines.iter().any(|line| line.fault == fault.name());
        Fault::ALL.into_iter().filter(known).collect()
    }

    fn keep(&self, line: Line) -> Result<()> {
        let mut file = std::fs::File::options().create(true).append(true).open(&self.file)?;
        writeln!(file, "{}", serde_json::to_string(&line)?)?;
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        Ok(())
    }

    fn report(&self, faults: &[Fault], options: &Options) -> Report {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&Line> =
            lines.iter().filter(|line| faults.iter().any(|fault| fault.name() == line.fault)).collect();
        let sum = |of: fn(&Line) -> usize| lines.iter().map(|line| of(line)).sum::<usize>() as f64;
        let mut report = Report::of(lines.len());
        for fault in faults {
            let name = format!("rounds_{}", fault.name().replace('-', "_"));
            let done = lines.iter().filter(|line| line.fault == fault.name()).count();
            let watched = lines.iter().filter(|line| line.fault == fault.name() && line.window).count();
            let note = format!("{watched} of them in the real window");
            report.add(&name, done as f64, Some(Goal::AtLeast(options.rounds as f64)), &note);
        }
        let none = Some(Goal::Is(0.0));
        report.add("callees", sum(|line| line.round.callees), None, "numbers the provider was asked to ring");
        report.add("outcomes_pressed", sum(|line| line.round.outcomes_pressed), None, "");
        report.add("outcomes_lost", sum(|line| line.round.outcomes_lost), none, "10 s after the return");
        report.add(
            "callees_dialled_twice",
            sum(|line| line.round.callees_dialled_twice),
            none,
            "INVITEs at the provider",
        );
        report.add(
            "stuck_lines",
            sum(|line| line.round.stuck_lines),
            none,
            "channels in Asterisk, 10 s after",
        );
        if lines.iter().any(|line| line.window) {
            let note = "sentences that the live regions did not say, in the window";
            report.add("untold", sum(|line| line.untold.len()), none, note);
        }
        report.add(
            "without_outcome",
            sum(|line| line.round.without_outcome),
            none,
            "callees rung, and none read",
        );
        report.add(
            "evenings_broken",
            sum(|line| usize::from(line.broken.is_some())),
            none,
            "no next card within 45 s",
        );
        report.add(
            "counted_late",
            sum(|line| usize::from(u128::from(line.next_card_ms) > SETTLED_AFTER.as_millis())),
            none,
            "rounds without a next card, and so without a count, 10 s after the return",
        );
        let next_card: Vec<f64> = lines.iter().map(|line| line.next_card_ms as f64).collect();
        report.add("next_card_ms_p50", quantile(&next_card, 0.5), None, "after the return");
        report.add("next_card_ms_p95", quantile(&next_card, 0.95), None, "");
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round as it stands in the file, with one count changed.
    fn reached(changed: &str, to: &str) -> bool {
        let line = r#"{"fault":"app-in-call","seed":1,"window":true,"untold":[],"callees":1,"outcomes_pressed":1,
            "without_outcome":0,"outcomes_lost":0,"callees_dialled_twice":0,"stuck_lines":0,"next_card_ms":0,"broken":null}"#;
        let line =
            line.replace('\n', "").replace(&format!("\"{changed}\":0"), &format!("\"{changed}\":{to}"));
        let line = line.replace(&format!("\"{changed}\":[]"), &format!("\"{changed}\":{to}"));
        let line = line.replace(&format!("\"{changed}\":null"), &format!("\"{changed}\":{to}"));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("faults.jsonl");
        std::fs::write(&file, line + "\n").expect("written");
        let ledger = Ledger::open(file, false).expect("a ledger");
        let options = Options { fault: None, rounds: 1, at_once: 1, no_window: false, anew: false };
        ledger.report(&[Fault::AppInCall], &options).all_reached()
    }

    #[test]
    fn one_thing_wrong_in_one_round_misses_the_goal() {
        assert!(reached("", ""), "a clean round");
        for count in ["without_outcome", "outcomes_lost", "callees_dialled_twice", "stuck_lines"] {
            assert!(!reached(count, "1"), "{count}");
        }
        assert!(!reached("untold", r#"["The server is back"]"#));
        assert!(!reached("broken", r#""still no next card""#));
        assert!(reached("next_card_ms", "10000") && !reached("next_card_ms", "10001"));
    }
}
