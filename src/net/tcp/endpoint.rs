//! A TCP socket in whatever state it is: what the types of `net` hold.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::task::{Poll, Waker};

use tokio::io::Ready;

use super::binding::Binding;
use super::connection::Connection;
use crate::error::Errno;
use crate::host::{ListenerId, TcpInfo, TcpOptions, TcpState};
use crate::net::attachment::attachment;
use crate::net::failing::NoteFailure;
use crate::net::host_handle::HostHandle;
use crate::net::ready::Pollable;
use crate::task::budget;
use crate::task::{Wait, context};

/// Linux's `somaxconn`: the largest backlog.
const MAX_BACKLOG: u32 = 4_096;

/// A TCP socket, with the calls of the BSD interface. Dropping it closes it.
///
/// A call that cannot be answered yet is pending; it wakes the waker, if there is one, when it
/// should be tried again.
pub(crate) struct Endpoint {
    host: Arc<HostHandle>,
    is_v6: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    state: State,
    /// From `bind` on, in every state.
    binding: Option<Arc<Binding>>,
    only_v6: bool,
}

/// The options of a listener and of a connection are the host's to keep.
enum State {
    Unconnected(TcpOptions),
    Listening(ListenerId),
    Connecting(Arc<Connection>),
    Connected(Arc<Connection>),
}

impl Endpoint {
    /// A socket of the calling task's host.
    pub(crate) fn new(is_v6: bool) -> io::Result<Endpoint> {
        let host = attachment()?.host.clone();
        let options = host.look(|host| host.new_tcp_options());
        Ok(Endpoint::with(host, is_v6, State::Unconnected(options), false))
    }

    fn with(host: Arc<HostHandle>, is_v6: bool, state: State, only_v6: bool) -> Endpoint {
        Endpoint { host, is_v6, inner: Mutex::new(Inner { state, binding: None, only_v6 }) }
    }

    // A waker may run anything, a call on this socket too. So what wakes somebody is called
    // without this lock.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.bind_to(address).note_failure(|| format!("bind to {address}"))
    }

    fn bind_to(&self, address: SocketAddr) -> io::Result<()> {
        self.must_be_of_family(address)?;
        let mut inner = self.inner();
        match (&inner.state, &inner.binding) {
            (State::Unconnected(options), None) => {
                let binding = Binding::new(&self.host, address, options, inner.only_v6)?;
                inner.binding = Some(Arc::new(binding));
                Ok(())
            }
            _ => Err(Errno::Invalid.into()),
        }
    }

    /// What Linux finds wrong with an address of the other family.
    fn must_be_of_family(&self, address: SocketAddr) -> io::Result<()> {
        match (self.is_v6, address) {
            (false, SocketAddr::V6(_)) => Err(Errno::AddressFamilyNotSupported.into()),
            (true, SocketAddr::V4(_)) => Err(Errno::Invalid.into()),
            _ => Ok(()),
        }
    }

    /// `listen(2)`: `backlog` + 1 connections, at most 4097, may complete before one is accepted.
    pub(crate) fn listen(&self, backlog: u32) -> io::Result<()> {
        let backlog = backlog.min(MAX_BACKLOG) as usize;
        self.listen_with(backlog).note_failure(|| format!("listen on {}", self.local_addr()))
    }

    fn listen_with(&self, backlog: usize) -> io::Result<()> {
        let mut inner = self.inner();
        let options = match inner.state {
            State::Listening(id) => {
                return self.host.call(|host, _| host.set_backlog(id, backlog));
            }
            State::Connecting(_) | State::Connected(_) => return Err(Errno::Invalid.into()),
            State::Unconnected(options) => options,
        };
        let binding = match &inner.binding {
            Some(binding) => binding.clone(),
            None => {
                let any = self.unspecified();
                Arc::new(Binding::new(&self.host, any, &options, inner.only_v6)?)
            }
        };
        let (local, id) = (binding.local(), binding.id());
        inner.binding = Some(binding);
        let id = self.host.call(|host, _| host.listen(local, id, backlog, options))?;
        inner.state = State::Listening(id);
        Ok(())
    }

    /// Takes a connection out of the accept queue.
    pub(crate) fn poll_accept(&self, waker: Option<&Waker>) -> Poll<io::Result<Connection>> {
        let listening = match self.inner().state {
            State::Listening(id) => Some(id),
            _ => None,
        };
        let accept = || match listening {
            Some(id) => self.host.look_mut(|host| host.poll_accept(id, waker)),
            None => Poll::Ready(Err(Errno::Invalid.into())),
        };
        let polled = budget::charge(waker, accept, Result::is_err);
        if polled.is_pending() && waker.is_some() {
            context::waits_for(Wait::Accept { on: self.local_addr() });
        }
        polled.note_failure(|| format!("accept on {}", self.local_addr())).map_ok(|accepted| {
            Connection::accepted(&self.host, accepted.flow, accepted.local, accepted.remote)
        })
    }

    /// The socket of a connection that this one has accepted.
    pub(crate) fn of_accepted(&self, connection: Connection) -> Endpoint {
        let state = State::Connected(Arc::new(connection));
        Endpoint::with(self.host.clone(), self.is_v6, state, self.only_v6())
    }

    /// `connect(2)`: begins to connect, unless that has begun. Without a waker the caller does not
    /// wait, and `begun`, which begins as `false`, tells a call that began the attempt (pending)
    /// from one that found it going on (EALREADY).
    pub(crate) fn poll_connect(
        &self,
        peer: SocketAddr,
        begun: &mut bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<()>> {
        let attempt = self.attempt(peer, begun).note_failure(|| format!("connect to {peer}"));
        let attempt = match attempt {
            Ok(attempt) => attempt,
            Err(error) => return Poll::Ready(Err(error)),
        };
        match attempt.poll_established(waker) {
            Poll::Ready(Ok(())) => {
                self.attempt_ends(&attempt, State::Connected(attempt.clone()));
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                // The socket may try again.
                self.attempt_ends(&attempt, State::Unconnected(self.options_of(&attempt)));
                Poll::Ready(Err(error))
            }
            Poll::Pending if waker.is_none() && !*begun => Poll::Ready(Err(Errno::Already.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn attempt(&self, peer: SocketAddr, begun: &mut bool) -> io::Result<Arc<Connection>> {
        let mut inner = self.inner();
        match &inner.state {
            State::Listening(_) | State::Connected(_) => Err(Errno::IsConnected.into()),
            State::Connecting(attempt) => Ok(attempt.clone()),
            State::Unconnected(options) => {
                self.must_be_of_family(peer)?;
                let binding = inner.binding.clone();
                let attempt = Arc::new(Connection::begin(&self.host, binding, peer, *options)?);
                *begun = true;
                inner.state = State::Connecting(attempt.clone());
                Ok(attempt)
            }
        }
    }

    /// An attempt has ended, unless another thread has seen that first.
    fn attempt_ends(&self, attempt: &Arc<Connection>, next: State) {
        let mut inner = self.inner();
        if matches!(&inner.state, State::Connecting(current) if Arc::ptr_eq(current, attempt)) {
            inner.state = next;
        }
    }

    /// Connects for good: with the binding and the options, but without the socket.
    pub(super) fn into_attempt(self, peer: SocketAddr) -> io::Result<Connection> {
        self.must_be_of_family(peer).note_failure(|| format!("connect to {peer}"))?;
        let inner = self.inner();
        match inner.state {
            State::Unconnected(options) => {
                Connection::begin(&self.host, inner.binding.clone(), peer, options)
            }
            _ => Err(Errno::IsConnected.into()),
        }
    }

    /// The connection or the attempt, if there is one.
    fn connection(&self) -> Option<Arc<Connection>> {
        match &self.inner().state {
            State::Connecting(connection) | State::Connected(connection) => {
                Some(connection.clone())
            }
            State::Unconnected(_) | State::Listening(_) => None,
        }
    }

    pub(crate) fn poll_receive(
        &self,
        buf: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        match self.connection() {
            Some(connection) => connection.poll_receive(buf, peek, waker),
            None => Poll::Ready(Err(Errno::NotConnected.into()))
                .note_failure(|| format!("read on {}", self.local_addr())),
        }
    }

    pub(crate) fn poll_send(&self, data: &[u8], waker: Option<&Waker>) -> Poll<io::Result<usize>> {
        match self.connection() {
            Some(connection) => connection.poll_send(data, waker),
            None => Poll::Ready(Err(Errno::Pipe.into()))
                .note_failure(|| format!("write on {}", self.local_addr())),
        }
    }

    /// `shutdown(2)`. A listener listens no longer after `Read` or `Both`, and goes on after
    /// `Write`, as on Linux.
    pub(crate) fn shut_down(&self, how: Shutdown) -> io::Result<()> {
        if let Some(connection) = self.connection() {
            return connection.shut_down(how);
        }
        let mut inner = self.inner();
        match inner.state {
            State::Listening(_) if how == Shutdown::Write => Ok(()),
            State::Listening(id) => {
                let options = self.host.look_mut(|host| host.listener_options(id))?;
                inner.state = State::Unconnected(options);
                drop(inner);
                self.host.call(|host, now| host.stop_listening(now, id));
                Ok(())
            }
            _ => {
                drop(inner);
                Err(Errno::NotConnected.into())
                    .note_failure(|| format!("shutdown of {}", self.local_addr()))
            }
        }
    }

    /// The part of `close(2)` that waits, as `SO_LINGER` says.
    pub(crate) fn poll_lingered(&self, waker: &Waker) -> Poll<()> {
        self.connection().map_or(Poll::Ready(()), |connection| connection.poll_lingered(waker))
    }

    /// `SO_ERROR`.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.connection()?.take_error()
    }

    /// `SO_ACCEPTCONN`.
    pub(crate) fn is_listening(&self) -> bool {
        matches!(self.inner().state, State::Listening(_))
    }

    /// Bytes received that are not read: `FIONREAD`.
    pub(crate) fn recv_queue(&self) -> usize {
        self.connection().map_or(0, |connection| connection.recv_queue())
    }

    /// The state of its connection, or that it listens.
    pub(crate) fn state(&self) -> TcpState {
        match &self.inner().state {
            State::Unconnected(_) => TcpState::Closed,
            State::Listening(_) => TcpState::Listen,
            State::Connecting(connection) | State::Connected(connection) => connection.state(),
        }
    }

    pub(crate) fn is_v6(&self) -> bool {
        self.is_v6
    }

    /// `getsockname(2)`.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        let inner = self.inner();
        match &inner.state {
            State::Connecting(connection) | State::Connected(connection) => connection.local_addr(),
            State::Unconnected(_) | State::Listening(_) => {
                inner.binding.as_ref().map_or(self.unspecified(), |binding| binding.local())
            }
        }
    }

    /// The address it is bound to.
    pub(super) fn bound(&self) -> Option<SocketAddr> {
        self.inner().binding.as_ref().map(|binding| binding.local())
    }

    /// `getpeername(2)`.
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.connection().ok_or(Errno::NotConnected)?.peer_addr()
    }

    /// `TCP_INFO`.
    pub(crate) fn info(&self) -> io::Result<TcpInfo> {
        let listener = match &self.inner().state {
            State::Unconnected(_) => return Ok(TcpInfo::of_closed()),
            State::Connecting(connection) | State::Connected(connection) => {
                return connection.info();
            }
            State::Listening(id) => *id,
        };
        self.host.look(|host| host.listener_info(listener))
    }

    pub(crate) fn options(&self) -> io::Result<TcpOptions> {
        let listener = match &self.inner().state {
            State::Unconnected(options) => return Ok(*options),
            State::Connecting(connection) | State::Connected(connection) => {
                return connection.options();
            }
            State::Listening(id) => *id,
        };
        self.host.look_mut(|host| host.listener_options(listener))
    }

    /// Changes options: all that `change` changes, or nothing when it fails.
    pub(crate) fn change_options(
        &self,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let changed = self.change(change);
        changed.note_failure(|| format!("setsockopt on {}", self.local_addr()))
    }

    fn change(&self, change: impl FnOnce(&mut TcpOptions) -> io::Result<()>) -> io::Result<()> {
        let mut inner = self.inner();
        let Inner { state, binding, .. } = &mut *inner;
        let connection = match state {
            State::Unconnected(options) => {
                let mut new = *options;
                change(&mut new)?;
                *options = new;
                if let Some(binding) = binding {
                    binding.set_reuse(&new);
                }
                return Ok(());
            }
            State::Listening(id) => {
                return self.host.call(|host, _| host.change_listener_options(*id, change));
            }
            State::Connecting(connection) | State::Connected(connection) => connection.clone(),
        };
        drop(inner);
        connection.change_options(change)
    }

    pub(crate) fn only_v6(&self) -> bool {
        self.inner().only_v6
    }

    pub(crate) fn set_only_v6(&self, only_v6: bool) -> io::Result<()> {
        let mut inner = self.inner();
        // What `::` means is settled when the socket is bound.
        if inner.binding.is_some() || !matches!(inner.state, State::Unconnected(_)) {
            return Err(Errno::Invalid.into());
        }
        inner.only_v6 = only_v6;
        Ok(())
    }

    /// Those of an attempt that has failed, or of a new socket when its host has crashed.
    fn options_of(&self, attempt: &Connection) -> TcpOptions {
        attempt.options().unwrap_or_else(|_| self.host.look(|host| host.new_tcp_options()))
    }

    fn unspecified(&self) -> SocketAddr {
        let any: IpAddr =
            if self.is_v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        SocketAddr::new(any, 0)
    }
}

impl Pollable for Endpoint {
    fn readiness(&self) -> Ready {
        let listening = match &self.inner().state {
            // Linux: neither side is open, and nothing keeps a write from failing.
            State::Unconnected(_) => {
                return Ready::WRITABLE | Ready::READ_CLOSED | Ready::WRITE_CLOSED;
            }
            State::Listening(id) => *id,
            State::Connecting(connection) | State::Connected(connection) => {
                return connection.readiness();
            }
        };
        let is_ready = self.host.look(|host| host.has_accepted(listening));
        if is_ready { Ready::READABLE } else { Ready::EMPTY }
    }

    fn wait_for(&self, reading: bool, writing: bool, cx: &mut Context<'_>) -> Ready {
        let listening = match &self.inner().state {
            State::Unconnected(_) => None,
            State::Listening(id) => Some(*id),
            State::Connecting(connection) | State::Connected(connection) => {
                return connection.wait_for(reading, writing, cx);
            }
        };
        if let Some(id) = listening {
            context::waits_for(Wait::Accept { on: self.local_addr() });
            self.host.look_mut(|host| host.wait_to_accept(id, cx.waker()));
        }
        self.readiness()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let State::Listening(id) = inner.state {
            self.host.call(|host, now| host.stop_listening(now, id));
        }
    }
}
