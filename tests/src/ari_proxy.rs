//! Stands between the server and its Asterisk: each frame of ARI's WebSocket passes a [`Trap`], in both directions.
//! Other connections (the SIP of apps) are carried as they are.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::{
    accept_hdr_async, connect_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        handshake::server::{Request, Response},
        http::header::AUTHORIZATION,
    },
};

use crate::{
    pbx::Node,
    trap::{Lane, Trap},
};

/// How a request for ARI's WebSocket begins.
const ARI: &[u8] = b"GET /ari/events";

/// The proxy. Its connections end when it is dropped.
pub struct AriProxy {
    address: SocketAddr,
    _listener: JoinSet<()>,
}

impl AriProxy {
    /// Before the HTTP port of a node.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn before(node: &Node, trap: Trap) -> Result<Self> {
        let asterisk = node.http().trim_start_matches("http://").parse()?;
        let net = &node.networks.server;
        let listener = net.run(TcpListener::bind("127.0.0.1:0")).await?;
        let address = listener.local_addr()?;
        let mut listening = JoinSet::new();
        let accepting = async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let trap = trap.clone();
                connections.spawn(async move {
                    if let Err(error) = carry(near, asterisk, &trap).await {
                        tracing::debug!(%error, "a connection to Asterisk ended");
                    }
                });
            }
        };
        listening.spawn_on(accepting, net.runtime());
        Ok(Self { address, _listener: listening })
    }

    /// What the server is told as Asterisk's address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn carry(mut near: TcpStream, asterisk: SocketAddr, trap: &Trap) -> Result<()> {
    near.set_nodelay(true)?;
    let mut begins = [0; ARI.len()];
    // A request comes in one piece.
    near.peek(&mut begins).await?;
    if begins == *ARI {
        return frames(near, asterisk, trap).await;
    }
    let mut far = TcpStream::connect(asterisk).await?;
    far.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut near, &mut far).await?;
    Ok(())
}

async fn frames(near: TcpStream, asterisk: SocketAddr, trap: &Trap) -> Result<()> {
    let mut asked = None;
    #[expect(clippy::result_large_err, reason = "tungstenite's type")]
    let note = |request: &Request, response: Response| {
        asked = Some((request.uri().to_string(), request.headers().get(AUTHORIZATION).cloned()));
        Ok(response)
    };
    let near = accept_hdr_async(near, note).await?;
    let (path, authorization) = asked.context("a WebSocket has a request")?;
    let mut request = format!("ws://{asterisk}{path}").into_client_request()?;
    request.headers_mut().extend(authorization.map(|value| (AUTHORIZATION, value)));
    let (far, _) = connect_async_with_config(request, None, true).await?;
    let ((to_server, from_server), (to_asterisk, from_asterisk)) = (near.split(), far.split());
    tokio::select! {
        () = one_way(from_server, to_asterisk, Lane::ToAsterisk, trap) => {}
        () = one_way(from_asterisk, to_server, Lane::FromAsterisk, trap) => {}
    }
    Ok(())
}

/// Until either end closes, or the trap stops it. Pings are answered at each end by the library, and not counted.
async fn one_way(
    mut from: impl Stream<Item = tungstenite::Result<Message>> + Unpin,
    mut to: impl Sink<Message, Error = tungstenite::Error> + Unpin,
    lane: Lane,
    trap: &Trap,
) {
    while let Some(Ok(message)) = from.next().await {
        match message {
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return,
            Message::Text(_) | Message::Binary(_) | Message::Frame(_) => {
                if !trap.pass(lane, to.send(message)).await {
                    return;
                }
            }
        }
    }
}
