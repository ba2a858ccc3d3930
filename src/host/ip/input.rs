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
use crate::wire::icmp::{IcmpError, has_good_checksum};
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER, IpHeader, protocol, to_v6};
use crate::wire::ipv4::{ALL_SYSTEMS, Ipv4Header};
use crate::wire::ipv4_options::{OptionFault, check_options};
use crate::wire::ipv6::{ALL_NODES, Ipv6Header};
use crate::wire::ipv6_extensions::{ExtensionFault, skip_extensions};
use crate::wire::ndp::{is_ndp, is_ndp_packet};

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

/// Where a packet is for that is there whole.
fn destination_of(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Ipv4Header::of_whole(packet).map(|ip| IpAddr::V4(ip.destination)),
        6 => Ipv6Header::of_whole(packet).map(|(ip, _)| IpAddr::V6(ip.destination)),
        _ => None,
    }
}

/// Whether a packet may come from a host that has no address yet, as Linux's `ip_route_input_slow`
/// and `ip_mc_validate_source` decide.
fn may_have_no_source(header: &IpHeader) -> bool {
    match (header.source, header.destination) {
        (IpAddr::V4(_), IpAddr::V4(to)) => {
            let is_of_link = matches!(to.octets(), [224, 0, 0, _]);
            to.is_broadcast() || is_of_link || header.protocol == protocol::IGMP
        }
        (source, _) => source.is_unspecified(),
    }
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
        // What follows the packet in its frame is padding.
        let whole = &packet[..ip.total_len];
        if !is_sound || (ip.header_len > IPV4_HEADER && !self.admits_options(ctx, &ip, whole)) {
            ctx.counters.ip_header_errors += 1;
            return Delivery::Done;
        }
        if ip.is_fragment() {
            return self.receive_fragment(ctx, packet, checksum);
        }
        if header.protocol == protocol::TCP {
            return Delivery::Segment(Cow::Borrowed(packet));
        }
        let packet = IpPacket { header, payload: &whole[ip.header_len..], whole, checksum };
        self.receive_whole(ctx, from, packet, 0)
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
        if !self.interface(from).has_v6() || !self.is_acceptable(&header, from) {
            ctx.counters.ip_address_errors += 1;
            return Delivery::Done;
        }
        let packet = &packet[..IPV6_HEADER + payload.len()];
        let upper = match skip_extensions(packet, header.destination.is_multicast()) {
            Ok(upper) => upper,
            Err(fault) => {
                ctx.counters.ip_header_errors += 1;
                if let ExtensionFault::Problem(problem) = fault {
                    self.send_icmp_error(ctx, IcmpError::ParameterProblemV6(problem), packet);
                }
                return Delivery::Done;
            }
        };
        let payload = &packet[upper.at..];
        header.protocol = upper.protocol;
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
            ctx.mib.ip.v6.in_delivers += 1;
            ctx.mib.icmp.v6.in_messages += 1;
            if has_good_checksum(header.source, header.destination, payload) {
                ctx.mib.icmp.v6.count_in(payload);
            }
            let link = self.link_of(from, &header);
            self.interface_mut(link).receive_ndp(ctx, ends, header.hop_limit, payload);
            return Delivery::Done;
        }
        let packet = IpPacket { header, payload, whole: packet, checksum };
        self.receive_whole(ctx, from, packet, upper.told_at)
    }

    /// Whether the options of an IPv4 header may be there; who sends what makes no sense is told.
    #[cold]
    fn admits_options(&mut self, ctx: &mut Ctx<'_>, ip: &Ipv4Header, packet: &[u8]) -> bool {
        match check_options(&packet[..ip.header_len]) {
            Ok(()) => true,
            Err(OptionFault::SourceRoute) => false,
            Err(OptionFault::Malformed(pointer)) => {
                self.send_icmp_error(ctx, IcmpError::ParameterProblemV4 { pointer }, packet);
                false
            }
        }
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
        if let Some(problem) = fragment.problem() {
            self.reassembler.refuse(&fragment);
            self.send_icmp_error(ctx, IcmpError::ParameterProblemV6(problem), packet);
            return Delivery::Done;
        }
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
        if !self.may_answer(header.source) && !may_have_no_source(header) {
            return false;
        }
        self.is_own(to) || self.is_broadcast(to) || (to.is_multicast() && self.hears(to))
    }

    /// Whether an address can be that of who sent a packet, and wants an answer.
    pub(in crate::host) fn may_answer(&self, source: IpAddr) -> bool {
        let is_of_a_host = match source {
            // RFC 1122 3.2.1.3: this network.
            IpAddr::V4(source) => source.octets()[0] != 0,
            // RFC 4038 4.2: never on a wire.
            IpAddr::V6(source) => source.to_ipv4_mapped().is_none(),
        };
        is_of_a_host && self.is_unicast(source)
    }

    /// Whether a packet is for one host, and so must not come in a frame for many (RFC 1122 3.3.6).
    /// Neighbour discovery has rules of its own.
    pub(in crate::host) fn is_for_one(&self, packet: &[u8]) -> bool {
        let to = destination_of(packet);
        to.is_some_and(|to| !to.is_multicast() && !self.is_broadcast(to)) && !is_ndp_packet(packet)
    }

    /// Whether an interface would let a frame in that is for many.
    pub(in crate::host) fn listens_to(&self, frame: &FrameBuffer) -> bool {
        destination_of(frame.packet()).is_some_and(|to| !to.is_multicast() || self.hears(to))
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

    /// Takes in a packet that is there whole. `told_at` is the byte of an IPv6 packet that tells
    /// what it carries.
    fn receive_whole<'p>(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: InterfaceId,
        packet: IpPacket<'p>,
        told_at: usize,
    ) -> Delivery<'p> {
        let delivered = &mut ctx.mib.ip.of(packet.header.destination).in_delivers;
        *delivered += 1;
        match (packet.header.protocol, packet.header.destination) {
            (protocol::UDP, _) => return Delivery::Udp(packet),
            (protocol::ICMP, IpAddr::V4(_)) | (protocol::ICMPV6, IpAddr::V6(_)) => {
                return self.receive_icmp(ctx, from, packet);
            }
            (protocol::IGMP, IpAddr::V4(_)) => {
                let link = self.link_of(from, &packet.header);
                self.interface_mut(link).receive_igmp(ctx, &packet);
            }
            // RFC 8200 4.7.
            (protocol::NO_NEXT_HEADER, IpAddr::V6(_)) => {}
            _ => {
                *delivered -= 1;
                ctx.counters.unknown_protocols += 1;
                self.send_icmp_error(ctx, IcmpError::ProtocolUnreachable { told_at }, packet.whole);
            }
        }
        Delivery::Done
    }
}
