//! What the kernel and a network card tell each other with each frame, so that one may leave work
//! to the other: `struct virtio_net_hdr` (virtio 1.2, 5.1.6), which a TAP device speaks, too.
//!
//! A frame may stand for several TCP segments that follow one another, up to 64 KiB in all, and the
//! checksum of TCP or UDP may be missing. Nothing of it has to be done where the frame never meets
//! a wire.

use crate::wire::checksum::{Checksum, pseudo_header_sum};
use crate::wire::ethernet::{ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ethertype};
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER, IpHeader, protocol};
use crate::wire::ipv4::{Ipv4Header, set_total_len};
use crate::wire::ipv6::{Ipv6Header, set_payload_len};
use crate::wire::tcp::{self, ACK, PSH, Seq, TCP_HEADER};

/// Length of the header, which is in the order of bytes of this machine.
pub(super) const HEADER: usize = 10;
/// Segments in one frame, at most; fewer than the 1,024 pieces that `writev` takes.
pub(super) const MAX_SEGMENTS: usize = 128;
/// What they may be together, as an IP packet.
const LARGEST_PACKET: usize = 65_535;

const NEEDS_CSUM: u8 = 1;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;

/// Where TCP's checksum is in its header.
const CHECKSUM: usize = 16;
/// Ethernet, IPv6 and TCP with all its options.
const MAX_HEADERS: usize = ETHERNET_HEADER + IPV6_HEADER + 60;

/// What is known of the frame behind this header. One that the kernel made, and that has not met a
/// wire since, needs no checksum.
pub(super) fn checksum_of(header: &[u8; HEADER]) -> Checksum {
    if header[0] & NEEDS_CSUM != 0 { Checksum::Verified } else { Checksum::Unverified }
}

/// Frames that leave as one.
pub(super) struct Merged {
    pub(super) header: [u8; HEADER],
    headers: [u8; MAX_HEADERS],
    /// Length of the frame's headers, in each of the frames and in the one.
    pub(super) headers_len: usize,
    /// How many of the frames.
    pub(super) count: usize,
    /// Length of the one.
    pub(super) len: usize,
}

impl Merged {
    /// The headers of the one frame.
    pub(super) fn headers(&self) -> &[u8] {
        &self.headers[..self.headers_len]
    }
}

/// As many of the first frames as can leave as one: segments of one connection that carry data
/// and differ in nothing else, each but the last with as much. `None` if that is not even two.
/// With `without_ethernet` the one has no Ethernet header.
pub(super) fn merge<'f>(
    mut frames: impl Iterator<Item = &'f [u8]>,
    without_ethernet: bool,
) -> Option<Merged> {
    let bytes = frames.next()?;
    let first = Segment::parse(bytes)?;
    if first.flags() != ACK {
        return None;
    }
    let (mut count, mut payload) = (1, first.payload_len());
    let mut flags = ACK;
    for bytes in frames.take(MAX_SEGMENTS - 1) {
        let Some(next) = Segment::parse(bytes) else { break };
        let seq = first.seq().plus(u32::try_from(payload).unwrap_or(u32::MAX));
        if next.payload_len() > first.payload_len()
            || first.headers - ETHERNET_HEADER + payload + next.payload_len() > LARGEST_PACKET
            || next.seq() != seq
            || !first.differs_in_place_only(&next)
        {
            break;
        }
        count += 1;
        payload += next.payload_len();
        flags = next.flags();
        if flags & PSH != 0 || next.payload_len() < first.payload_len() {
            break;
        }
    }
    (count > 1).then(|| first.as_one(count, payload, flags, without_ethernet)).flatten()
}

/// A frame with a TCP segment that carries data.
struct Segment<'f> {
    frame: &'f [u8],
    ip: IpHeader,
    /// Where TCP begins.
    tcp: usize,
    /// Where the data begin.
    headers: usize,
}

impl<'f> Segment<'f> {
    fn parse(frame: &'f [u8]) -> Option<Segment<'f>> {
        let packet = frame.get(ETHERNET_HEADER..)?;
        let (ip, ip_header, packet_len) = match ethertype(frame)? {
            ETHERTYPE_IPV4 => {
                let ip = Ipv4Header::parse(packet)?;
                if ip.is_fragment() || ip.header_len != IPV4_HEADER {
                    return None;
                }
                (ip.common(), IPV4_HEADER, ip.total_len)
            }
            ETHERTYPE_IPV6 => {
                let (ip, _) = Ipv6Header::split_from(packet)?;
                (ip.common(), IPV6_HEADER, IPV6_HEADER + ip.payload_len)
            }
            _ => return None,
        };
        let tcp = ETHERNET_HEADER + ip_header;
        let headers = tcp + usize::from(frame.get(tcp + 12)? >> 4) * 4;
        let flags = *frame.get(tcp + 13)?;
        let is_fine = ip.protocol == protocol::TCP
            && ETHERNET_HEADER + packet_len == frame.len()
            && (tcp + TCP_HEADER..frame.len()).contains(&headers)
            && flags & !PSH == ACK;
        is_fine.then_some(Segment { frame, ip, tcp, headers })
    }

    fn is_v6(&self) -> bool {
        self.ip.destination.is_ipv6()
    }

    fn flags(&self) -> u8 {
        self.frame[self.tcp + 13]
    }

    fn seq(&self) -> Seq {
        tcp::seq(&self.frame[self.tcp..]).unwrap_or_default()
    }

    fn payload_len(&self) -> usize {
        self.frame.len() - self.headers
    }

    /// Whether the headers are the same but for lengths, checksums, IPv4's identification, the
    /// sequence number and PSH.
    fn differs_in_place_only(&self, other: &Segment<'_>) -> bool {
        let same = |from: usize, to: usize| self.frame[from..to] == other.frame[from..to];
        let ip = ETHERNET_HEADER;
        let is_same_ip = match self.is_v6() {
            true => same(0, ip + 4) && same(ip + 6, self.tcp),
            false => same(0, ip + 2) && same(ip + 6, ip + 10) && same(ip + 12, self.tcp),
        };
        self.headers == other.headers
            && is_same_ip
            && same(self.tcp, self.tcp + 4)
            && same(self.tcp + 8, self.tcp + 13)
            && same(self.tcp + 14, self.tcp + CHECKSUM)
            && same(self.tcp + CHECKSUM + 2, self.headers)
    }

    fn as_one(
        &self,
        count: usize,
        payload: usize,
        flags: u8,
        without_ethernet: bool,
    ) -> Option<Merged> {
        let skipped = if without_ethernet { ETHERNET_HEADER } else { 0 };
        let mut headers = [0; MAX_HEADERS];
        headers.get_mut(..self.headers)?.copy_from_slice(&self.frame[..self.headers]);
        let (packet, tcp) = headers.split_at_mut(self.tcp);
        let packet = &mut packet[ETHERNET_HEADER..];
        let segment_len = self.headers - self.tcp + payload;
        if self.is_v6() {
            set_payload_len(packet, segment_len);
        } else {
            set_total_len(packet, IPV4_HEADER + segment_len);
        }
        tcp[13] = flags;
        // The rest of the sum is left to the kernel, which leaves it, too.
        let IpHeader { source, destination, protocol, .. } = self.ip;
        let pseudo_header = pseudo_header_sum(source, destination, protocol, segment_len);
        tcp[CHECKSUM..CHECKSUM + 2].copy_from_slice(&pseudo_header.to_be_bytes());

        let mut header = [0; HEADER];
        header[0] = NEEDS_CSUM;
        header[1] = if self.is_v6() { GSO_TCPV6 } else { GSO_TCPV4 };
        let numbers = [self.headers - skipped, self.payload_len(), self.tcp - skipped, CHECKSUM];
        for (number, place) in numbers.into_iter().zip(header[2..].chunks_exact_mut(2)) {
            place.copy_from_slice(&u16::try_from(number).ok()?.to_ne_bytes());
        }
        Some(Merged {
            header,
            headers,
            headers_len: self.headers,
            count,
            len: self.headers + payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum::internet_checksum;

    fn frame(is_v6: bool, seq: u32, payload: &[u8], flags: u8) -> Vec<u8> {
        let mut frame = vec![2; 12];
        let tcp_len = u16::try_from(20 + payload.len()).unwrap();
        if is_v6 {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(tcp_len.to_be_bytes());
            frame.extend([6, 64]);
            frame.extend([0xfd; 32]);
        } else {
            frame.extend([0x08, 0x00, 0x45, 0]);
            frame.extend((tcp_len + 20).to_be_bytes());
            // The identification is that of the segment.
            frame.extend([(seq >> 8) as u8, seq as u8, 0x40, 0, 64, 6, 0x77, 0x77]);
            frame.extend([192, 0, 2, 2, 192, 0, 2, 1]);
        }
        frame.extend([0, 19, 0x80, 0]);
        frame.extend(seq.to_be_bytes());
        frame.extend([0, 0, 0, 9, 0x50, flags, 0xff, 0xff, 0x55, 0x55, 0, 0]);
        frame.extend(payload);
        frame
    }

    fn merged(frames: &[Vec<u8>]) -> Option<Merged> {
        merge(frames.iter().map(Vec::as_slice), false)
    }

    #[test]
    fn segments_that_follow_one_another_leave_as_one() {
        for is_v6 in [false, true] {
            let frames = [
                frame(is_v6, 1000, &[1; 100], ACK),
                frame(is_v6, 1100, &[2; 100], ACK),
                frame(is_v6, 1200, &[3; 40], ACK | PSH),
                frame(is_v6, 1240, &[4; 100], ACK),
            ];
            let one = merged(&frames).unwrap();
            assert_eq!((one.count, one.len), (3, one.headers_len + 240));
            let tcp = one.headers_len - 20;
            let numbers: Vec<u16> = one.header[2..]
                .chunks_exact(2)
                .map(|number| u16::from_ne_bytes([number[0], number[1]]))
                .collect();
            assert_eq!(numbers, [one.headers_len as u16, 100, tcp as u16, 16]);
            assert_eq!(one.header[..2], [1, if is_v6 { 4 } else { 1 }]);
            let headers = one.headers();
            assert_eq!(headers[..12], frames[0][..12]);
            assert_eq!(headers[tcp..tcp + 13], frames[0][tcp..tcp + 13]);
            assert_eq!(headers[tcp + 13], ACK | PSH);
            let lens = [headers[18], headers[19], headers[16], headers[17]];
            let len = if is_v6 { [1, 4] } else { [1, 24] };
            assert_eq!(if is_v6 { &lens[..2] } else { &lens[2..] }, len);
            if !is_v6 {
                assert_eq!(internet_checksum(&headers[14..34]), 0, "the checksum of IPv4's header");
            }
            // Without Ethernet, the places are counted from the IP header.
            let one = merge(frames.iter().map(Vec::as_slice), true).unwrap();
            assert_eq!(one.header[2..4], (one.headers_len as u16 - 14).to_ne_bytes());
        }
    }

    #[test]
    fn what_differs_in_more_than_its_place_leaves_by_itself() {
        let first = frame(false, 1000, &[1; 100], ACK);
        let second = frame(false, 1100, &[2; 100], ACK);
        let with = |at: usize, byte: u8| {
            let mut other = second.clone();
            other[at] = byte;
            merged(&[first.clone(), other]).is_some()
        };
        assert!(with(60, 7), "data may differ");
        let places = [
            (0, 7, "destination"),
            (15, 7, "TOS"),
            (20, 0x20, "a fragment"),
            (22, 7, "TTL"),
            (23, 17, "UDP"),
            (26, 7, "address"),
            (35, 20, "port"),
            (41, 0, "gap"),
            (45, 7, "acknowledgment"),
            (46, 0x60, "options"),
            (47, 0x11, "FIN"),
            (47, 0x30, "URG"),
            (48, 7, "window"),
            (14, 0x46, "IP options"),
        ];
        for (at, byte, what) in places {
            assert!(!with(at, byte), "{what}");
        }
        // A larger one after a smaller, one with nothing in it, one that pushes before another.
        for frames in [
            [frame(false, 1000, &[1; 50], ACK), frame(false, 1050, &[1; 51], ACK)],
            [frame(false, 1000, &[1; 50], ACK), frame(false, 1050, &[], ACK)],
            [frame(false, 1000, &[1; 50], ACK | PSH), frame(false, 1050, &[1; 50], ACK)],
        ] {
            assert!(merged(&frames).is_none());
        }
        assert!(merged(std::slice::from_ref(&first)).is_none());
        // Cut anywhere, nothing happens.
        for len in 0..second.len() {
            assert!(merged(&[first.clone(), second[..len].to_vec()]).is_none());
            assert!(merged(&[second[..len].to_vec(), first.clone()]).is_none());
        }
    }

    #[test]
    fn one_frame_is_no_more_than_a_packet_may_be() {
        let frames: Vec<Vec<u8>> =
            (0..100).map(|at| frame(true, at * 1000, &[0; 1000], ACK)).collect();
        let one = merged(&frames).unwrap();
        assert_eq!(one.count, 65);
        assert!(one.len - ETHERNET_HEADER <= LARGEST_PACKET);
        let frames: Vec<Vec<u8>> = (0..200).map(|at| frame(false, at, &[0], ACK)).collect();
        assert_eq!(merged(&frames).unwrap().count, MAX_SEGMENTS);
    }
}
