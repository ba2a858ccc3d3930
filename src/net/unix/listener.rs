//! A socket that accepts connections.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::task::{Context, Poll};

use super::addr::SocketAddr;
use super::local::LocalSocket;
use super::stream::UnixStream;
use crate::host::UnixKind;

/// A Unix domain socket that listens, with the methods of `tokio::net::UnixListener`, of which
/// `from_std`, `into_std` and the descriptor are left out.
///
/// Dropping it resets the connections that nobody accepted. Its path stays bound, to nobody:
/// [`remove_file`](super::remove_file) removes it.
pub struct UnixListener(LocalSocket);

/// What tokio's `bind` asks for on Linux: as much as the system allows.
const BACKLOG: u32 = 4096;

impl UnixListener {
    /// Listens on a path of the calling task's host, with a backlog of 4,096. Use
    /// [`UnixSocket`](super::UnixSocket) for another one.
    ///
    /// A path that begins with a NUL byte is an abstract name; the empty one takes an abstract
    /// name of five hexadecimal digits.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when a socket is, or was, bound to the path;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a path of 108 bytes or more;
    /// `EMFILE` and `ENOSPC` at the [limits](super#limits); and when the caller is not a task of
    /// a host.
    pub fn bind<P>(path: P) -> io::Result<UnixListener>
    where
        P: AsRef<Path>,
    {
        UnixListener::bind_addr(&SocketAddr::from_path_or_abstract(path.as_ref())?)
    }

    /// Listens on an address. See [`UnixListener::bind`].
    ///
    /// # Errors
    /// Those of [`UnixListener::bind`].
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<UnixListener> {
        let socket = LocalSocket::new(UnixKind::Stream)?;
        socket.bind(socket_addr)?;
        UnixListener::listen(socket, BACKLOG)
    }

    pub(super) fn listen(socket: LocalSocket, backlog: u32) -> io::Result<UnixListener> {
        socket.listen(backlog)?;
        Ok(UnixListener(socket))
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.local_addr())
    }

    /// `SO_ERROR`, which a listener of this family never has.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.take_error())
    }

    /// Waits for a connection, and returns it with the peer's address, which is unnamed unless
    /// the peer was bound. Dropping the future loses no connection.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when the host has crashed.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for a connection.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        self.0.poll_accept(Some(cx.waker())).map_ok(|socket| {
            let peer = socket.peer_addr().unwrap_or(SocketAddr(None));
            (UnixStream::new(socket), peer)
        })
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug("UnixListener", formatter)
    }
}
