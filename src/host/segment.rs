//! What a host reads of a TCP segment before, and after, the engine does.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IpProtocol, IpRepr, Ipv4Packet, Ipv6Packet, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

use super::address::socket_addr;
use super::demux::TupleKey;
use super::ip::protocol;

/// A sequence number; compared modulo 2^32 (RFC 9293 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Seq(pub(crate) u32);

impl Seq {
    pub(crate) fn plus(self, octets: u32) -> Seq {
        Seq(self.0.wrapping_add(octets))
    }

    /// How far this is ahead of `other`; negative when behind.
    pub(crate) fn ahead_of(self, other: Seq) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    pub(crate) fn is_before(self, other: Seq) -> bool {
        self.ahead_of(other) < 0
    }

    pub(crate) fn is_after(self, other: Seq) -> bool {
        self.ahead_of(other) > 0
    }

    pub(crate) fn later(self, other: Seq) -> Seq {
        if other.is_after(self) { other } else { self }
    }
}

/// The two ends of a connection, as one of its hosts sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FourTuple {
    pub(crate) local_addr: IpAddr,
    pub(crate) remote_addr: IpAddr,
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
}

impl FourTuple {
    pub(crate) fn new(local: SocketAddr, remote: SocketAddr) -> FourTuple {
        FourTuple {
            local_addr: local.ip(),
            remote_addr: remote.ip(),
            local_port: local.port(),
            remote_port: remote.port(),
        }
    }

    /// As the other end sees them.
    pub(crate) fn reversed(&self) -> FourTuple {
        FourTuple::new(self.remote(), self.local())
    }

    pub(crate) fn local(&self) -> SocketAddr {
        socket_addr(self.local_addr, self.local_port)
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        socket_addr(self.remote_addr, self.remote_port)
    }
}

impl fmt::Display for FourTuple {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} > {}", self.local(), self.remote())
    }
}

/// The header of a TCP segment, apart from its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) seq: Seq,
    /// `None` when the ACK flag is not set.
    pub(crate) ack: Option<Seq>,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    /// As on the wire, not scaled.
    pub(crate) window: u16,
    pub(crate) payload_len: u32,
}

impl Segment {
    /// Reads an IP packet with a whole TCP segment, with the two ends as its receiver sees them;
    /// `None` for anything else, and for what is malformed or, unless `intact`, fails a checksum.
    /// Of IPv6 extension headers there are none here: see
    /// [`Host::receive_packet`](super::stack::Host::receive_packet).
    pub(crate) fn parse(packet: &[u8], intact: bool) -> Option<(FourTuple, Segment)> {
        let (key, segment) = Segment::parse_with_key(packet, intact)?;
        Some((key.tuple(), segment))
    }

    /// The same with the key by which the connection is found.
    // What it returns is too large for registers unless it is inlined, and for each segment.
    #[inline(always)]
    pub(super) fn parse_with_key(packet: &[u8], intact: bool) -> Option<(TupleKey, Segment)> {
        if packet.first()? >> 4 == 6 {
            return Segment::parse_v6(packet, intact);
        }
        let ip: &[u8; IPV4_HEADER] = packet.first_chunk()?;
        let header_len = usize::from(ip[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let is_fragment = ip[6] & 0x3f != 0 || ip[7] != 0;
        if ip[0] >> 4 != 4 || header_len < IPV4_HEADER || ip[9] != protocol::TCP || is_fragment {
            return None;
        }
        let tcp = packet.get(header_len..total_len)?;
        let segment = Segment::of_header(tcp)?;
        if !intact && !is_whole_v4(packet) {
            return None;
        }
        let addresses = ip[12..].first_chunk()?;
        Some((TupleKey::v4(*addresses, *tcp.first_chunk()?), segment))
    }

    fn parse_v6(packet: &[u8], intact: bool) -> Option<(TupleKey, Segment)> {
        let ip = Ipv6Packet::new_checked(packet).ok()?;
        if ip.next_header() != IpProtocol::Tcp {
            return None;
        }
        let segment = Segment::of_header(ip.payload())?;
        let (source, destination) = (ip.src_addr(), ip.dst_addr());
        let tcp = TcpPacket::new_unchecked(ip.payload());
        if !intact && !tcp.verify_checksum(&source.into(), &destination.into()) {
            return None;
        }
        Some((TupleKey::v6(source, destination, *ip.payload().first_chunk()?), segment))
    }

    /// Reads a packet that the engine wrote: an IP header without options, and TCP.
    #[inline]
    pub(crate) fn of_engine(packet: &[u8]) -> Option<Segment> {
        Segment::of_header(packet.get(tcp_offset(packet)..)?)
    }

    /// Reads a TCP header and what follows it.
    #[inline]
    fn of_header(tcp: &[u8]) -> Option<Segment> {
        let fixed: &[u8; TCP_HEADER] = tcp.first_chunk()?;
        let word = |at: usize| {
            u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        let flags = fixed[13];
        let header_len = usize::from(fixed[12] >> 4) * 4;
        if header_len < TCP_HEADER {
            return None;
        }
        Some(Segment {
            seq: Seq(word(4)),
            ack: (flags & 0x10 != 0).then(|| Seq(word(8))),
            syn: flags & 0x02 != 0,
            fin: flags & 0x01 != 0,
            rst: flags & 0x04 != 0,
            window: u16::from_be_bytes([fixed[14], fixed[15]]),
            payload_len: tcp.len().checked_sub(header_len)? as u32,
        })
    }

    /// Octets of sequence space it takes (RFC 9293: SEG.LEN).
    pub(crate) fn len(&self) -> u32 {
        self.payload_len + u32::from(self.syn) + u32::from(self.fin)
    }

    pub(crate) fn end(&self) -> Seq {
        self.seq.plus(self.len())
    }

    /// Carries an acknowledgment and nothing else.
    pub(crate) fn is_pure_ack(&self) -> bool {
        self.ack.is_some() && self.len() == 0 && !self.rst
    }
}

/// Whether the checksums of an IPv4 packet with TCP in it are right.
fn is_whole_v4(packet: &[u8]) -> bool {
    let Ok(ip) = Ipv4Packet::new_checked(packet) else { return false };
    let (source, destination) = (ip.src_addr().into(), ip.dst_addr().into());
    ip.verify_checksum()
        && TcpPacket::new_unchecked(ip.payload()).verify_checksum(&source, &destination)
}

/// Where the TCP header begins in a packet of the engine's.
pub(super) fn tcp_offset(packet: &[u8]) -> usize {
    if packet.first().is_some_and(|first| first >> 4 == 4) { IPV4_HEADER } else { IPV6_HEADER }
}

/// Replaces the sequence number of the segment in a packet of the engine's and mends its checksum
/// (RFC 1624).
pub(crate) fn rewrite_seq(packet: &mut [u8], seq: Seq) {
    let offset = tcp_offset(packet);
    let Ok(mut tcp) = TcpPacket::new_checked(&mut packet[offset..]) else { return };
    let old = tcp.seq_number().0.cast_unsigned();
    let mut sum = u32::from(!tcp.checksum());
    for (gone, come) in [(old >> 16, seq.0 >> 16), (old & 0xffff, seq.0 & 0xffff)] {
        sum += (!gone & 0xffff) + come;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    tcp.set_seq_number(TcpSeqNumber(seq.0.cast_signed()));
    tcp.set_checksum(!(sum as u16));
}

/// The fields of a segment without payload that a host sends beside the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BareAck {
    pub(crate) seq: Seq,
    pub(crate) ack: Seq,
    pub(crate) window: u16,
}

pub(super) const IPV4_HEADER: usize = 20;
pub(super) const IPV6_HEADER: usize = 40;
/// Length of a TCP header without options.
const TCP_HEADER: usize = 20;

/// Length of an IP packet from `tuple`'s local end with a segment that has neither options nor
/// payload.
pub(crate) fn bare_ack_len(tuple: &FourTuple) -> usize {
    let ip_header = if tuple.local_addr.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
    ip_header + TCP_HEADER
}

/// Writes a pure ACK from `tuple`'s local end into a buffer of [`bare_ack_len`] bytes.
pub(crate) fn write_bare_ack(packet: &mut [u8], tuple: &FourTuple, fields: BareAck) {
    write_bare(packet, tuple, fields, TcpControl::None);
}

/// The same with FIN.
pub(crate) fn write_bare_fin(packet: &mut [u8], tuple: &FourTuple, fields: BareAck) {
    write_bare(packet, tuple, fields, TcpControl::Fin);
}

fn write_bare(packet: &mut [u8], tuple: &FourTuple, fields: BareAck, control: TcpControl) {
    let tcp = TcpRepr {
        src_port: tuple.local_port,
        dst_port: tuple.remote_port,
        control,
        seq_number: TcpSeqNumber(fields.seq.0.cast_signed()),
        ack_number: Some(TcpSeqNumber(fields.ack.0.cast_signed())),
        window_len: fields.window,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let (source, destination) = (tuple.local_addr.into(), tuple.remote_addr.into());
    let hop_limit = 64;
    let ip = IpRepr::new(source, destination, IpProtocol::Tcp, tcp.buffer_len(), hop_limit);
    let checksums = ChecksumCapabilities::default();
    ip.emit(&mut *packet, &checksums);
    let segment = &mut packet[ip.header_len()..];
    tcp.emit(&mut TcpPacket::new_unchecked(segment), &source, &destination, &checksums);
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: [&str; 2] = ["10.0.0.1:80", "10.0.0.2:49152"];
    const V6: [&str; 2] = ["[fd00::1]:80", "[fd00::2]:49152"];

    fn ack_packet(seq: u32) -> Vec<u8> {
        ack_packet_between(V4, seq)
    }

    fn ack_packet_between(ends: [&str; 2], seq: u32) -> Vec<u8> {
        let [local, remote] = ends.map(|end| end.parse().unwrap());
        let tuple = FourTuple::new(local, remote);
        let mut packet = vec![0; bare_ack_len(&tuple)];
        write_bare_ack(&mut packet, &tuple, BareAck { seq: Seq(seq), ack: Seq(9), window: 1000 });
        packet
    }

    #[test]
    fn a_written_ack_reads_back_with_good_checksums() {
        for ends in [V4, V6] {
            let packet = ack_packet_between(ends, 77);
            let (tuple, segment) = Segment::parse(&packet, false).unwrap();
            assert_eq!(Segment::of_engine(&packet), Some(segment));
            assert!(segment.is_pure_ack());
            assert_eq!((segment.seq, segment.ack, segment.window), (Seq(77), Some(Seq(9)), 1000));
            assert_eq!([tuple.remote().to_string(), tuple.local().to_string()], ends);
        }
    }

    #[test]
    fn rewriting_the_sequence_number_keeps_the_checksum_right() {
        for (from, to) in [(0, 1), (1, 0), (0xffff_ffff, 0), (0x1234_5678, 0x9abc_def0), (5, 5)] {
            for ends in [V4, V6] {
                let mut packet = ack_packet_between(ends, from);
                rewrite_seq(&mut packet, Seq(to));
                let read = Segment::parse(&packet, false).map(|(_, segment)| segment.seq);
                assert_eq!(read, Some(Seq(to)));
                assert_eq!(packet, ack_packet_between(ends, to));
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_unless_the_frame_is_known_to_be_intact() {
        let mut packet = ack_packet(77);
        packet[24] ^= 0x10;
        assert!(Segment::parse(&packet, false).is_none());
        assert!(Segment::parse(&packet, true).is_some());
    }

    #[test]
    fn truncated_packets_are_refused() {
        for packet in [ack_packet(77), ack_packet_between(V6, 77)] {
            for len in 0..packet.len() {
                assert!(Segment::parse(&packet[..len], true).is_none(), "of {len} bytes");
            }
        }
    }

    #[test]
    fn sequence_numbers_compare_across_the_wrap() {
        assert!(Seq(u32::MAX).is_before(Seq(3)));
        assert!(Seq(3).is_after(Seq(u32::MAX)));
        assert_eq!(Seq(u32::MAX).later(Seq(3)), Seq(3));
        assert_eq!(Seq(2).ahead_of(Seq(u32::MAX)), 3);
    }
}
