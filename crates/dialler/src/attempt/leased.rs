//! Before anything was dialled: the card on the seat, and the write-ahead (what may lie between is in
//! in_line.rs).

use protocol::ids::{AttemptId, LeaseId};

use super::{
    Attempt, AttemptInput, Calling, Closed, Committing, Elsewhere, InLine, LEASE_MS, Leased, RENEW_BELOW,
    Saving, Settling,
};
use crate::{
    call::Call,
    cause::Sign,
    hours,
    input::{ContactFacts, Lease, SaveRefused, Ticket},
    output::{NewAttempt, Output, Released, Write},
    retry,
    rules::{self, Rule},
    scene::Scene,
    words,
};

impl Leased {
    pub(super) fn new(lease: Lease, scene: &Scene<'_>) -> Self {
        let look_at = closing_time(&lease.contact, scene);
        Leased { lease, look_at }
    }

    pub(super) fn handle(mut self, input: AttemptInput, scene: &mut Scene<'_>) -> Attempt {
        match input {
            AttemptInput::Ping => {
                self.renew(scene);
                Attempt::Leased(self)
            }
            AttemptInput::Dial { ticket, lease, attempt, facts, elsewhere } => {
                self.dial(ticket, lease, attempt, facts, elsewhere, scene)
            }
            AttemptInput::Settle { ticket, lease, how } => self.settle(ticket, lease, how, scene),
            AttemptInput::GiveBack | AttemptInput::Revoked => self.release(Released::GivenBack, scene),
            AttemptInput::Record { ticket, .. } => {
                scene.refuse(ticket, words::no_such_call());
                Attempt::Leased(self)
            }
            AttemptInput::HangUp { ticket } => {
                scene.done(ticket);
                Attempt::Leased(self)
            }
            AttemptInput::Tick => self.tick(scene),
            // A Renew, or a write that was tried before.
            AttemptInput::Saved(_) | AttemptInput::SaveFailed(..) => Attempt::Leased(self),
            AttemptInput::Callee(_) => {
                scene.unexpected("attempt leased", "a callee's channel");
                Attempt::Leased(self)
            }
            AttemptInput::Place => {
                scene.unexpected("attempt leased", "a place on the trunk");
                Attempt::Leased(self)
            }
        }
    }

    pub(super) fn next_wake(&self) -> Option<i64> {
        self.look_at.into_iter().chain([self.lease.expires_at]).min()
    }

    pub(super) fn renew(&mut self, scene: &mut Scene<'_>) {
        if self.lease.expires_at - scene.now.steady < RENEW_BELOW {
            self.lease.expires_at = scene.now.steady + LEASE_MS;
            scene.save(Write::Renew { lease: self.lease.id, expires_at: self.lease.expires_at });
        }
    }

    fn dial(
        mut self,
        ticket: Ticket,
        lease: LeaseId,
        attempt: AttemptId,
        facts: Option<ContactFacts>,
        elsewhere: Elsewhere,
        scene: &mut Scene<'_>,
    ) -> Attempt {
        if lease != self.lease.id {
            scene.refuse(ticket, words::lease_lost());
            return Attempt::Leased(self);
        }
        let Some(facts) = facts.filter(|facts| facts.contact == self.lease.contact.contact) else {
            // The store does not hold it for this seat any more: the card goes.
            scene.refuse(ticket, words::lease_lost());
            return Attempt::Closed(Closed::default());
        };
        if !scene.telephone {
            scene.refuse(ticket, words::no_telephone());
            return Attempt::Leased(self);
        }
        if !scene.line_up {
            scene.refuse(ticket, words::wrong_state("Your line is not up yet. The card stays here"));
            return Attempt::Leased(self);
        }
        if let Err(why) = scene.trunk.allows(scene.device, elsewhere.under_way, scene.now) {
            scene.refuse(ticket, why);
            return Attempt::Leased(self);
        }
        self.lease.contact = facts;
        if elsewhere.number_busy {
            scene.refuse(ticket, words::number_in_a_call());
            let due_at = rules::due_after_busy(&self.lease.contact, scene.campaign, scene.now.wall);
            return self.release(Released::Refused { due_at }, scene);
        }
        if let Err(refusal) = rules::may_ring(&self.lease.contact, scene.campaign, scene.now.wall) {
            let due_at = refusal.until;
            scene.refuse(ticket, words::refused(refusal));
            return self.release(Released::Refused { due_at }, scene);
        }
        if !scene.takes_a_channel(attempt) {
            scene.in_line(ticket, attempt);
            return Attempt::InLine(InLine::new(self, attempt, scene));
        }
        Self::commit(self.lease, attempt, Some(ticket), scene)
    }

    /// Who has a place on the trunk is dialled as soon as the attempt is on the disk.
    pub(super) fn commit(
        lease: Lease,
        attempt: AttemptId,
        ticket: Option<Ticket>,
        scene: &mut Scene<'_>,
    ) -> Attempt {
        let dialled = scene.now;
        scene.trunk.dials(scene.device, scene.now);
        let save = scene.save(Write::Attempt(NewAttempt {
            attempt,
            lease: lease.id,
            campaign: lease.contact.campaign,
            contact: lease.contact.contact,
            device: scene.device,
            number: lease.contact.number.clone(),
            caller_id: scene.campaign.caller_id.clone(),
            dialled_at: dialled.wall,
        }));
        let tickets = ticket.into_iter().collect();
        Attempt::Committing(Committing { lease, attempt, dialled, save, tickets })
    }

    fn settle(
        self,
        ticket: Ticket,
        lease: LeaseId,
        how: protocol::http::Settle,
        scene: &mut Scene<'_>,
    ) -> Attempt {
        if lease != self.lease.id {
            scene.refuse(ticket, words::lease_lost());
            return Attempt::Leased(self);
        }
        // Who asks not to be called is heard, however often (R12).
        if how != protocol::http::Settle::DoNotCall
            && let Some(at) = scene.pace.may_pass_on_at(scene.now)
        {
            scene.goes_too_fast();
            scene.refuse(ticket, words::passed_on_many(scene.now.on_the_wall(at)));
            return Attempt::Leased(self);
        }
        let contact = &self.lease.contact;
        let how = match how {
            protocol::http::Settle::Skip => {
                let zone = &scene.campaign.zone;
                let until =
                    hours::next_midnight(scene.now.wall, zone).unwrap_or(scene.now.wall + 24 * rules::HOUR);
                Released::Skipped { until }
            }
            protocol::http::Settle::Later { again } => {
                let wanted = retry::instant_of(again, contact, scene.campaign, scene.now.wall);
                let due_at = rules::next_allowed(contact, scene.campaign, wanted).unwrap_or(wanted);
                Released::Later { due_at }
            }
            protocol::http::Settle::DoNotCall => Released::DoNotCall,
        };
        let back = Attempt::Leased(self.clone());
        Attempt::Settling(Settling::release(self.lease, how, Some(ticket), Some(Box::new(back)), scene))
    }

    fn tick(mut self, scene: &mut Scene<'_>) -> Attempt {
        if scene.now.steady >= self.lease.expires_at {
            return self.release(Released::Expired, scene);
        }
        if let Err(refusal) = rules::may_ring(&self.lease.contact, scene.campaign, scene.now.wall)
            && refusal.rule == Rule::R15
        {
            return self.release(Released::GivenBack, scene);
        }
        self.look_again(scene);
        Attempt::Leased(self)
    }

    pub(super) fn look_again(&mut self, scene: &Scene<'_>) {
        self.look_at = closing_time(&self.lease.contact, scene);
    }

    pub(super) fn release(self, how: Released, scene: &mut Scene<'_>) -> Attempt {
        Attempt::Settling(Settling::release(self.lease, how, None, None, scene))
    }
}

/// When to see whether it is too late to ring this contact today.
fn closing_time(contact: &ContactFacts, scene: &Scene<'_>) -> Option<i64> {
    rules::closes(contact, scene.campaign, scene.now.wall).map(|last| scene.now.look_for(last + 1))
}

impl Committing {
    pub(super) fn handle(mut self, input: AttemptInput, scene: &mut Scene<'_>) -> Attempt {
        match input {
            AttemptInput::Saved(save) if save == self.save => return self.committed(scene),
            AttemptInput::SaveFailed(save, why) if save == self.save => return self.refused(why, scene),
            AttemptInput::Dial { ticket, lease, .. } => {
                if lease == self.lease.id {
                    self.tickets.push(ticket);
                } else {
                    scene.refuse(ticket, words::lease_lost());
                }
            }
            AttemptInput::Settle { ticket, .. } => {
                scene.refuse(ticket, words::wrong_state("This card is being dialled"));
            }
            AttemptInput::Record { ticket, .. } => {
                scene.refuse(
                    ticket,
                    words::wrong_state("This card is being dialled; record the outcome after"),
                );
            }
            AttemptInput::HangUp { ticket } => {
                scene.refuse(
                    ticket,
                    words::wrong_state("The call is just being placed; cancel it in a moment"),
                );
            }
            AttemptInput::Callee(_) => scene.unexpected("attempt committing", "a callee's channel"),
            AttemptInput::Place => scene.unexpected("attempt committing", "a place on the trunk"),
            AttemptInput::Ping
            | AttemptInput::GiveBack
            | AttemptInput::Revoked
            | AttemptInput::Saved(_)
            | AttemptInput::SaveFailed(..)
            | AttemptInput::Tick => {}
        }
        Attempt::Committing(self)
    }

    fn committed(mut self, scene: &mut Scene<'_>) -> Attempt {
        for ticket in self.tickets {
            scene.dialled(ticket, self.attempt);
        }
        scene.pace.dial(scene.now);
        self.lease.contact.attempts += 1;
        self.lease.contact.dialled.push(self.dialled.wall);
        if !scene.telephone || !scene.line_up {
            scene.channels.leave(self.attempt);
            return Settling::never_dialled(self.lease, self.attempt, scene);
        }
        scene.push(Output::CreateChannel { attempt: self.attempt, device: scene.device });
        Attempt::Calling(Calling {
            lease: self.lease,
            call: Call::create(self.attempt, self.dialled),
            kept: None,
            progress: Saving::default(),
        })
    }

    fn refused(self, why: SaveRefused, scene: &mut Scene<'_>) -> Attempt {
        scene.channels.leave(self.attempt);
        let refusal = match why {
            SaveRefused::NoStorage => words::no_storage(),
            SaveRefused::LeaseLost => words::lease_lost(),
        };
        for ticket in self.tickets {
            scene.refuse(ticket, refusal.clone());
        }
        scene.trunk.heard(Sign::Nothing, scene.device, &self.lease.contact.number, scene.now);
        match why {
            SaveRefused::NoStorage => Attempt::Leased(Leased::new(self.lease, scene)),
            SaveRefused::LeaseLost => Attempt::Closed(Closed::default()),
        }
    }
}
