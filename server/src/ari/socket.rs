//! The socket itself: connects, reads, writes, reconnects.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::{net::TcpStream, sync::mpsc, sync::oneshot};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, header::AUTHORIZATION},
        protocol::WebSocketConfig,
    },
};
use tracing::{info, warn};

use super::{
    APPLICATION, AriError, News, Outgoing,
    messages::{self, Event, Incoming, LONGEST_FRAME, Response},
    place::Patience,
};
use crate::{config::Asterisk, metrics::Metrics};

/// How many events may wait for the dialling loop. More means that the loop stands still: the
/// socket is then closed, and what was missed is learnt from the lists after the reconnect.
pub(super) const NEWS_AHEAD: usize = 8_192;

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(1);
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// A ping is sent this often, and answered by Asterisk at once.
const PING_EVERY: Duration = Duration::from_secs(5);
/// Not a frame for so long: Asterisk hangs.
const SILENT_FOR: Duration = Duration::from_secs(15);
/// Above [`LONGEST_FRAME`] a frame is read and dropped; above this the connection is.
const HOPELESS_FRAME: usize = 64 * 1024 * 1024;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(super) struct Socket {
    pub(super) asterisk: Asterisk,
    pub(super) requests: mpsc::UnboundedReceiver<Outgoing>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) here: Arc<AtomicBool>,
    pub(super) metrics: Metrics,
}

/// Why a connection ended.
enum Ended {
    /// Another program took our place.
    Replaced,
    /// Anything else, in words.
    Lost(String),
}

type Answer = oneshot::Sender<Result<Response, AriError>>;

/// Who waits for which answer, and since when.
#[derive(Default)]
struct Waiting(Mutex<HashMap<u64, (Instant, Answer)>>);

impl Waiting {
    /// Those who gave up waiting are forgotten.
    fn add(&self, number: u64, answer: Answer) {
        let mut all = self.all();
        all.retain(|_, (_, answer)| !answer.is_closed());
        all.insert(number, (Instant::now(), answer));
    }

    fn take(&self, number: u64) -> Option<(Instant, Answer)> {
        self.all().remove(&number)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, (Instant, Answer)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Socket {
    pub(super) async fn run(mut self) {
        let mut retry = FIRST_RETRY;
        let mut said = false;
        let mut patience = Patience::new();
        while !self.news.is_closed() {
            match self.connect(APPLICATION).await {
                Ok(stream) => {
                    retry = FIRST_RETRY;
                    said = false;
                    info!("connected to Asterisk");
                    let since = Instant::now();
                    match self.serve(stream).await {
                        Ended::Replaced => {
                            self.give_way(&mut patience, since.elapsed()).await;
                            continue;
                        }
                        Ended::Lost(why) => warn!(%why, "the connection to Asterisk ended"),
                    }
                }
                Err(why) if said => tracing::debug!(%why, "Asterisk is still not reachable"),
                Err(why) => {
                    said = true;
                    warn!(%why, address = %self.asterisk.url, "Asterisk is not reachable; is it started, and are --ari and its user right?");
                }
            }
            tokio::time::sleep(retry).await;
            retry = (retry * 2).min(LAST_RETRY);
        }
    }

    /// Connects as this application; whoever had its name is replaced.
    pub(super) async fn connect(&self, application: &str) -> Result<Stream, String> {
        let mut address = self.asterisk.url.clone();
        let scheme = if address.scheme() == "https" { "wss" } else { "ws" };
        address.set_scheme(scheme).map_err(|()| "the address is not http or https".to_owned())?;
        address.set_path("/ari/events");
        address.set_query(Some(&format!("app={application}")));
        let mut request = address.as_str().into_client_request().map_err(|error| error.to_string())?;
        let user = format!("{}:{}", self.asterisk.user, self.asterisk.password.as_str());
        let mut basic = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(user)))
            .map_err(|_| "the user or password has characters that no header may have".to_owned())?;
        basic.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, basic);
        let config = WebSocketConfig::default()
            .max_message_size(Some(HOPELESS_FRAME))
            .max_frame_size(Some(HOPELESS_FRAME));
        let connecting = connect_async_with_config(request, Some(config), true);
        match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
            Ok(Ok((stream, _))) => Ok(stream),
            Ok(Err(Error::Http(answer))) if answer.status() == 401 => {
                Err("it refused the user or password (ari.conf)".to_owned())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        }
    }

    /// Serves one connection to its end; says why it ended.
    async fn serve(&mut self, stream: Stream) -> Ended {
        self.metrics.asterisk_connected.inc();
        while self.requests.try_recv().is_ok() {}
        let (sink, stream) = stream.split();
        let waiting = Waiting::default();
        self.here.store(true, Ordering::Relaxed);
        if self.news.send(News::Here).await.is_err() {
            return Ended::Lost("the server stops".to_owned());
        }
        // Both halves are served at once: were one to wait for the other, both ends' buffers could fill.
        let why = tokio::select! {
            why = read(stream, &waiting, &self.news, &self.metrics) => why,
            why = write(sink, &mut self.requests, &waiting) => Ended::Lost(why),
        };
        self.here.store(false, Ordering::Relaxed);
        let _ = self.news.send(News::Away).await;
        why
    }
}

async fn write(
    mut sink: SplitSink<Stream, Message>,
    requests: &mut mpsc::UnboundedReceiver<Outgoing>,
    waiting: &Waiting,
) -> String {
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut number = 0;
    loop {
        let written = tokio::select! {
            outgoing = requests.recv() => {
                let Some(outgoing) = outgoing else { return "the server stops".to_owned() };
                number += 1;
                let frame = outgoing.request.frame(number);
                waiting.add(number, outgoing.answer);
                sink.send(Message::text(frame)).await
            }
            _ = ping.tick() => sink.send(Message::Ping("".into())).await,
        };
        if let Err(error) = written {
            return error.to_string();
        }
    }
}

async fn read(
    mut stream: SplitStream<Stream>,
    waiting: &Waiting,
    news: &mpsc::Sender<News>,
    metrics: &Metrics,
) -> Ended {
    let lost = |why: &str| Ended::Lost(why.to_owned());
    loop {
        let message = match tokio::time::timeout(SILENT_FOR, stream.next()).await {
            Err(_) => return lost("Asterisk hangs: it did not answer our pings"),
            Ok(None) => return lost("Asterisk closed it"),
            Ok(Some(Err(error))) => return Ended::Lost(error.to_string()),
            Ok(Some(Ok(message))) => message,
        };
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return lost("Asterisk closed it"),
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Binary(_) | Message::Frame(_) => {
                metrics.frames_dropped.inc();
                continue;
            }
        };
        if text.len() > LONGEST_FRAME {
            metrics.frames_dropped.inc();
            warn!(bytes = text.len(), "dropped a frame from Asterisk that is too long");
            continue;
        }
        match messages::read(&text) {
            Ok(Incoming::Response(number, response)) => {
                let Some((since, answer)) = waiting.take(number) else { continue };
                metrics.asterisk_answer_seconds.observe(since.elapsed().as_secs_f64());
                let _ = answer.send(Ok(response));
            }
            // This socket is deaf from now on: only pings are answered.
            Ok(Incoming::Event(Event::Replaced)) => return Ended::Replaced,
            Ok(Incoming::Event(event)) => {
                if news.try_send(News::Event(event)).is_err() {
                    return lost("events came faster than they could be handled");
                }
            }
            Ok(Incoming::Ignored) => {}
            Err(error) => {
                metrics.frames_dropped.inc();
                warn!(%error, "dropped a frame");
            }
        }
    }
}
