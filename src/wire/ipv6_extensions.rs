//! IPv6's extension headers (RFC 8200 section 4), as a host passes over them that knows no option
//! but the router alert.

use super::ip::protocol::{self, DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING};
use super::ip::{FRAGMENT_HEADER, IPV6_HEADER};

/// Where an IPv6 header tells how much follows it, and what.
const PAYLOAD_LEN: usize = 4;
const NEXT_HEADER: usize = 6;
/// Where an extension header tells how long it is, and a routing header its type and how many
/// addresses are left to visit.
const EXTENSION_LEN: usize = 1;
const ROUTING_TYPE: usize = 2;
const SEGMENTS_LEFT: usize = 3;

/// Options of padding, and the only one that is known.
const PAD1: u8 = 0;
const PADN: u8 = 1;
const OPTION_ROUTER_ALERT: u8 = 5;
const OPTION_JUMBO: u8 = 0xc2;
/// Linux takes no more options in one header than these, nor more padding in a row (RFC 8504 5.3).
const MAX_OPTIONS: usize = 8;
const MAX_PADDING: usize = 7;

/// What a packet carries behind its extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UpperLayer {
    pub(crate) protocol: u8,
    /// The byte of the packet that tells it.
    pub(crate) told_at: usize,
    /// Where it begins.
    pub(crate) at: usize,
}

/// Why a packet is dropped at its extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtensionFault {
    /// Its sender is not told.
    Silent,
    /// Its sender is told by a parameter problem.
    Problem(ParameterProblem),
}

/// What a parameter problem says (RFC 4443 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParameterProblem {
    pub(crate) code: u8,
    /// The byte of the packet at which something is wrong.
    pub(crate) pointer: usize,
    /// The sender is told though the packet was for a group: RFC 4443 2.4 (e.3).
    pub(crate) even_of_group: bool,
}

impl ParameterProblem {
    pub(crate) const ERRONEOUS_FIELD: u8 = 0;
    pub(crate) const UNKNOWN_NEXT_HEADER: u8 = 1;
    pub(crate) const UNKNOWN_OPTION: u8 = 2;
    /// RFC 7112.
    pub(crate) const INCOMPLETE_HEADER_CHAIN: u8 = 3;

    pub(crate) fn new(code: u8, pointer: usize) -> ParameterProblem {
        ParameterProblem { code, pointer, even_of_group: false }
    }
}

fn problem(code: u8, pointer: usize) -> ExtensionFault {
    ExtensionFault::Problem(ParameterProblem::new(code, pointer))
}

/// Passes over the extension headers of a packet, and stops in front of a Fragment header. The
/// packet is there as far as its header says.
pub(crate) fn skip_extensions(packet: &[u8], to_group: bool) -> Result<UpperLayer, ExtensionFault> {
    let mut told_at = NEXT_HEADER;
    let mut at = IPV6_HEADER;
    loop {
        let protocol = *packet.get(told_at).ok_or(ExtensionFault::Silent)?;
        match protocol {
            // RFC 8200 4.1: it comes first or not at all.
            HOP_BY_HOP if told_at != NEXT_HEADER => {
                return Err(problem(ParameterProblem::UNKNOWN_NEXT_HEADER, told_at));
            }
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {}
            FRAGMENT if packet.len() < at + FRAGMENT_HEADER => {
                return Err(problem(ParameterProblem::ERRONEOUS_FIELD, at));
            }
            _ => return Ok(UpperLayer { protocol, told_at, at }),
        }
        let end = end_of_extension(packet, at).ok_or(ExtensionFault::Silent)?;
        if protocol == ROUTING {
            check_routing(packet, at, to_group)?;
        } else {
            check_options(&packet[..end], at + 2, protocol == HOP_BY_HOP, to_group)?;
        }
        (told_at, at) = (at, end);
    }
}

/// Where the extension header at `at` ends; `None` when it is not there whole.
fn end_of_extension(packet: &[u8], at: usize) -> Option<usize> {
    let eighths = usize::from(*packet.get(at + EXTENSION_LEN)?);
    Some(at + (eighths + 1) * 8).filter(|end| *end <= packet.len())
}

/// RFC 8200 4.4: a type that is not known is pointed at, unless nobody is left to visit. No type is:
/// RFC 5095 forbids type 0.
fn check_routing(packet: &[u8], at: usize, to_group: bool) -> Result<(), ExtensionFault> {
    // Linux 6.18 knows of types 3 and 4 (RFC 6554, RFC 8754), and drops them in silence unless it
    // was told to route them.
    if to_group || matches!(packet[at + ROUTING_TYPE], 3 | 4) {
        return Err(ExtensionFault::Silent);
    }
    if packet[at + SEGMENTS_LEFT] > 0 {
        return Err(problem(ParameterProblem::ERRONEOUS_FIELD, at + ROUTING_TYPE));
    }
    Ok(())
}

/// Judges the options from `at` to the end of `packet`, as Linux's `ip6_parse_tlv` does.
fn check_options(
    packet: &[u8],
    mut at: usize,
    hop_by_hop: bool,
    to_group: bool,
) -> Result<(), ExtensionFault> {
    let (mut options, mut padding) = (0, 0);
    while let Some(&kind) = packet.get(at) {
        if kind == PAD1 {
            padding += 1;
            at += 1;
        } else {
            let value_at = at + 2;
            let len = usize::from(*packet.get(at + 1).ok_or(ExtensionFault::Silent)?);
            let value = packet.get(value_at..value_at + len).ok_or(ExtensionFault::Silent)?;
            if kind == PADN {
                padding += 2 + len;
                if value.iter().any(|byte| *byte != 0) {
                    return Err(ExtensionFault::Silent);
                }
            } else {
                (options, padding) = (options + 1, 0);
                check_option(packet, at, value, hop_by_hop, to_group)?;
            }
            at = value_at + len;
        }
        if options > MAX_OPTIONS || padding > MAX_PADDING {
            return Err(ExtensionFault::Silent);
        }
    }
    Ok(())
}

fn check_option(
    packet: &[u8],
    at: usize,
    value: &[u8],
    hop_by_hop: bool,
    to_group: bool,
) -> Result<(), ExtensionFault> {
    match packet[at] {
        OPTION_ROUTER_ALERT if hop_by_hop && value.len() != 2 => Err(ExtensionFault::Silent),
        OPTION_ROUTER_ALERT => Ok(()),
        // RFC 2675 section 3: nothing here is so large that it has to have it.
        OPTION_JUMBO if hop_by_hop => match value {
            [0, 0, _, _] if at % 4 == 2 => Err(problem(ParameterProblem::ERRONEOUS_FIELD, at + 2)),
            [_, _, _, _] if at % 4 == 2 && packet[PAYLOAD_LEN..NEXT_HEADER] != [0, 0] => {
                Err(problem(ParameterProblem::ERRONEOUS_FIELD, at))
            }
            _ => Err(ExtensionFault::Silent),
        },
        // RFC 8200 4.2: the two highest bits say what to do with one that is not known.
        kind => match kind >> 6 {
            0 => Ok(()),
            2 => Err(ExtensionFault::Problem(ParameterProblem {
                code: ParameterProblem::UNKNOWN_OPTION,
                pointer: at,
                even_of_group: true,
            })),
            3 if !to_group => Err(problem(ParameterProblem::UNKNOWN_OPTION, at)),
            _ => Err(ExtensionFault::Silent),
        },
    }
}

/// Whether the headers of a packet, of which the first fragment carries `payload`, are all in that:
/// RFC 7112 section 5, and Linux's `ipv6frag_thdr_truncated`.
pub(crate) fn has_whole_header_chain(mut next_header: u8, payload: &[u8]) -> bool {
    let mut at = 0;
    while matches!(next_header, HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS) {
        let Some(end) = end_of_extension(payload, at) else { return false };
        (next_header, at) = (payload[at], end);
    }
    let needs = match next_header {
        protocol::TCP => 20,
        protocol::UDP | protocol::ICMPV6 | FRAGMENT => 8,
        protocol::NO_NEXT_HEADER => 0,
        _ => 1,
    };
    payload.len() >= at + needs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with one extension header that holds these options.
    fn packet(kind: u8, options: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 8 + options.len() as u8, kind, 64];
        packet.resize(IPV6_HEADER, 0);
        packet.extend([protocol::UDP, ((options.len() + 2) / 8 - 1) as u8]);
        packet.extend(options);
        packet.extend([0; 8]);
        packet
    }

    fn check(options: &[u8]) -> Result<usize, ExtensionFault> {
        let of = |kind| skip_extensions(&packet(kind, options), false).map(|carried| carried.at);
        assert_eq!(of(HOP_BY_HOP), of(DESTINATION_OPTIONS), "{options:?}");
        of(DESTINATION_OPTIONS)
    }

    #[test]
    fn padding_and_what_may_be_passed_over_is_passed_over() {
        for options in
            [&[1, 4, 0, 0, 0, 0][..], &[5, 2, 0, 0, 1, 0], &[0x1e, 4, 9, 9, 9, 9], &[0; 6]]
        {
            assert_eq!(check(options), Ok(48), "{options:?}");
        }
    }

    // Linux 6.18 drops each of these without a word.
    #[test]
    fn what_makes_no_sense_is_dropped_in_silence() {
        let options: [&[u8]; 6] = [
            // Beyond the header, cut, padding that says something, too much of it, and the bits 01.
            &[1, 9, 0, 0, 0, 0],
            &[0, 0, 0, 0, 0, 1],
            &[1, 4, 1, 0, 0, 0],
            &[0x1e, 2, 0, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x5e, 4, 0, 0, 0, 0],
            &[
                0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0,
                0, 0, 0,
            ],
        ];
        for options in options {
            assert_eq!(check(options), Err(ExtensionFault::Silent), "{options:?}");
        }
    }

    #[test]
    fn no_headers_at_all_make_it_read_beyond_the_packet() {
        let mut stream = crate::rng::Seed(3).stream("extensions");
        let kinds =
            [HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, FRAGMENT, protocol::UDP, OPTION_JUMBO];
        for _ in 0..50_000 {
            let mut packet = vec![0x60, 0, 0, 0, 0, 0, kinds[stream.up_to(5) as usize], 64];
            packet.resize(IPV6_HEADER, 0);
            packet.extend((0..stream.up_to(40)).map(|_| match stream.up_to(2) {
                0 => kinds[stream.up_to(5) as usize],
                1 => stream.up_to(9) as u8,
                _ => stream.next_u64() as u8,
            }));
            if let Ok(carried) = skip_extensions(&packet, stream.chance(0.5)) {
                assert!(carried.at <= packet.len());
            }
            has_whole_header_chain(packet[6], &packet[IPV6_HEADER..]);
        }
    }
}
