//! What sockets ask of the host's TCP: each is one of [`Tcp`](super::tcp::Tcp)'s.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::task::{Poll, Waker};

use super::host::Host;
use super::ports::{BindingId, Reuse};
use super::tcp::{Accepted, FlowId, ListenerId, Readiness};
use crate::tcp::{TcpInfo, TcpOptions, TcpState};

impl Host {
    // ---- Sockets and listeners --------------------------------------------------------------

    /// Binds a TCP socket; port 0 takes an ephemeral one. With `only_v6`, `::` does not take IPv4.
    pub(crate) fn bind(
        &mut self,
        now: u64,
        local: SocketAddr,
        reuse: Reuse,
        only_v6: bool,
    ) -> io::Result<(BindingId, SocketAddr)> {
        let (tcp, lower) = self.tcp_in_call(now);
        tcp.bind(&lower, local, reuse, only_v6)
    }

    pub(crate) fn unbind(&mut self, port: u16, binding: BindingId) {
        self.tcp.unbind(port, binding);
    }

    /// Turns a bound socket into a listener.
    pub(crate) fn listen(
        &mut self,
        local: SocketAddr,
        binding: BindingId,
        backlog: usize,
        options: TcpOptions,
    ) -> io::Result<ListenerId> {
        self.tcp.listen(local, binding, backlog, options)
    }

    /// Takes a connection out of the accept queue. Without a waker nobody is told when there is
    /// one.
    pub(crate) fn poll_accept(
        &mut self,
        id: ListenerId,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<Accepted>> {
        self.tcp.poll_accept(&mut self.io.woken, id, waker)
    }

    /// Whether a connection waits in the accept queue.
    pub(crate) fn has_accepted(&self, id: ListenerId) -> bool {
        self.tcp.has_accepted(id)
    }

    /// Wakes `waker` when a connection comes into the accept queue, or the listener ends.
    pub(crate) fn wait_to_accept(&mut self, id: ListenerId, waker: &Waker) {
        self.tcp.wait_to_accept(&mut self.io.woken, id, waker);
    }

    /// `listen(2)` of a listener: it goes on with another backlog.
    pub(crate) fn set_backlog(&mut self, id: ListenerId, backlog: usize) -> io::Result<()> {
        self.tcp.set_backlog(id, backlog)
    }

    /// Ends a listener, by `shutdown(2)` or `close(2)`: what nobody accepted is reset. The socket
    /// stays bound.
    pub(crate) fn stop_listening(
        &mut self,
        now: u64,
        id: ListenerId,
    ) -> Option<(BindingId, SocketAddr)> {
        let (tcp, mut lower) = self.tcp_in_call(now);
        tcp.stop_listening(&mut lower, id)
    }

    // ---- Connections ------------------------------------------------------------------------

    /// Begins a connection. `bound` is the address and port of a socket that was bound first.
    pub(crate) fn connect(
        &mut self,
        now: u64,
        bound: Option<SocketAddr>,
        remote: SocketAddr,
        options: TcpOptions,
    ) -> io::Result<(FlowId, SocketAddr)> {
        let (tcp, mut lower) = self.tcp_in_call(now);
        tcp.connect(&mut lower, bound, remote, &options)
    }

    /// Waits for the end of the handshake.
    pub(crate) fn poll_connected(
        &mut self,
        id: FlowId,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<()>> {
        self.tcp.poll_connected(&mut self.io.woken, id, waker)
    }

    /// Reads into `buffer`, or only looks when `peek`. 0 is the end of the stream.
    #[inline]
    pub(crate) fn poll_read(
        &mut self,
        id: FlowId,
        buffer: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        self.tcp.poll_read(&mut self.io.woken, id, buffer, peek, waker)
    }

    /// Reads into one buffer after the other; as [`Host::poll_read`] otherwise.
    pub(crate) fn poll_read_vectored(
        &mut self,
        id: FlowId,
        buffers: &mut [IoSliceMut<'_>],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        self.tcp.poll_read_vectored(&mut self.io.woken, id, buffers, waker)
    }

    /// Bytes that a read would get at once.
    pub(crate) fn recv_queue(&self, id: FlowId) -> usize {
        self.tcp.recv_queue(id)
    }

    /// Takes bytes to be sent, as many as there is room for, and sends what Nagle's algorithm and
    /// the windows let go at once.
    #[inline]
    pub(crate) fn poll_write(
        &mut self,
        now: u64,
        id: FlowId,
        data: &[u8],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let (tcp, mut lower) = self.tcp_in_call(now);
        tcp.poll_write(&mut lower, id, [data].into_iter(), waker)
    }

    /// Writes one buffer after the other, as one write; as [`Host::poll_write`] otherwise.
    pub(crate) fn poll_write_vectored(
        &mut self,
        now: u64,
        id: FlowId,
        buffers: &[IoSlice<'_>],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let (tcp, mut lower) = self.tcp_in_call(now);
        tcp.poll_write(&mut lower, id, buffers.iter().map(|buffer| &**buffer), waker)
    }

    /// `close(2)`.
    pub(crate) fn close(&mut self, now: u64, id: FlowId) {
        let (tcp, mut lower) = self.tcp_in_call(now);
        tcp.close(&mut lower, id);
    }

    /// `shutdown(2)`.
    pub(crate) fn shut_down(&mut self, now: u64, id: FlowId, how: Shutdown) -> io::Result<()> {
        let (tcp, mut lower) = self.tcp_in_call(now);
        tcp.shut_down(&mut lower, id, how)
    }

    /// The part of a close that `SO_LINGER` lets wait.
    pub(crate) fn poll_linger(&mut self, now: u64, id: FlowId, waker: &Waker) -> Poll<()> {
        let (tcp, mut lower) = self.tcp_in_call(now);
        tcp.poll_linger(&mut lower, id, waker)
    }

    /// Resets every connection that is still open: nobody will answer for it any more.
    pub(crate) fn reset_connections(&mut self, now: u64) {
        let (tcp, mut lower) = self.tcp_in_call(now);
        tcp.reset_connections(&mut lower);
    }

    /// `SO_ERROR`: why the connection, or the attempt, ended, until a call has said so.
    pub(crate) fn take_error(&mut self, id: FlowId) -> Option<io::Error> {
        self.tcp.take_error(id)
    }

    /// Whether a connection has a peer, as `getpeername(2)` has it.
    pub(crate) fn has_peer(&self, id: FlowId) -> bool {
        self.tcp.has_peer(id)
    }

    // ---- Readiness --------------------------------------------------------------------------

    /// The state of a connection; `None` when it is gone.
    pub(crate) fn tcp_state(&self, id: FlowId) -> Option<TcpState> {
        self.tcp.state(id)
    }

    /// What a connection is ready for. One that is gone is ready for everything.
    pub(crate) fn readiness(&self, id: FlowId) -> Readiness {
        self.tcp.readiness(id)
    }

    /// Wakes `waker` when something changes of what a connection is ready for.
    pub(crate) fn wait_for_readiness(
        &mut self,
        id: FlowId,
        reading: bool,
        writing: bool,
        waker: &Waker,
    ) {
        self.tcp.wait_for_readiness(&mut self.io.woken, id, reading, writing, waker);
    }

    // ---- Options ----------------------------------------------------------------------------

    /// The options of a new socket.
    pub(crate) fn new_tcp_options(&self) -> TcpOptions {
        self.options.tcp()
    }

    /// The options of a connection, for as long as the application holds it.
    pub(crate) fn flow_options(&self, id: FlowId) -> io::Result<TcpOptions> {
        self.tcp.options(id)
    }

    /// Changes the options of a connection. All that `change` changes is in force at once, or
    /// nothing is; sizes of buffers cannot change any more.
    pub(crate) fn change_flow_options(
        &mut self,
        now: u64,
        id: FlowId,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let (tcp, mut lower) = self.tcp_in_call(now);
        tcp.change_options(&mut lower, id, change)
    }

    /// What a connection tells of itself, for as long as the application holds it.
    pub(crate) fn tcp_info(&self, now: u64, id: FlowId) -> io::Result<TcpInfo> {
        self.tcp.info(now, id)
    }

    /// What a listener tells of itself.
    pub(crate) fn listener_info(&self, id: ListenerId) -> io::Result<TcpInfo> {
        self.tcp.listener_info(id)
    }

    /// The options of a listener.
    pub(crate) fn listener_options(&mut self, id: ListenerId) -> io::Result<TcpOptions> {
        self.tcp.listener_options(id)
    }

    /// Changes the options with which the connections of a listener begin.
    pub(crate) fn change_listener_options(
        &mut self,
        id: ListenerId,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        self.tcp.change_listener_options(id, change)
    }

    /// A bound socket changes who may share its address and port.
    pub(crate) fn set_binding_reuse(&mut self, port: u16, binding: BindingId, reuse: Reuse) {
        self.tcp.set_binding_reuse(port, binding, reuse);
    }
}
