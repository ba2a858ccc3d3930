//! A TCP connection.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BufMut;
use tokio::io::{Interest, ReadBuf, Ready};

use super::connecting::Connecting;
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::error::Errno;
use crate::host::{FlowId, Host, Readiness, TcpOptions};
use crate::net::addr::resolve;
use crate::net::host_handle::HostHandle;
use crate::net::ready::{Pollable, io_when_ready, moves_nothing, or_would_block, until_ready};
use crate::net::{NoteFailure, ToSocketAddrs, attachment};
use crate::task::budget;
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
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the connection is over: reset, timed
    /// out, or closed by both sides (`getpeername(2)`).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        if self.host.look(|host| host.has_peer(self.flow)) {
            Ok(self.peer)
        } else {
            Err(Errno::NotConnected.into())
        }
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
        let readable = || self.host.look_mut(|host| host.poll_readable(self.flow, cx.waker()));
        let polled = budget::charge(Some(cx.waker()), readable, |()| true);
        if polled.is_pending() {
            self.waits_to_read();
        }
        polled.map(Ok)
    }

    /// Polls for [`TcpStream::writable`].
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let writable = || self.host.look_mut(|host| host.poll_writable(self.flow, cx.waker()));
        let polled = budget::charge(Some(cx.waker()), writable, |()| true);
        if polled.is_pending() {
            self.waits_to_write();
        }
        polled.map(Ok)
    }

    /// Waits until the stream is ready for some of what `interest` asks for, and says for what.
    ///
    /// Unlike tokio's, which remembers, the answer is what is so at this moment.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        until_ready(self, interest).await
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing is, and those of reading.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let polled = self.host.call(|host, _| host.poll_read(self.flow, buf, false, None));
        or_would_block(polled).note_failure(|| self.reading())
    }

    /// Reads what is there, into one buffer after the other.
    ///
    /// # Errors
    /// Those of [`TcpStream::try_read`].
    pub fn try_read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
        let polled = self.host.call(|host, _| host.poll_read_vectored(self.flow, bufs, None));
        or_would_block(polled).note_failure(|| self.reading())
    }

    /// Reads what is there into what is left of `buf`, whose length grows by as much.
    ///
    /// # Errors
    /// Those of [`TcpStream::try_read`].
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let waiting = self.host.look(|host| host.recv_queue(self.flow)).max(1);
        let mut octets = vec![0; buf.chunk_mut().len().min(waiting)];
        let len = self.try_read(&mut octets)?;
        buf.put_slice(&octets[..len]);
        Ok(len)
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, and those of writing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        let polled = self.host.call(|host, now| host.poll_write(now, self.flow, buf, None));
        or_would_block(polled).note_failure(|| self.writing())
    }

    /// Writes what there is room for, of one buffer after the other.
    ///
    /// # Errors
    /// Those of [`TcpStream::try_write`].
    pub fn try_write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let write = |host: &mut Host, now| host.poll_write_vectored(now, self.flow, bufs, None);
        or_would_block(self.host.call(write)).note_failure(|| self.writing())
    }

    /// `TCP_NODELAY`: switches Nagle's algorithm off (`true`) or on. Without it what waits for an
    /// acknowledgment leaves at once, and each write is a segment of its own.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.change(|options| {
            options.nodelay = nodelay;
            Ok(())
        })
    }

    /// Whether Nagle's algorithm is off.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.options()?.nodelay)
    }

    /// `TCP_QUICKACK`: acknowledgments leave at once (`true`), or as the host's `ack_delay` says.
    /// Unlike Linux, which goes back to delaying as it sees fit, this lasts; an acknowledgment
    /// that waits already goes on waiting.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        self.change(|options| {
            options.quickack = quickack;
            Ok(())
        })
    }

    /// Whether acknowledgments leave at once.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn quickack(&self) -> io::Result<bool> {
        Ok(self.options()?.ack_delay_in_force().is_none())
    }

    /// `SO_LINGER`, as [`TcpStream::set_linger`] sets it.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.options()?.linger())
    }

    /// `SO_LINGER`, in whole seconds; less than one is none. With none, dropping the stream resets
    /// the connection, and what was not delivered is lost. With more, a drop cannot wait, and
    /// closes as it does without the option.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    #[deprecated = "a drop cannot wait; `set_zero_linger` resets"]
    pub fn set_linger(&self, dur: Option<Duration>) -> io::Result<()> {
        self.change(|options| {
            options.set_linger(dur);
            Ok(())
        })
    }

    /// `SO_LINGER` of no time: dropping the stream resets the connection, and what was not
    /// delivered is lost.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.change(|options| {
            options.set_linger(Some(Duration::ZERO));
            Ok(())
        })
    }

    /// `IP_TTL`: the time to live in the IPv4 packets of this connection.
    ///
    /// # Errors
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.options()?.ttl().into())
    }

    /// Sets [`TcpStream::ttl`], which is 64 by default.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for what is not within 1 to 255, and
    /// [`NotConnected`](io::ErrorKind::NotConnected) when the host has crashed.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.change(|options| options.set_ttl(ttl))
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

    pub(super) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waker = Some(cx.waker());
        let polled = self.host.look_mut(|host| host.poll_connected(self.flow, waker));
        if polled.is_pending() {
            context::waits_for(Wait::Connect { to: self.peer });
        }
        polled.note_failure(|| format!("connect to {}", self.peer))
    }

    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
        peek: bool,
    ) -> Poll<io::Result<usize>> {
        let waker = Some(cx.waker());
        let read = || self.host.call(|host, _| host.poll_read(self.flow, buf, peek, waker));
        let polled = budget::charge(waker, read, |read| peek || moves_nothing(read));
        if polled.is_pending() {
            self.waits_to_read();
        }
        polled.note_failure(|| self.reading())
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
        let write = || self.host.call(|host, now| host.poll_write(now, self.flow, data, waker));
        let polled = budget::charge(waker, write, moves_nothing);
        if polled.is_pending() {
            self.waits_to_write();
        }
        polled.note_failure(|| self.writing())
    }

    pub(super) fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let waker = Some(cx.waker());
        let write =
            || self.host.call(|host, now| host.poll_write_vectored(now, self.flow, bufs, waker));
        let polled = budget::charge(waker, write, moves_nothing);
        if polled.is_pending() {
            self.waits_to_write();
        }
        polled.note_failure(|| self.writing())
    }

    pub(super) fn options(&self) -> io::Result<TcpOptions> {
        self.host.look(|host| host.flow_options(self.flow))
    }

    pub(super) fn change(
        &self,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let changed = self.host.call(|host, now| host.change_flow_options(now, self.flow, change));
        changed.note_failure(|| format!("setsockopt on {}", self.local))
    }

    pub(super) fn shut_down(&self, how: Shutdown) -> io::Result<()> {
        self.host.call(|host, now| host.shut_down(now, self.flow, how))
    }

    pub(super) fn shut_down_sending(&self) -> io::Result<()> {
        match self.shut_down(Shutdown::Write) {
            // As tokio does: what is over needs no FIN.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => {
                result.note_failure(|| format!("shutdown of {} to {}", self.local, self.peer))
            }
        }
    }

    fn reading(&self) -> String {
        Wait::Read { local: self.local, peer: self.peer }.to_string()
    }

    fn writing(&self) -> String {
        Wait::Write { local: self.local, peer: self.peer }.to_string()
    }

    fn waits_to_read(&self) {
        context::waits_for(Wait::Read { local: self.local, peer: self.peer });
    }

    fn waits_to_write(&self) {
        context::waits_for(Wait::Write { local: self.local, peer: self.peer });
    }
}

/// What a stream is ready for, of what was asked for. There is no urgent data, so nothing is ever
/// ready for it but the end.
fn ready_for(interest: Interest, readiness: Readiness) -> Ready {
    let asked = |asked: bool, is_so: bool, ready: Ready| {
        if asked && is_so { ready } else { Ready::EMPTY }
    };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let urgent = interest.is_priority();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let urgent = false;
    let (reading, writing) = (interest.is_readable(), interest.is_writable());
    asked(reading, readiness.readable, Ready::READABLE)
        | asked(reading || urgent, readiness.read_closed, Ready::READ_CLOSED)
        | asked(writing, readiness.writable, Ready::WRITABLE)
        | asked(writing, readiness.write_closed, Ready::WRITE_CLOSED)
        | asked(interest.is_error(), readiness.error, Ready::ERROR)
}

async fn connect_to(host: &Arc<HostHandle>, address: SocketAddr) -> io::Result<TcpStream> {
    let options = host.look(|host| host.new_tcp_options());
    Connecting::begin(host, None, address, options)?.finish().await
}

impl Pollable for TcpStream {
    fn ready_for(&self, interest: Interest) -> Ready {
        ready_for(interest, self.host.look(|host| host.readiness(self.flow)))
    }

    fn wait_for(&self, interest: Interest, cx: &mut Context<'_>) -> Ready {
        let writing = interest.is_writable();
        // Whatever is not about writing concerns what the peer sends.
        let reading = !writing || interest.is_readable();
        let (flow, waker) = (self.flow, cx.waker());
        let readiness = self.host.look_mut(|host| {
            host.wait_for_readiness(flow, reading, writing, waker);
            host.readiness(flow)
        });
        if reading {
            self.waits_to_read();
        }
        if writing {
            self.waits_to_write();
        }
        ready_for(interest, readiness)
    }
}

io_when_ready!(TcpStream, socket => socket);

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
