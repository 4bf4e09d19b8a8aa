//! Everything a test of the whole needs: a telephone network, a node, a server with a campaign, volunteers.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tempfile::TempDir;

use crate::{
    ari_proxy::AriProxy,
    callee::{Callee, Manner},
    networks::{Family, Home, Networks},
    pbx::{Node, Provider},
    ringround::Ringround,
    scripted::Scripted,
    trap::Trap,
    volunteer::Volunteer,
};

/// All of it. Everything ends, and its folder goes, when it is dropped; a failed test prints its logs.
pub struct World<P = Provider> {
    /// The server.
    pub server: Ringround,
    /// Its Asterisk.
    pub node: Node,
    /// The telephone network.
    pub provider: P,
    /// Where all of them keep their files.
    pub folder: TempDir,
}

/// What can stand at the far end of the trunk.
pub trait Telephones {
    /// Where it takes calls, SIP over UDP.
    fn address(&self) -> SocketAddr;
}

impl Telephones for Provider {
    fn address(&self) -> SocketAddr {
        self.address()
    }
}

impl Telephones for Scripted {
    fn address(&self) -> SocketAddr {
        self.address()
    }
}

impl Telephones for Callee {
    fn address(&self) -> SocketAddr {
        self.address()
    }
}

/// A world whose networks are there, and nothing in them yet.
pub struct Plan {
    /// Where its parts will stand.
    pub networks: Arc<Networks>,
    /// Where they will keep their files.
    pub folder: TempDir,
    spacing: String,
    contacts: Vec<String>,
}

impl Plan {
    /// The time between two attempts to one number; an hour where nothing is said.
    pub fn spacing(mut self, spacing: &str) -> Self {
        spacing.clone_into(&mut self.spacing);
        self
    }

    /// Whom the campaign rings; nobody where nothing is said.
    pub fn contacts(mut self, numbers: impl IntoIterator<Item = String>) -> Self {
        self.contacts.extend(numbers);
        self
    }

    /// Starts node and server; the trunk leads to the simulated network, where numbers 9nn ring at this address.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn simulated(self, harness: Option<SocketAddr>) -> Result<World> {
        let provider = Provider::start(&self.networks, self.folder.path(), harness).await?;
        self.start(provider).await
    }

    /// Starts node and server; the trunk leads to a provider by script.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn scripted(self) -> Result<World<Scripted>> {
        let provider = Scripted::listen(&self.networks).await?;
        self.start(provider).await
    }

    /// Starts node and server with a trunk to `provider`.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn start<P: Telephones>(self, provider: P) -> Result<World<P>> {
        let node = Node::start(&self.networks, self.folder.path(), provider.address()).await?;
        let server = Ringround::start(self.folder.path(), &node).await?;
        self.campaign(server, node, provider)
    }

    /// The same; the server reaches the node by a proxy with this trap.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn start_behind<P: Telephones>(self, provider: P, trap: &Trap) -> Result<(World<P>, AriProxy)> {
        let node = Node::start(&self.networks, self.folder.path(), provider.address()).await?;
        let ari = AriProxy::before(&node, trap.clone()).await?;
        let server = Ringround::start_behind(&ari, self.folder.path(), &node).await?;
        Ok((self.campaign(server, node, provider)?, ari))
    }

    fn campaign<P>(self, server: Ringround, node: Node, provider: P) -> Result<World<P>> {
        let world = World { server, node, provider, folder: self.folder };
        world.server.create_campaign_spaced(&self.spacing)?;
        if !self.contacts.is_empty() {
            world.server.import(&self.contacts)?;
        }
        Ok(world)
    }
}

impl World {
    /// Lays its networks; what [`Plan`] gives is started in them.
    ///
    /// # Errors
    /// When this machine grants no networks.
    pub fn lay() -> Result<Plan> {
        let (networks, folder) = (Networks::lay()?, tempfile::Builder::new().prefix("rr").tempdir()?);
        Ok(Plan { networks, folder, spacing: "1h".to_owned(), contacts: Vec::new() })
    }

    /// Starts it with a campaign of these contacts, and the simulated network.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn with(numbers: &[String]) -> Result<Self> {
        Self::lay()?.contacts(numbers.iter().cloned()).simulated(None).await
    }

    /// The same; numbers 9nn ring at a callee of the harness.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn with_callee(numbers: &[String], manner: Manner) -> Result<(Self, Callee)> {
        let plan = Self::lay()?.contacts(numbers.iter().cloned());
        let callee = Callee::listen(&plan.networks, manner).await?;
        Ok((plan.simulated(Some(callee.address())).await?, callee))
    }
}

impl<P> World<P> {
    /// A volunteer who has joined, in a home of their own.
    ///
    /// # Errors
    /// When joining fails.
    pub async fn volunteer(&self, name: &str) -> Result<Volunteer> {
        Volunteer::join(&self.server, name).await
    }

    /// Volunteers of these names, each at home, with a line and a card.
    ///
    /// # Errors
    /// When one cannot join or start.
    pub async fn volunteers(&self, names: &[&str]) -> Result<Vec<Volunteer>> {
        let mut volunteers = Vec::new();
        for name in names {
            let volunteer = self.volunteer(name).await?;
            volunteer.start().await?;
            volunteers.push(volunteer);
        }
        Ok(volunteers)
    }

    /// A volunteer as [`World::volunteer`] gives one; they have this family of addresses alone.
    ///
    /// # Errors
    /// When joining fails.
    pub async fn volunteer_by(&self, family: Family, name: &str) -> Result<Volunteer> {
        let home = self.server.networks.home_of(family)?;
        Volunteer::join_by(&self.server, &home, &self.server.invite_by(family, name)?).await
    }

    /// A volunteer's home.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn home(&self) -> Result<Home> {
        self.server.networks.home()
    }

    /// The server's, the node's and the provider's own words; a failed test prints them.
    pub fn logs(&self) -> String {
        let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        let of = |name: &str| read(self.folder.path().join(name));
        format!(
            "--- server\n{}\n--- node\n{}{}\n--- provider\n{}",
            read(self.server.console()),
            of("node/console.log"),
            of("node/log/messages"),
            of("provider/log/messages")
        )
    }
}

impl<P> Drop for World<P> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}

/// `+447700900` with a behaviour (0 speaks, 1 busy, 2 rings out, 3 unallocated, 4 hangs up, 5 machine, 6 presses 1,
/// 7 answers late, 8 refused by the carrier, 9 the harness's callee) and a number below 100.
pub fn number(behaviour: u8, which: u8) -> String {
    format!("+447700900{behaviour}{which:02}")
}
