//! ICMP and ICMPv6: echoes, and errors in both directions (RFC 792, RFC 4443).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::address::socket_addr;
use super::checksum::{checksum, transport_checksum};
use super::ip::{IpHeader, protocol};
use super::segment::{FourTuple, Seq};
use super::stack::Host;
use crate::error::Errno;

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
}

/// What a host tells the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IcmpError {
    PortUnreachable,
    ProtocolUnreachable,
    /// Its fragments did not all come in time.
    ReassemblyTimeExceeded,
}

/// What an ICMP error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Error(Errno),
    /// No more than this passes at once.
    TooBig(usize),
    Nothing,
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
        let Some((fixed, rest)) = message.split_first_chunk::<HEADER>() else { return };
        let (source, destination) = (header.source, header.destination);
        let is_v4 = destination.is_ipv4();
        let is_whole = intact
            || if is_v4 {
                checksum(message) == 0
            } else {
                transport_checksum(source, destination, protocol::ICMPV6, message) == 0
            };
        if !is_whole {
            return;
        }
        let seen = if is_v4 { packet } else { message };
        for id in self.datagrams.raw_for(source, destination) {
            self.deliver(id, socket_addr(source, 0), seen);
        }
        match (is_v4, fixed[0]) {
            (true, v4::ECHO_REQUEST) => self.echo(now, header, message, v4::ECHO_REPLY),
            (false, v6::ECHO_REQUEST) => self.echo(now, header, message, v6::ECHO_REPLY),
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
        self.send_packet(now, header, &message, true)
    }

    /// Acts on an error about a packet of which `quoted` is the beginning.
    fn heed(&mut self, now: u64, verdict: Verdict, quoted: &[u8]) {
        let Some(quoted) = Quoted::parse(quoted) else { return };
        if !self.addresses.is_own(quoted.source) {
            return;
        }
        match verdict {
            Verdict::Nothing => {}
            Verdict::TooBig(mtu) => {
                if self.knows_of(&quoted) {
                    self.lower_path_mtu(now, quoted.destination, mtu);
                }
            }
            Verdict::Error(errno) => self.tell(&quoted, errno),
        }
    }

    /// A packet of this host's was not delivered: its neighbour does not answer. TCP's attempts
    /// to connect hear of that otherwise, and what is established goes on trying.
    pub(super) fn undeliverable(&mut self, packet: &[u8]) {
        if let Some(quoted) = Quoted::parse(packet)
            && quoted.protocol != protocol::TCP
        {
            self.tell(&quoted, Errno::HostUnreachable);
        }
    }

    /// Whether the quoted packet is of a connection or a socket that there is: who is not on the
    /// path must not be able to narrow it (RFC 5927 section 7).
    fn knows_of(&self, quoted: &Quoted) -> bool {
        match quoted.protocol {
            protocol::TCP => self.demux.contains_key(&quoted.tuple()),
            protocol::UDP => self.datagrams.find(quoted.remote(), quoted.local()).is_some(),
            _ => true,
        }
    }

    /// Hands an error to the socket that it concerns. A datagram socket hears of it only when it
    /// is connected: otherwise it could not tell to whom it had sent (RFC 1122 4.1.3.3).
    fn tell(&mut self, quoted: &Quoted, errno: Errno) {
        match quoted.protocol {
            protocol::TCP => self.tcp_unreachable(&quoted.tuple(), quoted.seq, errno),
            protocol::UDP => {
                if let Some(id) = self.datagrams.find(quoted.remote(), quoted.local())
                    && let Some(socket) = self.datagrams.get_mut(id)
                    && socket.remote.is_some()
                {
                    socket.fail(errno, &mut self.woken);
                }
            }
            protocol::ICMP | protocol::ICMPV6 => {
                let to = quoted.destination;
                for socket in self.datagrams.iter_mut() {
                    if socket.is_raw_to(to) {
                        socket.fail(errno, &mut self.woken);
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn send_port_unreachable(&mut self, now: u64, packet: &[u8]) {
        self.send_icmp_error(now, IcmpError::PortUnreachable, packet);
    }

    /// Tells the sender of a packet what became of it, unless it is one that must not be told
    /// (RFC 1122 3.2.2, RFC 4443 2.4 (e)) or was told enough.
    pub(super) fn send_icmp_error(&mut self, now: u64, error: IcmpError, packet: &[u8]) {
        let Some(quoted) = Quoted::parse(packet) else { return };
        let (from, to) = (quoted.destination, quoted.source);
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
            traffic_class: 0,
        };
        // What cannot be told is not.
        let _ = self.send_icmp(now, &header, message);
    }
}

/// Where an IPv6 header tells what follows it.
const NEXT_HEADER: u8 = 6;

/// Linux's `icmp_err_convert`.
fn judge_v4(fixed: &[u8; HEADER]) -> Verdict {
    match (fixed[0], fixed[1]) {
        (v4::UNREACHABLE, 4) => {
            let mtu = usize::from(u16::from_be_bytes([fixed[6], fixed[7]]));
            // A router from before RFC 1191 does not say how much.
            Verdict::TooBig(if mtu == 0 { 576 } else { mtu })
        }
        (v4::UNREACHABLE, 2) => Verdict::Error(Errno::NoProtocolOption),
        (v4::UNREACHABLE, 3) => Verdict::Error(Errno::ConnRefused),
        (v4::UNREACHABLE, 0 | 6 | 9 | 11) => Verdict::Error(Errno::NetUnreachable),
        (v4::UNREACHABLE, 5) => Verdict::Error(Errno::OperationNotSupported),
        (v4::UNREACHABLE | v4::TIME_EXCEEDED, _) => Verdict::Error(Errno::HostUnreachable),
        (v4::PARAMETER_PROBLEM, _) => Verdict::Error(Errno::Protocol),
        _ => Verdict::Nothing,
    }
}

/// Linux's `icmpv6_err_convert`.
fn judge_v6(fixed: &[u8; HEADER]) -> Verdict {
    match (fixed[0], fixed[1]) {
        (v6::TOO_BIG, _) => {
            let mtu = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
            Verdict::TooBig(usize::try_from(mtu).unwrap_or(usize::MAX))
        }
        (v6::UNREACHABLE, 0) => Verdict::Error(Errno::NetUnreachable),
        (v6::UNREACHABLE, 1 | 5 | 6) => Verdict::Error(Errno::Access),
        (v6::UNREACHABLE, 4) => Verdict::Error(Errno::ConnRefused),
        (v6::UNREACHABLE | v6::TIME_EXCEEDED, _) => Verdict::Error(Errno::HostUnreachable),
        (v6::PARAMETER_PROBLEM, _) => Verdict::Error(Errno::Protocol),
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
    /// The first octet of what the packet carries.
    first: u8,
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
                    if protocol == FRAGMENT {
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
        socket_addr(self.source, self.ports[0])
    }

    fn remote(&self) -> SocketAddr {
        socket_addr(self.destination, self.ports[1])
    }

    fn tuple(&self) -> FourTuple {
        FourTuple::new(self.local(), self.remote())
    }
}

/// The header of IPv6's fragments.
const FRAGMENT: u8 = 44;

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
