//! Neighbours over IPv6: the same table, asked by neighbour discovery (RFC 4861).

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::wire::{HOST_MAC, HOST_V6, PEER_MAC, PORT, SECOND, Wire};
use crate::host::{FlowId, Host, HostOptions, Prefix};
use crate::rng::Seed;
use crate::wire::checksum::transport_checksum;
use crate::wire::ethernet::{ETHERNET_HEADER, ETHERTYPE_IPV6, Mac};
use crate::wire::frame::FramePool;
use crate::wire::ipv6::solicited_node;

const PEER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// A message of neighbour discovery, in its packet.
struct Message {
    from: Ipv6Addr,
    to: Ipv6Addr,
    hop_limit: u8,
    kind: u8,
    flags: u8,
    target: Ipv6Addr,
    mac: Option<Mac>,
}

impl Message {
    fn solicitation() -> Message {
        let to = solicited_node(HOST_V6);
        let (kind, mac) = (SOLICITATION, Some(PEER_MAC));
        Message { from: PEER_V6, to, hop_limit: 255, kind, flags: 0, target: HOST_V6, mac }
    }

    fn advertisement(flags: u8, mac: Mac) -> Message {
        let (kind, target) = (ADVERTISEMENT, PEER_V6);
        let (from, to) = (PEER_V6, HOST_V6);
        Message { from, to, hop_limit: 255, kind, flags, target, mac: Some(mac) }
    }

    fn packet(&self) -> Vec<u8> {
        let mut message = vec![self.kind, 0, 0, 0, self.flags, 0, 0, 0];
        message.extend(self.target.octets());
        if let Some(mac) = self.mac {
            message.extend([if self.kind == SOLICITATION { 1 } else { 2 }, 1]);
            message.extend(mac);
        }
        let (from, to) = (IpAddr::V6(self.from), IpAddr::V6(self.to));
        let checksum = transport_checksum(from, to, 58, &message);
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        let mut packet = vec![0x60, 0, 0, 0, 0, message.len() as u8, 58, self.hop_limit];
        packet.extend(self.from.octets());
        packet.extend(self.to.octets());
        packet.extend(message);
        packet
    }
}

fn inject(wire: &mut Wire, message: &Message) {
    wire.inject_packet(PEER_MAC, ETHERTYPE_IPV6, &message.packet());
}

fn connect(wire: &mut Wire) -> FlowId {
    let remote = SocketAddr::from((PEER_V6, PORT));
    let options = wire.host.new_tcp_options();
    let (flow, _) = wire.host.connect(wire.now, None, remote, options).unwrap();
    wire.settle();
    flow
}

/// The frames of neighbour discovery that were sent: to whom, of which type.
fn sent(wire: &mut Wire) -> Vec<(Mac, u8)> {
    let frames = std::mem::take(&mut wire.others);
    let of_ndp = frames.iter().filter(|frame| frame[20] == 58);
    of_ndp.map(|frame| (frame[..6].try_into().unwrap(), frame[54])).collect()
}

// RFC 4861 7.2.2.
#[test]
fn an_unknown_neighbour_is_solicited_where_only_it_listens() {
    let mut wire = Wire::new();
    connect(&mut wire);
    wire.expect_silence();
    let frame = wire.others.front().unwrap().clone();
    assert_eq!(sent(&mut wire), [([0x33, 0x33, 0xff, 0, 0, 2], SOLICITATION)]);
    assert_eq!(frame[21], 255, "the hop limit");
    assert_eq!(frame[22..38], HOST_V6.octets());
    assert_eq!(frame[38..54], solicited_node(PEER_V6).octets());
    assert_eq!(frame[62..78], PEER_V6.octets(), "the target");
    assert_eq!(frame[78..80], [1, 1]);
    assert_eq!(frame[80..86], HOST_MAC);
    inject(&mut wire, &Message::advertisement(SOLICITED | OVERRIDE, PEER_MAC));
    assert_eq!(wire.expect("SYN").to_mac, PEER_MAC);
}

#[test]
fn three_questions_a_second_apart_and_then_the_host_is_unreachable() {
    let mut wire = Wire::new();
    let flow = connect(&mut wire);
    wire.advance(3 * SECOND - 1);
    assert!(wire.connected(flow).is_none());
    wire.advance(1);
    assert_eq!(sent(&mut wire).len(), 3);
    let error = wire.connected(flow).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HostUnreachable);
}

// RFC 4861 7.2.3 and 7.2.4.
#[test]
fn a_question_for_the_host_is_answered_and_its_asker_known() {
    let mut wire = Wire::new();
    inject(&mut wire, &Message::solicitation());
    let frame = wire.others.front().unwrap().clone();
    assert_eq!(sent(&mut wire), [(PEER_MAC, ADVERTISEMENT)]);
    assert_eq!(frame[58], SOLICITED | OVERRIDE);
    assert_eq!(frame[62..78], HOST_V6.octets());
    connect(&mut wire);
    assert_eq!(wire.expect("SYN").to_mac, PEER_MAC);
    assert!(sent(&mut wire).is_empty());
}

// RFC 4862 5.4.3: who looks whether an address is free has none to be answered at.
#[test]
fn a_look_whether_the_address_is_free_is_answered_to_all() {
    let mut wire = Wire::new();
    let probe = Message { from: Ipv6Addr::UNSPECIFIED, mac: None, ..Message::solicitation() };
    inject(&mut wire, &probe);
    let frame = wire.others.front().unwrap().clone();
    assert_eq!(sent(&mut wire), [([0x33, 0x33, 0, 0, 0, 1], ADVERTISEMENT)]);
    assert_eq!(frame[58], OVERRIDE);
}

// RFC 4861 7.1 and 7.2.5.
#[test]
fn what_is_forged_foreign_or_unasked_is_ignored() {
    let mut wire = Wire::new();
    inject(&mut wire, &Message { hop_limit: 254, ..Message::solicitation() });
    inject(&mut wire, &Message { target: PEER_V6, ..Message::solicitation() });
    inject(&mut wire, &Message { mac: Some([1, 0, 0, 0, 0, 9]), ..Message::solicitation() });
    inject(&mut wire, &Message::advertisement(SOLICITED | OVERRIDE, PEER_MAC));
    assert!(sent(&mut wire).is_empty());
    connect(&mut wire);
    wire.expect_silence();
    assert_eq!(sent(&mut wire).len(), 1, "nothing was learned");
}

// RFC 4861 7.2.5.
#[test]
fn an_advertisement_moves_a_neighbour_only_when_it_overrides() {
    const OTHER_MAC: Mac = [2, 0, 0, 0, 0, 9];
    let mut wire = Wire::new();
    inject(&mut wire, &Message::solicitation());
    inject(&mut wire, &Message::advertisement(SOLICITED, OTHER_MAC));
    connect(&mut wire);
    assert_eq!(wire.expect("SYN").to_mac, PEER_MAC);
    inject(&mut wire, &Message::advertisement(OVERRIDE, OTHER_MAC));
    connect(&mut wire);
    assert_eq!(wire.expect("SYN").to_mac, OTHER_MAC);
}

// `arp(7)`: base_reachable_time and delay_first_probe_time hold for neighbour discovery, too.
#[test]
fn a_neighbour_not_heard_of_for_long_is_asked_by_itself() {
    let mut wire = Wire::new();
    inject(&mut wire, &Message::solicitation());
    sent(&mut wire);
    wire.advance(40 * SECOND);
    connect(&mut wire);
    assert_eq!(wire.expect("SYN").to_mac, PEER_MAC);
    wire.advance(5 * SECOND);
    assert_eq!(sent(&mut wire), [(PEER_MAC, SOLICITATION)]);
}

// Nothing grows without a limit: whoever sends to every address of a /64 gets no further than the
// table, and a connection keeps its neighbour through that.
#[test]
fn the_table_is_bounded_and_connections_keep_their_neighbours() {
    let mut wire = Wire::new();
    let options = wire.host.new_tcp_options();
    inject(&mut wire, &Message::solicitation());
    let remote = SocketAddr::from((PEER_V6, PORT));
    let (flow, _) = wire.host.connect(wire.now, None, remote, options).unwrap();
    assert_eq!(wire.expect("SYN").to_mac, PEER_MAC);
    let held = wire.host.tcp.neighbor(flow).unwrap();
    let mut entries = std::collections::BTreeSet::new();
    for host in 0..150_000u128 {
        let stranger = Ipv6Addr::from_bits(HOST_V6.to_bits() + 10_000 + host);
        let entry = wire.neighbor(stranger.into()).expect("one gives way");
        assert_ne!(entry, held);
        entries.insert(format!("{entry:?}"));
    }
    assert_eq!(entries.len(), 65_535, "all but the one that is held");
    assert_eq!(wire.neighbor(PEER_V6.into()), Some(held));
    // Released, it is like any other.
    wire.close(flow);
    wire.advance(200 * SECOND);
    assert_eq!(wire.host.sizes().connections, 0);
    let mut gave_way = false;
    for host in 0..70_000u128 {
        let stranger = Ipv6Addr::from_bits(HOST_V6.to_bits() + 1_000_000 + host);
        gave_way |= wire.neighbor(stranger.into()) == Some(held);
    }
    assert!(gave_way);
}

// RFC 4291 2.7.1: a host is in the groups of its own addresses on the link. That of `::1`, which is
// on `lo`, is the group of fd00::1 as well.
#[test]
fn the_group_of_a_neighbours_address_is_not_listened_to() {
    let prefixes = [Prefix::new(PEER_V6, 64)];
    let host = Host::new(PEER_MAC, &prefixes, HostOptions::default(), Seed(7).stream("host"));
    let asks_for = |target: Ipv6Addr| {
        let message = Message { to: solicited_node(target), target, ..Message::solicitation() };
        let packet = message.packet();
        let mut frame = FramePool::default().take(ETHERNET_HEADER + packet.len());
        frame.bytes_mut()[12..ETHERNET_HEADER].copy_from_slice(&ETHERTYPE_IPV6);
        frame.packet_mut().copy_from_slice(&packet);
        host.listens_to(&frame)
    };
    assert!(asks_for(PEER_V6));
    assert!(!asks_for(HOST_V6));
    assert_eq!(solicited_node(HOST_V6), solicited_node(Ipv6Addr::LOCALHOST));
}
