//! Packets in: which are for this host, and for what of it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use smoltcp::wire::{Ipv4Packet, Ipv6Packet};

use super::Ip;
use super::fragment::{Fragment, Whole};
use super::icmp::{IcmpError, Reported};
use super::route::InterfaceId;
use crate::host::context::Ctx;
use crate::host::packet::IpPacket;
use crate::wire::frame::FrameBuffer;
use crate::wire::ip::{IPV6_HEADER, IpHeader, protocol, to_v6};
use crate::wire::ipv6::ALL_NODES;
use crate::wire::ndp::is_ndp;

/// What a packet is for.
pub(in crate::host) enum Delivery<'p> {
    /// It is dealt with, or dropped.
    Done,
    /// A packet with a TCP segment and no extension headers; nothing of it is verified.
    Segment(Cow<'p, [u8]>),
    Udp(IpPacket<'p>),
    Icmp(IpPacket<'p>, IcmpInput),
    /// The last fragment that was missing: the packet is yet to be received.
    Reassembled(Whole),
}

/// What an ICMP message is, apart from something for raw sockets to see.
pub(in crate::host) enum IcmpInput {
    EchoReply,
    /// Something is wrong with a packet that this host sent.
    Error(Reported),
    /// Nothing, or the host has answered it.
    Other,
}

/// Whether a packet holds a whole TCP segment behind an ordinary header, as most do: it is judged
/// when its connection is known.
#[inline]
pub(in crate::host) fn is_plain_segment(packet: &[u8]) -> bool {
    matches!(
        packet,
        [0x45, _, _, _, _, _, 0 | 0x40, 0, _, protocol::TCP, ..]
            | [0x60..=0x6f, _, _, _, _, _, protocol::TCP, ..]
    )
}

impl Ip {
    /// Takes in an IP packet, from the link of an interface or, by `lo`, from this host itself.
    pub(in crate::host) fn receive<'p>(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: InterfaceId,
        packet: &'p [u8],
        intact: bool,
    ) -> Delivery<'p> {
        match packet.first().map(|first| first >> 4) {
            Some(4) => self.receive_v4(ctx, from, packet, intact),
            Some(6) => self.receive_v6(ctx, from, packet, intact),
            _ => {
                ctx.counters.ip_header_errors += 1;
                Delivery::Done
            }
        }
    }

    fn receive_v4<'p>(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: InterfaceId,
        packet: &'p [u8],
        intact: bool,
    ) -> Delivery<'p> {
        let Ok(ip) = Ipv4Packet::new_checked(packet) else {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        };
        let header = IpHeader {
            source: ip.src_addr().into(),
            destination: ip.dst_addr().into(),
            protocol: ip.next_header().into(),
            hop_limit: ip.hop_limit(),
            traffic_class: ip.dscp() << 2 | ip.ecn(),
        };
        if !self.is_acceptable(&header, from) {
            ctx.counters.ip_address_errors += 1;
            return Delivery::Done;
        }
        if ip.more_frags() || ip.frag_offset() != 0 {
            if intact || ip.verify_checksum() {
                return self.receive_fragment(ctx, packet, intact);
            }
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        }
        if header.protocol == protocol::TCP {
            // Its checksums are verified together.
            return Delivery::Segment(Cow::Borrowed(packet));
        }
        if !intact && !ip.verify_checksum() {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        }
        // What follows the packet in its frame is padding.
        let packet = &packet[..usize::from(ip.total_len())];
        let packet = IpPacket { header, payload: ip.payload(), whole: packet, intact };
        self.receive_whole(ctx, from, packet)
    }

    fn receive_v6<'p>(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: InterfaceId,
        packet: &'p [u8],
        intact: bool,
    ) -> Delivery<'p> {
        let Ok(ip) = Ipv6Packet::new_checked(packet) else {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        };
        let mut header = IpHeader {
            source: ip.src_addr().into(),
            destination: ip.dst_addr().into(),
            protocol: ip.next_header().into(),
            hop_limit: ip.hop_limit(),
            traffic_class: ip.traffic_class(),
        };
        if !self.is_acceptable(&header, from) {
            ctx.counters.ip_address_errors += 1;
            return Delivery::Done;
        }
        let packet = &packet[..ip.total_len()];
        let mut payload = &packet[IPV6_HEADER..];
        while let protocol::HOP_BY_HOP
        | protocol::ROUTING
        | protocol::DESTINATION_OPTIONS
        | protocol::FRAGMENT = header.protocol
        {
            if header.protocol == protocol::FRAGMENT {
                return self.receive_fragment(ctx, packet, intact);
            }
            let [next, eighths, _, segments_left, ..] = *payload else {
                ctx.counters.ip_header_errors += 1;
                return Delivery::Done;
            };
            // RFC 8200 4.4 and 4.2: the way on, and options that must be understood, are not for
            // a host that knows none.
            let is_way_on = header.protocol == protocol::ROUTING && segments_left != 0;
            let Some((options, rest)) = payload.split_at_checked((usize::from(eighths) + 1) * 8)
            else {
                ctx.counters.ip_header_errors += 1;
                return Delivery::Done;
            };
            if is_way_on
                || (header.protocol != protocol::ROUTING && !may_skip_options(&options[2..]))
            {
                ctx.counters.ip_header_errors += 1;
                return Delivery::Done;
            }
            header.protocol = next;
            payload = rest;
        }
        if header.protocol == protocol::TCP {
            // The engine knows no extension headers.
            let mut plain = packet[..IPV6_HEADER].to_vec();
            plain.extend(payload);
            header.write(&mut plain, true);
            return Delivery::Segment(Cow::Owned(plain));
        }
        if header.protocol == protocol::ICMPV6 && is_ndp(payload) {
            let ends = (to_v6(header.source), to_v6(header.destination));
            let link = self.link_of(from, &header);
            self.interface_mut(link).receive_ndp(ctx, ends, header.hop_limit, payload);
            return Delivery::Done;
        }
        self.receive_whole(ctx, from, IpPacket { header, payload, whole: packet, intact })
    }

    fn receive_fragment<'p>(
        &mut self,
        ctx: &mut Ctx<'_>,
        packet: &[u8],
        intact: bool,
    ) -> Delivery<'p> {
        let Some(fragment) = Fragment::parse(packet) else {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        };
        let Some(whole) = self.reassembler.add(ctx.now, &fragment, intact) else {
            return Delivery::Done;
        };
        // A fragment within a fragment has no honest sender.
        if Fragment::parse(&whole.packet).is_some() {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        }
        Delivery::Reassembled(whole)
    }

    /// Whether a packet is for this host, and may be: RFC 1122 3.2.1.3, RFC 4291 2.5.3.
    fn is_acceptable(&self, header: &IpHeader, from: InterfaceId) -> bool {
        let (to, from_outside) = (header.destination, from != InterfaceId::LOOPBACK);
        if header.source.is_multicast() || self.is_broadcast(header.source) {
            return false;
        }
        if from_outside && (to.is_loopback() || self.is_own(header.source)) {
            return false;
        }
        self.is_own(to) || self.is_broadcast(to) || (to.is_multicast() && self.hears(to))
    }

    /// Whether an interface would let a frame in that is for many.
    pub(in crate::host) fn listens_to(&self, frame: &FrameBuffer) -> bool {
        let packet = frame.packet();
        let to = match packet.first().map(|first| first >> 4) {
            Some(4) => Ipv4Packet::new_checked(packet).map(|ip| IpAddr::V4(ip.dst_addr())),
            Some(6) => Ipv6Packet::new_checked(packet).map(|ip| IpAddr::V6(ip.dst_addr())),
            _ => return false,
        };
        to.is_ok_and(|to| !to.is_multicast() || self.hears(to))
    }

    /// Whether the host listens to a group.
    fn hears(&self, group: IpAddr) -> bool {
        match group {
            IpAddr::V4(group) if group.octets() == [224, 0, 0, 1] => true,
            IpAddr::V6(group) if group == ALL_NODES || self.is_solicited_node(group) => true,
            group => self.interfaces.iter().any(|interface| interface.is_member(group)),
        }
    }

    /// The link on which a packet is heard: what this host sends to a group it hears on the link to
    /// which it was sent.
    pub(super) fn link_of(&self, from: InterfaceId, header: &IpHeader) -> InterfaceId {
        if from == InterfaceId::LOOPBACK {
            self.link_of_many(Some(header.source), header.destination)
        } else {
            from
        }
    }

    fn is_solicited_node(&self, group: Ipv6Addr) -> bool {
        self.interfaces.iter().any(|interface| interface.addresses().is_solicited_node(group))
    }

    fn receive_whole<'p>(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: InterfaceId,
        packet: IpPacket<'p>,
    ) -> Delivery<'p> {
        match (packet.header.protocol, packet.header.destination) {
            (protocol::UDP, _) => return Delivery::Udp(packet),
            (protocol::ICMP, IpAddr::V4(_)) | (protocol::ICMPV6, IpAddr::V6(_)) => {
                return self.receive_icmp(ctx, from, packet);
            }
            (protocol::IGMP, IpAddr::V4(_)) => {
                let link = self.link_of(from, &packet.header);
                self.interface_mut(link).receive_igmp(ctx, &packet);
            }
            (protocol::IGMP | protocol::NO_NEXT_HEADER, _) => {}
            _ => {
                ctx.counters.unknown_protocols += 1;
                self.send_icmp_error(ctx, IcmpError::ProtocolUnreachable, packet.whole);
            }
        }
        Delivery::Done
    }
}

/// Whether a host that knows no option may go on to the next header: RFC 8200 4.2.
fn may_skip_options(mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        if *kind == 0 {
            options = rest;
            continue;
        }
        let Some(len) = rest.first() else { return false };
        // The two highest bits say what to do with one that is not known; router alert is.
        if kind >> 6 != 0 && *kind != 5 {
            return false;
        }
        let Some(rest) = rest.get(1 + usize::from(*len)..) else { return false };
        options = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_must_be_understood_stop_a_packet() {
        assert!(may_skip_options(&[1, 4, 0, 0, 0, 0]));
        assert!(may_skip_options(&[5, 2, 0, 0, 0, 0]));
        assert!(!may_skip_options(&[0xc2, 4, 0, 0, 0, 0]));
        assert!(!may_skip_options(&[1, 9, 0]));
        assert!(may_skip_options(&[0, 0, 0, 0, 0, 0]));
    }
}
