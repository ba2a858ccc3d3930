//! IPv4 (RFC 791): the header, and addresses with a meaning of their own.

use std::net::Ipv4Addr;

use super::checksum::internet_checksum;
use super::ip::{IPV4_HEADER, IpHeader};

const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// Everybody on the link: RFC 1112 section 4.
pub(crate) const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

/// All routers on the link: RFC 1112 section 4.
pub(crate) const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);

/// The option by which routers are told to look at a packet that is not for them: RFC 2113.
pub(crate) const ROUTER_ALERT: [u8; 4] = [148, 4, 0, 0];

/// The fields of a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv4Header {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    /// With options.
    pub(crate) header_len: usize,
    pub(crate) total_len: usize,
    pub(crate) id: u16,
    /// Where the payload belongs in that of the whole packet, in bytes.
    pub(crate) offset: usize,
    pub(crate) more_fragments: bool,
}

impl Ipv4Header {
    /// Reads the header of a packet whose end, and whose options, may be missing.
    pub(crate) fn parse(packet: &[u8]) -> Option<Ipv4Header> {
        let fixed: &[u8; IPV4_HEADER] = packet.first_chunk()?;
        let field = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let address =
            |at: usize| Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]);
        let header_len = usize::from(fixed[0] & 0x0f) * 4;
        if fixed[0] >> 4 != 4 || header_len < IPV4_HEADER {
            return None;
        }
        Some(Ipv4Header {
            source: address(12),
            destination: address(16),
            protocol: fixed[9],
            ttl: fixed[8],
            tos: fixed[1],
            header_len,
            total_len: field(2).into(),
            id: field(4),
            offset: usize::from(field(6) & OFFSET) * 8,
            more_fragments: field(6) & MORE_FRAGMENTS != 0,
        })
    }

    /// Reads the header of a packet that is there whole. What follows the packet is padding.
    pub(crate) fn of_whole(packet: &[u8]) -> Option<Ipv4Header> {
        let lengths_fit =
            |ip: &Ipv4Header| ip.header_len <= ip.total_len && ip.total_len <= packet.len();
        Ipv4Header::parse(packet).filter(lengths_fit)
    }

    /// Whether the checksum of the header, which is that of `packet`, is right.
    pub(crate) fn has_good_checksum(&self, packet: &[u8]) -> bool {
        packet.get(..self.header_len).is_some_and(|header| internet_checksum(header) == 0)
    }

    /// The part of it that both versions have.
    pub(crate) fn common(&self) -> IpHeader {
        IpHeader {
            source: self.source.into(),
            destination: self.destination.into(),
            protocol: self.protocol,
            hop_limit: self.ttl,
            traffic_class: self.tos,
        }
    }

    pub(crate) fn is_fragment(&self) -> bool {
        self.more_fragments || self.offset != 0
    }
}

/// Sets the total length in a header, which has to be there whole, and its checksum.
pub(crate) fn set_total_len(header: &mut [u8], total_len: usize) {
    header[2..4].copy_from_slice(&(total_len as u16).to_be_bytes());
    fill_checksum(header);
}

/// Fills in the checksum of a header, which has to be there whole.
pub(crate) fn fill_checksum(header: &mut [u8]) {
    header[10..12].fill(0);
    let checksum = internet_checksum(header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
}

/// Whether a packet has the router alert option.
pub(crate) fn has_router_alert(packet: &[u8]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_alert_is_found_among_other_options() {
        let v4 = |options: &[u8]| {
            let mut packet = vec![0x45 + (options.len() / 4) as u8];
            packet.resize(IPV4_HEADER, 0);
            packet.extend(options);
            packet.extend([148, 4, 0, 0]);
            has_router_alert(&packet)
        };
        assert!(v4(&[148, 4, 0, 0]) && v4(&[1, 148, 4, 0, 0, 0, 0, 0]));
        assert!(v4(&[7, 3, 4, 1, 148, 4, 0, 0]));
        // None, one behind the end, lengths that lead nowhere, and another value.
        for options in [&[][..], &[0, 0, 0, 0, 148, 4, 0, 0], &[7, 0, 148, 4], &[7, 40, 0, 0]] {
            assert!(!v4(options), "{options:?}");
        }
        assert!(!v4(&[148, 4, 0, 1]));
    }
}
