//! The frames that DHCP messages travel in: Ethernet, IPv4 and UDP, built and read without a
//! host's stack, which has no address yet.

use std::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::{Ipv4Packet, UdpPacket};

use super::super::ip::write_packet;
use super::super::udp::udp_payload;
use crate::wire::arp::{arp_announcement, arp_probe};
use crate::wire::checksum::transport_checksum;
use crate::wire::ethernet::{BROADCAST, ETHERTYPE_IPV4, Mac, write_ethernet_header};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::{IpHeader, protocol};

/// RFC 2131 4.1.
const DHCP_SERVER_PORT: u16 = 67;
const DHCP_CLIENT_PORT: u16 = 68;

const TIME_TO_LIVE: u8 = 64;

/// Something that a client wants to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DhcpSend {
    /// A message, to port 67.
    Message { octets: Vec<u8>, source: Ipv4Addr, destination: Ipv4Addr, to: Mac },
    /// Whether anybody has an address (RFC 5227 2.1.1).
    Probe(Ipv4Addr),
    /// That this host has it (RFC 5227 2.3).
    Announcement(Ipv4Addr),
}

impl DhcpSend {
    /// The frame, from a host with this Ethernet address.
    pub(crate) fn frame(&self, mac: Mac, pool: &mut FramePool) -> FrameBuffer {
        let (octets, source, destination, to) = match self {
            DhcpSend::Message { octets, source, destination, to } => {
                (octets, *source, *destination, *to)
            }
            DhcpSend::Probe(address) => return arp_probe(mac, *address, pool),
            DhcpSend::Announcement(address) => return arp_announcement(mac, *address, pool),
        };
        let header = IpHeader {
            source: source.into(),
            destination: destination.into(),
            protocol: protocol::UDP,
            hop_limit: TIME_TO_LIVE,
            traffic_class: 0,
        };
        let datagram = udp_payload(&header, DHCP_CLIENT_PORT, DHCP_SERVER_PORT, octets);
        let mut frame = write_packet(&header, &datagram, false, pool);
        write_ethernet_header(frame.bytes_mut(), to, mac, ETHERTYPE_IPV4);
        frame
    }
}

/// The message within a frame to port 68 of the host with the Ethernet address `mac`, or of
/// everybody, and the Ethernet address that it comes from. `None` for any other frame, and for one
/// that is damaged.
pub(crate) fn dhcp_message(frame: &FrameBuffer, mac: Mac) -> Option<(&[u8], Mac)> {
    let (to, rest) = frame.bytes().split_first_chunk::<6>()?;
    let (from, rest) = rest.split_first_chunk::<6>()?;
    if (*to != mac && *to != BROADCAST) || !rest.starts_with(&ETHERTYPE_IPV4) {
        return None;
    }
    let ip = Ipv4Packet::new_checked(frame.packet()).ok()?;
    let is_fragment = ip.more_frags() || ip.frag_offset() != 0;
    let is_udp = u8::from(ip.next_header()) == protocol::UDP;
    if ip.version() != 4 || !is_udp || is_fragment {
        return None;
    }
    let datagram = frame.packet().get(usize::from(ip.header_len())..usize::from(ip.total_len()))?;
    let udp = UdpPacket::new_checked(datagram).ok()?;
    if udp.dst_port() != DHCP_CLIENT_PORT || udp.src_port() != DHCP_SERVER_PORT {
        return None;
    }
    let datagram = datagram.get(..usize::from(udp.len()))?;
    if !frame.is_intact() {
        let (source, destination): (IpAddr, IpAddr) = (ip.src_addr().into(), ip.dst_addr().into());
        let is_sound = udp.checksum() == 0
            || transport_checksum(source, destination, protocol::UDP, datagram) == 0;
        if !ip.verify_checksum() || !is_sound {
            return None;
        }
    }
    datagram.get(8..).map(|message| (message, *from))
}
