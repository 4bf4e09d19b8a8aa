//! A whole list, called by volunteers who work at once: what a busy evening is to the server.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use protocol::{
    ids::LeaseId,
    outcome::Outcome,
    session::{Session, Waiting},
};

use crate::{volunteer::Volunteer, world::World};

/// What came of it, by the provider's records and the volunteers' screens.
#[derive(Debug, Clone, Default)]
pub struct Drained {
    /// Numbers rung more than once.
    pub rung_twice: Vec<String>,
    /// Numbers never rung.
    pub never_rung: Vec<String>,
    /// Leases that were on two volunteers' cards.
    pub leases_shared: usize,
    /// INVITEs at the provider.
    pub invites: usize,
    /// Attempts without an outcome at the server.
    pub without_outcome: usize,
}

/// Has the volunteers call until nobody is due.
///
/// # Errors
/// When a volunteer cannot go on.
pub async fn drain(world: &World, numbers: &[String], volunteers: usize) -> Result<Drained> {
    let held: Arc<Mutex<HashSet<LeaseId>>> = Arc::default();
    let shared = Arc::new(Mutex::new(0_usize));
    let mut all = Vec::new();
    for n in 0..volunteers {
        all.push(world.volunteer(&format!("Volunteer {n}")).await?);
    }
    let work = all.iter().map(|volunteer| {
        let (held, shared) = (Arc::clone(&held), Arc::clone(&shared));
        async move { until_nobody_is_left(volunteer, &held, &shared).await }
    });
    for done in futures_util::future::join_all(work).await {
        done?;
    }
    let rung = world.provider.records().rung()?;
    let results = world.server.results()?;
    let leases_shared = *shared.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Drained {
        rung_twice: world.provider.records().rung_twice()?,
        never_rung: numbers.iter().filter(|number| !rung.contains_key(*number)).cloned().collect(),
        leases_shared,
        invites: rung.values().sum(),
        without_outcome: results.iter().filter(|row| row.outcome.as_deref().unwrap_or("").is_empty()).count(),
    })
}

async fn until_nobody_is_left(
    volunteer: &Volunteer,
    held: &Mutex<HashSet<LeaseId>>,
    shared: &Mutex<usize>,
) -> Result<()> {
    let mut desk = volunteer.start().await?;
    loop {
        match desk.session {
            Session::Ready { card } => {
                if !held.lock().unwrap_or_else(PoisonError::into_inner).insert(card.lease_id) {
                    *shared.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                }
                volunteer.call().await?;
                let lease = card.lease_id;
                let over = move |desk: &protocol::session::Desk| match &desk.session {
                    Session::Talking { .. } | Session::WrapUp { .. } | Session::Waiting { .. } => true,
                    Session::Ready { card } => card.lease_id != lease,
                    Session::Dialling { .. } | Session::Ended | Session::Paused { .. } => false,
                };
                desk = volunteer
                    .until_within("an answer, or the network's outcome", Duration::from_secs(60), over)
                    .await
                    .with_context(|| card.name.clone())?;
            }
            Session::Talking { .. } => {
                // The callee may ring off in this very moment: then there is nothing to hang up.
                desk = match volunteer.hang_up().await {
                    Ok(desk) => desk,
                    Err(_) => {
                        let talks =
                            |d: &protocol::session::Desk| matches!(d.session, Session::Talking { .. });
                        volunteer.until("the end of the call", |desk| !talks(desk)).await?
                    }
                };
            }
            Session::WrapUp { card, .. } => {
                volunteer.outcome(Outcome::Reached).await?;
                let wraps = move |d: &protocol::session::Desk| matches!(&d.session, Session::WrapUp { card: c, .. } if c.lease_id == card.lease_id);
                desk = volunteer.until("the next card", |desk| !wraps(desk)).await?;
            }
            Session::Waiting { why: Waiting::NobodyLeft { .. } } => return Ok(()),
            Session::Dialling { .. } | Session::Waiting { .. } => {
                let moved = |d: &protocol::session::Desk| {
                    !matches!(
                        d.session,
                        Session::Dialling { .. }
                            | Session::Waiting {
                                why: Waiting::Line | Waiting::NoTelephone | Waiting::OutsideHours { .. }
                            }
                    )
                };
                desk = volunteer.until_within("a card", Duration::from_secs(60), moved).await?;
            }
            Session::Ended | Session::Paused { .. } => bail!("the session ended by itself"),
        }
    }
}
