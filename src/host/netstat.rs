//! What a host has open, as `netstat -ant` shows it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::stack::Host;
use super::state::TcpState;

/// One line of a host's `netstat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) local: SocketAddr,
    /// `None` for a listener.
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) state: TcpState,
    /// Octets not read; for a listener, connections not accepted.
    pub(crate) recv_queue: usize,
    /// Octets not acknowledged; for a listener, its backlog.
    pub(crate) send_queue: usize,
}

impl fmt::Display for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remote = self.remote.map_or_else(|| "*".to_owned(), |remote| remote.to_string());
        write!(
            formatter,
            "tcp {:>6} {:>6} {:<21} {:<21} {}",
            self.recv_queue,
            self.send_queue,
            self.local.to_string(),
            remote,
            self.state
        )
    }
}

impl Host {
    /// Listeners, connections and what is in TIME-WAIT, sorted by address.
    pub(crate) fn netstat(&self, now: u64) -> Vec<Connection> {
        let listeners = self.listeners.iter().map(|listener| Connection {
            local: listener.local,
            remote: None,
            state: TcpState::Listen,
            recv_queue: listener.queued(),
            send_queue: listener.backlog(),
        });
        let flows =
            self.open_flows().filter(|flow| !flow.detached || flow.recv_queue() > 0).map(|flow| {
                Connection {
                    local: flow.tuple.local(),
                    remote: Some(flow.tuple.remote()),
                    state: flow.state,
                    recv_queue: flow.recv_queue() as usize,
                    send_queue: flow.send_queue() as usize,
                }
            });
        let time_waits = self.time_waits.iter(now).map(|tuple| Connection {
            local: tuple.local(),
            remote: Some(tuple.remote()),
            state: TcpState::TimeWait,
            recv_queue: 0,
            send_queue: 0,
        });
        let mut connections: Vec<Connection> = listeners.chain(flows).chain(time_waits).collect();
        let wildcard = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        connections.sort_by_key(|connection| {
            (connection.local.port(), connection.local, connection.remote.unwrap_or(wildcard))
        });
        connections
    }
}
