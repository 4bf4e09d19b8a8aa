//! Presses: which fit, what they ask of the server, and what its answer says.

use protocol::{
    http::{ErrorCode, Settle},
    ids::{AttemptId, LeaseId},
    join_link::{BadLink, JoinLink},
    outcome::Outcome,
    session::Session,
    trunk::NextTry,
};
use uuid::Uuid;

use super::{App, Ask, Busy, Effect, Joining, Keyring, Refusal, Request, hang_up::HangUp, link};
use crate::{
    server::RequestError,
    settings::Device,
    view::{JoinProblem, Notice, OutcomePress, Press, Trouble},
};

/// A press is shown as under way for at most so long: a request gives up after 10 s.
const BUSY_MS: i64 = 12_000;
/// After the answer the session moves at once, or not at all.
const MOVES_WITHIN_MS: i64 = 2_000;

impl App {
    pub(super) fn press(&mut self, request: Request, fresh: Uuid) -> Result<(), Refusal> {
        let answer = match request {
            Request::Join { link } => self.press_join(&link),
            Request::AnswerInvitation { join } => self.press_answer_invitation(join),
            Request::Start => self.press_start(),
            Request::Call { lease_id } => self.press_call(lease_id),
            Request::HangUp => self.press_hang_up(),
            Request::Mute { on } => self.press_mute(on),
            Request::Digits { digits } => self.press_digits(&digits),
            Request::Outcome { attempt_id, press } => self.press_outcome(attempt_id, press, fresh),
            Request::Correct { attempt_id, press } => self.press_correct(attempt_id, press, fresh),
            Request::Settle { lease_id, how } => self.press_settle(lease_id, how),
            Request::Pause => self.press_pause(),
            Request::Resume => self.press_resume(),
            Request::Stop => self.press_stop(),
            Request::RetryNow => self.press_retry(),
            Request::ChooseDevices { microphone, speaker } => {
                self.want(Effect::ChooseDevices { microphone, speaker });
                Ok(())
            }
            Request::Leave => self.press_leave(),
            Request::Quit if self.holds_the_window() => {
                self.notice = Some(Notice::InCall);
                return Err(Refusal::NotNow);
            }
            Request::Quit => Ok(()),
        };
        if answer.is_ok() && matches!(self.notice, Some(Notice::InCall)) {
            self.notice = None;
        }
        answer
    }

    fn press_join(&mut self, link: &str) -> Result<(), Refusal> {
        if !self.opened || !self.may_join() {
            return Err(Refusal::NotNow);
        }
        match JoinLink::parse(link) {
            Ok(link) if self.joined_as().is_some() => self.invited = Some(link),
            Ok(link) => self.join(link),
            Err(bad) => {
                let problem = match bad {
                    BadLink::NotALink | BadLink::NotSecure => JoinProblem::NotALink,
                    BadLink::Part(_) => JoinProblem::Damaged,
                };
                self.joining = Joining { busy: false, problem: Some(problem) };
            }
        }
        Ok(())
    }

    fn press_answer_invitation(&mut self, join: bool) -> Result<(), Refusal> {
        let link = self.invited.take().ok_or(Refusal::NotNow)?;
        if !join {
            self.joining.problem = None;
            return Ok(());
        }
        if !self.may_join() {
            return Err(Refusal::NotNow);
        }
        self.join(link);
        Ok(())
    }

    fn join(&mut self, link: JoinLink) {
        self.joining = Joining { busy: true, problem: None };
        self.want(Effect::Join(link));
    }

    /// The device that a link would be left for, with its key here or not.
    pub(super) fn joined_as(&self) -> Option<&Device> {
        self.device.as_ref().or(self.keyless.as_ref())
    }

    /// Not out of a session that runs, and one link at a time.
    pub(super) fn may_join(&self) -> bool {
        let free = self.device.is_none() || self.link.at == link::At::Off || !self.calling();
        free && !self.joining.busy
    }

    fn press_start(&mut self) -> Result<(), Refusal> {
        match self.session() {
            Some(Session::Ended) => self.ask(Press::Start, Ask::Start),
            _ => Err(Refusal::NotNow),
        }
    }

    fn press_call(&mut self, lease: LeaseId) -> Result<(), Refusal> {
        match self.session() {
            Some(Session::Ready { card }) if card.lease_id == lease => {}
            _ => return Err(Refusal::NotNow),
        }
        if !self.line.is_up() || !self.line.can_talk() {
            return Err(Refusal::NotNow);
        }
        if let Some(Trouble::Trunk { next_try: NextTry::Later { .. } | NextTry::Others, .. }) =
            self.trunk_trouble()
        {
            return Err(Refusal::NotNow);
        }
        self.ask(Press::Call, Ask::Dial(lease))
    }

    fn press_hang_up(&mut self) -> Result<(), Refusal> {
        let attempt = self.attempt_in_call();
        if self.hang_up.is_some() || (attempt.is_none() && !self.call_pressed()) {
            return Err(Refusal::NotNow);
        }
        self.notice = None;
        // From here on nothing is heard of the volunteer, whether the server is there or not.
        self.hang_up = Some(HangUp::wanted(attempt, self.now));
        Ok(())
    }

    fn press_mute(&mut self, on: bool) -> Result<(), Refusal> {
        if !self.in_call() {
            return Err(Refusal::NotNow);
        }
        self.mute(on);
        Ok(())
    }

    pub(super) fn mute(&mut self, on: bool) {
        if self.muted == on {
            return;
        }
        self.muted = on;
        if let Some(id) = self.line.id() {
            self.want(Effect::Mute(id, on));
        }
    }

    fn press_digits(&mut self, digits: &str) -> Result<(), Refusal> {
        let keys = !digits.is_empty()
            && digits.len() <= 32
            && digits.bytes().all(|key| key.is_ascii_digit() || key == b'*' || key == b'#');
        match (self.session(), self.line.id()) {
            (Some(Session::Talking { .. }), Some(id)) if keys => {
                self.want(Effect::Digits(id, digits.to_owned()));
                Ok(())
            }
            _ => Err(Refusal::NotNow),
        }
    }

    fn press_outcome(&mut self, pressed: AttemptId, press: OutcomePress, fresh: Uuid) -> Result<(), Refusal> {
        let (attempt, talking, name) = match self.session() {
            Some(Session::Talking { call, card }) => (call.attempt_id, true, called(card)),
            Some(Session::WrapUp { call, card }) => (call.attempt_id, false, called(card)),
            _ => return Err(Refusal::NotNow),
        };
        if attempt != pressed {
            return Err(Refusal::NotNow);
        }
        let outcome = press.outcome;
        self.notice =
            (outcome == Outcome::DoNotCall).then_some(Notice::DoNotCall { name, attempt_id: Some(attempt) });
        self.marked = Some((attempt, outcome));
        self.record(attempt, press, fresh);
        if !talking {
            self.busy = Some(Busy { press: Press::Outcome, until: self.now + BUSY_MS });
        } else if outcome == Outcome::Machine && self.hang_up.is_none() {
            // Nobody listens: the same key rings off.
            self.hang_up = Some(HangUp::wanted(Some(attempt), self.now));
        }
        Ok(())
    }

    fn press_correct(&mut self, pressed: AttemptId, press: OutcomePress, fresh: Uuid) -> Result<(), Refusal> {
        let last = self.desk.as_ref().and_then(|desk| desk.last_outcome.clone());
        let last = last.filter(|last| last.attempt_id == pressed).ok_or(Refusal::NotNow)?;
        if !last.keys.contains(&press.outcome) {
            return Err(Refusal::NotNow);
        }
        let attempt_id = Some(last.attempt_id);
        self.notice = (press.outcome == Outcome::DoNotCall)
            .then_some(Notice::DoNotCall { name: last.name, attempt_id });
        self.record(last.attempt_id, press, fresh);
        Ok(())
    }

    fn press_settle(&mut self, lease: LeaseId, how: Settle) -> Result<(), Refusal> {
        let name = match self.session() {
            Some(Session::Ready { card }) if card.lease_id == lease => called(card),
            _ => return Err(Refusal::NotNow),
        };
        self.ask(Press::Settle, Ask::Settle(lease, how))?;
        if how == Settle::DoNotCall {
            self.notice = Some(Notice::DoNotCall { name, attempt_id: None });
        }
        Ok(())
    }

    fn press_pause(&mut self) -> Result<(), Refusal> {
        match self.session() {
            Some(Session::Ready { .. } | Session::Waiting { .. } | Session::WrapUp { .. }) => {
                self.ask(Press::Pause, Ask::Pause)
            }
            _ => Err(Refusal::NotNow),
        }
    }

    fn press_resume(&mut self) -> Result<(), Refusal> {
        match self.session() {
            Some(Session::Paused { pause }) if pause.by.is_none() => self.ask(Press::Resume, Ask::Resume),
            _ => Err(Refusal::NotNow),
        }
    }

    fn press_stop(&mut self) -> Result<(), Refusal> {
        if !self.calling() || self.in_call() {
            return Err(Refusal::NotNow);
        }
        self.ask(Press::Stop, Ask::Stop)
    }

    fn press_retry(&mut self) -> Result<(), Refusal> {
        if self.device.is_some() && !self.joining.busy {
            self.joining = Joining::default();
        }
        if self.device.is_none() && self.opened && !self.joining.busy {
            if !std::mem::replace(&mut self.opening, true) {
                self.want(Effect::Open);
            }
        } else if let Keyring::Absent(reason) = &self.keyring {
            // Behind an open password window another try would only wait.
            self.keyring = Keyring::Tried(reason.clone());
            self.want(Effect::KeepSecrets);
        }
        self.reconnect_now();
        self.line.retry_at = self.now;
        self.try_outcomes_now();
        if self.line.running {
            self.want(Effect::RetryPhone);
        }
        Ok(())
    }

    fn press_leave(&mut self) -> Result<(), Refusal> {
        if self.opening || (self.calling() && self.link.at != link::At::Off) {
            return Err(Refusal::NotNow);
        }
        self.want(Effect::StopListening);
        self.want(Effect::StopPhone);
        if let Some(device) = self.device.take().or_else(|| self.keyless.take()) {
            self.depart(device);
        }
        self.want(Effect::Leave);
        let mut left = Self::new(self.now);
        left.opened = true;
        left.opening = false;
        left.disk_failed = self.disk_failed;
        left.lines = self.lines;
        left.effects = std::mem::take(&mut self.effects);
        *self = left;
        Ok(())
    }

    /// One press at a time, and only while the server is there to answer it.
    fn ask(&mut self, press: Press, ask: Ask) -> Result<(), Refusal> {
        if self.busy.is_some() || !self.link.is_up() {
            return Err(Refusal::NotNow);
        }
        self.notice = None;
        self.invited = None;
        self.busy = Some(Busy { press, until: self.now + BUSY_MS });
        self.want(Effect::Ask(ask));
        Ok(())
    }

    pub(super) fn answered(&mut self, ask: Ask, result: Result<Option<AttemptId>, RequestError>) {
        if let Ask::HangUp(_) = ask {
            self.hang_up_answered(&result);
            return;
        }
        match result {
            Ok(attempt) => {
                self.no_telephone = false;
                self.no_storage = false;
                if let Some(busy) = &mut self.busy {
                    busy.until = self.now + MOVES_WITHIN_MS;
                }
                if let (Ask::Dial(_), Some(hang_up)) = (ask, &mut self.hang_up) {
                    hang_up.attempt = hang_up.attempt.or(attempt);
                }
            }
            Err(error) => {
                self.busy = None;
                self.not_done(&error);
            }
        }
    }

    fn not_done(&mut self, error: &RequestError) {
        if matches!(self.notice, Some(Notice::DoNotCall { .. })) {
            self.notice = None;
        }
        let RequestError::Refused { error: reason, .. } = error else {
            // The socket may not know yet; asking is how it finds out.
            if self.link.is_up() {
                self.want(Effect::StopListening);
                self.lost(error);
            }
            return;
        };
        let message = reason.message.clone();
        match reason.code {
            ErrorCode::RefusedByRule => self.notice = Some(Notice::RefusedByRule { message }),
            ErrorCode::LeaseLost => self.notice = Some(Notice::LeaseLost),
            ErrorCode::NoTelephone => self.no_telephone = true,
            ErrorCode::NoStorage => self.no_storage = true,
            ErrorCode::SignInAgain => self.sign_in_again(),
            ErrorCode::DeviceRevoked | ErrorCode::UpdateApp | ErrorCode::UpdateServer => self.lost(error),
            ErrorCode::Invalid
            | ErrorCode::UnknownLink
            | ErrorCode::LinkSpent
            | ErrorCode::LinkExpired
            | ErrorCode::NotFound
            | ErrorCode::WrongState
            | ErrorCode::TooLarge
            | ErrorCode::TooMany
            | ErrorCode::Internal => self.notice = Some(Notice::Refused { message }),
        }
    }
}

fn called(card: &protocol::contact::Card) -> String {
    if card.form_of_address.is_empty() { card.name.clone() } else { card.form_of_address.clone() }
}
