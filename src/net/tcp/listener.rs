//! A listening socket as tokio's `TcpListener` has it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::borrowed::TcpRef;
use super::endpoint::Endpoint;
use super::stream::TcpStream;
use crate::net::addr::{ToSocketAddrs, resolve};
use crate::net::options::{Target, ip_option};

/// A TCP socket that listens, with the methods of `tokio::net::TcpListener`.
///
/// Dropping it resets the connections that were not accepted.
///
/// # Errors
/// Options, too, fail with [`InvalidInput`](io::ErrorKind::InvalidInput) when the host has crashed.
/// Other methods have the errors that they name, and no others.
pub struct TcpListener(Endpoint);

/// What tokio's `bind` takes.
const BACKLOG: u32 = 1024;

impl TcpListener {
    /// Listens on `addr` of the calling task's host, with a backlog of 1024. Port 0 takes an
    /// ephemeral port (32768 to 60999). Use [`TcpSocket`](super::TcpSocket) for another backlog.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when another socket listens there,
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for an address of another host, and
    /// what [`ToSocketAddrs`] says.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        resolve(&addr).await?.try_each(|address| {
            let endpoint = Endpoint::new(address.is_ipv6())?;
            // As tokio, and std on Unix, do.
            endpoint.change_options(|options| {
                options.reuse_address = true;
                Ok(())
            })?;
            endpoint.bind(address)?;
            TcpListener::listen(endpoint, BACKLOG)
        })
    }

    pub(super) fn listen(endpoint: Endpoint, backlog: u32) -> io::Result<TcpListener> {
        endpoint.listen(backlog)?;
        Ok(TcpListener(endpoint))
    }

    pub(super) fn inner(&self) -> TcpRef<'_> {
        TcpRef::Endpoint(&self.0)
    }

    fn target(&self) -> Target<'_> {
        Target::Tcp(self.inner())
    }

    /// Waits for a connection, and returns it with the peer's address. Dropping the future loses
    /// no connection.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when the host has crashed, and after
    /// [`SockRef::shutdown`](super::SockRef::shutdown).
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for a connection.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.0.poll_accept(Some(cx.waker())).map_ok(|connection| {
            let peer = connection.peer();
            (TcpStream::new(connection), peer)
        })
    }

    ip_option!(IP_TTL, ttl, set_ttl);

    /// The address it listens on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.local_addr())
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TcpListener").field("addr", &self.0.local_addr()).finish()
    }
}
