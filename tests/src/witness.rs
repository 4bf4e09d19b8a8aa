//! A second application at the node's ARI: it is told what the server is told, and touches nothing.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::{sync::watch, task::JoinSet};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest, http::HeaderValue};

use crate::pbx::Node;

/// The application. It goes when this is dropped.
pub struct Witness {
    told: watch::Receiver<Vec<Value>>,
    _task: JoinSet<()>,
}

impl Witness {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the node's ARI does not let it in.
    pub async fn of(node: &Node) -> Result<Self> {
        let password = std::fs::read_to_string(node.password_file())?;
        let url = format!("{}/ari/events?app=witness&subscribeAll=true", node.http());
        let mut request = url.replacen("http", "ws", 1).into_client_request()?;
        let login = STANDARD.encode(format!("ringround:{}", password.trim()));
        request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Basic {login}"))?);
        let connecting = async { tokio_tungstenite::connect_async(request).await };
        let connecting = node.networks.server.run(connecting);
        let (mut socket, _) = tokio::time::timeout(Duration::from_secs(5), connecting).await??;
        let (tell, told) = watch::channel(Vec::new());
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Some(Ok(frame)) = socket.next().await {
                let Message::Text(text) = frame else { continue };
                if let Ok(event) = serde_json::from_str(&text) {
                    tell.send_modify(|told: &mut Vec<Value>| told.push(event));
                }
            }
        });
        Ok(Self { told, _task: task })
    }

    /// Every event so far that is wanted, in order.
    pub fn all(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.told.borrow().iter().filter(|event| wanted(event)).cloned().collect()
    }

    /// Waits for an event, which may have come already.
    ///
    /// # Errors
    /// When it does not come within the time.
    pub async fn until(
        &self,
        what: &str,
        patience: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut told = self.told.clone();
        let came = told.wait_for(|told| told.iter().any(&wanted));
        match tokio::time::timeout(patience, came).await {
            Ok(Ok(told)) => told.iter().find(|event| wanted(event)).cloned().context("it was there"),
            Ok(Err(_)) => bail!("the node's ARI is gone; waited for {what}"),
            Err(_) => bail!("waited {patience:?} in vain for {what}"),
        }
    }
}
