//! Callees who speak from the very packet of their answer on: is any of it missing in the volunteer's ear?
//! The trunk leads straight to the harness's callee, so that only the node stands between.

use std::{ops::RangeInclusive, time::Duration};

use anyhow::{Context, Result};
use e2e::{
    callee::{Callee, Manner},
    listening,
    networks::{Family, server_address},
    sound::Sound,
    wire::{Datagram, Wire},
    world::{World, number},
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
    /// Packets of sound between volunteer and node, seen at the server: by the family that was asked for,
    pub by_family: usize,
    /// and by any other way.
    pub astray: usize,
}

/// So much of what the callee says is looked for.
const SPOKEN_MS: u32 = 2_000;

/// How the calls are made.
pub struct Evening {
    /// The only one that the volunteer's network has.
    pub family: Family,
    pub calls: usize,
    pub seed: u64,
    /// Nothing happens on the line before the first call for so long,
    pub first_idle: Duration,
    /// and before each other one for a time of chance.
    pub most_idle: Duration,
}

/// One line; a pause of chance before each call.
pub async fn measure(evening: &Evening) -> Result<FirstWords> {
    let Evening { calls, seed, .. } = *evening;
    let mut chance = fastrand::Rng::with_seed(seed);
    let silent = Manner {
        rings_for: Duration::from_millis(300),
        says: Sound::silence(8_000, 20),
        rings_off_after: None,
    };
    let plan = World::lay()?.contacts((0..calls).map(|n| number(0, n as u8)));
    let callee = Callee::listen(&plan.networks, silent.clone()).await?;
    let mut world = plan.start(callee).await?;
    let maya = world.volunteer_by(evening.family, "Maya").await?;
    maya.start().await?;
    let wire = Wire::watch(&world.server.networks.server, Datagram::is_rtp)?;
    let mut words = FirstWords {
        forwarded_ms: Vec::new(),
        lost_ms: 0.0,
        lost_at_first_ms: 0.0,
        frames: 0,
        by_family: 0,
        astray: 0,
    };
    for call in 0..calls {
        let idle = if call == 0 { evening.first_idle } else { evening.most_idle.mul_f64(chance.f64()) };
        tokio::time::sleep(idle).await;
        let marker = Sound::marker(seed.wrapping_add(call as u64), 8_000, SPOKEN_MS);
        world.provider.behave(Manner { says: marker.clone(), ..silent.clone() });
        let ear = maya.handset.mark();
        wire.take();
        maya.call_and_talk().await?;
        world.provider.next(Duration::from_secs(5)).await?;
        // The length of a sound has no event; the rest is for the way to the ear.
        tokio::time::sleep(Duration::from_millis(u64::from(SPOKEN_MS) + 700)).await;
        let heard = maya.handset.heard_since(ear);
        let seen = wire.take();
        let forwarded = forwarded(&seen, world.node.rtp());
        let own = [maya.home.address(evening.family), server_address(evening.family)];
        for datagram in seen.iter().filter(|datagram| !is_plain(datagram)) {
            let by_family = own.contains(&datagram.from.ip()) && own.contains(&datagram.to.ip());
            *(if by_family { &mut words.by_family } else { &mut words.astray }) += 1;
        }
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

/// Milliseconds from the callee's first packet to its forwarding by the node, whose media ports are `node`. The
/// callee's packets are µ-law in the clear; those between node and volunteer carry Opus. A last tick of the ringing
/// may leave just after the first packet came: what left last before the second one came is counted.
fn forwarded(seen: &[Datagram], node: RangeInclusive<u16>) -> Option<f64> {
    let mut came = seen.iter().filter(|d| is_plain(d)).filter(|d| node.contains(&d.to.port())).map(|d| d.at);
    let (first, second) = (came.next()?, came.next()?);
    let left = seen.iter().filter(|d| !is_plain(d) && node.contains(&d.from.port()) && d.at >= first);
    let in_time = left.clone().take_while(|d| d.at < second).last();
    let at = in_time.or_else(|| left.clone().next())?.at;
    Some(at.duration_since(first).ok()?.as_secs_f64() * 1000.0)
}

/// The trunk's sound, µ-law; a volunteer's is Opus.
fn is_plain(datagram: &Datagram) -> bool {
    datagram.start[1] & 0x7f == 0
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, time::SystemTime};

    use super::*;

    const PORTS: RangeInclusive<u16> = 11_000..=11_199;
    const NODE: u16 = 11_002;
    const VOLUNTEER: u16 = 40_000;
    const CALLEE: u16 = 50_000;

    fn packet(payload_type: u8, from: u16, to: u16, at_us: u64) -> Datagram {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Datagram {
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(at_us),
            from: address(from),
            to: address(to),
            start: vec![0x80, payload_type],
        }
    }

    /// On a line that is up both sides send all the time, and either may be seen first.
    #[test]
    fn it_is_the_node_that_forwards() {
        let seen = [
            packet(107, NODE, VOLUNTEER, 0),
            packet(107, VOLUNTEER, NODE, 500),
            packet(0, CALLEE, NODE + 1, 1_000),
            packet(0, NODE + 1, CALLEE, 1_100),
            packet(107, VOLUNTEER, NODE, 1_200),
            packet(107, NODE, VOLUNTEER, 1_600),
            packet(0, CALLEE, NODE + 1, 21_000),
        ];
        assert_eq!(forwarded(&seen, PORTS), Some(0.6));
        assert_eq!(forwarded(&seen[1..], PORTS), Some(0.6));
        assert_eq!(forwarded(&seen[..5], PORTS), None);
    }

    #[test]
    fn a_tick_of_the_ringing_is_not_the_callee() {
        let mut seen = vec![
            packet(0, CALLEE, NODE + 1, 0),
            packet(107, NODE, VOLUNTEER, 60),
            packet(107, NODE, VOLUNTEER, 1_600),
            packet(0, CALLEE, NODE + 1, 20_000),
            packet(107, NODE, VOLUNTEER, 20_500),
        ];
        assert_eq!(forwarded(&seen, PORTS), Some(1.6));
        seen.drain(1..3);
        assert_eq!(forwarded(&seen, PORTS), Some(20.5), "late, and said to be late");
    }
}
