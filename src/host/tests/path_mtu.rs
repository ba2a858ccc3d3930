//! What a router says that could not pass on a segment because of its size (RFC 1191, RFC 8201).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::datagrams::ipv6;
use super::wire::{
    HOST, HOST_V6, PEER, PEER_MAC, PEER_PORT, PORT, Peer, SECOND, Sent, Wire, octets,
};
use crate::host::FlowId;
use crate::host::options::HostOptions;
use crate::wire::checksum::{internet_checksum, transport_checksum};
use crate::wire::ethernet::ETHERTYPE_IPV4;

const PEER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

/// A router says that a segment of the host's was larger than `mtu`.
fn fragmentation_needed(wire: &mut Wire, mtu: u16, sent: &Sent) {
    let mut message = vec![3, 4, 0, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend([0x45, 0, 5, 220, 0, 0, 0x40, 0, 63, 6, 0, 0]);
    message.extend(HOST.octets());
    message.extend(PEER.octets());
    message.extend(sent.source.port().to_be_bytes());
    message.extend(sent.destination.port().to_be_bytes());
    message.extend(sent.seq.to_be_bytes());
    let sum = internet_checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = vec![0x45, 0, 0, 20 + message.len() as u8, 0, 0, 0, 0, 64, 1, 0, 0];
    packet.extend([10, 0, 0, 77]);
    packet.extend(HOST.octets());
    let sum = internet_checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(message);
    wire.inject_packet(PEER_MAC, ETHERTYPE_IPV4, &packet);
}

/// The bytes that these segments carry one after the other, from `first` on.
fn carried(sent: &[Sent], first: u32) -> Vec<u8> {
    let mut next = first;
    let mut carried = Vec::new();
    for segment in sent {
        assert_eq!(segment.seq, next, "in order");
        next = segment.end();
        carried.extend(&segment.payload);
    }
    carried
}

/// Writes more than fits into a segment; what left first.
fn write_too_much(wire: &mut Wire, flow: FlowId) -> Sent {
    wire.write(flow, &octets(1_460));
    let sent = wire.expect("ACK");
    assert_eq!(sent.payload.len(), 1_460);
    sent
}

// RFC 1191 section 3, RFC 8201 5.4; Linux's `tcp_v4_mtu_reduced`, `tcp_simple_retransmit`.
#[test]
fn what_was_too_big_is_sent_again_at_once_in_segments_that_pass() {
    for mtu in [1_400, 1_000, 552] {
        let mut wire = Wire::new();
        let (flow, mut peer) = wire.active();
        let sent = write_too_much(&mut wire, flow);
        let now = wire.now;
        fragmentation_needed(&mut wire, mtu, &sent);
        let again = wire.take();
        assert!(again.iter().all(|segment| segment.at == now), "no timer is waited for");
        assert!(again.iter().all(|segment| 40 + segment.payload.len() <= mtu.into()));
        assert_eq!(carried(&again, sent.seq), octets(1_460));
        peer.ack = sent.end();
        wire.inject(&peer.segment());
        wire.advance(10 * SECOND);
        wire.expect_silence();
        wire.is_alive(flow, &mut peer);
    }
}

#[test]
fn a_whole_window_that_was_too_big_arrives_without_a_timeout() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.active();
    let data = octets(30_000);
    // The window is opened first by what passes.
    wire.write(flow, &data);
    let mut acknowledged = 0;
    while acknowledged < 15_000 {
        wire.advance(1_000_000);
        let Some(last) = wire.take().pop() else { continue };
        acknowledged += Wire::ahead(last.end(), peer.ack);
        peer.ack = last.end();
        wire.inject(&peer.segment());
    }
    let lost = wire.take();
    assert!(lost.len() > 4, "a window is in flight");
    let (first, began) = (peer.ack, wire.now);
    // Each of them is told of.
    for segment in &lost {
        fragmentation_needed(&mut wire, 1_000, segment);
    }
    let (mut received, mut rounds) = (Vec::new(), 0);
    while received.len() < data.len() - acknowledged as usize {
        let sent = wire.take();
        assert!(!sent.is_empty(), "it goes on by itself");
        assert!(sent.iter().all(|segment| segment.payload.len() <= 960));
        received.extend(carried(&sent, peer.ack));
        peer.ack = sent.last().unwrap().end();
        wire.advance(1_000_000);
        wire.inject(&peer.segment());
        rounds += 1;
    }
    assert_eq!(received, data[acknowledged as usize..]);
    assert_eq!(first.wrapping_add(received.len() as u32), peer.ack);
    assert!(wire.now - began < SECOND, "{rounds} rounds");
}

// RFC 5927 section 7: who may say so, and how often it counts.
#[test]
fn the_same_size_told_again_or_a_larger_one_sends_nothing_again() {
    let mut wire = Wire::new();
    let (flow, _) = wire.active();
    let sent = write_too_much(&mut wire, flow);
    fragmentation_needed(&mut wire, 1_000, &sent);
    assert_eq!(carried(&wire.take(), sent.seq).len(), 1_460);
    for mtu in [1_000, 1_001, 1_400, 1_500, 9_000] {
        for _ in 0..100 {
            fragmentation_needed(&mut wire, mtu, &sent);
        }
        wire.expect_silence();
    }
    fragmentation_needed(&mut wire, 800, &sent);
    let again = wire.take();
    assert!(again.iter().all(|segment| segment.payload.len() <= 760));
    assert_eq!(carried(&again, sent.seq).len(), 1_460);
}

#[test]
fn what_can_not_have_been_too_big_is_not_sent_again() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.active();
    wire.write(flow, &octets(500));
    let small = wire.expect("ACK");
    fragmentation_needed(&mut wire, 1_000, &small);
    wire.expect_silence();
    // Acknowledged, and never sent.
    peer.ack = small.end();
    wire.inject(&peer.segment());
    wire.write(flow, &octets(1_460));
    let sent = wire.take().pop().unwrap();
    let elsewhere = Sent { seq: sent.end().wrapping_add(5_000), ..sent };
    for segment in [small, elsewhere] {
        fragmentation_needed(&mut wire, 700, &segment);
    }
    wire.expect_silence();
    assert_eq!(wire.host.ip.path_mtu(wire.now, PEER.into()), 1_000);
}

#[test]
fn each_connection_sends_again_when_it_is_told_itself() {
    let mut wire = Wire::new();
    let (first, _) = wire.active();
    let listener = wire.listen(1);
    wire.handshake(&mut Peer::new(PEER_PORT));
    let second = wire.accept(listener).unwrap();
    let (of_first, of_second) =
        (write_too_much(&mut wire, first), write_too_much(&mut wire, second));
    fragmentation_needed(&mut wire, 1_000, &of_first);
    assert_eq!(carried(&wire.take(), of_first.seq).len(), 1_460);
    fragmentation_needed(&mut wire, 1_000, &of_second);
    let again = wire.take();
    assert!(again.iter().all(|segment| segment.payload.len() <= 960));
    assert_eq!(carried(&again, of_second.seq).len(), 1_460);
}

// It is the path that did not take it, and not the peer that did not answer.
#[test]
fn sending_again_for_the_sake_of_the_path_is_no_retry() {
    let mut wire = Wire::with(HostOptions::default().retries(0));
    let (flow, mut peer) = wire.active();
    let sent = write_too_much(&mut wire, flow);
    for mtu in [1_400, 1_300, 1_200] {
        fragmentation_needed(&mut wire, mtu, &sent);
        assert_eq!(carried(&wire.take(), sent.seq).len(), 1_460);
    }
    peer.ack = sent.end();
    wire.inject(&peer.segment());
    wire.is_alive(flow, &mut peer);
}

// RFC 6298: what is lost again is sent again by the timer, which was set anew.
#[test]
fn what_is_lost_once_more_is_retransmitted_by_the_timer() {
    let mut wire = Wire::new();
    let (flow, _) = wire.active();
    let sent = write_too_much(&mut wire, flow);
    fragmentation_needed(&mut wire, 1_000, &sent);
    wire.take();
    wire.advance(SECOND / 2);
    wire.expect_silence();
    wire.advance(2 * SECOND);
    let again = wire.take();
    assert_eq!(again[0].seq, sent.seq);
    assert!(again.iter().all(|segment| segment.payload.len() <= 960));
}

// ---- IPv6 ------------------------------------------------------------------------------------

/// A connection to the peer's IPv6 address, and the number that the peer has acknowledged.
fn active_v6(wire: &mut Wire) -> FlowId {
    wire.hear_of_peer_v6();
    let remote = SocketAddr::from((PEER_V6, PORT));
    let (flow, local) = wire.connect_to(None, remote).unwrap();
    let syn = wire.expect("SYN");
    let mut segment = Vec::new();
    segment.extend(PORT.to_be_bytes());
    segment.extend(local.port().to_be_bytes());
    segment.extend(9u32.to_be_bytes());
    segment.extend(syn.end().to_be_bytes());
    segment.extend([0x60, 0x12, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 0x05, 0xa0]);
    let sum = transport_checksum(PEER_V6.into(), HOST_V6.into(), 6, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    wire.inject_v6(&ipv6(HOST_V6, 6, &segment));
    wire.expect("ACK");
    flow
}

fn packet_too_big(wire: &mut Wire, mtu: u32, sent: &Sent) {
    let mut message = vec![2, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend([0x60, 0, 0, 0, 5, 180, 6, 63]);
    message.extend(HOST_V6.octets());
    message.extend(PEER_V6.octets());
    message.extend(sent.source.port().to_be_bytes());
    message.extend(sent.destination.port().to_be_bytes());
    message.extend(sent.seq.to_be_bytes());
    let sum = transport_checksum(PEER_V6.into(), HOST_V6.into(), 58, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    wire.inject_v6(&ipv6(HOST_V6, 58, &message));
}

// RFC 8201 section 4: no path is taken for narrower than 1280.
#[test]
fn packet_too_big_acts_at_once_and_never_below_1280() {
    for (told, mtu) in [(1_400, 1_400), (1_280, 1_280), (1_000, 1_280), (0, 1_280)] {
        let mut wire = Wire::new();
        let flow = active_v6(&mut wire);
        wire.write(flow, &octets(1_440));
        let sent = wire.expect("ACK");
        assert_eq!(sent.payload.len(), 1_440);
        packet_too_big(&mut wire, told, &sent);
        let again = wire.take();
        assert_eq!(wire.host.ip.path_mtu(wire.now, IpAddr::V6(PEER_V6)), mtu);
        assert_eq!(again[0].payload.len(), mtu - 60);
        assert_eq!(carried(&again, sent.seq), octets(1_440));
    }
}
