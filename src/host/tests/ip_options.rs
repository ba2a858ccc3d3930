//! IPv4 packets with options.

use super::datagrams::{ipv4, udp};
use super::wire::{HOST, PEER, PEER_PORT, Peer, SECOND, Wire};
use crate::wire::checksum::internet_checksum;

const UDP: u8 = 17;
/// A route by way of 10.0.0.9, loose and strict.
const LOOSE: [u8; 8] = [131, 7, 4, 10, 0, 0, 9, 0];
const STRICT: [u8; 8] = [137, 7, 4, 10, 0, 0, 9, 0];

/// The same packet with options.
fn with_options(packet: &[u8], options: &[u8]) -> Vec<u8> {
    let mut packet = [&packet[..20], options, &packet[20..]].concat();
    let len = packet.len() as u16;
    packet[0] = 0x45 + (options.len() / 4) as u8;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[10..12].fill(0);
    let sum = internet_checksum(&packet[..20 + options.len()]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

fn datagram() -> Vec<u8> {
    ipv4(HOST, UDP, 0, &udp(HOST.into(), 7, b"hello"))
}

// RFC 7126 4.3; Linux 6.18 is silent (`accept_source_route` is 0 unless it is set).
#[test]
fn what_came_by_a_route_of_its_senders_choice_is_dropped_in_silence() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    wire.listen(8);
    let used_up = [131, 7, 8, 10, 0, 0, 9, 0];
    for options in [LOOSE, STRICT, used_up] {
        wire.inject_v4(&with_options(&datagram(), &options));
        wire.inject_v4(&with_options(&Peer::new(PEER_PORT).syn().packet(), &options));
        assert_eq!(wire.try_recv(socket), None);
        assert!(wire.take().is_empty() && wire.packets().is_empty());
    }
    assert_eq!(wire.host.counters().ip_header_errors, 6);
}

// RFC 1122 3.2.2.5. Linux 6.18 answers with 12/0 and the same pointers.
#[test]
fn malformed_options_are_answered_with_a_parameter_problem_that_points_at_them() {
    let malformed: [(&[u8], u8); 6] = [
        // Beyond the header, no length, a length of less than the option, an option twice, a
        // pointer in front of the first address, and a source route twice.
        (&[1, 7, 9, 4], 21),
        (&[1, 1, 1, 7], 23),
        (&[7, 1, 0, 0], 20),
        (&[7, 3, 4, 7, 3, 4, 0, 0], 23),
        (&[131, 7, 3, 10, 0, 0, 9, 0], 22),
        (&[131, 3, 4, 137, 3, 4, 0, 0], 23),
    ];
    for (options, pointer) in malformed {
        for packet in [datagram(), Peer::new(PEER_PORT).syn().packet()] {
            let mut wire = Wire::new();
            let socket = wire.udp_socket("0.0.0.0:7");
            wire.listen(8);
            let packet = with_options(&packet, options);
            wire.inject_v4(&packet);
            let answer = wire.packets().pop().expect("a parameter problem");
            assert_eq!((answer[9], &answer[16..20]), (1, &PEER.octets()[..]));
            assert_eq!(answer[20..22], [12, 0]);
            assert_eq!(answer[24..28], [pointer, 0, 0, 0], "{options:?}");
            assert_eq!(answer[28..], packet, "the whole packet is quoted");
            assert_eq!(internet_checksum(&answer[20..]), 0);
            assert_eq!(wire.try_recv(socket), None);
            wire.expect_silence();
        }
    }
}

#[test]
fn options_that_mean_nothing_to_a_host_are_passed_over() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("0.0.0.0:7");
    let record_route = [7, 7, 4, 0, 0, 0, 0, 0];
    for options in
        [&record_route[..], &[148, 4, 0, 0], &[30, 4, 9, 9], &[1, 1, 1, 0], &[0, 7, 0, 0]]
    {
        wire.inject_v4(&with_options(&datagram(), options));
        assert_eq!(wire.try_recv(socket), Some(Ok(b"hello".to_vec())), "{options:?}");
    }
    wire.listen(8);
    wire.inject_v4(&with_options(&Peer::new(PEER_PORT).syn().packet(), &record_route));
    wire.expect("SYN ACK");
}

// RFC 1122 3.2.2: nothing whose header checksum is wrong is answered; nor a later fragment.
#[test]
fn a_parameter_problem_is_no_answer_to_what_must_not_be_answered() {
    let mut wire = Wire::new();
    let malformed = [7, 1, 0, 0];
    let mut spoilt = with_options(&datagram(), &malformed);
    spoilt[10] ^= 1;
    wire.inject_v4(&spoilt);
    wire.inject_v4(&with_options(&ipv4(HOST, UDP, 5, &[0; 8]), &malformed));
    let everybody = std::net::Ipv4Addr::new(10, 0, 255, 255);
    let broadcast = ipv4(everybody, UDP, 0, &udp(everybody.into(), 8, b"x"));
    wire.inject_v4(&with_options(&broadcast, &malformed));
    // Not for this host: nobody looks at its options.
    wire.inject_v4(&with_options(&ipv4([10, 0, 0, 7].into(), UDP, 0, &[0; 8]), &malformed));
    assert!(wire.packets().is_empty());
    let counters = wire.host.counters();
    assert_eq!((counters.ip_header_errors, counters.ip_address_errors), (3, 1));
}

#[test]
fn a_flood_of_malformed_options_is_answered_a_few_times_a_second() {
    let mut wire = Wire::new();
    for _ in 0..1_000 {
        wire.inject_v4(&with_options(&datagram(), &[7, 1, 0, 0]));
    }
    assert_eq!(wire.packets().len(), 6);
    wire.advance(SECOND);
    wire.inject_v4(&with_options(&datagram(), &[7, 1, 0, 0]));
    assert_eq!(wire.packets().len(), 1);
}
