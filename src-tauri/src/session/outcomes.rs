//! Outcomes on their way: to the disk first, then to the server, at least once, until it has them.
//!
//! | state | input | then |
//! | --- | --- | --- |
//! | writing | written | waiting |
//! | writing | the disk refused, or does not answer (kept in memory, and said) | waiting |
//! | waiting | server there, nothing else in flight | in flight |
//! | in flight | 2xx | gone |
//! | in flight | 4xx | refused: kept and shown |
//! | in flight | no answer, 401 | waiting, later again |
//! | in flight | 5xx | waiting, later again, behind the other attempts' |
//! | in flight | 429 | waiting till the server's time for it, behind the other attempts', which go on at once |

use protocol::{
    http::{ApiError, ErrorCode, RecordOutcome},
    ids::{AttemptId, DeviceId, OutcomeId},
    outcome::{LONGEST_NOTE, Outcome},
    session::Session,
};
use uuid::Uuid;

use super::{App, Effect};
use crate::{
    outbox::Kept,
    server::RequestError,
    view::{Notice, OutcomePress, Press},
};

const RETRY_FROM_MS: i64 = 1_000;
const RETRY_UP_TO_MS: i64 = 30_000;
/// A time that the server names is later than this only by a mistake.
const PUT_OFF_UP_TO_MS: i64 = 30 * 60_000;
/// A disk that takes longer keeps nothing from the server.
const WRITTEN_WITHIN_MS: i64 = 3_000;

#[derive(Default)]
pub(super) struct Outcomes {
    rows: Vec<Row>,
    last_id: Uuid,
    tries: u32,
    retry_at: i64,
}

struct Row {
    kept: Kept,
    state: State,
    disk: Disk,
    /// Pressed in this run: the volunteer is told when it has to wait.
    fresh: bool,
    /// It had to wait: counted on the screen.
    waited: bool,
    put_off: PutOff,
}

/// Of all rows of an attempt alike: the order within an attempt stays.
#[derive(Clone, Copy, Default)]
struct PutOff {
    /// How often the server failed with one of them, or wanted it later. Attempts with fewer go first.
    times: u32,
    /// The server wants none of them before.
    until: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Writing { until: i64 },
    Waiting,
    InFlight,
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    Asked,
    Has,
    Refused,
}

impl Outcomes {
    pub(super) fn load(&mut self, rows: Vec<Kept>, last_id: Option<OutcomeId>) {
        self.last_id = last_id.map_or(self.last_id, |id| self.last_id.max(id.uuid()));
        for kept in rows {
            // The outbox is read again at each try to open the keyring.
            if self.rows.iter().any(|row| row.kept.record.id == kept.record.id) {
                continue;
            }
            self.rows.push(Row {
                state: if kept.refused { State::Refused } else { State::Waiting },
                disk: Disk::Has,
                fresh: false,
                waited: true,
                put_off: PutOff::default(),
                kept,
            });
        }
    }

    /// All of a device that its server has not taken, also those that it refused: none is here any more.
    pub(super) fn take_of(&mut self, device: DeviceId) -> Vec<Kept> {
        let (taken, rest): (Vec<Row>, Vec<Row>) =
            std::mem::take(&mut self.rows).into_iter().partition(|row| row.kept.device == device);
        self.rows = rest;
        taken.into_iter().map(|row| row.kept).collect()
    }

    /// How many that would be.
    pub(super) fn of(&self, device: DeviceId) -> u32 {
        let count = self.rows.iter().filter(|row| row.kept.device == device).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Another device's are not this one's to show, nor to send.
    pub(super) fn only_of(&mut self, device: DeviceId) {
        self.rows.retain(|row| row.kept.device == device);
    }

    /// The server takes the greater id for the later press, so none is smaller than one before, also
    /// when the clock that made `fresh` was set back.
    fn next_id(&mut self, fresh: Uuid) -> OutcomeId {
        let next = Uuid::from_u128(self.last_id.as_u128().saturating_add(1));
        self.last_id = fresh.max(next);
        OutcomeId::new(self.last_id)
    }

    /// When the disk is waited for no longer, or, while the server is there, the next try of what this device may
    /// send.
    pub(super) fn wake(&self, device: DeviceId, up: bool) -> Option<i64> {
        let waiting = self.rows.iter().filter(|row| row.state == State::Waiting && row.kept.device == device);
        let next = waiting.map(|row| row.put_off.until.max(self.retry_at)).min();
        let busy = self.rows.iter().any(|row| row.state == State::InFlight);
        let writing = self.rows.iter().filter_map(Row::written_by);
        writing.chain(next.filter(|_| up && !busy)).min()
    }

    pub(super) fn waiting(&self, device: DeviceId) -> u32 {
        let waits = |row: &&Row| row.waited && row.state != State::Refused && row.kept.device == device;
        let count = self.rows.iter().filter(waits).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub(super) fn refused(&self) -> impl Iterator<Item = &Kept> {
        self.rows.iter().filter(|row| row.state == State::Refused).map(|row| &row.kept)
    }

    fn of_attempt(&mut self, attempt: AttemptId) -> impl Iterator<Item = &mut Row> {
        self.rows.iter_mut().filter(move |row| row.kept.record.attempt_id == attempt)
    }

    pub(super) fn only_in_memory(&self) -> bool {
        self.rows.iter().any(|row| row.disk != Disk::Has && row.written_by().is_none())
    }

    /// The outcome pressed last for an attempt, if it is still here.
    pub(super) fn pressed(&self, attempt: AttemptId) -> Option<Outcome> {
        self.rows
            .iter()
            .rev()
            .find(|row| row.kept.record.attempt_id == attempt)
            .map(|row| row.kept.record.outcome)
    }
}

impl Row {
    fn written_by(&self) -> Option<i64> {
        if let State::Writing { until } = self.state { Some(until) } else { None }
    }
}

impl App {
    pub(super) fn record(&mut self, attempt_id: AttemptId, press: OutcomePress, fresh: Uuid) {
        let Some(device) = self.device.as_ref().map(|device| device.id) else { return };
        let OutcomePress { outcome, note, again } = press;
        let note = note
            .map(|note| note.trim().chars().take(LONGEST_NOTE).collect::<String>())
            .filter(|note| !note.is_empty());
        let id = self.outcomes.next_id(fresh);
        let record = RecordOutcome { id, attempt_id, outcome, note, again };
        let kept = Kept { record, device, pressed_at_ms: self.server_now(), refused: false };
        self.want(Effect::Write(kept.clone()));
        let put_off =
            self.outcomes.of_attempt(attempt_id).next().map_or(PutOff::default(), |row| row.put_off);
        self.outcomes.rows.push(Row {
            kept,
            state: State::Writing { until: self.now + WRITTEN_WITHIN_MS },
            disk: Disk::Asked,
            fresh: true,
            waited: false,
            put_off,
        });
        // A new press is a good moment to try what waits.
        self.outcomes.retry_at = self.now;
    }

    pub(super) fn written(&mut self, id: OutcomeId, on_disk: bool) {
        if let Some(row) = self.outcomes.rows.iter_mut().find(|row| row.kept.record.id == id) {
            row.disk = if on_disk { Disk::Has } else { Disk::Refused };
            if row.written_by().is_some() {
                row.state = State::Waiting;
            }
        }
    }

    pub(super) fn delivered(&mut self, id: OutcomeId, result: Result<(), RequestError>) {
        let Some(at) = self.outcomes.rows.iter().position(|row| row.kept.record.id == id) else { return };
        match result {
            Ok(()) => {
                let row = self.outcomes.rows.remove(at);
                self.outcomes.tries = 0;
                self.outcomes.retry_at = self.now;
                self.no_storage = false;
                if self.notice == (Some(Notice::SavedHere { outcome: row.kept.record.outcome })) {
                    self.notice = None;
                }
                self.want(Effect::Forget(id));
                self.forget_refused_for(row.kept.record.attempt_id);
            }
            Err(error) => self.not_delivered(at, &error),
        }
    }

    fn not_delivered(&mut self, at: usize, error: &RequestError) {
        let attempt = self.outcomes.rows[at].kept.record.attempt_id;
        let at_hand = self.session().and_then(Session::call).is_none_or(|call| call.attempt_id == attempt);
        if at_hand && self.busy.as_ref().is_some_and(|busy| busy.press == Press::Outcome) {
            self.busy = None;
        }
        if refused_for_good(error) {
            let row = &mut self.outcomes.rows[at];
            tracing::error!(attempt = %row.kept.record.attempt_id, %error, "an outcome was refused; it stays in the outbox");
            row.state = State::Refused;
            row.kept.refused = true;
            let kept = row.kept.clone();
            self.want(Effect::Write(kept));
            return;
        }
        let row = &mut self.outcomes.rows[at];
        row.state = State::Waiting;
        row.waited = true;
        let say =
            std::mem::take(&mut row.fresh).then_some(Notice::SavedHere { outcome: row.kept.record.outcome });
        if row.disk == Disk::Refused {
            row.disk = Disk::Asked;
            let kept = row.kept.clone();
            self.want(Effect::Write(kept));
        }
        if say.is_some() {
            self.notice = say;
        }
        if wanted_later(error) {
            tracing::info!(%attempt, %error, "the server wants an outcome later; others go before it");
            let till = self.till(error);
            for row in self.outcomes.of_attempt(attempt) {
                row.put_off.until = till.max(self.now + wait_after(row.put_off.times));
                row.put_off.times = row.put_off.times.saturating_add(1);
            }
            return;
        }
        if fails_with_this_one(error) {
            tracing::warn!(%attempt, %error, "the server cannot take an outcome; others go before it");
            for row in self.outcomes.of_attempt(attempt) {
                row.put_off.times = row.put_off.times.saturating_add(1);
            }
        }
        self.outcomes.retry_at = self.now + wait_after(self.outcomes.tries);
        self.outcomes.tries = self.outcomes.tries.saturating_add(1);
        match error.code() {
            Some(ErrorCode::NoStorage) => self.no_storage = true,
            Some(ErrorCode::SignInAgain) if self.link.is_up() => self.sign_in_again(),
            _ => {}
        }
    }

    /// When the server will take it, by its own word.
    fn till(&self, error: &RequestError) -> i64 {
        let RequestError::Refused { error: ApiError { again_at_ms: Some(at), .. }, .. } = error else {
            return self.now;
        };
        at.saturating_sub(self.link.clock_offset).min(self.now + PUT_OFF_UP_TO_MS)
    }

    pub(super) fn try_outcomes_now(&mut self) {
        self.outcomes.tries = 0;
        self.outcomes.retry_at = self.now;
        for row in &mut self.outcomes.rows {
            row.put_off.until = self.now;
        }
    }

    pub(super) fn reconcile_outcomes(&mut self) {
        let up = self.link.is_up();
        self.give_up_the_disk();
        if !up {
            self.say_saved_here();
        }
        let Some(device) = self.device.as_ref().map(|device| device.id) else { return };
        let in_flight = self.outcomes.rows.iter().any(|row| row.state == State::InFlight);
        if !up || in_flight || self.now < self.outcomes.retry_at {
            return;
        }
        let next = self
            .outcomes
            .rows
            .iter_mut()
            .filter(|row| row.state == State::Waiting && row.kept.device == device)
            .filter(|row| row.put_off.until <= self.now)
            .min_by_key(|row| row.put_off.times);
        if let Some(row) = next {
            row.state = State::InFlight;
            let record = row.kept.record.clone();
            self.want(Effect::Deliver(record));
        }
    }

    /// Nothing is taken back: the disk may still answer, and is not asked twice at once.
    fn give_up_the_disk(&mut self) {
        let now = self.now;
        for row in &mut self.outcomes.rows {
            if row.written_by().is_some_and(|until| now >= until) {
                tracing::error!(attempt = %row.kept.record.attempt_id, "the disk does not answer: an outcome is only in memory");
                row.state = State::Waiting;
            }
        }
    }

    fn say_saved_here(&mut self) {
        let mut said = None;
        for row in &mut self.outcomes.rows {
            if row.state == State::Waiting && row.fresh {
                row.fresh = false;
                row.waited = true;
                said = Some(Notice::SavedHere { outcome: row.kept.record.outcome });
            }
        }
        if said.is_some() {
            self.notice = said;
            if self.busy.as_ref().is_some_and(|busy| busy.press == Press::Outcome) {
                self.busy = None;
            }
        }
    }

    /// A later outcome of the same attempt was taken: the refused one is of no use any more.
    fn forget_refused_for(&mut self, attempt: AttemptId) {
        let (gone, rest) = std::mem::take(&mut self.outcomes.rows)
            .into_iter()
            .partition(|row| row.state == State::Refused && row.kept.record.attempt_id == attempt);
        self.outcomes.rows = rest;
        let gone: Vec<Row> = gone;
        for row in gone {
            self.want(Effect::Forget(row.kept.record.id));
        }
    }
}

fn wait_after(tries: u32) -> i64 {
    (RETRY_FROM_MS << tries.min(6)).min(RETRY_UP_TO_MS)
}

/// A 4xx that no waiting mends. 401, 403, 426 and 429 speak of the sign-in, the device, the
/// version or the haste, not of the outcome.
fn refused_for_good(error: &RequestError) -> bool {
    match error {
        RequestError::Unreachable { .. } | RequestError::Untrusted => false,
        RequestError::Refused { status, .. } => {
            (400..500).contains(status) && !matches!(status, 401 | 403 | 408 | 425 | 426 | 429)
        }
    }
}

/// Too many of its kind in a short time; that holds for no other attempt's.
fn wanted_later(error: &RequestError) -> bool {
    error.code() == Some(ErrorCode::TooMany)
}

/// The server's own fault, and perhaps only with this outcome; a full disk there is everyone's.
fn fails_with_this_one(error: &RequestError) -> bool {
    matches!(error, RequestError::Refused { status: 500.., .. }) && error.code() != Some(ErrorCode::NoStorage)
}
