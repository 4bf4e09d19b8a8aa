//! Whether the server can do its work: its database and its Asterisk.

use protocol::trunk::{Complaint, Trunk};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{
    app::App,
    dialling::{Telephone, TrunkState},
    store::StoreError,
};

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The server's version.
    pub version: String,
    /// Whether it can write.
    pub database: Database,
    /// Whether calls can be made.
    pub asterisk: Asterisk,
}

/// Whether the database can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Database {
    /// A row was written just now.
    Ready,
    /// The disk is full or read-only; nothing is half written.
    NoStorage,
    /// A fault of ours; the log says which.
    Fault,
}

/// Whether calls can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asterisk {
    /// Asterisk answers, and the provider answers it.
    Ready,
    /// Asterisk does not answer, and is tried again and again.
    Waiting,
    /// Asterisk answers; the trunk to the provider is not there.
    NoTrunk,
    /// The provider answers, and puts no call through.
    NoCalls,
}

/// What an organiser can do about [`Asterisk::NoTrunk`].
pub const CHECK_THE_TRUNK: &str = "check this machine's way to the internet, the provider's address, user name and password in Asterisk's \
     etc/pjsip.conf, and whether the provider has a fault";

/// What an organiser and a volunteer can do when a line's sound does not get through.
pub const CHECK_THE_WAY_OF_SOUND: &str = "it needs UDP, from the volunteer's network to Asterisk's RTP ports on this machine: check this machine's firewall \
     (rtpstart to rtpend in etc/rtp.conf), and have the volunteer try another network; many offices hold UDP back";

/// "the telephone provider refuses calls (SIP 503)"
pub fn complaint_in_words(complaint: Complaint) -> String {
    match complaint {
        Complaint::Refuses { sip: Some(sip) } => format!("the telephone provider refuses calls (SIP {sip})"),
        Complaint::Refuses { sip: None } => "the telephone provider refuses calls".to_owned(),
        Complaint::Silent => {
            "the telephone provider lets calls come to nothing: none of them rings".to_owned()
        }
        Complaint::Number => "the telephone provider knows none of the numbers".to_owned(),
    }
}

/// What an organiser can do about it.
pub fn what_to_mend(complaint: Complaint) -> &'static str {
    match complaint {
        Complaint::Refuses { sip: Some(401 | 403 | 407) } => {
            "check the trunk's user name, password and caller ID in Asterisk's etc/pjsip.conf"
        }
        Complaint::Refuses { .. } => {
            "ask the provider: is the account paid, are all its lines in use, may it show this caller ID?"
        }
        Complaint::Silent => "ask the provider whether it has a fault",
        Complaint::Number => {
            "the provider may want another form of numbers: see ringround-server trunk set --number-form"
        }
    }
}

impl Health {
    /// Nothing is missing.
    pub fn is_well(&self) -> bool {
        self.database == Database::Ready && self.asterisk == Asterisk::Ready
    }
}

/// The last look, so that many who ask cause little work: one looks, the others wait for what it sees.
#[derive(Debug, Default)]
pub struct LastLook(Mutex<Option<(i64, Health)>>);

const LOOK_EVERY_MS: i64 = 1_000;

/// How the server was at most a second ago.
pub async fn glance(app: &App) -> Health {
    let now_ms = app.clock.now_ms();
    let mut last = app.last_look.0.lock().await;
    match &*last {
        Some((at, health)) if (*at..*at + LOOK_EVERY_MS).contains(&now_ms) => health.clone(),
        Some(_) | None => look_and_keep(app, &mut last).await,
    }
}

/// Looks at the database and at Asterisk.
pub async fn look(app: &App) -> Health {
    look_and_keep(app, &mut *app.last_look.0.lock().await).await
}

async fn look_and_keep(app: &App, last: &mut Option<(i64, Health)>) -> Health {
    let now_ms = app.clock.now_ms();
    let (database, telephone) = tokio::join!(probe(app, now_ms), app.dialling.telephone());
    let health = Health {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database,
        asterisk: match telephone {
            Telephone { asterisk: None, .. } => Asterisk::Waiting,
            Telephone { trunk: TrunkState::Online | TrunkState::NotAsked, .. }
                if app.dialling.trunk() != Trunk::Open =>
            {
                Asterisk::NoCalls
            }
            Telephone { trunk: TrunkState::Online | TrunkState::NotAsked, .. } => Asterisk::Ready,
            Telephone { trunk: TrunkState::Offline | TrunkState::Unknown, .. } => Asterisk::NoTrunk,
        },
    };
    let before = last.replace((now_ms, health.clone()));
    if before.is_none_or(|(_, before)| before != health) {
        tracing::info!(database = ?health.database, asterisk = ?health.asterisk, "how the server is");
    }
    health
}

async fn probe(app: &App, now_ms: i64) -> Database {
    match app.store.probe(now_ms).await {
        Ok(()) => Database::Ready,
        Err(StoreError::NoStorage(_)) => {
            app.metrics.writes_refused.inc();
            Database::NoStorage
        }
        Err(error @ (StoreError::Conflict(_) | StoreError::Fault(_) | StoreError::Open(_))) => {
            tracing::error!(%error, "the database does not answer");
            Database::Fault
        }
    }
}
