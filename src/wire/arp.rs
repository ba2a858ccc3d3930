//! ARP for Ethernet and IPv4 (RFC 826).

use std::fmt;
use std::net::Ipv4Addr;

use super::ethernet::{
    BROADCAST, ETHERNET_HEADER, ETHERTYPE_ARP, EthernetHeader, Mac, is_group, show_mac,
    write_ethernet_header,
};
use super::frame::{FrameBuffer, FramePool};

const LEN: usize = 28;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
/// Hardware type Ethernet, protocol type IPv4, lengths 6 and 4.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// An ARP packet, which asks for the Ethernet address of an IPv4 address, or tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArpPacket {
    /// Whether it is a reply, and no request.
    pub is_reply: bool,
    /// The address of the host that sends it; unspecified if that has none yet.
    pub sender: Ipv4Addr,
    /// The Ethernet address of that host.
    pub sender_mac: [u8; 6],
    /// The address that is asked for; in a reply, that of the host that asked.
    pub target: Ipv4Addr,
    /// The Ethernet address of the host that asked; says nothing in a request.
    pub target_mac: [u8; 6],
}

impl ArpPacket {
    /// Reads an Ethernet frame; `None` when it holds no ARP packet for IPv4, or one that no host
    /// can have sent.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<ArpPacket> {
        let (ethernet, packet) = EthernetHeader::split_from(frame)?;
        if ethernet.ethertype != ETHERTYPE_ARP {
            return None;
        }
        ArpPacket::of_packet(packet)
    }

    /// Reads what follows an Ethernet header.
    pub(crate) fn of_packet(packet: &[u8]) -> Option<ArpPacket> {
        let packet: &[u8; LEN] = packet.first_chunk()?;
        if packet[..6] != ETHERNET_IPV4 || packet[6] != 0 {
            return None;
        }
        let mac = |at: usize| std::array::from_fn(|byte| packet[at + byte]);
        let address =
            |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
        let arp = ArpPacket {
            is_reply: packet[7] == REPLY,
            sender_mac: mac(8),
            sender: address(14),
            target_mac: mac(18),
            target: address(24),
        };
        // A group address is nobody's own: such a sender would poison the table.
        (!is_group(arp.sender_mac) && matches!(packet[7], REQUEST | REPLY)).then_some(arp)
    }

    /// A request for the Ethernet address of `target`.
    #[must_use]
    pub fn request(sender_mac: [u8; 6], sender: Ipv4Addr, target: Ipv4Addr) -> ArpPacket {
        ArpPacket { is_reply: false, sender, sender_mac, target, target_mac: [0; 6] }
    }

    /// A reply that tells `target` the Ethernet address of `sender`.
    #[must_use]
    pub fn reply(
        sender_mac: [u8; 6],
        sender: Ipv4Addr,
        target_mac: [u8; 6],
        target: Ipv4Addr,
    ) -> ArpPacket {
        ArpPacket { is_reply: true, sender, sender_mac, target, target_mac }
    }

    /// The packet as it stands on the wire, behind an Ethernet header.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 28] {
        let mut packet = [0; LEN];
        packet[..6].copy_from_slice(&ETHERNET_IPV4);
        packet[6..8].copy_from_slice(&[0, if self.is_reply { REPLY } else { REQUEST }]);
        packet[8..14].copy_from_slice(&self.sender_mac);
        packet[14..18].copy_from_slice(&self.sender.octets());
        packet[18..24].copy_from_slice(&self.target_mac);
        packet[24..28].copy_from_slice(&self.target.octets());
        packet
    }

    /// Answers a request for `address`.
    pub(crate) fn reply_from(&self, mac: Mac, address: Ipv4Addr) -> ArpPacket {
        ArpPacket::reply(mac, address, self.sender_mac, self.sender)
    }

    pub(crate) fn write(&self, to: Mac, pool: &mut FramePool) -> FrameBuffer {
        let mut frame = pool.take(ETHERNET_HEADER + LEN);
        write_ethernet_header(frame.bytes_mut(), to, self.sender_mac, ETHERTYPE_ARP);
        frame.packet_mut().copy_from_slice(&self.to_bytes());
        frame
    }
}

/// One line, without the Ethernet address of whoever asks.
impl fmt::Display for ArpPacket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ArpPacket { is_reply, sender, sender_mac, target, .. } = *self;
        if is_reply {
            write!(formatter, "ARP reply {sender} is at {}", show_mac(sender_mac))
        } else {
            write!(formatter, "ARP who has {target} tell {sender}")
        }
    }
}

/// Whom an ARP packet asks for, or answers: what a LAN needs to hand a broadcast to its target.
pub(crate) fn arp_target(packet: &[u8]) -> Option<Ipv4Addr> {
    ArpPacket::of_packet(packet).map(|arp| arp.target)
}

/// Who an ARP packet says has which address.
pub(crate) fn arp_sender(packet: &[u8]) -> Option<(Mac, Ipv4Addr)> {
    ArpPacket::of_packet(packet).map(|arp| (arp.sender_mac, arp.sender))
}

/// Asks whether anybody has `address`, as one who has none yet: RFC 5227 2.1.1.
pub(crate) fn arp_probe(mac: Mac, address: Ipv4Addr, pool: &mut FramePool) -> FrameBuffer {
    ArpPacket::request(mac, Ipv4Addr::UNSPECIFIED, address).write(BROADCAST, pool)
}

/// Tells everybody who has `address`: RFC 5227 2.3.
pub(crate) fn arp_announcement(mac: Mac, address: Ipv4Addr, pool: &mut FramePool) -> FrameBuffer {
    ArpPacket::request(mac, address, address).write(BROADCAST, pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 1];
    const ASKER: Mac = [2, 0, 0, 0, 0, 2];

    #[test]
    fn what_is_written_reads_back() {
        let (ours, asker) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let request = ArpPacket::request(ASKER, asker, ours);
        let reply = request.reply_from(MAC, ours);
        assert_eq!((reply.target, reply.target_mac), (asker, ASKER));
        for arp in [request, reply] {
            let frame = arp.write(BROADCAST, &mut FramePool::default());
            assert_eq!(ArpPacket::parse(frame.bytes()), Some(arp));
            for len in 0..frame.len() {
                assert_eq!(ArpPacket::parse(&frame.bytes()[..len]), None, "of {len} bytes");
            }
        }
        assert_eq!(request.to_string(), "ARP who has 10.0.0.1 tell 10.0.0.2");
        assert_eq!(reply.to_string(), "ARP reply 10.0.0.1 is at 02:00:00:00:00:01");
    }

    #[test]
    fn what_no_host_sends_is_not_read() {
        let frame = arp_probe(MAC, [10, 0, 0, 1].into(), &mut FramePool::default());
        for (at, byte, what) in [
            (13, 0, "IPv4"),
            (15, 6, "another kind of network"),
            (18, 8, "longer addresses"),
            (21, 3, "reverse ARP"),
            (22, 1, "a group as sender"),
        ] {
            let mut bytes = frame.bytes().to_vec();
            bytes[at] = byte;
            assert_eq!(ArpPacket::parse(&bytes), None, "{what}");
        }
    }
}
