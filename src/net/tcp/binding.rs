//! The local address and port of a TCP socket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::host::{BindingId, TcpOptions};
use crate::net::host_handle::HostHandle;

/// An address and port that a socket was bound to. They stay taken until all of the socket is
/// dropped, also when its connection is over before (Linux's `SOCK_BINDPORT_LOCK`).
pub(super) struct Binding {
    host: Arc<HostHandle>,
    id: BindingId,
    local: SocketAddr,
}

impl Binding {
    /// `bind(2)`; port 0 takes an ephemeral one. With `only_v6`, `::` leaves IPv4 to others.
    pub(super) fn new(
        host: &Arc<HostHandle>,
        address: SocketAddr,
        options: &TcpOptions,
        only_v6: bool,
    ) -> io::Result<Binding> {
        let reuse = options.reuse();
        let bound = host.call(|host, now| host.bind(now, address, reuse, only_v6));
        let (id, local) = bound?;
        Ok(Binding { host: host.clone(), id, local })
    }

    /// Who may share the address and port has changed.
    pub(super) fn set_reuse(&self, options: &TcpOptions) {
        let reuse = options.reuse();
        self.host.call(|host, _| host.set_binding_reuse(self.local.port(), self.id, reuse));
    }

    pub(super) fn id(&self) -> BindingId {
        self.id
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        self.host.call(|host, _| host.unbind(self.local.port(), self.id));
    }
}
