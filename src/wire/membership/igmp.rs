//! IGMP: queries, and the reports of hosts.

use std::net::Ipv4Addr;

use super::message::{
    GroupMessage, Query, Record, SECOND, Version, decode, groups_in_one, querier_timeout, report_of,
};
use crate::wire::checksum::internet_checksum;
use crate::wire::ip::{IPV4_HEADER, protocol};
use crate::wire::ipv4::{ALL_ROUTERS, ROUTER_ALERT, set_total_len};

/// The unit of response times.
const TENTH: u64 = SECOND / 10;
/// RFC 3376 8.3: what IGMPv1 has for all queries.
const DEFAULT_RESPONSE: u64 = 10 * SECOND;

const QUERY: u8 = 0x11;
const V1_REPORT: u8 = 0x12;
const V2_REPORT: u8 = 0x16;
const V2_LEAVE: u8 = 0x17;
const V3_REPORT: u8 = 0x22;

/// The group that hears reports: RFC 3376 4.2.14.
const V3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
/// An IPv4 header with the router alert option.
const HEADERS: usize = IPV4_HEADER + ROUTER_ALERT.len();

/// Reads an IGMP message whose checksum is good, in a packet with the time to live 1.
pub(crate) fn parse_igmp(message: &[u8], has_router_alert: bool) -> Option<GroupMessage> {
    let fixed: &[u8; 8] = message.first_chunk()?;
    let group = Ipv4Addr::new(fixed[4], fixed[5], fixed[6], fixed[7]);
    match fixed[0] {
        QUERY => {}
        V1_REPORT | V2_REPORT => return Some(GroupMessage::Report(group.into())),
        _ => return None,
    }
    let code = fixed[1];
    if message.len() == fixed.len() && code == 0 {
        // RFC 1112, appendix I: the group is to be ignored, and there is no such option.
        return Some(GroupMessage::Query(Query {
            version: Version::V1,
            group: Ipv4Addr::UNSPECIFIED.into(),
            max_response: DEFAULT_RESPONSE,
            querier_timeout: None,
        }));
    }
    // RFC 3376 9.1.
    if !has_router_alert || !(group.is_unspecified() || group.is_multicast()) {
        return None;
    }
    let (version, tenths, querier_timeout) = if message.len() == fixed.len() {
        (Version::V2, code.into(), None)
    } else {
        let querier_timeout = querier_timeout(&message[fixed.len()..], group.into())?;
        (Version::V3, decode(code.into(), 4), Some(querier_timeout))
    };
    let max_response = tenths * TENTH;
    Some(GroupMessage::Query(Query { version, group: group.into(), max_response, querier_timeout }))
}

/// The packets that tell the same of each group, and to whom each is sent.
pub(super) fn reports(
    version: Version,
    record: Record,
    source: Ipv4Addr,
    groups: &[Ipv4Addr],
    mtu: usize,
) -> Vec<(Ipv4Addr, Vec<u8>)> {
    let messages: Vec<(Ipv4Addr, Vec<u8>)> = match version {
        Version::V1 | Version::V2 => {
            groups.iter().filter_map(|group| report_before_v3(version, record, *group)).collect()
        }
        Version::V3 => {
            let groups: Vec<_> = groups.iter().map(Ipv4Addr::octets).collect();
            let in_one = groups_in_one(mtu, HEADERS, 4);
            let of_some = |groups: &[_]| (V3_ROUTERS, report_of(V3_REPORT, record, groups));
            groups.chunks(in_one).map(of_some).collect()
        }
    };
    messages.into_iter().map(|(to, message)| (to, packet(source, to, message))).collect()
}

/// The message, without its checksum, and to whom it is sent; IGMPv1 has none for those who leave.
fn report_before_v3(
    version: Version,
    record: Record,
    group: Ipv4Addr,
) -> Option<(Ipv4Addr, Vec<u8>)> {
    let (to, kind) = match (record, version) {
        (Record::Leaves, Version::V1) => return None,
        // RFC 2236 section 9.
        (Record::Leaves, _) => (ALL_ROUTERS, V2_LEAVE),
        (Record::IsMember | Record::Joins, Version::V1) => (group, V1_REPORT),
        (Record::IsMember | Record::Joins, _) => (group, V2_REPORT),
    };
    let [a, b, c, d] = group.octets();
    Some((to, vec![kind, 0, 0, 0, a, b, c, d]))
}

fn packet(source: Ipv4Addr, to: Ipv4Addr, mut message: Vec<u8>) -> Vec<u8> {
    let checksum = internet_checksum(&message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    // RFC 3376 4: the precedence of internetwork control.
    let mut packet = vec![0x46, 0xc0, 0, 0, 0, 0, 0x40, 0, 1, protocol::IGMP, 0, 0];
    packet.extend(source.octets());
    packet.extend(to.octets());
    packet.extend(ROUTER_ALERT);
    set_total_len(&mut packet, HEADERS + message.len());
    packet.extend(message);
    packet
}
