//! Packets for this host alone in frames for many, packets for many, and packets with a source that
//! nobody can have: what is dropped, and who is not told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::datagrams::{ipv4, ipv6, udp};
use super::wire::{HOST, HOST_MAC, HOST_V6, PEER, PEER_MAC, PEER_PORT, PORT, Peer, Tcp, Wire};
use crate::wire::checksum::{internet_checksum, transport_checksum};
use crate::wire::ethernet::{BROADCAST, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Mac};

const ICMP: u8 = 1;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// Assigned to no protocol that a host speaks.
const UNKNOWN: u8 = 99;
const ALL_SYSTEMS_MAC: Mac = [1, 0, 0x5e, 0, 0, 1];
const ALL_NODES_MAC: Mac = [0x33, 0x33, 0, 0, 0, 1];

fn inject_to(wire: &mut Wire, to: Mac, packet: &[u8]) {
    let ethertype = if packet[0] >> 4 == 4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
    wire.inject_frame(&[&to[..], &PEER_MAC, &ethertype, packet].concat(), false);
}

/// Puts another source into a packet of [`ipv4`], [`ipv6`] or a segment.
fn from(mut packet: Vec<u8>, source: IpAddr) -> Vec<u8> {
    match source {
        IpAddr::V4(source) => {
            packet[12..16].copy_from_slice(&source.octets());
            packet[10..12].fill(0);
            let sum = internet_checksum(&packet[..20]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        IpAddr::V6(source) => packet[8..24].copy_from_slice(&source.octets()),
    }
    packet
}

fn echo_v4() -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0, 0, 1, 0, 1, 7, 7];
    let sum = internet_checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

fn echo_v6(source: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![128, 0, 0, 0, 0, 1, 0, 1, 7, 7];
    let sum = transport_checksum(source.into(), to.into(), ICMPV6, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// A SYN over IPv6, from the peer's port.
fn syn_v6(port: u16) -> Vec<u8> {
    let mut segment = PEER_PORT.to_be_bytes().to_vec();
    segment.extend(port.to_be_bytes());
    segment.extend([0, 0, 0, 9, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    let source: IpAddr = "fd00::2".parse().unwrap();
    let sum = transport_checksum(source, HOST_V6.into(), 6, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ipv6(HOST_V6, 6, &segment)
}

/// Everything that one can ask of the host, with its answer if it comes in a frame for the host.
fn questions() -> Vec<Vec<u8>> {
    let peer_v6 = "fd00::2".parse().unwrap();
    vec![
        Peer::new(PEER_PORT).syn().packet(),
        Tcp { to: (HOST, 81), ..Peer::new(PEER_PORT).syn() }.packet(),
        ipv4(HOST, UDP, 0, &udp(HOST.into(), 8, b"x")),
        ipv4(HOST, UNKNOWN, 0, &[0; 8]),
        ipv4(HOST, ICMP, 0, &echo_v4()),
        syn_v6(PORT),
        syn_v6(81),
        ipv6(HOST_V6, UDP, &udp(HOST_V6.into(), 8, b"x")),
        ipv6(HOST_V6, UNKNOWN, &[0; 8]),
        ipv6(HOST_V6, ICMPV6, &echo_v6(peer_v6, HOST_V6)),
    ]
}

/// One that listens at [`PORT`].
fn listening() -> Wire {
    let mut wire = Wire::new();
    wire.listen_at(format!("[::]:{PORT}").parse().unwrap(), 8);
    wire
}

// RFC 1122 3.3.6. Linux 6.18 drops TCP in such a frame, answers neither TCP nor UDP nor an unknown
// protocol, and lets UDP and echoes through unless `drop_unicast_in_l2_multicast` is set.
#[test]
fn what_is_for_this_host_alone_is_dropped_in_a_frame_for_many_and_nobody_is_told() {
    for question in questions() {
        for to in [BROADCAST, ALL_SYSTEMS_MAC, ALL_NODES_MAC] {
            let mut wire = listening();
            inject_to(&mut wire, to, &question);
            assert!(wire.take().is_empty() && wire.packets().is_empty(), "{question:x?}");
            assert_eq!(wire.host.counters().ip_address_errors, 1);
            assert!(wire.states().is_empty());
        }
        let mut wire = listening();
        wire.hear_of_peer_v6();
        inject_to(&mut wire, HOST_MAC, &question);
        let answers = wire.take().len() + wire.packets().len();
        assert_eq!(answers, 1, "the same in a frame for the host: {question:x?}");
    }
}

#[test]
fn a_datagram_for_this_host_alone_is_not_delivered_from_a_frame_for_many() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("[::]:7");
    let datagrams = [
        ipv4(HOST, UDP, 0, &udp(HOST.into(), 7, b"four")),
        ipv6(HOST_V6, UDP, &udp(HOST_V6.into(), 7, b"six")),
    ];
    for datagram in &datagrams {
        inject_to(&mut wire, BROADCAST, datagram);
        assert_eq!(wire.try_recv(socket), None);
        inject_to(&mut wire, HOST_MAC, datagram);
        assert!(wire.try_recv(socket).is_some());
    }
    // What is for many is heard in a frame for many, and in one for the host (RFC 6085).
    let to = Ipv4Addr::new(10, 0, 255, 255);
    for mac in [BROADCAST, HOST_MAC] {
        inject_to(&mut wire, mac, &ipv4(to, UDP, 0, &udp(to.into(), 7, b"all")));
        assert_eq!(wire.try_recv(socket), Some(Ok(b"all".to_vec())));
    }
}

// RFC 1122 3.2.2, RFC 4443 2.4 (e.3); Linux 6.18 answers none of them.
#[test]
fn no_error_answers_what_was_for_many() {
    let mut wire = Wire::new();
    wire.listen(8);
    for to in [Ipv4Addr::BROADCAST, Ipv4Addr::new(10, 0, 255, 255), Ipv4Addr::new(224, 0, 0, 1)] {
        for mac in [BROADCAST, HOST_MAC] {
            inject_to(&mut wire, mac, &ipv4(to, UDP, 0, &udp(to.into(), 8, b"x")));
            inject_to(&mut wire, mac, &ipv4(to, UNKNOWN, 0, &[0; 8]));
            inject_to(&mut wire, mac, &Tcp { to: (to, PORT), ..Peer::new(9).syn() }.packet());
            inject_to(&mut wire, mac, &Tcp { to: (to, 81), ..Peer::new(9).syn() }.packet());
        }
    }
    let group: Ipv6Addr = "ff02::1".parse().unwrap();
    inject_to(&mut wire, ALL_NODES_MAC, &ipv6(group, UDP, &udp(group.into(), 8, b"x")));
    inject_to(&mut wire, ALL_NODES_MAC, &ipv6(group, UNKNOWN, &[0; 8]));
    assert!(wire.take().is_empty() && wire.packets().is_empty());
}

// RFC 1122 3.2.2: "a fragment other than the first".
#[test]
fn no_error_answers_a_later_fragment_or_an_error() {
    let mut wire = Wire::new();
    wire.inject_v4(&ipv4(HOST, UNKNOWN, 5, &[0; 8]));
    let quoted = ipv4(PEER, UDP, 0, &[0; 8]);
    let mut error = vec![3, 3, 0, 0, 0, 0, 0, 0];
    error.extend(&quoted);
    let sum = internet_checksum(&error);
    error[2..4].copy_from_slice(&sum.to_be_bytes());
    // Behind options that are malformed, and behind an extension header with an unknown one.
    let mut packet = ipv4(HOST, ICMP, 0, &[&[7, 1, 0, 0], &error[..]].concat());
    packet[0] = 0x46;
    packet[10..12].fill(0);
    let sum = internet_checksum(&packet[..24]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    wire.inject_v4(&packet);
    assert_eq!(wire.host.counters().ip_header_errors, 1);
    let error = [ICMPV6, 0, 0x9e, 4, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 0, 0];
    wire.inject_v6(&ipv6(HOST_V6, 60, &error));
    assert_eq!(wire.host.counters().ip_header_errors, 2);
    assert!(wire.packets().is_empty());
}

// RFC 1122 3.2.1.3, RFC 4291 2.5: Linux 6.18 drops each of them ("martian source").
#[test]
fn what_comes_from_an_address_that_no_host_has_is_dropped() {
    let v4 = [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "10.0.255.255",
        "10.0.0.1",
    ];
    let v6 = ["::1", "ff02::5", "fd00::1", "::ffff:10.0.0.2"];
    for source in v4.into_iter().chain(v6) {
        let source: IpAddr = source.parse().unwrap();
        let mut wire = listening();
        let socket = wire.udp_socket("[::]:7");
        match source {
            IpAddr::V4(address) => {
                wire.inject_v4(&from(ipv4(HOST, ICMP, 0, &echo_v4()), source));
                let mut datagram = udp(HOST.into(), 7, b"x");
                datagram[6..8].fill(0);
                wire.inject_v4(&from(ipv4(HOST, UDP, 0, &datagram), source));
                for port in [PORT, 81] {
                    let syn = Peer::new(PEER_PORT).syn();
                    let syn = Tcp { from: (address, PEER_PORT), to: (HOST, port), ..syn };
                    wire.inject(&syn);
                }
            }
            IpAddr::V6(address) => {
                let echo = echo_v6(address, HOST_V6);
                wire.inject_v6(&from(ipv6(HOST_V6, ICMPV6, &echo), source));
                let mut datagram = udp(HOST_V6.into(), 7, b"x");
                datagram[6..8].fill(0);
                let sum = transport_checksum(source, HOST_V6.into(), UDP, &datagram);
                datagram[6..8].copy_from_slice(&sum.to_be_bytes());
                wire.inject_v6(&from(ipv6(HOST_V6, UDP, &datagram), source));
            }
        }
        assert_eq!(wire.try_recv(socket), None, "from {source}");
        assert!(wire.take().is_empty() && wire.packets().is_empty(), "from {source}");
        assert_eq!(wire.arps.len(), 0, "nobody looks for {source}");
        let sent = if source.is_ipv4() { 4 } else { 2 };
        assert_eq!(wire.host.counters().ip_address_errors, sent, "from {source}");
    }
}

// Linux 6.18 answers them: a host that is reached does not look at how far a packet could have gone.
#[test]
fn a_packet_whose_time_to_live_has_run_out_has_arrived_all_the_same() {
    let mut wire = Wire::new();
    for ttl in [0, 1] {
        let mut packet = ipv4(HOST, ICMP, 0, &echo_v4());
        packet[8] = ttl;
        wire.inject_v4(&from(packet, PEER.into()));
        assert_eq!(wire.packets().len(), 1, "time to live {ttl}");
    }
}

// RFC 1122 3.3.6 and 4.3.1, RFC 768, RFC 8200 8.1.
#[test]
fn a_datagram_shorter_than_its_header_is_dropped_and_nobody_is_told() {
    let mut wire = Wire::new();
    for len in [0u16, 7, 90] {
        let mut datagram = vec![0, 1, 0, 8];
        datagram.extend(len.to_be_bytes());
        datagram.extend([0; 4]);
        wire.inject_v4(&ipv4(HOST, UDP, 0, &datagram));
    }
    assert_eq!(wire.host.counters().udp_errors, 3);
    assert!(wire.packets().is_empty());
}
