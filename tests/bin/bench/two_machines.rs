//! The server on one machine and a volunteer on another, over IPv4 alone and over IPv6 alone.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use e2e::{
    child::poll,
    desktop::Desktop,
    networks::Family,
    report::{Goal, Report, quantile},
    volunteer::Volunteer,
    window::{PATIENCE, Window, app},
    world::{World, number},
};
use protocol::{line::Line, session::Session};

use crate::first_words::{self, Evening};

/// Options of `bench two-machines`.
#[derive(Debug, Args)]
pub struct Options {
    /// Lines to open over each family
    #[arg(long, default_value_t = 100)]
    lines: usize,
    /// Calls over each family whose first words are listened to
    #[arg(long, default_value_t = 10)]
    calls: usize,
    /// So often UDP is held back before Start, and so often while the line waits for a call
    #[arg(long, default_value_t = 5)]
    without_udp: usize,
    /// What chance is made of
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The window's words.
const TOLD: &str = "Sound does not get through to the server.";
/// A computer may open no more lines in a row than this, and some (server/src/http/limits.rs).
const LINES_OF_ONE: usize = 10;
/// A line that takes longer is not up.
const LINE_PATIENCE: Duration = Duration::from_secs(8);

/// What was measured over a family.
#[derive(Debug, Clone)]
struct Way {
    /// From the request for a line to the word that sound gets through, each that came up.
    up_ms: Vec<f64>,
    lost_ms: f64,
    frames: usize,
    /// The part of the packets of sound that took this family; NaN where there were none.
    of_family: f64,
    /// From UDP's being held back to the word of it, in the real window and by status.
    told_ms: Vec<f64>,
}

/// All of it.
pub async fn run(options: &Options) -> Result<Report> {
    let mut report = Report::of(options.lines);
    let mut ways = Vec::new();
    for family in [Family::V4, Family::V6] {
        let up_ms = open_lines(family, options.lines).await?;
        let evening = Evening {
            family,
            calls: options.calls,
            seed: options.seed,
            first_idle: Duration::from_secs(10),
            most_idle: Duration::from_secs(5),
        };
        let words = first_words::measure(&evening).await.with_context(|| format!("{family:?}"))?;
        let of_family = words.by_family as f64 / (words.by_family + words.astray) as f64;
        let told_ms =
            without_udp(family, options.without_udp).await.with_context(|| format!("{family:?}"))?;
        ways.push(Way { up_ms, lost_ms: words.lost_ms, frames: words.frames, of_family, told_ms });
    }
    fill(&mut report, &ways);
    Ok(report)
}

/// The worse of both families, and each.
fn fill(report: &mut Report, ways: &[Way]) {
    let [v4, v6] = ways else { return };
    let all = Some(Goal::Is(report.runs() as f64));
    let up = |way: &Way| way.up_ms.len() as f64;
    report.add("lines_up", up(v4).min(up(v6)), all, "of as many, over the worse family");
    report.add("ipv4_lines_up", up(v4), all, "");
    report.add("ipv6_lines_up", up(v6), all, "");
    let both: Vec<f64> = ways.iter().flat_map(|way| way.up_ms.iter().copied()).collect();
    report.add(
        "up_ms_p95",
        quantile(&both, 0.95),
        Some(Goal::Under(500.0)),
        "from the request for a line to the word that sound gets through",
    );
    report.add("up_ms_p50", quantile(&both, 0.5), None, "");
    let none = Some(Goal::Is(0.0));
    report.add("first_word_lost_ms", v4.lost_ms.max(v6.lost_ms), none, "over the worse family");
    report.add("ipv4_first_word_lost_ms", v4.lost_ms, none, "");
    report.add("ipv6_first_word_lost_ms", v6.lost_ms, none, "");
    let fewest = v4.frames.min(v6.frames) as f64;
    report.add("first_word_frames", fewest, Some(Goal::AtLeast(1.0)), "10 ms frames looked for, over each");
    for (name, way) in [("ipv4_sound_over_ipv4", v4), ("ipv6_sound_over_ipv6", v6)] {
        report.add(
            name,
            way.of_family,
            Some(Goal::Is(1.0)),
            "part of the packets of sound, seen at the server",
        );
    }
    let slowest = |way: &Way| way.told_ms.iter().copied().fold(f64::NAN, f64::max);
    let soon = Some(Goal::Under(5_000.0));
    report.add(
        "told_ms_max",
        slowest(v4).max(slowest(v6)),
        soon,
        "in the real window and by status, from the press of Start or from when UDP is held back; the worse family",
    );
    report.add("ipv4_told_ms_max", slowest(v4), soon, "");
    report.add("ipv6_told_ms_max", slowest(v6), soon, "");
    let told = (v4.told_ms.len() + v6.told_ms.len()) as f64;
    report.add("told", told, None, "times that UDP was held back");
}

/// One after the other, as a volunteer starts and finishes.
async fn open_lines(family: Family, count: usize) -> Result<Vec<f64>> {
    let world = World::with(&[number(0, 1)]).await?;
    let mut maya = world.volunteer_by(family, "Maya").await?;
    let mut up_ms = Vec::new();
    for n in 0..count {
        if n > 0 && n.is_multiple_of(LINES_OF_ONE) {
            maya = world.volunteer_by(family, "Maya").await?;
        }
        maya.session("start").await?;
        let since = Instant::now();
        maya.open_line().await?;
        let up = maya.until_within("the line", LINE_PATIENCE, |desk| desk.line == Line::Up).await;
        match up {
            Ok(_) => up_ms.push(since.elapsed().as_secs_f64() * 1_000.0),
            Err(error) => eprintln!("{family:?} line {n}: {error}"),
        }
        finish(&maya).await?;
    }
    eprintln!("{family:?}: {} of {count} lines up", up_ms.len());
    Ok(up_ms)
}

async fn finish(maya: &Volunteer) -> Result<()> {
    maya.session("stop").await?;
    maya.until("the end", |desk| desk.session == Session::Ended && desk.line == Line::Down).await?;
    maya.handset.until("the end of the line", LINE_PATIENCE, |now| now.line.is_none()).await?;
    Ok(())
}

/// The volunteer and the organiser are told, and nobody is rung.
async fn without_udp(family: Family, rounds: usize) -> Result<Vec<f64>> {
    let world = World::with(&[number(0, 1)]).await?;
    let home = world.server.networks.home_of(family)?;
    let desktop = Desktop::start(&home, world.folder.path(), true).await?;
    let link = world.server.invite_by(family, "Maya")?.text();
    let log = world.folder.path().join("app.log");
    let window = Window::open_with(&app(), &[&link], &desktop, &[], &log).await?;
    let networks = &world.server.networks;
    let mut told_ms = Vec::new();
    for round in 0..rounds {
        let start = if round == 0 { "Start calling" } else { "Start again" };
        window.wait_for("button", start).await?;
        networks.hold_back_udp(&home)?;
        window.press(start).await?;
        told_ms.push(told(&world, &window).await?);
        networks.let_udp_through(&home)?;
        window.wait_for("button", "Call Callee").await?;
        networks.hold_back_udp(&home)?;
        told_ms.push(told(&world, &window).await?);
        networks.let_udp_through(&home)?;
        window.wait_for("button", "Call Callee").await?;
        ensure!(world.provider.records().arrivals()?.is_empty(), "somebody was rung");
        finish_in_the_window(&window).await?;
    }
    window.close().await;
    Ok(told_ms)
}

async fn told(world: &World, window: &Window) -> Result<f64> {
    let since = Instant::now();
    window.wait_for_text(TOLD, PATIENCE).await?;
    let said = || async {
        world.server.command(&["status"]).is_ok_and(|said| said.contains("does not get through to Maya"))
    };
    poll("the organiser's status", PATIENCE, said).await?;
    let took = since.elapsed().as_secs_f64() * 1_000.0;
    eprintln!("told after {took:.0} ms");
    Ok(took)
}

async fn finish_in_the_window(window: &Window) -> Result<()> {
    window.press("More").await?;
    window.press("Finish for today").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(ways: &[Way]) -> bool {
        let mut report = Report::of(2);
        fill(&mut report, ways);
        report.all_reached()
    }

    #[test]
    fn one_thing_wrong_misses_the_goal() {
        let fine = || Way {
            up_ms: vec![30.0, 40.0],
            lost_ms: 0.0,
            frames: 400,
            of_family: 1.0,
            told_ms: vec![3_200.0],
        };
        assert!(reached(&[fine(), fine()]));
        for wrong in [
            Way { up_ms: vec![30.0], ..fine() },
            Way { up_ms: vec![30.0, 600.0], ..fine() },
            Way { lost_ms: 10.0, ..fine() },
            Way { frames: 0, ..fine() },
            Way { of_family: 0.99, ..fine() },
            Way { of_family: f64::NAN, ..fine() },
            Way { told_ms: vec![3_200.0, 5_100.0], ..fine() },
            Way { told_ms: vec![], ..fine() },
        ] {
            assert!(!reached(&[fine(), wrong.clone()]), "IPv6: {wrong:?}");
            assert!(!reached(&[wrong.clone(), fine()]), "IPv4: {wrong:?}");
        }
    }
}
