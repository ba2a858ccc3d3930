//! IPv6: addresses with a meaning of their own.

use std::net::Ipv6Addr;

use super::ethernet::Mac;

/// Everybody on the link: RFC 4291 2.7.1.
pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

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
}
