//! Addresses as sockets have them: what one is bound to, and how one is shown.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use crate::wire::tcp::FourTuple;

/// The number of a host's Ethernet interface, `eth0`: the scope of its link-local addresses. The
/// loopback interface, `lo`, is number 1.
pub(crate) const INTERFACE_INDEX: u32 = 2;

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
