//! A volunteer without a window: everything the app does, by the same requests and with the same softphone.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use protocol::{
    call::{Call, CallState as CalleeState},
    contact::Card,
    http::{
        AskChallenge, Challenge, Dial, Dialled, ErrorCode, HangUp, Join, Joined, LineSound, OpenLine,
        RecordOutcome, Settle, SettleLease, SignIn, SignedIn, join_text, sign_in_text,
    },
    ids::{AttemptId, DeviceId, OutcomeId},
    join_link::JoinLink,
    line::Line,
    outcome::Outcome,
    session::{Desk, Session, Waiting},
};
use serde_json::{Value, json};
use softphone::{Account, CallState, Missing, Registration, Secret, Settings, Trust};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    api::{Api, Failure},
    handset::{Handset, Standing},
    live::Live,
    networks::Home,
    ringround::Ringround,
    tls,
};

/// How long an event may take.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A volunteer who has joined and is signed in.
pub struct Volunteer {
    /// Their device.
    pub device: DeviceId,
    /// Their telephone.
    pub handset: Arc<Handset>,
    /// What the server tells them.
    pub live: Live,
    /// Requests with their token.
    pub api: Api,
    /// Their sign-in, for attacks with it.
    pub sign_in: SignedIn,
    /// Where they are.
    pub home: Home,
    line_token: Arc<Mutex<String>>,
    _beside: JoinSet<()>,
}

impl Volunteer {
    /// Joins from a new home by a new link of this server, signs in, opens `/live` and registers.
    ///
    /// # Errors
    /// When any of it fails.
    pub async fn join(server: &Ringround, name: &str) -> Result<Self> {
        Self::join_by(server, &server.networks.home()?, &server.invite(name)?).await
    }

    /// The same by a link, from this home.
    ///
    /// # Errors
    /// When any of it fails.
    pub async fn join_by(server: &Ringround, home: &Home, link: &JoinLink) -> Result<Self> {
        let api = Api::new(home, &link.server, server)?;
        let (device, key) = (DeviceId::new(Uuid::now_v7()), new_key()?);
        spend(&api, link, device, &key).await?;
        Self::sign_in(server, home, link, device, &key).await
    }

    /// Signs in with the key of a device that has joined.
    ///
    /// # Errors
    /// When any of it fails.
    pub async fn sign_in(
        server: &Ringround,
        home: &Home,
        link: &JoinLink,
        device: DeviceId,
        key: &SigningKey,
    ) -> Result<Self> {
        let api = Api::new(home, &link.server, server)?;
        let sign_in = authorise(&api, device, key).await?;
        let handset = Arc::new(Handset::start(home, settings(link, device, &sign_in)?)?);
        let live = Live::open(home, &link.server, &sign_in.token, tls::believing(&server.authority())?);
        let api = api.signed_in(&sign_in.token);
        live.until("the first snapshot", PATIENCE, |told| told.open).await?;
        let registered = |s: &crate::handset::Standing| s.registration == Some(Registration::Registered);
        handset.until("the registration", PATIENCE, registered).await?;
        let line_token = Arc::default();
        let mut beside = JoinSet::new();
        beside.spawn(open_the_microphone_in_calls(Arc::clone(&handset), live.watch()));
        beside.spawn(tell_of_the_sound(handset.watch(), api.clone(), Arc::clone(&line_token)));
        let home = home.clone();
        Ok(Self { device, handset, live, api, sign_in, home, line_token, _beside: beside })
    }

    /// Presses Start: waits until the line is up and there is a card, or the reason why there is none.
    ///
    /// # Errors
    /// When it is refused, or takes too long.
    pub async fn start(&self) -> Result<Desk> {
        self.send("/api/session/start", &json!({})).await?;
        self.open_line().await?;
        let up = |desk: &Desk| {
            desk.line == Line::Up
                && !matches!(desk.session, Session::Ended | Session::Waiting { why: Waiting::Line })
        };
        self.until("the line and a card", up).await
    }

    /// Asks Asterisk to call, and lets that call be answered by itself.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn open_line(&self) -> Result<()> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let token = bits.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.handset.phone.expect_line(token.clone());
        self.line_token.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&token);
        self.send("/api/line", &OpenLine { token }).await
    }

    /// Presses Call.
    ///
    /// # Errors
    /// When there is no card, or the server refuses.
    pub async fn call(&self) -> Result<AttemptId> {
        let lease_id = self.card().context("no card to call")?.lease_id;
        let dialled: Dialled = self.api.post("/api/dial", &Dial { lease_id }).await?;
        Ok(dialled.attempt_id)
    }

    /// Presses Call, and again for as long as the server lets only one at a time show whether calls go out at all.
    ///
    /// # Errors
    /// As [`Volunteer::call`].
    pub async fn call_in_turn(&self) -> Result<AttemptId> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.call().await {
                Err(error) if refused_for_now(&error) && tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                called => return called,
            }
        }
    }

    /// Presses Call and waits for the answer.
    ///
    /// # Errors
    /// When it is not answered.
    pub async fn call_and_talk(&self) -> Result<AttemptId> {
        let attempt = self.call().await?;
        self.until("the answer", |desk| matches!(desk.session, Session::Talking { .. })).await?;
        Ok(attempt)
    }

    /// Hangs up and waits for the wrap-up.
    ///
    /// # Errors
    /// When it is refused, or takes too long.
    pub async fn hang_up(&self) -> Result<Desk> {
        let attempt_id = self.attempt().context("no call to hang up")?;
        self.send("/api/hang-up", &HangUp { attempt_id }).await?;
        self.until("the wrap-up", |desk| in_call(desk).is_none()).await
    }

    /// Presses an outcome key for the attempt at hand, and gives the press, to send it again if need be.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn outcome(&self, outcome: Outcome) -> Result<RecordOutcome> {
        let press = press(self.attempt().context("no attempt to judge")?, outcome);
        self.send("/api/outcome", &press).await?;
        Ok(press)
    }

    /// Sends a press until the server says yes or no: an app's outbox.
    ///
    /// # Errors
    /// When the server says no, or nothing within the time.
    pub async fn deliver(&self, press: &RecordOutcome, patience: Duration) -> Result<()> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            match self.api.post::<Value>("/api/outcome", press).await {
                Ok(_) => return Ok(()),
                Err(Failure::Refused(error)) => bail!("the server refused a pressed key: {error:?}"),
                Err(failure) if tokio::time::Instant::now() > deadline => return Err(failure.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Gives the card back.
    ///
    /// # Errors
    /// When there is none, or the server refuses.
    pub async fn settle(&self, how: Settle) -> Result<()> {
        let lease_id = self.card().context("no card to give back")?.lease_id;
        self.send("/api/lease/settle", &SettleLease { lease_id, how }).await
    }

    /// Pause, resume or stop.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn session(&self, word: &str) -> Result<()> {
        self.send(&format!("/api/session/{word}"), &json!({})).await
    }

    /// The desk as it is now.
    ///
    /// # Errors
    /// When nothing came down `/live` yet.
    pub fn desk(&self) -> Result<Desk> {
        self.live.told().desk.context("no snapshot yet")
    }

    /// The card that is held.
    pub fn card(&self) -> Option<Card> {
        self.live.told().desk?.session.card().cloned()
    }

    /// The attempt at hand.
    pub fn attempt(&self) -> Option<AttemptId> {
        self.live.told().desk?.session.call().map(|call| call.attempt_id)
    }

    /// Waits until something holds of the desk.
    ///
    /// # Errors
    /// When it does not within [`PATIENCE`].
    pub async fn until(&self, what: &str, holds: impl Fn(&Desk) -> bool) -> Result<Desk> {
        self.until_within(what, PATIENCE, holds).await
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// When it does not within the time.
    pub async fn until_within(
        &self,
        what: &str,
        patience: Duration,
        holds: impl Fn(&Desk) -> bool,
    ) -> Result<Desk> {
        let told = self.live.until(what, patience, |told| told.desk.as_ref().is_some_and(&holds)).await?;
        told.desk.context("it held of a desk")
    }

    /// Waits for the next card, another than this one.
    ///
    /// # Errors
    /// When there is none within the time.
    pub async fn next_card(&self, than: Option<&Card>) -> Result<Card> {
        let other = |desk: &Desk| matches!(&desk.session, Session::Ready { card } if than.is_none_or(|t| t.lease_id != card.lease_id));
        self.until("the next card", other).await?;
        self.card().context("it is there")
    }

    async fn send(&self, path: &str, body: &impl serde::Serialize) -> Result<()> {
        let reply: Value = self.api.post(path, body).await.with_context(|| path.to_owned())?;
        ensure!(reply == json!({}), "{path} answered {reply}");
        Ok(())
    }
}

fn refused_for_now(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failure>().and_then(Failure::code) == Some(ErrorCode::WrongState)
}

/// A key press, as the app makes it.
pub fn press(attempt_id: AttemptId, outcome: Outcome) -> RecordOutcome {
    RecordOutcome { id: OutcomeId::new(Uuid::now_v7()), attempt_id, outcome, note: None, again: None }
}

/// The call that is going on, if one is.
pub fn in_call(desk: &Desk) -> Option<&Call> {
    match &desk.session {
        Session::Dialling { call, .. } | Session::Talking { call, .. } => Some(call),
        Session::Ended
        | Session::Waiting { .. }
        | Session::Ready { .. }
        | Session::WrapUp { .. }
        | Session::Paused { .. } => None,
    }
}

/// Whether the callee rings.
pub fn rings(desk: &Desk) -> bool {
    in_call(desk).is_some_and(|call| matches!(call.state, CalleeState::Ringing { .. }))
}

/// A new key of a device.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_key() -> Result<SigningKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Spends a link for a device.
///
/// # Errors
/// [`Failure`].
pub async fn spend(
    api: &Api,
    link: &JoinLink,
    device: DeviceId,
    key: &SigningKey,
) -> Result<Joined, Failure> {
    let public_key = key.verifying_key().to_bytes();
    let join = Join {
        token: link.token.clone(),
        device_id: device,
        public_key: URL_SAFE_NO_PAD.encode(public_key),
        device_name: "a test".into(),
        signature: URL_SAFE_NO_PAD.encode(key.sign(&join_text(&link.token, device, &public_key)).to_bytes()),
    };
    api.post("/api/join", &join).await
}

/// Signs in with a device's key, and nothing more.
///
/// # Errors
/// When the server refuses it.
pub async fn authorise(api: &Api, device: DeviceId, key: &SigningKey) -> Result<SignedIn> {
    let asked: Challenge = api.post("/api/sign-in/challenge", &AskChallenge { device_id: device }).await?;
    let text = sign_in_text(&URL_SAFE_NO_PAD.decode(&asked.challenge)?);
    let signature = URL_SAFE_NO_PAD.encode(key.sign(&text).to_bytes());
    let answer = SignIn { device_id: device, challenge: asked.challenge, signature };
    Ok(api.post("/api/sign-in", &answer).await?)
}

/// What the app tells its softphone after signing in.
///
/// # Errors
/// When the link's server is no address.
pub fn settings(link: &JoinLink, device: DeviceId, sign_in: &SignedIn) -> Result<Settings> {
    let mut address = link.server.join("/sip")?;
    address.set_scheme("wss").ok().context("a URL that can be wss")?;
    let account = Account {
        username: device.to_string(),
        password: Secret::new(&*sign_in.sip_password),
        domain: sign_in.sip_domain.clone(),
    };
    let mut settings = Settings::new(address, account);
    settings.bearer = Some(Secret::new(&*sign_in.token));
    if let Some(public_key_sha256) = link.authority {
        settings.trust = Trust::Authority { public_key_sha256 };
    }
    Ok(settings)
}

/// Whether sound gets through on the line, as often as that changes, until the server has heard it.
async fn tell_of_the_sound(
    mut standing: tokio::sync::watch::Receiver<Standing>,
    api: Api,
    token: Arc<Mutex<String>>,
) {
    let mut told = None;
    loop {
        let now = standing.borrow_and_update().clone();
        let gets_through = now.call != Some(CallState::Reconnecting { missing: Missing::Sound });
        let news = now.line.map(|line| (line, gets_through));
        if news != told {
            told = news;
            if let Some((_, gets_through)) = news {
                let token = token.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let sound = LineSound { token, gets_through };
                while let Err(Failure::Lost(_)) = api.post::<Value>("/api/line/sound", &sound).await {
                    // The server is away, or the cable.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        if standing.changed().await.is_err() {
            return;
        }
    }
}

/// Between calls the line sends nothing.
async fn open_the_microphone_in_calls(
    handset: Arc<Handset>,
    mut told: tokio::sync::watch::Receiver<crate::live::Told>,
) {
    let mut standing = handset.watch();
    loop {
        let talks = told.borrow_and_update().desk.as_ref().is_some_and(|desk| in_call(desk).is_some());
        if let Some(line) = standing.borrow_and_update().line {
            handset.phone.send_audio(line, talks);
        }
        let changed = tokio::select! {
            changed = told.changed() => changed,
            changed = standing.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}
