//! Doing what the session decided. Each piece of work that waits runs beside the task and brings
//! its result back as a message.

use std::{future::Future, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use protocol::{
    http::{
        Dial, Dialled, ErrorCode, HangUp, Join, Joined, LineSound, OpenLine, SettleLease, SignedIn, join_text,
    },
    ids::{AttemptId, DeviceId},
    join_link::JoinLink,
};
use serde_json::{Value, json};
use softphone::{Account, Devices, Secret, Softphone, Trust};
use tokio::sync::mpsc;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    Live, Message, PendingJoin, Phone, Sound, Task,
    departure::{Departure, remove},
};
use crate::{
    live,
    outbox::Kept,
    secrets::{NoKeyring, Secrets},
    server::{RequestError, Server},
    session::{Ask, Effect, Input, Opened},
    settings::{self, Device},
    view::JoinProblem,
};

/// A keyring that takes longer waits for a person.
const KEYRING_PATIENCE: Duration = Duration::from_secs(1);

impl Task {
    /// Does all that is to be done now; what follows from a failure at once is done too.
    pub(super) fn do_effects(&mut self) {
        loop {
            let effects = self.app.effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.do_effect(effect);
            }
        }
    }

    fn do_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Open => self.open(),
            Effect::Join(link) => self.join(link),
            Effect::SignIn => self.sign_in(),
            Effect::Listen => self.listen(),
            Effect::StopListening => self.stop_listening(),
            Effect::StartPhone => self.start_phone(),
            Effect::StopPhone => self.stop_phone(),
            Effect::RenewBearer => {
                if let (Some(Phone { phone, .. }), Some(sign_in)) = (&self.phone, self.own_sign_in()) {
                    phone.set_bearer(Secret::new(sign_in.token.clone()));
                }
            }
            Effect::RetryPhone => self.tell(|phone| phone.retry_now()),
            Effect::OpenLine => self.open_line(),
            Effect::TellOfSound { line, gets_through } => self.tell_of_sound(line, gets_through),
            Effect::DropLine(id) => self.tell(|phone| phone.hang_up(id)),
            Effect::SendAudio(id, on) => self.tell(|phone| phone.send_audio(id, on)),
            Effect::Mute(id, on) => self.tell(|phone| phone.mute(id, on)),
            Effect::Digits(id, digits) => self.tell(|phone| phone.send_digits(id, &digits)),
            Effect::Ring(on) => self.tell(|phone| phone.play_ring(on)),
            Effect::Ask(ask) => self.request(
                move |server, token| request(server, token, ask),
                move |result| Input::Answered(ask, result),
            ),
            Effect::Write(kept) => self.writer.keep(kept),
            Effect::Deliver(record) => {
                let id = record.id;
                self.request(
                    |server, token| async move {
                        server.post::<_, Value>("/api/outcome", Some(&token), &record).await.map(|_| ())
                    },
                    move |result| Input::Delivered(id, result),
                );
            }
            Effect::Forget(id) => self.writer.remove(id),
            Effect::ChooseDevices { microphone, speaker } => self.choose_devices(microphone, speaker),
            Effect::KeepSecrets => {
                let secrets = self.parts.secrets.clone();
                let messages = self.messages.clone();
                self.beside(
                    async move { Input::Keyring(patiently(&messages, secrets.keep_now()).await).into() },
                );
            }
            Effect::Remember(device) => {
                self.server = None;
                self.settings.device = Some(device);
                self.writer.settings(self.settings.clone());
            }
            Effect::Leave => {
                self.key = None;
                self.settings.device = None;
                self.writer.settings(self.settings.clone());
            }
            Effect::Depart(device, unsent) => self.depart(device, unsent),
        }
    }

    fn open(&self) {
        let folder = self.parts.folder.clone();
        let secrets = self.parts.secrets.clone();
        let (outbox, writer) = (Arc::clone(&self.outbox), self.writer.clone());
        let messages = self.messages.clone();
        self.beside(async move {
            if let Err(error) = crate::folder::make(&folder) {
                tracing::error!(%error, "the data folder cannot be made");
            }
            writer.finish().await;
            let settings = settings::read(&folder);
            let kept = outbox.all().await;
            if let Err(error) = &kept {
                tracing::error!(%error, "the outbox cannot be read");
            }
            let mut opened = Opened {
                disk_failed: kept.is_err(),
                outcomes: kept.unwrap_or_default(),
                last_id: outbox.last_id().await.unwrap_or_default(),
                ..Opened::default()
            };
            let mut message = Message::from(Input::Tick);
            if let Some(device) = &settings.device {
                opened.device = Some(device.clone());
                opened.keyless = true;
                match patiently(&messages, own_secrets(&secrets, device.id)).await {
                    Ok((Some(key), sign_in)) => {
                        let id = device.id;
                        opened.keyless = false;
                        opened.signed_in_until = sign_in.as_ref().map(|sign_in| sign_in.expires_at_ms);
                        message.key = Some(key);
                        message.sign_in = sign_in.map(|sign_in| (id, sign_in));
                    }
                    Ok((None, _)) => {
                        tracing::warn!("the keyring has no key for this device: it must join again")
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the keyring cannot be read");
                        opened.no_keyring = Some(error);
                    }
                }
            }
            if let Some(device) = &settings.device {
                opened.left = settings.left.iter().filter(|left| left.id != device.id).cloned().collect();
                let (own, others): (Vec<Kept>, Vec<Kept>) =
                    opened.outcomes.into_iter().partition(|kept| kept.device == device.id);
                opened.outcomes = own;
                let (_, nobodys): (Vec<Kept>, Vec<Kept>) = others
                    .into_iter()
                    .partition(|kept| opened.left.iter().any(|left| left.id == kept.device));
                remove(&writer, &nobodys);
            } else {
                opened.left.clone_from(&settings.left);
            }
            message.settings = Some(settings);
            message.input = Input::Opened(opened);
            message
        });
    }

    fn join(&self, link: JoinLink) {
        let secrets = self.parts.secrets.clone();
        let messages = self.messages.clone();
        let device_name = self.parts.device_name.clone();
        let pending = Arc::clone(&self.pending_join);
        self.beside(async move {
            // The same link with the same device is answered the same: a retry makes no second device.
            let (id, key) = {
                let mut pending = pending.lock().await;
                match &*pending {
                    Some(known) if known.link == link.text() => (known.id, known.key.clone()),
                    _ => match new_device() {
                        Ok((id, key)) => {
                            let fresh =
                                PendingJoin { link: link.text(), id, key: key.clone(), joined: false };
                            if let Some(given_up) = pending.replace(fresh) {
                                forget_unjoined(&secrets, &given_up);
                            }
                            (id, key)
                        }
                        Err(why) => return Input::Joined(Err(JoinProblem::Refused { message: why })).into(),
                    },
                }
            };
            let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(key.to_bytes()));
            let kept = patiently(&messages, secrets.keep(key_name(id), text)).await;
            // An app that is gone needs no answer.
            let _ = messages.send(Input::Keyring(kept).into());
            let joined = match spend(&link, id, &key, device_name).await {
                Ok(joined) => joined,
                Err(error) => {
                    tracing::warn!(%error, "not joined");
                    // After any other answer the link may be spent all the same, and only this key can say so.
                    if is_final(&error)
                        && let Some(refused) = pending.lock().await.take_if(|pending| pending.id == id)
                    {
                        forget_unjoined(&secrets, &refused);
                    }
                    return Input::Joined(Err(problem(&error))).into();
                }
            };
            if let Some(pending) = pending.lock().await.as_mut().filter(|pending| pending.id == id) {
                pending.joined = true;
            }
            let device = Device {
                id,
                server: link.server,
                authority: link.authority.map(|pin| URL_SAFE_NO_PAD.encode(pin)),
                volunteer: joined.volunteer,
                campaign: joined.campaign,
            };
            Message { key: Some(key), ..Message::from(Input::Joined(Ok(device))) }
        });
    }

    fn sign_in(&mut self) {
        let (Some(id), Some(key)) = (self.app.device().map(|device| device.id), self.key.clone()) else {
            return;
        };
        let server = match self.server() {
            Ok(server) => server,
            Err(error) => return self.say(Input::SignedIn(id, Err(error))),
        };
        let secrets = self.parts.secrets.clone();
        let messages = self.messages.clone();
        let writer = self.writer.clone();
        self.beside(async move {
            // The link is spent: a crash must not forget which device this computer became by it.
            writer.finish().await;
            let signed_in = match server.sign_in(id, &key).await {
                Ok(signed_in) => signed_in,
                Err(error) => {
                    tracing::warn!(%error, "not signed in");
                    return Input::SignedIn(id, Err(error)).into();
                }
            };
            let until = signed_in.expires_at_ms;
            if let Ok(text) = serde_json::to_string(&signed_in) {
                // Beside: a keyring that waits for its password keeps nobody from calling.
                let text = Zeroizing::new(text);
                tokio::spawn(async move {
                    let kept = patiently(&messages, secrets.keep(sign_in_name(id), text)).await;
                    let _ = messages.send(Input::Keyring(kept).into());
                });
            }
            Message { sign_in: Some((id, signed_in)), ..Message::from(Input::SignedIn(id, Ok(until))) }
        });
    }

    fn listen(&mut self) {
        self.stop_listening();
        let Some(id) = self.app.device().map(|device| device.id) else { return };
        let Some(token) = self.own_sign_in().map(|sign_in| sign_in.token.clone()) else { return };
        match self.server() {
            Ok(server) => {
                let (sender, news) = mpsc::channel(64);
                let task = tokio::spawn(live::listen(server, token, sender));
                self.live = Some(Live { news, task });
            }
            Err(error) => self.say(Input::SignedIn(id, Err(error))),
        }
    }

    fn start_phone(&mut self) {
        self.stop_phone();
        let (Some(device), Some(sign_in)) = (self.app.device(), self.own_sign_in()) else { return };
        let Ok(mut address) = device.server.join("/sip") else { return };
        if address.set_scheme("wss").is_err() {
            return;
        }
        let account = Account {
            username: device.id.to_string(),
            password: Secret::new(sign_in.sip_password.clone()),
            domain: sign_in.sip_domain.clone(),
        };
        let mut phone = softphone::Settings::new(address, account);
        match pin(device) {
            Ok(Some(public_key_sha256)) => phone.trust = Trust::Authority { public_key_sha256 },
            Ok(None) => {}
            // Signing in fails by the same pin, and tells.
            Err(_) => return,
        }
        phone.bearer = Some(Secret::new(sign_in.token.clone()));
        phone.devices = self.devices();
        phone.user_agent = concat!("ringround/", env!("CARGO_PKG_VERSION")).to_owned();
        let (phone, events) = Softphone::start(phone);
        self.phone = Some(Phone { phone, events });
    }

    fn stop_phone(&mut self) {
        if let Some(Phone { phone, .. }) = self.phone.take() {
            tokio::spawn(phone.stop());
        }
    }

    fn open_line(&mut self) {
        let mut bytes = [0_u8; 16];
        if let Err(error) = getrandom::fill(&mut bytes) {
            let why = format!("no random numbers on this system: {error}");
            return self.say(Input::LineAsked(Err(RequestError::Unreachable { why })));
        }
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.tell(|phone| phone.expect_line(token.clone()));
        self.line_token.clone_from(&token);
        self.request(
            |server, bearer| async move {
                server.post::<_, Value>("/api/line", Some(&bearer), &OpenLine { token }).await.map(|_| ())
            },
            Input::LineAsked,
        );
    }

    fn tell_of_sound(&mut self, line: u64, gets_through: bool) {
        let sound = LineSound { token: self.line_token.clone(), gets_through };
        self.request(
            |server, bearer| async move {
                server.post::<_, Value>("/api/line/sound", Some(&bearer), &sound).await.map(|_| ())
            },
            move |result| Input::SoundTold { line, gets_through, result },
        );
    }

    fn choose_devices(&mut self, microphone: Option<String>, speaker: Option<String>) {
        self.settings.microphone.clone_from(&microphone);
        self.settings.speaker.clone_from(&speaker);
        self.chosen.send_replace((microphone, speaker));
        let devices = self.devices();
        self.tell(|phone| phone.choose_devices(devices));
        self.writer.settings(self.settings.clone());
    }

    fn depart(&mut self, device: Device, unsent: Vec<Kept>) {
        if !self.settings.left.iter().any(|left| left.id == device.id) {
            self.settings.left.push(device.clone());
        }
        let sign_in = self.sign_in.take_if(|(id, _)| *id == device.id).map(|(_, sign_in)| sign_in);
        let departure = Departure {
            device,
            sign_in,
            unsent,
            secrets: self.parts.secrets.clone(),
            outbox: Arc::clone(&self.outbox),
            writer: self.writer.clone(),
        };
        self.departures.spawn(departure.run());
    }

    fn devices(&self) -> Devices {
        match self.parts.sound {
            Sound::System => Devices::System {
                microphone: self.settings.microphone.clone(),
                speaker: self.settings.speaker.clone(),
            },
            Sound::Silence => Devices::Silence,
        }
    }

    /// The sign-in of the device that this computer is now.
    pub(super) fn own_sign_in(&self) -> Option<&SignedIn> {
        let (id, sign_in) = self.sign_in.as_ref()?;
        (self.app.device()?.id == *id).then_some(sign_in)
    }

    /// The way to this device's server, made once.
    fn server(&mut self) -> Result<Server, RequestError> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        let device = self.app.device().ok_or(RequestError::Unreachable { why: "not joined".to_owned() })?;
        let server = Server::new(device.server.clone(), pin(device)?)?;
        self.server = Some(server.clone());
        Ok(server)
    }

    fn tell(&self, what: impl FnOnce(&Softphone)) {
        if let Some(Phone { phone, .. }) = &self.phone {
            what(phone);
        }
    }

    /// Sends a request with the bearer and turns its result into an input.
    fn request<T, F>(
        &mut self,
        send: impl FnOnce(Server, String) -> F,
        told: impl FnOnce(Result<T, RequestError>) -> Input + Send + 'static,
    ) where
        F: Future<Output = Result<T, RequestError>> + Send + 'static,
    {
        let server = self.server();
        let (server, sign_in) = match (server, self.own_sign_in()) {
            (Ok(server), Some(sign_in)) => (server, sign_in),
            (Err(error), _) => return self.say(told(Err(error))),
            (Ok(_), None) => {
                let why = "not signed in".to_owned();
                return self.say(told(Err(RequestError::Unreachable { why })));
            }
        };
        let sending = send(server, sign_in.token.clone());
        self.beside(async move { told(sending.await).into() });
    }

    fn beside(&self, work: impl Future<Output = Message> + Send + 'static) {
        let messages = self.messages.clone();
        tokio::spawn(async move {
            // An app that is gone needs no answer.
            let _ = messages.send(work.await);
        });
    }

    fn say(&self, input: Input) {
        let _ = self.messages.send(input.into());
    }
}

async fn request(server: Server, token: String, ask: Ask) -> Result<Option<AttemptId>, RequestError> {
    let token = Some(token.as_str());
    let word = |path: &'static str| {
        let server = server.clone();
        async move { server.post::<_, Value>(path, token, &json!({})).await.map(|_| None) }
    };
    match ask {
        Ask::Start => word("/api/session/start").await,
        Ask::Pause => word("/api/session/pause").await,
        Ask::Resume => word("/api/session/resume").await,
        Ask::Stop => word("/api/session/stop").await,
        Ask::Dial(lease_id) => {
            let dialled: Dialled = server.post("/api/dial", token, &Dial { lease_id }).await?;
            Ok(Some(dialled.attempt_id))
        }
        Ask::HangUp(attempt_id) => {
            server.post::<_, Value>("/api/hang-up", token, &HangUp { attempt_id }).await.map(|_| None)
        }
        Ask::Settle(lease_id, how) => {
            let body = SettleLease { lease_id, how };
            server.post::<_, Value>("/api/lease/settle", token, &body).await.map(|_| None)
        }
    }
}

async fn spend(
    link: &JoinLink,
    id: DeviceId,
    key: &SigningKey,
    device_name: String,
) -> Result<Joined, RequestError> {
    let public_key = key.verifying_key().to_bytes();
    let join = Join {
        token: link.token.clone(),
        device_id: id,
        public_key: URL_SAFE_NO_PAD.encode(public_key),
        device_name,
        signature: URL_SAFE_NO_PAD.encode(key.sign(&join_text(&link.token, id, &public_key)).to_bytes()),
    };
    Server::new(link.server.clone(), link.authority)?.post("/api/join", None, &join).await
}

/// Nobody ever joins by this link with the key that was made for it.
fn is_final(error: &RequestError) -> bool {
    matches!(error.code(), Some(ErrorCode::UnknownLink | ErrorCode::LinkSpent | ErrorCode::LinkExpired))
}

/// Beside: a keyring that waits for its password holds up no join. The key of a device that this computer became
/// goes when it leaves.
fn forget_unjoined(secrets: &Secrets, pending: &PendingJoin) {
    if pending.joined {
        return;
    }
    let (secrets, name) = (secrets.clone(), key_name(pending.id));
    tokio::spawn(async move {
        if let Err(error) = secrets.forget(name).await {
            tracing::warn!(%error, "the key of a link that nobody joined by is still in the keyring");
        }
    });
}

fn problem(error: &RequestError) -> JoinProblem {
    let error = match error {
        RequestError::Unreachable { .. } => return JoinProblem::Unreachable,
        RequestError::Untrusted => return JoinProblem::Untrusted,
        RequestError::Refused { error, .. } => error.clone(),
    };
    match (error.code, error.link) {
        (ErrorCode::UnknownLink, _) => JoinProblem::Unknown,
        (ErrorCode::LinkSpent, Some(link)) => JoinProblem::Spent { organiser: link.organiser },
        (ErrorCode::LinkExpired, Some(link)) => {
            JoinProblem::Expired { organiser: link.organiser, ended_at_ms: link.expires_at_ms }
        }
        (ErrorCode::UpdateApp, _) => JoinProblem::UpdateApp,
        (ErrorCode::UpdateServer, _) => JoinProblem::UpdateServer,
        _ => JoinProblem::Refused { message: error.message },
    }
}

fn new_device() -> Result<(DeviceId, SigningKey), String> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *seed).map_err(|error| format!("No random numbers on this system: {error}"))?;
    Ok((DeviceId::new(Uuid::now_v7()), SigningKey::from_bytes(&seed)))
}

pub(super) type OwnSecrets = (Option<SigningKey>, Option<SignedIn>);

pub(super) async fn own_secrets(secrets: &Secrets, id: DeviceId) -> Result<OwnSecrets, NoKeyring> {
    let key = secrets.read(key_name(id)).await?;
    let sign_in = secrets.read(sign_in_name(id)).await?;
    let key = key.and_then(|text| {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.as_bytes()).ok()?);
        Some(SigningKey::from_bytes(&<[u8; 32]>::try_from(bytes.as_slice()).ok()?))
    });
    Ok((key, sign_in.and_then(|text| serde_json::from_str(&text).ok())))
}

/// Says so when the keyring waits for a person.
async fn patiently<T>(messages: &mpsc::UnboundedSender<Message>, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    if let Ok(done) = tokio::time::timeout(KEYRING_PATIENCE, &mut work).await {
        return done;
    }
    let _ = messages.send(Input::KeyringWaits(true).into());
    let done = work.await;
    let _ = messages.send(Input::KeyringWaits(false).into());
    done
}

/// A pin that cannot be read must not become trust in everybody's authorities.
pub(super) fn pin(device: &Device) -> Result<Option<[u8; 32]>, RequestError> {
    let Some(text) = &device.authority else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Some).ok_or_else(|| {
        tracing::error!(
            "the settings are damaged: the server's authority cannot be read; join again by a new link"
        );
        RequestError::Untrusted
    })
}

pub(super) fn key_name(id: DeviceId) -> String {
    format!("{id} device key")
}

pub(super) fn sign_in_name(id: DeviceId) -> String {
    format!("{id} sign-in")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn device(authority: Option<String>) -> Device {
        let campaign =
            json!({"id": Uuid::nil(), "name": "", "organisation": "", "mode": "one-touch", "organiser": ""});
        Device {
            id: DeviceId::new(Uuid::nil()),
            server: "https://calls.example".parse().unwrap(),
            authority,
            volunteer: "Maya".to_owned(),
            campaign: serde_json::from_value(campaign).unwrap(),
        }
    }

    #[test]
    fn a_damaged_pin_is_not_trust_in_everybodys_authorities() {
        assert_eq!(pin(&device(None)), Ok(None));
        assert_eq!(pin(&device(Some(URL_SAFE_NO_PAD.encode([7; 32])))), Ok(Some([7; 32])));
        for damaged in ["", "?", "AAAA"] {
            assert_eq!(pin(&device(Some(damaged.to_owned()))), Err(RequestError::Untrusted), "{damaged}");
        }
    }
}
