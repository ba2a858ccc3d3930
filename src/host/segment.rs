//! What a host reads of a TCP segment before, and after, the engine does.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

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

    pub(crate) fn local(&self) -> SocketAddr {
        SocketAddr::new(self.local_addr, self.local_port)
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.remote_addr, self.remote_port)
    }
}

impl fmt::Display for FourTuple {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} > {}", self.local(), self.remote())
    }
}

/// The header of a TCP segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
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
    /// Reads an IPv4 packet with a whole TCP segment; `None` for anything else, and for what is
    /// malformed or, unless `intact`, fails a checksum.
    pub(crate) fn parse(packet: &[u8], intact: bool) -> Option<Segment> {
        let ip = Ipv4Packet::new_checked(packet).ok()?;
        if ip.version() != 4
            || ip.next_header() != IpProtocol::Tcp
            || ip.more_frags()
            || ip.frag_offset() != 0
        {
            return None;
        }
        let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
        if !intact {
            let (source, destination) = (ip.src_addr().into(), ip.dst_addr().into());
            if !ip.verify_checksum() || !tcp.verify_checksum(&source, &destination) {
                return None;
            }
        }
        Some(Segment {
            source: SocketAddr::new(IpAddr::V4(ip.src_addr()), tcp.src_port()),
            destination: SocketAddr::new(IpAddr::V4(ip.dst_addr()), tcp.dst_port()),
            seq: Seq(tcp.seq_number().0.cast_unsigned()),
            ack: tcp.ack().then(|| Seq(tcp.ack_number().0.cast_unsigned())),
            syn: tcp.syn(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            window: tcp.window_len(),
            payload_len: tcp.payload().len() as u32,
        })
    }

    /// Reads a packet that the engine wrote: IPv4 without options, and TCP.
    pub(crate) fn of_engine(packet: &[u8]) -> Option<Segment> {
        let (ip, tcp) = packet.split_first_chunk::<20>()?;
        let fixed: &[u8; 20] = tcp.first_chunk()?;
        let port = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let word = |at: usize| {
            u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        let address = |at: usize| IpAddr::from([ip[at], ip[at + 1], ip[at + 2], ip[at + 3]]);
        let flags = fixed[13];
        let header_len = usize::from(fixed[12] >> 4) * 4;
        Some(Segment {
            source: SocketAddr::new(address(12), port(0)),
            destination: SocketAddr::new(address(16), port(2)),
            seq: Seq(word(4)),
            ack: (flags & 0x10 != 0).then(|| Seq(word(8))),
            syn: flags & 0x02 != 0,
            fin: flags & 0x01 != 0,
            rst: flags & 0x04 != 0,
            window: port(14),
            payload_len: tcp.len().checked_sub(header_len)? as u32,
        })
    }

    /// The tuple as the receiving host sees it.
    pub(crate) fn tuple_of_receiver(&self) -> FourTuple {
        FourTuple::new(self.destination, self.source)
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

/// Replaces the sequence number of the segment in an IPv4 packet and mends its checksum
/// (RFC 1624).
pub(crate) fn rewrite_seq(packet: &mut [u8], seq: Seq) {
    let Ok(ip) = Ipv4Packet::new_checked(&*packet) else { return };
    let header_len = usize::from(ip.header_len());
    let total_len = usize::from(ip.total_len());
    let Ok(mut tcp) = TcpPacket::new_checked(&mut packet[header_len..total_len]) else { return };
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

/// Length of an IPv4 packet with a TCP segment that has neither options nor payload.
pub(crate) const BARE_ACK_LEN: usize = 40;

/// Writes a pure ACK from `tuple`'s local end into a buffer of [`BARE_ACK_LEN`] bytes.
pub(crate) fn write_bare_ack(packet: &mut [u8], tuple: &FourTuple, fields: BareAck) {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (tuple.local_addr, tuple.remote_addr)
    else {
        return;
    };
    let tcp = TcpRepr {
        src_port: tuple.local_port,
        dst_port: tuple.remote_port,
        control: TcpControl::None,
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
    let ip = Ipv4Repr {
        src_addr: source,
        dst_addr: destination,
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let checksums = ChecksumCapabilities::default();
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut *packet), &checksums);
    tcp.emit(
        &mut TcpPacket::new_unchecked(&mut packet[ip.buffer_len()..]),
        &IpAddress::Ipv4(source),
        &IpAddress::Ipv4(destination),
        &checksums,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack_packet(seq: u32) -> Vec<u8> {
        let tuple =
            FourTuple::new("10.0.0.1:80".parse().unwrap(), "10.0.0.2:49152".parse().unwrap());
        let mut packet = vec![0; BARE_ACK_LEN];
        write_bare_ack(&mut packet, &tuple, BareAck { seq: Seq(seq), ack: Seq(9), window: 1000 });
        packet
    }

    #[test]
    fn a_written_ack_reads_back_with_good_checksums() {
        let segment = Segment::parse(&ack_packet(77), false).unwrap();
        let of_engine = Segment::of_engine(&ack_packet(77)).unwrap();
        assert_eq!(format!("{segment:?}"), format!("{of_engine:?}"));
        assert!(segment.is_pure_ack());
        assert_eq!((segment.seq, segment.ack, segment.window), (Seq(77), Some(Seq(9)), 1000));
        assert_eq!(segment.tuple_of_receiver().local_port, 49152);
    }

    #[test]
    fn rewriting_the_sequence_number_keeps_the_checksum_right() {
        for (from, to) in [(0, 1), (1, 0), (0xffff_ffff, 0), (0x1234_5678, 0x9abc_def0), (5, 5)] {
            let mut packet = ack_packet(from);
            rewrite_seq(&mut packet, Seq(to));
            assert_eq!(Segment::parse(&packet, false).map(|segment| segment.seq), Some(Seq(to)));
            assert_eq!(packet, ack_packet(to));
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
        let packet = ack_packet(77);
        for len in 0..packet.len() {
            assert!(Segment::parse(&packet[..len], true).is_none(), "of {len} bytes");
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
