//! The real server, as its organiser has it: the binary, its commands, its health.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use protocol::join_link::JoinLink;
use serde_json::Value;
use url::Url;

use crate::{
    ari_proxy::AriProxy,
    child::Child,
    networks::{Family, Net, Networks, SERVER, router_of, server_address},
    pbx::{Node, project},
    tls,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// So many homes of a world may have a [`crate::cable::Cable`].
const MOST_CUT: u8 = 16;

/// A server with a data folder of its own.
pub struct Ringround {
    /// Where it stands.
    pub networks: Arc<Networks>,
    binary: PathBuf,
    data: PathBuf,
    port: u16,
    arguments: Vec<String>,
    process: Option<Child>,
}

/// A row of `ringround-server results`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Attempted {
    /// The number that was rung.
    pub number: String,
    /// Word of the outcome, empty while there is none.
    #[serde(default)]
    pub outcome: Option<String>,
    /// network, volunteer or server.
    #[serde(default)]
    pub written_by: Option<String>,
    /// The volunteer's note.
    #[serde(default)]
    pub note: Option<String>,
}

impl Attempted {
    /// Reads what `ringround-server results --format json` printed, a row a line.
    ///
    /// # Errors
    /// When it is not understood.
    pub fn read(said: &str) -> Result<Vec<Self>> {
        let row = |line: &str| serde_json::from_str(line).with_context(|| format!("results: {line}"));
        said.lines().filter(|line| !line.trim().is_empty()).map(row).collect()
    }

    /// The outcome's word of each number, empty while there is none; a number's last attempt counts.
    pub fn outcomes(rows: Vec<Self>) -> HashMap<String, String> {
        rows.into_iter().map(|row| (row.number, row.outcome.unwrap_or_default())).collect()
    }
}

/// The campaign of the tests.
pub const CAMPAIGN: &str = "Winter Warmth";

impl Ringround {
    /// Starts it beside a node and waits until its health says that everything is there.
    ///
    /// # Errors
    /// When it does not come up; says what its log says.
    pub async fn start(folder: &Path, node: &Node) -> Result<Self> {
        Self::start_binary(built()?, folder, node).await
    }

    /// The same with a server that was built before.
    ///
    /// # Errors
    /// As [`Ringround::start`].
    pub async fn start_binary(binary: &Path, folder: &Path, node: &Node) -> Result<Self> {
        Self::start_by(binary, folder, node, &node.http()).await
    }

    /// The same as [`Ringround::start`]; it reaches the node by a proxy.
    ///
    /// # Errors
    /// As [`Ringround::start`].
    pub async fn start_behind(proxy: &AriProxy, folder: &Path, node: &Node) -> Result<Self> {
        Self::start_by(built()?, folder, node, &proxy.url()).await
    }

    async fn start_by(binary: &Path, folder: &Path, node: &Node, ari: &str) -> Result<Self> {
        tls::use_ring();
        let binary = binary.canonicalize().with_context(|| format!("{} is not built", binary.display()))?;
        let data = folder.join("server");
        std::fs::create_dir_all(&data)?;
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700))?;
        let port = free_port(&node.networks.server)?;
        let arguments = [
            "--listen",
            &format!("[::]:{port}"),
            "--name",
            &SERVER.0.to_string(),
            "--name",
            &SERVER.1.to_string(),
            "--ari",
            ari,
            "--ari-user",
            "ringround",
            "--ari-password-file",
            &node.password_file().display().to_string(),
            "--trunk",
            "trunk",
            "--trunk-kind",
            "simulated",
        ];
        let mut arguments = arguments.map(str::to_owned).to_vec();
        // A test that cuts a volunteer's way stands at the router of their home, and is the server for them.
        arguments.extend((1..=MOST_CUT).flat_map(|n| ["--name".to_owned(), router_of(n).to_string()]));
        let networks = Arc::clone(&node.networks);
        let mut server = Self { networks, binary, data, port, arguments, process: None };
        server.start_again().await?;
        Ok(server)
    }

    /// Starts it once more after [`Ringround::kill`], with the same data folder and port.
    ///
    /// # Errors
    /// As [`Ringround::start`].
    pub async fn start_again(&mut self) -> Result<()> {
        self.spawn()?;
        let deadline = Instant::now() + PATIENCE;
        while !self.healthy().await {
            // One that ended by itself says why at once.
            self.process.as_mut().map_or(Ok(()), Child::still_runs)?;
            ensure!(
                Instant::now() < deadline,
                "waited {} s in vain for the server's health",
                PATIENCE.as_secs()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Starts its process and waits for nothing.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&mut self) -> Result<()> {
        let mut command = Command::new(&self.binary);
        command.arg("--data").arg(&self.data).arg("serve").args(&self.arguments);
        self.process =
            Some(Child::start_in(&self.networks.server, "ringround-server", command, &self.console())?);
        Ok(())
    }

    /// Starts it where it cannot run, and gives the end of what it said.
    ///
    /// # Errors
    /// When it runs nevertheless.
    pub async fn fails_to_start(&mut self) -> Result<String> {
        self.spawn()?;
        let mut process = self.process.take().context("it was started")?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Err(ended) = process.still_runs() {
                return Ok(ended.to_string());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the server runs, and should not")
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Asks it to end, as a service manager would.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.stop(Duration::from_secs(10));
        }
    }

    /// What its process printed.
    pub fn console(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Where apps arrive.
    pub fn address(&self) -> SocketAddr {
        self.address_of(Family::V4)
    }

    /// Where they arrive by this family.
    pub fn address_of(&self, family: Family) -> SocketAddr {
        (server_address(family), self.port).into()
    }

    /// A client that believes this server's authority.
    ///
    /// # Errors
    /// When there is no authority yet.
    pub fn client(&self) -> Result<reqwest::Client> {
        let tls = tls::believing(&self.authority())?;
        Ok(reqwest::Client::builder().tls_backend_preconfigured((*tls).clone()).build()?)
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.data.join("tls/authority.pem")
    }

    /// `/health`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn health(&self) -> Result<Value> {
        let url = format!("https://{}/health", SocketAddr::new(IpAddr::from([127, 0, 0, 1]), self.port));
        let asked = self.client()?.get(url).timeout(Duration::from_secs(2)).send();
        Ok(self.networks.server.run(asked).await?.error_for_status()?.json().await?)
    }

    async fn healthy(&self) -> bool {
        self.health().await.is_ok_and(|health| health["database"] == "ready" && health["asterisk"] == "ready")
    }

    /// Runs one of the organiser's commands and gives what it printed.
    ///
    /// # Errors
    /// When it ends with another status than 0; says what it said.
    pub fn command(&self, words: &[&str]) -> Result<String> {
        let output = Command::new(&self.binary)
            .arg("--data")
            .arg(&self.data)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .context("ringround-server")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "ringround-server {}: {said}{}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// Makes [`CAMPAIGN`]: any hour, as only a simulated trunk allows, and nobody rung twice in an hour.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn create_campaign(&self) -> Result<()> {
        self.create_campaign_spaced("1h")
    }

    /// The same with another time between two attempts to one number.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn create_campaign_spaced(&self, spacing: &str) -> Result<()> {
        let form = self.data.with_file_name("campaign.toml");
        std::fs::write(
            &form,
            format!(
                "name = \"{CAMPAIGN}\"\norganisation = \"Lantern Street Trust\"\norganiser = \"Ruth\"\n\
                 caller_id = \"020 7946 0000\"\nhours = \"always\"\nspacing = \"{spacing}\"\n\
                 script = \"\"\"\n> Wait for hello.\n\nHello, is that {{form_of_address}}? I am {{volunteer}}, \
                 calling for {{organisation}}.\n\"\"\"\n"
            ),
        )?;
        self.create_campaign_of(&form)
    }

    /// Makes the campaign of a form.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn create_campaign_of(&self, form: &Path) -> Result<()> {
        self.command(&["campaign", "create", "--file", &form.display().to_string()])?;
        Ok(())
    }

    /// Imports contacts with these numbers, named after them: "Callee 001" for +447700900001.
    ///
    /// # Errors
    /// When the server refuses the file.
    pub fn import(&self, numbers: &[String]) -> Result<String> {
        let mut text = String::from("name,phone,form_of_address,context\n");
        for number in numbers {
            let last = &number[number.len().saturating_sub(3)..];
            text.push_str(&format!("Callee {last},{number},Mx {last},Likes to talk about the weather\n"));
        }
        self.import_text(text.as_bytes())
    }

    /// Imports a file of these bytes.
    ///
    /// # Errors
    /// When the server refuses the file.
    pub fn import_text(&self, bytes: &[u8]) -> Result<String> {
        let file = self.data.with_file_name(format!("{}.csv", uuid::Uuid::now_v7().simple()));
        std::fs::write(&file, bytes)?;
        self.command(&["import", &file.display().to_string(), "--campaign", CAMPAIGN])
    }

    /// A link for one volunteer.
    ///
    /// # Errors
    /// When the server makes none.
    pub fn invite(&self, name: &str) -> Result<JoinLink> {
        let said = self.command(&["invite", "--campaign", CAMPAIGN, "--name", name])?;
        let link = said.split_whitespace().find(|word| word.starts_with("ringround://"));
        Ok(JoinLink::parse(link.with_context(|| format!("no link in: {said}"))?)?)
    }

    /// The same, with the server's address of this family in it.
    ///
    /// # Errors
    /// As [`Ringround::invite`].
    pub fn invite_by(&self, family: Family, name: &str) -> Result<JoinLink> {
        let mut link = self.invite(name)?;
        link.server = Url::parse(&format!("https://{}", self.address_of(family)))?;
        Ok(link)
    }

    /// Every attempt of [`CAMPAIGN`], as the server tells an organiser.
    ///
    /// # Errors
    /// When it is not understood.
    pub fn results(&self) -> Result<Vec<Attempted>> {
        Attempted::read(&self.command(&["results", "--campaign", CAMPAIGN, "--format", "json"])?)
    }

    /// The outcome's word of each number that was attempted; a number's last attempt counts.
    ///
    /// # Errors
    /// As [`Ringround::results`].
    pub fn outcomes(&self) -> Result<HashMap<String, String>> {
        Ok(Attempted::outcomes(self.results()?))
    }
}

/// The usual one; where a second server stands beside the first, another.
fn free_port(net: &Net) -> Result<u16> {
    let port = net.enter(|| {
        let listener =
            std::net::TcpListener::bind(("::", 8443)).or_else(|_| std::net::TcpListener::bind(("::", 0)));
        listener.and_then(|listener| listener.local_addr())
    })??;
    Ok(port.port())
}

/// `RINGROUND_SERVER`, else what cargo builds from this repository (once a process).
///
/// # Errors
/// When it cannot be built.
pub fn built() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built =
        BINARY.get_or_init(|| program("RINGROUND_SERVER", ["--bin", "ringround-server"], "ringround-server"));
    built.as_deref().map_err(|error| anyhow::anyhow!("building the server: {error}"))
}

/// The program that this variable names, else `file` in cargo's folder, once cargo has built it from this repository.
///
/// # Errors
/// What cargo says when it cannot.
pub fn program(variable: &str, target: [&str; 2], file: &str) -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(PathBuf::from(path));
    }
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project().join("target"), PathBuf::from);
    let build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        // The whole workspace's features, as everywhere: else its crates would be built once more.
        .args(["build", "--quiet", "--offline", "--workspace"])
        .args(target)
        .current_dir(project())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !build.status.success() {
        return Err(String::from_utf8_lossy(&build.stderr).into_owned());
    }
    Ok(folder.join("debug").join(file))
}
