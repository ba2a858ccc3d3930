//! The options of a socket that tokio's types have no methods for.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use super::keepalive::TcpKeepalive;
use super::listener::TcpListener;
use super::socket::TcpSocket;
use super::stream::TcpStream;
use crate::error::Errno;
use crate::host::{CongestionControl, TcpOptions};

/// All the options of a TCP socket, under the names that `socket2::SockRef` has for them.
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
/// Beside what its methods name, every one of them fails with
/// [`NotConnected`](io::ErrorKind::NotConnected), or
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for a listener, when the host has crashed.
#[derive(Clone, Copy, Debug)]
pub struct SockRef<'s>(Borrowed<'s>);

#[derive(Clone, Copy, Debug)]
enum Borrowed<'s> {
    Socket(&'s TcpSocket),
    Listener(&'s TcpListener),
    Stream(&'s TcpStream),
}

impl<'s> From<&'s TcpSocket> for SockRef<'s> {
    fn from(socket: &'s TcpSocket) -> SockRef<'s> {
        SockRef(Borrowed::Socket(socket))
    }
}

impl<'s> From<&'s TcpListener> for SockRef<'s> {
    fn from(listener: &'s TcpListener) -> SockRef<'s> {
        SockRef(Borrowed::Listener(listener))
    }
}

impl<'s> From<&'s TcpStream> for SockRef<'s> {
    fn from(stream: &'s TcpStream) -> SockRef<'s> {
        SockRef(Borrowed::Stream(stream))
    }
}

impl SockRef<'_> {
    fn options(&self) -> io::Result<TcpOptions> {
        match self.0 {
            Borrowed::Socket(socket) => Ok(socket.options()),
            Borrowed::Listener(listener) => listener.options(),
            Borrowed::Stream(stream) => stream.options(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut TcpOptions) -> io::Result<()>) -> io::Result<()> {
        match self.0 {
            Borrowed::Socket(socket) => socket.change(change),
            Borrowed::Listener(listener) => listener.change(change),
            Borrowed::Stream(stream) => stream.change(change),
        }
    }

    fn set(&self, set: impl FnOnce(&mut TcpOptions)) -> io::Result<()> {
        self.change(|options| {
            set(options);
            Ok(())
        })
    }

    /// The socket's own address.
    ///
    /// # Errors
    /// Those of the borrowed socket's method.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self.0 {
            Borrowed::Socket(socket) => socket.local_addr(),
            Borrowed::Listener(listener) => listener.local_addr(),
            Borrowed::Stream(stream) => stream.local_addr(),
        }
    }

    /// The peer's address.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when there is no connection, or none any
    /// more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self.0 {
            Borrowed::Stream(stream) => stream.peer_addr(),
            _ => Err(Errno::NotConnected.into()),
        }
    }

    /// `SO_ERROR`: takes the error that the next call would return.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self.0 {
            Borrowed::Stream(stream) => stream.take_error(),
            _ => Ok(None),
        }
    }

    /// `shutdown(2)` of a connection. [`Shutdown::Write`]: the peer reads the end of the stream
    /// after what was written. [`Shutdown::Read`]: reads give 0 instead of waiting; data that
    /// still arrives is read all the same, as on Linux.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when there is no connection, or none any
    /// more; [`Unsupported`](io::ErrorKind::Unsupported) for a listener, which is dropped instead.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self.0 {
            Borrowed::Stream(stream) => stream.shut_down(how),
            Borrowed::Listener(_) => Err(Errno::OperationNotSupported.into()),
            Borrowed::Socket(_) => Err(Errno::NotConnected.into()),
        }
    }

    /// `SO_KEEPALIVE`: a silent peer is asked whether it is still there (RFC 9293 3.8.4).
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn keepalive(&self) -> io::Result<bool> {
        Ok(self.options()?.keep_alive)
    }

    /// Sets [`SockRef::keepalive`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.set(|options| options.keep_alive = keepalive)
    }

    /// Switches keep-alive on, with those of its parameters that `params` has.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a time or an interval that is not within
    /// 1 to 32767 whole seconds, and for retries that are not within 1 to 127. Nothing changes
    /// then.
    pub fn set_tcp_keepalive(&self, params: &TcpKeepalive) -> io::Result<()> {
        self.change(|options| params.apply(options))
    }

    /// `TCP_KEEPIDLE`: how long the peer is silent before it is asked. Default two hours.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn tcp_keepalive_time(&self) -> io::Result<Duration> {
        Ok(self.options()?.keep_alive_time())
    }

    /// `TCP_KEEPINTVL`: how long after one question the next follows. Default 75 seconds.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn tcp_keepalive_interval(&self) -> io::Result<Duration> {
        Ok(self.options()?.keep_alive_interval())
    }

    /// `TCP_KEEPCNT`: after how many unanswered questions the connection fails with
    /// [`TimedOut`](io::ErrorKind::TimedOut). Default 9.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn tcp_keepalive_retries(&self) -> io::Result<u32> {
        Ok(self.options()?.keep_alive_retries())
    }

    /// `TCP_USER_TIMEOUT`: how long what was sent, a SYN included, may be unacknowledged, and what
    /// was written may wait for a window, before the connection fails with
    /// [`TimedOut`](io::ErrorKind::TimedOut). It counts from the peer's last acknowledgment, and
    /// takes the place of the host's `retries`. Default: none.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn tcp_user_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.options()?.user_timeout())
    }

    /// Sets [`SockRef::tcp_user_timeout`], in whole milliseconds; less than one is none.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for more than 2^31 - 1 milliseconds.
    pub fn set_tcp_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.change(|options| options.set_user_timeout(timeout))
    }

    /// `TCP_NODELAY`: whether Nagle's algorithm is off.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn tcp_nodelay(&self) -> io::Result<bool> {
        Ok(self.options()?.nodelay)
    }

    /// Sets [`SockRef::tcp_nodelay`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn set_tcp_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set(|options| options.nodelay = nodelay)
    }

    /// `TCP_QUICKACK`: whether acknowledgments leave at once.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn tcp_quickack(&self) -> io::Result<bool> {
        Ok(self.options()?.ack_delay_in_force().is_none())
    }

    /// Sets [`SockRef::tcp_quickack`]. See [`TcpStream::set_quickack`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn set_tcp_quickack(&self, quickack: bool) -> io::Result<()> {
        self.set(|options| options.quickack = quickack)
    }

    /// How long an acknowledgment may wait; `None` is not at all. Default: what the host's
    /// options say. (No option of Linux's.)
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn ack_delay(&self) -> io::Result<Option<Duration>> {
        Ok(self.options()?.ack_delay)
    }

    /// Sets [`SockRef::ack_delay`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn set_ack_delay(&self, delay: Option<Duration>) -> io::Result<()> {
        self.set(|options| options.ack_delay = delay)
    }

    /// `TCP_CONGESTION`: the socket's congestion control. Default: what the host's options say.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn congestion_control(&self) -> io::Result<CongestionControl> {
        Ok(self.options()?.congestion_control)
    }

    /// Sets [`SockRef::congestion_control`]. A connection begins anew with the initial window of
    /// the algorithm.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn set_congestion_control(&self, control: CongestionControl) -> io::Result<()> {
        self.set(|options| options.congestion_control = control)
    }

    /// `SO_LINGER`. See [`TcpStream::set_linger`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.options()?.linger())
    }

    /// Sets [`SockRef::linger`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.set(|options| options.set_linger(linger))
    }

    /// `SO_REUSEADDR`. See [`TcpSocket::set_reuseaddr`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn reuse_address(&self) -> io::Result<bool> {
        Ok(self.options()?.reuse_address)
    }

    /// Sets [`SockRef::reuse_address`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn set_reuse_address(&self, reuse: bool) -> io::Result<()> {
        self.set(|options| options.reuse_address = reuse)
    }

    /// `SO_REUSEPORT`. See [`TcpSocket::set_reuseport`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn reuse_port(&self) -> io::Result<bool> {
        Ok(self.options()?.reuse_port)
    }

    /// Sets [`SockRef::reuse_port`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn set_reuse_port(&self, reuse: bool) -> io::Result<()> {
        self.set(|options| options.reuse_port = reuse)
    }

    /// `SO_RCVBUF`: the receive buffer in force.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        Ok(self.options()?.recv_buffer() as usize)
    }

    /// Sets [`SockRef::recv_buffer_size`]. See [`TcpSocket::set_recv_buffer_size`].
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for what is not within 1 to 2^30, and
    /// [`Unsupported`](io::ErrorKind::Unsupported) for another size than it has when the
    /// connection has begun.
    pub fn set_recv_buffer_size(&self, size: usize) -> io::Result<()> {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.change(|options| options.set_recv_buffer(size))
    }

    /// `SO_SNDBUF`: the send buffer in force.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        Ok(self.options()?.send_buffer() as usize)
    }

    /// Sets [`SockRef::send_buffer_size`]. See [`TcpSocket::set_send_buffer_size`].
    ///
    /// # Errors
    /// Those of [`SockRef::set_recv_buffer_size`].
    pub fn set_send_buffer_size(&self, size: usize) -> io::Result<()> {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.change(|options| options.set_send_buffer(size))
    }

    /// `IP_TTL`: the time to live in IPv4 packets. Default 64.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn ttl_v4(&self) -> io::Result<u32> {
        Ok(self.options()?.ttl().into())
    }

    /// Sets [`SockRef::ttl_v4`].
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for what is not within 1 to 255.
    pub fn set_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.change(|options| options.set_ttl(ttl))
    }

    /// `IP_TOS`: the type of service in IPv4 packets. Default 0.
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn tos_v4(&self) -> io::Result<u32> {
        Ok(self.options()?.tos().into())
    }

    /// Sets [`SockRef::tos_v4`]. See [`TcpSocket::set_tos_v4`].
    ///
    /// # Errors
    /// None, but those of a crashed host.
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.set(|options| options.set_tos(tos))
    }

    /// `IPV6_UNICAST_HOPS`: the hop limit in IPv6 packets. Default 64.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket of the IPv4 family.
    pub fn unicast_hops_v6(&self) -> io::Result<u32> {
        self.must_be_v6(Errno::OperationNotSupported)?;
        Ok(self.options()?.hop_limit().into())
    }

    /// Sets [`SockRef::unicast_hops_v6`].
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) above 255 (0 is allowed, as on Linux), and
    /// ENOPROTOOPT, uncategorised, for a socket of the IPv4 family.
    pub fn set_unicast_hops_v6(&self, hops: u32) -> io::Result<()> {
        self.must_be_v6(Errno::NoProtocolOption)?;
        self.change(|options| options.set_hop_limit(hops))
    }

    /// `IPV6_TCLASS`: the traffic class in IPv6 packets. Default 0.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket of the IPv4 family.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        self.must_be_v6(Errno::OperationNotSupported)?;
        Ok(self.options()?.traffic_class().into())
    }

    /// Sets [`SockRef::tclass_v6`]. See [`TcpSocket::set_tclass_v6`].
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for what is above 255, and ENOPROTOOPT,
    /// uncategorised, for a socket of the IPv4 family.
    pub fn set_tclass_v6(&self, class: u32) -> io::Result<()> {
        self.must_be_v6(Errno::NoProtocolOption)?;
        self.change(|options| options.set_traffic_class(class))
    }

    fn must_be_v6(&self, otherwise: Errno) -> io::Result<()> {
        if self.local_addr()?.is_ipv6() { Ok(()) } else { Err(otherwise.into()) }
    }
}
