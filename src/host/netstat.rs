//! What a host has open, as `netstat -an --inet` shows it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::flow::Sequences;
use super::stack::Host;
use super::state::TcpState;
use super::udp::DatagramKind;
use crate::wire::tcp::FourTuple;

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
        let tuple = FourTuple::new(local, remote);
        let flow = self.open_flows().find(|flow| flow.tuple == tuple)?;
        let is_answered = flow.state != TcpState::SynSent;
        let Sequences { iss, irs, .. } = flow.sequences;
        Some((iss.0, is_answered.then_some(irs.0)))
    }

    /// Listeners, connections, what is in TIME-WAIT and datagram sockets, sorted by address.
    pub(crate) fn netstat(&self, now: u64) -> Vec<Connection> {
        let listeners = self.listeners.iter().map(|listener| Connection {
            protocol: "tcp",
            local: listener.local,
            remote: None,
            state: Some(TcpState::Listen),
            recv_queue: listener.queued(),
            send_queue: listener.backlog(),
        });
        let flows =
            self.open_flows().filter(|flow| !flow.detached || flow.recv_queue() > 0).map(|flow| {
                Connection {
                    protocol: "tcp",
                    local: flow.tuple.local(),
                    remote: Some(flow.tuple.remote()),
                    state: Some(flow.state),
                    recv_queue: flow.recv_queue() as usize,
                    send_queue: flow.send_queue() as usize,
                }
            });
        let time_waits = self.time_waits.iter(now).map(|tuple| Connection {
            protocol: "tcp",
            local: tuple.local(),
            remote: Some(tuple.remote()),
            state: Some(TcpState::TimeWait),
            recv_queue: 0,
            send_queue: 0,
        });
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
        let all = listeners.chain(flows).chain(time_waits).chain(datagrams);
        let mut connections: Vec<Connection> = all.collect();
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
