//! Reading and writing SIP messages (RFC 3261 section 7) over `rsip`.
//!
//! `rsip` holds the headers, untyped. Before it sees them a normaliser makes them plain (RFC 3261
//! section 7.3.1): folded lines joined, compact names written out, no space before the colon. The first
//! line and the body are read here: `rsip` refuses unknown methods and `tel:` addresses, which we must
//! answer, and ignores Content-Length.

use std::fmt::{self, Write as _};

use rsip::Header;

/// Bytes of the largest message that is read; anything longer is dropped.
pub(crate) const LARGEST: usize = 64 * 1024;
const MOST_HEADERS: usize = 128;

/// A message, either way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    Request(Request),
    Response(Response),
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// A response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// The methods we speak; any other is answered with 405.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Register,
    Info,
    Update,
    Other(String),
}

/// Why a frame is not a message. Counted and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("longer than {LARGEST} bytes")]
    TooLong,
    #[error("no empty line after the headers")]
    NoEnd,
    #[error("neither a request nor a response in the first line")]
    FirstLine,
    #[error("headers that are not SIP")]
    Headers,
    #[error("shorter than its Content-Length")]
    Truncated,
    #[error("without {0}")]
    Missing(&'static str),
}

impl Message {
    /// Reads one frame.
    pub(crate) fn read(frame: &[u8]) -> Result<Self, Unreadable> {
        if frame.len() > LARGEST {
            return Err(Unreadable::TooLong);
        }
        let (head, body) = split(frame).ok_or(Unreadable::NoEnd)?;
        // Text that is not UTF-8 may stand in display names and reason phrases; nothing we use.
        let head = String::from_utf8_lossy(head);
        let head = head.trim_start_matches(['\r', '\n']);
        let (first, rest) = head.split_once('\n').unwrap_or((head, ""));
        let headers = Headers::read(rest)?;
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            if headers.get(name).is_none() {
                return Err(Unreadable::Missing(name));
            }
        }
        if headers.cseq().is_none() {
            return Err(Unreadable::Missing("CSeq"));
        }
        let body = match headers.get("Content-Length") {
            Some(length) => {
                let length: usize = length.parse().map_err(|_| Unreadable::Headers)?;
                body.get(..length).ok_or(Unreadable::Truncated)?
            }
            None => body,
        };
        first_line(first.trim_end_matches('\r'), headers, body.to_vec())
    }
}

fn split(frame: &[u8]) -> Option<(&[u8], &[u8])> {
    // Before the first line empty lines are allowed (RFC 3261 section 7.5).
    let start = frame.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let frame = &frame[start..];
    let crlf = frame.windows(4).position(|four| four == b"\r\n\r\n").map(|at| (at, at + 4));
    let lf = frame.windows(2).position(|two| two == b"\n\n").map(|at| (at, at + 2));
    let (end, body) = match (crlf, lf) {
        (Some(a), Some(b)) => a.min(b),
        (found, None) | (None, found) => found?,
    };
    Some((&frame[..end], &frame[body..]))
}

fn first_line(line: &str, headers: Headers, body: Vec<u8>) -> Result<Message, Unreadable> {
    let mut words = line.splitn(3, ' ');
    let (one, two, three) = (words.next(), words.next(), words.next());
    let (Some(one), Some(two)) = (one, two) else {
        return Err(Unreadable::FirstLine);
    };
    if one.eq_ignore_ascii_case("SIP/2.0") {
        let status = two.parse().ok().filter(|status| (100..700).contains(status));
        let status = status.ok_or(Unreadable::FirstLine)?;
        let reason = three.unwrap_or_default().to_owned();
        return Ok(Message::Response(Response { status, reason, headers, body }));
    }
    let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if !three.is_some_and(|version| version.trim().eq_ignore_ascii_case("SIP/2.0"))
        || one.is_empty()
        || !one.chars().all(token)
        || two.is_empty()
    {
        return Err(Unreadable::FirstLine);
    }
    Ok(Message::Request(Request { method: one.into(), uri: two.to_owned(), headers, body }))
}

impl Request {
    pub(crate) fn new(method: Method, uri: impl Into<String>) -> Self {
        Self { method, uri: uri.into(), headers: Headers::default(), body: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    pub(crate) fn with_body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.headers.push("Content-Type", kind);
        self
    }

    /// A response to this request with the headers of RFC 3261 section 8.2.6.2. `tag` is ours.
    pub(crate) fn respond(&self, status: u16, reason: &str, tag: Option<&str>) -> Response {
        let mut headers = Headers::default();
        for via in self.headers.all("Via") {
            headers.push("Via", via);
        }
        for name in ["From", "To", "Call-ID", "CSeq"] {
            let Some(mut value) = self.headers.get(name) else { continue };
            if name == "To"
                && let Some(tag) = tag
                && parameter(&value, "tag").is_none()
            {
                let _ = write!(value, ";tag={tag}");
            }
            headers.push(name, value);
        }
        for route in self.headers.all("Record-Route") {
            headers.push("Record-Route", route);
        }
        Response { status, reason: reason.to_owned(), headers, body: Vec::new() }
    }
}

impl Response {
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    pub(crate) fn with_body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.headers.push("Content-Type", kind);
        self
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (headers, body) = match self {
            Self::Request(Request { method, uri, headers, body }) => {
                write!(f, "{method} {uri} SIP/2.0\r\n")?;
                (headers, body)
            }
            Self::Response(Response { status, reason, headers, body }) => {
                write!(f, "SIP/2.0 {status} {reason}\r\n")?;
                (headers, body)
            }
        };
        // What we send is made here or was read as UTF-8; no body of ours is anything else.
        let body = String::from_utf8_lossy(body);
        write!(f, "{}Content-Length: {}\r\n\r\n{body}", headers.0, body.len())
    }
}

/// Headers in their order, held by `rsip`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Headers(rsip::Headers);

impl Headers {
    fn read(lines: &str) -> Result<Self, Unreadable> {
        let plain = normalise(lines)?;
        // `rsip` reads headers only as part of a whole message.
        let whole = format!("OPTIONS sip:a@b SIP/2.0\r\n{plain}\r\n");
        let request = rsip::Request::try_from(whole.as_str()).map_err(|_| Unreadable::Headers)?;
        let mut headers = request.headers;
        // The length of what we send is counted, not repeated.
        let length = headers.iter().find_map(|header| match split_header(header) {
            (name, value) if name.eq_ignore_ascii_case("Content-Length") => Some(value),
            _ => None,
        });
        headers.retain(|header| !split_header(header).0.eq_ignore_ascii_case("Content-Length"));
        if let Some(value) = length {
            headers.push(Header::Other("Content-Length".to_owned(), value));
        }
        Ok(Self(headers))
    }

    pub(crate) fn push(&mut self, name: &str, value: impl Into<String>) {
        // A line break in a value would be another header.
        let value: String = value.into().chars().filter(|c| !c.is_control()).collect();
        self.0.push(Header::Other(name.to_owned(), value));
    }

    /// The first header of that name.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.iter().map(split_header).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// Every header of that name, from the top.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let same = |(n, v): (String, String)| n.eq_ignore_ascii_case(name).then_some(v);
        self.0.iter().map(split_header).filter_map(same).collect()
    }

    /// Whether a comma-separated header names the token.
    pub(crate) fn lists(&self, name: &str, token: &str) -> bool {
        let has = |value: &String| value.split(',').any(|t| t.trim().eq_ignore_ascii_case(token));
        self.all(name).iter().any(has)
    }

    pub(crate) fn cseq(&self) -> Option<(u32, Method)> {
        let value = self.get("CSeq")?;
        let (number, method) = value.trim().split_once(char::is_whitespace)?;
        Some((number.parse().ok()?, method.trim().into()))
    }

    pub(crate) fn call_id(&self) -> String {
        self.get("Call-ID").unwrap_or_default()
    }

    /// The `branch` of the topmost Via: which transaction this belongs to.
    pub(crate) fn branch(&self) -> Option<String> {
        let via = self.get("Via")?;
        parameter(elements(&via).first()?, "branch")
    }

    pub(crate) fn tag(&self, name: &str) -> Option<String> {
        parameter(&self.get(name)?, "tag")
    }
}

fn split_header(header: &Header) -> (String, String) {
    let text = header.to_string();
    match text.split_once(':') {
        Some((name, value)) => (name.trim().to_owned(), value.trim().to_owned()),
        None => (text, String::new()),
    }
}

/// Joins folded lines, writes compact names out, drops space before the colon.
fn normalise(lines: &str) -> Result<String, Unreadable> {
    let mut unfolded: Vec<String> = Vec::new();
    for line in lines.split('\n') {
        let line = line.trim_end_matches('\r');
        if line.starts_with([' ', '\t']) {
            let last = unfolded.last_mut().ok_or(Unreadable::Headers)?;
            last.push(' ');
            last.push_str(line.trim());
        } else if !line.is_empty() {
            unfolded.push(line.to_owned());
        }
        if unfolded.len() > MOST_HEADERS {
            return Err(Unreadable::Headers);
        }
    }
    let mut plain = String::with_capacity(lines.len() + 64);
    for line in unfolded {
        let (name, value) = line.split_once(':').ok_or(Unreadable::Headers)?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(Unreadable::Headers);
        }
        let value: String = value.trim().chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let _ = write!(plain, "{}: {value}\r\n", long_name(name));
    }
    Ok(plain)
}

/// RFC 3261 section 7.3.3 and the registry of compact forms.
fn long_name(name: &str) -> &str {
    match name {
        "i" | "I" => "Call-ID",
        "m" | "M" => "Contact",
        "e" | "E" => "Content-Encoding",
        "l" | "L" => "Content-Length",
        "c" | "C" => "Content-Type",
        "f" | "F" => "From",
        "s" | "S" => "Subject",
        "k" | "K" => "Supported",
        "t" | "T" => "To",
        "v" | "V" => "Via",
        "x" | "X" => "Session-Expires",
        "o" | "O" => "Event",
        "u" | "U" => "Allow-Events",
        "r" | "R" => "Refer-To",
        "b" | "B" => "Referred-By",
        other => other,
    }
}

/// The elements of a comma-separated value; commas in quotes and angle brackets do not part them.
pub(crate) fn elements(value: &str) -> Vec<&str> {
    cut(value, ',')
}

/// A parameter after the address (`<..>;name=value` or `..;name=value`), without quotes.
pub(crate) fn parameter(value: &str, name: &str) -> Option<String> {
    cut(value, ';').into_iter().skip(1).find_map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The address itself: what stands between `<` and `>`, or all before the first parameter.
pub(crate) fn address(value: &str) -> String {
    let mut quoted = false;
    let mut start = None;
    for (at, c) in value.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '<' if !quoted => start = Some(at + 1),
            '>' if !quoted => {
                if let Some(start) = start {
                    return value[start..at].trim().to_owned();
                }
            }
            _ => {}
        }
    }
    value.split(';').next().unwrap_or_default().trim().to_owned()
}

fn cut(value: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped, mut angle) = (0, false, false, false);
    for (at, c) in value.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            c if c == separator && !quoted && !angle => {
                parts.push(value[start..at].trim());
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(value[start..].trim());
    parts
}

impl From<&str> for Method {
    fn from(text: &str) -> Self {
        // Methods are case-sensitive (RFC 3261 section 7.1).
        match text {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "OPTIONS" => Self::Options,
            "REGISTER" => Self::Register,
            "INFO" => Self::Info,
            "UPDATE" => Self::Update,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Info => "INFO",
            Self::Update => "UPDATE",
            Self::Other(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    const PLAIN: &str = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/WSS x;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\n\
        To: <sip:a@b>\r\nCall-ID: 9\r\nCSeq: 7 INVITE\r\n";

    fn request(frame: &str) -> Request {
        match Message::read(frame.as_bytes()).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a response"),
        }
    }

    #[test]
    fn compact_names_folded_lines_and_spaces_are_made_plain() {
        let read = request(
            "INVITE tel:+1-2;phone-context=x SIP/2.0\r\nv : SIP/2.0/WSS\r\n  x;branch=z9hG4bK-a ,\r\n SIP/2.0/TCP y\r\n\
             f:\"A, <B>; c\" <sip:c@[::1]:5060;x=y>;tag=1\r\nt: sip:a@b\r\ni: 9\r\nCSEQ:   7\tINVITE\r\nX-Odd: a;b,\"c\"\r\nl: 3\r\n\r\nabcdef",
        );
        assert_eq!(read.uri, "tel:+1-2;phone-context=x");
        assert_eq!(read.headers.branch().unwrap(), "z9hG4bK-a");
        assert_eq!(read.headers.tag("From").unwrap(), "1");
        assert_eq!(address(&read.headers.get("From").unwrap()), "sip:c@[::1]:5060;x=y");
        assert_eq!(read.headers.cseq().unwrap(), (7, Method::Invite));
        assert_eq!(read.headers.get("x-odd").unwrap(), "a;b,\"c\"");
        assert_eq!(read.body, b"abc");
    }

    #[test]
    fn an_unknown_method_is_a_request_still() {
        let text = PLAIN.replace("INVITE sip", "NEWMETHOD sip") + "\r\n";
        assert_eq!(request(&text).method, Method::Other("NEWMETHOD".into()));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let written = Request::new(Method::Info, "sip:a@b")
            .with("Via", "SIP/2.0/WS x;branch=z9hG4bK1")
            .with("From", "<sip:a@b>;tag=2")
            .with("To", "<sip:c@d>")
            .with("Call-ID", "1")
            .with("CSeq", "3 INFO")
            .with_body("application/x", "Signal=1\r\n");
        let text = Message::from(written.clone()).to_string();
        let read = request(&text);
        assert_eq!(read.body, written.body);
        assert_eq!(read.headers.get("Content-Length").unwrap(), "10");
        assert_eq!(read.headers.get("Content-Type").unwrap(), "application/x");
    }

    #[test]
    fn a_line_break_cannot_smuggle_a_header_in() {
        let request = Request::new(Method::Bye, "sip:a").with("X", "a\r\nEvil: 1");
        assert!(!Message::from(request).to_string().contains("\r\nEvil"));
    }

    #[test]
    fn what_lacks_a_part_is_refused() {
        let cases = [
            ("", Unreadable::NoEnd),
            ("\r\n\r\n", Unreadable::NoEnd),
            ("INVITE sip:a@b SIP/2.0\r\n\r\n", Unreadable::Missing("Via")),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Unreadable::Missing("Via")),
        ];
        for (text, why) in cases {
            assert_eq!(Message::read(text.as_bytes()), Err(why), "{text:?}");
        }
        let short = format!("{PLAIN}Content-Length: 5\r\n\r\nabc");
        assert_eq!(Message::read(short.as_bytes()), Err(Unreadable::Truncated));
        let wrong = format!("{}\r\n", PLAIN.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"));
        assert_eq!(Message::read(wrong.as_bytes()), Err(Unreadable::FirstLine));
        assert_eq!(Message::read(&vec![b'a'; 10 << 20]), Err(Unreadable::TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Message::read(&bytes);
        }

        #[test]
        fn no_change_of_a_good_message_makes_it_panic(at in 0_usize..400, byte: u8, cut in 0_usize..400) {
            let mut bytes = format!("{PLAIN}Contact: <sip:x@y;transport=ws>;expires=60\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\nl: 4\r\n\r\nbody").into_bytes();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(length - cut % length);
            if let Ok(message) = Message::read(&bytes) {
                let _ = message.to_string();
            }
        }

        #[test]
        fn parameters_and_elements_of_anything_do_not_panic(text in "\\PC{0,80}") {
            let _ = (parameter(&text, "tag"), address(&text), elements(&text));
        }
    }
}
