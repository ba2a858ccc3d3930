//! What ICMP says of TCP's segments: rows 15 and 42.

use std::io::ErrorKind;

use super::wire::{
    ETHERTYPE_IPV4, HOST, PEER, PEER_MAC, PORT, SECOND, Sent, Wire, internet_checksum, octets,
};

const UNREACHABLE: u8 = 3;
const NET: u8 = 0;
const ICMP_HOST: u8 = 1;
const ICMP_PORT: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;

/// The 28 bytes of a segment of the host's that every router quotes: IP header, ports, number.
fn quote(sent: &Sent, seq: u32) -> Vec<u8> {
    let mut quoted = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 63, 6, 0, 0];
    quoted.extend(HOST.octets());
    quoted.extend(PEER.octets());
    quoted.extend(sent.source.port().to_be_bytes());
    quoted.extend(sent.destination.port().to_be_bytes());
    quoted.extend(seq.to_be_bytes());
    quoted
}

/// A router says that a packet did not arrive.
fn inject(wire: &mut Wire, code: u8, mtu: u16, quoted: &[u8]) {
    let mut message = vec![UNREACHABLE, code, 0, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend(quoted);
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

// RFC 1122 4.2.3.9; packetimpact tcp_connect_icmp_error, tcp_network_unreachable.
#[test]
fn a_connection_attempt_fails_with_what_the_router_says() {
    let kinds = [
        (NET, ErrorKind::NetworkUnreachable),
        (ICMP_HOST, ErrorKind::HostUnreachable),
        (ICMP_PORT, ErrorKind::ConnectionRefused),
    ];
    for (code, kind) in kinds {
        let mut wire = Wire::new();
        let remote = (PEER, PORT).into();
        let (flow, _) = wire.connect_to(None, remote).unwrap();
        let syn = wire.expect("SYN");
        inject(&mut wire, code, 0, &quote(&syn, syn.seq));
        assert_eq!(wire.connected(flow).unwrap().unwrap_err().kind(), kind);
        wire.close(flow);
        wire.advance(200 * SECOND);
        wire.expect_silence();
        assert_eq!(wire.sizes().connections, 0);
    }
}

// RFC 5927 4.1.
#[test]
fn an_error_about_a_segment_that_was_never_sent_is_ignored() {
    let mut wire = Wire::new();
    let (flow, _) = wire.connect();
    wire.advance(SECOND);
    let syn = wire.expect("SYN");
    inject(&mut wire, ICMP_PORT, 0, &quote(&syn, syn.seq.wrapping_add(5_000)));
    assert!(wire.connected(flow).is_none());
    inject(&mut wire, ICMP_PORT, 0, &quote(&syn, syn.seq)[..27]);
    assert!(wire.connected(flow).is_none(), "less than eight octets are no quote");
}

// RFC 1122 4.2.3.9: soft errors. `tcp(7)`: they are told when the connection times out.
#[test]
fn an_established_connection_outlives_an_unreachable_host_and_says_so_when_it_gives_up() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.active();
    wire.write(flow, b"hello");
    let sent = wire.expect("ACK");
    inject(&mut wire, ICMP_HOST, 0, &quote(&sent, sent.seq));
    peer.ack = sent.end();
    wire.inject(&peer.segment());
    wire.is_alive(flow, &mut peer);
    wire.write(flow, b"again");
    let sent = wire.expect("ACK");
    inject(&mut wire, ICMP_HOST, 0, &quote(&sent, sent.seq));
    wire.advance(2_000 * SECOND);
    assert_eq!(wire.read_error(flow), ErrorKind::HostUnreachable);
}

// RFC 1191 section 3; packetimpact TestPathMTUDiscovery.
#[test]
fn a_router_that_wants_smaller_packets_gets_them() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.active();
    let data = octets(1_460);
    wire.write(flow, &data);
    let sent = wire.expect("ACK");
    assert_eq!(sent.payload.len(), 1_460);
    inject(&mut wire, FRAGMENTATION_NEEDED, 1_000, &quote(&sent, sent.seq));
    let again = wire.take();
    let received: Vec<u8> = again.iter().flat_map(|sent| sent.payload.clone()).collect();
    assert_eq!(received, data);
    assert!(again.iter().all(|sent| sent.payload.len() <= 960), "{again:?}");
    peer.ack = again.last().unwrap().end();
    wire.inject(&peer.segment());
    wire.write(flow, &data);
    let next = wire.take();
    assert!(next.iter().all(|sent| sent.payload.len() <= 960));
    assert_eq!(next.iter().map(|sent| sent.payload.len()).sum::<usize>(), 1_460);
}

// Linux's `min_pmtu`.
#[test]
fn no_router_makes_packets_absurdly_small() {
    let mut wire = Wire::new();
    let (flow, _) = wire.active();
    wire.write(flow, &octets(1_460));
    let sent = wire.expect("ACK");
    inject(&mut wire, FRAGMENTATION_NEEDED, 68, &quote(&sent, sent.seq));
    wire.advance(2 * SECOND);
    let again = wire.take();
    assert_eq!(again.iter().map(|sent| sent.payload.len()).max(), Some(552 - 40));
}

// RFC 5927 section 7: who cannot name a connection cannot narrow its path.
#[test]
fn a_forged_message_lowers_no_mtu() {
    let mut wire = Wire::new();
    let (flow, mut peer) = wire.active();
    wire.write(flow, b"x");
    let mut sent = wire.expect("ACK");
    sent.source.set_port(1);
    inject(&mut wire, FRAGMENTATION_NEEDED, 600, &quote(&sent, sent.seq));
    peer.ack = sent.end();
    wire.inject(&peer.segment());
    wire.write(flow, &octets(1_460));
    assert_eq!(wire.expect("ACK").payload.len(), 1_460);
}
