//! The loop, the dialler and the store together, with a double of Asterisk; the same stories run
//! with the real one in the end-to-end tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::poll;
use protocol::{
    call::CallState,
    events::{Change, LiveEvent},
    line::Line,
    outcome::Outcome,
    session::{Session, Waiting},
};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;
use uuid::Uuid;

use super::*;
use crate::{
    ari::fake::{Asked, Behaviour, FakeAsterisk, channel, event},
    config::{Doors, Trunk, TrunkKind},
    number_form::NumberForm,
    store::{
        campaigns::CampaignPause,
        fixture::{Hall, NOW},
        trunks::TrunkRow,
    },
    trunk_form::{TrunkChange, TrunkForm},
};

struct Scene {
    hall: Hall,
    tunnels: Tunnels,
    asterisk: FakeAsterisk,
    dialling: Handle,
    clock: Clock,
    metrics: Metrics,
    _stop: tokio_util::sync::DropGuard,
}

impl Scene {
    async fn new(hall: Hall, channels: Vec<Value>, bridges: Vec<Value>) -> Self {
        Self::with(hall, obliging(channels, bridges, |_| None)).await
    }

    async fn with(hall: Hall, behaviour: Behaviour) -> Self {
        let asterisk = FakeAsterisk::start(behaviour).await;
        let (metrics, stop) = (Metrics::default(), CancellationToken::new());
        let config = Config {
            data: hall.folder.path().to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            names: vec![],
            public_url: None,
            certificate: None,
            asterisk: asterisk.settings(),
            trunk: Trunk { endpoint: "trunk".into(), kind: TrunkKind::Simulated },
            doors: Doors::default(),
        };
        let (ari, news) = Ari::start(config.asterisk.clone(), metrics.clone(), stop.clone());
        let clock = Clock::standing_at(NOW);
        let parts = Parts {
            config,
            clock: clock.clone(),
            store: hall.store.clone(),
            ari,
            news,
            live: Hub::new(metrics.clone()),
            tunnels: Tunnels::new(metrics.clone()),
            metrics: metrics.clone(),
            stop: stop.clone(),
        };
        let tunnels = parts.tunnels.clone();
        let dialling = Handle::start(parts).await.unwrap();
        Self { hall, tunnels, asterisk, dialling, clock, metrics, _stop: stop.drop_guard() }
    }

    fn maya(&self) -> DeviceId {
        self.hall.devices[0]
    }

    /// Waits until so many rows are there.
    async fn until_count(&self, count: i64, sql: &'static str) {
        let counted = async {
            while self.hall.count(sql).await != count {
                tokio::time::sleep(Duration::from_millis(10)).await; // the database tells nobody
            }
        };
        tokio::time::timeout(Duration::from_secs(10), counted)
            .await
            .unwrap_or_else(|_| panic!("never {sql}"));
    }

    async fn follow(&self) -> App {
        let following = self.dialling.follow(self.maya(), "Maya".into(), self.hall.campaign).await.unwrap();
        App { desk: following.desk.clone(), following }
    }
}

/// What the app knows.
struct App {
    desk: protocol::session::Desk,
    following: Following,
}

impl App {
    async fn until(&mut self, what: &str, holds: impl Fn(&protocol::session::Desk) -> bool) {
        let wait = async {
            while !holds(&self.desk) {
                let LiveEvent::Change { change, .. } = self.following.changes.recv().await.unwrap() else {
                    panic!("closed while waiting for {what}")
                };
                self.desk.apply(change);
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), wait).await;
        assert!(waited.is_ok(), "never {what}: {:?}", self.desk.session);
    }

    fn lease(&self) -> LeaseId {
        let Session::Ready { card } = &self.desk.session else { panic!("no card: {:?}", self.desk.session) };
        card.lease_id
    }
}

/// An Asterisk that does what it is asked; `account` may answer for accounts.
fn obliging(
    channels: Vec<Value>,
    bridges: Vec<Value>,
    account: impl Fn(&Asked) -> Option<Value> + Send + 'static,
) -> Behaviour {
    Box::new(move |asked: &Asked| {
        let ok = |body: Value| asked.answer(200, &body);
        let parts: Vec<&str> = asked.uri.split('/').collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["channels"]) => vec![ok(Value::from(channels.clone()))],
            ("GET", ["bridges"]) => vec![ok(Value::from(bridges.clone()))],
            ("GET", ["endpoints", "PJSIP"]) => vec![ok(json!([]))],
            ("GET", [.., "aor", "trunk"]) => {
                vec![ok(json!([{"attribute": "contact", "value": "sip:127.0.0.1:5070"}]))]
            }
            ("POST", ["channels", "create"]) => {
                vec![ok(json!({})), event("StasisStart", asked.param("channelId"), "Down")]
            }
            ("POST", ["channels", line, "dial"]) if line.starts_with("line-") => {
                vec![ok(json!({})), event("ChannelStateChange", line, "Up")]
            }
            ("POST", ["bridges", bridge, "addChannel"]) => {
                let mut entered = event("ChannelEnteredBridge", asked.param("channel"), "Down");
                entered["bridge"] = json!({"id": bridge});
                vec![ok(json!({})), entered]
            }
            ("DELETE", ["channels", id]) => {
                let mut destroyed = event("ChannelDestroyed", id, "Up");
                destroyed["cause"] = json!(16);
                vec![ok(json!({})), destroyed]
            }
            ("GET", [.., "auth", _]) => vec![account(asked).unwrap_or_else(|| ok(json!([])))],
            _ => vec![ok(json!({}))],
        }
    })
}

fn token() -> String {
    "0123456789abcdef0123456789abcdef".into()
}

async fn ready(scene: &mut Scene) -> App {
    // Until the trunk was looked up nothing can be dialled.
    scene.asterisk.asked("aor/trunk").await;
    started(scene).await
}

async fn open_line(scene: &Scene, token: &str) {
    let mut opened = Err(stopping());
    for _ in 0..100 {
        opened = scene.dialling.open_line(scene.maya(), token.to_owned()).await;
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await; // the lists are on their way
    }
    opened.unwrap();
}

async fn started(scene: &mut Scene) -> App {
    let mut desk = scene.follow().await;
    scene.dialling.start_session(scene.maya(), scene.hall.campaign).await.unwrap();
    open_line(scene, &token()).await;
    scene.dialling.line_sound(scene.maya(), token(), true).await.unwrap();
    desk.until("ready", |desk| desk.line == Line::Up && matches!(desk.session, Session::Ready { .. })).await;
    desk
}

#[tokio::test]
async fn a_touch_on_call_is_on_the_disk_before_its_channel_is_made() {
    let mut scene = Scene::new(Hall::new(1, 1).await, vec![], vec![]).await;
    let mut desk = ready(&mut scene).await;
    let line = scene.asterisk.asked("POST channels/create").await;
    assert_eq!(line.param("endpoint"), format!("PJSIP/{}", scene.maya()));
    assert_eq!(line.body["variables"]["PJSIP_HEADER(add,X-Line-Token)"], token());
    // Never originated: Asterisk would follow a redirection to any telephone.
    assert!(line.param("channelId").starts_with("line-"));
    scene.asterisk.asked("addChannel").await;
    scene.asterisk.asked("/dial").await;

    let attempt = scene.dialling.dial(scene.maya(), desk.lease()).await.unwrap();
    let create = scene.asterisk.asked("POST channels/create").await;
    assert_eq!(scene.hall.count("SELECT count(*) FROM attempts WHERE state = 'dialling'").await, 1);
    assert_eq!(create.param("channelId"), attempt.to_string());
    assert_eq!(create.param("endpoint"), "PJSIP/+447700900000@trunk");
    assert_eq!(create.body["variables"]["CONNECTEDLINE(num,i)"], "+442079460000");
    assert_eq!(scene.dialling.dial(scene.maya(), lease_of(&scene, attempt).await).await.unwrap(), attempt);
    assert_eq!(scene.asterisk.asked("addChannel").await.param("channel"), attempt.to_string());
    scene.asterisk.asked(&format!("{attempt}/dial")).await;

    let id = attempt.to_string();
    scene.asterisk.send(&event("ChannelStateChange", &id, "Ringing"));
    scene.asterisk.send(&event("ChannelStateChange", &id, "Up"));
    desk.until("talking", |desk| matches!(desk.session, Session::Talking { .. })).await;
    let mut destroyed = event("ChannelDestroyed", &id, "Up");
    destroyed["cause"] = json!(16);
    scene.asterisk.send(&destroyed);
    desk.until("wrap-up", |desk| matches!(desk.session, Session::WrapUp { .. })).await;

    let press = RecordOutcome {
        id: protocol::ids::OutcomeId::new(Uuid::now_v7()),
        attempt_id: attempt,
        outcome: Outcome::Reached,
        note: None,
        again: None,
    };
    let no_key = RecordOutcome { outcome: Outcome::Abandoned, ..press.clone() };
    let refused = scene.dialling.record_outcome(scene.maya(), no_key).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Invalid);
    for _ in 0..2 {
        scene.dialling.record_outcome(scene.maya(), press.clone()).await.unwrap();
    }
    assert_eq!(scene.hall.count("SELECT count(*) FROM outcomes").await, 1);
    assert_eq!(scene.hall.count("SELECT count(*) FROM contacts WHERE state = 'done'").await, 1);
    assert_eq!(scene.metrics.unexpected_inputs.get(), 0);
}

async fn lease_of(scene: &Scene, attempt: AttemptId) -> LeaseId {
    scene.hall.store.stored_attempt(attempt, scene.maya(), NOW).await.unwrap().unwrap().lease
}

/// Counts the warnings of the loop.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let is_one = *event.metadata().level() == tracing::Level::WARN;
        if is_one && event.metadata().target() == "server::dialling::turn" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn that_no_sound_gets_through_is_in_the_log_once_for_each_time_that_it_begins() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(warnings.clone()));
    let mut scene = Scene::new(Hall::new(1, 1).await, vec![], vec![]).await;
    let mut desk = ready(&mut scene).await;
    let before = warnings.0.load(Ordering::Relaxed);
    let says = async |times: usize, gets_through: bool| {
        for _ in 0..times {
            scene.dialling.line_sound(scene.maya(), token(), gets_through).await.unwrap();
        }
        warnings.0.load(Ordering::Relaxed) - before
    };
    assert_eq!(says(50, false).await, 1);
    desk.until("no sound", |desk| desk.line == Line::Opening).await;
    assert_eq!(says(1, true).await, 1);
    assert_eq!(says(50, false).await, 2);
    // Who calls nobody has no line.
    scene.dialling.stop(scene.maya()).await.unwrap();
    assert_eq!(says(50, false).await, 2);
}

#[tokio::test]
async fn a_call_that_nobody_here_made_is_hung_up() {
    let mut scene = Scene::new(Hall::new(0, 1).await, vec![], vec![]).await;
    scene.asterisk.asked("aor/trunk").await;
    scene.asterisk.send(&event("StasisStart", "1732192192.7", "Ring"));
    scene.asterisk.asked("DELETE channels/1732192192.7").await;
    assert_eq!(scene.metrics.strays_hung_up.get(), 1);
}

#[tokio::test]
async fn after_a_restart_a_conversation_goes_on_and_nobody_is_dialled_again() {
    let hall = Hall::new(2, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let attempt = hall.attempt(0, &held);
    hall.store.commit_attempt(&attempt).await.unwrap();
    let device = hall.devices[0];
    let (line, stray, id) = (names::line(device).0, Uuid::now_v7().to_string(), attempt.attempt.to_string());
    let mut scene = Scene::new(
        hall,
        vec![
            channel(&line, "PJSIP/a-1", "Up"),
            channel(&id, "PJSIP/trunk-1", "Up"),
            channel(&stray, "PJSIP/trunk-2", "Up"),
        ],
        vec![json!({"id": names::bridge(device), "channels": [line, id]})],
    )
    .await;
    scene.asterisk.asked(&format!("DELETE channels/{stray}")).await;
    let mut desk = scene.follow().await;
    desk.until("talking", |desk| {
        desk.line == Line::Up
            && matches!(&desk.session, Session::Talking { call, .. } if call.attempt_id == attempt.attempt)
    })
    .await;
    scene.dialling.hang_up(scene.maya(), attempt.attempt).await.unwrap();
    scene.asterisk.asked(&format!("DELETE channels/{id}")).await;
    desk.until("wrap-up", |desk| matches!(desk.session, Session::WrapUp { .. })).await;
    assert_eq!(scene.hall.count("SELECT count(*) FROM attempts").await, 1);
}

const CLOSED_AS_UNKNOWN: &str =
    "SELECT count(*) FROM attempts WHERE outcome = 'unknown' AND state = 'closed'";

#[tokio::test]
async fn an_attempt_whose_channel_is_gone_is_closed_as_unknown() {
    let hall = Hall::new(1, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    hall.store.commit_attempt(&hall.attempt(0, &held)).await.unwrap();
    let mut scene = Scene::new(hall, vec![], vec![]).await;
    scene.asterisk.asked("aor/trunk").await;
    scene.until_count(1, CLOSED_AS_UNKNOWN).await;
}

#[tokio::test]
async fn a_revoked_device_loses_its_line_before_its_account() {
    let mut scene = Scene::new(Hall::new(1, 1).await, vec![], vec![]).await;
    let mut desk = ready(&mut scene).await;
    scene.dialling.revoke(scene.maya(), "Ruth".into()).await;
    scene.asterisk.asked("DELETE channels/line-").await;
    let removed = scene.asterisk.asked("res_pjsip/endpoint/").await;
    assert_eq!((removed.method.as_str(), removed.uri.ends_with(&scene.maya().to_string())), ("DELETE", true));
    let last = async {
        loop {
            match desk.following.changes.recv().await {
                Ok(LiveEvent::Revoked { organiser }) => return organiser,
                Ok(LiveEvent::Change { change: Change::Line(_) | Change::Session(_), .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), last).await.unwrap(), "Ruth");
    assert!(desk.following.changes.recv().await.is_err(), "the socket is to be closed");
}

#[tokio::test]
async fn a_device_whose_account_asterisk_has_forgotten_signs_in_again() {
    let hall = Hall::new(0, 2).await;
    let forgotten = hall.devices[1];
    let account = move |asked: &Asked| {
        let status = if asked.uri.ends_with(&format!("auth/{forgotten}")) { 404 } else { 200 };
        Some(asked.answer(status, &json!([])))
    };
    let scene = Scene::with(hall, obliging(vec![], vec![], account)).await;
    let signed_out = async {
        while scene.hall.store.signed_in_devices(NOW).await.unwrap() != [scene.maya()] {
            tokio::time::sleep(Duration::from_millis(10)).await; // the database tells nobody
        }
    };
    tokio::time::timeout(Duration::from_secs(10), signed_out).await.unwrap();
}

#[tokio::test]
async fn a_real_number_is_refused_over_a_simulated_trunk_and_nothing_is_written() {
    let hall = Hall::new(1, 1).await;
    sqlx::query("UPDATE contacts SET number = '+442079460958'").execute(hall.store.writer()).await.unwrap();
    let mut scene = Scene::new(hall, vec![], vec![]).await;
    let desk = ready(&mut scene).await;
    let refused = scene.dialling.dial(scene.maya(), desk.lease()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::RefusedByRule, "{refused}");
    assert_eq!(scene.hall.count("SELECT count(*) FROM attempts").await, 0);
}

/// Case D6: a campaign of London, a contact in New York, who has been due longest.
#[tokio::test]
async fn a_contact_abroad_is_offered_when_it_is_calling_time_there_and_keeps_nobody_from_others() {
    const HOUR_MS: i64 = 3_600_000;
    let hall = Hall::new(2, 1).await;
    for sql in [
        "UPDATE campaigns SET hours = 'rules', abroad = 1",
        "UPDATE contacts SET number = '+12125550123' WHERE name = 'Callee 0'",
    ] {
        sqlx::query(sql).execute(hall.store.writer()).await.unwrap();
    }
    let mut scene = Scene::new(hall, vec![], vec![]).await;
    // A Friday in January: from 08:00 in London to 10:00, which is 05:00 in New York.
    scene.clock.advance(2 * HOUR_MS);
    let mut desk = ready(&mut scene).await;
    let Session::Ready { card } = &desk.desk.session else { panic!("{:?}", desk.desk.session) };
    assert_eq!(card.name, "Callee 1");
    scene.dialling.settle(scene.maya(), card.lease_id, Settle::Skip).await.unwrap();
    // 14:30 in London, 09:30 there.
    let opens = NOW + 13 * HOUR_MS / 2;
    desk.until("nobody is left before New York opens", |desk| {
        matches!(&desk.session, Session::Waiting { why: Waiting::NobodyLeft { again: 2, next_at_ms: Some(at) } } if *at == opens)
    })
    .await;
    scene.clock.set_by(opens - scene.clock.now_ms());
    scene.clock.advance(10_000); // when the store is asked again
    desk.until(
        "New York is offered",
        |desk| matches!(&desk.session, Session::Ready { card } if card.name == "Callee 0"),
    )
    .await;
    assert_eq!(scene.metrics.unexpected_inputs.get(), 0);
}

#[tokio::test]
async fn after_a_restart_a_channel_that_is_still_down_is_hung_up_and_its_contact_kept_for_another_day() {
    let hall = Hall::new(1, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let attempt = hall.attempt(0, &held);
    hall.store.commit_attempt(&attempt).await.unwrap();
    let id = attempt.attempt.to_string();
    let down = vec![channel(&id, "PJSIP/trunk-1", "Down")];
    let mut scene = Scene::new(hall, down, vec![]).await;
    scene.asterisk.asked(&format!("DELETE channels/{id}")).await;
    scene.until_count(1, CLOSED_AS_UNKNOWN).await;
    let due = "SELECT count(*) FROM contacts WHERE state = 'open' AND due_at >= 1800000000000 + 16 * 3600000";
    assert_eq!(scene.hall.count(due).await, 1);
}

#[tokio::test]
async fn a_campaign_whose_settings_are_not_allowed_any_more_closes_its_open_attempts() {
    let hall = Hall::new(2, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    let attempt = hall.attempt(0, &held);
    hall.store.commit_attempt(&attempt).await.unwrap();
    sqlx::query("UPDATE campaigns SET ring_timeout_ms = 1000").execute(hall.store.writer()).await.unwrap();
    let (id, line) = (attempt.attempt.to_string(), names::line(hall.devices[0]).0);
    let device = hall.devices[0];
    let mut scene = Scene::new(
        hall,
        vec![channel(&line, "PJSIP/a-1", "Up"), channel(&id, "PJSIP/trunk-1", "Up")],
        vec![json!({"id": names::bridge(device), "channels": [line, id]})],
    )
    .await;
    let deleted =
        [scene.asterisk.asked("DELETE channels/").await, scene.asterisk.asked("DELETE channels/").await];
    for channel in [&id, &line] {
        assert!(deleted.iter().any(|asked| asked.uri.ends_with(channel)), "{channel} of {deleted:?}");
    }
    scene.until_count(1, CLOSED_AS_UNKNOWN).await;
    assert_eq!(scene.hall.count("SELECT count(*) FROM leases WHERE state <> 'closed'").await, 0);
    let later =
        "SELECT count(*) FROM contacts WHERE state = 'open' AND due_at >= 1800000000000 + 16 * 3600000";
    assert_eq!(scene.hall.count(later).await, 1, "never the same day");
    let refused = scene.dialling.start_session(scene.maya(), scene.hall.campaign).await.unwrap_err();
    assert!(refused.message.contains("settings are not allowed"), "{refused}");
    // What the app still had in its outbox.
    let press = RecordOutcome {
        id: protocol::ids::OutcomeId::new(Uuid::now_v7()),
        attempt_id: attempt.attempt,
        outcome: Outcome::Reached,
        note: None,
        again: None,
    };
    scene.dialling.record_outcome(scene.maya(), press).await.unwrap();
    assert_eq!(scene.hall.count("SELECT count(*) FROM attempts WHERE outcome = 'reached'").await, 1);
    // An organiser mends it: the other contact is offered.
    sqlx::query("UPDATE campaigns SET ring_timeout_ms = 25000")
        .execute(scene.hall.store.writer())
        .await
        .unwrap();
    scene.dialling.campaign_changed(scene.hall.campaign).await;
    started(&mut scene).await;
}

#[tokio::test]
async fn an_organisers_word_holds_whatever_a_start_has_read_before_it() {
    let scene = Scene::new(Hall::new(0, 1).await, vec![], vec![]).await;
    let (dialling, store, campaign) = (&scene.dialling, &scene.hall.store, scene.hall.campaign);
    let pause = CampaignPause { at: NOW, by: "Ruth".into(), message: None };
    dialling.start_session(scene.maya(), campaign).await.unwrap();
    for (before, after) in [(None, Some(&pause)), (Some(&pause), None)] {
        for steps in 0..8 {
            store.pause_campaign(campaign, before).await.unwrap();
            dialling.campaign_changed(campaign).await;
            let mut start = std::pin::pin!(dialling.start_session(scene.maya(), campaign));
            let mut started = false;
            for _step in 0..steps {
                started = started || poll!(start.as_mut()).is_ready();
                tokio::time::sleep(Duration::from_millis(5)).await; // the database's answer waits for the next poll
            }
            store.pause_campaign(campaign, after).await.unwrap();
            let handle = dialling.clone();
            let told = tokio::spawn(async move { handle.campaign_changed(campaign).await });
            tokio::time::sleep(Duration::from_millis(20)).await; // time for a word that overtakes the start
            if !started {
                start.await.unwrap();
            }
            told.await.unwrap();
            let session = scene.follow().await.desk.session;
            let paused = matches!(session, Session::Paused { .. });
            assert_eq!(paused, after.is_some(), "a start {steps} steps on: {session:?}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_keep_a_wrap_up() {
    let mut scene = Scene::new(Hall::new(1, 1).await, vec![], vec![]).await;
    let mut desk = ready(&mut scene).await;
    let attempt = scene.dialling.dial(scene.maya(), desk.lease()).await.unwrap();
    let id = attempt.to_string();
    scene.asterisk.asked(&format!("{attempt}/dial")).await;
    scene.asterisk.send(&event("ChannelStateChange", &id, "Up"));
    let mut destroyed = event("ChannelDestroyed", &id, "Up");
    destroyed["cause"] = json!(16);
    scene.asterisk.send(&destroyed);
    desk.until("wrap-up", |desk| matches!(desk.session, Session::WrapUp { .. })).await;
    scene.clock.set_by(-5 * 60 * 60 * 1_000);
    scene.clock.advance(dialler::WRAP_UP_LIMIT_MS);
    scene.until_count(1, CLOSED_AS_UNKNOWN).await;
}

#[tokio::test]
async fn a_new_line_is_made_after_the_old_one_was_hung_up() {
    let mut scene = Scene::new(Hall::new(1, 1).await, vec![], vec![]).await;
    let mut desk = ready(&mut scene).await;
    let old = scene.asterisk.asked("POST channels/create").await.param("channelId").to_owned();
    let next = token().replace('0', "f");
    scene.dialling.open_line(scene.maya(), next.clone()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.iter().any(|line: &String| line.contains("POST channels/create")) {
        let asked = scene.asterisk.asked("channels/").await;
        seen.push(format!("{} {}", asked.line(), asked.param("channelId")));
    }
    assert!(seen.iter().any(|line| line.contains(&format!("DELETE channels/{old}"))), "{seen:?}");
    assert!(!seen.last().unwrap().contains(&old));
    desk.until("up again", |desk| desk.line == Line::Opening).await;
    scene.dialling.line_sound(scene.maya(), next, true).await.unwrap();
    desk.until("up again", |desk| desk.line == Line::Up).await;
}

#[tokio::test]
async fn an_app_that_asterisk_has_lost_registers_anew() {
    let mut lost = true;
    let mut willing = obliging(vec![], vec![], |_| None);
    let behaviour = move |asked: &Asked| {
        if asked.line().contains("POST channels/create") && std::mem::take(&mut lost) {
            return vec![asked.answer(500, &json!({"error": "Allocation failed"}))];
        }
        willing(asked)
    };
    let scene = Scene::with(Hall::new(1, 1).await, Box::new(behaviour)).await;
    let closed = scene.tunnels.stand_in(scene.maya());
    let mut app = scene.follow().await;
    scene.dialling.start_session(scene.maya(), scene.hall.campaign).await.unwrap();
    open_line(&scene, &token()).await;
    tokio::time::timeout(Duration::from_secs(5), closed.cancelled()).await.unwrap();
    app.until("down", |desk| desk.line == Line::Down).await;
    // It has registered, and asks again.
    let closed = scene.tunnels.stand_in(scene.maya());
    let next = token().replace('0', "f");
    scene.dialling.open_line(scene.maya(), next.clone()).await.unwrap();
    scene.dialling.line_sound(scene.maya(), next, true).await.unwrap();
    app.until("up", |desk| desk.line == Line::Up).await;
    assert!(!closed.is_cancelled());
}

#[tokio::test]
async fn a_trunk_is_set_while_calls_are_made_and_the_next_one_is_as_it_says() {
    let hall = Hall::new(2, 1).await;
    let mut scene = Scene::new(hall, vec![], vec![]).await;
    let desk = ready(&mut scene).await;
    let change = TrunkChange {
        number_form: Some(NumberForm::E164NoPlus),
        prefix: Some("9#00".into()),
        caller_id_form: Some(NumberForm::National),
        channels: Some("1".parse().unwrap()),
        calls_per_second: Some("5".parse().unwrap()),
        ..TrunkChange::default()
    };
    // The server made the row at its start.
    scene.hall.store.change_trunk("trunk", &change).await.unwrap().unwrap();
    scene.dialling.trunk_changed().await.unwrap();
    // What went out before the server's start is not known: its first second is full.
    scene.clock.advance(2_000);
    scene.asterisk.asked("line-").await;
    scene.dialling.dial(scene.maya(), desk.lease()).await.unwrap();
    let create = scene.asterisk.asked("POST channels/create").await;
    assert_eq!(create.param("endpoint"), "PJSIP/9#00447700900000@trunk");
    assert_eq!(create.body["variables"]["CONNECTEDLINE(num,i)"], "02079460000");
    let text = scene.metrics.text();
    for line in ["trunk_channels_limit 1", "trunk_calls_per_second_limit 5", "calls_in_line 0"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test]
async fn a_press_that_finds_every_channel_taken_waits_unwritten_until_one_is_gone() {
    let hall = Hall::new(3, 1).await;
    let held = hall.claim(0, NOW).await.unwrap();
    hall.store.commit_attempt(&hall.attempt(0, &held)).await.unwrap();
    let stray = Uuid::now_v7().to_string();
    let none = TrunkRow { name: "trunk".into(), form: TrunkForm::default() };
    hall.store.add_trunk(&none, NOW).await.unwrap();
    let one = TrunkChange { channels: Some("1".parse().unwrap()), ..TrunkChange::default() };
    hall.store.change_trunk("trunk", &one).await.unwrap();
    // A channel of the server's last run, which this one hangs up and Asterisk keeps.
    let there = vec![channel(&stray, "PJSIP/trunk-2", "Up")];
    let mut ordinary = obliging(there, vec![], |_| None);
    let stays = stray.clone();
    let behaviour: Behaviour = Box::new(move |asked: &Asked| {
        let deletes_it = asked.method == "DELETE" && asked.uri.ends_with(&stays);
        if deletes_it { vec![asked.answer(200, &json!({}))] } else { ordinary(asked) }
    });
    let mut scene = Scene::with(hall, behaviour).await;
    scene.until_count(1, CLOSED_AS_UNKNOWN).await;
    let mut desk = ready(&mut scene).await;
    let attempt = scene.dialling.dial(scene.maya(), desk.lease()).await.unwrap();
    let in_line = |desk: &protocol::session::Desk| {
        matches!(&desk.session, Session::Dialling { call, .. }
            if call.attempt_id == attempt && matches!(call.state, CallState::InLine { .. }))
    };
    desk.until("in line", in_line).await;
    assert_eq!(scene.hall.count("SELECT count(*) FROM attempts").await, 1, "nothing is written");
    assert!(scene.metrics.text().contains("calls_in_line 1"));

    let mut destroyed = event("ChannelDestroyed", &stray, "Up");
    destroyed["cause"] = json!(16);
    scene.asterisk.send(&destroyed);
    scene.asterisk.asked(&format!("{attempt}/dial")).await;
    assert_eq!(scene.hall.count("SELECT count(*) FROM attempts WHERE state = 'dialling'").await, 1);
    assert!(scene.metrics.text().contains("trunk_channels 1"));
}
