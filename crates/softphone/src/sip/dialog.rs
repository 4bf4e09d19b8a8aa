//! A dialog (RFC 3261 section 12): what two sides need to know for requests within a call.

use super::message::{address, elements};
use super::{Headers, Method, Request, Response, token};

/// How requests of ours look, for as long as one connection lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `sip:user@domain`.
    pub(crate) address: String,
    /// Where we can be reached: a name that exists for this connection only (RFC 7118 section 5).
    pub(crate) contact: String,
    /// `WS` or `WSS`.
    pub(crate) protocol: &'static str,
    /// The name in Via, `….invalid`.
    pub(crate) host: String,
    pub(crate) user_agent: String,
}

/// The methods that we answer with something else than 405.
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE";

impl Identity {
    pub(crate) fn new(username: &str, domain: &str, user_agent: &str) -> Self {
        let host = format!("{}.invalid", token(6));
        Self {
            address: format!("sip:{username}@{domain}"),
            contact: format!("sip:{username}@{host};transport=ws"),
            protocol: "WSS",
            host,
            user_agent: user_agent.to_owned(),
        }
    }

    /// A Via with a new branch: a new transaction.
    pub(crate) fn via(&self) -> String {
        format!("SIP/2.0/{} {};branch=z9hG4bK{};rport", self.protocol, self.host, token(9))
    }
}

/// What two sides know of a call that is up, or about to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    pub(crate) local: String,
    pub(crate) remote: String,
    pub(crate) target: String,
    pub(crate) routes: Vec<String>,
    pub(crate) sequence: u32,
    pub(crate) remote_sequence: Option<u32>,
}

impl Dialog {
    /// Of a call of ours, from a response with a To tag.
    pub(crate) fn outgoing(invite: &Request, response: &Response) -> Option<Self> {
        let remote = response.headers.get("To")?;
        super::message::parameter(&remote, "tag")?;
        let mut routes = record_routes(&response.headers);
        routes.reverse();
        let contact = response.headers.get("Contact");
        Some(Self {
            call_id: invite.headers.call_id(),
            local: invite.headers.get("From")?,
            remote,
            target: contact.as_deref().map_or_else(|| invite.uri.clone(), address),
            routes,
            sequence: invite.headers.cseq()?.0,
            remote_sequence: None,
        })
    }

    /// Of a call to us, with our tag.
    pub(crate) fn incoming(invite: &Request, tag: &str) -> Option<Self> {
        let contact = invite.headers.get("Contact")?;
        Some(Self {
            call_id: invite.headers.call_id(),
            local: format!("{};tag={tag}", invite.headers.get("To")?),
            remote: invite.headers.get("From")?,
            target: address(elements(&contact).first()?),
            routes: record_routes(&invite.headers),
            sequence: 0,
            remote_sequence: Some(invite.headers.cseq()?.0),
        })
    }

    /// The next request of ours within the dialog.
    pub(crate) fn request(&mut self, identity: &Identity, method: Method) -> Request {
        self.sequence += 1;
        self.build(identity, method, self.sequence)
    }

    /// The ACK of a 2xx: a transaction of its own with the number of its INVITE.
    pub(crate) fn ack(&self, identity: &Identity, sequence: u32) -> Request {
        self.build(identity, Method::Ack, sequence)
    }

    fn build(&self, identity: &Identity, method: Method, sequence: u32) -> Request {
        let target = if self.target.is_empty() { &identity.address } else { &self.target };
        let mut request = Request::new(method.clone(), target.clone())
            .with("Via", identity.via())
            .with("Max-Forwards", "70");
        for route in &self.routes {
            request.headers.push("Route", route.clone());
        }
        request
            .with("From", self.local.clone())
            .with("To", self.remote.clone())
            .with("Call-ID", self.call_id.clone())
            .with("CSeq", format!("{sequence} {method}"))
            .with("Contact", format!("<{}>", identity.contact))
            .with("User-Agent", identity.user_agent.clone())
    }

    /// Whether a request of the other side belongs here and is newer than the last one.
    pub(crate) fn accepts(&mut self, request: &Request) -> bool {
        let Some((number, _)) = request.headers.cseq() else { return false };
        if self.remote_sequence.is_some_and(|last| number < last) {
            return false;
        }
        self.remote_sequence = Some(number);
        true
    }

    /// Takes a new Contact of the other side (target refresh, RFC 3261 section 12.2.2).
    pub(crate) fn refresh(&mut self, headers: &Headers) {
        if let Some(contact) = headers.get("Contact") {
            self.target = address(&contact);
        }
    }
}

fn record_routes(headers: &Headers) -> Vec<String> {
    let values = headers.all("Record-Route");
    values.iter().flat_map(|value| elements(value)).map(str::to_owned).collect()
}
