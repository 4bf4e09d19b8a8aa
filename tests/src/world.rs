//! Everything a test of the whole needs: a telephone network, a node, a server with a campaign, volunteers.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tempfile::TempDir;

use crate::{
    callee::{Callee, Manner},
    networks::{Family, Net, Networks},
    pbx::{Node, Provider},
    ringround::Ringround,
    volunteer::Volunteer,
};

/// All of it. Everything ends, and its folder goes, when it is dropped.
pub struct World {
    /// The server.
    pub server: Ringround,
    /// Its Asterisk.
    pub node: Node,
    /// The telephone network.
    pub provider: Provider,
    /// Where all of them keep their files.
    pub folder: TempDir,
}

impl World {
    /// Starts it with a campaign of these contacts.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn with(numbers: &[String]) -> Result<Self> {
        Self::within(&Networks::lay()?, numbers, None).await
    }

    /// The same; numbers 9nn ring at a callee of the harness.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn with_callee(numbers: &[String], manner: Manner) -> Result<(Self, Callee)> {
        let networks = Networks::lay()?;
        let callee = Callee::listen(&networks, manner).await?;
        Ok((Self::within(&networks, numbers, Some(callee.address())).await?, callee))
    }

    async fn within(
        networks: &Arc<Networks>,
        numbers: &[String],
        callee: Option<SocketAddr>,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rr").tempdir()?;
        let provider = Provider::start(networks, folder.path(), callee).await?;
        let node = Node::start(networks, folder.path(), provider.address()).await?;
        let server = Ringround::start(folder.path(), &node).await?;
        server.create_campaign()?;
        if !numbers.is_empty() {
            server.import(numbers)?;
        }
        Ok(Self { server, node, provider, folder })
    }

    /// A volunteer who has joined, in a home of their own.
    ///
    /// # Errors
    /// When joining fails.
    pub async fn volunteer(&self, name: &str) -> Result<Volunteer> {
        Volunteer::join(&self.server, name).await
    }

    /// The same; they reach the server by this family.
    ///
    /// # Errors
    /// When joining fails.
    pub async fn volunteer_by(&self, family: Family, name: &str) -> Result<Volunteer> {
        let home = self.home()?;
        Volunteer::join_by(&self.server, &home, &self.server.invite_by(family, name)?).await
    }

    /// A volunteer's home.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn home(&self) -> Result<Arc<Net>> {
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

impl Drop for World {
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
