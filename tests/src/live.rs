//! An app's end of `/live`: the desk as the server tells it, kept up to date, reconnected when lost.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use protocol::{PROTOCOL, events::LiveEvent, http::PROTOCOL_HEADER, session::Desk};
use tokio::{sync::watch, task::JoinSet};
use tokio_tungstenite::{
    Connector,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};
use url::Url;

use crate::networks::Home;

/// What came.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The desk, once a snapshot came.
    pub desk: Option<Desk>,
    /// The socket is open and a snapshot came through it.
    pub open: bool,
    /// The device was revoked.
    pub revoked: bool,
    /// How often the socket was lost.
    pub losses: u32,
    /// A frame that broke the protocol.
    pub fault: Option<String>,
}

/// The socket. It closes when this is dropped.
pub struct Live {
    told: watch::Receiver<Told>,
    text: Arc<Mutex<String>>,
    _task: JoinSet<()>,
}

impl Live {
    /// Opens it from a home, and opens it again whenever it is lost.
    pub fn open(home: &Home, server: &Url, bearer: &str, tls: Arc<rustls::ClientConfig>) -> Self {
        let (tell, told) = watch::channel(Told::default());
        let text = Arc::new(Mutex::new(String::new()));
        let mut task = JoinSet::new();
        let (server, bearer, heard) = (server.clone(), bearer.to_owned(), Arc::clone(&text));
        let following = async move {
            loop {
                let end = follow(&server, &bearer, Arc::clone(&tls), &tell, &heard).await;
                tell.send_modify(|told| {
                    told.losses += u32::from(told.open);
                    told.open = false;
                    if let Err(error) = &end
                        && error.is::<BrokeTheProtocol>()
                    {
                        told.fault = Some(error.to_string());
                    }
                });
                if tell.borrow().revoked {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        task.spawn_on(following, home.runtime());
        Self { told, text, _task: task }
    }

    /// What came so far.
    pub fn told(&self) -> Told {
        self.told.borrow().clone()
    }

    /// What comes, for a task to follow.
    pub fn watch(&self) -> watch::Receiver<Told> {
        self.told.clone()
    }

    /// Every frame as it came, for what must not be in it.
    pub fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until something holds.
    ///
    /// # Errors
    /// When it does not within the time; says what the desk is instead.
    pub async fn until(&self, what: &str, patience: Duration, holds: impl Fn(&Told) -> bool) -> Result<Told> {
        let mut told = self.told.clone();
        match tokio::time::timeout(patience, told.wait_for(|told| told.fault.is_some() || holds(told))).await
        {
            Ok(Ok(now)) if now.fault.is_none() => Ok(now.clone()),
            Ok(Ok(now)) => bail!("/live broke the protocol: {:?}", now.fault),
            Ok(Err(_)) => bail!("/live is closed; waited for {what}"),
            Err(_) => bail!("waited {patience:?} in vain for {what}; now {:#?}", self.told()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BrokeTheProtocol(String);

async fn follow(
    server: &Url,
    bearer: &str,
    tls: Arc<rustls::ClientConfig>,
    tell: &watch::Sender<Told>,
    heard: &Mutex<String>,
) -> Result<()> {
    let mut url = server.join("/live")?;
    url.set_scheme("wss").ok().context("a URL that can be wss")?;
    let mut request = url.as_str().into_client_request()?;
    request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Bearer {bearer}"))?);
    request.headers_mut().insert(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL));
    let connect =
        tokio_tungstenite::connect_async_tls_with_config(request, None, true, Some(Connector::Rustls(tls)));
    let (mut socket, _) = tokio::time::timeout(Duration::from_secs(5), connect).await??;
    let mut pings = tokio::time::interval(Duration::from_secs(10));
    let (mut greeted, mut next) = (false, None);
    loop {
        let message = tokio::select! {
            _ = pings.tick() => {
                socket.send(Message::Ping(Default::default())).await?;
                continue;
            }
            message = socket.next() => message.context("closed")??,
        };
        let Message::Text(text) = message else { continue };
        let line = format!("{text}\n");
        heard.lock().unwrap_or_else(PoisonError::into_inner).push_str(&line);
        let event: LiveEvent =
            serde_json::from_str(&text).map_err(|error| BrokeTheProtocol(format!("{error}: {text}")))?;
        match event {
            LiveEvent::Hello { protocol, .. } if !greeted && protocol == PROTOCOL => greeted = true,
            LiveEvent::Snapshot { seq, desk } if greeted => {
                next = Some(seq + 1);
                tell.send_modify(|told| {
                    told.desk = Some(desk);
                    told.open = true;
                });
            }
            LiveEvent::Change { seq, change } if next == Some(seq) => {
                next = Some(seq + 1);
                tell.send_modify(|told| {
                    if let Some(desk) = &mut told.desk {
                        desk.apply(change);
                    }
                });
            }
            LiveEvent::Revoked { .. } => tell.send_modify(|told| told.revoked = true),
            LiveEvent::Hello { .. } | LiveEvent::Snapshot { .. } | LiveEvent::Change { .. } => {
                return Err(BrokeTheProtocol(format!("out of order, expected {next:?}: {text}")).into());
            }
        }
    }
}
