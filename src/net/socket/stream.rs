//! A socket that speaks TCP, in whatever state it is.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::error::Errno;
use crate::host::{BindingId, FlowId, HostHandle, ListenerId, TcpOptions};
use crate::net::tcp::or_this_host;
use crate::task::context::{self, Wait};

pub(super) struct StreamSocket {
    host: Arc<HostHandle>,
    is_v6: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    state: State,
    /// What it was bound to, until it listens: then the listener holds it.
    binding: Option<(BindingId, SocketAddr)>,
    only_v6: bool,
    /// Those of a connection or a listener are the host's to keep; these are what a socket has
    /// before, and again after an attempt to connect has failed.
    options: TcpOptions,
}

#[derive(Clone, Copy)]
enum State {
    Idle,
    Listening { id: ListenerId, local: SocketAddr },
    Connecting { id: FlowId, ends: Ends },
    Connected { id: FlowId, ends: Ends },
}

#[derive(Clone, Copy)]
struct Ends {
    local: SocketAddr,
    peer: SocketAddr,
}

impl StreamSocket {
    pub(super) fn new(host: Arc<HostHandle>, is_v6: bool) -> StreamSocket {
        let options = host.look(|host| host.new_tcp_options());
        let inner = Inner { state: State::Idle, binding: None, only_v6: false, options };
        StreamSocket { host, is_v6, inner: Mutex::new(inner) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bind(&self, address: SocketAddr) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.binding.is_some() || !matches!(inner.state, State::Idle) {
            return Err(Errno::Invalid.into());
        }
        inner.binding = Some(self.host.call(|host, now| {
            host.bind_only_v6(now, address, inner.options.reuse(), inner.only_v6)
        })?);
        Ok(())
    }

    pub(super) fn listen(&self, backlog: u32) -> io::Result<()> {
        let mut inner = self.inner();
        match inner.state {
            State::Listening { id, .. } => {
                return self.host.call(|host, _| host.set_backlog(id, backlog as usize));
            }
            State::Connecting { .. } | State::Connected { .. } => {
                return Err(Errno::Invalid.into());
            }
            State::Idle => {}
        }
        if inner.binding.is_none() {
            drop(inner);
            self.bind(self.unbound())?;
            inner = self.inner();
        }
        let Some((binding, local)) = inner.binding else { return Err(Errno::Invalid.into()) };
        let options = inner.options;
        let id =
            self.host.call(|host, _| host.listen(local, binding, backlog as usize, options))?;
        inner.binding = None;
        inner.state = State::Listening { id, local };
        Ok(())
    }

    /// Takes a connection out of the accept queue.
    pub(super) fn poll_accept(
        &self,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<(StreamSocket, SocketAddr)>> {
        let inner = self.inner();
        let State::Listening { id, local } = inner.state else {
            return Poll::Ready(Err(Errno::Invalid.into()));
        };
        let polled = self.host.look_mut(|host| host.poll_accept(id, waker));
        if polled.is_pending() && waker.is_some() {
            context::waits_for(Wait::Accept { on: local });
        }
        polled.map_ok(|accepted| {
            let ends = Ends { local: accepted.local, peer: accepted.remote };
            let options = self.host.look(|host| host.flow_options(accepted.flow));
            let inner = Inner {
                state: State::Connected { id: accepted.flow, ends },
                binding: None,
                only_v6: inner.only_v6,
                options: options.unwrap_or(inner.options),
            };
            let socket = StreamSocket {
                host: self.host.clone(),
                is_v6: self.is_v6,
                inner: Mutex::new(inner),
            };
            (socket, accepted.remote)
        })
    }

    /// `connect(2)`: begins to connect unless that has begun. `may_wait` says that the caller
    /// comes back until it is done.
    pub(super) fn poll_connect(
        &self,
        peer: SocketAddr,
        begun: &mut bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        let (id, ends) = match inner.state {
            State::Listening { .. } | State::Connected { .. } => {
                return Poll::Ready(Err(Errno::IsConnected.into()));
            }
            State::Connecting { id, ends } => (id, ends),
            State::Idle => {
                let peer = or_this_host(peer);
                let (bound, options) = (inner.binding.map(|(_, local)| local), inner.options);
                let connected = self.host.call(|host, now| host.connect(now, bound, peer, options));
                let (id, local) = match connected {
                    Ok(connected) => connected,
                    Err(error) => return Poll::Ready(Err(error)),
                };
                *begun = true;
                let ends = Ends { local, peer };
                inner.state = State::Connecting { id, ends };
                (id, ends)
            }
        };
        match self.host.look_mut(|host| host.poll_connected(id, waker)) {
            Poll::Ready(Ok(())) => {
                inner.state = State::Connected { id, ends };
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.give_up(&mut inner, id);
                Poll::Ready(Err(error))
            }
            Poll::Pending if waker.is_some() => {
                context::waits_for(Wait::Connect { to: ends.peer });
                Poll::Pending
            }
            // `connect(2)`: EALREADY, when this call did not begin it.
            Poll::Pending if !*begun => Poll::Ready(Err(Errno::Already.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// The attempt has failed: the socket may try again.
    fn give_up(&self, inner: &mut Inner, id: FlowId) {
        if let Ok(options) = self.host.look(|host| host.flow_options(id)) {
            inner.options = options;
        }
        self.host.call(|host, now| host.close(now, id));
        inner.state = State::Idle;
    }

    /// The connection, with what a call without one gives.
    fn flow(&self, without: Errno) -> io::Result<(FlowId, Ends)> {
        match self.inner().state {
            State::Connecting { id, ends } | State::Connected { id, ends } => Ok((id, ends)),
            State::Idle | State::Listening { .. } => Err(without.into()),
        }
    }

    pub(super) fn poll_recv(
        &self,
        buffer: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let (id, Ends { local, peer }) = match self.flow(Errno::NotConnected) {
            Ok(flow) => flow,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let polled = self.host.call(|host, _| host.poll_read(id, buffer, peek, waker));
        if polled.is_pending() && waker.is_some() {
            context::waits_for(Wait::Read { local, peer });
        }
        polled
    }

    pub(super) fn poll_send(&self, data: &[u8], waker: Option<&Waker>) -> Poll<io::Result<usize>> {
        let (id, Ends { local, peer }) = match self.flow(Errno::Pipe) {
            Ok(flow) => flow,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let polled = self.host.call(|host, now| host.poll_write(now, id, data, waker));
        if polled.is_pending() && waker.is_some() {
            context::waits_for(Wait::Write { local, peer });
        }
        polled
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let mut inner = self.inner();
        match inner.state {
            State::Idle => Err(Errno::NotConnected.into()),
            State::Connecting { id, .. } | State::Connected { id, .. } => {
                self.host.call(|host, now| host.shut_down(now, id, how))
            }
            // `tcp_shutdown`: it is receiving that a listener does.
            State::Listening { .. } if how == Shutdown::Write => Ok(()),
            State::Listening { id, .. } => {
                // It is no more than bound again.
                inner.binding = self.host.call(|host, now| host.stop_listening(now, id));
                inner.state = State::Idle;
                Ok(())
            }
        }
    }

    /// A call on this socket, for reports.
    pub(super) fn shown_call(&self, call: &str) -> String {
        match self.peer_addr() {
            Ok(peer) => format!("{call} on {} with {peer}", self.local_addr()),
            Err(_) => format!("{call} on {}", self.local_addr()),
        }
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        let inner = self.inner();
        match inner.state {
            State::Idle => inner.binding.map_or(self.unbound(), |(_, local)| local),
            State::Listening { local, .. } => local,
            State::Connecting { ends, .. } | State::Connected { ends, .. } => ends.local,
        }
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self.inner().state {
            State::Connected { id, ends } if self.host.look(|host| host.has_peer(id)) => {
                Ok(ends.peer)
            }
            _ => Err(Errno::NotConnected.into()),
        }
    }

    pub(super) fn take_error(&self) -> Option<io::Error> {
        let mut inner = self.inner();
        match inner.state {
            State::Idle | State::Listening { .. } => None,
            State::Connected { id, .. } => self.host.call(|host, _| host.take_error(id)),
            State::Connecting { id, .. } => {
                let error = self.host.call(|host, _| host.take_error(id));
                if error.is_some() {
                    self.give_up(&mut inner, id);
                }
                error
            }
        }
    }

    /// The options in force.
    pub(super) fn options(&self) -> io::Result<TcpOptions> {
        let inner = self.inner();
        match inner.state {
            State::Idle => Ok(inner.options),
            State::Listening { id, .. } => self.host.look_mut(|host| host.listener_options(id)),
            State::Connecting { id, .. } | State::Connected { id, .. } => {
                self.host.look(|host| host.flow_options(id))
            }
        }
    }

    pub(super) fn change_options(
        &self,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut inner = self.inner();
        match inner.state {
            State::Idle => {
                change(&mut inner.options)?;
                if let Some((binding, local)) = inner.binding {
                    let reuse = inner.options.reuse();
                    self.host.call(|host, _| host.set_binding_reuse(local.port(), binding, reuse));
                }
                Ok(())
            }
            State::Listening { id, .. } => {
                self.host.call(|host, _| host.change_listener_options(id, change))
            }
            State::Connecting { id, .. } | State::Connected { id, .. } => {
                self.host.call(|host, now| host.change_flow_options(now, id, change))
            }
        }
    }

    pub(super) fn only_v6(&self) -> bool {
        self.inner().only_v6
    }

    pub(super) fn set_only_v6(&self, only_v6: bool) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.binding.is_some() || !matches!(inner.state, State::Idle) {
            return Err(Errno::Invalid.into());
        }
        inner.only_v6 = only_v6;
        Ok(())
    }

    /// Ready when a close need not wait any longer, as `SO_LINGER` says.
    pub(super) fn poll_lingered(&self, waker: &Waker) -> Poll<()> {
        match self.inner().state {
            State::Connected { id, .. } => {
                self.host.call(|host, now| host.poll_linger(now, id, waker))
            }
            _ => Poll::Ready(()),
        }
    }

    fn unbound(&self) -> SocketAddr {
        let any: IpAddr =
            if self.is_v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        SocketAddr::new(any, 0)
    }
}

impl Drop for StreamSocket {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Inner { state, binding, .. } = *inner;
        match state {
            State::Idle => {}
            State::Listening { id, .. } => {
                self.host.call(|host, now| host.close_listener(now, id));
            }
            State::Connecting { id, .. } | State::Connected { id, .. } => {
                self.host.call(|host, now| host.close(now, id));
            }
        }
        if let Some((binding, local)) = binding {
            self.host.call(|host, _| host.unbind(local.port(), binding));
        }
    }
}
