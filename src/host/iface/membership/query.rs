//! What routers, and switches in their place, ask about groups: queries of all versions of IGMP
//! (RFC 3376 4.1 and 7.1) and MLD (RFC 3810 5.1 and 8.1), and the reports that older ones heed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER};

const SECOND: u64 = 1_000_000_000;
/// The unit of IGMP's response times, and of MLD's.
const TENTH: u64 = SECOND / 10;
const MILLISECOND: u64 = SECOND / 1_000;
/// RFC 3376 8.3: what IGMPv1 has for all queries.
const DEFAULT_RESPONSE: u64 = 10 * SECOND;
/// RFC 3376 8.1 and 8.2, RFC 3810 9.1 and 9.2.
const DEFAULT_ROBUSTNESS: u64 = 2;
const DEFAULT_INTERVAL: u64 = 125;
/// [`Query::patience`] of those who do not say otherwise.
pub(super) const DEFAULT_PATIENCE: u64 = DEFAULT_ROBUSTNESS * DEFAULT_INTERVAL * SECOND;

const IGMP_QUERY: u8 = 0x11;
const IGMP_V1_REPORT: u8 = 0x12;
const IGMP_V2_REPORT: u8 = 0x16;
const MLD_QUERY: u8 = 130;
const MLD_V1_REPORT: u8 = 131;

/// A version of either protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    IgmpV1,
    /// IGMPv2, and MLDv1, which is the same for IPv6.
    Older,
    /// IGMPv3 and MLDv2.
    Newest,
}

/// Who is in a group?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) version: Version,
    /// The unspecified address asks for all groups.
    pub(super) group: IpAddr,
    /// How long an answer may take.
    pub(super) max_response: u64,
    /// How long after such a query its sender is there for certain: the robustness variable times
    /// the query interval, if it tells them.
    pub(super) patience: Option<u64>,
}

/// A message about groups that means something to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Query(Query),
    /// Somebody else is in this group: a report of an older version.
    Report(IpAddr),
}

impl Heard {
    /// Reads an IGMP message whose checksum is good, in a packet with the time to live 1.
    pub(super) fn parse_igmp(message: &[u8], has_router_alert: bool) -> Option<Heard> {
        let fixed: &[u8; 8] = message.first_chunk()?;
        let group = Ipv4Addr::new(fixed[4], fixed[5], fixed[6], fixed[7]);
        match fixed[0] {
            IGMP_QUERY => {}
            IGMP_V1_REPORT | IGMP_V2_REPORT => return Some(Heard::Report(group.into())),
            _ => return None,
        }
        let code = fixed[1];
        if message.len() == fixed.len() && code == 0 {
            // RFC 1112, appendix I: the group is to be ignored, and there is no such option.
            return Some(Heard::Query(Query {
                version: Version::IgmpV1,
                group: Ipv4Addr::UNSPECIFIED.into(),
                max_response: DEFAULT_RESPONSE,
                patience: None,
            }));
        }
        // RFC 3376 9.1.
        if !has_router_alert || !(group.is_unspecified() || group.is_multicast()) {
            return None;
        }
        let (version, tenths, patience) = if message.len() == fixed.len() {
            (Version::Older, code.into(), None)
        } else {
            let patience = patience(&message[fixed.len()..], group.into())?;
            (Version::Newest, decode(code.into(), 4), Some(patience))
        };
        let max_response = tenths * TENTH;
        Some(Heard::Query(Query { version, group: group.into(), max_response, patience }))
    }

    /// Reads an MLD message whose checksum is good, in a packet that may hold one.
    pub(super) fn parse_mld(message: &[u8]) -> Option<Heard> {
        let (fixed, rest) = message.split_first_chunk::<24>()?;
        let octets: [u8; 16] = std::array::from_fn(|octet| fixed[8 + octet]);
        let group = Ipv6Addr::from(octets);
        match fixed[0] {
            MLD_QUERY if group.is_unspecified() || group.is_multicast() => {}
            MLD_V1_REPORT => return Some(Heard::Report(group.into())),
            _ => return None,
        }
        let code = u16::from_be_bytes([fixed[4], fixed[5]]);
        let (version, milliseconds, patience) = if rest.is_empty() {
            (Version::Older, code.into(), None)
        } else {
            (Version::Newest, decode(code, 12), Some(patience(rest, group.into())?))
        };
        let max_response = milliseconds * MILLISECOND;
        Some(Heard::Query(Query { version, group: group.into(), max_response, patience }))
    }
}

/// Reads what the newest versions have after the group; `None` when it is cut, or sources are
/// asked for and no group.
fn patience(rest: &[u8], group: IpAddr) -> Option<u64> {
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
fn decode(code: u16, mantissa_bits: u32) -> u64 {
    let code = u64::from(code);
    if code >> (mantissa_bits + 3) == 0 {
        return code;
    }
    let one = 1 << mantissa_bits;
    let exponent = code >> mantissa_bits & 7;
    (code & (one - 1) | one) << (exponent + 3)
}

/// Whether an IPv4 packet has the router alert option (RFC 2113).
pub(super) fn has_router_alert_v4(packet: &[u8]) -> bool {
    let Some(first) = packet.first() else { return false };
    let header_len = usize::from(first & 0x0f) * 4;
    let mut options = packet.get(IPV4_HEADER..header_len).unwrap_or_default();
    loop {
        match options {
            [148, 4, 0, 0, ..] => return true,
            [1, rest @ ..] => options = rest,
            [0, ..] | [_, 0 | 1, ..] | [_] | [] => return false,
            [_, len, ..] => options = options.get(usize::from(*len)..).unwrap_or_default(),
        }
    }
}

/// Whether an IPv6 packet has the router alert option, with the value of MLD (RFC 2711).
pub(super) fn has_router_alert_v6(packet: &[u8]) -> bool {
    let Some((header, payload)) = packet.split_at_checked(IPV6_HEADER) else { return false };
    let Some(eighths) = payload.get(1).filter(|_| header[6] == 0) else { return false };
    let mut options = payload.get(2..(usize::from(*eighths) + 1) * 8).unwrap_or_default();
    loop {
        match options {
            [5, 2, 0, 0, ..] => return true,
            [0, rest @ ..] => options = rest,
            [_, len, rest @ ..] => options = rest.get(usize::from(*len)..).unwrap_or_default(),
            _ => return false,
        }
    }
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

    #[test]
    fn the_router_alert_is_found_among_other_options() {
        let v4 = |options: &[u8]| {
            let mut packet = vec![0x45 + (options.len() / 4) as u8];
            packet.resize(IPV4_HEADER, 0);
            packet.extend(options);
            packet.extend([148, 4, 0, 0]);
            has_router_alert_v4(&packet)
        };
        assert!(v4(&[148, 4, 0, 0]) && v4(&[1, 148, 4, 0, 0, 0, 0, 0]));
        assert!(v4(&[7, 3, 4, 1, 148, 4, 0, 0]));
        // None, one behind the end, lengths that lead nowhere, and another value.
        for options in [&[][..], &[0, 0, 0, 0, 148, 4, 0, 0], &[7, 0, 148, 4], &[7, 40, 0, 0]] {
            assert!(!v4(options), "{options:?}");
        }
        assert!(!v4(&[148, 4, 0, 1]));
        let v6 = |next: u8, options: [u8; 6]| {
            let mut packet = vec![0; IPV6_HEADER];
            packet[6] = next;
            packet.extend([58, 0]);
            packet.extend(options);
            packet.extend([5, 2, 0, 0]);
            has_router_alert_v6(&packet)
        };
        assert!(v6(0, [5, 2, 0, 0, 1, 0]) && v6(0, [0, 0, 5, 2, 0, 0]));
        assert!(!v6(60, [5, 2, 0, 0, 1, 0]) && !v6(0, [1, 4, 0, 0, 0, 0]));
        assert!(!v6(0, [5, 2, 0, 1, 1, 0]) && !v6(0, [1, 200, 5, 2, 0, 0]));
    }
}
