//! ICMP and ICMPv6: echoes, and errors in both directions (RFC 792, RFC 4443).
//!
//! - `error`: what errors say that the host is sent; `limiter`: how many it sends.

mod error;
mod limiter;

pub(in crate::host) use error::{Problem, Reported};
pub(super) use limiter::IcmpLimiter;

use self::error::{problem_of_v4, problem_of_v6};
use super::Ip;
use super::delivery::{Delivery, IcmpInput};
use super::discovery::MtuDiscovery;
use super::routes::InterfaceId;
use crate::error::Errno;
use crate::host::context::Ctx;
use crate::host::packet::IpPacket;
use crate::wire::icmp::{
    IcmpError, IcmpHeader, Quoted, fill_checksum, has_good_checksum, is_icmp_error, v4, v6,
};
use crate::wire::ip::{IpHeader, protocol};
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::Ipv6Header;

const HOP_LIMIT: u8 = 64;

impl Ip {
    /// Takes in an ICMP message, or one of ICMPv6 that is not neighbour discovery's.
    pub(super) fn receive_icmp<'p>(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: InterfaceId,
        packet: IpPacket<'p>,
    ) -> Delivery<'p> {
        let IpPacket { header, payload: message, checksum, .. } = packet;
        ctx.mib.icmp.of(header.destination).in_messages += 1;
        let Some((icmp, rest)) = IcmpHeader::split_from(message) else {
            ctx.counters.icmp_errors += 1;
            return Delivery::Done;
        };
        let (source, destination) = (header.source, header.destination);
        if !checksum.is_trusted() && !has_good_checksum(source, destination, message) {
            ctx.counters.icmp_errors += 1;
            return Delivery::Done;
        }
        ctx.mib.icmp.of(destination).count_in(message);
        let is_v4 = destination.is_ipv4();
        let mut input = IcmpInput::Other;
        match (is_v4, icmp.kind) {
            (true, v4::ECHO_REQUEST) => self.echo(ctx, &header, message, v4::ECHO_REPLY),
            (false, v6::ECHO_REQUEST) => self.echo(ctx, &header, message, v6::ECHO_REPLY),
            (true, v4::ECHO_REPLY) | (false, v6::ECHO_REPLY) => input = IcmpInput::EchoReply,
            (false, v6::MLD_QUERY | v6::MLD_V1_REPORT) => {
                let link = self.link_of(from, &header);
                self.interface_mut(link).receive_mld(ctx, &packet);
            }
            _ => {
                let problem = if is_v4 { problem_of_v4(&icmp) } else { problem_of_v6(&icmp) };
                if let Some(problem) = problem {
                    match Quoted::parse(rest).filter(|quoted| self.is_own(quoted.source)) {
                        Some(packet) => input = IcmpInput::Error(Reported { packet, problem }),
                        None => ctx.counters.icmp_errors += 1,
                    }
                }
            }
        }
        Delivery::Icmp(packet, input)
    }

    /// RFC 1122 3.2.2.6 and RFC 4443 4.2; like Linux, not to a broadcast or an IPv4 group.
    fn echo(&mut self, ctx: &mut Ctx<'_>, header: &IpHeader, message: &[u8], reply: u8) {
        let to_one = self.is_own(header.destination);
        if !to_one && header.destination.is_ipv4() {
            return;
        }
        let source = if to_one {
            header.destination
        } else if let Ok(source) = self.source_for(header.source) {
            source
        } else {
            return;
        };
        let mut message = message.to_vec();
        message[0] = reply;
        let header =
            IpHeader { source, destination: header.source, hop_limit: HOP_LIMIT, ..*header };
        // What cannot be answered is not.
        let _ = self.send_icmp(ctx, &header, message);
    }

    /// Sends a message whose checksum is yet to be filled in.
    fn send_icmp(
        &mut self,
        ctx: &mut Ctx<'_>,
        header: &IpHeader,
        mut message: Vec<u8>,
    ) -> Result<usize, Errno> {
        fill_checksum(header.source, header.destination, &mut message);
        let sent = self.send_packet(ctx, header, &message, MtuDiscovery::Want, None)?;
        ctx.mib.icmp.of(header.destination).count_out(&message);
        Ok(sent)
    }

    /// A packet of this host's was not delivered: its neighbour does not answer. As on Linux the
    /// host tells itself, by ICMP; not of TCP, whose attempts to connect hear of it otherwise,
    /// and whose connections meet silence until they time out.
    pub(super) fn tell_of_undelivered(&mut self, ctx: &mut Ctx<'_>, packet: &[u8]) {
        if Quoted::parse(packet).is_some_and(|quoted| quoted.protocol != protocol::TCP) {
            self.send_icmp_error(ctx, IcmpError::HostUnreachable, packet);
        }
    }

    /// Tells the sender of a packet what became of it, unless it is one that must not be told
    /// (RFC 1122 3.2.2, RFC 4443 2.4 (e)) or was told enough.
    pub(in crate::host) fn send_icmp_error(
        &mut self,
        ctx: &mut Ctx<'_>,
        error: IcmpError,
        packet: &[u8],
    ) {
        let Some((header, is_later_fragment)) = header_to_answer(packet) else { return };
        let to = header.source;
        if is_later_fragment || !self.is_unicast(to) || is_icmp_error(packet) {
            return;
        }
        let from = match error {
            IcmpError::HostUnreachable => to,
            IcmpError::ParameterProblemV6(problem)
                if problem.even_of_group && header.destination.is_multicast() =>
            {
                let Ok(from) = self.source_for(to) else { return };
                from
            }
            _ => header.destination,
        };
        if !self.is_own(from) || (!self.is_own(to) && !self.icmp_limiter.allows(ctx.now, to)) {
            return;
        }
        let message = error.message(packet, to.is_ipv6());
        let header = IpHeader {
            source: from,
            destination: to,
            protocol: if to.is_ipv4() { protocol::ICMP } else { protocol::ICMPV6 },
            hop_limit: HOP_LIMIT,
            // RFC 1812 4.3.2.5: internetwork control; RFC 4443 has nothing of the kind.
            traffic_class: if to.is_ipv4() { (packet[1] & 0x1e) | 0xc0 } else { 0 },
        };
        // What cannot be told is not.
        let _ = self.send_icmp(ctx, &header, message);
    }
}

/// The header of a packet that an error is about, and whether it is a fragment that nobody is told
/// of: of IPv4's only the first; of IPv6's any may be malformed (RFC 8200 4.5).
fn header_to_answer(packet: &[u8]) -> Option<(IpHeader, bool)> {
    if packet.first()? >> 4 == 4 {
        return Ipv4Header::parse(packet).map(|ip| (ip.common(), ip.offset != 0));
    }
    Ipv6Header::split_from(packet).map(|(ip, _)| (ip.common(), false))
}
