//! MLD: queries, and the reports of hosts.

use std::net::Ipv6Addr;

use super::message::{
    GroupMessage, Query, Record, SECOND, Version, decode, groups_in_one, querier_timeout, report_of,
};
use crate::wire::icmp::fill_checksum;
use crate::wire::icmp::v6::{MLD_QUERY, MLD_V1_DONE, MLD_V1_REPORT, MLD_V2_REPORT};
use crate::wire::ip::{IPV6_HEADER, protocol};
use crate::wire::ipv6::{ALL_ROUTERS, ROUTER_ALERT};

/// The unit of response times.
const MILLISECOND: u64 = SECOND / 1_000;

/// The group that hears reports: RFC 3810 5.2.14.
const V2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// A header of hop-by-hop options, of which one is the router alert: RFC 3810 5.
const HOP_BY_HOP: [u8; 8] = {
    let [a, b, c, d] = ROUTER_ALERT;
    [protocol::ICMPV6, 0, a, b, c, d, 1, 0]
};
const HEADERS: usize = IPV6_HEADER + HOP_BY_HOP.len();

/// Reads an MLD message whose checksum is good, in a packet that may hold one.
pub(crate) fn parse_mld(message: &[u8]) -> Option<GroupMessage> {
    let (fixed, rest) = message.split_first_chunk::<24>()?;
    let bytes: [u8; 16] = std::array::from_fn(|byte| fixed[8 + byte]);
    let group = Ipv6Addr::from(bytes);
    match fixed[0] {
        MLD_QUERY if group.is_unspecified() || group.is_multicast() => {}
        MLD_V1_REPORT => return Some(GroupMessage::Report(group.into())),
        _ => return None,
    }
    let code = u16::from_be_bytes([fixed[4], fixed[5]]);
    let (version, milliseconds, querier_timeout) = if rest.is_empty() {
        (Version::V2, code.into(), None)
    } else {
        (Version::V3, decode(code, 12), Some(querier_timeout(rest, group.into())?))
    };
    let max_response = milliseconds * MILLISECOND;
    Some(GroupMessage::Query(Query { version, group: group.into(), max_response, querier_timeout }))
}

/// The packets that tell the same of each group, and to whom each is sent.
pub(super) fn reports(
    version: Version,
    record: Record,
    source: Ipv6Addr,
    groups: &[Ipv6Addr],
    mtu: usize,
) -> Vec<(Ipv6Addr, Vec<u8>)> {
    let messages: Vec<(Ipv6Addr, Vec<u8>)> = match version {
        Version::V1 | Version::V2 => {
            groups.iter().map(|group| report_before_v2(record, *group)).collect()
        }
        Version::V3 => {
            let groups: Vec<_> = groups.iter().map(Ipv6Addr::octets).collect();
            let in_one = groups_in_one(mtu, HEADERS, 16);
            let of_some = |groups: &[_]| (V2_ROUTERS, report_of(MLD_V2_REPORT, record, groups));
            groups.chunks(in_one).map(of_some).collect()
        }
    };
    messages.into_iter().map(|(to, message)| (to, packet(source, to, message))).collect()
}

/// The message of MLDv1, without its checksum, and to whom it is sent.
fn report_before_v2(record: Record, group: Ipv6Addr) -> (Ipv6Addr, Vec<u8>) {
    let (to, kind) = match record {
        // RFC 2710 section 5.
        Record::Leaves => (ALL_ROUTERS, MLD_V1_DONE),
        Record::IsMember | Record::Joins => (group, MLD_V1_REPORT),
    };
    let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    message.extend(group.octets());
    (to, message)
}

fn packet(source: Ipv6Addr, to: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    fill_checksum(source.into(), to.into(), &mut message);
    let len = (HOP_BY_HOP.len() + message.len()) as u16;
    let [high, low] = len.to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, high, low, protocol::HOP_BY_HOP, 1];
    packet.extend(source.octets());
    packet.extend(to.octets());
    packet.extend(HOP_BY_HOP);
    packet.extend(message);
    packet
}
