//! Figures: a table with the goal beside each, and a flat file of JSON.

use std::{fmt::Write, path::Path};

use anyhow::Result;
use serde_json::{Map, Value, json};

/// What was measured.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    runs: usize,
    load: f64,
}

#[derive(Debug)]
struct Row {
    name: String,
    value: f64,
    goal: Option<Goal>,
    note: String,
}

impl Row {
    /// What could not be measured reached nothing, whether there is a goal or not.
    fn mark(&self) -> &'static str {
        if self.value.is_nan() { "MISSED" } else { self.goal.map_or("", |goal| goal.mark(self.value)) }
    }
}

/// What a figure must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// Less than.
    Under(f64),
    /// Exactly.
    Is(f64),
    /// At least.
    AtLeast(f64),
    /// Less than, one day: shown beside the figure, and not held against the run.
    Aim(f64),
}

impl Goal {
    fn reached(self, value: f64) -> bool {
        match self {
            Goal::Under(most) => value < most,
            Goal::Is(wanted) => (value - wanted).abs() < 1e-9,
            Goal::AtLeast(least) => value >= least,
            Goal::Aim(most) => value < most,
        }
    }

    fn mark(self, value: f64) -> &'static str {
        match self {
            Goal::Under(_) | Goal::Is(_) | Goal::AtLeast(_) if !self.reached(value) => "MISSED",
            Goal::Aim(_) if !self.reached(value) => "later",
            Goal::Under(_) | Goal::Is(_) | Goal::AtLeast(_) | Goal::Aim(_) => "ok",
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Goal::Under(most) => write!(f, "< {most}"),
            Goal::Is(wanted) => write!(f, "= {wanted}"),
            Goal::AtLeast(least) => write!(f, ">= {least}"),
            Goal::Aim(most) => write!(f, "(< {most})"),
        }
    }
}

impl Report {
    /// A report on so many runs (presses, calls, rounds), begun before them: the load is that of other programs.
    pub fn of(runs: usize) -> Self {
        Self { rows: Vec::new(), runs, load: load() }
    }

    /// How many runs it is on.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Adds a figure; the note says what peers reached, or how it was measured.
    pub fn add(&mut self, name: &str, value: f64, goal: Option<Goal>, note: &str) {
        self.rows.push(Row { name: name.to_owned(), value, goal, note: note.to_owned() });
    }

    /// Whether every goal was reached; what is only aimed at does not count.
    pub fn all_reached(&self) -> bool {
        self.rows.iter().all(|row| row.mark() != "MISSED")
    }

    /// The table.
    pub fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let mut table = String::new();
        for row in &self.rows {
            let goal = row.goal.map_or_else(|| "-".to_owned(), |goal| goal.to_string());
            let mark = row.mark();
            let _ = writeln!(
                table,
                "{:width$} {:>10} {goal:>8} {mark:6} {}",
                row.name,
                round(row.value),
                row.note
            );
        }
        table
    }

    /// Writes `{figure: number, .., machine, load, runs}`, without what could not be measured.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let measured = self.rows.iter().filter(|row| !row.value.is_nan());
        let mut all: Map<String, Value> =
            measured.map(|row| (row.name.clone(), json!(round(row.value)))).collect();
        all.insert("machine".into(), machine().into());
        all.insert("load".into(), self.load.into());
        all.insert("runs".into(), self.runs.into());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(std::fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?)
    }
}

/// The value below which `part` (0 to 1) of the values lie, by linear interpolation; NaN of none.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = part * last as f64;
    let (below, above) = (sorted[place as usize], sorted[(place as usize + 1).min(last)]);
    below + (above - below) * place.fract()
}

/// Processor, number of cores, memory, system and kernel.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (processor, memory, system) = (read("/proc/cpuinfo"), read("/proc/meminfo"), read("/etc/os-release"));
    let model = processor.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.unwrap_or("unknown processor").trim_start_matches(['\t', ' ', ':']);
    let cores = cores();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let gib = kib.and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0 / 1024.0;
    let name = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.unwrap_or("unknown system").trim_matches('"');
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, {gib:.0} GiB, {name}, Linux {}", kernel.trim())
}

/// As many threads can run at once here.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

/// Load of the last minute.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_goal_is_said() {
        let mut report = Report::of(3);
        report.add("press_to_invite_ms_p50", quantile(&[1.0, 3.0, 2.0], 0.5), Some(Goal::Under(50.0)), "");
        assert!(report.all_reached());
        report.add("first_word_lost_ms", 10.0, Some(Goal::Is(0.0)), "");
        assert!(!report.all_reached() && report.table().contains("MISSED"), "{}", report.table());
        let file = tempfile::NamedTempFile::new().expect("a file");
        report.write(file.path()).expect("written");
        let json: Value = serde_json::from_slice(&std::fs::read(file.path()).expect("read")).expect("json");
        assert_eq!((&json["press_to_invite_ms_p50"], &json["runs"]), (&json!(2.0), &json!(3)));
        let flat = json.as_object().expect("an object").iter();
        assert!(flat.filter(|(name, _)| *name != "machine").all(|(_, value)| value.is_number()), "{json}");
        let machine = json["machine"].as_str().expect("a text");
        assert!(
            machine.contains(" cores, ") && !machine.contains("unknown") && !machine.contains("NaN"),
            "{machine}"
        );
    }

    #[test]
    fn what_is_only_aimed_at_is_shown_and_not_held_against_the_run() {
        let mut report = Report::of(1);
        report.add("first_paint_ms", 500.0, Some(Goal::Aim(450.0)), "");
        assert!(report.all_reached() && report.table().contains("later"), "{}", report.table());
    }

    #[test]
    fn a_figure_that_could_not_be_measured_reaches_no_goal_and_is_not_written() {
        let goals = [Goal::Under(50.0), Goal::Is(0.0), Goal::AtLeast(20.0), Goal::Aim(50.0)].map(Some);
        for goal in goals.into_iter().chain([None]) {
            let mut report = Report::of(0);
            report.add("press_to_invite_ms_p50", quantile(&[], 0.5), goal, "");
            assert!(!report.all_reached() && report.table().contains("MISSED"), "{goal:?}");
            let file = tempfile::NamedTempFile::new().expect("a file");
            report.write(file.path()).expect("written");
            let json = std::fs::read_to_string(file.path()).expect("read");
            assert!(!json.contains("press_to_invite_ms_p50"), "{json}");
        }
    }
}
