//! How a silent connection is probed.

use std::io;
use std::time::Duration;

use crate::host::TcpOptions;

/// The parameters of keep-alive, for [`SockRef::set_tcp_keepalive`](super::SockRef) and
/// [`Socket::set_tcp_keepalive`](crate::net::socket::Socket); those that are not given stay as they
/// are. The defaults are Linux's: 7200 s, 75 s and 9.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpKeepalive {
    time: Option<Duration>,
    interval: Option<Duration>,
    retries: Option<u32>,
}

impl TcpKeepalive {
    /// None of them.
    #[must_use]
    pub const fn new() -> TcpKeepalive {
        TcpKeepalive { time: None, interval: None, retries: None }
    }

    /// How long the peer is silent before it is asked, in whole seconds.
    #[must_use]
    pub const fn with_time(self, time: Duration) -> TcpKeepalive {
        TcpKeepalive { time: Some(time), ..self }
    }

    /// How long after one question the next follows, in whole seconds.
    #[must_use]
    pub const fn with_interval(self, interval: Duration) -> TcpKeepalive {
        TcpKeepalive { interval: Some(interval), ..self }
    }

    /// After how many unanswered questions the connection has timed out.
    #[must_use]
    pub const fn with_retries(self, retries: u32) -> TcpKeepalive {
        TcpKeepalive { retries: Some(retries), ..self }
    }

    pub(crate) fn apply(&self, options: &mut TcpOptions) -> io::Result<()> {
        options.keep_alive = true;
        self.time.map_or(Ok(()), |time| options.set_keep_alive_time(time))?;
        self.interval.map_or(Ok(()), |time| options.set_keep_alive_interval(time))?;
        self.retries.map_or(Ok(()), |retries| options.set_keep_alive_retries(retries))
    }
}
