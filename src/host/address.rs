//! The addresses of a host: which are its own, which are neighbours, which are nobody's.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::error::Errno;
use crate::wire::ethernet::Mac;
use crate::wire::ipv6::{link_local, solicited_node};
use crate::wire::tcp::FourTuple;

/// The number of a host's Ethernet interface, `eth0`: the scope of its link-local addresses. The
/// loopback interface, `lo`, is number 1.
pub(crate) const INTERFACE_INDEX: u32 = 2;

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

/// The addresses of a host's Ethernet interface. Loopback addresses every host has beside them.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    // The first of a family is the one that is used where nothing else decides.
    prefixes: Vec<Prefix>,
    gateways: Gateways,
}

/// The way to addresses that are not on the link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gateways {
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
    /// There is one neighbour, who takes everything and is never asked for: the other end of a
    /// link without addresses of its own.
    pub(crate) point_to_point: Option<Mac>,
}

impl Addresses {
    /// The addresses given, and the link-local one that follows from the Ethernet address.
    pub(crate) fn new(mac: Mac, prefixes: &[Prefix]) -> Addresses {
        let mut prefixes = prefixes.to_vec();
        prefixes.push(Prefix::new(link_local(mac), 64));
        Addresses { prefixes, gateways: Gateways::default() }
    }

    pub(crate) fn set_gateways(&mut self, gateways: Gateways) {
        self.gateways = gateways;
    }

    /// The only neighbour there is, where it needs no asking.
    pub(crate) fn point_to_point(&self) -> Option<Mac> {
        self.gateways.point_to_point
    }

    /// Whether an address of the interface is this one.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.address == address)
    }

    /// Whether the host itself answers to an address.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.has(address) || address.is_loopback()
    }

    /// Whether an address is that of a neighbour, reached without a router.
    pub(crate) fn is_on_link(&self, address: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(address))
    }

    /// The neighbour to whom a packet for one host is handed: that host, or a router. `None` when
    /// there is no way to it.
    pub(crate) fn next_hop(&self, destination: IpAddr) -> Option<IpAddr> {
        if self.gateways.point_to_point.is_some() {
            return Some(match destination {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            });
        }
        if self.is_on_link(destination) {
            return Some(destination);
        }
        match destination {
            IpAddr::V4(_) => self.gateways.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.gateways.v6.map(IpAddr::V6),
        }
    }

    /// Whether an address is that of everybody on the link.
    pub(crate) fn is_broadcast(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        address.is_broadcast()
            || self.prefixes.iter().any(|prefix| prefix.broadcast() == Some(address))
    }

    /// Whether an address names one host, as far as can be told from here.
    pub(crate) fn is_unicast(&self, address: IpAddr) -> bool {
        !address.is_unspecified() && !address.is_multicast() && !self.is_broadcast(address)
    }

    /// Whether the interface listens to the group in which its neighbours look for it.
    pub(crate) fn is_solicited_node(&self, group: Ipv6Addr) -> bool {
        self.solicited_nodes().any(|ours| ours == group)
    }

    /// The groups in which its neighbours look for it.
    pub(crate) fn solicited_nodes(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.prefixes.iter().filter_map(|prefix| match prefix.address {
            IpAddr::V6(address) => Some(solicited_node(address)),
            IpAddr::V4(_) => None,
        })
    }

    /// What `bind(2)` makes of an address: EADDRNOTAVAIL for one that is not the host's own; for a
    /// link-local one EINVAL without a scope, ENODEV with another interface's (`ipv6(7)`).
    pub(crate) fn to_bind(&self, local: SocketAddr, only_v6: bool) -> Result<BindAddress, Errno> {
        let wildcard = match local.ip() {
            IpAddr::V4(_) => BindAddress::AnyV4,
            IpAddr::V6(_) if only_v6 => BindAddress::AnyV6,
            IpAddr::V6(_) => BindAddress::Any,
        };
        let address = canonical(local.ip());
        if address.is_unspecified() {
            let is_mapped = local.is_ipv6() && address.is_ipv4();
            return Ok(if is_mapped { BindAddress::AnyV4 } else { wildcard });
        }
        match scope_of(local) {
            Scope::Missing => Err(Errno::Invalid),
            Scope::Other => Err(Errno::NoDevice),
            _ if only_v6 && local.is_ipv6() && address.is_ipv4() => Err(Errno::AddrNotAvailable),
            _ if self.is_own(address) => Ok(BindAddress::One(address)),
            _ => Err(Errno::AddrNotAvailable),
        }
    }

    /// The address from which to send to `destination`: RFC 6724 section 5, for one interface.
    pub(crate) fn source_for(&self, destination: IpAddr) -> Result<IpAddr, Errno> {
        if self.is_own(destination) {
            return Ok(destination);
        }
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
            .ok_or(Errno::NetUnreachable)
    }
}

/// What a socket is bound to, apart from its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindAddress {
    AnyV4,
    /// `::` of a socket that is for IPv6 alone.
    AnyV6,
    /// `::` of a socket that takes IPv4 as well (`ipv6(7)`, RFC 3493 3.7).
    Any,
    One(IpAddr),
}

impl BindAddress {
    /// Whether what is sent to `address` is for a socket that is bound to this.
    pub(crate) fn covers(self, address: IpAddr) -> bool {
        match self {
            BindAddress::AnyV4 => address.is_ipv4(),
            BindAddress::AnyV6 => address.is_ipv6(),
            BindAddress::Any => true,
            BindAddress::One(one) => one == address,
        }
    }

    /// Whether something may be for both.
    pub(crate) fn overlaps(self, other: BindAddress) -> bool {
        match (self, other) {
            (BindAddress::One(address), other) | (other, BindAddress::One(address)) => {
                other.covers(address)
            }
            (BindAddress::Any, _) | (_, BindAddress::Any) => true,
            (one, other) => one == other,
        }
    }

    pub(crate) fn is_wildcard(self) -> bool {
        !matches!(self, BindAddress::One(_))
    }
}

/// An address as sockets show it: a link-local one with the interface it belongs to.
pub(crate) fn socket_addr(address: IpAddr, port: u16) -> SocketAddr {
    match address {
        IpAddr::V6(address) if address.is_unicast_link_local() => {
            SocketAddr::V6(SocketAddrV6::new(address, port, 0, INTERFACE_INDEX))
        }
        address => SocketAddr::new(address, port),
    }
}

impl FourTuple {
    pub(crate) fn local(&self) -> SocketAddr {
        socket_addr(self.local_addr, self.local_port)
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        socket_addr(self.remote_addr, self.remote_port)
    }
}

impl fmt::Display for FourTuple {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} > {}", self.local(), self.remote())
    }
}

/// The interface that an address asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Any, or the one there is.
    Fine,
    /// A link-local address says nothing without one.
    Missing,
    /// One that there is not, or on which the address cannot be.
    Other,
}

pub(crate) fn scope_of(address: SocketAddr) -> Scope {
    match address {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => match v6.scope_id() {
            INTERFACE_INDEX => Scope::Fine,
            0 => Scope::Missing,
            _ => Scope::Other,
        },
        _ => Scope::Fine,
    }
}

/// An address as a socket of the IPv6 family shows it: an IPv4 one as `::ffff:a.b.c.d`.
pub(crate) fn mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        SocketAddr::V6(_) => address,
    }
}

/// An address as the stack knows it: `::ffff:a.b.c.d` is the IPv4 address within.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
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
        assert!(addresses().is_own(ip("fe80::ff:fe00:1")));
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
        assert_eq!(from("127.0.0.9"), ip("127.0.0.9"));
        assert_eq!(from("::1"), ip("::1"));
        let prefixes = vec![Prefix::new(ip("10.0.0.1"), 16)];
        let only_v4 = Addresses { prefixes, gateways: Gateways::default() };
        assert_eq!(only_v4.source_for(ip("fd00::1")), Err(Errno::NetUnreachable));
    }

    #[test]
    fn what_is_not_on_the_link_goes_through_a_gateway_of_its_family() {
        let mut addresses = addresses();
        assert_eq!(addresses.next_hop(ip("192.0.2.1")), None);
        let v4 = Some("10.0.0.254".parse().unwrap());
        addresses.set_gateways(Gateways { v4, ..Gateways::default() });
        assert_eq!(addresses.next_hop(ip("10.0.7.7")), Some(ip("10.0.7.7")));
        assert_eq!(addresses.next_hop(ip("192.0.2.1")), Some(ip("10.0.0.254")));
        assert_eq!(addresses.next_hop(ip("2001:db8::1")), None);
        assert_eq!(addresses.next_hop(ip("fe80::9")), Some(ip("fe80::9")));
        let point_to_point = Some([2, 0, 0, 0, 0, 9]);
        addresses.set_gateways(Gateways { point_to_point, ..Gateways::default() });
        assert_eq!(addresses.next_hop(ip("2001:db8::1")), Some(ip("::")));
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
