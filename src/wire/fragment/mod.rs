//! IP fragments (RFC 791 3.2, RFC 8200 4.5).
//!
//! Out: [`split_ipv4`] and [`split_ipv6`] turn a packet that is larger than an MTU into
//! [`Piece`]s, each a header to be written in front of a slice of the packet:
//!
//! ```text
//! for piece in split_ipv4(&packet, mtu).ok_or(Errno::MessageSize)? {
//!     let mut frame = pool.take(ETHERNET_HEADER + piece.len());
//!     piece.write(frame.packet_mut());
//! }
//! ```
//!
//! In: whoever receives a packet asks [`Fragment::parse`] whether it is one.

mod cut;

use std::net::IpAddr;

pub(crate) use cut::{Piece, split_ipv4, split_ipv6};

use super::ip::IPV6_HEADER;
use super::ip::protocol::{DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING};
use super::ipv4::Ipv4Header;
use super::ipv6::{FragmentHeader, Ipv6Header};
use super::ipv6_extensions::{ParameterProblem, has_whole_header_chain};

/// Where an IPv6 header tells how much follows it.
const IPV6_PAYLOAD_LEN: usize = 4;
/// Where a Fragment header tells its offset.
const FRAGMENT_OFFSET: usize = 2;

/// A received fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) key: FragmentKey,
    /// Where its payload begins in the packet's.
    pub(crate) offset: usize,
    pub(crate) more: bool,
    /// What stands before the payload, without IPv6's Fragment header.
    pub(crate) headers: &'a [u8],
    /// Where in `headers` IPv6's next header is told.
    next_header_at: usize,
    pub(crate) next_header: u8,
    pub(crate) payload: &'a [u8],
}

/// Which packet a fragment is a part of. RFC 791 has the protocol in it, RFC 8200 has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FragmentKey {
    pub(crate) source: IpAddr,
    destination: IpAddr,
    pub(crate) id: u32,
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
        let ip = Ipv4Header::parse(packet)?;
        let key = FragmentKey {
            source: ip.source.into(),
            destination: ip.destination.into(),
            id: ip.id.into(),
            protocol: ip.protocol,
        };
        ip.is_fragment().then_some(Fragment {
            key,
            offset: ip.offset,
            more: ip.more_fragments,
            headers: packet.get(..ip.header_len)?,
            next_header_at: 9,
            next_header: ip.protocol,
            payload: packet.get(ip.header_len..ip.total_len)?,
        })
    }

    fn parse_ipv6(packet: &'a [u8]) -> Option<Fragment<'a>> {
        let (ip, _) = Ipv6Header::split_from(packet)?;
        let packet = packet.get(..IPV6_HEADER + ip.payload_len)?;
        let (mut next_header_at, mut at) = (6, IPV6_HEADER);
        while packet[next_header_at] != FRAGMENT {
            if !matches!(packet[next_header_at], HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS) {
                return None;
            }
            next_header_at = at;
            at += (usize::from(*packet.get(at + 1)?) + 1) * 8;
        }
        let (fragment, payload) = FragmentHeader::split_from(packet.get(at..)?)?;
        let key = FragmentKey {
            source: ip.source.into(),
            destination: ip.destination.into(),
            id: fragment.id,
            protocol: FRAGMENT,
        };
        Some(Fragment {
            key,
            offset: fragment.offset,
            more: fragment.more_fragments,
            headers: &packet[..at],
            next_header_at,
            next_header: fragment.next_header,
            payload,
        })
    }

    /// Whether it is a whole packet after all (RFC 6946: an atomic fragment).
    pub(crate) fn is_whole(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// What the sender of an IPv6 fragment is told that cannot be a part of a packet: RFC 8200 4.5.
    pub(crate) fn problem(&self) -> Option<ParameterProblem> {
        if self.headers[0] >> 4 != 6 || self.is_whole() {
            return None;
        }
        let is_first = self.offset == 0;
        if is_first && !has_whole_header_chain(self.next_header, self.payload) {
            let code = ParameterProblem::INCOMPLETE_HEADER_CHAIN;
            return Some(ParameterProblem::new(code, 0));
        }
        let end = self.headers.len() - IPV6_HEADER + self.offset + self.payload.len();
        let pointer = if end > usize::from(u16::MAX) {
            self.headers.len() + FRAGMENT_OFFSET
        } else if self.more && !self.payload.len().is_multiple_of(8) {
            IPV6_PAYLOAD_LEN
        } else {
            return None;
        };
        Some(ParameterProblem::new(ParameterProblem::ERRONEOUS_FIELD, pointer))
    }

    /// The headers that the whole packet has, taken from its first fragment.
    pub(crate) fn headers_of_whole(&self) -> Vec<u8> {
        let mut headers = self.headers.to_vec();
        if headers[0] >> 4 == 6 {
            headers[self.next_header_at] = self.next_header;
        } else {
            headers[6..8].fill(0);
        }
        headers
    }
}
