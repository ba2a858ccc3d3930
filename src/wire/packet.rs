//! Packets of either version.

use super::ethernet::ETHERNET_HEADER;
use super::frame::{FrameBuffer, FramePool};
use super::ip::{FRAGMENT_HEADER, IPV6_HEADER, IpHeader, protocol};
use super::ipv4::Ipv4Header;
use super::ipv6::{FragmentHeader, Ipv6Header};

/// The beginning of a packet, of which the end may be missing: in an ICMP error, or in a report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Excerpt<'a> {
    /// Its protocol is that of the payload, behind IPv6's Fragment header.
    pub(crate) header: IpHeader,
    /// For a fragment, where the payload belongs in that of the whole packet.
    pub(crate) fragment_offset: Option<usize>,
    /// What is there of it.
    pub(crate) payload: &'a [u8],
}

impl<'a> Excerpt<'a> {
    pub(crate) fn parse(packet: &'a [u8]) -> Option<Excerpt<'a>> {
        match packet.first()? >> 4 {
            4 => {
                let ip = Ipv4Header::parse(packet)?;
                Some(Excerpt {
                    header: ip.common(),
                    fragment_offset: ip.is_fragment().then_some(ip.offset),
                    payload: packet.get(ip.header_len..)?,
                })
            }
            6 => {
                let (ip, payload) = Ipv6Header::split_from(packet)?;
                let header = ip.common();
                if header.protocol != protocol::FRAGMENT {
                    return Some(Excerpt { header, fragment_offset: None, payload });
                }
                let (fragment, payload) = FragmentHeader::split_from(payload)?;
                Some(Excerpt {
                    header: IpHeader { protocol: fragment.next_header, ..header },
                    fragment_offset: Some(fragment.offset),
                    payload,
                })
            }
            _ => None,
        }
    }
}

/// A packet in a frame whose Ethernet header is not yet written.
pub(crate) fn write_packet(
    header: &IpHeader,
    payload: &[u8],
    dont_fragment: bool,
    pool: &mut FramePool,
) -> FrameBuffer {
    let header_len = header.len();
    let mut frame = pool.take(ETHERNET_HEADER + header_len + payload.len());
    let packet = frame.packet_mut();
    packet[header_len..].copy_from_slice(payload);
    header.write(packet, dont_fragment);
    frame
}

/// What a packet carries behind all its headers, of which the end may be missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried<'a> {
    pub(crate) protocol: u8,
    /// For a fragment, where what it carries belongs in that of the whole packet; behind anything
    /// but 0 no header is known.
    pub(crate) fragment_offset: usize,
    pub(crate) payload: &'a [u8],
}

impl<'a> Carried<'a> {
    pub(crate) fn parse(packet: &'a [u8]) -> Option<Carried<'a>> {
        if packet.first()? >> 4 == 4 {
            let ip = Ipv4Header::parse(packet)?;
            let payload = packet.get(ip.header_len..)?;
            return Some(Carried { protocol: ip.protocol, fragment_offset: ip.offset, payload });
        }
        let mut protocol = *packet.get(6)?;
        let mut payload = packet.get(IPV6_HEADER..)?;
        let mut fragment_offset = 0;
        while fragment_offset == 0 {
            let len = match protocol {
                protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => {
                    8 + usize::from(*payload.get(1)?) * 8
                }
                protocol::FRAGMENT => {
                    fragment_offset = FragmentHeader::split_from(payload)?.0.offset;
                    FRAGMENT_HEADER
                }
                _ => break,
            };
            protocol = *payload.first()?;
            payload = payload.get(len..)?;
        }
        Some(Carried { protocol, fragment_offset, payload })
    }
}

/// The protocol of what a packet carries, whole or in part, behind IPv6's extension headers.
pub(crate) fn carried_protocol(packet: &[u8]) -> Option<u8> {
    Carried::parse(packet).map(|carried| carried.protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fragment::{split_ipv4, split_ipv6};

    fn packet(ends: [&str; 2], len: usize) -> Vec<u8> {
        let [source, destination] = ends.map(|end| end.parse().unwrap());
        let protocol = protocol::UDP;
        let header = IpHeader { source, destination, protocol, hop_limit: 64, traffic_class: 0 };
        let frame = write_packet(&header, &vec![5; len], false, &mut FramePool::default());
        frame.packet().to_vec()
    }

    #[test]
    fn the_beginning_of_a_packet_tells_what_it_is() {
        for ends in [["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]] {
            let packet = packet(ends, 100);
            let headers = packet.len() - 100;
            let excerpt = Excerpt::parse(&packet[..headers + 30]).unwrap();
            let IpHeader { source, destination, protocol, .. } = excerpt.header;
            assert_eq!([source.to_string(), destination.to_string()], ends);
            assert_eq!((protocol, excerpt.payload.len()), (protocol::UDP, 30));
            assert_eq!(excerpt.fragment_offset, None);
            for len in 0..headers {
                assert!(Excerpt::parse(&packet[..len]).is_none(), "of {len} bytes");
            }
        }
    }

    #[test]
    fn a_fragment_tells_where_it_belongs_and_what_the_whole_carries() {
        let (v4, v6) =
            (packet(["10.0.0.1", "10.0.0.2"], 1000), packet(["fd00::1", "fd00::2"], 1000));
        let v4: Vec<_> = split_ipv4(&v4, 596).unwrap().map(|piece| piece.to_vec()).collect();
        let v6: Vec<_> = split_ipv6(&v6, 624, 7).unwrap().map(|piece| piece.to_vec()).collect();
        for pieces in [v4, v6] {
            let told = pieces.iter().map(|piece| {
                let excerpt = Excerpt::parse(piece).unwrap();
                assert_eq!(excerpt.header.protocol, protocol::UDP);
                excerpt.fragment_offset
            });
            assert_eq!(told.collect::<Vec<_>>(), [Some(0), Some(576)]);
        }
    }
}
