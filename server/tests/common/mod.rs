//! A server in this process, and an app that trusts its authority only.

use std::{path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use protocol::{
    http::{ApiError, ErrorCode, Join, PROTOCOL_HEADER, join_text, sign_in_text},
    ids::{CampaignId, DeviceId},
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::{Serialize, de::DeserializeOwned};
use server::{
    app::{self, Running},
    campaign_form::CampaignForm,
    clock::Clock,
    config::{Asterisk, Config, Doors, Trunk, TrunkKind},
    secret,
};
use tempfile::TempDir;
use uuid::Uuid;
use zeroize::Zeroizing;

pub const NOW: i64 = 1_795_000_000_000;

pub struct Server {
    pub data: TempDir,
    pub running: Running,
    pub clock: Clock,
    pub campaign: CampaignId,
}

pub struct Device {
    pub id: DeviceId,
    pub key: SigningKey,
}

/// No program listens on port 1: Asterisk is not there.
pub fn config(data: &Path) -> Config {
    Config {
        data: data.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        names: vec!["localhost".into()],
        public_url: None,
        certificate: None,
        asterisk: Asterisk {
            url: "http://127.0.0.1:1".parse().expect("url"),
            user: "ringround".into(),
            password: Zeroizing::new("secret".into()),
        },
        trunk: Trunk { endpoint: "trunk".into(), kind: TrunkKind::Simulated },
        doors: Doors::default(),
    }
}

pub async fn server() -> Server {
    server_with(Doors::default()).await
}

pub async fn server_with(doors: Doors) -> Server {
    let data = tempfile::tempdir().expect("folder");
    let now = jiff::Timestamp::now().as_millisecond();
    let clock = Clock::standing_at(now.max(NOW));
    let running = app::start(Config { doors, ..config(data.path()) }, clock.clone()).await.expect("started");
    let form = CampaignForm::from_toml(
        r#"
        name = "Winter Warmth"
        organisation = "Lantern Street Trust"
        organiser = "Ruth"
        caller_id = "020 7946 0000"
        script = "Hello"
        "#,
    );
    let new = form.expect("toml").check(TrunkKind::Simulated).expect("good");
    let campaign = running.app.store.add_campaign(&new, clock.now_ms()).await.expect("campaign");
    Server { data, running, clock, campaign }
}

impl Server {
    /// A link's token for a new volunteer.
    pub async fn invite(&self, name: &str) -> String {
        let store = &self.running.app.store;
        let now = self.clock.now_ms();
        let person = store.add_volunteer(name, now).await.expect("person");
        let token = secret::random::<16>();
        let until = now + 7 * 24 * 60 * 60 * 1_000;
        store.add_join_link(&secret::hash(&token), person, self.campaign, now, until).await.expect("link");
        token
    }

    /// A device that joined and is signed in, with its token.
    pub async fn signed_in(&self, name: &str) -> (Device, String) {
        let device = Device::new();
        let link = self.invite(name).await;
        let joined = self.post::<serde_json::Value>("/api/join", None, &device.join(&link)).await;
        joined.expect("joined");
        let token = secret::random::<32>();
        let now = self.clock.now_ms();
        let store = &self.running.app.store;
        store.sign_in(&secret::hash(&token), device.id, now, now + 43_200_000).await.expect("signed in");
        (device, token)
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.running.app.address.port())
    }

    pub fn tls(&self) -> ClientConfig {
        let authority =
            CertificateDer::from_pem_file(self.data.path().join("tls/authority.pem")).expect("pem");
        let mut roots = RootCertStore::empty();
        roots.add(authority).expect("authority");
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    pub fn app(&self) -> reqwest::Client {
        reqwest::Client::builder().tls_backend_preconfigured(self.tls()).no_proxy().build().expect("client")
    }

    /// Posts as the app does.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> Result<T, (u16, ApiError)> {
        let mut request = self.app().post(self.url(path)).header(PROTOCOL_HEADER, "1").json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let reply = request.send().await.expect("a reply");
        let status = reply.status().as_u16();
        if status == 200 {
            return Ok(reply.json().await.expect("the reply of the table"));
        }
        Err((status, reply.json().await.expect("an ApiError")))
    }
}

impl Device {
    pub fn new() -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("random");
        Self { id: DeviceId::new(Uuid::now_v7()), key: SigningKey::from_bytes(&seed) }
    }

    pub fn join(&self, token: &str) -> Join {
        let public_key = self.key.verifying_key().to_bytes();
        let text = join_text(token, self.id, &public_key);
        Join {
            token: token.into(),
            device_id: self.id,
            public_key: URL_SAFE_NO_PAD.encode(public_key),
            device_name: "Maya's laptop".into(),
            signature: URL_SAFE_NO_PAD.encode(self.key.sign(&text).to_bytes()),
        }
    }

    pub fn sign(&self, challenge: &str) -> String {
        let bytes = secret::decode::<32>(challenge).expect("32 bytes");
        let text = sign_in_text(&bytes);
        URL_SAFE_NO_PAD.encode(self.key.sign(&text).to_bytes())
    }
}

pub fn code<T>(result: Result<T, (u16, ApiError)>) -> Option<(u16, ErrorCode)> {
    result.err().map(|(status, error)| (status, error.code))
}
