//! A SIP client without manners: what somebody can do who has a volunteer's secrets and wants more than a call.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt, StreamExt};
use protocol::{
    PROTOCOL,
    http::{PROTOCOL_HEADER, SignedIn},
    ids::DeviceId,
};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue},
};
use url::Url;
use uuid::Uuid;

use crate::{
    api::Api,
    networks::Home,
    ringround::Ringround,
    tls,
    volunteer::{authorise, new_key, spend},
};

/// How long a reply may take; a request that gets none was dropped.
const PATIENCE: Duration = Duration::from_secs(2);

/// Everything that is on a volunteer's machine, in other hands.
pub struct Stolen {
    /// The device.
    pub device: DeviceId,
    /// Its secrets.
    pub sign_in: SignedIn,
    /// Requests with its token.
    pub api: Api,
    /// Where the thief is.
    pub home: Home,
    server: Url,
    tls: Arc<rustls::ClientConfig>,
}

/// A WebSocket to the server with nothing behind it that keeps to a protocol.
pub struct Socket {
    frames: WebSocketStream<MaybeTlsStream<TcpStream>>,
    user: String,
    password: String,
    sequence: u32,
}

/// A SIP request; what is not said here is filled in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// `INVITE`
    pub method: &'a str,
    /// `sip:+447700900001@ringround`
    pub uri: &'a str,
    /// Who asks, `sip:...`; the account if empty.
    pub from: &'a str,
    /// Whom it is for; the request's URI if empty. May carry a tag.
    pub to: &'a str,
    /// Of a call that is there already; new if empty.
    pub call_id: &'a str,
    /// Where answers and calls should go, `<sip:...>`; the account behind this socket if empty.
    pub contact: &'a str,
    /// More headers, each with its end of line.
    pub headers: &'a str,
    /// `application/sdp`, if there is one.
    pub body: &'a str,
}

/// An offer as a browser makes it.
pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.77.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
     m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\n\
     a=ice-pwd:0123456789abcdef01234567\r\na=fingerprint:sha-256 \
     AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA\r\n\
     a=setup:actpass\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=sendrecv\r\n";

/// A device that has joined, and has not signed in yet.
pub struct Joined {
    device: DeviceId,
    key: SigningKey,
    api: Api,
    home: Home,
}

impl Joined {
    /// A new device in this home joins by a new link.
    ///
    /// # Errors
    /// When joining fails.
    pub async fn at(server: &Ringround, home: &Home, name: &str) -> Result<Self> {
        let link = server.invite(name)?;
        let api = Api::new(home, &link.server, server)?;
        let (device, key) = (DeviceId::new(Uuid::now_v7()), new_key()?);
        spend(&api, &link, device, &key).await?;
        Ok(Self { device, key, api, home: home.clone() })
    }
}

impl Stolen {
    /// A volunteer joins and signs in, and this is what a thief has then.
    ///
    /// # Errors
    /// When joining fails.
    pub async fn from(server: &Ringround, name: &str) -> Result<Self> {
        let home = server.networks.home()?;
        Self::of(Joined::at(server, &home, name).await?, server).await
    }

    /// The same of who has joined.
    ///
    /// # Errors
    /// When the server refuses the sign-in.
    pub async fn of(joined: Joined, server: &Ringround) -> Result<Self> {
        let Joined { device, key, api, home } = joined;
        let sign_in = authorise(&api, device, &key).await?;
        let api = api.signed_in(&sign_in.token);
        let (server, tls) = (api.server.clone(), tls::believing(&server.authority())?);
        Ok(Self { device, sign_in, api, home, server, tls })
    }

    /// Opens `/sip` or `/live` with its token.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn open(&self, path: &str) -> Result<Socket> {
        match self.connect(path, Some(&self.sign_in.token)).await? {
            Ok(frames) => Ok(Socket {
                frames,
                user: self.device.to_string(),
                password: self.sign_in.sip_password.clone(),
                sequence: 0,
            }),
            Err(status) => bail!("{path} answered HTTP {status}"),
        }
    }

    /// The HTTP status with which `/sip` or `/live` is refused to this token; `None`: it was opened.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn refusal(&self, path: &str, token: Option<&str>) -> Result<Option<u16>> {
        Ok(self.connect(path, token).await?.err())
    }

    async fn connect(
        &self,
        path: &str,
        token: Option<&str>,
    ) -> Result<Result<WebSocketStream<MaybeTlsStream<TcpStream>>, u16>> {
        let (server, path, token) = (self.server.clone(), path.to_owned(), token.map(str::to_owned));
        let tls = Arc::clone(&self.tls);
        self.home.run(async move { connect(&server, &path, token.as_deref(), tls).await }).await
    }
}

async fn connect(
    server: &Url,
    path: &str,
    token: Option<&str>,
    tls: Arc<rustls::ClientConfig>,
) -> Result<Result<WebSocketStream<MaybeTlsStream<TcpStream>>, u16>> {
    let mut url = server.join(path)?;
    url.set_scheme("wss").ok().context("a URL that can be wss")?;
    let mut request = url.as_str().into_client_request()?;
    let headers = request.headers_mut();
    headers.insert(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL));
    if let Some(token) = token {
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}"))?);
    }
    if path == "/sip" {
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("sip"));
    }
    let connecting =
        tokio_tungstenite::connect_async_tls_with_config(request, None, true, Some(Connector::Rustls(tls)));
    match tokio::time::timeout(Duration::from_secs(5), connecting).await.context("no answer")? {
        Ok((frames, _)) => Ok(Ok(frames)),
        Err(tungstenite::Error::Http(reply)) => Ok(Err(reply.status().as_u16())),
        Err(error) => Err(error).context(path.to_owned()),
    }
}

impl Socket {
    /// Sends a request, answers a challenge with the account's password, and gives the final status; `None`: no
    /// reply came.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn ask(&mut self, request: Request<'_>) -> Result<Option<u16>> {
        let Some(reply) = self.exchange(request, "").await? else { return Ok(None) };
        let status = status(&reply);
        if status != Some(401) && status != Some(407) {
            return Ok(status);
        }
        let Some(answer) = answer(&reply, request, &self.user, &self.password) else { return Ok(status) };
        let reply = self.exchange(request, &answer).await?;
        Ok(reply.as_deref().and_then(crate::raw_sip::status))
    }

    /// Sends a request, and waits for nothing.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn tell(&mut self, request: Request<'_>) -> Result<()> {
        let text = self.write(request, "", &Uuid::now_v7().simple().to_string());
        self.frame(Message::text(text)).await
    }

    /// Sends so many copies of a request, each authorised if there was a challenge, and waits for nothing.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn flood(&mut self, request: Request<'_>, copies: usize) -> Result<()> {
        // Where the first is dropped on the way, so are the others, if all is well.
        let reply = self.exchange(request, "").await?;
        let answer =
            reply.and_then(|reply| answer(&reply, request, &self.user, &self.password)).unwrap_or_default();
        for _ in 0..copies {
            let text = self.write(request, &answer, &Uuid::now_v7().simple().to_string());
            self.frame(Message::text(text)).await?;
        }
        Ok(())
    }

    /// The next INVITE that is sent to the account; `None`: none came.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn invited(&mut self, patience: Duration) -> Result<Option<String>> {
        let invite = async {
            while let Some(frame) = self.frames.next().await {
                let Message::Text(text) = frame? else { continue };
                if text.starts_with("INVITE ") {
                    return Ok(text.to_string());
                }
            }
            bail!("the server closed the socket")
        };
        tokio::time::timeout(patience, invite).await.ok().transpose()
    }

    /// Answers a request with a status, `302 Moved`, and more headers, each with its end of line.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn reply(&mut self, request: &str, status: &str, headers: &str) -> Result<()> {
        self.reply_with(request, status, headers, "").await
    }

    /// The same with a session description.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn reply_with(
        &mut self,
        request: &str,
        status: &str,
        headers: &str,
        description: &str,
    ) -> Result<()> {
        let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        let kept = request.split("\r\n").filter(|line| kept.iter().any(|name| line.starts_with(name)));
        let kept: String = kept
            .map(|line| {
                if line.starts_with("To:") { format!("{line};tag=thief\r\n") } else { format!("{line}\r\n") }
            })
            .collect();
        let kind = if description.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let length = description.len();
        self.frame(Message::text(format!(
            "SIP/2.0 {status}\r\n{kept}{headers}{kind}Content-Length: {length}\r\n\r\n{description}"
        )))
        .await
    }

    /// Sends a frame as it is.
    ///
    /// # Errors
    /// When the socket is closed.
    pub async fn frame(&mut self, frame: Message) -> Result<()> {
        let sent = tokio::time::timeout(Duration::from_secs(10), self.frames.send(frame)).await;
        Ok(sent.context("the server takes no more")??)
    }

    /// Whether the server closes it within the time.
    pub async fn closes(&mut self, patience: Duration) -> bool {
        let closed = async {
            while let Some(frame) = self.frames.next().await {
                match frame {
                    Ok(Message::Close(_)) | Err(_) => return,
                    Ok(_) => {}
                }
            }
        };
        tokio::time::timeout(patience, closed).await.is_ok()
    }

    async fn exchange(&mut self, request: Request<'_>, authorisation: &str) -> Result<Option<String>> {
        let branch = Uuid::now_v7().simple().to_string();
        let text = self.write(request, authorisation, &branch);
        self.frame(Message::text(text.clone())).await?;
        let reply = async {
            while let Some(frame) = self.frames.next().await {
                let Message::Text(reply) = frame? else { continue };
                let provisional = status(&reply).is_none_or(|status| status < 200);
                if !provisional && reply.contains(&branch) {
                    return Ok(reply.to_string());
                }
            }
            bail!("the server closed the socket")
        };
        let Ok(reply) = tokio::time::timeout(PATIENCE, reply).await else { return Ok(None) };
        let reply = reply?;
        if request.method == "INVITE" {
            self.frame(Message::text(acknowledge(&text, &reply))).await?;
        }
        Ok(Some(reply))
    }

    fn write(&mut self, request: Request<'_>, authorisation: &str, branch: &str) -> String {
        self.sequence += 1;
        let own = format!("sip:{}@ringround", self.user);
        let or = |given: &str, otherwise: &str| {
            let text = if given.is_empty() { otherwise } else { given };
            if text.contains('<') { text.to_owned() } else { format!("<{text}>") }
        };
        let call_id = if request.call_id.is_empty() { branch } else { request.call_id };
        // In a call that is there already, its numbers go on from far above.
        let sequence = if request.call_id.is_empty() { self.sequence } else { self.sequence + 10_000 };
        let kind = if request.body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let mut from = or(request.from, &own);
        if !from.contains(";tag=") {
            from.push_str(";tag=thief");
        }
        let contact = or(request.contact, &format!("sip:{}@thief.invalid;transport=ws", self.user));
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WSS thief.invalid;branch=z9hG4bK{branch};rport\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {sequence} {method}\r\n\
             Contact: {contact}\r\n{more}{authorisation}{kind}Content-Length: {length}\r\n\r\n{body}",
            method = request.method,
            uri = request.uri,
            to = or(request.to, request.uri),
            more = request.headers,
            length = request.body.len(),
            body = request.body,
        )
    }
}

fn status(reply: &str) -> Option<u16> {
    reply.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// RFC 3261, section 17.1.1.3: the ACK of a refusal goes in the INVITE's own transaction.
fn acknowledge(invite: &str, reply: &str) -> String {
    let line = |text: &str, name: &str| {
        text.split("\r\n").find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
    };
    let first = invite.split("\r\n").next().unwrap_or_default().replacen("INVITE", "ACK", 1);
    let sequence = line(invite, "CSeq:").replace("INVITE", "ACK");
    let copied = ["Via:", "Max-Forwards:", "From:", "Call-ID:"].map(|name| line(invite, name)).join("\r\n");
    format!("{first}\r\n{copied}\r\n{}\r\n{sequence}\r\nContent-Length: 0\r\n\r\n", line(reply, "To:"))
}

/// RFC 8760 with RFC 7616, section 3.4: SHA-256, `qop=auth`.
fn answer(reply: &str, request: Request<'_>, user: &str, password: &str) -> Option<String> {
    let challenge = reply.split("\r\n").find(|line| {
        line.to_ascii_lowercase().starts_with("www-authenticate:") && line.contains("SHA-256")
    })?;
    let value = |name: &str| {
        let from = challenge.split(&format!("{name}=\"")).nth(1)?;
        from.split('"').next().map(str::to_owned)
    };
    let (realm, nonce) = (value("realm")?, value("nonce")?);
    let hash = |text: String| -> String {
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let who = hash(format!("{user}:{realm}:{password}"));
    let what = hash(format!("{}:{}", request.method, request.uri));
    let response = hash(format!("{who}:{nonce}:00000001:0a4f113b:auth:{what}"));
    let opaque = value("opaque").map(|opaque| format!(",opaque=\"{opaque}\"")).unwrap_or_default();
    Some(format!(
        "Authorization: Digest username=\"{user}\",realm=\"{realm}\",nonce=\"{nonce}\",uri=\"{uri}\",\
         response=\"{response}\",algorithm=SHA-256,qop=auth,nc=00000001,cnonce=\"0a4f113b\"{opaque}\r\n",
        uri = request.uri
    ))
}
