//! What asks about groups, and what hosts answer, in the tests of both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::wire::{HOST, HOST_MAC, HOST_V6, PEER, Wire};
use crate::host::udp::{DatagramId, Membership};
use crate::wire::checksum::{internet_checksum, transport_checksum};
use crate::wire::ipv6::{link_local, solicited_node};

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
    let sum = internet_checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let header_len = 20 + options.len();
    let mut packet = vec![0x40 | (header_len / 4) as u8, 0xc0];
    packet.extend(((header_len + message.len()) as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 1, 2, 0, 0]);
    packet.extend(PEER.octets());
    packet.extend(to.octets());
    packet.extend(options);
    let sum = internet_checksum(&packet);
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
        wire.host.udp_calls(wire.now).join(socket, Membership::V4(*group, NONE)).unwrap();
    }
    for group in groups_v6 {
        wire.host.udp_calls(wire.now).join(socket, Membership::V6(*group, 0)).unwrap();
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
    pub(super) fn read(packet: &[u8]) -> Told {
        let (to, message): (IpAddr, &[u8]) = if packet[0] >> 4 == 4 {
            assert_eq!((packet[0], packet[1], packet[8], packet[9]), (0x46, 0xc0, 1, 2));
            assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
            assert_eq!((&packet[12..16], &packet[20..24]), (&HOST.octets()[..], &ROUTER_ALERT[..]));
            assert_eq!(
                (internet_checksum(&packet[..24]), internet_checksum(&packet[24..])),
                (0, 0)
            );
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
