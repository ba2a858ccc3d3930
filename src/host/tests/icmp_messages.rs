//! ICMP on the wire: echoes, and errors about datagrams.

use std::net::{IpAddr, Ipv4Addr};

use super::datagrams::{ipv4, ipv6};
use super::wire::{HOST, HOST_V6, PEER, SECOND, Wire, octets};
use crate::error::Errno;
use crate::host::udp::DatagramId;
use crate::wire::checksum::{internet_checksum, transport_checksum};

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// A message with a good checksum.
fn icmp(kind: u8, code: u8, rest: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest);
    message.extend(payload);
    let sum = internet_checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

fn inject(wire: &mut Wire, message: &[u8]) {
    wire.inject_v4(&ipv4(HOST, ICMP, 0, message));
}

/// A socket at port 5000 that is connected to the peer's port 9, and has sent something.
fn connected(wire: &mut Wire) -> DatagramId {
    let socket = wire.udp_socket("0.0.0.0:5000");
    wire.host.udp_calls(wire.now).connect(socket, Some("10.0.0.2:9".parse().unwrap())).unwrap();
    wire.send_datagram(socket, b"x", "10.0.0.2:9");
    wire.packets();
    socket
}

/// The 28 bytes of a datagram that every router quotes.
fn quote(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Vec<u8> {
    let mut quoted = vec![0x45, 0, 0, 29, 0, 0, 0x40, 0, 63, 17, 0, 0];
    quoted.extend(from.0.octets());
    quoted.extend(to.0.octets());
    quoted.extend(from.1.to_be_bytes());
    quoted.extend(to.1.to_be_bytes());
    quoted.extend([0, 9, 0, 0]);
    quoted
}

fn good_quote() -> Vec<u8> {
    quote((HOST, 5_000), (PEER, 9))
}

// RFC 792, RFC 1122 3.2.2.6: the data is that of the request, and the addresses change places.
#[test]
fn an_echo_request_is_echoed() {
    let mut wire = Wire::new();
    let mut packet = ipv4(HOST, ICMP, 0, &icmp(8, 0, [1, 2, 3, 4], &octets(100)));
    packet[1] = 0x10;
    packet[10..12].fill(0);
    let sum = internet_checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    wire.inject_v4(&packet);
    let reply = wire.packets().pop().expect("an echo reply");
    assert_eq!(reply[20..22], [0, 0]);
    assert_eq!(reply[24..28], [1, 2, 3, 4]);
    assert_eq!(reply[28..], octets(100));
    assert_eq!((reply[1], reply[8]), (0x10, 64), "its TOS, and our TTL");
    assert_eq!((&reply[12..16], &reply[16..20]), (&HOST.octets()[..], &PEER.octets()[..]));
    assert_eq!((internet_checksum(&reply[..20]), internet_checksum(&reply[20..])), (0, 0));
}

#[test]
fn an_echo_request_for_many_or_with_a_bad_checksum_is_not() {
    let mut wire = Wire::new();
    let request = icmp(8, 0, [0; 4], b"data");
    for to in [Ipv4Addr::BROADCAST, Ipv4Addr::new(10, 0, 255, 255), Ipv4Addr::new(224, 0, 0, 1)] {
        wire.inject_v4(&ipv4(to, ICMP, 0, &request));
    }
    let mut spoilt = request.clone();
    spoilt[9] ^= 1;
    inject(&mut wire, &spoilt);
    for len in 0..8 {
        inject(&mut wire, &request[..len]);
    }
    // Requests that no host answers: timestamps, and masks.
    inject(&mut wire, &icmp(13, 0, [0; 4], &[0; 12]));
    inject(&mut wire, &icmp(17, 0, [0; 4], &[0; 4]));
    assert!(wire.packets().is_empty());
}

#[test]
fn an_echo_that_is_larger_than_a_frame_comes_back_in_fragments() {
    let mut wire = Wire::new();
    let request = icmp(8, 0, [0; 4], &octets(2_992));
    wire.inject_v4(&ipv4(HOST, ICMP, 0x2000, &request[..1_480]));
    wire.inject_v4(&ipv4(HOST, ICMP, 0x2000 | 185, &request[1_480..2_960]));
    wire.inject_v4(&ipv4(HOST, ICMP, 370, &request[2_960..]));
    let replies = wire.packets();
    assert_eq!(replies.iter().map(Vec::len).collect::<Vec<_>>(), [1_500, 1_500, 60]);
    let data: Vec<u8> = replies.iter().flat_map(|reply| reply[20..].to_vec()).collect();
    assert_eq!(internet_checksum(&data), 0);
    assert_eq!(data[8..], octets(2_992));
}

// Linux's `icmp_err_convert`; only what it calls fatal is told without IP_RECVERR.
#[test]
fn what_a_router_says_of_a_datagram_has_a_number() {
    use Errno::{
        HostDown, HostUnreachable, NetUnreachable, NoNetwork, NoProtocolOption,
        OperationNotSupported, Protocol,
    };
    let fatal = [
        (3, 2, NoProtocolOption),
        (3, 3, Errno::ConnRefused),
        (3, 6, NetUnreachable),
        (3, 7, HostDown),
        (3, 8, NoNetwork),
        (3, 9, NetUnreachable),
        (3, 10, HostUnreachable),
        (3, 13, HostUnreachable),
        (3, 14, HostUnreachable),
        (3, 15, HostUnreachable),
        (12, 0, Protocol),
    ];
    let transient = [
        (3, 0, NetUnreachable),
        (3, 1, HostUnreachable),
        (3, 5, OperationNotSupported),
        (3, 11, NetUnreachable),
        (3, 12, HostUnreachable),
        (11, 0, HostUnreachable),
        (11, 1, HostUnreachable),
    ];
    let mut wire = Wire::new();
    let socket = connected(&mut wire);
    for hears_all in [false, true] {
        wire.host
            .udp_calls(wire.now)
            .change_options(socket, |options| {
                options.recv_errors = hears_all;
                Ok(())
            })
            .unwrap();
        for (told, list) in [(true, &fatal[..]), (hears_all, &transient)] {
            for (kind, code, errno) in list {
                inject(&mut wire, &icmp(*kind, *code, [0; 4], &good_quote()));
                let expected = told.then_some(Err(*errno));
                assert_eq!(wire.try_recv(socket), expected, "type {kind} code {code}");
                assert_eq!(wire.try_recv(socket), None, "once");
            }
        }
        // Redirects, source quench, what is not assigned.
        for (kind, code) in [(3, 16), (4, 0), (5, 1), (9, 0), (41, 0)] {
            inject(&mut wire, &icmp(kind, code, [0; 4], &good_quote()));
            assert_eq!(wire.try_recv(socket), None, "type {kind} code {code}");
        }
    }
}

#[test]
fn an_error_about_what_was_not_sent_is_ignored() {
    let mut wire = Wire::new();
    let socket = connected(&mut wire);
    let foreign = Ipv4Addr::new(10, 0, 0, 77);
    let quotes = [
        quote((foreign, 5_000), (PEER, 9)),
        quote((HOST, 5_001), (PEER, 9)),
        quote((HOST, 5_000), (PEER, 10)),
        quote((HOST, 5_000), (foreign, 9)),
        good_quote()[..27].to_vec(),
        good_quote()[..20].to_vec(),
        Vec::new(),
    ];
    for quoted in &quotes {
        inject(&mut wire, &icmp(3, 3, [0; 4], quoted));
    }
    let mut spoilt = icmp(3, 3, [0; 4], &good_quote());
    spoilt[30] ^= 1;
    inject(&mut wire, &spoilt);
    let mut later_fragment = good_quote();
    later_fragment[7] = 9;
    inject(&mut wire, &icmp(3, 3, [0; 4], &later_fragment));
    assert_eq!(wire.try_recv(socket), None);
    inject(&mut wire, &icmp(3, 3, [0; 4], &good_quote()));
    assert_eq!(wire.try_recv(socket), Some(Err(Errno::ConnRefused)));
    assert!(wire.packets().is_empty(), "nobody answers an error");
}

// RFC 4443 section 3; Linux's `icmpv6_err_convert`.
#[test]
fn what_a_router_says_of_a_datagram_over_ipv6_has_a_number() {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("[::]:5000");
    wire.host.udp_calls(wire.now).connect(socket, Some("[fd00::2]:9".parse().unwrap())).unwrap();
    let quoted = {
        let mut quoted = vec![0x60, 0, 0, 0, 0, 9, 17, 63];
        quoted.extend(HOST_V6.octets());
        quoted.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        quoted.extend([0x13, 0x88, 0, 9, 0, 9, 0, 0, 7]);
        quoted
    };
    let from: IpAddr = "fd00::2".parse().unwrap();
    let say = |wire: &mut Wire, kind: u8, code: u8, word: u32| {
        let mut message = vec![kind, code, 0, 0];
        message.extend(word.to_be_bytes());
        message.extend(&quoted);
        let sum = transport_checksum(from, HOST_V6.into(), ICMPV6, &message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        wire.inject_v6(&ipv6(HOST_V6, ICMPV6, &message));
        wire.try_recv(socket)
    };
    assert_eq!(say(&mut wire, 1, 0, 0), None, "no route is not fatal");
    assert_eq!(say(&mut wire, 1, 1, 0), Some(Err(Errno::Access)));
    assert_eq!(say(&mut wire, 1, 3, 0), None, "nor is a host that does not answer");
    assert_eq!(say(&mut wire, 1, 4, 0), Some(Err(Errno::ConnRefused)));
    assert_eq!(say(&mut wire, 1, 5, 0), Some(Err(Errno::Access)));
    assert_eq!(say(&mut wire, 3, 0, 0), None);
    assert_eq!(say(&mut wire, 4, 1, 0), Some(Err(Errno::Protocol)));
    // RFC 8201: no path is narrower than 1280.
    assert_eq!(say(&mut wire, 2, 0, 1_400), Some(Err(Errno::MessageSize)));
    assert_eq!(wire.host.ip.path_mtu(wire.now, from), 1_400);
    say(&mut wire, 2, 0, 100);
    assert_eq!(wire.host.ip.path_mtu(wire.now, from), 1_280);
}

// RFC 1191; Linux's `min_pmtu`. Whoever sent it must send it again.
#[test]
fn a_narrow_path_is_told_and_what_follows_leaves_in_fragments() {
    let mut wire = Wire::new();
    let socket = connected(&mut wire);
    wire.send_datagram(socket, &octets(1_400), "10.0.0.2:9");
    let whole = wire.packets();
    assert_eq!((whole.len(), whole[0][6] & 0x40), (1, 0x40), "don't fragment");
    inject(&mut wire, &icmp(3, 4, [0, 0, 4, 0], &good_quote()));
    assert_eq!(wire.try_recv(socket), Some(Err(Errno::MessageSize)));
    wire.send_datagram(socket, &octets(1_400), "10.0.0.2:9");
    let fragments = wire.packets();
    assert_eq!(fragments.iter().map(Vec::len).collect::<Vec<_>>(), [1_020, 428]);
    assert!(fragments.iter().all(|fragment| fragment[6] & 0x40 == 0));
    inject(&mut wire, &icmp(3, 4, [0, 0, 0, 68], &good_quote()));
    assert_eq!(wire.host.ip.path_mtu(wire.now, PEER.into()), 552);
    // After ten minutes larger ones are tried again.
    wire.try_recv(socket);
    wire.advance(601 * SECOND);
    assert_eq!(wire.host.ip.path_mtu(wire.now, PEER.into()), 1_500);
}

#[test]
fn nobody_narrows_a_path_that_is_not_used() {
    let mut wire = Wire::new();
    connected(&mut wire);
    inject(&mut wire, &icmp(3, 4, [0, 0, 4, 0], &quote((HOST, 5_000), (PEER, 10))));
    inject(&mut wire, &icmp(3, 4, [0, 0, 4, 0], &quote((HOST, 77), (PEER, 9))));
    assert_eq!(wire.host.ip.path_mtu(wire.now, PEER.into()), 1_500);
}

#[test]
fn a_neighbour_that_does_not_answer_is_told_to_who_asked_for_all_errors() {
    let mut wire = Wire::new();
    wire.answers_arp = false;
    let (quiet, curious) = (wire.udp_socket("0.0.0.0:5000"), wire.udp_socket("0.0.0.0:5001"));
    wire.host
        .udp_calls(wire.now)
        .change_options(curious, |options| {
            options.recv_errors = true;
            Ok(())
        })
        .unwrap();
    for socket in [quiet, curious] {
        wire.host.udp_calls(wire.now).connect(socket, Some("10.0.0.2:9".parse().unwrap())).unwrap();
        wire.send_datagram(socket, b"x", "10.0.0.2:9");
    }
    wire.advance(3 * SECOND - 1);
    assert_eq!(wire.try_recv(curious), None);
    wire.advance(1);
    assert_eq!(wire.try_recv(curious), Some(Err(Errno::HostUnreachable)));
    assert_eq!(wire.try_recv(quiet), None);
}
