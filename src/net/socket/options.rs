//! The options of a socket: `setsockopt(2)` and `getsockopt(2)`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::stream::StreamSocket;
use super::{Domain, End, Socket};
use crate::error::Errno;
use crate::host::{CongestionControl, DatagramOptions, TcpOptions};
use crate::net::datagram::DatagramSocket;

/// How a silent connection is probed: the options of `SO_KEEPALIVE`.
///
/// The defaults are Linux's: 7200 s, 75 s and 9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpKeepalive {
    time: Option<Duration>,
    interval: Option<Duration>,
    retries: Option<u32>,
}

impl TcpKeepalive {
    /// Leaves everything as it is.
    #[must_use]
    pub const fn new() -> TcpKeepalive {
        TcpKeepalive { time: None, interval: None, retries: None }
    }

    /// `TCP_KEEPIDLE`: how long a connection is silent before it is probed, in whole seconds.
    #[must_use]
    pub const fn with_time(self, time: Duration) -> TcpKeepalive {
        TcpKeepalive { time: Some(time), ..self }
    }

    /// `TCP_KEEPINTVL`: how long after one probe the next follows, in whole seconds.
    #[must_use]
    pub const fn with_interval(self, interval: Duration) -> TcpKeepalive {
        TcpKeepalive { interval: Some(interval), ..self }
    }

    /// `TCP_KEEPCNT`: how many probes go unanswered before the connection has timed out.
    #[must_use]
    pub const fn with_retries(self, retries: u32) -> TcpKeepalive {
        TcpKeepalive { retries: Some(retries), ..self }
    }
}

/// What an option is of.
impl Socket {
    pub(super) fn is_v6(&self) -> bool {
        self.domain == Domain::IPV6
    }

    /// The stream that an option of TCP's is of.
    fn tcp(&self) -> io::Result<&StreamSocket> {
        match &self.end {
            End::Stream(stream) => Ok(stream),
            End::Datagram(_) => Err(Errno::NoProtocolOption.into()),
            End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    /// The datagram socket that an option is of which only datagrams have.
    fn datagrams(&self) -> io::Result<&DatagramSocket> {
        match &self.end {
            End::Datagram(datagram) => Ok(datagram),
            End::Stream(_) | End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    fn datagrams_v6(&self) -> io::Result<&DatagramSocket> {
        self.must_be_v6()?;
        self.datagrams()
    }

    fn must_be_v6(&self) -> io::Result<()> {
        match self.domain {
            Domain::IPV6 => Ok(()),
            Domain::UNIX => Err(Errno::OperationNotSupported.into()),
            _ => Err(Errno::NoProtocolOption.into()),
        }
    }

    /// An option of sockets of an IP domain.
    fn ip<T>(
        &self,
        of_stream: impl FnOnce(TcpOptions) -> T,
        of_datagram: impl FnOnce(DatagramOptions) -> T,
    ) -> io::Result<T> {
        match &self.end {
            End::Stream(stream) => stream.options().map(of_stream),
            End::Datagram(datagram) => datagram.options().map(of_datagram),
            End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    fn set_ip(
        &self,
        of_stream: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
        of_datagram: impl FnOnce(&mut DatagramOptions) -> Result<(), Errno>,
    ) -> io::Result<()> {
        match &self.end {
            End::Stream(stream) => stream.change_options(of_stream),
            End::Datagram(datagram) => datagram.change_options(of_datagram),
            End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }
}

/// Options of every socket, and of those of the IP domains: `socket(7)`.
impl Socket {
    /// Whether calls return at once: `O_NONBLOCK`.
    ///
    /// # Errors
    /// None; the signature is `socket2`'s.
    pub fn nonblocking(&self) -> io::Result<bool> {
        Ok(self.modes().nonblocking)
    }

    /// Makes calls return at once, with [`WouldBlock`](io::ErrorKind::WouldBlock) where they would
    /// wait, and `connect` with EINPROGRESS.
    ///
    /// # Errors
    /// None; the signature is `socket2`'s.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.modes().nonblocking = nonblocking;
        Ok(())
    }

    /// `SO_RCVTIMEO`.
    ///
    /// # Errors
    /// None; the signature is `socket2`'s.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.modes().read_timeout)
    }

    /// `SO_RCVTIMEO`: how long receiving and accepting wait, before they give
    /// [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for no time at all.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.modes().read_timeout = not_zero(timeout)?;
        Ok(())
    }

    /// `SO_SNDTIMEO`.
    ///
    /// # Errors
    /// None; the signature is `socket2`'s.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.modes().write_timeout)
    }

    /// `SO_SNDTIMEO`: how long sending waits before it gives
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), and connecting before it gives EINPROGRESS.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for no time at all.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.modes().write_timeout = not_zero(timeout)?;
        Ok(())
    }

    /// `SO_REUSEADDR`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn reuse_address(&self) -> io::Result<bool> {
        self.ip(|options| options.reuse_address, |options| options.reuse_address)
    }

    /// `SO_REUSEADDR`: a stream may bind to a port with connections that are closing, if both old
    /// and new socket have it; datagram sockets that all have it may share a port.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn set_reuse_address(&self, reuse: bool) -> io::Result<()> {
        self.set_ip(
            |options| {
                options.reuse_address = reuse;
                Ok(())
            },
            |options| {
                options.reuse_address = reuse;
                Ok(())
            },
        )
    }

    /// `SO_BROADCAST`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn broadcast(&self) -> io::Result<bool> {
        Ok(self.datagrams()?.options()?.broadcast)
    }

    /// `SO_BROADCAST`: lets the socket send to broadcast addresses.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.datagrams()?.change_options(|options| {
            options.broadcast = broadcast;
            Ok(())
        })
    }

    /// `SO_RCVBUF`, in octets.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.ip(|options| options.recv_buffer() as usize, |options| options.recv_buffer)
    }

    /// `SO_RCVBUF`, in octets: of a stream the largest window it advertises, which unlike Linux's
    /// is not doubled; of a datagram socket, which keeps accounts beside the data, it is.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) outside 1 to 2^30 for a stream;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a stream that is connected or connecting,
    /// whose buffers are settled, and in the UNIX domain, where it has no meaning.
    pub fn set_recv_buffer_size(&self, size: usize) -> io::Result<()> {
        self.set_ip(
            |options| options.set_recv_buffer(u32::try_from(size).unwrap_or(u32::MAX)),
            |options| {
                options.set_recv_buffer(size);
                Ok(())
            },
        )
    }

    /// `SO_SNDBUF`, in octets.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        if let End::Local(local) = &self.end {
            return Ok(local.send_buffer());
        }
        self.ip(|options| options.send_buffer() as usize, |options| options.send_buffer)
    }

    /// `SO_SNDBUF`, in octets. That of a TCP socket is, unlike Linux's, not doubled.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) outside 1 to 2^30 for TCP's;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a stream that is connected or connecting,
    /// whose buffers are settled.
    pub fn set_send_buffer_size(&self, size: usize) -> io::Result<()> {
        if let End::Local(local) = &self.end {
            local.set_send_buffer(size);
            return Ok(());
        }
        self.set_ip(
            |options| options.set_send_buffer(u32::try_from(size).unwrap_or(u32::MAX)),
            |options| {
                options.set_send_buffer(size);
                Ok(())
            },
        )
    }

    /// `SO_LINGER`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket other than TCP's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.lingering()?.options()?.linger())
    }

    /// `SO_LINGER`, in whole seconds: with none of them closing resets the connection; with more
    /// [`close`](Socket::close) waits, at most that long, until all is delivered.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket other than TCP's.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.lingering()?.change_options(|options| {
            options.set_linger(linger);
            Ok(())
        })
    }

    fn lingering(&self) -> io::Result<&StreamSocket> {
        self.tcp().map_err(|_| Errno::OperationNotSupported.into())
    }

    /// `SO_KEEPALIVE`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket other than TCP's.
    pub fn keepalive(&self) -> io::Result<bool> {
        Ok(self.lingering()?.options()?.keep_alive)
    }

    /// `SO_KEEPALIVE`: probes the peer of a silent connection (RFC 9293 3.8.4).
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket other than TCP's.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.lingering()?.change_options(|options| {
            options.keep_alive = keepalive;
            Ok(())
        })
    }
}

/// Options of TCP: `tcp(7)`. For another socket they give ENOPROTOOPT, as on Linux, or
/// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
impl Socket {
    /// Switches `SO_KEEPALIVE` on, with these parameters.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for times outside 1 to 32767 s, and more
    /// than 127 retries or none.
    pub fn set_tcp_keepalive(&self, params: &TcpKeepalive) -> io::Result<()> {
        let TcpKeepalive { time, interval, retries } = *params;
        self.tcp()?.change_options(|options| {
            options.keep_alive = true;
            time.map_or(Ok(()), |time| options.set_keep_alive_time(time))?;
            interval.map_or(Ok(()), |interval| options.set_keep_alive_interval(interval))?;
            retries.map_or(Ok(()), |retries| options.set_keep_alive_retries(retries))
        })
    }

    /// `TCP_KEEPIDLE`.
    ///
    /// # Errors
    /// See above.
    pub fn tcp_keepalive_time(&self) -> io::Result<Duration> {
        Ok(self.tcp()?.options()?.keep_alive_time())
    }

    /// `TCP_KEEPINTVL`.
    ///
    /// # Errors
    /// See above.
    pub fn tcp_keepalive_interval(&self) -> io::Result<Duration> {
        Ok(self.tcp()?.options()?.keep_alive_interval())
    }

    /// `TCP_KEEPCNT`.
    ///
    /// # Errors
    /// See above.
    pub fn tcp_keepalive_retries(&self) -> io::Result<u32> {
        Ok(self.tcp()?.options()?.keep_alive_retries())
    }

    /// `TCP_NODELAY`.
    ///
    /// # Errors
    /// See above.
    pub fn tcp_nodelay(&self) -> io::Result<bool> {
        Ok(self.tcp()?.options()?.nodelay)
    }

    /// `TCP_NODELAY`: switches Nagle's algorithm off.
    ///
    /// # Errors
    /// See above.
    pub fn set_tcp_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.tcp()?.change_options(|options| {
            options.nodelay = nodelay;
            Ok(())
        })
    }

    /// `TCP_USER_TIMEOUT`; `None` is the host's count of retries.
    ///
    /// # Errors
    /// See above.
    pub fn tcp_user_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.tcp()?.options()?.user_timeout())
    }

    /// `TCP_USER_TIMEOUT` (RFC 5482), in whole milliseconds: how long what was sent may stay
    /// unacknowledged before the connection has timed out.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for more than 2^31 - 1 ms.
    pub fn set_tcp_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp()?.change_options(|options| options.set_user_timeout(timeout))
    }

    /// `TCP_CONGESTION`: `reno`, `cubic`, or `none`.
    ///
    /// # Errors
    /// See above.
    pub fn tcp_congestion(&self) -> io::Result<Vec<u8>> {
        let control = self.tcp()?.options()?.congestion_control;
        let named = CONGESTION_CONTROLS.iter().find(|(_, named)| *named == control);
        Ok(named.map_or(&b""[..], |(name, _)| name).to_vec())
    }

    /// `TCP_CONGESTION`.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) for a name other than `reno`, `cubic` and `none`.
    pub fn set_tcp_congestion(&self, name: &[u8]) -> io::Result<()> {
        let named = CONGESTION_CONTROLS.iter().find(|(known, _)| *known == name);
        let (_, control) = *named.ok_or(Errno::NoEntry)?;
        self.tcp()?.change_options(|options| {
            options.congestion_control = control;
            Ok(())
        })
    }

    /// `TCP_QUICKACK`.
    ///
    /// # Errors
    /// See above.
    pub fn tcp_quickack(&self) -> io::Result<bool> {
        Ok(self.tcp()?.options()?.quickack)
    }

    /// `TCP_QUICKACK`: acknowledgments do not wait. Unlike Linux's it stays as it is set.
    ///
    /// # Errors
    /// See above.
    pub fn set_tcp_quickack(&self, quickack: bool) -> io::Result<()> {
        self.tcp()?.change_options(|options| {
            options.quickack = quickack;
            Ok(())
        })
    }

    /// How long an acknowledgment waits for company; `None`: not at all.
    ///
    /// # Errors
    /// See above.
    pub fn tcp_ack_delay(&self) -> io::Result<Option<Duration>> {
        Ok(self.tcp()?.options()?.ack_delay)
    }

    /// How long an acknowledgment may wait for data to ride on, or for a second segment (RFC 9293
    /// 3.8.6.3). It is the socket's own [`HostOptions::ack_delay`](crate::HostOptions); Linux has
    /// no such option.
    ///
    /// # Errors
    /// See above.
    pub fn set_tcp_ack_delay(&self, delay: Option<Duration>) -> io::Result<()> {
        self.tcp()?.change_options(|options| {
            options.ack_delay = delay;
            Ok(())
        })
    }
}

/// Options of IPv4: `ip(7)`. A socket of the IPv6 domain has them for the IPv4 packets it sends.
impl Socket {
    /// `IP_TTL`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn ttl_v4(&self) -> io::Result<u32> {
        self.ip(|options| u32::from(options.ttl()), |options| u32::from(options.ttl))
    }

    /// `IP_TTL`: the time to live of packets to one host.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) outside 1 to 255;
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn set_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.set_ip(|options| options.set_ttl(ttl), |options| options.set_ttl(ttl))
    }

    /// `IP_TOS`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn tos_v4(&self) -> io::Result<u32> {
        self.ip(|options| u32::from(options.tos()), |options| u32::from(options.tos))
    }

    /// `IP_TOS`: the type of service; for TCP without the two bits of ECN, which are its own.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.set_ip(
            |options| {
                options.set_tos(tos);
                Ok(())
            },
            |options| {
                options.set_tos(tos);
                Ok(())
            },
        )
    }

    /// `IP_MULTICAST_TTL`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        Ok(self.datagrams()?.options()?.multicast_ttl.into())
    }

    /// `IP_MULTICAST_TTL`: the time to live of packets to a group. 0 stays within the host, 1
    /// (the default) within the link.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) above 255;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.datagrams()?.change_options(|options| options.set_multicast_ttl(ttl))
    }

    /// `IP_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        Ok(self.datagrams()?.options()?.multicast_loop)
    }

    /// `IP_MULTICAST_LOOP`: whether the host's own members hear what is sent to a group. On by
    /// default.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn set_multicast_loop_v4(&self, loops: bool) -> io::Result<()> {
        self.datagrams()?.change_options(|options| {
            options.multicast_loop = loops;
            Ok(())
        })
    }

    /// `IP_MULTICAST_ALL`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that receives no datagrams over
    /// IP.
    pub fn multicast_all_v4(&self) -> io::Result<bool> {
        Ok(self.datagrams()?.options()?.multicast_all)
    }

    /// `IP_MULTICAST_ALL`: whether a socket that is bound to any address hears the groups that
    /// others of the host have joined. On by default, as on Linux.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that receives no datagrams over
    /// IP.
    pub fn set_multicast_all_v4(&self, all: bool) -> io::Result<()> {
        self.datagrams()?.change_options(|options| {
            options.multicast_all = all;
            Ok(())
        })
    }

    /// `IP_MULTICAST_IF`; 0.0.0.0 when it was not set.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn multicast_if_v4(&self) -> io::Result<Ipv4Addr> {
        let interface = self.datagrams()?.options()?.multicast_interface;
        Ok(interface.unwrap_or(Ipv4Addr::UNSPECIFIED))
    }

    /// `IP_MULTICAST_IF`: the address from which groups are sent to; 0.0.0.0 for any.
    ///
    /// # Errors
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for an address that is not the
    /// interface's; [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no
    /// datagrams over IP.
    pub fn set_multicast_if_v4(&self, interface: &Ipv4Addr) -> io::Result<()> {
        let interface = (!interface.is_unspecified()).then_some(*interface);
        self.datagrams()?.change_options(|options| {
            options.multicast_interface = interface;
            Ok(())
        })
    }

    /// `IP_RECVERR` and `IPV6_RECVERR`: whether errors that ICMP reports are given also where
    /// trying again may help (an unreachable host or network), and to a socket that is not
    /// connected. There is no queue of them. Off by default.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn set_recv_errors(&self, recv_errors: bool) -> io::Result<()> {
        self.datagrams()?.change_options(|options| {
            options.recv_errors = recv_errors;
            Ok(())
        })
    }

    /// `IP_RECVERR` and `IPV6_RECVERR`.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that sends no datagrams over IP.
    pub fn recv_errors(&self) -> io::Result<bool> {
        Ok(self.datagrams()?.options()?.recv_errors)
    }

    /// `IP_ADD_MEMBERSHIP`: joins a group, on the interface that has an address, or the only one
    /// there is for 0.0.0.0.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for an address that is no group's,
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) for one that was joined already, ENODEV for an
    /// interface that there is not, ENOBUFS for a twenty-first group;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that receives no datagrams over
    /// IP.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.datagrams()?.join_v4(*group, *interface)
    }

    /// `IP_DROP_MEMBERSHIP`.
    ///
    /// # Errors
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for a group that was not joined, and
    /// those of [`join_multicast_v4`](Socket::join_multicast_v4).
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.datagrams()?.leave_v4(*group, *interface)
    }
}

/// Options of IPv6: `ipv6(7)`. For a socket of the IPv4 domain they give ENOPROTOOPT, as on Linux.
impl Socket {
    /// `IPV6_V6ONLY`.
    ///
    /// # Errors
    /// See above.
    pub fn only_v6(&self) -> io::Result<bool> {
        self.must_be_v6()?;
        match &self.end {
            End::Stream(stream) => Ok(stream.only_v6()),
            End::Datagram(datagram) => Ok(datagram.options()?.only_v6),
            End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    /// `IPV6_V6ONLY`: whether `::` leaves IPv4 to others. Off by default, as on Linux.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) once it is bound.
    pub fn set_only_v6(&self, only_v6: bool) -> io::Result<()> {
        self.must_be_v6()?;
        match &self.end {
            End::Stream(stream) => stream.set_only_v6(only_v6),
            End::Datagram(datagram) => datagram.change_options(|options| {
                options.only_v6 = only_v6;
                Ok(())
            }),
            End::Local(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    /// `IPV6_UNICAST_HOPS`.
    ///
    /// # Errors
    /// See above.
    pub fn unicast_hops_v6(&self) -> io::Result<u32> {
        self.must_be_v6()?;
        self.ip(|options| u32::from(options.hop_limit()), |options| u32::from(options.hop_limit))
    }

    /// `IPV6_UNICAST_HOPS`: the hop limit of packets to one host.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) outside 1 to 255.
    pub fn set_unicast_hops_v6(&self, hop_limit: u32) -> io::Result<()> {
        self.must_be_v6()?;
        self.set_ip(
            |options| options.set_hop_limit(hop_limit),
            |options| options.set_hop_limit(hop_limit),
        )
    }

    /// `IPV6_TCLASS`.
    ///
    /// # Errors
    /// See above.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        self.must_be_v6()?;
        self.ip(
            |options| u32::from(options.traffic_class()),
            |options| u32::from(options.traffic_class),
        )
    }

    /// `IPV6_TCLASS`: the traffic class; for TCP without the two bits of ECN, which are its own.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) above 255.
    pub fn set_tclass_v6(&self, class: u32) -> io::Result<()> {
        self.must_be_v6()?;
        self.set_ip(
            |options| options.set_traffic_class(class),
            |options| options.set_traffic_class(class),
        )
    }

    /// `IPV6_MULTICAST_HOPS`.
    ///
    /// # Errors
    /// See above; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn multicast_hops_v6(&self) -> io::Result<u32> {
        Ok(self.datagrams_v6()?.options()?.multicast_hops.into())
    }

    /// `IPV6_MULTICAST_HOPS`: the hop limit of packets to a group; 1 by default.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) above 255;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn set_multicast_hops_v6(&self, hop_limit: u32) -> io::Result<()> {
        self.datagrams_v6()?.change_options(|options| options.set_multicast_hops(hop_limit))
    }

    /// `IPV6_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// See above; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        Ok(self.datagrams_v6()?.options()?.multicast_loop_v6)
    }

    /// `IPV6_MULTICAST_LOOP`: whether the host's own members hear what is sent to a group. On by
    /// default.
    ///
    /// # Errors
    /// See above; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn set_multicast_loop_v6(&self, loops: bool) -> io::Result<()> {
        self.datagrams_v6()?.change_options(|options| {
            options.multicast_loop_v6 = loops;
            Ok(())
        })
    }

    /// `IPV6_MULTICAST_ALL`.
    ///
    /// # Errors
    /// See above; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn multicast_all_v6(&self) -> io::Result<bool> {
        Ok(self.datagrams_v6()?.options()?.multicast_all_v6)
    }

    /// `IPV6_MULTICAST_ALL`: as [`set_multicast_all_v4`](Socket::set_multicast_all_v4).
    ///
    /// # Errors
    /// See above; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn set_multicast_all_v6(&self, all: bool) -> io::Result<()> {
        self.datagrams_v6()?.change_options(|options| {
            options.multicast_all_v6 = all;
            Ok(())
        })
    }

    /// `IPV6_MULTICAST_IF`, by number; 0 when it was not set.
    ///
    /// # Errors
    /// See above; [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn multicast_if_v6(&self) -> io::Result<u32> {
        Ok(self.datagrams_v6()?.options()?.multicast_interface_v6)
    }

    /// `IPV6_MULTICAST_IF`, by number: 2, or 0 for any.
    ///
    /// # Errors
    /// ENODEV for an interface that there is not;
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a stream.
    pub fn set_multicast_if_v6(&self, interface: u32) -> io::Result<()> {
        self.datagrams_v6()?.change_options(|options| {
            options.multicast_interface_v6 = interface;
            Ok(())
        })
    }

    /// `IPV6_ADD_MEMBERSHIP`: joins a group on the interface of a number: 2, or 0 for any.
    ///
    /// # Errors
    /// Those of [`join_multicast_v4`](Socket::join_multicast_v4).
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.datagrams_v6()?.join_v6(*group, interface)
    }

    /// `IPV6_DROP_MEMBERSHIP`.
    ///
    /// # Errors
    /// Those of [`leave_multicast_v4`](Socket::leave_multicast_v4).
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.datagrams_v6()?.leave_v6(*group, interface)
    }
}

const CONGESTION_CONTROLS: [(&[u8], CongestionControl); 3] = [
    (b"reno", CongestionControl::Reno),
    (b"cubic", CongestionControl::Cubic),
    (b"none", CongestionControl::None),
];

fn not_zero(timeout: Option<Duration>) -> io::Result<Option<Duration>> {
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        let text = "cannot set a 0 duration timeout";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(timeout)
}
