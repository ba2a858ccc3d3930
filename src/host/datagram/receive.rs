//! Datagrams in: from the network to a socket, and from there to the application.

use std::net::SocketAddr;
use std::task::{Poll, Waker};

use super::socket::Datagram;
use super::{DatagramId, DatagramKind};
use crate::error::Errno;
use crate::host::stack::Host;
use crate::wire::checksum::transport_checksum;
use crate::wire::ip::{IpHeader, protocol};

const UDP_HEADER: usize = 8;

/// What a receive gives beside the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceivedDatagram {
    /// Octets that there was room for.
    pub(crate) len: usize,
    pub(crate) from: SocketAddr,
    /// Of the packet it came in; IPv4's time to live.
    pub(crate) hop_limit: u8,
}

impl Host {
    /// Takes in what follows the IP header of a UDP packet.
    pub(in crate::host) fn receive_udp(
        &mut self,
        now: u64,
        header: &IpHeader,
        payload: &[u8],
        packet: &[u8],
        intact: bool,
    ) {
        let Some((udp, _)) = payload.split_first_chunk::<UDP_HEADER>() else {
            self.counters.udp_errors += 1;
            return;
        };
        let field = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
        let len = usize::from(field(4));
        let Some(datagram) = payload.get(..len).filter(|_| len >= UDP_HEADER) else {
            self.counters.udp_errors += 1;
            return;
        };
        let (source, destination) = (header.source, header.destination);
        // RFC 768: none at all; RFC 8200 8.1: which IPv6 does not allow.
        let has_checksum = field(6) != 0;
        let is_whole = if has_checksum {
            intact || transport_checksum(source, destination, protocol::UDP, datagram) == 0
        } else {
            destination.is_ipv4()
        };
        if !is_whole {
            self.counters.udp_errors += 1;
            return;
        }
        let from = SocketAddr::new(source, field(0));
        let to = SocketAddr::new(destination, field(2));
        let octets = &datagram[UDP_HEADER..];
        if destination.is_multicast() || self.addresses.is_broadcast(destination) {
            let listeners = self.datagrams.find_all(from, to);
            if listeners.is_empty() {
                self.counters.udp_no_ports += 1;
            }
            for id in listeners {
                self.deliver(id, from, header.hop_limit, octets);
            }
        } else if let Some(id) = self.datagrams.find(DatagramKind::Udp, from, to) {
            self.deliver(id, from, header.hop_limit, octets);
        } else {
            self.counters.udp_no_ports += 1;
            self.send_port_unreachable(now, packet);
        }
    }

    /// Puts a datagram into a socket's queue.
    pub(in crate::host) fn deliver(
        &mut self,
        id: DatagramId,
        from: SocketAddr,
        hop_limit: u8,
        octets: &[u8],
    ) {
        let Some(socket) = self.datagrams.get_mut(id) else { return };
        if socket.push(Datagram { from, hop_limit, octets: octets.into() }) {
            socket.readers.wake_all(&mut self.woken);
        } else {
            self.counters.receive_buffer_full += 1;
            tracing::debug!(target: "glassnet::udp", local = %socket.shown_local(), dropped = socket.dropped, "receive queue full: datagram dropped");
        }
    }

    /// `recv(2)` and `recvfrom(2)`: what does not fit is lost.
    pub(crate) fn poll_datagram_recv(
        &mut self,
        id: DatagramId,
        buffer: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<Result<ReceivedDatagram, Errno>> {
        let Some(socket) = self.datagrams.get_mut(id) else {
            return Poll::Ready(Err(Errno::ConnReset));
        };
        if let Some(errno) = socket.error.take() {
            return Poll::Ready(Err(errno));
        }
        let Some(datagram) = socket.first() else {
            if socket.receiving_shut_down {
                let mut nobody = socket.shown_local();
                nobody.set_port(0);
                return Poll::Ready(Ok(ReceivedDatagram { len: 0, from: nobody, hop_limit: 0 }));
            }
            if let Some(waker) = waker {
                socket.readers.register(waker, &mut self.woken);
            }
            return Poll::Pending;
        };
        let len = datagram.octets.len().min(buffer.len());
        buffer[..len].copy_from_slice(&datagram.octets[..len]);
        let from = socket.shown(datagram.from.ip(), datagram.from.port());
        let received = ReceivedDatagram { len, from, hop_limit: datagram.hop_limit };
        if !peek {
            socket.pop();
        }
        Poll::Ready(Ok(received))
    }
}
