//! Requests of an app, as `protocol::http` lists them.

use std::sync::{Arc, Mutex, PoisonError};

use protocol::{
    PROTOCOL,
    http::{ApiError, PROTOCOL_HEADER},
};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use crate::{networks::Home, ringround::Ringround};

/// A way to the server, with or without a bearer token.
#[derive(Clone)]
pub struct Api {
    /// The server's origin.
    pub server: Url,
    home: Home,
    client: reqwest::Client,
    bearer: Option<String>,
    replies: Arc<Mutex<String>>,
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server refused it.
    #[error("{0:?}")]
    Refused(ApiError),
    /// The server answered something that is not in the protocol.
    #[error("HTTP {0}: {1}")]
    Strange(u16, String),
    /// No answer came: nobody knows whether it was done.
    #[error("no answer: {0}")]
    Lost(reqwest::Error),
}

impl Api {
    /// From a home, without a sign-in.
    ///
    /// # Errors
    /// When the server has no authority yet.
    pub fn new(home: &Home, at: &Url, server: &Ringround) -> anyhow::Result<Self> {
        let (home, client) = (home.clone(), server.client()?);
        Ok(Self { server: at.clone(), home, client, bearer: None, replies: Arc::default() })
    }

    /// With one.
    pub fn signed_in(&self, bearer: &str) -> Self {
        Self { bearer: Some(bearer.to_owned()), ..self.clone() }
    }

    /// Every reply as it came, for what must not be in it.
    pub fn replies(&self) -> String {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let text = self.post_for_text(path, body).await?;
        serde_json::from_str(&text).map_err(|_| Failure::Strange(200, text))
    }

    /// Sends a request and gives the reply as it came.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn post_for_text(&self, path: &str, body: &impl Serialize) -> Result<String, Failure> {
        let url = self.server.join(path).map_err(|error| Failure::Strange(0, error.to_string()))?;
        let mut request = self.client.post(url).header(PROTOCOL_HEADER, PROTOCOL).json(body);
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        let asked = request.timeout(std::time::Duration::from_secs(10)).send();
        let answered = async move {
            let reply = asked.await?;
            Ok((reply.status(), reply.text().await?))
        };
        let (status, text) = self.home.run(answered).await.map_err(Failure::Lost)?;
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).push_str(&format!("{path}: {text}\n"));
        if status.is_success() {
            return Ok(text);
        }
        Err(serde_json::from_str(&text).map_or(Failure::Strange(status.as_u16(), text), Failure::Refused))
    }
}

impl Failure {
    /// The refusal's code, if it is one.
    pub fn code(&self) -> Option<protocol::http::ErrorCode> {
        match self {
            Failure::Refused(error) => Some(error.code),
            Failure::Strange(..) | Failure::Lost(_) => None,
        }
    }
}
