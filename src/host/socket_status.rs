//! A socket of a host, as `ss` shows it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::tcp::{CongestionControl, TcpInfo, TcpState};

/// What a socket speaks: the `Netid` column of `ss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SocketProtocol {
    /// A stream of `AF_UNIX`: `u_str`.
    UnixStream,
    /// Datagrams of `AF_UNIX`: `u_dgr`.
    UnixDatagram,
    /// ICMP or ICMPv6 messages as they are (`SOCK_RAW`): `raw`.
    Raw,
    /// Echo requests of IPv4 (`SOCK_DGRAM` with `IPPROTO_ICMP`): `icmp`.
    Icmp,
    /// Echo requests of IPv6: `icmp6`.
    Icmp6,
    /// UDP: `udp`.
    Udp,
    /// TCP: `tcp`.
    Tcp,
}

/// The name that `ss` has for it.
impl fmt::Display for SocketProtocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            SocketProtocol::UnixStream => "u_str",
            SocketProtocol::UnixDatagram => "u_dgr",
            SocketProtocol::Raw => "raw",
            SocketProtocol::Icmp => "icmp",
            SocketProtocol::Icmp6 => "icmp6",
            SocketProtocol::Udp => "udp",
            SocketProtocol::Tcp => "tcp",
        })
    }
}

/// One end of a socket: its own, or its peer's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SocketEnd {
    /// An address and a port. The port of a raw socket is the number of its protocol, that of an
    /// ICMP socket the identifier of its echoes.
    Inet(SocketAddr),
    /// A socket of `AF_UNIX`.
    Unix {
        /// The path it is bound to, or `@` and an abstract name; `None` when it has no name.
        name: Option<String>,
        /// A number that no other socket of the host has, or had since it was started.
        inode: u64,
    },
}

impl SocketEnd {
    /// The address and the port, unless it is a socket of `AF_UNIX`.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        match self {
            SocketEnd::Inet(addr) => Some(*addr),
            SocketEnd::Unix { .. } => None,
        }
    }

    /// The IP address, unless it is a socket of `AF_UNIX`.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.addr().map(|addr| addr.ip())
    }

    /// The port, unless it is a socket of `AF_UNIX`.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.addr().map(|addr| addr.port())
    }
}

impl PartialEq<SocketAddr> for SocketEnd {
    fn eq(&self, other: &SocketAddr) -> bool {
        self.addr() == Some(*other)
    }
}

/// As `ss -n` writes it: `10.0.0.1:80`, `[fe80::1]%eth0:80`, `/run/app.sock 12`.
impl fmt::Display for SocketEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, port) = self.cells();
        formatter.pad(&format!("{address}{port}"))
    }
}

impl SocketEnd {
    /// The two columns of `ss`.
    fn cells(&self) -> (String, String) {
        match self {
            SocketEnd::Inet(addr) => {
                let port = if addr.port() == 0 { "*".to_owned() } else { addr.port().to_string() };
                let address = match addr {
                    SocketAddr::V4(v4) => format!("{}:", v4.ip()),
                    SocketAddr::V6(v6) => match v6.scope_id() {
                        0 => format!("[{}]:", v6.ip()),
                        1 => format!("[{}]%lo:", v6.ip()),
                        index => format!("[{}]%eth{}:", v6.ip(), index - 2),
                    },
                };
                (address, port)
            }
            SocketEnd::Unix { name, inode } => {
                (format!("{} ", name.as_deref().unwrap_or("*")), inode.to_string())
            }
        }
    }
}

/// What a [`SocketTimer`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TimerKind {
    /// The next retransmission, or tail loss probe: `on`. smoltcp's engine does not tell it.
    Retransmission,
    /// The next probe of a closed window: `persist`. smoltcp's engine does not tell it.
    WindowProbe,
    /// The next keep-alive probe: `keepalive`.
    KeepAlive,
    /// The end of TIME-WAIT, or of FIN-WAIT-2 when no application holds the connection: `timewait`.
    TimeWait,
}

/// A timer of a TCP connection, as `ss -o` shows it: `timer:(keepalive,119min,0)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketTimer {
    /// What for.
    pub kind: TimerKind,
    /// How long until it expires.
    pub remaining: Duration,
    /// How many timeouts, or probes that nobody has answered, came before it.
    pub retransmits: u32,
}

impl fmt::Display for SocketTimer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            TimerKind::Retransmission => "on",
            TimerKind::WindowProbe => "persist",
            TimerKind::KeepAlive => "keepalive",
            TimerKind::TimeWait => "timewait",
        };
        write!(formatter, "timer:({kind},{},{})", remaining(self.remaining), self.retransmits)
    }
}

/// `print_ms_timer` of `ss`: `119min`, `1min30sec`, `59sec`, `1.230ms`, `230ms`.
fn remaining(time: Duration) -> String {
    let (seconds, mut millis) = (time.as_secs(), time.subsec_millis());
    let (minutes, mut seconds) = (seconds / 60, seconds % 60);
    let mut text = String::new();
    if minutes > 0 {
        millis = 0;
        text.push_str(&format!("{minutes}min"));
        if minutes > 9 {
            seconds = 0;
        }
    }
    if seconds > 0 {
        if seconds > 9 {
            millis = 0;
        }
        text.push_str(&format!("{seconds}{}", if millis > 0 { "." } else { "sec" }));
    }
    if millis > 0 {
        text.push_str(&format!("{millis:03}ms"));
    }
    text
}

/// One socket of a host, as a line of `ss -an`: see [`Sim::netstat`](crate::Sim::netstat).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStatus {
    /// What it speaks.
    pub protocol: SocketProtocol,
    /// Its state. As in the kernel, a socket that is not TCP's is `Established` when it has a peer,
    /// `Listen` when it listens (a stream of `AF_UNIX`), and `Closed` otherwise, which `ss` calls
    /// `UNCONN`.
    pub state: TcpState,
    /// Bytes received that the application has not read; of a listener, connections that it has not
    /// accepted.
    pub recv_queue: usize,
    /// Of TCP, bytes written that the peer has not acknowledged; of a listener, its backlog. Of UDP,
    /// ICMP and raw sockets, what waits for the Ethernet address of a neighbour, each datagram
    /// counted with at least 768 bytes, as Linux counts them.
    pub send_queue: usize,
    /// Its own end.
    pub local: SocketEnd,
    /// Its peer; `None` when it has none.
    pub remote: Option<SocketEnd>,
    /// The timer that runs, if it is one of [`TimerKind`]; others are not told.
    pub timer: Option<SocketTimer>,
    /// Of TCP, what the socket tells of itself; not of what is in TIME-WAIT, or half-open without a
    /// socket.
    pub tcp_info: Option<Box<TcpInfo>>,
    /// Of such a socket, its congestion control.
    pub congestion_control: Option<CongestionControl>,
    /// Bound to `::` for IPv6 and IPv4 alike, which `ss` writes as `*`.
    pub(super) is_dual_stack: bool,
}

impl SocketStatus {
    /// What the columns of `ss` hold: netid, state, both queues, both ends in two columns each.
    pub(super) fn cells(&self) -> [String; 8] {
        let any = || ("*:".to_owned(), "*".to_owned());
        let (mut local, local_port) = self.local.cells();
        if self.is_dual_stack {
            local = any().0;
        }
        let (remote, remote_port) = match (&self.remote, &self.local) {
            (Some(remote), _) => remote.cells(),
            (None, SocketEnd::Unix { .. }) => ("* ".to_owned(), "0".to_owned()),
            (None, _) if self.is_dual_stack => any(),
            (None, SocketEnd::Inet(SocketAddr::V4(_))) => ("0.0.0.0:".to_owned(), any().1),
            (None, SocketEnd::Inet(SocketAddr::V6(_))) => ("[::]:".to_owned(), any().1),
        };
        [
            self.protocol.to_string(),
            name_of(self.state).to_owned(),
            self.recv_queue.to_string(),
            self.send_queue.to_string(),
            local,
            local_port,
            remote,
            remote_port,
        ]
    }

    /// The order in which `ss` shows the tables; within each by address, listeners first.
    pub(super) fn order(&self) -> impl Ord + use<> {
        let port = self.local.port();
        (self.protocol, port, self.local.clone(), self.remote.clone())
    }
}

/// One line of `ss -Han`; with `{:#}` of `ss -Hano`, which shows timers.
impl fmt::Display for SocketStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [netid, state, recv, send, local, local_port, remote, remote_port] = self.cells();
        let local = local + &local_port;
        write!(
            formatter,
            "{netid:<5} {state:<10} {recv:<6} {send:<6} {local:<21} {remote}{remote_port}"
        )?;
        match self.timer {
            Some(timer) if formatter.alternate() => write!(formatter, " {timer}"),
            _ => Ok(()),
        }
    }
}

/// The name that `ss` has for a state.
pub(super) fn name_of(state: TcpState) -> &'static str {
    match state {
        TcpState::Closed => "UNCONN",
        TcpState::Listen => "LISTEN",
        TcpState::SynSent => "SYN-SENT",
        TcpState::SynReceived => "SYN-RECV",
        TcpState::Established => "ESTAB",
        TcpState::FinWait1 => "FIN-WAIT-1",
        TcpState::FinWait2 => "FIN-WAIT-2",
        TcpState::CloseWait => "CLOSE-WAIT",
        TcpState::Closing => "CLOSING",
        TcpState::LastAck => "LAST-ACK",
        TcpState::TimeWait => "TIME-WAIT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_of_a_timer_is_written_as_ss_writes_it() {
        let written = |millis| remaining(Duration::from_millis(millis));
        assert_eq!(written(230), "230ms");
        assert_eq!(written(1_230), "1.230ms");
        assert_eq!(written(2_000), "2sec");
        assert_eq!(written(59_900), "59sec");
        assert_eq!(written(90_500), "1min30sec");
        assert_eq!(written(7_199_000), "119min");
    }
}
