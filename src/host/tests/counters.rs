//! What a host does not take is counted.

use super::wire::{HOST_MAC, PEER, PEER_MAC, PEER_PORT, PORT, Peer, Wire};
use crate::host::discard::{DiscardReason, HostCounters};
use crate::wire::ethernet::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6};

/// What the host counts of one frame that it does not take.
fn counted(frame: impl FnOnce(&mut Wire)) -> HostCounters {
    let mut wire = Wire::new();
    frame(&mut wire);
    wire.host.counters()
}

fn udp(checksum: [u8; 2]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
    let sum = crate::wire::checksum::internet_checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend([0, 9, 0, 9, 0, 8]);
    packet.extend(checksum);
    packet
}

#[test]
fn every_frame_that_a_host_does_not_take_is_counted_under_its_cause() {
    let other_host =
        counted(|wire| wire.inject_frame(&[PEER_MAC, HOST_MAC, [0; 6]].concat(), true));
    assert_eq!(other_host, HostCounters { other_host: 1, ..HostCounters::default() });
    let lldp = counted(|wire| wire.inject_packet(PEER_MAC, [0x88, 0xcc], &[0; 50]));
    assert_eq!(lldp, HostCounters { unknown_ethertype: 1, ..HostCounters::default() });
    let runt = counted(|wire| wire.inject_frame(&HOST_MAC, true));
    assert_eq!(runt, HostCounters { unknown_ethertype: 1, ..HostCounters::default() });
    let arp = counted(|wire| wire.inject_packet(PEER_MAC, ETHERTYPE_ARP, &[0; 28]));
    assert_eq!(arp, HostCounters { neighbor_errors: 1, ..HostCounters::default() });
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
        assert_eq!(header, HostCounters { ip_header_errors: 1, ..HostCounters::default() });
    }
    let checksum = counted(|wire| wire.inject_packet(PEER_MAC, ETHERTYPE_IPV4, &udp([1, 1])));
    assert_eq!(checksum, HostCounters { udp_errors: 1, ..HostCounters::default() });
    let port = counted(|wire| wire.inject_packet(PEER_MAC, ETHERTYPE_IPV4, &udp([0, 0])));
    assert_eq!(port, HostCounters { udp_no_ports: 1, ..HostCounters::default() });
    let address = counted(|wire| {
        let mut packet = udp([0, 0]);
        packet[19] = 77;
        wire.inject_packet(PEER_MAC, ETHERTYPE_IPV4, &packet);
    });
    assert_eq!(address, HostCounters { ip_address_errors: 1, ..HostCounters::default() });
    let segment = counted(|wire| {
        let mut packet = Peer::new(PEER_PORT).syn().packet();
        let last = packet.len() - 1;
        packet[last] ^= 1;
        wire.inject_packet(PEER_MAC, ETHERTYPE_IPV4, &packet);
    });
    assert_eq!(segment, HostCounters { tcp_errors: 1, ..HostCounters::default() });
}

#[test]
fn a_syn_that_meets_a_full_backlog_is_counted() {
    let mut wire = Wire::new();
    wire.listen(0);
    let mut first = Peer::new(PEER_PORT);
    wire.handshake(&mut first);
    wire.inject(&Peer::new(PEER_PORT + 1).syn());
    assert_eq!(wire.host.counters().listen_overflows, 1);
}

#[test]
fn segments_to_a_neighbour_that_does_not_answer_are_discarded_and_shown() {
    let mut wire = Wire::new();
    wire.answers_arp = false;
    let remote = std::net::SocketAddr::from((PEER, PORT));
    wire.connect_to(None, remote).unwrap();
    wire.advance(4_000_000_000);
    let (mut discarded, mut syns) = (Vec::new(), 0);
    wire.host.take_discarded(&mut discarded);
    for packet in &discarded {
        assert_eq!(packet.reason, DiscardReason::NeighborUnreachable);
        assert_eq!(packet.frame.bytes()[..6], [0; 6]);
        assert_eq!(packet.frame.bytes()[12..14], ETHERTYPE_IPV4);
        let segment = crate::TcpSegment::parse(packet.frame.bytes()).unwrap();
        syns += usize::from(segment.syn && segment.destination == remote);
    }
    // The first SYN, and the one sent again after a second.
    assert_eq!((syns, discarded.len()), (2, 2));
    assert_eq!(wire.host.counters().neighbor_unreachable, 2);
}
