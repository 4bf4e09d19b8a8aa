#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dialler::{
    CampaignRules, Close, ContactNext, NewAttempt,
    hours::{Hours, Region, zone},
    retry,
    rules::{Rule, may_ring},
};
use protocol::{
    number::Number,
    outcome::{Outcome, RingAgain},
};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use crate::store::{
    FILE, MIGRATIONS, Store,
    fixture::{Hall, NOW},
    leases::{Claim, HeldContact},
};

const HOUR: i64 = 60 * 60 * 1_000;
const DAY: i64 = 24 * HOUR;

fn rules(hall: &Hall) -> CampaignRules {
    CampaignRules {
        id: hall.campaign,
        zone: zone("Europe/London").unwrap(),
        region: Region::UnitedKingdom,
        hours: Hours::Always,
        spacing_ms: 2 * HOUR,
        attempts_allowed: 3,
        ring_timeout_ms: 25_000,
        caller_id: Number::from_e164("+442079460000").unwrap(),
        pause: None,
        abroad: false,
        callable: true,
    }
}

/// Calls the held contact at a time and closes the attempt at once, as the dialler would.
async fn call(
    hall: &Hall,
    held: &HeldContact,
    at: i64,
    outcome: Outcome,
    again: Option<RingAgain>,
) -> (NewAttempt, Close) {
    let attempt = NewAttempt { dialled_at: at, ..hall.attempt(0, held) };
    hall.store.commit_attempt(&attempt).await.unwrap();
    let mut contact = hall.store.facts_of_lease(held.lease, hall.devices[0], at).await.unwrap().unwrap();
    // As on a list that is called through for weeks.
    contact.attempts = 1;
    let again_at = again.map(|again| retry::instant_of(again, &contact, &rules(hall), at));
    let next = retry::after(outcome, again_at, &contact, &rules(hall), at);
    let close = Close { again_at, at, ..hall.close(0, &attempt, outcome, next) };
    hall.store.close_attempt(&close).await.unwrap();
    (attempt, close)
}

/// That the one contact was rung at these times by another campaign's volunteers.
async fn rung_before(hall: &Hall, held: &HeldContact, at: &[i64]) {
    // Their leases and devices are no matter here.
    let mut free = hall.store.writer().acquire().await.unwrap();
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *free).await.unwrap();
    for (n, at) in at.iter().enumerate() {
        sqlx::query(
            "INSERT INTO attempts (id, lease_id, campaign_id, contact_id, device_id, number, caller_id, state, dialled_at)
             SELECT $1, $1, campaign_id, id, 'another', number, '', 'closed', $2 FROM contacts WHERE id = $3",
        )
        .bind(format!("before-{n}"))
        .bind(at)
        .bind(held.facts.contact.to_string())
        .execute(&mut *free)
        .await
        .unwrap();
    }
    sqlx::query("PRAGMA foreign_keys = ON").execute(&mut *free).await.unwrap();
}

#[tokio::test]
async fn a_promise_is_offered_on_time_although_every_limit_says_no() {
    let day: &[i64] = &[NOW - 3 * HOUR, NOW - HOUR];
    let week: &[i64] = &[NOW - 6 * DAY, NOW - 5 * DAY, NOW - 4 * DAY, NOW - 3 * DAY, NOW - 2 * DAY];
    for before in [&[], day, week] {
        let hall = Hall::new(2, 1).await;
        let held = hall.claim(0, NOW).await.unwrap();
        rung_before(&hall, &held, before).await;
        let (_, close) = call(&hall, &held, NOW, Outcome::Callback, Some(RingAgain::InAnHour)).await;
        assert_eq!(close.contact, Some(ContactNext::Due(NOW + HOUR)), "{} before", before.len());

        let other = hall.claim(0, NOW + HOUR - 1).await.unwrap();
        assert_ne!(other.facts.contact, held.facts.contact, "not before");
        call(&hall, &other, NOW, Outcome::Reached, None).await;
        let again = hall.claim(0, NOW + HOUR).await.expect("on time");
        assert_eq!((again.facts.contact, again.facts.promised), (held.facts.contact, Some(NOW + HOUR)));
        assert_eq!(may_ring(&again.facts, &rules(&hall), NOW + HOUR), Ok(()));
        let unasked = dialler::ContactFacts { promised: None, ..again.facts.clone() };
        assert_eq!(may_ring(&unasked, &rules(&hall), NOW + HOUR).unwrap_err().rule, Rule::R16);

        // Tried once, and bound again.
        let (_, close) = call(&hall, &again, NOW + HOUR, Outcome::Busy, None).await;
        let Some(ContactNext::Due(due)) = close.contact else { panic!("{close:?}") };
        assert!(due >= NOW + 3 * HOUR);
        let held = hall.claim(0, due).await.unwrap();
        assert_eq!((held.facts.contact, held.facts.promised), (again.facts.contact, None));
    }
}

#[tokio::test]
async fn a_promise_outlives_the_server_and_ends_with_a_correction() {
    let hall = Hall::new(1, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let (attempt, _) = call(&hall, &held, NOW, Outcome::Callback, Some(RingAgain::InAnHour)).await;
    hall.store.close().await;
    let store = Store::open(hall.folder.path()).await.unwrap();
    let device = hall.devices[0];
    let stored = async || store.stored_attempt(attempt.attempt, device, NOW).await.unwrap().unwrap();
    assert_eq!(stored().await.contact.promised, Some(NOW + HOUR));
    let next = retry::after(Outcome::Machine, None, &stored().await.contact, &rules(&hall), NOW);
    let correction = hall.close(0, &attempt, Outcome::Machine, next);
    store.close_attempt(&correction).await.unwrap();
    assert_eq!(stored().await.contact.promised, None);
}

#[tokio::test]
async fn a_call_that_went_no_further_than_the_trunk_leaves_the_promise_to_be_kept() {
    let hall = Hall::new(1, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    call(&hall, &held, NOW, Outcome::Callback, Some(RingAgain::InAnHour)).await;
    // They had all their attempts before.
    sqlx::query("UPDATE contacts SET attempts = 3").execute(hall.store.writer()).await.unwrap();
    let held = hall.claim(0, NOW + HOUR).await.unwrap();
    let attempt = NewAttempt { dialled_at: NOW + HOUR, ..hall.attempt(0, &held) };
    hall.store.commit_attempt(&attempt).await.unwrap();
    let again = NOW + HOUR + HOUR / 4;
    let close = Close {
        counts: false,
        id: None,
        ..hall.close(0, &attempt, Outcome::Failed, ContactNext::Due(again))
    };
    hall.store.close_attempt(&close).await.unwrap();
    let held = hall.claim(0, again).await.expect("it is still to be kept");
    assert_eq!(held.facts.promised, Some(NOW + HOUR));
    assert_eq!(may_ring(&held.facts, &rules(&hall), again), Ok(()));
}

#[tokio::test]
async fn the_same_number_on_another_list_is_bound_all_the_same() {
    let hall = Hall::new(1, 2).await;
    let held = hall.claim(0, NOW).await.unwrap();
    call(&hall, &held, NOW, Outcome::Callback, Some(RingAgain::InAnHour)).await;
    let elsewhere = "INSERT INTO campaigns SELECT 'ffffffff-ffff-7fff-8fff-ffffffffffff', 'Elsewhere', organisation,
         organiser, mode, caller_id, country, time_zone, script, hours, spacing_ms, attempts_allowed, ring_timeout_ms,
         NULL, NULL, NULL, 0, 0 FROM campaigns";
    sqlx::query(elsewhere).execute(hall.store.writer()).await.unwrap();
    let on_it = "INSERT INTO contacts (id, campaign_id, import_id, number, name, form_of_address, context, due_at, created_at)
         SELECT 'eeeeeeee-eeee-7eee-8eee-eeeeeeeeeeee', 'ffffffff-ffff-7fff-8fff-ffffffffffff', import_id, number, name,
         '', '', 0, 0 FROM contacts";
    sqlx::query(on_it).execute(hall.store.writer()).await.unwrap();
    let now = dialler::Now { wall: NOW + HOUR, steady: 0 };
    let elsewhere = "ffffffff-ffff-7fff-8fff-ffffffffffff".parse().unwrap();
    let claimed =
        hall.store.claim_due(elsewhere, hall.devices[1], now, 90_000, |_: &Number| Some(now.wall)).await;
    let Ok(Claim::Held(there)) = claimed else { panic!("{claimed:?}") };
    assert_eq!((there.facts.promised, there.facts.dialled.len()), (None, 1));
    assert_eq!(may_ring(&there.facts, &rules(&hall), NOW + HOUR).unwrap_err().rule, Rule::R16);
}

#[tokio::test]
async fn a_callback_of_an_older_server_is_a_promise_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteConnectOptions::new().filename(folder.path().join(FILE)).create_if_missing(true);
    let mut old = file.foreign_keys(false).connect().await.unwrap();
    MIGRATIONS.run_to(2, &mut old).await.unwrap();
    for (n, (state, outcome)) in
        [("open", "callback"), ("open", "no-answer"), ("done", "callback")].into_iter().enumerate()
    {
        sqlx::query(
            "INSERT INTO contacts (id, campaign_id, import_id, number, name, form_of_address, context, state, due_at,
                                   last_outcome, created_at)
             VALUES ($1, 'campaign', 'import', $1, 'Ann', '', '', $2, 9, $3, 0)",
        )
        .bind(n.to_string())
        .bind(state)
        .bind(outcome)
        .execute(&mut old)
        .await
        .unwrap();
        for (attempt, again_at) in [(1, 1), (2, 7)] {
            sqlx::query(
                "INSERT INTO attempts (id, lease_id, campaign_id, contact_id, device_id, number, caller_id, state,
                                       dialled_at, outcome, again_at)
                 VALUES ($1, $1, 'campaign', $2, 'device', $2, '', 'closed', $3, 'callback', $4)",
            )
            .bind(format!("{n}-{attempt}"))
            .bind(n.to_string())
            .bind(attempt)
            .bind(again_at)
            .execute(&mut old)
            .await
            .unwrap();
        }
    }
    old.close().await.unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let promised: Vec<Option<i64>> = sqlx::query_scalar("SELECT promised_at FROM contacts ORDER BY id")
        .fetch_all(store.reader())
        .await
        .unwrap();
    assert_eq!(promised, [Some(7), None, None]);
}
