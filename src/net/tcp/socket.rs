//! A TCP socket before it listens or connects.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::listener::TcpListener;
use super::stream::{Connecting, TcpStream};
use crate::error::Errno;
use crate::host::{BindingId, HostHandle};
use crate::net::attachment;

/// A TCP socket that is neither listening nor connected, with the methods of
/// `tokio::net::TcpSocket`: the tutorial's `socket`, `bind`, `listen` and `connect` one by one.
pub struct TcpSocket {
    host: Arc<HostHandle>,
    settings: Mutex<Settings>,
}

#[derive(Clone, Copy, Default)]
struct Settings {
    reuse_address: bool,
    nodelay: bool,
    bound: Option<(BindingId, SocketAddr)>,
}

impl TcpSocket {
    /// A socket of the IPv4 family on the calling task's host.
    ///
    /// # Errors
    /// When the caller is not a task of a host.
    pub fn new_v4() -> io::Result<TcpSocket> {
        Ok(TcpSocket::on(attachment()?.host.clone()))
    }

    pub(super) fn on(host: Arc<HostHandle>) -> TcpSocket {
        TcpSocket { host, settings: Mutex::default() }
    }

    /// `SO_REUSEADDR`: allows binding to a port with connections that are closing.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        self.settings().reuse_address = reuseaddr;
        Ok(())
    }

    /// Whether `SO_REUSEADDR` is set.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        Ok(self.settings().reuse_address)
    }

    /// `TCP_NODELAY` for the connection to come: switches Nagle's algorithm off.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.settings().nodelay = nodelay;
        Ok(())
    }

    /// Whether `TCP_NODELAY` is set.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.settings().nodelay)
    }

    /// Gives the socket an address and a port; port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse),
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for an address of another host, and
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when it is bound already.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        let mut settings = self.settings();
        if settings.bound.is_some() {
            return Err(Errno::Invalid.into());
        }
        let bound = self.host.call(|host, now| host.bind(now, addr, settings.reuse_address))?;
        settings.bound = Some(bound);
        Ok(())
    }

    /// The address it is bound to; `0.0.0.0:0` when it is not.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let unbound = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Ok(self.settings().bound.map_or(unbound, |(_, local)| local))
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
        let Some((binding, local)) = self.settings().bound else {
            return Err(Errno::Invalid.into());
        };
        let id = self.host.call(|host, _| host.listen(local, binding, backlog as usize))?;
        // The listener holds the binding from here on.
        self.settings().bound = None;
        Ok(TcpListener::new(self.host.clone(), id, local))
    }

    /// Connects to `addr`. See [`TcpStream::connect`].
    ///
    /// # Errors
    /// Those of [`TcpStream::connect`].
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        let Settings { bound, nodelay, .. } = *self.settings();
        let connecting = Connecting::begin(&self.host, bound.map(|(_, local)| local), addr)?;
        let stream = poll_fn(|cx| connecting.poll(cx)).await.map(|()| connecting.into_stream())?;
        if nodelay {
            stream.set_nodelay(true)?;
        }
        Ok(stream)
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
