#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dialler::{Close, DoNotCall, NewAttempt, Progress, Release, Released};
use protocol::{call::EndedBy, outcome::WrittenBy};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::*;
use crate::store::{
    MIGRATIONS,
    fixture::{Hall, NOW},
};

const HOUR: i64 = 3_600_000;

/// Stands in for the rules: a card at once, a call the next day.
fn rules(facts: &ContactFacts, call: Option<LastCall>) -> ContactNext {
    match call {
        Some(call) if retry::is_final(call.outcome) => ContactNext::Done,
        Some(LastCall { outcome: Outcome::Callback, again_at: Some(at), .. }) => ContactNext::Due(at),
        Some(_) if facts.attempts >= 3 => ContactNext::Done,
        Some(call) => ContactNext::Due(call.ended_at + 24 * HOUR),
        None => ContactNext::Due(NOW + HOUR),
    }
}

fn scope(hall: &Hall, device: usize, since: i64) -> Scope {
    Scope { devices: vec![hall.devices[device]], since, until: None, by: "Ruth".into() }
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
    record_by(hall, device, OutcomeId::new(Uuid::now_v7()), outcome, at).await
}

async fn record_by(hall: &Hall, device: usize, press: OutcomeId, outcome: Outcome, at: i64) -> Close {
    let held = hall.claim(device, NOW).await.unwrap();
    let attempt = hall.attempt(device, &held);
    hall.store.commit_attempt(&attempt).await.unwrap();
    let next = if outcome == Outcome::NoAnswer { ContactNext::Due(NOW + HOUR) } else { ContactNext::Done };
    let do_not_call = listed(outcome);
    let close = Close { id: Some(press), at, do_not_call, ..hall.close(device, &attempt, outcome, next) };
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
    let until = Scope { until: Some(NOW + 99), ..scope(&hall, 1, NOW) };
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
async fn one_press_id_for_all_calls_hides_no_mark() {
    let hall = Hall::new(4, 1).await;
    let press: OutcomeId = "ffffffff-ffff-7fff-bfff-ffffffffffff".parse().unwrap();
    let asked = record(&hall, 0, Outcome::DoNotCall, NOW - 50).await;
    let before = list(&hall).await;
    for n in 1..=3 {
        let close = record_by(&hall, 0, press, Outcome::Reached, NOW + n).await;
        hall.store.close_attempt(&close).await.unwrap();
    }
    let turned = Close { id: Some(press), outcome: Outcome::Reached, at: NOW + 4, ..asked };
    hall.store.close_attempt(&Close { do_not_call: DoNotCall::TakeBack, ..turned }).await.unwrap();
    assert_eq!(
        hall.count("SELECT count(*) FROM outcomes").await,
        5,
        "one for each call, however often it comes"
    );
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW + 10, true).await.unwrap();
    let kinds: Vec<Kind> = marks.iter().map(|mark| mark.kind).collect();
    let called = Kind::Outcome { was: Outcome::Reached, now: Outcome::Unknown };
    let corrected = Kind::Outcome { was: Outcome::Reached, now: Outcome::DoNotCall };
    assert_eq!(kinds, [called, called, called, corrected]);
    let (contacts, numbers) = list(&hall).await;
    assert_eq!(numbers, before.1);
    assert_eq!(contacts.iter().filter(|(state, ..)| state == "open").count(), 3, "{contacts:?}");
}

#[tokio::test]
async fn what_was_marked_while_the_clock_was_ahead_is_taken_back_too() {
    let hall = Hall::new(2, 1).await;
    settle(&hall, 0, Released::DoNotCall, NOW + 5 * HOUR).await;
    record(&hall, 0, Outcome::Reached, NOW + 6 * HOUR).await;
    let scope = scope(&hall, 0, NOW);
    let marks = hall.store.take_back(&scope, &rules, NOW + 10, true).await.unwrap();
    assert_eq!(marks.iter().map(|mark| mark.at).collect::<Vec<_>>(), [NOW + 5 * HOUR, NOW + 6 * HOUR]);
    let (contacts, numbers) = list(&hall).await;
    assert!(numbers.is_empty() && contacts.iter().all(|(state, ..)| state == "open"), "{contacts:?}");
    assert_eq!(hall.store.take_back(&scope, &rules, NOW + 20, true).await.unwrap(), []);
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

/// Due time, promise and last outcome of the one contact; outcome, time and note of its last call.
type Stood = (String, i64, Option<i64>, String, i64, String, Option<i64>, Option<String>);

async fn stood(hall: &Hall) -> Stood {
    let row = sqlx::query(
        "SELECT c.state, c.due_at, c.promised_at, c.last_outcome, c.attempts, a.outcome, a.again_at, a.note
         FROM contacts c JOIN attempts a ON a.contact_id = c.id AND a.undone_by IS NULL
         ORDER BY a.dialled_at DESC, a.rowid DESC LIMIT 1",
    );
    let row = row.fetch_one(hall.store.reader()).await.unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5), row.get(6), row.get(7))
}

/// A callback in six hours, with the note "a note".
async fn promise(hall: &Hall, at: i64) -> Close {
    promise_for(hall, 0, NOW + 6 * HOUR, at).await
}

async fn promise_for(hall: &Hall, device: usize, due: i64, at: i64) -> Close {
    let held = hall.claim(device, NOW).await.unwrap();
    let attempt = hall.attempt(device, &held);
    hall.store.commit_attempt(&attempt).await.unwrap();
    let mut close = hall.close(device, &attempt, Outcome::Callback, ContactNext::Due(due));
    (close.at, close.again_at) = (at, Some(due));
    hall.store.close_attempt(&close).await.unwrap();
    close
}

#[tokio::test]
async fn a_card_is_not_due_again_after_the_last_call_was_corrected_to_one_that_closes() {
    let hall = Hall::new(1, 2).await;
    let sams = promise_for(&hall, 1, NOW, NOW - 50).await;
    settle(&hall, 0, Released::DoNotCall, NOW + 1).await;
    correct(&hall, &Close { again_at: None, ..sams }, Outcome::Refused, NOW + 2).await;
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW + 10, true).await.unwrap();
    assert_eq!((marks.len(), marks[0].kind, marks[0].next), (1, Kind::DoNotCall, None));
    let (contacts, numbers) = list(&hall).await;
    assert_eq!((&*contacts[0].0, contacts[0].3.as_deref(), numbers.len()), ("done", Some("refused"), 0));

    // A thief's own correction closes nothing, though.
    let hall = Hall::new(1, 1).await;
    let close = promise_for(&hall, 0, NOW, NOW - 50).await;
    let before = stood(&hall).await;
    settle(&hall, 0, Released::DoNotCall, NOW + 1).await;
    correct(&hall, &Close { again_at: None, ..close }, Outcome::Refused, NOW + 2).await;
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW + 10, true).await.unwrap();
    assert_eq!(marks.iter().map(|mark| mark.next).collect::<Vec<_>>(), [None, Some(ContactNext::Due(NOW))]);
    assert_eq!(stood(&hall).await, before);
}

#[tokio::test]
async fn a_contact_that_a_thief_rang_beyond_its_attempts_is_open_again() {
    for is_last_by_another in [false, true] {
        let hall = Hall::new(1, 2).await;
        promise_for(&hall, 1, NOW, NOW - 50).await;
        for n in 1..=3 {
            promise_for(&hall, 0, NOW, NOW + n).await;
        }
        record(&hall, usize::from(is_last_by_another), Outcome::Machine, NOW + 4).await;
        let (contacts, _) = list(&hall).await;
        assert_eq!((&*contacts[0].0, contacts[0].2), ("done", 5));
        let scope = scope(&hall, 0, NOW);
        let listed = hall.store.take_back(&scope, &rules, NOW + 10, false).await.unwrap();
        let marks = hall.store.take_back(&scope, &rules, NOW + 10, true).await.unwrap();
        assert_eq!(marks, listed);
        assert_eq!(marks.len(), if is_last_by_another { 3 } else { 4 });
        let again = Some(ContactNext::Due(NOW + 24 * HOUR));
        assert!(marks.iter().all(|mark| mark.next == again), "{marks:#?}");
        let (contacts, _) = list(&hall).await;
        assert_eq!((&*contacts[0].0, contacts[0].2), ("open", 2), "and no more than that");
        let others = format!(
            "SELECT count(*) FROM attempts WHERE undone_by IS NOT NULL AND device_id = '{}'",
            hall.devices[1]
        );
        let others: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(others)).fetch_one(hall.store.reader()).await.unwrap();
        assert_eq!(others, 0, "what others did is not given back");
        assert_eq!(hall.store.take_back(&scope, &rules, NOW + 20, true).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_promise_that_a_thief_corrected_stands_again_with_its_time_and_its_note() {
    let hall = Hall::new(1, 1).await;
    let close = promise(&hall, NOW - 50).await;
    let before = stood(&hall).await;
    assert_eq!((before.2, before.7.as_deref()), (Some(NOW + 6 * HOUR), Some("a note")));
    let turned = Close { again_at: None, note: Some("not interested".into()), call: None, ..close.clone() };
    correct(&hall, &turned, Outcome::Refused, NOW + 1).await;
    correct(&hall, &Close { note: None, ..turned }, Outcome::DoNotCall, NOW + 2).await;
    assert_ne!(stood(&hall).await, before);
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW + 10, true).await.unwrap();
    let [mark] = marks.as_slice() else { panic!("{marks:?}") };
    assert_eq!(mark.kind, Kind::Outcome { was: Outcome::DoNotCall, now: Outcome::Callback });
    assert_eq!(mark.next, Some(ContactNext::Due(NOW + 6 * HOUR)));
    assert_eq!(stood(&hall).await, before);
    assert_eq!(list(&hall).await.1, Vec::<String>::new());
    // What is taken back can be marked and taken back again.
    correct(&hall, &close, Outcome::Refused, NOW + 20).await;
    hall.store.take_back(&scope(&hall, 0, NOW + 20), &rules, NOW + 30, true).await.unwrap();
    assert_eq!(stood(&hall).await, before);
}

#[tokio::test]
async fn what_the_network_said_of_a_call_stands_again_too() {
    let hall = Hall::new(1, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let attempt = hall.attempt(0, &held);
    hall.store.commit_attempt(&attempt).await.unwrap();
    let close = Close {
        id: None,
        by: WrittenBy::Network,
        note: None,
        at: NOW - 50,
        ..hall.close(0, &attempt, Outcome::Busy, ContactNext::Due(NOW + 24 * HOUR))
    };
    hall.store.close_attempt(&close).await.unwrap();
    correct(&hall, &close, Outcome::DoNotCall, NOW + 1).await;
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW + 10, true).await.unwrap();
    assert_eq!(marks[0].kind, Kind::Outcome { was: Outcome::DoNotCall, now: Outcome::Busy });
    assert_eq!(stood(&hall).await.3, "busy");
}

/// A thief's turn: dials, and ends the call before an answer; the last call of a contact that may have `allowed`.
async fn give_up(hall: &Hall, at: i64, by: EndedBy, key: Option<Outcome>) -> ContactId {
    let held = hall.claim(0, NOW).await.unwrap();
    let attempt = NewAttempt { dialled_at: at, ..hall.attempt(0, &held) };
    hall.store.commit_attempt(&attempt).await.unwrap();
    let facts = hall.store.facts_of_lease(held.lease, hall.devices[0], at).await.unwrap().unwrap();
    let outcome = key.unwrap_or(Outcome::NoAnswer);
    let next = if facts.attempts >= 3 || key == Some(Outcome::DoNotCall) {
        ContactNext::Done
    } else {
        ContactNext::Due(NOW)
    };
    let close = Close {
        id: key.map(|_| OutcomeId::new(Uuid::now_v7())),
        at: at + 1,
        given_up: true,
        do_not_call: listed(outcome),
        call: Some(Progress {
            attempt: attempt.attempt,
            state: "closed",
            ringing_at: None,
            answered_at: None,
            ended_at: Some(at + 1),
            ended_by: Some(by),
            cause: Some(16),
            sip: None,
        }),
        ..hall.close(0, &attempt, outcome, next)
    };
    hall.store.close_attempt(&close).await.unwrap();
    held.facts.contact
}

#[tokio::test]
async fn calls_that_were_given_up_close_no_contact_for_good() {
    let keys = [(EndedBy::Volunteer, None), (EndedBy::Server, None)];
    let keyed = [Outcome::NoAnswer, Outcome::DoNotCall].map(|key| (EndedBy::Volunteer, Some(key)));
    for (by, key) in keys.into_iter().chain(keyed) {
        let hall = Hall::new(1, 1).await;
        sqlx::query("UPDATE contacts SET attempts = 2").execute(hall.store.writer()).await.unwrap();
        give_up(&hall, NOW + 1, by, key).await;
        assert_eq!(list(&hall).await.0[0].0, "done", "{by:?} {key:?}");
        let scope = scope(&hall, 0, NOW);
        let listed = hall.store.take_back(&scope, &rules, NOW + 10, false).await.unwrap();
        assert_eq!(list(&hall).await.0[0].0, "done", "only listed");
        let marks = hall.store.take_back(&scope, &rules, NOW + 10, true).await.unwrap();
        assert_eq!(marks, listed);
        let [mark] = marks.as_slice() else { panic!("{by:?} {key:?}: {marks:?}") };
        let expected = match key {
            None => Kind::Call(Outcome::NoAnswer),
            Some(was) => Kind::Outcome { was, now: Outcome::Unknown },
        };
        assert_eq!((mark.kind, mark.next), (expected, Some(ContactNext::Due(NOW + HOUR))));
        let (contacts, numbers) = list(&hall).await;
        assert_eq!((&*contacts[0].0, contacts[0].2, numbers.len()), ("open", 2, 0), "{by:?} {key:?}");
        // It was made all the same: no call follows sooner than the rules say.
        let held = hall.claim(0, NOW + HOUR).await.unwrap();
        assert_eq!(held.facts.dialled, [NOW + 1]);
        assert_eq!(hall.store.take_back(&scope, &rules, NOW + 20, true).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_contact_that_had_three_of_a_thiefs_calls_has_its_promise_and_its_attempts_again() {
    let hall = Hall::new(1, 1).await;
    promise(&hall, NOW - 50).await;
    let before = stood(&hall).await;
    sqlx::query("UPDATE contacts SET due_at = $1").bind(NOW).execute(hall.store.writer()).await.unwrap();
    give_up(&hall, NOW + 1, EndedBy::Volunteer, None).await;
    give_up(&hall, NOW + 3, EndedBy::Server, None).await;
    assert_eq!(list(&hall).await.0[0].0, "done");
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW + 10, true).await.unwrap();
    assert_eq!((marks.len(), marks[1].next), (2, Some(ContactNext::Due(NOW + 6 * HOUR))));
    assert_eq!(stood(&hall).await, before);
}

#[tokio::test]
async fn an_attempt_that_a_thief_used_up_is_given_back_whoever_made_the_last() {
    let hall = Hall::new(2, 2).await;
    sqlx::query("UPDATE contacts SET attempts = 1").execute(hall.store.writer()).await.unwrap();
    // A thief wastes one, and somebody else makes the last.
    let first = give_up(&hall, NOW + 1, EndedBy::Volunteer, None).await;
    let last = async |device: usize, by| {
        let held = hall.claim(device, NOW).await.unwrap();
        let attempt = NewAttempt { dialled_at: NOW + 5, ..hall.attempt(device, &held) };
        hall.store.commit_attempt(&attempt).await.unwrap();
        let mut close = hall.close(device, &attempt, Outcome::Busy, ContactNext::Done);
        (close.id, close.by, close.at) = (None, by, NOW + 6);
        hall.store.close_attempt(&close).await.unwrap();
        held.facts.contact
    };
    sqlx::query("UPDATE contacts SET due_at = 1 WHERE id <> $1")
        .bind(first.to_string())
        .execute(hall.store.writer())
        .await
        .unwrap();
    sqlx::query("UPDATE contacts SET due_at = 0 WHERE id = $1")
        .bind(first.to_string())
        .execute(hall.store.writer())
        .await
        .unwrap();
    assert_eq!(last(1, WrittenBy::Network).await, first);
    // And the thief's own call was the last of another, though nobody gave it up.
    let second = last(0, WrittenBy::Network).await;
    assert_ne!(second, first);
    let marks = hall.store.take_back(&scope(&hall, 0, NOW), &rules, NOW + 10, true).await.unwrap();
    let seen: Vec<_> = marks.iter().map(|mark| (mark.contact, mark.kind)).collect();
    assert_eq!(seen, [(first, Kind::Call(Outcome::NoAnswer)), (second, Kind::Call(Outcome::Busy))]);
    let (contacts, _) = list(&hall).await;
    assert!(contacts.iter().all(|(state, ..)| state == "open"), "{contacts:?}");
    // What somebody else did with a contact that is due again is nobody's to take back.
    assert_eq!(hall.count("SELECT count(*) FROM attempts WHERE undone_by IS NOT NULL").await, 2);
}

#[tokio::test]
async fn an_older_database_keeps_what_was_pressed_and_who_asked_not_to_be_rung() {
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
        "INSERT INTO attempts (id, lease_id, campaign_id, contact_id, device_id, number, caller_id, state, dialled_at)
         VALUES ('a', 'l', 'k', 'c', 'd', '+447700900001', '', 'closed', 5)",
        "INSERT INTO outcomes VALUES ('o', 'a', 'd', 'refused', 'a note', 6)",
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
    let pressed =
        "SELECT id || attempt_id || device_id || ' ' || outcome || ' ' || note || ' ' || received_at
         FROM outcomes";
    assert_eq!(read(pressed).await, ["oad refused a note 6"]);
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
    for query in [PRESSED, PASSED_ON, TAKEN, LAST] {
        let steps = hall.plan(query).await;
        assert!(
            ["_by_time", "leases_passed_on", "attempts_by_end", "attempts_by_contact", "attempts_by_device"]
                .iter()
                .any(|index| steps.iter().any(|step| step.contains(index))),
            "{steps:#?}"
        );
    }
}
