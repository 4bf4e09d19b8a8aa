//! Notices lines whose app is gone. Asterisk itself would keep such a line, and its callee in
//! silence, for minutes: it hears nothing of an app that was killed or lost its network.
//!
//! A line counts as dead when its SIP tunnel shows no life **and**
//! - while a callee talks: no sound came from it for two seconds (a tunnel alone may be lost and
//!   come back, as when the server restarts: the conversation goes on), or
//! - otherwise, as a line between calls sends nothing: for [`IDLE`].

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How often it looks.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// A tunnel that was silent for so long shows no life; it is pinged every two seconds.
const TUNNEL_SILENT: Duration = Duration::from_secs(4);
/// How long a line without a talking callee may be without a tunnel.
const IDLE: Duration = Duration::from_secs(8);
/// No line is dead so soon after it was found at a start of the server, or after a reconnect to
/// Asterisk: its app needs time to come back.
const ADOPTED: Duration = Duration::from_secs(20);
/// So many looks in a row without a packet mean that no sound comes.
const STILL: u32 = 2;

/// What is known of each line.
#[derive(Debug, Default)]
pub(super) struct Watch {
    lines: HashMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    grace_until: Instant,
    no_tunnel_since: Option<Instant>,
    packets: Option<u64>,
    still: u32,
}

/// What to do about a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// Ask Asterisk how many packets came, and call [`Watch::packets`].
    CountPackets,
    Dead,
}

impl Watch {
    /// A line that was found after a start of the server.
    pub(super) fn adopted(&mut self, line: &str, now: Instant) {
        self.lines.insert(line.to_owned(), Seen::new(now + ADOPTED));
    }

    /// Forgets the lines that are no more.
    pub(super) fn keep(&mut self, is_up: impl Fn(&str) -> bool) {
        self.lines.retain(|line, _| is_up(line));
    }

    /// Looks at one line. `tunnel_heard` is when its tunnel last gave a sign of life; `None`: it has none.
    pub(super) fn look(
        &mut self,
        line: &str,
        talking: bool,
        tunnel_heard: Option<Instant>,
        now: Instant,
    ) -> Verdict {
        let seen = self.lines.entry(line.to_owned()).or_insert_with(|| Seen::new(now));
        let alive = tunnel_heard.is_some_and(|at| now.saturating_duration_since(at) < TUNNEL_SILENT);
        if alive {
            seen.no_tunnel_since = None;
            (seen.packets, seen.still) = (None, 0);
            return Verdict::Fine;
        }
        let since = *seen.no_tunnel_since.get_or_insert(tunnel_heard.unwrap_or(now).min(now));
        if now < seen.grace_until {
            return Verdict::Fine;
        }
        if talking {
            return if seen.still >= STILL { Verdict::Dead } else { Verdict::CountPackets };
        }
        (seen.packets, seen.still) = (None, 0);
        if now.saturating_duration_since(since) >= IDLE { Verdict::Dead } else { Verdict::Fine }
    }

    /// How many packets have come from a line by now.
    pub(super) fn packets(&mut self, line: &str, count: u64) {
        let Some(seen) = self.lines.get_mut(line) else { return };
        seen.still = if seen.packets == Some(count) { seen.still + 1 } else { 0 };
        seen.packets = Some(count);
    }
}

impl Seen {
    fn new(grace_until: Instant) -> Self {
        Self { grace_until, no_tunnel_since: None, packets: None, still: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "line";

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_conversation_outlives_its_tunnel_while_it_is_heard() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        for second in 0..60 {
            assert_eq!(watch.look(LINE, true, None, after(start, second)), Verdict::CountPackets);
            watch.packets(LINE, second * 50);
        }
    }

    #[test]
    fn a_conversation_without_tunnel_and_sound_is_dead_within_three_looks() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        for second in 0..3 {
            assert_eq!(watch.look(LINE, true, None, after(start, second)), Verdict::CountPackets);
            watch.packets(LINE, 1_000);
        }
        assert_eq!(watch.look(LINE, true, None, after(start, 3)), Verdict::Dead);
    }

    #[test]
    fn a_muted_app_with_a_tunnel_is_fine() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        for second in 0..30 {
            let now = after(start, second);
            assert_eq!(watch.look(LINE, true, Some(now), now), Verdict::Fine);
        }
    }

    #[test]
    fn an_idle_line_waits_for_its_tunnel_and_an_adopted_one_longer() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        watch.adopted("adopted", start);
        for second in 0..8 {
            assert_eq!(watch.look(LINE, false, None, after(start, second)), Verdict::Fine, "{second}");
        }
        assert_eq!(watch.look(LINE, false, None, after(start, 8)), Verdict::Dead);
        for talking in [false, true] {
            assert_eq!(watch.look("adopted", talking, None, after(start, 19)), Verdict::Fine);
        }
        assert_eq!(watch.look("adopted", false, None, after(start, 28)), Verdict::Dead);
    }

    #[test]
    fn a_tunnel_that_came_back_starts_the_count_anew() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        assert_eq!(watch.look(LINE, false, None, start), Verdict::Fine);
        assert_eq!(watch.look(LINE, false, Some(after(start, 7)), after(start, 7)), Verdict::Fine);
        assert_eq!(watch.look(LINE, false, Some(after(start, 7)), after(start, 14)), Verdict::Fine);
        assert_eq!(watch.look(LINE, false, Some(after(start, 7)), after(start, 15)), Verdict::Dead);
    }
}
