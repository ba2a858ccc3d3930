//! The options of a socket: `setsockopt(2)` and `getsockopt(2)`.

use std::io;
use std::time::Duration;

use super::{End, Socket};
use crate::net::options::{
    Target, ip_option, ipv6_option, multicast_option, socket_option, tcp_option, udp_option,
};
use crate::net::tcp::TcpRef;

impl Socket {
    pub(super) fn target(&self) -> Target<'_> {
        match &self.end {
            End::Stream(endpoint) => Target::Tcp(TcpRef::Endpoint(endpoint)),
            End::Datagram(datagram) => Target::Datagram(datagram),
            End::Local(local) => Target::Local(local),
        }
    }
}

/// How long calls wait.
impl Socket {
    /// `O_NONBLOCK`: whether calls return at once.
    pub fn nonblocking(&self) -> io::Result<bool> {
        Ok(self.modes().nonblocking)
    }

    /// Makes calls return at once, with [`WouldBlock`](io::ErrorKind::WouldBlock) where they would
    /// wait, and `connect` with EINPROGRESS.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.modes().nonblocking = nonblocking;
        Ok(())
    }

    /// `SO_RCVTIMEO`: how long receiving and accepting wait, before they give
    /// [`WouldBlock`](io::ErrorKind::WouldBlock). `None`, the default, is for ever.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.modes().read_timeout)
    }

    /// Sets `SO_RCVTIMEO`: see [`read_timeout`](Socket::read_timeout).
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for no time at all.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.modes().read_timeout = not_zero(timeout)?;
        Ok(())
    }

    /// `SO_SNDTIMEO`: how long sending waits before it gives
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), and connecting before it gives EINPROGRESS.
    /// `None`, the default, is for ever.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.modes().write_timeout)
    }

    /// Sets `SO_SNDTIMEO`: see [`write_timeout`](Socket::write_timeout).
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for no time at all.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.modes().write_timeout = not_zero(timeout)?;
        Ok(())
    }
}

/// Options of every socket: `socket(7)`.
///
/// # Errors
/// [`Unsupported`](io::ErrorKind::Unsupported) for a socket that does not have the option.
impl Socket {
    socket_option!(SO_REUSEADDR, reuse_address, set_reuse_address);
    socket_option!(SO_REUSEPORT, reuse_port, set_reuse_port);
    socket_option!(SO_BROADCAST, broadcast, set_broadcast);
    socket_option!(SO_RCVBUF, recv_buffer_size, set_recv_buffer_size: usize);
    socket_option!(SO_SNDBUF, send_buffer_size, set_send_buffer_size: usize);
    socket_option!(SO_LINGER, linger, set_linger);
    socket_option!(SO_KEEPALIVE, keepalive, set_keepalive);
}

/// Options of IPv4: `ip(7)`. A socket of the IPv6 domain has them for the IPv4 packets it sends.
///
/// # Errors
/// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain, and for what only datagram
/// sockets have.
impl Socket {
    ip_option!(IP_TTL, ttl_v4, set_ttl_v4);
    ip_option!(IP_TOS, tos_v4, set_tos_v4);
    ip_option!(IP_RECVERR, recv_errors, set_recv_errors);
    ip_option!(IP_MTU_DISCOVER, mtu_discovery_v4, set_mtu_discovery_v4);
    multicast_option!(IP_MULTICAST_TTL, multicast_ttl_v4, set_multicast_ttl_v4);
    multicast_option!(IP_MULTICAST_LOOP, multicast_loop_v4, set_multicast_loop_v4);
    multicast_option!(IP_MULTICAST_ALL, multicast_all_v4, set_multicast_all_v4);
    multicast_option!(IP_MULTICAST_IF, multicast_if_v4, set_multicast_if_v4);
    multicast_option!(
        IP_ADD_MEMBERSHIP, join_multicast_v4,
        IP_DROP_MEMBERSHIP, leave_multicast_v4: &std::net::Ipv4Addr
    );
}

/// Options of IPv6: `ipv6(7)`.
///
/// # Errors
/// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain, and for what only datagram
/// sockets have.
impl Socket {
    ipv6_option!(IPV6_V6ONLY, only_v6, set_only_v6);
    ipv6_option!(IPV6_UNICAST_HOPS, unicast_hops_v6, set_unicast_hops_v6);
    ipv6_option!(IPV6_TCLASS, tclass_v6, set_tclass_v6);
    ipv6_option!(IPV6_MTU_DISCOVER, mtu_discovery_v6, set_mtu_discovery_v6);
    multicast_option!(IPV6_MULTICAST_HOPS, multicast_hops_v6, set_multicast_hops_v6);
    multicast_option!(IPV6_MULTICAST_LOOP, multicast_loop_v6, set_multicast_loop_v6);
    multicast_option!(IPV6_MULTICAST_ALL, multicast_all_v6, set_multicast_all_v6);
    multicast_option!(IPV6_MULTICAST_IF, multicast_if_v6, set_multicast_if_v6);
    multicast_option!(
        IPV6_ADD_MEMBERSHIP,
        join_multicast_v6,
        IPV6_DROP_MEMBERSHIP,
        leave_multicast_v6
    );
}

/// Options of UDP: `udp(7)`.
impl Socket {
    udp_option!(UDP_SEGMENT, segment_size, set_segment_size);
}

/// Options of TCP: `tcp(7)`.
///
/// # Errors
/// ENOPROTOOPT for a socket that is not TCP's, as on Linux;
/// [`Unsupported`](io::ErrorKind::Unsupported) in the UNIX domain.
impl Socket {
    tcp_option!(keepalive parameters, set_tcp_keepalive);
    tcp_option!(TCP_KEEPIDLE, tcp_keepalive_time);
    tcp_option!(TCP_KEEPINTVL, tcp_keepalive_interval);
    tcp_option!(TCP_KEEPCNT, tcp_keepalive_retries);
    tcp_option!(TCP_NODELAY, tcp_nodelay, set_tcp_nodelay);
    tcp_option!(TCP_USER_TIMEOUT, tcp_user_timeout, set_tcp_user_timeout);
    tcp_option!(TCP_CONGESTION, tcp_congestion, set_tcp_congestion);
    tcp_option!(TCP_INFO, tcp_info);
    tcp_option!(TCP_QUICKACK, tcp_quickack, set_tcp_quickack);
    tcp_option!(ack delay, tcp_ack_delay, set_tcp_ack_delay);
}

fn not_zero(timeout: Option<Duration>) -> io::Result<Option<Duration>> {
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        let text = "cannot set a 0 duration timeout";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(timeout)
}
