//! The app's real window, driven as a user would: by the roles and names that a screen reader gets.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use fantoccini::{
    Client, ClientBuilder, Locator, elements::Element, error::CmdError, wd::WebDriverCompatibleCommand,
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::{child::Child, desktop::Desktop, pbx::project};

/// The app as it is built: `RINGROUND_APP`, else cargo's.
pub fn app() -> PathBuf {
    std::env::var_os("RINGROUND_APP").map_or_else(|| project().join("target/debug/ringround"), PathBuf::from)
}

/// An app with its window open.
pub struct Window {
    client: Client,
    driver: Child,
}

/// How long anything may take to appear.
pub const PATIENCE: Duration = Duration::from_secs(20);

const GUARD: Duration = Duration::from_millis(450);
const HANG_UP_GUARD: Duration = Duration::from_millis(1_050);

/// What a screen reader takes for each role; WebDriver then says the name.
const ROLES: [(&str, &str); 6] = [
    ("button", "button, [role=button]"),
    ("textbox", "input, textarea"),
    ("status", "[role=status]"),
    ("alert", "[role=alert]"),
    ("heading", "h1, h2, h3, [role=heading]"),
    ("group", "[role=group], fieldset"),
];

impl Window {
    /// Starts the app on the desktop and waits for its first screen.
    ///
    /// # Errors
    /// When WebKit's driver is not installed, or the app shows no window.
    pub async fn open(app: &Path, desktop: &Desktop, more: &[(&str, &str)], log: &Path) -> Result<Self> {
        Self::open_with(app, &[], desktop, more, log).await
    }

    /// The same with these arguments, as a click on a link gives one.
    ///
    /// # Errors
    /// As [`Window::open`].
    pub async fn open_with(
        app: &Path,
        arguments: &[&str],
        desktop: &Desktop,
        more: &[(&str, &str)],
        log: &Path,
    ) -> Result<Self> {
        let app: PathBuf = app.canonicalize().with_context(|| format!("{} is not built", app.display()))?;
        let net = Arc::clone(&desktop.net);
        let listener = net.enter(|| TcpListener::bind("127.0.0.1:0"))??;
        let port = listener.local_addr()?.port();
        drop(listener);
        let mut command = Command::new("WebKitWebDriver");
        command.arg(format!("--port={port}"));
        // The driver hands its environment to the app; without this variable opening a session hangs for ever.
        command.env("TAURI_WEBVIEW_AUTOMATION", "true");
        command.envs(desktop.environment().iter().cloned()).envs(more.iter().copied());
        let mut driver = Child::start_in(&net, "WebKitWebDriver", command, log)?;
        let address = format!("127.0.0.1:{port}");
        let listens = || {
            let address = address.clone();
            net.run(async move { tokio::net::TcpStream::connect(address).await.is_ok() })
        };
        crate::child::poll("WebKitWebDriver", PATIENCE, listens).await?;
        let wanted = json!({"webkitgtk:browserOptions": {"binary": app, "args": arguments}});
        let Value::Object(wanted) = wanted else { bail!("capabilities are an object") };
        let url = format!("http://{address}");
        let connecting = async move {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(wanted).connect(&url).await
        };
        let session = tokio::time::timeout(PATIENCE, net.run(connecting)).await;
        driver.still_runs()?;
        let client = session.context("the app opened no window")?.context("WebDriver")?;
        Ok(Self { client, driver })
    }

    /// Process id of the driver, the app's parent.
    pub fn driver(&self) -> u32 {
        self.driver.id()
    }

    /// The first element with this role and accessible name, as it is now. A key's hint may follow the name.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn find(&self, role: &str, name: &str) -> Result<Option<Element>> {
        let (_, candidates) = ROLES.iter().find(|(r, _)| *r == role).context("no such role in ROLES")?;
        let found = match soon("looking for elements", self.client.find_all(Locator::Css(candidates))).await {
            // The page changed under the search: the next look finds what is there then.
            Err(error) if is_stale(&error) => return Ok(None),
            found => found?,
        };
        for element in found {
            let label = Label(element.element_id().to_string());
            // An element that was replaced meanwhile is none of ours.
            let Ok(Value::String(label)) = soon("asking a name", self.client.issue_cmd(label)).await else {
                continue;
            };
            if label.trim().starts_with(name) {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }

    /// Waits for an element.
    ///
    /// # Errors
    /// When it does not appear within [`PATIENCE`]; says what the window shows instead.
    pub async fn wait_for(&self, role: &str, name: &str) -> Result<Element> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(element) = self.find(role, name).await? {
                return Ok(element);
            }
            if Instant::now() > deadline {
                bail!("no {role} \"{name}\" in the window, which says: {}", self.text().await?);
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits for a button that can be pressed, and presses it as a person would: not at once. The app takes no
    /// press for 0.4 s (Hang up: 1 s) after the meaning of a button changed.
    ///
    /// # Errors
    /// When there is none within [`PATIENCE`].
    pub async fn press(&self, name: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        self.wait_for("button", name).await?;
        tokio::time::sleep(if name == "Hang up" { HANG_UP_GUARD } else { GUARD }).await;
        loop {
            let button = self.wait_for("button", name).await?;
            let disabled = button.attr("aria-disabled").await.ok().flatten().is_some_and(|v| v == "true");
            if !disabled && button.is_enabled().await.unwrap_or(false) && button.click().await.is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the button \"{name}\" cannot be pressed");
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits until the window's text holds a sentence.
    ///
    /// # Errors
    /// When it does not come within the time.
    pub async fn wait_for_text(&self, sentence: &str, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while !self.text().await?.contains(sentence) {
            if Instant::now() > deadline {
                bail!("the window does not say \"{sentence}\" but: {}", self.text().await?);
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        Ok(())
    }

    /// All text that is shown.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn text(&self) -> Result<String> {
        let text = self.run("return document.body.innerText", vec![]).await?;
        Ok(text.as_str().unwrap_or_default().replace('\n', " · "))
    }

    /// What the two live regions say: polite and assertive.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn said(&self) -> Result<(String, String)> {
        let script = "return ['status','alert'].map(r => [...document.querySelectorAll(`[role=${r}]`)]
            .map(e => e.textContent.trim()).filter(t => t).join(' | '))";
        let said = self.run(script, vec![]).await?;
        let one = |n: usize| said[n].as_str().unwrap_or_default().to_owned();
        Ok((one(0), one(1)))
    }

    /// Presses a key, as from the keyboard.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn key(&self, key: char) -> Result<()> {
        use fantoccini::actions::{InputSource, KeyAction, KeyActions};
        let keys = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key });
        soon("pressing a key", self.client.perform_actions(keys)).await
    }

    /// Runs a script of the test in the page.
    ///
    /// # Errors
    /// When it throws, or the window is gone.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        soon("a script", self.client.execute(script, arguments)).await
    }

    /// Types into an element.
    ///
    /// # Errors
    /// When it cannot be typed into.
    pub async fn paste(&self, element: &Element, text: &str) -> Result<()> {
        soon("a click", element.click()).await?;
        soon("typing", element.send_keys(text)).await
    }

    /// A picture of the window after it was painted.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn screenshot(&self, file: &Path) -> Result<()> {
        let painted = "const done = arguments[arguments.length - 1];
            requestAnimationFrame(() => requestAnimationFrame(() => done(true)))";
        soon("two painted frames", self.client.execute_async(painted, vec![])).await?;
        Ok(std::fs::write(file, soon("a picture", self.client.screenshot()).await?)?)
    }

    /// Closes the window, and with it the app.
    pub async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.client.clone().close()).await;
        let _ = self.driver.stop(Duration::from_secs(3));
    }

    /// Ends the app as a crash would.
    pub fn kill(mut self) {
        self.driver.kill();
    }
}

fn is_stale(error: &anyhow::Error) -> bool {
    error.downcast_ref::<CmdError>().is_some_and(CmdError::is_stale_element_reference)
}

/// A page that hangs must not hang the test.
async fn soon<T>(what: &str, command: impl Future<Output = Result<T, CmdError>>) -> Result<T> {
    let done = tokio::time::timeout(Duration::from_secs(15), command).await;
    done.with_context(|| format!("the window does not answer: {what}"))?.with_context(|| what.to_owned())
}

/// WebDriver 2, section 12.4.7: the name that a screen reader says.
#[derive(Debug)]
struct Label(String);

impl WebDriverCompatibleCommand for Label {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/element/{}/computedlabel", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &url::Url) -> (reqwest::Method, Option<String>) {
        (reqwest::Method::GET, None)
    }
}
