//! Neighbour discovery's two messages (RFC 4861 4.3 and 4.4): who has an address, and I have it.

use std::net::Ipv6Addr;

use super::ethernet::{
    ETHERNET_HEADER, ETHERTYPE_IPV6, Mac, group_mac, is_group, show_mac, write_ethernet_header,
};
use super::frame::{FrameBuffer, FramePool};
use super::icmp::v6::{NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION};
use super::icmp::{fill_checksum, has_good_checksum};
use super::ip::{IPV6_HEADER, IpHeader, protocol};
use super::ipv6::{ALL_NODES, Ipv6Header};

/// Type, code, checksum, flags, target, and the option with an Ethernet address.
const LEN: usize = 4 + 4 + 16 + 8;
/// Nothing that a router has passed on is a neighbour's (RFC 4861 7.1).
const HOP_LIMIT: u8 = 255;

const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// A message of neighbour discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ndp {
    Solicitation { target: Ipv6Addr, sender_mac: Option<Mac> },
    Advertisement { target: Ipv6Addr, mac: Option<Mac>, solicited: bool, overrides: bool },
}

/// Whether an ICMPv6 message is neighbour discovery's: its five types (RFC 4861 section 4).
pub(crate) fn is_ndp(message: &[u8]) -> bool {
    message.first().is_some_and(|kind| (133..=137).contains(kind))
}

impl Ndp {
    /// Reads the ICMPv6 message of a packet with these addresses and hop limit; `None` for what
    /// RFC 4861 7.1 says to drop, and for messages about routers, of which there are none.
    pub(crate) fn parse(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        hop_limit: u8,
        message: &[u8],
    ) -> Option<Ndp> {
        let (fixed, mut options) = message.split_first_chunk::<24>()?;
        let is_whole = has_good_checksum(source.into(), destination.into(), message);
        let target = target_of(fixed);
        if hop_limit != HOP_LIMIT || fixed[1] != 0 || !is_whole || target.is_multicast() {
            return None;
        }
        let wanted = match fixed[0] {
            NEIGHBOR_SOLICITATION => SOURCE_LINK_ADDRESS,
            NEIGHBOR_ADVERTISEMENT => TARGET_LINK_ADDRESS,
            _ => return None,
        };
        let mut mac = None;
        while let [kind, eighths, ..] = options {
            let len = usize::from(*eighths) * 8;
            let option = options.get(..len).filter(|option| !option.is_empty())?;
            if *kind == wanted && len == 8 {
                let address: Mac = std::array::from_fn(|byte| option[2 + byte]);
                // A group address is nobody's own.
                mac = Some(address).filter(|address| !is_group(*address));
            }
            options = &options[len..];
        }
        if fixed[0] == NEIGHBOR_SOLICITATION {
            // Who looks whether an address is free has none yet.
            return (!source.is_unspecified() || mac.is_none())
                .then_some(Ndp::Solicitation { target, sender_mac: mac });
        }
        let solicited = fixed[4] & SOLICITED != 0;
        let overrides = fixed[4] & OVERRIDE != 0;
        (!(solicited && destination.is_multicast())).then_some(Ndp::Advertisement {
            target,
            mac,
            solicited,
            overrides,
        })
    }

    /// The frame of a message that tells the sender's Ethernet address.
    pub(crate) fn write(
        &self,
        from: (Ipv6Addr, Mac),
        to: (Ipv6Addr, Mac),
        pool: &mut FramePool,
    ) -> FrameBuffer {
        let mut frame = pool.take(ETHERNET_HEADER + IPV6_HEADER + LEN);
        write_ethernet_header(frame.bytes_mut(), to.1, from.1, ETHERTYPE_IPV6);
        let (kind, target, flags, option) = match self {
            Ndp::Solicitation { target, .. } => {
                (NEIGHBOR_SOLICITATION, target, 0, SOURCE_LINK_ADDRESS)
            }
            Ndp::Advertisement { target, solicited, overrides, .. } => {
                let flags = if *solicited { SOLICITED } else { 0 };
                let flags = flags | if *overrides { OVERRIDE } else { 0 };
                (NEIGHBOR_ADVERTISEMENT, target, flags, TARGET_LINK_ADDRESS)
            }
        };
        let message = &mut frame.packet_mut()[IPV6_HEADER..];
        message[..8].copy_from_slice(&[kind, 0, 0, 0, flags, 0, 0, 0]);
        message[8..24].copy_from_slice(&target.octets());
        message[24..26].copy_from_slice(&[option, 1]);
        message[26..32].copy_from_slice(&from.1);
        let (source, destination) = (from.0.into(), to.0.into());
        fill_checksum(source, destination, message);
        let protocol = protocol::ICMPV6;
        IpHeader { source, destination, protocol, hop_limit: HOP_LIMIT, traffic_class: 0 }
            .write(frame.packet_mut(), true);
        frame
    }
}

fn target_of(fixed: &[u8; 24]) -> Ipv6Addr {
    let bytes: [u8; 16] = std::array::from_fn(|byte| fixed[8 + byte]);
    bytes.into()
}

/// Whom a neighbour solicitation asks for: what a LAN needs to hand it to its target.
pub(crate) fn solicited_target(packet: &[u8]) -> Option<Ipv6Addr> {
    let (ip, message) = Ipv6Header::split_from(packet)?;
    let fixed: &[u8; 24] = message.first_chunk()?;
    (ip.next_header == protocol::ICMPV6 && fixed[0] == NEIGHBOR_SOLICITATION)
        .then(|| target_of(fixed))
}

/// Whether a packet is one of neighbour discovery's.
pub(crate) fn is_ndp_packet(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first >> 4 == 6)
        && packet.get(6) == Some(&protocol::ICMPV6)
        && packet.get(IPV6_HEADER..).is_some_and(is_ndp)
}

/// A solicitation or an advertisement in words, for people; the end of the packet may be missing.
pub(crate) fn describe_ndp(packet: &[u8]) -> Option<String> {
    let (ip, message) = Ipv6Header::split_from(packet)?;
    let (fixed, options) = message.split_first_chunk::<24>()?;
    if ip.next_header != protocol::ICMPV6 {
        return None;
    }
    let (source, target) = (ip.source, target_of(fixed));
    match fixed[0] {
        NEIGHBOR_SOLICITATION => Some(format!("NDP who has {target} tell {source}")),
        NEIGHBOR_ADVERTISEMENT => Some(match options {
            [TARGET_LINK_ADDRESS, 1, a, b, c, d, e, f, ..] => {
                format!("NDP reply {target} is at {}", show_mac([*a, *b, *c, *d, *e, *f]))
            }
            _ => format!("NDP reply {target} is here"),
        }),
        _ => None,
    }
}

/// Tells everybody who has `address`: RFC 4861 7.2.6.
pub(crate) fn ndp_announcement(mac: Mac, address: Ipv6Addr, pool: &mut FramePool) -> FrameBuffer {
    let advertisement =
        Ndp::Advertisement { target: address, mac: Some(mac), solicited: false, overrides: true };
    let to = (ALL_NODES, group_mac(ALL_NODES.into()));
    advertisement.write((address, mac), to, pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 1];

    fn message(ndp: Ndp) -> Vec<u8> {
        let (from, to) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        let frame = ndp.write((from, MAC), (to, MAC), &mut FramePool::default());
        assert!(is_ndp_packet(frame.packet()));
        frame.packet()[IPV6_HEADER..].to_vec()
    }

    fn parse(message: &[u8], hop_limit: u8) -> Option<Ndp> {
        Ndp::parse("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap(), hop_limit, message)
    }

    #[test]
    fn what_is_written_reads_back() {
        let target = "fd00::2".parse().unwrap();
        let solicitation = Ndp::Solicitation { target, sender_mac: Some(MAC) };
        assert_eq!(parse(&message(solicitation), 255), Some(solicitation));
        let advertisement =
            Ndp::Advertisement { target, mac: Some(MAC), solicited: true, overrides: true };
        assert_eq!(parse(&message(advertisement), 255), Some(advertisement));
    }

    // RFC 4861 7.1.1.
    #[test]
    fn what_a_router_passed_on_or_a_bit_changed_or_was_cut_is_dropped() {
        let target = "fd00::2".parse().unwrap();
        let message = message(Ndp::Solicitation { target, sender_mac: Some(MAC) });
        assert_eq!(parse(&message, 254), None);
        for at in 0..message.len() {
            let mut damaged = message.clone();
            damaged[at] ^= 0x10;
            assert_eq!(parse(&damaged, 255), None, "byte {at}");
            assert_eq!(parse(&message[..at], 255), None, "of {at} bytes");
        }
    }

    #[test]
    fn an_option_without_length_is_no_endless_loop() {
        let target: Ipv6Addr = "fd00::2".parse().unwrap();
        let mut message = vec![NEIGHBOR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
        message.extend(target.octets());
        message.extend([SOURCE_LINK_ADDRESS, 0, 0, 0, 0, 0, 0, 0]);
        let (from, to) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        fill_checksum(from, to, &mut message);
        assert_eq!(parse(&message, 255), None);
    }
}
