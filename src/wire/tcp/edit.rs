//! Changes to a segment within its packet.
//!
//! Checksums are left as they are unless a function says otherwise: a TCP engine does not verify
//! those of what it is given, and what it sends has none yet.

use std::net::IpAddr;

use super::segment::FLAGS;
use super::{FIN, PSH, Seq, TCP_HEADER, tcp_offset};
use crate::wire::checksum::{transport_checksum, updated};
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER, protocol};
use crate::wire::ipv4::{self, Ipv4Header};
use crate::wire::ipv6::{Ipv6Header, set_payload_len};

fn tcp_header(packet: &mut [u8]) -> Option<&mut [u8; TCP_HEADER]> {
    let offset = tcp_offset(packet);
    packet.get_mut(offset..)?.first_chunk_mut()
}

/// Sets or clears FIN.
pub(crate) fn rewrite_fin(packet: &mut [u8], fin: bool) {
    if let Some(tcp) = tcp_header(packet) {
        tcp[FLAGS] = tcp[FLAGS] & !FIN | if fin { FIN } else { 0 };
    }
}

/// Replaces the acknowledgment number.
pub(crate) fn rewrite_ack(packet: &mut [u8], ack: Seq) {
    if let Some(tcp) = tcp_header(packet) {
        tcp[8..12].copy_from_slice(&ack.0.to_be_bytes());
    }
}

/// Keeps the first `payload_len` bytes of the payload, without what follows them: FIN and PSH.
/// Returns the length of the packet that is left.
pub(crate) fn cut_payload(packet: &mut [u8], payload_len: usize) -> usize {
    let offset = tcp_offset(packet);
    let Some(tcp) = tcp_header(packet) else { return packet.len() };
    tcp[FLAGS] &= !(FIN | PSH);
    let header_len = usize::from(tcp[12] >> 4) * 4;
    let len = (offset + header_len + payload_len).min(packet.len());
    set_ip_len(&mut packet[..len]);
    len
}

/// Replaces the sequence number of the segment and mends its checksum (RFC 1624).
pub(crate) fn rewrite_seq(packet: &mut [u8], seq: Seq) {
    let Some(tcp) = tcp_header(packet) else { return };
    let word = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
    let (high, low) = ((seq.0 >> 16) as u16, seq.0 as u16);
    let checksum = updated(word(16), [(word(4), high), (word(6), low)]);
    tcp[4..8].copy_from_slice(&seq.0.to_be_bytes());
    tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
}

/// Makes the IP header tell that the packet is as long as it is. An IPv4 header's checksum is left
/// as it is.
pub(crate) fn set_ip_len(packet: &mut [u8]) {
    let len = packet.len();
    if packet[0] >> 4 == 4 {
        packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    } else {
        set_payload_len(packet, len - IPV6_HEADER);
    }
}

/// Fills in the checksums of a packet with TCP, whose IP header has neither options nor
/// extensions. Of one that was cut, it is that of an IPv4 header alone.
pub(crate) fn fill_tcp_checksums(packet: &mut [u8]) {
    let (source, destination, tcp_at): (IpAddr, IpAddr, usize) = match packet.first() {
        Some(first) if first >> 4 == 6 => {
            let Some((ip, _)) = Ipv6Header::of_whole(packet) else { return };
            (ip.source.into(), ip.destination.into(), IPV6_HEADER)
        }
        _ => {
            let Some(header) = packet.get_mut(..IPV4_HEADER) else { return };
            ipv4::fill_checksum(header);
            let Some(ip) = Ipv4Header::of_whole(packet) else { return };
            (ip.source.into(), ip.destination.into(), IPV4_HEADER)
        }
    };
    let Some(segment) = packet.get_mut(tcp_at..) else { return };
    let Some(field) = segment.get_mut(16..18) else { return };
    field.fill(0);
    let checksum = transport_checksum(source, destination, protocol::TCP, segment);
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum::Checksum;
    use crate::wire::tcp::{BareAck, FourTuple, Segment, bare_ack_len, write_bare_ack};

    fn data_packet(ends: [&str; 2], payload: &[u8]) -> Vec<u8> {
        let [local, remote] = ends.map(|end| end.parse().unwrap());
        let tuple = FourTuple::new(local, remote);
        let mut packet = vec![0; bare_ack_len(&tuple)];
        write_bare_ack(&mut packet, &tuple, BareAck { seq: Seq(7), ack: Seq(9), window: 1000 });
        packet.extend_from_slice(payload);
        let len = packet.len();
        cut_payload(&mut packet, len);
        packet
    }

    const ENDS: [[&str; 2]; 2] =
        [["10.0.0.1:80", "10.0.0.2:49152"], ["[fd00::1]:80", "[fd00::2]:49152"]];

    #[test]
    fn a_cut_segment_has_the_first_bytes_and_neither_fin_nor_psh() {
        for ends in ENDS {
            let mut packet = data_packet(ends, b"0123456789");
            rewrite_fin(&mut packet, true);
            assert!(Segment::parse(&packet, Checksum::Verified).unwrap().1.fin);
            let len = cut_payload(&mut packet, 4);
            let (_, segment) = Segment::parse(&packet[..len], Checksum::Verified).unwrap();
            assert_eq!((segment.payload_len, segment.fin), (4, false));
            assert!(packet[..len].ends_with(b"0123"));
        }
    }

    #[test]
    fn fin_and_acknowledgment_are_replaced_and_nothing_else() {
        for ends in ENDS {
            let original = data_packet(ends, b"data");
            let mut packet = original.clone();
            rewrite_fin(&mut packet, true);
            rewrite_ack(&mut packet, Seq(0xfedc_ba98));
            let (_, segment) = Segment::parse(&packet, Checksum::Verified).unwrap();
            assert_eq!((segment.fin, segment.ack), (true, Some(Seq(0xfedc_ba98))));
            rewrite_fin(&mut packet, false);
            rewrite_ack(&mut packet, Seq(9));
            assert_eq!(packet, original);
        }
    }

    #[test]
    fn the_options_of_an_ipv4_header_are_passed_over() {
        let plain = data_packet(ENDS[0], b"data");
        let mut packet = [&plain[..20], &[1, 1, 1, 0], &plain[20..]].concat();
        packet[0] = 0x46;
        let total_len = packet.len() as u16;
        packet[2..4].copy_from_slice(&total_len.to_be_bytes());
        rewrite_fin(&mut packet, true);
        rewrite_ack(&mut packet, Seq(8));
        let (_, segment) = Segment::parse(&packet, Checksum::Verified).unwrap();
        assert_eq!((segment.fin, segment.ack), (true, Some(Seq(8))));
        let len = cut_payload(&mut packet, 2);
        assert!(packet[..len].ends_with(b"da"));
        assert_eq!(Segment::parse(&packet[..len], Checksum::Verified).unwrap().1.payload_len, 2);
    }
}
