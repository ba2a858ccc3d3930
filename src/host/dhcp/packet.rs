//! The frames that DHCP messages travel in: Ethernet, IPv4 and UDP, built and read without a
//! host's stack, which has no address yet.

use std::net::Ipv4Addr;

use crate::wire::arp::{arp_announcement, arp_probe};
use crate::wire::ethernet::{
    BROADCAST, ETHERTYPE_IPV4, EthernetHeader, Mac, write_ethernet_header,
};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::{IpHeader, protocol};
use crate::wire::ipv4::Ipv4Header;
use crate::wire::packet::write_packet;
use crate::wire::udp::{UdpDatagram, udp_payload};

/// RFC 2131 4.1.
const DHCP_SERVER_PORT: u16 = 67;
const DHCP_CLIENT_PORT: u16 = 68;

const TIME_TO_LIVE: u8 = 64;

/// Something that a client wants to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DhcpSend {
    /// A message, to port 67.
    Message { bytes: Vec<u8>, source: Ipv4Addr, destination: Ipv4Addr, to: Mac },
    /// Whether anybody has an address (RFC 5227 2.1.1).
    Probe(Ipv4Addr),
    /// That this host has it (RFC 5227 2.3).
    Announcement(Ipv4Addr),
}

impl DhcpSend {
    /// The frame, from a host with this Ethernet address.
    pub(crate) fn frame(&self, mac: Mac, pool: &mut FramePool) -> FrameBuffer {
        let (bytes, source, destination, to) = match self {
            DhcpSend::Message { bytes, source, destination, to } => {
                (bytes, *source, *destination, *to)
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
        let datagram = udp_payload(&header, DHCP_CLIENT_PORT, DHCP_SERVER_PORT, bytes);
        let mut frame = write_packet(&header, &datagram, false, pool);
        write_ethernet_header(frame.bytes_mut(), to, mac, ETHERTYPE_IPV4);
        frame
    }
}

/// The message within a frame to port 68 of the host with the Ethernet address `mac`, or of
/// everybody, and the Ethernet address that it comes from. `None` for any other frame, and for one
/// that is damaged.
pub(crate) fn dhcp_message(frame: &FrameBuffer, mac: Mac) -> Option<(&[u8], Mac)> {
    let (ethernet, packet) = EthernetHeader::split_from(frame.bytes())?;
    let is_for_us = [mac, BROADCAST].contains(&ethernet.destination);
    if !is_for_us || ethernet.ethertype != ETHERTYPE_IPV4 {
        return None;
    }
    let checksum = frame.checksum();
    let ip = Ipv4Header::of_whole(packet)?;
    let is_sound = checksum.is_trusted() || ip.has_good_checksum(packet);
    if ip.protocol != protocol::UDP || ip.is_fragment() || !is_sound {
        return None;
    }
    let udp = UdpDatagram::parse(&ip.common(), &packet[ip.header_len..ip.total_len], checksum)?;
    let is_from_server =
        udp.source_port == DHCP_SERVER_PORT && udp.destination_port == DHCP_CLIENT_PORT;
    is_from_server.then_some((udp.payload, ethernet.source))
}
