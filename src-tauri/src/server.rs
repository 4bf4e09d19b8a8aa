//! Requests to the server: `POST /api/...`, JSON both ways ([`protocol::http`]).

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use protocol::{
    PROTOCOL,
    http::{ApiError, AskChallenge, Challenge, ErrorCode, PROTOCOL_HEADER, SignIn, SignedIn, sign_in_text},
    ids::DeviceId,
};
use rustls::ClientConfig;
use serde::{Serialize, de::DeserializeOwned};
use softphone::Trust;
use url::Url;

use crate::trust;

/// Time to reach the server and to do the TLS handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// Time for a whole request: the server answers within milliseconds, and a person waits.
const WHOLE: Duration = Duration::from_secs(10);
/// The server closes a connection that said nothing for 75 s; a press must not meet it as it does.
const KEPT_IDLE: Duration = Duration::from_secs(60);
/// A reply is never longer than this, bytes.
const LONGEST_REPLY: usize = 256 * 1024;

/// The way to one server.
#[derive(Clone)]
pub struct Server {
    origin: Url,
    client: reqwest::Client,
    tls: Arc<ClientConfig>,
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The server's fault or the network's: no answer.
    #[error("the server cannot be reached: {why}")]
    Unreachable {
        /// For the log.
        why: String,
    },
    /// Whoever answered is not the server that the link named.
    #[error("the server's certificate is not by the expected authority")]
    Untrusted,
    /// The server said no.
    #[error("refused ({status}): {error}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its reason.
        error: ApiError,
    },
}

impl RequestError {
    /// The server's code, where it gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            RequestError::Refused { error, .. } => Some(error.code),
            RequestError::Unreachable { .. } | RequestError::Untrusted => None,
        }
    }
}

impl Server {
    /// Prepares the way; nothing is sent yet. No proxy: the calls could not go through one either.
    ///
    /// # Errors
    /// When the system's authorities cannot be read.
    pub fn new(origin: Url, authority: Option<[u8; 32]>) -> Result<Self, RequestError> {
        let unusable = |why: String| RequestError::Unreachable { why };
        let trust =
            authority.map_or(Trust::System, |public_key_sha256| Trust::Authority { public_key_sha256 });
        let tls = softphone::tls_client(&trust).map_err(|error| unusable(error.to_string()))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(ClientConfig::clone(&tls))
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .pool_idle_timeout(KEPT_IDLE)
            .tcp_nodelay(true)
            .user_agent(concat!("ringround/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Self { origin, client, tls })
    }

    /// The server's address, `https://host:port`.
    pub fn origin(&self) -> &Url {
        &self.origin
    }

    /// The same trust, for a WebSocket.
    pub fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }

    /// Sends one request and reads its reply.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn post<B, R>(&self, path: &str, bearer: Option<&str>, body: &B) -> Result<R, RequestError>
    where
        B: Serialize + Sync,
        R: DeserializeOwned,
    {
        let unreachable = |why: &dyn std::error::Error| RequestError::Unreachable { why: why.to_string() };
        let url = self.origin.join(path).map_err(|error| unreachable(&error))?;
        let mut request = self.client.post(url).header(PROTOCOL_HEADER, PROTOCOL.to_string()).json(body);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        let mut response = request.send().await.map_err(|error| {
            if trust::is_untrusted(&error) {
                RequestError::Untrusted
            } else {
                unreachable(&error.without_url())
            }
        })?;
        let status = response.status();
        let mut reply = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error.without_url()))? {
            if reply.len() + chunk.len() > LONGEST_REPLY {
                return Err(RequestError::Unreachable { why: "the reply is too long".to_owned() });
            }
            reply.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return serde_json::from_slice(&reply).map_err(|error| unreachable(&error));
        }
        Err(refusal(status.as_u16(), &reply))
    }

    /// Signs in: asks for a challenge and signs it with the device's key.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn sign_in(&self, device_id: DeviceId, key: &SigningKey) -> Result<SignedIn, RequestError> {
        let ask = AskChallenge { device_id };
        let Challenge { challenge } = self.post("/api/sign-in/challenge", None, &ask).await?;
        let bytes = URL_SAFE_NO_PAD.decode(&challenge).map_err(|_| RequestError::Unreachable {
            why: "the server's challenge is not base64url".to_owned(),
        })?;
        let signature = key.sign(&sign_in_text(&bytes));
        let signature = URL_SAFE_NO_PAD.encode(signature.to_bytes());
        self.post("/api/sign-in", None, &SignIn { device_id, challenge, signature }).await
    }
}

/// A refusal in the server's words. A status without them is a proxy's, or the server's way was cut
/// short: no answer, but for the two that no proxy means otherwise.
pub(crate) fn refusal(status: u16, reply: &[u8]) -> RequestError {
    match serde_json::from_slice::<ApiError>(reply) {
        Ok(error) => RequestError::Refused { status, error },
        Err(_) => {
            let code = match status {
                401 => ErrorCode::SignInAgain,
                426 => ErrorCode::UpdateApp,
                _ => return RequestError::Unreachable { why: format!("HTTP status {status}") },
            };
            let message = format!("The server answered with status {status}");
            RequestError::Refused { status, error: ApiError::new(code, message) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_switches_nobody_off_and_refuses_no_outcome() {
        for status in [400, 403, 404, 409, 413, 429, 500, 502, 503] {
            for body in [&b""[..], b"<h1>Not Found</h1>", b"{}"] {
                let said = refusal(status, body);
                assert!(matches!(said, RequestError::Unreachable { .. }), "{status}: {said:?}");
            }
        }
        let ours = br#"{"code":"device-revoked","message":"Ask Ruth"}"#;
        assert_eq!(refusal(401, ours).code(), Some(ErrorCode::DeviceRevoked));
        assert_eq!(refusal(401, b"").code(), Some(ErrorCode::SignInAgain));
        assert_eq!(refusal(426, b"").code(), Some(ErrorCode::UpdateApp));
    }
}
