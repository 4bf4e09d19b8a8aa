//! One SIP message as our own app writes it (RFC 3261, section 7): plain lines, each header whole on a line of its own,
//! the body as long as it says. Asterisk reads much more, so whatever else there is is refused: what two readers
//! understand differently is how one of them is led past the other.

use std::fmt::Write as _;

const MOST_HEADERS: usize = 64;

/// The requests that a telephone of ours writes (`crates/softphone/src/sip/message.rs`), and no other: what Asterisk would
/// do with a MESSAGE, a REFER or a SUBSCRIBE is not left to its modules.
const METHODS: [&str; 8] = ["REGISTER", "INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "INFO", "OPTIONS"];

/// A message, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// `REGISTER sip:ringround SIP/2.0`, `SIP/2.0 200 OK`
    pub(super) first: &'a str,
    /// Of a response.
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<Header<'a>>,
    pub(super) body: &'a str,
}

/// A header's name and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    name: &'a str,
    pub(super) value: &'a str,
}

/// Why it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("no empty line after the headers")]
    NoEnd,
    #[error("neither a request of a telephone of ours nor a response in the first line")]
    FirstLine,
    #[error("a line that is no header")]
    Header,
    #[error("more than {MOST_HEADERS} headers")]
    TooManyHeaders,
    #[error("a body of another length than it says")]
    Length,
}

impl Header<'_> {
    /// Whether it is the one of this name; `short` is its compact form (RFC 3261, section 7.3.3), if it has one.
    pub(super) fn is(&self, name: &str, short: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.name.eq_ignore_ascii_case(short)
    }
}

impl<'a> Message<'a> {
    /// Reads one.
    pub(super) fn read(text: &'a str) -> Result<Self, Unreadable> {
        let (head, body) = text.split_once("\r\n\r\n").ok_or(Unreadable::NoEnd)?;
        let mut lines = head.split("\r\n");
        let first = lines.next().filter(|line| is_plain(line)).ok_or(Unreadable::FirstLine)?;
        let status = first_line(first)?;
        let headers: Vec<Header<'_>> =
            lines.take(MOST_HEADERS + 1).map(header).collect::<Option<_>>().ok_or(Unreadable::Header)?;
        if headers.len() > MOST_HEADERS {
            return Err(Unreadable::TooManyHeaders);
        }
        let message = Self { first, status, headers, body };
        let mut lengths = message.all("Content-Length", "l");
        let length = lengths.next().filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
        if lengths.next().is_some() || length.and_then(|value| value.parse().ok()) != Some(body.len()) {
            return Err(Unreadable::Length);
        }
        drop(lengths);
        Ok(message)
    }

    /// Whether it is a request of this method.
    pub(super) fn asks(&self, method: &str) -> bool {
        self.first.split(' ').next() == Some(method)
    }

    /// The values of every header of this name.
    pub(super) fn all(&self, name: &str, short: &str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |header| header.is(name, short)).map(|header| header.value)
    }

    /// Writes it down, with the length that its body has.
    pub(super) fn write(&self, body: &str) -> String {
        let mut text = String::with_capacity(self.first.len() + body.len() + 1_024);
        let _ = write!(text, "{}\r\n", self.first);
        for header in self.headers.iter().filter(|header| !header.is("Content-Length", "l")) {
            let _ = write!(text, "{}: {}\r\n", header.name, header.value);
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }
}

/// The status of a response; `None`: a request.
fn first_line(line: &str) -> Result<Option<u16>, Unreadable> {
    if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
        let status = rest.split(' ').next().filter(|word| word.len() == 3).and_then(|word| word.parse().ok());
        return status.filter(|status| (100..700).contains(status)).map(Some).ok_or(Unreadable::FirstLine);
    }
    match line.split(' ').collect::<Vec<_>>()[..] {
        [method, uri, "SIP/2.0"] if METHODS.contains(&method) && !uri.is_empty() => Ok(None),
        _ => Err(Unreadable::FirstLine),
    }
}

fn header(line: &str) -> Option<Header<'_>> {
    let (name, value) = line.split_once(':').filter(|(name, _)| is_plain(line) && is_token(name))?;
    // For Asterisk an `&` ends a header as a line's end does, and another begins (`parse_hdr_end` in `sip_parser.c`).
    Some(Header { name, value: value.trim_matches([' ', '\t']) }).filter(|_| !value.contains('&'))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}

/// No line break of any kind, no zero: nothing in it ends a line for another reader. Nor does one go on in the next: after
/// a `(` in a Via or a `[` in a URI Asterisk reads on until it is closed, into the body too.
fn is_plain(line: &str) -> bool {
    let is_closed = |open, close| line.rfind(open) <= line.rfind(close);
    !line.chars().any(|c| c.is_control() && c != '\t') && is_closed('(', ')') && is_closed('[', ']')
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTER: &str = "REGISTER sip:ringround SIP/2.0\r\nVia: SIP/2.0/WSS a.invalid;branch=z9hG4bK1\r\n\
        m: <sip:maya@a.invalid;transport=ws>\r\nContent-Length: 4\r\n\r\nbody";

    #[test]
    fn what_an_app_writes_is_read_and_written_alike() {
        let read = Message::read(REGISTER).expect("good");
        assert_eq!((read.status, read.body), (None, "body"));
        assert_eq!(read.all("Contact", "m").collect::<Vec<_>>(), ["<sip:maya@a.invalid;transport=ws>"]);
        assert_eq!(read.write("body"), REGISTER);
        assert!(read.write("other").ends_with("Content-Length: 5\r\n\r\nother"));
        let answer = Message::read("SIP/2.0 200 OK\r\nl:0\r\n\r\n").expect("good");
        assert_eq!(answer.status, Some(200));
    }

    #[test]
    fn no_request_passes_that_no_telephone_of_ours_sends() {
        let of = |method: &str| REGISTER.replacen("REGISTER", method, 1);
        for method in METHODS {
            assert!(Message::read(&of(method)).is_ok(), "{method}");
        }
        for method in [
            "MESSAGE",
            "REFER",
            "SUBSCRIBE",
            "NOTIFY",
            "PUBLISH",
            "PRACK",
            "X",
            "register",
            "Invite",
            "INVITEX",
            "",
        ] {
            assert_eq!(Message::read(&of(method)), Err(Unreadable::FirstLine), "{method}");
        }
    }

    #[test]
    fn what_another_reader_might_read_otherwise_is_refused() {
        for (changed, to) in [
            ("\r\nm:", "\nm:"),
            ("\r\nm:", "\r\n m:"),
            ("\r\nm:", "\r\nm :"),
            ("\r\nm:", "\r\n: x\r\nm:"),
            ("a.invalid;branch", "a.invalid\rContact: x;branch"),
            ("a.invalid;branch", "a.invalid\nContact: x;branch"),
            ("a.invalid;branch", "a.invalid\0;branch"),
            ("a.invalid;branch", "a.invalid\u{85};branch"),
            ("\r\nm:", "\r\nMax-Forwards: 70&Contact: <sip:x@203.0.113.9>\r\nm:"),
            ("transport=ws>", "transport=ws> &Route: <sip:203.0.113.9;lr>"),
            ("branch=z9hG4bK1", "branch=z9hG4bK1 ("),
            ("branch=z9hG4bK1", "branch=z9hG4bK1 (a) ("),
            ("sip:maya@a.invalid", "sip:maya@["),
            ("REGISTER sip:ringround", "REGISTER sip:["),
            ("Content-Length: 4\r\n", ""),
            ("Content-Length: 4", "Content-Length: 3"),
            ("Content-Length: 4", "Content-Length: 5"),
            ("Content-Length: 4", "Content-Length: +4"),
            ("Content-Length: 4", "Content-Length: 4\r\nl: 4"),
            ("REGISTER sip:ringround", "REGISTER  sip:ringround"),
            ("REGISTER sip:ringround", "\r\nREGISTER sip:ringround"),
            ("REGISTER sip:ringround SIP/2.0", "SIP/2.0 99 No"),
            ("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"),
            ("\r\n\r\nbody", "\r\n"),
        ] {
            let text = REGISTER.replacen(changed, to, 1);
            assert_ne!(text, REGISTER, "{changed:?} is not in it");
            assert!(Message::read(&text).is_err(), "{text:?}");
        }
        let many = REGISTER.replace("\r\nm:", &format!("{}\r\nm:", "\r\nX: y".repeat(MOST_HEADERS)));
        assert_eq!(Message::read(&many), Err(Unreadable::TooManyHeaders));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[A-Z:/ .0-9a-c\r\n]{0,200}") {
            let _ = Message::read(&text);
        }

        #[test]
        fn what_is_written_is_read_again(name in "[A-Za-z-]{2,12}", value in "[ -%*-Z^-~]{0,40}", body in "[a-z\r\n]{0,40}") {
            let text = format!("OPTIONS sip:a SIP/2.0\r\nX{name}: {value}\r\nl: {}\r\n\r\n{body}", body.len());
            let read = Message::read(&text).expect("good");
            let written = read.write(&body);
            let again = Message::read(&written).expect("good");
            proptest::prop_assert_eq!(again.write(&body), written);
        }
    }
}
