//! A double of the server, over real TLS with an authority of its own: it answers what a test tells it to.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use protocol::{
    PROTOCOL,
    campaign::{Campaign, Mode},
    events::LiveEvent,
    http::{ApiError, ErrorCode, sign_in_text},
    ids::CampaignId,
    join_link::JoinLink,
    line::Line,
    session::{Desk, Session},
    trunk::Trunk,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{broadcast, mpsc},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use uuid::Uuid;

/// A running double.
pub struct Double {
    pub address: SocketAddr,
    /// SHA-256 of its authority's public key.
    pub pin: [u8; 32],
    state: Arc<Shared>,
    /// Path and body of each request, in order.
    pub requests: mpsc::UnboundedReceiver<(String, Value)>,
    serving: tokio::task::JoinHandle<()>,
    tls: Arc<ServerConfig>,
}

struct Shared {
    requests: mpsc::UnboundedSender<(String, Value)>,
    answers: Mutex<HashMap<String, (u16, Value)>>,
    desk: Mutex<Desk>,
    /// What all sockets of `/live` send; `None` closes them.
    live: broadcast::Sender<Option<String>>,
    /// Sockets of `/live` that were greeted, ever.
    opened: AtomicUsize,
    devices: Mutex<HashMap<String, String>>,
    tokens: Mutex<Vec<String>>,
}

impl Double {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let (tls, pin) = identity();
        let (requests, seen) = mpsc::unbounded_channel();
        let state = Arc::new(Shared {
            requests,
            answers: Mutex::default(),
            desk: Mutex::new(desk(Session::Ended)),
            live: broadcast::channel(64).0,
            opened: AtomicUsize::new(0),
            devices: Mutex::default(),
            tokens: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = serve(listener, Arc::clone(&tls), Arc::clone(&state));
        Self { address, pin, state, requests: seen, serving, tls }
    }

    /// The link to it, with a token of its own.
    pub fn link(&self) -> String {
        let server = format!("https://{}", self.address).parse().unwrap();
        JoinLink { server, token: URL_SAFE_NO_PAD.encode([7; 16]), authority: Some(self.pin) }.text()
    }

    /// From now on this path is answered so.
    pub fn answer(&self, path: &str, status: u16, body: Value) {
        self.state.answers.lock().unwrap().insert(path.to_owned(), (status, body));
    }

    pub fn refuse(&self, path: &str, status: u16, code: ErrorCode) {
        let error = ApiError::new(code, "The double says no");
        self.answer(path, status, serde_json::to_value(error).unwrap());
    }

    pub fn as_usual(&self, path: &str) {
        self.state.answers.lock().unwrap().remove(path);
    }

    /// The session of the next snapshots, and a whole new snapshot to whoever listens.
    pub fn session(&self, session: Session) {
        let desk = desk(session);
        *self.state.desk.lock().unwrap() = desk.clone();
        let event = LiveEvent::Snapshot { seq: 0, desk };
        // Nobody may be listening.
        let _ = self.state.live.send(Some(serde_json::to_string(&event).unwrap()));
    }

    /// Any text into `/live`.
    pub fn live(&self, text: &str) {
        let _ = self.state.live.send(Some(text.to_owned()));
    }

    /// How many sockets of `/live` were greeted so far.
    pub fn opened(&self) -> usize {
        self.state.opened.load(Ordering::Relaxed)
    }

    /// All tokens are past their time.
    pub fn forget_tokens(&self) {
        self.state.tokens.lock().unwrap().clear();
        let _ = self.state.live.send(None);
    }

    /// As if killed: the port refuses, all sockets break.
    pub async fn stop(&mut self) {
        self.serving.abort();
        let _ = self.state.live.send(None);
        // Joined when its listener is gone.
        let _ = (&mut self.serving).await;
    }

    /// At the same address again.
    pub async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serving = serve(listener, Arc::clone(&self.tls), Arc::clone(&self.state));
    }

    /// The next request to this path.
    pub async fn request(&mut self, path: &str) -> Value {
        let next = async {
            loop {
                let (asked, body) = self.requests.recv().await.unwrap();
                if asked == path {
                    return body;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), next)
            .await
            .unwrap_or_else(|_| panic!("no request to {path}"))
    }
}

pub fn desk(session: Session) -> Desk {
    let campaign = Campaign {
        id: CampaignId::new(Uuid::from_u128(1)),
        name: "Winter Warmth".into(),
        organisation: "Lantern Street Trust".into(),
        mode: Mode::OneTouch,
        organiser: "Ruth".into(),
    };
    Desk {
        volunteer: "Maya".into(),
        campaign,
        line: Line::Down,
        session,
        last_outcome: None,
        trunk: Trunk::Open,
    }
}

fn serve(listener: TcpListener, tls: Arc<ServerConfig>, state: Arc<Shared>) -> tokio::task::JoinHandle<()> {
    let router = Router::new()
        .route("/api/join", post(join))
        .route("/api/sign-in/challenge", post(challenge))
        .route("/api/sign-in", post(sign_in))
        .route("/api/{*path}", post(usual))
        .route("/live", get(live))
        .route("/sip", any(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .with_state(state);
    let listener = Listener { listener, tls: TlsAcceptor::from(tls) };
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
}

struct Listener {
    listener: TcpListener,
    tls: TlsAcceptor,
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((socket, from)) = self.listener.accept().await else { continue };
            // A client that does not trust us breaks the handshake off.
            if let Ok(stream) = self.tls.accept(socket).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn identity() -> (Arc<ServerConfig>, [u8; 32]) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key).unwrap();
    let pin = Sha256::digest(authority_key.subject_public_key_info()).into();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(authority, authority_key))
        .unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone(), certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (Arc::new(tls), pin)
}

async fn join(State(state): State<Arc<Shared>>, Json(body): Json<Value>) -> Response {
    let device = body["device_id"].as_str().unwrap().to_owned();
    let key = body["public_key"].as_str().unwrap().to_owned();
    state.devices.lock().unwrap().insert(device, key);
    let joined = json!({"volunteer": "Maya", "campaign": desk(Session::Ended).campaign});
    reply(&state, "/api/join", body, joined)
}

async fn challenge(State(state): State<Arc<Shared>>, Json(body): Json<Value>) -> Response {
    reply(&state, "/api/sign-in/challenge", body, json!({"challenge": URL_SAFE_NO_PAD.encode([9; 32])}))
}

async fn sign_in(State(state): State<Arc<Shared>>, Json(body): Json<Value>) -> Response {
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let bytes = |text: String| URL_SAFE_NO_PAD.decode(text).unwrap();
    let key = state.devices.lock().unwrap().get(&text("device_id")).cloned().unwrap_or_default();
    let key = VerifyingKey::from_bytes(&bytes(key).try_into().unwrap()).unwrap();
    let signature = Signature::from_slice(&bytes(text("signature"))).unwrap();
    let signed = sign_in_text(&bytes(text("challenge")));
    key.verify(&signed, &signature).expect("signed by the device's key");
    let token = Uuid::new_v4().to_string();
    state.tokens.lock().unwrap().push(token.clone());
    let hours = 12 * 3_600_000;
    let answer = json!({
        "token": token, "expires_at_ms": now_ms() + hours, "sip_password": "canary-sip", "sip_domain": "ringround",
    });
    reply(&state, "/api/sign-in", body, answer)
}

async fn usual(
    State(state): State<Arc<Shared>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if !signed_in(&state, &headers) {
        let error = ApiError::new(ErrorCode::SignInAgain, "Sign in again");
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    reply(&state, &format!("/api/{path}"), body, json!({}))
}

fn signed_in(state: &Shared, headers: &HeaderMap) -> bool {
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    state.tokens.lock().unwrap().iter().any(|token| bearer == format!("Bearer {token}"))
}

fn reply(state: &Shared, path: &str, body: Value, usual: Value) -> Response {
    state.requests.send((path.to_owned(), body)).unwrap();
    let answer = state.answers.lock().unwrap().get(path).cloned();
    match answer {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), Json(body)).into_response(),
        None => Json(usual).into_response(),
    }
}

async fn live(State(state): State<Arc<Shared>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if !signed_in(&state, &headers) {
        let error = ApiError::new(ErrorCode::SignInAgain, "Sign in again");
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    upgrade.on_upgrade(async move |socket| talk(&state, socket).await)
}

async fn talk(state: &Shared, mut socket: WebSocket) {
    let mut news = state.live.subscribe();
    let desk = state.desk.lock().unwrap().clone();
    let hello = LiveEvent::Hello { protocol: PROTOCOL, server_version: "0".into(), now_ms: now_ms() };
    for event in [hello, LiveEvent::Snapshot { seq: 0, desk }] {
        let text = serde_json::to_string(&event).unwrap();
        if socket.send(Message::Text(text.into())).await.is_err() {
            return;
        }
    }
    state.opened.fetch_add(1, Ordering::Relaxed);
    loop {
        tokio::select! {
            text = news.recv() => {
                let Ok(Some(text)) = text else { return };
                if socket.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
            frame = socket.recv() => {
                if !matches!(frame, Some(Ok(_))) {
                    return;
                }
            }
        }
    }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
