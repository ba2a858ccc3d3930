//! ICMP (RFC 792) and ICMPv6 (RFC 4443): the header, and what an error says.
//!
//! The functions that take addresses of both versions mean ICMPv6 for those of IPv6.

mod error;
mod quoted;

use std::net::IpAddr;

pub(crate) use error::IcmpError;
pub(crate) use quoted::{Quoted, is_icmp_error};

use super::checksum::{internet_checksum, transport_checksum};
use super::ip::protocol;

/// Length of the header of every message but neighbour discovery's and MLD's.
pub(crate) const ICMP_HEADER: usize = 8;

/// Types of ICMP's messages.
pub(crate) mod v4 {
    pub(crate) const ECHO_REPLY: u8 = 0;
    pub(crate) const UNREACHABLE: u8 = 3;
    pub(crate) const ECHO_REQUEST: u8 = 8;
    pub(crate) const TIME_EXCEEDED: u8 = 11;
    pub(crate) const PARAMETER_PROBLEM: u8 = 12;
}

/// Types of ICMPv6's messages.
pub(crate) mod v6 {
    pub(crate) const UNREACHABLE: u8 = 1;
    pub(crate) const TOO_BIG: u8 = 2;
    pub(crate) const TIME_EXCEEDED: u8 = 3;
    pub(crate) const PARAMETER_PROBLEM: u8 = 4;
    pub(crate) const ECHO_REQUEST: u8 = 128;
    pub(crate) const ECHO_REPLY: u8 = 129;
    pub(crate) const MLD_QUERY: u8 = 130;
    pub(crate) const MLD_V1_REPORT: u8 = 131;
    pub(crate) const MLD_V1_DONE: u8 = 132;
    pub(crate) const NEIGHBOR_SOLICITATION: u8 = 135;
    pub(crate) const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    pub(crate) const MLD_V2_REPORT: u8 = 143;
}

/// The first 8 bytes of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IcmpHeader {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    /// What it is depends on the kind.
    rest: [u8; 4],
}

impl IcmpHeader {
    /// Reads it, and gives what follows it.
    pub(crate) fn split_from(message: &[u8]) -> Option<(IcmpHeader, &[u8])> {
        let ([kind, code, _, _, a, b, c, d], rest) = message.split_first_chunk::<ICMP_HEADER>()?;
        Some((IcmpHeader { kind: *kind, code: *code, rest: [*a, *b, *c, *d] }, rest))
    }

    /// The identifier of an echo.
    pub(crate) fn echo_id(&self) -> u16 {
        u16::from_be_bytes([self.rest[0], self.rest[1]])
    }

    /// The sequence number of an echo.
    pub(crate) fn echo_sequence(&self) -> u16 {
        u16::from_be_bytes([self.rest[2], self.rest[3]])
    }

    /// What the next hop of a packet that was too large carries (RFC 1191 section 4); `None` where
    /// a router does not tell.
    pub(crate) fn mtu_v4(&self) -> Option<usize> {
        let mtu = u16::from_be_bytes([self.rest[2], self.rest[3]]);
        (mtu != 0).then_some(mtu.into())
    }

    /// What the next hop of a packet that was too large carries: RFC 4443 3.2.
    pub(crate) fn mtu_v6(&self) -> usize {
        usize::try_from(u32::from_be_bytes(self.rest)).unwrap_or(usize::MAX)
    }
}

/// Whether the checksum of a whole message is right.
pub(crate) fn has_good_checksum(source: IpAddr, destination: IpAddr, message: &[u8]) -> bool {
    checksum(source, destination, message) == 0
}

/// Fills in the checksum of a message of at least 4 bytes.
pub(crate) fn fill_checksum(source: IpAddr, destination: IpAddr, message: &mut [u8]) {
    message[2..4].fill(0);
    let checksum = checksum(source, destination, message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
}

fn checksum(source: IpAddr, destination: IpAddr, message: &[u8]) -> u16 {
    match destination {
        IpAddr::V4(_) => internet_checksum(message),
        IpAddr::V6(_) => transport_checksum(source, destination, protocol::ICMPV6, message),
    }
}
