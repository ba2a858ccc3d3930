//! A datagram socket.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::path::Path;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{Interest, ReadBuf, Ready};

use super::addr::SocketAddr;
use super::local::LocalSocket;
use crate::host::UnixKind;
use crate::net::ready::{io_when_ready, or_would_block, poll_ready, until_ready};

/// A Unix domain datagram socket, with the methods of `tokio::net::UnixDatagram`, of which
/// `from_std`, `into_std` and the descriptor are left out.
///
/// A datagram arrives whole, once and in order, or sending it fails. Sending waits while there is no
/// room: in the queue of the receiver, which takes 11 datagrams of sockets that are not its peer, or
/// in this socket's send buffer, until what it has sent is received (see [the
/// limits](super#limits)).
///
/// Dropping it loses what it has not received. Its path stays bound, to nobody:
/// [`remove_file`](super::remove_file) removes it. On a host that has crashed receiving fails
/// with [`ConnectionReset`](io::ErrorKind::ConnectionReset) and sending with
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
pub struct UnixDatagram(LocalSocket);

impl UnixDatagram {
    /// A socket bound to a path of the calling task's host. The empty path takes an abstract name
    /// of five hexadecimal digits; use [`UnixSocket`](super::UnixSocket) for another one.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when a socket is, or was, bound to the path;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a path of 108 bytes or more, or with a
    /// NUL byte; `EMFILE` and `ENOSPC` at the [limits](super#limits); and when the caller is not
    /// a task of a host.
    pub fn bind<P>(path: P) -> io::Result<UnixDatagram>
    where
        P: AsRef<Path>,
    {
        let address = SocketAddr::from_pathname(path)?;
        let socket = LocalSocket::new(UnixKind::Datagram)?;
        socket.bind(&address)?;
        Ok(UnixDatagram(socket))
    }

    pub(super) fn new(socket: LocalSocket) -> UnixDatagram {
        UnixDatagram(socket)
    }

    /// Two sockets without names that are connected to each other.
    ///
    /// # Errors
    /// `EMFILE` when the host has too many sockets, and when the caller is not a task of a host.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (first, second) = LocalSocket::pair(UnixKind::Datagram)?;
        Ok((UnixDatagram(first), UnixDatagram(second)))
    }

    /// A socket without a name.
    ///
    /// # Errors
    /// Those of [`UnixDatagram::pair`].
    pub fn unbound() -> io::Result<UnixDatagram> {
        Ok(UnixDatagram(LocalSocket::new(UnixKind::Datagram)?))
    }

    /// Makes the socket at `path` the peer: [`send`](UnixDatagram::send) sends to it, and no other
    /// socket can send to this one any more. A socket that has a peer gets another one; what it
    /// has not received then is lost, which the former peer learns from a
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset).
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) when there is no such path;
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) when its socket is closed;
    /// `EPROTOTYPE` when it is a stream's;
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) when it has another peer;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for an empty path, one of 108 bytes or
    /// more, and one with a NUL byte.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.0.connect(&SocketAddr::from_pathname(path)?)
    }

    /// Waits until something of `interest` is ready, and returns what. A call that would fail at
    /// once is ready, too.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        until_ready(&self.0, interest).await
    }

    /// Waits until there is room to send: three quarters of the send buffer, as on Linux, and a
    /// place in the queue of the peer if there is one.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for [`UnixDatagram::writable`].
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.0, Interest::WRITABLE, cx).map(|_| Ok(()))
    }

    /// Waits until receiving would not wait.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Polls for [`UnixDatagram::readable`].
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.0, Interest::READABLE, cx).map(|_| Ok(()))
    }

    /// Sends a datagram to the peer. Dropping the future before it is ready sends nothing.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) without a peer;
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) when the peer is gone, once: there
    /// is none after that; [`BrokenPipe`](io::ErrorKind::BrokenPipe) when either side is shut
    /// down; [`PermissionDenied`](io::ErrorKind::PermissionDenied) when the peer has got another
    /// peer; [`ConnectionReset`](io::ErrorKind::ConnectionReset), once, when it lost something in
    /// doing so; `EMSGSIZE` for more than 212,960 bytes.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(cx, buf)).await
    }

    /// Sends a datagram to the peer if there is room.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and those of
    /// [`UnixDatagram::send`].
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        or_would_block(self.0.poll_send(buf, None, None))
    }

    /// Polls for [`UnixDatagram::send`].
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(buf, None, Some(cx.waker()))
    }

    /// Sends a datagram to the socket at `target`, which need not be the peer. Dropping the
    /// future before it is ready sends nothing. Unlike tokio's, it is woken when the target's
    /// queue has room again.
    ///
    /// # Errors
    /// Those of [`UnixDatagram::connect`] for the path, and those of [`UnixDatagram::send`] but
    /// the first.
    pub async fn send_to<P>(&self, buf: &[u8], target: P) -> io::Result<usize>
    where
        P: AsRef<Path>,
    {
        poll_fn(|cx| self.poll_send_to(cx, buf, target.as_ref())).await
    }

    /// Sends a datagram to the socket at `target` if there is room.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and those of
    /// [`UnixDatagram::send_to`].
    pub fn try_send_to<P>(&self, buf: &[u8], target: P) -> io::Result<usize>
    where
        P: AsRef<Path>,
    {
        let target = SocketAddr::from_pathname(target)?;
        or_would_block(self.0.poll_send(buf, Some(&target), None))
    }

    /// Polls for [`UnixDatagram::send_to`].
    pub fn poll_send_to<P>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: P,
    ) -> Poll<io::Result<usize>>
    where
        P: AsRef<Path>,
    {
        let target = SocketAddr::from_pathname(target)?;
        self.0.poll_send(buf, Some(&target), Some(cx.waker()))
    }

    /// Receives a datagram. What does not fit is lost. 0 is an empty datagram, or says that
    /// receiving is shut down. Dropping the future before it is ready loses nothing.
    ///
    /// # Errors
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset), once, when the peer got another peer
    /// and lost something in doing so.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv_from(buf).await?.0)
    }

    /// Receives a datagram if there is one.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and those of
    /// [`UnixDatagram::recv`].
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.try_recv_from(buf)?.0)
    }

    /// Polls for [`UnixDatagram::recv`].
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv_from(cx, buf).map_ok(drop)
    }

    /// Receives a datagram, and returns its sender: an unnamed address if the sender was not bound.
    ///
    /// # Errors
    /// Those of [`UnixDatagram::recv`].
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.0.poll_recv_slice(buf, Some(cx.waker()))).await
    }

    /// Receives a datagram if there is one, and returns its sender.
    ///
    /// # Errors
    /// Those of [`UnixDatagram::try_recv`].
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        or_would_block(self.0.poll_recv_slice(buf, None))
    }

    /// Polls for [`UnixDatagram::recv_from`].
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.0.poll_recv_read_buf(buf, Some(cx.waker())).map_ok(|(_, from)| from)
    }

    /// Receives a datagram into a buffer that advances.
    ///
    /// # Errors
    /// Those of [`UnixDatagram::recv`].
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        Ok(self.recv_buf_from(buf).await?.0)
    }

    /// Receives a datagram into a buffer that advances, if there is one.
    ///
    /// # Errors
    /// Those of [`UnixDatagram::try_recv`].
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        Ok(self.try_recv_buf_from(buf)?.0)
    }

    /// Receives a datagram into a buffer that advances, and returns its sender.
    ///
    /// # Errors
    /// Those of [`UnixDatagram::recv`].
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.0.poll_recv_buf(buf, Some(cx.waker()))).await
    }

    /// Receives a datagram into a buffer that advances, if there is one, and returns its sender.
    ///
    /// # Errors
    /// Those of [`UnixDatagram::try_recv`].
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        or_would_block(self.0.poll_recv_buf(buf, None))
    }

    /// This socket's address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.local_addr())
    }

    /// The peer's address.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// `SO_ERROR`: takes the error that the next call would return.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.take_error())
    }

    /// Shuts sending down, receiving, or both. Sending then fails with
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe), here or at those who send to this socket; the
    /// peer's side is not shut down. When receiving is shut down, what waits can be received, and
    /// then 0: as from a blocking `recv(2)`, where tokio's waits for ever.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }
}

io_when_ready!(UnixDatagram, socket => &socket.0,
    " As with tokio, room in the queue of a socket that is not the peer does not count.");

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug("UnixDatagram", formatter)
    }
}
