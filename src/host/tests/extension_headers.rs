//! IPv6 packets with extension headers, and fragments that can be a part of no packet.

use std::net::{IpAddr, Ipv6Addr};

use super::datagrams::{ipv6, udp};
use super::wire::{HOST_V6, Wire, octets};
use crate::host::options::HostOptions;
use crate::wire::checksum::transport_checksum;

const HOP_BY_HOP: u8 = 0;
const UDP: u8 = 17;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ICMPV6: u8 = 58;
const DESTINATION_OPTIONS: u8 = 60;
const PEER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// What a host makes of a packet.
#[derive(Debug, PartialEq)]
enum Outcome {
    Delivered,
    Silence,
    /// A parameter problem: code and pointer.
    Problem(u8, u32),
}
use Outcome::{Delivered, Problem, Silence};

/// What it makes of one with this behind its header, in the end a datagram for port 7.
fn outcome_to(to: Ipv6Addr, next_header: u8, behind: &[u8]) -> Outcome {
    let mut wire = Wire::new();
    wire.hear_of_peer_v6();
    let socket = wire.udp_socket("[::]:7");
    let packet = ipv6(to, next_header, behind);
    wire.inject_v6(&packet);
    let answer = wire.packets().pop();
    if wire.try_recv(socket).is_some() {
        assert_eq!(answer, None);
        return Delivered;
    }
    let Some(answer) = answer else { return Silence };
    let ends = [&answer[8..24], &answer[24..40]].map(|at| <[u8; 16]>::try_from(at).unwrap());
    let [source, destination] = ends.map(|end| IpAddr::V6(end.into()));
    assert_eq!((source, destination), (HOST_V6.into(), PEER_V6.into()));
    assert_eq!((answer[6], answer[40]), (ICMPV6, 4), "{answer:x?}");
    assert_eq!(transport_checksum(source, destination, ICMPV6, &answer[40..]), 0);
    assert_eq!(answer[48..], packet[..packet.len().min(1_232)], "it quotes the packet");
    Problem(answer[41], u32::from_be_bytes(answer[44..48].try_into().unwrap()))
}

fn outcome(next_header: u8, behind: &[u8]) -> Outcome {
    outcome_to(HOST_V6, next_header, behind)
}

impl Wire {
    /// The peer asks for the host's Ethernet address, and tells its own: an answer over IPv6 leaves
    /// at once.
    pub(super) fn hear_of_peer_v6(&mut self) {
        let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
        message.extend(HOST_V6.octets());
        message.extend([1, 1, 2, 0, 0, 0, 0, 2]);
        let sum = transport_checksum(PEER_V6.into(), HOST_V6.into(), ICMPV6, &message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut packet = ipv6(HOST_V6, ICMPV6, &message);
        packet[7] = 255;
        self.inject_v6(&packet);
        assert_eq!(self.packets().len(), 1, "the host answers");
    }
}

fn datagram(to: Ipv6Addr) -> Vec<u8> {
    udp(to.into(), 7, b"hello")
}

/// A header with options (a whole number of eights, less two bytes), and what follows it.
fn options(next_header: u8, options: &[u8], rest: &[u8]) -> Vec<u8> {
    let eighths = ((options.len() + 2) / 8 - 1) as u8;
    [&[next_header, eighths][..], options, rest].concat()
}

fn routing(kind: u8, segments_left: u8, rest: &[u8]) -> Vec<u8> {
    [&[UDP, 2, kind, segments_left, 0, 0, 0, 0][..], &PEER_V6.octets(), rest].concat()
}

fn fragment(next_header: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let fields = offset | u16::from(more);
    let mut fragment = vec![next_header, 0];
    fragment.extend(fields.to_be_bytes());
    fragment.extend([0, 0, 0, 9]);
    fragment.extend(payload);
    fragment
}

// RFC 8200 4.2: the two highest bits of an unknown option. Linux 6.18 answers the same.
#[test]
fn an_unknown_option_says_itself_what_becomes_of_its_packet() {
    for kind in [HOP_BY_HOP, DESTINATION_OPTIONS] {
        let to_host = |option: u8| {
            let behind = options(UDP, &[option, 4, 0, 0, 0, 0], &datagram(HOST_V6));
            outcome(kind, &behind)
        };
        assert_eq!(to_host(0x1e), Delivered);
        assert_eq!(to_host(0x5e), Silence);
        assert_eq!(to_host(0x9e), Problem(2, 42));
        assert_eq!(to_host(0xde), Problem(2, 42));
        let to_group = |option: u8| {
            let behind = options(UDP, &[option, 4, 0, 0, 0, 0], &datagram(ALL_NODES));
            outcome_to(ALL_NODES, kind, &behind)
        };
        assert_eq!(to_group(0x1e), Delivered);
        assert_eq!(to_group(0x5e), Silence);
        assert_eq!(to_group(0x9e), Problem(2, 42));
        assert_eq!(to_group(0xde), Silence, "11: not of a group");
        // Of several the one is pointed at that is not known.
        let behind = options(UDP, &[0x1e, 2, 0, 0, 0x9e, 0], &datagram(HOST_V6));
        assert_eq!(outcome(kind, &behind), Problem(2, 46));
    }
}

// RFC 2675 section 3; Linux 6.18 points at the same bytes.
#[test]
fn a_jumbo_payload_of_a_packet_that_is_none_is_a_problem() {
    let jumbo = |len: [u8; 4]| {
        let value = [&[0xc2, 4][..], &len].concat();
        outcome(HOP_BY_HOP, &options(UDP, &value, &datagram(HOST_V6)))
    };
    assert_eq!(jumbo([0, 0, 0, 29]), Problem(0, 44));
    assert_eq!(jumbo([0, 1, 0, 0]), Problem(0, 42));
}

// RFC 8200 4.1: hop-by-hop options come first. Linux 6.18: 4/1, at the byte that announces them.
#[test]
fn hop_by_hop_options_behind_another_header_are_an_unknown_next_header() {
    let inner = options(UDP, &[1, 4, 0, 0, 0, 0], &datagram(HOST_V6));
    let behind = options(HOP_BY_HOP, &[1, 4, 0, 0, 0, 0], &inner);
    assert_eq!(outcome(DESTINATION_OPTIONS, &behind), Problem(1, 40));
}

// RFC 8200 4.4, RFC 5095. Linux 6.18 answers the same; types 3 and 4 it drops in silence.
#[test]
fn a_routing_header_is_passed_over_only_when_nobody_is_left_to_visit() {
    for kind in [0, 1, 2, 77] {
        assert_eq!(outcome(ROUTING, &routing(kind, 0, &datagram(HOST_V6))), Delivered);
        assert_eq!(outcome(ROUTING, &routing(kind, 1, &datagram(HOST_V6))), Problem(0, 42));
    }
    for kind in [3, 4] {
        assert_eq!(outcome(ROUTING, &routing(kind, 1, &datagram(HOST_V6))), Silence);
    }
    // The routing type is where the header is.
    let behind = options(ROUTING, &[1, 4, 0, 0, 0, 0], &routing(0, 1, &datagram(HOST_V6)));
    assert_eq!(outcome(DESTINATION_OPTIONS, &behind), Problem(0, 50));
    assert_eq!(outcome_to(ALL_NODES, ROUTING, &routing(0, 1, &datagram(ALL_NODES))), Silence);
    assert_eq!(outcome(ROUTING, &[UDP, 9, 0, 1, 0, 0, 0, 0]), Silence, "it is cut");
}

// RFC 8200 section 4: 4/1, and the pointer at the byte that told it.
#[test]
fn an_unknown_next_header_is_pointed_at_where_it_was_told() {
    assert_eq!(outcome(99, &[0; 8]), Problem(1, 6));
    assert_eq!(outcome(99, &[]), Problem(1, 6));
    // ICMP and IGMP are IPv4's.
    assert_eq!(outcome(1, &[0; 8]), Problem(1, 6));
    assert_eq!(outcome(2, &[0; 8]), Problem(1, 6));
    let behind = options(99, &[1, 4, 0, 0, 0, 0], &[0; 8]);
    assert_eq!(outcome(DESTINATION_OPTIONS, &behind), Problem(1, 40));
    assert_eq!(outcome(59, &[0; 8]), Silence, "no next header");
    assert_eq!(outcome_to(ALL_NODES, 99, &[0; 8]), Silence);
}

// RFC 8200 4.5. Linux 6.18 points at the same bytes.
#[test]
fn a_fragment_that_can_be_a_part_of_no_packet_is_a_problem() {
    // Not of eights, though more follow: at the payload length.
    let whole = udp(HOST_V6.into(), 7, &octets(4));
    assert_eq!(outcome(FRAGMENT, &fragment(UDP, 0, true, &whole)), Problem(0, 4));
    assert_eq!(outcome(FRAGMENT, &fragment(UDP, 8, true, &[0; 12])), Problem(0, 4));
    // Beyond the largest packet: at the offset, wherever that is.
    let beyond = fragment(UDP, 65_528, false, &[0; 16]);
    assert_eq!(outcome(FRAGMENT, &beyond), Problem(0, 42));
    let behind = options(FRAGMENT, &[1, 4, 0, 0, 0, 0], &beyond);
    assert_eq!(outcome(DESTINATION_OPTIONS, &behind), Problem(0, 50));
    assert_eq!(outcome(FRAGMENT, &fragment(UDP, 65_528, false, &[0; 7])), Silence, "65,535 fit");
    assert_eq!(outcome(FRAGMENT, &[UDP, 0, 0]), Problem(0, 40), "half a header");
    // RFC 7112: the first has all headers.
    let hidden = options(UDP, &[1, 4, 0, 0, 0, 0], &[]);
    assert_eq!(outcome(FRAGMENT, &fragment(DESTINATION_OPTIONS, 0, true, &hidden)), Problem(3, 0));
    assert_eq!(outcome(FRAGMENT, &fragment(6, 0, true, &[0; 8])), Problem(3, 0));
    // What was for a group is no reason to tell.
    let to_group = outcome_to(ALL_NODES, FRAGMENT, &fragment(UDP, 8, true, &[0; 12]));
    assert_eq!(to_group, Silence);
}

#[test]
fn a_bad_fragment_does_not_harm_those_that_are_there() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("[::]:7");
    let whole = udp(HOST_V6.into(), 7, &octets(40));
    wire.inject_v6(&ipv6(HOST_V6, FRAGMENT, &fragment(UDP, 0, true, &whole[..16])));
    wire.inject_v6(&ipv6(HOST_V6, FRAGMENT, &fragment(UDP, 16, true, &[0; 12])));
    wire.inject_v6(&ipv6(HOST_V6, FRAGMENT, &fragment(UDP, 16, false, &whole[16..])));
    assert_eq!(wire.try_recv(socket), Some(Ok(octets(40))));
    assert_eq!(wire.host.counters().reassembly_failures, 1);
}

// RFC 8200 section 5. Linux 6.18 answers none of them after `ip link set eth0 mtu 1279`.
#[test]
fn a_host_whose_link_carries_too_little_for_ipv6_does_not_speak_it() {
    let mut wire = Wire::with(HostOptions::default().mtu(1_279));
    let socket = wire.udp_socket("[::]:7");
    let link_local: Ipv6Addr = "fe80::ff:fe00:1".parse().unwrap();
    for to in [HOST_V6, link_local, ALL_NODES] {
        wire.inject_v6(&ipv6(to, UDP, &datagram(to)));
        wire.inject_v6(&ipv6(to, 99, &[0; 8]));
        let unknown = options(UDP, &[0x9e, 4, 0, 0, 0, 0], &datagram(to));
        wire.inject_v6(&ipv6(to, DESTINATION_OPTIONS, &unknown));
    }
    assert_eq!(wire.try_recv(socket), None);
    assert!(wire.packets().is_empty());
    assert_eq!(wire.host.counters().ip_address_errors, 9);
}
