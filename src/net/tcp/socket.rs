//! A TCP socket before it listens or connects.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::connecting::Connecting;
use super::listener::TcpListener;
use super::stream::TcpStream;
use crate::error::Errno;
use crate::host::{BindingId, TcpOptions};
use crate::net::host_handle::HostHandle;
use crate::net::{NoteFailure, attachment};

/// A TCP socket that is neither listening nor connected, with the methods of
/// `tokio::net::TcpSocket`: the tutorial's `socket`, `bind`, `listen` and `connect` one by one.
///
/// Its options hold for the connection it makes, or for those that its listener accepts.
pub struct TcpSocket {
    host: Arc<HostHandle>,
    is_v6: bool,
    settings: Mutex<Settings>,
}

#[derive(Clone, Copy)]
struct Settings {
    options: TcpOptions,
    bound: Option<(BindingId, SocketAddr)>,
}

impl TcpSocket {
    /// A socket of the IPv4 family on the calling task's host.
    ///
    /// # Errors
    /// When the caller is not a task of a host.
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new(false)
    }

    /// A socket of the IPv6 family on the calling task's host.
    ///
    /// # Errors
    /// When the caller is not a task of a host.
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new(true)
    }

    fn new(is_v6: bool) -> io::Result<TcpSocket> {
        let host = attachment()?.host.clone();
        let options = host.look(|host| host.new_tcp_options());
        let settings = Mutex::new(Settings { options, bound: None });
        Ok(TcpSocket { host, is_v6, settings })
    }

    /// `SO_KEEPALIVE`: the peer of a connection that is silent for two hours is asked whether it
    /// is still there, every 75 seconds; after nine questions without an answer the connection
    /// fails with [`TimedOut`](io::ErrorKind::TimedOut) (RFC 9293 3.8.4).
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.settings().options.keep_alive = keepalive;
        Ok(())
    }

    /// Whether `SO_KEEPALIVE` is set.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn keepalive(&self) -> io::Result<bool> {
        Ok(self.settings().options.keep_alive)
    }

    /// `SO_REUSEADDR`: allows binding to a port with connections that are closing.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        self.change(|options| {
            options.reuse_address = reuseaddr;
            Ok(())
        })
    }

    /// Whether `SO_REUSEADDR` is set.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        Ok(self.settings().options.reuse_address)
    }

    /// `SO_REUSEPORT`: allows several sockets that all have it to listen on one address and port.
    /// Each connection goes to one of them, chosen by the client's address and port.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_reuseport(&self, reuseport: bool) -> io::Result<()> {
        self.change(|options| {
            options.reuse_port = reuseport;
            Ok(())
        })
    }

    /// Whether `SO_REUSEPORT` is set.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn reuseport(&self) -> io::Result<bool> {
        Ok(self.settings().options.reuse_port)
    }

    /// `SO_SNDBUF`: how many octets a connection keeps until they are acknowledged, 1 to 2^30.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for any other size.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.settings().options.set_send_buffer(size)
    }

    /// The size of the send buffer: exactly what was set, or the host's default.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        Ok(self.settings().options.send_buffer())
    }

    /// `SO_RCVBUF`: how many octets wait to be read, and so the largest window that is
    /// advertised, 1 to 2^30. More than 65535 needs window scaling, which the SYN then offers.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for any other size.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.settings().options.set_recv_buffer(size)
    }

    /// The size of the receive buffer: exactly what was set, or the host's default.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        Ok(self.settings().options.recv_buffer())
    }

    /// `SO_LINGER`. See [`TcpStream::set_linger`].
    ///
    /// # Errors
    /// None; the signature is tokio's.
    #[deprecated = "a drop cannot wait; `set_zero_linger` resets"]
    pub fn set_linger(&self, dur: Option<Duration>) -> io::Result<()> {
        self.settings().options.set_linger(dur);
        Ok(())
    }

    /// `SO_LINGER` of no time: dropping the connection resets it.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.settings().options.set_linger(Some(Duration::ZERO));
        Ok(())
    }

    /// `SO_LINGER`, in whole seconds.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.settings().options.linger())
    }

    /// `TCP_NODELAY` for the connection to come: switches Nagle's algorithm off.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.settings().options.nodelay = nodelay;
        Ok(())
    }

    /// Whether `TCP_NODELAY` is set.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.settings().options.nodelay)
    }

    /// `IPV6_TCLASS`: the traffic class in the IPv6 packets of the connection.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a socket of the IPv4 family.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        if !self.is_v6 {
            return Err(Errno::OperationNotSupported.into());
        }
        Ok(self.settings().options.traffic_class().into())
    }

    /// Sets [`TcpSocket::tclass_v6`]. Its two lowest bits are TCP's own (RFC 3168) and left out.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for what is above 255, and ENOPROTOOPT,
    /// uncategorised, for a socket of the IPv4 family.
    pub fn set_tclass_v6(&self, tclass: u32) -> io::Result<()> {
        if !self.is_v6 {
            return Err(Errno::NoProtocolOption.into());
        }
        self.settings().options.set_traffic_class(tclass)
    }

    /// `IP_TOS`: the type of service in the IPv4 packets of the connection.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn tos_v4(&self) -> io::Result<u32> {
        Ok(self.settings().options.tos().into())
    }

    /// Sets [`TcpSocket::tos_v4`]. As on Linux the lowest eight bits count, but for the lowest
    /// two, which are TCP's own (RFC 3168).
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.settings().options.set_tos(tos);
        Ok(())
    }

    /// As [`TcpSocket::tos_v4`].
    ///
    /// # Errors
    /// None; the signature is tokio's.
    #[deprecated = "renamed `tos_v4`"]
    #[doc(hidden)]
    pub fn tos(&self) -> io::Result<u32> {
        self.tos_v4()
    }

    /// As [`TcpSocket::set_tos_v4`].
    ///
    /// # Errors
    /// None; the signature is tokio's.
    #[deprecated = "renamed `set_tos_v4`"]
    #[doc(hidden)]
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        self.set_tos_v4(tos)
    }

    /// `SO_BINDTODEVICE`: the interface the socket is bound to, which is none.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// `SO_BINDTODEVICE`: takes a binding to an interface back.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a name: the interfaces of a host have
    /// none.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        match interface {
            None | Some([]) => Ok(()),
            Some(_) => Err(Errno::OperationNotSupported.into()),
        }
    }

    /// Gives the socket an address and a port; port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse),
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for an address of another host,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when it is bound already or when an IPv6
    /// socket is given an IPv4 address, and EAFNOSUPPORT, uncategorised, the other way round.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.bind_to(addr).note_failure(|| format!("bind to {addr}"))
    }

    fn bind_to(&self, addr: SocketAddr) -> io::Result<()> {
        self.check_family(addr)?;
        let mut settings = self.settings();
        if settings.bound.is_some() {
            return Err(Errno::Invalid.into());
        }
        let reuse = settings.options.reuse();
        settings.bound = Some(self.host.call(|host, now| host.bind(now, addr, reuse))?);
        Ok(())
    }

    /// The address it is bound to; the unspecified address and port 0 when it is not.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let unbound = if self.is_v6 {
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
        } else {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
        };
        Ok(self.settings().bound.map_or(unbound, |(_, local)| local))
    }

    /// `SO_ERROR`: none, because nothing has happened to the socket yet.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    /// Listens. As on Linux, `backlog` + 1 connections may complete before one is accepted; the
    /// SYNs of others are dropped, and tried again by their senders. An unbound socket takes an
    /// ephemeral port.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when another socket listens there.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        if self.settings().bound.is_none() {
            self.bind(self.local_addr()?)?;
        }
        let Settings { options, bound: Some((binding, local)) } = *self.settings() else {
            return Err(Errno::Invalid.into());
        };
        let backlog = backlog as usize;
        let id = self.host.call(|host, _| host.listen(local, binding, backlog, options));
        let id = id.note_failure(|| format!("listen on {local}"))?;
        // The listener holds the binding from here on.
        self.settings().bound = None;
        Ok(TcpListener::new(self.host.clone(), id, local))
    }

    /// Connects to `addr`. See [`TcpStream::connect`]. Dropping the future gives the attempt up.
    ///
    /// # Errors
    /// Those of [`TcpStream::connect`], and those of the family that [`TcpSocket::bind`] names.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        self.check_family(addr).note_failure(|| format!("connect to {addr}"))?;
        let Settings { bound, options } = *self.settings();
        let bound = bound.map(|(_, local)| local);
        Connecting::begin(&self.host, bound, addr, options)?.finish().await
    }

    pub(super) fn options(&self) -> TcpOptions {
        self.settings().options
    }

    /// Changes options: as `change` says, or nothing when it fails.
    pub(super) fn change(
        &self,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut settings = self.settings();
        let mut options = settings.options;
        change(&mut options)?;
        settings.options = options;
        if let Some((binding, local)) = settings.bound {
            let reuse = options.reuse();
            self.host.call(|host, _| host.set_binding_reuse(local.port(), binding, reuse));
        }
        Ok(())
    }

    /// What Linux finds wrong with an address of the other family.
    fn check_family(&self, addr: SocketAddr) -> io::Result<()> {
        match (self.is_v6, addr) {
            (false, SocketAddr::V6(_)) => Err(Errno::AddressFamilyNotSupported.into()),
            (true, SocketAddr::V4(_)) => Err(Errno::Invalid.into()),
            _ => Ok(()),
        }
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        if let Some((binding, local)) = self.settings().bound {
            self.host.call(|host, _| host.unbind(local.port(), binding));
        }
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = self.settings().bound.map(|(_, local)| local);
        formatter.debug_struct("TcpSocket").field("bound", &bound).finish()
    }
}
