//! Leases, and what a server's answer must be to become one.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::super::iface::Prefix;
use super::message::Reply;

/// DNS servers that are taken, as many as a resolver asks (resolv.conf(5)).
const MAX_NAMESERVERS: usize = 3;
/// A smaller MTU than every IPv4 host takes (RFC 1122 3.3.2) is a mistake.
const MIN_MTU: u16 = 576;
/// A lease without an end (RFC 2131 3.3).
const FOR_EVER: u32 = u32::MAX;

/// An IPv4 address that a DHCP server lends to a host, with what came with it (RFC 2131).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The host's address.
    pub address: Ipv4Addr,
    /// How many of its leading bits are those of its network.
    pub prefix_len: u8,
    /// The neighbour to which packets for other networks go.
    pub router: Option<Ipv4Addr>,
    /// DNS servers, in the order in which they are asked; at most three.
    pub nameservers: Vec<Ipv4Addr>,
    /// The domain that the network's hosts are in. Nothing is done with it.
    pub domain: Option<String>,
    /// Largest IP packet of the network, in bytes.
    pub mtu: Option<u16>,
    /// The DHCP server, by the address with which it identifies itself.
    pub server: Ipv4Addr,
    /// For how long, since it was asked for; `None` is for ever.
    pub duration: Option<Duration>,
}

/// A lease, and when to ask for more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) lease: Lease,
    /// T1 and T2 of a lease that has an end, since it was asked for.
    pub(super) times: Option<Times>,
}

/// Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) renew: u64,
    pub(super) rebind: u64,
    pub(super) expire: u64,
}

impl Times {
    /// What the server says where it makes sense, and else RFC 2131 4.4.5's shares.
    fn of(lease: u32, renewal: Option<u32>, rebinding: Option<u32>) -> Times {
        const SECOND: u64 = 1_000_000_000;
        let expire = u64::from(lease) * SECOND;
        let given = |seconds: Option<u32>| seconds.map(|seconds| u64::from(seconds) * SECOND);
        let rebind = given(rebinding).filter(|rebind| (1..expire).contains(rebind));
        let rebind = rebind.unwrap_or(expire / 8 * 7);
        let renew = given(renewal).filter(|renew| (1..rebind).contains(renew));
        Times { renew: renew.unwrap_or(rebind.min(expire / 2)), rebind, expire }
    }
}

impl Terms {
    /// What an OFFER or an ACK offers.
    ///
    /// # Errors
    /// Why it cannot be taken.
    pub(super) fn of(reply: &Reply) -> Result<Terms, String> {
        let address = reply.address;
        let server = reply.server.filter(|server| is_one_host(*server));
        let Some(server) = server else {
            return Err("it does not say which server it is from".to_owned());
        };
        let prefix_len = match reply.mask {
            Some(mask) => {
                prefix_len(mask).ok_or_else(|| format!("{mask} cannot be the mask of a network"))?
            }
            None => class_of(address),
        };
        if !is_host_within(address, prefix_len) {
            return Err(format!("{address}/{prefix_len} cannot be the address of one host"));
        }
        let seconds = match reply.lease {
            None | Some(0) => return Err("it lends the address for no time".to_owned()),
            Some(seconds) => seconds,
        };
        let is_neighbor = |router: &&Ipv4Addr| {
            let network = Prefix::new(address, prefix_len);
            network.contains(IpAddr::V4(**router))
                && **router != address
                && is_host_within(**router, prefix_len)
        };
        let router = reply.routers.iter().find(is_neighbor).copied();
        if router.is_none() && !reply.routers.is_empty() {
            let routers = &reply.routers;
            tracing::warn!(target: "glassnet::dhcp", ?routers, "no router of these is a neighbour");
        }
        let mut nameservers = Vec::new();
        for nameserver in reply.nameservers.iter().filter(|nameserver| is_one_host(**nameserver)) {
            if nameservers.len() < MAX_NAMESERVERS && !nameservers.contains(nameserver) {
                nameservers.push(*nameserver);
            }
        }
        let is_domain = |domain: &&String| {
            let is_fine = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
            domain.bytes().all(is_fine)
        };
        let has_end = seconds != FOR_EVER;
        let lease = Lease {
            address,
            prefix_len,
            router,
            nameservers,
            domain: reply.domain.as_ref().filter(is_domain).cloned(),
            mtu: reply.mtu.filter(|mtu| *mtu >= MIN_MTU),
            server,
            duration: has_end.then(|| Duration::from_secs(seconds.into())),
        };
        let times = has_end.then(|| Times::of(seconds, reply.renewal, reply.rebinding));
        Ok(Terms { lease, times })
    }
}

/// The length of the prefix that a mask stands for; `None` for no network at all, and where ones
/// follow on zeros.
fn prefix_len(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let len = bits.leading_ones();
    let is_mask = len > 0 && bits.count_ones() == len;
    is_mask.then_some(len as u8)
}

/// What a network without a mask has: RFC 791 3.2.
fn class_of(address: Ipv4Addr) -> u8 {
    match address.octets()[0] {
        0..=127 => 8,
        128..=191 => 16,
        _ => 24,
    }
}

/// Whether an address may be one host's, as far as can be told without its network.
fn is_one_host(address: Ipv4Addr) -> bool {
    // 0.0.0.0/8 is this network, 224.0.0.0/3 are groups, what is reserved, and everybody.
    !matches!(address.octets()[0], 0 | 127 | 224..)
}

/// Whether it is neither its network's own nor that of everybody in it.
fn is_host_within(address: Ipv4Addr, prefix_len: u8) -> bool {
    let host = address.to_bits().checked_shl(prefix_len.into()).unwrap_or(0);
    let all = u32::MAX.checked_shl(prefix_len.into()).unwrap_or(0);
    // RFC 3021: a /31 has neither.
    is_one_host(address) && (prefix_len >= 31 || (host != 0 && host != all))
}
