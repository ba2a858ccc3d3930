//! A stream between two tasks of one host.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::path::Path;
use std::task::{Context, Poll, Waker};

use bytes::BufMut;
use tokio::io::{Interest, ReadBuf, Ready};

use super::addr::SocketAddr;
use super::local::LocalSocket;
use crate::host::UnixKind;
use crate::net::ready::{io_when_ready, or_would_block, poll_ready, until_ready};

/// A connected Unix domain stream, with the methods of `tokio::net::UnixStream`, of which
/// `from_std`, `into_std`, the descriptor and `peer_cred` are left out.
///
/// Dropping it closes the connection. What was written is still delivered; when something
/// received was not read, the peer's next read after that fails with
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset), once. Otherwise reads return 0 in the end.
/// Writing to a peer that is closed, or does not receive any more, fails with
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe). On a host that has crashed reads fail with
/// `ConnectionReset` and writes with `BrokenPipe`.
pub struct UnixStream(LocalSocket);

impl UnixStream {
    /// Connects to a listener of the calling task's host. A path that begins with a NUL byte is
    /// an abstract name. The connection is established at once, before it is accepted.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) when there is no such path;
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) when its socket is closed or does
    /// not listen, or there is no such abstract name; `EPROTOTYPE` for the path of a datagram
    /// socket; [`WouldBlock`](io::ErrorKind::WouldBlock) when too many connections wait to be
    /// accepted, as from tokio on Linux; [`InvalidInput`](io::ErrorKind::InvalidInput) for an
    /// empty path and one of 108 bytes or more; `EMFILE` when the host has too many sockets; and
    /// when the caller is not a task of a host.
    pub async fn connect<P>(path: P) -> io::Result<UnixStream>
    where
        P: AsRef<Path>,
    {
        let address = SocketAddr::from_path_or_abstract(path.as_ref())?;
        UnixStream::connect_addr(&address).await
    }

    /// Connects to an address. See [`UnixStream::connect`].
    ///
    /// # Errors
    /// Those of [`UnixStream::connect`].
    pub async fn connect_addr(socket_addr: &SocketAddr) -> io::Result<UnixStream> {
        UnixStream::connect_with(LocalSocket::new(UnixKind::Stream)?, socket_addr)
    }

    pub(super) fn connect_with(
        socket: LocalSocket,
        address: &SocketAddr,
    ) -> io::Result<UnixStream> {
        socket.connect(address)?;
        Ok(UnixStream(socket))
    }

    pub(super) fn new(socket: LocalSocket) -> UnixStream {
        UnixStream(socket)
    }

    /// Two streams without names that are connected to each other.
    ///
    /// # Errors
    /// `EMFILE` when the host has too many sockets, and when the caller is not a task of a host.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (first, second) = LocalSocket::pair(UnixKind::Stream)?;
        Ok((UnixStream(first), UnixStream(second)))
    }

    /// Waits until something of `interest` is ready, and returns what. A call that would fail at
    /// once is ready, too.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        until_ready(&self.0, interest).await
    }

    /// Waits until a read would not wait.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Polls for [`UnixStream::readable`].
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.0, Interest::READABLE, cx).map(|_| Ok(()))
    }

    /// Reads what is there; 0 is the end of the stream.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing is, and those of reading.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        or_would_block(self.0.poll_recv_slice(buf, None)).map(|(len, _)| len)
    }

    /// Reads what is there into several buffers, one after the other.
    ///
    /// # Errors
    /// Those of [`UnixStream::try_read`].
    pub fn try_read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
        let max = bufs.iter().map(|buf| buf.len()).sum();
        let mut rest = bufs.iter_mut().flat_map(|buf| buf.iter_mut());
        let polled = self.0.poll_recv(max, false, None, |bytes| {
            for (byte, place) in bytes.iter().zip(&mut rest) {
                *place = *byte;
            }
        });
        or_would_block(polled).map(|(len, _)| len)
    }

    /// Reads what is there into a buffer that advances.
    ///
    /// # Errors
    /// Those of [`UnixStream::try_read`].
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        or_would_block(self.0.poll_recv_buf(buf, None)).map(|(len, _)| len)
    }

    /// Waits until there is room to write: three quarters of the send buffer, as on Linux.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for [`UnixStream::writable`].
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.0, Interest::WRITABLE, cx).map(|_| Ok(()))
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and those of writing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        or_would_block(self.0.poll_send(buf, None, None))
    }

    /// Writes what there is room for of several buffers, one after the other.
    ///
    /// # Errors
    /// Those of [`UnixStream::try_write`].
    pub fn try_write_vectored(&self, buf: &[io::IoSlice<'_>]) -> io::Result<usize> {
        or_would_block(self.send_vectored(buf, None))
    }

    /// This end's address: unnamed, unless it was bound or accepted by a listener that was.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.local_addr())
    }

    /// The peer's address, also when it is closed.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// `SO_ERROR`: takes the error that the next read would return.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.take_error())
    }

    pub(super) fn poll_read_into(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_recv_read_buf(buf, Some(cx.waker())).map_ok(drop)
    }

    pub(super) fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(buf, None, Some(cx.waker()))
    }

    pub(super) fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.send_vectored(bufs, Some(cx.waker()))
    }

    fn send_vectored(
        &self,
        bufs: &[io::IoSlice<'_>],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let mut sent = 0;
        for buf in bufs.iter().filter(|buf| !buf.is_empty()) {
            match self.0.poll_send(buf, None, waker.filter(|_| sent == 0)) {
                Poll::Ready(Ok(len)) => {
                    sent += len;
                    if len < buf.len() {
                        break;
                    }
                }
                Poll::Ready(Err(error)) if sent == 0 => return Poll::Ready(Err(error)),
                Poll::Pending if sent == 0 => return Poll::Pending,
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(sent))
    }

    pub(super) fn shut_down_sending(&self) -> io::Result<()> {
        match self.0.shutdown(Shutdown::Write) {
            // As tokio does: what is over has nothing to say.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

io_when_ready!(UnixStream, socket => &socket.0);

impl fmt::Debug for UnixStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug("UnixStream", formatter)
    }
}
