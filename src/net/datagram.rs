//! A socket for datagrams of IP, whatever they are: what the types of `net` hold.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BufMut;
use tokio::io::{ReadBuf, Ready};

use super::attachment::attachment;
use super::failing::NoteFailure;
use super::ready::Pollable;
use crate::error::Errno;
use crate::host::{
    DatagramId, DatagramKind, DatagramOptions, Membership, ReceivedDatagram, SendControl, UdpCalls,
};
use crate::net::host_handle::HostHandle;
use crate::task::budget;
use crate::task::{Wait, context};

/// The largest datagram.
const MAX_DATAGRAM: usize = 65_535;

/// A UDP or raw ICMP socket, with the calls of the BSD interface. Dropping it closes it.
///
/// A call that cannot be answered yet is pending; it wakes the waker, if there is one, when it
/// should be tried again.
pub(crate) struct DatagramSocket {
    host: Arc<HostHandle>,
    id: DatagramId,
}

impl DatagramSocket {
    /// A socket of the calling task's host.
    pub(crate) fn new(kind: DatagramKind, is_v6: bool) -> io::Result<DatagramSocket> {
        let host = attachment()?.host.clone();
        let id = host.call(|host, now| host.udp_calls(now).create(kind, is_v6));
        let id = id.map_err(io::Error::from).note_failure(|| "socket".to_owned())?;
        Ok(DatagramSocket { host, id })
    }

    /// Binds; port 0 takes an ephemeral one.
    pub(crate) fn bind(&self, local: SocketAddr) -> io::Result<()> {
        let bound = self.call(|udp| udp.bind(self.id, local).map(drop));
        bound.note_failure(|| format!("bind to {local}"))
    }

    /// Makes `peer` the one that is heard, and sent to; `None` ends that.
    pub(crate) fn connect(&self, peer: Option<SocketAddr>) -> io::Result<()> {
        let connected = self.call(|udp| udp.connect(self.id, peer));
        connected.note_failure(|| match peer {
            Some(peer) => format!("connect to {peer}"),
            None => "disconnect".to_owned(),
        })
    }

    /// Sends: to the peer, or to another address.
    pub(crate) fn poll_send(
        &self,
        bytes: &[u8],
        to: Option<SocketAddr>,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        self.poll_send_message(bytes, to, &SendControl::default(), waker)
    }

    /// Sends, with what `control` has instead of the socket's options.
    pub(crate) fn poll_send_message(
        &self,
        bytes: &[u8],
        to: Option<SocketAddr>,
        control: &SendControl,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let send = || {
            self.host
                .call(|host, now| host.udp_calls(now).poll_send(self.id, bytes, to, control, waker))
        };
        let polled = budget::charge(waker, send, |sent| sent.is_err());
        if polled.is_pending() && waker.is_some() {
            context::waits_for(self.sending());
        }
        polled.map_err(io::Error::from).note_failure(|| {
            let to = to.or_else(|| self.peer_addr().ok());
            let to = to.map_or_else(|| "nobody".to_owned(), |to| to.to_string());
            format!("send on {} to {to}", self.shown_local())
        })
    }

    /// Receives, or only looks; says how much of the datagram there was room for, and from whom
    /// it is.
    pub(crate) fn poll_recv(
        &self,
        buf: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let received = self.poll_recv_message(buf, peek, waker);
        received.map_ok(|received| (received.len, received.from))
    }

    /// Receives, or only looks, and says all that is known of the datagram.
    pub(crate) fn poll_recv_message(
        &self,
        buf: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<ReceivedDatagram>> {
        let polled = self.poll_recv_quietly(buf, peek, waker);
        if polled.is_pending() && waker.is_some() {
            context::waits_for(self.receiving());
        }
        polled
    }

    /// As [`poll_recv_message`](DatagramSocket::poll_recv_message); the caller says what it waits
    /// for.
    pub(crate) fn poll_recv_quietly(
        &self,
        buf: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<ReceivedDatagram>> {
        let recv = || {
            self.host.look_mut(|host| {
                let (udp, woken) = host.udp_mut();
                udp.poll_recv(woken, self.id, buf, peek, waker)
            })
        };
        let polled = budget::charge(waker, recv, |received| peek || received.is_err());
        polled.map_err(io::Error::from).note_failure(|| self.shown_receive())
    }

    /// Where something from `from` to `to` came in: the address that answers are sent from, and the
    /// number of the interface.
    pub(crate) fn packet_info(&self, from: IpAddr, to: IpAddr) -> (IpAddr, u32) {
        self.host.look(|host| host.packet_info(from.to_canonical(), to))
    }

    pub(crate) fn poll_recv_read_buf(
        &self,
        buf: &mut ReadBuf<'_>,
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_recv(buf.initialize_unfilled(), peek, waker).map_ok(|(len, from)| {
            buf.advance(len);
            from
        })
    }

    /// Receives into what the caller's buffer has room for in one piece.
    pub(crate) fn poll_recv_buf(
        &self,
        buf: &mut impl BufMut,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        // The buffer is code of the caller's, which is not to run while the host is locked.
        let mut received = vec![0; buf.chunk_mut().len().min(MAX_DATAGRAM)];
        self.poll_recv(&mut received, false, waker).map_ok(|(len, from)| {
            buf.put_slice(&received[..len]);
            (len, from)
        })
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let shut_down = self.call(|udp| udp.shut_down(self.id, how));
        shut_down.note_failure(|| format!("shutdown of {}", self.shown_local()))
    }

    /// `SO_ERROR`.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.host.look_mut(|host| host.udp_mut().0.take_error(self.id)).map(io::Error::from)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.host.look(|host| host.udp().local(self.id))?)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.host.look(|host| host.udp().peer(self.id))?)
    }

    /// `FIONREAD`: bytes of the first datagram that waits.
    pub(crate) fn recv_queue(&self) -> usize {
        self.host.look(|host| host.udp().first_len(self.id))
    }

    pub(crate) fn is_v6(&self) -> bool {
        self.host.look(|host| host.udp().is_v6(self.id))
    }

    pub(crate) fn options(&self) -> io::Result<DatagramOptions> {
        Ok(self.host.look(|host| host.udp().options(self.id))?)
    }

    /// Changes options: all that `change` changes, or nothing.
    pub(crate) fn change_options(
        &self,
        change: impl FnOnce(&mut DatagramOptions) -> Result<(), Errno>,
    ) -> io::Result<()> {
        let changed = self.call(|udp| udp.change_options(self.id, change));
        changed.note_failure(|| format!("setsockopt on {}", self.shown_local()))
    }

    /// Joins a group.
    pub(crate) fn join(&self, membership: Membership) -> io::Result<()> {
        let joined = self.call(|udp| udp.join(self.id, membership));
        joined.note_failure(|| format!("join of {}", membership.group()))
    }

    /// Leaves a group.
    pub(crate) fn leave(&self, membership: Membership) -> io::Result<()> {
        let left = self.call(|udp| udp.leave(self.id, membership));
        left.note_failure(|| format!("leave of {}", membership.group()))
    }

    fn call<R>(&self, call: impl FnOnce(&mut UdpCalls<'_>) -> Result<R, Errno>) -> io::Result<R> {
        Ok(self.host.call(|host, now| call(&mut host.udp_calls(now)))?)
    }

    fn shown_local(&self) -> SocketAddr {
        let unbound = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        self.local_addr().unwrap_or(unbound)
    }

    fn shown_receive(&self) -> String {
        match self.peer_addr() {
            Ok(peer) => format!("receive on {} from {peer}", self.shown_local()),
            Err(_) => format!("receive on {}", self.shown_local()),
        }
    }

    fn receiving(&self) -> Wait {
        Wait::Receive { local: self.shown_local(), peer: self.peer_addr().ok() }
    }

    fn sending(&self) -> Wait {
        Wait::Send { local: self.shown_local() }
    }

    /// What `Debug` shows of a socket called `name`.
    pub(crate) fn debug(&self, name: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct(name);
        if let Ok(local) = self.local_addr() {
            debug.field("local", &local);
        }
        if let Ok(peer) = self.peer_addr() {
            debug.field("peer", &peer);
        }
        debug.finish()
    }
}

impl Pollable for DatagramSocket {
    fn readiness(&self) -> Ready {
        self.host.look(|host| host.udp().readiness(self.id))
    }

    fn wait_for(&self, reading: bool, writing: bool, cx: &mut Context<'_>) -> Ready {
        if reading {
            context::waits_for(self.receiving());
        }
        if writing {
            context::waits_for(self.sending());
        }
        self.host.look_mut(|host| {
            let (udp, woken) = host.udp_mut();
            udp.register(woken, self.id, reading, writing, cx.waker());
            udp.readiness(self.id)
        })
    }
}

impl fmt::Debug for DatagramSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.debug("DatagramSocket", formatter)
    }
}

impl Drop for DatagramSocket {
    fn drop(&mut self) {
        self.host.call(|host, now| host.udp_calls(now).close(self.id));
    }
}
