//! How much a world holds.

use super::Sim;
use super::world::World;
use crate::host::{Host, HostSizes};

/// How many entries the tables of a world have, summed over all hosts that are up; see
/// [`Sim::table_sizes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableSizes {
    /// Frames on their way.
    pub frames_in_flight: usize,
    /// Frames that links hold.
    pub frames_held: usize,
    /// What both count for: their bytes, and 256 for each.
    pub bytes_in_flight: usize,
    /// Hosts that have asked for their turn at some time: at most one entry each.
    pub host_deadlines: usize,
    /// Timers of tasks: those of sleeps, timeouts and intervals that are waited for.
    pub timers: usize,
    /// TCP connections, half-open and closing ones included, those in TIME-WAIT not.
    pub connections: usize,
    /// Connections whose timers run: at most one entry each.
    pub connection_deadlines: usize,
    /// Entries for connections in TIME-WAIT.
    pub time_waits: usize,
    /// Tuples whose last sequence numbers a host remembers.
    pub recent_tuples: usize,
    /// Ports in use.
    pub ports: usize,
    /// UDP, ping and raw sockets.
    pub datagram_sockets: usize,
    /// Neighbours that hosts know of, or ask for.
    pub neighbors: usize,
    /// Packets that wait for a neighbour's Ethernet address.
    pub packets_waiting: usize,
    /// Packets of which some fragments are there.
    pub reassemblies: usize,
}

impl TableSizes {
    /// Adds those of a host.
    pub(crate) fn add(&mut self, host: HostSizes) {
        self.connections += host.connections;
        self.connection_deadlines += host.connection_deadlines;
        self.time_waits += host.time_waits;
        self.recent_tuples += host.recent_tuples;
        self.ports += host.ports;
        self.datagram_sockets += host.datagram_sockets;
        self.neighbors += host.neighbors;
        self.packets_waiting += host.packets_waiting;
        self.reassemblies += host.reassemblies;
    }
}

impl Sim {
    /// How many entries the tables of this world have now. A test can see from them whether something
    /// grows without end, such as connections that are never closed or timeouts that are never dropped.
    #[must_use]
    pub fn table_sizes(&self) -> TableSizes {
        self.world.table_sizes()
    }
}

impl World {
    fn table_sizes(&self) -> TableSizes {
        let mut sizes = TableSizes {
            frames_in_flight: self.traffic.queue.arrivals(),
            frames_held: self.traffic.held.len(),
            bytes_in_flight: self.traffic.queue.bytes(),
            host_deadlines: self.traffic.queue.deadlines(),
            timers: self.tasks.clock.timers_pending(),
            ..TableSizes::default()
        };
        for running in self.machines.running() {
            sizes.add(running.host.look(Host::sizes));
        }
        sizes
    }
}
