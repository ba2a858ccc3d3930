//! A Unix domain socket before it listens, connects or receives.

use std::fmt;
use std::io;
use std::path::Path;

use super::addr::SocketAddr;
use super::datagram::UnixDatagram;
use super::listener::UnixListener;
use super::local::LocalSocket;
use super::stream::UnixStream;
use crate::host::UnixKind;

/// A Unix domain socket that is not yet a [`UnixListener`], [`UnixStream`] or [`UnixDatagram`],
/// with the methods of `tokio::net::UnixSocket`, of which those of the descriptor are left out.
///
/// A path that begins with a NUL byte is an abstract name.
pub struct UnixSocket {
    socket: LocalSocket,
    kind: UnixKind,
}

impl UnixSocket {
    /// A datagram socket on the calling task's host.
    ///
    /// # Errors
    /// `EMFILE` when the host has too many sockets, and when the caller is not a task of a host.
    pub fn new_datagram() -> io::Result<UnixSocket> {
        UnixSocket::new(UnixKind::Datagram)
    }

    /// A stream socket on the calling task's host.
    ///
    /// # Errors
    /// Those of [`UnixSocket::new_datagram`].
    pub fn new_stream() -> io::Result<UnixSocket> {
        UnixSocket::new(UnixKind::Stream)
    }

    fn new(kind: UnixKind) -> io::Result<UnixSocket> {
        Ok(UnixSocket { socket: LocalSocket::new(kind)?, kind })
    }

    /// Gives the socket a name; the empty path takes an abstract one that is free.
    ///
    /// # Errors
    /// Those of [`UnixListener::bind`], and [`InvalidInput`](io::ErrorKind::InvalidInput) when
    /// the socket has a name already.
    pub fn bind(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.socket.bind(&SocketAddr::from_path_or_abstract(path.as_ref())?)
    }

    /// Listens. As on Linux, `backlog` + 1 connections may wait to be accepted, at most 4,097;
    /// connecting to a listener with more fails.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when the socket has no name, and an
    /// uncategorised one for a datagram socket.
    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        self.must_be(UnixKind::Stream, "listen cannot be called on a datagram socket")?;
        UnixListener::listen(self.socket, backlog)
    }

    /// Connects to a listener. See [`UnixStream::connect`].
    ///
    /// # Errors
    /// Those of [`UnixStream::connect`], and an uncategorised one for a datagram socket.
    pub async fn connect(self, path: impl AsRef<Path>) -> io::Result<UnixStream> {
        self.must_be(UnixKind::Stream, "connect cannot be called on a datagram socket")?;
        let address = SocketAddr::from_path_or_abstract(path.as_ref())?;
        UnixStream::connect_with(self.socket, &address)
    }

    /// Makes it a datagram socket that can send and receive.
    ///
    /// # Errors
    /// An uncategorised one for a stream socket.
    pub fn datagram(self) -> io::Result<UnixDatagram> {
        self.must_be(UnixKind::Datagram, "datagram cannot be called on a stream socket")?;
        Ok(UnixDatagram::new(self.socket))
    }

    fn must_be(&self, kind: UnixKind, why_not: &'static str) -> io::Result<()> {
        if self.kind == kind { Ok(()) } else { Err(io::Error::other(why_not)) }
    }
}

impl fmt::Debug for UnixSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.debug("UnixSocket", formatter)
    }
}
