//! Datagram sockets: UDP, echoes, and raw ICMP. Which there are, and which of them a datagram is for.
//!
//! - `socket`: one of them, and what waits in it; `options`: what can be set;
//! - `calls`: what the sockets' types ask of the host; `send` and `receive`: the way out and in;
//! - `groups`: which they join.

mod calls;
mod groups;
mod options;
mod receive;
mod send;
mod socket;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

pub(crate) use groups::Membership;
pub(crate) use options::DatagramOptions;
pub(crate) use receive::ReceivedDatagram;
pub(crate) use send::SendControl;
pub(crate) use socket::{DatagramId, DatagramKind};
pub(super) use socket::{DatagramSocket, Score};

use super::context::Ctx;
use super::ip::Ip;
use super::mib::PerFamily;
use super::ports::Ports;
use super::wakers::Woken;
use crate::error::Errno;

/// Datagram sockets that a host has at most; EMFILE beyond them.
const MAX_SOCKETS: usize = 65_536;

/// The datagram sockets of a host.
pub(crate) struct Udp {
    sockets: Sockets,
    ports: Ports,
    /// The identifiers of echoes, which are to them what ports are to UDP.
    echo_ids: Ports,
    /// Datagrams of UDP that applications have received.
    received: PerFamily<u64>,
}

/// The datagram sockets of a host, and what they need of it, for one call.
pub(crate) struct UdpCalls<'a> {
    pub(super) ctx: Ctx<'a>,
    pub(super) ip: &'a mut Ip,
    pub(super) udp: &'a mut Udp,
}

impl Udp {
    pub(super) fn new(ports: Ports, echo_ids: Ports) -> Udp {
        Udp { sockets: Sockets::default(), ports, echo_ids, received: PerFamily::default() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &DatagramSocket> {
        self.sockets.by_id.values()
    }

    /// Datagrams of UDP that applications have received.
    pub(super) fn received(&self) -> PerFamily<u64> {
        self.received
    }

    /// Whether something was sent since the host was last polled.
    pub(super) fn has_unsent(&self) -> bool {
        !self.sockets.unsent.is_empty()
    }

    /// How many ports and identifiers are taken.
    pub(super) fn ports(&self) -> usize {
        self.ports.entries() + self.echo_ids.entries()
    }

    /// The power goes: whoever waits for a socket finds it dead.
    pub(super) fn crash(&mut self, woken: &mut Woken) {
        for socket in self.sockets.by_id.values_mut() {
            socket.readers.wake_all(woken);
            socket.writers.wake_all(woken);
        }
        self.sockets = Sockets::default();
        self.ports.forget_everything();
        self.echo_ids.forget_everything();
    }
}

/// Which sockets there are.
#[derive(Default)]
struct Sockets {
    by_id: BTreeMap<DatagramId, DatagramSocket>,
    /// In the order in which they were bound. A raw socket is always here, at port 0.
    by_port: BTreeMap<(DatagramKind, u16), Vec<DatagramId>>,
    /// Those that have sent something since the host was last polled.
    unsent: BTreeSet<DatagramId>,
    next: u64,
}

impl Sockets {
    fn insert(&mut self, kind: DatagramKind, is_v6: bool) -> Result<DatagramId, Errno> {
        if self.by_id.len() >= MAX_SOCKETS {
            return Err(Errno::TooManyOpenFiles);
        }
        let id = DatagramId(self.next);
        self.next += 1;
        self.by_id.insert(id, DatagramSocket::new(kind, is_v6));
        if kind == DatagramKind::Raw {
            self.listens_at(id, kind, 0);
        }
        Ok(id)
    }

    fn remove(&mut self, id: DatagramId) -> Option<DatagramSocket> {
        let socket = self.by_id.remove(&id)?;
        self.unsent.remove(&id);
        self.leaves(id, socket.kind, socket.port);
        Some(socket)
    }

    fn listens_at(&mut self, id: DatagramId, kind: DatagramKind, port: u16) {
        self.by_port.entry((kind, port)).or_default().push(id);
    }

    fn leaves(&mut self, id: DatagramId, kind: DatagramKind, port: u16) {
        if let Some(at_port) = self.by_port.get_mut(&(kind, port)) {
            at_port.retain(|other| *other != id);
            if at_port.is_empty() {
                self.by_port.remove(&(kind, port));
            }
        }
    }

    fn get(&self, id: DatagramId) -> Option<&DatagramSocket> {
        self.by_id.get(&id)
    }

    fn get_mut(&mut self, id: DatagramId) -> Option<&mut DatagramSocket> {
        self.by_id.get_mut(&id)
    }

    /// Those at a port for which something from `source` to `destination` may be, in the order in
    /// which they were bound.
    fn at<'a>(
        &'a self,
        kind: DatagramKind,
        port: u16,
        (source, destination): (SocketAddr, SocketAddr),
    ) -> impl Iterator<Item = (Score, DatagramId)> + 'a {
        let at_port = self.by_port.get(&(kind, port)).into_iter().flatten();
        at_port.filter_map(move |id| {
            let score = self.by_id.get(id)?.score(source, destination)?;
            Some((score, *id))
        })
    }

    /// The socket that a UDP datagram, or an echo reply, is meant for; of several, the last that
    /// was bound.
    fn find(
        &self,
        kind: DatagramKind,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Option<DatagramId> {
        let candidates = self.at(kind, destination.port(), (source, destination));
        candidates.max_by_key(|(score, _)| *score).map(|(_, id)| id)
    }

    /// The sockets that a UDP datagram for many is meant for.
    fn find_all(&self, source: SocketAddr, destination: SocketAddr) -> Vec<DatagramId> {
        let candidates = self.at(DatagramKind::Udp, destination.port(), (source, destination));
        let wants = |id: &DatagramId| self.by_id[id].wants_for_many(destination.ip());
        candidates.map(|(_, id)| id).filter(wants).collect()
    }

    /// The raw sockets that hear an ICMP message.
    fn raw(&self, source: IpAddr, destination: IpAddr) -> Vec<DatagramId> {
        let ends = (SocketAddr::new(source, 0), SocketAddr::new(destination, 0));
        self.at(DatagramKind::Raw, 0, ends).map(|(_, id)| id).collect()
    }
}
