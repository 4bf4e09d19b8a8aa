//! The view, made of the state.

use protocol::{line::Line as ServersLine, session::Session, trunk::Trunk};
use softphone::Quality as Measured;

use super::{App, Keyring, line, link};
use crate::view::{DeskView, Devices, Grade, Invitation, LineView, Press, Quality, Screen, Trouble, View};

/// Beyond these, words are lost: part of the packets, and milliseconds of jitter.
const POOR_LOSS: f32 = 0.05;
const POOR_JITTER_MS: f32 = 60.0;
/// From this part of the packets on the loss is heard.
const SOME_LOSS: f32 = 0.01;

impl App {
    /// What the screens show now.
    pub fn view(&self) -> View {
        View {
            server_now_ms: self.server_now(),
            screen: self.screen(),
            troubles: self.troubles(),
            notice: self.notice.clone(),
            invitation: self.invitation(),
        }
    }

    fn invitation(&self) -> Option<Invitation> {
        let (link, device) = self.invited.as_ref().zip(self.joined_as())?;
        let host = link.server.host_str()?;
        self.may_join().then(|| Invitation {
            host: link.server.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            organisation: device.campaign.organisation.clone(),
            waiting_outcomes: self.outcomes.of(device.id),
        })
    }

    /// Of this device: another's are not ours to send.
    fn waiting_outcomes(&self) -> u32 {
        self.device.as_ref().map_or(0, |device| self.outcomes.waiting(device.id))
    }

    fn screen(&self) -> Screen {
        if !self.opened {
            return Screen::Opening;
        }
        let Some(device) = &self.device else { return self.join_screen() };
        if self.joining.busy || self.joining.problem.is_some() {
            return self.join_screen();
        }
        let Some(desk) = &self.desk else {
            if self.link.trouble.is_none() {
                return Screen::Opening;
            }
            return Screen::Desk(Box::new(DeskView {
                volunteer: device.volunteer.clone(),
                campaign: device.campaign.clone(),
                line: LineView::Down,
                session: Session::Ended,
                last_outcome: None,
                muted: false,
                marked: None,
                busy: None,
                rings: false,
                waiting_outcomes: self.waiting_outcomes(),
                quality: self.quality(),
                devices: self.devices(),
            }));
        };
        Screen::Desk(Box::new(DeskView {
            volunteer: desk.volunteer.clone(),
            campaign: desk.campaign.clone(),
            line: self.line_view(),
            session: desk.session.clone(),
            last_outcome: desk.last_outcome.clone(),
            muted: self.muted,
            marked: self.marked.map(|(_, outcome)| outcome),
            busy: if self.hang_up.is_some() {
                Some(Press::HangUp)
            } else {
                self.busy.as_ref().map(|busy| busy.press)
            },
            rings: self.line.rings,
            waiting_outcomes: self.waiting_outcomes(),
            quality: self.quality(),
            devices: self.devices(),
        }))
    }

    fn join_screen(&self) -> Screen {
        Screen::Join { busy: self.joining.busy, problem: self.joining.problem.clone() }
    }

    fn line_view(&self) -> LineView {
        if !self.calling() {
            return LineView::Down;
        }
        if let Some(since) = self.line.lost_since {
            return LineView::Lost { since_ms: since + self.link.clock_offset };
        }
        let servers = self.desk.as_ref().map(|desk| desk.line);
        match self.line.at {
            line::At::Up(_) | line::At::Away(_) if servers != Some(ServersLine::Opening) => LineView::Up,
            line::At::Up(_) | line::At::Away(_) | line::At::Down | line::At::Asked { .. } => {
                LineView::Opening
            }
        }
    }

    fn devices(&self) -> Devices {
        self.line.devices.clone().unwrap_or(Devices { microphone: None, speaker: None })
    }

    fn quality(&self) -> Quality {
        if matches!(self.line_view(), LineView::Lost { .. }) {
            return silent(Grade::Down);
        }
        let Some(measured) = self.line.id().and(self.line.quality) else {
            return silent(Grade::Unknown);
        };
        let Measured { loss, loss_up, late_drops, jitter_ms, round_trip_ms, .. } = measured;
        let loss = loss.max(loss_up).max(late_drops);
        let grade = match (loss, jitter_ms) {
            (loss, jitter) if loss > POOR_LOSS || jitter > POOR_JITTER_MS => Grade::Poor,
            (loss, _) if loss >= SOME_LOSS => Grade::SomeLost,
            _ => Grade::Good,
        };
        Quality { grade, loss, jitter_ms, round_trip_ms }
    }

    /// The worst first.
    fn troubles(&self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let in_call = self.in_call();
        match &self.link.trouble {
            Some(link::Trouble::Revoked { organiser }) => {
                troubles.push(Trouble::Revoked { organiser: organiser.clone() });
            }
            Some(link::Trouble::UpdateApp) => troubles.push(Trouble::UpdateApp),
            Some(link::Trouble::UpdateServer) => troubles.push(Trouble::UpdateServer),
            Some(link::Trouble::Untrusted) => troubles.push(Trouble::Untrusted),
            Some(link::Trouble::Unreachable) | None => {}
        }
        if self.line.untrusted && !troubles.contains(&Trouble::Untrusted) {
            troubles.push(Trouble::Untrusted);
        }
        let line_lost = self
            .line
            .lost_since
            .map(|since| Trouble::LineLost { since_ms: since + self.link.clock_offset, in_call });
        if in_call {
            troubles.extend(line_lost.clone());
        }
        if self.link.trouble == Some(link::Trouble::Unreachable) {
            troubles.push(Trouble::ServerUnreachable { retry_in_s: self.retry_in_s(), in_call });
        }
        if let Some(devices) = &self.line.devices {
            if devices.microphone.is_none() {
                troubles.push(Trouble::NoMicrophone);
            }
            if devices.speaker.is_none() {
                troubles.push(Trouble::NoSpeaker);
            }
        }
        if self.too_quiet() {
            troubles.push(Trouble::TooQuiet);
        }
        if self.disk_failed || self.outcomes.only_in_memory() {
            troubles.push(Trouble::LocalStorage);
        }
        if self.no_storage {
            troubles.push(Trouble::ServerStorage);
        }
        if self.no_telephone {
            troubles.push(Trouble::NoTelephone);
        }
        if !in_call && self.link.trouble.is_none() {
            if self.line.without_sound {
                troubles.push(Trouble::WithoutSound);
            } else {
                troubles.extend(line_lost);
            }
            troubles.extend(self.trunk_trouble());
        }
        // These last, and hide nothing that wants something now.
        for kept in self.outcomes.refused() {
            troubles.push(Trouble::OutcomeRefused {
                pressed_at_ms: kept.pressed_at_ms,
                outcome: kept.record.outcome,
            });
        }
        match &self.keyring {
            Keyring::Usable => {}
            Keyring::Locked => troubles.push(Trouble::KeyringLocked),
            Keyring::Absent(reason) | Keyring::Tried(reason) => {
                troubles.push(Trouble::NoKeyring { why: reason.why.clone() })
            }
        }
        troubles
    }

    /// Of no matter to whom is not calling.
    pub(super) fn trunk_trouble(&self) -> Option<Trouble> {
        match self.desk.as_ref()?.trunk {
            Trunk::Shut { complaint, next_try, .. } if self.calling() => {
                Some(Trouble::Trunk { complaint, next_try })
            }
            Trunk::Shut { .. } | Trunk::Open => None,
        }
    }

    fn retry_in_s(&self) -> u32 {
        match self.link.at {
            link::At::Waiting { until } => u32::try_from((until - self.now + 999) / 1_000).unwrap_or(0),
            link::At::Off | link::At::SigningIn | link::At::Opening | link::At::Up => 0,
        }
    }
}

fn silent(grade: Grade) -> Quality {
    Quality { grade, loss: 0.0, jitter_ms: 0.0, round_trip_ms: None }
}
