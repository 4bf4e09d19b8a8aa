//! Once a tunnel got no answer for 10 s when two devices signed in at the same moment. This asks for as many such moments
//! as patience has. It takes minutes, so nobody runs it by the way:
//! `scripts/test e2e two_at_once --run-ignored all --no-capture`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::{
    raw_sip::{Joined, Stolen},
    world::World,
};
use serde_json::Value;

const ROUNDS: usize = 500;
const AT_ONCE: Duration = Duration::from_secs(2);

/// Of one round, the slower of the two.
#[derive(Debug, Default, Clone, Copy)]
struct Took {
    sign_in: Duration,
    tunnel: Duration,
}

/// Two devices that never signed in before, which is when Asterisk gets an account.
async fn both_sign_in(world: &World, homes: &[e2e::networks::Home; 2], round: usize) -> Result<Took> {
    let name = |which: usize| format!("Volunteer {round} {which}");
    let joined = [
        Joined::at(&world.server, &homes[0], &name(0)).await?,
        Joined::at(&world.server, &homes[1], &name(1)).await?,
    ];
    let come = async |joined: Joined| -> Result<(Took, e2e::raw_sip::Socket)> {
        let since = Instant::now();
        let signed_in = Stolen::of(joined, &world.server).await.context("the sign-in")?;
        let sign_in = since.elapsed();
        let since = Instant::now();
        let tunnel = signed_in.open("/sip").await.context("the tunnel")?;
        Ok((Took { sign_in, tunnel: since.elapsed() }, tunnel))
    };
    let [first, second] = joined;
    // Both tunnels stay until each has one.
    let ((first, _one), (second, _other)) = tokio::try_join!(come(first), come(second))?;
    Ok(Took { sign_in: first.sign_in.max(second.sign_in), tunnel: first.tunnel.max(second.tunnel) })
}

async fn slowest_of(world: &World, rounds: usize) -> Result<Took> {
    let homes = [world.home()?, world.home()?];
    let mut slowest = Took::default();
    for round in 0..rounds {
        let took = both_sign_in(world, &homes, round).await.with_context(|| format!("round {round}"))?;
        if took.tunnel > slowest.tunnel || took.sign_in > slowest.sign_in {
            eprintln!("round {round}: {took:?}");
        }
        slowest.tunnel = slowest.tunnel.max(took.tunnel);
        slowest.sign_in = slowest.sign_in.max(took.sign_in);
    }
    Ok(slowest)
}

#[ignore = "minutes"]
#[tokio::test(flavor = "multi_thread")]
async fn both_get_a_tunnel_at_once() {
    let world = World::with(&[]).await.unwrap();
    let slowest = slowest_of(&world, ROUNDS).await.unwrap();
    eprintln!("{ROUNDS} times two: {slowest:?}");
    assert!(slowest.tunnel < AT_ONCE, "{slowest:?}");
}

#[ignore = "minutes"]
#[tokio::test(flavor = "multi_thread")]
async fn both_get_a_tunnel_at_once_while_asterisk_reads_its_files_anew() {
    let world = World::with(&[]).await.unwrap();
    let reloads = async {
        for count in 1_u32.. {
            world.node.request("PUT", "asterisk/modules/res_pjsip.so", &Value::Null).await?;
            if count.is_multiple_of(100) {
                eprintln!("{count} reloads");
            }
        }
        anyhow::Ok(())
    };
    let slowest = tokio::select! {
        slowest = slowest_of(&world, ROUNDS / 5) => slowest.unwrap(),
        ended = reloads => panic!("Asterisk does not read its files anew: {ended:?}"),
    };
    eprintln!("{} times two: {slowest:?}", ROUNDS / 5);
    assert!(slowest.tunnel < AT_ONCE, "{slowest:?}");
}
