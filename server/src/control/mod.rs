//! The organiser's commands: JSON lines over a Unix socket that only the server's own user may open.
//!
//! One connection, one [`Command`] line, one [`Answer`] line. Behind [`Command::Import`] come the
//! file's bytes in chunks: four bytes of length, big-endian, then as many bytes; a length of 0 ends
//! the file. A connection that ends before that changes nothing.

pub mod client;
pub mod commands;
pub mod server;

use std::path::{Path, PathBuf};

use protocol::{
    ids::{AttemptId, DeviceId},
    trunk::Trunk,
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    campaign_form::CampaignForm,
    health::Health,
    import::Report,
    lookup::LookedUp,
    store::{contacts::ListCount, results::ResultRow},
    trunk_form::{TrunkChange, TrunkForm},
    undo::Undone,
};

/// The longest line of either side, bytes.
pub const LONGEST_LINE: usize = 8 * 1024 * 1024;
/// The longest chunk of a file, bytes.
pub const LONGEST_CHUNK: usize = 64 * 1024;
/// How many results one answer holds.
pub const RESULTS_AT_ONCE: u32 = 1_000;

/// Where the socket is.
pub fn socket(data: &Path) -> PathBuf {
    data.join("control.sock")
}

/// What an organiser wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the flags of the command line, which explains them")]
pub enum Command {
    Status {},
    CampaignCreate {
        form: CampaignForm,
    },
    CampaignList {},
    CampaignShow {
        campaign: String,
    },
    CampaignPause {
        campaign: String,
        by: Option<String>,
        message: Option<String>,
    },
    CampaignResume {
        campaign: String,
    },
    Import {
        campaign: String,
        source: String,
    },
    Invite {
        campaign: String,
        name: String,
        server: Option<Url>,
        days: u32,
    },
    PeopleList {},
    PeopleRevoke {
        person: String,
    },
    DeviceRevoke {
        device: DeviceId,
    },
    PeopleUndo {
        person: String,
        device: Option<DeviceId>,
        since: i64,
        until: Option<i64>,
        by: Option<String>,
        done: bool,
    },
    TrunkSet {
        name: Option<String>,
        change: TrunkChange,
    },
    TrunkList {},
    TrunkShow {
        name: Option<String>,
    },
    Lookup {
        number: String,
        country: String,
    },
    Backup {
        file: PathBuf,
    },
    Results {
        campaign: String,
        after: Option<AttemptId>,
    },
}

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the answer to the command of its name")]
pub enum Answer {
    Status(Status),
    /// A campaign, new or changed or shown.
    Campaign(Box<CampaignSeen>),
    Campaigns {
        campaigns: Vec<CampaignSeen>,
    },
    Imported(Report),
    Invited(Invited),
    People {
        people: Vec<PersonSeen>,
    },
    /// The devices that may do nothing any more.
    Revoked {
        person: Option<String>,
        devices: Vec<DeviceId>,
    },
    Undone(Undone),
    /// A trunk, changed or shown.
    Trunk(TrunkSeen),
    Trunks {
        trunks: Vec<TrunkSeen>,
    },
    LookedUp(LookedUp),
    BackedUp {
        file: PathBuf,
        bytes: u64,
    },
    /// From the command line itself, as no server runs then. `kept`: the database that was there.
    Restored {
        file: PathBuf,
        data: PathBuf,
        kept: Option<PathBuf>,
    },
    Results {
        rows: Vec<ResultRow>,
        more: bool,
    },
    /// What happened, whose fault it is, how to mend it.
    Refused {
        message: String,
    },
}

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Database and Asterisk.
    pub health: Health,
    /// What the last calls show of the trunk.
    #[serde(default)]
    pub trunk: Trunk,
    /// Where it listens, "127.0.0.1:8443".
    pub address: String,
    /// What join links say.
    pub origin: Url,
    /// SHA-256 of the own authority's public key, base64url.
    pub authority: Option<String>,
    /// Volunteers to whom no sound gets through.
    pub without_sound: Vec<WithoutSound>,
    /// How its trunk is set, and what is on it; `None`: the database does not answer.
    pub trunk_calls: Option<Box<TrunkSeen>>,
}

/// A volunteer's line on which ICE finds no way for the sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutSound {
    /// Whose.
    pub volunteer: String,
    /// Of theirs, "Maya's laptop".
    pub device: String,
    /// UTC epoch, milliseconds.
    pub since_ms: i64,
}

/// A trunk, for the organiser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkSeen {
    /// Name of its PJSIP endpoint.
    pub name: String,
    /// What was set.
    pub form: TrunkForm,
    /// What is on it; `None`: this server was not started with it.
    pub calls: Option<TrunkCalls>,
}

/// What is on a trunk now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkCalls {
    /// Calls, from the making of their channels to their ends.
    pub in_use: i64,
    /// Presses of Call that wait for a place.
    pub in_line: i64,
}

/// A campaign, for the organiser. Times are UTC epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignSeen {
    /// Its id.
    pub id: String,
    /// What was written.
    pub form: CampaignForm,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// What they said.
    pub pause_message: Option<String>,
    /// How far the list is.
    pub list: ListCount,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// `ringround://join/...`: a secret until it is used.
    pub link: String,
    /// Whom it is for.
    pub name: String,
    /// Whether they were known here.
    pub known: bool,
    /// To what.
    pub campaign: String,
    /// Until when, UTC epoch milliseconds.
    pub expires_at: i64,
}

/// A person with their devices. Times are UTC epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonSeen {
    /// Their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// When they were switched off.
    pub revoked_at: Option<i64>,
    /// Their devices.
    pub devices: Vec<DeviceSeen>,
}

/// A device of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSeen {
    /// Its id.
    pub id: DeviceId,
    /// "Maya's laptop".
    pub name: String,
    /// Name of the campaign it joined.
    pub campaign: String,
    /// When it was switched off.
    pub revoked_at: Option<i64>,
    /// Whether its sign-in runs.
    pub signed_in: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_back_as_it_was_written() {
        let command =
            Command::Invite { campaign: "Winter".into(), name: "Maya".into(), server: None, days: 7 };
        let line = serde_json::to_string(&command).expect("json");
        assert_eq!(serde_json::from_str::<Command>(&line).expect("json"), command);
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_the_reader_panic(
            line in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
            name in "(status|import|lookup|invite|backup)",
            rest in "[\"a-z:,{}\\[\\]0-9]{0,60}",
        ) {
            let _ = serde_json::from_slice::<Command>(&line);
            let _ = serde_json::from_str::<Command>(&format!("{{\"command\":\"{name}\",{rest}}}"));
        }
    }
}
