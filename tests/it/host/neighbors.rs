//! Neighbours: ARP as Linux does it.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use glassnet::TcpState;

use crate::common::by_engine;

use super::wire::{
    Arp, BROADCAST, ETHERTYPE_ARP, FlowId, HOST, HOST_MAC, MILLISECOND, Mac, PEER, PEER_MAC,
    PEER_PORT, PORT, Peer, SECOND, Wire,
};

const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const OTHER_MAC: Mac = [2, 0, 0, 0, 0, 3];

/// A wire on which nobody answers ARP.
fn silent() -> Wire {
    let mut wire = Wire::new();
    wire.answer_arp(false);
    wire
}

fn connect(wire: &mut Wire) -> FlowId {
    let remote = SocketAddr::from((PEER, PORT));
    let (flow, _) = wire.connect_to(None, remote).unwrap();
    wire.settle();
    flow
}

fn local_port(wire: &Wire, flow: FlowId) -> u16 {
    wire.socket(flow).local_addr().unwrap().as_socket().unwrap().port()
}

/// An established connection, whose peer does not answer ARP from then on.
fn established() -> (Wire, FlowId, Peer) {
    let mut wire = Wire::new();
    let (flow, peer) = wire.active();
    wire.answer_arp(false);
    (wire, flow, peer)
}

// RFC 826.
#[test]
fn an_unknown_neighbour_is_asked_for_by_broadcast() {
    let mut wire = silent();
    connect(&mut wire);
    wire.expect_silence();
    let expected = Arp {
        at: wire.now(),
        to_mac: BROADCAST,
        operation: 1,
        sender_mac: HOST_MAC,
        sender: HOST,
        target_mac: [0; 6],
        target: PEER,
    };
    assert_eq!(wire.arps, [expected]);
}

#[test]
fn what_waits_leaves_with_the_answer() {
    let mut wire = silent();
    connect(&mut wire);
    wire.inject_arp(&Arp::reply(PEER, PEER_MAC));
    assert_eq!(wire.expect("SYN").to_mac, PEER_MAC);
    wire.arps.clear();
    wire.advance(SECOND);
    assert_eq!(wire.expect("SYN").to_mac, PEER_MAC);
    assert!(wire.arps.is_empty(), "the neighbour is known");
}

#[test]
fn one_question_serves_all_that_wait_and_their_order_is_kept() {
    let mut wire = silent();
    let first = connect(&mut wire);
    for _ in 0..9 {
        connect(&mut wire);
    }
    assert_eq!(wire.arps.len(), 1);
    wire.inject_arp(&Arp::reply(PEER, PEER_MAC));
    let ports: Vec<u16> = wire.take().iter().map(|sent| sent.source.port()).collect();
    assert_eq!(ports.len(), 10);
    assert!(ports.is_sorted(), "{ports:?}");
    assert_eq!(ports[0], local_port(&wire, first));
}

#[test]
fn packets_wait_up_to_a_limit_of_octets_and_the_oldest_gives_way() {
    let mut wire = silent();
    for _ in 0..299 {
        connect(&mut wire);
    }
    let last = connect(&mut wire);
    wire.inject_arp(&Arp::reply(PEER, PEER_MAC));
    let sent = wire.take();
    // Linux's unres_qlen_bytes, by a SYN of 66 or 74 bytes that takes 768 more.
    assert_eq!(sent.len(), 212_992 / (by_engine(66, 74) + 768));
    assert_eq!(sent.last().unwrap().source.port(), local_port(&wire, last));
}

// `arp(7)`: mcast_solicit 3, retrans_time 1 s; the contract of connect.
#[test]
fn three_questions_a_second_apart_and_then_the_host_is_unreachable() {
    let mut wire = silent();
    let began = wire.now();
    let (first, second) = (connect(&mut wire), connect(&mut wire));
    wire.advance(3 * SECOND - 1);
    assert!(wire.connected(first).is_none());
    wire.advance(1);
    let asked: Vec<u64> = wire.arps.iter().map(|arp| (arp.at - began) / MILLISECOND).collect();
    assert_eq!(asked, [0, 1_000, 2_000]);
    for flow in [first, second] {
        let error = wire.connected(flow).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostUnreachable);
        wire.close(flow);
    }
    wire.expect_silence();
    assert_eq!(wire.sizes().connections, 0);
    wire.advance(200 * SECOND);
    assert_eq!((wire.arps.len(), wire.deadline()), (3, None));
}

#[test]
fn a_neighbour_that_failed_is_asked_for_anew() {
    let mut wire = silent();
    let flow = connect(&mut wire);
    wire.advance(10 * SECOND);
    assert!(wire.connected(flow).unwrap().is_err());
    wire.answer_arp(true);
    let (flow, peer) = wire.connect();
    wire.inject(&peer.syn().ack(peer.ack));
    wire.connected(flow).unwrap().unwrap();
}

#[test]
fn two_silent_neighbours_do_not_wait_for_each_other() {
    let mut wire = silent();
    let began = wire.now();
    connect(&mut wire);
    wire.connect_to(None, SocketAddr::from((OTHER, PORT))).unwrap();
    wire.advance(2_500 * MILLISECOND);
    let asked = |target| {
        let to_it = wire.arps.iter().filter(move |arp| arp.target == target);
        to_it.map(|arp| (arp.at - began) / MILLISECOND).collect::<Vec<_>>()
    };
    assert_eq!(asked(PEER), [0, 1_000, 2_000]);
    assert_eq!(asked(OTHER), [0, 1_000, 2_000]);
}

// RFC 826.
#[test]
fn a_question_for_the_host_is_answered_to_the_asker() {
    let mut wire = silent();
    wire.inject_arp(&Arp::request(OTHER, OTHER_MAC, HOST));
    let reply = wire.arps.pop_front().unwrap();
    assert_eq!((reply.to_mac, reply.operation), (OTHER_MAC, 2));
    assert_eq!((reply.sender_mac, reply.sender), (HOST_MAC, HOST));
    assert_eq!((reply.target_mac, reply.target), (OTHER_MAC, OTHER));
}

// RFC 826: who asks is worth remembering.
#[test]
fn the_asker_becomes_a_neighbour_and_its_question_answers_ours() {
    let mut wire = silent();
    connect(&mut wire);
    wire.arps.clear();
    wire.inject_arp(&Arp::request(PEER, PEER_MAC, HOST));
    assert_eq!(wire.arps.pop_front().unwrap().operation, 2);
    assert_eq!(wire.expect("SYN").to_mac, PEER_MAC);
    assert!(wire.arps.is_empty());
}

// RFC 5227 2.1.1: a probe, from 0.0.0.0, is answered to the prober.
#[test]
fn a_probe_for_the_hosts_address_is_answered() {
    let mut wire = silent();
    wire.inject_arp(&Arp::request(Ipv4Addr::UNSPECIFIED, OTHER_MAC, HOST));
    let reply = wire.arps.pop_front().unwrap();
    assert_eq!((reply.to_mac, reply.operation, reply.sender), (OTHER_MAC, 2, HOST));
}

// RFC 826: what is not for this host is not remembered either.
#[test]
fn foreign_arp_is_ignored() {
    let (mut wire, flow, peer) = established();
    let evil: Mac = [2, 0, 0, 0, 0, 66];
    // A question for another, an answer to another, an announcement of one who is not known.
    wire.inject_arp(&Arp::request(OTHER, evil, OTHER));
    wire.inject_arp(&Arp::request(PEER, evil, OTHER));
    wire.inject_arp(&Arp { target: OTHER, target_mac: OTHER_MAC, ..Arp::reply(PEER, evil) });
    assert!(wire.arps.is_empty());
    wire.write(flow, b"to whom?");
    assert_eq!(wire.expect("ACK").to_mac, PEER_MAC);
    wire.inject(&peer.segment());
}

// RFC 5227 2.3: a host that was started again, with another interface.
#[test]
fn an_announcement_moves_a_neighbour_that_is_known() {
    let (mut wire, flow, _) = established();
    wire.inject_arp(&Arp::request(PEER, OTHER_MAC, PEER));
    assert!(wire.arps.is_empty());
    wire.write(flow, b"to whom?");
    assert_eq!(wire.expect("ACK").to_mac, OTHER_MAC);
}

// What a neighbour says of itself moves it, as when an address moves to another machine.
#[test]
fn an_answer_moves_a_neighbour() {
    let (mut wire, flow, _) = established();
    wire.inject_arp(&Arp::reply(PEER, OTHER_MAC));
    wire.write(flow, b"to whom?");
    assert_eq!(wire.expect("ACK").to_mac, OTHER_MAC);
}

#[test]
fn malformed_arp_is_ignored() {
    let mut wire = silent();
    let good = Arp::request(OTHER, OTHER_MAC, HOST).packet();
    for len in 0..good.len() {
        wire.inject_packet(OTHER_MAC, ETHERTYPE_ARP, &good[..len]);
    }
    // Hardware type, protocol type, lengths, operation (also its high byte).
    for (at, value) in [(0, 1), (1, 6), (2, 0x86), (3, 1), (4, 8), (5, 16), (6, 1), (7, 0), (7, 3)]
    {
        let mut bad = good.clone();
        bad[at] = value;
        wire.inject_packet(OTHER_MAC, ETHERTYPE_ARP, &bad);
    }
    // A group has no address of its own.
    let mut group = good.clone();
    group[8] |= 1;
    wire.inject_packet(OTHER_MAC, ETHERTYPE_ARP, &group);
    assert!(wire.arps.is_empty(), "{:?}", wire.arps);
    // Padded to the least length of a frame, it is good.
    let mut padded = good;
    padded.resize(46, 0);
    wire.inject_packet(OTHER_MAC, ETHERTYPE_ARP, &padded);
    assert_eq!(wire.arps.len(), 1);
}

#[test]
fn frames_for_other_machines_are_ignored() {
    let mut wire = silent();
    wire.listen(1);
    let mut frame = [OTHER_MAC, PEER_MAC].concat();
    frame.extend([8, 0]);
    frame.extend(Peer::new(PEER_PORT).syn().packet().to_bytes());
    wire.inject_frame(&frame);
    assert_eq!(wire.sizes().connections, 0);
}

// RFC 4861 7.3.2's states, which Linux uses for ARP too: DELAY, 5 s, then PROBE.
#[test]
fn a_neighbour_not_heard_of_for_30_seconds_is_used_and_asked_again_5_seconds_later() {
    let (mut wire, flow, _) = established();
    wire.advance(31 * SECOND);
    wire.write(flow, b"hello");
    assert_eq!(wire.expect("ACK").to_mac, PEER_MAC, "it is used meanwhile");
    wire.advance(5 * SECOND - 1);
    assert!(wire.arps.is_empty());
    wire.advance(1);
    let asked = wire.arps.pop_front().unwrap();
    assert_eq!((asked.to_mac, asked.target), (PEER_MAC, PEER), "by unicast");
    wire.inject_arp(&Arp::reply(PEER, PEER_MAC));
    wire.advance(20 * SECOND);
    assert!(wire.arps.is_empty(), "it answered");
}

#[test]
fn a_stale_neighbour_that_answers_in_tcp_is_not_asked() {
    let (mut wire, flow, mut peer) = established();
    for _ in 0..10 {
        wire.advance(31 * SECOND);
        wire.write(flow, b"hello");
        peer.ack = wire.expect("ACK").end();
        wire.advance(4 * SECOND);
        wire.take();
        wire.inject(&peer.segment());
    }
    assert!(wire.arps.is_empty(), "{:?}", wire.arps);
}

#[test]
fn a_neighbour_heard_of_just_now_is_not_asked() {
    let (mut wire, flow, mut peer) = established();
    for _ in 0..60 {
        wire.advance(SECOND);
        wire.write(flow, b"hello");
        peer.ack = wire.expect("ACK").end();
        wire.inject(&peer.segment());
    }
    assert!(wire.arps.is_empty());
}

// As on Linux: established connections go on trying, and find the neighbour when it is back.
#[test]
fn a_connection_outlives_a_neighbour_that_was_away() {
    let (mut wire, flow, mut peer) = established();
    wire.advance(31 * SECOND);
    wire.write(flow, b"hello");
    wire.take();
    wire.advance(20 * SECOND);
    let by_unicast = wire.arps.iter().filter(|arp| arp.to_mac == PEER_MAC).count();
    assert_eq!(by_unicast, 3, "ucast_solicit");
    wire.take();
    assert_eq!(wire.state(flow), TcpState::Established);
    wire.answer_arp(true);
    wire.advance(60 * SECOND);
    let again = wire.take();
    assert!(again.iter().any(|sent| sent.payload == b"hello"));
    peer.ack = again[0].end();
    wire.inject(&peer.segment());
    wire.is_alive(flow, &mut peer);
}

#[test]
fn a_neighbour_that_only_asked_is_itself_asked_before_it_is_trusted() {
    let mut wire = silent();
    // Within the first half minute of the world, and long after it.
    for start in [0, 100 * SECOND] {
        wire.advance(start);
        let asker = Ipv4Addr::new(10, 0, 1, (start / SECOND) as u8);
        wire.inject_arp(&Arp::request(asker, OTHER_MAC, HOST));
        wire.arps.clear();
        wire.connect_to(None, SocketAddr::from((asker, PORT))).unwrap();
        assert_eq!(wire.expect("SYN").to_mac, OTHER_MAC);
        wire.advance(6 * SECOND);
        assert_eq!(wire.arps.front().map(|arp| arp.target), Some(asker), "after {start} ns");
        wire.advance(100 * SECOND);
        wire.take();
    }
}

#[test]
fn the_answers_to_a_stranger_wait_for_its_address() {
    let mut wire = silent();
    wire.inject(&Peer { host_port: 81, ..Peer::new(PEER_PORT) }.syn());
    wire.expect_silence();
    wire.inject_arp(&Arp::reply(PEER, PEER_MAC));
    wire.expect("RST ACK");
}
