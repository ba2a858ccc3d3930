//! The ends of connections and listeners that the application chooses: `close(2)`, `shutdown(2)`, a
//! close that waits, and resets.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::task::{Poll, Waker};

use super::Tcp;
use super::connection::{Connection, Owner};
use super::ids::FlowId;
use super::ids::ListenerId;
use super::lower::Lower;
use super::memory::Memory;
use super::output::Output;
use crate::clock::nanos;
use crate::error::Errno;
use crate::host::ip::NextHop;
use crate::host::ports::BindingId;
use crate::host::wakers::Woken;
use crate::tcp::{Env, TcpState};

impl Tcp {
    /// The application lets go of a connection: `close(2)`.
    pub(in crate::host) fn close(&mut self, lower: &mut Lower<'_>, id: FlowId) {
        let Tcp { connections, tables, engines, .. } = self;
        let Some(connection) = connections.get_mut(id) else { return };
        tables.orphan(connection);
        let unread = connection.engine.recv_queue() > 0;
        let resets = connection.options().resets_on_close();
        let fin_sent = connection.engine.has_sent_fin();
        let (state, detached) = (connection.state(), connection.is_detached());
        let now = lower.ctx.now;
        let (engine, path) = connection.parts();
        let mut out = Output { lower, path };
        match state {
            _ if detached => {}
            // RFC 9293 3.10.4: nothing was agreed, so there is nobody to tell.
            TcpState::SynSent | TcpState::Listen | TcpState::Closed => engine.end(&mut out),
            // Linux has nothing to say when its FIN has left already.
            TcpState::Closing | TcpState::LastAck if !unread && resets && fin_sent => {
                engine.end(&mut out);
            }
            // RFC 2525 2.17: unread data would be lost without a word.
            _ if unread || resets => {
                let mib = &mut out.lower.ctx.mib.tcp;
                let aborts =
                    if unread { &mut mib.aborts_on_close } else { &mut mib.aborts_on_data };
                *aborts += 1;
                engine.abort_after_sending();
            }
            _ => {
                engine.close(&mut Env { now, shared: engines, out: &mut out });
                connection.shut_down_sending();
            }
        }
        if connection.engine.is_over() {
            tables.detach(connection);
        }
        self.transmit(lower, id);
    }

    /// `shutdown(2)`. Of the sending side: the peer reads the end of the stream after what was
    /// written. Of the receiving side: reading gives 0 instead of waiting, at once for whoever
    /// waits; data that still arrives can be read all the same, as on Linux.
    pub(in crate::host) fn shut_down(
        &mut self,
        lower: &mut Lower<'_>,
        id: FlowId,
        how: Shutdown,
    ) -> io::Result<()> {
        let connection = self.connections.get_mut(id).ok_or(Errno::NotConnected)?;
        if connection.is_over() {
            return Err(Errno::NotConnected.into());
        }
        if connection.state() == TcpState::SynSent {
            // Linux gives the attempt up.
            self.end(lower, id, Some(Errno::ConnReset));
            return Ok(());
        }
        if how != Shutdown::Write {
            connection.shut_down_receiving();
        }
        let finish = how != Shutdown::Read && connection.shut_down_sending();
        connection.wake(lower.ctx.woken);
        if finish {
            self.send_fin(lower, id);
        }
        Ok(())
    }

    /// The part of a close that `SO_LINGER` lets wait: ready when everything written, and the
    /// FIN, is acknowledged, or when the linger time is over. Then the caller closes; what is not
    /// delivered by then is delivered in the background, as on Linux.
    pub(in crate::host) fn poll_linger(
        &mut self,
        lower: &mut Lower<'_>,
        id: FlowId,
        waker: &Waker,
    ) -> Poll<()> {
        let Some(connection) = self.connections.get_mut(id) else { return Poll::Ready(()) };
        let linger = connection.options().linger().filter(|time| !time.is_zero());
        let unread = connection.engine.recv_queue() > 0;
        let over = connection.is_over() || connection.state() == TcpState::SynSent;
        let Some(linger) = linger.filter(|_| !over && !unread) else { return Poll::Ready(()) };
        let until = connection.linger_until(lower.ctx.now.saturating_add(nanos(linger)));
        if connection.shut_down_sending() {
            self.send_fin(lower, id);
        }
        let Some(connection) = self.connections.get_mut(id) else { return Poll::Ready(()) };
        let delivered = !matches!(
            connection.state(),
            TcpState::SynReceived | TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck
        );
        if delivered || until <= lower.ctx.now {
            return Poll::Ready(());
        }
        connection.wait_to_write(Some(waker), lower.ctx.woken);
        self.connections.mark_dirty(id);
        Poll::Pending
    }

    /// Sends a FIN, with the last of what is queued or, when all has left, in a segment of its own.
    fn send_fin(&mut self, lower: &mut Lower<'_>, id: FlowId) {
        let Tcp { connections, engines, .. } = self;
        let Some(connection) = connections.get_mut(id) else { return };
        let now = lower.ctx.now;
        let (engine, path) = connection.parts();
        let mut out = Output { lower, path };
        engine.close(&mut Env { now, shared: engines, out: &mut out });
        self.transmit(lower, id);
    }

    /// Ends a listener, by `shutdown(2)` or `close(2)`: who waits for a connection is told that it
    /// listens no more (EINVAL), and what nobody accepted is reset (RFC 9293 3.10.4;
    /// `inet_csk_listen_stop`). The socket stays bound.
    pub(in crate::host) fn stop_listening(
        &mut self,
        lower: &mut Lower<'_>,
        id: ListenerId,
    ) -> Option<(BindingId, SocketAddr)> {
        let mut listener = self.tables.listeners.remove(id)?;
        let bound = (listener.binding, listener.local);
        self.tables.ports.stop_listening(bound.1.port(), bound.0);
        listener.wake_all(lower.ctx.woken);
        for connection in listener.into_queue() {
            self.reset(lower, connection);
        }
        // Linux forgets half-open connections silently; an ACK that still comes meets a closed
        // port and is answered with a RST.
        self.forget_requests(lower, Some(id), false);
        let is_half_open = |connection: &Connection| connection.owner() == Owner::Listener(id);
        for id in self.connections.ids_of(is_half_open) {
            if let Some(connection) = self.connections.get_mut(id) {
                self.tables.orphan(connection);
            }
            self.end(lower, id, None);
        }
        Some(bound)
    }

    /// Resets every connection that is still open: nobody will answer for it any more.
    pub(in crate::host) fn reset_connections(&mut self, lower: &mut Lower<'_>) {
        for id in self.connections.ids_of(|_| true) {
            self.reset(lower, id);
        }
        self.forget_requests(lower, None, true);
    }

    /// Attempts to connect by way of a neighbour that does not answer fail with EHOSTUNREACH. What
    /// is established goes on trying, as on Linux.
    pub(in crate::host) fn neighbor_unreachable(
        &mut self,
        lower: &mut Lower<'_>,
        next_hop: NextHop,
    ) {
        let is_concerned = |connection: &Connection| {
            connection.next_hop() == Some(next_hop) && connection.state() == TcpState::SynSent
        };
        for id in self.connections.ids_of(is_concerned) {
            self.end(lower, id, Some(Errno::HostUnreachable));
        }
    }

    /// The power goes: every connection and listener is gone, and no peer is told. Whoever waits for
    /// one finds it dead.
    pub(in crate::host) fn crash(&mut self, woken: &mut Woken) {
        for connection in self.connections.iter_mut() {
            connection.wake_all(woken);
        }
        self.tables.listeners.wake_all(woken);
        self.connections.forget_everything();
        self.tables.forget_everything();
        self.memory = Memory::default();
    }

    fn reset(&mut self, lower: &mut Lower<'_>, id: FlowId) {
        let Tcp { connections, tables, .. } = self;
        let Some(connection) = connections.get_mut(id) else { return };
        if connection.owner() != Owner::Nobody {
            tables.orphan(connection);
        }
        let detached = connection.is_detached();
        let (engine, path) = connection.parts();
        if !detached {
            engine.abort(&mut Output { lower, path });
        }
        self.release_if_over(lower, id);
        self.connections.mark_dirty(id);
    }

    /// Ends a connection without a word to the peer.
    fn end(&mut self, lower: &mut Lower<'_>, id: FlowId, errno: Option<Errno>) {
        let Tcp { connections, tables, .. } = self;
        let Some(connection) = connections.get_mut(id) else { return };
        let (engine, path) = connection.parts();
        engine.end(&mut Output { lower, path });
        if let Some(errno) = errno {
            connection.fail(errno);
        }
        tables.detach(connection);
        connection.wake(lower.ctx.woken);
        self.release_if_over(lower, id);
    }
}
