//! What a host has open, as `netstat -an --inet` shows it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::host::Host;
use super::netstat_line::Connection;
use super::udp::DatagramKind;

impl Host {
    /// Where the sequence numbers of a connection begin: its host's own, and its peer's, if any
    /// was heard.
    pub(crate) fn initial_sequence_numbers(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<(u32, Option<u32>)> {
        self.tcp.initial_sequence_numbers(local, remote)
    }

    /// Listeners, connections, what is in TIME-WAIT and datagram sockets, sorted by address.
    pub(crate) fn netstat(&self, now: u64) -> Vec<Connection> {
        let datagrams = self.udp().iter().map(|socket| Connection {
            protocol: match socket.kind {
                DatagramKind::Udp => "udp",
                DatagramKind::Ping => "icmp",
                DatagramKind::Raw => "raw",
            },
            local: socket.shown_local(),
            remote: socket.shown_remote(),
            state: None,
            recv_queue: socket.waiting(),
            send_queue: socket.unsent,
        });
        let mut connections = self.tcp.netstat(now);
        connections.extend(datagrams);
        let wildcard = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        connections.sort_by_key(|connection| {
            (
                connection.local.port(),
                connection.protocol,
                connection.local,
                connection.remote.unwrap_or(wildcard),
            )
        });
        connections
    }
}
