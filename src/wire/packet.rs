//! Packets of either version.

use super::ethernet::ETHERNET_HEADER;
use super::frame::{FrameBuffer, FramePool};
use super::ip::{IpHeader, protocol};
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
