//! What a socket puts into the IP headers of its packets: hop limit and traffic class.
//!
//! The engine writes 64 and 0; other values are written over them as packets leave.

/// The two fields, under IPv6's names; IPv4's are TTL and TOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
}

impl Default for Marks {
    fn default() -> Marks {
        // RFC 1700: the recommended default.
        Marks { hop_limit: 64, traffic_class: 0 }
    }
}

impl Marks {
    /// Writes them into an IP packet, and mends the checksum of an IPv4 header (RFC 1624).
    pub(super) fn write(self, packet: &mut [u8]) {
        if self == Marks::default() {
            return;
        }
        match packet.first().map(|first| first >> 4) {
            Some(4) if packet.len() >= 20 => {
                let mut sum = u32::from(!word(packet, 10));
                for (at, new) in
                    [(0, [packet[0], self.traffic_class]), (8, [self.hop_limit, packet[9]])]
                {
                    sum += u32::from(!word(packet, at)) + u32::from(u16::from_be_bytes(new));
                    packet[at..at + 2].copy_from_slice(&new);
                }
                while sum > 0xffff {
                    sum = (sum & 0xffff) + (sum >> 16);
                }
                packet[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
            }
            Some(6) if packet.len() >= 40 => {
                packet[0] = 0x60 | (self.traffic_class >> 4);
                packet[1] = (self.traffic_class << 4) | (packet[1] & 0x0f);
                packet[7] = self.hop_limit;
            }
            _ => {}
        }
    }
}

fn word(packet: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([packet[at], packet[at + 1]])
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::Ipv4Packet;

    use super::*;

    #[test]
    fn an_ipv4_header_keeps_a_good_checksum() {
        for (hop_limit, traffic_class) in [(1, 0), (255, 0xfc), (64, 0xb8), (128, 4), (2, 0xff)] {
            let mut packet = [0; 20];
            let mut ip = Ipv4Packet::new_unchecked(&mut packet);
            ip.set_version(4);
            ip.set_header_len(20);
            ip.set_total_len(20);
            ip.set_hop_limit(64);
            ip.set_src_addr([10, 0, 0, 1].into());
            ip.set_dst_addr([10, 0, 0, 2].into());
            ip.fill_checksum();
            Marks { hop_limit, traffic_class }.write(&mut packet);
            let ip = Ipv4Packet::new_checked(&packet).unwrap();
            assert!(ip.verify_checksum());
            assert_eq!((ip.hop_limit(), packet[1]), (hop_limit, traffic_class));
            assert_eq!((ip.version(), ip.header_len()), (4, 20));
        }
    }

    #[test]
    fn an_ipv6_header_keeps_its_flow_label() {
        let mut packet = [0; 40];
        packet[..8].copy_from_slice(&[0x60, 0x0a, 0xbc, 0xde, 0, 0, 6, 64]);
        Marks { hop_limit: 3, traffic_class: 0xb8 }.write(&mut packet);
        assert_eq!(packet[..8], [0x6b, 0x8a, 0xbc, 0xde, 0, 0, 6, 3]);
    }

    #[test]
    fn what_is_no_ip_packet_is_left_alone() {
        for len in [0, 1, 19, 39] {
            let mut packet = vec![if len == 39 { 0x60 } else { 0x45 }; len];
            let before = packet.clone();
            Marks { hop_limit: 3, traffic_class: 4 }.write(&mut packet);
            assert_eq!(packet, before);
        }
    }
}
