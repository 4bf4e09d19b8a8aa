//! Something dies in the middle of an evening, comes back, and the evening goes on. What was lost, rung twice or left
//! behind is counted by the provider's records, by what an organiser reads, and by the channels of Asterisk.

mod acts;
mod counting;
mod disk;
mod person;
mod watched;

use std::time::Duration;

use anyhow::{Context, Result};
use protocol::{line::Line, session::Desk};
use tokio::time::Instant;

pub use disk::Disk;
pub use person::{Person, number_of};
pub use watched::{Seen, Watched};

use crate::{
    volunteer::in_call,
    world::{World, number},
};

/// So long after everything is back, nothing may be wrong any more.
pub const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// What dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The app is killed while it waits for the outcome.
    AppInWrapUp,
    /// The app is killed in a call.
    AppInCall,
    /// The server is killed in a call.
    ServerInCall,
    /// The server is killed while a callee rings.
    ServerWhileRinging,
    /// The server is killed at any moment from Call to wrap-up.
    ServerAtAnyMoment,
    /// Asterisk is killed in a call.
    AsteriskInCall,
    /// The cable to the server is pulled in a call.
    CableInCall,
    /// The disk with the data folder is read-only, from a call on.
    ReadOnly,
    /// It is full, from somewhere between Call and outcome on.
    DiskFull,
}

impl Fault {
    /// All.
    pub const ALL: [Fault; 9] = [
        Fault::AppInWrapUp,
        Fault::AppInCall,
        Fault::ServerInCall,
        Fault::ServerWhileRinging,
        Fault::ServerAtAnyMoment,
        Fault::AsteriskInCall,
        Fault::CableInCall,
        Fault::ReadOnly,
        Fault::DiskFull,
    ];

    /// `server-in-call`
    pub fn name(self) -> &'static str {
        match self {
            Fault::AppInWrapUp => "app-in-wrap-up",
            Fault::AppInCall => "app-in-call",
            Fault::ServerInCall => "server-in-call",
            Fault::ServerWhileRinging => "server-while-ringing",
            Fault::ServerAtAnyMoment => "server-at-any-moment",
            Fault::AsteriskInCall => "asterisk-in-call",
            Fault::CableInCall => "cable-in-call",
            Fault::ReadOnly => "read-only",
            Fault::DiskFull => "disk-full",
        }
    }

    /// A callee who does not answer by themselves, where that matters; else one who does.
    fn behaviour(self) -> u8 {
        match self {
            Fault::ServerWhileRinging => 2,
            Fault::AppInWrapUp
            | Fault::AppInCall
            | Fault::ServerInCall
            | Fault::ServerAtAnyMoment
            | Fault::AsteriskInCall
            | Fault::CableInCall
            | Fault::ReadOnly
            | Fault::DiskFull => 0,
        }
    }
}

/// What the rounds on a stage came to so far. All but the first two should be 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Round {
    /// Numbers that the provider was asked to ring.
    pub callees: usize,
    /// Numbers for which a key was pressed.
    pub outcomes_pressed: usize,
    /// Callees of whom an organiser reads no outcome.
    pub without_outcome: usize,
    /// Pressed keys that an organiser does not read.
    pub outcomes_lost: usize,
    /// Numbers with more than one INVITE at the provider.
    pub callees_dialled_twice: usize,
    /// Channels in Asterisk that no session owns.
    pub stuck_lines: usize,
}

impl Round {
    /// Nothing went wrong.
    pub fn is_clean(&self) -> bool {
        self.without_outcome + self.outcomes_lost + self.callees_dialled_twice + self.stuck_lines == 0
    }
}

/// A volunteer at work on a list, with everything that can be taken away from them.
pub struct Stage {
    /// The volunteer.
    pub person: Person,
    /// Server, node and provider.
    pub world: World,
    /// The disk with the data folder, where a fault needs one.
    pub disk: Option<Disk>,
    fault: Fault,
}

impl Stage {
    /// Sets everything up for rounds of this fault: the list is long enough for sixty.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn set(fault: Fault) -> Result<Self> {
        let (world, disk) = scene(fault).await?;
        let mut person = Person::join(&world.server, "Maya").await?;
        person.next_card().await?;
        Ok(Self { person, world, disk, fault })
    }

    /// Takes something away at a moment of this seed, gives it back, has the volunteer go on to the next card, and
    /// counts [`SETTLED_AFTER`] the return.
    ///
    /// # Errors
    /// When the evening cannot go on.
    pub async fn round(&mut self, seed: u64) -> Result<Round> {
        let back = self.strike(seed).await?;
        self.count(back + SETTLED_AFTER).await
    }

    /// The same without counting; gives the moment of the return.
    ///
    /// # Errors
    /// As [`Stage::round`].
    pub async fn strike(&mut self, seed: u64) -> Result<Instant> {
        let mut chance = fastrand::Rng::with_seed(seed);
        let lease = self.person.next_card().await?.lease_id;
        let back = acts::strike(self, self.fault, &mut chance)
            .await
            .with_context(|| format!("{}, seed {seed}", self.fault.name()))?;
        self.person
            .go_on(Some(lease))
            .await
            .with_context(|| format!("{}, seed {seed}: the evening does not go on", self.fault.name()))?;
        Ok(back)
    }

    /// Counts at this moment.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub async fn count(&mut self, at: Instant) -> Result<Round> {
        tokio::time::sleep_until(at).await;
        self.person.deliver().await;
        let pressed = self.person.pressed().map(|(number, word)| (number.clone(), word)).collect();
        let desk = self.person.desk()?;
        let strays = self.strays(&desk).await?;
        Round::count(&pressed, &self.world.server.outcomes()?, &self.world.provider.records(), strays)
    }

    async fn strays(&self, desk: &Desk) -> Result<usize> {
        let channels = self.world.node.channels().await?;
        let line = format!("line-{}", self.person.device);
        let has_line = matches!(desk.line, Line::Up | Line::Opening);
        let call = in_call(desk).map(|call| call.attempt_id.to_string());
        Ok(counting::strays(&channels, &line, has_line, call.as_deref()))
    }
}

/// Network, node, and a server with a list.
async fn scene(fault: Fault) -> Result<(World, Option<Disk>)> {
    let plan = World::lay()?.contacts((1..90).map(|n| number(fault.behaviour(), n)));
    let disk = match fault {
        Fault::ReadOnly | Fault::DiskFull => Some(Disk::mount(&plan.folder.path().join("server"))?),
        Fault::AppInWrapUp
        | Fault::AppInCall
        | Fault::ServerInCall
        | Fault::ServerWhileRinging
        | Fault::ServerAtAnyMoment
        | Fault::AsteriskInCall
        | Fault::CableInCall => None,
    };
    Ok((plan.simulated(None).await?, disk))
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The disk can go only when nobody writes on it.
        self.world.server.kill();
        self.disk = None;
    }
}
