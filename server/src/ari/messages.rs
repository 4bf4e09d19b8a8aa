//! What goes over the socket to Asterisk and back, as JSON text frames. Nothing outside
//! `ari/` knows these shapes.
//!
//! A request is `{"type":"RESTRequest","request_id","method","uri","query_strings",...}` and is
//! answered by a `RESTResponse` with the same `request_id`; everything else is an event
//! (Asterisk 22, "ARI REST over WebSocket" and `rest-api/api-docs/events.json`).

use serde::Serialize;
use serde_json::Value;

/// The longest frame that is read. A list of 4,000 channels fits.
pub const LONGEST_FRAME: usize = 4 * 1024 * 1024;

/// One REST request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// Below `/ari/`, without a leading slash.
    pub uri: String,
    /// Name and value; not percent-encoded.
    pub query: Vec<(&'static str, String)>,
    /// JSON body.
    pub body: Option<Value>,
}

impl Request {
    /// A request without parameters.
    pub fn new(method: &'static str, uri: impl Into<String>) -> Self {
        Self { method, uri: uri.into(), query: Vec::new(), body: None }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// The frame to send.
    pub(super) fn frame(&self, id: u64) -> String {
        #[derive(Serialize)]
        struct Frame<'a> {
            r#type: &'static str,
            request_id: String,
            method: &'static str,
            uri: &'a str,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            query_strings: Vec<Pair<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            content_type: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            message_body: Option<String>,
        }
        #[derive(Serialize)]
        struct Pair<'a> {
            name: &'static str,
            value: &'a str,
        }
        let frame = Frame {
            r#type: "RESTRequest",
            request_id: id.to_string(),
            method: self.method,
            uri: &self.uri,
            query_strings: self.query.iter().map(|(name, value)| Pair { name, value }).collect(),
            content_type: self.body.as_ref().map(|_| "application/json"),
            message_body: self.body.as_ref().map(Value::to_string),
        };
        serde_json::to_string(&frame).unwrap_or_default()
    }
}

/// One REST response.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// As in HTTP.
    pub status: u16,
    /// Its JSON body, `Null` if there is none.
    pub body: Value,
}

/// A frame that came in.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    /// The answer to the request with this number.
    Response(u64, Response),
    /// News.
    Event(Event),
    /// An event that nothing here needs.
    Ignored,
}

/// News from Asterisk that the dialling loop acts on.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A channel came into our application.
    StasisStart {
        /// It.
        channel: Channel,
    },
    /// A channel's state is new.
    ChannelState {
        /// Its id.
        channel: String,
        /// Where it is now.
        state: ChannelState,
    },
    /// The network spoke about a channel we dial.
    Dial {
        /// Its id.
        channel: String,
        /// `RINGING`, `PROGRESS`, `ANSWER`, `BUSY`...; empty at the start.
        status: String,
    },
    /// A channel is in a bridge.
    EnteredBridge {
        /// Its id.
        channel: String,
        /// The bridge's id.
        bridge: String,
    },
    /// A channel is no more.
    Destroyed {
        /// Its id.
        channel: String,
        /// How.
        ending: Ending,
    },
    /// A playback is over.
    PlaybackFinished {
        /// Its id.
        playback: String,
    },
    /// Another program took our application's name; this socket hears nothing more.
    Replaced,
}

/// A channel, as far as we need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id; ours where we made it.
    pub id: String,
    /// `PJSIP/provider-00000003`.
    pub name: String,
    /// Where it is.
    pub state: ChannelState,
}

/// How a channel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// ITU-T Q.850 cause.
    pub cause: u16,
    /// Status of the SIP answer that ended it; Asterisk tells it since 22.7 (`tech_cause`).
    pub sip: Option<u16>,
}

/// Where a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelState {
    /// Not dialled, or dialled without an answer from the network.
    Down,
    /// It rings.
    Ringing,
    /// Answered.
    Up,
    /// Anything else that Asterisk knows.
    Other,
}

impl ChannelState {
    fn of(word: &str) -> Self {
        match word {
            "Down" | "Dialing" => Self::Down,
            "Ring" | "Ringing" => Self::Ringing,
            "Up" => Self::Up,
            _ => Self::Other,
        }
    }
}

/// A bridge and who is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Its id.
    pub id: String,
    /// The ids of its channels.
    pub channels: Vec<String>,
}

/// A frame that is not what Asterisk sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame from Asterisk was not understood: {0}")]
pub struct Malformed(pub &'static str);

/// Reads one text frame.
pub(super) fn read(text: &str) -> Result<Incoming, Malformed> {
    let Ok(Value::Object(frame)) = serde_json::from_str::<Value>(text) else {
        return Err(Malformed("not a JSON object"));
    };
    let frame = Value::Object(frame);
    let kind = frame.get("type").and_then(Value::as_str).ok_or(Malformed("no type"))?;
    if kind == "RESTResponse" {
        return read_response(&frame);
    }
    let event = match kind {
        "StasisStart" => {
            Event::StasisStart { channel: Channel::read(frame.get("channel").unwrap_or(&Value::Null))? }
        }
        "ChannelStateChange" => {
            let channel = Channel::read(frame.get("channel").unwrap_or(&Value::Null))?;
            Event::ChannelState { channel: channel.id, state: channel.state }
        }
        "Dial" => Event::Dial {
            channel: id_of(&frame, "peer")?,
            status: frame.get("dialstatus").and_then(Value::as_str).unwrap_or_default().to_owned(),
        },
        "ChannelEnteredBridge" => {
            Event::EnteredBridge { channel: id_of(&frame, "channel")?, bridge: id_of(&frame, "bridge")? }
        }
        "ChannelDestroyed" => {
            Event::Destroyed { channel: id_of(&frame, "channel")?, ending: Ending::read(&frame) }
        }
        "PlaybackFinished" => Event::PlaybackFinished { playback: id_of(&frame, "playback")? },
        "ApplicationReplaced" => Event::Replaced,
        _ => return Ok(Incoming::Ignored),
    };
    Ok(Incoming::Event(event))
}

fn read_response(frame: &Value) -> Result<Incoming, Malformed> {
    let id = frame
        .get("request_id")
        .and_then(Value::as_str)
        .and_then(|id| id.parse().ok())
        .ok_or(Malformed("a response to no request of ours"))?;
    let status = frame
        .get("status_code")
        .and_then(Value::as_u64)
        .and_then(|status| u16::try_from(status).ok())
        .ok_or(Malformed("a response without a status"))?;
    let body = match frame.get("message_body") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(body) => body.clone(),
        None => Value::Null,
    };
    Ok(Incoming::Response(id, Response { status, body }))
}

fn id_of(frame: &Value, thing: &str) -> Result<String, Malformed> {
    let id = frame.get(thing).and_then(|thing| thing.get("id")).and_then(Value::as_str);
    id.map(str::to_owned).ok_or(Malformed("an event about nothing"))
}

impl Ending {
    /// By a cause alone.
    pub fn by(cause: u16) -> Self {
        Self { cause, sip: None }
    }

    fn read(frame: &Value) -> Self {
        let of =
            |name: &str| frame.get(name).and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        // What ends a call is an answer above 299; 0 is none.
        let sip = of("tech_cause").filter(|sip| (300..700).contains(sip));
        Self { cause: of("cause").unwrap_or(0), sip }
    }
}

impl Channel {
    pub(super) fn read(value: &Value) -> Result<Self, Malformed> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        Ok(Self {
            id: text("id").ok_or(Malformed("a channel without an id"))?.to_owned(),
            name: text("name").unwrap_or_default().to_owned(),
            state: ChannelState::of(text("state").unwrap_or_default()),
        })
    }
}

impl Bridge {
    pub(super) fn read(value: &Value) -> Result<Self, Malformed> {
        let id = value.get("id").and_then(Value::as_str).ok_or(Malformed("a bridge without an id"))?;
        let channels = value.get("channels").and_then(Value::as_array).map_or_else(Vec::new, |ids| {
            ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
        });
        Ok(Self { id: id.to_owned(), channels })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(value: &Value) -> Event {
        let Incoming::Event(event) = read(&value.to_string()).unwrap() else { panic!("no event: {value}") };
        event
    }

    #[test]
    fn a_request_carries_its_parameters_and_its_body_as_text() {
        let request = Request::new("POST", "channels/create")
            .with("endpoint", "PJSIP/+447700900001@provider")
            .body(json!({"variables": {"A": "b"}}));
        let frame: Value = serde_json::from_str(&request.frame(7)).unwrap();
        assert_eq!(
            frame,
            json!({
                "type": "RESTRequest", "request_id": "7", "method": "POST", "uri": "channels/create",
                "query_strings": [{"name": "endpoint", "value": "PJSIP/+447700900001@provider"}],
                "content_type": "application/json", "message_body": "{\"variables\":{\"A\":\"b\"}}",
            })
        );
    }

    #[test]
    fn a_response_finds_its_request() {
        let frame = json!({"type": "RESTResponse", "request_id": "12", "status_code": 200,
            "reason_phrase": "OK", "uri": "channels", "content_type": "application/json",
            "message_body": "[{\"id\":\"x\"}]"});
        assert_eq!(
            read(&frame.to_string()).unwrap(),
            Incoming::Response(12, Response { status: 200, body: json!([{"id": "x"}]) })
        );
    }

    #[test]
    fn events_say_which_channel_and_what() {
        let channel = json!({"id": "a", "name": "PJSIP/provider-1", "state": "Up"});
        assert_eq!(
            event(&json!({"type": "StasisStart", "args": ["line"], "channel": channel})),
            Event::StasisStart {
                channel: Channel { id: "a".into(), name: "PJSIP/provider-1".into(), state: ChannelState::Up },
            }
        );
        assert_eq!(
            event(&json!({"type": "Dial", "peer": channel, "dialstatus": "PROGRESS"})),
            Event::Dial { channel: "a".into(), status: "PROGRESS".into() }
        );
        assert_eq!(
            event(&json!({"type": "ChannelDestroyed", "channel": channel, "cause": 17})),
            Event::Destroyed { channel: "a".into(), ending: Ending::by(17) }
        );
        let refused = json!({"type": "ChannelDestroyed", "channel": channel, "cause": 42, "tech_cause": 503});
        let ending = Ending { cause: 42, sip: Some(503) };
        assert_eq!(event(&refused), Event::Destroyed { channel: "a".into(), ending });
        let hung_up = json!({"type": "ChannelDestroyed", "channel": channel, "cause": 16, "tech_cause": 0});
        assert_eq!(event(&hung_up), Event::Destroyed { channel: "a".into(), ending: Ending::by(16) });
    }

    #[test]
    fn what_we_do_not_know_is_ignored_and_what_is_broken_is_an_error() {
        for text in [r#"{"type":"ChannelVarset","value":1}"#, r#"{"type":"StasisEnd"}"#] {
            assert_eq!(read(text), Ok(Incoming::Ignored), "{text}");
        }
        for text in [
            "",
            "[]",
            "{}",
            "{\"type\":7}",
            "{\"type\":\"StasisStart\"}",
            "{\"type\":\"ChannelDestroyed\"}",
            "{\"type\":\"StasisEnd\"",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            prop::sample::select(vec!["Up", "Ringing", "ANSWER", "1", "99999999999999999999"])
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(
                    prop::sample::select(vec![
                        "type",
                        "channel",
                        "peer",
                        "bridge",
                        "id",
                        "name",
                        "state",
                        "cause",
                        "dialstatus",
                        "request_id",
                        "status_code",
                        "message_body",
                        "playback",
                    ])
                    .prop_map(str::to_owned),
                    inner,
                    0..8
                )
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,300}") {
            let _ = read(&text);
        }

        #[test]
        fn no_shape_makes_the_reader_panic(
            kind in prop::sample::select(vec![
                "RESTResponse", "StasisStart", "ChannelStateChange", "Dial", "ChannelEnteredBridge",
                "ChannelDestroyed", "PlaybackFinished", "ApplicationReplaced", "Anything",
            ]),
            frame in any_json(),
        ) {
            let mut frame = frame;
            if let Value::Object(map) = &mut frame {
                map.insert("type".into(), kind.into());
            }
            let _ = read(&frame.to_string());
            let _ = Channel::read(&frame);
            let _ = Bridge::read(&frame);
        }
    }
}
