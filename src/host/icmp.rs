//! ICMP and ICMPv6: echoes, and errors in both directions (RFC 792, RFC 4443).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::datagram::{DatagramId, DatagramKind};
use super::stack::Host;
use crate::error::Errno;
use crate::wire::checksum::{checksum, transport_checksum};
use crate::wire::ip::{IpHeader, protocol};
use crate::wire::tcp::{FourTuple, Seq};

const HEADER: usize = 8;
const HOP_LIMIT: u8 = 64;
/// An error quotes as much of what it is about as fits: RFC 1812 4.3.2.3, RFC 4443 2.4 (c).
const LARGEST_ERROR_V4: usize = 576;
const LARGEST_ERROR_V6: usize = 1_280;

/// Linux's `icmp_ratelimit`: one error a second to each host, after a first few.
const ERROR_INTERVAL: u64 = 1_000_000_000;
const ERROR_BURST: u64 = 6;
/// Hosts whose errors are counted; the one that had none for longest gives way.
const MOST_COUNTED: usize = 1_024;

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
pub(super) enum IcmpError {
    PortUnreachable,
    ProtocolUnreachable,
    /// It could not be handed to its host on the link.
    HostUnreachable,
    /// Its fragments did not all come in time.
    ReassemblyTimeExceeded,
}

/// What an ICMP error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// What the sender is told, and whether trying again may help.
    Error(Errno, Severity),
    /// No more than this passes at once.
    TooBig(usize),
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Transient,
    Fatal,
}

impl Host {
    /// Takes in an ICMP message, or one of ICMPv6 that is not neighbour discovery's.
    pub(super) fn receive_icmp(
        &mut self,
        now: u64,
        header: &IpHeader,
        message: &[u8],
        packet: &[u8],
        intact: bool,
    ) {
        let Some((fixed, rest)) = message.split_first_chunk::<HEADER>() else {
            self.counters.icmp_errors += 1;
            return;
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
            self.counters.icmp_errors += 1;
            return;
        }
        let seen = if is_v4 { packet } else { message };
        let from = SocketAddr::new(source, 0);
        for id in self.datagrams.raw(source, destination) {
            self.deliver(id, from, header.hop_limit, seen);
        }
        match (is_v4, fixed[0]) {
            (true, v4::ECHO_REQUEST) => self.echo(now, header, message, v4::ECHO_REPLY),
            (false, v6::ECHO_REQUEST) => self.echo(now, header, message, v6::ECHO_REPLY),
            (true, v4::ECHO_REPLY) | (false, v6::ECHO_REPLY) => {
                let to = SocketAddr::new(destination, u16::from_be_bytes([fixed[4], fixed[5]]));
                if let Some(id) = self.datagrams.find(DatagramKind::Ping, from, to) {
                    self.deliver(id, from, header.hop_limit, message);
                }
            }
            (false, v6::MLD_QUERY | v6::MLD_V1_REPORT) => {
                self.receive_mld(now, header, message, packet);
            }
            _ => {
                let verdict = if is_v4 { judge_v4(fixed) } else { judge_v6(fixed) };
                if verdict != Verdict::Nothing {
                    self.heed(now, verdict, rest);
                }
            }
        }
    }

    /// RFC 1122 3.2.2.6 and RFC 4443 4.2; like Linux, not to a broadcast or an IPv4 group.
    fn echo(&mut self, now: u64, header: &IpHeader, message: &[u8], reply: u8) {
        let to_one = self.addresses.is_own(header.destination);
        if !to_one && header.destination.is_ipv4() {
            return;
        }
        let source = if to_one {
            header.destination
        } else if let Ok(source) = self.addresses.source_for(header.source) {
            source
        } else {
            return;
        };
        let mut message = message.to_vec();
        message[0] = reply;
        let header =
            IpHeader { source, destination: header.source, hop_limit: HOP_LIMIT, ..*header };
        // What cannot be answered is not.
        let _ = self.send_icmp(now, &header, message);
    }

    /// Sends a message whose checksum is yet to be filled in.
    fn send_icmp(
        &mut self,
        now: u64,
        header: &IpHeader,
        mut message: Vec<u8>,
    ) -> Result<(), Errno> {
        message[2..4].fill(0);
        let sum = if header.destination.is_ipv4() {
            checksum(&message)
        } else {
            transport_checksum(header.source, header.destination, protocol::ICMPV6, &message)
        };
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        self.send_packet(now, header, &message, None)
    }

    /// Acts on an error about a packet of which `quoted` is the beginning.
    fn heed(&mut self, now: u64, verdict: Verdict, quoted: &[u8]) {
        let quoted = Quoted::parse(quoted);
        let Some(quoted) = quoted.filter(|quoted| self.addresses.is_own(quoted.source)) else {
            self.counters.icmp_errors += 1;
            return;
        };
        match verdict {
            Verdict::Nothing => {}
            Verdict::TooBig(mtu) => {
                if self.knows_of(&quoted) {
                    self.lower_path_mtu(now, quoted.destination, mtu);
                    // TCP sends again, in smaller segments; whoever sent a datagram must do so.
                    if quoted.protocol != protocol::TCP {
                        self.tell(&quoted, Errno::MessageSize, Severity::Fatal);
                    }
                }
            }
            Verdict::Error(errno, severity) => self.tell(&quoted, errno, severity),
        }
    }

    /// A packet of this host's was not delivered: its neighbour does not answer. As on Linux the
    /// host tells itself, by ICMP; not of TCP, whose attempts to connect hear of it otherwise,
    /// and whose connections meet silence until they time out.
    pub(super) fn undeliverable(&mut self, now: u64, packet: &[u8]) {
        if Quoted::parse(packet).is_some_and(|quoted| quoted.protocol != protocol::TCP) {
            self.send_icmp_error(now, IcmpError::HostUnreachable, packet);
        }
    }

    /// Whether the quoted packet is of a connection or a socket that there is: who is not on the
    /// path must not be able to narrow it (RFC 5927 section 7).
    fn knows_of(&self, quoted: &Quoted) -> bool {
        match quoted.protocol {
            protocol::TCP => self.tcp.is_in_flight(&quoted.tuple(), quoted.seq),
            protocol::UDP => {
                let (remote, local) = (quoted.remote(), quoted.local());
                self.datagrams.find(DatagramKind::Udp, remote, local).is_some()
            }
            protocol::ICMP | protocol::ICMPV6 => true,
            _ => false,
        }
    }

    /// Hands an error to the socket that it concerns. A datagram socket hears of it only when it
    /// is connected and trying again is useless, unless it asked for all (`IP_RECVERR`): Linux's
    /// `__udp4_lib_err`.
    fn tell(&mut self, quoted: &Quoted, errno: Errno, severity: Severity) {
        let fatal = severity == Severity::Fatal;
        let (remote, local) = (quoted.remote(), quoted.local());
        let concerned = match quoted.protocol {
            protocol::TCP => {
                let (tcp, mut lower) = self.tcp_in_call(self.now);
                return tcp.unreachable(&mut lower, &quoted.tuple(), quoted.seq, errno);
            }
            protocol::UDP => {
                self.datagrams.find(DatagramKind::Udp, remote, local).into_iter().collect()
            }
            protocol::ICMP | protocol::ICMPV6 => {
                let mut concerned = self.datagrams.raw(remote.ip(), local.ip());
                concerned.extend(self.sender_of_echo(quoted));
                concerned
            }
            _ => Vec::new(),
        };
        for id in concerned {
            if let Some(socket) = self.datagrams.get_mut(id)
                && socket.hears_error(fatal)
            {
                socket.fail(errno, &mut self.woken);
            }
        }
    }

    /// The socket that sent the quoted echo request, and no later one: what became of it is no
    /// news any more then.
    fn sender_of_echo(&self, quoted: &Quoted) -> Option<DatagramId> {
        if !matches!(quoted.first, v4::ECHO_REQUEST | v6::ECHO_REQUEST) {
            return None;
        }
        let (remote, local) = (SocketAddr::new(quoted.destination, 0), quoted.echo());
        let id = self.datagrams.find(DatagramKind::Ping, remote, local)?;
        let is_last = self.datagrams.get(id)?.last_echo == quoted.sequence;
        is_last.then_some(id)
    }

    pub(super) fn send_port_unreachable(&mut self, now: u64, packet: &[u8]) {
        self.send_icmp_error(now, IcmpError::PortUnreachable, packet);
    }

    /// Tells the sender of a packet what became of it, unless it is one that must not be told
    /// (RFC 1122 3.2.2, RFC 4443 2.4 (e)) or was told enough.
    pub(super) fn send_icmp_error(&mut self, now: u64, error: IcmpError, packet: &[u8]) {
        let Some(quoted) = Quoted::parse(packet) else { return };
        let (from, to) = match error {
            IcmpError::HostUnreachable => (quoted.source, quoted.source),
            _ => (quoted.destination, quoted.source),
        };
        let is_to_one = self.addresses.is_own(from) && self.addresses.is_unicast(to);
        if !is_to_one || quoted.is_icmp_error(packet) {
            return;
        }
        if !self.addresses.is_own(to) && !self.icmp_limiter.allows(now, to) {
            return;
        }
        let (header_len, largest, protocol) = match to {
            IpAddr::V4(_) => (20, LARGEST_ERROR_V4, protocol::ICMP),
            IpAddr::V6(_) => (40, LARGEST_ERROR_V6, protocol::ICMPV6),
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
        let _ = self.send_icmp(now, &header, message);
    }
}

/// Where an IPv6 header tells what follows it.
const NEXT_HEADER: u8 = 6;

/// Linux's `icmp_err_convert`.
fn judge_v4(fixed: &[u8; HEADER]) -> Verdict {
    use Severity::{Fatal, Transient};
    match (fixed[0], fixed[1]) {
        (v4::UNREACHABLE, 4) => {
            let mtu = usize::from(u16::from_be_bytes([fixed[6], fixed[7]]));
            // A router from before RFC 1191 does not say how much.
            Verdict::TooBig(if mtu == 0 { 576 } else { mtu })
        }
        (v4::UNREACHABLE, 0 | 11) => Verdict::Error(Errno::NetUnreachable, Transient),
        (v4::UNREACHABLE, 1 | 12) => Verdict::Error(Errno::HostUnreachable, Transient),
        (v4::UNREACHABLE, 2) => Verdict::Error(Errno::NoProtocolOption, Fatal),
        (v4::UNREACHABLE, 3) => Verdict::Error(Errno::ConnRefused, Fatal),
        (v4::UNREACHABLE, 5) => Verdict::Error(Errno::OperationNotSupported, Transient),
        (v4::UNREACHABLE, 6 | 9) => Verdict::Error(Errno::NetUnreachable, Fatal),
        (v4::UNREACHABLE, 7) => Verdict::Error(Errno::HostDown, Fatal),
        (v4::UNREACHABLE, 8) => Verdict::Error(Errno::NoNetwork, Fatal),
        (v4::UNREACHABLE, 10 | 13..=15) => Verdict::Error(Errno::HostUnreachable, Fatal),
        (v4::TIME_EXCEEDED, _) => Verdict::Error(Errno::HostUnreachable, Transient),
        (v4::PARAMETER_PROBLEM, _) => Verdict::Error(Errno::Protocol, Fatal),
        _ => Verdict::Nothing,
    }
}

/// Linux's `icmpv6_err_convert`.
fn judge_v6(fixed: &[u8; HEADER]) -> Verdict {
    use Severity::{Fatal, Transient};
    match (fixed[0], fixed[1]) {
        (v6::TOO_BIG, _) => {
            let mtu = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
            Verdict::TooBig(usize::try_from(mtu).unwrap_or(usize::MAX))
        }
        (v6::UNREACHABLE, 0) => Verdict::Error(Errno::NetUnreachable, Transient),
        (v6::UNREACHABLE, 1 | 5 | 6) => Verdict::Error(Errno::Access, Fatal),
        (v6::UNREACHABLE, 4) => Verdict::Error(Errno::ConnRefused, Fatal),
        (v6::UNREACHABLE | v6::TIME_EXCEEDED, _) => {
            Verdict::Error(Errno::HostUnreachable, Transient)
        }
        (v6::PARAMETER_PROBLEM, _) => Verdict::Error(Errno::Protocol, Fatal),
        _ => Verdict::Nothing,
    }
}

/// The beginning of a packet that this host sent, or got.
#[derive(Clone, Copy, Debug)]
struct Quoted {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    /// The ports of TCP and UDP.
    ports: [u16; 2],
    /// TCP's sequence number.
    seq: Option<Seq>,
    /// ICMP's type.
    first: u8,
    /// An echo's identifier and sequence number.
    id: u16,
    sequence: u16,
}

impl Quoted {
    /// Reads a packet of which at least 8 octets follow the IP header; `None` for a fragment
    /// other than the first.
    fn parse(packet: &[u8]) -> Option<Quoted> {
        let (source, destination, protocol, payload): (IpAddr, IpAddr, u8, &[u8]) =
            match packet.first()? >> 4 {
                4 => {
                    let fixed: &[u8; 20] = packet.first_chunk()?;
                    if fixed[6] & 0x1f != 0 || fixed[7] != 0 {
                        return None;
                    }
                    let address = |at: usize| {
                        Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3])
                    };
                    let header_len = usize::from(fixed[0] & 0x0f) * 4;
                    let payload = packet.get(header_len.max(20)..)?;
                    (address(12).into(), address(16).into(), fixed[9], payload)
                }
                6 => {
                    let fixed: &[u8; 40] = packet.first_chunk()?;
                    let address = |at: usize| {
                        let octets: [u8; 16] = std::array::from_fn(|octet| fixed[at + octet]);
                        Ipv6Addr::from(octets)
                    };
                    let (mut protocol, mut payload) = (fixed[6], &packet[40..]);
                    if protocol == protocol::FRAGMENT {
                        let header: &[u8; 8] = payload.first_chunk()?;
                        if header[2] != 0 || header[3] & 0xf8 != 0 {
                            return None;
                        }
                        (protocol, payload) = (header[0], &payload[8..]);
                    }
                    (address(8).into(), address(24).into(), protocol, payload)
                }
                _ => return None,
            };
        let start: &[u8; 8] = payload.first_chunk()?;
        let field = |at: usize| u16::from_be_bytes([start[at], start[at + 1]]);
        let seq = u32::from_be_bytes([start[4], start[5], start[6], start[7]]);
        Some(Quoted {
            source,
            destination,
            protocol,
            ports: [field(0), field(2)],
            seq: (protocol == protocol::TCP).then_some(Seq(seq)),
            first: start[0],
            id: field(4),
            sequence: field(6),
        })
    }

    /// Whether the packet is itself an ICMP error, or one that asks for none.
    fn is_icmp_error(&self, packet: &[u8]) -> bool {
        match self.protocol {
            protocol::ICMP => !matches!(self.first, v4::ECHO_REPLY | v4::ECHO_REQUEST),
            protocol::ICMPV6 => self.first < 128,
            _ => packet.is_empty(),
        }
    }

    fn local(&self) -> SocketAddr {
        SocketAddr::new(self.source, self.ports[0])
    }

    fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.destination, self.ports[1])
    }

    /// The socket that sent an echo request: its port is the identifier.
    fn echo(&self) -> SocketAddr {
        SocketAddr::new(self.source, self.id)
    }

    fn tuple(&self) -> FourTuple {
        FourTuple::new(self.local(), self.remote())
    }
}

/// How many errors each host may still be sent.
#[derive(Default)]
pub(super) struct IcmpLimiter(BTreeMap<IpAddr, u64>);

impl IcmpLimiter {
    /// Whether one more may be sent now; it is counted. Each host's entry is the time up to which
    /// its errors are paid for: a bucket of [`ERROR_BURST`] that fills by one a second.
    fn allows(&mut self, now: u64, to: IpAddr) -> bool {
        if self.0.len() >= MOST_COUNTED
            && !self.0.contains_key(&to)
            && let Some(longest) = self.0.iter().min_by_key(|(_, paid)| **paid).map(|(to, _)| *to)
        {
            self.0.remove(&longest);
        }
        let paid = self.0.entry(to).or_default();
        let next = now.max(*paid) + ERROR_INTERVAL;
        if next > now + ERROR_BURST * ERROR_INTERVAL {
            return false;
        }
        *paid = next;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_errors_at_once_and_then_one_a_second() {
        let (mut limiter, to) = (IcmpLimiter::default(), IpAddr::from([10, 0, 0, 2]));
        let sent =
            |limiter: &mut IcmpLimiter, now| (0..100).filter(|_| limiter.allows(now, to)).count();
        assert_eq!(sent(&mut limiter, 0), 6);
        assert_eq!(sent(&mut limiter, ERROR_INTERVAL), 1);
        assert_eq!(sent(&mut limiter, 10 * ERROR_INTERVAL), 6);
        for host in 0..5_000u32 {
            limiter.allows(0, IpAddr::from(host.to_be_bytes()));
        }
        assert!(limiter.0.len() <= MOST_COUNTED);
    }

    #[test]
    fn quotes_that_are_cut_or_odd_are_not_read() {
        let mut packet =
            vec![0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([0, 7, 0, 9, 0, 8, 0, 0]);
        let quoted = Quoted::parse(&packet).unwrap();
        assert_eq!((quoted.local().to_string(), quoted.ports), ("10.0.0.1:7".to_owned(), [7, 9]));
        for len in 0..packet.len() {
            assert!(Quoted::parse(&packet[..len]).is_none(), "of {len} octets");
        }
        packet[7] = 1;
        assert!(Quoted::parse(&packet).is_none(), "not the first fragment");
    }
}
