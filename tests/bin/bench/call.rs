//! From the press of Call to the first word in the ear.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use e2e::{
    handset::Handset,
    networks::Family,
    report::{Goal, Report, quantile},
    volunteer::{PATIENCE, settings},
    world::World,
};
use softphone::Registration;

use crate::first_words::Evening;

/// Fewer than the tunnels that the server gives one device at once.
const REGISTRATIONS: usize = 8;

/// Options of `bench call`.
#[derive(Debug, Args)]
pub struct Options {
    /// Presses of Call in the real window
    #[arg(long, default_value_t = 30)]
    presses: usize,
    /// Calls whose first words are listened to
    #[arg(long, default_value_t = 20)]
    calls: usize,
    /// What chance is made of: the same seed, the same pauses
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the figures that need no window
    #[arg(long)]
    no_window: bool,
}

/// First without a window, then in the real one.
pub async fn run(options: &Options) -> Result<Report> {
    let (presses, calls) = (options.presses, options.calls);
    let mut report = Report::of(presses);
    let register = registrations().await?;
    eprintln!("registered {REGISTRATIONS} times");
    let words = crate::first_words::measure(&Evening {
        family: Family::V4,
        calls,
        seed: options.seed,
        first_idle: Duration::from_secs(60),
        most_idle: Duration::from_secs(30),
    })
    .await?;
    report.add(
        "answer_to_volunteer_rtp_ms_p95",
        quantile(&words.forwarded_ms, 0.95),
        Some(Goal::Under(5.0)),
        "from the callee's first packet at Asterisk to its forwarding",
    );
    report.add("answer_to_volunteer_rtp_ms_p50", quantile(&words.forwarded_ms, 0.5), None, "");
    report.add("first_word_lost_ms", words.lost_ms, Some(Goal::Is(0.0)), "of all calls together");
    report.add(
        "first_half_second_lost_ms",
        words.lost_at_first_ms,
        None,
        "the same, of the first 0.5 s of each",
    );
    report.add("first_word_calls", words.forwarded_ms.len() as f64, None, "60 s idle before the first");
    report.add("first_word_frames", words.frames as f64, None, "10 ms frames looked for");
    report.add(
        "register_ms_p50",
        quantile(&register, 0.5),
        Some(Goal::Under(50.0)),
        "TLS, WebSocket, digest (2026-11, with the start of the process: baresip 28, linphone 242, chromium 978)",
    );
    if !options.no_window {
        crate::window::measure(&mut report, presses, options.seed).await?;
    }
    Ok(report)
}

/// From the start of a softphone to its registration, through the server's tunnel.
async fn registrations() -> Result<Vec<f64>> {
    let world = World::with(&[]).await?;
    let link = world.server.invite("Maya")?;
    let (device, sign_in, home) = {
        let maya = world.volunteer("Maya").await?;
        (maya.device, maya.sign_in.clone(), maya.home.clone())
    };
    let mut took = Vec::new();
    for _ in 0..REGISTRATIONS {
        let settings = settings(&link, device, &sign_in)?;
        let began = Instant::now();
        let handset = Handset::start(&home, settings)?;
        let registered = |s: &e2e::handset::Standing| s.registration == Some(Registration::Registered);
        handset.until("the registration", PATIENCE, registered).await?;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        handset.phone.clone().stop().await;
    }
    Ok(took)
}
