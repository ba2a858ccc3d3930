//! TCP of a host: which connection a segment is for, which may begin, what an ended one still
//! answers, and what sockets ask of them.
//!
//! - `connections`, `connection`: what there is; `demux`, `listener`, `time_wait`, `recent`: the
//!   tables;
//! - `memory`: what all connections may take together;
//! - `half_open`, `requests`, `secret`: handshakes that peers begin, and floods of them;
//! - `receive`, `transmit`, `output`, `lower`: segments in and out;
//! - `calls`, `read_write`, `readiness`, `close`, `options`: what sockets ask for;
//! - `netstat`: what it shows of them;
//! - `reset`, `unreachable`: what is nobody's, and what did not arrive.

mod calls;
mod close;
mod connection;
mod connections;
mod demux;
mod half_open;
mod ids;
mod listener;
mod lower;
mod memory;
mod netstat;
mod options;
mod output;
mod read_write;
mod readiness;
mod receive;
mod recent;
mod requests;
mod reset;
mod secret;
mod tables;
mod time_wait;
mod transmit;
mod unreachable;

use std::net::SocketAddr;

use super::options::HostOptions;
use super::ports::Ports;
use crate::rng::Stream;
use crate::tcp::{Shared, SocketBuffers, TcpState};
use crate::wire::tcp::FourTuple;

use self::connection::{Connection, Owner};
use self::connections::Connections;
use self::memory::Memory;
use self::secret::Secret;
use self::tables::Tables;

pub(crate) use self::calls::Accepted;
pub(crate) use self::ids::{FlowId, ListenerId};
pub(super) use self::lower::Lower;
pub(crate) use self::readiness::Readiness;

/// Socket buffers that wait for the next connection.
const POOLED_BUFFERS: usize = 32;

/// Half-open connections of a listener that have an engine. More of them at a time are a crowd, or an
/// attack.
const HALF_OPEN_ENGINES: usize = 16;

/// The connections of a host, and its listeners.
pub(super) struct Tcp {
    connections: Connections,
    tables: Tables,
    engines: Shared,
    secret: Secret,
    memory: Memory,
    /// How many half-open connections of a listener have an engine.
    half_open_engines: usize,
    /// Those of ended connections, to be used again.
    buffers: Vec<SocketBuffers>,
    /// What a call has to send leaves in the call, and not with the host's next turn.
    sends_in_calls: bool,
    /// More frames follow in this instant.
    more_follows: bool,
    /// Bytes of a burst that one ACK may stand for.
    ack_stretch: u32,
}

/// How many entries the tables have.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpSizes {
    pub(super) connections: usize,
    pub(super) deadlines: usize,
    pub(super) time_waits: usize,
    pub(super) recent_tuples: usize,
    pub(super) ports: usize,
}

impl Tcp {
    /// `seed` feeds the initial sequence numbers.
    pub(super) fn new(options: &HostOptions, seed: u64, stream: &mut Stream) -> Tcp {
        let limits = options.tcp_limits();
        let secret = Secret::beside(stream);
        let ports = Ports::new(options.ip_local_port_range.clone(), stream);
        Tcp {
            secret,
            memory: Memory::default(),
            half_open_engines: HALF_OPEN_ENGINES,
            connections: Connections::default(),
            tables: Tables::new(ports, limits.rto),
            engines: Shared::new(limits, seed),
            buffers: Vec::new(),
            sends_in_calls: true,
            more_follows: false,
            ack_stretch: 0,
        }
    }

    // ---- What the host does with it ---------------------------------------------------------

    /// Whether what a call has to send leaves in the call.
    pub(super) fn send_in_calls(&mut self, in_calls: bool) {
        self.sends_in_calls = in_calls;
    }

    /// Whether more frames follow in this instant: what can wait for the last of them waits.
    pub(super) fn expect_more(&mut self, more_follows: bool) {
        self.more_follows = more_follows;
    }

    /// Acknowledges up to `bytes` of a burst at once, as Linux does where its interface hands it
    /// segments together (GRO), and not every second segment as RFC 9293 3.8.6.3 would have it. A
    /// peer whose congestion window grows by the ACK and not by the byte grows it more slowly.
    pub(super) fn stretch_acks(&mut self, bytes: u32) {
        self.ack_stretch = bytes;
    }

    /// Marks the connections whose time has come.
    #[inline]
    pub(super) fn expire(&mut self, now: u64) {
        self.connections.expire(now);
    }

    /// When a connection wants a look.
    #[inline]
    pub(super) fn deadline(&mut self) -> Option<u64> {
        let first = self.connections.first_deadline();
        let Some(at) = self.tables.requests.first_deadline() else { return first };
        Some(first.map_or(at, |first| first.min(at)))
    }

    /// Whether a call has left something to do, or somebody to tell of a deadline.
    pub(super) fn has_work(&self) -> bool {
        self.connections.has_dirty() || self.connections.has_new_deadline()
    }

    // ---- What is known of it ----------------------------------------------------------------

    pub(super) fn sizes(&self) -> TcpSizes {
        TcpSizes {
            connections: self.connections.len() + self.tables.requests.len(),
            deadlines: self.connections.deadlines(),
            time_waits: self.tables.time_waits.entries(),
            recent_tuples: self.tables.recent.entries(),
            ports: self.tables.ports.entries(),
        }
    }

    /// Segments sent again so far.
    pub(super) fn retransmissions(&self) -> u64 {
        self.engines.retransmissions()
    }

    /// Connections in ESTABLISHED or CLOSE-WAIT: RFC 4022.
    pub(super) fn established(&self) -> usize {
        let is_meant = |connection: &&Connection| {
            matches!(connection.state(), TcpState::Established | TcpState::CloseWait)
        };
        self.connections.iter().filter(is_meant).count()
    }

    /// Whether a connection that no application holds still has something to deliver; or, when
    /// `waiting` counts too, waits for the other side's FIN.
    pub(super) fn has_unfinished_orphans(&self, waiting: bool) -> bool {
        let is_unfinished = |connection: &Connection| {
            connection.owner() == Owner::Nobody && connection.state() != TcpState::FinWait2
        };
        self.tables.orphans > 0 && (waiting || self.connections.iter().any(is_unfinished))
    }

    /// The state of a connection; `None` when it is gone.
    pub(super) fn state(&self, id: FlowId) -> Option<TcpState> {
        self.connections.get(id).map(Connection::state)
    }

    /// Where the sequence numbers of a connection begin: its host's own, and its peer's, if any
    /// was heard.
    pub(super) fn initial_sequence_numbers(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<(u32, Option<u32>)> {
        let tuple = FourTuple::new(local, remote);
        if let Some(request) = self.tables.requests.iter().find(|request| request.tuple == tuple) {
            return Some((request.handshake.iss.0, Some(request.handshake.irs.0)));
        }
        let connection = self.connections.iter().find(|connection| *connection.tuple() == tuple)?;
        let status = connection.engine.status();
        let is_answered = status.state != TcpState::SynSent;
        Some((status.iss.0, is_answered.then_some(status.irs.0)))
    }
}

/// What is not for users to know.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) struct InnerSizes {
    pub(super) tuples: usize,
    pub(super) slots: usize,
    /// Connections that must be looked at.
    pub(super) dirty: usize,
    pub(super) orphans: usize,
    pub(super) half_open: usize,
}

/// What tests look at.
#[cfg(test)]
impl Tcp {
    pub(super) fn set_repairs(&mut self, repairs: crate::tcp::Repairs) {
        self.engines.set_repairs(repairs);
    }

    /// Bytes of the buffers of all connections.
    pub(super) fn memory(&self) -> u64 {
        self.memory.used()
    }

    pub(super) fn set_half_open_engines(&mut self, engines: usize) {
        self.half_open_engines = engines;
    }

    pub(super) fn inner_sizes(&self) -> InnerSizes {
        let (tables, connections) = (&self.tables, &self.connections);
        InnerSizes {
            tuples: tables.demux.len() + tables.requests.len(),
            slots: connections.slots(),
            dirty: connections.dirty_len(),
            orphans: tables.orphans,
            half_open: tables.listeners.iter().map(|listener| listener.half_open()).sum(),
        }
    }

    /// The highest number that a connection reached whose peer is in TIME-WAIT.
    pub(super) fn recent_snd_nxt(&self, tuple: &FourTuple) -> Option<crate::wire::tcp::Seq> {
        self.tables.recent.snd_nxt(tuple)
    }

    pub(super) fn send_queue(&self, id: FlowId) -> Option<u32> {
        self.connections.get(id).map(|connection| connection.engine.send_queue())
    }

    pub(super) fn neighbor(&self, id: FlowId) -> Option<super::ip::NextHop> {
        self.connections.get(id).and_then(Connection::next_hop)
    }
}
