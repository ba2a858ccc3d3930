//! The options of a socket that tokio's types have no methods for.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};

use super::borrowed::TcpRef;
use super::listener::TcpListener;
use super::socket::TcpSocket;
use super::stream::TcpStream;
use crate::net::options::{Target, ip_option, ipv6_option, socket_option, tcp_option};

/// All the options of a TCP socket, under the names that `socket2::SockRef` has for them.
///
/// [`Socket`](crate::net::socket::Socket) has the same names for the same options.
///
/// It borrows a [`TcpSocket`], a [`TcpListener`] or a [`TcpStream`]. Options of a listener are
/// those with which the connections to come begin.
///
/// ```
/// use std::time::Duration;
///
/// use glassnet::net::TcpStream;
/// use glassnet::net::tcp::{SockRef, TcpKeepalive};
///
/// fn watch(stream: &TcpStream) -> std::io::Result<()> {
///     let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_retries(3);
///     SockRef::from(stream).set_tcp_keepalive(&keepalive)
/// }
/// ```
///
/// # Errors
/// Beside what they name, options fail with [`NotConnected`](io::ErrorKind::NotConnected), or
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for a listener, when the host has crashed.
#[derive(Clone, Copy)]
pub struct SockRef<'s>(TcpRef<'s>);

impl<'s> From<&'s TcpSocket> for SockRef<'s> {
    fn from(socket: &'s TcpSocket) -> SockRef<'s> {
        SockRef(socket.inner())
    }
}

impl<'s> From<&'s TcpListener> for SockRef<'s> {
    fn from(listener: &'s TcpListener) -> SockRef<'s> {
        SockRef(listener.inner())
    }
}

impl<'s> From<&'s TcpStream> for SockRef<'s> {
    fn from(stream: &'s TcpStream) -> SockRef<'s> {
        SockRef(stream.inner())
    }
}

impl SockRef<'_> {
    fn target(&self) -> Target<'_> {
        Target::Tcp(self.0)
    }

    /// The socket's own address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.local_addr())
    }

    /// The peer's address.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when there is no connection, or none any
    /// more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// `SO_ERROR`: takes the error that the next call would return.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.take_error())
    }

    /// `shutdown(2)`. [`Shutdown::Write`]: the peer reads the end of the stream after what was
    /// written. [`Shutdown::Read`]: reads give 0 instead of waiting; data that still arrives is
    /// read all the same, as on Linux. A listener listens no longer after [`Shutdown::Read`] or
    /// [`Shutdown::Both`], and goes on after [`Shutdown::Write`].
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when there is no connection, or none any
    /// more, and the socket does not listen.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shut_down(how)
    }

    socket_option!(SO_KEEPALIVE, keepalive, set_keepalive);
    tcp_option!(keepalive parameters, set_tcp_keepalive);
    tcp_option!(TCP_KEEPIDLE, tcp_keepalive_time);
    tcp_option!(TCP_KEEPINTVL, tcp_keepalive_interval);
    tcp_option!(TCP_KEEPCNT, tcp_keepalive_retries);
    tcp_option!(TCP_USER_TIMEOUT, tcp_user_timeout, set_tcp_user_timeout);
    tcp_option!(TCP_NODELAY, tcp_nodelay, set_tcp_nodelay);
    tcp_option!(TCP_QUICKACK, tcp_quickack, set_tcp_quickack);
    tcp_option!(ack delay, tcp_ack_delay, set_tcp_ack_delay);
    tcp_option!(TCP_CONGESTION, tcp_congestion, set_tcp_congestion);
    tcp_option!(TCP_INFO, tcp_info);
    socket_option!(SO_LINGER, linger, set_linger);
    socket_option!(SO_REUSEADDR, reuse_address, set_reuse_address);
    socket_option!(SO_REUSEPORT, reuse_port, set_reuse_port);
    socket_option!(SO_RCVBUF, recv_buffer_size, set_recv_buffer_size: usize);
    socket_option!(SO_SNDBUF, send_buffer_size, set_send_buffer_size: usize);
    ip_option!(IP_TTL, ttl_v4, set_ttl_v4);
    ip_option!(IP_TOS, tos_v4, set_tos_v4);
    ipv6_option!(IPV6_UNICAST_HOPS, unicast_hops_v6, set_unicast_hops_v6);
    ipv6_option!(IPV6_TCLASS, tclass_v6, set_tclass_v6);
}

impl fmt::Debug for SockRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("SockRef");
        debug.field("local", &self.0.local_addr()).field("peer", &self.0.peer_addr().ok());
        debug.finish()
    }
}
