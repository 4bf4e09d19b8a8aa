//! The networks that this machine has a way to, as its routing table says.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::reach::Network;

/// A shorter prefix is a way to the whole world and no network: `0.0.0.0/1` of a VPN, `2000::/3`.
const SHORTEST: u8 = 7;

/// Those of both families; none where the system has no such files.
pub(super) fn read() -> io::Result<Vec<Network>> {
    let text = |path| match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    };
    let (v4, v6) = (text("/proc/net/route")?, text("/proc/net/ipv6_route")?);
    Ok(v4.lines().filter_map(of_v4).chain(v6.lines().filter_map(of_v6)).collect())
}

/// `eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0`: a network, its mask; numbers as the processor has them.
fn of_v4(line: &str) -> Option<Network> {
    let mut words = line.split_ascii_whitespace();
    let mut number = |n| Some(u32::from_str_radix(words.nth(n)?, 16).ok()?.to_ne_bytes());
    let (network, mask) = (number(1)?, number(5)?);
    let prefix = u32::from_be_bytes(mask).count_ones().try_into().ok()?;
    Some((IpAddr::from(Ipv4Addr::from(network)), prefix)).filter(|_| prefix >= SHORTEST)
}

/// `fd000000000000000000000000000000 40 ... eth0`: a network, its prefix.
fn of_v6(line: &str) -> Option<Network> {
    let mut words = line.split_ascii_whitespace();
    let network = u128::from_str_radix(words.next()?, 16).ok()?;
    let prefix = u8::from_str_radix(words.next()?, 16).ok()?;
    Some((IpAddr::from(Ipv6Addr::from_bits(network)), prefix)).filter(|_| prefix >= SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_tables_are_read_and_ways_to_the_world_are_no_networks() {
        // As a little-endian processor has it.
        let v4 =
            |network: &str, mask: &str| of_v4(&format!("ens10 {network} 0100000A 0003 0 0 0 {mask} 0 0 0"));
        if cfg!(target_endian = "little") {
            assert_eq!(v4("0000000A", "0000FFFF"), Some(([10, 0, 0, 0].into(), 16)));
            assert_eq!(v4("0100000A", "FFFFFFFF"), Some(([10, 0, 0, 1].into(), 32)));
        }
        assert_eq!(v4("00000000", "00000000"), None);
        assert_eq!(v4("00000000", "00000080"), None, "half of the world");
        assert_eq!(
            of_v4("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"),
            None
        );
        let v6 = |network: &str| of_v6(&format!("{network} {:032x} 00 {:032x} 00000100 1 0 1 eth0", 0, 0));
        let fd00 = "fd000000000000000000000000000000";
        assert_eq!(v6(&format!("{fd00} 40")), Some((Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0).into(), 64)));
        assert_eq!(v6("20000000000000000000000000000000 03"), None);
        for nonsense in ["", "eth0", "eth0 x y z 0 0 0 0 0", "\u{e9} \u{e9}"] {
            assert_eq!((of_v4(nonsense), of_v6(nonsense)), (None, None), "{nonsense}");
        }
    }

    #[test]
    fn the_tables_of_this_machine_can_be_read() {
        read().expect("tables");
    }
}
