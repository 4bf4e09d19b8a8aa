//! A double of Asterisk for fast tests, beside those with the real one: a WebSocket that answers
//! requests as told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
};
use tokio_tungstenite::{accept_async, tungstenite::Message};
use url::Url;

use crate::config::Asterisk;

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Asked {
    /// `POST channels/create`
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.uri)
    }

    pub(crate) fn param(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn answer(&self, status: u16, body: &Value) -> Value {
        json!({"type": "RESTResponse", "request_id": self.id, "status_code": status,
               "content_type": "application/json", "message_body": body.to_string()})
    }
}

pub(crate) type Behaviour = Box<dyn FnMut(&Asked) -> Vec<Value> + Send>;

pub(crate) struct FakeAsterisk {
    address: std::net::SocketAddr,
    asked: mpsc::UnboundedReceiver<Asked>,
    frames: mpsc::UnboundedSender<String>,
    hang_up: Arc<Notify>,
}

impl FakeAsterisk {
    /// Listens; one connection at a time.
    pub(crate) async fn start(mut behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked_tx, asked) = mpsc::unbounded_channel();
        let (frames, mut frames_rx) = mpsc::unbounded_channel::<String>();
        let hang_up = Arc::new(Notify::new());
        let close = hang_up.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                serve(stream, &mut behaviour, &asked_tx, &mut frames_rx, &close).await;
            }
        });
        Self { address, asked, frames, hang_up }
    }

    pub(crate) fn settings(&self) -> Asterisk {
        Asterisk {
            url: Url::parse(&format!("http://{}", self.address)).unwrap(),
            user: "ringround".into(),
            password: "secret".to_owned().into(),
        }
    }

    /// The next request whose line contains this.
    pub(crate) async fn asked(&mut self, what: &str) -> Asked {
        let wait = async {
            loop {
                let asked = self.asked.recv().await.unwrap();
                if asked.line().contains(what) {
                    return asked;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .unwrap_or_else(|_| panic!("never asked: {what}"))
    }

    pub(crate) fn send(&self, frame: &Value) {
        self.frames.send(frame.to_string()).unwrap();
    }

    pub(crate) fn send_text(&self, text: String) {
        self.frames.send(text).unwrap();
    }

    /// Closes the connection; the next may come.
    pub(crate) fn close(&self) {
        self.hang_up.notify_one();
    }
}

async fn serve(
    stream: TcpStream,
    behaviour: &mut Behaviour,
    asked: &mpsc::UnboundedSender<Asked>,
    frames: &mut mpsc::UnboundedReceiver<String>,
    close: &Notify,
) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    loop {
        tokio::select! {
            () = close.notified() => return,
            frame = frames.recv() => {
                let Some(frame) = frame else { return };
                if socket.send(Message::text(frame)).await.is_err() { return }
            }
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                let Message::Text(text) = message else { continue };
                let request = read(&text);
                let answers = behaviour(&request);
                let _ = asked.send(request);
                for answer in answers {
                    if socket.send(Message::text(answer.to_string())).await.is_err() { return }
                }
            }
        }
    }
}

fn read(text: &str) -> Asked {
    let frame: Value = serde_json::from_str(text).unwrap();
    let text = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
    let query = frame["query_strings"].as_array().into_iter().flatten();
    Asked {
        id: text("request_id"),
        method: text("method"),
        uri: text("uri"),
        query: query
            .map(|pair| {
                (pair["name"].as_str().unwrap().to_owned(), pair["value"].as_str().unwrap().to_owned())
            })
            .collect(),
        body: serde_json::from_str(&text("message_body")).unwrap_or(Value::Null),
    }
}

/// A channel as Asterisk shows it.
pub(crate) fn channel(id: &str, name: &str, state: &str) -> Value {
    json!({"id": id, "name": name, "state": state})
}

/// An event about a channel.
pub(crate) fn event(kind: &str, id: &str, state: &str) -> Value {
    json!({"type": kind, "channel": channel(id, "PJSIP/x-1", state), "args": []})
}
