//! Interfaces by number, the routes of a host, and what a way through them comes to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::iface::{NeighborId, Prefix};
use crate::wire::ethernet::Mac;

/// An interface of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) struct InterfaceId(u32);

impl InterfaceId {
    /// `lo`.
    pub(in crate::host) const LOOPBACK: InterfaceId = InterfaceId(0);
    /// `eth0`.
    pub(in crate::host) const ETH0: InterfaceId = InterfaceId(1);

    pub(super) fn at(position: usize) -> InterfaceId {
        InterfaceId(position as u32)
    }

    /// As `if_nametoindex(3)` counts them.
    pub(in crate::host) fn number(self) -> u32 {
        self.0 + 1
    }

    pub(super) fn position(self) -> usize {
        self.0 as usize
    }
}

/// A neighbour to whom packets are handed, and the interface on whose link it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) struct NextHop {
    pub(super) interface: InterfaceId,
    pub(super) neighbor: NeighborId,
}

/// The way to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// It is this host's own.
    Own,
    /// It is that of many on the link of an interface.
    Many(InterfaceId),
    /// By way of this neighbour, who may be its host.
    Neighbor(InterfaceId, IpAddr),
}

/// The way to addresses that are not on a link of the host's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gateways {
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
    /// There is one neighbour, who takes everything and is never asked for: the other end of a
    /// link without addresses of its own.
    pub(crate) point_to_point: Option<Mac>,
}

/// What the host is told of networks that are not on its links.
#[derive(Debug, Default)]
pub(super) struct Routes(Vec<Entry>);

/// The way to a network, by a neighbour.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) destination: Prefix,
    pub(super) gateway: IpAddr,
    pub(super) interface: InterfaceId,
}

impl Routes {
    pub(super) fn new(entries: Vec<Entry>) -> Routes {
        Routes(entries)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }
}
