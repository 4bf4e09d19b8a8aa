//! Call was pressed, and the trunk has no place for it yet, or the last call was just now: nothing is written, and
//! nobody is rung.

use protocol::{
    call::{Call, CallState},
    ids::AttemptId,
    session::Session as SessionView,
};

use super::{Attempt, AttemptInput, InLine, Leased};
use crate::{
    output::Released,
    rules::{self, Rule},
    scene::Scene,
    words,
};

impl InLine {
    pub(super) fn new(leased: Leased, attempt: AttemptId, scene: &Scene<'_>) -> Self {
        InLine { leased, attempt, since: scene.now.wall, rests_until: scene.pace.next_dial_at(scene.now) }
    }

    pub(super) fn view(&self) -> SessionView {
        // The moment between two calls is nothing to read about.
        let state = match self.rests_until {
            Some(_) => CallState::Dialling { since_ms: self.since },
            None => CallState::InLine { since_ms: self.since },
        };
        SessionView::Dialling {
            card: self.leased.lease.card.clone(),
            call: Call { attempt_id: self.attempt, state },
        }
    }

    pub(super) fn handle(mut self, input: AttemptInput, scene: &mut Scene<'_>) -> Attempt {
        match input {
            AttemptInput::Place => return self.dial(scene),
            AttemptInput::HangUp { ticket } => {
                scene.done(ticket);
                return Attempt::Leased(self.leave(scene));
            }
            AttemptInput::GiveBack | AttemptInput::Revoked => return self.leave(scene).handle(input, scene),
            AttemptInput::Tick => return self.tick(scene),
            AttemptInput::Ping => self.leased.renew(scene),
            AttemptInput::Dial { ticket, lease, .. } => {
                if lease == self.leased.lease.id {
                    scene.in_line(ticket, self.attempt);
                } else {
                    scene.refuse(ticket, words::lease_lost());
                }
            }
            AttemptInput::Settle { ticket, .. } => {
                scene.refuse(ticket, words::wrong_state("This call waits for a free line. Cancel it first"));
            }
            AttemptInput::Record { ticket, .. } => scene.refuse(ticket, words::no_such_call()),
            AttemptInput::Callee(_) => scene.unexpected("attempt in line", "a callee's channel"),
            // A Renew.
            AttemptInput::Saved(_) | AttemptInput::SaveFailed(..) => {}
        }
        Attempt::InLine(self)
    }

    /// Its turn has come. What was read of the contact at the press still holds: nobody else may ring
    /// that number meanwhile (`number_in_a_call`), and the write asks the do-not-call list again.
    fn dial(self, scene: &mut Scene<'_>) -> Attempt {
        if scene.trunk.is_shut_to(scene.device) {
            return Attempt::Leased(self.leave(scene));
        }
        if let Err(refusal) = rules::may_ring(&self.leased.lease.contact, scene.campaign, scene.now.wall) {
            let due_at = refusal.until;
            return self.leave(scene).release(Released::Refused { due_at }, scene);
        }
        Leased::commit(self.leased.lease, self.attempt, None, scene)
    }

    fn tick(mut self, scene: &mut Scene<'_>) -> Attempt {
        self.rests_until = self.rests_until.filter(|at| *at > scene.now.steady);
        if !scene.telephone || !scene.line_up || scene.trunk.is_shut_to(scene.device) {
            return Attempt::Leased(self.leave(scene));
        }
        let lapses = scene.now.steady >= self.leased.lease.expires_at;
        let closes = rules::may_ring(&self.leased.lease.contact, scene.campaign, scene.now.wall)
            .is_err_and(|refusal| refusal.rule == Rule::R15);
        if lapses || closes {
            return self.leave(scene).handle(AttemptInput::Tick, scene);
        }
        self.leased.look_again(scene);
        Attempt::InLine(self)
    }

    fn leave(self, scene: &mut Scene<'_>) -> Leased {
        scene.channels.leave(self.attempt);
        self.leased
    }
}
