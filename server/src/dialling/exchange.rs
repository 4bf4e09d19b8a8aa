//! Which channels are ours, and what their news mean to the dialler. No IO.
//!
//! | event | of a line | of a callee | of anything else |
//! | --- | --- | --- | --- |
//! | StasisStart | put it in its bridge, dial it | CalleeCreated | hang it up |
//! | ChannelEnteredBridge | LineAnswered, if it is answered | CalleeInBridge | - |
//! | Dial without a status | - | CalleeDialled, once | - |
//! | Dial(PROGRESS), Dial(RINGING) or state Ringing | - | CalleeProgress, CalleeRinging, each once | - |
//! | Dial(ANSWER) or state Up | LineAnswered, if it is in its bridge | CalleeUp, once | - |
//! | ChannelDestroyed | LineGone | CalleeGone | - |
//! | PlaybackFinished | - | AnnouncementDone, unless we stopped it | - |

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use dialler::{CallFacts, Input, LineFacts, LineId};
use protocol::ids::{AttemptId, DeviceId};

use super::{names, rounds::Listing};
use crate::ari::{Channel, ChannelState, Ending, Event};

/// The channels that we made or adopted.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    calls: HashMap<AttemptId, Call>,
    lines: HashMap<String, Line>,
    announcements: HashMap<String, (AttemptId, Instant)>,
    strangers: HashSet<String>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    /// Whose; `None`: nobody here dialled it.
    device: Option<DeviceId>,
    heard: Heard,
    missed: bool,
    /// It is over in the books.
    closed: bool,
}

impl Call {
    fn new(device: Option<DeviceId>, heard: Heard) -> Self {
        Self { device, heard, missed: false, closed: false }
    }
}

/// What the dialler was told of a call, so that it is told once.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    created: bool,
    in_bridge: bool,
    dialled: bool,
    progress: bool,
    ringing: bool,
    up: bool,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    device: DeviceId,
    in_bridge: bool,
    answered: bool,
    missed: bool,
    /// Asterisk was asked to hang it up.
    dropped: bool,
}

impl Line {
    fn new(device: DeviceId, up: bool) -> Self {
        Self { device, in_bridge: up, answered: up, missed: false, dropped: false }
    }

    fn is_up(self) -> bool {
        self.in_bridge && self.answered
    }
}

/// What follows from an event.
#[derive(Debug)]
pub(super) enum Step {
    /// The dialler is told.
    Tell(Input),
    /// The line is made: it goes into its device's bridge, and is dialled.
    DialLine { line: String, device: DeviceId },
    /// An announcement is over, or could not be played.
    Announced { attempt: AttemptId, asked: Instant },
    /// A channel is no more.
    Gone(Gone, Ending),
    /// Nobody here made this channel.
    HangUpStray(String),
}

/// A channel of ours that is no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gone {
    Callee(AttemptId),
    Line(String),
}

impl Exchange {
    /// A line that Asterisk is asked to make.
    pub(super) fn line_asked(&mut self, line: &LineId, device: DeviceId) {
        self.lines.insert(line.0.clone(), Line::new(device, false));
    }

    /// A line that Asterisk is asked to hang up; true the first time. As long as it is there it counts
    /// among the strays: the request may have been lost, and two lines in one bridge hear each other.
    pub(super) fn line_dropped(&mut self, line: &str) -> bool {
        self.lines.get_mut(line).is_none_or(|line| !std::mem::replace(&mut line.dropped, true))
    }

    /// A call that is over in the books. As long as its channel lives on all the same, it counts among the strays.
    pub(super) fn call_over(&mut self, attempt: AttemptId) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.closed = true;
        }
    }

    /// A callee's channel that Asterisk is asked to make.
    pub(super) fn call_asked(&mut self, attempt: AttemptId, device: DeviceId) {
        self.calls.insert(attempt, Call::new(Some(device), Heard::default()));
    }

    /// An announcement that Asterisk is asked to play.
    pub(super) fn announcement_asked(&mut self, playback: String, attempt: AttemptId, now: Instant) {
        self.announcements.insert(playback, (attempt, now));
    }

    /// What is being played to a callee, and is to be stopped: of its end nothing is told.
    pub(super) fn stop_announcements(&mut self, attempt: AttemptId) -> Vec<String> {
        self.announcements.extract_if(|_, (to, _)| *to == attempt).map(|(playback, _)| playback).collect()
    }

    /// Every line of a device, being made or up.
    pub(super) fn lines_of(&self, device: DeviceId) -> Vec<String> {
        self.lines.iter().filter(|(_, line)| line.device == device).map(|(id, _)| id.clone()).collect()
    }

    /// Whether nothing of a device is left: no line, no callee. Then its bridge is of no use.
    pub(super) fn is_empty_of(&self, device: DeviceId) -> bool {
        !self.lines.values().any(|line| line.device == device)
            && !self.calls.values().any(|call| call.device == Some(device))
    }

    /// Whose call it is.
    pub(super) fn device_of(&self, attempt: AttemptId) -> Option<DeviceId> {
        self.calls.get(&attempt)?.device
    }

    /// Lines that are up, whose they are, and whether their callee has answered.
    pub(super) fn lines_with_talk(&self) -> Vec<(String, DeviceId, bool)> {
        let talking: HashSet<DeviceId> =
            self.calls.values().filter(|call| call.heard.up).filter_map(|call| call.device).collect();
        let up = self.lines.iter().filter(|(_, line)| line.is_up() && !line.dropped);
        up.map(|(id, line)| (id.clone(), line.device, talking.contains(&line.device))).collect()
    }

    /// A device's line that is up, while no callee is there.
    pub(super) fn lone_line(&self, device: DeviceId) -> Option<&String> {
        if self.calls.values().any(|call| call.device == Some(device)) {
            return None;
        }
        let mut lines = self.lines.iter().filter(|(_, line)| line.is_up() && !line.dropped);
        lines.find(|(_, line)| line.device == device).map(|(id, _)| id)
    }

    /// The callee who talks, or waits to, with a device's volunteer.
    pub(super) fn answered_callee(&self, device: DeviceId) -> Option<AttemptId> {
        let mut up = self.calls.iter().filter(|(_, call)| call.heard.up && !call.closed);
        up.find(|(_, call)| call.device == Some(device)).map(|(attempt, _)| *attempt)
    }

    /// How many lines are up.
    pub(super) fn lines_up(&self) -> usize {
        self.lines.values().filter(|line| line.is_up()).count()
    }

    /// A callee's channel is no more; `None` if that was known.
    pub(super) fn call_gone(&mut self, attempt: AttemptId, ending: Ending) -> Option<Input> {
        self.calls.remove(&attempt)?;
        Some(Input::CalleeGone { attempt, cause: ending.cause, sip: ending.sip })
    }

    /// A line's channel is no more; `None` if that was known.
    pub(super) fn line_gone(&mut self, line: &str) -> Option<Input> {
        let gone = self.lines.remove(line)?;
        Some(Input::LineGone { device: gone.device, line: LineId(line.to_owned()) })
    }

    /// Takes in one event.
    pub(super) fn event(&mut self, event: Event) -> Option<Step> {
        match event {
            Event::StasisStart { channel } => self.started(channel),
            Event::EnteredBridge { channel, bridge } => {
                if let Some(line) = self.lines.get(&channel) {
                    let right = names::device_of_bridge(&bridge) == Some(line.device);
                    return right.then(|| self.line_is(channel, |line| &mut line.in_bridge)).flatten();
                }
                self.once(&channel, |heard| &mut heard.in_bridge, |attempt| Input::CalleeInBridge { attempt })
            }
            Event::Dial { channel, status } => match status.as_str() {
                "" => self.once(
                    &channel,
                    |heard| &mut heard.dialled,
                    |attempt| Input::CalleeDialled { attempt },
                ),
                "PROGRESS" => self.once(
                    &channel,
                    |heard| &mut heard.progress,
                    |attempt| Input::CalleeProgress { attempt },
                ),
                "RINGING" => self.ringing(&channel),
                "ANSWER" => self.up(&channel),
                _ => None,
            },
            Event::ChannelState { channel, state } => match state {
                ChannelState::Ringing => self.ringing(&channel),
                ChannelState::Up => self.up(&channel),
                ChannelState::Down | ChannelState::Other => None,
            },
            Event::Destroyed { channel, ending } => {
                self.strangers.remove(&channel);
                let gone = match names::attempt(&channel) {
                    Some(attempt) => self.calls.contains_key(&attempt).then_some(Gone::Callee(attempt)),
                    None => self.lines.contains_key(&channel).then_some(Gone::Line(channel)),
                };
                gone.map(|gone| Step::Gone(gone, ending))
            }
            Event::PlaybackFinished { playback } => {
                let (attempt, asked) = self.announcements.remove(&playback)?;
                Some(Step::Announced { attempt, asked })
            }
            Event::Replaced => None,
        }
    }

    fn started(&mut self, channel: Channel) -> Option<Step> {
        if let Some(line) = self.lines.get(&channel.id) {
            return Some(Step::DialLine { line: channel.id, device: line.device });
        }
        let ours = names::attempt(&channel.id).is_some_and(|attempt| self.calls.contains_key(&attempt));
        if ours {
            return self.once(
                &channel.id,
                |heard| &mut heard.created,
                |attempt| Input::CalleeCreated { attempt },
            );
        }
        Some(Step::HangUpStray(channel.id))
    }

    fn ringing(&mut self, channel: &str) -> Option<Step> {
        self.once(channel, |heard| &mut heard.ringing, |attempt| Input::CalleeRinging { attempt })
    }

    fn up(&mut self, channel: &str) -> Option<Step> {
        if self.lines.contains_key(channel) {
            return self.line_is(channel.to_owned(), |line| &mut line.answered);
        }
        self.once(channel, |heard| &mut heard.up, |attempt| Input::CalleeUp { attempt })
    }

    /// A line is up with the second of two: in its bridge, and answered. Told once.
    fn line_is(&mut self, id: String, what: impl Fn(&mut Line) -> &mut bool) -> Option<Step> {
        let line = self.lines.get_mut(&id)?;
        let news = !std::mem::replace(what(line), true);
        let device = line.device;
        (news && line.is_up()).then(|| Step::Tell(Input::LineAnswered { device, line: LineId(id) }))
    }

    fn once(
        &mut self,
        channel: &str,
        told: impl Fn(&mut Heard) -> &mut bool,
        input: impl Fn(AttemptId) -> Input,
    ) -> Option<Step> {
        let attempt = names::attempt(channel)?;
        let told = told(&mut self.calls.get_mut(&attempt)?.heard);
        (!std::mem::replace(told, true)).then(|| Step::Tell(input(attempt)))
    }

    /// Starts anew with what Asterisk has after a (re)connect. Lines that are of no use, as their
    /// device is not signed in or they are not up, are among the strays; `device_of` knows open attempts.
    pub(super) fn adopt(
        &mut self,
        listing: &Listing,
        device_of: impl Fn(AttemptId) -> Option<DeviceId>,
    ) -> Found {
        *self = Self::default();
        let empty = listing.bridges.iter().filter(|bridge| bridge.channels.is_empty());
        let empty = empty.filter(|bridge| names::device_of_bridge(&bridge.id).is_some());
        let bridges = empty.map(|bridge| bridge.id.clone()).collect();
        let mut found = Found { bridges, ..Found::default() };
        for channel in &listing.channels {
            if let Some(attempt) = names::attempt(&channel.id) {
                self.adopt_call(attempt, channel, listing, device_of(attempt));
                let state = facts_of(channel.state);
                found.calls.push(CallFacts { attempt, state });
            } else if let Some(device) = names::device_of_line(&channel.id) {
                let in_bridge = listing.is_in(&names::bridge(device), &channel.id);
                let up = channel.state == ChannelState::Up && in_bridge;
                match listing.signed_in.get(&device) {
                    Some(campaign) if up => {
                        self.lines.insert(channel.id.clone(), Line::new(device, true));
                        let line = LineId(channel.id.clone());
                        found.lines.push(LineFacts { device, campaign: *campaign, line });
                    }
                    Some(_) | None => found.strays.push(channel.id.clone()),
                }
            } else if is_a_leg(channel) {
                found.strays.push(channel.id.clone());
            }
        }
        found
    }

    fn adopt_call(
        &mut self,
        attempt: AttemptId,
        channel: &Channel,
        listing: &Listing,
        device: Option<DeviceId>,
    ) {
        let bridged = listing.bridge_of(&channel.id);
        // Without a device nobody here dialled it; the dialler hangs it up.
        let device = device.or_else(|| bridged.and_then(names::device_of_bridge));
        let heard = Heard {
            created: true,
            in_bridge: bridged.is_some(),
            dialled: false,
            progress: false,
            ringing: channel.state == ChannelState::Ringing,
            up: channel.state == ChannelState::Up,
        };
        self.calls.insert(attempt, Call::new(device, heard));
    }

    /// Compares what Asterisk has with what we know, in passing: events can be lost. A channel
    /// counts as a stray, or as gone, when two lists in a row say so.
    pub(super) fn sweep(&mut self, channels: &[Channel]) -> (Vec<String>, Vec<Gone>) {
        let there: HashSet<&str> = channels.iter().map(|channel| channel.id.as_str()).collect();
        let mut gone = Vec::new();
        for (attempt, call) in &mut self.calls {
            if missed_twice(&mut call.missed, there.contains(attempt.to_string().as_str())) {
                gone.push(Gone::Callee(*attempt));
            }
        }
        for (line, state) in &mut self.lines {
            if missed_twice(&mut state.missed, there.contains(line.as_str())) {
                gone.push(Gone::Line(line.clone()));
            }
        }

        let strangers: HashSet<String> = channels
            .iter()
            .filter(|channel| is_a_leg(channel) && !self.owns(&channel.id))
            .map(|channel| channel.id.clone())
            .collect();
        let strays = strangers.intersection(&self.strangers).cloned().collect();
        self.strangers = strangers;
        (strays, gone)
    }

    fn owns(&self, channel: &str) -> bool {
        self.lines.get(channel).is_some_and(|line| !line.dropped)
            || names::attempt(channel)
                .and_then(|attempt| self.calls.get(&attempt))
                .is_some_and(|call| !call.closed)
    }
}

/// What was found after a (re)connect.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) calls: Vec<CallFacts>,
    pub(super) lines: Vec<LineFacts>,
    pub(super) strays: Vec<String>,
    /// Bridges of ours with nobody in them.
    pub(super) bridges: Vec<String>,
}

/// Whether it leads to a telephone; what Asterisk makes for itself (announcers) does not.
fn is_a_leg(channel: &Channel) -> bool {
    channel.name.starts_with("PJSIP/")
}

fn missed_twice(missed: &mut bool, there: bool) -> bool {
    std::mem::replace(missed, !there) && !there
}

fn facts_of(state: ChannelState) -> dialler::ChannelState {
    match state {
        ChannelState::Down | ChannelState::Other => dialler::ChannelState::Down,
        ChannelState::Ringing => dialler::ChannelState::Ringing,
        ChannelState::Up => dialler::ChannelState::Up,
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
