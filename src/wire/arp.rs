//! ARP for Ethernet and IPv4 (RFC 826).

use std::net::Ipv4Addr;

use super::ethernet::ETHERNET_HEADER;
use super::ethernet::{BROADCAST, ETHERTYPE_ARP, Mac, is_group, show_mac, write_ethernet_header};
use super::frame::{FrameBuffer, FramePool};

const LEN: usize = 28;
pub(crate) const REQUEST: u8 = 1;
pub(crate) const REPLY: u8 = 2;
/// Hardware type Ethernet, protocol type IPv4, lengths 6 and 4.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// An ARP packet.
pub(crate) struct Arp {
    pub(crate) operation: u8,
    pub(crate) sender_mac: Mac,
    pub(crate) sender_address: Ipv4Addr,
    pub(crate) target_mac: Mac,
    pub(crate) target_address: Ipv4Addr,
}

impl Arp {
    pub(crate) fn parse(packet: &[u8]) -> Option<Arp> {
        let packet: &[u8; LEN] = packet.first_chunk()?;
        if packet[..6] != ETHERNET_IPV4 || packet[6] != 0 {
            return None;
        }
        let mac = |at: usize| std::array::from_fn(|octet| packet[at + octet]);
        let address =
            |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
        let arp = Arp {
            operation: packet[7],
            sender_mac: mac(8),
            sender_address: address(14),
            target_mac: mac(18),
            target_address: address(24),
        };
        // A group address is nobody's own: such a sender would poison the table.
        (!is_group(arp.sender_mac) && matches!(arp.operation, REQUEST | REPLY)).then_some(arp)
    }

    pub(crate) fn write(&self, to: Mac, pool: &mut FramePool) -> FrameBuffer {
        let mut frame = pool.take(ETHERNET_HEADER + LEN);
        write_ethernet_header(frame.bytes_mut(), to, self.sender_mac, ETHERTYPE_ARP);
        let packet = frame.packet_mut();
        packet[..6].copy_from_slice(&ETHERNET_IPV4);
        packet[6..8].copy_from_slice(&[0, self.operation]);
        packet[8..14].copy_from_slice(&self.sender_mac);
        packet[14..18].copy_from_slice(&self.sender_address.octets());
        packet[18..24].copy_from_slice(&self.target_mac);
        packet[24..28].copy_from_slice(&self.target_address.octets());
        frame
    }
}

/// An ARP packet in words, for people.
pub(crate) fn describe_arp(packet: &[u8]) -> Option<String> {
    let Arp { operation, sender_mac, sender_address, target_address, .. } = Arp::parse(packet)?;
    Some(match operation {
        REQUEST => format!("ARP who has {target_address} tell {sender_address}"),
        _ => format!("ARP reply {sender_address} is at {}", show_mac(sender_mac)),
    })
}

/// Who an ARP packet asks for, or answers: what a LAN needs to hand a broadcast to its target.
pub(crate) fn arp_target(packet: &[u8]) -> Option<Ipv4Addr> {
    Arp::parse(packet).map(|arp| arp.target_address)
}

/// Asks whether anybody has `address`, as one who has none yet: RFC 5227 2.1.1.
pub(crate) fn arp_probe(mac: Mac, address: Ipv4Addr, pool: &mut FramePool) -> FrameBuffer {
    ask_everybody(mac, Ipv4Addr::UNSPECIFIED, address, pool)
}

/// Tells everybody who has `address`: RFC 5227 2.3.
pub(crate) fn arp_announcement(mac: Mac, address: Ipv4Addr, pool: &mut FramePool) -> FrameBuffer {
    ask_everybody(mac, address, address, pool)
}

fn ask_everybody(
    sender_mac: Mac,
    sender_address: Ipv4Addr,
    target_address: Ipv4Addr,
    pool: &mut FramePool,
) -> FrameBuffer {
    let target_mac = [0; 6];
    Arp { operation: REQUEST, sender_mac, sender_address, target_mac, target_address }
        .write(BROADCAST, pool)
}

/// Who an ARP packet says has which address.
pub(crate) fn arp_sender(packet: &[u8]) -> Option<(Mac, Ipv4Addr)> {
    Arp::parse(packet).map(|arp| (arp.sender_mac, arp.sender_address))
}
