//! The store on a real file: joining, signing in, lists, copies, and a disk that refuses.

use std::{os::unix::fs::PermissionsExt, path::Path};

use dialler::hours::Hours;
use protocol::{
    campaign::Mode,
    http::EndedLink,
    ids::{CampaignId, DeviceId, PersonId},
    number::Number,
};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use uuid::Uuid;

use super::{
    FILE, MIGRATIONS, Store, StoreError,
    backup::{self, BackupRefused},
    campaigns::{CampaignPause, NewCampaign},
    imports::NotAdded,
    join_links::{NewDevice, Spent},
    sign_ins::TokenState,
};
use crate::import::NewContact;

const NOW: i64 = 1_795_000_000_000;
const LATER: i64 = NOW + 1_000_000;

struct Here {
    folder: TempDir,
    store: Store,
    campaign: CampaignId,
    person: PersonId,
}

fn campaign(name: &str) -> NewCampaign {
    NewCampaign {
        name: name.into(),
        organisation: "Lantern Street Trust".into(),
        organiser: "Ruth".into(),
        mode: Mode::OneTouch,
        caller_id: Number::from_e164("+442079460000").expect("number"),
        country: "GB".into(),
        time_zone: "Europe/London".into(),
        abroad: true,
        script: "Hello".into(),
        hours: Hours::Rules,
        spacing_ms: 7_200_000,
        attempts_allowed: 4,
        ring_timeout_ms: 25_000,
    }
}

async fn here() -> Here {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path()).await.expect("store");
    let campaign = store.add_campaign(&campaign("Winter Warmth"), NOW).await.expect("campaign");
    let person = store.add_volunteer("Maya", NOW).await.expect("person");
    Here { folder, store, campaign, person }
}

fn device(key: u8) -> NewDevice {
    NewDevice { id: DeviceId::new(Uuid::now_v7()), public_key: [key; 32], name: "Maya's laptop".into() }
}

fn contact(line: u64) -> NewContact {
    NewContact {
        line,
        number: Number::from_e164(&format!("+447700900{line:03}")).expect("number"),
        name: "Margaret Hollis".into(),
        form_of_address: "Mrs Hollis".into(),
        flag: None,
        context: "Lives alone\nSon: Tom".into(),
        reference: Some("A1".into()),
    }
}

fn ruths(expires_at_ms: i64) -> EndedLink {
    EndedLink { organiser: "Ruth".into(), expires_at_ms }
}

impl Here {
    async fn link(&self, token: &[u8]) {
        let added = self.store.add_join_link(token, self.person, self.campaign, NOW, LATER).await;
        added.expect("link");
    }

    async fn spend(&self, token: &[u8], device: &NewDevice) -> Spent {
        self.store.spend_join_link(token, device, NOW).await.expect("spent")
    }
}

#[tokio::test]
async fn a_link_is_spent_once_and_a_retry_with_the_same_key_gets_the_same_answer() {
    let here = here().await;
    here.link(b"one").await;
    let mine = device(1);
    let joined = Spent::Joined { person: here.person, campaign: here.campaign };
    assert_eq!(here.spend(b"one", &mine).await, joined);
    assert_eq!(here.spend(b"one", &mine).await, joined);
    let other_key = NewDevice { public_key: [3; 32], ..mine.clone() };
    for other in [device(2), other_key] {
        assert_eq!(here.spend(b"one", &other).await, Spent::Spent(ruths(LATER)));
    }
    assert_eq!(here.spend(b"two", &mine).await, Spent::Unknown);
    assert_eq!(here.store.devices().await.expect("devices").len(), 1);
}

#[tokio::test]
async fn a_link_past_its_time_and_a_key_of_another_device_are_refused() {
    let here = here().await;
    here.link(b"one").await;
    here.link(b"two").await;
    let mine = device(1);
    let late = here.store.spend_join_link(b"one", &mine, LATER).await.expect("answer");
    assert_eq!(late, Spent::Expired(ruths(LATER)));
    here.spend(b"one", &mine).await;
    assert_eq!(here.spend(b"two", &device(1)).await, Spent::Taken, "the key of another device");
    here.store.revoke_device(mine.id, NOW).await.expect("revoked");
    assert_eq!(here.spend(b"two", &mine).await, Spent::Revoked);
    assert_eq!(here.spend(b"one", &mine).await, Spent::Revoked, "also as a retry");
}

#[tokio::test]
async fn of_many_devices_at_once_one_gets_the_link() {
    let here = here().await;
    here.link(b"one").await;
    let tries = (1..=8_u8).map(|key| {
        let store = here.store.clone();
        tokio::spawn(async move { store.spend_join_link(b"one", &device(key), NOW).await.expect("answer") })
    });
    let mut joined = 0;
    for one in tries.collect::<Vec<_>>() {
        if matches!(one.await.expect("ended"), Spent::Joined { .. }) {
            joined += 1;
        }
    }
    assert_eq!(joined, 1);
    assert_eq!(here.store.devices().await.expect("devices").len(), 1);
}

#[tokio::test]
async fn a_token_is_worth_what_its_sign_in_and_its_device_are() {
    let here = here().await;
    here.link(b"link").await;
    let mine = device(1);
    here.spend(b"link", &mine).await;
    let store = &here.store;
    let worth = async |token: &[u8], now| store.device_of_token(token, now).await.expect("answer");

    store.sign_in(b"first", mine.id, NOW, LATER).await.expect("signed in");
    let TokenState::Valid(device) = worth(b"first", NOW).await else { panic!("valid") };
    assert_eq!((device.id, device.volunteer.as_str()), (mine.id, "Maya"));
    assert_eq!(worth(b"first", LATER).await, TokenState::Unknown, "past its time");
    assert_eq!(worth(b"other", NOW).await, TokenState::Unknown);

    store.sign_in(b"second", mine.id, NOW, LATER).await.expect("signed in");
    assert_eq!(worth(b"first", NOW).await, TokenState::Unknown, "one sign-in at a time");
    assert_eq!(store.signed_in_devices(NOW).await.expect("devices"), [mine.id]);

    store.sign_out(mine.id, NOW).await.expect("signed out");
    assert_eq!(worth(b"second", NOW).await, TokenState::Unknown);

    store.sign_in(b"third", mine.id, NOW, LATER).await.expect("signed in");
    assert_eq!(store.end_lapsed_sign_ins(LATER).await.expect("lapsed"), [mine.id]);
    assert!(store.end_lapsed_sign_ins(LATER).await.expect("lapsed").is_empty());

    store.sign_in(b"fourth", mine.id, NOW, LATER).await.expect("signed in");
    assert_eq!(store.revoke_person(here.person, NOW).await.expect("revoked"), [mine.id]);
    assert_eq!(worth(b"fourth", NOW).await, TokenState::Revoked);
    assert!(store.signed_in_devices(NOW).await.expect("devices").is_empty());
    // A sign-in that was under way when the person was revoked.
    assert!(!store.sign_in(b"fifth", mine.id, NOW, LATER).await.expect("answered"));
    assert_eq!(worth(b"fifth", NOW).await, TokenState::Unknown);
}

#[tokio::test]
async fn revoking_a_person_ends_their_unused_links() {
    let here = here().await;
    here.link(b"one").await;
    here.store.revoke_person(here.person, NOW).await.expect("revoked");
    assert_eq!(here.spend(b"one", &device(1)).await, Spent::Expired(ruths(NOW)));
}

#[tokio::test]
async fn a_second_import_leaves_the_first_as_it_is() {
    let here = here().await;
    let store = &here.store;
    let first = [contact(1), contact(2)];
    assert!(store.add_contacts(here.campaign, "a.csv", &first, 0, NOW).await.expect("added").is_empty());
    sqlx::query("INSERT INTO do_not_call (number, created_at, source) VALUES ('+447700900003', 1, 'test')")
        .execute(store.writer())
        .await
        .expect("do not call");
    let changed = NewContact { name: "Someone else".into(), ..contact(2) };
    let second = [changed, contact(3), contact(4)];
    let not_added = store.add_contacts(here.campaign, "b.csv", &second, 0, NOW).await.expect("added");
    assert_eq!(not_added, [(2, NotAdded::OnTheList), (3, NotAdded::DoNotCall)]);
    let count = store.count_list(here.campaign, NOW).await.expect("count");
    assert_eq!((count.contacts, count.due, count.done), (3, 3, 0));
    let found = store.contacts_with_number(&contact(2).number).await.expect("found");
    assert_eq!(found[0].name, "Margaret Hollis");
    assert_eq!(found[0].facts, ["Lives alone", "Son: Tom"]);
}

#[tokio::test]
async fn campaigns_are_found_by_name_and_keep_their_pause() {
    let here = here().await;
    let store = &here.store;
    let again = store.add_campaign(&campaign("Winter Warmth"), NOW).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let pause = CampaignPause { at: NOW, by: "Ruth".into(), message: Some("Tea".into()) };
    store.pause_campaign(here.campaign, Some(&pause)).await.expect("paused");
    let row = store.find_campaign("winter warmth").await.expect("found").expect("there");
    assert_eq!((row.id, &row.form, row.pause), (here.campaign, &campaign("Winter Warmth"), Some(pause)));
    store.pause_campaign(here.campaign, None).await.expect("resumed");
    assert_eq!(store.campaign(here.campaign).await.expect("found").expect("there").pause, None);
}

#[tokio::test]
async fn a_full_disk_refuses_in_words_and_keeps_nothing_half_written() {
    let here = here().await;
    let store = &here.store;
    let pages: i64 =
        sqlx::query_scalar("PRAGMA page_count").fetch_one(store.writer()).await.expect("page count");
    let limit = format!("PRAGMA max_page_count = {}", pages + 4);
    sqlx::query(sqlx::AssertSqlSafe(limit)).execute(store.writer()).await.expect("limit");
    let many: Vec<NewContact> = (0..1_000).map(contact).collect();
    let refused = store.add_contacts(here.campaign, "a.csv", &many, 0, NOW).await;
    assert!(matches!(&refused, Err(StoreError::NoStorage(why)) if why == "the disk is full"), "{refused:?}");
    assert_eq!(store.count_list(here.campaign, NOW).await.expect("count").contacts, 0);
    let imports: i64 =
        sqlx::query_scalar("SELECT count(*) FROM imports").fetch_one(store.reader()).await.expect("count");
    assert_eq!(imports, 0);
    // With room again, the same store goes on.
    sqlx::query("PRAGMA max_page_count = 1000000").execute(store.writer()).await.expect("limit");
    assert!(store.add_contacts(here.campaign, "a.csv", &many, 0, NOW).await.expect("added").is_empty());
}

#[tokio::test]
async fn a_read_only_disk_refuses_in_words() {
    let here = here().await;
    sqlx::query("PRAGMA query_only = 1").execute(here.store.writer()).await.expect("pragma");
    let refused = here.store.probe(NOW).await;
    assert!(matches!(&refused, Err(StoreError::NoStorage(why)) if why == "read-only"), "{refused:?}");
}

#[tokio::test]
async fn a_copy_is_whole_private_and_never_overwrites() {
    let here = here().await;
    let to = tempfile::tempdir().expect("folder");
    let file = to.path().join(FILE);
    let bytes = here.store.back_up(&file).await.expect("copied");
    let meta = std::fs::metadata(&file).expect("there");
    assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (bytes, 0o600));
    let copy = Store::open(to.path()).await.expect("a database");
    assert_eq!(copy.campaigns().await.expect("campaigns").len(), 1);
    let again = here.store.back_up(&file).await;
    assert!(matches!(again, Err(BackupRefused::Exists(_))), "{again:?}");
    let nowhere = here.store.back_up(&to.path().join("no/such/folder.db")).await;
    assert!(matches!(nowhere, Err(BackupRefused::Disk(..))), "{nowhere:?}");
    // Private from the moment it is made, not a moment later.
    let made = backup::for_its_owner(&to.path().join("empty")).expect("made").metadata().expect("there");
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
    let left = std::fs::read_dir(to.path()).expect("folder").filter_map(Result::ok);
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().contains("backup")));
}

#[tokio::test]
async fn a_database_of_a_newer_server_is_left_alone() {
    let here = here().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'newer', TRUE, x'00', 0)";
    sqlx::query(newer).execute(here.store.writer()).await.expect("row");
    here.store.close().await;
    let opened = Store::open(here.folder.path()).await;
    assert!(matches!(opened, Err(StoreError::Open(_))), "{opened:?}");
}

#[tokio::test]
async fn the_file_is_private() {
    let here = here().await;
    for file in [FILE.to_owned(), format!("{FILE}-wal")] {
        let meta = std::fs::metadata(here.folder.path().join(&file)).expect("there");
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_transaction_that_sqlite_rolled_back_by_itself_does_not_end_all_writing() {
    let here = here().await;
    let mut tx = here.store.begin().await.expect("begun");
    // As SQLite does when the disk is full in the middle.
    sqlx::query("ROLLBACK").execute(&mut *tx).await.expect("rolled back");
    drop(tx);
    let tx = here.store.begin().await.expect("a new one");
    tx.commit().await.expect("kept");
    here.store.probe(NOW).await.expect("written");
}

#[tokio::test]
async fn before_a_migration_the_file_is_copied_whole_and_for_its_owner_only() {
    let folder = tempfile::tempdir().expect("folder");
    let file = SqliteConnectOptions::new().filename(folder.path().join(FILE)).create_if_missing(true);
    let mut first_version = SqliteConnection::connect_with(&file).await.expect("a new file");
    MIGRATIONS.run_to(1, &mut first_version).await.expect("as the first version had it");
    sqlx::query("INSERT INTO people (id, name, role, created_at) VALUES ('p', 'Maya', 'volunteer', 1)")
        .execute(&mut first_version)
        .await
        .expect("a row");
    first_version.close().await.expect("closed");
    // Of a start that was killed while it copied.
    std::fs::write(folder.path().join(".before-0002"), "half").expect("written");

    Store::open(folder.path()).await.expect("migrated").close().await;
    let copy = folder.path().join("before-0002.db");
    let mode = std::fs::metadata(&copy).expect("the copy").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!folder.path().join(".before-0002").exists());
    assert!(!folder.path().join("before-0001.db").exists(), "nothing was there before");
    let (index, versions) = (
        "SELECT count(*) FROM sqlite_master WHERE name = 'contacts_callbacks'",
        "SELECT max(version) FROM _sqlx_migrations",
    );
    let at = |file: &Path| SqliteConnectOptions::new().filename(file);
    let mut copied = SqliteConnection::connect_with(&at(&copy)).await.expect("a database");
    let mut kept = SqliteConnection::connect_with(&at(&folder.path().join(FILE))).await.expect("a database");
    let whole: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut copied).await.expect("read");
    assert_eq!(whole, "ok");
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().expect("some");
    for (database, expected) in [(&mut copied, (1, 0)), (&mut kept, (newest, 1))] {
        let names = sqlx::query("SELECT name FROM people").fetch_all(&mut *database).await.expect("read");
        let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
        assert_eq!(names, ["Maya"]);
        let version: i64 = sqlx::query_scalar(versions).fetch_one(&mut *database).await.expect("read");
        let callbacks: i64 = sqlx::query_scalar(index).fetch_one(&mut *database).await.expect("read");
        assert_eq!((version, callbacks), expected);
    }
    // A migration is copied once: what was before it is not written over by a later start.
    let before = std::fs::metadata(&copy).and_then(|copy| copy.modified()).expect("read");
    Store::open(folder.path()).await.expect("open").close().await;
    assert_eq!(std::fs::metadata(&copy).and_then(|copy| copy.modified()).expect("read"), before);
}
