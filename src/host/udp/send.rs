//! Datagrams out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Poll, Waker};

use super::calls::scope_of_group;
use super::socket::{DatagramSocket, charge};
use super::{DatagramId, DatagramKind, Udp, UdpCalls};
use crate::error::Errno;
use crate::host::address::{BindAddress, Scope, canonical};
use crate::host::ip::{InterfaceId, MtuDiscovery};
use crate::host::outbox::SocketCharge;
use crate::host::wakers::Woken;
use crate::wire::icmp::{self, ICMP_HEADER, IcmpHeader, fill_checksum};
use crate::wire::ip::{IPV4_HEADER, IpHeader, protocol};
use crate::wire::udp::{UDP_HEADER, udp_payload};

/// The most that an IPv4 packet holds, header included, and an IPv6 one without its header.
const MAX_LEN: usize = 65_535;

/// The most datagrams that one call makes with `UDP_SEGMENT` (Linux's `UDP_MAX_SEGMENTS`).
const MAX_SEGMENTS: usize = 128;

/// What a datagram is sent with instead of its socket's options: control messages of `sendmsg(2)`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SendControl {
    /// The address that it is sent from, which has to be the host's.
    pub(crate) source: Option<IpAddr>,
    /// The number of the interface that it leaves by; 0 is any.
    pub(crate) interface: u32,
    /// IPv4's time to live.
    pub(crate) hop_limit: Option<u8>,
    /// IPv4's type of service.
    pub(crate) traffic_class: Option<u8>,
    /// `UDP_SEGMENT`.
    pub(crate) segment: Option<u16>,
}

/// What is to be sent, and how.
struct Prepared {
    header: IpHeader,
    payload: Vec<u8>,
    discovery: MtuDiscovery,
    /// Bytes of each datagram but the last, which may have fewer.
    segment: usize,
    source_port: u16,
    destination_port: u16,
}

impl UdpCalls<'_> {
    /// `send(2)`, `sendto(2)` and `sendmsg(2)`. The order in which things go wrong is Linux's.
    pub(crate) fn poll_send(
        &mut self,
        id: DatagramId,
        bytes: &[u8],
        to: Option<SocketAddr>,
        control: &SendControl,
        waker: Option<&Waker>,
    ) -> Poll<Result<usize, Errno>> {
        let prepared = match self.prepare(id, bytes, to, control) {
            Ok(prepared) => prepared,
            Err(errno) => return Poll::Ready(Err(errno)),
        };
        let Some(socket) = self.udp.sockets.get_mut(id) else {
            return Poll::Ready(Err(Errno::Pipe));
        };
        if let Some(errno) = socket.error.take() {
            return Poll::Ready(Err(errno));
        }
        if socket.sending_shut_down {
            return Poll::Ready(Err(Errno::Pipe));
        }
        if !socket.has_room_to_send() {
            if let Some(waker) = waker {
                socket.writers.register(waker, self.ctx.woken);
            }
            return Poll::Pending;
        }
        let kind = socket.kind;
        if let (DatagramKind::Ping, Some((icmp, _))) = (socket.kind, IcmpHeader::split_from(bytes))
        {
            socket.last_echo = icmp.echo_sequence();
        }
        self.udp.sockets.unsent.insert(id);
        let Prepared { header, payload, discovery, segment, .. } = &prepared;
        let first_len = bytes.len().min(*segment);
        let mut sent = self.send_one(id, kind, first_len, header, payload, *discovery);
        for rest in bytes[first_len..].chunks(*segment) {
            let Prepared { source_port, destination_port, .. } = prepared;
            let payload = udp_payload(header, source_port, destination_port, rest);
            sent = sent
                .and_then(|()| self.send_one(id, kind, rest.len(), header, &payload, *discovery));
        }
        Poll::Ready(sent.map(|()| bytes.len()))
    }

    /// Sends a packet that carries so many bytes of the application's.
    fn send_one(
        &mut self,
        id: DatagramId,
        kind: DatagramKind,
        len: usize,
        header: &IpHeader,
        payload: &[u8],
        discovery: MtuDiscovery,
    ) -> Result<(), Errno> {
        let charge = SocketCharge { socket: id.0, bytes: charge(len) };
        let socket = self.udp.sockets.get_mut(id).ok_or(Errno::Pipe)?;
        socket.unsent += charge.bytes;
        self.send_to_all(id, charge, header, payload, discovery)?;
        let (mib, to) = (&mut *self.ctx.mib, header.destination);
        match kind {
            DatagramKind::Udp => mib.udp.of(to).out_datagrams += 1,
            DatagramKind::Ping | DatagramKind::Raw => mib.icmp.of(to).count_out(payload),
        }
        Ok(())
    }

    /// What is to be sent, with the payload of its first packet.
    fn prepare(
        &mut self,
        id: DatagramId,
        bytes: &[u8],
        to: Option<SocketAddr>,
        control: &SendControl,
    ) -> Result<Prepared, Errno> {
        self.autobind(id)?;
        let socket = self.udp.sockets.get(id).ok_or(Errno::Pipe)?;
        if bytes.len() > MAX_LEN {
            return Err(Errno::MessageSize);
        }
        let destination = match (to, socket.remote) {
            (Some(to), _) => {
                socket.check_port(to.port())?;
                self.destination_of(socket, to, false)?
            }
            (None, Some(remote)) => remote,
            (None, None) => return Err(Errno::DestinationRequired),
        };
        let is_there = self.ip.interface_numbered(control.interface).is_some()
            || control.interface == InterfaceId::LOOPBACK.number();
        if !is_there {
            return Err(Errno::NoDevice);
        }
        let source = match control.source {
            Some(source) => self.source_given(source, destination.ip())?,
            None => self.source_from(socket, destination.ip())?,
        };
        let mut header = socket.header(source, destination.ip());
        header.hop_limit = control.hop_limit.unwrap_or(header.hop_limit);
        header.traffic_class = control.traffic_class.unwrap_or(header.traffic_class);
        let len = bytes.len() + if socket.kind == DatagramKind::Udp { UDP_HEADER } else { 0 };
        let max_len = if destination.is_ipv4() { MAX_LEN - IPV4_HEADER } else { MAX_LEN };
        if len > max_len {
            return Err(Errno::MessageSize);
        }
        let segment = match control.segment.unwrap_or(socket.options.segment) {
            segment if segment > 0 && socket.kind == DatagramKind::Udp => usize::from(segment),
            _ => bytes.len().max(1),
        };
        let first = &bytes[..bytes.len().min(segment)];
        if first.len() < bytes.len() {
            let packet_len = header.len() + UDP_HEADER + segment;
            if packet_len > self.ip.path_mtu(self.ctx.now, destination.ip()) {
                return Err(Errno::MessageSize);
            }
            if bytes.len() > segment * MAX_SEGMENTS {
                return Err(Errno::Invalid);
            }
        }
        let payload = match socket.kind {
            DatagramKind::Udp => udp_payload(&header, socket.port, destination.port(), first),
            DatagramKind::Ping => echo_request(&header, socket.port, bytes)?,
            DatagramKind::Raw => raw_payload(&header, bytes)?,
        };
        let discovery = match destination {
            SocketAddr::V4(_) => socket.options.mtu_discovery,
            SocketAddr::V6(_) => socket.options.mtu_discovery_v6,
        };
        let (source_port, destination_port) = (socket.port, destination.port());
        Ok(Prepared { header, payload, discovery, segment, source_port, destination_port })
    }

    /// A control message asks for the address that something is sent from.
    fn source_given(&self, source: IpAddr, to: IpAddr) -> Result<IpAddr, Errno> {
        let for_one = self.ip.is_unicast(to) && !self.ip.is_own(to);
        let is_fit = source.is_ipv4() == to.is_ipv4()
            && self.ip.is_own(source)
            && !(source.is_loopback() && for_one);
        if is_fit { Ok(source) } else { Err(Errno::Invalid) }
    }

    /// Where something for `to` goes, if it may.
    pub(super) fn destination_of(
        &self,
        socket: &DatagramSocket,
        to: SocketAddr,
        connecting: bool,
    ) -> Result<SocketAddr, Errno> {
        if !socket.is_v6 && to.is_ipv6() {
            return Err(Errno::AddressFamilyNotSupported);
        }
        match scope_of_group(to) {
            Scope::Fine => {}
            // There is one interface that it can be.
            Scope::Missing if !connecting => {}
            Scope::Missing
                if to.ip().is_multicast() && socket.options.multicast_interface_v6 != 0 => {}
            Scope::Missing => return Err(Errno::Invalid),
            Scope::Other => return Err(Errno::NetUnreachable),
        }
        let is_v4_alone =
            matches!(socket.local, Some(BindAddress::AnyV4 | BindAddress::One(IpAddr::V4(_))));
        let address = match (canonical(to.ip()), socket.local) {
            // Linux takes 0.0.0.0 and :: for this host.
            (IpAddr::V4(any), Some(BindAddress::One(address)))
                if any.is_unspecified() && self.ip.is_own(address) =>
            {
                address
            }
            (any, _) if any.is_unspecified() && (any.is_ipv4() || is_v4_alone) => {
                Ipv4Addr::LOCALHOST.into()
            }
            (any, _) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            (address, _) => address,
        };
        if address.is_ipv4() && socket.any() == BindAddress::AnyV6 {
            return Err(Errno::NetUnreachable);
        }
        let ip = &*self.ip;
        if ip.is_broadcast(address) {
            if !socket.options.broadcast {
                return Err(Errno::Access);
            }
        } else if !address.is_multicast() && !ip.is_reachable(address) {
            return Err(Errno::NetUnreachable);
        }
        Ok(SocketAddr::new(address, to.port()))
    }

    /// The address that a socket sends from.
    pub(super) fn source_from(&self, socket: &DatagramSocket, to: IpAddr) -> Result<IpAddr, Errno> {
        let ip = &*self.ip;
        match socket.local {
            // What is bound to many sends from the address that fits.
            Some(BindAddress::One(address)) if ip.is_own(address) => {
                let for_one = ip.is_unicast(to) && !ip.is_own(to);
                match (address, to) {
                    (IpAddr::V6(_), IpAddr::V4(_)) => Err(Errno::NetUnreachable),
                    (IpAddr::V4(_), IpAddr::V6(_)) => Err(Errno::AddressFamilyNotSupported),
                    (IpAddr::V4(ours), _) if ours.is_loopback() && for_one => Err(Errno::Invalid),
                    _ => Ok(address),
                }
            }
            Some(BindAddress::AnyV4) if to.is_ipv6() => Err(Errno::AddressFamilyNotSupported),
            _ => match (to, socket.options.multicast_interface) {
                (IpAddr::V4(group), Some(address)) if group.is_multicast() => Ok(address.into()),
                _ => ip.source_for(to),
            },
        }
    }

    /// Sends a packet, and a copy to this host itself where it is for many who may be here, too.
    fn send_to_all(
        &mut self,
        id: DatagramId,
        charge: SocketCharge,
        header: &IpHeader,
        payload: &[u8],
        discovery: MtuDiscovery,
    ) -> Result<(), Errno> {
        let Some(socket) = self.udp.sockets.get(id) else { return Err(Errno::Pipe) };
        let to = header.destination;
        let loops = match to {
            IpAddr::V4(group) if group.is_multicast() => socket.options.multicast_loop,
            IpAddr::V6(group) if group.is_multicast() => socket.options.multicast_loop_v6,
            _ => self.ip.is_broadcast(to),
        };
        if loops {
            self.ip.loop_back(&mut self.ctx, header, payload);
        }
        // What reaches no further than the host: RFC 1112 6.1, RFC 4291 2.7.
        let is_of_interface = matches!(to, IpAddr::V6(group) if group.is_multicast() && group.octets()[1] & 0x0f == 1);
        let is_for_many = to.is_multicast() || self.ip.is_broadcast(to);
        let stays = is_of_interface
            || (to.is_multicast() && header.hop_limit == 0)
            || (is_for_many && header.source.is_loopback());
        if stays {
            self.ctx.mib.ip.of(to).out_requests += 1;
            return Ok(());
        }
        let charge = Some(charge);
        let waits = self.ip.send_packet(&mut self.ctx, header, payload, discovery, charge)?;
        if let Some(socket) = self.udp.sockets.get_mut(id) {
            socket.unresolved += waits;
        }
        Ok(())
    }
}

impl Udp {
    /// What was sent has left, apart from what waits for a neighbour: there is room for more.
    pub(in crate::host) fn note_sent(&mut self, woken: &mut Woken) {
        for id in std::mem::take(&mut self.sockets.unsent) {
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.unsent = socket.unresolved;
                if socket.has_room_to_send() {
                    socket.writers.wake_all(woken);
                }
            }
        }
    }

    /// Packets wait for their neighbour no longer. The sockets that sent them may be closed.
    pub(in crate::host) fn release(&mut self, charges: Vec<SocketCharge>, woken: &mut Woken) {
        for SocketCharge { socket, bytes } in charges {
            if let Some(socket) = self.sockets.get_mut(DatagramId(socket)) {
                socket.unresolved -= bytes;
                socket.unsent -= bytes;
                if socket.has_room_to_send() {
                    socket.writers.wake_all(woken);
                }
            }
        }
    }
}

impl DatagramSocket {
    fn check_port(&self, port: u16) -> Result<(), Errno> {
        match self.kind {
            DatagramKind::Udp if port == 0 => Err(Errno::Invalid),
            // Linux takes it for the protocol.
            DatagramKind::Raw if self.is_v6 && port != 0 && port != u16::from(protocol::ICMPV6) => {
                Err(Errno::Invalid)
            }
            _ => Ok(()),
        }
    }

    fn header(&self, source: IpAddr, destination: IpAddr) -> IpHeader {
        let options = &self.options;
        let protocol = match (self.kind, destination) {
            (DatagramKind::Udp, _) => protocol::UDP,
            (_, IpAddr::V4(_)) => protocol::ICMP,
            (_, IpAddr::V6(_)) => protocol::ICMPV6,
        };
        let is_for_group = destination.is_multicast();
        let (hop_limit, traffic_class) = match destination {
            IpAddr::V4(_) if is_for_group => (options.multicast_ttl, options.tos),
            IpAddr::V4(_) => (options.ttl, options.tos),
            IpAddr::V6(_) if is_for_group => (options.multicast_hops, options.traffic_class),
            IpAddr::V6(_) => (options.hop_limit, options.traffic_class),
        };
        IpHeader { source, destination, protocol, hop_limit, traffic_class }
    }
}

/// An echo request, whose identifier is the socket's: Linux's `ping_v4_sendmsg` takes nothing
/// else.
fn echo_request(header: &IpHeader, id: u16, bytes: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut message = bytes.to_vec();
    let is_request = message.len() >= ICMP_HEADER && message[..2] == [echo_type(header), 0];
    if !is_request {
        return Err(Errno::Invalid);
    }
    message[4..6].copy_from_slice(&id.to_be_bytes());
    fill_checksum(header.source, header.destination, &mut message);
    Ok(message)
}

fn echo_type(header: &IpHeader) -> u8 {
    if header.destination.is_ipv4() { icmp::v4::ECHO_REQUEST } else { icmp::v6::ECHO_REQUEST }
}

/// A message as it was given; the checksum of ICMPv6, which its sender cannot know, is filled in
/// (RFC 3542 3.1).
fn raw_payload(header: &IpHeader, bytes: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut message = bytes.to_vec();
    if header.protocol == protocol::ICMPV6 {
        if message.len() < 4 {
            return Err(Errno::Invalid);
        }
        fill_checksum(header.source, header.destination, &mut message);
    }
    Ok(message)
}
