//! What a host does not take is counted.

use glassnet::DropReason;
use glassnet::peer::{Event, Segment};

use super::wire::{
    ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, HOST_MAC, PEER, PEER_MAC, PEER_PORT, PORT, Peer,
    Wire, internet_checksum,
};

/// What the host counts of one frame that it does not take.
fn counted(frame: impl FnOnce(&mut Wire)) -> String {
    let mut wire = Wire::new();
    frame(&mut wire);
    wire.counters().to_string()
}

fn udp(checksum: [u8; 2]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
    let sum = internet_checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend([0, 9, 0, 9, 0, 8]);
    packet.extend(checksum);
    packet
}

#[test]
fn every_frame_that_a_host_does_not_take_is_counted_under_its_cause() {
    let other_host = counted(|wire| wire.inject_frame(&[PEER_MAC, HOST_MAC, [0; 6]].concat()));
    assert_eq!(other_host, "other_host 1");
    let lldp = counted(|wire| wire.inject_packet(PEER_MAC, [0x88, 0xcc], &[0; 50]));
    assert_eq!(lldp, "unknown_ethertype 1");
    let runt = counted(|wire| wire.inject_frame(&HOST_MAC));
    assert_eq!(runt, "unknown_ethertype 1");
    let arp = counted(|wire| wire.inject_packet(PEER_MAC, ETHERTYPE_ARP, &[0; 28]));
    assert_eq!(arp, "neighbor_errors 1");
    for (ethertype, packet) in [
        (ETHERTYPE_IPV4, vec![0x45; 10]),
        (ETHERTYPE_IPV6, vec![0x60; 10]),
        (ETHERTYPE_IPV4, vec![0; 40]),
        (
            ETHERTYPE_IPV4,
            [vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 1, 1, 10, 0, 0, 2, 10, 0, 0, 1], vec![0; 8]]
                .concat(),
        ),
    ] {
        let header = counted(|wire| wire.inject_packet(PEER_MAC, ethertype, &packet));
        assert_eq!(header, "ip_header_errors 1");
    }
    let checksum = counted(|wire| wire.inject_packet(PEER_MAC, ETHERTYPE_IPV4, &udp([1, 1])));
    assert_eq!(checksum, "udp_errors 1");
    let port = counted(|wire| wire.inject_packet(PEER_MAC, ETHERTYPE_IPV4, &udp([0, 0])));
    assert_eq!(port, "udp_no_ports 1");
    let address = counted(|wire| {
        let mut packet = udp([0, 0]);
        packet[19] = 77;
        wire.inject_packet(PEER_MAC, ETHERTYPE_IPV4, &packet);
    });
    assert_eq!(address, "ip_address_errors 1");
    let segment = counted(|wire| {
        let mut packet = Peer::new(PEER_PORT).syn().packet().to_bytes();
        let last = packet.len() - 1;
        packet[last] ^= 1;
        wire.inject_packet(PEER_MAC, ETHERTYPE_IPV4, &packet);
    });
    assert_eq!(segment, "tcp_errors 1");
}

#[test]
fn a_syn_that_meets_a_full_backlog_is_counted() {
    let mut wire = Wire::new();
    wire.listen(0);
    let mut first = Peer::new(PEER_PORT);
    wire.handshake(&mut first);
    wire.inject(&Peer::new(PEER_PORT + 1).syn());
    assert_eq!(wire.counters().listen_overflows, 1);
}

#[test]
fn segments_to_a_neighbour_that_does_not_answer_are_discarded_and_shown() {
    let mut wire = Wire::new();
    wire.answer_arp(false);
    let remote = std::net::SocketAddr::from((PEER, PORT));
    wire.connect_to(None, remote).unwrap();
    wire.advance(4_000_000_000);
    assert_eq!(wire.dropped.len(), 2, "the first SYN, and the one sent again after a second");
    for event in &wire.dropped {
        let Event::Dropped { frame, reason } = event else { panic!("{event}") };
        assert_eq!(*reason, DropReason::NeighborUnreachable);
        assert_eq!(frame.bytes[..6], [0; 6]);
        assert_eq!(frame.bytes[12..14], ETHERTYPE_IPV4);
        let segment = Segment::parse(&frame.bytes).unwrap();
        assert!(segment.syn && segment.destination == remote, "{segment}");
    }
    assert_eq!(wire.counters().neighbor_unreachable, 2);
}
