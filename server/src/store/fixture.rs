//! A store for tests: one campaign, contacts that are due, devices.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dialler::{Close, ContactNext, DoNotCall, NewAttempt, Now};
use protocol::{
    ids::{AttemptId, CampaignId, DeviceId, OutcomeId},
    number::Number,
    outcome::{Outcome, WrittenBy},
};
use sqlx::Row;
use tempfile::TempDir;
use uuid::Uuid;

use super::{
    Store,
    leases::{Claim, HeldContact},
};

/// When the tests happen.
pub(crate) const NOW: i64 = 1_800_000_000_000;

/// A store with one campaign, so many contacts that are due, and so many devices.
pub(crate) struct Hall {
    pub(crate) store: Store,
    pub(crate) campaign: CampaignId,
    pub(crate) devices: Vec<DeviceId>,
    pub(crate) folder: TempDir,
}

impl Hall {
    pub(crate) async fn new(contacts: u32, devices: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let campaign = CampaignId::new(Uuid::now_v7());
        let (person, import) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
        let mut tx = store.begin().await.unwrap();
        sqlx::query(
            "INSERT INTO campaigns (id, name, organisation, organiser, mode, caller_id, country, time_zone, script,
                                    hours, spacing_ms, attempts_allowed, created_at)
             VALUES ($1, 'Winter Warmth', 'Lantern Street Trust', 'Ruth', 'one-touch', '+442079460000', 'GB',
                     'Europe/London', '', 'always', 0, 3, 0)",
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
            .bind(format!("+447700900{n:03}"))
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
            sqlx::query("INSERT INTO sign_ins VALUES ($1, $2, 0, $3, NULL)")
                .bind(vec![u8::try_from(n).unwrap(); 32])
                .bind(id.to_string())
                .bind(i64::MAX)
                .execute(&mut *tx)
                .await
                .unwrap();
            ids.push(id);
        }
        tx.commit().await.unwrap();
        Self { store, campaign, devices: ids, folder }
    }

    pub(crate) async fn claim(&self, device: usize, now: i64) -> Option<HeldContact> {
        let both = Now { wall: now, steady: now };
        let always = |_: &Number| Some(now);
        let claim = self.store.claim_due(self.campaign, self.devices[device], both, now + 90_000, always);
        match claim.await.unwrap() {
            Claim::Held(held) => Some(*held),
            Claim::Nobody => None,
            Claim::PutOff { .. } => panic!("the hours are always open"),
        }
    }

    pub(crate) fn attempt(&self, device: usize, held: &HeldContact) -> NewAttempt {
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

    pub(crate) fn close(
        &self,
        device: usize,
        attempt: &NewAttempt,
        outcome: Outcome,
        next: ContactNext,
    ) -> Close {
        Close {
            attempt: attempt.attempt,
            lease: attempt.lease,
            device: self.devices[device],
            outcome,
            by: WrittenBy::Volunteer,
            id: Some(OutcomeId::new(Uuid::now_v7())),
            note: Some("a note".into()),
            again_at: None,
            given_up: false,
            counts: true,
            call: None,
            contact: Some(next),
            contact_id: attempt.contact,
            do_not_call: DoNotCall::Leave,
            at: NOW + 60_000,
        }
    }

    /// How SQLite finds what a statement asks for: nothing that grows is read from end to end.
    pub(crate) async fn plan(&self, sql: &str) -> Vec<String> {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let plan = sqlx::query(sqlx::AssertSqlSafe(explain)).fetch_all(self.store.reader()).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        assert!(steps.iter().all(|step| !step.starts_with("SCAN")), "{steps:#?}");
        steps
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query(sql).fetch_one(self.store.reader()).await.unwrap().try_get(0).unwrap()
    }
}
