//! ICMP and ICMPv6: echoes, and errors in both directions (RFC 792, RFC 4443).
//!
//! - `quoted`: what an error is about; `limiter`: how many are sent.

mod limiter;
mod quoted;

use std::net::IpAddr;

pub(super) use limiter::IcmpLimiter;
pub(in crate::host) use quoted::Quoted;

use super::Ip;
use super::input::{Delivery, IcmpInput};
use super::route::InterfaceId;
use crate::error::Errno;
use crate::host::context::Ctx;
use crate::host::packet::IpPacket;
use crate::wire::checksum::{checksum, transport_checksum};
use crate::wire::ip::{IpHeader, protocol};

const HEADER: usize = 8;
const HOP_LIMIT: u8 = 64;
/// An error quotes as much of what it is about as fits: RFC 1812 4.3.2.3, RFC 4443 2.4 (c).
const MAX_ERROR_V4: usize = 576;
const MAX_ERROR_V6: usize = 1_280;

mod v4 {
    pub(super) const ECHO_REPLY: u8 = 0;
    pub(super) const UNREACHABLE: u8 = 3;
    pub(super) const ECHO_REQUEST: u8 = 8;
    pub(super) const TIME_EXCEEDED: u8 = 11;
    pub(super) const PARAMETER_PROBLEM: u8 = 12;
}

mod v6 {
    pub(super) const UNREACHABLE: u8 = 1;
    pub(super) const TOO_BIG: u8 = 2;
    pub(super) const TIME_EXCEEDED: u8 = 3;
    pub(super) const PARAMETER_PROBLEM: u8 = 4;
    pub(super) const ECHO_REQUEST: u8 = 128;
    pub(super) const ECHO_REPLY: u8 = 129;
    pub(super) const MLD_QUERY: u8 = 130;
    pub(super) const MLD_V1_REPORT: u8 = 131;
}

/// What a host tells the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) enum IcmpError {
    PortUnreachable,
    ProtocolUnreachable,
    /// It could not be handed to its host on the link.
    HostUnreachable,
    /// Its fragments did not all come in time.
    ReassemblyTimeExceeded,
}

/// What an ICMP error says of a packet that this host sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::host) struct Reported {
    pub(in crate::host) packet: Quoted,
    pub(in crate::host) problem: Problem,
}

/// What is wrong with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) enum Problem {
    /// It was not delivered; unless that is `fatal`, trying again may help.
    Undelivered { errno: Errno, fatal: bool },
    /// No more than this passes at once.
    TooBig(usize),
}

impl Problem {
    fn transient(errno: Errno) -> Option<Problem> {
        Some(Problem::Undelivered { errno, fatal: false })
    }

    fn fatal(errno: Errno) -> Option<Problem> {
        Some(Problem::Undelivered { errno, fatal: true })
    }
}

impl Ip {
    /// Takes in an ICMP message, or one of ICMPv6 that is not neighbour discovery's.
    pub(super) fn receive_icmp<'p>(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: InterfaceId,
        packet: IpPacket<'p>,
    ) -> Delivery<'p> {
        let IpPacket { header, payload: message, intact, .. } = packet;
        let Some((fixed, rest)) = message.split_first_chunk::<HEADER>() else {
            ctx.counters.icmp_errors += 1;
            return Delivery::Done;
        };
        let (source, destination) = (header.source, header.destination);
        let is_v4 = destination.is_ipv4();
        let is_whole = intact
            || if is_v4 {
                checksum(message) == 0
            } else {
                transport_checksum(source, destination, protocol::ICMPV6, message) == 0
            };
        if !is_whole {
            ctx.counters.icmp_errors += 1;
            return Delivery::Done;
        }
        let mut input = IcmpInput::Other;
        match (is_v4, fixed[0]) {
            (true, v4::ECHO_REQUEST) => self.echo(ctx, &header, message, v4::ECHO_REPLY),
            (false, v6::ECHO_REQUEST) => self.echo(ctx, &header, message, v6::ECHO_REPLY),
            (true, v4::ECHO_REPLY) | (false, v6::ECHO_REPLY) => input = IcmpInput::EchoReply,
            (false, v6::MLD_QUERY | v6::MLD_V1_REPORT) => {
                let link = self.link_of(from, &header);
                self.interface_mut(link).receive_mld(ctx, &packet);
            }
            _ => {
                let problem = if is_v4 { problem_of_v4(fixed) } else { problem_of_v6(fixed) };
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
        message[2..4].fill(0);
        let sum = if header.destination.is_ipv4() {
            checksum(&message)
        } else {
            transport_checksum(header.source, header.destination, protocol::ICMPV6, &message)
        };
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        self.send_packet(ctx, header, &message, None)
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
        let Some(quoted) = Quoted::parse(packet) else { return };
        let (from, to) = match error {
            IcmpError::HostUnreachable => (quoted.source, quoted.source),
            _ => (quoted.destination, quoted.source),
        };
        let is_to_one = self.is_own(from) && self.is_unicast(to);
        if !is_to_one || quoted.is_icmp_error(packet) {
            return;
        }
        if !self.is_own(to) && !self.icmp_limiter.allows(ctx.now, to) {
            return;
        }
        let (header_len, largest, protocol) = match to {
            IpAddr::V4(_) => (20, MAX_ERROR_V4, protocol::ICMP),
            IpAddr::V6(_) => (40, MAX_ERROR_V6, protocol::ICMPV6),
        };
        let (kind, code, pointer) = match (error, to) {
            (IcmpError::PortUnreachable, IpAddr::V4(_)) => (v4::UNREACHABLE, 3, 0),
            (IcmpError::PortUnreachable, IpAddr::V6(_)) => (v6::UNREACHABLE, 4, 0),
            (IcmpError::HostUnreachable, IpAddr::V4(_)) => (v4::UNREACHABLE, 1, 0),
            (IcmpError::HostUnreachable, IpAddr::V6(_)) => (v6::UNREACHABLE, 3, 0),
            (IcmpError::ProtocolUnreachable, IpAddr::V4(_)) => (v4::UNREACHABLE, 2, 0),
            (IcmpError::ProtocolUnreachable, IpAddr::V6(_)) => {
                (v6::PARAMETER_PROBLEM, 1, NEXT_HEADER)
            }
            (IcmpError::ReassemblyTimeExceeded, IpAddr::V4(_)) => (v4::TIME_EXCEEDED, 1, 0),
            (IcmpError::ReassemblyTimeExceeded, IpAddr::V6(_)) => (v6::TIME_EXCEEDED, 1, 0),
        };
        let mut message = vec![kind, code, 0, 0, 0, 0, 0, pointer];
        let quote = packet.len().min(largest - header_len - HEADER);
        message.extend_from_slice(&packet[..quote]);
        let header = IpHeader {
            source: from,
            destination: to,
            protocol,
            hop_limit: HOP_LIMIT,
            // RFC 1812 4.3.2.5: internetwork control; RFC 4443 has nothing of the kind.
            traffic_class: if to.is_ipv4() { (packet[1] & 0x1e) | 0xc0 } else { 0 },
        };
        // What cannot be told is not.
        let _ = self.send_icmp(ctx, &header, message);
    }
}

/// Where an IPv6 header tells what follows it.
const NEXT_HEADER: u8 = 6;

/// Linux's `icmp_err_convert`.
fn problem_of_v4(fixed: &[u8; HEADER]) -> Option<Problem> {
    match (fixed[0], fixed[1]) {
        (v4::UNREACHABLE, 4) => {
            let mtu = usize::from(u16::from_be_bytes([fixed[6], fixed[7]]));
            // A router from before RFC 1191 does not say how much.
            Some(Problem::TooBig(if mtu == 0 { 576 } else { mtu }))
        }
        (v4::UNREACHABLE, 0 | 11) => Problem::transient(Errno::NetUnreachable),
        (v4::UNREACHABLE, 1 | 12) => Problem::transient(Errno::HostUnreachable),
        (v4::UNREACHABLE, 2) => Problem::fatal(Errno::NoProtocolOption),
        (v4::UNREACHABLE, 3) => Problem::fatal(Errno::ConnRefused),
        (v4::UNREACHABLE, 5) => Problem::transient(Errno::OperationNotSupported),
        (v4::UNREACHABLE, 6 | 9) => Problem::fatal(Errno::NetUnreachable),
        (v4::UNREACHABLE, 7) => Problem::fatal(Errno::HostDown),
        (v4::UNREACHABLE, 8) => Problem::fatal(Errno::NoNetwork),
        (v4::UNREACHABLE, 10 | 13..=15) => Problem::fatal(Errno::HostUnreachable),
        (v4::TIME_EXCEEDED, _) => Problem::transient(Errno::HostUnreachable),
        (v4::PARAMETER_PROBLEM, _) => Problem::fatal(Errno::Protocol),
        _ => None,
    }
}

/// Linux's `icmpv6_err_convert`.
fn problem_of_v6(fixed: &[u8; HEADER]) -> Option<Problem> {
    match (fixed[0], fixed[1]) {
        (v6::TOO_BIG, _) => {
            let mtu = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
            Some(Problem::TooBig(usize::try_from(mtu).unwrap_or(usize::MAX)))
        }
        (v6::UNREACHABLE, 0) => Problem::transient(Errno::NetUnreachable),
        (v6::UNREACHABLE, 1 | 5 | 6) => Problem::fatal(Errno::Access),
        (v6::UNREACHABLE, 4) => Problem::fatal(Errno::ConnRefused),
        (v6::UNREACHABLE | v6::TIME_EXCEEDED, _) => Problem::transient(Errno::HostUnreachable),
        (v6::PARAMETER_PROBLEM, _) => Problem::fatal(Errno::Protocol),
        _ => None,
    }
}
