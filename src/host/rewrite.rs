//! Changes to a segment on its way between the wire and the engine.
//!
//! Checksums are left as they are: the engine does not verify those of what it is given, and what
//! it sends has none yet.

use super::segment::{IPV4_HEADER, IPV6_HEADER, Seq};

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const FLAGS: usize = 13;
/// Length of a TCP header without options.
const TCP_HEADER: usize = 20;

/// Where the TCP header of a whole segment begins. IPv6 extension headers are gone by then.
fn tcp_offset(packet: &[u8]) -> usize {
    match packet.first() {
        Some(first) if first >> 4 == 4 => usize::from(first & 0x0f) * 4,
        _ => IPV6_HEADER,
    }
}

fn tcp_header(packet: &mut [u8]) -> Option<&mut [u8; TCP_HEADER]> {
    let offset = tcp_offset(packet);
    packet.get_mut(offset..)?.first_chunk_mut()
}

/// Sets or clears FIN.
pub(super) fn rewrite_fin(packet: &mut [u8], fin: bool) {
    if let Some(tcp) = tcp_header(packet) {
        tcp[FLAGS] = tcp[FLAGS] & !FIN | if fin { FIN } else { 0 };
    }
}

/// Replaces the acknowledgment number.
pub(super) fn rewrite_ack(packet: &mut [u8], ack: Seq) {
    if let Some(tcp) = tcp_header(packet) {
        tcp[8..12].copy_from_slice(&ack.0.to_be_bytes());
    }
}

/// Keeps the first `payload_len` bytes of the payload, without what follows them: FIN and PSH.
/// Returns the length of the packet that is left.
pub(super) fn cut_payload(packet: &mut [u8], payload_len: usize) -> usize {
    let offset = tcp_offset(packet);
    let Some(tcp) = tcp_header(packet) else { return packet.len() };
    tcp[FLAGS] &= !(FIN | PSH);
    let header_len = usize::from(tcp[12] >> 4) * 4;
    let len = (offset + header_len + payload_len).min(packet.len());
    if packet[0] >> 4 == 4 {
        packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        debug_assert!(offset >= IPV4_HEADER);
    } else {
        packet[4..6].copy_from_slice(&((len - IPV6_HEADER) as u16).to_be_bytes());
    }
    len
}

/// The shift of the window scale option (RFC 7323 2.2), at most 14; `None` without the option.
pub(super) fn window_scale(packet: &[u8]) -> Option<u8> {
    let tcp = packet.get(tcp_offset(packet)..)?;
    let header_len = usize::from(tcp.get(12)? >> 4) * 4;
    let mut options = tcp.get(TCP_HEADER..header_len)?;
    loop {
        match *options {
            [] | [0, ..] => return None,
            [1, ..] => options = &options[1..],
            [3, 3, shift, ..] => return Some(shift.min(14)),
            [_, len, ..] => options = options.get(usize::from(len).max(2)..)?,
            [_] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::segment::{BareAck, FourTuple, Segment, bare_ack_len, write_bare_ack};

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
            assert!(Segment::parse(&packet, true).unwrap().1.fin);
            let len = cut_payload(&mut packet, 4);
            let (_, segment) = Segment::parse(&packet[..len], true).unwrap();
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
            let (_, segment) = Segment::parse(&packet, true).unwrap();
            assert_eq!((segment.fin, segment.ack), (true, Some(Seq(0xfedc_ba98))));
            rewrite_fin(&mut packet, false);
            rewrite_ack(&mut packet, Seq(9));
            assert_eq!(packet, original);
        }
    }

    #[test]
    fn the_window_scale_is_found_among_other_options_and_bad_options_end_the_search() {
        let with = |options: &[u8]| {
            let mut packet = data_packet(ENDS[0], options);
            packet[32] = (((20 + options.len()) / 4) << 4) as u8;
            window_scale(&packet)
        };
        assert_eq!(with(&[2, 4, 5, 180, 1, 3, 3, 7]), Some(7));
        assert_eq!(with(&[3, 3, 200, 0]), Some(14));
        assert_eq!(with(&[1, 1, 1, 0]), None);
        assert_eq!(with(&[2, 0, 2, 0]), None);
        assert_eq!(with(&[2, 40, 0, 0]), None);
        assert_eq!(with(&[]), None);
    }
}
