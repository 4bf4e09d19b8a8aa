//! Who has our place at Asterisk, the application's name, after another program took it.
//!
//! Asterisk leaves the socket of the one that was replaced open, and answers its pings and nothing else: it has to be
//! given up. To come back at once would throw the other one out, which would do the same, for ever. So the one that
//! was replaced looks, by a socket under another name, until the place is free.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tracing::{debug, info, warn};

use super::{
    APPLICATION, Request, Response,
    messages::{self, Incoming},
    socket::Socket,
};

/// How often it looks whether the other has left.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_WITHIN: Duration = Duration::from_secs(3);
const FIRST_PATIENCE: Duration = Duration::from_secs(20);
const LAST_PATIENCE: Duration = Duration::from_secs(600);

/// Who has the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nobody.
    Free,
    /// Another program, which is connected.
    Taken,
    /// Asterisk keeps the name of a program that left as long as it has calls or bridges, and does not say whether
    /// the program is still there.
    Unclear,
}

impl Place {
    fn read(answer: &Response) -> Self {
        let holds =
            |what: &str| answer.body.get(what).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        match answer.status {
            404 => Self::Free,
            200 if !holds("channel_ids") && !holds("bridge_ids") => Self::Taken,
            _ => Self::Unclear,
        }
    }
}

/// How long a place of which nobody knows is left alone; longer each time, so that two servers
/// that both have calls do not throw each other out all the time.
#[derive(Debug)]
pub(super) struct Patience(Duration);

impl Patience {
    pub(super) fn new() -> Self {
        Self(FIRST_PATIENCE)
    }

    /// After a connection that lasted `lasted` was replaced.
    fn next(&mut self, lasted: Duration) -> Duration {
        if lasted > LAST_PATIENCE {
            *self = Self::new();
        }
        let now = self.0;
        self.0 = (now * 2).min(LAST_PATIENCE);
        now
    }
}

impl Socket {
    /// Waits until the place is free.
    pub(super) async fn give_way(&self, patience: &mut Patience, lasted: Duration) {
        warn!(
            "another server is connected to this Asterisk and took our place: nobody can be rung from here; stop it; \
             trying again every {} s",
            LOOK_EVERY.as_secs()
        );
        let patience = patience.next(lasted);
        let mut unclear_since = None;
        while !self.news.is_closed() {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.look().await {
                Ok(Place::Free) => return info!("the other server has left Asterisk"),
                Ok(Place::Taken) => unclear_since = None,
                Ok(Place::Unclear) => {
                    let since = *unclear_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= patience {
                        return warn!(
                            "Asterisk does not say whether the other server has left; taking the place back"
                        );
                    }
                }
                // Asterisk itself is gone, and every place with it: the ordinary way to connect says so.
                Err(why) => return debug!(%why, "could not look whether the other server has left"),
            }
        }
    }

    async fn look(&self) -> Result<Place, String> {
        // A name of its own: else two that look would replace each other.
        let name = format!("{APPLICATION}-{}", uuid::Uuid::now_v7().simple());
        let mut stream = self.connect(&name).await?;
        let ask = async {
            let question = Request::new("GET", format!("applications/{APPLICATION}")).frame(1);
            stream.send(Message::text(question)).await.map_err(|error| error.to_string())?;
            while let Some(message) = stream.next().await {
                let Message::Text(text) = message.map_err(|error| error.to_string())? else { continue };
                if let Ok(Incoming::Response(1, answer)) = messages::read(&text) {
                    return Ok(Place::read(&answer));
                }
            }
            Err("Asterisk closed it".to_owned())
        };
        let place = tokio::time::timeout(LOOK_WITHIN, ask).await.map_err(|_| "no answer".to_owned())?;
        // Else Asterisk would keep the name until it notices.
        let _ = tokio::time::timeout(LOOK_WITHIN, stream.close(None)).await;
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_hold_calls_change_places_ever_more_seldom() {
        let mut patience = Patience::new();
        let waits: Vec<u64> = (0..7).map(|_| patience.next(Duration::from_secs(30)).as_secs()).collect();
        assert_eq!(waits, [20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(patience.next(Duration::from_secs(601)), FIRST_PATIENCE);
    }
}
