//! ICMP messages of scripts: types and codes by packetdrill's names.

use super::flow::{Flow, Transport};
use super::script::{Echoed, Icmp};
use crate::peer::{Datagram, IcmpMessage, IpPacket, Segment};

/// What an error quotes beyond the IP header (RFC 792).
const QUOTED: usize = 8;

type Codes = &'static [(&'static str, u8)];

const V4_UNREACHABLE: Codes = &[
    ("net_unreachable", 0),
    ("host_unreachable", 1),
    ("protocol_unreachable", 2),
    ("port_unreachable", 3),
    ("frag_needed", 4),
    ("source_route_failed", 5),
    ("net_unknown", 6),
    ("host_unknown", 7),
    ("source_host_isolated", 8),
    ("net_prohibited", 9),
    ("host_prohibited", 10),
    ("net_unreachable_for_tos", 11),
    ("host_unreachable_for_tos", 12),
    ("packet_filtered", 13),
    ("precedence_violation", 14),
    ("precedence_cutoff", 15),
];
const V6_UNREACHABLE: Codes = &[
    ("net_unreachable", 0),
    ("no_route", 0),
    ("admin_prohibited", 1),
    ("not_neighbour", 2),
    ("address_unreachable", 3),
    ("port_unreachable", 4),
];
const V6_EXCEEDED: Codes = &[("exceeded_hop_limit", 0), ("exceeded_frag_time", 1)];
const V6_PROBLEM: Codes = &[("header_field", 0), ("unknown_next_header", 1), ("unknown_option", 2)];

const V4_TYPES: &[(&str, u8, Codes)] = &[
    ("echo_reply", 0, &[]),
    ("unreachable", 3, V4_UNREACHABLE),
    ("source_quench", 4, &[]),
    ("redirect", 5, &[]),
    ("echo_request", 8, &[]),
    ("time_exceeded", 11, &[]),
    ("parameter_problem", 12, &[]),
];
const V6_TYPES: &[(&str, u8, Codes)] = &[
    ("unreachable", 1, V6_UNREACHABLE),
    ("packet_too_big", 2, &[]),
    ("time_exceeded", 3, V6_EXCEEDED),
    ("parameter_problem", 4, V6_PROBLEM),
    ("echo_request", 128, &[]),
    ("echo_reply", 129, &[]),
];

/// Type and code of a message.
pub(super) fn numbers(message: &Icmp, is_v6: bool) -> Result<(u8, u8), String> {
    let name = message.kind.as_str();
    let types = if is_v6 { V6_TYPES } else { V4_TYPES };
    let by_number = |text: &str, prefix: &str| text.strip_prefix(prefix)?.parse().ok();
    let known = types.iter().find(|(known, ..)| *known == name);
    let (kind, codes) = match (known, by_number(name, "type_")) {
        (Some((_, kind, codes)), _) => (*kind, *codes),
        (None, Some(kind)) => (kind, &[][..]),
        (None, None) => return Err(format!("bad ICMP type {name}")),
    };
    let Some(code) = message.code.as_deref() else { return Ok((kind, 0)) };
    let known = codes.iter().find(|(known, _)| *known == code).map(|(_, code)| *code);
    let code = known.or_else(|| by_number(code, "code_"));
    let code = code
        .ok_or_else(|| format!("bad ICMP code {}", message.code.as_deref().unwrap_or_default()))?;
    Ok((kind, code))
}

/// The message about a packet of the flow, or an echo.
pub(super) fn to_live(message: &Icmp, flow: &Flow, is_v6: bool) -> Result<IcmpMessage, String> {
    let (kind, code) = numbers(message, is_v6)?;
    let local = flow.local.ok_or("the host's port is not known yet")?;
    let from = flow.remote.ip();
    if flow.transport == Transport::Icmp {
        let [a, b] = message.id.to_be_bytes();
        return Ok(IcmpMessage::new(from, local.ip(), kind, code).rest([a, b, 0, 0]));
    }
    let about: IpPacket = match message.echoed {
        Echoed::Tcp { seq, len } => Segment::new(local, flow.remote)
            .seq(flow.local_seq_to_live(seq))
            .payload(vec![0; len.into()])
            .packet(),
        Echoed::Udp { len } => Datagram::new(local, flow.remote, vec![0; len.into()]).packet(),
    };
    let header = if is_v6 { 40 } else { 20 };
    let error = match message.mtu {
        Some(_) if !matches!((is_v6, kind, code), (false, 3, 4) | (true, 2, 0)) => {
            return Err("ICMP MTU is only valid for frag_needed or packet_too_big".to_owned());
        }
        Some(mtu) => IcmpMessage::too_big(from, &about, mtu),
        None => IcmpMessage::error(from, &about, kind, code),
    };
    let mut error = error;
    error.payload.truncate(header + QUOTED);
    Ok(error)
}
