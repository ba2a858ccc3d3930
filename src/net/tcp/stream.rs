//! A connection as tokio's `TcpStream` has it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{Interest, ReadBuf, Ready};

use super::borrowed::TcpRef;
use super::connection::Connection;
use crate::net::addr::{ToSocketAddrs, resolve};
use crate::net::attachment::attachment;
use crate::net::options::{Target, ip_option, socket_option, tcp_option};
use crate::net::ready::{io_when_ready, or_would_block, poll_ready, until_ready};

/// A TCP connection between two hosts, with the methods of `tokio::net::TcpStream`.
///
/// Dropping it closes the connection: with a FIN after everything that was written, which is
/// still delivered, or with a RST when something received was not read (RFC 2525 section 2.17).
///
/// # Errors
/// Errors of reads and writes are Linux's: after the peer's reset the next call fails with
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset), once; then reads give 0 and writes fail
/// with [`BrokenPipe`](io::ErrorKind::BrokenPipe). When the peer no longer answers they fail with
/// [`TimedOut`](io::ErrorKind::TimedOut) in the end. Options fail with
/// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed. Other methods have the
/// errors that they name, and no others.
pub struct TcpStream(Connection);

impl TcpStream {
    /// Connects to `addr` from an ephemeral port, trying each address it stands for.
    ///
    /// # Errors
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) when nobody listens there,
    /// [`TimedOut`](io::ErrorKind::TimedOut) when no SYN is answered (by default after 127
    /// seconds and six retries), [`HostUnreachable`](io::ErrorKind::HostUnreachable) when the
    /// host does not answer ARP, [`NetworkUnreachable`](io::ErrorKind::NetworkUnreachable) for
    /// an address outside the network, and what [`ToSocketAddrs`] says.
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        let host = &attachment()?.host;
        let mut last_error = None;
        for address in resolve(&addr).await? {
            match Connection::connect(host, address).await {
                Ok(connection) => return Ok(TcpStream(connection)),
                Err(error) => last_error = Some(error),
            }
        }
        Err(last_error.unwrap_or_else(|| io::ErrorKind::InvalidInput.into()))
    }

    pub(super) fn new(connection: Connection) -> TcpStream {
        TcpStream(connection)
    }

    pub(super) fn inner(&self) -> TcpRef<'_> {
        TcpRef::Connection(&self.0)
    }

    fn target(&self) -> Target<'_> {
        Target::Tcp(self.inner())
    }

    /// This end's address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.local_addr())
    }

    /// The peer's address.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the connection is over: reset, timed
    /// out, or closed by both sides (`getpeername(2)`).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Receives without taking the bytes out of the queue. 0 is the end of the stream.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.0.poll_receive(buf, true, Some(cx.waker()))).await
    }

    /// Polls for [`TcpStream::peek`].
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let waker = Some(cx.waker());
        let len = ready!(self.0.poll_receive(buf.initialize_unfilled(), true, waker))?;
        buf.advance(len);
        Poll::Ready(Ok(len))
    }

    /// Waits until a read would not wait.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_read_ready(cx)).await
    }

    /// Waits until a write would not wait.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write_ready(cx)).await
    }

    /// Polls for [`TcpStream::readable`].
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.0, Interest::READABLE, cx).map(|_| Ok(()))
    }

    /// Polls for [`TcpStream::writable`].
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.0, Interest::WRITABLE, cx).map(|_| Ok(()))
    }

    /// Waits until the stream is ready for some of what `interest` asks for, and returns for what.
    ///
    /// tokio's remembers what the stream was ready for; this one tells what it is ready for now.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        until_ready(&self.0, interest).await
    }

    /// Reads what has arrived.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing has, and those of reading.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        or_would_block(self.0.poll_receive(buf, false, None))
    }

    /// Reads what has arrived, into one buffer after the other.
    ///
    /// # Errors
    /// Those of [`TcpStream::try_read`].
    pub fn try_read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
        or_would_block(self.0.try_receive_vectored(bufs))
    }

    /// Reads what has arrived into the free space of `buf`, which advances.
    ///
    /// # Errors
    /// Those of [`TcpStream::try_read`].
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let waiting = self.0.recv_queue().max(1);
        let mut bytes = vec![0; buf.chunk_mut().len().min(waiting)];
        let len = self.try_read(&mut bytes)?;
        buf.put_slice(&bytes[..len]);
        Ok(len)
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and those of writing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        or_would_block(self.0.poll_send(buf, None))
    }

    /// Writes what there is room for, of one buffer after the other.
    ///
    /// # Errors
    /// Those of [`TcpStream::try_write`].
    pub fn try_write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        or_would_block(self.0.poll_send_vectored(bufs, None))
    }

    tcp_option!(TCP_NODELAY, nodelay, set_nodelay);
    tcp_option!(TCP_QUICKACK, quickack, set_quickack);
    tcp_option!(TCP_INFO, info);
    socket_option!(
        SO_LINGER,
        linger,
        #[deprecated = "a drop cannot wait; `set_zero_linger` resets"]
        set_linger
    );
    socket_option!(SO_LINGER of no time, set_zero_linger);
    ip_option!(IP_TTL, ttl, set_ttl);

    /// `SO_ERROR`: takes the error that the next call would return.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.take_error())
    }

    pub(super) fn poll_read_into(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let waker = Some(cx.waker());
        let len = ready!(self.0.poll_receive(buf.initialize_unfilled(), false, waker))?;
        buf.advance(len);
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_send(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(data, Some(cx.waker()))
    }

    pub(super) fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send_vectored(bufs, Some(cx.waker()))
    }

    pub(super) fn shut_down_sending(&self) -> io::Result<()> {
        self.0.shut_down_sending()
    }
}

io_when_ready!(TcpStream, socket => &socket.0);

impl fmt::Debug for TcpStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("TcpStream");
        debug.field("addr", &self.0.local_addr()).field("peer", &self.0.peer()).finish()
    }
}
