//! A call with its media: the outputs of its state carried out, and what the media says brought back.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::Engine;
use crate::audio::thread::{Order, Told};
use crate::call::{Call, Input, Output};
use crate::events::{CallId, Event};
use crate::media::leg::{Ends, Leg, LegError, LegState};
use crate::sip::sdp::Agreed;

/// A call that has not been forgotten yet.
pub(super) struct Live {
    pub(super) call: Call,
    pub(super) agreed: Option<Agreed>,
    pub(super) muted: bool,
    pub(super) sending: bool,
    leg: Option<Arc<Leg>>,
    ends: Option<Ends>,
    connected: bool,
}

impl Live {
    pub(super) fn new(call: Call) -> Self {
        Self { call, agreed: None, muted: false, sending: true, leg: None, ends: None, connected: false }
    }
}

/// What comes from other tasks and threads of the phone.
pub(crate) enum Inner {
    Leg { id: CallId, made: Result<(Leg, Ends, Option<Agreed>), LegError> },
    Accepted { id: CallId, agreed: Result<Agreed, LegError> },
    LegState { id: CallId, state: LegState },
    Told(Told),
}

impl Engine {
    pub(super) fn inner(&mut self, inner: Inner) {
        match inner {
            Inner::Told(told) => self.told(told),
            Inner::Leg { id, made } => match made {
                Ok((leg, ends, agreed)) => self.leg_is_made(id, leg, ends, agreed),
                Err(error) => self.hand_to(id, Input::MediaFailed(error.to_string())),
            },
            Inner::Accepted { id, agreed } => match agreed {
                Ok(agreed) => self.agreed(id, agreed),
                Err(error) => self.hand_to(id, Input::MediaFailed(error.to_string())),
            },
            Inner::LegState { id, state } => {
                if let Some(live) = self.live(id) {
                    live.connected |= state == LegState::Connected;
                }
                match state {
                    LegState::New => {}
                    LegState::Connected => {
                        self.join(id);
                        self.hand_to(id, Input::MediaUp);
                    }
                    LegState::Away => self.hand_to(id, Input::MediaAway),
                    LegState::Failed => {
                        let why = "no way for sound to the server (ICE or DTLS)".to_owned();
                        self.hand_to(id, Input::MediaFailed(why));
                    }
                }
            }
        }
    }

    fn leg_is_made(&mut self, id: CallId, leg: Leg, ends: Ends, agreed: Option<Agreed>) {
        let leg = Arc::new(leg);
        let Some(live) = self.live(id).filter(|live| !live.call.is_over()) else {
            // It was hung up meanwhile.
            tokio::spawn(async move { leg.close().await });
            return;
        };
        live.leg = Some(Arc::clone(&leg));
        live.ends = Some(ends);
        let inner = self.inner.clone();
        let mut states = leg.state();
        tokio::spawn(async move {
            while states.changed().await.is_ok() {
                let state = *states.borrow_and_update();
                if inner.send(Inner::LegState { id, state }).is_err() {
                    return;
                }
            }
        });
        if let Some(agreed) = agreed {
            self.agreed(id, agreed);
        }
        self.hand_to(id, Input::Described(leg.description.clone()));
    }

    fn agreed(&mut self, id: CallId, agreed: Agreed) {
        if let Some(live) = self.live(id) {
            live.agreed = Some(agreed);
        }
        self.join(id);
        self.hand_to(id, Input::Agreed(agreed.codec));
    }

    /// Gives the call to the audio thread, once it is known what is spoken and the way is open.
    fn join(&mut self, id: CallId) {
        let Some(live) = self.live(id) else { return };
        let (Some(agreed), true) = (live.agreed, live.connected) else { return };
        let Some(ends) = live.ends.take() else { return };
        let (muted, sending) = (live.muted, live.sending);
        self.audio.order(Order::Join { id, ends, agreed, muted, sending });
    }

    pub(super) fn hand_to(&mut self, id: CallId, input: Input) {
        let Some(at) = self.calls.iter().position(|live| live.call.id == id) else { return };
        let mut live = self.calls.remove(at);
        let mut out = Vec::new();
        live.call.handle(input, self.context(), &mut out);
        self.calls.insert(at, live);
        self.call_outputs(id, out);
    }

    pub(super) fn call_outputs(&mut self, id: CallId, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send(message) => self.outbox.push_back(*message),
                Output::Offer => self.make_leg(id, None),
                Output::Answer(offer) => self.make_leg(id, Some(offer)),
                Output::Accept(answer) => self.accept(id, answer),
                Output::Tell(state) => {
                    tracing::info!(%id, ?state, "call");
                    self.tell(Event::Call { id, state });
                }
                Output::CloseMedia => self.close_media(id),
                Output::Unexpected(what) => {
                    self.unexpected += 1;
                    tracing::debug!(%id, what, count = self.unexpected, "unexpected");
                }
            }
        }
        if self.calls.iter().any(|live| live.call.id == id && live.call.is_over()) {
            self.close_media(id);
            self.calls.retain(|live| live.call.id != id);
            if self.calls.is_empty() {
                self.audio.close();
            }
        }
    }

    fn make_leg(&mut self, id: CallId, offer: Option<Vec<u8>>) {
        let inner = self.inner.clone();
        let local = self.local.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        tokio::spawn(async move {
            let made = match offer {
                None => Leg::offer(local).await.map(|(leg, ends)| (leg, ends, None)),
                Some(offer) => {
                    let made = Leg::answer(local, &offer).await;
                    made.map(|(leg, ends, agreed)| (leg, ends, Some(agreed)))
                }
            };
            // The phone may have stopped: the leg goes with it.
            let _ = inner.send(Inner::Leg { id, made });
        });
    }

    fn accept(&mut self, id: CallId, answer: Vec<u8>) {
        let inner = self.inner.clone();
        let Some(leg) = self.live(id).and_then(|live| live.leg.clone()) else { return };
        tokio::spawn(async move {
            let agreed = leg.accept(&answer).await;
            let _ = inner.send(Inner::Accepted { id, agreed });
        });
    }

    fn close_media(&mut self, id: CallId) {
        self.audio.order(Order::Leave(id));
        let Some(live) = self.live(id) else { return };
        live.ends = None;
        if let Some(leg) = live.leg.take() {
            tokio::spawn(async move { leg.close().await });
        }
    }
}
