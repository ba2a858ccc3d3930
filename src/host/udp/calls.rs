//! What datagram sockets ask of their host.
//!
//! Nothing here waits: a call that cannot be answered yet remembers whom to wake. On a host that
//! has crashed there is no socket any more.

use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::task::Waker;

use tokio::io::Ready;

use super::{DatagramId, DatagramKind, DatagramOptions, Udp, UdpCalls};
use crate::error::Errno;
use crate::host::address::{BindAddress, INTERFACE_INDEX, Scope, canonical, scope_of};
use crate::host::wakers::Woken;

impl UdpCalls<'_> {
    /// `socket(2)`.
    pub(crate) fn create(&mut self, kind: DatagramKind, is_v6: bool) -> Result<DatagramId, Errno> {
        self.udp.sockets.insert(kind, is_v6)
    }

    /// `bind(2)`; port 0 takes an ephemeral one. A raw socket has no port. The address may also
    /// be that of a group, or the broadcast address: the socket then hears what is for them.
    pub(crate) fn bind(&mut self, id: DatagramId, local: SocketAddr) -> Result<SocketAddr, Errno> {
        let socket = self.udp.sockets.get(id).ok_or(Errno::ConnReset)?;
        if socket.is_v6 != local.is_ipv6() {
            let errno =
                if socket.is_v6 { Errno::Invalid } else { Errno::AddressFamilyNotSupported };
            return Err(errno);
        }
        let is_bound = socket.port != 0 || socket.remote.is_some();
        if is_bound && socket.kind != DatagramKind::Raw {
            return Err(Errno::Invalid);
        }
        let only_v6 = socket.options.only_v6 || socket.kind != DatagramKind::Udp;
        let address = canonical(local.ip());
        let address = if address.is_multicast() || self.ip.is_broadcast(address) {
            match scope_of_group(local) {
                Scope::Missing => return Err(Errno::Invalid),
                Scope::Other => return Err(Errno::NoDevice),
                Scope::Fine => BindAddress::One(address),
            }
        } else {
            self.ip.to_bind(local, only_v6)?
        };
        self.hold_port(id, address, local.port())?;
        let socket = self.udp.sockets.get_mut(id).ok_or(Errno::ConnReset)?;
        socket.bound = Some(address);
        socket.local = Some(address);
        socket.port_is_chosen = local.port() != 0;
        Ok(socket.shown_local())
    }

    /// Gives a socket a port: this one, or a free one if it is 0.
    fn hold_port(&mut self, id: DatagramId, address: BindAddress, port: u16) -> Result<(), Errno> {
        let socket = self.udp.sockets.get_mut(id).ok_or(Errno::ConnReset)?;
        let kind = socket.kind;
        let ports = match kind {
            DatagramKind::Raw => return Ok(()),
            DatagramKind::Udp => &mut self.udp.ports,
            DatagramKind::Ping => &mut self.udp.echo_ids,
        };
        let (binding, port) = ports.bind(address, port, socket.options.reuse())?;
        socket.binding = Some(binding);
        socket.port = port;
        self.udp.sockets.listens_at(id, kind, port);
        Ok(())
    }

    fn give_up_port(&mut self, id: DatagramId) {
        let Some(socket) = self.udp.sockets.get_mut(id) else { return };
        let (kind, port) = (socket.kind, socket.port);
        let Some(binding) = socket.binding.take() else { return };
        socket.port = 0;
        self.udp.sockets.leaves(id, kind, port);
        match kind {
            DatagramKind::Ping => self.udp.echo_ids.unbind(port, binding),
            DatagramKind::Udp | DatagramKind::Raw => self.udp.ports.unbind(port, binding),
        }
    }

    /// Takes an ephemeral port, unless the socket has one or needs none.
    pub(super) fn autobind(&mut self, id: DatagramId) -> Result<(), Errno> {
        let socket = self.udp.sockets.get(id).ok_or(Errno::Pipe)?;
        if socket.port != 0 || socket.kind == DatagramKind::Raw {
            return Ok(());
        }
        let address = socket.bound.unwrap_or(socket.any());
        self.hold_port(id, address, 0).map_err(|_| Errno::TryAgain)?;
        if let Some(socket) = self.udp.sockets.get_mut(id) {
            socket.local = Some(address);
        }
        Ok(())
    }

    /// `connect(2)`: from now on the socket hears `peer` alone; `None`, `AF_UNSPEC` there, ends
    /// that, and gives a port back that nobody asked for.
    pub(crate) fn connect(
        &mut self,
        id: DatagramId,
        peer: Option<SocketAddr>,
    ) -> Result<(), Errno> {
        let Some(peer) = peer else { return self.disconnect(id) };
        self.autobind(id)?;
        let socket = self.udp.sockets.get(id).ok_or(Errno::ConnReset)?;
        let destination = self.destination_of(socket, peer, true)?;
        let source = self.source_from(socket, destination.ip())?;
        let socket = self.udp.sockets.get_mut(id).ok_or(Errno::ConnReset)?;
        socket.remote = Some(destination);
        if socket.local.is_none_or(BindAddress::is_wildcard) {
            socket.local = Some(BindAddress::One(source));
        }
        Ok(())
    }

    fn disconnect(&mut self, id: DatagramId) -> Result<(), Errno> {
        let socket = self.udp.sockets.get_mut(id).ok_or(Errno::ConnReset)?;
        socket.remote = None;
        if !socket.port_is_chosen {
            // What `bind(2)` chose of the address stays.
            socket.bound = socket.bound.filter(|bound| !bound.is_wildcard());
        }
        socket.local = socket.bound;
        if !socket.port_is_chosen {
            self.give_up_port(id);
        }
        Ok(())
    }

    /// `shutdown(2)`: ENOTCONN for a socket that is not connected, which is shut down all the
    /// same.
    pub(crate) fn shut_down(&mut self, id: DatagramId, how: Shutdown) -> Result<(), Errno> {
        let socket = self.udp.sockets.get_mut(id).ok_or(Errno::NotConnected)?;
        socket.receiving_shut_down |= how != Shutdown::Write;
        socket.sending_shut_down |= how != Shutdown::Read;
        socket.readers.wake_all(self.ctx.woken);
        socket.writers.wake_all(self.ctx.woken);
        socket.remote.map(drop).ok_or(Errno::NotConnected)
    }

    /// Changes options: all that `change` changes, or nothing.
    pub(crate) fn change_options(
        &mut self,
        id: DatagramId,
        change: impl FnOnce(&mut DatagramOptions) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let socket = self.udp.sockets.get_mut(id).ok_or(Errno::ConnReset)?;
        let mut options = socket.options;
        change(&mut options)?;
        // What `::` means is settled when it is bound.
        if options.only_v6 != socket.options.only_v6 && socket.port != 0 {
            return Err(Errno::Invalid);
        }
        let is_of_interface = |address: Ipv4Addr| self.ip.is_of_interface(IpAddr::V4(address));
        if options.multicast_interface.is_some_and(|address| !is_of_interface(address)) {
            return Err(Errno::AddrNotAvailable);
        }
        if self.ip.interface_numbered(options.multicast_interface_v6).is_none() {
            return Err(Errno::NoDevice);
        }
        socket.options = options;
        socket.writers.wake_all(self.ctx.woken);
        if let (DatagramKind::Udp, Some(binding)) = (socket.kind, socket.binding) {
            self.udp.ports.set_reuse(socket.port, binding, options.reuse());
        }
        Ok(())
    }

    /// `close(2)`.
    pub(crate) fn close(&mut self, id: DatagramId) {
        self.give_up_port(id);
        let Some(mut socket) = self.udp.sockets.remove(id) else { return };
        socket.readers.wake_all(self.ctx.woken);
        socket.writers.wake_all(self.ctx.woken);
        for (group, interface) in socket.groups {
            self.ip.leave(&mut self.ctx, interface, group);
        }
    }
}

impl Udp {
    /// `getsockname(2)`.
    pub(crate) fn local(&self, id: DatagramId) -> Result<SocketAddr, Errno> {
        Ok(self.sockets.get(id).ok_or(Errno::ConnReset)?.shown_local())
    }

    /// `getpeername(2)`; as on Linux, a peer's port 0 is none.
    pub(crate) fn peer(&self, id: DatagramId) -> Result<SocketAddr, Errno> {
        let socket = self.sockets.get(id).ok_or(Errno::ConnReset)?;
        let peer = socket.shown_remote().ok_or(Errno::NotConnected)?;
        if peer.port() == 0 && socket.kind == DatagramKind::Udp {
            return Err(Errno::NotConnected);
        }
        Ok(peer)
    }

    /// Bytes of the first datagram that waits; 0 without one.
    pub(crate) fn first_len(&self, id: DatagramId) -> usize {
        let first = self.sockets.get(id).and_then(|socket| socket.first());
        first.map_or(0, |datagram| datagram.bytes.len())
    }

    pub(crate) fn is_v6(&self, id: DatagramId) -> bool {
        self.sockets.get(id).is_some_and(|socket| socket.is_v6)
    }

    /// `SO_ERROR`.
    pub(crate) fn take_error(&mut self, id: DatagramId) -> Option<Errno> {
        self.sockets.get_mut(id)?.error.take()
    }

    pub(crate) fn options(&self, id: DatagramId) -> Result<DatagramOptions, Errno> {
        Ok(self.sockets.get(id).ok_or(Errno::ConnReset)?.options)
    }

    /// What a socket is ready for, as `poll(2)` and mio see it.
    pub(crate) fn readiness(&self, id: DatagramId) -> Ready {
        let gone = Ready::READABLE | Ready::WRITABLE | Ready::READ_CLOSED | Ready::WRITE_CLOSED;
        let Some(socket) = self.sockets.get(id) else { return gone };
        let mut ready = Ready::EMPTY;
        if socket.error.is_some() {
            // EPOLLERR, as mio takes it: not as something to be read.
            ready |= Ready::ERROR | Ready::WRITE_CLOSED;
        }
        if socket.receiving_shut_down {
            ready |= Ready::READABLE | Ready::READ_CLOSED;
        }
        if socket.receiving_shut_down && socket.sending_shut_down {
            ready |= Ready::WRITE_CLOSED;
        }
        if socket.first().is_some() {
            ready |= Ready::READABLE;
        }
        if socket.sending_shut_down || socket.has_room_to_send() {
            ready |= Ready::WRITABLE;
        }
        ready
    }

    /// Remembers whom to wake when something may have changed that readers hear of, or writers.
    /// Both hear of errors.
    pub(crate) fn register(
        &mut self,
        woken: &mut Woken,
        id: DatagramId,
        reading: bool,
        writing: bool,
        waker: &Waker,
    ) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if reading {
            socket.readers.register(waker, woken);
        }
        if writing {
            socket.writers.register(waker, woken);
        }
    }
}

/// As [`scope_of`], also for groups of IPv6 that reach no further than the link.
pub(super) fn scope_of_group(address: SocketAddr) -> Scope {
    match address {
        SocketAddr::V6(v6) if super::socket::is_group_of_link(*v6.ip()) => match v6.scope_id() {
            INTERFACE_INDEX => Scope::Fine,
            0 => Scope::Missing,
            _ => Scope::Other,
        },
        address => scope_of(address),
    }
}
