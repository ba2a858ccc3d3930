//! Datagrams in: from the network to a socket, and from there to the application.

use std::net::{IpAddr, SocketAddr};
use std::task::{Poll, Waker};

use super::socket::Datagram;
use super::{DatagramId, DatagramKind, Udp, UdpCalls};
use crate::error::Errno;
use crate::host::ip::Problem;
use crate::host::packet::IpPacket;
use crate::host::wakers::Woken;
use crate::wire::icmp::{IcmpError, IcmpHeader, Quoted};
use crate::wire::ip::{IpHeader, protocol};
use crate::wire::udp::UdpDatagram;

/// What a receive gives beside the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceivedDatagram {
    /// Bytes that there was room for.
    pub(crate) len: usize,
    /// Bytes of the datagram.
    pub(crate) whole_len: usize,
    pub(crate) from: SocketAddr,
    /// The address that it was sent to; `None` where nothing was received.
    pub(crate) to: Option<IpAddr>,
    /// Of the packet it came in; IPv4's time to live.
    pub(crate) hop_limit: u8,
    /// Of the packet it came in; IPv4's type of service.
    pub(crate) traffic_class: u8,
}

impl UdpCalls<'_> {
    /// Takes in a UDP packet.
    pub(in crate::host) fn receive(&mut self, packet: &IpPacket<'_>) {
        let IpPacket { header, payload, checksum, .. } = *packet;
        let Some(datagram) = UdpDatagram::parse(&header, payload, checksum) else {
            self.ctx.counters.udp_errors += 1;
            return;
        };
        let destination = header.destination;
        let from = SocketAddr::new(header.source, datagram.source_port);
        let to = SocketAddr::new(destination, datagram.destination_port);
        let bytes = datagram.payload;
        if destination.is_multicast() || self.ip.is_broadcast(destination) {
            let listeners = self.udp.sockets.find_all(from, to);
            if listeners.is_empty() {
                self.ctx.mib.udp.of(destination).ignored_multi += 1;
                self.ctx.counters.udp_no_ports += 1;
            }
            for id in listeners {
                self.deliver(id, from, &header, bytes);
            }
        } else if let Some(id) = self.udp.sockets.find(DatagramKind::Udp, from, to) {
            self.deliver(id, from, &header, bytes);
        } else {
            self.ctx.counters.udp_no_ports += 1;
            self.ip.send_icmp_error(&mut self.ctx, IcmpError::PortUnreachable, packet.whole);
        }
    }

    /// Takes in an ICMP message: raw sockets see all of them, IPv4's with their packets.
    pub(in crate::host) fn receive_raw(&mut self, packet: &IpPacket<'_>) {
        let IpPacket { header, payload, whole, .. } = *packet;
        let seen = if header.destination.is_ipv4() { whole } else { payload };
        let from = SocketAddr::new(header.source, 0);
        for id in self.udp.sockets.raw(header.source, header.destination) {
            self.deliver(id, from, &header, seen);
        }
    }

    /// Takes in an echo reply, for the socket that asked.
    pub(in crate::host) fn receive_echo_reply(&mut self, packet: &IpPacket<'_>) {
        let IpPacket { header, payload, .. } = *packet;
        let Some((icmp, _)) = IcmpHeader::split_from(payload) else { return };
        let from = SocketAddr::new(header.source, 0);
        let to = SocketAddr::new(header.destination, icmp.echo_id());
        if let Some(id) = self.udp.sockets.find(DatagramKind::Ping, from, to) {
            self.deliver(id, from, &header, payload);
        }
    }

    /// Puts a datagram into a socket's queue.
    fn deliver(&mut self, id: DatagramId, from: SocketAddr, header: &IpHeader, bytes: &[u8]) {
        let Some(socket) = self.udp.sockets.get_mut(id) else { return };
        let IpHeader { destination: to, hop_limit, traffic_class, .. } = *header;
        if socket.push(Datagram { from, to, hop_limit, traffic_class, bytes: bytes.into() }) {
            socket.readers.wake_all(self.ctx.woken);
        } else {
            if socket.kind == DatagramKind::Udp {
                self.ctx.mib.udp.of(from.ip()).recv_buffer_errors += 1;
            }
            self.ctx.counters.receive_buffer_full += 1;
            tracing::debug!(target: "glassnet::udp", local = %socket.shown_local(), dropped = socket.dropped, "receive queue full: datagram dropped");
        }
    }
}

impl Udp {
    /// Whether the quoted packet is of a socket that there is: who is not on the path must not be
    /// able to narrow it (RFC 5927 section 7).
    pub(in crate::host) fn knows_of(&self, quoted: &Quoted) -> bool {
        match quoted.protocol {
            protocol::UDP => {
                let (remote, local) = (quoted.remote(), quoted.local());
                self.sockets.find(DatagramKind::Udp, remote, local).is_some()
            }
            protocol::ICMP | protocol::ICMPV6 => true,
            _ => false,
        }
    }

    /// Hands an error to the sockets that it concerns. One hears of it only when it is connected
    /// and trying again is useless, unless it asked for all (`IP_RECVERR`): Linux's
    /// `__udp4_lib_err`.
    pub(in crate::host) fn report(&mut self, quoted: &Quoted, problem: Problem, woken: &mut Woken) {
        let (errno, fatal) = match problem {
            Problem::Undelivered { errno, fatal } => (errno, fatal),
            // The network will not send a datagram again.
            Problem::TooBig(_) => (Errno::MessageSize, true),
        };
        let (remote, local) = (quoted.remote(), quoted.local());
        let concerned = match quoted.protocol {
            protocol::UDP => {
                self.sockets.find(DatagramKind::Udp, remote, local).into_iter().collect()
            }
            protocol::ICMP | protocol::ICMPV6 => {
                let mut concerned = self.sockets.raw(remote.ip(), local.ip());
                concerned.extend(self.sender_of_echo(quoted));
                concerned
            }
            _ => Vec::new(),
        };
        for id in concerned {
            if let Some(socket) = self.sockets.get_mut(id)
                && socket.hears_error(fatal)
            {
                socket.fail(errno, woken);
            }
        }
    }

    /// The socket that sent the quoted echo request, and no later one: what became of it is no
    /// news any more then.
    fn sender_of_echo(&self, quoted: &Quoted) -> Option<DatagramId> {
        if !quoted.is_echo_request() {
            return None;
        }
        let (remote, local) = (SocketAddr::new(quoted.destination, 0), quoted.echo());
        let id = self.sockets.find(DatagramKind::Ping, remote, local)?;
        let is_last = self.sockets.get(id)?.last_echo == quoted.sequence();
        is_last.then_some(id)
    }

    /// `recv(2)` and `recvfrom(2)`: what does not fit is lost.
    pub(crate) fn poll_recv(
        &mut self,
        woken: &mut Woken,
        id: DatagramId,
        buffer: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<Result<ReceivedDatagram, Errno>> {
        let Some(socket) = self.sockets.get_mut(id) else {
            return Poll::Ready(Err(Errno::ConnReset));
        };
        if let Some(errno) = socket.error.take() {
            return Poll::Ready(Err(errno));
        }
        let Some(datagram) = socket.first() else {
            if socket.receiving_shut_down {
                let mut nobody = socket.shown_local();
                nobody.set_port(0);
                return Poll::Ready(Ok(ReceivedDatagram {
                    len: 0,
                    whole_len: 0,
                    from: nobody,
                    to: None,
                    hop_limit: 0,
                    traffic_class: 0,
                }));
            }
            if let Some(waker) = waker {
                socket.readers.register(waker, woken);
            }
            return Poll::Pending;
        };
        let len = datagram.bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&datagram.bytes[..len]);
        let from = socket.shown(datagram.from.ip(), datagram.from.port());
        let received = ReceivedDatagram {
            len,
            whole_len: datagram.bytes.len(),
            from,
            to: Some(datagram.to),
            hop_limit: datagram.hop_limit,
            traffic_class: datagram.traffic_class,
        };
        if !peek {
            if socket.kind == DatagramKind::Udp {
                *self.received.of(datagram.from.ip()) += 1;
            }
            socket.pop();
        }
        Poll::Ready(Ok(received))
    }
}
