//! What sockets ask for to begin with: `bind`, `listen`, `accept`, `connect`.
//!
//! Nothing here waits: a call that cannot be answered yet remembers whom to wake.

use std::io;
use std::net::SocketAddr;
use std::task::{Poll, Waker};

use super::Tcp;
use super::connection::Owner;
use super::ids::FlowId;
use super::ids::ListenerId;
use super::listener::Listener;
use super::lower::Lower;
use super::output::Output;
use super::tables::Tables;
use super::time_wait::TimeWait;
use crate::error::Errno;
use crate::host::address::{Scope, canonical, mapped, scope_of, socket_addr};
use crate::host::ports::{BindingId, Destination, Reuse};
use crate::host::wakers::Woken;
use crate::tcp::{Engine, Out, TcpOptions, TcpState};
use crate::wire::tcp::FourTuple;

/// A connection handed to the application, with the addresses it keeps for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) flow: FlowId,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl Tcp {
    /// Binds a TCP socket; port 0 takes an ephemeral one. With `only_v6`, `::` does not take IPv4.
    pub(in crate::host) fn bind(
        &mut self,
        lower: &Lower<'_>,
        mut local: SocketAddr,
        reuse: Reuse,
        only_v6: bool,
    ) -> io::Result<(BindingId, SocketAddr)> {
        self.tables.expire_time_waits(lower.ctx.now);
        let address = lower.ip.to_bind(local, only_v6)?;
        let (binding, port) = self.tables.ports.bind(address, local.port(), reuse)?;
        local.set_port(port);
        Ok((binding, local))
    }

    pub(in crate::host) fn unbind(&mut self, port: u16, binding: BindingId) {
        self.tables.ports.unbind(port, binding);
    }

    /// Turns a bound socket into a listener.
    pub(in crate::host) fn listen(
        &mut self,
        local: SocketAddr,
        binding: BindingId,
        backlog: usize,
        options: TcpOptions,
    ) -> io::Result<ListenerId> {
        let address = self.tables.ports.listen(local.port(), binding)?;
        let listener = Listener::new(local, address, binding, backlog, options);
        Ok(self.tables.listeners.insert(listener))
    }

    /// Takes a connection out of the accept queue. Without a waker nobody is told when there is
    /// one.
    pub(in crate::host) fn poll_accept(
        &mut self,
        woken: &mut Woken,
        id: ListenerId,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<Accepted>> {
        let Some(listener) = self.tables.listeners.get_mut(id) else {
            return Poll::Ready(Err(Errno::Invalid.into()));
        };
        while let Some(id) = listener.accept() {
            let Some(connection) = self.connections.get_mut(id) else { continue };
            connection.accept();
            let (mut local, mut remote) = (connection.tuple().local(), connection.tuple().remote());
            if listener.local.is_ipv6() {
                (local, remote) = (mapped(local), mapped(remote));
            }
            return Poll::Ready(Ok(Accepted { flow: id, local, remote }));
        }
        if let Some(waker) = waker {
            listener.wait(waker, woken);
        }
        Poll::Pending
    }

    /// Whether a connection waits in the accept queue, or none can come.
    pub(in crate::host) fn has_accepted(&self, id: ListenerId) -> bool {
        self.tables.listeners.get(id).is_none_or(|listener| listener.queued() > 0)
    }

    /// Wakes `waker` when a connection comes into the accept queue, or the listener ends.
    pub(in crate::host) fn wait_to_accept(
        &mut self,
        woken: &mut Woken,
        id: ListenerId,
        waker: &Waker,
    ) {
        if let Some(listener) = self.tables.listeners.get_mut(id) {
            listener.wait(waker, woken);
        }
    }

    /// `listen(2)` of a listener: it goes on with another backlog.
    pub(in crate::host) fn set_backlog(
        &mut self,
        id: ListenerId,
        backlog: usize,
    ) -> io::Result<()> {
        self.tables.listeners.get_mut(id).ok_or(Errno::Invalid)?.set_backlog(backlog);
        Ok(())
    }

    /// Begins a connection. `bound` is the address and port of a socket that was bound first.
    pub(in crate::host) fn connect(
        &mut self,
        lower: &mut Lower<'_>,
        bound: Option<SocketAddr>,
        remote: SocketAddr,
        options: &TcpOptions,
    ) -> io::Result<(FlowId, SocketAddr)> {
        if bound.is_some_and(|bound| bound.is_ipv4() && remote.is_ipv6()) {
            return Err(Errno::AddressFamilyNotSupported.into());
        }
        match scope_of(remote) {
            Scope::Fine => {}
            Scope::Missing => return Err(Errno::Invalid.into()),
            Scope::Other => return Err(Errno::NetUnreachable.into()),
        }
        if remote.port() == 0 {
            return Err(Errno::ConnRefused.into());
        }
        let is_mapped = remote.is_ipv6();
        let remote = socket_addr(canonical(remote.ip()), remote.port());
        let address = remote.ip();
        if !lower.ip.is_unicast(address) || !lower.ip.is_reachable(address) {
            return Err(Errno::NetUnreachable.into());
        }
        if self.connections.len() >= lower.ctx.options.max_connections {
            return Err(Errno::TooManyOpenFiles.into());
        }
        let granted = self.memory.grant(lower.ctx.options, options);
        let options = &granted.ok_or(Errno::NoBufferSpace)?;
        self.tables.expire_time_waits(lower.ctx.now);
        let local = self.local_end(lower, bound, remote)?;
        let tuple = FourTuple::new(local, remote);
        // Of one in TIME-WAIT, only a higher sequence number tells the peer that this is another.
        let after = match self.tables.end_time_wait(&tuple) {
            Some(record) => Some(record.snd_nxt),
            None => self.tables.recent.snd_nxt(&tuple),
        };
        let buffers = self.buffers.pop();
        let engines = &mut self.engines;
        let engine = Engine::connect(lower.ctx.now, engines, tuple, options, buffers, after);
        let engine = engine.ok_or(Errno::Invalid)?;
        let id = self.insert(lower, tuple, engine, Owner::Application);
        if let Some(connection) = self.connections.get(id) {
            let path = connection.path();
            Output { lower, path }.state_changed(TcpState::Closed, connection.state());
        }
        self.transmit(lower, id);
        Ok((id, if is_mapped { mapped(local) } else { local }))
    }

    fn local_end(
        &mut self,
        lower: &Lower<'_>,
        bound: Option<SocketAddr>,
        remote: SocketAddr,
    ) -> io::Result<SocketAddr> {
        let address = match bound.map(|bound| canonical(bound.ip())) {
            Some(address) if !address.is_unspecified() => address,
            _ => lower.ip.source_for(remote.ip())?,
        };
        if address.is_ipv4() != remote.is_ipv4() {
            return Err(Errno::NetUnreachable.into());
        }
        let with_port = |port| socket_addr(address, port);
        let Tables { demux, time_waits, requests, ports, .. } = &mut self.tables;
        // Linux's `tcp_twsk_unique`: with timestamps, which tell the peer that this is another, a port
        // is used again although its last connection is in TIME-WAIT, if a socket is bound to it or,
        // with `tcp_tw_reuse` of 2, on the loopback. There Linux wants a second in between, but here
        // a loopback takes no time; and an engine without timestamps has a higher sequence number.
        let is_loopback = address.is_loopback() || remote.ip().is_loopback();
        let may_share = |record: &TimeWait| match bound {
            Some(_) => record.timestamps.is_some(),
            None => is_loopback,
        };
        let is_free = |port| {
            let tuple = FourTuple::new(with_port(port), remote);
            demux.get(&tuple).is_none()
                && !requests.contains(&tuple)
                && time_waits.get(&tuple).is_none_or(may_share)
        };
        let port = match bound {
            Some(bound) => Some(bound.port()).filter(|port| is_free(*port)),
            None => {
                let destination = Destination { local: address, remote };
                ports.ephemeral_for(destination, is_free)
            }
        };
        port.map(with_port).ok_or_else(|| Errno::AddrNotAvailable.into())
    }

    /// Waits for the end of the handshake. When the attempt has failed and its error was taken
    /// already (`SO_ERROR`), it is ECONNABORTED, as on Linux.
    pub(in crate::host) fn poll_connected(
        &mut self,
        woken: &mut Woken,
        id: FlowId,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<()>> {
        let Some(connection) = self.connections.get_mut(id) else {
            return Poll::Ready(Err(Errno::ConnReset.into()));
        };
        if let Some(errno) = connection.take_error() {
            return Poll::Ready(Err(errno.into()));
        }
        if connection.state() == TcpState::Closed {
            return Poll::Ready(Err(Errno::ConnAborted.into()));
        }
        if connection.state().is_opening() {
            connection.wait_to_write(waker, woken);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// `SO_ERROR`: why the connection, or the attempt, ended, until a call has said so.
    pub(in crate::host) fn take_error(&mut self, id: FlowId) -> Option<io::Error> {
        let errno = self.connections.get_mut(id)?.take_error()?;
        Some(errno.into())
    }

    /// Whether a connection has a peer: not before the handshake, and not when it is over, as
    /// `getpeername(2)` has it.
    pub(in crate::host) fn has_peer(&self, id: FlowId) -> bool {
        self.connections.get(id).is_some_and(|connection| {
            !connection.is_over() && connection.state() != TcpState::SynSent
        })
    }
}
