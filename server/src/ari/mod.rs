//! The one client of Asterisk's REST interface (ARI): requests and events share one WebSocket.
//!
//! A request is on its way the moment its function is called, before its future is awaited, and
//! Asterisk works on requests in their order; so what depends on order may be sent in one go.

mod accounts;
mod bridges;
mod channels;
mod messages;
mod place;
mod socket;
mod system;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{config::Asterisk, metrics::Metrics};

pub use accounts::{Account, SIP_DOMAIN};
pub use channels::OutgoingLine;
pub use messages::{Bridge, Channel, ChannelState, Ending, Event, Malformed, Request, Response};
pub use system::Reachable;

/// The Stasis application's name; Asterisk makes the context `stasis-ringround` of it.
pub const APPLICATION: &str = "ringround";

/// How long Asterisk may take for an answer. On loopback it takes 0.4 ms; a disk that stalls
/// (accounts are kept in its database) may take longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What comes from Asterisk, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Connected: whatever was known of channels and bridges may be out of date.
    Here,
    /// Not connected; events are lost until [`News::Here`].
    Away,
    /// An event.
    Event(Event),
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AriError {
    /// Asterisk is not there. Mend: start it, or look at `--ari`.
    #[error("Asterisk is not reachable")]
    Away,
    /// It did not answer in time; whether it did what was asked is not known.
    #[error("Asterisk did not answer within {} s", ANSWER_WITHIN.as_secs())]
    Silent,
    /// No such channel, bridge or object (404), or it is not in our application.
    #[error("Asterisk does not know it")]
    NotThere,
    /// The id is taken or the state does not fit (409, 412, 422).
    #[error("Asterisk refused, status {0}: it does not fit the state")]
    Conflict(u16),
    /// Any other refusal: configuration, or a fault of ours.
    #[error("Asterisk refused, status {0}: {1}")]
    Refused(u16, String),
    /// The answer is not what Asterisk's documentation says.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A handle to the client; clones share the one socket.
#[derive(Clone, Debug)]
pub struct Ari {
    outgoing: mpsc::UnboundedSender<Outgoing>,
    here: Arc<AtomicBool>,
    locks: accounts::Locks,
}

#[derive(Debug)]
struct Outgoing {
    request: Request,
    answer: oneshot::Sender<Result<Response, AriError>>,
}

impl Ari {
    /// Starts the client: it connects, and reconnects for ever, until `stop`. The news go to
    /// [`crate::dialling::Parts`].
    pub fn start(
        asterisk: Asterisk,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> (Self, mpsc::Receiver<News>) {
        let (outgoing, requests) = mpsc::unbounded_channel();
        let (news, received) = mpsc::channel(socket::NEWS_AHEAD);
        let here = Arc::new(AtomicBool::new(false));
        let socket = socket::Socket { asterisk, requests, news, here: here.clone(), metrics };
        tokio::spawn(async move {
            tokio::select! {
                () = socket.run() => {}
                () = stop.cancelled() => {}
            }
        });
        (Self { outgoing, here, locks: accounts::Locks::default() }, received)
    }

    /// Whether the socket is up.
    pub fn is_here(&self) -> bool {
        self.here.load(Ordering::Relaxed)
    }

    /// Sends a request at once; the future is its answer, whatever its status.
    fn send(&self, request: Request) -> impl Future<Output = Result<Response, AriError>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let sent = self.is_here() && self.outgoing.send(Outgoing { request, answer }).is_ok();
        async move {
            if !sent {
                return Err(AriError::Away);
            }
            match tokio::time::timeout(ANSWER_WITHIN, answered).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(AriError::Away),
                Err(_) => Err(AriError::Silent),
            }
        }
    }

    /// Sends a request at once; the future is the answer of one that was granted.
    fn ask(&self, request: Request) -> impl Future<Output = Result<Response, AriError>> + Send + use<> {
        let answer = self.send(request);
        async move {
            let answer = answer.await?;
            match answer.status {
                200..=299 => Ok(answer),
                404 => Err(AriError::NotThere),
                409 | 412 | 422 => Err(AriError::Conflict(answer.status)),
                status => Err(AriError::Refused(status, what_it_said(&answer))),
            }
        }
    }
}

/// Asterisk's own words, `{"message": ".."}` or `{"error": ".."}`, cut to a line of a log.
fn what_it_said(answer: &Response) -> String {
    let words = answer.body.get("message").or_else(|| answer.body.get("error"));
    words.and_then(|words| words.as_str()).unwrap_or("no reason given").chars().take(200).collect()
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
