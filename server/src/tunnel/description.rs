//! The session description in an app's message (RFC 8866): it names the addresses that Asterisk sends to. Those that
//! are not the app's to name go, and the rest is passed on; a volunteer's computer has a network of its own that
//! looks like one of ours now and then, and the call comes up by the others, or by the checks that the app itself sends.
//!
//! Asterisk reads more forms of a line than are looked for here: the colon of an attribute may be absent, a short `o=` or a
//! `b=` reads on in the next lines (`pjmedia/sdp.c`). So only what an app writes passes, in the form in which it does.

use std::{fmt::Write as _, net::IpAddr};

use super::reach::Reach;

/// Candidates that are passed on: a computer with IPv4, IPv6, a VPN and containers has ten.
const MOST_CANDIDATES: usize = 16;
const MOST_LINES: usize = 256;

/// The attributes that an app of ours writes, candidates aside.
const ATTRIBUTES: [&str; 22] = [
    "end-of-candidates",
    "extmap",
    "extmap-allow-mixed",
    "fingerprint",
    "fmtp",
    "group",
    "ice-options",
    "ice-pwd",
    "ice-ufrag",
    "inactive",
    "mid",
    "msid",
    "msid-semantic",
    "recvonly",
    "rtcp-fb",
    "rtcp-mux",
    "rtcp-rsize",
    "rtpmap",
    "sendonly",
    "sendrecv",
    "setup",
    "ssrc",
];

/// Why it is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("a line that is none of a session description")]
    Line,
    #[error("more than {MOST_LINES} lines in a session description")]
    TooLong,
    #[error("not one sound")]
    Media,
    #[error("no ICE: Asterisk would send to any address that is named, and not ask whether it wants it")]
    NoIce,
}

/// The description with what the app may name. Where nothing is left, the app's own address as this machine sees it
/// stands for all: Asterisk begins no checks without a candidate, and answers none.
pub(super) fn within(reach: &Reach, text: &str) -> Result<String, Unfit> {
    let lines = text.strip_suffix("\r\n").ok_or(Unfit::Line)?;
    let mut out = String::with_capacity(text.len() + 128);
    let (mut port, mut kept) = (None, 0);
    let mut ice = [false; 2];
    for (number, line) in lines.split("\r\n").enumerate() {
        if number == MOST_LINES {
            return Err(Unfit::TooLong);
        }
        let bytes = line.as_bytes();
        if line.chars().any(char::is_control) || bytes.get(1) != Some(&b'=') || !bytes[0].is_ascii_lowercase()
        {
            return Err(Unfit::Line);
        }
        let (kind, rest) = (bytes[0], &line[2..]);
        let (name, value) = rest.split_once(':').unwrap_or((rest, ""));
        match kind {
            b'm' => {
                let new = sound(rest);
                if new.is_none() || port.is_some() {
                    return Err(Unfit::Media);
                }
                port = new;
            }
            b'c' => {
                let named = rest.split(' ').nth(2).and_then(|word| word.parse::<IpAddr>().ok());
                let address = named.filter(|address| reach.allows(*address)).unwrap_or(reach.app());
                let family = if address.is_ipv6() { "IP6" } else { "IP4" };
                let _ = write!(out, "c=IN {family} {address}\r\n");
                continue;
            }
            b'a' if name == "candidate" => {
                // Before the sound they are nobody's.
                if let Some(candidate) = candidate(value).filter(|candidate| reach.allows(candidate.address))
                    && port.is_some()
                    && kept < MOST_CANDIDATES
                {
                    kept += 1;
                    candidate.write(&mut out);
                }
                continue;
            }
            b'a' if !ATTRIBUTES.contains(&name) => continue,
            b'a' => {
                if let Some(which) = ["ice-ufrag", "ice-pwd"].iter().position(|ice| *ice == name) {
                    // Of two Asterisk takes one, be it empty.
                    if value.trim().is_empty() {
                        return Err(Unfit::NoIce);
                    }
                    ice[which] = true;
                }
            }
            _ if is_in_form(kind, rest) => {}
            _ => return Err(Unfit::Line),
        }
        let _ = write!(out, "{line}\r\n");
    }
    match port {
        None => Err(Unfit::Media),
        // A sound that is refused.
        Some(0) => Ok(out),
        Some(_) if ice != [true; 2] => Err(Unfit::NoIce),
        Some(port) => {
            if kept == 0 {
                let (foundation, kind) = ("1", "host");
                Candidate { foundation, component: 1, priority: 1, address: reach.app(), port, kind }
                    .write(&mut out);
            }
            Ok(out)
        }
    }
}

/// The port of `audio 40000 UDP/TLS/RTP/SAVPF 107 101`.
fn sound(rest: &str) -> Option<u16> {
    let words: Vec<&str> = rest.split(' ').collect();
    let ["audio", port, transport, formats @ ..] = &words[..] else { return None };
    let is_plain = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/')
    };
    let is_good = is_number(port)
        && is_plain(transport)
        && !formats.is_empty()
        && formats.iter().all(|format| is_number(format));
    port.parse().ok().filter(|_| is_good)
}

/// Whether a line that names no address that counts ends where it ends for Asterisk.
fn is_in_form(kind: u8, rest: &str) -> bool {
    let words: Vec<&str> = rest.split(' ').collect();
    match (kind, &words[..]) {
        (b'v', ["0"]) => true,
        (b's', _) => !rest.is_empty(),
        (b't', [start, stop]) => is_number(start) && is_number(stop),
        (b'o', [user, id, version, "IN", "IP4" | "IP6", address]) => {
            !user.is_empty() && is_number(id) && is_number(version) && !address.is_empty()
        }
        _ => false,
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// A candidate of ICE (RFC 8839, section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate<'a> {
    foundation: &'a str,
    component: u8,
    priority: u32,
    address: IpAddr,
    port: u16,
    kind: &'a str,
}

/// One over UDP whose address is one; names (`.local` too) are not looked up here, nor by Asterisk.
fn candidate(value: &str) -> Option<Candidate<'_>> {
    let mut words = value.split_ascii_whitespace();
    let foundation = words.next().filter(|word| {
        word.len() <= 32 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
    })?;
    let component = words.next()?.parse().ok().filter(|component| [1, 2].contains(component))?;
    words.next().filter(|word| word.eq_ignore_ascii_case("udp"))?;
    let priority = words.next()?.parse().ok()?;
    let address = words.next()?.parse().ok()?;
    let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
    words.next().filter(|word| *word == "typ")?;
    let kind = words.next().filter(|word| ["host", "srflx", "prflx", "relay"].contains(word))?;
    Some(Candidate { foundation, component, priority, address, port, kind })
}

impl Candidate<'_> {
    /// Written anew from what was read: what followed it (`raddr`) says nothing that Asterisk needs.
    fn write(self, out: &mut String) {
        let Self { foundation, component, priority, address, port, kind } = self;
        let _ = write!(
            out,
            "a=candidate:{foundation} {component} udp {priority} {address} {port} typ {kind}\r\n"
        );
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn reach() -> Reach {
        Reach::from_machine("203.0.113.9", &[("127.0.0.1", 8), ("198.51.100.7", 24), ("172.17.0.1", 16)])
    }

    fn answer(candidates: &[&str]) -> String {
        let mut text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 40000 UDP/TLS/RTP/SAVPF 107\r\n\
            c=IN IP4 192.168.178.20\r\na=mid:audio-0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\n"
            .to_owned();
        for (n, address) in candidates.iter().enumerate() {
            let _ = write!(text, "a=candidate:{n} 1 udp 2130706431 {address} {} typ host\r\n", 40_000 + n);
        }
        text + "a=sendrecv\r\n"
    }

    fn named(text: &str) -> Vec<&str> {
        let candidates = text.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
        candidates.filter_map(|line| line.split(' ').nth(4)).collect()
    }

    #[test]
    fn an_honest_answer_passes_as_it_is() {
        let text = answer(&["192.168.178.20", "203.0.113.9", "2001:db8:99::5"]);
        assert_eq!(within(&reach(), &text).unwrap(), text);
    }

    #[test]
    fn candidates_that_point_at_the_server_go_and_the_others_stay() {
        let text = answer(&["172.17.0.1", "192.168.178.20", "127.0.0.1", "198.51.100.1", "::ffff:127.0.0.1"]);
        let passed = within(&reach(), &text).unwrap();
        assert_eq!(named(&passed), ["192.168.178.20"]);
        assert!(passed.ends_with("a=sendrecv\r\n"));
    }

    #[test]
    fn forty_candidates_are_sixteen() {
        let many: Vec<String> = (1..=40).map(|n| format!("192.0.2.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let passed = within(&reach(), &answer(&many)).unwrap();
        assert_eq!(named(&passed), many[..MOST_CANDIDATES]);
    }

    #[test]
    fn where_nothing_is_left_the_apps_own_address_stands_for_it() {
        for none in [&["127.0.0.1", "172.17.0.9"][..], &[], &["a3b1c2.local", "media.example.org"]] {
            let passed = within(&reach(), &answer(none)).unwrap();
            assert_eq!(named(&passed), ["203.0.113.9"], "{passed}");
            assert!(passed.contains(" 203.0.113.9 40000 typ host\r\n"), "{passed}");
        }
    }

    #[test]
    fn the_default_address_is_held_to_the_same() {
        let c = |line: &str| within(&reach(), &answer(&[]).replace("c=IN IP4 192.168.178.20", line)).unwrap();
        assert!(c("c=IN IP4 192.168.178.20").contains("c=IN IP4 192.168.178.20\r\n"));
        for bad in [
            "c=IN IP4 127.0.0.1",
            "c=IN IP6 ::1",
            "c=IN IP4 0.0.0.0",
            "c=IN IP4 localhost",
            "c=IN IP4 198.51.100.9/127",
            "c=",
        ] {
            assert!(c(bad).contains("c=IN IP4 203.0.113.9\r\n"), "{bad}");
        }
    }

    #[test]
    fn candidates_in_disguise_are_read_or_go() {
        let with = |line: &str| answer(&["192.168.178.20"]).replace("a=sendrecv", line);
        for line in [
            "a=CANDIDATE:1 1 udp 1 127.0.0.1 5060 typ host",
            "a= candidate:1 1 udp 1 127.0.0.1 5060 typ host",
            "a=candidate :1 1 udp 1 127.0.0.1 5060 typ host",
            "a=candidate: 1  1  udp 1 127.0.0.1 5060 typ host",
            "a=candidate:1 1 UDP 1 127.0.0.1 5060 typ srflx raddr 127.0.0.1 rport 9",
            // Asterisk reads 32 characters of a foundation, and the next word from there.
            "a=candidate:123456789012345678901234567890121 1 udp 1 192.0.2.1 5060 typ host",
            "a=candidate:1 1 tcp 1 192.0.2.1 9 typ host",
            "a=candidate:1 1 udp 1 192.0.2.1 0 typ host",
            "a=candidate:1 1 udp 1 192.0.2.1 99999 typ host",
            "a=candidate:1 3 udp 1 192.0.2.1 5060 typ host",
            "a=candidate:1 1 udp 1 192.0.2.1 5060 typ any",
            "a=candidate:1 1 udp 1 0x7f.1 5060 typ host",
            "a=candidate:",
            "a=candidate",
            // For Asterisk the colon may be absent, and whatever is no letter of a name ends one.
            "a=candidate 1 1 udp 1 127.0.0.1 22 typ host",
            "a=candidate/1 1 udp 1 127.0.0.1 22 typ host",
            "a=candidate;1 1 udp 1 127.0.0.1 22 typ host",
            "a=candidate,1 1 udp 1 127.0.0.1 22 typ host",
            "a=candidate=1 1 udp 1 127.0.0.1 22 typ host",
            "a=candidate\u{a0}1 1 udp 1 127.0.0.1 22 typ host",
            "a=candidate(1 1 udp 1 127.0.0.1 22 typ host:",
            "a=remote-candidates:1 127.0.0.1 22",
            "a=X-candidate:1 1 udp 1 127.0.0.1 22 typ host",
        ] {
            let passed = within(&reach(), &with(line)).unwrap();
            assert_eq!(named(&passed), ["192.168.178.20"], "{line}");
            assert_eq!(passed.to_ascii_lowercase().matches("candidate").count(), 1, "{passed}");
        }
    }

    #[test]
    fn attributes_that_no_app_writes_go() {
        let with = |line: &str| answer(&["192.168.178.20"]).replace("a=sendrecv", line);
        for line in [
            "a=rtcp:22 IN IP4 127.0.0.1",
            "a=ice-lite",
            "a=ice-mismatch",
            "a=SENDRECV",
            "a=sendrecv ",
            "a=",
            "a=:",
            "a=:candidate:1 1 udp 1 127.0.0.1 22 typ host",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
        ] {
            let passed = within(&reach(), &with(line)).unwrap();
            assert_eq!(passed, with("a=sendrecv").replace("a=sendrecv\r\n", ""), "{line}");
        }
    }

    #[test]
    fn what_is_no_sound_with_ice_is_refused() {
        let text = answer(&["192.168.178.20"]);
        for (changed, to, why) in [
            ("a=ice-ufrag:abcd\r\n", "", Unfit::NoIce),
            ("a=ice-pwd:0123456789abcdef01234567\r\n", "", Unfit::NoIce),
            ("a=ice-ufrag:abcd", "a=ice-ufrag:", Unfit::NoIce),
            ("m=audio 40000", "m=video 40000", Unfit::Media),
            ("m=audio 40000", "m=audio 4e4", Unfit::Media),
            ("a=sendrecv\r\n", "m=audio 40002 UDP/TLS/RTP/SAVPF 107\r\n", Unfit::Media),
            ("a=sendrecv\r\n", "a=sendrecv\n", Unfit::Line),
            ("a=sendrecv\r\n", "a=sendrecv", Unfit::Line),
            ("a=sendrecv\r\n", "a=x\nc=IN IP4 127.0.0.1\r\n", Unfit::Line),
            ("a=sendrecv\r\n", "a=x\rc=IN IP4 127.0.0.1\r\n", Unfit::Line),
            ("a=sendrecv\r\n", " a=sendrecv\r\n", Unfit::Line),
            ("a=sendrecv\r\n", "\r\n", Unfit::Line),
            ("a=sendrecv", "A=sendrecv", Unfit::Line),
            ("a=sendrecv", "a =sendrecv", Unfit::Line),
            ("a=sendrecv", "a=x\0", Unfit::Line),
            ("a=sendrecv", "a\t=x", Unfit::Line),
            // These read on in the next line, and Asterisk would not see the ICE there.
            ("a=ice-ufrag", "b=AS\r\na=ice-ufrag", Unfit::Line),
            ("a=mid:audio-0\r\na=ice-ufrag", "o=-\r\na=ice-ufrag", Unfit::Line),
            ("a=mid:audio-0\r\na=ice-ufrag", "t=0\r\na=ice-ufrag", Unfit::Line),
            ("v=0", "v=1", Unfit::Line),
            ("a=ice-ufrag:abcd", "a=ice-ufrag:\r\na=ice-ufrag:abcd", Unfit::NoIce),
            ("a=ice-ufrag:abcd", "a=ice-ufrag: ", Unfit::NoIce),
            ("a=ice-ufrag:abcd", "a=ICE-UFRAG:abcd", Unfit::NoIce),
            ("m=audio 40000 ", "m=audio +40000 ", Unfit::Media),
            ("m=audio 40000 ", "m=audio 40000/2 ", Unfit::Media),
            ("m=audio 40000 UDP/TLS/RTP/SAVPF 107", "m=audio 40000", Unfit::Media),
        ] {
            let text = text.replacen(changed, to, 1);
            assert_eq!(within(&reach(), &text), Err(why), "{to:?}");
        }
        assert_eq!(within(&reach(), "v=0\r\n"), Err(Unfit::Media));
        assert_eq!(within(&reach(), &(text + &"a=mid:x\r\n".repeat(MOST_LINES))), Err(Unfit::TooLong));
        let refused = "v=0\r\nm=audio 0 RTP/AVP 0\r\n";
        assert_eq!(within(&reach(), refused).as_deref(), Ok(refused));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_nothing_forbidden_is_named(
            words in proptest::collection::vec("[ :a-z0-9.]{0,12}|candidate:1 1 udp 1|127.0.0.1|typ host|\r\n", 0..40)
        ) {
            let text = answer(&[]).replace("a=sendrecv", &format!("a=candidate:1 1 udp {}", words.join(" ")));
            if let Ok(passed) = within(&reach(), &text) {
                for address in named(&passed) {
                    let address: IpAddr = address.parse().unwrap();
                    proptest::prop_assert!(reach().allows(address), "{}", passed);
                }
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}|(v=0|m=audio 1 x|c=|a=|a=candidate:|\r\n|\u{e9}){0,20}") {
            let _ = within(&reach(), &text);
        }
    }
}
