//! Packets in: which are for this host, and for what of it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use super::Ip;
use super::delivery::Delivery;
use super::routes::InterfaceId;
use crate::host::context::Ctx;
use crate::host::packet::IpPacket;
use crate::wire::checksum::Checksum;
use crate::wire::fragment::Fragment;
use crate::wire::frame::FrameBuffer;
use crate::wire::icmp::IcmpError;
use crate::wire::ip::{IPV6_HEADER, IpHeader, protocol, to_v6};
use crate::wire::ipv4::{ALL_SYSTEMS, Ipv4Header};
use crate::wire::ipv6::{ALL_NODES, Ipv6Header, skip_extensions};
use crate::wire::ndp::is_ndp;

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
        checksum: Checksum,
    ) -> Delivery<'p> {
        match packet.first().map(|first| first >> 4) {
            Some(4) => self.receive_v4(ctx, from, packet, checksum),
            Some(6) => self.receive_v6(ctx, from, packet, checksum),
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
        checksum: Checksum,
    ) -> Delivery<'p> {
        let Some(ip) = Ipv4Header::of_whole(packet) else {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        };
        let header = ip.common();
        if !self.is_acceptable(&header, from) {
            ctx.counters.ip_address_errors += 1;
            return Delivery::Done;
        }
        let is_sound = checksum.is_trusted() || ip.has_good_checksum(packet);
        if ip.is_fragment() {
            if is_sound {
                return self.receive_fragment(ctx, packet, checksum);
            }
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        }
        if header.protocol == protocol::TCP {
            // Its checksums are verified together.
            return Delivery::Segment(Cow::Borrowed(packet));
        }
        if !is_sound {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        }
        // What follows the packet in its frame is padding.
        let whole = &packet[..ip.total_len];
        let packet = IpPacket { header, payload: &whole[ip.header_len..], whole, checksum };
        self.receive_whole(ctx, from, packet)
    }

    fn receive_v6<'p>(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: InterfaceId,
        packet: &'p [u8],
        checksum: Checksum,
    ) -> Delivery<'p> {
        let Some((ip, payload)) = Ipv6Header::of_whole(packet) else {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        };
        let mut header = ip.common();
        if !self.is_acceptable(&header, from) {
            ctx.counters.ip_address_errors += 1;
            return Delivery::Done;
        }
        let packet = &packet[..IPV6_HEADER + payload.len()];
        let Some((protocol, payload)) = skip_extensions(header.protocol, payload) else {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        };
        header.protocol = protocol;
        if header.protocol == protocol::FRAGMENT {
            return self.receive_fragment(ctx, packet, checksum);
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
        self.receive_whole(ctx, from, IpPacket { header, payload, whole: packet, checksum })
    }

    fn receive_fragment<'p>(
        &mut self,
        ctx: &mut Ctx<'_>,
        packet: &[u8],
        checksum: Checksum,
    ) -> Delivery<'p> {
        let Some(fragment) = Fragment::parse(packet) else {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        };
        let Some(whole) = self.reassembler.add(ctx.now, &fragment, checksum) else {
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
            Some(4) => Ipv4Header::of_whole(packet).map(|ip| IpAddr::V4(ip.destination)),
            Some(6) => Ipv6Header::of_whole(packet).map(|(ip, _)| IpAddr::V6(ip.destination)),
            _ => return false,
        };
        to.is_some_and(|to| !to.is_multicast() || self.hears(to))
    }

    /// Whether the host listens to a group.
    fn hears(&self, group: IpAddr) -> bool {
        match group {
            IpAddr::V4(ALL_SYSTEMS) => true,
            IpAddr::V6(ALL_NODES) => true,
            IpAddr::V6(group) if self.is_solicited_node(group) => true,
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
        // `lo` has no neighbours, and so no solicited-node groups.
        self.links().any(|id| self.interface(id).addresses().is_solicited_node(group))
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
