//! Cuts a segment that is too large for its path: the socket learns of a path's MTU only once,
//! when a connection begins, so what a path is found to carry later is seen to here.

use std::net::IpAddr;

use smoltcp::wire::{Ipv4Packet, Ipv6Packet};

use crate::wire::checksum::transport_checksum;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::protocol;
use crate::wire::tcp::{FIN, PSH, tcp_offset};

/// The segments, each in an IP packet of at most `mtu` bytes, that together say what `packet`
/// says. It is one of the socket's: its IP header has neither options nor extensions.
pub(super) fn split_segment(packet: &[u8], mtu: usize, pool: &mut FramePool) -> Vec<FrameBuffer> {
    let tcp_at = tcp_offset(packet);
    let Some(data_offset) = packet.get(tcp_at + 12) else { return Vec::new() };
    let payload_at = tcp_at + usize::from(data_offset >> 4) * 4;
    let Some((headers, payload)) = packet.split_at_checked(payload_at) else { return Vec::new() };
    // A path so narrow that not even the headers pass: RFC 791 3.2 knows none below 68.
    let max = mtu.saturating_sub(payload_at).max(8);
    let first_seq = u32::from_be_bytes([
        headers[tcp_at + 4],
        headers[tcp_at + 5],
        headers[tcp_at + 6],
        headers[tcp_at + 7],
    ]);
    let count = payload.len().div_ceil(max);
    let mut parts = Vec::with_capacity(count);
    for (index, part) in payload.chunks(max).enumerate() {
        let mut frame = pool.take(ETHERNET_HEADER + payload_at + part.len());
        let packet = frame.packet_mut();
        packet[..payload_at].copy_from_slice(headers);
        packet[payload_at..].copy_from_slice(part);
        let seq = first_seq.wrapping_add((index * max) as u32);
        let segment = &mut packet[tcp_at..];
        segment[4..8].copy_from_slice(&seq.to_be_bytes());
        if index + 1 < count {
            segment[13] &= !(FIN | PSH);
        }
        segment[16..18].fill(0);
        mend_lengths_and_checksums(packet, tcp_at);
        parts.push(frame);
    }
    parts
}

/// Makes the length of an IP packet and its checksums right again. The TCP checksum must be 0.
pub(super) fn mend_lengths_and_checksums(packet: &mut [u8], tcp_at: usize) {
    let len = packet.len();
    let (source, destination): (IpAddr, IpAddr) = if packet[0] >> 4 == 4 {
        let mut ip = Ipv4Packet::new_unchecked(&mut *packet);
        ip.set_total_len(len as u16);
        ip.fill_checksum();
        (ip.src_addr().into(), ip.dst_addr().into())
    } else {
        let mut ip = Ipv6Packet::new_unchecked(&mut *packet);
        ip.set_payload_len((len - tcp_at) as u16);
        (ip.src_addr().into(), ip.dst_addr().into())
    };
    let checksum = transport_checksum(source, destination, protocol::TCP, &packet[tcp_at..]);
    packet[tcp_at + 16..tcp_at + 18].copy_from_slice(&checksum.to_be_bytes());
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
        packet[tcp_at + 16..tcp_at + 18].fill(0);
        mend_lengths_and_checksums(&mut packet, tcp_at);
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
