//! Datagram sockets: UDP, and raw ICMP. Who gets what arrives, and what waits to be read.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::task::Waker;

use super::address::BindAddress;
use super::ports::BindingId;
use super::wakers::Wakers;
use crate::error::Errno;

/// A datagram socket of a host. An id is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DatagramId(u64);

/// What a datagram socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatagramKind {
    Udp,
    /// A raw socket: whole IPv4 packets, or the ICMPv6 messages of IPv6 packets.
    Icmp,
}

/// `SO_RCVBUF` and `SO_SNDBUF` of a new socket: Linux's `rmem_default` and `wmem_default`.
pub(super) const DEFAULT_BUFFER: usize = 212_992;
/// What a datagram takes of the buffer beside its octets, so that empty ones are bounded as well.
const OVERHEAD: usize = 512;
/// Groups that a socket may join (Linux's `igmp_max_memberships`).
const MOST_GROUPS: usize = 20;
/// Datagram sockets of a host.
const MOST_SOCKETS: usize = 65_536;

/// What arrived, and from whom.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) octets: Vec<u8>,
}

/// The options of a datagram socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DatagramOptions {
    /// `SO_REUSEADDR`.
    pub(crate) reuse_address: bool,
    /// `SO_BROADCAST`.
    pub(crate) broadcast: bool,
    /// `IPV6_V6ONLY`.
    pub(crate) only_v6: bool,
    /// `IP_TTL`.
    pub(crate) ttl: u8,
    /// `IPV6_UNICAST_HOPS`.
    pub(crate) hop_limit: u8,
    /// `IP_TOS`.
    pub(crate) tos: u8,
    /// `IPV6_TCLASS`.
    pub(crate) traffic_class: u8,
    /// `IP_MULTICAST_TTL`.
    pub(crate) multicast_ttl: u8,
    /// `IPV6_MULTICAST_HOPS`.
    pub(crate) multicast_hops: u8,
    /// `IP_MULTICAST_LOOP`.
    pub(crate) multicast_loop: bool,
    /// `IPV6_MULTICAST_LOOP`.
    pub(crate) multicast_loop_v6: bool,
    /// `SO_RCVBUF`.
    pub(crate) recv_buffer: usize,
    /// `SO_SNDBUF`.
    pub(crate) send_buffer: usize,
}

impl Default for DatagramOptions {
    fn default() -> DatagramOptions {
        DatagramOptions {
            reuse_address: false,
            broadcast: false,
            only_v6: false,
            ttl: 64,
            hop_limit: 64,
            tos: 0,
            traffic_class: 0,
            multicast_ttl: 1,
            multicast_hops: 1,
            multicast_loop: true,
            multicast_loop_v6: true,
            recv_buffer: DEFAULT_BUFFER,
            send_buffer: DEFAULT_BUFFER,
        }
    }
}

pub(super) struct DatagramSocket {
    pub(super) kind: DatagramKind,
    pub(super) is_v6: bool,
    /// What it is bound to; a raw socket that is not hears everything.
    pub(super) bound: Option<Bound>,
    /// What it was bound to before it was connected.
    pub(super) unconnected: Option<Bound>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) options: DatagramOptions,
    pub(super) groups: Vec<IpAddr>,
    pub(super) error: Option<Errno>,
    pub(super) readers: Wakers,
    pub(super) writers: Wakers,
    /// Octets sent that the host has not handed to its interface.
    pub(super) unsent: usize,
    pub(super) reading_shut_down: bool,
    pub(super) writing_shut_down: bool,
    queue: VecDeque<Datagram>,
    queued: usize,
    /// Datagrams for which there was no room.
    pub(super) dropped: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// A raw socket has no port, and so no binding.
    pub(super) binding: Option<BindingId>,
    pub(super) address: BindAddress,
    /// As the socket shows it.
    pub(super) local: SocketAddr,
}

impl DatagramSocket {
    /// Whether it wants what comes from `source` to `destination`, and how much it is meant:
    /// connected before bound to an address before bound to any.
    fn score(&self, source: SocketAddr, destination: SocketAddr) -> Option<u8> {
        let address = self.bound.map(|bound| bound.address);
        let port_fits = match self.kind {
            DatagramKind::Icmp => true,
            DatagramKind::Udp => self.bound?.local.port() == destination.port(),
        };
        let family_fits = match (self.kind, destination) {
            (DatagramKind::Icmp, _) => self.is_v6 == destination.is_ipv6(),
            (DatagramKind::Udp, SocketAddr::V4(_)) => !self.options.only_v6,
            (DatagramKind::Udp, SocketAddr::V6(_)) => self.is_v6,
        };
        if !port_fits || !family_fits || !address.is_none_or(|it| it.covers(destination.ip())) {
            return None;
        }
        let from_peer = self.remote.is_none_or(|remote| match self.kind {
            DatagramKind::Udp => (remote.ip(), remote.port()) == (source.ip(), source.port()),
            DatagramKind::Icmp => remote.ip() == source.ip(),
        });
        let is_specific = address.is_some_and(|address| !address.is_wildcard());
        from_peer.then_some(u8::from(is_specific) + 2 * u8::from(self.remote.is_some()))
    }

    /// Adds a datagram to what waits to be read, if there is room.
    pub(super) fn push(&mut self, datagram: Datagram) -> bool {
        let takes = datagram.octets.len() + OVERHEAD;
        // Linux lets one in as long as the buffer is not full yet.
        if self.reading_shut_down || self.queued >= self.options.recv_buffer {
            self.dropped += 1;
            return false;
        }
        self.queued += takes;
        self.queue.push_back(datagram);
        true
    }

    pub(super) fn peek(&self) -> Option<&Datagram> {
        self.queue.front()
    }

    pub(super) fn pop(&mut self) -> Option<Datagram> {
        let datagram = self.queue.pop_front()?;
        self.queued -= datagram.octets.len() + OVERHEAD;
        Some(datagram)
    }

    /// Octets that wait to be read.
    pub(super) fn waiting(&self) -> usize {
        self.queue.iter().map(|datagram| datagram.octets.len()).sum()
    }

    pub(super) fn is_readable(&self) -> bool {
        !self.queue.is_empty() || self.error.is_some() || self.reading_shut_down
    }

    pub(super) fn is_writable(&self) -> bool {
        self.unsent < self.options.send_buffer || self.error.is_some() || self.writing_shut_down
    }

    /// Whether it is a raw socket that speaks to `address` alone.
    pub(super) fn is_raw_to(&self, address: IpAddr) -> bool {
        self.kind == DatagramKind::Icmp && self.remote.is_some_and(|it| it.ip() == address)
    }

    /// The next call gives this error.
    pub(super) fn fail(&mut self, errno: Errno, woken: &mut Vec<Waker>) {
        self.error = Some(errno);
        self.readers.wake_all(woken);
        self.writers.wake_all(woken);
    }

    pub(super) fn join(&mut self, group: IpAddr) -> Result<(), Errno> {
        if self.groups.contains(&group) {
            return Err(Errno::AddrInUse);
        }
        if self.groups.len() >= MOST_GROUPS {
            return Err(Errno::NoBufferSpace);
        }
        self.groups.push(group);
        Ok(())
    }

    pub(super) fn leave(&mut self, group: IpAddr) -> Result<(), Errno> {
        let at = self.groups.iter().position(|joined| *joined == group);
        self.groups.remove(at.ok_or(Errno::AddrNotAvailable)?);
        Ok(())
    }
}

/// The datagram sockets of a host.
#[derive(Default)]
pub(super) struct Datagrams {
    by_id: BTreeMap<DatagramId, DatagramSocket>,
    /// Those that are bound to a port.
    by_port: BTreeMap<u16, Vec<DatagramId>>,
    raw: Vec<DatagramId>,
    next: u64,
}

impl Datagrams {
    pub(super) fn insert(&mut self, kind: DatagramKind, is_v6: bool) -> Result<DatagramId, Errno> {
        if self.by_id.len() >= MOST_SOCKETS {
            return Err(Errno::TooManyOpenFiles);
        }
        let id = DatagramId(self.next);
        self.next += 1;
        let socket = DatagramSocket {
            kind,
            is_v6,
            bound: None,
            unconnected: None,
            remote: None,
            options: DatagramOptions::default(),
            groups: Vec::new(),
            error: None,
            readers: Wakers::default(),
            writers: Wakers::default(),
            unsent: 0,
            reading_shut_down: false,
            writing_shut_down: false,
            queue: VecDeque::new(),
            queued: 0,
            dropped: 0,
        };
        self.by_id.insert(id, socket);
        if kind == DatagramKind::Icmp {
            self.raw.push(id);
        }
        Ok(id)
    }

    pub(super) fn get(&self, id: DatagramId) -> Option<&DatagramSocket> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: DatagramId) -> Option<&mut DatagramSocket> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn bind(&mut self, id: DatagramId, bound: Bound) {
        if let Some(socket) = self.by_id.get_mut(&id) {
            socket.bound = Some(bound);
            if socket.kind == DatagramKind::Udp {
                self.by_port.entry(bound.local.port()).or_default().push(id);
            }
        }
    }

    pub(super) fn remove(&mut self, id: DatagramId) -> Option<DatagramSocket> {
        let socket = self.by_id.remove(&id)?;
        self.raw.retain(|other| *other != id);
        if let Some(bound) = socket.bound
            && let Some(at_port) = self.by_port.get_mut(&bound.local.port())
        {
            at_port.retain(|other| *other != id);
            if at_port.is_empty() {
                self.by_port.remove(&bound.local.port());
            }
        }
        Some(socket)
    }

    /// The socket that a UDP datagram is meant for; of several, the last that was bound.
    pub(super) fn find(&self, source: SocketAddr, destination: SocketAddr) -> Option<DatagramId> {
        let at_port = self.by_port.get(&destination.port())?;
        let scored = at_port
            .iter()
            .filter_map(|id| self.by_id[id].score(source, destination).map(|score| (score, *id)));
        scored.max().map(|(_, id)| id)
    }

    /// The sockets that a UDP datagram for many is meant for: all that are bound to its port and,
    /// where it is for a group, have joined it.
    pub(super) fn find_all(&self, source: SocketAddr, destination: SocketAddr) -> Vec<DatagramId> {
        let at_port = self.by_port.get(&destination.port()).into_iter().flatten();
        let group = destination.ip();
        let wants = |id: &&DatagramId| {
            let socket = &self.by_id[id];
            let is_member = !group.is_multicast() || socket.groups.contains(&group);
            is_member && socket.score(source, destination).is_some()
        };
        at_port.filter(wants).copied().collect()
    }

    /// The raw sockets that get an ICMP message.
    pub(super) fn raw_for(&self, source: IpAddr, destination: IpAddr) -> Vec<DatagramId> {
        let (source, destination) = (SocketAddr::new(source, 0), SocketAddr::new(destination, 0));
        let wants = |id: &&DatagramId| self.by_id[id].score(source, destination).is_some();
        self.raw.iter().filter(wants).copied().collect()
    }

    /// Whether a socket has joined a group.
    pub(super) fn is_member(&self, group: IpAddr) -> bool {
        self.by_id.values().any(|socket| socket.groups.contains(&group))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &DatagramSocket> {
        self.by_id.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut DatagramSocket> {
        self.by_id.values_mut()
    }
}
