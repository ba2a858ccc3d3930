//! A socket that speaks UDP, or ICMP as a raw socket.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::error::Errno;
use crate::host::{DatagramId, DatagramKind, DatagramOptions, HostHandle};
use crate::task::context::{self, Wait};

pub(super) struct DatagramSocket {
    host: Arc<HostHandle>,
    id: DatagramId,
    kind: DatagramKind,
}

impl DatagramSocket {
    pub(super) fn new(
        host: Arc<HostHandle>,
        kind: DatagramKind,
        is_v6: bool,
    ) -> io::Result<DatagramSocket> {
        let id = host.call(|host, _| host.datagram_create(kind, is_v6))?;
        Ok(DatagramSocket { host, id, kind })
    }

    pub(super) fn is_raw(&self) -> bool {
        self.kind == DatagramKind::Icmp
    }

    pub(super) fn bind(&self, local: SocketAddr) -> io::Result<()> {
        self.host.call(|host, _| host.datagram_bind(self.id, local))?;
        Ok(())
    }

    pub(super) fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        Ok(self.host.call(|host, _| host.datagram_connect(self.id, Some(peer)))?)
    }

    pub(super) fn poll_send(
        &self,
        octets: &[u8],
        to: Option<SocketAddr>,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let polled =
            self.host.call(|host, now| host.poll_datagram_send(now, self.id, octets, to, waker));
        if polled.is_pending() && waker.is_some() {
            context::waits_for(Wait::Send { from: self.local_addr().ok() });
        }
        polled.map_err(io::Error::from)
    }

    pub(super) fn poll_recv(
        &self,
        buffer: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let polled =
            self.host.call(|host, _| host.poll_datagram_recv(self.id, buffer, peek, waker));
        if polled.is_pending() && waker.is_some() {
            context::waits_for(Wait::Receive { on: self.local_addr().ok() });
        }
        polled.map_err(io::Error::from)
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        Ok(self.host.call(|host, _| host.datagram_shutdown(self.id, how))?)
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.host.look(|host| host.datagram_local(self.id))?)
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.host.look(|host| host.datagram_peer(self.id))?)
    }

    pub(super) fn take_error(&self) -> Option<io::Error> {
        self.host.call(|host, _| host.datagram_take_error(self.id)).map(io::Error::from)
    }

    pub(super) fn options(&self) -> io::Result<DatagramOptions> {
        Ok(self.host.look(|host| host.datagram_options(self.id))?)
    }

    pub(super) fn change_options(
        &self,
        change: impl FnOnce(&mut DatagramOptions) -> Result<(), Errno>,
    ) -> io::Result<()> {
        Ok(self.host.call(|host, _| host.change_datagram_options(self.id, change))?)
    }

    pub(super) fn join(&self, group: IpAddr) -> io::Result<()> {
        Ok(self.host.call(|host, now| host.datagram_join(now, self.id, group))?)
    }

    pub(super) fn leave(&self, group: IpAddr) -> io::Result<()> {
        Ok(self.host.call(|host, now| host.datagram_leave(now, self.id, group))?)
    }

    /// Whether the interface that a call names by its address is there.
    pub(super) fn has_interface(&self, address: IpAddr) -> bool {
        address.is_unspecified() || self.host.look(|host| host.has_address(address))
    }
}

impl Drop for DatagramSocket {
    fn drop(&mut self) {
        self.host.call(|host, now| host.datagram_close(now, self.id));
    }
}
