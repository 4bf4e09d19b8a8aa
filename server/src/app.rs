//! The server's parts, and the order in which they start and stop.

use std::{
    fs::{File, TryLockError},
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum_server::{Handle, tls_rustls::RustlsAcceptor};
use hyper_util::rt::TokioTimer;
use protocol::join_link::JoinLink;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{
    ari::Ari,
    clock::Clock,
    config::Config,
    control, dialling, health,
    http::{
        self,
        challenges::Challenges,
        connections::{Beginnings, Doorkeeper},
        limits::Limits,
    },
    live::Hub,
    metrics::Metrics,
    store::{Store, StoreError},
    tls::{self, Identity, TlsError},
    tunnel::Tunnels,
};

/// What the handlers of requests and commands share.
pub type Shared = Arc<App>;

/// The server's parts.
pub struct App {
    /// The organiser's settings.
    pub config: Config,
    /// Where it listens: as `config.listen`, with the port that was free.
    pub address: SocketAddr,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// Counts.
    pub metrics: Metrics,
    /// The certificate.
    pub identity: Identity,
    /// Asterisk.
    pub ari: Ari,
    /// The dialling loop.
    pub dialling: dialling::Handle,
    /// What the volunteers' apps are told.
    pub live: Hub,
    /// Their ways to Asterisk.
    pub tunnels: Tunnels,
    /// Who asks too often, or failed too often to join or to sign in.
    pub limits: Limits,
    /// Challenges that wait for a signature.
    pub challenges: Challenges,
    /// How the server was a moment ago.
    pub last_look: health::LastLook,
    /// Cancelled once, when the server stops.
    pub stop: CancellationToken,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("the data folder {0} cannot be used: {1}")]
    Data(String, io::Error),
    /// Another one has it.
    #[error(
        "another ringround-server runs with the data folder {0}; stop it first, or choose another --data"
    )]
    Running(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port.
    #[error("cannot listen on {0}: {1}; is another program there? Choose another --listen")]
    Listen(SocketAddr, io::Error),
    /// The organiser's socket.
    #[error("the control socket {0} cannot be made: {1}")]
    Control(String, io::Error),
}

/// A server that runs.
pub struct Running {
    /// Its parts.
    pub app: Shared,
    listener: Handle<SocketAddr>,
    served: JoinHandle<io::Result<()>>,
    tasks: TaskTracker,
    _lock: File,
}

const CLEAN_UP_EVERY: Duration = Duration::from_secs(30);
const LAST_REQUESTS_WITHIN: Duration = Duration::from_secs(5);

/// Starts the server: database, certificate, Asterisk, dialling, and then the doors.
///
/// # Errors
/// [`StartError`], in words for the organiser; nothing is left running.
pub async fn start(config: Config, clock: Clock) -> Result<Running, StartError> {
    let lock = take_folder(&config.data)?;
    let store = Store::open(&config.data).await?;
    let identity = Identity::open(&config, clock.clone())?;
    let listener = std::net::TcpListener::bind(config.listen)
        .and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        })
        .map_err(|e| StartError::Listen(config.listen, e));
    let (listener, address) = listener?;

    let stop = CancellationToken::new();
    let metrics = Metrics::default();
    let (ari, news) = Ari::start(config.asterisk.clone(), metrics.clone(), stop.clone());
    let (live, tunnels) = (Hub::new(metrics.clone()), Tunnels::new(metrics.clone()));
    let dialling = dialling::Handle::start(dialling::Parts {
        config: config.clone(),
        clock: clock.clone(),
        store: store.clone(),
        ari: ari.clone(),
        news,
        live: live.clone(),
        tunnels: tunnels.clone(),
        metrics: metrics.clone(),
        stop: stop.clone(),
    })
    .await?;
    let app = Arc::new(App {
        config,
        address,
        clock,
        store,
        metrics,
        identity,
        ari,
        dialling,
        live,
        tunnels,
        limits: Limits::default(),
        challenges: Challenges::default(),
        last_look: health::LastLook::default(),
        stop,
    });

    let tasks = TaskTracker::new();
    let socket = control::server::bind(&app.config.data)
        .map_err(|e| StartError::Control(control::socket(&app.config.data).display().to_string(), e))?;
    tasks.spawn(control::server::serve(app.clone(), socket));
    tasks.spawn(clean_up(app.clone()));
    tasks.close();
    let handle = Handle::new();
    let served = tokio::spawn(serve(app.clone(), listener, handle.clone()));
    if app.config.names.is_empty() && app.config.public_url.is_none() {
        tracing::warn!(
            "there is no --name: links will say {}, which may not be reachable from outside this network",
            app.origin()
        );
    }
    tracing::info!(%address, data = %app.config.data.display(), "listening; waiting for Asterisk at {}", app.config.asterisk.url);
    Ok(Running { app, listener: handle, served, tasks, _lock: lock })
}

impl Running {
    /// Stops: no new requests, the running ones get five seconds, what was to be written is written.
    /// Calls go on in Asterisk; the next start adopts them.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.app.stop.cancel();
        self.listener.graceful_shutdown(Some(LAST_REQUESTS_WITHIN));
        match self.served.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the listener failed"),
            Err(error) => tracing::error!(%error, "the listener ended badly"),
        }
        self.tasks.wait().await;
        self.app.dialling.finished().await;
        self.app.store.close().await;
        control::server::unbind(&self.app.config.data);
        tracing::info!("stopped");
    }

    /// Ends only when the listener does, which is a fault.
    pub async fn failed(&mut self) -> String {
        match (&mut self.served).await {
            Ok(Ok(())) => "the listener ended".into(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

impl App {
    /// A join link for this token. `server` is used instead of this server's own address.
    pub fn join_link(&self, token: String, server: Option<Url>) -> JoinLink {
        let server = server.or_else(|| self.config.public_url.clone()).unwrap_or_else(|| self.origin());
        JoinLink { server, token, authority: self.identity.pin() }
    }

    /// `https://` and the first `--name`, or the address that others can reach best.
    pub fn origin(&self) -> Url {
        let port = self.address.port();
        let host = match self.config.names.first() {
            Some(name) => match name.parse::<Ipv6Addr>() {
                Ok(v6) => format!("[{v6}]"),
                Err(_) => name.clone(),
            },
            None => {
                let ip = match self.address.ip() {
                    ip if ip.is_unspecified() => tls::local_addresses().first().copied().unwrap_or(ip),
                    ip => ip,
                };
                match ip {
                    IpAddr::V4(v4) => v4.to_string(),
                    IpAddr::V6(v6) => format!("[{v6}]"),
                }
            }
        };
        Url::parse(&format!("https://{host}:{port}"))
            .expect("a --name is checked when it is read, an address is always one")
    }
}

async fn serve(app: Shared, listener: std::net::TcpListener, handle: Handle<SocketAddr>) -> io::Result<()> {
    let doors = app.config.doors.clone();
    let (head_within, idle_for) = (doors.head_within, doors.idle_for);
    let acceptor = RustlsAcceptor::new(app.identity.rustls())
        .handshake_timeout(head_within)
        .acceptor(Doorkeeper::new(doors));
    let acceptor = Beginnings::new(acceptor, head_within);
    let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor).handle(handle);
    // A peer that sends its headers byte by byte holds a connection for a time, not for ever.
    // Version 1 only: version 2 has no such limits here.
    let builder = server.http_builder();
    *builder = builder.clone().http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(idle_for);
    let router = http::router(app).into_make_service_with_connect_info::<SocketAddr>();
    server.serve(router).await
}

/// Ends sign-ins that are past their time, renews the certificate.
async fn clean_up(app: Shared) {
    let mut every = tokio::time::interval(CLEAN_UP_EVERY);
    // Those whose sign-in was ended in the database, and is not yet elsewhere.
    let mut lapsed = Vec::new();
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            _ = every.tick() => {}
        }
        app.limits.forget();
        app.tunnels.forget();
        match app.store.end_lapsed_sign_ins(app.clock.now_ms()).await {
            Ok(devices) => lapsed.extend(devices),
            Err(error) => tracing::warn!(%error, "sign-ins past their time could not be ended"),
        }
        for device in std::mem::take(&mut lapsed) {
            // The app may have signed in again meanwhile: then this is not its account any more.
            let _lock = app.ari.account_lock(device).await;
            match app.store.is_signed_in(device, app.clock.now_ms()).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::info!(%device, "a sign-in is past its time");
                    app.dialling.sign_out(device).await;
                }
                Err(error) => {
                    tracing::warn!(%error, %device, "who is signed in cannot be read; looking again");
                    lapsed.push(device);
                }
            }
        }
        match app.identity.renew() {
            Ok(false) => {}
            Ok(true) => tracing::info!("the certificate was renewed"),
            Err(error) => tracing::error!(%error, "the certificate could not be renewed"),
        }
    }
}

/// Makes the data folder for its owner only, and keeps other servers out of it.
pub(crate) fn take_folder(data: &Path) -> Result<File, StartError> {
    let bad = |e: io::Error| StartError::Data(data.display().to_string(), e);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(bad)?;
    let mode = std::fs::metadata(data).map_err(bad)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(folder = %data.display(), "the data folder was open to others on this machine; it is no more");
        std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700)).map_err(bad)?;
    }
    let lock = File::create(data.join("serve.lock")).map_err(bad)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StartError::Running(data.display().to_string())),
        Err(TryLockError::Error(e)) => Err(bad(e)),
    }
}
