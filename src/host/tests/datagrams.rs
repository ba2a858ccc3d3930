//! UDP on the wire: what a host makes of datagrams that a peer sends, and what it answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Poll, Waker};

use super::wire::{HOST, HOST_MAC, HOST_V6, PEER, PEER_MAC, SECOND, Wire, octets};
use crate::error::Errno;
use crate::host::udp::{DatagramId, DatagramKind, SendControl};
use crate::wire::checksum::{internet_checksum, transport_checksum};
use crate::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};

const PEER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const UDP: u8 = 17;

/// An IPv4 packet of the peer's.
pub(super) fn ipv4(to: Ipv4Addr, protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + payload.len() as u16).to_be_bytes());
    packet.extend([0x12, 0x34]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(PEER.octets());
    packet.extend(to.octets());
    let sum = internet_checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(payload);
    packet
}

pub(super) fn ipv6(to: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next_header, 64]);
    packet.extend(PEER_V6.octets());
    packet.extend(to.octets());
    packet.extend(payload);
    packet
}

/// A UDP datagram of the peer's, from port 40000 to `port`, with a good checksum.
pub(super) fn udp(to: IpAddr, port: u16, octets: &[u8]) -> Vec<u8> {
    let from = if to.is_ipv4() { IpAddr::V4(PEER) } else { IpAddr::V6(PEER_V6) };
    let mut datagram = Vec::new();
    for field in [40_000, port, 8 + octets.len() as u16, 0] {
        datagram.extend(field.to_be_bytes());
    }
    datagram.extend(octets);
    let sum = transport_checksum(from, to, UDP, &datagram);
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    datagram
}

impl Wire {
    pub(super) fn udp_socket(&mut self, local: &str) -> DatagramId {
        let local: SocketAddr = local.parse().unwrap();
        let id = self.host.udp_calls(self.now).create(DatagramKind::Udp, local.is_ipv6()).unwrap();
        self.host.udp_calls(self.now).bind(id, local).unwrap();
        id
    }

    /// What a receive gives; `None` when it waits.
    pub(super) fn try_recv(&mut self, id: DatagramId) -> Option<Result<Vec<u8>, Errno>> {
        let mut buffer = vec![0; 65_535];
        let (udp, woken) = self.host.udp_mut();
        match udp.poll_recv(woken, id, &mut buffer, false, Some(Waker::noop())) {
            Poll::Ready(received) => Some(received.map(|received| buffer[..received.len].to_vec())),
            Poll::Pending => None,
        }
    }

    #[track_caller]
    pub(super) fn send_datagram(&mut self, id: DatagramId, octets: &[u8], to: &str) {
        let to = Some(to.parse().unwrap());
        let sent =
            self.host.udp_calls(self.now).poll_send(id, octets, to, &SendControl::default(), None);
        assert_eq!(sent, Poll::Ready(Ok(octets.len())));
        self.settle();
    }

    pub(super) fn inject_v4(&mut self, packet: &[u8]) {
        self.inject_packet(PEER_MAC, ETHERTYPE_IPV4, packet);
    }

    pub(super) fn inject_v6(&mut self, packet: &[u8]) {
        self.inject_packet(PEER_MAC, ETHERTYPE_IPV6, packet);
    }

    /// The IP packets that the host sent and that nobody has looked at.
    pub(super) fn packets(&mut self) -> Vec<Vec<u8>> {
        self.settle();
        self.others.drain(..).map(|frame| frame[14..].to_vec()).collect()
    }
}

#[test]
fn what_the_peer_sends_is_received_and_padding_is_not() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    let mut packet = ipv4(HOST, UDP, 0, &udp(HOST.into(), 7, b"hello"));
    packet.extend([0; 13]);
    wire.inject_v4(&packet);
    assert_eq!(wire.try_recv(socket), Some(Ok(b"hello".to_vec())));
    // UDP has a length of its own.
    let mut datagram = udp(HOST.into(), 7, b"hello");
    datagram.extend(b"what follows");
    wire.inject_v4(&ipv4(HOST, UDP, 0, &datagram));
    assert_eq!(wire.try_recv(socket), Some(Ok(b"hello".to_vec())));
}

// RFC 768: a checksum of 0 is none; RFC 8200 8.1: IPv6 has none without.
#[test]
fn checksums_are_verified_where_there_is_one() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("[::]:7");
    let mut datagram = udp(HOST.into(), 7, b"hello");
    datagram[9] ^= 1;
    wire.inject_v4(&ipv4(HOST, UDP, 0, &datagram));
    assert_eq!(wire.try_recv(socket), None);
    datagram[6..8].fill(0);
    wire.inject_v4(&ipv4(HOST, UDP, 0, &datagram));
    assert_eq!(wire.try_recv(socket), Some(Ok(b"hdllo".to_vec())));

    let mut datagram = udp(HOST_V6.into(), 7, b"hello");
    wire.inject_v6(&ipv6(HOST_V6, UDP, &datagram));
    assert_eq!(wire.try_recv(socket), Some(Ok(b"hello".to_vec())));
    datagram[9] ^= 1;
    wire.inject_v6(&ipv6(HOST_V6, UDP, &datagram));
    datagram[6..8].fill(0);
    wire.inject_v6(&ipv6(HOST_V6, UDP, &datagram));
    assert_eq!(wire.try_recv(socket), None);
    assert!(wire.packets().iter().all(|packet| packet[9] != 1 && packet[40] != 1), "no complaint");
}

#[test]
fn what_is_malformed_is_dropped() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    let good = udp(HOST.into(), 7, b"hello");
    for len in 0..8 {
        wire.inject_v4(&ipv4(HOST, UDP, 0, &good[..len]));
    }
    for claimed in [0, 7, 14, 65_535_u16] {
        let mut lying = good.clone();
        lying[4..6].copy_from_slice(&claimed.to_be_bytes());
        lying[6..8].fill(0);
        wire.inject_v4(&ipv4(HOST, UDP, 0, &lying));
    }
    assert_eq!(wire.try_recv(socket), None);
    assert!(wire.packets().is_empty());
}

// RFC 768: the sum that is 0 is sent as 65,535.
#[test]
fn a_sum_of_zero_is_sent_as_its_other_form() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    wire.inject_v4(&ipv4(HOST, UDP, 0, &udp(HOST.into(), 7, b"")));
    // One of these sums up to 0.
    for number in 0..=u16::MAX {
        wire.send_datagram(socket, &number.to_be_bytes(), "10.0.0.2:9");
    }
    let packets = wire.packets();
    assert_eq!(packets.len(), 65_536);
    let sums: Vec<[u8; 2]> = packets.iter().map(|packet| [packet[26], packet[27]]).collect();
    assert!(!sums.contains(&[0, 0]));
    assert!(sums.contains(&[0xff, 0xff]));
    for packet in &packets[..100] {
        assert_eq!(transport_checksum(HOST.into(), PEER.into(), UDP, &packet[20..]), 0);
    }
}

// RFC 1122 3.2.2.1 and 4.1.3.1; RFC 1812 4.3.2.3.
#[test]
fn a_closed_port_is_told_with_what_was_sent_to_it() {
    let mut wire = Wire::new();
    for len in [0, 5, 1_400] {
        let packet = ipv4(HOST, UDP, 0, &udp(HOST.into(), 9, &octets(len)));
        wire.inject_v4(&packet);
        let told = wire.packets().pop().expect("an ICMP error");
        assert_eq!(told[20..22], [3, 3]);
        assert_eq!(told[16..20], PEER.octets());
        let quoted = &told[28..];
        assert_eq!(quoted, &packet[..packet.len().min(548)]);
        assert_eq!((internet_checksum(&told[..20]), internet_checksum(&told[20..])), (0, 0));
        wire.advance(10 * SECOND);
    }
    let packet = ipv6(HOST_V6, UDP, &udp(HOST_V6.into(), 9, &octets(1_400)));
    wire.inject_v6(&packet);
    // The peer has not been solicited yet.
    wire.packets();
    let mut advertisement = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
    advertisement.extend(PEER_V6.octets());
    advertisement.extend([2, 1]);
    advertisement.extend(PEER_MAC);
    let sum = transport_checksum(PEER_V6.into(), HOST_V6.into(), 58, &advertisement);
    advertisement[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut answer = ipv6(HOST_V6, 58, &advertisement);
    answer[7] = 255;
    wire.inject_v6(&answer);
    let told = wire.packets().pop().expect("an ICMPv6 error");
    assert_eq!(told[40..42], [1, 4]);
    // RFC 4443 2.4 (c).
    assert_eq!((told.len(), &told[48..]), (1_280, &packet[..1_232]));
}

// RFC 1122 3.2.2: whom nobody may tell.
#[test]
fn what_is_for_many_or_from_nobody_is_not_told() {
    let mut wire = Wire::new();
    let broadcast = Ipv4Addr::new(10, 0, 255, 255);
    for to in [Ipv4Addr::BROADCAST, broadcast, Ipv4Addr::new(224, 0, 0, 1)] {
        wire.inject_v4(&ipv4(to, UDP, 0, &udp(to.into(), 9, b"x")));
    }
    for from in [[0, 0, 0, 0], broadcast.octets(), [239, 1, 2, 3], [127, 0, 0, 1]] {
        let mut datagram = udp(HOST.into(), 9, b"x");
        datagram[6..8].fill(0);
        let mut packet = ipv4(HOST, UDP, 0, &datagram);
        packet[12..16].copy_from_slice(&from);
        packet[10..12].fill(0);
        let sum = internet_checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        wire.inject_v4(&packet);
    }
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    wire.inject_v6(&ipv6(all_nodes, UDP, &udp(all_nodes.into(), 9, b"x")));
    assert_eq!(wire.packets(), Vec::<Vec<u8>>::new());
}

// Linux's `icmp_ratelimit`.
#[test]
fn a_flood_is_told_six_times_and_then_once_a_second() {
    let mut wire = Wire::new();
    let packet = ipv4(HOST, UDP, 0, &udp(HOST.into(), 9, b"x"));
    let mut told = Vec::new();
    for _ in 0..5 {
        for _ in 0..100 {
            wire.inject_v4(&packet);
        }
        told.push(wire.packets().len());
        wire.advance(SECOND);
    }
    assert_eq!(told, [6, 1, 1, 1, 1]);
}

// RFC 1122 3.2.2.2; RFC 8200 4.2.
#[test]
fn a_protocol_that_nobody_speaks_is_told() {
    let mut wire = Wire::new();
    wire.inject_v4(&ipv4(HOST, 132, 0, b"sctp?   "));
    let told = wire.packets().pop().expect("an ICMP error");
    assert_eq!(told[20..22], [3, 2]);
}

// RFC 791 3.2, RFC 792: after 30 seconds.
#[test]
fn fragments_become_whole_in_any_order_or_their_sender_is_told() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    let datagram = udp(HOST.into(), 7, &octets(2_000));
    let first = ipv4(HOST, UDP, 0x2000, &datagram[..1_000]);
    let last = ipv4(HOST, UDP, 125, &datagram[1_000..]);
    wire.inject_v4(&last);
    wire.inject_v4(&first);
    assert_eq!(wire.try_recv(socket), Some(Ok(octets(2_000))));
    wire.inject_v4(&first);
    wire.advance(30 * SECOND - 1);
    assert!(wire.packets().is_empty());
    wire.advance(1);
    let told = wire.packets().pop().expect("an ICMP error");
    assert_eq!(told[20..22], [11, 1], "time exceeded in reassembly");
    assert_eq!(told[48..56], datagram[..8]);
    wire.inject_v4(&last);
    wire.advance(100 * SECOND);
    assert_eq!(wire.try_recv(socket), None);
    assert!(wire.packets().is_empty(), "nobody knows whom to tell what without the first");
}

#[test]
fn a_corrupted_fragment_spoils_the_datagram() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    let mut datagram = udp(HOST.into(), 7, &octets(2_000));
    datagram[1_500] ^= 1;
    wire.inject_v4(&ipv4(HOST, UDP, 0x2000, &datagram[..1_000]));
    wire.inject_v4(&ipv4(HOST, UDP, 125, &datagram[1_000..]));
    assert_eq!(wire.try_recv(socket), None);
}

#[test]
fn a_broadcast_on_the_link_may_be_for_one_host_alone_and_is_heard_by_none() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    let packet = ipv4(Ipv4Addr::new(10, 0, 0, 77), UDP, 0, &udp(HOST.into(), 7, b"x"));
    let mut frame = [[0xff; 6], PEER_MAC].concat();
    frame.extend(ETHERTYPE_IPV4);
    frame.extend(packet);
    wire.inject_frame(&frame, true);
    frame[..6].copy_from_slice(&HOST_MAC);
    wire.inject_frame(&frame, true);
    assert_eq!(wire.try_recv(socket), None);
    assert!(wire.packets().is_empty());
}

#[test]
fn random_datagrams_are_survived() {
    let mut stream = crate::rng::Seed(5).stream("fuzz");
    let mut wire = Wire::new();
    let socket = wire.udp_socket("[::]:7");
    for round in 0..5_000 {
        let len = stream.up_to(80) as usize;
        let payload: Vec<u8> = (0..len).map(|_| stream.next_u64() as u8).collect();
        let protocol = [UDP, 1, 58, 0, 43, 44, 60, 2][stream.up_to(7) as usize];
        if round % 2 == 0 {
            wire.inject_v4(&ipv4(HOST, protocol, 0, &payload));
        } else {
            wire.inject_v6(&ipv6(HOST_V6, protocol, &payload));
        }
    }
    while wire.try_recv(socket).is_some() {}
    wire.packets();
    wire.advance(100 * SECOND);
    wire.inject_v4(&ipv4(HOST, UDP, 0, &udp(HOST.into(), 7, b"alive")));
    assert_eq!(wire.try_recv(socket), Some(Ok(b"alive".to_vec())));
}
