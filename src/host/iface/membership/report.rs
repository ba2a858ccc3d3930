//! Reports, as packets: RFC 3376 4.2, RFC 3810 5.2, and those of the versions before them
//! (RFC 1112, RFC 2236, RFC 2710).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::query::Version;
use crate::wire::checksum::{checksum, transport_checksum};
use crate::wire::ip::protocol;

/// Who hears reports: RFC 3376 4.2.14, RFC 3810 5.2.14.
const IGMP_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
const MLD_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// Who hears in older versions that somebody leaves: RFC 2236 section 9, RFC 2710 section 5.
const ALL_ROUTERS_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
const ALL_ROUTERS_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// An IPv4 header with the router alert option; an IPv6 header and one of hop-by-hop options.
const HEADERS_V4: usize = 24;
const HEADERS_V6: usize = 48;
/// What a report of the newest version has before its records.
const REPORT_HEADER: usize = 8;

/// What is told of a group. Sockets here choose no sources, so the host hears all of a group's
/// or none: "exclude", or "include", and then an empty list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Somebody asked, and the host is in it: MODE_IS_EXCLUDE.
    IsMember,
    /// CHANGE_TO_EXCLUDE_MODE.
    Joins,
    /// CHANGE_TO_INCLUDE_MODE.
    Leaves,
}

/// The packets that tell the same of each group, and to whom each is sent; all groups are of
/// `source`'s family. The newest versions put as many into a packet as go into `mtu`.
pub(super) fn reports(
    version: Version,
    record: Record,
    source: IpAddr,
    groups: &[IpAddr],
    mtu: usize,
) -> Vec<(IpAddr, Vec<u8>)> {
    let pack = |to, message| (to, packet(source, to, message));
    if version != Version::Newest {
        let of_one = |group: &IpAddr| older_report(version, record, *group);
        return groups.iter().filter_map(of_one).map(|(to, message)| pack(to, message)).collect();
    }
    let (to, headers, record_len): (IpAddr, _, _) = if source.is_ipv4() {
        (IGMP_ROUTERS.into(), HEADERS_V4, 8)
    } else {
        (MLD_ROUTERS.into(), HEADERS_V6, 20)
    };
    let in_one = (mtu.saturating_sub(headers + REPORT_HEADER) / record_len).max(1);
    groups.chunks(in_one).map(|groups| pack(to, newest_report(record, groups))).collect()
}

/// The message, whose checksum is yet to be filled in.
fn newest_report(record: Record, groups: &[IpAddr]) -> Vec<u8> {
    let record = match record {
        Record::IsMember => 2,
        Record::Leaves => 3,
        Record::Joins => 4,
    };
    let is_v4 = groups.first().is_some_and(IpAddr::is_ipv4);
    let mut message = vec![if is_v4 { 0x22 } else { 143 }, 0, 0, 0, 0, 0];
    message.extend((groups.len() as u16).to_be_bytes());
    for group in groups {
        message.extend([record, 0, 0, 0]);
        push_address(&mut message, *group);
    }
    message
}

/// The message, whose checksum is yet to be filled in, and to whom it is sent; IGMPv1 has none
/// for those who leave.
fn older_report(version: Version, record: Record, group: IpAddr) -> Option<(IpAddr, Vec<u8>)> {
    let (to, mut message) = match (group, record) {
        (IpAddr::V4(_), Record::Leaves) if version == Version::IgmpV1 => return None,
        (IpAddr::V4(_), Record::Leaves) => (ALL_ROUTERS_V4.into(), vec![0x17, 0, 0, 0]),
        (IpAddr::V4(_), Record::IsMember | Record::Joins) => {
            let kind = if version == Version::IgmpV1 { 0x12 } else { 0x16 };
            (group, vec![kind, 0, 0, 0])
        }
        (IpAddr::V6(_), Record::Leaves) => (ALL_ROUTERS_V6.into(), vec![132, 0, 0, 0, 0, 0, 0, 0]),
        (IpAddr::V6(_), Record::IsMember | Record::Joins) => {
            (group, vec![131, 0, 0, 0, 0, 0, 0, 0])
        }
    };
    push_address(&mut message, group);
    Some((to, message))
}

fn push_address(message: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => message.extend(address.octets()),
        IpAddr::V6(address) => message.extend(address.octets()),
    }
}

fn packet(source: IpAddr, to: IpAddr, mut message: Vec<u8>) -> Vec<u8> {
    let is_v4 = source.is_ipv4();
    let sum = if is_v4 {
        checksum(&message)
    } else {
        transport_checksum(source, to, protocol::ICMPV6, &message)
    };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = if is_v4 {
        // RFC 3376 4: the precedence of internetwork control.
        vec![0x46, 0xc0, 0, 0, 0, 0, 0x40, 0, 1, protocol::IGMP, 0, 0]
    } else {
        vec![0x60, 0, 0, 0, 0, 0, 0, 1]
    };
    push_address(&mut packet, source);
    push_address(&mut packet, to);
    if is_v4 {
        packet.extend([0x94, 4, 0, 0]);
        let len = (HEADERS_V4 + message.len()) as u16;
        packet[2..4].copy_from_slice(&len.to_be_bytes());
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        // RFC 3810 5: hop-by-hop options, of which one is the router alert.
        let hop_by_hop = [protocol::ICMPV6, 0, 5, 2, 0, 0, 1, 0];
        packet.extend(hop_by_hop);
        let len = (hop_by_hop.len() + message.len()) as u16;
        packet[4..6].copy_from_slice(&len.to_be_bytes());
    }
    packet.extend(message);
    packet
}
