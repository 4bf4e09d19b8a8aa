#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use dialler::{
    AdoptedState, Close, ContactNext, DoNotCall, Keep, NewAttempt, Progress, Release, Released,
};
use protocol::{
    call::EndedBy,
    ids::{AttemptId, CampaignId, ContactId, DeviceId, LeaseId, OutcomeId},
    outcome::{Outcome, WrittenBy},
};
use sqlx::Row;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::store::attempts::CommitError;

const NOW: i64 = 1_800_000_000_000;

/// A store with one campaign, so many contacts that are due, and so many devices.
struct Hall {
    store: Store,
    campaign: CampaignId,
    devices: Vec<DeviceId>,
    _folder: TempDir,
}

impl Hall {
    async fn new(contacts: u32, devices: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let campaign = CampaignId::new(Uuid::now_v7());
        let (person, import) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
        let mut tx = store.begin().await.unwrap();
        sqlx::query(
            "INSERT INTO campaigns (id, name, organisation, organiser, mode, caller_id, country, time_zone, script,
                                    spacing_ms, attempts_allowed, created_at)
             VALUES ($1, 'Winter Warmth', 'Lantern Street Trust', 'Ruth', 'one-touch', '+442079460000', 'GB',
                     'Europe/London', '', 0, 3, 0)",
        )
        .bind(campaign.to_string())
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query("INSERT INTO people (id, name, role, created_at) VALUES ($1, 'Maya', 'volunteer', 0)")
            .bind(&person)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query("INSERT INTO imports (id, campaign_id, source, kept, refused, created_at) VALUES ($1, $2, '', 0, 0, 0)")
            .bind(&import)
            .bind(campaign.to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        for n in 0..contacts {
            sqlx::query(
                "INSERT INTO contacts (id, campaign_id, import_id, number, name, form_of_address, context, due_at, created_at)
                 VALUES ($1, $2, $3, $4, $5, '', '', 0, 0)",
            )
            .bind(Uuid::now_v7().to_string())
            .bind(campaign.to_string())
            .bind(&import)
            .bind(format!("+44770090{n:04}"))
            .bind(format!("Callee {n}"))
            .execute(&mut *tx)
            .await
            .unwrap();
        }
        let mut ids = Vec::new();
        for n in 0..devices {
            let id = DeviceId::new(Uuid::now_v7());
            sqlx::query(
                "INSERT INTO devices (id, person_id, campaign_id, public_key, name, created_at)
                 VALUES ($1, $2, $3, $4, '', 0)",
            )
            .bind(id.to_string())
            .bind(&person)
            .bind(campaign.to_string())
            .bind(vec![u8::try_from(n).unwrap(); 32])
            .execute(&mut *tx)
            .await
            .unwrap();
            ids.push(id);
        }
        tx.commit().await.unwrap();
        Self { store, campaign, devices: ids, _folder: folder }
    }

    async fn claim(&self, device: usize, now: i64) -> Option<HeldContact> {
        self.store.claim_due(self.campaign, self.devices[device], now, now + 90_000).await.unwrap()
    }

    fn attempt(&self, device: usize, held: &HeldContact) -> NewAttempt {
        NewAttempt {
            attempt: AttemptId::new(Uuid::now_v7()),
            lease: held.lease,
            campaign: self.campaign,
            contact: held.facts.contact,
            device: self.devices[device],
            number: held.facts.number.clone(),
            caller_id: Number::from_e164("+442079460000").unwrap(),
            dialled_at: NOW,
        }
    }

    fn close(&self, device: usize, attempt: &NewAttempt, outcome: Outcome, next: ContactNext) -> Close {
        Close {
            attempt: attempt.attempt,
            lease: attempt.lease,
            device: self.devices[device],
            outcome,
            by: WrittenBy::Volunteer,
            id: Some(OutcomeId::new(Uuid::now_v7())),
            note: Some("a note".into()),
            again_at: None,
            call: None,
            contact: Some(next),
            contact_id: attempt.contact,
            do_not_call: DoNotCall::Leave,
            at: NOW + 60_000,
        }
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query(sql).fetch_one(self.store.reader()).await.unwrap().try_get(0).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_devices_that_claim_at_once_never_hold_the_same_contact() {
    let hall = std::sync::Arc::new(Hall::new(100, 8).await);
    let mut claims = tokio::task::JoinSet::new();
    for device in 0..8 {
        let hall = hall.clone();
        claims.spawn(async move {
            let mut mine = Vec::new();
            while let Some(held) = hall.claim(device, NOW).await {
                mine.push(held.facts.contact);
                let attempt = hall.attempt(device, &held);
                hall.store.commit_attempt(&attempt).await.unwrap();
                let close = hall.close(device, &attempt, Outcome::Reached, ContactNext::Done);
                hall.store.close_attempt(&close).await.unwrap();
            }
            mine
        });
    }
    let all: Vec<ContactId> = claims.join_all().await.into_iter().flatten().collect();
    let different: HashSet<ContactId> = all.iter().copied().collect();
    assert_eq!((all.len(), different.len()), (100, 100));
    assert_eq!(hall.count("SELECT count(*) FROM attempts").await, 100);
}

#[tokio::test]
async fn the_database_refuses_a_second_hold() {
    let hall = Hall::new(2, 2).await;
    let first = hall.claim(0, NOW).await.unwrap();
    let second = hall.claim(1, NOW).await.unwrap();
    for (contact, device) in
        [(first.facts.contact, hall.devices[1]), (second.facts.contact, hall.devices[1]), (first.facts.contact, hall.devices[0])]
    {
        let refused = sqlx::query(
            "INSERT INTO leases (id, contact_id, device_id, created_at, expires_at, state)
             VALUES ($1, $2, $3, 0, 0, 'held')",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(contact.to_string())
        .bind(device.to_string())
        .execute(hall.store.writer())
        .await
        .map_err(StoreError::from);
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_device_gets_its_own_hold_back_and_a_lapsed_hold_is_free_again() {
    let hall = Hall::new(1, 2).await;
    let held = hall.claim(0, NOW).await.unwrap();
    assert_eq!(hall.claim(0, NOW + 1).await.unwrap().lease, held.lease);
    assert_eq!(hall.claim(1, NOW + 60_000).await, None);
    hall.store.renew_lease(held.lease, NOW + 200_000).await.unwrap();
    assert_eq!(hall.claim(1, NOW + 120_000).await, None);
    let other = hall.claim(1, NOW + 200_001).await.unwrap();
    assert_eq!(other.facts.contact, held.facts.contact);
    let attempt = hall.attempt(0, &held);
    assert!(matches!(hall.store.commit_attempt(&attempt).await, Err(CommitError::LeaseLost)));
}

#[tokio::test]
async fn a_number_on_the_do_not_call_list_is_neither_offered_nor_dialled() {
    let hall = Hall::new(2, 2).await;
    let held = hall.claim(0, NOW).await.unwrap();
    sqlx::query("INSERT INTO do_not_call SELECT number, 0, 'by letter' FROM contacts")
        .execute(hall.store.writer())
        .await
        .unwrap();
    assert_eq!(hall.claim(1, NOW).await, None);
    let attempt = hall.attempt(0, &held);
    assert!(matches!(hall.store.commit_attempt(&attempt).await, Err(CommitError::LeaseLost)));
    assert_eq!(hall.count("SELECT count(*) FROM attempts").await, 0);
    assert_eq!(hall.count("SELECT sum(attempts) FROM contacts").await, 0);
}

#[tokio::test]
async fn each_way_to_give_a_contact_back_says_who_may_have_it_when() {
    for (how, same_device, other_device) in [
        (Released::GivenBack, true, true),
        (Released::Expired, true, true),
        (Released::Skipped { until: NOW + 1_000 }, false, true),
        (Released::Later { due_at: NOW + 1_000 }, false, false),
        (Released::Refused { due_at: Some(NOW + 1_000) }, false, false),
        (Released::Refused { due_at: None }, false, false),
        (Released::DoNotCall, false, false),
    ] {
        let hall = Hall::new(1, 2).await;
        let held = hall.claim(0, NOW).await.unwrap();
        let release = Release {
            lease: held.lease,
            device: hall.devices[0],
            contact: held.facts.contact,
            how,
            at: NOW,
        };
        hall.store.release_lease(&release).await.unwrap();
        hall.store.release_lease(&release).await.unwrap();
        let later = hall.store.due_later(hall.campaign, hall.devices[0], NOW).await.unwrap();
        let again = hall.claim(0, NOW).await;
        assert_eq!(again.is_some(), same_device, "{how:?}");
        if let Some(again) = again {
            let lease = again.lease;
            let back = Release { lease, how: Released::GivenBack, ..release };
            hall.store.release_lease(&back).await.unwrap();
        }
        assert_eq!(hall.claim(1, NOW).await.is_some(), other_device, "{how:?}");
        let gone = matches!(how, Released::DoNotCall | Released::Refused { due_at: None });
        let expected = match (same_device, gone) {
            (false, false) => Later { contacts: 1, next_at: Some(NOW + 1_000) },
            (true, _) | (false, true) => Later { contacts: 0, next_at: None },
        };
        assert_eq!(later, expected, "{how:?}");
    }
}

#[tokio::test]
async fn an_attempt_is_committed_once_and_found_again_in_the_state_it_was_in() {
    let hall = Hall::new(1, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let attempt = hall.attempt(0, &held);
    let committed = hall.store.commit_attempt(&attempt).await.unwrap();
    assert_eq!((committed.id(), committed.number()), (attempt.attempt, &attempt.number));
    let again = hall.store.commit_attempt(&hall.attempt(0, &held)).await;
    assert!(matches!(again, Err(CommitError::LeaseLost)), "{again:?}");
    let found = hall.store.attempt_of_lease(held.lease, hall.devices[0]).await.unwrap();
    assert_eq!(found, Some(attempt.attempt));

    let mut progress = Progress {
        attempt: attempt.attempt,
        state: "ringing",
        ringing_at: Some(NOW + 1),
        answered_at: None,
        ended_at: None,
        ended_by: None,
        cause: None,
    };
    hall.store.save_progress(&progress).await.unwrap();
    progress.state = "talking";
    progress.ringing_at = None;
    progress.answered_at = Some(NOW + 2);
    hall.store.save_progress(&progress).await.unwrap();
    progress.state = "wrap-up";
    progress.ended_at = Some(NOW + 3);
    progress.ended_by = Some(EndedBy::Callee);
    progress.cause = Some(16);
    hall.store.save_progress(&progress).await.unwrap();
    let keep = Keep {
        attempt: attempt.attempt,
        device: hall.devices[0],
        id: OutcomeId::new(Uuid::now_v7()),
        outcome: Outcome::Callback,
        note: None,
        again_at: Some(NOW + 9),
    };
    hall.store.keep_outcome(&keep, NOW).await.unwrap();

    let open = hall.store.open_attempts(NOW + 10).await.unwrap();
    let [open] = <[_; 1]>::try_from(open).unwrap();
    assert_eq!(open.held.facts.attempts, 1);
    assert_eq!(open.held.facts.dialled, [NOW]);
    let card = crate::dialling::card::of(&hall.store, hall.devices[0], &open.held, 1).await.unwrap();
    let adopted = open.adopted(card);
    let expected = AdoptedState::WrapUp {
        ringing_at: Some(NOW + 1),
        answered_at: NOW + 2,
        ended_at: NOW + 3,
        by: EndedBy::Callee,
    };
    assert_eq!(adopted.state, expected);
    let kept = adopted.kept.unwrap();
    assert_eq!((kept.id, kept.outcome), (keep.id, Outcome::Callback));
}

#[tokio::test]
async fn an_outcome_that_comes_twice_is_applied_once_and_a_newer_one_corrects_it() {
    let hall = Hall::new(1, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let attempt = hall.attempt(0, &held);
    hall.store.commit_attempt(&attempt).await.unwrap();
    let mut wrong = hall.close(0, &attempt, Outcome::DoNotCall, ContactNext::Done);
    wrong.do_not_call = DoNotCall::Add;
    hall.store.close_attempt(&wrong).await.unwrap();
    hall.store.close_attempt(&wrong).await.unwrap();
    assert_eq!(hall.count("SELECT count(*) FROM outcomes").await, 1);
    assert_eq!(hall.count("SELECT count(*) FROM do_not_call").await, 1);
    assert_eq!(hall.claim(0, NOW + 1).await, None);

    let mut right = hall.close(0, &attempt, Outcome::NoAnswer, ContactNext::Due(NOW + 500));
    right.do_not_call = DoNotCall::TakeBack;
    hall.store.close_attempt(&right).await.unwrap();
    assert_eq!(hall.count("SELECT count(*) FROM outcomes").await, 2);
    assert_eq!(hall.count("SELECT count(*) FROM do_not_call").await, 0);
    let stored = hall.store.stored_attempt(attempt.attempt, hall.devices[0], NOW).await.unwrap().unwrap();
    assert_eq!((stored.outcome, stored.outcome_id), (Some(Outcome::NoAnswer), right.id));
    assert!(stored.latest);
    assert!(hall.store.open_attempts(NOW).await.unwrap().is_empty());
    assert_eq!(hall.claim(0, NOW + 499).await, None);
    assert_eq!(hall.claim(0, NOW + 500).await.unwrap().facts.attempts, 1);
}

#[tokio::test]
async fn nobody_reads_or_settles_what_belongs_to_another_device() {
    let hall = Hall::new(2, 2).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let (mine, other) = (hall.devices[0], hall.devices[1]);
    assert!(hall.store.facts_of_lease(held.lease, mine, NOW).await.unwrap().is_some());
    assert_eq!(hall.store.facts_of_lease(held.lease, other, NOW).await.unwrap(), None);
    assert_eq!(hall.store.facts_of_lease(LeaseId::new(Uuid::now_v7()), mine, NOW).await.unwrap(), None);
    let release =
        Release { lease: held.lease, device: other, contact: held.facts.contact, how: Released::DoNotCall, at: NOW };
    hall.store.release_lease(&release).await.unwrap();
    assert_eq!(hall.count("SELECT count(*) FROM do_not_call").await, 0);
    let mut attempt = hall.attempt(0, &held);
    attempt.device = other;
    assert!(matches!(hall.store.commit_attempt(&attempt).await, Err(CommitError::LeaseLost)));
    attempt.device = mine;
    hall.store.commit_attempt(&attempt).await.unwrap();
    assert_eq!(hall.store.stored_attempt(attempt.attempt, other, NOW).await.unwrap(), None);
    assert_eq!(hall.store.attempt_of_lease(held.lease, other).await.unwrap(), None);
}
