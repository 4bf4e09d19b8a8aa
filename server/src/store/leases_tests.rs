#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use dialler::{AdoptedState, ContactNext, DoNotCall, Keep, Now, Progress, Release, Released};
use protocol::{
    call::EndedBy,
    ids::{ContactId, LeaseId, OutcomeId},
    outcome::Outcome,
};
use uuid::Uuid;

use super::*;
use crate::{
    place::Openings,
    store::{
        attempts::{CommitError, DIAL, STORED},
        fixture::{Hall, NOW},
    },
};

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
    for (contact, device) in [
        (first.facts.contact, hall.devices[1]),
        (second.facts.contact, hall.devices[1]),
        (first.facts.contact, hall.devices[0]),
    ] {
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
        let release =
            Release { lease: held.lease, device: hall.devices[0], contact: held.facts.contact, how, at: NOW };
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
        sip: None,
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
async fn a_contact_that_was_closed_since_the_press_is_not_dialled() {
    let hall = Hall::new(1, 2).await;
    let earlier = hall.claim(1, NOW).await.unwrap();
    let earlier = hall.attempt(1, &earlier);
    hall.store.commit_attempt(&earlier).await.unwrap();
    let callback = hall.close(1, &earlier, Outcome::Callback, ContactNext::Due(NOW));
    hall.store.close_attempt(&callback).await.unwrap();
    // A press that waits in line, and meanwhile the call before is corrected.
    let held = hall.claim(0, NOW).await.unwrap();
    let attempt = hall.attempt(0, &held);
    let refused = hall.close(1, &earlier, Outcome::Refused, ContactNext::Done);
    hall.store.close_attempt(&refused).await.unwrap();
    let late = hall.store.commit_attempt(&attempt).await;
    assert!(matches!(late, Err(CommitError::LeaseLost)), "{late:?}");
    assert_eq!(hall.count("SELECT count(*) FROM attempts").await, 1);
    let due = hall.close(1, &earlier, Outcome::Callback, ContactNext::Due(NOW));
    hall.store.close_attempt(&due).await.unwrap();
    hall.store.commit_attempt(&attempt).await.unwrap();
}

#[tokio::test]
async fn what_is_asked_before_a_call_is_found_by_indexes() {
    let hall = Hall::new(1, 1).await;
    let steps = hall.plan(DIAL).await;
    for table in ["leases", "contacts", "do_not_call"] {
        assert!(steps.iter().any(|step| step.starts_with(&format!("SEARCH {table} "))), "{steps:#?}");
    }
}

#[tokio::test]
async fn what_is_asked_before_a_correction_is_found_by_indexes() {
    let hall = Hall::new(1, 1).await;
    let steps = hall.plan(STORED).await;
    for index in ["attempts_by_contact", "attempts_by_device"] {
        assert!(steps.iter().any(|step| step.contains(index)), "{steps:#?}");
    }
}

#[tokio::test]
async fn a_correction_knows_whether_its_device_rang_somebody_since() {
    let hall = Hall::new(2, 2).await;
    let first = hall.attempt(0, &hall.claim(0, NOW).await.unwrap());
    hall.store.commit_attempt(&first).await.unwrap();
    let is_last = async || {
        let stored = hall.store.stored_attempt(first.attempt, hall.devices[0], NOW).await.unwrap().unwrap();
        stored.devices_last
    };
    hall.store
        .close_attempt(&hall.close(0, &first, Outcome::NoAnswer, ContactNext::Due(NOW + 500)))
        .await
        .unwrap();
    assert!(is_last().await);
    let others =
        dialler::NewAttempt { dialled_at: NOW + 5, ..hall.attempt(1, &hall.claim(1, NOW).await.unwrap()) };
    hall.store.commit_attempt(&others).await.unwrap();
    hall.store
        .close_attempt(&hall.close(1, &others, Outcome::NoAnswer, ContactNext::Due(NOW + 500)))
        .await
        .unwrap();
    assert!(is_last().await, "another device's");
    let held = hall.claim(0, NOW + 600).await.unwrap();
    let own = dialler::NewAttempt { dialled_at: NOW + 600, ..hall.attempt(0, &held) };
    hall.store.commit_attempt(&own).await.unwrap();
    assert!(!is_last().await);
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
    let release = Release {
        lease: held.lease,
        device: other,
        contact: held.facts.contact,
        how: Released::DoNotCall,
        at: NOW,
    };
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

#[tokio::test]
async fn a_callback_goes_first_also_beyond_the_attempts_allowed() {
    let hall = Hall::new(3, 1).await;
    let asked_for =
        "UPDATE contacts SET last_outcome = 'callback', attempts = 3, due_at = $1 WHERE name = 'Callee 2'";
    sqlx::query(asked_for).bind(NOW).execute(hall.store.writer()).await.unwrap();
    let no_more = "UPDATE contacts SET last_outcome = 'no-answer', attempts = 3 WHERE name = 'Callee 1'";
    sqlx::query(no_more).execute(hall.store.writer()).await.unwrap();
    let later = hall.store.due_later(hall.campaign, hall.devices[0], NOW - 1).await.unwrap();
    assert_eq!(later, Later { contacts: 1, next_at: Some(NOW) });
    for name in ["Callee 2", "Callee 0"] {
        let held = hall.claim(0, NOW).await.unwrap();
        assert_eq!(held.name, name);
        let attempt = hall.attempt(0, &held);
        hall.store.commit_attempt(&attempt).await.unwrap();
        let close = hall.close(0, &attempt, Outcome::Reached, ContactNext::Done);
        hall.store.close_attempt(&close).await.unwrap();
    }
    assert_eq!(hall.claim(0, NOW).await, None, "the third had all its attempts");
}

#[tokio::test]
async fn a_number_for_the_do_not_call_list_is_put_there_although_the_hold_has_lapsed() {
    let hall = Hall::new(1, 2).await;
    let held = hall.claim(0, NOW).await.unwrap();
    hall.claim(1, NOW + 90_001).await.unwrap();
    let release = Release {
        lease: held.lease,
        device: hall.devices[0],
        contact: held.facts.contact,
        how: Released::DoNotCall,
        at: NOW + 90_002,
    };
    hall.store.release_lease(&release).await.unwrap();
    assert_eq!(hall.count("SELECT count(*) FROM do_not_call").await, 1);
}

#[tokio::test]
async fn a_sign_in_past_its_time_lasts_until_the_call_is_over() {
    let hall = Hall::new(1, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let attempt = hall.attempt(0, &held);
    hall.store.commit_attempt(&attempt).await.unwrap();
    let lapsed = async || hall.store.end_lapsed_sign_ins(i64::MAX).await.unwrap();
    assert_eq!(lapsed().await, []);
    let close = hall.close(0, &attempt, Outcome::Reached, ContactNext::Done);
    hall.store.close_attempt(&close).await.unwrap();
    assert_eq!(lapsed().await, hall.devices);
}

#[tokio::test]
async fn a_hold_lapses_by_the_steady_time_only() {
    let hall = Hall::new(1, 2).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let claim = async |wall, steady| {
        let now = Now { wall, steady };
        let always = |_: &Number| Some(wall);
        hall.store.claim_due(hall.campaign, hall.devices[1], now, steady + 90_000, always).await.unwrap()
    };
    const HOURS: i64 = 5 * 60 * 60 * 1_000;
    assert_eq!(claim(NOW + HOURS, NOW + 90_000).await, Claim::Nobody, "a clock set forwards frees nothing");
    // A start of the server after its clock was set back: holds last as if they were new.
    hall.store.renew_all_leases(NOW - HOURS + 90_000).await.unwrap();
    assert_eq!(claim(NOW - HOURS, NOW - HOURS + 90_000).await, Claim::Nobody);
    let Claim::Held(other) = claim(NOW - HOURS, NOW - HOURS + 90_001).await else { panic!("not free again") };
    assert_eq!(other.facts.contact, held.facts.contact);
}

/// Contact `n` of a hall gets another number.
async fn renumber(hall: &Hall, n: u32, number: &str) {
    sqlx::query("UPDATE contacts SET number = $1 WHERE name = $2")
        .bind(number)
        .bind(format!("Callee {n}"))
        .execute(hall.store.writer())
        .await
        .unwrap();
}

#[tokio::test]
async fn whose_hours_are_closed_is_due_when_they_open_and_stands_in_nobodys_way() {
    const OPENS: i64 = NOW + 1_000_000;
    let hall = Hall::new(700, 2).await;
    // All but the last are far away: more than one claim puts off.
    for n in 0..699 {
        renumber(&hall, n, &format!("+6125550{n:04}")).await;
    }
    let claim = async |device: usize, now: i64| {
        let opens_at =
            |number: &Number| Some(if number.e164().starts_with("+61") && now < OPENS { OPENS } else { now });
        let both = Now { wall: now, steady: now };
        hall.store.claim_due(hall.campaign, hall.devices[device], both, now + 90_000, opens_at).await.unwrap()
    };
    assert_eq!(claim(0, NOW).await, Claim::PutOff { never: 0 });
    assert_eq!(hall.count("SELECT count(*) FROM contacts WHERE due_at = 1800001000000").await, 500);
    assert_eq!(claim(0, NOW).await, Claim::PutOff { never: 0 });
    let Claim::Held(near) = claim(0, NOW).await else { panic!("nobody is offered") };
    assert_eq!(near.name, "Callee 699");
    assert_eq!(claim(1, NOW).await, Claim::Nobody, "nothing is looked at again before they open");
    let later = hall.store.due_later(hall.campaign, hall.devices[1], NOW).await.unwrap();
    assert_eq!(later, Later { contacts: 699, next_at: Some(OPENS) });
    assert_eq!(hall.count("SELECT count(*) FROM leases WHERE state = 'held'").await, 1);
    assert!(
        matches!(claim(0, OPENS).await, Claim::Held(again) if again.name == near.name),
        "has waited longer"
    );
    let Claim::Held(far) = claim(1, OPENS).await else { panic!("nobody is offered") };
    assert_eq!(far.name, "Callee 0");
    // A card that is held while the hours close is taken back too.
    let closed = |_: &Number| Some(OPENS + 2_000_000);
    let now = Now { wall: OPENS + 1, steady: OPENS + 1 };
    let claim =
        hall.store.claim_due(hall.campaign, hall.devices[1], now, OPENS + 90_000, closed).await.unwrap();
    assert_eq!(claim, Claim::PutOff { never: 0 });
    assert_eq!(
        hall.store.facts_of_lease(far.lease, hall.devices[1], OPENS).await.unwrap().unwrap().number,
        far.facts.number
    );
}

#[tokio::test]
async fn an_old_list_with_numbers_abroad_rings_none_of_them() {
    let hall = Hall::new(3, 1).await;
    renumber(&hall, 0, "+33142685300").await;
    renumber(&hall, 1, "+441022026").await; // what an old version made of 01/02/2026
    let row = hall.store.campaign(hall.campaign).await.unwrap().unwrap();
    assert!(!row.form.abroad);
    let rules = crate::dialling::card::rules(&row).unwrap();
    let mut openings = Openings::from(rules, "GB", NOW);
    let now = Now { wall: NOW, steady: NOW };
    let mut claim = async || {
        let opens_at = |number: &Number| openings.of(number);
        hall.store.claim_due(hall.campaign, hall.devices[0], now, NOW + 90_000, opens_at).await.unwrap()
    };
    assert_eq!(claim().await, Claim::PutOff { never: 2 });
    let Claim::Held(held) = claim().await else { panic!("nobody is offered") };
    assert_eq!(held.name, "Callee 2");
    assert_eq!(hall.count("SELECT count(*) FROM contacts WHERE state = 'done'").await, 2);
}

#[tokio::test]
async fn what_the_rules_see_of_a_contact_says_where_it_is() {
    let hall = Hall::new(2, 2).await;
    renumber(&hall, 0, "+12125550123").await;
    let place = async |device| hall.claim(device, NOW).await.unwrap().facts.place;
    let (newyork, home) = (place(0).await, place(1).await);
    assert!(newyork.abroad && !home.abroad);
    assert_eq!(place::names(&newyork), "America/New_York");
}

#[tokio::test]
async fn promised_callbacks_come_first_then_who_has_been_due_longest() {
    for seed in 0..20u64 {
        let hall = Hall::new(12, 1).await;
        // Any order will do, as long as it is not that of the rows.
        let mixed = |n: u64, salt: u64| (n + seed * 31 + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM contacts ORDER BY rowid")
            .fetch_all(hall.store.reader())
            .await
            .unwrap();
        let mut list: Vec<(bool, i64, usize)> = Vec::new();
        for (n, id) in (0u64..).zip(&ids) {
            let callback = mixed(n, 1).is_multiple_of(3);
            // Some are due together, some not yet.
            let due_at = NOW - 4 + i64::try_from(mixed(n, 2) % 6).unwrap();
            sqlx::query("UPDATE contacts SET due_at = $2, last_outcome = $3 WHERE id = $1")
                .bind(id)
                .bind(due_at)
                .bind(callback.then_some("callback"))
                .execute(hall.store.writer())
                .await
                .unwrap();
            if due_at <= NOW {
                list.push((!callback, due_at, usize::try_from(n).unwrap()));
            }
        }
        list.sort_unstable();
        let mut claimed = Vec::new();
        while let Some(held) = hall.claim(0, NOW).await {
            claimed.push(held.facts.contact.to_string());
            let attempt = hall.attempt(0, &held);
            hall.store.commit_attempt(&attempt).await.unwrap();
            let close = hall.close(0, &attempt, Outcome::Reached, ContactNext::Done);
            hall.store.close_attempt(&close).await.unwrap();
        }
        let expected: Vec<String> = list.iter().map(|(_, _, row)| ids[*row].clone()).collect();
        assert_eq!(claimed, expected, "seed {seed}");
    }
}

#[tokio::test]
async fn an_attempt_that_does_not_count_takes_nothing_from_its_contact() {
    let hall = Hall::new(1, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let attempt = hall.attempt(0, &held);
    hall.store.commit_attempt(&attempt).await.unwrap();
    let due_at = NOW + 900_000;
    let mut close = hall.close(0, &attempt, Outcome::Failed, ContactNext::Due(due_at));
    (close.counts, close.id) = (false, None);
    // A write that is tried again takes nothing twice.
    for _ in 0..2 {
        hall.store.close_attempt(&close).await.unwrap();
    }
    assert_eq!(hall.count("SELECT attempts FROM contacts").await, 0);
    assert_eq!(hall.count("SELECT counts FROM attempts").await, 0);
    assert!(hall.claim(0, due_at - 1).await.is_none());
    let facts = hall.claim(0, due_at).await.unwrap().facts;
    assert_eq!((facts.attempts, facts.dialled.len(), facts.uncounted), (0, 0, 1));
}
