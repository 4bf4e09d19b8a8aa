#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dialler::{Close, DoNotCall, Release, Released};
use protocol::outcome::WrittenBy;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::*;
use crate::store::{
    MIGRATIONS,
    fixture::{Hall, NOW},
};

const HOUR: i64 = 3_600_000;

/// Stands in for the rules: a card at once, a call the next day.
fn rules(_: &ContactFacts, call: Option<(Outcome, i64)>) -> ContactNext {
    match call {
        Some((Outcome::Reached, _)) => ContactNext::Done,
        Some((_, ended_at)) => ContactNext::Due(ended_at + 24 * HOUR),
        None => ContactNext::Due(NOW + HOUR),
    }
}

fn scope(hall: &Hall, device: usize, since: i64) -> Scope {
    Scope { devices: vec![hall.devices[device]], since, until: i64::MAX, by: "Ruth".into() }
}

async fn settle(hall: &Hall, device: usize, how: Released, at: i64) -> ContactId {
    let held = hall.claim(device, NOW).await.unwrap();
    let (lease, contact) = (held.lease, held.facts.contact);
    let release = Release { lease, device: hall.devices[device], contact, how, at };
    hall.store.release_lease(&release).await.unwrap();
    contact
}

/// Dials and records; gives the close, which a correction starts from.
async fn record(hall: &Hall, device: usize, outcome: Outcome, at: i64) -> Close {
    let held = hall.claim(device, NOW).await.unwrap();
    let attempt = hall.attempt(device, &held);
    hall.store.commit_attempt(&attempt).await.unwrap();
    let next = if outcome == Outcome::NoAnswer { ContactNext::Due(NOW + HOUR) } else { ContactNext::Done };
    let mut close = hall.close(device, &attempt, outcome, next);
    close.at = at;
    close.do_not_call = listed(outcome);
    hall.store.close_attempt(&close).await.unwrap();
    close
}

fn listed(outcome: Outcome) -> DoNotCall {
    if outcome == Outcome::DoNotCall { DoNotCall::Add } else { DoNotCall::TakeBack }
}

async fn correct(hall: &Hall, close: &Close, outcome: Outcome, at: i64) {
    let (id, contact) = (Some(OutcomeId::new(Uuid::now_v7())), Some(ContactNext::Done));
    let corrected = Close {
        id,
        outcome,
        at,
        contact,
        do_not_call: listed(outcome),
        by: WrittenBy::Volunteer,
        ..close.clone()
    };
    hall.store.close_attempt(&corrected).await.unwrap();
}

/// State, due time, attempts and last outcome of every contact; and the numbers that are not to be rung.
async fn list(hall: &Hall) -> (Vec<(String, i64, i64, Option<String>)>, Vec<String>) {
    let contacts = "SELECT state, due_at, attempts, last_outcome FROM contacts ORDER BY number";
    let rows = sqlx::query(contacts).fetch_all(hall.store.reader()).await.unwrap();
    let numbers = "SELECT DISTINCT number FROM do_not_call ORDER BY number";
    (
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect(),
        sqlx::query_scalar(numbers).fetch_all(hall.store.reader()).await.unwrap(),
    )
}

#[tokio::test]
async fn listing_changes_nothing_and_doing_it_opens_what_was_closed() {
    let hall = Hall::new(6, 1).await;
    settle(&hall, 0, Released::DoNotCall, NOW + 1).await;
    settle(&hall, 0, Released::Later { due_at: NOW + 9_000 * HOUR }, NOW + 2).await;
    let skipped = settle(&hall, 0, Released::Skipped { until: NOW + HOUR }, NOW + 3).await;
    record(&hall, 0, Outcome::Reached, NOW + 4).await;
    record(&hall, 0, Outcome::DoNotCall, NOW + 5).await;
    let before = list(&hall).await;
    let scope = scope(&hall, 0, NOW);
    let listed = hall.store.take_back(&scope, &rules, NOW + 10, false).await.unwrap();
    assert_eq!(list(&hall).await, before, "only listed");

    let marks = hall.store.take_back(&scope, &rules, NOW + 10, true).await.unwrap();
    assert_eq!(marks, listed, "what is listed is what is done");
    let kinds: Vec<Kind> = marks.iter().map(|mark| mark.kind).collect();
    let called = |was| Kind::Outcome { was, now: Outcome::Unknown };
    assert_eq!(kinds, [Kind::DoNotCall, Kind::Later, called(Outcome::Reached), called(Outcome::DoNotCall)]);
    assert!(marks.iter().all(|mark| mark.contact != skipped && mark.next.is_some()));
    let (contacts, numbers) = list(&hall).await;
    assert!(numbers.is_empty() && contacts.iter().all(|(state, ..)| state == "open"), "{contacts:?}");
    // The two cards are due at once; who was rung, the next day, and the attempt counts.
    assert_eq!(
        contacts.iter().filter(|(_, due_at, attempts, _)| (*due_at, *attempts) == (NOW + HOUR, 0)).count(),
        2
    );
    let rung: Vec<_> = contacts.iter().filter(|(_, _, attempts, _)| *attempts == 1).collect();
    assert!(
        rung.iter()
            .all(|(_, due_at, _, last)| *due_at == NOW + 24 * HOUR && last.as_deref() == Some("unknown"))
    );
    assert_eq!(rung.len(), 2);
    assert_eq!(hall.count("SELECT count(*) FROM attempts WHERE written_by = 'organiser'").await, 2);
    assert_eq!(hall.count("SELECT count(*) FROM outcomes WHERE undone_by = 'Ruth'").await, 2);
    assert_eq!(hall.count("SELECT count(*) FROM leases WHERE undone_by = 'Ruth'").await, 2);
    // Once more finds nothing.
    assert_eq!(hall.store.take_back(&scope, &rules, NOW + 20, true).await.unwrap(), []);
}

#[tokio::test]
async fn what_was_marked_before_or_by_others_stays() {
    let hall = Hall::new(4, 2).await;
    settle(&hall, 0, Released::DoNotCall, NOW + 1).await;
    record(&hall, 0, Outcome::Reached, NOW + 2).await;
    settle(&hall, 1, Released::DoNotCall, NOW + 100).await;
    record(&hall, 1, Outcome::Refused, NOW + 101).await;
    let before = list(&hall).await;
    assert_eq!(hall.store.take_back(&scope(&hall, 0, NOW + 50), &rules, NOW + 200, true).await.unwrap(), []);
    let until = Scope { until: NOW + 99, ..scope(&hall, 1, NOW) };
    assert_eq!(hall.store.take_back(&until, &rules, NOW + 200, true).await.unwrap(), []);
    assert_eq!(list(&hall).await, before);
}

#[tokio::test]
async fn a_number_that_somebody_else_asked_for_too_stays_on_the_list() {
    let hall = Hall::new(1, 2).await;
    let first = record(&hall, 1, Outcome::NoAnswer, NOW + 1).await;
    sqlx::query("UPDATE contacts SET due_at = 0").execute(hall.store.writer()).await.unwrap();
    settle(&hall, 0, Released::DoNotCall, NOW + 2).await;
    // The other volunteer's callee had said so, and the key was the wrong one.
    correct(&hall, &first, Outcome::DoNotCall, NOW + 3).await;
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW + 10, true).await.unwrap();
    assert_eq!((marks.len(), marks[0].next), (1, None));
    let (contacts, numbers) = list(&hall).await;
    assert_eq!((numbers.len(), contacts[0].0.as_str()), (1, "done"));
    // And the other way round: a wrong key of one does not forget what the other was asked.
    correct(&hall, &first, Outcome::NoAnswer, NOW + 20).await;
    assert_eq!(list(&hall).await.1, Vec::<String>::new(), "nobody asks any more");
}

#[tokio::test]
async fn a_correction_is_taken_back_to_what_stood_there_before() {
    let hall = Hall::new(2, 1).await;
    let reached = record(&hall, 0, Outcome::Reached, NOW - 50).await;
    let asked = record(&hall, 0, Outcome::DoNotCall, NOW - 40).await;
    let before = list(&hall).await;
    // A thief turns both round.
    correct(&hall, &reached, Outcome::DoNotCall, NOW + 1).await;
    correct(&hall, &asked, Outcome::Reached, NOW + 2).await;
    assert_ne!(list(&hall).await, before);
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW + 10, true).await.unwrap();
    let kinds: Vec<Kind> = marks.iter().map(|mark| mark.kind).collect();
    use Outcome::{DoNotCall, Reached};
    let turned =
        [Kind::Outcome { was: DoNotCall, now: Reached }, Kind::Outcome { was: Reached, now: DoNotCall }];
    assert_eq!(kinds, turned);
    assert_eq!(list(&hall).await, before);
}

#[tokio::test]
async fn a_contact_that_somebody_rang_since_stays_as_it_is() {
    let hall = Hall::new(1, 2).await;
    record(&hall, 0, Outcome::NoAnswer, NOW + 1).await;
    sqlx::query("UPDATE contacts SET due_at = 0").execute(hall.store.writer()).await.unwrap();
    let held = hall.claim(1, NOW + 2).await.unwrap();
    let mut attempt = hall.attempt(1, &held);
    attempt.dialled_at = NOW + 3;
    hall.store.commit_attempt(&attempt).await.unwrap();
    let close = hall.close(1, &attempt, Outcome::Reached, ContactNext::Done);
    hall.store.close_attempt(&close).await.unwrap();
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW + 10, true).await.unwrap();
    assert_eq!((marks.len(), marks[0].next), (1, None));
    assert_eq!(list(&hall).await.0[0].3.as_deref(), Some("reached"));
}

#[tokio::test]
async fn an_older_database_keeps_who_asked_not_to_be_rung() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        SqliteConnectOptions::new().filename(folder.path().join("ringround.db")).create_if_missing(true);
    let mut older = SqliteConnection::connect_with(&file).await.unwrap();
    MIGRATIONS.run_to(2, &mut older).await.unwrap();
    for row in [
        "INSERT INTO people VALUES ('p', 'Maya', 'volunteer', 0, NULL)",
        "INSERT INTO campaigns (id, name, organisation, organiser, mode, caller_id, country, time_zone, script,
                                spacing_ms, attempts_allowed, created_at)
         VALUES ('k', 'W', '', '', '', '', '', '', '', 0, 3, 0)",
        "INSERT INTO devices VALUES ('d', 'p', 'k', x'00', '', 0, NULL)",
        "INSERT INTO imports VALUES ('i', 'k', '', 1, 0, 0)",
        "INSERT INTO contacts (id, campaign_id, import_id, number, name, form_of_address, context, due_at, created_at)
         VALUES ('c', 'k', 'i', '+447700900001', '', '', '', 0, 0)",
        "INSERT INTO leases VALUES ('l', 'c', 'd', 0, 0, 'settled', 7)",
        "INSERT INTO leases VALUES ('m', 'c', 'd', 0, 0, 'settled', 7)",
        "INSERT INTO do_not_call VALUES ('+447700900001', 7, 'l')",
        "INSERT INTO do_not_call VALUES ('+447700900002', 8, 'by letter')",
    ] {
        sqlx::query(row).execute(&mut older).await.unwrap();
    }
    older.close().await.unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let read = async |query: &'static str| -> Vec<String> {
        sqlx::query_scalar(query).fetch_all(store.reader()).await.unwrap()
    };
    let asked =
        read("SELECT number || ' ' || created_at || ' ' || source FROM do_not_call ORDER BY number").await;
    assert_eq!(asked, ["+447700900001 7 l", "+447700900002 8 by letter"]);
    assert_eq!(read("SELECT id FROM leases WHERE passed_on = 'do-not-call'").await, ["l"]);
}

#[tokio::test]
async fn thousands_are_taken_back_within_a_second_or_two_by_indexes() {
    let hall = Hall::new(1, 2).await;
    let contact: String =
        sqlx::query_scalar("SELECT id FROM contacts").fetch_one(hall.store.reader()).await.unwrap();
    let mut tx = hall.store.begin().await.unwrap();
    for n in 0..3_000 {
        let (contact_id, lease) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
        sqlx::query(
            "INSERT INTO contacts (id, campaign_id, import_id, number, name, form_of_address, context, state,
                                   due_at, created_at)
             SELECT $1, campaign_id, import_id, $2, '', '', '', 'done', 0, 0 FROM contacts WHERE id = $3",
        )
        .bind(&contact_id)
        .bind(format!("+4420794{n:05}"))
        .bind(&contact)
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query("INSERT INTO leases VALUES ($1, $2, $3, $4, 0, 'settled', $4, 'do-not-call', NULL)")
            .bind(&lease)
            .bind(&contact_id)
            .bind(hall.devices[0].to_string())
            .bind(NOW)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query("INSERT INTO do_not_call SELECT number, 0, $2 FROM contacts WHERE id = $1")
            .bind(&contact_id)
            .bind(&lease)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let began = std::time::Instant::now();
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW, true).await.unwrap();
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    assert_eq!(marks.len(), 3_000);
    assert_eq!(hall.count("SELECT count(*) FROM do_not_call").await, 0);
    assert_eq!(hall.count("SELECT count(*) FROM contacts WHERE state = 'open'").await, 3_001);
    // No scan of a table that grows.
    for query in [PRESSED, PASSED_ON] {
        let explain = format!("EXPLAIN QUERY PLAN {query}");
        let plan = sqlx::query(sqlx::AssertSqlSafe(explain)).fetch_all(hall.store.reader()).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        assert!(steps.iter().all(|step| !step.starts_with("SCAN")), "{steps:#?}");
        assert!(
            steps.iter().any(|step| step.contains("_by_time") || step.contains("leases_passed_on")),
            "{steps:#?}"
        );
    }
}
