//! Who has a place at the door, and who gives way when places run short.
//!
//! | a connection of | how many there may be | gives way |
//! | --- | --- | --- |
//! | somebody who never signed in | [`Doors::strangers`], and its networks' share | as soon as another needs its place: of the network that holds most, the one that was silent longest |
//! | a device that showed its sign-in | [`Doors::per_device`] of a device; more count as strangers' | never |
//! | this machine, `127.0.0.1` or `::1` | all; [`Doors::here`] are kept for it alone | never |
//!
//! The addresses of `127.0.0.0/8` besides are others' like any: only what has no address of its own is this machine.

use std::{
    cmp::Reverse,
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use protocol::ids::DeviceId;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::limits::{neighbourhood, site};
use crate::config::Doors;

/// The places of one server.
#[derive(Debug)]
pub struct Places {
    doors: Doors,
    since: Instant,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    next: u64,
    taken: HashMap<u64, Taken>,
    strangers: usize,
    /// By network and the length of its prefix.
    from: HashMap<Network, usize>,
    of: HashMap<DeviceId, usize>,
}

type Network = (IpAddr, u8);

#[derive(Debug)]
struct Taken {
    networks: [Network; 2],
    whose: Whose,
    shared: Arc<Shared>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Strangers,
    Devices(DeviceId),
    Here,
}

/// What a connection and its place have in common.
#[derive(Debug, Default)]
struct Shared {
    /// When something came last, milliseconds.
    heard: AtomicU64,
    /// Nothing more is to be learnt of it.
    is_known: AtomicBool,
    gives_way: CancellationToken,
}

impl Places {
    /// Nobody is in.
    pub fn new(doors: Doors) -> Arc<Self> {
        Arc::new(Self { doors, since: Instant::now(), all: Mutex::default() })
    }

    /// A place for a connection from there; a stranger's gives way to it if need be.
    pub fn let_in(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let doors = &self.doors;
        let is_here = is_this_machine(address);
        let networks = [(neighbourhood(address), 64), (site(address), 48)];
        let mut all = self.all();
        if !is_here {
            for (network, most) in networks.into_iter().zip([doors.per_address, doors.per_site]) {
                if all.from.get(&network).is_some_and(|from| *from >= most) {
                    all.make_room(Some(network))?;
                }
            }
            if all.strangers >= doors.strangers {
                all.make_room(None)?;
            }
        }
        let kept = if is_here { 0 } else { doors.here };
        if all.taken.len() >= doors.connections.saturating_sub(kept) {
            all.make_room(None)?;
        }
        let shared = Arc::new(Shared::default());
        shared.is_known.store(is_here, Ordering::Relaxed);
        shared.heard.store(self.now(), Ordering::Relaxed);
        let whose = if is_here { Whose::Here } else { Whose::Strangers };
        let number = all.add(Taken { networks, whose, shared: shared.clone() });
        Some(Place { places: self.clone(), number, shared })
    }

    fn know(&self, number: u64, device: DeviceId) {
        let mut all = self.all();
        let most = self.doors.per_device;
        let All { taken, strangers, of, .. } = &mut *all;
        let Some(taken) = taken.get_mut(&number).filter(|taken| taken.whose == Whose::Strangers) else {
            return;
        };
        let own = of.entry(device).or_default();
        if *own < most {
            *own += 1;
            *strangers -= 1;
            taken.whose = Whose::Devices(device);
            taken.shared.is_known.store(true, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn add(&mut self, taken: Taken) -> u64 {
        let number = self.next;
        self.next += 1;
        for network in taken.networks {
            *self.from.entry(network).or_default() += 1;
        }
        self.strangers += usize::from(taken.whose == Whose::Strangers);
        self.taken.insert(number, taken);
        number
    }

    /// Ends a stranger's connection, in this network if one is named; `None`: there is none. It is one of the /48 that
    /// holds most of theirs, there of the /64, and there the one that was silent longest: whoever keeps many busy pushes
    /// out their own, not the newcomers.
    fn make_room(&mut self, network: Option<Network>) -> Option<()> {
        let there = |taken: &Taken| network.is_none_or(|network| taken.networks.contains(&network));
        let strangers =
            self.taken.iter().filter(|(_, taken)| taken.whose == Whose::Strangers && there(taken));
        let mut strangers: Vec<_> = strangers
            .map(|(number, taken)| {
                let [near, site] = taken.networks;
                (site, near, taken.shared.heard.load(Ordering::Relaxed), *number)
            })
            .collect();
        // In order and not counted in a table, which takes four times as long: 0.12 ms with 1,024 strangers of 4,096.
        strangers.sort_unstable();
        let sites = strangers.chunk_by(|a, b| a.0 == b.0);
        let longest_silent = sites.flat_map(|site| {
            site.chunk_by(|a, b| a.1 == b.1).filter_map(move |near| {
                let (_, _, heard, number) = near.first()?;
                Some((Reverse(site.len()), Reverse(near.len()), *heard, *number))
            })
        });
        let (.., number) = longest_silent.min()?;
        self.remove(number);
        Some(())
    }

    fn remove(&mut self, number: u64) {
        let Some(taken) = self.taken.remove(&number) else { return };
        taken.shared.gives_way.cancel();
        match taken.whose {
            Whose::Strangers => self.strangers -= 1,
            Whose::Devices(device) => one_less(&mut self.of, device),
            Whose::Here => {}
        }
        for network in taken.networks {
            one_less(&mut self.from, network);
        }
    }
}

fn one_less<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

/// A connection's place, until this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
    shared: Arc<Shared>,
}

impl Place {
    /// Something came on its connection.
    pub fn heard(&self) {
        if !self.shared.is_known.load(Ordering::Relaxed) {
            self.shared.heard.store(self.places.now(), Ordering::Relaxed);
        }
    }

    /// Done when another has the place: the connection is to be closed.
    pub fn gave_way(&self) -> WaitForCancellationFutureOwned {
        self.shared.gives_way.clone().cancelled_owned()
    }

    /// What goes along with each request on the connection.
    pub fn standing(&self) -> Standing {
        Standing { places: self.places.clone(), number: self.number, shared: self.shared.clone() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.all().remove(self.number);
    }
}

/// Goes along with each request, to say who asked on this connection.
#[derive(Debug, Clone)]
pub struct Standing {
    places: Arc<Places>,
    number: u64,
    shared: Arc<Shared>,
}

impl Standing {
    /// A request on this connection showed a device's sign-in.
    pub fn signed_in(&self, device: DeviceId) {
        if !self.shared.is_known.load(Ordering::Relaxed) {
            self.places.know(self.number, device);
        }
    }
}

fn is_this_machine(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address == IpAddr::from(Ipv4Addr::LOCALHOST) || address == IpAddr::from(Ipv6Addr::LOCALHOST)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use uuid::Uuid;

    use super::*;

    fn doors() -> Doors {
        Doors { connections: 5, strangers: 5, here: 0, per_address: 2, ..Doors::default() }
    }

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn device() -> DeviceId {
        DeviceId::new(Uuid::now_v7())
    }

    fn gave_way(place: &Place) -> bool {
        place.shared.gives_way.is_cancelled()
    }

    /// A stranger's, that was heard at this time.
    fn stranger(places: &Arc<Places>, address: IpAddr, heard: u64) -> Place {
        let place = places.let_in(address).unwrap();
        place.shared.heard.store(heard, Ordering::Relaxed);
        place
    }

    fn devices(places: &Arc<Places>, address: IpAddr) -> Place {
        let place = places.let_in(address).unwrap();
        place.standing().signed_in(device());
        place
    }

    #[test]
    fn whoever_was_silent_longest_gives_way_and_nobody_who_signed_in() {
        let places = Places::new(doors());
        let maya = devices(&places, v4(1));
        let strangers = [(2, 40), (3, 20), (4, 10), (5, 30)];
        let strangers = strangers.map(|(last, heard)| stranger(&places, v4(last), heard));
        let _newer = [stranger(&places, v4(6), 50), stranger(&places, v4(7), 60)];
        assert_eq!(strangers.each_ref().map(gave_way), [false, true, true, false]);
        assert!(!gave_way(&maya));
    }

    #[test]
    fn newcomers_stay_where_a_few_networks_keep_many_connections_busy() {
        let doors = Doors { connections: 100, strangers: 24, per_address: 12, ..doors() };
        let places = Places::new(doors);
        let v6 = |address: &str| address.parse::<IpAddr>().unwrap();
        // Each /64 of one /48 holds one, so a /64 alone would tell nothing.
        let mut busy: Vec<_> = (0..8).map(|n| stranger(&places, v4(1), 1_000 + n)).collect();
        busy.extend((0..8).map(|n| stranger(&places, v4(2), 1_000 + n)));
        busy.extend((0..8).map(|n| stranger(&places, v6(&format!("2001:db8:1:{n:x}::1")), 1_000 + n)));
        let newcomers: Vec<_> = (10..16).map(|n| stranger(&places, v4(n), n.into())).collect();
        // And they go on, each heard later than any newcomer.
        let again: Vec<_> = (0..50).map(|n| stranger(&places, v4(1 + n % 2), 2_000 + u64::from(n))).collect();
        assert!(!newcomers.iter().any(gave_way));
        assert_eq!(busy.iter().chain(&again).filter(|place| !gave_way(place)).count(), 18);
    }

    #[test]
    fn in_a_site_the_network_that_holds_most_gives_way_first() {
        let places = Places::new(Doors { connections: 100, strangers: 4, per_address: 12, ..doors() });
        let v6 = |address: &str| address.parse::<IpAddr>().unwrap();
        let neighbour = stranger(&places, v6("2001:db8:1:1::1"), 1);
        let most = [2, 3, 4].map(|heard| stranger(&places, v6("2001:db8:1:2::1"), heard));
        let _newcomer = stranger(&places, v4(1), 5);
        assert!(!gave_way(&neighbour));
        assert_eq!(most.each_ref().map(gave_way), [true, false, false]);
    }

    #[test]
    fn who_signed_in_counts_for_no_strangers_network() {
        let places = Places::new(Doors { connections: 100, strangers: 3, per_address: 12, ..doors() });
        let _office: Vec<_> = (0..10).map(|_| devices(&places, v4(1))).collect();
        let colleague = stranger(&places, v4(1), 1);
        let busy = [10, 11].map(|heard| stranger(&places, v4(2), heard));
        let _newcomer = stranger(&places, v4(3), 12);
        assert!(!gave_way(&colleague));
        assert_eq!(busy.each_ref().map(gave_way), [true, false]);
    }

    #[test]
    fn each_network_has_its_share_and_only_its_own_strangers_give_way_for_it() {
        let places = Places::new(doors());
        let other = stranger(&places, v4(9), 0);
        let first = stranger(&places, v4(1), 1);
        let second = stranger(&places, v4(1), 2);
        let _third = stranger(&places, v4(1), 3);
        assert_eq!([&other, &first, &second].map(gave_way), [false, true, false]);
        drop(first);
        assert_eq!(places.all().from[&(v4(1), 64)], 2, "it was counted out once");

        let office = Places::new(doors());
        let _signed_in = [devices(&office, v4(1)), devices(&office, v4(1))];
        assert!(office.let_in(v4(1)).is_none(), "a third of one address, all signed in");
        assert!(office.let_in(v4(2)).is_some());
        let v6 = |n: u8| format!("2001:db8::{n}").parse().unwrap();
        let _neighbours = [devices(&office, v6(1)), devices(&office, v6(2))];
        assert!(office.let_in(v6(3)).is_none(), "a /64 is one customer");
    }

    #[test]
    fn a_customer_with_many_networks_of_ipv6_has_a_share_too() {
        let places = Places::new(Doors { connections: 100, per_site: 3, ..doors() });
        let v6 = |address: &str| address.parse::<IpAddr>().unwrap();
        let all: Vec<_> = (0..3).map(|n| devices(&places, v6(&format!("2001:db8:1:{n:x}::1")))).collect();
        assert_eq!(all.len(), 3);
        assert!(places.let_in(v6("2001:db8:1:3::1")).is_none());
        assert!(places.let_in(v6("2001:db8:2::1")).is_some(), "a neighbour");
    }

    #[test]
    fn strangers_never_take_the_places_of_those_who_sign_in() {
        let places = Places::new(Doors { connections: 100, strangers: 3, ..doors() });
        let strangers: Vec<_> = (0..50).map(|n| stranger(&places, v4(n), n.into())).collect();
        assert_eq!(strangers.iter().filter(|place| !gave_way(place)).count(), 3);
        let signed_in: Vec<_> = (100..197).map(|n| devices(&places, v4(n))).collect();
        assert_eq!(signed_in.len(), 97);
        assert!(!signed_in.iter().any(gave_way));
        let one_more = devices(&places, v4(200));
        assert!(!gave_way(&one_more), "the last strangers give way to it");
    }

    #[test]
    fn this_machine_has_places_of_its_own_and_gives_way_to_nobody() {
        let places = Places::new(Doors { here: 2, per_address: 100, ..doors() });
        let here = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = places.let_in(here("127.0.0.1")).unwrap();
        let signed_in: Vec<_> = (1..=2).map(|n| devices(&places, v4(n))).collect();
        assert!(places.let_in(v4(3)).is_none(), "the last two are kept");
        let others = ["::1", "::ffff:127.0.0.1"].map(|address| places.let_in(here(address)).unwrap());
        assert!(places.let_in(here("127.0.0.1")).is_none(), "all are taken");
        assert!(![&first, &others[0], &others[1]].into_iter().chain(&signed_in).any(gave_way));
        assert!(!is_this_machine(here("127.0.0.2")), "somebody's container, a test");
    }

    #[test]
    fn a_device_has_its_share_too_and_the_rest_count_as_strangers() {
        let places =
            Places::new(Doors { connections: 100, strangers: 2, per_device: 3, per_address: 100, ..doors() });
        let mallory = device();
        let own: Vec<_> = (0..10)
            .map(|n| {
                let place = stranger(&places, v4(1), n);
                place.standing().signed_in(mallory);
                place
            })
            .collect();
        assert_eq!(own.iter().filter(|place| !gave_way(place)).count(), 5);
        assert_eq!(places.all().of[&mallory], 3);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let places = Places::new(doors());
        let all = [
            devices(&places, v4(1)),
            stranger(&places, v4(2), 1),
            places.let_in("::1".parse().unwrap()).unwrap(),
        ];
        let late = all[1].standing();
        drop(all);
        late.signed_in(device());
        let all = places.all();
        assert_eq!((all.taken.len(), all.strangers, all.from.len(), all.of.len()), (0, 0, 0, 0));
    }
}
