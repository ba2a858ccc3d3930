//! A fragment as it comes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::ip::protocol::{DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING};
use crate::wire::ip::{FRAGMENT_HEADER, IPV4_HEADER, IPV6_HEADER};

/// A received fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    pub(super) key: Key,
    /// Where its payload begins in the packet's.
    pub(super) offset: usize,
    pub(super) more: bool,
    /// What stands before the payload, without IPv6's Fragment header.
    pub(super) headers: &'a [u8],
    /// Where in `headers` IPv6's next header is told.
    next_header_at: usize,
    pub(super) next_header: u8,
    pub(super) payload: &'a [u8],
}

/// Which packet a fragment is a part of. RFC 791 has the protocol in it, RFC 8200 has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) source: IpAddr,
    destination: IpAddr,
    pub(super) id: u32,
    protocol: u8,
}

impl<'a> Fragment<'a> {
    /// Reads a packet whose IP header is known to be valid; `None` when it is not a fragment, or
    /// malformed. Bytes after the packet's length are padding.
    pub(crate) fn parse(packet: &'a [u8]) -> Option<Fragment<'a>> {
        match packet.first()? >> 4 {
            4 => Fragment::parse_ipv4(packet),
            6 => Fragment::parse_ipv6(packet),
            _ => None,
        }
    }

    fn parse_ipv4(packet: &'a [u8]) -> Option<Fragment<'a>> {
        let fixed: &[u8; IPV4_HEADER] = packet.first_chunk()?;
        let fields = u16::from_be_bytes([fixed[6], fixed[7]]);
        if fields & 0x3fff == 0 {
            return None;
        }
        let header_len = usize::from(fixed[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if header_len < IPV4_HEADER {
            return None;
        }
        let address = |at: usize| {
            IpAddr::V4(Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]))
        };
        Some(Fragment {
            key: Key {
                source: address(12),
                destination: address(16),
                id: u32::from(u16::from_be_bytes([fixed[4], fixed[5]])),
                protocol: fixed[9],
            },
            offset: usize::from(fields & 0x1fff) * 8,
            more: fields & 0x2000 != 0,
            headers: packet.get(..header_len)?,
            next_header_at: 9,
            next_header: fixed[9],
            payload: packet.get(header_len..total_len)?,
        })
    }

    fn parse_ipv6(packet: &'a [u8]) -> Option<Fragment<'a>> {
        let fixed: &[u8; IPV6_HEADER] = packet.first_chunk()?;
        let end = IPV6_HEADER + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        let packet = packet.get(..end)?;
        let (mut next_header_at, mut at) = (6, IPV6_HEADER);
        while packet[next_header_at] != FRAGMENT {
            if !matches!(packet[next_header_at], HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS) {
                return None;
            }
            next_header_at = at;
            at += (usize::from(*packet.get(at + 1)?) + 1) * 8;
        }
        let header: &[u8; FRAGMENT_HEADER] = packet.get(at..)?.first_chunk()?;
        let address = |at: usize| {
            let octets: [u8; 16] = std::array::from_fn(|octet| fixed[at + octet]);
            IpAddr::V6(Ipv6Addr::from(octets))
        };
        let fields = u16::from_be_bytes([header[2], header[3]]);
        Some(Fragment {
            key: Key {
                source: address(8),
                destination: address(24),
                id: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
                protocol: FRAGMENT,
            },
            offset: usize::from(fields & 0xfff8),
            more: fields & 1 != 0,
            headers: &packet[..at],
            next_header_at,
            next_header: header[0],
            payload: &packet[at + FRAGMENT_HEADER..],
        })
    }

    /// Whether it is a whole packet after all (RFC 6946: an atomic fragment).
    pub(super) fn is_whole(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// The headers that the whole packet has, taken from its first fragment.
    pub(super) fn headers_of_whole(&self) -> Vec<u8> {
        let mut headers = self.headers.to_vec();
        if headers[0] >> 4 == 6 {
            headers[self.next_header_at] = self.next_header;
        } else {
            headers[6..8].fill(0);
        }
        headers
    }
}
