//! Channels: legs to volunteers and callees.

use std::future::Future;

use serde_json::{Map, Value};

use super::{APPLICATION, Ari, AriError, Channel, Malformed, Request};
use crate::store::attempts::Committed;

/// The volunteer's leg that Asterisk is to make.
pub struct OutgoingLine<'a> {
    /// Id of the channel, ours.
    pub channel: &'a str,
    /// The device's SIP account.
    pub account: &'a str,
    /// What makes the app answer by itself.
    pub token: &'a str,
}

impl Ari {
    /// Makes the channel of a volunteer's line, not dialled yet; `StasisStart` follows while it is `Down`.
    ///
    /// Made and dialled in two steps, never originated: an originate follows a 302, and its Contact
    /// may name any telephone (`main/dial.c`, `handle_call_forward`); a dial does not.
    pub fn create_line(
        &self,
        line: &OutgoingLine<'_>,
    ) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        let variables = Map::from_iter([
            ("PJSIP_HEADER(add,X-Line-Token)".to_owned(), Value::from(line.token)),
            ("CONNECTEDLINE(name,i)".to_owned(), Value::from("Ringround")),
            ("CONNECTEDLINE(num,i)".to_owned(), Value::from("ringround")),
        ]);
        granted(
            self.ask(
                Request::new("POST", "channels/create")
                    .with("endpoint", format!("PJSIP/{}", line.account))
                    .with("app", APPLICATION)
                    .with("appArgs", "line")
                    .with("channelId", line.channel)
                    .with("formats", "opus,ulaw")
                    .body(body(variables)),
            ),
        )
    }

    /// Makes a callee's channel, not dialled yet; `StasisStart` follows while it is `Down`.
    /// The only function that makes one, and it takes an attempt that is in the database.
    /// `endpoint` and `caller_id` are as [`crate::dialling::trunk::Way`] writes them.
    pub fn create_callee(
        &self,
        attempt: &Committed,
        endpoint: String,
        caller_id: String,
    ) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        // An outgoing channel's own identity is what the far end sees: From and P-Asserted-Identity.
        let variables = Map::from_iter([
            ("CONNECTEDLINE(num,i)".to_owned(), Value::from(caller_id)),
            ("CONNECTEDLINE(num-pres,i)".to_owned(), Value::from("allowed")),
        ]);
        granted(
            self.ask(
                Request::new("POST", "channels/create")
                    .with("endpoint", endpoint)
                    .with("app", APPLICATION)
                    .with("appArgs", "callee")
                    .with("channelId", attempt.id().to_string())
                    .body(body(variables)),
            ),
        )
    }

    /// Sends the INVITE of a channel that was made. Asterisk's `caller` parameter is left out: it
    /// would show the callee the line's identity, not the campaign's caller ID (seen with 22.10).
    pub fn dial(
        &self,
        channel: &str,
        timeout_s: u32,
    ) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        granted(self.ask(
            Request::new("POST", format!("channels/{channel}/dial")).with("timeout", timeout_s.to_string()),
        ))
    }

    /// Hangs up; [`AriError::NotThere`] if the channel is gone already.
    pub fn hang_up(&self, channel: &str) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        granted(self.ask(Request::new("DELETE", format!("channels/{channel}"))))
    }

    /// Whether the far end of a channel that is being dialled has answered anything, a 100 too. Asterisk keeps the
    /// last SIP answer of a channel beside its hangup cause, and this function lists what it keeps.
    pub fn has_reply(&self, channel: &str) -> impl Future<Output = Result<bool, AriError>> + Send + use<> {
        let answer = self.ask(
            Request::new("GET", format!("channels/{channel}/variable"))
                .with("variable", "HANGUPCAUSE_KEYS()"),
        );
        async move {
            let answer = answer.await?;
            let keys = answer.body.get("value").and_then(Value::as_str);
            Ok(!keys.ok_or(Malformed("a variable without a value"))?.is_empty())
        }
    }

    /// How many RTP packets have come in on a channel.
    pub fn packets_received(
        &self,
        channel: &str,
    ) -> impl Future<Output = Result<u64, AriError>> + Send + use<> {
        let answer = self.ask(Request::new("GET", format!("channels/{channel}/rtp_statistics")));
        async move {
            let answer = answer.await?;
            let count = answer.body.get("rxcount").and_then(Value::as_u64);
            Ok(count.ok_or(Malformed("statistics without a count"))?)
        }
    }

    /// Plays to one channel, `sound:/path/without/extension` or `tone:ring`.
    pub fn play_to_channel(
        &self,
        channel: &str,
        media: &str,
        playback: &str,
    ) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        granted(
            self.ask(
                Request::new("POST", format!("channels/{channel}/play/{playback}")).with("media", media),
            ),
        )
    }

    /// Stops a playback. One that is over already is fine.
    pub fn stop_playback(&self, playback: &str) -> impl Future<Output = Result<(), AriError>> + Send + use<> {
        gone_is_fine(self.ask(Request::new("DELETE", format!("playbacks/{playback}"))))
    }

    /// Every channel there is, ours or not.
    pub fn channels(&self) -> impl Future<Output = Result<Vec<Channel>, AriError>> + Send + use<> {
        let answer = self.ask(Request::new("GET", "channels"));
        async move {
            let answer = answer.await?;
            let list = answer.body.as_array().ok_or(Malformed("channels are not a list"))?;
            Ok(list.iter().map(Channel::read).collect::<Result<_, _>>()?)
        }
    }
}

fn body(variables: Map<String, Value>) -> Value {
    Value::Object(Map::from_iter([("variables".to_owned(), Value::Object(variables))]))
}

pub(super) async fn granted(
    answer: impl Future<Output = Result<super::Response, AriError>> + Send,
) -> Result<(), AriError> {
    answer.await.map(|_| ())
}

pub(super) async fn gone_is_fine(
    answer: impl Future<Output = Result<super::Response, AriError>> + Send,
) -> Result<(), AriError> {
    match answer.await {
        Ok(_) | Err(AriError::NotThere) => Ok(()),
        Err(error) => Err(error),
    }
}
