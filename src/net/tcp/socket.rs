//! A socket before it listens or connects, as tokio's `TcpSocket` has it.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::borrowed::TcpRef;
use super::endpoint::Endpoint;
use super::listener::TcpListener;
use super::stream::TcpStream;
use crate::net::options::{Target, ip_option, ipv6_option, socket_option, tcp_option};

/// A TCP socket that is neither listening nor connected, with the methods of
/// `tokio::net::TcpSocket`: the tutorial's `socket`, `bind`, `listen` and `connect` one by one.
///
/// Its options hold for the connection it makes, or for those that its listener accepts.
///
/// # Errors
/// Methods have the errors that they name, and no others.
pub struct TcpSocket(Endpoint);

impl TcpSocket {
    /// A socket of IPv4 on the calling task's host.
    ///
    /// # Errors
    /// When the caller is not a task of a host.
    pub fn new_v4() -> io::Result<TcpSocket> {
        Endpoint::new(false).map(TcpSocket)
    }

    /// A socket of IPv6 on the calling task's host.
    ///
    /// # Errors
    /// When the caller is not a task of a host.
    pub fn new_v6() -> io::Result<TcpSocket> {
        Endpoint::new(true).map(TcpSocket)
    }

    pub(super) fn inner(&self) -> TcpRef<'_> {
        TcpRef::Endpoint(&self.0)
    }

    fn target(&self) -> Target<'_> {
        Target::Tcp(self.inner())
    }

    socket_option!(SO_KEEPALIVE, keepalive, set_keepalive);
    socket_option!(SO_REUSEADDR, reuseaddr, set_reuseaddr);
    socket_option!(SO_REUSEPORT, reuseport, set_reuseport);
    socket_option!(SO_SNDBUF, send_buffer_size, set_send_buffer_size: u32);
    socket_option!(SO_RCVBUF, recv_buffer_size, set_recv_buffer_size: u32);
    socket_option!(
        SO_LINGER,
        linger,
        #[deprecated = "a drop cannot wait; `set_zero_linger` resets"]
        set_linger
    );
    socket_option!(SO_LINGER of no time, set_zero_linger);
    tcp_option!(TCP_NODELAY, nodelay, set_nodelay);
    tcp_option!(TCP_QUICKACK, quickack, set_quickack);
    tcp_option!(TCP_CONGESTION, tcp_congestion, set_tcp_congestion);
    tcp_option!(TCP_USER_TIMEOUT, tcp_user_timeout, set_tcp_user_timeout);
    tcp_option!(TCP_CORK, tcp_cork, set_tcp_cork);
    tcp_option!(TCP_MAXSEG, tcp_mss, set_tcp_mss);
    tcp_option!(TCP_NOTSENT_LOWAT, tcp_notsent_lowat, set_tcp_notsent_lowat);
    tcp_option!(TCP_WINDOW_CLAMP, tcp_window_clamp, set_tcp_window_clamp);
    ipv6_option!(IPV6_TCLASS, tclass_v6, set_tclass_v6);
    ip_option!(IP_TOS, tos_v4, set_tos_v4);

    /// The former name of [`TcpSocket::tos_v4`].
    #[deprecated = "renamed `tos_v4`"]
    #[doc(hidden)]
    pub fn tos(&self) -> io::Result<u32> {
        self.tos_v4()
    }

    /// The former name of [`TcpSocket::set_tos_v4`].
    #[deprecated = "renamed `set_tos_v4`"]
    #[doc(hidden)]
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        self.set_tos_v4(tos)
    }

    socket_option!(SO_BINDTODEVICE, device, bind_device);

    /// Gives the socket an address and a port; port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse);
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for an address of another host;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when it is bound already, and for an IPv4
    /// address when it is of IPv6; `EAFNOSUPPORT`, which has no kind, for an IPv6 address when it is
    /// of IPv4.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.0.bind(addr)
    }

    /// The address it is bound to; the unspecified address and port 0 when it is not.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.local_addr())
    }

    /// `SO_ERROR`: always none, because nothing has happened to the socket yet.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.take_error())
    }

    /// Listens. As on Linux, `backlog` + 1 connections, at most 4097, may complete before one is
    /// accepted; the SYNs of others are dropped, and sent again by their senders. An unbound socket
    /// takes an ephemeral port.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when another socket listens there.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        TcpListener::listen(self.0, backlog)
    }

    /// Connects to `addr`. See [`TcpStream::connect`]. Dropping the future abandons the attempt.
    ///
    /// # Errors
    /// Those of [`TcpStream::connect`], and those that [`TcpSocket::bind`] names for an address of
    /// the other family.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        let attempt = self.0.into_attempt(addr)?;
        Ok(TcpStream::new(attempt.established().await?))
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TcpSocket").field("bound", &self.0.bound()).finish()
    }
}
