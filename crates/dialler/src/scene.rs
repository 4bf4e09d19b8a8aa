//! What a state machine may look at and write to while it takes in one input.

use std::collections::{BTreeMap, VecDeque};

use protocol::{
    http::ApiError,
    ids::{AttemptId, DeviceId},
};

use crate::{
    channels::{Channels, Waiter},
    input::{CampaignRules, SaveId, Ticket},
    now::Now,
    output::{Answer, Output, Write},
    pace::Pace,
    trunk_health::TrunkHealth,
};

/// One input's surroundings.
pub(crate) struct Scene<'a> {
    /// What time it is.
    pub now: Now,
    /// Whose seat.
    pub device: DeviceId,
    /// What they are calling for.
    pub campaign: &'a CampaignRules,
    /// Asterisk is there.
    pub telephone: bool,
    /// The line is up.
    pub line_up: bool,
    /// The app was heard of lately.
    pub present: bool,
    /// How fast it goes through the list; goes back to the seat.
    pub pace: Pace,
    /// What calls show of the trunk.
    pub trunk: &'a mut TrunkHealth,
    /// Set when a contact went back that another seat may have now.
    pub contact_is_due: bool,
    /// Who has a place on the trunk.
    pub channels: &'a mut Channels,
    /// Where outputs go.
    pub out: &'a mut VecDeque<Output>,
    /// Which writes wait for an answer.
    pub saves: &'a mut Saves,
}

/// The writes that wait for an answer, and whose they are.
#[derive(Debug, Default)]
pub(crate) struct Saves {
    last: u64,
    owners: BTreeMap<SaveId, DeviceId>,
    tickets: BTreeMap<SaveId, Ticket>,
}

impl Saves {
    /// The seat that waits for this write, which is answered now.
    pub fn take(&mut self, save: SaveId) -> Option<DeviceId> {
        self.owners.remove(&save)
    }

    /// Whether a write of this seat waits for its answer.
    pub fn are_owed_to(&self, device: DeviceId) -> bool {
        self.owners.values().any(|owner| *owner == device)
    }

    /// The request that waits for this write alone.
    pub fn take_ticket(&mut self, save: SaveId) -> Option<Ticket> {
        self.tickets.remove(&save)
    }
}

impl Scene<'_> {
    pub fn push(&mut self, output: Output) {
        self.out.push_back(output);
    }

    pub fn answer(&mut self, ticket: Ticket, answer: Result<Answer, ApiError>) {
        self.push(Output::Answer { ticket, answer });
    }

    pub fn done(&mut self, ticket: Ticket) {
        self.answer(ticket, Ok(Answer::Done));
    }

    pub fn refuse(&mut self, ticket: Ticket, why: ApiError) {
        self.answer(ticket, Err(why));
    }

    pub fn dialled(&mut self, ticket: Ticket, attempt: AttemptId) {
        self.answer(ticket, Ok(Answer::Dialled(attempt)));
    }

    pub fn in_line(&mut self, ticket: Ticket, attempt: AttemptId) {
        self.answer(ticket, Ok(Answer::InLine(attempt)));
    }

    /// `false`: it has none yet, and waits in line.
    pub fn takes_a_channel(&mut self, attempt: AttemptId) -> bool {
        let not_before = self.pace.next_dial_at(self.now).unwrap_or(self.now.steady);
        self.channels.ask(Waiter { attempt, device: self.device, not_before }, self.now.steady)
    }

    pub fn save(&mut self, write: Write) -> SaveId {
        self.saves.last += 1;
        let save = SaveId(self.saves.last);
        self.saves.owners.insert(save, self.device);
        self.push(Output::Save { save, write });
        save
    }

    /// The request is answered when the write is done.
    pub fn waits(&mut self, save: SaveId, ticket: Ticket) {
        self.saves.tickets.insert(save, ticket);
    }

    /// A card was passed on or taken off the list, and that is written.
    pub fn took_off(&mut self) {
        self.pace.take_off(self.now);
        if self.pace.next_card_at(self.now).is_some() {
            self.goes_too_fast();
        }
    }

    /// For the organiser, who is not told at each card.
    pub fn goes_too_fast(&mut self) {
        if self.pace.is_to_be_told(self.now) {
            self.push(Output::GoesTooFast { device: self.device });
        }
    }

    pub fn unexpected(&mut self, state: &'static str, input: &'static str) {
        self.push(Output::Unexpected { state, input });
    }
}

/// When to repeat a write that failed `tries` times and that nobody waits for: after 1 s, 2 s,
/// 4 s, then every 10 s.
pub(crate) fn again_at(now: Now, tries: u32) -> i64 {
    now.steady + 1_000i64.saturating_mul(1 << tries.saturating_sub(1).min(4)).min(10_000)
}
