//! What IGMP and MLD have in common: the meaning of a message, and how the newest versions write it.

use std::net::IpAddr;

pub(super) const SECOND: u64 = 1_000_000_000;
/// RFC 3376 8.1 and 8.2, RFC 3810 9.1 and 9.2.
const DEFAULT_ROBUSTNESS: u64 = 2;
const DEFAULT_INTERVAL: u64 = 125;
/// [`Query::querier_timeout`] of queries that do not tell it.
pub(crate) const DEFAULT_QUERIER_TIMEOUT: u64 = DEFAULT_ROBUSTNESS * DEFAULT_INTERVAL * SECOND;
/// What a report of IGMPv3 or MLDv2 has before its records.
const REPORT_HEADER: usize = 8;
/// What a record has before the address of its group.
const RECORD_HEADER: usize = 4;

/// A version of either protocol, by IGMP's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    /// IGMPv2, and MLDv1, which is the same for IPv6.
    V2,
    /// IGMPv3 and MLDv2.
    V3,
}

/// A query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) version: Version,
    /// The unspecified address asks for all groups.
    pub(crate) group: IpAddr,
    /// How long an answer may take.
    pub(crate) max_response: u64,
    /// How long after such a query its sender counts as present: the robustness variable times the
    /// query interval, if it tells them.
    pub(crate) querier_timeout: Option<u64>,
}

/// A message about groups that means something to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupMessage {
    Query(Query),
    /// Somebody else is in this group: a report of an older version.
    Report(IpAddr),
}

/// What is told of a group, whose sources nobody chooses: the host hears all of them or none, so
/// it is "exclude", or "include", and then an empty list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Somebody asked, and the host is in it: MODE_IS_EXCLUDE.
    IsMember,
    /// CHANGE_TO_EXCLUDE_MODE.
    Joins,
    /// CHANGE_TO_INCLUDE_MODE.
    Leaves,
}

impl Record {
    /// The type of a record of IGMPv3 and MLDv2: RFC 3376 4.2.12, RFC 3810 5.2.12.
    fn kind(self) -> u8 {
        match self {
            Record::IsMember => 2,
            Record::Leaves => 3,
            Record::Joins => 4,
        }
    }
}

/// A report of IGMPv3 or MLDv2, by its type, without its checksum.
pub(super) fn report_of<const N: usize>(kind: u8, record: Record, groups: &[[u8; N]]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0, 0];
    message.extend((groups.len() as u16).to_be_bytes());
    for group in groups {
        message.extend([record.kind(), 0, 0, 0]);
        message.extend(group);
    }
    message
}

/// How many groups of `address_len` bytes go into a report.
pub(super) fn groups_in_one(mtu: usize, headers: usize, address_len: usize) -> usize {
    let room = mtu.saturating_sub(headers + REPORT_HEADER);
    (room / (RECORD_HEADER + address_len)).max(1)
}

/// Reads what IGMPv3 and MLDv2 have after the group; `None` when it is cut, or sources are
/// asked for and no group.
pub(super) fn querier_timeout(rest: &[u8], group: IpAddr) -> Option<u64> {
    let ([flags, interval, high, low], sources) = rest.split_first_chunk::<4>()?;
    let count = usize::from(u16::from_be_bytes([*high, *low]));
    let source_len = if group.is_ipv4() { 4 } else { 16 };
    if sources.len() < count * source_len || (count > 0 && group.is_unspecified()) {
        return None;
    }
    // RFC 3376 4.1.6 and 4.1.7: the lowest three bits, and 0 says nothing.
    let robustness = match flags & 7 {
        0 => DEFAULT_ROBUSTNESS,
        told => told.into(),
    };
    let interval = match decode((*interval).into(), 4) {
        0 => DEFAULT_INTERVAL,
        seconds => seconds,
    };
    Some(robustness * interval * SECOND)
}

/// A time as RFC 3376 4.1.1 (with a mantissa of 4 bits) and RFC 3810 5.1.3 (with one of 12) write
/// it: small ones as they are, others as floating-point numbers with 3 bits of exponent.
pub(super) fn decode(code: u16, mantissa_bits: u32) -> u64 {
    let code = u64::from(code);
    if code >> (mantissa_bits + 3) == 0 {
        return code;
    }
    let one = 1 << mantissa_bits;
    let exponent = code >> mantissa_bits & 7;
    (code & (one - 1) | one) << (exponent + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3376 4.1.1, RFC 3810 5.1.3.
    #[test]
    fn times_are_linear_at_first_and_then_floating_point_numbers() {
        let times = [0, 100, 127, 128, 0x8f, 0x9a, 0xff].map(|code| decode(code, 4));
        assert_eq!(times, [0, 100, 127, 128, 248, 416, 31_744]);
        let times = [10_000, 32_767, 32_768, 0x8fff, 0xffff].map(|code| decode(code, 12));
        assert_eq!(times, [10_000, 32_767, 32_768, 65_528, 8_387_584]);
    }
}
