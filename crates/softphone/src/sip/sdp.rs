//! Session descriptions (RFC 8866): what must be changed between the WebRTC library and Asterisk.
//!
//! To the peer: the default candidate stands in `c=` and `m=` (RFC 8839; `0.0.0.0` means hold to
//! Asterisk), candidates of component 2 and over TCP go, the Opus parameters are ours. From the peer:
//! the hash name of the fingerprint in small letters, and only codecs we speak.

use std::fmt::Write as _;

use crate::events::Codec;

/// Bytes of the largest description that is read.
const LARGEST: usize = 32 * 1024;

/// In-band FEC both ways; Asterisk's encoder follows the bit rate we ask for (17.6 kb/s without it).
pub(crate) const OPUS_PARAMETERS: &str = "minptime=10;useinbandfec=1;maxaveragebitrate=28000";

/// What both sides agreed to send to the peer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    /// Payload type of RFC 4733 events on the codec's clock.
    pub(crate) digits: Option<u8>,
}

/// Why a description cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("a session description that is too long")]
    TooLong,
    #[error("a session description that is not text")]
    NotText,
    #[error("no sound in the session description")]
    NoAudio,
    #[error("no codec in common")]
    NoCodec,
    #[error("a session description without keys or ICE")]
    NotWebRtc,
}

/// Which way sound goes, seen from who wrote the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    SendReceive,
    SendOnly,
    ReceiveOnly,
    Inactive,
}

/// A payload type of the description.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Payload {
    number: u8,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Voice(Codec),
    Events(u32),
    Other,
}

/// The peer's description as the library can read it, and what to send with. Of an offer only what was
/// chosen is kept, so that the answer leaves no doubt.
pub(crate) fn from_peer(body: &[u8], offer: bool) -> Result<(String, Agreed), Unusable> {
    if body.len() > LARGEST {
        return Err(Unusable::TooLong);
    }
    let text = std::str::from_utf8(body).map_err(|_| Unusable::NotText)?;
    if !text.contains("a=fingerprint:") || !text.contains("a=ice-ufrag:") {
        return Err(Unusable::NotWebRtc);
    }
    let payloads = payloads(text)?;
    let agreed = agreed(&payloads)?;
    let clock = clock(agreed.codec);
    let kept = |number: u8| {
        payloads.iter().any(|payload| {
            payload.number == number
                && match payload.kind {
                    Kind::Voice(_) => !offer || number == agreed.payload_type,
                    Kind::Events(rate) => rate == clock,
                    Kind::Other => false,
                }
        })
    };
    let mut out = String::with_capacity(text.len());
    let mut media = 0;
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.starts_with("m=") {
            media += 1;
        }
        if media > 1 {
            // One sound is all we carry; the answer to anything more is not ours to give.
            break;
        }
        if let Some(rest) = line.strip_prefix("a=fingerprint:") {
            let (hash, value) = rest.split_once(' ').ok_or(Unusable::NotWebRtc)?;
            let _ = write!(out, "a=fingerprint:{} {value}\r\n", hash.to_ascii_lowercase());
        } else if line.starts_with("m=audio") {
            let mut words = line.split(' ');
            let head: Vec<&str> = words.by_ref().take(3).collect();
            out += &head.join(" ");
            for number in words.filter(|w| w.parse().is_ok_and(kept)) {
                let _ = write!(out, " {number}");
            }
            out += "\r\n";
        } else if let Some(number) = payload_of(line) {
            if kept(number) {
                let _ = write!(out, "{line}\r\n");
            }
        } else {
            let _ = write!(out, "{line}\r\n");
        }
    }
    if !out.contains("a=mid:") {
        out += "a=mid:0\r\n";
    }
    Ok((out, agreed))
}

/// Our description as Asterisk wants it.
pub(crate) fn to_peer(text: &str) -> String {
    let opus = payloads(text)
        .unwrap_or_default()
        .into_iter()
        .find_map(|payload| matches!(payload.kind, Kind::Voice(Codec::Opus)).then_some(payload.number));
    let usable = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let (component, protocol, ip) = (words.get(1), words.get(2), words.get(4));
        component == Some(&"1")
            && protocol.is_some_and(|p| p.eq_ignore_ascii_case("udp"))
            && ip.is_some_and(|ip| *ip != "0.0.0.0" && *ip != "::")
    };
    // The highest priority of IPv4: Asterisk reads `c=` of either family, some proxies only IPv4.
    let default = text
        .lines()
        .filter(|line| line.starts_with("a=candidate:") && usable(line))
        .filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let priority: u64 = words.get(3)?.parse().ok()?;
            let (ip, port): (&str, u16) = (words.get(4)?, words.get(5)?.parse().ok()?);
            Some(((!ip.contains(':'), priority), ip, port))
        })
        .max_by_key(|(rank, ..)| *rank);
    let mut out = String::with_capacity(text.len() + 64);
    let mut opus_written = false;
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.starts_with("a=candidate:") && !usable(line) {
            continue;
        }
        let fmtp = opus.map(|number| format!("a=fmtp:{number} "));
        if let (Some((_, _, port)), Some(rest)) = (default, line.strip_prefix("m=audio ")) {
            let rest = rest.split_once(' ').map_or(rest, |(_, rest)| rest);
            let _ = write!(out, "m=audio {port} {rest}\r\n");
        } else if let (Some((_, ip, _)), true) = (default, line.starts_with("c=IN ")) {
            let family = if ip.contains(':') { "IP6" } else { "IP4" };
            let _ = write!(out, "c=IN {family} {ip}\r\n");
        } else if fmtp.as_deref().is_some_and(|fmtp| line.starts_with(fmtp)) {
            if let (Some(number), false) = (opus, opus_written) {
                let _ = write!(out, "a=fmtp:{number} {OPUS_PARAMETERS}\r\n");
                opus_written = true;
            }
        } else {
            let _ = write!(out, "{line}\r\n");
        }
    }
    if let (Some(number), false) = (opus, opus_written) {
        let _ = write!(out, "a=fmtp:{number} {OPUS_PARAMETERS}\r\n");
    }
    out
}

/// Which way the peer says sound goes.
pub(crate) fn direction(body: &[u8]) -> Direction {
    let text = String::from_utf8_lossy(body);
    let mut found = Direction::SendReceive;
    for line in text.lines().map(str::trim_end) {
        match line {
            "a=sendrecv" => found = Direction::SendReceive,
            "a=sendonly" => found = Direction::SendOnly,
            "a=recvonly" => found = Direction::ReceiveOnly,
            "a=inactive" => found = Direction::Inactive,
            _ => {}
        }
    }
    found
}

/// Our last description again, as the answer to a re-INVITE that changes at most the direction: a
/// higher version (RFC 3264 section 8) and the direction mirrored.
pub(crate) fn again(ours: &str, version: u64, asked: Direction) -> String {
    let mirrored = match asked {
        Direction::SendReceive => "a=sendrecv",
        Direction::SendOnly => "a=recvonly",
        Direction::ReceiveOnly => "a=sendonly",
        Direction::Inactive => "a=inactive",
    };
    let mut out = String::with_capacity(ours.len());
    for line in ours.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let (true, [user, id, _, rest @ ..]) = (line.starts_with("o="), &words[..]) {
            let _ = write!(out, "{user} {id} {version} {}\r\n", rest.join(" "));
        } else if matches!(line, "a=sendrecv" | "a=sendonly" | "a=recvonly" | "a=inactive") {
            let _ = write!(out, "{mirrored}\r\n");
        } else if line.starts_with("a=setup:") {
            // The DTLS association stays: the same role as before.
            let _ = write!(out, "{}\r\n", line.replace("actpass", "passive"));
        } else {
            let _ = write!(out, "{line}\r\n");
        }
    }
    out
}

/// Opus wherever it is offered (an originate without `formats=opus` lists PCMU first), then the first.
fn agreed(payloads: &[Payload]) -> Result<Agreed, Unusable> {
    let voice = |payload: &Payload| match payload.kind {
        Kind::Voice(codec) => Some((codec, payload.number)),
        Kind::Events(_) | Kind::Other => None,
    };
    let opus = payloads.iter().filter_map(voice).find(|(codec, _)| *codec == Codec::Opus);
    let first = opus.or_else(|| payloads.iter().find_map(voice));
    let (codec, payload_type) = first.ok_or(Unusable::NoCodec)?;
    let clock = clock(codec);
    let digits = payloads.iter().find(|p| p.kind == Kind::Events(clock)).map(|p| p.number);
    Ok(Agreed { codec, payload_type, digits })
}

/// Ticks of the RTP clock in a second.
pub(crate) fn clock(codec: Codec) -> u32 {
    match codec {
        Codec::Opus => 48_000,
        Codec::Pcmu | Codec::Pcma => 8_000,
    }
}

fn payloads(text: &str) -> Result<Vec<Payload>, Unusable> {
    let audio = text.lines().find(|line| line.starts_with("m=audio ")).ok_or(Unusable::NoAudio)?;
    if audio.split(' ').nth(1) == Some("0") {
        return Err(Unusable::NoAudio);
    }
    let numbers = audio.trim_end().split(' ').skip(3).filter_map(|word| word.parse::<u8>().ok());
    let named = |number: u8| {
        let start = format!("a=rtpmap:{number} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).map(str::trim)
    };
    let kind = |number: u8| {
        let name = named(number).unwrap_or_default().to_ascii_lowercase();
        match (number, name.as_str()) {
            (_, "opus/48000/2") => Kind::Voice(Codec::Opus),
            (0, "") | (_, "pcmu/8000" | "pcmu/8000/1") => Kind::Voice(Codec::Pcmu),
            (8, "") | (_, "pcma/8000" | "pcma/8000/1") => Kind::Voice(Codec::Pcma),
            (_, name) => match name.strip_prefix("telephone-event/") {
                // Some write the one channel too: `telephone-event/8000/1`.
                Some(rate) => Kind::Events(rate.strip_suffix("/1").unwrap_or(rate).parse().unwrap_or(0)),
                None => Kind::Other,
            },
        }
    };
    Ok(numbers.take(64).map(|number| Payload { number, kind: kind(number) }).collect())
}

/// The payload type that an attribute speaks of.
fn payload_of(line: &str) -> Option<u8> {
    ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"]
        .iter()
        .find_map(|start| line.strip_prefix(start))
        .and_then(|rest| rest.split([' ', '/']).next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    // Asterisk 22's offer, shortened.
    const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=Asterisk\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
        a=msid-semantic:WMS *\r\na=group:BUNDLE audio-0\r\nm=audio 10330 UDP/TLS/RTP/SAVPF 0 107 101 103\r\n\
        a=connection:new\r\na=setup:actpass\r\na=fingerprint:SHA-256 AA:BB\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n\
        a=rtpmap:0 PCMU/8000\r\na=rtpmap:107 opus/48000/2\r\na=fmtp:107 usedtx=1\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-16\r\na=rtpmap:103 telephone-event/48000\r\na=fmtp:103 0-16\r\na=sendrecv\r\na=mid:audio-0\r\n";

    #[test]
    fn opus_is_taken_from_behind_and_the_events_of_its_clock() {
        let (text, agreed) = from_peer(OFFER.as_bytes(), true).unwrap();
        let expected = Agreed { codec: Codec::Opus, payload_type: 107, digits: Some(103) };
        assert_eq!(agreed, expected);
        assert!(text.contains("a=fingerprint:sha-256 AA:BB"));
        assert!(text.contains("m=audio 10330 UDP/TLS/RTP/SAVPF 107 103\r\n"));
        assert!(!text.contains(":101 ") && !text.contains("PCMU"));
    }

    #[test]
    fn without_opus_the_events_of_the_other_clock_are_taken() {
        let offer = OFFER.replace("0 107 101", "0 101");
        for offer in [offer.replace("event/8000", "event/8000/1"), offer] {
            let (_, agreed) = from_peer(offer.as_bytes(), true).unwrap();
            assert_eq!(agreed, Agreed { codec: Codec::Pcmu, payload_type: 0, digits: Some(101) });
        }
    }

    #[test]
    fn the_default_candidate_stands_in_the_lines_that_asterisk_reads() {
        let ours = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
            a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\na=candidate:1 1 udp 5 127.0.0.1 4000 typ host\r\n\
            a=candidate:2 1 udp 9 192.0.2.7 4002 typ host\r\na=candidate:2 2 udp 9 192.0.2.7 4002 typ host\r\na=candidate:3 1 udp 99 ::1 4004 typ host\r\n";
        let munged = to_peer(ours);
        assert!(munged.contains("c=IN IP4 192.0.2.7\r\n"), "{munged}");
        assert!(munged.contains("m=audio 4002 UDP"), "{munged}");
        assert!(!munged.contains(" 2 udp"), "{munged}");
        assert!(munged.contains(OPUS_PARAMETERS), "{munged}");
    }

    #[test]
    fn a_hold_is_answered_by_listening_with_a_higher_version() {
        let ours = "v=0\r\no=- 77 3 IN IP4 1.2.3.4\r\na=setup:actpass\r\na=sendrecv\r\n";
        let asked = direction(b"a=sendonly\r\n");
        let answer = again(ours, 4, asked);
        assert!(answer.contains("o=- 77 4 IN IP4 1.2.3.4\r\n"));
        assert!(answer.contains("a=recvonly\r\n"));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        assert_eq!(from_peer(b"\xff\xfe", true), Err(Unusable::NotText));
        assert_eq!(from_peer(b"v=0\r\n", true), Err(Unusable::NotWebRtc));
        assert_eq!(from_peer(&vec![b'a'; 1 << 20], true), Err(Unusable::TooLong));
        let none = OFFER.replace("0 107 101 103", "18");
        assert_eq!(from_peer(none.as_bytes(), true), Err(Unusable::NoCodec));
        let rejected = OFFER.replace("m=audio 10330", "m=audio 0");
        assert_eq!(from_peer(rejected.as_bytes(), true), Err(Unusable::NoAudio));
    }

    proptest! {
        #[test]
        fn the_last_direction_counts_whatever_stands_around_it(
            before in proptest::collection::vec(any::<u8>(), 0..200),
            after in proptest::collection::vec(any::<u8>(), 0..200),
            which in 0_usize..4,
            version: u64,
        ) {
            let directions = [
                ("a=sendrecv", Direction::SendReceive),
                ("a=sendonly", Direction::SendOnly),
                ("a=recvonly", Direction::ReceiveOnly),
                ("a=inactive", Direction::Inactive),
            ];
            let (line, expected) = directions[which];
            let body = [&before[..], b"\n", line.as_bytes(), b"\r\n", &after].concat();
            prop_assert_eq!(direction(&body), expected);
            // A word of 200 bytes of chance is none of the four.
            prop_assert_eq!(direction(&before), Direction::SendReceive);
            let text = String::from_utf8_lossy(&body);
            let answer = again(&text, version, direction(&body));
            let mirrored = direction(answer.as_bytes());
            prop_assert_eq!(mirrored == expected, matches!(expected, Direction::SendReceive | Direction::Inactive));
        }

        #[test]
        fn no_description_makes_it_panic(at in 0_usize..900, text in "\\PC{0,12}", cut in 0_usize..900) {
            let mut changed = OFFER.to_owned();
            changed.insert_str(at % OFFER.len(), &text);
            let kept = changed.len().saturating_sub(cut);
            if let Ok((read, _)) = from_peer(&changed.as_bytes()[..kept], cut % 2 == 0) {
                let _ = (to_peer(&read), again(&read, 2, Direction::SendOnly));
            }
        }
    }
}
