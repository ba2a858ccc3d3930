//! Messages about groups: IGMP (RFC 1112 appendix I, RFC 2236, RFC 3376) and MLD (RFC 2710,
//! RFC 3810).
//!
//! Routers, and switches in their place, ask who is in which group by queries; hosts answer by
//! reports, which older versions have of one group each.

mod igmp;
mod message;
mod mld;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) use igmp::parse_igmp;
pub(crate) use message::{DEFAULT_QUERIER_TIMEOUT, GroupMessage, Query, Record, Version};
pub(crate) use mld::parse_mld;

/// The packets that tell the same of each group, and to whom each is sent; all groups are of
/// `source`'s family. IGMPv3 and MLDv2 put as many into a packet as go into `mtu`.
pub(crate) fn reports(
    version: Version,
    record: Record,
    source: IpAddr,
    groups: &[IpAddr],
    mtu: usize,
) -> Vec<(IpAddr, Vec<u8>)> {
    match source {
        IpAddr::V4(source) => {
            let groups: Vec<_> = groups.iter().filter_map(as_v4).collect();
            let reports = igmp::reports(version, record, source, &groups, mtu);
            reports.into_iter().map(|(to, packet)| (to.into(), packet)).collect()
        }
        IpAddr::V6(source) => {
            let groups: Vec<_> = groups.iter().filter_map(as_v6).collect();
            let reports = mld::reports(version, record, source, &groups, mtu);
            reports.into_iter().map(|(to, packet)| (to.into(), packet)).collect()
        }
    }
}

fn as_v4(address: &IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    }
}

fn as_v6(address: &IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) => Some(*address),
        IpAddr::V4(_) => None,
    }
}
