//! Each fault: how it comes, and how what was taken comes back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use protocol::{
    http::{Dial, Dialled, ErrorCode, HangUp},
    outcome::Outcome,
    session::Session,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Fault, Stage};
use crate::{api::Failure, volunteer::rings};

/// Takes something away, gives it back, and says when it was back.
pub(super) async fn strike(stage: &mut Stage, fault: Fault, chance: &mut Rng) -> Result<Instant> {
    match fault {
        Fault::AppInWrapUp => {
            talk(stage, chance).await?;
            stage.person.app()?.hang_up().await?;
            away(chance).await;
            let attempt = stage.person.app()?.attempt();
            stage.person.kill_app();
            away(chance).await;
            stage.person.start_app(&stage.world.server).await?;
            let back = Instant::now();
            ensure!(
                matches!(stage.person.desk()?.session, Session::WrapUp { .. })
                    && stage.person.app()?.attempt() == attempt,
                "the wrap-up is not there any more: {:?}",
                stage.person.desk()?.session
            );
            stage.person.keep(Outcome::Refused)?;
            Ok(back)
        }
        Fault::AppInCall => {
            talk(stage, chance).await?;
            stage.person.kill_app();
            away(chance).await;
            stage.person.start_app(&stage.world.server).await?;
            Ok(Instant::now())
        }
        Fault::ServerInCall => {
            talk(stage, chance).await?;
            stage.world.server.kill();
            away(chance).await;
            stage.world.server.start_again().await?;
            Ok(Instant::now())
        }
        Fault::ServerWhileRinging => {
            ring(stage).await?;
            sleep(part(chance, 500)).await;
            stage.world.server.kill();
            away(chance).await;
            stage.world.server.start_again().await?;
            Ok(Instant::now())
        }
        Fault::ServerAtAnyMoment => {
            at_any_moment(stage, chance).await?;
            stage.world.server.start_again().await?;
            Ok(Instant::now())
        }
        Fault::AsteriskInCall => {
            talk(stage, chance).await?;
            stage.world.node.kill();
            away(chance).await;
            stage.world.node.start_again().await?;
            Ok(Instant::now())
        }
        Fault::CableInCall => {
            talk(stage, chance).await?;
            stage.person.cable.pull();
            away(chance).await;
            stage.person.cable.plug();
            Ok(Instant::now())
        }
        Fault::ReadOnly => {
            talk(stage, chance).await?;
            stage.world.server.kill();
            let disk = stage.disk.as_ref().context("a disk of its own")?;
            disk.read_only(true)?;
            let said = stage.world.server.fails_to_start().await?;
            ensure!(said.contains("ead-only"), "the server does not say why it ended: {said}");
            away(chance).await;
            disk.read_only(false)?;
            stage.world.server.start_again().await?;
            Ok(Instant::now())
        }
        Fault::DiskFull => disk_full(stage, chance).await,
    }
}

async fn disk_full(stage: &mut Stage, chance: &mut Rng) -> Result<Instant> {
    let moment = chance.u8(..3);
    if moment > 0 {
        talk(stage, chance).await?;
    }
    if moment > 1 {
        stage.person.app()?.hang_up().await?;
    }
    let rung = stage.world.provider.records().arrivals()?.len();
    stage.disk.as_ref().context("a disk of its own")?.fill()?;
    match moment {
        0 => match stage.person.call().await? {
            Err(Failure::Refused(error)) => {
                ensure!(error.code == ErrorCode::NoStorage && !error.message.is_empty(), "{error:?}");
                sleep(Duration::from_secs(1)).await;
                let now = stage.world.provider.records().arrivals()?.len();
                ensure!(now == rung, "somebody was rung, and nothing written");
            }
            Err(failure @ (Failure::Strange(..) | Failure::Lost(_))) => return Err(failure.into()),
            // Room that SQLite had already: the attempt is on the disk.
            Ok(_) => {}
        },
        1 => {
            let attempt_id = stage.person.app()?.attempt().context("a call")?;
            let _ = stage.person.app()?.api.post::<Value>("/api/hang-up", &HangUp { attempt_id }).await;
        }
        _ => {
            stage.person.keep(Outcome::Refused)?;
            stage.person.deliver().await;
        }
    }
    away(chance).await;
    stage.disk.as_ref().context("a disk of its own")?.free()?;
    Ok(Instant::now())
}

/// The server dies soon after one of the moments that make it act.
async fn at_any_moment(stage: &mut Stage, chance: &mut Rng) -> Result<()> {
    // Most of what it does is done within a few milliseconds.
    let soon = Duration::from_secs_f64(0.4 * chance.f64().powi(3));
    let moment = chance.u8(..4);
    tracing::info!(moment, ?soon, "the server is to die");
    let app = stage.person.app()?;
    let api = app.api.clone();
    match moment {
        0 => {
            let lease_id = app.card().context("a card")?.lease_id;
            tokio::spawn(async move { api.post::<Dialled>("/api/dial", &Dial { lease_id }).await });
        }
        1 => {
            ring(stage).await?;
            sleep(Duration::from_millis(800)).await;
        }
        2 => {
            talk(stage, chance).await?;
            let attempt_id = stage.person.app()?.attempt().context("a call")?;
            tokio::spawn(async move { api.post::<Value>("/api/hang-up", &HangUp { attempt_id }).await });
        }
        _ => {
            talk(stage, chance).await?;
            stage.person.app()?.hang_up().await?;
            let press = stage.person.keep(Outcome::Refused)?;
            tokio::spawn(async move { api.post::<Value>("/api/outcome", &press).await });
        }
    }
    sleep(soon).await;
    stage.world.server.kill();
    Ok(())
}

async fn ring(stage: &mut Stage) -> Result<()> {
    let app = stage.person.app()?;
    stage.person.call().await??;
    app.until("ringing", rings).await?;
    Ok(())
}

/// Up to some moment of a conversation.
async fn talk(stage: &mut Stage, chance: &mut Rng) -> Result<()> {
    let app = stage.person.app()?;
    stage.person.call().await??;
    app.until("the answer", |desk| matches!(desk.session, Session::Talking { .. })).await?;
    sleep(part(chance, 1_000)).await;
    Ok(())
}

/// What was taken is away for a while.
async fn away(chance: &mut Rng) {
    sleep(part(chance, 2_500)).await;
}

fn part(chance: &mut Rng, of_ms: u64) -> Duration {
    Duration::from_millis(chance.u64(..of_ms))
}
