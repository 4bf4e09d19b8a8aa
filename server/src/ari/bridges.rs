//! Bridges: one for each volunteer's line.

use std::future::Future;

use super::{
    Ari, AriError, Bridge, Malformed, Request,
    channels::{gone_is_fine, granted},
};

impl Ari {
    /// Makes a mixing bridge with our own id; one that is there already stays.
    pub fn make_bridge(&self, bridge: &str) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        let made =
            granted(self.ask(Request::new("POST", format!("bridges/{bridge}")).with("type", "mixing")));
        async move {
            match made.await {
                // Asterisk takes it for a wish to change the type of a bridge that is there.
                Err(AriError::Conflict(409)) => Ok(()),
                result => result,
            }
        }
    }

    /// Puts a channel that is in our application into a bridge.
    pub fn join_bridge(
        &self,
        bridge: &str,
        channel: &str,
    ) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        granted(
            self.ask(
                Request::new("POST", format!("bridges/{bridge}/addChannel"))
                    .with("channel", channel)
                    // Else a callee would be shown the line's identity, not the campaign's caller ID.
                    .with("inhibitConnectedLineUpdates", "true"),
            ),
        )
    }

    /// Takes a channel out of a bridge and puts it back, for another peer is in it now. Asterisk then makes its way from
    /// the one codec to the other anew. The old way knows the last peer's RTP sequence numbers and throws away
    /// whatever comes with lower ones: every second new peer would not be heard, for the whole call (seen with 22.10).
    pub fn rejoin_bridge(
        &self,
        bridge: &str,
        channel: &str,
    ) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        let left = self
            .ask(Request::new("POST", format!("bridges/{bridge}/removeChannel")).with("channel", channel));
        let joined = self.join_bridge(bridge, channel);
        async move {
            // Whether it was in there does not matter; that it is, does.
            let _ = left.await;
            joined.await
        }
    }

    /// Ends a bridge; its channels stay in our application. One that is gone already is fine.
    pub fn end_bridge(&self, bridge: &str) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        gone_is_fine(self.ask(Request::new("DELETE", format!("bridges/{bridge}"))))
    }

    /// Every bridge there is.
    pub fn bridges(&self) -> impl Future<Output = Result<Vec<Bridge>, AriError>> + Send + use<> {
        let answer = self.ask(Request::new("GET", "bridges"));
        async move {
            let answer = answer.await?;
            let list = answer.body.as_array().ok_or(Malformed("bridges are not a list"))?;
            Ok(list.iter().map(Bridge::read).collect::<Result<_, _>>()?)
        }
    }
}
