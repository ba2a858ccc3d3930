//! How much a host holds.

use super::host::Host;

/// How many entries the tables of a host have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostSizes {
    pub(crate) connections: usize,
    pub(crate) connection_deadlines: usize,
    pub(crate) time_waits: usize,
    pub(crate) recent_tuples: usize,
    pub(crate) ports: usize,
    pub(crate) datagram_sockets: usize,
    pub(crate) neighbors: usize,
    pub(crate) packets_waiting: usize,
    pub(crate) reassemblies: usize,
}

impl Host {
    /// How many entries its tables have.
    pub(crate) fn sizes(&self) -> HostSizes {
        let (neighbors, packets_waiting) = self.ip.neighbors();
        let tcp = self.tcp.sizes();
        HostSizes {
            connections: tcp.connections,
            connection_deadlines: tcp.deadlines,
            time_waits: tcp.time_waits,
            recent_tuples: tcp.recent_tuples,
            ports: tcp.ports + self.udp().ports(),
            datagram_sockets: self.udp().iter().count(),
            neighbors,
            packets_waiting,
            reassemblies: self.ip.reassemblies(),
        }
    }
}
