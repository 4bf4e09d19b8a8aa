//! What each volunteer's app is told: what is true when it connects, then every change, numbered.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use protocol::{
    campaign::Campaign,
    events::{Change, LiveEvent},
    ids::DeviceId,
    session::Desk,
};
use tokio::sync::broadcast;

use crate::metrics::Metrics;

/// How many changes a slow app may lag behind before its socket is closed; it then connects anew
/// and gets everything.
const BEHIND: usize = 64;

/// The socket that follows each device, cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub {
    seats: Arc<Mutex<HashMap<DeviceId, Seat>>>,
    sockets: Arc<AtomicU64>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Seat {
    campaign: Campaign,
    /// Of the socket that follows, among all that ever did.
    socket: u64,
    seq: u64,
    news: broadcast::Sender<LiveEvent>,
}

/// What an app gets: the state, numbered, and every later change.
#[derive(Debug)]
pub struct Following {
    /// Number of the last change in `desk`.
    pub seq: u64,
    /// What is true now.
    pub desk: Desk,
    /// What changes from now on. Closed: the socket is to be closed.
    pub changes: broadcast::Receiver<LiveEvent>,
}

impl Hub {
    /// A hub that nobody follows.
    pub fn new(metrics: Metrics) -> Self {
        Self { seats: Arc::default(), sockets: Arc::default(), metrics }
    }

    /// Follows a device from now on; a socket that did before is closed: it is of a connection that was
    /// lost, or of somebody who should not have one. The dialling loop alone calls this and [`Hub::tell`],
    /// so that no change is lost between `desk` and the first change.
    pub fn follow(&self, device: DeviceId, desk: Desk) -> Following {
        let mut seats = self.seats();
        let (news, changes) = broadcast::channel(BEHIND);
        let socket = self.sockets.fetch_add(1, Ordering::Relaxed);
        let seq = seats.get(&device).map_or(0, |older| older.seq);
        seats.insert(device, Seat { campaign: desk.campaign.clone(), socket, seq, news });
        self.count(&seats);
        Following { seq, desk, changes }
    }

    /// Which socket follows a device, for [`Hub::close_if_current`].
    pub fn socket(&self, device: DeviceId) -> Option<u64> {
        self.seats().get(&device).map(|seat| seat.socket)
    }

    /// Closes a device's socket if it is this one; a newer that has taken its place stays.
    pub fn close_if_current(&self, device: DeviceId, socket: u64) {
        let mut seats = self.seats();
        if seats.get(&device).is_some_and(|seat| seat.socket == socket) {
            seats.remove(&device);
        }
        self.count(&seats);
    }

    /// A socket that followed this device is closed.
    pub fn left(&self, device: DeviceId) {
        let mut seats = self.seats();
        if seats.get(&device).is_some_and(|seat| seat.news.receiver_count() == 0) {
            seats.remove(&device);
        }
        self.count(&seats);
    }

    /// Tells the app of a device what is new.
    pub fn tell(&self, device: DeviceId, change: Change) {
        if let Some(seat) = self.seats().get_mut(&device) {
            seat.tell(change);
        }
    }

    /// Tells everyone on a campaign who was told otherwise.
    pub fn campaign(&self, campaign: &Campaign) {
        let mut seats = self.seats();
        for seat in seats.values_mut() {
            if seat.campaign.id == campaign.id && seat.campaign != *campaign {
                seat.campaign = campaign.clone();
                seat.tell(Change::Campaign(campaign.clone()));
            }
        }
    }

    /// Tells the app of a device that it was switched off, then closes its socket.
    pub fn revoke(&self, device: DeviceId, organiser: String) {
        let mut seats = self.seats();
        if let Some(seat) = seats.remove(&device) {
            let _ = seat.news.send(LiveEvent::Revoked { organiser });
        }
        self.count(&seats);
    }

    /// Closes the socket of a device.
    pub fn close(&self, device: DeviceId) {
        let mut seats = self.seats();
        seats.remove(&device);
        self.count(&seats);
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<DeviceId, Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, seats: &HashMap<DeviceId, Seat>) {
        let clients: usize = seats.values().map(|seat| seat.news.receiver_count()).sum();
        self.metrics.live_clients.set(i64::try_from(clients).unwrap_or(i64::MAX));
    }
}

impl Seat {
    fn tell(&mut self, change: Change) {
        self.seq += 1;
        // Nobody listens when the socket has just closed.
        let _ = self.news.send(LiveEvent::Change { seq: self.seq, change });
    }
}

#[cfg(test)]
mod tests {
    use protocol::{campaign::Mode, ids::CampaignId, line::Line, session::Session, trunk::Trunk};
    use tokio::sync::broadcast::error::TryRecvError;
    use uuid::Uuid;

    use super::*;

    fn desk() -> Desk {
        Desk {
            volunteer: "Maya".into(),
            campaign: Campaign {
                id: CampaignId::new(Uuid::now_v7()),
                name: "Winter Warmth".into(),
                organisation: "Lantern Street Trust".into(),
                mode: Mode::OneTouch,
                organiser: "Ruth".into(),
            },
            line: Line::Down,
            session: Session::Ended,
            last_outcome: None,
            trunk: Trunk::Open,
        }
    }

    #[test]
    fn changes_are_numbered_on_from_the_snapshot() {
        let (hub, device) = (Hub::new(Metrics::default()), DeviceId::new(Uuid::now_v7()));
        let mut first = hub.follow(device, desk());
        hub.tell(device, Change::Line(Line::Opening));
        hub.tell(device, Change::Line(Line::Up));
        for (seq, line) in [(1, Line::Opening), (2, Line::Up)] {
            let change = LiveEvent::Change { seq, change: Change::Line(line) };
            assert_eq!(first.changes.try_recv(), Ok(change));
        }
        assert_eq!(first.changes.try_recv(), Err(TryRecvError::Empty));
        assert_eq!((first.seq, hub.follow(device, desk()).seq), (0, 2));
    }

    #[test]
    fn a_newer_socket_of_a_device_closes_the_older_and_stays() {
        let (hub, device) = (Hub::new(Metrics::default()), DeviceId::new(Uuid::now_v7()));
        let mut older = hub.follow(device, desk());
        let mut newer = hub.follow(device, desk());
        assert_eq!(older.changes.try_recv(), Err(TryRecvError::Closed));
        drop(older);
        hub.left(device);
        hub.tell(device, Change::Line(Line::Up));
        let change = LiveEvent::Change { seq: 1, change: Change::Line(Line::Up) };
        assert_eq!(newer.changes.try_recv(), Ok(change));
        assert_eq!(hub.metrics.live_clients.get(), 1);
    }

    #[test]
    fn a_socket_is_closed_unless_a_newer_took_its_place() {
        let (hub, device) = (Hub::new(Metrics::default()), DeviceId::new(Uuid::now_v7()));
        let _gone = hub.follow(device, desk());
        let seen = hub.socket(device).expect("followed");
        let mut newer = hub.follow(device, desk());
        hub.close_if_current(device, seen);
        assert_eq!(newer.changes.try_recv(), Err(TryRecvError::Empty));
        hub.close_if_current(device, hub.socket(device).expect("followed"));
        assert_eq!(newer.changes.try_recv(), Err(TryRecvError::Closed));
    }

    #[test]
    fn a_revoked_device_is_told_and_closed_and_no_other() {
        let (hub, device) = (Hub::new(Metrics::default()), DeviceId::new(Uuid::now_v7()));
        let mut revoked = hub.follow(device, desk());
        let mut other = hub.follow(DeviceId::new(Uuid::now_v7()), desk());
        hub.revoke(device, "Ruth".into());
        assert_eq!(revoked.changes.try_recv(), Ok(LiveEvent::Revoked { organiser: "Ruth".into() }));
        assert_eq!(revoked.changes.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(other.changes.try_recv(), Err(TryRecvError::Empty));
    }
}
