//! The default topology: one LAN with an ideal switch.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustc_hash::FxHashMap;

use super::link::{Direction, Fate};
use crate::host::Prefix;
use crate::rng::Seed;
use crate::time::Instant;
use crate::wire::arp::arp_target;
use crate::wire::ethernet::{BROADCAST, ETHERNET_HEADER, ETHERTYPE_ARP, Mac, is_group, source_mac};
use crate::wire::frame::FrameBuffer;
use crate::wire::ipv6::link_local;
use crate::wire::ndp::solicited_target;
use crate::wire::resolution::is_address_resolution;

/// The networks of the default LAN: 10.0.0.0/16 and fd00::/64.
const NETWORK: u32 = 0x0a00_0000;
const PREFIX_LEN: u8 = 16;
const NETWORK_V6: u128 = 0xfd00 << 112;
const PREFIX_LEN_V6: u8 = 64;
/// The default path: one way, in nanoseconds.
const DEFAULT_DELAY: u64 = 1_000_000;
/// Addresses per 256 that end neither in .0 nor in .255.
const PER_BLOCK: u32 = 254;
/// Hosts that a /16 holds.
const MOST_HOSTS: u32 = PER_BLOCK * 256;

/// Whom the switch hands a frame to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Host(u32),
    /// Everybody but the sender who listens to it.
    Many,
    /// No host has the address.
    Nobody,
}

/// The addresses of a host.
#[derive(Clone, Debug)]
pub(crate) struct HostAddresses {
    pub(crate) mac: Mac,
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
}

impl HostAddresses {
    /// What its interface is given; its link-local address follows from `mac`.
    pub(crate) fn prefixes(&self) -> [Prefix; 2] {
        [Prefix::new(self.v4, PREFIX_LEN), Prefix::new(self.v6, PREFIX_LEN_V6)]
    }

    /// All addresses that a host answers to from outside.
    pub(crate) fn all(&self) -> [IpAddr; 3] {
        [self.v4.into(), self.v6.into(), link_local(self.mac).into()]
    }
}

/// A LAN of up to 65,024 hosts on 10.0.0.0/16 and fd00::/64.
pub(crate) struct Lan {
    seed: Seed,
    hosts: u32,
    directions: Vec<Direction>,
    by_name: BTreeMap<(String, String), usize>,
    /// From and to, by host; filled in as the hosts of named pairs come to exist.
    by_hosts: FxHashMap<(u32, u32), usize>,
}

impl Lan {
    pub(crate) fn new(seed: Seed) -> Lan {
        Lan {
            seed,
            hosts: 0,
            directions: Vec::new(),
            by_name: BTreeMap::new(),
            by_hosts: FxHashMap::default(),
        }
    }

    /// The addresses of the next host, or `None` when the LAN is full.
    pub(crate) fn add_host(&mut self) -> Option<(u32, HostAddresses)> {
        let host = self.hosts;
        if host >= MOST_HOSTS {
            return None;
        }
        self.hosts += 1;
        let addresses =
            HostAddresses { mac: mac_of(host), v4: address_of(host), v6: address_v6_of(host) };
        Some((host, addresses))
    }

    /// The direction from one named host to another, made if need be. The hosts may come later.
    pub(crate) fn direction(&mut self, from: &str, to: &str) -> &mut Direction {
        let key = (from.to_owned(), to.to_owned());
        let index = *self.by_name.entry(key).or_insert_with(|| {
            let stream = self.seed.stream(&format!("link {from}>{to}"));
            self.directions.push(Direction::new(stream));
            self.directions.len() - 1
        });
        &mut self.directions[index]
    }

    /// The names of all pairs that were named.
    pub(crate) fn named_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_name.keys().map(|(from, to)| (from.as_str(), to.as_str()))
    }

    /// Lets named pairs take effect for the hosts that exist.
    pub(crate) fn connect_named_pairs(&mut self, host_of: impl Fn(&str) -> Option<u32>) {
        for ((from, to), index) in &self.by_name {
            if let (Some(from), Some(to)) = (host_of(from), host_of(to)) {
                self.by_hosts.insert((from, to), *index);
            }
        }
    }

    /// Whom the switch hands a frame to. A question of ARP or of neighbour discovery goes to the
    /// host it asks for alone: the others would drop it, and there may be ten thousand.
    pub(crate) fn destination(&self, frame: &FrameBuffer) -> Destination {
        let Some(header) = frame.bytes().first_chunk::<ETHERNET_HEADER>() else {
            return Destination::Nobody;
        };
        let [a, b, c, d, e, f, ..] = *header;
        let to = [a, b, c, d, e, f];
        let host = if !is_group(to) {
            host_with(to)
        } else if to == BROADCAST && header[12..] == ETHERTYPE_ARP {
            arp_target(frame.packet()).and_then(host_at)
        } else if let Some(target) = solicited_target(frame.packet()) {
            host_at_v6(target)
        } else {
            return Destination::Many;
        };
        match host {
            Some(host) if host < self.hosts => Destination::Host(host),
            _ => Destination::Nobody,
        }
    }

    /// How many hosts there are.
    pub(crate) fn hosts(&self) -> u32 {
        self.hosts
    }

    /// Carries a frame from one host to another.
    pub(crate) fn carry(&mut self, now: u64, from: u32, to: u32, frame: &mut FrameBuffer) -> Fate {
        let path = if self.by_hosts.is_empty() { None } else { self.by_hosts.get(&(from, to)) };
        match path {
            None => {
                let at = Instant::from_nanos(now.saturating_add(DEFAULT_DELAY));
                Fate::Arrives { at, duplicate_at: None }
            }
            Some(index) => {
                let direction = &mut self.directions[*index];
                if is_address_resolution(frame) {
                    direction.carry_arp(now)
                } else {
                    let fate = direction.carry(now, frame.len(), frame.packet().len());
                    if matches!(fate, Fate::Arrives { .. }) {
                        frame.enter_link(*index as u32);
                    }
                    fate
                }
            }
        }
    }

    /// A frame that was carried has arrived.
    #[inline]
    pub(crate) fn arrived(&mut self, frame: &mut FrameBuffer) {
        if let Some(link) = frame.leave_link()
            && let Some(direction) = self.directions.get_mut(link as usize)
        {
            direction.arrived(frame.len());
        }
    }

    /// The host that sent a frame.
    pub(crate) fn sender(&self, frame: &FrameBuffer) -> Option<u32> {
        host_with(source_mac(frame.bytes())?).filter(|host| *host < self.hosts)
    }

    pub(crate) fn index_between(&self, from: u32, to: u32) -> Option<usize> {
        if self.by_hosts.is_empty() { None } else { self.by_hosts.get(&(from, to)).copied() }
    }
}

/// Locally administered, numbered from 1.
fn mac_of(host: u32) -> Mac {
    let [_, high, middle, low] = (host + 1).to_be_bytes();
    [0x02, 0x00, 0x00, high, middle, low]
}

fn host_with(mac: Mac) -> Option<u32> {
    let [0x02, 0x00, 0x00, high, middle, low] = mac else { return None };
    u32::from_be_bytes([0, high, middle, low]).checked_sub(1)
}

fn address_of(host: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(NETWORK + (host / PER_BLOCK) * 256 + host % PER_BLOCK + 1)
}

fn host_at(address: Ipv4Addr) -> Option<u32> {
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

fn host_at_v6(address: Ipv6Addr) -> Option<u32> {
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
        assert_eq!(address_of(MOST_HOSTS - 1), Ipv4Addr::new(10, 0, 255, 254));
    }

    #[test]
    fn every_address_leads_back_to_its_host() {
        for host in (0..MOST_HOSTS).step_by(97) {
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
        let mut lan = Lan::new(Seed(1));
        assert!((0..MOST_HOSTS).all(|_| lan.add_host().is_some()));
        assert!(lan.add_host().is_none());
    }
}
