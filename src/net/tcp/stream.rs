//! A TCP connection.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::host::{FlowId, HostHandle};
use crate::net::addr::resolve;
use crate::net::{ToSocketAddrs, attachment};
use crate::task::context::{self, Wait};

/// A TCP connection between two hosts, with the methods of `tokio::net::TcpStream`.
///
/// Dropping it closes the connection: with a FIN after everything that was written, which is
/// still delivered, or with a RST when something received was not read (RFC 2525 2.17).
///
/// Errors of reads and writes are Linux's: after the peer's reset the next call fails with
/// [`ConnectionReset`](io::ErrorKind::ConnectionReset), once; then reads give 0 and writes fail
/// with [`BrokenPipe`](io::ErrorKind::BrokenPipe). A peer that answers nothing any more makes
/// them fail with [`TimedOut`](io::ErrorKind::TimedOut) in the end.
pub struct TcpStream {
    host: Arc<HostHandle>,
    flow: FlowId,
    local: SocketAddr,
    peer: SocketAddr,
}

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
            match connect_to(host, address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last_error = Some(error),
            }
        }
        Err(last_error.unwrap_or_else(|| io::ErrorKind::InvalidInput.into()))
    }

    pub(super) fn new(
        host: Arc<HostHandle>,
        flow: FlowId,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> TcpStream {
        TcpStream { host, flow, local, peer }
    }

    /// This end's address.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    /// The peer's address.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }

    /// Receives without taking the bytes out of the queue. 0 is the end of the stream.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_receive(cx, buf, true)).await
    }

    /// Polls for [`TcpStream::peek`].
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let len = ready!(self.poll_receive(cx, buf.initialize_unfilled(), true))?;
        buf.advance(len);
        Poll::Ready(Ok(len))
    }

    /// Waits until a read would not wait.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_read_ready(cx)).await
    }

    /// Waits until a write would not wait.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write_ready(cx)).await
    }

    /// Polls for [`TcpStream::readable`].
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.host.look_mut(|host| host.poll_readable(self.flow, cx.waker()));
        if polled.is_pending() {
            self.waits_to_read();
        }
        polled.map(Ok)
    }

    /// Polls for [`TcpStream::writable`].
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.host.look_mut(|host| host.poll_writable(self.flow, cx.waker()));
        if polled.is_pending() {
            self.waits_to_write();
        }
        polled.map(Ok)
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing is, and those of reading.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        or_would_block(self.host.call(|host, _| host.poll_read(self.flow, buf, false, None)))
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and those of writing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        or_would_block(self.host.call(|host, _| host.poll_write(self.flow, buf, None)))
    }

    /// Switches Nagle's algorithm off (`true`) or on.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.host.call(|host, _| host.set_nodelay(self.flow, nodelay))
    }

    /// Whether Nagle's algorithm is off.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.host.look(|host| host.nodelay(self.flow))
    }

    /// `SO_ERROR`: takes the error that the next call would return.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.host.call(|host, _| host.take_error(self.flow)))
    }

    /// Splits into two halves that borrow the stream.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// Splits into two halves that can go to different tasks. Dropping the write half shuts the
    /// sending side down.
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::into_split(self)
    }

    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
        peek: bool,
    ) -> Poll<io::Result<usize>> {
        let waker = Some(cx.waker());
        let polled = self.host.call(|host, _| host.poll_read(self.flow, buf, peek, waker));
        if polled.is_pending() {
            self.waits_to_read();
        }
        polled
    }

    pub(super) fn poll_read_into(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = ready!(self.poll_receive(cx, buf.initialize_unfilled(), false))?;
        buf.advance(len);
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_send(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let waker = Some(cx.waker());
        let polled = self.host.call(|host, _| host.poll_write(self.flow, data, waker));
        if polled.is_pending() {
            self.waits_to_write();
        }
        polled
    }

    pub(super) fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut sent = 0;
        for buf in bufs.iter().filter(|buf| !buf.is_empty()) {
            match self.poll_send(cx, buf) {
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
        match self.host.call(|host, _| host.shut_down_sending(self.flow)) {
            // As tokio does: what is over needs no FIN.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    fn waits_to_read(&self) {
        context::waits_for(Wait::Read { local: self.local, peer: self.peer });
    }

    fn waits_to_write(&self) {
        context::waits_for(Wait::Write { local: self.local, peer: self.peer });
    }
}

fn or_would_block(polled: Poll<io::Result<usize>>) -> io::Result<usize> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

async fn connect_to(host: &Arc<HostHandle>, address: SocketAddr) -> io::Result<TcpStream> {
    let connecting = Connecting::begin(host, None, address)?;
    poll_fn(|cx| connecting.poll(cx)).await?;
    Ok(connecting.into_stream())
}

/// A connection attempt. Dropping it abandons the attempt.
pub(super) struct Connecting(TcpStream);

impl Connecting {
    pub(super) fn begin(
        host: &Arc<HostHandle>,
        bound: Option<SocketAddr>,
        peer: SocketAddr,
    ) -> io::Result<Connecting> {
        // Linux takes 0.0.0.0 and :: for this host.
        let here: IpAddr = match peer.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let peer = if peer.ip().is_unspecified() { (here, peer.port()).into() } else { peer };
        let (flow, local) = host.call(|host, now| host.connect(now, bound, peer))?;
        Ok(Connecting(TcpStream::new(host.clone(), flow, local, peer)))
    }

    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = &self.0;
        let polled = stream.host.look_mut(|host| host.poll_connected(stream.flow, cx.waker()));
        if polled.is_pending() {
            context::waits_for(Wait::Connect { to: stream.peer });
        }
        polled
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.0
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_into(cx, buf)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing to do: what is written is on its way as soon as TCP allows.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Sends FIN after what was written; reading goes on.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shut_down_sending())
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.host.call(|host, now| host.close(now, self.flow));
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("TcpStream");
        debug.field("addr", &self.local).field("peer", &self.peer).finish()
    }
}
