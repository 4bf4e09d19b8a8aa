//! The same faults before the real window: a volunteer at the screen, and what a screen reader says to them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use tokio::time::{Instant, sleep};
use url::Url;

use super::{
    Disk, Fault, Round, SETTLED_AFTER,
    counting::{strays, was_told},
    scene,
};
use crate::{cable::Cable, desktop::Desktop, window::Window, world::World};

/// How long a sentence may take after its reason.
const TOLD_WITHIN: Duration = Duration::from_secs(15);
/// From the return of everything to the next card.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps every sentence that the live regions say from now on.
const LISTEN: &str = "if (window.told) return;
    window.told = [];
    const say = node => {
        const region = (node.nodeType === 1 ? node : node.parentElement)?.closest('[role=status],[role=alert]');
        const text = region?.textContent.trim();
        if (text && window.told.at(-1) !== text) window.told.push(text);
    };
    document.querySelectorAll('[role=status],[role=alert]').forEach(say);
    new MutationObserver(all => all.forEach(one => say(one.target)))
        .observe(document.body, {subtree: true, childList: true, characterData: true});";

/// A window on a list of callees, and everything behind it.
pub struct Watched {
    window: Option<Window>,
    desktop: Desktop,
    /// Server, node and provider.
    pub world: World,
    disk: Option<Disk>,
    /// Between the app and the server.
    cable: Cable,
    fault: Fault,
    app: PathBuf,
    pressed: HashMap<String, &'static str>,
}

/// What the rounds before a window came to so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// As without a window.
    pub round: Round,
    /// Sentences that were not said in this round.
    pub untold: Vec<String>,
    /// From the return of everything to the next card: longer than [`SETTLED_AFTER`], and the count came late.
    pub next_card_after: Duration,
}

impl Watched {
    /// Opens the app on a desktop of its own, joins and starts.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn set(fault: Fault, app: &Path) -> Result<Self> {
        let (world, disk) = scene(fault).await?;
        let home = world.home()?;
        let desktop = Desktop::start(&home, world.folder.path(), true).await?;
        let window = open(app, &desktop, world.folder.path()).await?;
        let cable = Cable::to(&world.server, &home).await?;
        let mut link = world.server.invite("Maya")?;
        link.server = Url::parse(&format!("https://{}", cable.address()))?;
        let field = window.wait_for("textbox", "Invitation link").await?;
        window.paste(&field, &link.text()).await?;
        window.press("Join").await?;
        window.press("Start calling").await?;
        window.wait_for("button", "Call Callee").await?;
        let pressed = HashMap::new();
        Ok(Self { window: Some(window), desktop, world, disk, cable, fault, app: app.to_owned(), pressed })
    }

    /// Takes something away at a moment of this seed and gives it back; listens for what is said of it; goes on to
    /// the next card; and counts [`SETTLED_AFTER`] the return.
    ///
    /// # Errors
    /// When the evening cannot go on.
    pub async fn round(&mut self, seed: u64) -> Result<Seen> {
        let mut chance = Rng::with_seed(seed);
        self.window()?.wait_for("button", "Call Callee").await?;
        let mut untold = Vec::new();
        let back = self.strike(&mut chance, &mut untold).await;
        let back = back.with_context(|| format!("{}, seed {seed}", self.fault.name()))?;
        self.go_on().await.with_context(|| format!("{}, seed {seed}", self.fault.name()))?;
        let next_card_after = back.elapsed();
        tokio::time::sleep_until(back + SETTLED_AFTER).await;
        Ok(Seen { round: self.count().await?, untold, next_card_after })
    }

    async fn strike(&mut self, chance: &mut Rng, untold: &mut Vec<String>) -> Result<Instant> {
        if self.fault == Fault::ServerAtAnyMoment {
            return self.at_any_moment(chance, untold).await;
        }
        self.window()?.press("Call Callee").await?;
        let rings = self.fault == Fault::ServerWhileRinging;
        self.window()?.wait_for_text(if rings { "Ringing" } else { "Talking with" }, PATIENCE).await?;
        sleep(Duration::from_millis(chance.u64(..1_000))).await;
        let away = Duration::from_millis(1_000 + chance.u64(..2_500));
        match self.fault {
            Fault::AppInWrapUp => {
                self.window()?.press("Hang up").await?;
                self.window()?.wait_for_text("How did it go?", PATIENCE).await?;
                self.kill_app()?;
                sleep(away).await;
                self.open_again().await?;
                let back = Instant::now();
                self.hear(&["How did it go? 1 to 9"], untold).await?;
                Ok(back)
            }
            Fault::AppInCall => {
                self.kill_app()?;
                sleep(away).await;
                self.open_again().await?;
                let back = Instant::now();
                self.hear(&["You are back with Callee"], untold).await?;
                Ok(back)
            }
            Fault::ServerInCall | Fault::ServerWhileRinging | Fault::ServerAtAnyMoment => {
                self.world.server.kill();
                self.hear(&["Server not reachable. Your call goes on"], untold).await?;
                sleep(away).await;
                self.world.server.start_again().await?;
                let back = Instant::now();
                self.hear(&["The server is back"], untold).await?;
                Ok(back)
            }
            Fault::CableInCall => {
                self.cable.pull();
                self.hear(&["Server not reachable. Your call goes on"], untold).await?;
                sleep(away).await;
                self.cable.plug();
                let back = Instant::now();
                self.hear(&["The server is back"], untold).await?;
                Ok(back)
            }
            Fault::ReadOnly => {
                self.world.server.kill();
                self.disk()?.read_only(true)?;
                self.hear(&["Server not reachable. Your call goes on"], untold).await?;
                let said = self.world.server.fails_to_start().await?;
                if !said.contains("ead-only") {
                    untold.push("the server's reason for ending".to_owned());
                }
                self.disk()?.read_only(false)?;
                self.world.server.start_again().await?;
                let back = Instant::now();
                self.hear(&["The server is back"], untold).await?;
                Ok(back)
            }
            Fault::AsteriskInCall => {
                self.world.node.kill();
                self.hear(&["Line lost. ", "The server has no telephone line"], untold).await?;
                sleep(away).await;
                self.world.node.start_again().await?;
                Ok(Instant::now())
            }
            Fault::DiskFull => {
                self.window()?.press("Hang up").await?;
                self.window()?.wait_for_text("How did it go?", PATIENCE).await?;
                self.disk()?.fill()?;
                self.press_reached().await?;
                self.hear(&["The server can’t save. Its disk is full or locked"], untold).await?;
                sleep(away).await;
                self.disk()?.free()?;
                Ok(Instant::now())
            }
        }
    }

    /// The server dies soon after one of the presses that make it act. What is said of it depends on how far it came.
    async fn at_any_moment(&mut self, chance: &mut Rng, untold: &mut Vec<String>) -> Result<Instant> {
        // Most of what it does is done within a few milliseconds.
        let mut soon = |most: f64| Duration::from_secs_f64(most * chance.f64().powi(3));
        let (after_call, after_press) = (soon(2.0), soon(0.4));
        let moment = chance.u8(..3);
        tracing::info!(moment, ?after_call, ?after_press, "the server is to die");
        self.window()?.press("Call Callee").await?;
        if moment == 0 {
            sleep(after_call).await;
        } else {
            self.window()?.wait_for_text("Talking with", PATIENCE).await?;
            self.window()?.press("Hang up").await?;
            if moment == 2 {
                self.window()?.wait_for_text("How did it go?", PATIENCE).await?;
                self.press_reached().await?;
            }
            sleep(after_press).await;
        }
        self.world.server.kill();
        self.hear(&["Server not reachable. Your call goes on", "We can’t reach "], untold).await?;
        sleep(Duration::from_millis(chance.u64(..2_500))).await;
        self.world.server.start_again().await?;
        let back = Instant::now();
        self.hear(&["The server is back"], untold).await?;
        Ok(back)
    }

    /// Waits until one of these beginnings of a sentence was said.
    async fn hear(&self, any: &[&str], untold: &mut Vec<String>) -> Result<()> {
        let deadline = Instant::now() + TOLD_WITHIN;
        loop {
            let told = self.window()?.run("return window.told", vec![]).await?;
            if was_told(&told, any) {
                self.window()?.run("window.told = []", vec![]).await?;
                return Ok(());
            }
            if Instant::now() > deadline {
                tracing::warn!(?any, %told, "not said");
                untold.push(format!("{} (but {told})", any.join(" | ")));
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Does what the screen asks for until the next card is there.
    async fn go_on(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut done = false;
        loop {
            let text = self.window()?.text().await?;
            ensure!(Instant::now() < deadline, "still no next card; the window says: {text}");
            let calls = self.window()?.find("button", "Call Callee").await?.is_some();
            if calls && done {
                return Ok(());
            }
            if text.contains("How did it go?") {
                self.press_reached().await?;
                done = true;
            } else {
                // What can be pressed now may be gone in a moment; then the next look says more.
                for name in ["Hang up", "Cancel", "Start calling", "Start again"] {
                    if let Some(button) = self.window()?.find("button", name).await? {
                        sleep(Duration::from_millis(1_100)).await;
                        let _ = button.click().await;
                    }
                }
                // The network's outcome, or the server's, is as good.
                done |= calls && !text.contains("Talking with");
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn press_reached(&mut self) -> Result<()> {
        let records = self.world.provider.records();
        let number = records.arrivals()?.last().context("somebody was rung")?.number.clone();
        if self.pressed.contains_key(&number) {
            return Ok(());
        }
        self.window()?.press("1, Reached").await?;
        self.pressed.insert(number, "reached");
        Ok(())
    }

    async fn count(&self) -> Result<Round> {
        // The next card is there: the session owns its line, and no call.
        let strays = strays(&self.world.node.channels().await?, "line-", true, None);
        Round::count(&self.pressed, &self.world.server.outcomes()?, &self.world.provider.records(), strays)
    }

    fn window(&self) -> Result<&Window> {
        self.window.as_ref().context("the window is closed")
    }

    fn disk(&self) -> Result<&Disk> {
        self.disk.as_ref().context("a disk of its own")
    }

    /// The app, not the driver: it and all its children, as after a crash.
    fn kill_app(&mut self) -> Result<()> {
        self.window.take().context("the window is closed")?.kill();
        Ok(())
    }

    async fn open_again(&mut self) -> Result<()> {
        self.window = Some(open(&self.app, &self.desktop, self.world.folder.path()).await?);
        Ok(())
    }
}

async fn open(app: &Path, desktop: &Desktop, folder: &Path) -> Result<Window> {
    let window = Window::open(app, desktop, &[], &folder.join("app.log")).await?;
    window.run(LISTEN, vec![]).await?;
    Ok(window)
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.world.server.kill();
        self.disk = None;
    }
}
