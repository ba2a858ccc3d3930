//! IPv6 (RFC 8200): the headers, and addresses with a meaning of their own.

use std::net::Ipv6Addr;

use super::ethernet::Mac;
use super::ip::{FRAGMENT_HEADER, IPV6_HEADER, IpHeader};

/// The fields of a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv6Header {
    pub(crate) source: Ipv6Addr,
    pub(crate) destination: Ipv6Addr,
    pub(crate) next_header: u8,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    pub(crate) payload_len: usize,
}

impl Ipv6Header {
    /// Reads the header of a packet whose end may be missing, and gives what follows it.
    pub(crate) fn split_from(packet: &[u8]) -> Option<(Ipv6Header, &[u8])> {
        let (fixed, rest) = packet.split_first_chunk::<IPV6_HEADER>()?;
        let address = |at: usize| {
            let bytes: [u8; 16] = std::array::from_fn(|byte| fixed[at + byte]);
            Ipv6Addr::from(bytes)
        };
        let header = Ipv6Header {
            source: address(8),
            destination: address(24),
            next_header: fixed[6],
            hop_limit: fixed[7],
            traffic_class: fixed[0] << 4 | fixed[1] >> 4,
            payload_len: u16::from_be_bytes([fixed[4], fixed[5]]).into(),
        };
        (fixed[0] >> 4 == 6).then_some((header, rest))
    }

    /// Reads the header of a packet that is there whole, and gives what follows it, without padding.
    pub(crate) fn of_whole(packet: &[u8]) -> Option<(Ipv6Header, &[u8])> {
        let (ip, payload) = Ipv6Header::split_from(packet)?;
        Some((ip, payload.get(..ip.payload_len)?))
    }

    /// The part of it that both versions have.
    pub(crate) fn common(&self) -> IpHeader {
        IpHeader {
            source: self.source.into(),
            destination: self.destination.into(),
            protocol: self.next_header,
            hop_limit: self.hop_limit,
            traffic_class: self.traffic_class,
        }
    }
}

/// Sets the length of what follows a header.
pub(crate) fn set_payload_len(header: &mut [u8], payload_len: usize) {
    header[4..6].copy_from_slice(&(payload_len as u16).to_be_bytes());
}

/// The header of a fragment: RFC 8200 4.5.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FragmentHeader {
    pub(crate) next_header: u8,
    /// Where the payload belongs in that of the whole packet, in bytes.
    pub(crate) offset: usize,
    pub(crate) more_fragments: bool,
    pub(crate) id: u32,
}

impl FragmentHeader {
    /// Reads it, and gives what follows it.
    pub(crate) fn split_from(bytes: &[u8]) -> Option<(FragmentHeader, &[u8])> {
        let (fixed, rest) = bytes.split_first_chunk::<FRAGMENT_HEADER>()?;
        let fields = u16::from_be_bytes([fixed[2], fixed[3]]);
        let header = FragmentHeader {
            next_header: fixed[0],
            offset: usize::from(fields & 0xfff8),
            more_fragments: fields & 1 != 0,
            id: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        };
        Some((header, rest))
    }
}

/// Everybody on the link: RFC 4291 2.7.1.
pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// All routers on the link: RFC 4291 2.7.1.
pub(crate) const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// The hop-by-hop option by which routers are told to look at a packet that is not for them, with
/// the value of MLD: RFC 2711.
pub(crate) const ROUTER_ALERT: [u8; 4] = [5, 2, 0, 0];

/// The link-local address of an interface: RFC 4291 appendix A.
pub(crate) fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// The group in which an address's host is looked for: RFC 4291 2.7.1.
pub(crate) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// Whether a packet has the router alert option, with the value of MLD.
pub(crate) fn has_router_alert(packet: &[u8]) -> bool {
    let Some((header, payload)) = packet.split_at_checked(IPV6_HEADER) else { return false };
    let Some(eighths) = payload.get(1).filter(|_| header[6] == 0) else { return false };
    let mut options = payload.get(2..(usize::from(*eighths) + 1) * 8).unwrap_or_default();
    loop {
        match options {
            [5, 2, 0, 0, ..] => return true,
            [0, rest @ ..] => options = rest,
            [_, len, rest @ ..] => options = rest.get(usize::from(*len)..).unwrap_or_default(),
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4291 appendix A: the universal/local bit is inverted.
    #[test]
    fn the_link_local_address_follows_from_the_ethernet_address() {
        assert_eq!(link_local([2, 0, 0, 0, 0, 1]).to_string(), "fe80::ff:fe00:1");
    }

    #[test]
    fn the_solicited_node_group_has_the_last_24_bits_of_the_address() {
        assert_eq!(
            solicited_node("fd00::12:3456".parse().unwrap()).to_string(),
            "ff02::1:ff12:3456"
        );
    }

    #[test]
    fn the_router_alert_is_found_among_other_options() {
        let v6 = |next: u8, options: [u8; 6]| {
            let mut packet = vec![0; IPV6_HEADER];
            packet[6] = next;
            packet.extend([58, 0]);
            packet.extend(options);
            packet.extend([5, 2, 0, 0]);
            has_router_alert(&packet)
        };
        assert!(v6(0, [5, 2, 0, 0, 1, 0]) && v6(0, [0, 0, 5, 2, 0, 0]));
        assert!(!v6(60, [5, 2, 0, 0, 1, 0]) && !v6(0, [1, 4, 0, 0, 0, 0]));
        assert!(!v6(0, [5, 2, 0, 1, 1, 0]) && !v6(0, [1, 200, 5, 2, 0, 0]));
    }
}
