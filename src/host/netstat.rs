//! What a host has open, as `netstat -an --inet` shows it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::stack::Host;
use super::udp::DatagramKind;
use crate::tcp::TcpState;

/// One line of a host's `netstat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) protocol: &'static str,
    pub(crate) local: SocketAddr,
    /// `None` for a listener, and for a datagram socket that is not connected.
    pub(crate) remote: Option<SocketAddr>,
    /// Only a connection has one.
    pub(crate) state: Option<TcpState>,
    /// Bytes not read; for a listener, connections not accepted.
    pub(crate) recv_queue: usize,
    /// Bytes not acknowledged; for a listener, its backlog.
    pub(crate) send_queue: usize,
}

impl fmt::Display for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remote = self.remote.map_or_else(|| "*".to_owned(), |remote| remote.to_string());
        let (local, remote) = (format!("{:<21}", self.local.to_string()), format!("{remote:<21}"));
        write!(
            formatter,
            "{:<4}{:>6} {:>6} {local} ",
            self.protocol, self.recv_queue, self.send_queue
        )?;
        match self.state {
            Some(state) => write!(formatter, "{remote} {state}"),
            None => formatter.write_str(remote.trim_end()),
        }
    }
}

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
