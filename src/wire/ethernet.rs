//! Ethernet: addresses, types, and the header.

use std::net::IpAddr;

/// Length of an Ethernet header: destination, source, type.
pub(crate) const ETHERNET_HEADER: usize = 14;

/// An Ethernet address.
pub(crate) type Mac = [u8; 6];

pub(crate) const BROADCAST: Mac = [0xff; 6];

pub(crate) const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
pub(crate) const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
pub(crate) const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];

/// An Ethernet address as people write it.
pub(crate) fn show_mac(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// The Ethernet address of a group: RFC 1112 6.4, RFC 2464 section 7.
pub(crate) fn group_mac(group: IpAddr) -> Mac {
    match group {
        IpAddr::V4(group) => {
            let [_, b, c, d] = group.octets();
            [0x01, 0x00, 0x5e, b & 0x7f, c, d]
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            [0x33, 0x33, a, b, c, d]
        }
    }
}

/// The fields of a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EthernetHeader {
    pub(crate) destination: Mac,
    pub(crate) source: Mac,
    pub(crate) ethertype: [u8; 2],
}

impl EthernetHeader {
    /// Reads it, and gives what follows it.
    #[inline]
    pub(crate) fn split_from(frame: &[u8]) -> Option<(EthernetHeader, &[u8])> {
        let (header, packet) = frame.split_first_chunk::<ETHERNET_HEADER>()?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, high, low] = *header;
        let (destination, source) = ([a, b, c, d, e, f], [g, h, i, j, k, l]);
        Some((EthernetHeader { destination, source, ethertype: [high, low] }, packet))
    }
}

/// The type of a frame that carries an IP packet.
pub(crate) fn ethertype_of_packet(packet: &[u8]) -> [u8; 2] {
    let is_v6 = packet.first().is_some_and(|first| first >> 4 == 6);
    if is_v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 }
}

/// The type of a frame that carries a packet to `address`.
pub(crate) fn ethertype_of(address: IpAddr) -> [u8; 2] {
    if address.is_ipv4() { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 }
}

/// The type of a frame.
#[inline]
pub(crate) fn ethertype(frame: &[u8]) -> Option<[u8; 2]> {
    frame.get(12..14)?.first_chunk().copied()
}

/// From whom a frame comes.
#[inline]
pub(crate) fn source_mac(frame: &[u8]) -> Option<Mac> {
    frame.get(6..12)?.first_chunk().copied()
}

/// Whether an Ethernet address is that of a group, or of everybody.
#[inline]
pub(crate) fn is_group(mac: Mac) -> bool {
    mac[0] & 1 != 0
}

/// Writes destination, source and type in front of a packet.
pub(crate) fn write_ethernet_header(frame: &mut [u8], to: Mac, from: Mac, ethertype: [u8; 2]) {
    frame[0..6].copy_from_slice(&to);
    frame[6..12].copy_from_slice(&from);
    frame[12..14].copy_from_slice(&ethertype);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_ethernet_addresses() {
        let mac_of = |group: &str| group_mac(group.parse().unwrap());
        assert_eq!(mac_of("224.0.0.251"), [1, 0, 0x5e, 0, 0, 251]);
        assert_eq!(mac_of("239.129.2.3"), [1, 0, 0x5e, 1, 2, 3]);
        assert_eq!(mac_of("ff02::1:ff00:2"), [0x33, 0x33, 0xff, 0, 0, 2]);
    }
}
