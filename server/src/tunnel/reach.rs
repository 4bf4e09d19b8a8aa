//! Where an app may have Asterisk send packets: to itself, and to the world outside, as any computer may be asked
//! from anywhere. Not to this machine and not to the networks that it stands in or has a way to, where a packet of
//! Asterisk's comes from a neighbour.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::routes;

/// An address in it, and the length of its prefix.
pub(super) type Network = (IpAddr, u8);

/// What one app may have Asterisk reach.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Where the app comes from, as this machine sees it.
    app: IpAddr,
    /// This machine's addresses.
    own: Vec<IpAddr>,
    /// The networks around it.
    around: Vec<Network>,
}

impl Reach {
    /// Of an app that comes from there, seen from this machine's addresses and routes as they are now.
    ///
    /// # Errors
    /// When these cannot be read.
    pub fn of_app_at(app: IpAddr) -> std::io::Result<Self> {
        let own = if_addrs::get_if_addrs()?.into_iter().map(|interface| match interface.addr {
            if_addrs::IfAddr::V4(v4) => (v4.ip.into(), v4.prefixlen),
            if_addrs::IfAddr::V6(v6) => (v6.ip.into(), v6.prefixlen),
        });
        Ok(Self::new(app, &own.collect::<Vec<_>>(), routes::read()?))
    }

    fn new(app: IpAddr, own: &[Network], ways: Vec<Network>) -> Self {
        let around =
            own.iter().map(|(own, prefix)| (*own, at_most(*own).map_or(*prefix, |most| most.min(*prefix))));
        Self {
            app: app.to_canonical(),
            own: own.iter().map(|(own, _)| *own).collect(),
            around: around.chain(ways).collect(),
        }
    }

    /// Where the app comes from.
    pub(super) fn app(&self) -> IpAddr {
        self.app
    }

    /// Whether packets may go there. Another address of the network that the app and this machine share is refused:
    /// the app reaches Asterisk by the one it came from.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.is_own(address) {
            return self.is_own(self.app);
        }
        address == self.app || !(is_special(address) || self.is_beside(address))
    }

    fn is_own(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.own.contains(&address)
    }

    fn is_beside(&self, address: IpAddr) -> bool {
        self.around.iter().any(|(of, prefix)| network(*of, *prefix) == network(address, *prefix))
    }
}

/// The longest prefix that the network of a machine with this address has, if more is known than its interface says.
/// Clouds and VPNs give out a /32, a /128, or a part of a private network whose others are reached by the default route.
fn at_most(own: IpAddr) -> Option<u8> {
    match own {
        IpAddr::V4(v4) => match v4.octets() {
            [10, ..] => Some(8),
            [100, 64..=127, ..] => Some(10),
            [172, 16..=31, ..] => Some(12),
            [192, 168, ..] => Some(16),
            _ => None,
        },
        IpAddr::V6(v6) => Some(if v6.is_unique_local() { 48 } else { 64 }),
    }
}

/// Not one computer's address that can be reached from elsewhere.
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            v4.is_link_local() || first == 0 || first >= 224
        }
        IpAddr::V6(v6) => {
            // `::a.b.c.d` and `64:ff9b::a.b.c.d` stand for addresses of IPv4, which can be named as they are.
            let stands_for_v4 = v6.segments()[..6] == [0; 6] || v6.segments()[..2] == [0x64, 0xff9b];
            v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local() || stands_for_v4
        }
    }
}

/// The network of an address, and of which kind it is.
fn network(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
impl Reach {
    /// Of an app there, seen from a machine with these addresses.
    pub(super) fn from_machine(app: &str, own: &[(&str, u8)]) -> Self {
        Self::from_machine_with(app, own, &[])
    }

    fn from_machine_with(app: &str, own: &[(&str, u8)], ways: &[(&str, u8)]) -> Self {
        let address = |text: &str| text.parse().expect("an address");
        let networks =
            |all: &[(&str, u8)]| all.iter().map(|(of, prefix)| (address(of), *prefix)).collect::<Vec<_>>();
        Self::new(address(app), &networks(own), networks(ways))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &[(&str, u8)] = &[
        ("127.0.0.1", 8),
        ("::1", 128),
        ("198.51.100.7", 24),
        ("192.168.1.10", 24),
        ("172.17.0.1", 16),
        ("2001:db8:1::7", 64),
        ("fe80::7", 64),
    ];

    fn allows(app: &str, candidate: &str) -> bool {
        Reach::from_machine(app, MACHINE).allows(candidate.parse().expect("an address"))
    }

    #[test]
    fn an_app_at_home_has_the_world_and_not_the_servers_surroundings() {
        let home = "203.0.113.9";
        // Its own public address, its home network, its VPN, another way to the internet.
        for good in
            [home, "10.8.0.2", "172.32.0.1", "192.169.0.1", "100.64.3.4", "2001:db8:99::5", "198.51.99.1"]
        {
            assert!(allows(home, good), "{good}");
        }
        let bad = [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "198.51.100.7",
            "198.51.100.8",
            "192.168.1.1",
            "192.168.178.20",
            "::ffff:192.168.1.1",
            "172.17.0.1",
            "172.17.0.2",
            "172.31.0.2",
            "2001:db8:1::8",
            "fe80::1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "ff02::1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
        ];
        for bad in bad {
            assert!(!allows(home, bad), "{bad}");
        }
    }

    #[test]
    fn a_network_of_one_address_has_neighbours() {
        // As at Hetzner, at Google, with Tailscale, and by DHCPv6.
        let own = [
            ("198.51.100.7", 32),
            ("10.0.0.2", 32),
            ("100.101.102.103", 32),
            ("2001:db8:1::7", 128),
            ("fd12:3456:789a:1::7", 128),
        ];
        let allows = |candidate: &str| {
            Reach::from_machine("203.0.113.9", &own).allows(candidate.parse().expect("an address"))
        };
        for bad in [
            "10.0.0.1",
            "10.0.0.3",
            "::ffff:10.0.0.3",
            "10.200.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "2001:db8:1::8",
            "2001:db8:1:0:ffff::1",
            "fd12:3456:789a:2::1",
        ] {
            assert!(!allows(bad), "{bad}");
        }
        for good in ["198.51.100.8", "100.128.0.1", "192.168.1.1", "2001:db8:1:1::1", "fd12:3456:789b::1"] {
            assert!(allows(good), "{good}");
        }
        let inside = Reach::from_machine("10.0.0.3", &own);
        assert!(inside.allows([10, 0, 0, 3].into()), "the app itself");
        assert!(!inside.allows([10, 0, 0, 4].into()));
    }

    #[test]
    fn networks_that_the_machine_has_a_way_to_are_around_it() {
        let ways = [("172.20.0.0", 16), ("192.0.2.128", 25), ("2001:db8:7::", 48)];
        let reach = Reach::from_machine_with("203.0.113.9", &[("198.51.100.7", 32)], &ways);
        let allows = |candidate: &str| reach.allows(candidate.parse().expect("an address"));
        for bad in ["172.20.3.4", "192.0.2.129", "::ffff:192.0.2.129", "2001:db8:7:9::1"] {
            assert!(!allows(bad), "{bad}");
        }
        for good in ["172.21.0.1", "192.0.2.127", "2001:db8:8::1", "192.168.1.1"] {
            assert!(allows(good), "{good}");
        }
    }

    #[test]
    fn an_app_in_the_servers_network_is_reached_there_and_its_neighbours_are_not() {
        assert!(allows("192.168.1.20", "192.168.1.20"));
        assert!(!allows("192.168.1.20", "192.168.1.21"));
        assert!(!allows("192.168.1.20", "192.168.1.10"), "this machine");
        assert!(!allows("192.168.1.20", "127.0.0.1"));
        assert!(allows("2001:db8:1::20", "2001:db8:1::20"));
    }

    #[test]
    fn an_app_on_this_machine_is_reached_by_its_addresses() {
        for app in ["127.0.0.1", "::1", "198.51.100.7"] {
            for own in ["127.0.0.1", "::1", "198.51.100.7", "192.168.1.10", "172.17.0.1"] {
                assert!(allows(app, own), "{app} {own}");
            }
            assert!(!allows(app, "192.168.1.1"), "{app}: a neighbour");
        }
    }

    #[test]
    fn this_machines_own_addresses_are_read() {
        let reach = Reach::of_app_at([203, 0, 113, 9].into()).expect("interfaces");
        assert!(!reach.own.is_empty());
        assert!(reach.own.iter().all(|own| !reach.allows(*own)));
    }

    proptest::proptest! {
        #[test]
        fn what_an_address_is_written_as_changes_nothing(bits in proptest::num::u32::ANY, prefix in 0_u8..=40) {
            let v4 = Ipv4Addr::from_bits(bits);
            let reach = Reach::from_machine("203.0.113.9", &[("192.168.1.10", prefix)]);
            proptest::prop_assert_eq!(reach.allows(v4.into()), reach.allows(v4.to_ipv6_mapped().into()));
        }
    }
}
