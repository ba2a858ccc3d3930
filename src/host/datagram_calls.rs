//! What datagram sockets ask of their host.
//!
//! Nothing here waits: a call that cannot be answered yet remembers whom to wake.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::task::{Poll, Waker};

use super::address::{BindAddress, Scope, canonical, mapped, scope_of, socket_addr};
use super::checksum::{checksum, transport_checksum};
use super::datagram::{Bound, Datagram, DatagramId, DatagramKind, DatagramOptions};
use super::ip::{IpHeader, protocol};
use super::stack::Host;
use crate::error::Errno;

const UDP_HEADER: usize = 8;
/// The most octets of a UDP datagram: its IPv4 packet has 65,535 with both headers, its IPv6
/// packet with UDP's alone.
const MOST_V4: usize = 65_507;
const MOST_V6: usize = 65_527;

impl Host {
    /// `socket(2)`.
    pub(crate) fn datagram_create(
        &mut self,
        kind: DatagramKind,
        is_v6: bool,
    ) -> Result<DatagramId, Errno> {
        self.datagrams.insert(kind, is_v6)
    }

    /// `bind(2)`; port 0 takes an ephemeral one. A raw socket has no port. An address may also be
    /// a group's or the broadcast address, of which the socket then hears alone.
    pub(crate) fn datagram_bind(
        &mut self,
        id: DatagramId,
        mut local: SocketAddr,
    ) -> Result<SocketAddr, Errno> {
        let socket = self.datagrams.get(id).ok_or(Errno::Invalid)?;
        if socket.bound.is_some() {
            return Err(Errno::Invalid);
        }
        let address = canonical(local.ip());
        let is_for_many = address.is_multicast() || self.addresses.is_broadcast(address);
        let address = if is_for_many {
            BindAddress::One(address)
        } else {
            self.addresses.to_bind(local, socket.options.only_v6)?
        };
        let binding = match socket.kind {
            DatagramKind::Icmp => {
                local.set_port(0);
                None
            }
            DatagramKind::Udp => {
                let reuse = socket.options.reuse_address;
                let (binding, port) = self.udp_ports.bind(address, local.port(), reuse)?;
                local.set_port(port);
                Some(binding)
            }
        };
        self.datagrams.bind(id, Bound { binding, address, local });
        Ok(local)
    }

    fn bind_if_need_be(&mut self, id: DatagramId) -> Result<(), Errno> {
        let socket = self.datagrams.get(id).ok_or(Errno::Invalid)?;
        if socket.bound.is_none() && socket.kind == DatagramKind::Udp {
            let any = if socket.is_v6 { IPV6_ANY } else { IPV4_ANY };
            self.datagram_bind(id, any)?;
        }
        Ok(())
    }

    /// `connect(2)`: from now on the socket hears `peer` alone; `None` ends that.
    pub(crate) fn datagram_connect(
        &mut self,
        id: DatagramId,
        peer: Option<SocketAddr>,
    ) -> Result<(), Errno> {
        let Some(peer) = peer else {
            let socket = self.datagrams.get_mut(id).ok_or(Errno::Invalid)?;
            socket.remote = None;
            if let Some(unconnected) = socket.unconnected.take() {
                socket.bound = Some(unconnected);
            }
            return Ok(());
        };
        let socket = self.datagrams.get(id).ok_or(Errno::Invalid)?;
        let destination = self.destination_of(peer, socket.options.broadcast)?;
        let source = self.source_from(socket.unconnected.or(socket.bound), destination.ip())?;
        self.bind_if_need_be(id)?;
        let socket = self.datagrams.get_mut(id).ok_or(Errno::Invalid)?;
        socket.remote = Some(destination);
        if let Some(bound) = socket.unconnected.or(socket.bound) {
            socket.unconnected = Some(bound);
            let local = socket_addr(source, bound.local.port());
            let local = if socket.is_v6 { mapped(local) } else { local };
            socket.bound = Some(Bound { address: BindAddress::One(source), local, ..bound });
        }
        Ok(())
    }

    /// Where a datagram for `to` goes, if it may.
    fn destination_of(&self, to: SocketAddr, may_broadcast: bool) -> Result<SocketAddr, Errno> {
        match scope_of(to) {
            Scope::Fine => {}
            Scope::Missing => return Err(Errno::Invalid),
            Scope::Other => return Err(Errno::NetUnreachable),
        }
        let address = match canonical(to.ip()) {
            // Linux takes 0.0.0.0 and :: for this host.
            IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        let addresses = &self.addresses;
        if addresses.is_broadcast(address) {
            if !may_broadcast {
                return Err(Errno::Access);
            }
        } else if !address.is_multicast()
            && !addresses.is_own(address)
            && addresses.next_hop(address).is_none()
        {
            return Err(Errno::NetUnreachable);
        }
        Ok(socket_addr(address, to.port()))
    }

    /// The address that a socket sends from.
    fn source_from(&self, bound: Option<Bound>, to: IpAddr) -> Result<IpAddr, Errno> {
        match bound.map(|bound| bound.address) {
            Some(BindAddress::One(address)) if self.addresses.is_own(address) => {
                if address.is_ipv4() == to.is_ipv4() {
                    Ok(address)
                } else {
                    Err(Errno::NetUnreachable)
                }
            }
            Some(BindAddress::AnyV6) if to.is_ipv4() => Err(Errno::NetUnreachable),
            _ if self.addresses.is_broadcast(to) => self.addresses.source_for(to),
            _ => self.addresses.source_for(to),
        }
    }

    /// `send(2)` and `sendto(2)`.
    pub(crate) fn poll_datagram_send(
        &mut self,
        now: u64,
        id: DatagramId,
        octets: &[u8],
        to: Option<SocketAddr>,
        waker: Option<&Waker>,
    ) -> Poll<Result<usize, Errno>> {
        self.now = now;
        let Some(socket) = self.datagrams.get_mut(id) else {
            return Poll::Ready(Err(Errno::Invalid));
        };
        if let Some(errno) = socket.error.take() {
            return Poll::Ready(Err(errno));
        }
        if socket.writing_shut_down {
            return Poll::Ready(Err(Errno::Pipe));
        }
        if socket.unsent >= socket.options.send_buffer {
            if let Some(waker) = waker {
                socket.writers.register(waker);
            }
            return Poll::Pending;
        }
        Poll::Ready(self.send_datagram(now, id, octets, to).map(|()| octets.len()))
    }

    fn send_datagram(
        &mut self,
        now: u64,
        id: DatagramId,
        octets: &[u8],
        to: Option<SocketAddr>,
    ) -> Result<(), Errno> {
        let socket = self.datagrams.get(id).ok_or(Errno::Invalid)?;
        let (kind, options, is_v6) = (socket.kind, socket.options, socket.is_v6);
        let to = to.or(socket.remote).ok_or(Errno::DestinationRequired)?;
        if kind == DatagramKind::Udp && to.port() == 0 {
            return Err(Errno::Invalid);
        }
        let most = if canonical(to.ip()).is_ipv4() { MOST_V4 } else { MOST_V6 };
        if octets.len() > most {
            return Err(Errno::MessageSize);
        }
        if options.only_v6 && canonical(to.ip()).is_ipv4() {
            return Err(Errno::NetUnreachable);
        }
        let destination = self.destination_of(to, options.broadcast)?;
        let source = self.source_from(socket.bound, destination.ip())?;
        self.bind_if_need_be(id)?;
        let socket = self.datagrams.get_mut(id).ok_or(Errno::Invalid)?;
        let source_port = socket.bound.map_or(0, |bound| bound.local.port());
        let was_sending = socket.unsent > 0;
        socket.unsent += octets.len() + UDP_HEADER;
        if !was_sending {
            self.datagrams_unsent.push(id);
        }
        let header = header_of(kind, is_v6, &options, source, destination.ip());
        let payload = match kind {
            DatagramKind::Udp => udp_payload(&header, source_port, destination.port(), octets),
            DatagramKind::Icmp => icmp_payload(&header, octets),
        };
        self.send_to_all(now, &header, &payload, &options)
    }

    /// Sends a packet, and a copy to this host itself where it is for many who may be here, too.
    fn send_to_all(
        &mut self,
        now: u64,
        header: &IpHeader,
        payload: &[u8],
        options: &DatagramOptions,
    ) -> Result<(), Errno> {
        let to = header.destination;
        let loops = match to {
            IpAddr::V4(group) if group.is_multicast() => options.multicast_loop,
            IpAddr::V6(group) if group.is_multicast() => options.multicast_loop_v6,
            _ => self.addresses.is_broadcast(to),
        };
        if loops {
            self.loop_back(header, payload);
        }
        // A group that reaches no further than the host: RFC 4291 2.7, RFC 1112 6.1.
        let stays = to.is_multicast()
            && (header.hop_limit == 0
                || matches!(to, IpAddr::V6(group) if group.octets()[1] & 0x0f == 1));
        if stays { Ok(()) } else { self.send_packet(now, header, payload, true) }
    }

    /// Takes in what follows the IP header of a UDP packet.
    pub(super) fn receive_udp(
        &mut self,
        now: u64,
        header: &IpHeader,
        payload: &[u8],
        packet: &[u8],
        intact: bool,
    ) {
        let Some((udp, _)) = payload.split_first_chunk::<UDP_HEADER>() else { return };
        let field = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
        let len = usize::from(field(4));
        let Some(datagram) = payload.get(..len).filter(|_| len >= UDP_HEADER) else { return };
        let (source, destination) = (header.source, header.destination);
        // RFC 768: none at all; RFC 8200 8.1: which IPv6 does not allow.
        let has_checksum = field(6) != 0;
        let is_whole = if has_checksum {
            intact || transport_checksum(source, destination, protocol::UDP, datagram) == 0
        } else {
            destination.is_ipv4()
        };
        if !is_whole {
            return;
        }
        let from = socket_addr(source, field(0));
        let to = socket_addr(destination, field(2));
        let octets = &datagram[UDP_HEADER..];
        if destination.is_multicast() || self.addresses.is_broadcast(destination) {
            for id in self.datagrams.find_all(from, to) {
                self.deliver(id, from, octets);
            }
        } else if let Some(id) = self.datagrams.find(from, to) {
            self.deliver(id, from, octets);
        } else {
            self.send_port_unreachable(now, packet);
        }
    }

    /// Puts a datagram into a socket's queue.
    pub(super) fn deliver(&mut self, id: DatagramId, from: SocketAddr, octets: &[u8]) {
        let Some(socket) = self.datagrams.get_mut(id) else { return };
        if socket.push(Datagram { from, octets: octets.to_vec() }) {
            socket.readers.wake_all(&mut self.woken);
        }
    }

    /// `recv(2)` and `recvfrom(2)`: what does not fit is lost.
    pub(crate) fn poll_datagram_recv(
        &mut self,
        id: DatagramId,
        buffer: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<Result<(usize, SocketAddr), Errno>> {
        let Some(socket) = self.datagrams.get_mut(id) else {
            return Poll::Ready(Err(Errno::Invalid));
        };
        if let Some(errno) = socket.error.take() {
            return Poll::Ready(Err(errno));
        }
        let Some(datagram) = socket.peek() else {
            if socket.reading_shut_down {
                let nobody = if socket.is_v6 { IPV6_ANY } else { IPV4_ANY };
                return Poll::Ready(Ok((0, nobody)));
            }
            if let Some(waker) = waker {
                socket.readers.register(waker);
            }
            return Poll::Pending;
        };
        let len = datagram.octets.len().min(buffer.len());
        buffer[..len].copy_from_slice(&datagram.octets[..len]);
        let from = if socket.is_v6 { mapped(datagram.from) } else { datagram.from };
        if !peek {
            socket.pop();
        }
        Poll::Ready(Ok((len, from)))
    }

    /// Ready when a receive would not wait.
    pub(crate) fn poll_datagram_readable(&mut self, id: DatagramId, waker: &Waker) -> Poll<()> {
        match self.datagrams.get_mut(id) {
            Some(socket) if !socket.is_readable() => {
                socket.readers.register(waker);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// Ready when a send would not wait.
    pub(crate) fn poll_datagram_writable(&mut self, id: DatagramId, waker: &Waker) -> Poll<()> {
        match self.datagrams.get_mut(id) {
            Some(socket) if !socket.is_writable() => {
                socket.writers.register(waker);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// What was sent has left: there is room for more.
    pub(super) fn datagrams_left(&mut self) {
        for id in self.datagrams_unsent.drain(..) {
            if let Some(socket) = self.datagrams.get_mut(id) {
                socket.unsent = 0;
                socket.writers.wake_all(&mut self.woken);
            }
        }
    }

    /// `getsockname(2)`.
    pub(crate) fn datagram_local(&self, id: DatagramId) -> Result<SocketAddr, Errno> {
        let socket = self.datagrams.get(id).ok_or(Errno::Invalid)?;
        let unbound = if socket.is_v6 { IPV6_ANY } else { IPV4_ANY };
        Ok(socket.bound.map_or(unbound, |bound| bound.local))
    }

    /// `getpeername(2)`.
    pub(crate) fn datagram_peer(&self, id: DatagramId) -> Result<SocketAddr, Errno> {
        let socket = self.datagrams.get(id).ok_or(Errno::Invalid)?;
        let remote = socket.remote.ok_or(Errno::NotConnected)?;
        Ok(if socket.is_v6 { mapped(remote) } else { remote })
    }

    /// `SO_ERROR`.
    pub(crate) fn datagram_take_error(&mut self, id: DatagramId) -> Option<Errno> {
        self.datagrams.get_mut(id)?.error.take()
    }

    /// `shutdown(2)`.
    pub(crate) fn datagram_shutdown(&mut self, id: DatagramId, how: Shutdown) -> Result<(), Errno> {
        let socket = self.datagrams.get_mut(id).ok_or(Errno::Invalid)?;
        if socket.remote.is_none() {
            return Err(Errno::NotConnected);
        }
        socket.reading_shut_down |= how != Shutdown::Write;
        socket.writing_shut_down |= how != Shutdown::Read;
        socket.readers.wake_all(&mut self.woken);
        socket.writers.wake_all(&mut self.woken);
        Ok(())
    }

    pub(crate) fn datagram_options(&self, id: DatagramId) -> Result<DatagramOptions, Errno> {
        Ok(self.datagrams.get(id).ok_or(Errno::Invalid)?.options)
    }

    /// Changes options: all that `change` changes, or nothing.
    pub(crate) fn change_datagram_options(
        &mut self,
        id: DatagramId,
        change: impl FnOnce(&mut DatagramOptions) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let socket = self.datagrams.get_mut(id).ok_or(Errno::Invalid)?;
        let mut options = socket.options;
        change(&mut options)?;
        // What `::` means is settled when it is bound.
        if options.only_v6 != socket.options.only_v6 && socket.bound.is_some() {
            return Err(Errno::Invalid);
        }
        socket.options = options;
        if let Some(Bound { binding: Some(binding), local, .. }) = socket.bound {
            self.udp_ports.set_reuse_address(local.port(), binding, options.reuse_address);
        }
        Ok(())
    }

    /// `IP_ADD_MEMBERSHIP`, `IPV6_JOIN_GROUP`.
    pub(crate) fn datagram_join(
        &mut self,
        now: u64,
        id: DatagramId,
        group: IpAddr,
    ) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        let is_first = !self.datagrams.is_member(group);
        self.datagrams.get_mut(id).ok_or(Errno::Invalid)?.join(group)?;
        if is_first {
            self.report_membership(now, group, true);
        }
        Ok(())
    }

    /// `IP_DROP_MEMBERSHIP`, `IPV6_LEAVE_GROUP`.
    pub(crate) fn datagram_leave(
        &mut self,
        now: u64,
        id: DatagramId,
        group: IpAddr,
    ) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(Errno::Invalid);
        }
        self.datagrams.get_mut(id).ok_or(Errno::Invalid)?.leave(group)?;
        if !self.datagrams.is_member(group) {
            self.report_membership(now, group, false);
        }
        Ok(())
    }

    /// `close(2)`.
    pub(crate) fn datagram_close(&mut self, now: u64, id: DatagramId) {
        let Some(socket) = self.datagrams.remove(id) else { return };
        if let Some(Bound { binding: Some(binding), local, .. }) = socket.bound {
            self.udp_ports.unbind(local.port(), binding);
        }
        for group in socket.groups {
            if !self.datagrams.is_member(group) {
                self.report_membership(now, group, false);
            }
        }
    }

    /// Whether a socket has joined a group.
    pub(super) fn is_member(&self, group: IpAddr) -> bool {
        self.datagrams.is_member(group)
    }
}

const IPV4_ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
const IPV6_ANY: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

fn header_of(
    kind: DatagramKind,
    is_v6: bool,
    options: &DatagramOptions,
    source: IpAddr,
    destination: IpAddr,
) -> IpHeader {
    let protocol = match (kind, is_v6) {
        (DatagramKind::Udp, _) => protocol::UDP,
        (DatagramKind::Icmp, false) => protocol::ICMP,
        (DatagramKind::Icmp, true) => protocol::ICMPV6,
    };
    let is_for_many = destination.is_multicast();
    let (hop_limit, traffic_class) = match destination {
        IpAddr::V4(_) if is_for_many => (options.multicast_ttl, options.tos),
        IpAddr::V4(_) => (options.ttl, options.tos),
        IpAddr::V6(_) if is_for_many => (options.multicast_hops, options.traffic_class),
        IpAddr::V6(_) => (options.hop_limit, options.traffic_class),
    };
    IpHeader { source, destination, protocol, hop_limit, traffic_class }
}

fn udp_payload(header: &IpHeader, from: u16, to: u16, octets: &[u8]) -> Vec<u8> {
    let len = UDP_HEADER + octets.len();
    let mut payload = Vec::with_capacity(len);
    for field in [from, to, len as u16, 0] {
        payload.extend(field.to_be_bytes());
    }
    payload.extend_from_slice(octets);
    let sum = transport_checksum(header.source, header.destination, protocol::UDP, &payload);
    // RFC 768: 0 would say that there is none.
    let sum = if sum == 0 { u16::MAX } else { sum };
    payload[6..8].copy_from_slice(&sum.to_be_bytes());
    payload
}

/// A message as it was given; the checksum of ICMPv6, which the sender cannot know (RFC 3542
/// 3.1), is filled in, and that of ICMP where it was left out.
fn icmp_payload(header: &IpHeader, octets: &[u8]) -> Vec<u8> {
    let mut payload = octets.to_vec();
    let Some(field) = payload.get(2..4) else { return payload };
    if header.protocol == protocol::ICMPV6 {
        payload[2..4].fill(0);
        let (source, destination) = (header.source, header.destination);
        let sum = transport_checksum(source, destination, protocol::ICMPV6, &payload);
        payload[2..4].copy_from_slice(&sum.to_be_bytes());
    } else if field == [0, 0] {
        let sum = checksum(&payload);
        payload[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    payload
}
