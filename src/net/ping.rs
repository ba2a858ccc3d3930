//! Echo requests: does a host answer, and how long is the round trip?

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::task::{Context, Poll};
use std::time::Duration;

use super::addr::{HostAddress, resolve};
use super::datagram::DatagramSocket;
use super::failing::NoteFailure;
use crate::host::{DatagramKind, INTERFACE_INDEX};
use crate::task::{Wait, context};
use crate::time::{Instant, timeout};
use crate::wire::icmp::{IcmpHeader, v4, v6};

/// The largest message.
const MAX_MESSAGE: usize = 65_535;

/// Sends an echo request to a host, and returns the round-trip time. [`Ping`] has more settings, and
/// returns more.
///
/// # Errors
/// Those of [`Ping::send`].
pub async fn ping(host: impl Into<HostAddress>) -> io::Result<Duration> {
    Ping::new(host).send().await.map(|echo| echo.time)
}

/// Sends echo requests to a host, ICMP's (RFC 792) or ICMPv6's (RFC 4443 section 4), as `ping(8)`
/// does.
///
/// ```
/// # use std::{io, time::Duration};
/// # use glassnet::{Sim, net::{Ping, ping}};
/// # let mut sim = Sim::new(7);
/// # sim.link("client", "server").delay(Duration::from_millis(20));
/// # sim.host("server", || async { Ok(()) });
/// # sim.client("client", async {
/// let echo = Ping::new("server").payload(b"glass").send().await?;
/// assert_eq!(echo.time, Duration::from_millis(42)); // ARP takes 2 ms of it
/// assert_eq!((echo.bytes, echo.hop_limit), (5, 64));
///
/// let nobody = ping("10.0.9.9").await.unwrap_err();
/// assert_eq!(nobody.kind(), io::ErrorKind::HostUnreachable);
/// # Ok(())
/// # });
/// # sim.run().unwrap();
/// ```
///
/// The identifier of the echoes is drawn from the random stream of the host when the first is
/// sent; their sequence numbers are 1, 2, 3 and so on.
#[derive(Debug)]
pub struct Ping {
    host: HostAddress,
    timeout: Duration,
    payload: Vec<u8>,
    hop_limit: Option<u8>,
    sequence: u16,
    open: Option<(DatagramSocket, SocketAddr)>,
}

/// An echo reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Echo {
    /// Its sender.
    pub from: IpAddr,
    /// The round-trip time.
    pub time: Duration,
    /// The hop limit, or time to live, with which it arrived.
    pub hop_limit: u8,
    /// The number of payload bytes.
    pub bytes: usize,
    /// Its sequence number.
    pub sequence: u16,
}

impl Ping {
    /// Echo requests to `host`: an address, or a name, of which the first address is taken. Nothing
    /// is sent yet.
    pub fn new(host: impl Into<HostAddress>) -> Ping {
        Ping {
            host: host.into(),
            timeout: Duration::from_secs(10),
            // What `ping(8)` sends: 56 bytes that count up.
            payload: (0..56).collect(),
            hop_limit: None,
            sequence: 0,
            open: None,
        }
    }

    /// How long to wait for a reply. 10 seconds by default.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Ping {
        Ping { timeout, ..self }
    }

    /// The payload of the requests. 56 bytes by default.
    #[must_use]
    pub fn payload(self, payload: impl Into<Vec<u8>>) -> Ping {
        Ping { payload: payload.into(), ..self }
    }

    /// The hop limit, or time to live, of the requests. 64 by default.
    #[must_use]
    pub fn hop_limit(self, hop_limit: u8) -> Ping {
        Ping { hop_limit: Some(hop_limit), ..self }
    }

    /// Sends a request, and waits for its reply. Replies to earlier requests are ignored.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) when none comes in time;
    /// [`HostUnreachable`](io::ErrorKind::HostUnreachable) when the host does not answer ARP or
    /// neighbour discovery, or a router says so, or the hop limit was too low;
    /// [`NetworkUnreachable`](io::ErrorKind::NetworkUnreachable) for an address outside the
    /// network; what else ICMP says of the request, by the errors of `icmp(7)`;
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for a broadcast address; `EMSGSIZE`
    /// for more than 65,507 bytes, or 65,527 over IPv6;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a hop limit of 0 over IPv4; when the name
    /// is not known; and when the caller is not a task of a host.
    pub async fn send(&mut self) -> io::Result<Echo> {
        if self.open.is_none() {
            self.open = Some(self.open().await?);
        }
        let Some((socket, to)) = &self.open else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        self.sequence = self.sequence.wrapping_add(1);
        // What was heard of earlier requests is no answer to this one.
        socket.take_error();
        let exchange = exchange(socket, *to, self.sequence, &self.payload);
        let echo = timeout(self.timeout, exchange).await.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no echo came back in time"))
        });
        echo.note_failure(|| format!("ping of {}", to.ip()))
    }

    async fn open(&self) -> io::Result<(DatagramSocket, SocketAddr)> {
        let to = address_of(&self.host).await?;
        let socket = DatagramSocket::new(DatagramKind::Ping, to.is_ipv6())?;
        socket.change_options(|options| {
            options.recv_errors = true;
            match self.hop_limit {
                Some(hop_limit) if to.is_ipv6() => options.set_hop_limit(hop_limit.into()),
                Some(hop_limit) => options.set_ttl(hop_limit.into()),
                None => Ok(()),
            }
        })?;
        Ok((socket, to))
    }
}

async fn exchange(
    socket: &DatagramSocket,
    to: SocketAddr,
    sequence: u16,
    payload: &[u8],
) -> io::Result<Echo> {
    let (request, reply) = match to {
        SocketAddr::V4(_) => (v4::ECHO_REQUEST, v4::ECHO_REPLY),
        SocketAddr::V6(_) => (v6::ECHO_REQUEST, v6::ECHO_REPLY),
    };
    let [high, low] = sequence.to_be_bytes();
    let mut message = vec![request, 0, 0, 0, 0, 0, high, low];
    message.extend_from_slice(payload);
    let sent = Instant::now();
    poll_fn(|cx| socket.poll_send(&message, Some(to), Some(cx.waker()))).await?;
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        let (len, from, hop_limit) = poll_fn(|cx| poll_echo(socket, to, &mut buffer, cx)).await?;
        if let Some((icmp, echoed)) = IcmpHeader::split_from(&buffer[..len])
            && icmp.kind == reply
            && icmp.echo_sequence() == sequence
        {
            let (time, bytes) = (sent.elapsed(), echoed.len());
            return Ok(Echo { from: from.ip(), time, hop_limit, bytes, sequence });
        }
    }
}

fn poll_echo(
    socket: &DatagramSocket,
    to: SocketAddr,
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<io::Result<(usize, SocketAddr, u8)>> {
    let polled = socket.poll_recv_quietly(buffer, false, Some(cx.waker()));
    if polled.is_pending() {
        context::waits_for(Wait::Echo { from: to });
    }
    polled.map_ok(|received| (received.len, received.from, received.hop_limit))
}

/// The address that a host has.
async fn address_of(host: &HostAddress) -> io::Result<SocketAddr> {
    let (address, scope_id) = match host {
        HostAddress::Any => (Ipv4Addr::UNSPECIFIED.into(), 0),
        HostAddress::Broadcast => (Ipv4Addr::BROADCAST.into(), 0),
        HostAddress::Ip(address, scope_id) => (*address, *scope_id),
        HostAddress::Name(name) => {
            let first = resolve(&(name.as_str(), 0)).await?.next();
            return first.ok_or_else(|| io::ErrorKind::NotFound.into());
        }
    };
    Ok(match address {
        // There is one interface that it can be on.
        IpAddr::V6(v6) if v6.is_unicast_link_local() && scope_id == 0 => {
            SocketAddrV6::new(v6, 0, 0, INTERFACE_INDEX).into()
        }
        IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, scope_id).into(),
        address @ IpAddr::V4(_) => SocketAddr::new(address, 0),
    })
}
