//! A socket of this family, whatever its type and its state: what the types of this module hold.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::{ReadBuf, Ready};

use super::addr::SocketAddr;
use crate::error::Errno;
use crate::host::{Unix, UnixId, UnixKind};
use crate::net::attachment::attachment;
use crate::net::failing::NoteFailure;
use crate::net::host_handle::HostHandle;
use crate::net::ready::Pollable;
use crate::task::budget;
use crate::task::{Wait, context};

/// An `AF_UNIX` socket, with the calls of the BSD interface. Dropping it closes it.
///
/// A call that cannot be answered yet is pending; it wakes `waker`, if there is one, when it
/// should be tried again.
pub(crate) struct LocalSocket {
    host: Arc<HostHandle>,
    id: UnixId,
}

impl LocalSocket {
    /// A socket of the calling task's host.
    pub(crate) fn new(kind: UnixKind) -> io::Result<LocalSocket> {
        let host = attachment()?.host.clone();
        let id = host.call(|host, _| host.unix.create(kind))?;
        Ok(LocalSocket { host, id })
    }

    pub(crate) fn pair(kind: UnixKind) -> io::Result<(LocalSocket, LocalSocket)> {
        let host = attachment()?.host.clone();
        let (first, second) = host.call(|host, _| host.unix.pair(kind))?;
        let first = LocalSocket { host: host.clone(), id: first };
        Ok((first, LocalSocket { host, id: second }))
    }

    /// Binds; the unnamed address takes an abstract name that is free.
    pub(crate) fn bind(&self, address: &SocketAddr) -> io::Result<()> {
        let bound = self.call(|sockets| sockets.bind(self.id, address.0.as_ref()));
        bound.note_failure(|| format!("bind to unix socket {}", address.text()))
    }

    pub(crate) fn listen(&self, backlog: u32) -> io::Result<()> {
        let listening = self.call(|sockets| sockets.listen(self.id, backlog));
        listening.note_failure(|| format!("listen on unix socket {}", self.local_addr().text()))
    }

    /// Connects. Only a stream whose listener has a full queue has to wait.
    pub(crate) fn poll_connect(
        &self,
        address: &SocketAddr,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<()>> {
        let Some(name) = &address.0 else { return Poll::Ready(Err(Errno::Invalid.into())) };
        let connect = || self.host.call(|host, _| host.unix.poll_connect(self.id, name, waker));
        let polled = budget::charge(waker, connect, |connected| connected.is_err());
        if polled.is_pending() && waker.is_some() {
            context::waits_for(Wait::UnixConnect { to: address.text() });
        }
        let connected = polled.map_err(io::Error::from);
        connected.note_failure(|| format!("connect to unix socket {}", address.text()))
    }

    /// Connects, unless it would have to wait.
    pub(crate) fn connect(&self, address: &SocketAddr) -> io::Result<()> {
        match self.poll_connect(address, None) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(Errno::TryAgain.into()),
        }
    }

    pub(crate) fn poll_accept(&self, waker: Option<&Waker>) -> Poll<io::Result<LocalSocket>> {
        let accept = || self.host.call(|host, _| host.unix.poll_accept(self.id, waker));
        let polled = budget::charge(waker, accept, |accepted| accepted.is_err());
        if polled.is_pending() && waker.is_some() {
            context::waits_for(Wait::UnixAccept { on: self.local_addr().text() });
        }
        let accepted = |id| LocalSocket { host: self.host.clone(), id };
        polled
            .map_ok(accepted)
            .map_err(io::Error::from)
            .note_failure(|| format!("accept on unix socket {}", self.local_addr().text()))
    }

    /// Sends: to the peer, or to another address.
    pub(crate) fn poll_send(
        &self,
        data: &[u8],
        to: Option<&SocketAddr>,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let to = match to {
            Some(SocketAddr(None)) => return Poll::Ready(Err(Errno::Invalid.into())),
            to => to.and_then(|to| to.0.as_ref()),
        };
        let send = || self.host.call(|host, _| host.unix.poll_send(self.id, data, to, waker));
        let polled = budget::charge(waker, send, |sent| sent.is_err());
        if polled.is_pending() && waker.is_some() {
            context::waits_for(self.writing());
        }
        polled
            .map_err(io::Error::from)
            .note_failure(|| format!("write on unix socket {}", self.shown_ends()))
    }

    /// Receives at max `max` bytes, which `take` is given piece by piece; says how many, and
    /// who sent them if they are a datagram.
    pub(crate) fn poll_recv(
        &self,
        max: usize,
        peek: bool,
        waker: Option<&Waker>,
        take: impl FnMut(&[u8]),
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let received = self.poll_recv_message(max, peek, waker, take);
        received.map_ok(|(len, _, from)| (len, from))
    }

    /// As [`poll_recv`](LocalSocket::poll_recv); says also how many bytes the datagram has.
    pub(crate) fn poll_recv_message(
        &self,
        max: usize,
        peek: bool,
        waker: Option<&Waker>,
        take: impl FnMut(&[u8]),
    ) -> Poll<io::Result<(usize, usize, SocketAddr)>> {
        let recv =
            || self.host.call(|host, _| host.unix.poll_recv(self.id, max, peek, waker, take));
        let polled = budget::charge(waker, recv, |received| {
            peek || !received.as_ref().is_ok_and(|received| received.len > 0)
        });
        if polled.is_pending() && waker.is_some() {
            context::waits_for(self.reading());
        }
        let received =
            polled.map_ok(|received| (received.len, received.whole_len, SocketAddr(received.from)));
        received
            .map_err(io::Error::from)
            .note_failure(|| format!("read on unix socket {}", self.shown_ends()))
    }

    pub(crate) fn poll_recv_slice(
        &self,
        buf: &mut [u8],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut filled = 0;
        self.poll_recv(buf.len(), false, waker, |bytes| {
            buf[filled..filled + bytes.len()].copy_from_slice(bytes);
            filled += bytes.len();
        })
    }

    pub(crate) fn poll_recv_read_buf(
        &self,
        buf: &mut ReadBuf<'_>,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.poll_recv(buf.remaining(), false, waker, |bytes| buf.put_slice(bytes))
    }

    /// Receives into what the caller's buffer has room for in one piece.
    pub(crate) fn poll_recv_buf(
        &self,
        buf: &mut impl bytes::BufMut,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        // The buffer is code of the caller's, which is not to run while the host is locked.
        let mut received = Vec::new();
        let max = buf.chunk_mut().len();
        let polled = self.poll_recv(max, false, waker, |bytes| received.extend_from_slice(bytes));
        buf.put_slice(&received);
        polled
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let shut_down = self.call(|sockets| sockets.shut_down(self.id, how));
        shut_down.note_failure(|| format!("shutdown of unix socket {}", self.shown_ends()))
    }

    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.host.call(|host, _| host.unix.take_error(self.id)).map(io::Error::from)
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        SocketAddr(self.host.look(|host| host.unix.local_name(self.id)))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr(self.host.look(|host| host.unix.peer_name(self.id))?))
    }

    pub(crate) fn recv_queue(&self) -> usize {
        self.host.look(|host| host.unix.recv_queue(self.id))
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.host.look(|host| host.unix.is_listening(self.id))
    }

    /// `SO_SNDBUF`, in bytes.
    pub(crate) fn set_send_buffer(&self, bytes: usize) {
        self.host.call(|host, _| host.unix.set_send_buffer(self.id, bytes));
    }

    pub(crate) fn send_buffer(&self) -> usize {
        self.host.look(|host| host.unix.send_buffer(self.id))
    }

    fn call<R>(&self, call: impl FnOnce(&mut Unix) -> Result<R, Errno>) -> io::Result<R> {
        Ok(self.host.call(|host, _| call(&mut host.unix))?)
    }

    fn shown_ends(&self) -> Arc<str> {
        let local = self.local_addr().text();
        match self.peer_addr() {
            Ok(peer) => format!("{local} with {}", peer.text()).into(),
            Err(_) => local,
        }
    }

    fn reading(&self) -> Wait {
        Wait::UnixRead { on: self.shown_ends() }
    }

    fn writing(&self) -> Wait {
        Wait::UnixWrite { on: self.shown_ends() }
    }

    /// What `Debug` shows of a socket called `name`.
    pub(crate) fn debug(&self, name: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct(name);
        debug.field("local", &self.local_addr());
        if let Ok(peer) = self.peer_addr() {
            debug.field("peer", &peer);
        }
        debug.finish()
    }
}

impl Pollable for LocalSocket {
    fn readiness(&self) -> Ready {
        self.host.look(|host| host.unix.readiness(self.id))
    }

    fn wait_for(&self, reading: bool, writing: bool, cx: &mut Context<'_>) -> Ready {
        if reading {
            context::waits_for(self.reading());
        }
        if writing {
            context::waits_for(self.writing());
        }
        self.host.look_mut(|host| {
            host.unix.register(self.id, reading, writing, cx.waker());
            host.unix.readiness(self.id)
        })
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        self.host.call(|host, _| host.unix.close(self.id));
    }
}
