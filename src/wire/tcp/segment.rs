//! The header of a segment, read out of its packet.

use std::net::{IpAddr, Ipv4Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpAddress, TcpPacket, TcpRepr};

use super::{FourTuple, Seq, TupleKey};
use crate::wire::checksum::{Checksum, transport_checksum};
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER, ecn, protocol};
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::Ipv6Header;

/// Length of a TCP header without options.
pub(crate) const TCP_HEADER: usize = 20;

/// Where the flags are in the header.
pub(super) const FLAGS: usize = 13;
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;
/// RFC 3168 6.1.
pub(crate) const ECE: u8 = 0x40;
pub(crate) const CWR: u8 = 0x80;

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
    flags: u8,
    /// Where in its packet the header's options begin, and where the payload does.
    options_at: u16,
    payload_at: u16,
}

impl Segment {
    /// Reads an IP packet with a whole TCP segment, with the two ends as its receiver sees them;
    /// `None` for anything else, and for what is malformed or fails a checksum that is not trusted.
    /// IPv6 extension headers have to be taken out before.
    pub(crate) fn parse(packet: &[u8], checksum: Checksum) -> Option<(FourTuple, Segment)> {
        let (key, segment) = Segment::parse_with_key(packet, checksum)?;
        Some((key.tuple(), segment))
    }

    /// The same with the key by which the connection is found.
    // What it returns is too large for registers unless it is inlined, and for each segment.
    #[inline(always)]
    pub(crate) fn parse_with_key(packet: &[u8], checksum: Checksum) -> Option<(TupleKey, Segment)> {
        if packet.first()? >> 4 == 6 {
            return Segment::parse_v6(packet, checksum);
        }
        let ip: &[u8; IPV4_HEADER] = packet.first_chunk()?;
        let header_len = usize::from(ip[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let is_fragment = ip[6] & 0x3f != 0 || ip[7] != 0;
        if ip[0] >> 4 != 4 || header_len < IPV4_HEADER || ip[9] != protocol::TCP || is_fragment {
            return None;
        }
        let tcp = packet.get(header_len..total_len)?;
        let segment = Segment::of_header(header_len, tcp)?;
        if !checksum.is_trusted() && !is_whole_v4(packet, tcp) {
            return None;
        }
        let addresses = ip[12..].first_chunk()?;
        Some((TupleKey::v4(*addresses, *tcp.first_chunk()?), segment))
    }

    fn parse_v6(packet: &[u8], checksum: Checksum) -> Option<(TupleKey, Segment)> {
        let (ip, tcp) = Ipv6Header::of_whole(packet)?;
        if ip.next_header != protocol::TCP {
            return None;
        }
        let segment = Segment::of_header(IPV6_HEADER, tcp)?;
        let (source, destination) = (ip.source, ip.destination);
        if !checksum.is_trusted() && !has_good_checksum(source.into(), destination.into(), tcp) {
            return None;
        }
        Some((TupleKey::v6(source, destination, *tcp.first_chunk()?), segment))
    }

    /// Reads a packet that the engine wrote: an IP header without extensions, and TCP.
    #[inline]
    pub(crate) fn of_engine(packet: &[u8]) -> Option<Segment> {
        let at = tcp_offset(packet);
        Segment::of_header(at, packet.get(at..)?)
    }

    /// Reads a TCP header, which begins at `header_at` in its packet, and what follows it.
    // As [`Segment::parse_with_key`].
    #[inline(always)]
    fn of_header(header_at: usize, tcp: &[u8]) -> Option<Segment> {
        let fixed: &[u8; TCP_HEADER] = tcp.first_chunk()?;
        let word = |at: usize| {
            u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        let flags = fixed[FLAGS];
        let header_len = usize::from(fixed[12] >> 4) * 4;
        if header_len < TCP_HEADER {
            return None;
        }
        Some(Segment {
            seq: Seq(word(4)),
            ack: (flags & ACK != 0).then(|| Seq(word(8))),
            syn: flags & SYN != 0,
            fin: flags & FIN != 0,
            rst: flags & RST != 0,
            window: u16::from_be_bytes([fixed[14], fixed[15]]),
            payload_len: tcp.len().checked_sub(header_len)? as u32,
            flags,
            options_at: (header_at + TCP_HEADER) as u16,
            payload_at: (header_at + header_len) as u16,
        })
    }

    /// Bytes of sequence space it takes (RFC 9293: SEG.LEN).
    pub(crate) fn len(&self) -> u32 {
        self.payload_len + u32::from(self.syn) + u32::from(self.fin)
    }

    pub(crate) fn end(&self) -> Seq {
        self.seq.plus(self.len())
    }

    /// It has ACK, perhaps PSH, and no other flag.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.flags & !PSH == ACK
    }

    /// Congestion was experienced on the way of what was received (RFC 3168 6.1).
    #[inline]
    pub(crate) fn ece(&self) -> bool {
        self.flags & ECE != 0
    }

    /// The congestion window was reduced.
    #[inline]
    pub(crate) fn cwr(&self) -> bool {
        self.flags & CWR != 0
    }

    /// A SYN that asks for ECN (RFC 3168 6.1.1), in a packet that routers do not mark.
    pub(crate) fn asks_for_ecn(&self, packet: &[u8]) -> bool {
        self.syn && self.ack.is_none() && self.ece() && self.cwr() && ecn(packet) == 0
    }

    /// The options in the packet that the segment was read from.
    #[inline]
    pub(crate) fn options<'p>(&self, packet: &'p [u8]) -> &'p [u8] {
        packet.get(self.options_at.into()..self.payload_at.into()).unwrap_or_default()
    }

    /// The payload in the packet that the segment was read from.
    #[inline]
    pub(crate) fn payload<'p>(&self, packet: &'p [u8]) -> &'p [u8] {
        let at = usize::from(self.payload_at);
        packet.get(at..at + self.payload_len as usize).unwrap_or_default()
    }

    /// Carries an acknowledgment and nothing else.
    pub(crate) fn is_pure_ack(&self) -> bool {
        self.ack.is_some() && self.len() == 0 && !self.rst
    }
}

/// The sequence number of a segment of which only the beginning may be there.
pub(crate) fn seq(tcp: &[u8]) -> Option<Seq> {
    tcp.get(4..8)?.first_chunk().map(|bytes| Seq(u32::from_be_bytes(*bytes)))
}

/// Whether the segment in an IP packet makes sense: it has ports, options that can be read, and no
/// contradiction among its flags. Its checksum is not verified.
pub(crate) fn is_well_formed(packet: &[u8]) -> bool {
    let end = match packet {
        [0x40..=0x4f, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => packet.len(),
    };
    let Some(tcp) = packet.get(tcp_offset(packet)..end) else { return false };
    let Ok(tcp) = TcpPacket::new_checked(tcp) else { return false };
    // Of what nothing is verified the addresses do not matter.
    let nowhere = IpAddress::Ipv4(Ipv4Addr::UNSPECIFIED);
    TcpRepr::parse(&tcp, &nowhere, &nowhere, &ChecksumCapabilities::ignored()).is_ok()
}

/// The flags of the segment in a packet without IPv6 extension headers.
pub(crate) fn flags(packet: &[u8]) -> Option<u8> {
    packet.get(tcp_offset(packet) + FLAGS).copied()
}

/// Whether the checksums of an IPv4 packet with TCP in it are right.
fn is_whole_v4(packet: &[u8], tcp: &[u8]) -> bool {
    Ipv4Header::parse(packet).is_some_and(|ip| {
        ip.has_good_checksum(packet)
            && has_good_checksum(ip.source.into(), ip.destination.into(), tcp)
    })
}

fn has_good_checksum(source: IpAddr, destination: IpAddr, tcp: &[u8]) -> bool {
    transport_checksum(source, destination, protocol::TCP, tcp) == 0
}

/// Where the TCP header begins in a packet with a whole segment and without IPv6 extension headers.
pub(crate) fn tcp_offset(packet: &[u8]) -> usize {
    match packet.first() {
        Some(first) if first >> 4 == 4 => usize::from(first & 0x0f) * 4,
        _ => IPV6_HEADER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tcp::{BareAck, bare_ack_len, rewrite_seq, write_bare_ack};

    const V4: [&str; 2] = ["10.0.0.1:80", "10.0.0.2:49152"];
    const V6: [&str; 2] = ["[fd00::1]:80", "[fd00::2]:49152"];

    fn tuple_between(ends: [&str; 2]) -> FourTuple {
        let [local, remote] = ends.map(|end| end.parse().unwrap());
        FourTuple::new(local, remote)
    }

    fn ack_packet(seq: u32) -> Vec<u8> {
        ack_packet_between(V4, seq)
    }

    fn ack_packet_between(ends: [&str; 2], seq: u32) -> Vec<u8> {
        let tuple = tuple_between(ends);
        let mut packet = vec![0; bare_ack_len(&tuple)];
        write_bare_ack(&mut packet, &tuple, BareAck { seq: Seq(seq), ack: Seq(9), window: 1000 });
        packet
    }

    #[test]
    fn a_written_ack_reads_back_with_good_checksums() {
        for ends in [V4, V6] {
            let packet = ack_packet_between(ends, 77);
            let (tuple, segment) = Segment::parse(&packet, Checksum::Unverified).unwrap();
            assert_eq!(Segment::of_engine(&packet), Some(segment));
            assert!(segment.is_pure_ack());
            assert_eq!((segment.seq, segment.ack, segment.window), (Seq(77), Some(Seq(9)), 1000));
            assert_eq!(tuple.reversed(), tuple_between(ends));
        }
    }

    #[test]
    fn rewriting_the_sequence_number_keeps_the_checksum_right() {
        for (from, to) in [(0, 1), (1, 0), (0xffff_ffff, 0), (0x1234_5678, 0x9abc_def0), (5, 5)] {
            for ends in [V4, V6] {
                let mut packet = ack_packet_between(ends, from);
                rewrite_seq(&mut packet, Seq(to));
                let read =
                    Segment::parse(&packet, Checksum::Unverified).map(|(_, segment)| segment.seq);
                assert_eq!(read, Some(Seq(to)));
                assert_eq!(packet, ack_packet_between(ends, to));
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_unless_the_checksum_is_trusted() {
        let mut packet = ack_packet(77);
        packet[24] ^= 0x10;
        assert!(Segment::parse(&packet, Checksum::Unverified).is_none());
        assert!(Segment::parse(&packet, Checksum::Verified).is_some());
    }

    #[test]
    fn truncated_packets_are_refused() {
        for packet in [ack_packet(77), ack_packet_between(V6, 77)] {
            for len in 0..packet.len() {
                assert!(
                    Segment::parse(&packet[..len], Checksum::Verified).is_none(),
                    "of {len} bytes"
                );
            }
        }
    }
}
