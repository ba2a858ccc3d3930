//! One datagram socket: what it is bound to, what is meant for it, and what waits in it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use super::options::DatagramOptions;
use crate::error::Errno;
use crate::host::address::{BindAddress, INTERFACE_INDEX, mapped, socket_addr};
use crate::host::ip::InterfaceId;
use crate::host::ports::BindingId;
use crate::host::wakers::{Wakers, Woken};

/// What a datagram counts for beside its bytes, and at least: the `truesize` of a small one on
/// Linux. So empty ones are bounded as well.
const OVERHEAD: usize = 576;
const MIN_CHARGE: usize = 768;
/// IPv4 groups that a socket may be in (Linux's `igmp_max_memberships`).
const MAX_GROUPS_V4: usize = 20;
/// IPv6 groups that a socket may be in; Linux bounds the memory they take, which is enough for
/// about twice as many.
const MAX_GROUPS_V6: usize = 1024;

/// What a datagram takes of a buffer.
pub(super) fn charge(bytes: usize) -> usize {
    (bytes + OVERHEAD).max(MIN_CHARGE)
}

/// A datagram socket of a host. An id is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DatagramId(pub(super) u64);

/// What a datagram socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DatagramKind {
    Udp,
    /// Echo requests, and the replies to them (`SOCK_DGRAM` with `IPPROTO_ICMP` in `icmp(7)`):
    /// its port is the identifier of its echoes.
    Ping,
    /// Whole IPv4 packets with ICMP, or the ICMPv6 messages of IPv6 packets (`raw(7)`).
    Raw,
}

/// How much a socket is meant by what comes from one address to another. Linux's
/// `compute_score`: connected, bound to that address, bound to any address of that family, bound
/// to any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Score {
    is_connected: bool,
    is_specific: bool,
    is_of_family: bool,
}

/// What arrived, and from whom.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    /// The address that it was sent to.
    pub(super) to: IpAddr,
    pub(super) hop_limit: u8,
    pub(super) traffic_class: u8,
    pub(super) bytes: Box<[u8]>,
}

pub(crate) struct DatagramSocket {
    pub(crate) kind: DatagramKind,
    pub(super) is_v6: bool,
    /// What it was bound to; kept when it is connected.
    pub(super) bound: Option<BindAddress>,
    /// What it hears: what it was bound to, or the address that connecting chose.
    pub(super) local: Option<BindAddress>,
    /// 0 until it has one.
    pub(super) port: u16,
    /// Whether the port was asked for, and is not given back by disconnecting.
    pub(super) port_is_chosen: bool,
    /// Its entry in the table of UDP's ports.
    pub(super) binding: Option<BindingId>,
    /// The peer, by the address that the stack knows it by.
    pub(super) remote: Option<SocketAddr>,
    pub(super) options: DatagramOptions,
    /// The groups it has joined, and on which interface.
    pub(super) groups: Vec<(IpAddr, InterfaceId)>,
    /// The sequence number of the last echo request.
    pub(crate) last_echo: u16,
    /// `SO_ERROR`.
    pub(super) error: Option<Errno>,
    pub(crate) readers: Wakers,
    pub(crate) writers: Wakers,
    /// What was sent since the host was last polled, or waits for a neighbour, as [`charge`]
    /// counts it.
    pub(crate) unsent: usize,
    /// What of that waits for a neighbour.
    pub(super) unresolved: usize,
    pub(super) receiving_shut_down: bool,
    pub(super) sending_shut_down: bool,
    queue: VecDeque<Datagram>,
    /// What the queue holds, as [`charge`] counts it.
    queued: usize,
    /// Datagrams for which there was no room.
    pub(super) dropped: u64,
}

impl DatagramSocket {
    pub(super) fn new(kind: DatagramKind, is_v6: bool) -> DatagramSocket {
        DatagramSocket {
            kind,
            is_v6,
            bound: None,
            local: None,
            port: 0,
            port_is_chosen: false,
            binding: None,
            remote: None,
            options: DatagramOptions::default(),
            groups: Vec::new(),
            last_echo: 0,
            error: None,
            readers: Wakers::default(),
            writers: Wakers::default(),
            unsent: 0,
            unresolved: 0,
            receiving_shut_down: false,
            sending_shut_down: false,
            queue: VecDeque::new(),
            queued: 0,
            dropped: 0,
        }
    }

    /// The wildcard of its family.
    pub(super) fn any(&self) -> BindAddress {
        match (self.is_v6, self.options.only_v6 || self.kind != DatagramKind::Udp) {
            (false, _) => BindAddress::AnyV4,
            (true, true) => BindAddress::AnyV6,
            (true, false) => BindAddress::Any,
        }
    }

    /// Whether it wants what comes from `source` to `destination`, and how much it is meant. Its
    /// port is known to fit.
    pub(super) fn score(&self, source: SocketAddr, destination: SocketAddr) -> Option<Score> {
        let local = match self.local {
            Some(local) => local,
            // Only what has no port hears without being bound.
            None if self.kind == DatagramKind::Raw => self.any(),
            None => return None,
        };
        let is_from_peer = self.remote.is_none_or(|peer| match self.kind {
            DatagramKind::Udp => (peer.ip(), peer.port()) == (source.ip(), source.port()),
            DatagramKind::Ping | DatagramKind::Raw => peer.ip() == source.ip(),
        });
        (local.covers(destination.ip()) && is_from_peer).then_some(Score {
            is_connected: self.remote.is_some(),
            is_specific: !local.is_wildcard(),
            is_of_family: self.is_v6 == destination.is_ipv6(),
        })
    }

    /// Whether it wants what is for many. As on Linux, who is in no group hears those that others
    /// on its host are in (`IP_MULTICAST_ALL`), except for IPv4 on a socket of IPv6.
    pub(super) fn wants_for_many(&self, destination: IpAddr) -> bool {
        let hears_all = match destination {
            IpAddr::V4(_) => self.options.multicast_all && !self.is_v6,
            IpAddr::V6(_) => self.options.multicast_all_v6,
        };
        !destination.is_multicast() || hears_all || self.is_member(destination)
    }

    /// Adds a datagram to what waits to be read, if there is room. As on Linux, there always is
    /// when nothing waits; and a socket that is shut down goes on hearing.
    pub(super) fn push(&mut self, datagram: Datagram) -> bool {
        let takes = charge(datagram.bytes.len());
        if self.queued > 0 && self.queued + takes > self.options.recv_buffer {
            self.dropped += 1;
            return false;
        }
        self.queued += takes;
        self.queue.push_back(datagram);
        true
    }

    pub(super) fn first(&self) -> Option<&Datagram> {
        self.queue.front()
    }

    pub(super) fn pop(&mut self) {
        if let Some(datagram) = self.queue.pop_front() {
            self.queued -= charge(datagram.bytes.len());
        }
    }

    /// Bytes that wait to be read.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.iter().map(|datagram| datagram.bytes.len()).sum()
    }

    pub(super) fn has_room_to_send(&self) -> bool {
        self.unsent < self.options.send_buffer
    }

    /// Whether errors about what it sent are handed to it: `icmp_err` of Linux's protocols.
    pub(crate) fn hears_error(&self, fatal: bool) -> bool {
        self.options.recv_errors || (fatal && self.remote.is_some())
    }

    /// The next call gives this error.
    pub(crate) fn fail(&mut self, errno: Errno, woken: &mut Woken) {
        self.error = Some(errno);
        self.readers.wake_all(woken);
        self.writers.wake_all(woken);
    }

    fn is_member(&self, group: IpAddr) -> bool {
        self.groups.iter().any(|(joined, _)| *joined == group)
    }

    pub(super) fn join(&mut self, group: IpAddr, interface: InterfaceId) -> Result<(), Errno> {
        if self.is_member(group) {
            return Err(Errno::AddrInUse);
        }
        let of_family = |(joined, _): &&(IpAddr, _)| joined.is_ipv4() == group.is_ipv4();
        let count = self.groups.iter().filter(of_family).count();
        match group {
            IpAddr::V4(_) if count >= MAX_GROUPS_V4 => Err(Errno::NoBufferSpace),
            IpAddr::V6(_) if count >= MAX_GROUPS_V6 => Err(Errno::OutOfMemory),
            _ => {
                self.groups.push((group, interface));
                Ok(())
            }
        }
    }

    pub(super) fn leave(&mut self, group: IpAddr, interface: InterfaceId) -> Result<(), Errno> {
        let at = self.groups.iter().position(|joined| *joined == (group, interface));
        self.groups.remove(at.ok_or(Errno::AddrNotAvailable)?);
        Ok(())
    }

    /// Its address, as it shows it.
    pub(crate) fn shown_local(&self) -> SocketAddr {
        let port = match (self.kind, self.is_v6) {
            // Linux shows the protocol.
            (DatagramKind::Raw, false) => 1,
            (DatagramKind::Raw, true) => 58,
            _ => self.port,
        };
        let any = if self.is_v6 {
            SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)
        } else {
            SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)
        };
        match self.local {
            None | Some(BindAddress::Any | BindAddress::AnyV6) => any,
            Some(BindAddress::AnyV4) => self.shown(Ipv4Addr::UNSPECIFIED.into(), port),
            Some(BindAddress::One(address)) => self.shown(address, port),
        }
    }

    /// Whether it is bound to `::`, and hears IPv4 as well.
    pub(crate) fn is_dual_stack(&self) -> bool {
        self.is_v6
            && matches!(self.local, None | Some(BindAddress::Any))
            && self.any() == BindAddress::Any
    }

    /// Its peer's address, as it shows it.
    pub(crate) fn shown_remote(&self) -> Option<SocketAddr> {
        self.remote.map(|remote| self.shown(remote.ip(), remote.port()))
    }

    /// An address as it shows it: with a scope where it has one, and IPv4's within IPv6's.
    pub(super) fn shown(&self, address: IpAddr, port: u16) -> SocketAddr {
        let shown = match address {
            IpAddr::V6(group) if is_group_of_link(group) => {
                SocketAddr::V6(SocketAddrV6::new(group, port, 0, INTERFACE_INDEX))
            }
            address => socket_addr(address, port),
        };
        if self.is_v6 { mapped(shown) } else { shown }
    }
}

/// Whether a group is that of a link, or of an interface, and so says nothing without a scope:
/// RFC 4291 2.7.
pub(super) fn is_group_of_link(group: Ipv6Addr) -> bool {
    group.is_multicast() && matches!(group.octets()[1] & 0x0f, 1 | 2)
}
