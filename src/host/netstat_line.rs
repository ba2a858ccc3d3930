//! A line of what a host has open.

use std::fmt;
use std::net::SocketAddr;

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
