//! The addresses of the default LAN, which follow from the order in which hosts are created.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::ethernet::Mac;
use crate::wire::ipv6::link_local;

/// The networks of the default LAN: 10.0.0.0/16 and fd00::/64.
const NETWORK: u32 = 0x0a00_0000;
const PREFIX_LEN: u8 = 16;
const NETWORK_V6: u128 = 0xfd00 << 112;
const PREFIX_LEN_V6: u8 = 64;
/// Addresses per 256 that end neither in .0 nor in .255.
const PER_BLOCK: u32 = 254;
/// Hosts that a /16 holds.
const MAX_HOSTS: u32 = PER_BLOCK * 256;

/// The addresses of a host.
#[derive(Clone, Debug)]
pub(crate) struct HostAddresses {
    pub(crate) mac: Mac,
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
}

impl HostAddresses {
    /// Those of a host of the default LAN, by its number; `None` when the LAN is full.
    pub(crate) fn nth(host: u32) -> Option<HostAddresses> {
        (host < MAX_HOSTS).then(|| HostAddresses {
            mac: mac_of(host),
            v4: address_of(host),
            v6: address_v6_of(host),
        })
    }

    /// What its interface is given, each address with the length of its network's prefix; its
    /// link-local address follows from `mac`.
    pub(crate) fn prefixes(&self) -> [(IpAddr, u8); 2] {
        [(self.v4.into(), PREFIX_LEN), (self.v6.into(), PREFIX_LEN_V6)]
    }
}

/// Locally administered, numbered from 1.
fn mac_of(host: u32) -> Mac {
    let [_, high, middle, low] = (host + 1).to_be_bytes();
    [0x02, 0x00, 0x00, high, middle, low]
}

/// The number of the host that has an address, if it is one of the LAN.
pub(super) fn host_with(mac: Mac) -> Option<u32> {
    let [0x02, 0x00, 0x00, high, middle, low] = mac else { return None };
    u32::from_be_bytes([0, high, middle, low]).checked_sub(1)
}

fn address_of(host: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(NETWORK + (host / PER_BLOCK) * 256 + host % PER_BLOCK + 1)
}

/// The number of the host that has an address, if it is one of the LAN.
pub(super) fn host_at(address: Ipv4Addr) -> Option<u32> {
    let offset = address.to_bits().checked_sub(NETWORK)?;
    let (block, last) = (offset / 256, offset % 256);
    if block > 255 || last == 0 || last == 255 {
        return None;
    }
    Some(block * PER_BLOCK + last - 1)
}

/// fd00::1, fd00::2, …
fn address_v6_of(host: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(NETWORK_V6 | u128::from(host + 1))
}

/// The number of the host that has an address, if it is one of the LAN.
pub(super) fn host_at_v6(address: Ipv6Addr) -> Option<u32> {
    if address.is_unicast_link_local() {
        let [.., a, b, c, _, _, d, e, f] = address.octets();
        return host_with([a ^ 2, b, c, d, e, f])
            .filter(|host| link_local(mac_of(*host)) == address);
    }
    u32::try_from(address.to_bits() ^ NETWORK_V6).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_up_in_order_of_creation_and_avoid_both_ends_of_a_block() {
        assert_eq!(address_of(0), Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(address_v6_of(0), "fd00::1".parse::<Ipv6Addr>().unwrap());
        assert_eq!(address_of(1), Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(address_of(253), Ipv4Addr::new(10, 0, 0, 254));
        assert_eq!(address_of(254), Ipv4Addr::new(10, 0, 1, 1));
        assert_eq!(address_of(MAX_HOSTS - 1), Ipv4Addr::new(10, 0, 255, 254));
    }

    #[test]
    fn every_address_leads_back_to_its_host() {
        for host in (0..MAX_HOSTS).step_by(97) {
            assert_eq!(host_at(address_of(host)), Some(host));
            assert_eq!(host_with(mac_of(host)), Some(host));
            assert_eq!(host_at_v6(address_v6_of(host)), Some(host));
            assert_eq!(host_at_v6(link_local(mac_of(host))), Some(host));
        }
        assert_eq!(host_at_v6("fd00::".parse().unwrap()), None);
        assert_eq!(host_at_v6("fd00:0:0:1::1".parse().unwrap()), None);
        assert_eq!(host_at_v6("fe80::1".parse().unwrap()), None);
        assert_eq!(host_at(Ipv4Addr::new(192, 168, 0, 1)), None);
        assert_eq!(host_at(Ipv4Addr::new(10, 1, 0, 1)), None);
    }

    #[test]
    fn a_full_lan_takes_no_more_hosts() {
        assert!((0..MAX_HOSTS).all(|host| HostAddresses::nth(host).is_some()));
        assert!(HostAddresses::nth(MAX_HOSTS).is_none());
    }
}
