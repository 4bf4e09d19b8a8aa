//! A volunteer's time on a campaign.
//!
//! | state | Start | Pause | Resume | Stop | Leased | NobodyDue, LeaseFailed | the attempt closes |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | ended | waiting; WantLease | refused | refused | - | given back | - | |
//! | waiting | - | paused | - | ended | holding | waiting, asks again later | |
//! | holding | forgets Pause and Stop | after the attempt | forgets Pause | after the attempt | unexpected | unexpected | waiting, paused or ended |
//! | paused | - | - | waiting; WantLease | ended | given back | - | |
//!
//! | state | Look | Tick | Absent | Revoked |
//! | --- | --- | --- | --- | --- |
//! | ended | - | - | - | - |
//! | waiting | WantLease, or why not; or paused; or ended | as Look, when it is time to ask again | ended | ended |
//! | holding | the attempt's Tick | the attempt's Tick | - | the attempt's, then ended |
//! | paused | waiting; WantLease, when nobody pauses any more | as Look | ended | ended |
//!
//! A card that was not dialled goes back at once at Pause and Stop. WantLease comes only while the
//! line is up, Asterisk is there, the app is there, the hours are open, and the device does not go through the list
//! faster than it may (pace.rs). An organiser's pause is
//! one for everybody, and ends for everybody who did not pause too. What takes a card back in a pause also
//! takes one that comes back later: after a write that failed. A campaign that may not be called for has no
//! sessions: they end as if everybody had pressed Stop.
//!
//! `ready`, `dialling`, `talking` and `wrap-up`, which the volunteer sees, are states of the
//! attempt that is held.

use protocol::session::{Pause, Session as View, Waiting as Why};

use crate::{
    attempt::{Attempt, AttemptInput, Closed},
    hours,
    input::{Lease, Ticket},
    output::{Output, Released},
    rules::{self, SECOND},
    scene::Scene,
    words,
};

/// How often the store is asked while nobody is due: others give cards back, lists grow.
const ASK_AGAIN: i64 = 10 * SECOND;

/// How soon the store is asked again after it failed.
const ASK_AFTER_FAILURE: i64 = 2 * SECOND;

#[derive(Debug)]
pub(crate) enum Session {
    Ended(Ended),
    Waiting(Waiting),
    Holding(Box<Holding>),
    Paused(Paused),
}

#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// WantLease was asked for and not answered yet.
    owed: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Waiting {
    owed: bool,
    why: Option<Why>,
    ask_at: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Holding {
    attempt: Attempt,
    wish: Option<Wish>,
}

#[derive(Debug)]
pub(crate) struct Paused {
    owed: bool,
    by_volunteer: bool,
}

/// What the volunteer wants after this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Pause,
    Stop,
}

#[derive(Debug)]
pub(crate) enum SessionInput {
    Start(Ticket),
    Pause(Ticket),
    Resume(Ticket),
    Stop(Ticket),
    /// The app has not been there for long.
    Absent,
    /// The device was switched off.
    Revoked,
    Leased(Box<Lease>),
    /// A contact was leased whose number is in a call, on another list.
    LeasedInACall(Box<Lease>),
    NobodyDue {
        again: u32,
        next_at: Option<i64>,
    },
    LeaseFailed,
    Attempt(AttemptInput),
    /// Line, telephone, campaign, list or presence changed.
    Look,
    Tick,
}

impl Default for Session {
    fn default() -> Self {
        Session::Ended(Ended::default())
    }
}

impl Session {
    /// A session that goes on after a restart of the server, because its line is still up.
    pub fn resumed() -> Self {
        Session::Waiting(Waiting::default())
    }

    /// A session with an attempt that was open when the server stopped.
    pub fn adopted(attempt: Attempt) -> Self {
        Session::Holding(Box::new(Holding { attempt, wish: None }))
    }

    /// Takes in one input; what closed comes back beside the new state.
    pub fn handle(self, input: SessionInput, scene: &mut Scene<'_>) -> (Self, Option<Closed>) {
        let session = match (self, input) {
            (Session::Holding(holding), input) => return holding.handle(input, scene),
            (session, SessionInput::Leased(lease)) => session.leased(*lease, false, scene),
            (session, SessionInput::LeasedInACall(lease)) => session.leased(*lease, true, scene),
            (session, SessionInput::Attempt(input)) => {
                no_attempt(input, scene);
                session
            }
            (Session::Ended(ended), input) => ended.handle(input, scene),
            (Session::Waiting(waiting), input) => waiting.handle(input, scene),
            (Session::Paused(paused), input) => paused.handle(input, scene),
        };
        (session, None)
    }

    /// Ended, and nothing that was asked for is on its way.
    pub fn is_over(&self) -> bool {
        matches!(self, Session::Ended(Ended { owed: false }))
    }

    pub fn is_ended(&self) -> bool {
        matches!(self, Session::Ended(_))
    }

    /// Waiting for a contact.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Session::Waiting(_))
    }

    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            Session::Holding(holding) => Some(&holding.attempt),
            Session::Ended(_) | Session::Waiting(_) | Session::Paused(_) => None,
        }
    }

    /// What the volunteer sees; `None`: what they saw last, for the moment of a look-up or write.
    pub fn view(&self, pause: Option<&Pause>) -> Option<View> {
        match self {
            Session::Ended(_) => Some(View::Ended),
            Session::Waiting(waiting) => waiting.why.clone().map(|why| View::Waiting { why }),
            Session::Holding(holding) => holding.attempt.view(),
            Session::Paused(_) => {
                let own = Pause { by: None, message: None };
                Some(View::Paused { pause: pause.cloned().unwrap_or(own) })
            }
        }
    }

    pub fn next_wake(&self) -> Option<i64> {
        match self {
            Session::Waiting(waiting) if !waiting.owed => waiting.ask_at,
            Session::Ended(_) | Session::Waiting(_) | Session::Holding(_) | Session::Paused(_) => None,
        }
    }

    fn leased(self, lease: Lease, in_a_call: bool, scene: &mut Scene<'_>) -> Session {
        let (owed, wish) = match &self {
            Session::Ended(ended) => (ended.owed, Some(Wish::Stop)),
            Session::Waiting(waiting) => (waiting.owed, None),
            Session::Paused(paused) => (paused.owed, paused.by_volunteer.then_some(Wish::Pause)),
            Session::Holding(_) => (false, None),
        };
        if !owed {
            scene.unexpected("session", "Leased");
        }
        let is_wanted = owed && matches!(self, Session::Waiting(_));
        let attempt = if in_a_call {
            let due_at = rules::due_after_busy(&lease.contact, scene.campaign, scene.now.wall);
            Attempt::give_back(lease, Released::Refused { due_at }, scene)
        } else if is_wanted {
            scene.pace.show(lease.contact.contact, scene.now);
            Attempt::leased(lease, scene)
        } else {
            Attempt::give_back(lease, Released::GivenBack, scene)
        };
        Session::Holding(Box::new(Holding { attempt, wish }))
    }
}

/// An input for an attempt where there is none. A request gets its refusal.
fn no_attempt(input: AttemptInput, scene: &mut Scene<'_>) {
    match input {
        AttemptInput::Dial { ticket, .. } | AttemptInput::Settle { ticket, .. } => {
            scene.refuse(ticket, words::lease_lost());
        }
        AttemptInput::Record { ticket, .. } => {
            scene.refuse(ticket, words::no_such_call());
        }
        // The call is over: what was asked for is true.
        AttemptInput::HangUp { ticket } => scene.done(ticket),
        AttemptInput::Ping
        | AttemptInput::Place
        | AttemptInput::GiveBack
        | AttemptInput::Callee(_)
        | AttemptInput::Revoked
        | AttemptInput::Saved(_)
        | AttemptInput::SaveFailed(..)
        | AttemptInput::Tick => {}
    }
}

impl Ended {
    fn handle(mut self, input: SessionInput, scene: &mut Scene<'_>) -> Session {
        match input {
            SessionInput::Start(ticket) if !scene.campaign.callable => {
                scene.refuse(ticket, words::wrong_state(words::NOT_CALLABLE));
            }
            SessionInput::Start(ticket) => {
                scene.done(ticket);
                return begin(self.owed, false, scene);
            }
            SessionInput::Pause(ticket) | SessionInput::Resume(ticket) => {
                scene.refuse(ticket, words::not_calling());
            }
            SessionInput::Stop(ticket) => scene.done(ticket),
            SessionInput::NobodyDue { .. } | SessionInput::LeaseFailed => self.owed = false,
            SessionInput::Absent
            | SessionInput::Revoked
            | SessionInput::Leased(_)
            | SessionInput::LeasedInACall(_)
            | SessionInput::Attempt(_)
            | SessionInput::Look
            | SessionInput::Tick => {}
        }
        Session::Ended(self)
    }
}

/// Where a session goes that has nothing in hand.
fn begin(owed: bool, by_volunteer: bool, scene: &mut Scene<'_>) -> Session {
    if !scene.campaign.callable {
        return Session::Ended(Ended { owed });
    }
    if by_volunteer || scene.campaign.pause.is_some() {
        return Session::Paused(Paused { owed, by_volunteer });
    }
    Session::Waiting(Waiting { owed, ..Waiting::default() }.look(scene))
}

impl Waiting {
    fn handle(mut self, input: SessionInput, scene: &mut Scene<'_>) -> Session {
        match input {
            SessionInput::Start(ticket) | SessionInput::Resume(ticket) => scene.done(ticket),
            SessionInput::Pause(ticket) => {
                scene.done(ticket);
                return Session::Paused(Paused { owed: self.owed, by_volunteer: true });
            }
            SessionInput::Stop(ticket) => {
                scene.done(ticket);
                return Session::Ended(Ended { owed: self.owed });
            }
            SessionInput::Absent | SessionInput::Revoked => {
                return Session::Ended(Ended { owed: self.owed });
            }
            SessionInput::NobodyDue { again, next_at } => {
                self.owed = false;
                self.why = Some(Why::NobodyLeft { again, next_at_ms: next_at });
                let next = next_at.unwrap_or(i64::MAX).saturating_sub(scene.now.wall);
                self.ask_at = Some(scene.now.steady + next.clamp(SECOND, ASK_AGAIN));
            }
            SessionInput::LeaseFailed => {
                self.owed = false;
                self.why = Some(Why::NoStorage);
                self.ask_at = Some(scene.now.steady + ASK_AFTER_FAILURE);
            }
            SessionInput::Look => return self.look_or_pause(scene),
            SessionInput::Tick => {
                if self.ask_at.is_some_and(|at| scene.now.steady >= at) {
                    return self.look_or_pause(scene);
                }
            }
            SessionInput::Leased(_) | SessionInput::LeasedInACall(_) | SessionInput::Attempt(_) => {}
        }
        Session::Waiting(self)
    }

    fn look_or_pause(self, scene: &mut Scene<'_>) -> Session {
        if scene.campaign.pause.is_some() || !scene.campaign.callable {
            return begin(self.owed, false, scene);
        }
        Session::Waiting(self.look(scene))
    }

    /// Asks for a contact, or says why not.
    fn look(mut self, scene: &mut Scene<'_>) -> Self {
        if self.owed {
            return self;
        }
        self.ask_at = None;
        let campaign = scene.campaign;
        let ringing = campaign.ringing_before_close();
        let opens =
            hours::next_open(campaign.hours, campaign.region, &campaign.zone, scene.now.wall, ringing);
        if !scene.telephone {
            self.why = Some(Why::NoTelephone);
        } else if !scene.line_up || !scene.present {
            self.why = Some(Why::Line);
        } else if let Some(opens_at_ms) = opens.filter(|opens| *opens > scene.now.wall) {
            self.why = Some(Why::OutsideHours { opens_at_ms });
            self.ask_at = Some(scene.now.look_for(opens_at_ms));
        } else if let Some(at) = scene.pace.next_card_at(scene.now) {
            scene.goes_too_fast();
            self.why = Some(Why::PassedOn { next_at_ms: scene.now.on_the_wall(at) });
            self.ask_at = Some(at);
        } else {
            self.owed = true;
            scene.push(Output::WantLease { device: scene.device, campaign: campaign.id });
        }
        self
    }
}

impl Paused {
    fn handle(mut self, input: SessionInput, scene: &mut Scene<'_>) -> Session {
        match input {
            SessionInput::Start(ticket) => scene.done(ticket),
            SessionInput::Pause(ticket) => {
                self.by_volunteer = true;
                scene.done(ticket);
            }
            SessionInput::Resume(ticket) => {
                if let Some(pause) = &scene.campaign.pause {
                    let by = pause.by.as_deref().unwrap_or("The organiser");
                    let message = format!("{by} paused this campaign. Calling starts again by itself");
                    scene.refuse(ticket, words::wrong_state(&message));
                    self.by_volunteer = false;
                } else {
                    scene.done(ticket);
                    return begin(self.owed, false, scene);
                }
            }
            SessionInput::Stop(ticket) => {
                scene.done(ticket);
                return Session::Ended(Ended { owed: self.owed });
            }
            SessionInput::Absent | SessionInput::Revoked => {
                return Session::Ended(Ended { owed: self.owed });
            }
            SessionInput::NobodyDue { .. } | SessionInput::LeaseFailed => self.owed = false,
            SessionInput::Look | SessionInput::Tick => {
                return begin(self.owed, self.by_volunteer, scene);
            }
            SessionInput::Leased(_) | SessionInput::LeasedInACall(_) | SessionInput::Attempt(_) => {}
        }
        Session::Paused(self)
    }
}

impl Holding {
    fn handle(mut self, input: SessionInput, scene: &mut Scene<'_>) -> (Session, Option<Closed>) {
        let input = match input {
            SessionInput::Start(ticket) => {
                scene.done(ticket);
                self.wish = None;
                return (Session::Holding(Box::new(self)), None);
            }
            SessionInput::Resume(ticket) => {
                scene.done(ticket);
                self.wish = self.wish.filter(|wish| *wish == Wish::Stop);
                return (Session::Holding(Box::new(self)), None);
            }
            SessionInput::Pause(ticket) => {
                scene.done(ticket);
                self.wish = self.wish.or(Some(Wish::Pause));
                AttemptInput::GiveBack
            }
            SessionInput::Stop(ticket) => {
                scene.done(ticket);
                self.wish = Some(Wish::Stop);
                AttemptInput::GiveBack
            }
            SessionInput::Revoked => {
                self.wish = Some(Wish::Stop);
                AttemptInput::Revoked
            }
            SessionInput::Look | SessionInput::Tick => AttemptInput::Tick,
            SessionInput::Attempt(input) => input,
            SessionInput::Leased(_)
            | SessionInput::LeasedInACall(_)
            | SessionInput::NobodyDue { .. }
            | SessionInput::LeaseFailed => {
                scene.unexpected("session holding", "an answer to WantLease");
                return (Session::Holding(Box::new(self)), None);
            }
            SessionInput::Absent => return (Session::Holding(Box::new(self)), None),
        };
        self.attempt = self.attempt.handle(input, scene);
        // A card has no place in a pause, whenever it came.
        let rests = self.wish.is_some() || scene.campaign.pause.is_some() || !scene.campaign.callable;
        if rests && self.attempt.is_card() {
            self.attempt = self.attempt.handle(AttemptInput::GiveBack, scene);
        }
        if let Attempt::Closed(closed) = self.attempt {
            let session = match self.wish {
                Some(Wish::Stop) => Session::Ended(Ended::default()),
                Some(Wish::Pause) => begin(false, true, scene),
                None => begin(false, false, scene),
            };
            return (session, Some(closed));
        }
        (Session::Holding(Box::new(self)), None)
    }
}
