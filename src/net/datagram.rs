//! A socket for datagrams of IP, whatever they are: what the types of `net` hold.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BufMut;
use tokio::io::{Interest, ReadBuf, Ready};

use super::ready::Pollable;
use super::{NoteFailure, attachment};
use crate::error::Errno;
use crate::host::{DatagramId, DatagramKind, DatagramOptions, HostHandle, UdpCalls};
use crate::task::budget;
use crate::task::context::{self, Wait};

/// What the largest datagram needs.
const LARGEST: usize = 65_535;

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
        octets: &[u8],
        to: Option<SocketAddr>,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let send = || {
            self.host.call(|host, now| host.udp_calls(now).poll_send(self.id, octets, to, waker))
        };
        let polled = budget::charge(waker, send, |sent| sent.is_err());
        if polled.is_pending() && waker.is_some() {
            self.waits(Interest::WRITABLE);
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
        let recv = || {
            self.host.look_mut(|host| {
                let (udp, woken) = host.udp_mut();
                udp.poll_recv(woken, self.id, buf, peek, waker)
            })
        };
        let polled = budget::charge(waker, recv, |received| peek || received.is_err());
        if polled.is_pending() && waker.is_some() {
            self.waits(Interest::READABLE);
        }
        let received = polled.map_ok(|received| (received.len, received.from));
        received.map_err(io::Error::from).note_failure(|| self.receiving())
    }

    /// Receives, and says with which hop limit the packet came. The caller says what it waits for.
    pub(crate) fn poll_recv_with_hop_limit(
        &self,
        buf: &mut [u8],
        waker: &Waker,
    ) -> Poll<io::Result<(usize, SocketAddr, u8)>> {
        let waker = Some(waker);
        let recv = || {
            self.host.look_mut(|host| {
                let (udp, woken) = host.udp_mut();
                udp.poll_recv(woken, self.id, buf, false, waker)
            })
        };
        let polled = budget::charge(waker, recv, |received| received.is_err());
        let received = polled.map_ok(|received| (received.len, received.from, received.hop_limit));
        received.map_err(io::Error::from).note_failure(|| self.receiving())
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
        let mut received = vec![0; buf.chunk_mut().len().min(LARGEST)];
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

    pub(crate) fn join_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let done = self.call(|udp| udp.join_v4(self.id, group, interface));
        done.note_failure(|| format!("join of {group}"))
    }

    pub(crate) fn leave_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let done = self.call(|udp| udp.leave_v4(self.id, group, interface));
        done.note_failure(|| format!("leave of {group}"))
    }

    pub(crate) fn join_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        let done = self.call(|udp| udp.join_v6(self.id, group, interface));
        done.note_failure(|| format!("join of {group}"))
    }

    pub(crate) fn leave_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        let done = self.call(|udp| udp.leave_v6(self.id, group, interface));
        done.note_failure(|| format!("leave of {group}"))
    }

    fn call<R>(&self, call: impl FnOnce(&mut UdpCalls<'_>) -> Result<R, Errno>) -> io::Result<R> {
        Ok(self.host.call(|host, now| call(&mut host.udp_calls(now)))?)
    }

    fn shown_local(&self) -> SocketAddr {
        let unbound = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        self.local_addr().unwrap_or(unbound)
    }

    fn receiving(&self) -> String {
        match self.peer_addr() {
            Ok(peer) => format!("receive on {} from {peer}", self.shown_local()),
            Err(_) => format!("receive on {}", self.shown_local()),
        }
    }

    fn waits(&self, interest: Interest) {
        let local = self.shown_local();
        context::waits_for(match interest.is_writable() && !interest.is_readable() {
            true => Wait::Send { local },
            false => Wait::Receive { local, peer: self.peer_addr().ok() },
        });
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
    fn ready_for(&self, interest: Interest) -> Ready {
        self.host.look(|host| host.udp().ready(self.id, interest))
    }

    fn wait_for(&self, interest: Interest, cx: &mut Context<'_>) -> Ready {
        self.waits(interest);
        self.host.look_mut(|host| {
            let (udp, woken) = host.udp_mut();
            udp.register(woken, self.id, interest, cx.waker());
            udp.ready(self.id, interest)
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
