//! What of an app's SIP goes on to Asterisk: whatever an app of ours sends, and nothing that says where else Asterisk
//! should send something.
//!
//! | in a message | passes | why |
//! | --- | --- | --- |
//! | a request | of the methods that a telephone of ours sends ([`message`](super::message)) | Asterisk's modules answer others |
//! | an INVITE | within a call that Asterisk made: with a tag in `To` | no app of ours rings out, and each new one costs Asterisk a channel, ports and a line in its log |
//! | `Contact` | one, of the form that an app writes; of a refusal or a redirection, none | Asterisk turns the first into the tunnel it came by, and believes a second, and whatever else is in one |
//! | `Record-Route`, `Route`, `Path` | none | the next request of the call would go there |
//! | a session description | with the candidates and the address that are the app's to name ([`description`]) | ICE sends packets to each |
//! | another body | a key that was pressed | |

use super::{
    description::{self, Unfit},
    message::{Message, Unreadable},
    reach::Reach,
};

/// What goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) text: String,
    /// It names addresses that Asterisk sends to.
    pub(super) describes: bool,
}

/// Why nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("an INVITE to a new call: no app rings out")]
    NewCall,
    #[error("a Contact that is no app's")]
    Contact,
    #[error("a header that sends the next request elsewhere")]
    Elsewhere,
    #[error("a body of a kind that no app sends")]
    Body,
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// Of a frame of an app, what goes on to Asterisk.
pub(super) fn pass(frame: &str, reach: &Reach) -> Result<Passed, Refused> {
    let mut message = Message::read(frame)?;
    if message.asks("INVITE") && !is_within_a_call(&message) {
        return Err(Refused::NewCall);
    }
    if message
        .headers
        .iter()
        .any(|header| ["Record-Route", "Route", "Path"].iter().any(|name| header.is(name, name)))
    {
        return Err(Refused::Elsewhere);
    }
    if message.status.is_some_and(|status| status >= 300) {
        message.headers.retain(|header| !header.is("Contact", "m"));
    }
    let mut contacts = message.all("Contact", "m");
    let contact = contacts.next();
    if contacts.next().is_some() || contact.is_some_and(|contact| !is_an_apps(contact)) {
        return Err(Refused::Contact);
    }
    drop(contacts);
    if message.body.is_empty() {
        return Ok(Passed { text: message.write(""), describes: false });
    }
    match kind(&message).as_deref() {
        Some("application/sdp") => {
            let body = description::within(reach, message.body)?;
            Ok(Passed { text: message.write(&body), describes: true })
        }
        Some("application/dtmf-relay") if is_a_key(message.body) => {
            Ok(Passed { text: message.write(message.body), describes: false })
        }
        Some(_) | None => Err(Refused::Body),
    }
}

/// `"Ringround" <sip:asterisk@10.81.0.2>;tag=5d1c...`, once, as Asterisk wrote it: a tag elsewhere in it is none.
fn is_within_a_call(message: &Message<'_>) -> bool {
    let mut all = message.all("To", "t");
    let (Some(to), None) = (all.next(), all.next()) else { return false };
    let Some((name, rest)) = to.split_once('<') else { return false };
    let Some((address, parameters)) = rest.split_once('>') else { return false };
    let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix("\" "));
    (name.is_empty() || quoted.is_some_and(|name| !name.contains(['"', '\\'])))
        && plain(address, b"-._~+:;=@[]%")
        && parameters.strip_prefix(";tag=").is_some_and(|tag| plain(tag, b"-._~+"))
}

/// `<sip:0190...@k3j5.invalid;transport=ws>;expires=300`: no parameter or header in it that a call would follow.
fn is_an_apps(contact: &str) -> bool {
    let parts = contact.strip_prefix("<sip:").and_then(|rest| rest.split_once('>'));
    let Some((address, parameters)) = parts else { return false };
    let Some((user, host)) =
        address.strip_suffix(";transport=ws").and_then(|address| address.split_once('@'))
    else {
        return false;
    };
    let expires = parameters.strip_prefix(";expires=");
    plain(user, b"-._~+")
        && plain(host, b"-.:[]")
        && (parameters.is_empty()
            || expires.is_some_and(|seconds| seconds.bytes().all(|byte| byte.is_ascii_digit())))
}

fn plain(text: &str, more: &[u8]) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
}

/// `Signal=5`, `Duration=100`
fn is_a_key(body: &str) -> bool {
    let lines = body.strip_prefix("Signal=").and_then(|body| body.split_once("\r\nDuration="));
    lines.is_some_and(|(key, duration)| {
        key.len() == 1
            && plain(key, b"*#")
            && duration
                .strip_suffix("\r\n")
                .is_some_and(|ms| !ms.is_empty() && ms.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

fn kind(message: &Message<'_>) -> Option<String> {
    let mut kinds = message.all("Content-Type", "c");
    let kind = kinds.next()?;
    let is_encoded = message.headers.iter().any(|header| header.is("Content-Encoding", "e"));
    (kinds.next().is_none() && !is_encoded).then(|| kind.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn reach() -> Reach {
        Reach::from_machine("203.0.113.9", &[("127.0.0.1", 8), ("198.51.100.7", 24)])
    }

    fn request(headers: &str, body: &str) -> String {
        format!(
            "REGISTER sip:ringround SIP/2.0\r\nVia: SIP/2.0/WSS a.invalid;branch=z9hG4bK1\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn passes(headers: &str, body: &str) -> Result<Passed, Refused> {
        pass(&request(headers, body), &reach())
    }

    #[test]
    fn a_contact_is_the_tunnels_or_the_message_is_refused() {
        for good in
            ["<sip:0190-a@k3j5.invalid;transport=ws>;expires=300", "<sip:maya@203.0.113.9:5060;transport=ws>"]
        {
            let text = request(&format!("Contact: {good}\r\n"), "");
            assert_eq!(pass(&text, &reach()), Ok(Passed { text: text.clone(), describes: false }));
        }
        for bad in [
            "<sip:x@203.0.113.9:5060;transport=udp>",
            "sip:x@203.0.113.9:5060",
            "<sip:x@203.0.113.9>",
            "<sip:x@a.invalid;maddr=203.0.113.9;transport=ws>",
            "<sip:x@a.invalid;transport=ws?Route=%3Csip:203.0.113.9%3E>",
            "<sip:x?Route=y@a.invalid;transport=ws>",
            "<sips:x@a.invalid;transport=ws>",
            "<tel:+447700900001>",
            "<sip:x@a.invalid;transport=ws>, <sip:x@203.0.113.9>",
            "<sip:x@a.invalid;transport=ws>;expires=0, <sip:x@203.0.113.9>",
            "\"a\" <sip:x@a.invalid;transport=ws>",
            "<sip:x@a.invalid;transport=ws>\r\nm: <sip:x@203.0.113.9>",
            "<sip:x@a.invalid;transport=ws>\r\nCONTACT: <sip:x@a.invalid;transport=ws>",
            "*",
            "",
        ] {
            assert_eq!(passes(&format!("Contact: {bad}\r\n"), ""), Err(Refused::Contact), "{bad}");
        }
    }

    #[test]
    fn a_redirection_names_nobody() {
        for status in ["300 Multiple Choices", "302 Moved", "305 Use Proxy", "486 Busy", "603 Decline"] {
            let text = format!(
                "SIP/2.0 {status}\r\nCSeq: 1 INVITE\r\nm: <sip:x@203.0.113.9>\r\nContent-Length: 0\r\n\r\n"
            );
            let passed = pass(&text, &reach()).unwrap();
            assert_eq!(passed.text, text.replace("m: <sip:x@203.0.113.9>\r\n", ""));
        }
        let answered = "SIP/2.0 200 OK\r\nm: <sip:x@203.0.113.9>\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(pass(answered, &reach()), Err(Refused::Contact));
    }

    #[test]
    fn an_invite_passes_within_a_call_only() {
        let invite = |to: &str| {
            let text = request(to, "").replacen("REGISTER sip:ringround", "INVITE sip:a", 1);
            pass(&text, &reach()).map(|_| ())
        };
        for good in [
            "To: <sip:asterisk@10.81.0.2>;tag=5d1c-7f.2",
            "t: <sip:asterisk@[fd00::2]:5060;transport=ws>;tag=1",
            "To: \"Ring, round;\" <sip:asterisk@ringround>;tag=1",
        ] {
            assert_eq!(invite(&format!("{good}\r\n")), Ok(()), "{good}");
        }
        for bad in [
            "To: <sip:x@ringround>",
            "To: <sip:x@ringround>;tag=",
            "To: <sip:x@ringround>;tag",
            "To: <sip:x@ringround;tag=1>",
            "To: sip:x@ringround;tag=1",
            "To: sip:x@ringround>;tag=1",
            "To: \";tag=1\" <sip:x@ringround>",
            "To: \"<sip:x@ringround>;tag=1",
            "To: \"a\\\" <sip:y@ringround>;tag=1\" <sip:x@ringround>;tag=1",
            "To: a <sip:x@ringround>;tag=1",
            "To: <sip:x@ringround>;x=\";tag=1\"",
            "To: <sip:x@ringround>\r\nTo: <sip:x@ringround>;tag=1",
            "To: <sip:x@ringround>;tag=1\r\nt: <sip:x@ringround>",
            "From: <sip:x@ringround>;tag=1",
        ] {
            assert_eq!(invite(&format!("{bad}\r\n")), Err(Refused::NewCall), "{bad}");
        }
    }

    #[test]
    fn nothing_sends_the_next_request_elsewhere() {
        for header in ["Record-Route", "record-route", "Route", "Path"] {
            let refused = passes(&format!("{header}: <sip:203.0.113.9;lr>\r\n"), "");
            assert_eq!(refused, Err(Refused::Elsewhere), "{header}");
        }
    }

    #[test]
    fn a_description_is_looked_at_whatever_the_message_and_its_length_is_right() {
        let sdp = "v=0\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 107\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n\
            a=candidate:1 1 udp 1 192.0.2.1 4000 typ host\r\na=candidate:2 1 udp 1 127.0.0.1 22 typ host\r\n";
        let left = sdp.replace("a=candidate:2 1 udp 1 127.0.0.1 22 typ host\r\n", "");
        for first in [
            "SIP/2.0 200 OK",
            "SIP/2.0 183 Progress",
            "INVITE sip:a SIP/2.0\r\nTo: <sip:a>;tag=1",
            "UPDATE sip:a SIP/2.0",
            "OPTIONS sip:a SIP/2.0",
        ] {
            for kind in ["Content-Type: application/sdp", "c: Application/SDP"] {
                let text = format!("{first}\r\n{kind}\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
                let passed = pass(&text, &reach()).unwrap();
                let expected = format!("{first}\r\n{kind}\r\nContent-Length: {}\r\n\r\n{left}", left.len());
                assert_eq!(passed, Passed { text: expected, describes: true });
            }
        }
    }

    #[test]
    fn other_bodies_are_keys_or_nothing() {
        let key = "Signal=5\r\nDuration=100\r\n";
        assert!(passes("Content-Type: application/dtmf-relay\r\n", key).is_ok());
        for body in [
            ")\r\nContact: <sip:x@203.0.113.9>\r\n\r\n",
            " ",
            "Signal=55\r\nDuration=100\r\n",
            "Signal=5\r\nDuration=\r\n",
            "Signal=5\r\nDuration=1\r\nContact: <sip:x@203.0.113.9>\r\n",
        ] {
            assert_eq!(
                passes("Content-Type: application/dtmf-relay\r\n", body),
                Err(Refused::Body),
                "{body}"
            );
        }
        for headers in [
            "",
            "Content-Type: multipart/mixed;boundary=x\r\n",
            "Content-Type: application/trickle-ice-sdpfrag\r\n",
            "Content-Type: application/sdp;x=y\r\n",
            "Content-Type: application/dtmf-relay\r\nc: application/sdp\r\n",
            "Content-Type: application/dtmf-relay\r\nContent-Encoding: gzip\r\n",
        ] {
            assert_eq!(passes(headers, key), Err(Refused::Body), "{headers}");
        }
        assert_eq!(passes("Content-Type: application/sdp\r\n", key), Err(Refused::Unfit(Unfit::Line)));
    }

    proptest::proptest! {
        #[test]
        fn no_frame_makes_it_panic(frame in "(SIP/2.0 200 OK|INVITE a SIP/2.0|Contact|m|:| |l: 0|<sip:a@b>|\r\n|\\PC){0,30}") {
            let _ = pass(&frame, &reach());
        }

        #[test]
        fn what_passed_passes_again_unchanged(contact in "<sip:[a-z]{1,5}@[a-z.]{1,9};transport=ws>(;expires=[0-9]{1,4})?", name in "[A-Z][a-z]{3,9}", value in "[!-%*-Z^-~]{0,20}") {
            let text = request(&format!("X{name}: {value}\r\nContact: {contact}\r\n"), "");
            let passed = pass(&text, &reach()).unwrap();
            proptest::prop_assert_eq!(pass(&passed.text, &reach()).unwrap(), passed);
        }
    }
}
