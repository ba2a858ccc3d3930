//! IP of both families: the header, its fields under IPv6's names, and what follows it.

use std::net::{IpAddr, Ipv6Addr};

use super::checksum::{internet_checksum, updated};

/// Length of an IPv4 header without options.
pub(crate) const IPV4_HEADER: usize = 20;
/// Length of an IPv6 header without extension headers.
pub(crate) const IPV6_HEADER: usize = 40;
/// The least that each link carries of IPv6, in bytes: RFC 8200 section 5.
pub(crate) const IPV6_MIN_MTU: usize = 1_280;
/// Length of IPv6's Fragment header.
pub(crate) const FRAGMENT_HEADER: usize = 8;

/// IANA's numbers of what an IP packet carries, IPv6's extension headers (RFC 8200 section 4) among
/// them.
pub(crate) mod protocol {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const ICMP: u8 = 1;
    /// Who is in which group: routers listen to that (RFC 3376).
    pub(crate) const IGMP: u8 = 2;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const ICMPV6: u8 = 58;
    pub(crate) const NO_NEXT_HEADER: u8 = 59;
    pub(crate) const DESTINATION_OPTIONS: u8 = 60;
}

/// What stands in a packet's header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IpHeader {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    /// IPv4's time to live.
    pub(crate) hop_limit: u8,
    /// IPv4's type of service.
    pub(crate) traffic_class: u8,
}

impl IpHeader {
    pub(crate) fn len(&self) -> usize {
        if self.destination.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER }
    }

    /// As [`IpHeader::write`], of a packet whose checksums are left out, and which is not cut on its
    /// way.
    // For each segment, so that the two families stand beside each other.
    #[inline]
    pub(crate) fn write_without_checksum(&self, packet: &mut [u8]) {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (self.source, self.destination) else {
            return self.write(packet, true);
        };
        let [high, low] = (packet.len() as u16).to_be_bytes();
        if let Some(header) = packet.first_chunk_mut::<IPV4_HEADER>() {
            header[..8].copy_from_slice(&[0x45, self.traffic_class, high, low, 0, 0, 0x40, 0]);
            header[8..12].copy_from_slice(&[self.hop_limit, self.protocol, 0, 0]);
            header[12..16].copy_from_slice(&source.octets());
            header[16..].copy_from_slice(&destination.octets());
        }
    }

    /// Writes the header in front of a payload that is already there.
    pub(crate) fn write(&self, packet: &mut [u8], dont_fragment: bool) {
        let len = packet.len();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let flags = if dont_fragment { 0x40 } else { 0 };
                let [high, low] = (len as u16).to_be_bytes();
                let header = &mut packet[..IPV4_HEADER];
                header[..8].copy_from_slice(&[0x45, self.traffic_class, high, low, 0, 0, flags, 0]);
                header[8..12].copy_from_slice(&[self.hop_limit, self.protocol, 0, 0]);
                header[12..16].copy_from_slice(&source.octets());
                header[16..].copy_from_slice(&destination.octets());
                let checksum = internet_checksum(header);
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
            }
            (source, destination) => {
                let [high, low] = ((len - IPV6_HEADER) as u16).to_be_bytes();
                let (version, flow) = (0x60 | self.traffic_class >> 4, self.traffic_class << 4);
                let header = &mut packet[..IPV6_HEADER];
                header[..4].copy_from_slice(&[version, flow, 0, 0]);
                header[4..8].copy_from_slice(&[high, low, self.protocol, self.hop_limit]);
                header[8..24].copy_from_slice(&to_v6(source).octets());
                header[24..].copy_from_slice(&to_v6(destination).octets());
            }
        }
    }
}

/// An address as IPv6 has it: an IPv4 one as `::ffff:a.b.c.d`.
pub(crate) fn to_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The two fields of the header that a socket sets, under IPv6's names; IPv4's are TTL and TOS. A TCP
/// engine writes the defaults, and other values are written over them as packets leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IpFields {
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
}

impl Default for IpFields {
    fn default() -> IpFields {
        // RFC 1700: the recommended default.
        IpFields { hop_limit: 64, traffic_class: 0 }
    }
}

/// ECT(0), and that congestion was experienced: two of the values of the two bits that congestion
/// notification has in an IP header (RFC 3168 section 5).
pub(crate) const ECT_0: u8 = 0b10;
pub(crate) const CE: u8 = 0b11;

/// The two bits of an IP packet that congestion notification has.
#[inline]
pub(crate) fn ecn(packet: &[u8]) -> u8 {
    match packet {
        [first, second, ..] if first >> 4 == 6 => (second >> 4) & CE,
        [_, second, ..] => second & CE,
        _ => 0,
    }
}

impl IpFields {
    /// Writes them into an IP packet, and mends the checksum of an IPv4 header (RFC 1624). The bits of
    /// congestion notification stay as they are.
    pub(crate) fn write(mut self, packet: &mut [u8]) {
        if self == IpFields::default() {
            return;
        }
        self.traffic_class |= ecn(packet);
        match packet.first().map(|first| first >> 4) {
            Some(4) if packet.len() >= IPV4_HEADER => {
                let new = [[packet[0], self.traffic_class], [self.hop_limit, packet[9]]];
                let replaced = [0, 1].map(|at| (word(packet, 8 * at), u16::from_be_bytes(new[at])));
                let checksum = updated(word(packet, 10), replaced);
                packet[..2].copy_from_slice(&new[0]);
                packet[8..10].copy_from_slice(&new[1]);
                packet[10..12].copy_from_slice(&checksum.to_be_bytes());
            }
            Some(6) if packet.len() >= IPV6_HEADER => {
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
    use smoltcp::wire::{Ipv4Packet, Ipv6Packet};

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
            IpFields { hop_limit, traffic_class }.write(&mut packet);
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
        IpFields { hop_limit: 3, traffic_class: 0xb8 }.write(&mut packet);
        assert_eq!(packet[..8], [0x6b, 0x8a, 0xbc, 0xde, 0, 0, 6, 3]);
    }

    #[test]
    fn what_is_no_ip_packet_is_left_alone() {
        for len in [0, 1, 19, 39] {
            let mut packet = vec![if len == 39 { 0x60 } else { 0x45 }; len];
            let before = packet.clone();
            IpFields { hop_limit: 3, traffic_class: 4 }.write(&mut packet);
            assert_eq!(packet, before);
        }
    }

    #[test]
    fn a_written_header_is_what_smoltcp_reads() {
        let header = |ends: [&str; 2]| IpHeader {
            source: ends[0].parse().unwrap(),
            destination: ends[1].parse().unwrap(),
            protocol: protocol::UDP,
            hop_limit: 3,
            traffic_class: 0xb9,
        };
        let mut packet = [0xff; 50];
        header(["10.0.0.1", "10.0.0.2"]).write(&mut packet, true);
        let ip = Ipv4Packet::new_checked(&packet).unwrap();
        assert!(ip.verify_checksum() && ip.dont_frag() && !ip.more_frags());
        assert_eq!((ip.version(), ip.header_len(), ip.total_len()), (4, 20, 50));
        assert_eq!((ip.dscp() << 2 | ip.ecn(), ip.hop_limit(), ip.ident()), (0xb9, 3, 0));
        assert_eq!((ip.frag_offset(), u8::from(ip.next_header())), (0, protocol::UDP));
        assert_eq!(ip.src_addr().to_string(), "10.0.0.1");
        assert_eq!(ip.dst_addr().to_string(), "10.0.0.2");
        header(["fd00::1", "fd00::2"]).write(&mut packet, true);
        let ip = Ipv6Packet::new_checked(&packet).unwrap();
        assert_eq!((ip.version(), ip.traffic_class(), ip.flow_label()), (6, 0xb9, 0));
        assert_eq!((ip.payload_len(), ip.hop_limit()), (10, 3));
        assert_eq!(u8::from(ip.next_header()), protocol::UDP);
        assert_eq!(ip.src_addr().to_string(), "fd00::1");
        assert_eq!(ip.dst_addr().to_string(), "fd00::2");
    }
}
