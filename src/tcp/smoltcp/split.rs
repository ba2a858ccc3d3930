//! Cuts a segment that is too large for its path: the socket learns of a path's MTU only once,
//! when a connection begins, so what a path is found to carry later is seen to here.

use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::{FIN, PSH, fill_tcp_checksums, seq, set_ip_len, tcp_offset};

/// The segments, each in an IP packet of at most `mtu` bytes, that together say what `packet`
/// says. It is one of the socket's: its IP header has neither options nor extensions.
pub(super) fn split_segment(packet: &[u8], mtu: usize, pool: &mut FramePool) -> Vec<FrameBuffer> {
    let tcp_at = tcp_offset(packet);
    let Some(data_offset) = packet.get(tcp_at + 12) else { return Vec::new() };
    let payload_at = tcp_at + usize::from(data_offset >> 4) * 4;
    let Some((headers, payload)) = packet.split_at_checked(payload_at) else { return Vec::new() };
    // A path so narrow that not even the headers pass: RFC 791 3.2 knows none below 68.
    let max = mtu.saturating_sub(payload_at).max(8);
    let Some(first_seq) = seq(&headers[tcp_at..]) else { return Vec::new() };
    let count = payload.len().div_ceil(max);
    let mut parts = Vec::with_capacity(count);
    for (index, part) in payload.chunks(max).enumerate() {
        let mut frame = pool.take(ETHERNET_HEADER + payload_at + part.len());
        let packet = frame.packet_mut();
        packet[..payload_at].copy_from_slice(headers);
        packet[payload_at..].copy_from_slice(part);
        let seq = first_seq.plus((index * max) as u32);
        let segment = &mut packet[tcp_at..];
        segment[4..8].copy_from_slice(&seq.0.to_be_bytes());
        if index + 1 < count {
            segment[13] &= !(FIN | PSH);
        }
        set_ip_len(packet);
        fill_tcp_checksums(packet);
        parts.push(frame);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum::Checksum;
    use crate::wire::tcp::{BareAck, FourTuple, Segment, Seq, bare_ack_len, write_bare_ack};

    fn packet(ends: [&str; 2], payload: usize) -> Vec<u8> {
        let [local, remote] = ends.map(|end| end.parse().unwrap());
        let tuple = FourTuple::new(local, remote);
        let mut packet = vec![0; bare_ack_len(&tuple)];
        write_bare_ack(&mut packet, &tuple, BareAck { seq: Seq(77), ack: Seq(9), window: 1000 });
        packet.extend((0..payload).map(|at| at as u8));
        let tcp_at = tcp_offset(&packet);
        packet[tcp_at + 13] |= FIN | PSH;
        set_ip_len(&mut packet);
        fill_tcp_checksums(&mut packet);
        packet
    }

    #[test]
    fn the_parts_say_together_what_the_whole_said() {
        for ends in [["10.0.0.1:1", "10.0.0.2:2"], ["[fd00::1]:1", "[fd00::2]:2"]] {
            let whole = packet(ends, 1400);
            let parts = split_segment(&whole, 600, &mut FramePool::default());
            let headers = whole.len() - 1400;
            let mut next = Seq(77);
            let mut payload: Vec<u8> = Vec::new();
            for (index, part) in parts.iter().enumerate() {
                let (_, segment) =
                    Segment::parse(part.packet(), Checksum::Unverified).expect("good checksums");
                assert!(part.packet().len() <= 600);
                assert_eq!((segment.seq, segment.ack), (next, Some(Seq(9))));
                assert_eq!(segment.fin, index + 1 == parts.len());
                payload.extend(&part.packet()[headers..]);
                next = next.plus(segment.payload_len);
            }
            assert_eq!(payload, whole[headers..]);
        }
    }
}
