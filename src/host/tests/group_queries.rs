//! Groups on the wire: what routers, and switches in their place, ask, and when and with what a
//! member answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::wire::{HOST, HOST_MAC, HOST_V6, MILLISECOND, PEER, SECOND, Wire};
use crate::host::address::{INTERFACE_INDEX, link_local, solicited_node};
use crate::host::checksum::{checksum, transport_checksum};
use crate::host::datagram::DatagramId;

pub(super) const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
pub(super) const OTHER: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 4);
pub(super) const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);
pub(super) const OTHER_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x99);
pub(super) const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
pub(super) const NONE_V6: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
pub(super) const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
pub(super) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
pub(super) const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xff);
/// What the newest versions have after the group: a robustness of 2, an interval of 125 s, and no
/// sources.
pub(super) const NO_SOURCES: [u8; 4] = [2, 125, 0, 0];
pub(super) const ROUTER_ALERT: [u8; 4] = [148, 4, 0, 0];
/// Types of messages.
pub(super) const V1_REPORT: u8 = 0x12;
pub(super) const V2_REPORT: u8 = 0x16;
pub(super) const V2_LEAVE: u8 = 0x17;
pub(super) const V3_REPORT: u8 = 0x22;
pub(super) const MLD_QUERY: u8 = 130;
pub(super) const MLD_V1_REPORT: u8 = 131;
pub(super) const MLD_V1_DONE: u8 = 132;
pub(super) const MLD_V2_REPORT: u8 = 143;
/// Types of records.
pub(super) const IS_EXCLUDE: u8 = 2;
pub(super) const TO_INCLUDE: u8 = 3;
pub(super) const TO_EXCLUDE: u8 = 4;

/// An IGMP message from the peer.
pub(super) fn igmp_packet(to: Ipv4Addr, options: &[u8], mut message: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let header_len = 20 + options.len();
    let mut packet = vec![0x40 | (header_len / 4) as u8, 0xc0];
    packet.extend(((header_len + message.len()) as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 1, 2, 0, 0]);
    packet.extend(PEER.octets());
    packet.extend(to.octets());
    packet.extend(options);
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(message);
    packet
}

pub(super) fn igmp_message(kind: u8, code: u8, group: Ipv4Addr, rest: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(group.octets());
    message.extend(rest);
    message
}

/// A query of IGMPv3, which may take `tenths` of a second to answer.
pub(super) fn v3_query(group: Ipv4Addr, tenths: u8) -> Vec<u8> {
    let to = if group.is_unspecified() { ALL_SYSTEMS } else { group };
    igmp_packet(to, &ROUTER_ALERT, igmp_message(0x11, tenths, group, &NO_SOURCES))
}

pub(super) fn v2_query(group: Ipv4Addr, tenths: u8) -> Vec<u8> {
    let to = if group.is_unspecified() { ALL_SYSTEMS } else { group };
    igmp_packet(to, &ROUTER_ALERT, igmp_message(0x11, tenths, group, &[]))
}

/// An MLD message in a packet with a hop-by-hop header.
pub(super) fn mld_packet(
    from: Ipv6Addr,
    to: Ipv6Addr,
    options: [u8; 6],
    mut message: Vec<u8>,
) -> Vec<u8> {
    let sum = transport_checksum(from.into(), to.into(), 58, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((8 + message.len() as u16).to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend([58, 0]);
    packet.extend(options);
    packet.extend(message);
    packet
}

pub(super) const ROUTER_ALERT_V6: [u8; 6] = [5, 2, 0, 0, 1, 0];

pub(super) fn mld_message(kind: u8, code: u16, group: Ipv6Addr, rest: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(code.to_be_bytes());
    message.extend([0, 0]);
    message.extend(group.octets());
    message.extend(rest);
    message
}

pub(super) fn mld_query(group: Ipv6Addr, milliseconds: u16, rest: &[u8]) -> Vec<u8> {
    let to = if group.is_unspecified() { ALL_NODES } else { group };
    let message = mld_message(MLD_QUERY, milliseconds, group, rest);
    mld_packet(ROUTER, to, ROUTER_ALERT_V6, message)
}

/// A host that is in these groups, and what it said of that has been looked at.
pub(super) fn member(groups: &[Ipv4Addr], groups_v6: &[Ipv6Addr]) -> (Wire, DatagramId) {
    let mut wire = Wire::new();
    let socket = wire.udp_socket("[::]:5000");
    for group in groups {
        wire.host.datagram_join_v4(wire.now, socket, *group, NONE).unwrap();
    }
    for group in groups_v6 {
        wire.host.datagram_join_v6(wire.now, socket, *group, 0).unwrap();
    }
    wire.packets();
    (wire, socket)
}

/// What a packet says of groups: the type of its message, to whom it is sent, and the groups with
/// the types of their records; 0 where there are none.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    pub(super) kind: u8,
    pub(super) to: IpAddr,
    pub(super) groups: Vec<(u8, IpAddr)>,
}

pub(super) fn told(kind: u8, to: impl Into<IpAddr>, groups: &[(u8, IpAddr)]) -> Told {
    Told { kind, to: to.into(), groups: groups.to_vec() }
}

impl Told {
    /// Reads a packet of the host's, of which everything that is the same in all is as it should.
    #[track_caller]
    fn read(packet: &[u8]) -> Told {
        let (to, message): (IpAddr, &[u8]) = if packet[0] >> 4 == 4 {
            assert_eq!((packet[0], packet[1], packet[8], packet[9]), (0x46, 0xc0, 1, 2));
            assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
            assert_eq!((&packet[12..16], &packet[20..24]), (&HOST.octets()[..], &ROUTER_ALERT[..]));
            assert_eq!((checksum(&packet[..24]), checksum(&packet[24..])), (0, 0));
            (address(&packet[16..20]), &packet[24..])
        } else {
            assert_eq!((packet[6], packet[7]), (0, 1));
            assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len() - 40);
            let (from, to) = (address(&packet[8..24]), address(&packet[24..40]));
            assert_eq!(from, IpAddr::V6(link_local(HOST_MAC)));
            assert_eq!(packet[40..48], [58, 0, 5, 2, 0, 0, 1, 0]);
            assert_eq!(transport_checksum(from, to, 58, &packet[48..]), 0);
            (to, &packet[48..])
        };
        let kind = message[0];
        let groups = match kind {
            V3_REPORT | MLD_V2_REPORT => {
                let size = if to.is_ipv4() { 8 } else { 20 };
                let records: Vec<_> = message[8..].chunks_exact(size).collect();
                assert_eq!(
                    usize::from(u16::from_be_bytes([message[6], message[7]])),
                    records.len()
                );
                assert_eq!(message.len(), 8 + records.len() * size);
                records.iter().map(|record| (record[0], address(&record[4..]))).collect()
            }
            _ => vec![(0, address(&message[if to.is_ipv4() { 4 } else { 8 }..]))],
        };
        Told { kind, to, groups }
    }
}

pub(super) fn address(octets: &[u8]) -> IpAddr {
    match <[u8; 4]>::try_from(octets) {
        Ok(octets) => octets.into(),
        Err(_) => <[u8; 16]>::try_from(octets).unwrap().into(),
    }
}

/// What the host says in the next `duration`.
#[track_caller]
pub(super) fn hears(wire: &mut Wire, duration: u64) -> Vec<Told> {
    wire.advance(duration);
    wire.packets().iter().map(|packet| Told::read(packet)).collect()
}

/// When the host first says something, in nanoseconds from now.
#[track_caller]
pub(super) fn says_after(wire: &mut Wire, within: u64) -> u64 {
    let (start, end) = (wire.now, wire.now + within);
    wire.settle();
    while wire.others.is_empty() {
        let deadline = wire.deadline.expect("the host says something");
        assert!(deadline <= end, "the host says nothing in time");
        wire.advance(deadline.saturating_sub(wire.now));
    }
    wire.now - start
}

pub(super) fn v3_report(groups: &[Ipv4Addr]) -> Told {
    let groups: Vec<_> = groups.iter().map(|group| (IS_EXCLUDE, IpAddr::from(*group))).collect();
    told(V3_REPORT, Ipv4Addr::new(224, 0, 0, 22), &groups)
}

pub(super) fn mld_v2_report(groups: &[Ipv6Addr]) -> Told {
    let groups: Vec<_> = groups.iter().map(|group| (IS_EXCLUDE, IpAddr::from(*group))).collect();
    told(MLD_V2_REPORT, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16), &groups)
}

/// The group in which neighbours look for the host: both its addresses end alike.
pub(super) fn own_group() -> Ipv6Addr {
    assert_eq!(solicited_node(HOST_V6), solicited_node(link_local(HOST_MAC)));
    solicited_node(HOST_V6)
}

// RFC 3376 5.2: one current-state record for each group.
#[test]
fn a_general_query_is_answered_once_with_all_groups() {
    let (mut wire, _) = member(&[OTHER, GROUP, ALL_SYSTEMS], &[]);
    wire.inject_v4(&v3_query(NONE, 100));
    assert_eq!(hears(&mut wire, 10 * SECOND), [v3_report(&[GROUP, OTHER])]);
    assert!(hears(&mut wire, 1_000 * SECOND).is_empty());
    // RFC 3376 4.1.11: and when it is sent to this host alone.
    let query = igmp_message(0x11, 100, NONE, &NO_SOURCES);
    wire.inject_v4(&igmp_packet(HOST, &ROUTER_ALERT, query));
    assert_eq!(hears(&mut wire, 10 * SECOND), [v3_report(&[GROUP, OTHER])]);
}

// RFC 3376 5.2: the delay is random, in the time that the query allows.
#[test]
fn answers_are_spread_over_the_time_that_the_query_allows() {
    let (mut wire, _) = member(&[GROUP], &[]);
    let mut delays = Vec::new();
    for _ in 0..100 {
        wire.inject_v4(&v3_query(NONE, 100));
        delays.push(says_after(&mut wire, 10 * SECOND));
        wire.packets();
    }
    for second in 0..10 {
        let within = delays.iter().filter(|delay| **delay / SECOND == second).count();
        assert!((1..30).contains(&within), "{within} of 100 in second {second}");
    }
    // RFC 3376 4.1.1: 0x8f stands for 24.8 seconds.
    let longest = (0..100).map(|_| {
        wire.inject_v4(&v3_query(NONE, 0x8f));
        let delay = says_after(&mut wire, 24_800 * MILLISECOND);
        wire.packets();
        delay
    });
    assert!(longest.max().unwrap() > 20 * SECOND);
    // Who allows no time is answered at once.
    wire.inject_v4(&v3_query(NONE, 0));
    assert_eq!(hears(&mut wire, 0), [v3_report(&[GROUP])]);
}

// RFC 3376 5.2.
#[test]
fn a_query_about_a_group_is_answered_by_its_members_alone() {
    let (mut wire, socket) = member(&[GROUP, OTHER], &[]);
    wire.inject_v4(&v3_query(GROUP, 10));
    assert_eq!(hears(&mut wire, SECOND), [v3_report(&[GROUP])]);
    // About some sources of it: all are heard here.
    let sources = [2, 125, 0, 2, 192, 0, 2, 1, 192, 0, 2, 2];
    wire.inject_v4(&igmp_packet(GROUP, &ROUTER_ALERT, igmp_message(0x11, 10, GROUP, &sources)));
    assert_eq!(hears(&mut wire, SECOND), [v3_report(&[GROUP])]);
    // Everybody is in this one.
    wire.inject_v4(&v3_query(ALL_SYSTEMS, 10));
    // Who has left before the answer is due does not give it.
    wire.inject_v4(&v3_query(GROUP, 10));
    wire.host.datagram_leave_v4(wire.now, socket, GROUP, NONE).unwrap();
    wire.inject_v4(&v3_query(GROUP, 10));
    let left = told(V3_REPORT, Ipv4Addr::new(224, 0, 0, 22), &[(TO_INCLUDE, GROUP.into())]);
    assert_eq!(hears(&mut wire, 10 * SECOND), [left]);
}

// RFC 3376 5.2, rules 1 and 2.
#[test]
fn of_two_general_queries_the_earlier_answer_is_given() {
    let (mut wire, _) = member(&[GROUP], &[]);
    for _ in 0..50 {
        wire.inject_v4(&v3_query(NONE, 0xff));
    }
    // None of fifty would have come this early alone, but for one in a thousand worlds.
    wire.inject_v4(&v3_query(NONE, 10));
    assert_eq!(hears(&mut wire, SECOND), [v3_report(&[GROUP])]);
    assert!(hears(&mut wire, 4_000 * SECOND).is_empty());
    wire.inject_v4(&v3_query(NONE, 10));
    wire.inject_v4(&v3_query(NONE, 0xff));
    assert_eq!(hears(&mut wire, SECOND), [v3_report(&[GROUP])]);
    assert!(hears(&mut wire, 4_000 * SECOND).is_empty());
}

// RFC 3376 5.2, rules 1, 3 and 4.
#[test]
fn a_group_is_reported_by_the_earliest_of_its_answers() {
    let (mut wire, _) = member(&[GROUP, OTHER], &[]);
    // All will be reported in a second: there is nothing to add.
    wire.inject_v4(&v3_query(NONE, 10));
    wire.inject_v4(&v3_query(GROUP, 0xff));
    assert_eq!(hears(&mut wire, 4_000 * SECOND), [v3_report(&[GROUP, OTHER])]);
    // One will be sooner than all.
    wire.inject_v4(&v3_query(NONE, 0xff));
    wire.inject_v4(&v3_query(GROUP, 10));
    assert_eq!(hears(&mut wire, SECOND), [v3_report(&[GROUP])]);
    assert_eq!(hears(&mut wire, 4_000 * SECOND), [v3_report(&[GROUP, OTHER])]);
    // Two answers about one group become one.
    wire.inject_v4(&v3_query(OTHER, 0xff));
    wire.inject_v4(&v3_query(OTHER, 10));
    assert_eq!(hears(&mut wire, SECOND), [v3_report(&[OTHER])]);
    assert!(hears(&mut wire, 4_000 * SECOND).is_empty());
}

// RFC 3376 4.2.16, RFC 3810 5.2.15: as many as go into a packet.
#[test]
fn many_groups_are_reported_in_several_packets_of_the_mtu() {
    let mut wire = Wire::new();
    for socket in 0..20u8 {
        let id = wire.udp_socket(&format!("[::]:{}", 5_000 + u16::from(socket)));
        for group in 0..20 {
            let group = Ipv4Addr::new(239, 0, socket, group);
            wire.host.datagram_join_v4(wire.now, id, group, NONE).unwrap();
        }
        let group = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 0);
        for low in 0..4u128 {
            let group = Ipv6Addr::from_bits(group.to_bits() + u128::from(socket) * 4 + low);
            wire.host.datagram_join_v6(wire.now, id, group, INTERFACE_INDEX).unwrap();
        }
    }
    wire.packets();
    wire.inject_v4(&v3_query(NONE, 1));
    wire.advance(SECOND);
    let packets = wire.packets();
    assert_eq!(packets.iter().map(Vec::len).collect::<Vec<_>>(), [1_496, 1_496, 304]);
    let mut groups: Vec<_> = packets.iter().flat_map(|packet| Told::read(packet).groups).collect();
    groups.dedup();
    assert_eq!(groups.len(), 400);
    wire.inject_v6(&mld_query(NONE_V6, 100, &NO_SOURCES));
    wire.advance(SECOND);
    let packets = wire.packets();
    assert_eq!(packets.iter().map(Vec::len).collect::<Vec<_>>(), [1_496, 236]);
    assert_eq!(Told::read(&packets[1]).groups.len(), 9);
}

// RFC 3376 9.1 and 4.1.8, RFC 1112 appendix I.
#[test]
fn queries_that_may_be_forged_or_are_malformed_are_ignored() {
    let (mut wire, _) = member(&[GROUP], &[]);
    let query = |group, rest: &[u8]| igmp_message(0x11, 1, group, rest);
    // Without router alert; general ones to another group, or to everybody.
    wire.inject_v4(&igmp_packet(ALL_SYSTEMS, &[], query(NONE, &NO_SOURCES)));
    wire.inject_v4(&igmp_packet(ALL_SYSTEMS, &[], query(NONE, &[])));
    wire.inject_v4(&igmp_packet(ALL_SYSTEMS, &[1, 1, 1, 0], query(NONE, &NO_SOURCES)));
    wire.inject_v4(&igmp_packet(GROUP, &ROUTER_ALERT, query(NONE, &NO_SOURCES)));
    wire.inject_v4(&igmp_packet(Ipv4Addr::BROADCAST, &ROUTER_ALERT, query(NONE, &NO_SOURCES)));
    // Of lengths that no version has, with sources that are not there, and sources of no group.
    for len in 1..4 {
        wire.inject_v4(&igmp_packet(ALL_SYSTEMS, &ROUTER_ALERT, query(NONE, &NO_SOURCES[..len])));
    }
    wire.inject_v4(&igmp_packet(GROUP, &ROUTER_ALERT, query(GROUP, &[2, 125, 0, 1, 10, 0, 0])));
    let sources = [2, 125, 0, 1, 10, 0, 0, 2];
    wire.inject_v4(&igmp_packet(ALL_SYSTEMS, &ROUTER_ALERT, query(NONE, &sources)));
    // About what is no group.
    wire.inject_v4(&igmp_packet(ALL_SYSTEMS, &ROUTER_ALERT, query(HOST, &NO_SOURCES)));
    // From further away than the link, and with a bad checksum.
    for (at, to) in [(8, 2), (31, 77)] {
        let mut packet = v3_query(NONE, 1);
        packet[at] = to;
        packet[10..12].fill(0);
        let sum = checksum(&packet[..24]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        wire.inject_v4(&packet);
    }
    assert!(hears(&mut wire, 1_000 * SECOND).is_empty());
    wire.inject_v4(&igmp_packet(ALL_SYSTEMS, &ROUTER_ALERT, query(NONE, &NO_SOURCES)));
    assert_eq!(hears(&mut wire, SECOND), [v3_report(&[GROUP])]);
}

// RFC 3810 6.2. A switch that watches must know where neighbours look for the host, too.
#[test]
fn a_general_query_of_mld_is_answered_with_all_groups_and_those_of_the_addresses() {
    let interface_local = "ff01::5".parse().unwrap();
    let groups = [GROUP_V6, OTHER_V6, ALL_NODES, interface_local];
    let (mut wire, _) = member(&[GROUP], &groups);
    wire.inject_v6(&mld_query(NONE_V6, 10_000, &NO_SOURCES));
    let report = mld_v2_report(&[OTHER_V6, own_group(), GROUP_V6]);
    assert_eq!(hears(&mut wire, 10 * SECOND), [report]);
    for group in [ALL_NODES, interface_local] {
        wire.inject_v6(&mld_query(group, 100, &NO_SOURCES));
    }
    assert!(hears(&mut wire, 10 * SECOND).is_empty());
}

// RFC 3810 6.2 and 5.1.3.
#[test]
fn a_query_of_mld_about_a_group_is_answered_in_the_time_that_it_allows() {
    let (mut wire, socket) = member(&[], &[GROUP_V6]);
    wire.inject_v6(&mld_query(GROUP_V6, 1_000, &NO_SOURCES));
    assert_eq!(hears(&mut wire, SECOND), [mld_v2_report(&[GROUP_V6])]);
    let mut one_source = vec![2, 125, 0, 1];
    one_source.extend(HOST_V6.octets());
    wire.inject_v6(&mld_query(GROUP_V6, 1_000, &one_source));
    assert_eq!(hears(&mut wire, SECOND), [mld_v2_report(&[GROUP_V6])]);
    let own = own_group();
    wire.inject_v6(&mld_query(own, 1_000, &NO_SOURCES));
    assert_eq!(hears(&mut wire, SECOND), [mld_v2_report(&[own])]);
    // 0x8fff stands for 65.528 seconds.
    let longest = (0..50).map(|_| {
        wire.inject_v6(&mld_query(GROUP_V6, 0x8fff, &NO_SOURCES));
        let delay = says_after(&mut wire, 65_528 * MILLISECOND);
        wire.packets();
        delay
    });
    assert!(longest.max().unwrap() > 50 * SECOND);
    // Who is in no group is silent; where neighbours look for the host it stays.
    wire.host.datagram_join_v6(wire.now, socket, own, 0).unwrap();
    wire.host.datagram_leave_v6(wire.now, socket, own, 0).unwrap();
    wire.inject_v6(&mld_query(OTHER_V6, 1_000, &NO_SOURCES));
    assert!(hears(&mut wire, 10 * SECOND).is_empty());
}

// RFC 3810 6.2 and 8.1: the three checks, and the lengths.
#[test]
fn queries_of_mld_that_may_be_forged_or_are_malformed_are_ignored() {
    let (mut wire, _) = member(&[], &[GROUP_V6]);
    let query = |rest: &[u8]| mld_message(MLD_QUERY, 100, NONE_V6, rest);
    let from_afar = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
    wire.inject_v6(&mld_packet(from_afar, ALL_NODES, ROUTER_ALERT_V6, query(&NO_SOURCES)));
    wire.inject_v6(&mld_packet(NONE_V6, ALL_NODES, ROUTER_ALERT_V6, query(&NO_SOURCES)));
    wire.inject_v6(&mld_packet(ROUTER, ALL_NODES, [1, 4, 0, 0, 0, 0], query(&NO_SOURCES)));
    wire.inject_v6(&mld_packet(ROUTER, GROUP_V6, ROUTER_ALERT_V6, query(&NO_SOURCES)));
    let mut packet = mld_query(NONE_V6, 100, &NO_SOURCES);
    packet[7] = 2;
    wire.inject_v6(&packet);
    let mut packet = mld_query(NONE_V6, 100, &NO_SOURCES);
    packet[53] ^= 1;
    wire.inject_v6(&packet);
    let mut without_options = mld_query(NONE_V6, 100, &NO_SOURCES);
    without_options.drain(40..48);
    (without_options[5], without_options[6]) = (28, 58);
    wire.inject_v6(&without_options);
    for len in 1..4 {
        wire.inject_v6(&mld_query(NONE_V6, 100, &NO_SOURCES[..len]));
    }
    wire.inject_v6(&mld_query(NONE_V6, 100, &[2, 125, 0, 1]));
    wire.inject_v6(&mld_query(GROUP_V6, 100, &[2, 125, 0, 1, 0xfd]));
    let of_one = mld_message(MLD_QUERY, 100, HOST_V6, &NO_SOURCES);
    wire.inject_v6(&mld_packet(ROUTER, ALL_NODES, ROUTER_ALERT_V6, of_one));
    assert!(hears(&mut wire, 1_000 * SECOND).is_empty());
    wire.inject_v6(&mld_packet(ROUTER, ALL_NODES, ROUTER_ALERT_V6, query(&NO_SOURCES)));
    assert_eq!(hears(&mut wire, SECOND).len(), 1);
}

#[test]
fn a_host_in_no_group_draws_nothing_and_wants_no_time() {
    let mut wire = Wire::new();
    for query in [v3_query(NONE, 100), v2_query(NONE, 100), v3_query(GROUP, 100)] {
        wire.inject_v4(&query);
        assert_eq!(wire.deadline, None);
    }
    assert!(hears(&mut wire, 100 * SECOND).is_empty());
}

#[test]
fn what_is_to_be_answered_is_bounded_by_the_groups_that_the_host_is_in() {
    let (mut wire, socket) = member(&[], &[]);
    // Each is left before the answer to the query about it is due.
    for group in 0..1_000u32 {
        let group = Ipv4Addr::from_bits(OTHER.to_bits() + group);
        wire.host.datagram_join_v4(wire.now, socket, group, NONE).unwrap();
        wire.packets();
        wire.inject_v4(&v3_query(group, 0xff));
        assert!(wire.deadline.is_some());
        wire.host.datagram_leave_v4(wire.now, socket, group, NONE).unwrap();
        wire.packets();
        assert_eq!(wire.deadline, None);
    }
}

#[test]
fn queries_that_are_cut_or_have_a_bit_changed_are_survived() {
    let (mut wire, _) = member(&[GROUP], &[GROUP_V6]);
    let sources = [2, 125, 0, 2, 192, 0, 2, 1, 192, 0, 2, 2];
    let with_sources = igmp_message(0x11, 10, GROUP, &sources);
    for intact in [false, true] {
        for (ethertype, packet) in [
            ([0x08, 0x00], v3_query(NONE, 10)),
            ([0x08, 0x00], v2_query(GROUP, 10)),
            ([0x08, 0x00], igmp_packet(GROUP, &ROUTER_ALERT, with_sources.clone())),
            ([0x86, 0xdd], mld_query(NONE_V6, 100, &NO_SOURCES)),
            ([0x86, 0xdd], mld_query(GROUP_V6, 100, &[])),
        ] {
            let mut frame = HOST_MAC.to_vec();
            frame.extend([2, 0, 0, 0, 0, 2]);
            frame.extend(ethertype);
            frame.extend(&packet);
            for len in 0..frame.len() {
                wire.inject_frame(&frame[..len], intact);
                // The same, by a header that knows of it.
                let mut cut = frame[..len].to_vec();
                match (ethertype, cut.len()) {
                    ([0x08, _], 34..) => cut[17] = (len - 14) as u8,
                    ([0x86, _], 54..) => cut[19] = (len - 54) as u8,
                    _ => {}
                }
                wire.inject_frame(&cut, intact);
            }
            for bit in 14 * 8..frame.len() * 8 {
                let mut changed = frame.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                wire.inject_frame(&changed, intact);
            }
            wire.advance(10 * SECOND);
        }
    }
    wire.advance(100_000 * SECOND);
    wire.packets();
    wire.inject_v4(&v3_query(NONE, 10));
    assert_eq!(hears(&mut wire, SECOND), [v3_report(&[GROUP])]);
}
