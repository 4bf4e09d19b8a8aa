//! The bones of a SIP peer over UDP: it reads what comes, answers what needs no thought (CANCEL, BYE, OPTIONS, what it does
//! not know) and hands on the rest, for [`crate::callee`] and [`crate::scripted`].

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::net::UdpSocket;

use crate::g711;

/// The socket, and what is remembered of each call that is going on.
pub(crate) struct SipPeer<C> {
    pub(crate) socket: Arc<UdpSocket>,
    /// By Call-ID, with the INVITE that began it.
    calls: HashMap<String, (Request, C)>,
    /// Leaves OPTIONS without an answer.
    deaf: Arc<AtomicBool>,
}

/// What came that wants more than an answer.
pub(crate) enum News<C> {
    /// A call, to be answered, and to be told of by [`SipPeer::remember`].
    Invited(Request, SocketAddr),
    /// A call was cancelled, which was answered.
    Cancelled(C),
    /// The other end rang off, which was answered.
    RungOff(C),
    /// An answer to a request of ours.
    Reply(String),
}

impl<C> SipPeer<C> {
    pub(crate) fn new(socket: UdpSocket, deaf: Arc<AtomicBool>) -> Self {
        Self { socket: Arc::new(socket), calls: HashMap::new(), deaf }
    }

    /// The next thing that wants more than an answer; `None`: the socket is gone.
    pub(crate) async fn next(&mut self) -> Option<News<C>> {
        let mut datagram = vec![0; 65_536];
        loop {
            let (length, from) = self.socket.recv_from(&mut datagram).await.ok()?;
            let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
            let Some(request) = Request::read(&text) else { return Some(News::Reply(text)) };
            if let Some(news) = self.take(request, from).await {
                return Some(news);
            }
        }
    }

    async fn take(&mut self, request: Request, from: SocketAddr) -> Option<News<C>> {
        match request.method.as_str() {
            "INVITE" if !self.calls.contains_key(&request.call_id) => {
                return Some(News::Invited(request, from));
            }
            "INVITE" | "ACK" => {}
            "OPTIONS" if self.deaf.load(Ordering::Relaxed) => {}
            "CANCEL" => {
                self.send(&request.reply("200 OK", "", ""), from).await;
                let (invite, call) = self.calls.remove(&request.call_id)?;
                self.send(&invite.reply("487 Request Terminated", "", ""), from).await;
                return Some(News::Cancelled(call));
            }
            "BYE" => {
                self.send(&request.reply("200 OK", "", ""), from).await;
                return self.calls.remove(&request.call_id).map(|(_, call)| News::RungOff(call));
            }
            "OPTIONS" => self.send(&request.reply("200 OK", "", ""), from).await,
            _ => self.send(&request.reply("501 Not Implemented", "", ""), from).await,
        }
        None
    }

    /// Takes up a call, so that its end is told.
    pub(crate) fn remember(&mut self, invite: Request, call: C) {
        self.calls.insert(invite.call_id.clone(), (invite, call));
    }

    /// What was remembered of a call that is going on.
    pub(crate) fn call(&self, id: &str) -> Option<&C> {
        self.calls.get(id).map(|(_, call)| call)
    }

    pub(crate) async fn send(&self, text: &str, to: SocketAddr) {
        let _ = self.socket.send_to(text.as_bytes(), to).await;
    }
}

/// A request that came in, and what is sent back within its call.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) number: String,
    pub(crate) call_id: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let mut start = lines.next()?.split(' ');
        let (method, uri) = (start.next()?.to_owned(), start.next()?);
        if method.starts_with("SIP/2.0") {
            return None;
        }
        let number = uri.trim_start_matches("sip:").split(['@', ';']).next()?.to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let call_id = headers.iter().find(|(name, _)| name == "call-id" || name == "i")?.1.clone();
        Some(Self { method, number, call_id, headers, body: body.to_owned() })
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn reply(&self, status: &str, more: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for (_, via) in self.headers.iter().filter(|(name, _)| name == "via") {
            text.push_str(&format!("Via: {via}\r\n"));
        }
        for (_, route) in self.headers.iter().filter(|(name, _)| name == "record-route") {
            text.push_str(&format!("Record-Route: {route}\r\n"));
        }
        let tag = if self.header("to").contains(";tag=") { "" } else { ";tag=callee" };
        text.push_str(&format!(
            "From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            self.header("from"),
            self.header("to"),
            self.call_id,
            self.header("cseq"),
            body.len()
        ));
        text
    }

    pub(crate) fn bye(&self, contact: &str) -> String {
        self.within("BYE", 1, contact, "")
    }

    /// A request of ours within the call that this INVITE began; `contact` is our header of that name.
    pub(crate) fn within(&self, method: &str, sequence: u32, contact: &str, sdp: &str) -> String {
        let target = self.header("contact");
        let target =
            target.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(target, |(uri, _)| uri);
        let via =
            contact.split_once('@').map_or("127.0.0.1", |(_, rest)| rest.trim_end().trim_end_matches('>'));
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{}\r\nMax-Forwards: 70\r\n\
             From: {};tag=callee\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {sequence} {method}\r\n{contact}{kind}\
             Content-Length: {}\r\n\r\n{sdp}",
            uuid::Uuid::now_v7().simple(),
            self.header("to"),
            self.header("from"),
            self.call_id,
            sdp.len()
        )
    }
}

/// A packet of G.711 µ-law with 20 ms of sound; `marked`: the first of a talk.
pub(crate) fn packet(marked: bool, sequence: u16, stamp: u32, samples: impl Iterator<Item = i16>) -> Vec<u8> {
    let mut packet = vec![0x80, if marked { 0x80 } else { 0 }];
    packet.extend(sequence.to_be_bytes());
    packet.extend(stamp.to_be_bytes());
    packet.extend([0x52, 0x69, 0x6e, 0x67]);
    packet.extend(samples.take(160).map(g711::encode));
    packet
}

/// Where the other end of an SDP wants its sound.
pub(crate) fn media_address(sdp: &str) -> Option<SocketAddr> {
    let host = sdp.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?.trim();
    let port = sdp.lines().find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?;
    format!("{host}:{port}").parse().ok()
}
