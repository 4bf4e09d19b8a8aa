//! The engine's hold on the audio thread and on the thread that opens devices.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;

use super::live::Inner;
use crate::audio::Sound;
use crate::audio::streams::{self, Choice, Wish};
use crate::audio::thread::{self as desk, Order, Told};
use crate::events::DeviceState;
use crate::settings::Devices;

/// Both threads; neither is ever waited for.
pub(super) struct Audio {
    orders: Sender<Order>,
    wishes: Sender<Wish>,
    inner: UnboundedSender<Inner>,
    /// The system's devices are open only while there is a call.
    choice: Option<Choice>,
}

impl Audio {
    pub(super) fn start(devices: Devices, inner: UnboundedSender<Inner>) -> Self {
        let (orders, heard) = channel();
        let (wishes, wished) = channel();
        let tell = inner.clone();
        spawn("audio", move || desk::run(&heard, &|told| drop(tell.send(Inner::Told(told)))));
        let (tell, to_desk) = (inner.clone(), orders.clone());
        spawn("devices", move || {
            streams::run(&wished, &to_desk, &|told| drop(tell.send(Inner::Told(told))));
        });
        let mut audio = Self { orders, wishes, inner, choice: None };
        audio.choose(devices, false);
        audio
    }

    /// Takes other devices; `talking`: at once.
    pub(super) fn choose(&mut self, devices: Devices, talking: bool) {
        let sound = match devices {
            Devices::System { microphone, speaker } => {
                self.choice = Some(Choice { microphone, speaker });
                if talking {
                    self.open();
                }
                return;
            }
            Devices::Buffers(device) => Sound::of_buffers(device),
            Devices::Files(device) => device.open().unwrap_or_else(|error| {
                let state = DeviceState::Nothing { why: format!("the file cannot be used: {error}") };
                let _ = self.inner.send(Inner::Told(Told::Devices(state)));
                Sound::none()
            }),
            Devices::Silence => Sound::none(),
        };
        if self.choice.take().is_some() {
            let _ = self.wishes.send(Wish::Close);
        }
        self.order(Order::Sound(sound));
    }

    /// A call begins.
    pub(super) fn open(&self) {
        if let Some(choice) = &self.choice {
            let _ = self.wishes.send(Wish::Open(choice.clone()));
        }
    }

    /// The last call is over.
    pub(super) fn close(&self) {
        if self.choice.is_some() {
            let _ = self.wishes.send(Wish::Close);
            self.order(Order::Sound(Sound::none()));
        }
    }

    pub(super) fn order(&self, order: Order) {
        // The thread ends only with the phone.
        let _ = self.orders.send(order);
    }

    pub(super) fn stop(&self) {
        let _ = self.wishes.send(Wish::Close);
        self.order(Order::Stop);
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(run) {
        tracing::error!(%error, "no thread for sound: this phone is silent");
    }
}
