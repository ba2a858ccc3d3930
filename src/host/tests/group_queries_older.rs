//! Groups on the wire, where somebody asks in an older version: IGMPv1, IGMPv2 and MLDv1.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::querier::*;
use super::wire::SECOND;
use crate::host::udp::Membership;

// RFC 3376 7.2.1, RFC 2236 3.
#[test]
fn a_querier_of_igmpv2_is_answered_group_by_group_in_its_own_version() {
    let (mut wire, socket) = member(&[GROUP, OTHER], &[]);
    wire.inject_v4(&v2_query(NONE, 100));
    let mut answers = hears(&mut wire, 10 * SECOND);
    answers.sort_by_key(|told| told.to);
    let report = |group: Ipv4Addr| told(V2_REPORT, group, &[(0, group.into())]);
    assert_eq!(answers, [report(GROUP), report(OTHER)]);
    wire.inject_v4(&v2_query(OTHER, 10));
    assert_eq!(hears(&mut wire, SECOND), [report(OTHER)]);
    // As long as it is there everything else is told in its version, too.
    wire.inject_v4(&v3_query(GROUP, 10));
    assert_eq!(hears(&mut wire, SECOND), [report(GROUP)]);
    wire.host.udp_calls(wire.now).leave(socket, Membership::V4(OTHER, NONE)).unwrap();
    let leave = told(V2_LEAVE, Ipv4Addr::new(224, 0, 0, 2), &[(0, OTHER.into())]);
    assert_eq!(hears(&mut wire, 0), [leave]);
    wire.host.udp_calls(wire.now).join(socket, Membership::V4(OTHER, NONE)).unwrap();
    assert_eq!(hears(&mut wire, 0), [report(OTHER)]);
}

// RFC 3376 8.12: twice the query interval of 125 s, and the time to answer, here 10 s.
#[test]
fn a_querier_of_igmpv2_is_forgotten_after_260_seconds() {
    let (mut wire, socket) = member(&[GROUP], &[]);
    wire.inject_v4(&v2_query(NONE, 100));
    wire.advance(259 * SECOND);
    wire.packets();
    wire.inject_v4(&v3_query(NONE, 1));
    assert_eq!(hears(&mut wire, SECOND / 2)[0].kind, V2_REPORT);
    assert!(hears(&mut wire, SECOND).is_empty());
    wire.inject_v4(&v3_query(NONE, 1));
    assert_eq!(hears(&mut wire, SECOND), [v3_report(&[GROUP])]);
    // Nothing else happens in between: what a call says is of the right version, too.
    wire.inject_v4(&v2_query(NONE, 1));
    wire.advance(SECOND);
    wire.packets();
    wire.now += 1_000 * SECOND;
    wire.host.udp_calls(wire.now).join(socket, Membership::V4(OTHER, NONE)).unwrap();
    let joins = told(V3_REPORT, Ipv4Addr::new(224, 0, 0, 22), &[(TO_EXCLUDE, OTHER.into())]);
    assert_eq!(hears(&mut wire, 0), [joins]);
}

// RFC 3376 8.12 and 4.1.7: a querier of IGMPv3 said how long the interval is.
#[test]
fn the_last_interval_that_was_told_is_the_one_that_counts() {
    let (mut wire, _) = member(&[GROUP], &[]);
    let told_to_be_short = igmp_message(0x11, 1, NONE, &[3, 10, 0, 0]);
    wire.inject_v4(&igmp_packet(ALL_SYSTEMS, &ROUTER_ALERT, told_to_be_short));
    wire.inject_v4(&v2_query(NONE, 10));
    // Three times ten, and one.
    wire.advance(30 * SECOND);
    wire.packets();
    wire.inject_v4(&v2_query(GROUP, 1));
    assert_eq!(hears(&mut wire, SECOND / 2)[0].kind, V2_REPORT);
    wire.advance(SECOND);
    wire.inject_v4(&v2_query(GROUP, 1));
    assert_eq!(hears(&mut wire, SECOND)[0].kind, V3_REPORT);
}

// RFC 3376 7.2.1.
#[test]
fn answers_of_one_version_are_not_given_once_another_is_spoken() {
    let (mut wire, _) = member(&[GROUP], &[]);
    wire.inject_v4(&v3_query(NONE, 0xff));
    wire.inject_v4(&v3_query(GROUP, 0xff));
    wire.inject_v4(&v2_query(NONE, 10));
    let report = told(V2_REPORT, GROUP, &[(0, GROUP.into())]);
    assert_eq!(hears(&mut wire, 4_000 * SECOND), [report]);
}

// RFC 2236 3: one member is enough.
#[test]
fn who_hears_another_member_first_says_nothing_in_igmpv2() {
    let (mut wire, _) = member(&[GROUP, OTHER], &[]);
    let report =
        |kind, to, group| igmp_packet(to, &ROUTER_ALERT, igmp_message(kind, 0, group, &[]));
    wire.inject_v4(&v2_query(NONE, 100));
    wire.inject_v4(&report(V2_REPORT, GROUP, GROUP));
    // Not sent to where its members listen.
    wire.inject_v4(&report(V2_REPORT, GROUP, OTHER));
    let other = || told(V2_REPORT, OTHER, &[(0, OTHER.into())]);
    assert_eq!(hears(&mut wire, 10 * SECOND), [other()]);
    wire.inject_v4(&v2_query(NONE, 100));
    wire.inject_v4(&report(V1_REPORT, GROUP, GROUP));
    assert_eq!(hears(&mut wire, 10 * SECOND), [other()]);
    // RFC 3376 3: everybody answers in IGMPv3.
    wire.advance(300 * SECOND);
    wire.inject_v4(&v3_query(GROUP, 100));
    wire.inject_v4(&report(V2_REPORT, GROUP, GROUP));
    assert_eq!(hears(&mut wire, 10 * SECOND), [v3_report(&[GROUP])]);
}

// RFC 2236 3: a timer is only set anew when what is left of it is longer than the query allows.
#[test]
fn an_answer_of_igmpv2_that_is_early_enough_stays() {
    let (mut wire, _) = member(&[GROUP], &[]);
    wire.inject_v4(&v2_query(NONE, 100));
    let deadline = wire.deadline;
    assert!(deadline.is_some());
    for _ in 0..50 {
        wire.inject_v4(&v2_query(GROUP, 100));
    }
    assert_eq!(wire.deadline, deadline);
    wire.inject_v4(&v2_query(GROUP, 1));
    assert_eq!(hears(&mut wire, SECOND / 10).len(), 1);
    assert!(hears(&mut wire, 20 * SECOND).is_empty());
}

// RFC 1112 appendix I, RFC 3376 7.2.1: ten seconds, whatever it says, and nobody takes leave.
#[test]
fn a_querier_of_igmpv1_is_answered_in_its_own_version() {
    let (mut wire, socket) = member(&[GROUP], &[]);
    wire.inject_v4(&igmp_packet(ALL_SYSTEMS, &[], igmp_message(0x11, 0, NONE, &[])));
    let report = |group: Ipv4Addr| told(V1_REPORT, group, &[(0, group.into())]);
    assert_eq!(hears(&mut wire, 10 * SECOND), [report(GROUP)]);
    // The oldest of those who are there counts.
    wire.inject_v4(&v2_query(NONE, 10));
    assert_eq!(hears(&mut wire, SECOND), [report(GROUP)]);
    wire.host.udp_calls(wire.now).join(socket, Membership::V4(OTHER, NONE)).unwrap();
    assert_eq!(hears(&mut wire, 0), [report(OTHER)]);
    wire.host.udp_calls(wire.now).leave(socket, Membership::V4(OTHER, NONE)).unwrap();
    assert!(hears(&mut wire, 20 * SECOND).is_empty());
    // It goes before the other does: 260 s after the first query, and 251 s after the second.
    wire.inject_v4(&v2_query(NONE, 10));
    wire.advance(240 * SECOND);
    wire.packets();
    wire.inject_v4(&v3_query(NONE, 1));
    assert_eq!(hears(&mut wire, SECOND)[0].kind, V2_REPORT);
}

// RFC 3810 8.2.1, RFC 2710 4.
#[test]
fn a_querier_of_mldv1_is_answered_in_its_own_version_until_it_is_forgotten() {
    let (mut wire, socket) = member(&[], &[GROUP_V6]);
    let report = |group: Ipv6Addr| told(MLD_V1_REPORT, group, &[(0, group.into())]);
    // About one group suffices to tell that it is there.
    wire.inject_v6(&mld_query(GROUP_V6, 1_000, &[]));
    assert_eq!(hears(&mut wire, SECOND), [report(GROUP_V6)]);
    wire.inject_v6(&mld_query(NONE_V6, 10_000, &[]));
    let mut answers = hears(&mut wire, 10 * SECOND);
    answers.sort_by_key(|told| told.to);
    assert_eq!(answers, [report(own_group()), report(GROUP_V6)]);
    // Another member is heard first.
    wire.inject_v6(&mld_query(GROUP_V6, 10_000, &[]));
    let other = mld_message(MLD_V1_REPORT, 0, GROUP_V6, &[]);
    wire.inject_v6(&mld_packet(ROUTER, GROUP_V6, ROUTER_ALERT_V6, other));
    assert!(hears(&mut wire, 10 * SECOND).is_empty());
    wire.host.udp_calls(wire.now).leave(socket, Membership::V6(GROUP_V6, 0)).unwrap();
    let done = told(MLD_V1_DONE, "ff02::2".parse::<Ipv6Addr>().unwrap(), &[(0, GROUP_V6.into())]);
    assert_eq!(hears(&mut wire, 0), [done]);
    wire.host.udp_calls(wire.now).join(socket, Membership::V6(GROUP_V6, 0)).unwrap();
    assert_eq!(hears(&mut wire, 0), [report(GROUP_V6)]);
    wire.advance(260 * SECOND);
    wire.inject_v6(&mld_query(GROUP_V6, 1_000, &NO_SOURCES));
    assert_eq!(hears(&mut wire, SECOND), [mld_v2_report(&[GROUP_V6])]);
}
