//! A TCP connection, from the first attempt to the close: what the types of `net` hold.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::Ready;

use super::binding::Binding;
use crate::error::Errno;
use crate::host::{FlowId, Host, Readiness, TcpInfo, TcpOptions, TcpState};
use crate::net::failing::NoteFailure;
use crate::net::host_handle::HostHandle;
use crate::net::ready::{Pollable, moves_nothing};
use crate::task::budget;
use crate::task::{Wait, context};

/// A connection, or an attempt to make one. Dropping it closes it.
///
/// A call that cannot be answered yet is pending; it wakes the waker, if there is one, when it
/// should be tried again.
pub(crate) struct Connection {
    host: Arc<HostHandle>,
    flow: FlowId,
    local: SocketAddr,
    peer: SocketAddr,
    /// Of the socket that connected.
    binding: Option<Arc<Binding>>,
}

impl Connection {
    /// Begins to connect, from where the socket is bound or else from an ephemeral port.
    pub(super) fn begin(
        host: &Arc<HostHandle>,
        binding: Option<Arc<Binding>>,
        peer: SocketAddr,
        options: TcpOptions,
    ) -> io::Result<Connection> {
        let peer = or_this_host(peer);
        let bound = binding.as_ref().map(|binding| binding.local());
        let begun = host.call(|host, now| host.connect(now, bound, peer, options));
        let (flow, local) = begun.note_failure(|| format!("connect to {peer}"))?;
        Ok(Connection { host: host.clone(), flow, local, peer, binding })
    }

    /// A connection from an ephemeral port.
    pub(crate) async fn connect(
        host: &Arc<HostHandle>,
        peer: SocketAddr,
    ) -> io::Result<Connection> {
        let options = host.look(|host| host.new_tcp_options());
        Connection::begin(host, None, peer, options)?.established().await
    }

    /// One that a listener has accepted.
    pub(super) fn accepted(
        host: &Arc<HostHandle>,
        flow: FlowId,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> Connection {
        Connection { host: host.clone(), flow, local, peer, binding: None }
    }

    /// Waits until the attempt has succeeded.
    pub(super) async fn established(self) -> io::Result<Connection> {
        poll_fn(|cx| self.poll_established(Some(cx.waker()))).await?;
        Ok(self)
    }

    /// Whether the attempt has succeeded. When it has failed and its error was taken already
    /// (`SO_ERROR`), the error is ECONNABORTED, as on Linux.
    pub(super) fn poll_established(&self, waker: Option<&Waker>) -> Poll<io::Result<()>> {
        let polled = self.host.look_mut(|host| host.poll_connected(self.flow, waker));
        if polled.is_pending() && waker.is_some() {
            context::waits_for(Wait::Connect { to: self.peer });
        }
        polled.note_failure(|| format!("connect to {}", self.peer))
    }

    #[inline]
    pub(crate) fn poll_receive(
        &self,
        buf: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let read = || self.host.call(|host, _| host.poll_read(self.flow, buf, peek, waker));
        let polled = budget::charge(waker, read, |read| peek || moves_nothing(read));
        if polled.is_pending() && waker.is_some() {
            self.waits_to_read();
        }
        polled.note_failure(|| self.reading().to_string())
    }

    /// Receives into one buffer after the other, unless it would have to wait.
    pub(super) fn try_receive_vectored(
        &self,
        bufs: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = self.host.call(|host, _| host.poll_read_vectored(self.flow, bufs, None));
        polled.note_failure(|| self.reading().to_string())
    }

    /// Bytes that a read would get at once.
    pub(super) fn recv_queue(&self) -> usize {
        self.host.look(|host| host.recv_queue(self.flow))
    }

    #[inline]
    pub(crate) fn poll_send(&self, data: &[u8], waker: Option<&Waker>) -> Poll<io::Result<usize>> {
        let write = || self.host.call(|host, now| host.poll_write(now, self.flow, data, waker));
        let polled = budget::charge(waker, write, moves_nothing);
        if polled.is_pending() && waker.is_some() {
            self.waits_to_write();
        }
        polled.note_failure(|| self.writing().to_string())
    }

    pub(super) fn poll_send_vectored(
        &self,
        bufs: &[io::IoSlice<'_>],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let write = |host: &mut Host, now| host.poll_write_vectored(now, self.flow, bufs, waker);
        let polled = budget::charge(waker, || self.host.call(write), moves_nothing);
        if polled.is_pending() && waker.is_some() {
            self.waits_to_write();
        }
        polled.note_failure(|| self.writing().to_string())
    }

    /// Sends all of `data`, however long that takes.
    pub(crate) async fn send_all(&self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let sent = poll_fn(|cx| self.poll_send(data, Some(cx.waker()))).await?;
            data = &data[sent..];
        }
        Ok(())
    }

    /// Fills all of `buf`.
    pub(crate) async fn receive_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            let rest = &mut buf[filled..];
            match poll_fn(|cx| self.poll_receive(rest, false, Some(cx.waker()))).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => filled += len,
            }
        }
        Ok(())
    }

    /// `shutdown(2)`.
    pub(crate) fn shut_down(&self, how: Shutdown) -> io::Result<()> {
        let shut_down = self.host.call(|host, now| host.shut_down(now, self.flow, how));
        shut_down.note_failure(|| format!("shutdown of {} to {}", self.local, self.peer))
    }

    /// Shuts the sending side down. As with tokio, a connection that is over needs no end.
    pub(super) fn shut_down_sending(&self) -> io::Result<()> {
        let shut_down = self.host.call(|host, now| host.shut_down(now, self.flow, Shutdown::Write));
        match shut_down {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            shut_down => {
                shut_down.note_failure(|| format!("shutdown of {} to {}", self.local, self.peer))
            }
        }
    }

    /// Ready when a close need not wait any longer, as `SO_LINGER` says.
    pub(super) fn poll_lingered(&self, waker: &Waker) -> Poll<()> {
        self.host.call(|host, now| host.poll_linger(now, self.flow, waker))
    }

    /// `SO_ERROR`.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.host.call(|host, _| host.take_error(self.flow))
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        if self.host.look(|host| host.has_peer(self.flow)) {
            Ok(self.peer)
        } else {
            Err(Errno::NotConnected.into())
        }
    }

    /// The peer's address, also when the connection is over.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Its state; CLOSED when it is gone.
    pub(crate) fn state(&self) -> TcpState {
        self.host.look(|host| host.tcp_state(self.flow)).unwrap_or(TcpState::Closed)
    }

    /// `TCP_INFO`.
    pub(crate) fn info(&self) -> io::Result<TcpInfo> {
        self.host.look_now(|host, now| host.tcp_info(now, self.flow))
    }

    pub(crate) fn options(&self) -> io::Result<TcpOptions> {
        self.host.look(|host| host.flow_options(self.flow))
    }

    /// Changes options: all that `change` changes, or nothing when it fails.
    pub(crate) fn change_options(
        &self,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let changed = self.host.call(|host, now| {
            host.change_flow_options(now, self.flow, change)?;
            if let Some(binding) = &self.binding {
                let reuse = host.flow_options(self.flow)?.reuse();
                host.set_binding_reuse(binding.local().port(), binding.id(), reuse);
            }
            Ok(())
        });
        changed.note_failure(|| format!("setsockopt on {}", self.local))
    }

    fn waits_to_read(&self) {
        context::waits_for(self.reading());
    }

    fn waits_to_write(&self) {
        context::waits_for(self.writing());
    }

    #[inline]
    fn reading(&self) -> Wait {
        Wait::Read { local: self.local, peer: self.peer }
    }

    #[inline]
    fn writing(&self) -> Wait {
        Wait::Write { local: self.local, peer: self.peer }
    }
}

/// Linux takes 0.0.0.0 and :: for this host.
fn or_this_host(peer: SocketAddr) -> SocketAddr {
    let here: IpAddr = match peer.ip() {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    if peer.ip().is_unspecified() { SocketAddr::new(here, peer.port()) } else { peer }
}

impl Pollable for Connection {
    fn readiness(&self) -> Ready {
        ready(self.host.look(|host| host.readiness(self.flow)))
    }

    fn wait_for(&self, reading: bool, writing: bool, cx: &mut Context<'_>) -> Ready {
        if reading {
            self.waits_to_read();
        }
        if writing {
            self.waits_to_write();
        }
        ready(self.host.look_mut(|host| {
            host.wait_for_readiness(self.flow, reading, writing, cx.waker());
            host.readiness(self.flow)
        }))
    }
}

/// As tokio tells it. There is no urgent data.
fn ready(readiness: Readiness) -> Ready {
    let Readiness { readable, writable, read_closed, write_closed, error } = readiness;
    let set = |is_so: bool, ready: Ready| if is_so { ready } else { Ready::EMPTY };
    set(readable, Ready::READABLE)
        | set(read_closed, Ready::READ_CLOSED)
        | set(writable, Ready::WRITABLE)
        | set(write_closed, Ready::WRITE_CLOSED)
        | set(error, Ready::ERROR)
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.host.call(|host, now| host.close(now, self.flow));
    }
}
