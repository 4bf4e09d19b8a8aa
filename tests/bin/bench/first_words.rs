//! Callees who speak from the very packet of their answer on: is any of it missing in the volunteer's ear?
//! The trunk leads straight to the harness's callee, so that only the node stands between.

use std::{
    net::SocketAddrV4,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use e2e::{
    callee::{Callee, Manner},
    listening,
    pbx::Node,
    ringround::Ringround,
    sound::Sound,
    volunteer::Volunteer,
    wire::{Datagram, Wire},
    world::number,
};
use protocol::outcome::Outcome;

/// What was measured, a value a call.
pub struct FirstWords {
    /// From the callee's first packet at Asterisk to the first one to the volunteer, milliseconds.
    pub forwarded_ms: Vec<f64>,
    /// Frames of all calls without a match, as milliseconds.
    pub lost_ms: f64,
    /// The same of the first half second of each call: the "hello".
    pub lost_at_first_ms: f64,
    /// Frames of all calls.
    pub frames: usize,
}

const IDLE_BEFORE_THE_FIRST: Duration = Duration::from_secs(60);
const MOST_IDLE_MS: u64 = 30_000;
/// So much of what the callee says is looked for.
const SPOKEN_MS: u32 = 2_000;

/// One line; a pause of chance before each call.
pub async fn measure(calls: usize, seed: u64) -> Result<FirstWords> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let folder = tempfile::Builder::new().prefix("rr").tempdir()?;
    let silent = Manner {
        rings_for: Duration::from_millis(300),
        says: Sound::silence(8_000, 20),
        rings_off_after: None,
    };
    let mut callee = Callee::listen(silent.clone()).await?;
    let node = Node::start(folder.path(), callee.address()).await?;
    let server = Ringround::start(folder.path(), &node).await?;
    server.create_campaign()?;
    server.import(&(0..calls).map(|n| number(0, n as u8)).collect::<Vec<_>>())?;
    let maya = Volunteer::join(&server, "Maya").await?;
    maya.start().await?;
    let wire = Wire::watch(Datagram::is_rtp)?;
    let mut words = FirstWords { forwarded_ms: Vec::new(), lost_ms: 0.0, lost_at_first_ms: 0.0, frames: 0 };
    for call in 0..calls {
        let idle =
            if call == 0 { IDLE_BEFORE_THE_FIRST } else { Duration::from_millis(chance.u64(..MOST_IDLE_MS)) };
        tokio::time::sleep(idle).await;
        let marker = Sound::marker(seed.wrapping_add(call as u64), 8_000, SPOKEN_MS);
        callee.behave(Manner { says: marker.clone(), ..silent.clone() });
        let ear = maya.handset.mark();
        wire.take();
        maya.call_and_talk().await?;
        callee.next(Duration::from_secs(5)).await?;
        // The length of a sound has no event; the rest is for the way to the ear.
        tokio::time::sleep(Duration::from_millis(u64::from(SPOKEN_MS) + 700)).await;
        let heard = maya.handset.heard_since(ear);
        let forwarded = forwarded(&wire.take());
        maya.hang_up().await?;
        maya.outcome(Outcome::Reached).await?;
        let found = listening::frames(&marker, &heard);
        let forwarded = forwarded.context("the callee's first packet was not forwarded")?;
        eprintln!(
            "call {call}: idle {:5.1} s, forwarded after {forwarded:.2} ms, {} of {} frames lost {:?}",
            idle.as_secs_f32(),
            found.lost.len(),
            found.sent,
            found.lost
        );
        words.forwarded_ms.push(forwarded);
        words.lost_ms += found.lost.len() as f64 * 10.0;
        words.lost_at_first_ms += found.lost.iter().filter(|frame| **frame < 50).count() as f64 * 10.0;
        words.frames += found.sent;
        if call + 1 < calls {
            maya.next_card(None).await?;
        }
    }
    Ok(words)
}

/// The callee's packets are µ-law in the clear; those between node and volunteer carry Opus, and the volunteer's
/// microphone, open since Call, shows where they live.
fn forwarded(seen: &[Datagram]) -> Option<f64> {
    let plain = |d: &&Datagram| d.start[1] & 0x7f == 0;
    let first: SystemTime = seen.iter().find(plain)?.at;
    let callee: SocketAddrV4 = seen.iter().find(plain)?.from;
    let spoken = seen.iter().find(|d| !plain(d) && d.from != callee)?;
    let (volunteer, node) = (spoken.from, spoken.to);
    let out = seen.iter().find(|d| d.from == node && d.to == volunteer && d.at >= first)?;
    Some(out.at.duration_since(first).ok()?.as_secs_f64() * 1000.0)
}
