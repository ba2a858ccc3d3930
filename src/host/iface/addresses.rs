//! The addresses of an interface: which are its own, and which are on its link.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::ethernet::Mac;
use crate::wire::ipv6::{link_local, solicited_node};

/// An address, and how many of its leading bits are those of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) address: IpAddr,
    pub(crate) len: u8,
}

impl Prefix {
    pub(crate) fn new(address: impl Into<IpAddr>, len: u8) -> Prefix {
        Prefix { address: address.into(), len }
    }

    /// What is wrong with it as the address of a host, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Prefix { address, len } = *self;
        let max = if address.is_ipv4() { 32 } else { 128 };
        if len > max {
            return Err(format!("{address}/{len}: a prefix has at most {max} bits"));
        }
        let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
        if address.is_unspecified()
            || address.is_multicast()
            || address.is_loopback()
            || is_broadcast
        {
            return Err(format!("{address} cannot be the address of one host on a network"));
        }
        if let IpAddr::V4(address) = address
            && len < 31
        {
            let of_host = u32::MAX >> len;
            let host = u32::from(address) & of_host;
            if host == 0 || host == of_host {
                let what =
                    if host == 0 { "the network itself" } else { "everybody on the network" };
                let first = Ipv4Addr::from((u32::from(address) & !of_host) | 1);
                return Err(format!(
                    "{address}/{len} is {what}: give the host an address within it, such as \
                     {first}/{len}"
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                (ours.to_bits() ^ other.to_bits()) & self.mask_v4() == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.len)).unwrap_or(0);
                (ours.to_bits() ^ other.to_bits()) & mask == 0
            }
            _ => false,
        }
    }

    fn mask_v4(&self) -> u32 {
        u32::MAX.checked_shl(32u32.saturating_sub(self.len.into())).unwrap_or(0)
    }

    /// The directed broadcast address of an IPv4 network that has one (RFC 3021: a /31 has none).
    fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(address) if self.len < 31 => {
                Some(Ipv4Addr::from_bits(address.to_bits() | !self.mask_v4()))
            }
            _ => None,
        }
    }
}

/// The addresses of an interface.
#[derive(Clone, Debug)]
pub(in crate::host) struct Addresses {
    mac: Mac,
    // The first of a family is the one that is used where nothing else decides.
    prefixes: Vec<Prefix>,
}

impl Addresses {
    /// Those of an Ethernet interface: the addresses given, and the link-local one that follows
    /// from the Ethernet address.
    pub(super) fn new(mac: Mac, prefixes: &[Prefix]) -> Addresses {
        let mut prefixes = prefixes.to_vec();
        prefixes.push(Prefix::new(link_local(mac), 64));
        Addresses { mac, prefixes }
    }

    /// Those of an Ethernet interface that has none of IPv6: of the addresses given, IPv4's.
    pub(super) fn without_v6(mac: Mac, prefixes: &[Prefix]) -> Addresses {
        let v4 = prefixes.iter().filter(|prefix| prefix.address.is_ipv4());
        Addresses { mac, prefixes: v4.copied().collect() }
    }

    /// Those of the loopback interface.
    pub(super) fn loopback() -> Addresses {
        let prefixes =
            vec![Prefix::new(Ipv4Addr::LOCALHOST, 8), Prefix::new(Ipv6Addr::LOCALHOST, 128)];
        Addresses { mac: [0; 6], prefixes }
    }

    /// The Ethernet address.
    pub(in crate::host) fn mac(&self) -> Mac {
        self.mac
    }

    /// Whether an address of the interface is this one.
    pub(in crate::host) fn has(&self, address: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.address == address)
    }

    /// Whether an address is that of a neighbour, reached without a router.
    pub(in crate::host) fn is_on_link(&self, address: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(address))
    }

    /// The networks on its link.
    pub(in crate::host) fn prefixes(&self) -> &[Prefix] {
        &self.prefixes
    }

    /// Whether an address is that of everybody on the link.
    pub(in crate::host) fn is_broadcast(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        address.is_broadcast()
            || self.prefixes.iter().any(|prefix| prefix.broadcast() == Some(address))
    }

    /// Whether an address names one host, as far as can be told from here.
    pub(in crate::host) fn is_unicast(&self, address: IpAddr) -> bool {
        !address.is_unspecified() && !address.is_multicast() && !self.is_broadcast(address)
    }

    /// Whether the interface listens to the group in which its neighbours look for it.
    pub(in crate::host) fn is_solicited_node(&self, group: Ipv6Addr) -> bool {
        self.solicited_nodes().any(|ours| ours == group)
    }

    /// The groups in which its neighbours look for it.
    pub(in crate::host) fn solicited_nodes(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.prefixes.iter().filter_map(|prefix| match prefix.address {
            IpAddr::V6(address) => Some(solicited_node(address)),
            IpAddr::V4(_) => None,
        })
    }

    /// The address from which to send to `destination` by this interface: RFC 6724 section 5.
    pub(in crate::host) fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        let of_family = |prefix: &&Prefix| prefix.address.is_ipv4() == destination.is_ipv4();
        let candidates = || self.prefixes.iter().filter(of_family);
        let is_local = |address: IpAddr| matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        let wants_local = match destination {
            IpAddr::V4(_) => false,
            // Scopes 1 and 2 (RFC 4291 2.7) reach no further than the link.
            IpAddr::V6(group) if group.is_multicast() => group.octets()[1] & 0x0f <= 2,
            IpAddr::V6(_) => is_local(destination),
        };
        let of_scope = || candidates().filter(|prefix| is_local(prefix.address) == wants_local);
        of_scope()
            .find(|prefix| prefix.contains(destination))
            .or_else(|| of_scope().next())
            .or_else(|| candidates().next())
            .map(|prefix| prefix.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn addresses() -> Addresses {
        let prefixes = [Prefix::new(ip("10.0.0.1"), 16), Prefix::new(ip("fd00::1"), 64)];
        Addresses::new([2, 0, 0, 0, 0, 1], &prefixes)
    }

    // RFC 4291 appendix A: the universal/local bit is inverted.
    #[test]
    fn the_link_local_address_follows_from_the_ethernet_address() {
        assert_eq!(IpAddr::V6(link_local([2, 0, 0, 0, 0, 1])), ip("fe80::ff:fe00:1"));
        assert!(addresses().has(ip("fe80::ff:fe00:1")));
        assert!(addresses().is_solicited_node("ff02::1:ff00:1".parse().unwrap()));
        assert!(!addresses().is_solicited_node("ff02::1:ff00:2".parse().unwrap()));
    }

    #[test]
    fn a_source_has_the_scope_of_its_destination() {
        let from = |to| addresses().source_for(ip(to)).unwrap();
        assert_eq!(from("10.0.3.4"), ip("10.0.0.1"));
        assert_eq!(from("fd00::9"), ip("fd00::1"));
        assert_eq!(from("2001:db8::1"), ip("fd00::1"));
        assert_eq!(from("fe80::9"), ip("fe80::ff:fe00:1"));
        assert_eq!(from("ff02::1"), ip("fe80::ff:fe00:1"));
        assert_eq!(from("ff05::1"), ip("fd00::1"));
        let only_v4 = Addresses { mac: [0; 6], prefixes: vec![Prefix::new(ip("10.0.0.1"), 16)] };
        assert_eq!(only_v4.source_for(ip("fd00::1")), None);
    }

    #[test]
    fn broadcast_is_limited_or_directed() {
        assert!(addresses().is_broadcast(ip("255.255.255.255")));
        assert!(addresses().is_broadcast(ip("10.0.255.255")));
        assert!(!addresses().is_broadcast(ip("10.0.0.255")));
        assert!(!addresses().is_unicast(ip("224.0.0.1")));
        assert!(addresses().is_unicast(ip("192.0.2.1")));
    }

    #[test]
    fn prefixes_hold_their_own() {
        assert!(Prefix::new(ip("10.0.0.1"), 0).contains(ip("192.0.2.1")));
        assert!(!Prefix::new(ip("10.0.0.1"), 32).contains(ip("10.0.0.2")));
        assert!(Prefix::new(ip("fd00::1"), 64).contains(ip("fd00::ffff")));
        assert!(!Prefix::new(ip("fd00::1"), 64).contains(ip("fd00:0:0:1::1")));
        assert!(!Prefix::new(ip("fd00::1"), 0).contains(ip("10.0.0.1")));
    }
}
