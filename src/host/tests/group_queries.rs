//! Groups on the wire: what routers, and switches in their place, ask, and when and with what a
//! member answers.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::querier::*;
use super::wire::{HOST, HOST_MAC, HOST_V6, MILLISECOND, SECOND, Wire};
use crate::host::address::INTERFACE_INDEX;
use crate::host::udp::Membership;
use crate::wire::checksum::internet_checksum;

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
    wire.host.udp_calls(wire.now).leave(socket, Membership::V4(GROUP, NONE)).unwrap();
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
            wire.host.udp_calls(wire.now).join(id, Membership::V4(group, NONE)).unwrap();
        }
        let group = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 0);
        for low in 0..4u128 {
            let group = Ipv6Addr::from_bits(group.to_bits() + u128::from(socket) * 4 + low);
            wire.host.udp_calls(wire.now).join(id, Membership::V6(group, INTERFACE_INDEX)).unwrap();
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
        let sum = internet_checksum(&packet[..24]);
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
    wire.host.udp_calls(wire.now).join(socket, Membership::V6(own, 0)).unwrap();
    wire.host.udp_calls(wire.now).leave(socket, Membership::V6(own, 0)).unwrap();
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
        wire.host.udp_calls(wire.now).join(socket, Membership::V4(group, NONE)).unwrap();
        wire.packets();
        wire.inject_v4(&v3_query(group, 0xff));
        assert!(wire.deadline.is_some());
        wire.host.udp_calls(wire.now).leave(socket, Membership::V4(group, NONE)).unwrap();
        wire.packets();
        assert_eq!(wire.deadline, None);
    }
}

#[test]
fn queries_that_are_cut_or_have_a_bit_changed_are_survived() {
    let (mut wire, _) = member(&[GROUP], &[GROUP_V6]);
    let sources = [2, 125, 0, 2, 192, 0, 2, 1, 192, 0, 2, 2];
    let with_sources = igmp_message(0x11, 10, GROUP, &sources);
    for is_trusted in [false, true] {
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
                wire.inject_frame(&frame[..len], is_trusted);
                // The same, by a header that knows of it.
                let mut cut = frame[..len].to_vec();
                match (ethertype, cut.len()) {
                    ([0x08, _], 34..) => cut[17] = (len - 14) as u8,
                    ([0x86, _], 54..) => cut[19] = (len - 54) as u8,
                    _ => {}
                }
                wire.inject_frame(&cut, is_trusted);
            }
            for bit in 14 * 8..frame.len() * 8 {
                let mut changed = frame.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                wire.inject_frame(&changed, is_trusted);
            }
            wire.advance(10 * SECOND);
        }
    }
    wire.advance(100_000 * SECOND);
    wire.packets();
    wire.inject_v4(&v3_query(NONE, 10));
    assert_eq!(hears(&mut wire, SECOND), [v3_report(&[GROUP])]);
}
