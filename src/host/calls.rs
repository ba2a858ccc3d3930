//! What sockets ask of their host.
//!
//! Nothing here waits: a call that cannot be answered yet remembers whom to wake.

use std::io;
use std::net::SocketAddr;
use std::task::{Poll, Waker};

use super::address::{Scope, canonical, mapped, scope_of, socket_addr};
use super::flow::{Flow, FlowId, Owner};
use super::listener::{Listener, ListenerId};
use super::ports::{BindingId, Reuse};
use super::repair;
use super::stack::{Host, handshake_timeout, nanos};
use super::state::TcpState;
use super::tcp_options::TcpOptions;
use crate::error::Errno;
use crate::wire::tcp::FourTuple;

/// A connection handed to the application, with the addresses it keeps for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) flow: FlowId,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl Host {
    /// Binds a TCP socket; port 0 takes an ephemeral one.
    pub(crate) fn bind(
        &mut self,
        now: u64,
        local: SocketAddr,
        reuse: Reuse,
    ) -> io::Result<(BindingId, SocketAddr)> {
        self.bind_only_v6(now, local, reuse, false)
    }

    /// As [`Host::bind`]; with `only_v6`, `::` does not take IPv4.
    pub(crate) fn bind_only_v6(
        &mut self,
        now: u64,
        mut local: SocketAddr,
        reuse: Reuse,
        only_v6: bool,
    ) -> io::Result<(BindingId, SocketAddr)> {
        self.expire_time_waits(now);
        let address = self.ip.to_bind(local, only_v6)?;
        let (binding, port) = self.ports.bind(address, local.port(), reuse)?;
        local.set_port(port);
        Ok((binding, local))
    }

    pub(crate) fn unbind(&mut self, port: u16, binding: BindingId) {
        self.ports.unbind(port, binding);
    }

    /// Turns a bound socket into a listener, which holds the binding from then on.
    pub(crate) fn listen(
        &mut self,
        local: SocketAddr,
        binding: BindingId,
        backlog: usize,
        options: TcpOptions,
    ) -> io::Result<ListenerId> {
        let address = self.ports.listen(local.port(), binding)?;
        Ok(self.listeners.insert(Listener::new(local, address, binding, backlog, options)))
    }

    /// Takes a connection out of the accept queue. Without a waker nobody is told when there is
    /// one.
    pub(crate) fn poll_accept(
        &mut self,
        id: ListenerId,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<Accepted>> {
        let Some(listener) = self.listeners.get_mut(id) else {
            return Poll::Ready(Err(Errno::Invalid.into()));
        };
        while let Some(flow_id) = listener.accept() {
            let slot = &mut self.flows[flow_id.index as usize];
            if let Some(flow) = slot.flow.as_deref_mut() {
                flow.owner = Owner::Application;
                let (mut local, mut remote) = (flow.tuple.local(), flow.tuple.remote());
                if listener.local.is_ipv6() {
                    (local, remote) = (mapped(local), mapped(remote));
                }
                return Poll::Ready(Ok(Accepted { flow: flow_id, local, remote }));
            }
        }
        if let Some(waker) = waker {
            listener.wait(waker, &mut self.io.woken);
        }
        Poll::Pending
    }

    /// Ends a listener: what nobody accepted is reset (RFC 9293 3.10.4; `inet_csk_listen_stop`).
    pub(crate) fn close_listener(&mut self, id: ListenerId) {
        if let Some((binding, local)) = self.stop_listening(id) {
            self.ports.unbind(local.port(), binding);
        }
    }

    /// `shutdown(2)` of a listener: who waits for a connection is told that it listens no more
    /// (EINVAL), and what nobody accepted is reset. The socket stays bound.
    pub(crate) fn stop_listening(&mut self, id: ListenerId) -> Option<(BindingId, SocketAddr)> {
        let mut listener = self.listeners.remove(id)?;
        let bound = (listener.binding, listener.local);
        self.ports.stop_listening(bound.1.port(), bound.0);
        listener.wake_all(&mut self.io.woken);
        for flow in listener.into_queue() {
            self.reset(flow);
        }
        // Linux forgets half-open connections silently; an ACK that still comes meets a closed
        // port and is answered with a RST.
        for index in 0..self.flows.len() {
            let half_open = self.flows[index]
                .flow
                .as_ref()
                .is_some_and(|flow| flow.owner == Owner::Listener(id));
            if half_open && let Some(mut flow) = self.flows[index].flow.take() {
                self.orphan(&mut flow);
                self.set_state(&mut flow, TcpState::Closed);
                self.retire(&mut flow);
                let id = self.demand_id(index);
                self.put_back(id, flow);
            }
        }
        Some(bound)
    }

    /// `listen(2)` of a listener: it goes on with another backlog.
    pub(crate) fn set_backlog(&mut self, id: ListenerId, backlog: usize) -> io::Result<()> {
        self.listeners.get_mut(id).ok_or(Errno::Invalid)?.set_backlog(backlog);
        Ok(())
    }

    /// Begins a connection. `bound` is the address and port of a socket that was bound first.
    pub(crate) fn connect(
        &mut self,
        now: u64,
        bound: Option<SocketAddr>,
        remote: SocketAddr,
        options: TcpOptions,
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
        if !self.ip.is_unicast(address) || !self.ip.is_reachable(address) {
            return Err(Errno::NetUnreachable.into());
        }
        if self.open_flows >= self.options.max_connections {
            return Err(Errno::TooManyOpenFiles.into());
        }
        self.expire_time_waits(now);
        let local = self.local_end(bound, remote)?;
        let tuple = FourTuple::new(local, remote);
        let mut engine = self.new_engine(&options);
        let connected = match self.recent.snd_max(&tuple) {
            None => engine.connect(self.interface.context(), &tuple).map(|()| None),
            Some(after) => {
                let mtu = self.options.mtu;
                engine.connect_after(&mut self.interface, now, mtu, &tuple, after)
            }
        };
        let Ok(syn) = connected else { return Err(Errno::Invalid.into()) };
        let mut flow = Flow::new(tuple, engine, Owner::Application, options);
        flow.syn = syn;
        flow.give_up_at = Some(now.saturating_add(handshake_timeout(self.options.syn_retries)));
        self.set_state(&mut flow, TcpState::SynSent);
        let id = self.insert_flow(now, flow);
        self.transmit(now, id);
        Ok((id, if is_mapped { mapped(local) } else { local }))
    }

    fn local_end(
        &mut self,
        bound: Option<SocketAddr>,
        remote: SocketAddr,
    ) -> io::Result<SocketAddr> {
        let address = match bound.map(|bound| canonical(bound.ip())) {
            Some(address) if !address.is_unspecified() => address,
            _ => self.ip.source_for(remote.ip())?,
        };
        if address.is_ipv4() != remote.is_ipv4() {
            return Err(Errno::NetUnreachable.into());
        }
        let with_port = |port| socket_addr(address, port);
        let (demux, time_waits) = (&self.demux, &self.time_waits);
        let is_free = |port| {
            let tuple = FourTuple::new(with_port(port), remote);
            demux.get(&tuple).is_none() && !time_waits.contains(&tuple)
        };
        let port = match bound {
            Some(bound) => Some(bound.port()).filter(|port| is_free(*port)),
            None => self.ports.ephemeral_for(is_free),
        };
        port.map(with_port).ok_or_else(|| Errno::AddrNotAvailable.into())
    }

    /// Waits for the end of the handshake. When the attempt has failed and its error was taken
    /// already (`SO_ERROR`), it is ECONNABORTED, as on Linux.
    pub(crate) fn poll_connected(
        &mut self,
        id: FlowId,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<()>> {
        let Some(flow) = self.flow_mut(id) else {
            return Poll::Ready(Err(Errno::ConnReset.into()));
        };
        if let Some(errno) = flow.error.take() {
            return Poll::Ready(Err(errno.into()));
        }
        if flow.state == TcpState::Closed {
            return Poll::Ready(Err(Errno::ConnAborted.into()));
        }
        if flow.state.is_opening() {
            self.wait_to_write(id, waker);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads into `buffer`, or only looks when `peek`. 0 is the end of the stream.
    pub(crate) fn poll_read(
        &mut self,
        id: FlowId,
        buffer: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let Some(flow) = self.flow_mut(id) else {
            return Poll::Ready(Err(Errno::ConnReset.into()));
        };
        let len = flow.engine.socket_mut(|socket| {
            if peek { socket.peek_slice(buffer) } else { socket.recv_slice(buffer) }
        });
        match len {
            Ok(len) if len > 0 || buffer.is_empty() => {
                if !peek {
                    flow.sequences.read = flow.sequences.read.wrapping_add(len as u32);
                    if flow.owes_window_update() {
                        self.mark_dirty(id);
                    }
                }
                return Poll::Ready(Ok(len));
            }
            _ => {}
        }
        // Linux's SOCK_DONE: after the peer's FIN a read gives 0 whatever comes later.
        if flow.fin_received {
            return Poll::Ready(Ok(0));
        }
        if let Some(errno) = flow.error.take() {
            return Poll::Ready(Err(errno.into()));
        }
        if flow.state == TcpState::Closed || flow.receiving_shut_down {
            return Poll::Ready(Ok(0));
        }
        self.wait_to_read(id, waker);
        Poll::Pending
    }

    /// Takes bytes to be sent, as many as there is room for, and sends what Nagle's algorithm and
    /// the windows let go at once.
    pub(crate) fn poll_write(
        &mut self,
        now: u64,
        id: FlowId,
        data: &[u8],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        self.poll_write_all(now, id, [data].into_iter(), waker)
    }

    /// Octets that a read would get at once.
    pub(crate) fn recv_queue(&self, id: FlowId) -> usize {
        self.flow(id).map_or(0, |flow| flow.recv_queue() as usize)
    }

    /// The application lets go of a connection: `close(2)`.
    pub(crate) fn close(&mut self, now: u64, id: FlowId) {
        let Some(mut flow) = self.take_flow(id) else { return };
        self.orphan(&mut flow);
        let unread = flow.recv_queue() > 0;
        let (resets, fin_sent) = (flow.options.resets_on_close(), flow.sequences.fin.is_some());
        match flow.state {
            _ if flow.detached => {}
            // RFC 9293 3.10.4: nothing was agreed, so there is nobody to tell.
            TcpState::SynSent | TcpState::Listen | TcpState::Closed => {
                self.set_state(&mut flow, TcpState::Closed);
                self.retire(&mut flow);
            }
            // Linux has nothing to say when its FIN has left already.
            TcpState::Closing | TcpState::LastAck if !unread && resets && fin_sent => {
                self.set_state(&mut flow, TcpState::Closed);
                self.retire(&mut flow);
            }
            // RFC 2525 2.17: unread data would be lost without a word.
            _ if unread || resets => flow.abort_pending = true,
            _ => {
                flow.sending_shut_down = true;
                self.finish(&mut flow);
                if flow.state == TcpState::FinWait2 {
                    flow.give_up_at = Some(now.saturating_add(nanos(self.options.fin_timeout)));
                }
            }
        }
        self.transmit_and_put_back(now, id, flow);
    }

    /// Resets a connection.
    fn reset(&mut self, id: FlowId) {
        let Some(mut flow) = self.take_flow(id) else { return };
        if flow.owner != Owner::Nobody {
            self.orphan(&mut flow);
        }
        if !flow.detached {
            self.set_state(&mut flow, TcpState::Closed);
            flow.engine.socket_mut(|socket| socket.abort());
        }
        self.put_back(id, flow);
        self.mark_dirty(id);
    }

    /// Sends a FIN, with the last of what is queued or, when all has left, in a segment of its own.
    pub(super) fn send_fin(&mut self, now: u64, id: FlowId) {
        let Some(mut flow) = self.take_flow(id) else { return };
        self.finish(&mut flow);
        self.transmit_and_put_back(now, id, flow);
    }

    /// Nothing more will be written.
    fn finish(&mut self, flow: &mut Flow) {
        if self.repairs.early_close && repair::must_defer_close(flow.state) {
            flow.close_pending = true;
        } else {
            self.tell_engine_of_close(flow);
        }
    }

    /// `SO_ERROR`: why the connection, or the attempt, ended, until a call has said so.
    pub(crate) fn take_error(&mut self, id: FlowId) -> Option<io::Error> {
        let errno = self.flow_mut(id)?.error.take()?;
        Some(errno.into())
    }

    /// Resets every connection that is still open: nobody will answer for it any more.
    pub(crate) fn reset_connections(&mut self) {
        for index in 0..self.flows.len() {
            if self.flows[index].flow.is_some() {
                self.reset(self.demand_id(index));
            }
        }
    }

    /// The power goes: every connection and listener is gone, and no peer is told. Who waits for a
    /// socket of this host and is no task of it, which may be another thread, finds it dead.
    pub(crate) fn crash(&mut self) {
        for slot in &mut self.flows {
            if let Some(flow) = &mut slot.flow {
                flow.readers.wake_all(&mut self.io.woken);
                flow.writers.wake_all(&mut self.io.woken);
            }
        }
        self.listeners.wake_all(&mut self.io.woken);
        self.unix.crash();
        let (udp, woken) = self.udp_mut();
        udp.crash(woken);
        self.forget_everything();
    }
}
