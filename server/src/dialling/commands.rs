//! What comes to the loop from inside the server.

use dialler::{Answer, Ask, Input};
use protocol::{
    campaign::Campaign,
    http::ApiError,
    ids::{AttemptId, CampaignId, DeviceId},
};
use tokio::sync::oneshot;

use super::rounds::{ListError, Listing};
use crate::{
    ari::Channel,
    live::Following,
    store::{attempts::Committed, campaigns::CampaignRow},
    trunk_form::TrunkForm,
};

/// Asked for by a request or by the organiser.
#[derive(Debug)]
pub(super) enum Command {
    Ask {
        device: DeviceId,
        ask: Ask,
        reply: oneshot::Sender<Result<Answer, ApiError>>,
    },
    Ping(DeviceId),
    End {
        device: DeviceId,
        organiser: Option<String>,
        done: oneshot::Sender<()>,
    },
    Campaign(Box<CampaignRow>),
    Trunk(TrunkForm),
    ContactsAdded(CampaignId),
    /// Whose line has no sound, and since when.
    WithoutSound {
        reply: oneshot::Sender<Vec<(DeviceId, i64)>>,
    },
    Follow {
        device: DeviceId,
        volunteer: String,
        campaign: Campaign,
        reply: oneshot::Sender<Following>,
    },
}

/// Everything that comes to the loop, Asterisk's news and time apart.
#[derive(Debug)]
pub(super) enum Inward {
    Command(Command),
    /// The dialler wanted something; this came of it.
    Input(Input),
    /// The write-ahead is on the disk.
    Committed(Committed),
    /// A callee's channel is not there (any more), or was never made.
    NoSuchCallee(AttemptId),
    /// A line's channel is not there (any more), or was never made.
    NoSuchLine(String),
    /// What Asterisk has, asked for after (re)connecting.
    Listed {
        connection: u64,
        listing: Box<Result<Listing, ListError>>,
    },
    /// The channels that Asterisk has, asked for in passing.
    Swept {
        connection: u64,
        channels: Vec<Channel>,
    },
    /// Where the trunk leads; `None`: Asterisk does not know it.
    Trunk {
        connection: u64,
        contacts: Option<Vec<String>>,
    },
    /// How many packets have come from a line's app.
    Packets {
        line: String,
        count: u64,
    },
    /// An announcement could not be played.
    NotPlayed(String),
}
