//! The app in its real window: how fast a press becomes an INVITE, how long sound takes there and back, what it
//! costs.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use e2e::{
    canary::descendants,
    child::poll,
    desktop::Desktop,
    listening,
    pbx::project,
    report::{Goal, Report, quantile},
    sound::Sound,
    window::{PATIENCE, Window},
    wire::{Datagram, Wire},
    world::{World, number},
};

/// The callee who gives back what is said.
const ECHO: &str = "+447700900097";
const CPU_FOR: Duration = Duration::from_secs(30);
const BURSTS: u32 = 12;
/// So long a volunteer's calls are apart, from dialling to dialling; the server holds back what comes sooner
/// (`dialler::pace`), and a call of a moment as here is nobody's.
const BETWEEN_DIALS: Duration = Duration::from_millis(3_100);

/// A volunteer before the window, the line up.
struct Seat {
    world: World,
    desktop: Desktop,
    window: Window,
    first_paint_ms: f64,
}

/// Adds the figures of the window.
pub async fn measure(report: &mut Report, presses: usize, seed: u64) -> Result<()> {
    let round_trips = echoes(seed).await?;
    let mut numbers = vec![ECHO.to_owned()];
    numbers.extend((0..presses).map(|n| number(1, n as u8)));
    let world = World::with(&numbers).await?;
    let desktop = Desktop::start(&world.home()?, world.folder.path(), true).await?;
    let Seat { world, desktop: _desktop, window, first_paint_ms: first_paint } =
        sit_down(world, desktop).await?;
    talk(&window).await?;
    let processes = descendants(window.driver());
    let before = cpu_s(&processes);
    tokio::time::sleep(CPU_FOR).await;
    let cpu = (cpu_s(&processes) - before) * 60.0 / CPU_FOR.as_secs_f64();
    let memory = pss_mib(&processes);
    window.press("Hang up").await?;
    window.press("1, Reached").await?;

    let invites = presses_to_invites(&window, &world, presses).await?;
    report.add(
        "press_to_invite_ms_p50",
        quantile(&invites, 0.5),
        Some(Goal::Under(50.0)),
        "from the DOM event to the INVITE at the provider",
    );
    report.add("press_to_invite_ms_p95", quantile(&invites, 0.95), None, "");
    // Peers: medians of November 2026, another machine of this kind; side by side they come with the softphone's bench.
    report.add(
        "mouth_to_ear_roundtrip_ms_p50",
        quantile(&round_trips, 0.5),
        Some(Goal::Aim(68.0)),
        "Opus, Echo behind the provider (2026-11, without it: linphone 105, chromium 106, baresip 156-236)",
    );
    report.add("mouth_to_ear_bursts", round_trips.len() as f64, None, "found again");
    report.add(
        "pss_in_call_mib",
        memory,
        Some(Goal::Aim(0.55 * 415.0)),
        "all processes of the app (2026-11: baresip 14, linphone 55, chromium 415)",
    );
    report.add(
        "first_paint_ms",
        first_paint,
        Some(Goal::Aim(450.0)),
        "from the start of the process (2026-11, an empty window: 332-630)",
    );
    report.add(
        "cpu_s_per_min_in_call",
        cpu,
        Some(Goal::Aim(5.4)),
        "window included (2026-11, without one: baresip 2.3, chromium 5.4, linphone 5.6)",
    );
    window.close().await;
    Ok(())
}

/// A desktop of its own: two devices on one clock cut sound into pieces of half a millisecond, which costs the app
/// six times what real ones do.
async fn echoes(seed: u64) -> Result<Vec<f64>> {
    let world = World::with(&[ECHO.to_owned()]).await?;
    let desktop = Desktop::start_on_one_clock(&world.home()?, world.folder.path()).await?;
    let seat = sit_down(world, desktop).await?;
    talk(&seat.window).await?;
    let took = round_trips(&seat.desktop, &seat.world, seed).await?;
    seat.window.close().await;
    Ok(took)
}

async fn sit_down(world: World, desktop: Desktop) -> Result<Seat> {
    let app = std::env::var_os("RINGROUND_APP")
        .map_or_else(|| project().join("target/debug/ringround"), PathBuf::from);
    let window = Window::open(&app, &desktop, &[], &world.folder.path().join("app.log")).await?;
    let field = window.wait_for("textbox", "Invitation link").await?;
    let first_paint_ms = first_paint_ms(&window).await?;
    window.paste(&field, &world.server.invite("Maya")?.text()).await?;
    window.press("Join").await?;
    window.press("Start calling").await?;
    Ok(Seat { world, desktop, window, first_paint_ms })
}

async fn talk(window: &Window) -> Result<()> {
    window.press("Call Callee").await?;
    window.wait_for_text("Talking with", PATIENCE).await
}

/// Presses Call for callees who are busy, and waits for the next card and for a volunteer's pace each time.
async fn presses_to_invites(window: &Window, world: &World, presses: usize) -> Result<Vec<f64>> {
    let provider = world.provider.address().port();
    let wire = Wire::watch(&world.server.networks.server, move |d: &Datagram| {
        d.to.port() == provider && d.is_first_invite()
    })?;
    let listen = "window.pressed = 0;
        addEventListener('click', e => window.pressed = performance.timeOrigin + e.timeStamp, true)";
    window.run(listen, vec![]).await?;
    let mut took = Vec::new();
    for n in 0..presses {
        wire.take();
        window.press("Call Callee").await?;
        let came = || async { !wire.seen().is_empty() };
        poll("the INVITE at the provider", Duration::from_secs(5), came).await?;
        let pressed = window.run("return window.pressed", vec![]).await?.as_f64().context("a time")?;
        let invited = wire.seen().first().map(|d| d.at).context("it came")?;
        took.push(epoch_ms(invited) - pressed);
        let last = &number(1, n as u8)[10..];
        window.wait_for_text(&format!("Callee {last}: busy, saved"), PATIENCE).await?;
        tokio::time::sleep(BETWEEN_DIALS.saturating_sub(invited.elapsed()?)).await;
    }
    eprintln!("presses: {took:.1?}");
    Ok(took)
}

/// Bursts at random distances go into the microphone; both they and their echo are recorded on one clock.
async fn round_trips(desktop: &Desktop, world: &World, seed: u64) -> Result<Vec<f64>> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut said = Sound::silence(48_000, 500);
    let mut bursts = Vec::new();
    for n in 0..BURSTS {
        let burst = Sound::marker(seed + u64::from(n) + 1_000, 48_000, 400);
        let at = said.milliseconds();
        said = said.then(&burst).then(&Sound::silence(48_000, 700 + chance.u32(..500)));
        bursts.push((at, burst));
    }
    let file = world.folder.path().join("both.wav");
    let recording = desktop.sound.record_both(&file)?;
    let playing = desktop.sound.say(&said)?;
    tokio::time::sleep(Duration::from_millis(said.milliseconds() as u64 + 1_500)).await;
    drop(playing);
    recording.finish()?;
    let (heard, spoken) = Sound::read_two(&file)?;
    let mut took = Vec::new();
    for (at, burst) in bursts {
        // The recording began up to half a second before the first word; an echo comes within another second.
        let (spoken, heard) = (spoken.part(at, 2_000), heard.part(at, 2_000));
        let (out, back) = (listening::frames(&burst, &spoken), listening::frames(&burst, &heard));
        // Two codecs bend the wave; another burst, or none, is below 200.
        if out.likeness > 900 && back.likeness > 400 {
            took.push((back.delay_us - out.delay_us) as f64 / 1000.0);
        }
    }
    eprintln!("round trips: {took:.1?}");
    Ok(took)
}

/// W3C Paint Timing, against the start of the app's process as the kernel knows it (in steps of 10 ms).
async fn first_paint_ms(window: &Window) -> Result<f64> {
    let script = "const paint = performance.getEntriesByName('first-contentful-paint')[0];
        return paint ? performance.timeOrigin + paint.startTime : null";
    let painted = window.run(script, vec![]).await?.as_f64().context("WebKit tells no first paint")?;
    let children = descendants(window.driver());
    let started = children.iter().filter_map(|id| started_ms(*id)).fold(f64::INFINITY, f64::min);
    Ok(painted - started)
}

/// proc(5): field 22 of stat, in ticks since the machine's start.
fn started_ms(id: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let up = std::fs::read_to_string("/proc/uptime").ok()?;
    let up: f64 = up.split(' ').next()?.parse().ok()?;
    Some(epoch_ms(SystemTime::now()) - up * 1000.0 + ticks * 10.0)
}

fn epoch_ms(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).map_or(f64::NAN, |since| since.as_secs_f64() * 1000.0)
}

/// proc(5): fields 14 and 15 of stat, in ticks of 10 ms.
fn cpu_s(processes: &[u32]) -> f64 {
    let of_one = |id: &u32| -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some((user + system) / 100.0)
    };
    processes.iter().filter_map(of_one).sum()
}

/// Proportional set size: shared pages are divided among those who share them.
fn pss_mib(processes: &[u32]) -> f64 {
    let of_one = |id: &u32| -> Option<f64> {
        let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    processes.iter().filter_map(of_one).sum::<f64>() / 1024.0
}
