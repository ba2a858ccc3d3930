//! The order of a name's addresses: RFC 6724, section 6, as glibc applies it.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};

use super::Family;

/// Puts the addresses first that a host with the addresses `own` reaches best.
///
/// Of the RFC's rules, 1 (avoid what cannot be reached), 2 (matching scope), 5 (matching label), 6
/// (higher precedence), 8 (smaller scope) and 10 (as they came) decide. The others have no
/// subject here; rule 9, longest prefix, never decides between hosts of one network. Labels and
/// precedences are glibc's defaults (gai.conf(5)), in which IPv6 comes before IPv4, also
/// unique local addresses.
pub(super) fn sort(addresses: &mut [IpAddr], own: &[IpAddr]) {
    addresses.sort_by_key(|destination| {
        let source = source_for(*destination, own);
        let scope = scope(*destination);
        let entry = Entry::of(*destination);
        (
            source.is_none(),
            source.is_none_or(|source| self::scope(source) != scope),
            source.is_none_or(|source| Entry::of(source).label != entry.label),
            Reverse(entry.precedence),
            scope,
        )
    });
}

/// The address from which a host would send.
fn source_for(destination: IpAddr, own: &[IpAddr]) -> Option<IpAddr> {
    if destination.is_loopback() {
        return Some(destination);
    }
    let family = if destination.is_ipv4() { Family::V4 } else { Family::V6 };
    let source = own.iter().find(|address| family.has(address)).copied()?;
    match destination {
        // Every host with IPv6 has an address that is local to the link.
        IpAddr::V6(address) if address.is_unicast_link_local() => Some(destination),
        _ => Some(source),
    }
}

/// The scopes of RFC 4291, section 2.7, and for IPv4 those of gai.conf(5).
fn scope(address: IpAddr) -> u8 {
    const LINK_LOCAL: u8 = 2;
    const SITE_LOCAL: u8 = 5;
    const GLOBAL: u8 = 14;
    match address {
        IpAddr::V4(address) if address.is_loopback() || address.is_link_local() => LINK_LOCAL,
        IpAddr::V4(_) => GLOBAL,
        IpAddr::V6(address) if address.is_multicast() => address.octets()[1] & 0x0f,
        IpAddr::V6(address) if address.is_loopback() || address.is_unicast_link_local() => {
            LINK_LOCAL
        }
        IpAddr::V6(address) if address.segments()[0] & 0xffc0 == 0xfec0 => SITE_LOCAL,
        IpAddr::V6(_) => GLOBAL,
    }
}

/// A line of the policy table.
struct Entry {
    network: Ipv6Addr,
    len: u32,
    precedence: u8,
    label: u8,
}

const fn entry(network: [u16; 3], len: u32, precedence: u8, label: u8) -> Entry {
    let [a, b, f] = network;
    Entry { network: Ipv6Addr::new(a, b, 0, 0, 0, f, 0, 0), len, precedence, label }
}

/// Longer prefixes first.
const POLICY: [Entry; 8] = [
    Entry { network: Ipv6Addr::LOCALHOST, len: 128, precedence: 50, label: 0 },
    entry([0, 0, 0xffff], 96, 10, 4),
    entry([0, 0, 0], 96, 20, 3),
    entry([0x2001, 0, 0], 32, 40, 7),
    entry([0x2002, 0, 0], 16, 30, 2),
    entry([0xfec0, 0, 0], 10, 40, 5),
    entry([0xfc00, 0, 0], 7, 40, 6),
    EVERYTHING,
];
const EVERYTHING: Entry = entry([0, 0, 0], 0, 40, 1);

impl Entry {
    fn of(address: IpAddr) -> &'static Entry {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let holds = |entry: &&Entry| {
            let differ = entry.network.to_bits() ^ address.to_bits();
            differ.checked_shr(128 - entry.len).unwrap_or(0) == 0
        };
        POLICY.iter().find(holds).unwrap_or(&EVERYTHING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(addresses: &[&str], own: &[&str]) -> Vec<String> {
        let parse = |text: &&str| text.parse().unwrap();
        let mut addresses: Vec<IpAddr> = addresses.iter().map(parse).collect();
        sort(&mut addresses, &own.iter().map(parse).collect::<Vec<IpAddr>>());
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ipv6_comes_first_where_a_host_has_it() {
        let both = ["10.0.0.2", "fd00::2"];
        assert_eq!(sorted(&both, &["10.0.0.1", "fd00::1"]), ["fd00::2", "10.0.0.2"]);
        assert_eq!(sorted(&both, &["10.0.0.1"]), ["10.0.0.2", "fd00::2"]);
        assert_eq!(sorted(&["127.0.0.1", "::1"], &["10.0.0.1"]), ["::1", "127.0.0.1"]);
    }

    #[test]
    fn an_address_with_another_label_than_its_source_comes_after_ipv4() {
        let own = ["10.0.0.1", "fd00::1"];
        assert_eq!(sorted(&["2001:db8::1", "192.0.2.1"], &own), ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(sorted(&["2002::1", "fd00::2"], &own), ["fd00::2", "2002::1"]);
    }

    #[test]
    fn a_smaller_scope_comes_first() {
        let own = ["10.0.0.1", "2001:db8::1"];
        assert_eq!(sorted(&["2001:db8::2", "fe80::2"], &own), ["fe80::2", "2001:db8::2"]);
    }

    #[test]
    fn equals_stay_as_they_came() {
        let addresses = ["10.0.0.9", "10.0.0.3", "10.0.0.7"];
        assert_eq!(sorted(&addresses, &["10.0.0.1"]), addresses);
    }
}
