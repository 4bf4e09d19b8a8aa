//! A whole list, called by volunteers who work at once: what a busy evening is to the server.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use protocol::{
    contact::Card,
    ids::{DeviceId, LeaseId},
    outcome::Outcome,
    session::{Session, Waiting},
};

use crate::{provider_records::ProviderRecords, ringround::Attempted, volunteer::Volunteer, world::World};

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
    let held: Arc<Mutex<Held>> = Arc::default();
    let mut all = Vec::new();
    for n in 0..volunteers {
        all.push(world.volunteer(&format!("Volunteer {n}")).await?);
    }
    let work = all.iter().map(|volunteer| {
        let held = Arc::clone(&held);
        async move { until_nobody_is_left(volunteer, &held).await }
    });
    for done in futures_util::future::join_all(work).await {
        done?;
    }
    let shared = held.lock().unwrap_or_else(PoisonError::into_inner).shared;
    Drained::count(numbers, &world.provider.records(), &world.server.results()?, shared)
}

impl Drained {
    fn count(
        numbers: &[String],
        records: &ProviderRecords,
        results: &[Attempted],
        leases_shared: usize,
    ) -> Result<Self> {
        let rung = records.rung()?;
        Ok(Self {
            rung_twice: records.rung_twice()?,
            never_rung: numbers.iter().filter(|number| !rung.contains_key(*number)).cloned().collect(),
            leases_shared,
            invites: rung.values().sum(),
            without_outcome: results
                .iter()
                .filter(|row| row.outcome.as_deref().unwrap_or("").is_empty())
                .count(),
        })
    }
}

/// Whose card each lease was on, and each contact.
#[derive(Debug, Default)]
struct Held {
    leases: HashMap<LeaseId, DeviceId>,
    contacts: HashMap<String, DeviceId>,
    shared: usize,
}

impl Held {
    /// A card came. Nobody else may ever see its lease; nor its contact, who is not due again on the same evening.
    fn see(&mut self, who: DeviceId, lease: LeaseId, contact: &str) {
        let of_lease = *self.leases.entry(lease).or_insert(who);
        let of_contact = *self.contacts.entry(contact.to_owned()).or_insert(who);
        self.shared += usize::from(of_lease != who || of_contact != who);
    }
}

fn see(held: &Mutex<Held>, who: DeviceId, card: &Card) {
    held.lock().unwrap_or_else(PoisonError::into_inner).see(who, card.lease_id, &card.name);
}

async fn until_nobody_is_left(volunteer: &Volunteer, held: &Mutex<Held>) -> Result<()> {
    let mut desk = volunteer.start().await?;
    loop {
        match desk.session {
            Session::Ready { card } => {
                see(held, volunteer.device, &card);
                volunteer.call_in_turn().await?;
                let lease = card.lease_id;
                let over = move |desk: &protocol::session::Desk| match &desk.session {
                    Session::Talking { .. } | Session::WrapUp { .. } | Session::Waiting { .. } => true,
                    // A press that waited when the trunk was shut is a card again.
                    Session::Ready { .. } => true,
                    Session::Dialling { .. } | Session::Ended | Session::Paused { .. } => false,
                };
                let is_told = move |desk: &protocol::session::Desk| !matches!(&desk.session, Session::Ready { card } if card.lease_id == lease);
                // It may be a card again before it was seen to be none.
                let _ = volunteer.until_within("the call", Duration::from_secs(3), is_told).await;
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
                                why: Waiting::Line
                                    | Waiting::NoTelephone
                                    | Waiting::OutsideHours { .. }
                                    | Waiting::PassedOn { .. }
                            }
                    )
                };
                desk = volunteer.until_within("a card", Duration::from_secs(60), moved).await?;
            }
            Session::Ended | Session::Paused { .. } => bail!("the session ended by itself"),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ARRIVALS: &str = "1732192000123,+447700900001,+442079460000,17.1,abc\n\
                            1732192009123,+447700900002,+442079460000,17.2,abd\n";

    fn drained(arrivals: &str, results: &str) -> Drained {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("records")).expect("made");
        std::fs::write(folder.path().join("records/arrivals.csv"), arrivals).expect("written");
        let numbers = ["+447700900001", "+447700900002"].map(str::to_owned);
        let results = Attempted::read(results).expect("rows");
        Drained::count(&numbers, &ProviderRecords::of(folder.path()), &results, 0).expect("counted")
    }

    #[test]
    fn each_count_rises() {
        let row = r#"{"number":"+447700900001","outcome":"busy"}"#;
        let fine = drained(ARRIVALS, row);
        assert_eq!((fine.rung_twice.len(), fine.never_rung.len(), fine.without_outcome), (0, 0, 0));
        let twice =
            drained(&format!("{ARRIVALS}{}", ARRIVALS.lines().next().expect("one").to_owned() + "\n"), row);
        assert_eq!((twice.rung_twice, twice.invites), (vec!["+447700900001".to_owned()], 3));
        assert_eq!(drained("", row).never_rung.len(), 2);
        assert_eq!(drained(ARRIVALS, &row.replace("\"busy\"", "null")).without_outcome, 1);
    }

    #[test]
    fn a_lease_on_two_cards_is_shared() {
        let [maya, tom] = [(); 2].map(|()| DeviceId::new(Uuid::now_v7()));
        let [one, other] = [(); 2].map(|()| LeaseId::new(Uuid::now_v7()));
        let mut held = Held::default();
        held.see(maya, one, "Callee 001");
        held.see(tom, other, "Callee 002");
        held.see(maya, one, "Callee 001");
        assert_eq!(held.shared, 0);
        held.see(tom, one, "Callee 003");
        assert_eq!(held.shared, 1, "the same lease");
        held.see(tom, LeaseId::new(Uuid::now_v7()), "Callee 001");
        assert_eq!(held.shared, 2, "another lease of the same contact");
    }
}
