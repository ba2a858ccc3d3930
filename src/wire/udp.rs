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

#[cfg(test)]
mod tests {
    use super::*;

    fn header(ends: [&str; 2]) -> IpHeader {
        let [source, destination] = ends.map(|end| end.parse().unwrap());
        let protocol = protocol::UDP;
        IpHeader { source, destination, protocol, hop_limit: 64, traffic_class: 0 }
    }

    #[test]
    fn what_is_written_reads_back_and_padding_is_left_out() {
        for ends in [["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]] {
            let mut bytes = udp_payload(&header(ends), 7, 9, b"data");
            bytes.extend([0; 6]);
            let udp = UdpDatagram::parse(&header(ends), &bytes, Checksum::Unverified).unwrap();
            assert_eq!((udp.source_port, udp.destination_port, udp.payload), (7, 9, &b"data"[..]));
            for len in 0..UDP_HEADER + 4 {
                let cut = UdpDatagram::parse(&header(ends), &bytes[..len], Checksum::Verified);
                assert!(cut.is_none(), "of {len} bytes");
            }
        }
    }

    // RFC 768, RFC 8200 8.1.
    #[test]
    fn a_checksum_may_be_left_out_over_ipv4_alone() {
        for (ends, may) in [(["10.0.0.1", "10.0.0.2"], true), (["fd00::1", "fd00::2"], false)] {
            let mut bytes = udp_payload(&header(ends), 7, 9, b"data");
            bytes[6..8].fill(0);
            for checksum in [Checksum::Unverified, Checksum::Verified] {
                let read = UdpDatagram::parse(&header(ends), &bytes, checksum);
                assert_eq!(read.is_some(), may);
            }
        }
    }

    #[test]
    fn a_changed_bit_is_noticed_unless_the_checksum_is_trusted() {
        let header = header(["10.0.0.1", "10.0.0.2"]);
        let mut bytes = udp_payload(&header, 7, 9, b"data");
        bytes[9] ^= 4;
        assert!(UdpDatagram::parse(&header, &bytes, Checksum::Unverified).is_none());
        assert!(UdpDatagram::parse(&header, &bytes, Checksum::Verified).is_some());
    }
}
