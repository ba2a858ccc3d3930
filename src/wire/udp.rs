//! UDP (RFC 768).

use super::checksum::{Checksum, transport_checksum};
use super::ip::{IpHeader, protocol};

pub(crate) const UDP_HEADER: usize = 8;

/// A datagram that came whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UdpDatagram<'a> {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) payload: &'a [u8],
}

impl<'a> UdpDatagram<'a> {
    /// Reads what follows an IP header; `None` when its length or its checksum is wrong.
    pub(crate) fn parse(
        header: &IpHeader,
        bytes: &'a [u8],
        checksum: Checksum,
    ) -> Option<UdpDatagram<'a>> {
        let fixed: &[u8; UDP_HEADER] = bytes.first_chunk()?;
        let field = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let bytes = bytes.get(..field(4).into())?;
        let payload = bytes.get(UDP_HEADER..)?;
        let (source, destination) = (header.source, header.destination);
        // RFC 768: none at all; RFC 8200 8.1: which IPv6 does not allow.
        let has_checksum = field(6) != 0;
        let is_whole = if has_checksum {
            checksum.is_trusted()
                || transport_checksum(source, destination, protocol::UDP, bytes) == 0
        } else {
            destination.is_ipv4()
        };
        is_whole.then_some(UdpDatagram {
            source_port: field(0),
            destination_port: field(2),
            payload,
        })
    }
}

/// Source and destination port, of which the rest of the datagram may be missing.
pub(crate) fn ports(datagram: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d, ..] = *datagram else { return None };
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

/// What follows the IP header of a datagram.
pub(crate) fn udp_payload(
    header: &IpHeader,
    source_port: u16,
    destination_port: u16,
    payload: &[u8],
) -> Vec<u8> {
    let len = UDP_HEADER + payload.len();
    let mut datagram = Vec::with_capacity(len);
    for field in [source_port, destination_port, len as u16, 0] {
        datagram.extend(field.to_be_bytes());
    }
    datagram.extend_from_slice(payload);
    let sum = transport_checksum(header.source, header.destination, protocol::UDP, &datagram);
    // RFC 768: 0 would say that there is none.
    let sum = if sum == 0 { u16::MAX } else { sum };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    datagram
}
